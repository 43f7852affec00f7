//! What is known of the schema decides whether what squawk or the tree points at does harm: each function
//! here says whether the finding stands.

use squawk_syntax::SyntaxKind;

use crate::sql::Node;

use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::schema::{
    Constraint, ConstraintKind, Conversion, Filled, Found, SqlType, column_ref, filled_by, name_of, names_of,
    words,
};

/// The new type is not one that all old values fit and read the same in.
pub(super) fn type_breaks(subject: &RuleContext<'_>, hit: &Span) -> bool {
    conversion(subject, hit).is_none_or(|found| found == Conversion::Impact)
}

/// All values fit, and are written anew.
pub(super) fn type_rewrites(subject: &RuleContext<'_>, hit: &Span) -> bool {
    conversion(subject, hit) == Some(Conversion::Rewrites)
}

/// All values fit as they are.
pub(super) fn type_widens(subject: &RuleContext<'_>, hit: &Span) -> bool {
    conversion(subject, hit) == Some(Conversion::Widens)
}

/// What the change of a column's type means, if both types are known.
fn conversion(subject: &RuleContext<'_>, hit: &Span) -> Option<Conversion> {
    let action = subject.action_at(hit).filter(|action| action.kind() == SyntaxKind::ALTER_COLUMN)?;
    let name = column_ref(action)?;
    let change = action.child(SyntaxKind::SET_TYPE)?;
    let old = subject.table().there()?.column(&name).there()?.of_type.clone()?;
    let new = SqlType::of(change)?;
    let plain = change.child(SyntaxKind::USING_EXPR).is_none_or(|using| only_casts(using, &name, &new));
    // Another order of the same letters is another meaning of every comparison.
    (plain && !change.has_child(&[SyntaxKind::COLLATE])).then(|| old.conversion(&new))
}

/// `USING c` and `USING c::t`: what the server does anyway.
fn only_casts(using: Node<'_>, column: &str, of_type: &SqlType) -> bool {
    let Some(expression) = using.children().next() else { return false };
    let is_column = |node: Node<'_>| node.kind() == SyntaxKind::NAME_REF && name_of(node) == column;
    is_column(expression)
        || (expression.kind() == SyntaxKind::CAST_EXPR
            && expression.children().next().is_some_and(is_column)
            && SqlType::of(expression).as_ref() == Some(of_type))
}

/// Nothing that holds for every row says that the column is never NULL.
pub(super) fn null_possible(subject: &RuleContext<'_>, hit: &Span) -> bool {
    let proven = || {
        let column = column_ref(subject.action_at(hit)?)?;
        Some(subject.table().there()?.proves_not_null(&column))
    };
    !proven().unwrap_or(false)
}

/// To let the server draw numbers where it did not, for those who give none, takes nothing from anybody.
pub(super) fn identity_breaks(subject: &RuleContext<'_>, hit: &Span) -> bool {
    let by_default = |action: Node<'_>| {
        let added = action.child(SyntaxKind::ADD_GENERATED)?;
        Some(added.has_child(&[SyntaxKind::GENERATED_BY_DEFAULT]) && added.children().count() == 1)
    };
    !subject.action_at(hit).and_then(by_default).unwrap_or(false)
}

/// The constraint that an action drops or renames, if it is known.
fn constraint<'a>(subject: &'a RuleContext<'_>, hit: &Span) -> Option<&'a Constraint> {
    let name = names_of(subject.action_at(hit)?, SyntaxKind::CONSTRAINT_NAME_REF).concat();
    subject.table().there()?.constraint(&name).there()
}

/// The constraint only keeps rows out: nobody names it, and nothing is done by it.
pub(super) fn loosens(subject: &RuleContext<'_>, hit: &Span) -> bool {
    subject.statement.kind == SyntaxKind::ALTER_DOMAIN
        || constraint(subject, hit).is_some_and(|found| {
            matches!(
                found.kind,
                ConstraintKind::Check | ConstraintKind::NotNull | ConstraintKind::Foreign { acts: false }
            )
        })
}

/// The constraint, or the index, is one that ON CONFLICT may name, or may be.
pub(super) fn drops_unique(subject: &RuleContext<'_>, hit: &Span) -> bool {
    if subject.statement.kind == SyntaxKind::DROP_INDEX {
        return subject.targets().any(|name| index_matters(subject, name));
    }
    subject.statement.kind != SyntaxKind::ALTER_DOMAIN
        && constraint(subject, hit)
            .is_none_or(|found| matches!(found.kind, ConstraintKind::Unique | ConstraintKind::Primary))
}

/// Whether rows must differ by the index `name`, and by no other in the same way.
pub(super) fn index_matters(subject: &RuleContext<'_>, name: &crate::sql::Name) -> bool {
    match subject.schema.index(name, subject.scope) {
        Found::There((table, index)) => {
            let twin = |other: &&crate::verify::schema::Index| {
                let same = |a: &[String], b: &[String]| a.iter().all(|name| b.contains(name));
                other.unique
                    && !other.partial
                    && other.name != index.name
                    && matches!((&other.columns, &index.columns), (Some(a), Some(b)) if same(a, b) && same(b, a))
            };
            index.unique && !index.new && !table.indexes.iter().any(|other| twin(&other))
        }
        Found::Absent => false,
        Found::Unknown => true,
    }
}

/// The key does something to rows of its own when another row goes.
pub(super) fn drops_action(subject: &RuleContext<'_>, hit: &Span) -> bool {
    constraint(subject, hit).is_some_and(|found| found.kind == ConstraintKind::Foreign { acts: true })
}

/// What gets another name is one that queries say: an index is, where a constraint is made of it.
pub(super) fn renames(subject: &RuleContext<'_>, _: &Span) -> bool {
    if subject.statement.kind != SyntaxKind::ALTER_INDEX {
        return true;
    }
    subject.targets().any(|name| match subject.schema.index(name, subject.scope) {
        Found::There((_, index)) => index.of_constraint,
        Found::Absent => false,
        Found::Unknown => true,
    })
}

/// The default becomes another one.
pub(super) fn default_changes(subject: &RuleContext<'_>, hit: &Span) -> bool {
    let Some(action) = subject.action_at(hit) else { return true };
    let default = action.first(SyntaxKind::SET_DEFAULT);
    let new = default.map_or(Filled::Not, |node| filled_by(node));
    let column = column_ref(action).and_then(|name| subject.table().there()?.column(&name).there());
    // Without a value it is a DROP DEFAULT by another name, which has its own rule.
    new != Filled::Not && column.is_none_or(|column| column.filled != new)
}

/// There is a default that goes.
pub(super) fn has_default(subject: &RuleContext<'_>, hit: &Span) -> bool {
    let none = || {
        let column = column_ref(subject.action_at(hit)?)?;
        Some(subject.table().there()?.column(&column).there()?.filled == Filled::Not)
    };
    !none().unwrap_or(false)
}

/// The trigger, rule or policy that is dropped may be there.
pub(super) fn may_hang(subject: &RuleContext<'_>, _: &Span) -> bool {
    let parts = [SyntaxKind::TRIGGER_REF, SyntaxKind::POLICY_REF, SyntaxKind::RULE_REF];
    let absent = || {
        let part = subject.node.children().find(|part| parts.contains(&part.kind()))?;
        Some(subject.table().there()?.hanger(&words(part).concat()).is_absent())
    };
    !(subject.node.has_child(&[SyntaxKind::IF_EXISTS]) && absent().unwrap_or(false))
}

/// It changes what a call does, and not only how it is planned.
pub(super) fn call_changes(subject: &RuleContext<'_>, _: &Span) -> bool {
    let planning = [
        SyntaxKind::COST_FUNC_OPTION,
        SyntaxKind::PARALLEL_FUNC_OPTION,
        SyntaxKind::ROWS_FUNC_OPTION,
        SyntaxKind::SUPPORT_FUNC_OPTION,
    ];
    let options = subject.node.child(SyntaxKind::FUNC_OPTION_LIST);
    options.is_none_or(|list| list.children().any(|option| !planning.contains(&option.kind())))
}

/// Renames, moves and owners have rules of their own, and what the file has made is nobody's yet.
pub(super) fn no_rule_of_its_own(subject: &RuleContext<'_>, _: &Span) -> bool {
    let named = |statement: &crate::sql::Statement, role| {
        let name = statement.names.iter().find(|name| name.role == role);
        name.map(|name| (name.schema.clone(), name.name.clone()))
    };
    let kind = format!("{:?}", subject.statement.kind).replacen("ALTER", "CREATE", 1);
    let own = named(subject.statement, crate::sql::NameRole::Target);
    let makes = |earlier: &crate::sql::Statement| {
        earlier.range.end <= subject.statement.range.start
            && format!("{:?}", earlier.kind) == kind
            && named(earlier, crate::sql::NameRole::Created) == own
    };
    if own.is_some() && subject.file.iter().any(|met| makes(met.statement)) {
        return false;
    }
    let own = |node: Node<'_>| {
        let kind = format!("{:?}", node.kind());
        kind.ends_with("_RENAME_TO") || kind == "OWNER_TO" || kind == "SET_SCHEMA"
    };
    !subject.node.children().any(own)
}

/// What a statement does to the relations of the server.
pub(super) fn of_catalog(subject: &RuleContext<'_>) -> Vec<Span> {
    let relations = [SyntaxKind::RELATION_NAME_REF, SyntaxKind::TABLE_NAME_REF];
    let servers = |name: &crate::sql::Name| match name.schema.as_deref() {
        Some(schema) => ["pg_catalog", "information_schema", "pg_toast"].contains(&schema),
        None => name.name.starts_with("pg_"),
    };
    let reading = [SyntaxKind::ANALYZE, SyntaxKind::VACUUM, SyntaxKind::TABLE, SyntaxKind::COPY];
    if reading.contains(&subject.statement.kind) {
        return Vec::new();
    }
    let found = subject.targets().filter(|name| relations.contains(&name.kind) && servers(name));
    found.map(|name| name.range.clone()).collect()
}

/// The table whose rows appear elsewhere is not one that the file has made.
pub(super) fn joins_old_rows(subject: &RuleContext<'_>, hit: &Span) -> bool {
    let inherits = |action: Node<'_>| action.kind() == SyntaxKind::INHERIT_TABLE;
    let shown = match subject.action_at(hit) {
        Some(action) if inherits(action) => subject.targets().next(),
        _ => subject
            .statement
            .names
            .iter()
            .find(|name| hit.start <= name.range.start && name.range.end <= hit.end),
    };
    !shown.is_some_and(|name| subject.is_new_table(name))
}

/// The policy only takes away.
pub(super) fn restricts(subject: &RuleContext<'_>, _: &Span) -> bool {
    let kind = subject.node.child(SyntaxKind::AS_POLICY_TYPE);
    kind.is_some_and(|kind| words(kind).last().is_some_and(|word| word == "restrictive"))
}

/// A barrier changes the plan at most, and without a check more rows are taken.
pub(super) fn view_changes(subject: &RuleContext<'_>, _: &Span) -> bool {
    let lists = [SyntaxKind::SET_OPTIONS, SyntaxKind::RESET_OPTIONS];
    let of_view = subject.statement.kind == SyntaxKind::ALTER_VIEW;
    let harmless = |list: Node<'_>| {
        let mut names = list.descendants().filter(|part| part.kind() == SyntaxKind::ATTRIBUTE_NAME);
        names.all(|name| match words(name).concat().as_str() {
            "security_barrier" => true,
            "check_option" => list.kind() == SyntaxKind::RESET_OPTIONS,
            _ => false,
        })
    };
    let mut found = subject.node.children().filter(|part| lists.contains(&part.kind())).peekable();
    !(of_view && found.peek().is_some() && found.all(harmless))
}

/// To let sessions defer a key that say so is no change for those that do not.
pub(super) fn defers(subject: &RuleContext<'_>, hit: &Span) -> bool {
    let said = subject.action_at(hit).map(|action| words(action)).unwrap_or_default();
    let tail = said.iter().skip_while(|word| *word != "deferrable").map(String::as_str).collect::<Vec<_>>();
    let not = said.iter().any(|word| word == "not" || word == "no" || word == "enforced");
    not || !matches!(tail.as_slice(), ["deferrable"] | ["deferrable", "initially", "immediate"])
}
