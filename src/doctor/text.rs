//! The result of `tenure doctor` as text.

use super::{Diagnosis, Health};
use crate::output::{Paint, Text, plural};

/// A line for each check, then a summary.
pub fn diagnosis(diagnosis: &Diagnosis, paint: Paint) -> Text {
    let mut text = Text::default();
    for check in &diagnosis.checks {
        let state = match check.state {
            Health::Ok => paint.good("ok  "),
            Health::Warn => paint.warn("warn"),
            Health::Fail => paint.bad("fail"),
        };
        text.line(format_args!("{state}  {:<14}  {}", check.check, check.message));
        if let Some(help) = &check.help {
            text.line(format_args!("      {:<14}  {}", "", paint.dim(help)));
        }
    }
    let count = |state| diagnosis.checks.iter().filter(|check| check.state == state).count();
    text.blank();
    match (count(Health::Fail), count(Health::Warn)) {
        (0, 0) => text.line("no problems found"),
        (0, warned) => text.line(plural(warned, "warning")),
        (failed, _) => text.line(format_args!("{} must be fixed first", plural(failed, "problem"))),
    }
    text
}
