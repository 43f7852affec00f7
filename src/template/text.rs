//! Templates, for people.

use std::fmt::Write as _;

use super::{Checked, CheckedTemplate, Proof, SharedKeyJson, Squashed};
use crate::output::{Diagnostic, Paint, Severity, plural};
use crate::verify::format::findings;

/// What `template check` shows.
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

/// What `template squash` did.
pub fn squashed(squashed: &Squashed, paint: Paint) -> String {
    let Squashed { template, from, to, made, files, removed } = squashed;
    let Some(made) = made else { return format!("{template} is at {to} already\n") };
    let mut text = format!(
        "{}: {made} at {to} makes the same tenant as {template} at {from} and the steps after it\n",
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
            writeln!(text, "set `template = {made:?}` in tenure.toml, and new tenants are made from it");
    }
    text
}

fn proved(proof: &Proof, paint: Paint) -> String {
    let Proof { template, against, at, proved, differences, .. } = proof;
    let said = match (proved, against) {
        (true, None) => format!("{}: a tenant at {at} can be made from {template}", paint.good("proved")),
        (true, Some(older)) => {
            format!("{}: {template} and {older} make the same tenant at {at}", paint.good("proved"))
        }
        (false, None) => format!("{}: {template}, at {at}", paint.bad("refused")),
        (false, Some(older)) => {
            format!(
                "{}: {template} does not make the tenant that {older} makes, at {at}",
                paint.bad("refused")
            )
        }
    };
    let lines = differences.iter().map(|line| format!("\n  {line}"));
    std::iter::once(said).chain(lines).collect()
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
    let behind = match key.under_lock {
        0 | 1 => "it is sent last".to_owned(),
        more => format!("it is sent last, with {} that cannot come before it", plural(more - 1, "statement")),
    };
    Diagnostic {
        severity: Severity::Note,
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
