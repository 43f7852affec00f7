//! Runs every rule on every statement. The findings are raw: without levels and Allow lines. A panic in a rule of Tenure or squawk
//! becomes a finding that denies the whole file.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use squawk_linter::Rule as SquawkRule;
use squawk_syntax::SyntaxKind;

use super::new_objects::{NewObjects, is_drop};
use super::rule::{Judge, Rule, Tool};
use super::rule_context::{RuleContext, SchemaContext, Span};
use super::rules::squawk::{lint, without_comments};
use super::rules::verification::UNVERIFIABLE;
use super::schema::{CodeReplay, CodeStep, Effect, Schema, StatementContext};
use super::{File, Kind, Policy, new_parts};
use crate::sql::{Name, Node, Scope, Script, Statement, normalized};

/// A finding before the policy is applied.
#[derive(Debug, Clone)]
pub(super) struct RawFinding {
    pub(super) rule: &'static Rule,
    /// Empty for a finding about the whole file.
    pub(super) range: Range<usize>,
    pub(super) message: String,
    pub(super) scope: Option<Scope>,
    /// The names that an Allow line may use.
    pub(super) words: Vec<String>,
    /// Whether the statement is in the body of a DO block or a routine.
    pub(super) in_code: bool,
}

impl RawFinding {
    /// A finding that concerns no statement.
    pub(super) fn of_file(rule: &'static Rule, range: Range<usize>, message: String) -> Self {
        Self { rule, range, message, scope: None, words: Vec::new(), in_code: false }
    }
}

/// The findings of `judged`, or if it panics, a finding that reports that.
pub(super) fn catch_panic(judged: impl FnOnce() -> Vec<RawFinding>, script: &Script) -> Vec<RawFinding> {
    catch_unwind(AssertUnwindSafe(judged)).unwrap_or_else(|_| vec![unverifiable(0..0, script, None)])
}

fn unverifiable(range: Range<usize>, script: &Script, scope: Option<Scope>) -> RawFinding {
    let message = format!("{} {}", script.source.file, UNVERIFIABLE.why);
    RawFinding { scope, ..RawFinding::of_file(&UNVERIFIABLE, range, message) }
}

/// The findings of all rules that `policy` does not turn off.
pub(super) fn raw_findings(file: &File<'_>, policy: &Policy) -> Vec<RawFinding> {
    let rules: Vec<&Rule> = Tool::Verify.rules().filter(|rule| policy.level(rule).is_some()).collect();
    let in_template = matches!(file.kind, Kind::Template(_));
    let mut made = NewObjects::new(file.schemas.platform, in_template);
    if let Kind::Template(earlier) = file.kind {
        for script in earlier {
            for statement in &script.statements {
                made.learn(statement, script, statement.node(script), Some(Scope::Tenant), false);
            }
        }
    }
    let linted = Linted::of(file.script, &rules);
    let mut found = Vec::new();
    for context in &file.replay.statements {
        let StatementContext { statement, scope, schema, code } = context;
        let own = findings_of(file, &linted, statement, *scope, schema, code.as_ref(), &made);
        if let Some(CodeReplay { code, steps }) = code {
            let linted = Linted::of(&code.script, &rules);
            for (statement, CodeStep { schema, effect }) in code.script.statements.iter().zip(steps) {
                let inner = findings_of(file, &linted, statement, *scope, schema, None, &made);
                // A rule may read the text of the whole block.
                let inner = inner.into_iter().filter(|raw| !own.iter().any(|own| own.rule.id == raw.rule.id));
                found.extend(inner.map(|raw| RawFinding { in_code: true, ..raw }));
                if *effect == Effect::Certain || !made.creates(statement) {
                    learn(&mut made, &code.script, statement, *scope, schema);
                }
            }
        }
        found.extend(own);
        learn(&mut made, file.script, statement, *scope, schema);
    }
    found
}

fn learn(
    made: &mut NewObjects<'_>,
    script: &Script,
    statement: &Statement,
    scope: Option<Scope>,
    schema: &Schema,
) {
    let node = statement.node(script);
    let proven = node.has_child(&[SyntaxKind::IF_NOT_EXISTS, SyntaxKind::OR_REPLACE])
        && schema.certainly_makes(statement, node, scope);
    made.learn(statement, script, node, scope, proven);
}

/// A script with the violations that squawk reports in it.
struct Linted<'a> {
    script: &'a Script,
    rules: &'a [&'static Rule],
    violations: Vec<(SquawkRule, Span)>,
    /// The text without comments.
    shown: String,
}

impl<'a> Linted<'a> {
    fn of(script: &'a Script, rules: &'a [&'static Rule]) -> Self {
        let mut violations = lint(script, rules);
        violations.sort_by_key(|(_, span)| span.start);
        Self { script, rules, violations, shown: without_comments(script, &script.source.text) }
    }
}

/// The findings of all rules on one statement.
fn findings_of(
    file: &File<'_>,
    linted: &Linted<'_>,
    statement: &Statement,
    scope: Option<Scope>,
    schema: &Schema,
    code: Option<&CodeReplay>,
    made: &NewObjects<'_>,
) -> Vec<RawFinding> {
    let Linted { script, rules, violations, shown } = linted;
    let statements = &file.replay.statements;
    let in_template = matches!(file.kind, Kind::Template(_));
    let node = statement.node(script);
    let before = |offset: usize| violations.partition_point(|(_, span)| span.start < offset);
    let violations = &violations[before(statement.range.start)..before(statement.range.end)];
    let schema_context = SchemaContext {
        made,
        schema,
        file: statements,
        script,
        code,
        after: &file.replay.after,
        schemas: file.schemas,
        in_template,
        in_service: !in_template && statements.first().is_some_and(|first| !first.schema.is_empty()),
    };
    let context = RuleContext::new(statement, node, scope, schema_context);
    let mut found = Vec::new();
    for &rule in *rules {
        if rule.ignores_new_objects && context.only_exempt() {
            continue;
        }
        let mut spans = outermost(spans(rule, &context, violations));
        if rule.ignores_new_objects {
            spans.retain(|span| !new_parts::acts_on_new_part(&context, span));
        }
        for (range, text) in spans.into_iter().flat_map(|span| split_by_object(rule, span, &context, shown)) {
            let words = words(node, &range, &context);
            let message = format!("`{text}` {}", rule.why);
            found.push(RawFinding { rule, range, message, scope, words, in_code: false });
        }
    }
    found
}

fn spans(rule: &Rule, context: &RuleContext<'_>, violations: &[(SquawkRule, Span)]) -> Vec<Span> {
    match rule.judge {
        Judge::Known(codes, kinds) => {
            let whole = &context.statement.range;
            let reported = violations
                .iter()
                .filter(|(code, _)| codes.contains(code))
                .map(|(_, span)| span.start..span.end.min(whole.end));
            reported.chain(context.nodes(kinds).map(Node::span)).collect()
        }
        Judge::Filtered(codes, kinds, keeps) => {
            let known = Rule { judge: Judge::Known(codes, kinds), ..*rule };
            spans(&known, context, violations).into_iter().filter(|span| keeps(context, span)).collect()
        }
        Judge::Code(judge) => judge(context),
        Judge::Verification | Judge::Catalog(..) => Vec::new(),
    }
}

/// Removes findings inside of other findings: squawk and a rule of Tenure may report the same text.
fn outermost(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    let mut kept: Vec<Span> = Vec::new();
    for span in spans {
        if kept.last().is_none_or(|last| last.end <= span.start) {
            kept.push(span);
        }
    }
    kept
}

/// Splits a finding by object: `DROP TABLE a, b` is two findings, so that an Allow line for `a` does not accept `b`. Returns each
/// with the text at the beginning of its message.
fn split_by_object(rule: &Rule, span: Span, context: &RuleContext<'_>, shown: &str) -> Vec<(Span, String)> {
    let statement = context.statement;
    let names_its_objects =
        is_drop(statement.kind) || matches!(statement.kind, SyntaxKind::TRUNCATE | SyntaxKind::REVOKE);
    let targets: Vec<&Name> = context.targets().collect();
    if span != statement.range || !names_its_objects || targets.len() < 2 {
        let text = short(&shown[span.clone()]);
        // A finding about a comment shows the comment.
        let text = if text.is_empty() { short(&context.script.source.text[span.clone()]) } else { text };
        return vec![(span, text)];
    }
    targets
        .into_iter()
        .filter(|name| !rule.ignores_new_objects || !context.is_exempt(name))
        .map(|name| {
            let text = format!("{} {}", statement.verb(), short(&shown[name.range.clone()]));
            (name.range.clone(), text)
        })
        .collect()
}

/// The names in the span of a finding and, unless it concerns one of several objects, all names of the statement.
fn words(node: Node<'_>, range: &Range<usize>, context: &RuleContext<'_>) -> Vec<String> {
    let tokens = node.tokens();
    let mut words: Vec<String> = tokens
        .filter(|token| {
            let at = token.range();
            range.start <= at.start && at.end <= range.end && !token.kind.is_trivia()
        })
        .map(|token| normalized(token.text))
        .collect();
    let one_of_several = context.targets().any(|name| name.range == *range);
    let named = context.statement.names.iter().filter(|_| !one_of_several);
    words.extend(named.flat_map(|name| [Some(name.name.clone()), name.schema.clone()]).flatten());
    words
}

/// The beginning of a text, on one line.
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
        let raw = catch_panic(|| panic!("on purpose"), &script);
        assert_eq!(raw.len(), 1);
        assert_eq!(raw[0].rule.id, UNVERIFIABLE.id);
    }
}
