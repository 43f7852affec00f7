//! The text output of `template check` and `template squash`.

use super::{Checked, CheckedTemplate, Proof, SharedKeyJson, Squashed};
use crate::output::{Diagnostic, Paint, Severity, Text, plural};
use crate::verify::format::findings;

/// Formats the result of `template check`.
pub fn checked(checked: &Checked, paint: Paint) -> Text {
    let mut text = Text::default();
    for template in &checked.templates {
        text.line(line(template, paint));
        for key in &template.shared_keys {
            text.blank();
            text.append(&shared(key, paint));
            text.blank();
        }
    }
    for proof in &checked.proofs {
        text.line(proved(proof, paint));
        for line in &proof.differences {
            text.line(format_args!("  {line}"));
        }
    }
    text.append(&findings(&checked.findings, &checked.lowered, &checked.summary, paint));
    text
}

/// Formats the result of `template squash`.
pub fn squashed(squashed: &Squashed, paint: Paint) -> Text {
    let Squashed { template, from, to, made, files, removed } = squashed;
    let Some(made) = made else { return Text::of_line(format_args!("{template} is already at {to}")) };
    let mut text = Text::of_line(format_args!(
        "{}: {made} at {to} creates the same tenant as {template} at {from} with the later steps",
        paint.good("proved")
    ));
    for file in removed.iter().filter(|file| !files.contains(file)) {
        text.line(format_args!("  removed {file}"));
    }
    for file in files {
        text.line(format_args!("  {file}"));
    }
    if made != template {
        text.line(format_args!("set `template = {made:?}` in tenure.toml to create new tenants from it"));
    }
    text
}

/// The result of a trial, without the differences.
pub(super) fn proved(proof: &Proof, paint: Paint) -> String {
    let Proof { template, against, at, proved, .. } = proof;
    match (proved, against) {
        (true, None) => format!("{}: {template} can create a tenant at {at}", paint.good("proved")),
        (true, Some(older)) => {
            format!("{}: {template} and {older} create the same tenant at {at}", paint.good("proved"))
        }
        (false, None) => format!("{}: {template} at {at}", paint.bad("refused")),
        (false, Some(older)) => {
            format!("{}: {template} and {older} create different tenants at {at}", paint.bad("refused"))
        }
    }
}

fn line(template: &CheckedTemplate, paint: Paint) -> String {
    let transactions = match template.transactions {
        0 | 1 => String::new(),
        more => format!(" in {}", plural(more, "transaction")),
    };
    format!(
        "{}  at {}, a new tenant at {}: {}{transactions}",
        paint.bold(&template.name),
        template.version,
        template.latest,
        plural(template.statements, "statement")
    )
}

fn shared(SharedKeyJson(key): &SharedKeyJson, paint: Paint) -> Text {
    let table = key.shown();
    let label = match key.under_lock {
        0 | 1 => "it is sent last".to_owned(),
        more => format!("it is sent last, with {} that must follow it", plural(more - 1, "statement")),
    };
    Diagnostic {
        severity: Severity::Note,
        code: None,
        title: &format!("a foreign key to the shared table {table}"),
        place: Some(&key.place),
        label: &label,
        notes: &[&format!(
            "creating a tenant locks {table} against writers and other new tenants until COMMIT"
        )],
        help: None,
    }
    .render(paint)
}
