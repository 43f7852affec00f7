//! The text output of `template check` and `template squash`.

use std::fmt::Write as _;

use super::{Checked, CheckedTemplate, Proof, SharedKeyJson, Squashed};
use crate::output::{Diagnostic, Paint, Severity, plural};
use crate::verify::format::findings;

/// Formats the result of `template check`.
pub fn checked(checked: &Checked, paint: Paint) -> String {
    let mut text = String::new();
    for template in &checked.templates {
        let _written = writeln!(text, "{}", line(template, paint));
        for key in &template.shared_keys {
            let _written = writeln!(text, "\n{}\n", shared(key, paint));
        }
    }
    for proof in &checked.proofs {
        let _written = writeln!(text, "{}", proved(proof, paint));
    }
    text.push_str(&findings(&checked.findings, &checked.summary, paint));
    text
}

/// Formats the result of `template squash`.
pub fn squashed(squashed: &Squashed, paint: Paint) -> String {
    let Squashed { template, from, to, made, files, removed } = squashed;
    let Some(made) = made else { return format!("{template} is already at {to}\n") };
    let mut text = format!(
        "{}: {made} at {to} creates the same tenant as {template} at {from} with the later steps\n",
        paint.good("proved")
    );
    for file in removed.iter().filter(|file| !files.contains(file)) {
        let _written = writeln!(text, "  removed {file}");
    }
    for file in files {
        let _written = writeln!(text, "  {file}");
    }
    if made != template {
        let _written =
            writeln!(text, "set `template = {made:?}` in tenure.toml to create new tenants from it");
    }
    text
}

pub(super) fn proved(proof: &Proof, paint: Paint) -> String {
    let Proof { template, against, at, proved, differences, .. } = proof;
    let title = match (proved, against) {
        (true, None) => format!("{}: {template} can create a tenant at {at}", paint.good("proved")),
        (true, Some(older)) => {
            format!("{}: {template} and {older} create the same tenant at {at}", paint.good("proved"))
        }
        (false, None) => format!("{}: {template} at {at}", paint.bad("refused")),
        (false, Some(older)) => {
            format!("{}: {template} and {older} create different tenants at {at}", paint.bad("refused"))
        }
    };
    let lines = differences.iter().map(|line| format!("\n  {line}"));
    std::iter::once(title).chain(lines).collect()
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

fn shared(SharedKeyJson(key): &SharedKeyJson, paint: Paint) -> String {
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
