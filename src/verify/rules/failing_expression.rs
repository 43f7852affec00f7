//! An index on an expression, its condition, a generated column and a default are computed for each written row. If the expression
//! fails, or the column refuses its value, the write fails (manual, chapters 5.2, 5.3 and 11.7).

use squawk_syntax::SyntaxKind;

use crate::error::Source;
use crate::sql::{Node, Script};
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::rules::evaluate::refutes;
use crate::verify::schema::{
    Constraint, ConstraintKind, Conversion, OmittedValue, SqlType, Table, TypeDef, column_ref, default_value,
    mentioned, words,
};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId::FailingExpression,
    level: Level::Deny,
    impact: &[Impact::OldReaders, Impact::OldWriters],
    why: "fails for some rows that the running release may write, and these writes then fail",
    remediation: "use an expression that never fails: nullif(…, 0) as divisor, CASE around a cast",
    bad: "CREATE INDEX unit_price ON orders ((price / amount));",
    good: "CREATE INDEX unit_price ON orders ((price / nullif(amount, 0)));",
    ignores_new_objects: false,
    judge: Judge::Code(judge),
};

fn judge(context: &RuleContext<'_>) -> Vec<Span> {
    if context.only_new() {
        return Vec::new();
    }
    let table = context.table().present();
    let places = [SyntaxKind::PARTITION_ITEM, SyntaxKind::GENERATED_STORED, SyntaxKind::WHERE_CLAUSE];
    let computed = context
        .nodes(&places)
        .filter(|_| matches!(context.statement.kind, SyntaxKind::CREATE_INDEX | SyntaxKind::ALTER_TABLE))
        .flat_map(|place| place.descendants().collect::<Vec<_>>())
        .filter(|part| divides(*part) || reads_text(*part, table));
    let generated = context
        .nodes(&[SyntaxKind::ADD_COLUMN])
        .filter(|column| column.contains(&[SyntaxKind::GENERATED_STORED]))
        .filter(|column| cannot_hold(context, table, *column));
    let defaults = context.nodes(&[SyntaxKind::SET_DEFAULT]).filter(|default| {
        default.descendants().any(|part| divides(part)) || refuses_default(context, table, *default)
    });
    computed.chain(generated).chain(defaults).map(Node::span).collect()
}

/// Whether the generated column may refuse the value of its expression.
fn cannot_hold(context: &RuleContext<'_>, table: Option<&Table>, column: Node<'_>) -> bool {
    let generated = column.first(SyntaxKind::GENERATED_STORED);
    let Some(expression) = generated
        .and_then(Node::parent)
        .and_then(|it| it.descendants().find(|part| is_expression(part.kind())))
    else {
        return false;
    };
    let of_type = SqlType::of(column);
    let domain = of_type.as_ref().and_then(|own| context.schema.domain(&own.name));
    let (domain_refuses_null, domain_checks) = match domain {
        Some(TypeDef::Domain { refuses_null, checks, .. }) => (*refuses_null, !checks.is_empty()),
        _ => (false, false),
    };
    let refuses_null = domain_refuses_null || column.has_child(&[SyntaxKind::NOT_NULL_CONSTRAINT]);
    (refuses_null && may_be_null(table, expression))
        || domain_checks
        || multiplies_integers(table, expression)
        || of_type.is_some_and(|of_type| is_too_narrow(table, expression, &of_type))
}

fn is_expression(kind: SyntaxKind) -> bool {
    kind == SyntaxKind::NAME_REF || kind == SyntaxKind::LITERAL || format!("{kind:?}").ends_with("_EXPR")
}

/// Whether the expression reads a column that may be NULL. `coalesce` with a constant is never NULL.
fn may_be_null(table: Option<&Table>, expression: Node<'_>) -> bool {
    if expression.kind() == SyntaxKind::CALL_EXPR {
        let arguments = expression.first(SyntaxKind::ARG_LIST);
        let last = arguments.and_then(|list| list.children().last());
        let is_coalesce = words(expression).first().is_some_and(|word| word == "coalesce");
        if is_coalesce && last.is_some_and(|last| mentioned(last).is_empty()) {
            return false;
        }
    }
    mentioned(expression).iter().any(|name| !table.is_some_and(|table| table.proves_not_null(name)))
}

/// The type of a bare column.
fn column_type(table: Option<&Table>, expression: Node<'_>) -> Option<SqlType> {
    let name = mentioned(expression).pop().filter(|_| is_bare(expression))?;
    table?.column(&name).present()?.of_type.clone()
}

/// Whether the expression contains a product of two integer columns, which may be out of range.
fn multiplies_integers(table: Option<&Table>, expression: Node<'_>) -> bool {
    let is_integer = |side: Node<'_>| {
        column_type(table, side).is_some_and(|of_type| of_type.is_one_of(&["int2", "int4", "int8"]))
    };
    expression.descendants().any(|part| {
        part.kind() == SyntaxKind::BIN_EXPR
            && part.has_token(SyntaxKind::STAR)
            && part.children().count() == 2
            && part.children().all(is_integer)
    })
}

/// Whether a value of the expression may not fit into the type.
fn is_too_narrow(table: Option<&Table>, expression: Node<'_>, of_type: &SqlType) -> bool {
    if let Some(from) = column_type(table, expression) {
        let narrows = from.conversion(of_type) == Conversion::Impact;
        let integers = ["int2", "int4", "int8"];
        let both = |names: &[&str]| from.is_one_of(names) && of_type.is_one_of(names);
        return narrows && (both(&integers) || both(&["text", "varchar"]) || both(&["numeric"]));
    }
    let Some(length) = of_type.max_length() else { return false };
    let tokens = words(expression);
    let is_cut = ["left", "right", "md5", "to_char", "substr", "substring"]
        .contains(&tokens.first().map_or("", String::as_str));
    let literal = expression.kind() == SyntaxKind::LITERAL && expression.text().trim().len() <= length + 2;
    !is_cut && !literal
}

/// Whether the default is a constant that a constraint of the column refuses, at the latest in a second row.
fn refuses_default(context: &RuleContext<'_>, table: Option<&Table>, default: Node<'_>) -> bool {
    let OmittedValue::Default(value) = default_value(default) else { return false };
    let span = default.span();
    let action = context.action_at(&span).filter(|action| action.kind() == SyntaxKind::ALTER_COLUMN);
    let (Some(name), Some(table)) = (action.and_then(|action| column_ref(action)), table) else {
        return false;
    };
    let Some(column) = table.column(&name).present() else { return false };
    let constant = value.split(" :: ").next().unwrap_or_default();
    if column.omitted_value == OmittedValue::Default(value.clone()) || constant.contains('(') {
        return false;
    }
    let own = |constraint: &&Constraint| constraint.columns.iter().eq([&name]);
    let is_key = table.constraints.iter().filter(own).any(|constraint| {
        matches!(
            constraint.kind,
            ConstraintKind::Unique | ConstraintKind::PrimaryKey | ConstraintKind::ForeignKey { .. }
        )
    });
    let checks = table.constraints.iter().filter(|own| own.kind == ConstraintKind::Check);
    let of_domain = column.of_type.as_ref().and_then(|own| context.schema.domain(&own.name));
    let of_domain = match of_domain {
        Some(TypeDef::Domain { checks, .. }) => checks.as_slice(),
        _ => &[],
    };
    let refused_by = |text: &str, column: &str| {
        let script = Script::parse(Source::new("", format!("ALTER TABLE t ADD {text}")));
        script.is_ok_and(|script| {
            let check = script.statements[0].node(&script).first(SyntaxKind::CHECK_CONSTRAINT);
            let condition = check.and_then(|check| check.children().next());
            condition.is_some_and(|condition| {
                mentioned(condition).iter().eq([column]) && refutes(constant, condition)
            })
        })
    };
    is_key
        || table.is_unique_over(std::slice::from_ref(&name), None)
        || checks.map(|check| check.text.as_str()).any(|text| refused_by(text, &name))
        || of_domain.iter().any(|text| refused_by(text, "value"))
        || column.of_type.as_ref().is_some_and(|of_type| does_not_fit(constant, of_type))
}

/// Whether the constant is too long or too large for the type.
fn does_not_fit(constant: &str, of_type: &SqlType) -> bool {
    let text = constant.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    if let (Some(length), Some(text)) = (of_type.max_length(), text) {
        return text.replace("\'\'", "\'").trim_end().chars().count() > length;
    }
    let number = text.unwrap_or(constant).replace(' ', "").parse::<i64>();
    let limit = match of_type {
        own if own.is_one_of(&["int2"]) => i64::from(i16::MAX),
        own if own.is_one_of(&["int4"]) => i64::from(i32::MAX),
        _ => return false,
    };
    number.is_ok_and(|number| number > limit || number < -limit - 1)
}

/// A division by a value that may be 0.
fn divides(part: Node<'_>) -> bool {
    if part.kind() != SyntaxKind::BIN_EXPR
        || !(part.has_token(SyntaxKind::SLASH) || part.has_token(SyntaxKind::PERCENT))
    {
        return false;
    }
    let by = part.children().last().map(|by| words(by)).unwrap_or_default();
    let number = by.concat().parse::<f64>().is_ok_and(|number| number != 0.0);
    // `nullif(…, 0)` makes the result NULL.
    !number && by.iter().find(|word| *word != "(").is_none_or(|first| first != "nullif")
}

/// A cast of a text to a type that not every text can represent.
fn reads_text(part: Node<'_>, table: Option<&Table>) -> bool {
    if part.kind() != SyntaxKind::CAST_EXPR {
        return false;
    }
    let to_text = SqlType::of(part).is_some_and(|to| to.is_one_of(TEXTS));
    let Some(operand) = part.children().next().filter(|_| !to_text) else { return false };
    let of_text = |name: &String| {
        let column = table.and_then(|table| table.column(name).present());
        column.and_then(|column| column.of_type.as_ref()).is_some_and(|own| own.is_one_of(TEXTS))
    };
    is_text_of_json(operand) || (is_bare(operand) && mentioned(operand).iter().any(of_text))
}

const TEXTS: &[&str] = &["text", "varchar", "bpchar", "name", "citext"];

/// Whether the expression is a bare column.
fn is_bare(expression: Node<'_>) -> bool {
    match expression.kind() {
        SyntaxKind::PAREN_EXPR => expression.children().all(|inner| is_bare(inner)),
        kind => kind == SyntaxKind::NAME_REF,
    }
}

/// Whether the expression is `data ->> 'name'` or `data #>> path`.
fn is_text_of_json(expression: Node<'_>) -> bool {
    match expression.kind() {
        SyntaxKind::PAREN_EXPR => expression.children().all(|inner| is_text_of_json(inner)),
        _ => expression
            .children()
            .any(|part| part.kind() == SyntaxKind::CUSTOM_OP && ["->>", "#>>"].contains(&part.text())),
    }
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::ids_on;

    #[test]
    fn an_expression_that_cannot_fail_is_not_reported() {
        let base = "CREATE TABLE t (a int, b int, c text, d timestamp, j jsonb);";
        let denied = |sql: &str| ids_on(base, sql).contains(&"failing-expression");
        for expression in
            ["a / b", "a % b", "a / (b)", "c::int", "cast(c AS date)", "(j->>'n')::int", "1 + a / b", "a / 0"]
        {
            assert!(denied(&format!("CREATE INDEX i ON t (({expression}))")), "{expression}");
            let column = format!("ALTER TABLE t ADD COLUMN g text GENERATED ALWAYS AS ({expression}) STORED");
            assert!(denied(&column), "{column}");
        }
        for expression in [
            "a / 2",
            "a * b",
            "lower(c)",
            "a / nullif(b, 0)",
            "c::varchar",
            "d::date",
            "a::text",
            "a::bigint",
        ] {
            assert!(!denied(&format!("CREATE INDEX i ON t (({expression}))")), "{expression}");
        }
        assert!(!denied("CREATE TABLE n (a int, b int); CREATE INDEX i ON n ((a / b))"));
        for condition in ["c::int > 5", "1 / a > 0", "b % a = 0 AND c IS NOT NULL"] {
            assert!(denied(&format!("CREATE INDEX i ON t (b) WHERE {condition}")), "{condition}");
        }
        for condition in ["a > 5", "c = 'x'", "1 / nullif(a, 0) > 0"] {
            assert!(!denied(&format!("CREATE INDEX i ON t (b) WHERE {condition}")), "{condition}");
        }
    }

    #[test]
    fn a_generated_column_holds_every_value() {
        let base = "CREATE TABLE t (a int NOT NULL, b int, c text, d varchar(10), e bigint); \
            CREATE DOMAIN small AS int CHECK (VALUE < 10); CREATE DOMAIN given AS text NOT NULL";
        let denied = |column: &str, expression: &str| {
            let sql =
                format!("ALTER TABLE t ADD COLUMN g {column} GENERATED ALWAYS AS ({expression}) STORED");
            ids_on(base, &sql.replace("{not null}", "")).contains(&"failing-expression")
        };
        for (column, expression) in [
            ("int NOT NULL", "b"),
            ("text NOT NULL", "lower(c)"),
            ("given", "c"),
            ("small", "a"),
            ("varchar(5)", "d"),
            ("varchar(5)", "upper(c)"),
            ("smallint", "a"),
            ("int", "e"),
            ("int", "a * b"),
        ] {
            assert!(denied(column, expression), "{column}: {expression}");
        }
        for (column, expression) in [
            ("int NOT NULL", "a"),
            ("text NOT NULL", "coalesce(c, '')"),
            ("text", "lower(c)"),
            ("varchar(20)", "d"),
            ("varchar(5)", "left(c, 5)"),
            ("bigint", "a"),
            ("int", "a + 1"),
            ("numeric", "a * 2"),
        ] {
            assert!(!denied(column, expression), "{column}: {expression}");
        }
    }

    #[test]
    fn the_column_accepts_its_default() {
        let base = "CREATE TABLE p (id int PRIMARY KEY); CREATE DOMAIN small AS int CHECK (VALUE < 10); \
            CREATE TABLE t (a int CHECK (a > 5), b varchar(3), c text UNIQUE, d int REFERENCES p, e smallint, f small, \
            g text CHECK (g IN ('x', 'y')), h text DEFAULT 'z')";
        for default in [
            "a SET DEFAULT 1",
            "b SET DEFAULT 'abcd'",
            "c SET DEFAULT 'x'",
            "d SET DEFAULT 1",
            "e SET DEFAULT 40000",
            "f SET DEFAULT 11",
            "g SET DEFAULT 'z'",
            "h SET DEFAULT 1 / 0",
        ] {
            let sql = format!("ALTER TABLE t ALTER {default}");
            assert!(
                ids_on(base, &sql).contains(&"failing-expression"),
                "{default}: {:?}",
                ids_on(base, &sql)
            );
        }
        for default in [
            "a SET DEFAULT 6",
            "b SET DEFAULT 'abc'",
            "c SET DEFAULT gen_random_uuid()",
            "d SET DEFAULT NULL",
            "e SET DEFAULT 40",
            "f SET DEFAULT 9",
            "g SET DEFAULT 'x'",
            "h SET DEFAULT 'y'",
        ] {
            let sql = format!("ALTER TABLE t ALTER {default}");
            assert!(!ids_on(base, &sql).contains(&"failing-expression"), "{default}");
        }
        let new = "ALTER TABLE t ADD n int; ALTER TABLE t ALTER n SET DEFAULT 1 / 0";
        assert!(ids_on(base, new).contains(&"failing-expression"));
    }
}
