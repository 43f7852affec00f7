//! Compares the tenants of one version and template with their expected schema.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::{Basis, ComparedWith, Drifted, Key, Reference};
use crate::error::Failure;
use crate::ident::SchemaName;
use crate::postgres::Connection;
use crate::postgres::catalog::{
    Change, Fingerprint, Fingerprints, Kind, SchemaDifference, SchemaSnapshot, Snapshots, Transaction,
};
use crate::postgres::metadata::Tenant;

/// Maximum number of distinct fingerprints whose differences are described.
const MAX_DESCRIBED: usize = 100;

/// An expected snapshot; of a tenant, with the name of its schema.
type Expected = (Rc<SchemaSnapshot>, Option<SchemaName>);

/// Tenants with the same expected schema.
pub(super) struct Group<'a> {
    key: Key,
    tenants: &'a [Tenant],
    /// The fingerprints of the existing schemas.
    prints: &'a Fingerprints,
    /// A tenant that the files create, or the reason for its absence.
    reference: Result<Reference, String>,
    /// The expected fingerprint.
    expected: Fingerprint,
    /// Whether the expected definitions come from the files or from the majority.
    definitions: Basis,
    /// Whether the expected privileges come from the files or from the majority.
    access: Basis,
}

impl<'a> Group<'a> {
    /// Determines the expected fingerprint. If a reference exists, the expected definitions are those of the files. The
    /// expected privileges usually are, too. But roles and default privileges differ between servers: if no tenant has the
    /// reference's privileges and the majority has the same others, those are expected.
    pub(super) fn of(
        key: Key,
        tenants: &'a [Tenant],
        reference: Result<Reference, String>,
        prints: &'a Fingerprints,
    ) -> Self {
        let existing = || tenants.iter().filter_map(|tenant| prints.get(&tenant.schema));
        let majority = |part: fn(&Fingerprint) -> &String| most_common(existing().map(part));
        let made = reference.as_ref().ok().map(|reference| &reference.print);
        let (definitions, definition) = match made {
            Some(print) => (Basis::Files, print.definition.clone()),
            None => (Basis::Majority, majority(|print| &print.definition).0),
        };
        let (access_of_most, how_many) = majority(|print| &print.access);
        let is_agreed = how_many > 1 && how_many * 2 > existing().count();
        let (access, rights) = match made {
            Some(print) if !is_agreed || existing().any(|other| other.access == print.access) => {
                (Basis::Files, print.access.clone())
            }
            _ => (Basis::Majority, access_of_most),
        };
        let expected = Fingerprint { definition, access: rights };
        Self { key, tenants, prints, reference, expected, definitions, access }
    }

    /// Compares the requested tenants and adds the differences to `drifted`.
    pub(super) async fn compare(
        self,
        connection: &mut Connection,
        is_requested: impl Fn(&Tenant) -> bool,
        drifted: &mut Drifted,
    ) -> Result<(), Failure> {
        let requested: Vec<_> = self.tenants.iter().filter(|tenant| is_requested(tenant)).collect();
        let mut differing: BTreeMap<&Fingerprint, Vec<&SchemaName>> = BTreeMap::new();
        for tenant in &requested {
            drifted.tenants.total += 1;
            match self.prints.get(&tenant.schema) {
                Some(print) if *print == self.expected => drifted.tenants.same += 1,
                Some(print) => {
                    differing.entry(print).or_default().push(&tenant.schema);
                }
                None => {
                    drifted.tenants.different += 1;
                    drifted.differences.push(line(&tenant.schema, ("schema", "removed")));
                }
            }
        }
        // The snapshots leave out extensions: they belong to the database, not to a tenant.
        let mut snapshots = Snapshots::new(Transaction::Own, |key| key.kind == Kind::Extension);
        let expected = if differing.is_empty() {
            None
        } else {
            Some(self.expected_snapshots(connection, &mut snapshots).await?)
        };
        for (nth, (print, schemas)) in differing.into_iter().enumerate() {
            let lines = match (&expected, schemas.first()) {
                (Some(expected), Some(schema)) if nth < MAX_DESCRIBED => {
                    let seen = snapshots.of(connection, schema, Some(print)).await?;
                    describe(expected, (&*seen, schema))
                }
                _ => {
                    vec![(
                        "schema".to_owned(),
                        "differs; not described, since too many schemas differ".to_owned(),
                    )]
                }
            };
            if lines.is_empty() {
                drifted.tenants.same += schemas.len();
            } else {
                drifted.tenants.different += schemas.len();
            }
            for schema in schemas {
                let said = lines.iter().map(|(object, change)| line(schema, (object, change)));
                drifted.differences.extend(said);
            }
        }
        let (version, template, parameters) = self.key;
        drifted.references.push(ComparedWith {
            version,
            template,
            parameters,
            tenants: requested.len(),
            definitions: self.definitions,
            access: self.access,
            because: self.reference.err(),
        });
        Ok(())
    }

    /// The expected snapshots of definitions and of privileges.
    async fn expected_snapshots(
        &self,
        connection: &mut Connection,
        snapshots: &mut Snapshots,
    ) -> Result<[Expected; 2], Failure> {
        let definitions =
            self.usual(connection, snapshots, self.definitions, |print| &print.definition).await?;
        let access = self.usual(connection, snapshots, self.access, |print| &print.access).await?;
        Ok([definitions, access])
    }

    /// The snapshot of the reference, or of the first tenant that has the expected `part` of the fingerprint.
    async fn usual(
        &self,
        connection: &mut Connection,
        snapshots: &mut Snapshots,
        basis: Basis,
        part: fn(&Fingerprint) -> &String,
    ) -> Result<Expected, Failure> {
        if let (Basis::Files, Ok(reference)) = (basis, &self.reference) {
            return Ok((Rc::new(reference.snapshot.clone()), None));
        }
        let prints = self.tenants.iter().filter_map(|tenant| self.prints.get_key_value(&tenant.schema));
        match prints.into_iter().find(|(_, print)| part(print) == part(&self.expected)) {
            Some((schema, print)) => {
                Ok((snapshots.of(connection, schema, Some(print)).await?, Some(schema.clone())))
            }
            None => Ok(Expected::default()),
        }
    }
}

/// The differences of a schema, each as an object and its change. Differences of privileges are those from `access`, others those
/// from `definitions`. Empty if the fingerprints differ only where a text or an object has the schema's own name.
fn describe(
    [definitions, access]: &[Expected; 2],
    (seen, schema): (&SchemaSnapshot, &SchemaName),
) -> Vec<(String, String)> {
    let between = |(snapshot, other): &Expected| {
        let names: Vec<&SchemaName> = std::iter::once(schema).chain(other).collect();
        Change::between_tenants(snapshot, seen, &names)
    };
    let mut changes: Vec<Change> =
        between(definitions).into_iter().filter(|change| !change.is_access()).collect();
    changes.extend(between(access).into_iter().filter(Change::is_access));
    changes.sort_by(|one, other| one.object.cmp(&other.object));
    let is_equal = Change::between(&definitions.0, seen).iter().all(Change::is_access)
        && !Change::between(&access.0, seen).iter().any(Change::is_access);
    if is_equal {
        return vec![("schema".to_owned(), "changed during the comparison".to_owned())];
    }
    changes.iter().map(|change| (change.object.to_string(), change.line())).collect()
}

/// A difference for the result.
fn line(schema: &SchemaName, (object, change): (&str, &str)) -> SchemaDifference {
    SchemaDifference { schema: schema.clone(), object: object.to_owned(), change: change.to_owned() }
}

/// The most frequent value and its count; of equally frequent values, the first in order.
fn most_common<'a>(all: impl Iterator<Item = &'a String>) -> (String, usize) {
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    for one in all {
        *counts.entry(one).or_default() += 1;
    }
    let most = counts.into_iter().rev().max_by_key(|(_, count)| *count);
    most.map_or_else(Default::default, |(one, count)| (one.clone(), count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::metadata::TenantState;

    /// Tenants with equal definitions and these privileges, and their fingerprints.
    fn tenants(access: &[&str]) -> (Vec<Tenant>, Fingerprints) {
        let mut prints = Fingerprints::new();
        let tenants = access.iter().enumerate().map(|(number, access)| {
            let schema = SchemaName::existing(format!("org_{number}")).unwrap();
            let print =
                Fingerprint { definition: "as it should be".to_owned(), access: (*access).to_owned() };
            prints.insert(schema.clone(), print);
            Tenant {
                id: None,
                slug: number.to_string(),
                name: None,
                schema,
                version: None,
                template: None,
                status: TenantState::Active,
                created_at: None,
                schema_missing: false,
            }
        });
        (tenants.collect(), prints)
    }

    /// The expected privileges if the files give `files` and the tenants have `access`.
    fn expected(files: Option<&str>, access: &[&str]) -> (Basis, String) {
        let (tenants, prints) = tenants(access);
        let reference = files.ok_or_else(|| "no server".to_owned()).map(|access| Reference {
            print: Fingerprint { definition: "other".to_owned(), access: access.to_owned() },
            snapshot: SchemaSnapshot::default(),
        });
        let group = Group::of(
            ("1.0.0".parse().unwrap(), "default".to_owned(), BTreeMap::new()),
            &tenants,
            reference,
            &prints,
        );
        (group.access, group.expected.access)
    }

    #[test]
    fn privileges_come_from_the_files_unless_most_tenants_agree_on_others() {
        let files = (Basis::Files, "f".to_owned());
        let most = (Basis::Majority, "m".to_owned());
        assert_eq!(expected(Some("f"), &["f", "m", "m"]), files);
        assert_eq!(expected(Some("f"), &["m"]), files);
        assert_eq!(expected(Some("f"), &["m", "n"]), files);
        assert_eq!(expected(Some("f"), &["m", "m", "n"]), most);
        assert_eq!(expected(None, &["m", "m", "n"]), most);
        assert_eq!(expected(None, &["n", "m"]), most, "of two the first in order");
    }
}
