//! Runs every rule on every statement. The findings are raw: without levels and Allow lines. A panic in a rule of Tenure or squawk
//! becomes a finding that denies the whole file.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use squawk_linter::Rule as SquawkRule;
use squawk_syntax::SyntaxKind;

use super::new_objects::{NewObjects, is_create, is_drop};
use super::routines::{Routines, UsedRoutine};
use super::rule::{Judge, Rule, Tool};
use super::rule_context::{RuleContext, SchemaContext, Span};
use super::rules::opaque_code::shows_its_effects;
use super::rules::replace::replaces_only_body;
use super::rules::squawk::{lint, without_comments};
use super::rules::verification::UNVERIFIABLE;
use super::schema::{CodeReplay, CodeStep, Effect, Routine, Schema, StatementContext, column_ref, executed};
use super::{File, Kind, Level, Policy, RuleId, new_parts};
use crate::sql::{Code, Name, Node, Runs, Scope, Script, Statement, normalized};

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
    /// The parts of the object's name that its Allow line uses; empty if there is no object.
    pub(super) object: Vec<String>,
    /// Whether the statement is in the body of a DO block or a routine.
    pub(super) in_code: bool,
    /// Whether a run on a shadow shows what the code does elsewhere.
    pub(super) shadow_shows: bool,
}

impl RawFinding {
    /// The finding as one of a statement in code. What a branch does that the shadow skips, no run shows.
    fn in_code(self, runs: &Runs) -> Self {
        let is_shown = self.shadow_shows || self.rule.id != RuleId::OpaqueCode;
        Self { in_code: true, shadow_shows: is_shown && *runs != Runs::Perhaps, ..self }
    }

    /// A finding that concerns no statement.
    pub(super) fn of_file(rule: &'static Rule, range: Range<usize>, message: String) -> Self {
        Self {
            rule,
            range,
            message,
            scope: None,
            words: Vec::new(),
            object: Vec::new(),
            in_code: false,
            shadow_shows: false,
        }
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
    let mut routines = Routines::of(file);
    let mut found = Vec::new();
    for context in &file.replay.statements {
        let StatementContext { statement, scope, schema, code } = context;
        let used = routines.used_by(statement, code.as_ref(), *scope, schema);
        let followed = Routines::followed(&used);
        let place = Place { file, scope: *scope, schema, made: &made, followed: &followed };
        let mut own = place.findings_of(&linted, statement, code.as_ref());
        if let Some(CodeReplay { code, steps }) = code {
            let linted = Linted::of(&code.script, &rules);
            let statements = code.script.statements.iter().zip(&code.runs);
            for ((statement, runs), CodeStep { schema, effect }) in statements.zip(steps) {
                let place = Place { file, scope: *scope, schema, made: &made, followed: &followed };
                let inner = place.findings_of(&linted, statement, None);
                // A rule may read the text of the whole block.
                let inner = inner.into_iter().filter(|raw| !own.iter().any(|own| own.rule.id == raw.rule.id));
                found.extend(inner.map(|raw| raw.in_code(runs)));
                // A name of a temporary table means it wherever the code goes on.
                let is_temporary = || statement.node(&code.script).contains(&[SyntaxKind::TEMP]);
                if *effect == Effect::Certain || !is_create(statement.kind) || is_temporary() {
                    learn(&mut made, &code.script, statement, *scope, schema);
                }
            }
        }
        let place = Place { file, scope: *scope, schema, made: &made, followed: &followed };
        place.replace_bodies(&mut own, &rules, policy, statement);
        let node = statement.node(file.script);
        let may_skip = may_skip_calls(node) || code.as_ref().is_some_and(|replay| replay.code.may_skip());
        let runs_now = executed(statement.kind, node) && !may_skip;
        for routine in &used {
            let in_body = place.findings_in_body(routine, &rules, &own);
            found.extend(
                in_body
                    .into_iter()
                    .map(|raw| RawFinding { shadow_shows: raw.shadow_shows && runs_now, ..raw }),
            );
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
    /// The rules that may report something in it.
    rules: Vec<&'static Rule>,
    violations: Vec<(SquawkRule, Span)>,
    /// The text without comments.
    shown: String,
}

impl<'a> Linted<'a> {
    fn of(script: &'a Script, rules: &[&'static Rule]) -> Self {
        // A body may have no static statements.
        if script.statements.is_empty() {
            return Self { script, rules: Vec::new(), violations: Vec::new(), shown: String::new() };
        }
        let mut violations = lint(script, rules);
        violations.sort_by_key(|(_, span)| span.start);
        let applies = |rule: &&&'static Rule| match rule.judge {
            Judge::Known(codes, kinds) | Judge::Filtered(codes, kinds, _) => {
                script.contains(kinds) || violations.iter().any(|(code, _)| codes.contains(code))
            }
            Judge::Code(_) => true,
            Judge::Verification | Judge::Catalog(..) => false,
        };
        let rules = rules.iter().filter(applies).copied().collect();
        Self { script, rules, violations, shown: without_comments(script, &script.source.text) }
    }
}

/// The place of a statement in its file.
struct Place<'a> {
    file: &'a File<'a>,
    scope: Option<Scope>,
    /// The schema before the statement.
    schema: &'a Schema,
    made: &'a NewObjects<'a>,
    followed: &'a [String],
}

impl Place<'_> {
    fn context<'c>(
        &'c self,
        script: &'c Script,
        statement: &'c Statement,
        code: Option<&'c CodeReplay>,
    ) -> RuleContext<'c> {
        let statements = &self.file.replay.statements;
        let in_template = matches!(self.file.kind, Kind::Template(_));
        let schema_context = SchemaContext {
            made: self.made,
            schema: self.schema,
            file: statements,
            script,
            file_script: self.file.script,
            code,
            followed: self.followed,
            after: &self.file.replay.after,
            schemas: self.file.schemas,
            in_template,
            in_service: !in_template && statements.first().is_some_and(|first| !first.schema.is_empty()),
        };
        RuleContext::new(statement, statement.node(script), self.scope, schema_context)
    }

    /// The findings of all rules on one statement.
    fn findings_of(
        &self,
        linted: &Linted<'_>,
        statement: &Statement,
        code: Option<&CodeReplay>,
    ) -> Vec<RawFinding> {
        let Linted { script, rules, violations, shown } = linted;
        let before = |offset: usize| violations.partition_point(|(_, span)| span.start < offset);
        let violations = &violations[before(statement.range.start)..before(statement.range.end)];
        let context = self.context(script, statement, code);
        let mut found = Vec::new();
        for &rule in rules {
            if rule.ignores_new_objects && context.only_exempt() {
                continue;
            }
            let mut spans = outermost(spans(rule, &context, violations));
            if rule.ignores_new_objects {
                spans.retain(|span| !new_parts::acts_on_new_part(&context, span));
            }
            let spans = spans.into_iter().flat_map(|span| split_by_object(rule, span, &context, shown));
            for (range, text) in spans {
                let words = words(context.node, &range, &context);
                let object = object(&range, &context, &words);
                let message = format!("`{text}` {}", rule.why);
                found.push(RawFinding {
                    rule,
                    range,
                    message,
                    scope: self.scope,
                    words,
                    object,
                    in_code: false,
                    shadow_shows: rule.id == RuleId::OpaqueCode && shows_branches(&context, code),
                });
            }
        }
        found
    }

    /// Reports a replaced body with its own rule if its statements have no denied findings, as in a DO block.
    fn replace_bodies(
        &self,
        own: &mut Vec<RawFinding>,
        rules: &[&'static Rule],
        policy: &Policy,
        statement: &Statement,
    ) {
        let is_replaced = |raw: &RawFinding| raw.rule.id == RuleId::ReplaceObject;
        if !own.iter().any(is_replaced)
            || !replaces_only_body(&self.context(self.file.script, statement, None))
        {
            return;
        }
        let Some(code) = Code::of(self.file.script, statement) else { return };
        let routine = UsedRoutine {
            name: String::new(),
            use_at: statement.range.clone(),
            may_skip: true,
            code: Some(code),
            is_shown: true,
            is_only_one: true,
        };
        let denied = |raw: &RawFinding| policy.level(raw.rule) == Some(Level::Deny);
        let shown = routine
            .code
            .as_ref()
            .is_some_and(|code| shows_its_effects(code, self.schema, self.scope, self.followed));
        if !shown || self.findings_in_body(&routine, rules, &[]).iter().any(denied) {
            return;
        }
        let rule = RuleId::ReplaceBody.rule();
        let kept = policy.level(rule).is_some();
        own.retain(|raw| kept || !is_replaced(raw));
        for raw in own.iter_mut().filter(|raw| is_replaced(raw)) {
            raw.message = raw.message.replace(raw.rule.why, rule.why);
            raw.rule = rule;
        }
    }

    /// The findings in the body of a routine that the statement uses; `own` are those of the statement itself.
    fn findings_in_body(
        &self,
        routine: &UsedRoutine,
        rules: &[&'static Rule],
        own: &[RawFinding],
    ) -> Vec<RawFinding> {
        let mut found = Vec::new();
        if let Some(code) = &routine.code {
            let linted = Linted::of(&code.script, rules);
            for (statement, runs) in code.script.statements.iter().zip(&code.runs) {
                let own = self.findings_of(&linted, statement, None);
                found.extend(own.into_iter().map(|raw| raw.in_code(runs)));
            }
        }
        let opaque = RuleId::OpaqueCode.rule();
        let is_known = found.iter().chain(own).any(|raw| raw.rule.id == opaque.id);
        if !routine.is_shown && !is_known && rules.iter().any(|rule| rule.id == opaque.id) {
            let message = format!("`{}` {}", routine.name, opaque.why);
            let words = vec![routine.name.clone()];
            let (range, object, scope) = (routine.use_at.clone(), words.clone(), self.scope);
            let shadow_shows = !routine.may_skip;
            found.push(RawFinding {
                rule: opaque,
                range,
                message,
                scope,
                words,
                object,
                in_code: true,
                shadow_shows,
            });
        }
        found
    }
}

/// Whether a run executes all dynamic SQL of the statement's block, what the statement calls, and all of the routines of the chain
/// that it calls.
fn shows_branches(context: &RuleContext<'_>, code: Option<&CodeReplay>) -> bool {
    let is_block = context.statement.kind == SyntaxKind::DO;
    let calls = context.statement.names.iter().filter_map(|name| context.schema.has_routine(&name.name));
    let may_skip = |routine: &Routine| routine.code().is_none_or(|code| code.may_skip());
    let shows_block = || code.is_some_and(|replay| !replay.code.may_skip_dynamic);
    let shows_own = if is_block { shows_block() } else { !may_skip_calls(context.node) };
    shows_own && !calls.flatten().any(may_skip)
}

/// Whether the server may skip a call in the statement: in a branch of an expression, or for a row that is filtered out. An UPDATE
/// whose filter matches no sample row is not observed anyway.
fn may_skip_calls(node: Node<'_>) -> bool {
    use SyntaxKind::{
        CASE_EXPR, FETCH_CLAUSE, FILTER_CLAUSE, HAVING_CLAUSE, LIMIT_CLAUSE, OFFSET_CLAUSE, ON_CLAUSE,
        UPDATE, WHERE_CLAUSE,
    };
    let skips =
        [CASE_EXPR, FETCH_CLAUSE, FILTER_CLAUSE, HAVING_CLAUSE, LIMIT_CLAUSE, OFFSET_CLAUSE, ON_CLAUSE];
    node.contains(&skips)
        || (node.kind() != UPDATE && node.contains(&[WHERE_CLAUSE]))
        || node.tokens().any(|token| {
            matches!(token.kind, SyntaxKind::AND_KW | SyntaxKind::OR_KW | SyntaxKind::COALESCE_KW)
        })
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

/// The names by which an Allow line may refer to a finding: those in its clause of ALTER TABLE or ALTER TYPE, or of the one of
/// several objects that it is about, else all words of the statement.
fn words(node: Node<'_>, range: &Range<usize>, context: &RuleContext<'_>) -> Vec<String> {
    let encloses = |whole: &Range<usize>| whole.start <= range.start && range.end <= whole.end;
    let has_clauses = matches!(
        node.kind(),
        SyntaxKind::ALTER_TABLE | SyntaxKind::ALTER_FOREIGN_TABLE | SyntaxKind::ALTER_TYPE
    );
    let is_one_of_several = context.targets().any(|name| name.range == *range);
    // The name of a column may be in the clause but not in the range of the finding.
    let clause = node.children().map(Node::range).find(encloses).filter(|_| has_clauses);
    let within = clause.unwrap_or_else(|| if is_one_of_several { range.clone() } else { node.range() });
    let tokens = node.tokens().filter(|token| {
        let at = token.range();
        within.start <= at.start && at.end <= within.end
    });
    let mut words: Vec<String> = tokens.map(|token| normalized(token.text)).collect();
    let named = context.statement.names.iter().filter(|_| !is_one_of_several);
    words.extend(named.flat_map(|name| [Some(name.name.clone()), name.schema.clone()]).flatten());
    words
}

/// The object of a finding, one of `words`, and its column if the clause names one.
fn object(range: &Range<usize>, context: &RuleContext<'_>, words: &[String]) -> Vec<String> {
    let named = context.targets().find(|name| name.range == *range);
    let Some(name) = named.or_else(|| context.targets().next()) else { return Vec::new() };
    let column = context.action_at(range).and_then(|action| column_ref(action));
    [Some(name.name.clone()), column].into_iter().flatten().filter(|part| words.contains(part)).collect()
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
