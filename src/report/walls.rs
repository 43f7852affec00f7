//! The results of the verbs on tenants' roles, for people.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write as _;

use super::{Diagnostic, Paint, Tone, changed, failure, plural, plural_of};
use crate::error::Place;
use crate::outcome::{Granted, LoggedIn, Password, Sessions, Turned};
use crate::verify::Level;
use crate::walls::{Audited, Finding, Rule};

/// What `tenant suspend` and `tenant resume` did.
pub fn turned(turned: &Turned, paint: Paint) -> String {
    let mut text = changed(&turned.changed, paint);
    if let Some(sessions) = &turned.sessions {
        text.push_str(&told(sessions));
    }
    text
}

/// What `tenant login` did.
pub fn logged_in(done: &LoggedIn, paint: Paint) -> String {
    let slug = paint.bold(&done.tenant.slug);
    let mut text = match &done.password {
        Some(_) => format!("{}: {slug} may log in\n", paint.good("done")),
        None => format!("{}: {slug} may no longer log in  role {}\n", paint.good("done"), done.role),
    };
    text.push_str(&password(Some(&done.role), done.password.as_ref()));
    if let Some(sessions) = &done.sessions {
        text.push_str(&told(sessions));
    }
    text
}

/// What `tenant grant` did.
pub fn granted(granted: &Granted, paint: Paint) -> String {
    let mut text = String::new();
    for failed in &granted.failed {
        let _written = writeln!(text, "{}\n", failure(&failed.failure, paint));
    }
    for tenant in &granted.granted {
        let slug = paint.bold(&tenant.slug);
        let _written = writeln!(text, "{} {slug}  role {}", paint.good("granted"), tenant.role);
    }
    let counts = [granted.granted.len(), granted.unchanged, granted.failed.len()];
    let _written = writeln!(text, "{} granted, {} unchanged, {} failed", counts[0], counts[1], counts[2]);
    text
}

/// What `tenant audit` found: what is so in many tenants alike is told of one.
pub fn audited(audited: &Audited, paint: Paint) -> String {
    let mut alike: Vec<(&Finding, usize)> = Vec::new();
    let mut known: HashMap<(&str, String, String), usize> = HashMap::new();
    for finding in &audited.findings {
        let of_nobody = |text: &str| match &finding.schema {
            Some(schema) => text.replace(schema.as_str(), "\0"),
            None => text.to_owned(),
        };
        let key = (finding.rule, of_nobody(&finding.object), of_nobody(&finding.message));
        match known.entry(key) {
            Entry::Occupied(at) => alike[*at.get()].1 += 1,
            Entry::Vacant(free) => {
                free.insert(alike.len());
                alike.push((finding, 0));
            }
        }
    }
    let mut text = String::new();
    for (finding, others) in alike {
        let place = Place::File(match &finding.schema {
            Some(schema) if finding.object != "schema" => format!("{schema}, {}", finding.object),
            Some(schema) => format!("schema {schema}"),
            None => finding.object.clone(),
        });
        let more = format!("the same of {}", plural_of(others, "other tenant", "other tenants"));
        let drawn = Diagnostic {
            tone: if finding.level == Level::Deny { Tone::Error } else { Tone::Warning },
            code: Some(finding.rule),
            title: &finding.message,
            place: Some(&place),
            label: "",
            notes: if others > 0 { &[more.as_str()] } else { &[] },
            help: Some(&finding.help),
        };
        let _written = writeln!(text, "{}\n", drawn.render(paint));
    }
    let counts = audited.summary;
    let found: Vec<String> = [(counts.deny, "denied"), (counts.warn, "warned")]
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let found = if found.is_empty() { paint.good("nothing found") } else { found.join(", ") };
    let _written = writeln!(text, "{}: {found}", plural(counts.tenants, "tenant"));
    text
}

/// One rule of the audit, at length.
pub fn explained_wall(rule: &Rule) -> String {
    format!(
        "{id} ({level}, of `tenure tenant audit`)\n\nFound where {finds}.\n\nWhy: {why}.\n\nWhat to do: {instead}.\n\n\
         To change the level, in tenure.toml (deny, warn or off):\n\n    [audit.levels]\n    {id} = \"warn\"\n",
        id = rule.id,
        level = rule.level,
        finds = rule.finds,
        why = rule.why,
        instead = rule.instead,
    )
}

/// A password, the one time that it is shown; nothing where there is none.
pub(super) fn password(role: Option<&str>, password: Option<&Password>) -> String {
    match (role, password) {
        (Some(role), Some(password)) => {
            format!("  role {role}  password {}  (it is not shown again)\n", password.reveal())
        }
        _ => String::new(),
    }
}

/// What became of a role's sessions.
fn told(sessions: &Sessions) -> String {
    let mut text = String::new();
    if sessions.ended > 0 {
        let _written = writeln!(text, "  {} of its role ended", plural(sessions.ended, "session"));
    }
    if sessions.left > 0 {
        let because = sessions.because.as_deref().unwrap_or_default();
        let _written =
            writeln!(text, "  {} of its role still open: {because}", plural(sessions.left, "session"));
    }
    text
}
