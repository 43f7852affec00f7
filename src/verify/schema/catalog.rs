//! The catalog of a real database as the base of the model. The statements that create its objects are applied like those of a
//! file, so text and catalog fill one model. The server prints definitions in its own form, so where the text of the chain
//! defines an object of the same name and kind, its form is kept: the files that follow are compared with it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use squawk_syntax::SyntaxKind;

use super::knowledge::Knowledge;
use super::name_map::NameMap;
use super::parts::words;
use super::schema_ref::SchemaRef;
use super::table::{OmittedValue, Table};
use super::{Key, Relation, Routine, Schema, SqlType, TypeDef};
use crate::chain::Version;
use crate::error::Source;
use crate::output::without_credentials;
use crate::sql::{ORG_SCHEMA, Scope, Script};

/// The name of the format of snapshot files.
const FORMAT: &str = "tenure-schema";
/// Its version; files of other versions are refused.
const FORMAT_VERSION: u32 = 1;

/// An object and the statement that creates it. In it, the placeholder stands for the object's schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogObject {
    /// Its name without the schema.
    pub name: String,
    /// The statement.
    pub sql: String,
}

/// The contents of a schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogSchema {
    /// Its objects, those that others need first.
    pub objects: Vec<CatalogObject>,
    /// The names of objects on which privileges were granted or revoked.
    pub with_privileges: Vec<String>,
}

/// The schema that most tenants of one version share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogTenant {
    /// Their version.
    pub version: Version,
    /// The number of tenants at this version.
    pub tenants: usize,
    /// The schema; `None` if no schema is that of most tenants.
    pub schema: Option<CatalogSchema>,
}

/// The catalog of a database: no rows, no owners, no passwords.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseCatalog {
    /// The server's major version.
    pub server: u32,
    /// The platform's version.
    pub version: Version,
    /// The platform's schema.
    pub platform: CatalogSchema,
    /// Other schemas whose contents were read.
    pub others: BTreeMap<String, CatalogSchema>,
    /// All schemas except those of tenants.
    pub schemas: Vec<String>,
    /// The tenants, by version.
    pub tenants: Vec<CatalogTenant>,
    /// The extensions.
    pub extensions: Vec<String>,
    /// The names of the objects that belong to extensions.
    pub of_extensions: Vec<String>,
}

/// A snapshot file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SnapshotFile<C> {
    format: String,
    format_version: u32,
    catalog: C,
}

impl CatalogSchema {
    /// A schema without the passwords in the strings of its definitions.
    pub fn new(objects: Vec<CatalogObject>, with_privileges: Vec<String>) -> Self {
        let masked = |object: CatalogObject| CatalogObject { sql: without_passwords(&object.sql), ..object };
        Self { objects: objects.into_iter().map(masked).collect(), with_privileges }
    }
}

/// Masks passwords in strings and in bodies; elsewhere, a `password =` is a column.
fn without_passwords(sql: &str) -> String {
    if let Some(at) = sql.find(" AS $") {
        return format!("{}{}", &sql[..at], without_credentials(&sql[at..]));
    }
    let pieces = sql.split('\'').enumerate();
    let masked =
        pieces.map(|(nth, piece)| if nth % 2 == 1 { without_credentials(piece) } else { piece.to_owned() });
    masked.collect::<Vec<_>>().join("'")
}

impl DatabaseCatalog {
    /// The text of a snapshot file.
    pub fn file_text(&self) -> Result<String, serde_json::Error> {
        let file = SnapshotFile { format: FORMAT.to_owned(), format_version: FORMAT_VERSION, catalog: self };
        Ok(serde_json::to_string_pretty(&file)? + "\n")
    }

    /// Reads a snapshot file; returns why it is not one.
    pub fn read(text: &str) -> Result<Self, String> {
        let file: SnapshotFile<serde_json::Value> = serde_json::from_str(text)
            .map_err(|error| format!("it is not a snapshot of a schema: {error}"))?;
        if file.format != FORMAT {
            return Err(format!("its \"format\" is not {FORMAT:?}"));
        }
        if file.format_version != FORMAT_VERSION {
            let version = file.format_version;
            return Err(format!("its format_version is {version}, but this program reads {FORMAT_VERSION}"));
        }
        serde_json::from_value(file.catalog).map_err(|error| error.to_string())
    }

    /// The model of the platform's and the other schemas.
    pub fn platform_schema(&self, platform: &str) -> Schema {
        let mut schema = self.empty(platform);
        schema.apply_catalog(&self.platform, Some(platform));
        for (name, other) in &self.others {
            schema.apply_catalog(other, Some(name));
        }
        schema.begin_file();
        schema
    }

    /// The model of a tenant's schema.
    pub fn tenant_schema(&self, platform: &str, tenant: &CatalogSchema) -> Schema {
        let mut schema = self.empty(platform);
        schema.apply_catalog(tenant, None);
        schema.begin_file();
        schema
    }

    fn empty(&self, platform: &str) -> Schema {
        let mut schema = Schema::with(platform, Knowledge::complete());
        for name in &self.schemas {
            let is_read = name == platform || self.others.contains_key(name);
            let home = schema.named(name);
            schema.knowledge.create_schema(&home, is_read);
        }
        for name in &self.extensions {
            schema.knowledge.create_extension(name, true);
        }
        for name in &self.of_extensions {
            schema.knowledge.forget(name);
        }
        schema
    }
}

impl Schema {
    /// Applies the objects of a schema: the one with the name `name`, or that of a tenant.
    fn apply_catalog(&mut self, catalog: &CatalogSchema, name: Option<&str>) {
        let scope = if name.is_some() { Scope::Platform } else { Scope::Tenant };
        for CatalogObject { name: object, sql } in &catalog.objects {
            let sql = match name {
                Some(name) => sql.replace(ORG_SCHEMA, &format!("\"{}\"", name.replace('"', "\"\""))),
                None => sql.clone(),
            };
            let script = Script::parse(Source::new("catalog", sql)).ok();
            match script.as_ref().map(|script| script.statements.as_slice()) {
                Some([statement]) => {
                    let node = script.as_ref().map(|script| statement.node(script));
                    if let Some(node) = node {
                        self.apply_node(statement, node, Some(scope));
                    }
                }
                // The parser does not know what the server printed.
                _ => self.forget(object),
            }
        }
        for object in &catalog.with_privileges {
            self.knowledge.note_privileges(object, false);
        }
    }

    /// Replaces the platform's and the other schemas by those of a database. If the tenant's schema is not replaced at the same
    /// version, the names that opaque code made unknown stay unknown.
    pub fn take_platform(&mut self, base: &Self, with_tenant: bool) {
        self.take(base, |home| *home != SchemaRef::Tenant && *home != SchemaRef::Temporary);
        let tenant = self.knowledge.tenant;
        let before = std::mem::replace(&mut self.knowledge, base.knowledge.clone());
        self.knowledge.tenant = tenant;
        self.knowledge.add_privileges_of(&before);
        if !with_tenant {
            self.knowledge.add_unknown_of(&before);
        }
    }

    /// Replaces the tenant's schema by that of a database.
    pub fn take_tenant(&mut self, base: &Self) {
        self.take(base, |home| *home == SchemaRef::Tenant);
        self.knowledge.tenant = true;
        self.knowledge.add_privileges_of(&base.knowledge);
    }

    /// The tenant's schema is unknown.
    pub fn forget_tenant(&mut self) {
        self.knowledge.tenant = false;
    }

    fn take(&mut self, base: &Self, is_taken: impl Fn(&SchemaRef) -> bool) {
        let own: Vec<Key> =
            self.relations.all().iter().map(|(key, _)| key).filter(|key| is_taken(&key.0)).collect();
        let of_text: HashMap<Key, Option<Arc<Relation>>> =
            own.into_iter().map(|key| (key.clone(), self.relations.remove(&key))).collect();
        for (key, relation) in base.relations.all().iter().filter(|(key, _)| is_taken(&key.0)) {
            let text = of_text.get(&key).and_then(Option::as_deref);
            let merged =
                text.map_or_else(|| Arc::clone(relation), |text| Arc::new(relation.in_form_of(text)));
            self.knowledge.show(&key.1);
            self.relations.insert(key, merged);
        }
        let types =
            take(&mut self.types, &base.types, &is_taken, |fact, text: &TypeDef| match (fact, text) {
                (
                    TypeDef::Domain { refuses_null, checks, .. },
                    TypeDef::Domain { refuses_null: text_refuses, checks: text_checks, .. },
                ) if refuses_null == text_refuses && checks.len() == text_checks.len() => text.clone(),
                (fact, _) => fact.clone(),
            });
        let routines = take(&mut self.routines, &base.routines, &is_taken, |fact, text: &Vec<Routine>| {
            let same =
                |fact: &Routine| text.iter().find(|text| fact.is_printed(text)).unwrap_or(fact).clone();
            fact.iter().map(same).collect()
        });
        types.iter().chain(&routines).for_each(|name| self.knowledge.show(name));
    }
}

/// Replaces the objects in some schemas by those of `base`, in the form of those that were there. Returns their names.
fn take<T: Clone>(
    held: &mut NameMap<T>,
    base: &NameMap<T>,
    is_taken: &impl Fn(&SchemaRef) -> bool,
    in_form_of: impl Fn(&T, &T) -> T,
) -> Vec<String> {
    let own: Vec<Key> = held.iter().map(|(key, _)| key).filter(|key| is_taken(&key.0)).collect();
    let of_text: HashMap<Key, Option<Arc<T>>> =
        own.into_iter().map(|key| (key.clone(), held.remove(&key))).collect();
    let mut names = Vec::new();
    for (key, fact) in base.iter().filter(|(key, _)| is_taken(&key.0)) {
        let text = of_text.get(&key).and_then(Option::as_deref);
        names.push(key.1.clone());
        held.insert(key, text.map_or_else(|| Arc::clone(fact), |text| Arc::new(in_form_of(fact, text))));
    }
    names
}

impl Relation {
    /// This relation of the catalog, with definitions in the form that the text gives to them.
    fn in_form_of(&self, text: &Self) -> Self {
        match (self, text) {
            (Self::Table(fact), Self::Table(text)) => Self::Table(fact.in_form_of(text)),
            (Self::View(fact), Self::View(text)) if fact.materialized == text.materialized => {
                Self::View(super::View { attached: fact.attached.clone(), ..text.clone() })
            }
            (fact, _) => fact.clone(),
        }
    }
}

impl Table {
    fn in_form_of(&self, text: &Self) -> Self {
        let mut table = self.clone();
        for column in &mut table.columns {
            let Some(text) = text.columns.iter().find(|text| text.name == column.name) else { continue };
            if let (Some(fact), Some(of_text)) = (&column.of_type, &text.of_type)
                && fact.is_printed(of_text)
            {
                column.of_type = Some(of_text.clone());
            }
            let is_same = match (&column.omitted_value, &text.omitted_value) {
                (OmittedValue::Default(fact), OmittedValue::Default(text)) => is_printed(fact, text),
                _ => false,
            };
            if is_same {
                column.omitted_value = text.omitted_value.clone();
            }
        }
        for constraint in &mut table.constraints {
            let same =
                |text: &&super::Constraint| text.name == constraint.name && text.kind == constraint.kind;
            let text = text.constraints.iter().find(same);
            if let Some(text) = text.filter(|text| is_printed(&constraint.text, &text.text)) {
                constraint.text.clone_from(&text.text);
                constraint.columns.clone_from(&text.columns);
            }
        }
        for attached in &mut table.attached {
            let text = text.attached.iter().find(|text| text.name == attached.name && !text.text.is_empty());
            attached.text = text.map_or_else(|| attached.text.clone(), |text| text.text.clone());
        }
        table
    }
}

impl SqlType {
    /// Whether this is the printed form of `text`, which may leave out the schema.
    fn is_printed(&self, text: &Self) -> bool {
        let bare = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
        let unqualified = |of: &Self| {
            let mut plain = of.clone();
            plain.name = bare(&of.name);
            plain
        };
        unqualified(self) == unqualified(text)
    }
}

impl Routine {
    /// Whether `text` creates this routine: the same inputs and body.
    fn is_printed(&self, text: &Self) -> bool {
        self.inputs == text.inputs
            && self.pure == text.pure
            && self.body().is_some_and(|body| text.body() == Some(body))
    }

    /// The words of its body; `None` if it is no string.
    fn body(&self) -> Option<Vec<String>> {
        let script = Script::parse(Source::new("", self.definition.as_ref())).ok()?;
        let body = script.statements.first()?.node(&script).first(SyntaxKind::AS_DEFINITION)?;
        let plain = |word: String| match word.strip_prefix('\'').and_then(|word| word.strip_suffix('\'')) {
            Some(inner) => inner.replace("''", "'").trim().to_owned(),
            None => word,
        };
        Some(words(body).into_iter().map(plain).collect())
    }
}

/// Whether the server prints the expression `text` as `fact`: all words of the text are in it, and the same strings.
fn is_printed(fact: &str, text: &str) -> bool {
    // The server prints other words for these.
    const REWRITTEN: &[&str] =
        &["in", "between", "like", "ilike", "any", "array", "some", "match", "simple", "to"];
    let words = |text: &str| -> HashSet<String> {
        let outside = text.split('\'').step_by(2).collect::<Vec<_>>().join(" ").to_lowercase();
        let words = outside.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        words.filter(|word| !word.is_empty() && !REWRITTEN.contains(word)).map(str::to_owned).collect()
    };
    let strings =
        |text: &str| -> Vec<String> { text.split('\'').skip(1).step_by(2).map(str::to_owned).collect() };
    words(text).is_subset(&words(fact)) && strings(text) == strings(fact)
}
