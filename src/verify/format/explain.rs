//! The rules and error codes as text and JSON: a table of all, or the explanation of one.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Code;
use crate::output::{Paint, Text, table};
use crate::verify::{Impact, Level, Rule, RuleId};

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

/// A rule as JSON.
#[derive(JsonSchema, Serialize)]
#[serde(untagged)]
pub enum RuleJson {
    /// A rule of `tenant audit` or `drift`.
    Object {
        /// Its name.
        id: RuleId,
        /// Its level in this project: `deny`, `warn` or `off`.
        level: String,
        /// What it finds.
        finds: &'static str,
        /// Why that is a problem.
        why: &'static str,
        /// What to do.
        remediation: &'static str,
        /// SQL that gives a finding.
        example: &'static str,
    },
    /// A rule of `verify`.
    Statement {
        /// Its name.
        id: RuleId,
        /// Its level in this project: `deny`, `warn` or `off`.
        level: String,
        /// What such a statement breaks.
        breaks: &'static [Impact],
        /// Why.
        why: &'static str,
        /// What to do instead.
        #[serde(rename = "instead")]
        remediation: &'static str,
        /// A statement that gives a finding.
        bad: &'static str,
        /// A statement that gives none.
        good: &'static str,
        /// The rule of another tool that it contains.
        #[serde(skip_serializing_if = "Option::is_none")]
        source: Option<String>,
    },
}

impl From<&Levelled> for RuleJson {
    fn from(&(rule, level): &Levelled) -> Self {
        let (id, level, why) = (rule.id, word(level), rule.why);
        match rule.finds() {
            Some(finds) => {
                Self::Object { id, level, finds, why, remediation: rule.remediation, example: rule.bad }
            }
            None => Self::Statement {
                id,
                level,
                breaks: rule.impact,
                why,
                remediation: rule.remediation,
                bad: rule.bad,
                good: rule.good,
                source: rule.source(),
            },
        }
    }
}

/// An error code as JSON.
#[derive(JsonSchema, Serialize)]
pub struct CodeJson {
    code: &'static str,
    means: &'static str,
    exit_code: u8,
    /// When the error occurs.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    /// A command and the lines that it prints.
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_step: Option<&'static str>,
}

impl From<Code> for CodeJson {
    fn from(code: Code) -> Self {
        let explanation = code.explanation();
        Self {
            code: code.as_str(),
            means: code.doc(),
            exit_code: code.class().exit_code(),
            cause: explanation.map(|it| it.cause.as_str()),
            example: explanation.map(|it| it.example.as_str()),
            next_step: explanation.map(|it| it.next_step.as_str()),
        }
    }
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
