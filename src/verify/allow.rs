//! `-- Allow: rule-id [object] because …`: a line that accepts one finding and gives the reason. An invalid line is denied, since
//! its author relies on it.

use std::ops::Range;

use super::policy::nearest;
use super::rule::{Rule, Tool, find};
use super::rule_id::RuleId;
use super::rules::verification::{ALLOW_INVALID, ALLOW_UNUSED};
use crate::sql::{Comment, Script, normalized};

/// An Allow line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Allow {
    pub(super) rule: RuleId,
    /// The parts of the object's name; empty if the line names no object.
    pub(super) object: Vec<String>,
    pub(super) because: String,
    pub(super) range: Range<usize>,
}

/// An error in an Allow line: the rule that reports it, the range of the line, the message.
pub(super) type AllowError = (&'static Rule, Range<usize>, String);

/// The valid Allow lines of `script`, and the errors in the others.
pub(super) fn allow_lines(script: &Script) -> (Vec<Allow>, Vec<AllowError>) {
    let (mut allows, mut errors) = (Vec::new(), Vec::new());
    for comment in &script.comments {
        match read(comment) {
            Some(Ok(allow)) => allows.push(allow),
            Some(Err(why)) => errors.push((&ALLOW_INVALID, comment.range.clone(), why)),
            None => {}
        }
    }
    (allows, errors)
}

impl Allow {
    /// Whether the line accepts a finding of `rule` on an object with these names.
    pub(super) fn accepts(&self, rule: RuleId, words: &[String]) -> bool {
        self.rule == rule && self.object.iter().all(|part| words.contains(part))
    }
}

/// Stands for the reason in the line that a finding proposes.
const REASON: &str = "<reason>";

/// The line that accepts a finding of `rule` on this object, apart from the reason.
pub(super) fn proposed(rule: RuleId, object: &[String]) -> String {
    let quoted = |part: &String| {
        let is_plain = normalized(part) == *part
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
            && !part.eq_ignore_ascii_case("because");
        if is_plain { part.clone() } else { format!("\"{}\"", part.replace('"', "\"\"")) }
    };
    let object = object.iter().map(quoted).collect::<Vec<_>>().join(".");
    let words = [rule.as_str(), &object, "because", REASON];
    format!("-- Allow: {}", words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "))
}

/// Which of the objects `found` are accepted as findings of `rule` by the lines of `scripts`. As in a verified file, a line
/// accepts one finding; lines that name an object apply first.
pub fn accepted<'s>(
    scripts: impl IntoIterator<Item = &'s Script>,
    rule: RuleId,
    found: &[&str],
) -> Vec<bool> {
    let mut lines: Vec<Allow> = scripts.into_iter().flat_map(|script| allow_lines(script).0).collect();
    // The sort is stable.
    lines.sort_by_key(|allow| allow.object.is_empty());
    let words: Vec<_> = found.iter().map(|name| names(name)).collect();
    let mut accepted = vec![false; found.len()];
    for allow in lines {
        let one = (0..found.len()).find(|&at| !accepted[at] && allow.accepts(rule, &words[at]));
        if let Some(at) = one {
            accepted[at] = true;
        }
    }
    accepted
}

/// The names under which an Allow line may refer to `name`, which is not an SQL name.
pub fn names(name: &str) -> Vec<String> {
    let mut names = parts(name);
    names.push(name.to_owned());
    names
}

/// The finding for a line that accepted nothing.
pub(super) fn unused(allow: &Allow) -> AllowError {
    let object =
        if allow.object.is_empty() { String::new() } else { format!(" of {}", allow.object.join(".")) };
    let why = format!("this line accepts a finding of {}{object}, but there is no such finding", allow.rule);
    (&ALLOW_UNUSED, allow.range.clone(), why)
}

fn read(comment: &Comment) -> Option<Result<Allow, String>> {
    let (key, text) = comment.line.as_deref()?.split_once(':')?;
    key.trim().eq_ignore_ascii_case("allow").then(|| parse(text, comment.range.clone()))
}

fn parse(text: &str, range: Range<usize>) -> Result<Allow, String> {
    let mut words = text.split_whitespace();
    let id = words.next().ok_or("this line names no rule")?;
    let id = id.to_ascii_lowercase();
    let rule = find(&id).filter(|rule| rule.tool() == Tool::Verify).ok_or_else(|| {
        match nearest(Tool::Verify, &id) {
            Some(nearest) => format!("there is no rule {id:?}; did you mean {nearest}?"),
            None => format!("there is no rule {id:?}"),
        }
    })?;
    if !rule.can_be_accepted() {
        return Err(format!("a finding of {} cannot be accepted", rule.id));
    }
    let mut object = Vec::new();
    for word in words.by_ref() {
        if word.eq_ignore_ascii_case("because") {
            let because = words.collect::<Vec<_>>().join(" ");
            if because.is_empty() || because == REASON {
                break;
            }
            return Ok(Allow { rule: rule.id, object: parts(&object.join(" ")), because, range });
        }
        object.push(word);
    }
    Err("this line gives no reason after `because`".to_owned())
}

/// The parts of a qualified name such as `a."B.c"`.
fn parts(object: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for letter in object.chars() {
        quoted ^= letter == '"';
        match parts.last_mut() {
            Some(_) if letter == '.' && !quoted => parts.push(String::new()),
            Some(part) => part.push(letter),
            None => {}
        }
    }
    parts.iter().map(|part| normalized(part)).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<(&'static str, Vec<String>, String), String> {
        parse(line, 0..0).map(|allow| (allow.rule.as_str(), allow.object, allow.because))
    }

    #[test]
    fn a_line_names_rule_object_and_reason() {
        let reason = "2.1 no longer reads it".to_owned();
        let line = "drop-column Users.\"E.mail\" BECAUSE 2.1 no  longer reads it";
        assert_eq!(parsed(line), Ok(("drop-column", vec!["users".to_owned(), "E.mail".to_owned()], reason)));
        assert_eq!(parsed("truncate because x"), Ok(("truncate", vec![], "x".to_owned())));
    }

    #[test]
    fn the_proposed_line_is_read_as_it_is_meant() {
        for object in [
            vec!["users", "email"],
            vec!["Order Lines", "Unit.Price"],
            vec!["because"],
            vec!["a \"b"],
            vec![],
        ] {
            let object: Vec<String> = object.into_iter().map(str::to_owned).collect();
            let line = proposed(RuleId::DropColumn, &object).replace(REASON, "x");
            let (rule, read, _) = parsed(line.strip_prefix("-- Allow: ").unwrap()).unwrap();
            assert_eq!((rule, read), ("drop-column", object), "{line}");
        }
        assert_eq!(
            proposed(RuleId::DropTable, &["users".to_owned()]),
            "-- Allow: drop-table users because <reason>"
        );
    }

    #[test]
    fn a_line_accepts_one_finding_and_named_objects_come_first() {
        let script = |lines: &[&str]| {
            let lines: Vec<_> = lines.iter().map(|line| format!("-- Allow: {line} because x\n")).collect();
            Script::parse(crate::error::Source::new("f.sql", format!("{}SELECT 1;", lines.concat()))).unwrap()
        };
        let accepted = |lines: &[&str], found: &[&str]| {
            let scripts = [script(lines), script(&[])];
            super::accepted(&scripts, RuleId::QueryBreaks, found)
        };
        assert_eq!(accepted(&["query-breaks"], &["A", "B"]), [true, false]);
        assert_eq!(accepted(&["query-breaks", "query-breaks A"], &["A", "B", "C"]), [true, true, false]);
        assert_eq!(accepted(&["query-breaks b", "query-breaks B"], &["A", "B"]), [false, true]);
        assert_eq!(accepted(&["query-breaks \"B\""], &["b", "B"]), [false, true]);
        assert_eq!(accepted(&["query-breaks q/r.sql:3"], &["q/r.sql:3"]), [true]);
        assert_eq!(accepted(&["query-changes"], &["A"]), [false]);
    }

    #[test]
    fn a_line_without_reason_or_rule_is_wrong() {
        insta::assert_debug_snapshot!(
            ["", "drop-colum because x", "drop-table users", "drop-table because", "drop-table because <reason>", "unverifiable because x"]
                .map(|line| parsed(line).unwrap_err()),
            @r#"
            [
                "this line names no rule",
                "there is no rule \"drop-colum\"; did you mean drop-column?",
                "this line gives no reason after `because`",
                "this line gives no reason after `because`",
                "this line gives no reason after `because`",
                "a finding of unverifiable cannot be accepted",
            ]
            "#
        );
    }
}
