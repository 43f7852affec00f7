//! Templates, for people.

use std::fmt::Write as _;

use super::snippet::{Diagnostic, Paint, Tone};
use super::{findings, plural};
use crate::outcome::{Checked, CheckedTemplate, ShownKey};

/// What `template check` shows.
pub fn checked(checked: &Checked, paint: Paint) -> String {
    let mut text = String::new();
    for template in &checked.templates {
        let _written = writeln!(text, "{}", line(template, paint));
        for key in &template.shared_keys {
            let _written = writeln!(text, "\n{}\n", shared(key, paint));
        }
    }
    text.push_str(&findings(&checked.findings, &checked.summary, paint));
    text
}

fn line(template: &CheckedTemplate, paint: Paint) -> String {
    format!(
        "{}  at {}, a new tenant at {}: {}",
        paint.bold(&template.name),
        template.version,
        template.latest,
        plural(template.statements, "statement")
    )
}

fn shared(ShownKey(key): &ShownKey, paint: Paint) -> String {
    let table = key.shown();
    let behind = match key.under_lock {
        0 | 1 => "it is sent last".to_owned(),
        more => format!("it is sent last, with {} that cannot come before it", plural(more - 1, "statement")),
    };
    Diagnostic {
        tone: Tone::Note,
        code: None,
        title: &format!("a foreign key to {table}, which tenants share"),
        place: Some(&key.place),
        label: &behind,
        notes: &[&format!(
            "until a tenant is committed, {table} is locked against its writers and other new tenants"
        )],
        help: None,
    }
    .render(paint)
}
