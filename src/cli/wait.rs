//! `tenure wait`

use clap::Args;

use super::args::{Format, Global};
use super::ui;
use super::{Context, database, unless_interrupted};
use crate::chain::Version;
use crate::error::Failure;
use crate::ident::Slug;
use crate::settings::WaitTimeout;
use crate::wait::{self, Wanted};

#[derive(Debug, Args)]
pub(super) struct WaitArgs {
    /// Version to wait for; must be in the chain. A later version counts, too
    #[arg(long, value_name = "VERSION")]
    version: Version,
    /// Time limit, such as 5m; 0s tries once
    #[arg(long, value_name = "DURATION", default_value_t = WaitTimeout::default())]
    timeout: WaitTimeout,
    /// Wait only for this tenant, not for the platform; repeatable
    #[arg(long, value_name = "SLUG")]
    tenant: Vec<String>,
}

pub(super) async fn run(context: &Context, args: &WaitArgs) -> Result<u8, Failure> {
    let project = context.project()?;
    project.chain.find(&args.version)?;
    let tenants = args.tenant.iter().map(|slug| Slug::new(slug)).collect::<Result<Vec<_>, _>>()?;
    let timeout = args.timeout.duration();
    let wanted = Wanted { version: args.version.clone(), tenants, timeout };
    // Each try is one attempt to connect. The notes of the first one are enough.
    let global = Global { connect_attempts: 1, ..context.global.clone() };
    let mut once = Context { global, ui: context.ui, here: context.here.clone(), reports_waits: false };
    let connect = async || {
        let connected = database::connect(&once, &project.root).await;
        once.ui = once.ui.quiet();
        connected
    };
    let work = wait::wait(&project.settings, &wanted, connect, |state| context.ui.note(state));
    let waited = unless_interrupted(Box::pin(work)).await?;
    if waited.reached {
        context.ui.result(&waited, |paint| wait::text::reached(&waited, paint))?;
        return Ok(0);
    }
    let failure = wait::text::failure(&waited, timeout);
    context.ui.failure_with(&failure, &waited);
    if context.ui.format == Format::Human {
        ui::print_error(&wait::text::missing(&waited, context.ui.stderr_paint()));
    }
    Ok(failure.class().exit_code())
}
