//! The fingerprints of a tenant's schema and its requirements on the database: extensions and roles. An export records them, an
//! import checks them.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::archive::{Extension, Manifest, Print, hex};
use crate::error::{Code, Failure};
use crate::ident::{SchemaName, literal};
use crate::postgres::Connection;
use crate::postgres::catalog::{self, Kind, Properties, Property, SchemaDifference, Transaction};

const NEEDS: &str = include_str!("needs.sql");

/// The fingerprints of `schema`, without owners and privileges, which belong to a server.
pub(in crate::tenant) async fn print(
    connection: &mut Connection,
    schema: &SchemaName,
    asked: Transaction,
) -> Result<Print, Failure> {
    let snapshot = catalog::snapshot_as(connection, schema, asked).await?;
    if !snapshot.has_schema() {
        return Err(Failure::new(Code::SchemaUnknown, format!("there is no schema {schema}"))
            .hint("`tenure drift` lists the tenants whose schema is missing"));
    }
    let (mut objects, mut uses, mut texts) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut add = |name: String, properties: &Properties| {
        objects.insert(name.clone(), digest(properties));
        let compared = compared(properties).map(|(property, text)| (property.to_string(), text.to_owned()));
        texts.insert(name.clone(), compared.collect());
        let used = properties.list(Property::Uses);
        if !used.is_empty() {
            uses.insert(name, used.into_iter().map(str::to_owned).collect());
        }
    };
    for (key, object) in snapshot.objects.iter().filter(|(key, _)| key.kind != Kind::Extension) {
        add(key.to_string(), &object.properties);
        for (part, properties) in &object.parts {
            add(format!("{key}: {} {}", part.kind, part.name), properties);
        }
    }
    let mut whole = Sha256::new();
    for (name, digest) in &objects {
        whole.update(format!("{name}\n{digest}\n"));
    }
    Ok(Print { definition: hex(&whole.finalize()), objects, uses, texts })
}

/// The properties that are compared: not privileges, and not the functions of expressions, which are compared by themselves.
fn compared(properties: &Properties) -> impl Iterator<Item = (Property, &str)> {
    properties.iter().filter(|(property, _)| !property.is_access() && *property != Property::Uses)
}

/// Eight bytes are enough to detect a change.
fn digest(properties: &Properties) -> String {
    let mut hash = Sha256::new();
    for (property, value) in compared(properties) {
        hash.update(format!("{property}={value}\x1f"));
    }
    hex(&hash.finalize()[..8])
}

/// The differences between an export and its import. Another major version may print the same definition differently.
pub(in crate::tenant) fn differences(
    packed: &Print,
    seen: &Print,
    schema: &SchemaName,
) -> Vec<SchemaDifference> {
    let names: BTreeSet<&String> = packed.objects.keys().chain(seen.objects.keys()).collect();
    let line = |name: &str, change: &str| SchemaDifference {
        schema: schema.clone(),
        object: name.to_owned(),
        change: change.to_owned(),
    };
    let judge = |name: &&String| match (packed.objects.get(*name), seen.objects.get(*name)) {
        (Some(_), None) => Some(line(name, "removed")),
        (None, Some(_)) => Some(line(name, "added")),
        (Some(_), Some(_)) if packed.uses.get(*name) != seen.uses.get(*name) => {
            Some(line(name, &other_meaning(packed.uses.get(*name), seen.uses.get(*name))))
        }
        (one, other) if one != other => {
            Some(line(name, &other_words(packed.texts.get(*name), seen.texts.get(*name))))
        }
        _ => None,
    };
    names.iter().filter_map(judge).collect()
}

/// The change that is reported for an expression that uses other functions or operators.
fn other_meaning(packed: Option<&Vec<String>>, seen: Option<&Vec<String>>) -> String {
    let list = |used: Option<&Vec<String>>| match used {
        Some(used) => used.join(", "),
        None => "only functions and operators of the server".to_owned(),
    };
    format!("uses {} instead of {}", list(seen), list(packed))
}

/// The start of the change that is reported for a definition that is printed differently.
const OTHER_WORDS: &str = "definition changed";

/// Whether a change is only another text of a definition.
pub(in crate::tenant) fn is_other_words(change: &str) -> bool {
    change.starts_with(OTHER_WORDS)
}

/// The change with the properties that differ: before the export and after the import.
fn other_words(packed: Option<&BTreeMap<String, String>>, seen: Option<&BTreeMap<String, String>>) -> String {
    let (Some(packed), Some(seen)) = (packed, seen) else { return OTHER_WORDS.to_owned() };
    let properties: BTreeSet<&String> = packed.keys().chain(seen.keys()).collect();
    let shown = |text: Option<&String>| text.map_or_else(|| "not set".to_owned(), |text| format!("`{text}`"));
    let differ = properties.into_iter().filter(|property| packed.get(*property) != seen.get(*property));
    let list = differ.map(|property| {
        format!("{property} was {}, is {}", shown(packed.get(property)), shown(seen.get(property)))
    });
    format!("{OTHER_WORDS}: {}", list.collect::<Vec<_>>().join(", "))
}

/// The requirements of a schema.
#[derive(Debug, Clone, Default)]
pub(in crate::tenant) struct Needs {
    pub(in crate::tenant) extensions: Vec<Extension>,
    pub(in crate::tenant) roles: Vec<String>,
    pub(in crate::tenant) tablespaces: Vec<String>,
    /// Its owner, if it has default privileges in the schema.
    pub(in crate::tenant) owner: Option<String>,
}

/// What `schema` requires.
pub(in crate::tenant) async fn needs(
    connection: &mut Connection,
    schema: &SchemaName,
) -> Result<Needs, Failure> {
    let sql = NEEDS.replace("/*SCHEMA*/", &literal(schema.as_str()));
    let sets = connection.query_batch(&sql).await;
    let sets = sets.map_err(|server_error| server_error.failure("reading the schema's requirements"))?;
    let mut needs = Needs::default();
    for row in sets.iter().flatten() {
        match row.text("kind")?.as_str() {
            "role" => needs.roles.push(row.text("name")?),
            "tablespace" => needs.tablespaces.push(row.text("name")?),
            "owner" => needs.owner = Some(row.text("name")?),
            _ => needs.extensions.push(Extension {
                name: row.text("name")?,
                version: row.text("version")?,
                schema: row.text("schema")?,
            }),
        }
    }
    Ok(needs)
}

/// Fails unless the database has what the tenant of the manifest requires.
pub(in crate::tenant) async fn expect(
    connection: &mut Connection,
    manifest: &Manifest,
) -> Result<(), Failure> {
    let sql = "SELECT extname::text AS name, nspname::text AS schema FROM pg_catalog.pg_extension e \
               JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace; \
               SELECT 'role ' || rolname AS name FROM pg_catalog.pg_roles \
               UNION ALL SELECT 'tablespace ' || spcname FROM pg_catalog.pg_tablespace \
               UNION ALL SELECT 'publication ' || pubname FROM pg_catalog.pg_publication";
    let sets = connection.query_batch(sql).await;
    let sets = sets.map_err(|server_error| {
        server_error.failure("reading the names of roles, extensions, tablespaces and publications")
    })?;
    let [installed, existing] = sets.as_slice() else { return Ok(()) };
    let installed: Vec<(String, String)> = installed
        .iter()
        .map(|row| Ok((row.text("name")?, row.text("schema")?)))
        .collect::<Result<_, Failure>>()?;
    let existing: Vec<String> = existing.iter().map(|row| row.text("name")).collect::<Result<_, _>>()?;
    let mut lacking = Vec::new();
    for required in &manifest.extensions {
        match installed.iter().find(|(name, _)| *name == required.name) {
            None => {
                lacking
                    .push(format!("extension {} {} in {}", required.name, required.version, required.schema));
            }
            Some((_, schema)) if *schema != required.schema => {
                lacking
                    .push(format!("extension {} in {} (it is in {schema})", required.name, required.schema));
            }
            Some(_) => {}
        }
    }
    let roles = manifest.roles.iter().map(|name| format!("role {name}"));
    let tablespaces = manifest.tablespaces.iter().map(|name| format!("tablespace {name}"));
    let publications =
        manifest.publications.iter().map(|publication| format!("publication {}", publication.name));
    let required: BTreeSet<String> = roles.chain(tablespaces).chain(publications).collect();
    lacking.extend(required.into_iter().filter(|name| !existing.contains(name)));
    if lacking.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        Code::ImportNeeds,
        format!("the database lacks requirements of the tenant: {}", lacking.join("; ")),
    )
    .hint("create them with CREATE EXTENSION … SCHEMA …, CREATE ROLE … NOLOGIN, CREATE TABLESPACE … or CREATE PUBLICATION …, then import again"))
}
