//! Every rule on every statement. What comes out is raw: no level yet, nothing accepted. A panic in
//! here, ours or squawk's, becomes a finding that denies the whole file.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use squawk_linter::Rule as Theirs;
use squawk_syntax::SyntaxKind;

use super::new_objects::{NewObjects, is_drop};
use super::rule::{Judge, RULES, Rule};
use super::rule_context::{RuleContext, SchemaContext, Span};
use super::rules::squawk::{lint, without_comments};
use super::rules::verification::UNVERIFIABLE;
use super::schema::StatementContext;
use super::{File, Kind, Policy, spared};
use crate::sql::{Name, Node, Scope, Script, normalized};

/// What a rule found, before the policy.
#[derive(Debug, Clone)]
pub(super) struct Raw {
    pub(super) rule: &'static Rule,
    /// Empty where the whole file is meant.
    pub(super) range: Range<usize>,
    pub(super) message: String,
    pub(super) scope: Option<Scope>,
    /// The names that an Allow line may call it by.
    pub(super) words: Vec<String>,
}

/// `judged`, or the finding that judging broke.
pub(super) fn guarded(judged: impl FnOnce() -> Vec<Raw>, script: &Script) -> Vec<Raw> {
    catch_unwind(AssertUnwindSafe(judged)).unwrap_or_else(|_| vec![unverifiable(0..0, script, None)])
}

fn unverifiable(range: Range<usize>, script: &Script, scope: Option<Scope>) -> Raw {
    let message = format!("{} {}", script.source.file, UNVERIFIABLE.why);
    Raw { rule: &UNVERIFIABLE, range, message, scope, words: Vec::new() }
}

/// What the rules that `policy` does not leave out find in `file`.
pub(super) fn raw_findings(file: &File<'_>, policy: &Policy) -> Vec<Raw> {
    let rules: Vec<&Rule> = RULES.iter().filter(|rule| policy.level(rule).is_some()).collect();
    let script = file.script;
    let in_template = matches!(file.kind, Kind::Template(_));
    let mut made = NewObjects::new(file.schemas.platform, in_template);
    let statements = &file.walk.context;
    let in_service = !in_template && statements.first().is_some_and(|first| !first.schema.is_empty());
    if let Kind::Template(earlier) = file.kind {
        for script in earlier {
            for statement in &script.statements {
                made.learn(statement, script, statement.node(script), Some(Scope::Tenant), false);
            }
        }
    }
    let mut theirs = lint(script, &rules);
    theirs.sort_by_key(|(_, hit)| hit.start);
    let shown = without_comments(script, &script.source.text);
    let mut found = Vec::new();
    for &StatementContext { statement, scope, ref schema } in statements {
        let node = statement.node(script);
        let before = |offset: usize| theirs.partition_point(|(_, hit)| hit.start < offset);
        let theirs = &theirs[before(statement.range.start)..before(statement.range.end)];
        let meets = SchemaContext {
            made: &made,
            schema,
            file: statements,
            script,
            after: &file.walk.after,
            schemas: file.schemas,
            in_template,
            in_service,
        };
        let subject = RuleContext::new(statement, node, scope, meets);
        for &rule in &rules {
            if rule.ignores_new_objects && subject.only_new() {
                continue;
            }
            let mut hits = outermost(hits(rule, &subject, theirs));
            if rule.ignores_new_objects {
                hits.retain(|hit| !spared::is_spared(&subject, hit));
            }
            for (range, text) in hits.into_iter().flat_map(|hit| by_object(rule, hit, &subject, &shown)) {
                let words = words(node, &range, &subject);
                let message = format!("`{text}` {}", rule.why);
                found.push(Raw { rule, range, message, scope, words });
            }
        }
        let proven = node.has_child(&[SyntaxKind::IF_NOT_EXISTS, SyntaxKind::OR_REPLACE])
            && schema.certainly_makes(statement, node, scope);
        made.learn(statement, script, node, scope, proven);
    }
    found
}

fn hits(rule: &Rule, subject: &RuleContext<'_>, theirs: &[(Theirs, Span)]) -> Vec<Span> {
    match rule.judge {
        Judge::Known(codes, kinds) => {
            let whole = &subject.statement.range;
            let reported = theirs
                .iter()
                .filter(|(code, _)| codes.contains(code))
                .map(|(_, hit)| hit.start..hit.end.min(whole.end));
            reported.chain(subject.nodes(kinds).map(Node::span)).collect()
        }
        Judge::Filtered(codes, kinds, keeps) => {
            let known = Rule { judge: Judge::Known(codes, kinds), ..*rule };
            hits(&known, subject, theirs).into_iter().filter(|hit| keeps(subject, hit)).collect()
        }
        Judge::Code(judge) => judge(subject),
        Judge::Verification => Vec::new(),
    }
}

/// One finding for what is reported twice, by squawk and by the tree, or inside of each other.
fn outermost(mut hits: Vec<Span>) -> Vec<Span> {
    hits.sort_by_key(|hit| (hit.start, std::cmp::Reverse(hit.end)));
    let mut kept: Vec<Span> = Vec::new();
    for hit in hits {
        if kept.last().is_none_or(|last| last.end <= hit.start) {
            kept.push(hit);
        }
    }
    kept
}

/// `DROP TABLE a, b` is two findings, so that an Allow line that says `a` does not let `b` go too. Each
/// with the text that its message begins with.
fn by_object(rule: &Rule, hit: Span, subject: &RuleContext<'_>, shown: &str) -> Vec<(Span, String)> {
    let statement = subject.statement;
    let names_its_objects =
        is_drop(statement.kind) || matches!(statement.kind, SyntaxKind::TRUNCATE | SyntaxKind::REVOKE);
    let targets: Vec<&Name> = subject.targets().collect();
    if hit != statement.range || !names_its_objects || targets.len() < 2 {
        let text = short(&shown[hit.clone()]);
        // A finding about a comment shows it.
        let text = if text.is_empty() { short(&subject.script.source.text[hit.clone()]) } else { text };
        return vec![(hit, text)];
    }
    targets
        .into_iter()
        .filter(|name| !rule.ignores_new_objects || !subject.is_new(name))
        .map(|name| {
            let text = format!("{} {}", statement.verb(), short(&shown[name.range.clone()]));
            (name.range.clone(), text)
        })
        .collect()
}

/// The names in the span of a finding, and, unless it is about one object of several, all that the
/// statement acts on.
fn words(node: Node<'_>, range: &Range<usize>, subject: &RuleContext<'_>) -> Vec<String> {
    let tokens = node.tokens();
    let mut words: Vec<String> = tokens
        .filter(|token| {
            let at = token.range();
            range.start <= at.start && at.end <= range.end && !token.kind.is_trivia()
        })
        .map(|token| normalized(token.text))
        .collect();
    let one_of_several = subject.targets().any(|name| name.range == *range);
    let named = subject.statement.names.iter().filter(|_| !one_of_several);
    words.extend(named.flat_map(|name| [Some(name.name.clone()), name.schema.clone()]).flatten());
    words
}

/// The beginning of a text on one line.
fn short(text: &str) -> String {
    const LONGEST: usize = 60;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST {
        return line;
    }
    line.chars().take(LONGEST - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Source;

    #[test]
    fn a_panic_is_a_denied_finding() {
        let script = Script::parse(Source::new("t.sql", "SELECT 1")).unwrap();
        let raw = guarded(|| panic!("on purpose"), &script);
        assert_eq!(raw.len(), 1);
        assert_eq!(raw[0].rule.id, UNVERIFIABLE.id);
    }
}
