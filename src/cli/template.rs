//! `tenure template check`

use super::Context;
use crate::error::{Class, Failure};
use crate::project::check_templates;
use crate::report;

pub(super) fn check(context: &Context) -> Result<u8, Failure> {
    let checked = check_templates(&context.project()?)?;
    context.ui.result(&checked, |paint| report::checked(&checked, paint))?;
    Ok(if checked.summary.deny > 0 { Class::Refused.exit_code() } else { 0 })
}
