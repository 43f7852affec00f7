//! `OR REPLACE` changes an object under its name. The earlier files show the old definition, so a view that only gets more
//! columns and a routine that stays equal are not reported.

use squawk_syntax::SyntaxKind;

use crate::sql::{NameRole, Node, TextNames};
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::rules::net_effect::before_file;
use crate::verify::schema::{Change, Found, Relation, Routine, View, words};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const ROWS: &[Rule] = &[
    Rule {
        id: RuleId::ReplaceObject,
        level: Level::Deny,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "changes an object that the running release uses",
        remediation: "choose another name, or only append columns to the view",
        bad: "CREATE OR REPLACE VIEW active_users AS SELECT id FROM users;",
        good: "CREATE OR REPLACE VIEW active_users AS SELECT id, name, email FROM users WHERE disabled_at IS NULL;",
        ignores_new_objects: true,
        judge: Judge::Filtered(
            &[squawk_linter::Rule::BanReplaceViewFunction],
            &[SyntaxKind::CREATE_AGGREGATE, SyntaxKind::CREATE_FUNCTION, SyntaxKind::CREATE_PROCEDURE],
            replaces,
        ),
    },
    // Reported instead of `replace-object` if the statements of the new body have no denied findings.
    Rule {
        id: RuleId::ReplaceBody,
        level: Level::Warn,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "changes the body of a routine that the running release may call",
        remediation: "make sure that the new body gives the running release the same results",
        bad: "CREATE OR REPLACE FUNCTION total(a int) RETURNS int LANGUAGE sql AS 'SELECT a + 1';",
        good: "CREATE FUNCTION total_and_one(a int) RETURNS int LANGUAGE sql AS 'SELECT a + 1';",
        ignores_new_objects: true,
        judge: Judge::Verification,
    },
    Rule {
        id: RuleId::AmbiguousOverload,
        level: Level::Deny,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "makes calls of the running release ambiguous: they match the old routine and this one",
        remediation: "choose another name, or omit the defaults",
        bad: "CREATE FUNCTION total(a int, b int DEFAULT 0) RETURNS int LANGUAGE sql AS 'SELECT a + b';",
        good: "CREATE FUNCTION total_of_two(a int, b int DEFAULT 0) RETURNS int LANGUAGE sql AS 'SELECT a + b';",
        ignores_new_objects: false,
        judge: Judge::Code(|context| overloads(context, true)),
    },
    Rule {
        id: RuleId::AddOverload,
        level: Level::Warn,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "may make calls with an untyped literal ambiguous",
        remediation: "choose another name",
        bad: "CREATE FUNCTION total(a text) RETURNS text LANGUAGE sql AS 'SELECT a';",
        good: "CREATE FUNCTION total_text(a text) RETURNS text LANGUAGE sql AS 'SELECT a';",
        ignores_new_objects: false,
        judge: Judge::Code(|context| overloads(context, false)),
    },
];

fn replaces(context: &RuleContext<'_>, _: &Span) -> bool {
    // CREATE OR REPLACE of a trigger or a rule has its own rule.
    if matches!(context.statement.kind, SyntaxKind::CREATE_TRIGGER | SyntaxKind::CREATE_RULE) {
        return false;
    }
    let made = context.statement.names.iter().find(|name| name.role == NameRole::Created);
    let Some(name) = made else { return true };
    if context.is_new(name) {
        return false;
    }
    if !context.node.has_child(&[SyntaxKind::OR_REPLACE]) {
        // The file has dropped it.
        return replaced_routine(context).is_some_and(|old| old.text != Routine::of(context.node).text);
    }
    if context.statement.kind == SyntaxKind::CREATE_VIEW {
        return match context.schema.own_relation(name, context.scope) {
            Found::Present(Relation::View(old)) => old.change(&View::of(context.node)) == Change::Other,
            Found::Present(_) | Found::Unknown => true,
            Found::Absent => false,
        };
    }
    let new = Routine::of(context.node);
    match context.schema.own_routines(name, context.scope) {
        Found::Present(old) => old.iter().any(|old| old.inputs == new.inputs && old.text != new.text),
        Found::Absent => false,
        Found::Unknown => true,
    }
}

/// The routine that the statement creates with another definition, as it was before the file.
fn replaced_routine<'a>(context: &RuleContext<'a>) -> Option<&'a Routine> {
    let name = context.statement.names.iter().find(|name| name.role == NameRole::Created)?;
    let inputs = Routine::of(context.node).inputs;
    let schema = before_file(context)?;
    let old = schema.own_routines(name, context.scope).present()?;
    old.iter().find(|old| old.inputs == inputs)
}

/// Whether the statement changes only the body of a routine: arguments, result, volatility and options stay, and the new body
/// reads all arguments and relations that the old one reads.
pub(in crate::verify) fn replaces_only_body(context: &RuleContext<'_>) -> bool {
    let Some(old) = replaced_routine(context) else { return false };
    let list = context.node.child(SyntaxKind::PARAM_LIST);
    let parameters =
        list.into_iter().flat_map(Node::children).filter_map(|part| words(part).into_iter().next());
    let parameters: Vec<String> = parameters.chain(["new".to_owned(), "old".to_owned()]).collect();
    let is_input =
        |name: &&str| parameters.iter().any(|own| own == name) || context.schema.has_relation(name);
    let body = |text: &str| text.find(" AS ").or_else(|| text.find(" as ")).map_or(0, |at| at + 4);
    let new_text = context.node.text();
    let new = TextNames::of(&new_text[body(new_text)..]);
    let reads = TextNames::of(&old.definition[body(&old.definition)..]);
    old.header() == Routine::of(context.node).header()
        && reads.names().filter(is_input).all(|name| new.contains(name))
}

/// Whether the statement creates an operator of the server's name for types of the server, which hides the server's own.
fn hides_operator(context: &RuleContext<'_>) -> bool {
    const TYPES: &[&str] = &[
        "bool",
        "bpchar",
        "date",
        "float4",
        "float8",
        "int2",
        "int4",
        "int8",
        "json",
        "jsonb",
        "name",
        "numeric",
        "text",
        "time",
        "timestamp",
        "timestamptz",
        "uuid",
        "varchar",
    ];
    let name = context.statement.names.iter().find(|name| name.role == NameRole::Created);
    let tokens = words(context.node);
    let is_servers = |side: &str| {
        let at = tokens.iter().position(|word| word == side);
        let of_type = at.and_then(|at| tokens.get(at + 2)).map_or("", String::as_str);
        let of_type = match of_type {
            "int" | "integer" => "int4",
            "bigint" => "int8",
            "smallint" => "int2",
            "boolean" => "bool",
            "character" | "char" => "varchar",
            other => other,
        };
        TYPES.contains(&of_type)
    };
    let of_server =
        ["=", "<>", "!=", "<", ">", "<=", ">=", "||", "~~", "~", "+", "-", "*", "/", "@>", "<@", "->", "->>"];
    name.is_some_and(|name| of_server.contains(&name.name.as_str()))
        && is_servers("leftarg")
        && is_servers("rightarg")
}

fn overloads(context: &RuleContext<'_>, surely: bool) -> Vec<Span> {
    if context.statement.kind == SyntaxKind::CREATE_OPERATOR {
        let found = surely && hides_operator(context);
        return if found { vec![context.statement.range.clone()] } else { Vec::new() };
    }
    if !matches!(context.statement.kind, SyntaxKind::CREATE_FUNCTION | SyntaxKind::CREATE_PROCEDURE) {
        return Vec::new();
    }
    let made = context.statement.names.iter().find(|name| name.role == NameRole::Created);
    let old = made.and_then(|name| context.schema.own_routines(name, context.scope).present());
    let new = Routine::of(context.node);
    let others: Vec<&Routine> = old.into_iter().flatten().filter(|old| old.inputs != new.inputs).collect();
    let same = old.is_some_and(|old| old.iter().any(|old| old.inputs == new.inputs));
    let ambiguous = others.iter().any(|old| new.may_be_ambiguous_with(old));
    let alike = others.iter().any(|old| old.inputs.len() == new.inputs.len());
    let found = !same && if surely { ambiguous } else { alike && !ambiguous };
    let new_name = made.is_some_and(|name| context.made.defines(name));
    if found && !new_name { vec![context.statement.range.clone()] } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::{denied, ids_on};

    #[test]
    fn an_operator_of_the_server_is_not_hidden() {
        let create = |sign: &str, of_type: &str| {
            format!("CREATE OPERATOR {sign} (FUNCTION = f, LEFTARG = {of_type}, RIGHTARG = {of_type})")
        };
        for (sign, of_type) in [("=", "varchar"), ("<>", "integer"), ("||", "text"), ("=", "uuid")] {
            assert_eq!(denied(&create(sign, of_type)), ["ambiguous-overload"], "{sign} {of_type}");
        }
        for (sign, of_type) in [("===", "varchar"), ("=", "money_amount"), ("@@@", "text")] {
            assert_eq!(denied(&create(sign, of_type)), [""; 0], "{sign} {of_type}");
        }
    }

    #[test]
    fn a_view_may_get_more_columns() {
        let base = "CREATE TABLE t (a int, b int); CREATE VIEW v AS SELECT a FROM t WHERE b > 1; CREATE VIEW w (x) AS SELECT a FROM t";
        for (sql, expected) in [
            ("CREATE OR REPLACE VIEW v AS SELECT a, b FROM t WHERE b > 1", &[][..]),
            ("CREATE OR REPLACE VIEW V AS SELECT A\nFROM t /* same */ WHERE b > 1", &[]),
            ("CREATE OR REPLACE VIEW w (x, y) AS SELECT a, b FROM t", &[]),
            ("CREATE OR REPLACE VIEW u AS SELECT a FROM t", &[]),
            ("CREATE OR REPLACE VIEW v AS SELECT a FROM t", &["replace-object"]),
            ("CREATE OR REPLACE VIEW v AS SELECT b AS a FROM t WHERE b > 1", &["replace-object"]),
            ("CREATE OR REPLACE VIEW v AS SELECT a FROM t WHERE b > 2", &["replace-object"]),
            (
                "CREATE OR REPLACE VIEW v WITH (security_barrier) AS SELECT a FROM t WHERE b > 1",
                &["replace-object"],
            ),
            ("CREATE OR REPLACE VIEW w (y) AS SELECT a FROM t", &["replace-object"]),
            ("CREATE VIEW n AS SELECT 1 AS a; CREATE OR REPLACE VIEW n AS SELECT 2 AS a", &[]),
        ] {
            assert_eq!(ids_on(base, sql), expected, "{sql}");
        }
        assert_eq!(denied("CREATE OR REPLACE VIEW v AS SELECT 1 AS a"), ["replace-object"]);
    }

    #[test]
    fn an_equal_or_a_new_routine_passes() {
        let base = "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS $$ SELECT a $$;";
        for (sql, expected) in [
            ("CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql AS $x$SELECT a$x$", &[][..]),
            ("CREATE OR REPLACE FUNCTION g(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'", &[]),
            (
                "CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 0'",
                &["replace-object"],
            ),
            (
                "CREATE OR REPLACE FUNCTION f(a text) RETURNS int LANGUAGE sql AS 'SELECT 0'",
                &["add-overload"],
            ),
            ("CREATE FUNCTION f(a int, b int) RETURNS int LANGUAGE sql AS 'SELECT 0'", &[]),
            (
                "CREATE FUNCTION f(a int, b int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT 0'",
                &["ambiguous-overload"],
            ),
        ] {
            assert_eq!(ids_on(base, sql), expected, "{sql}");
        }
    }
}
