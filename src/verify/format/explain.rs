//! The rules and error codes as text and JSON: a table of all, or the explanation of one.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::error::Code;
use crate::output::{Paint, Text, table};
use crate::verify::{Level, Rule};

/// A rule and its level in this project; `None` if it is off.
pub type Levelled = (&'static Rule, Option<Level>);

/// A table of rules, one line each.
pub fn rules(rules: &[Levelled], paint: Paint) -> Text {
    let rows: Vec<[String; 4]> = rules
        .iter()
        .map(|(rule, level)| [rule.id.to_string(), word(*level), impact(rule), rule.summary()])
        .collect();
    let mut text = table(["rule", "level", "breaks", "why"], &rows, paint);
    text.blank();
    text.line("`tenure explain RULE` shows one of them, with examples");
    text
}

/// The JSON of a rule.
pub fn rule_json((rule, level): &Levelled) -> Value {
    if let Some(finds) = rule.finds() {
        return json!({
            "id": rule.id, "level": word(*level), "finds": finds, "why": rule.why,
            "remediation": rule.remediation, "example": rule.bad,
        });
    }
    let mut value = json!({
        "id": rule.id, "level": word(*level), "breaks": rule.impact, "why": rule.why,
        "instead": rule.remediation, "bad": rule.bad, "good": rule.good,
    });
    if let (Some(source), Some(object)) = (rule.source(), value.as_object_mut()) {
        object.insert("source".to_owned(), json!(source));
    }
    value
}

/// The JSON of an error code.
pub fn code_json(code: Code) -> Value {
    let mut value =
        json!({ "code": code.as_str(), "means": code.doc(), "exit_code": code.class().exit_code() });
    if let (Some(explanation), Some(object)) = (code.explanation(), value.as_object_mut()) {
        object.insert("cause".to_owned(), json!(explanation.cause));
        object.insert("example".to_owned(), json!(explanation.example));
        object.insert("next_step".to_owned(), json!(explanation.next_step));
    }
    value
}

/// The explanation of a rule.
pub fn explained_rule(rule: &Rule, level: Option<Level>) -> String {
    let mut text = match rule.finds() {
        None => format!(
            "{} ({})\n\nThe statement {}.\n\nIn danger: {}.\nWhat to do instead: {}.\n",
            rule.id,
            word(level),
            rule.why,
            impact(rule),
            rule.remediation
        ),
        Some(finds) => format!(
            "{} ({}, of `tenure {}`)\n\nFound where {finds}.\n\nWhy: {}.\n\nWhat to do: {}.\n",
            rule.id,
            word(level),
            rule.tool().command(),
            rule.why,
            rule.remediation
        ),
    };
    let bad = if rule.finds().is_some() { "Example" } else { "Refused" };
    for (title, sql) in [(bad, rule.bad), ("Passes", rule.good)] {
        if !sql.is_empty() {
            text.push_str(&indented(title, sql));
        }
    }
    if rule.can_be_accepted() {
        let _ = write!(
            text,
            "\nTo accept one finding, in the file:\n\n    -- Allow: {} [object] because …\n",
            rule.id
        );
    }
    if let (Some(settings), false) = (rule.tool().settings(), rule.is_fixed()) {
        let _ = write!(
            text,
            "\nTo change the level, in tenure.toml (deny, warn or off):\n\n    [{settings}]\n    {} = \"warn\"\n",
            rule.id
        );
    }
    text
}

/// The explanation of an error code.
pub fn explained_code(code: Code) -> String {
    let mut text =
        format!("{} (error, exit code {})\n\n{}\n", code.as_str(), code.class().exit_code(), code.doc());
    if let Some(explanation) = code.explanation() {
        let _ = write!(
            text,
            "\nCause: {}\n{}\nNext step: {}\n",
            explanation.cause,
            indented("Example", &explanation.example),
            explanation.next_step
        );
    }
    text
}

/// A heading and indented lines.
fn indented(title: &str, lines: &str) -> String {
    format!("\n{title}:\n\n    {}\n", lines.trim().replace('\n', "\n    "))
}

fn word(level: Option<Level>) -> String {
    level.map_or_else(|| "off".to_owned(), |level| level.to_string())
}

fn impact(rule: &Rule) -> String {
    rule.impact.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
