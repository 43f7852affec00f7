//! The objects of a tenant at one version, as far as the text shows them. If a statement reads one of them by a bare
//! name, the name must resolve to the tenant's schema, not to a schema further along the search path.

use std::collections::HashSet;

use squawk_syntax::SyntaxKind;

use super::scoped_names::Space;
use super::{Lookup, Name, NameRole, Statement};
use crate::ident::literal;

/// The relations, types and routines of a tenant by their names.
#[derive(Debug, Clone, Default)]
pub struct TenantObjects(HashSet<(Kind, String)>);

/// The kind of object that a name is looked up as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Relation,
    Type,
    Routine,
    Other,
}

impl Kind {
    /// The kinds under which an object created with a name of `kind` can be found. A table is a type too.
    fn of_created(kind: SyntaxKind) -> &'static [Self] {
        match kind {
            SyntaxKind::TYPE_NAME | SyntaxKind::DOMAIN => &[Self::Type],
            SyntaxKind::SEQUENCE | SyntaxKind::INDEX => &[Self::Relation],
            _ => match Space::of(kind) {
                Space::Relation => &[Self::Relation, Self::Type],
                Space::Routine => &[Self::Routine],
                Space::Other => &[Self::Other],
            },
        }
    }

    /// The kind that a reference looks up.
    fn of_reference(kind: SyntaxKind) -> Self {
        match kind {
            SyntaxKind::PATH_TYPE => Self::Type,
            SyntaxKind::RELATION_NAME_REF => Self::Relation,
            SyntaxKind::CALL_EXPR => Self::Routine,
            _ => Self::Other,
        }
    }
}

impl TenantObjects {
    /// Applies a statement of a tenant. [`super::ScopedNames::apply`] must have run before: it resolves temporary names.
    pub fn apply(&mut self, statement: &Statement, text: &str) {
        let kind = format!("{:?}", statement.kind);
        let is_new_name = |name: &Name| (name.role, name.lookup) == (NameRole::Created, Lookup::Path);
        let new_name = statement.names.iter().find(|name| kind.starts_with("ALTER_") && is_new_name(name));
        let moves = kind.starts_with("ALTER_")
            && statement.names.iter().any(|name| name.kind == SyntaxKind::SCHEMA_REF);
        if statement.drops_targets() || moves || new_name.is_some() {
            for name in statement.names.iter().filter(|name| name.role == NameRole::Target && is_own(name)) {
                let is_same = |(kind, other): &(Kind, String)| {
                    *other == name.name && Kind::of_created(name.kind).iter().any(|found| found == kind)
                };
                let dropped: Vec<_> = self.0.iter().filter(|known| is_same(known)).cloned().collect();
                for known in dropped {
                    self.0.remove(&known);
                    self.0.extend(new_name.map(|new| (known.0, new.name.clone())));
                }
            }
        }
        if kind.starts_with("DROP_") && text.to_lowercase().contains("cascade") {
            // The text does not show which routines CASCADE drops.
            self.0.retain(|(kind, _)| *kind != Kind::Routine);
        }
        if statement.kind == SyntaxKind::DO && !self.0.is_empty() {
            // The effect of its code on the objects that it names is unknown.
            let text = text.to_lowercase();
            let may_remove = ["drop", "rename", "schema"].iter().any(|word| text.contains(word));
            self.0.retain(|(_, name)| !(may_remove && text.contains(&name.to_lowercase())));
        }
        let made = statement.names.iter().filter(|name| name.role == NameRole::Created && is_own(name));
        self.0.extend(made.flat_map(keys));
    }

    fn contains(&self, name: &Name) -> bool {
        self.0.contains(&(Kind::of_reference(name.kind), name.name.clone()))
    }
}

/// Whether the server resolves the name along the search path.
fn uses_search_path(name: &Name) -> bool {
    use SyntaxKind::{CALL_EXPR, PATH_TYPE, RELATION_NAME_REF};
    let kinds = [CALL_EXPR, PATH_TYPE, RELATION_NAME_REF];
    name.schema.is_none() && name.lookup == Lookup::Path && kinds.contains(&name.kind)
}

impl Name {
    /// An SQL expression that fails unless the object exists in the schema `quoted`, as the text before the object's
    /// name, the name and the text after it.
    pub(super) fn existence_check(&self, quoted: &str) -> Option<[String; 3]> {
        let object = literal(&format!("{quoted}.\"{}\"", self.name.replace('"', "\"\"")));
        match self.kind {
            SyntaxKind::PATH_TYPE => Some([String::new(), object, "::pg_catalog.regtype".to_owned()]),
            SyntaxKind::RELATION_NAME_REF => {
                Some([String::new(), object, "::pg_catalog.regclass".to_owned()])
            }
            // Overloaded routines: the cast to regproc fails even if they exist.
            SyntaxKind::CALL_EXPR => {
                let any = format!(
                    "CASE WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_proc WHERE proname = {} \
                     AND pronamespace = {}::pg_catalog.regnamespace) THEN ",
                    literal(&self.name),
                    literal(quoted)
                );
                Some([any, object, "::pg_catalog.text::pg_catalog.regproc END".to_owned()])
            }
            _ => None,
        }
    }
}

impl Statement {
    /// Marks the names that it reads as expected if all of `tenants` have the object and its unit has not created it
    /// (`new`).
    pub fn expect_existing(&mut self, tenants: &[&TenantObjects], new: &TenantObjects) {
        for name in self.names.iter_mut().filter(|name| uses_search_path(name)) {
            if !tenants.is_empty()
                && tenants.iter().all(|tenant| tenant.contains(name))
                && !new.contains(name)
            {
                name.lookup = Lookup::Expected;
            }
        }
    }
}

/// Marks the names that a statement of a template reads and a later one creates as expected. Each comes with its text.
pub fn expect_in_order(statements: &mut [(&mut Statement, &str)]) {
    let (mut made, mut later) = (TenantObjects::default(), HashSet::new());
    let mut missing = Vec::with_capacity(statements.len());
    for (statement, text) in statements.iter() {
        let names = statement.names.iter().enumerate();
        missing.push(
            names
                .filter(|(_, name)| uses_search_path(name) && !made.contains(name))
                .map(|(at, _)| at)
                .collect::<Vec<_>>(),
        );
        made.apply(statement, text);
    }
    for ((statement, _), missing) in statements.iter_mut().zip(missing).rev() {
        for at in missing {
            let name = &mut statement.names[at];
            if later.contains(&(Kind::of_reference(name.kind), name.name.clone())) {
                name.lookup = Lookup::Expected;
            }
        }
        later.extend(
            statement
                .names
                .iter()
                .filter(|name| name.role == NameRole::Created && is_own(name))
                .flat_map(keys),
        );
    }
}

fn keys(name: &Name) -> impl Iterator<Item = (Kind, String)> {
    Kind::of_created(name.kind).iter().map(|kind| (*kind, name.name.clone()))
}

/// Whether the name is in the tenant's schema.
fn is_own(name: &Name) -> bool {
    match name.schema {
        Some(_) => name.in_tenant_schema(),
        None => name.lookup == Lookup::Own,
    }
}
