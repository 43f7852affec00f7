//! The result of `tenure doctor` as text.

use std::fmt::Write as _;

use super::{Diagnosis, Health};
use crate::output::{Paint, plural};

/// A line for each check, then a summary.
pub fn diagnosis(diagnosis: &Diagnosis, paint: Paint) -> String {
    let mut text = String::new();
    for check in &diagnosis.checks {
        let state = match check.state {
            Health::Ok => paint.good("ok  "),
            Health::Warn => paint.warn("warn"),
            Health::Fail => paint.bad("fail"),
        };
        let _written = writeln!(text, "{state}  {:<14}  {}", check.check, check.message);
        if let Some(help) = check.help {
            let _written = writeln!(text, "      {:<14}  {}", "", paint.dim(help));
        }
    }
    let count = |state| diagnosis.checks.iter().filter(|check| check.state == state).count();
    let _written = match (count(Health::Fail), count(Health::Warn)) {
        (0, 0) => writeln!(text, "\nno problems found"),
        (0, warned) => writeln!(text, "\n{}", plural(warned, "warning")),
        (failed, _) => writeln!(text, "\n{} must be fixed first", plural(failed, "problem")),
    };
    text
}
