//! The files from the dumps: the baseline of the platform and the statements of a tenant that a template can carry. What they
//! cannot carry is listed. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use crate::chain::{FileName, Version};
use crate::error::Failure;
use crate::ident::{Identifier, SchemaName, literal};
use crate::postgres::catalog::Change;
use crate::sql::{
    OWN_SEQUENCE, OWN_TABLES, Script, SqlError, Statement, TextNames, dumped_statements, roles_named,
};

/// Something of the database that the files do not create.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize)]
pub struct NotCarried {
    /// The object: `event trigger log_ddl`.
    pub object: String,
    /// Why.
    pub because: String,
}

/// What decides which statements of a dump the files carry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) platform: &'a SchemaName,
    /// The schemas of the tenants, and those like them.
    pub(super) tenants: &'a BTreeSet<String>,
    /// Roles that belong to one tenant.
    pub(super) tenant_roles: &'a BTreeSet<String>,
}

/// Decides for each statement of a dump, and collects what is left out.
pub(super) struct Filter<'a> {
    rules: Rules<'a>,
    /// Objects that are left out, as schema and name. What names them is left out, too.
    absent: BTreeSet<(String, String)>,
    left_out: BTreeMap<String, &'static str>,
    /// The names in each statement that is left out.
    names: Vec<TextNames>,
    /// The roles that the statements name.
    roles: BTreeSet<String>,
}

/// What the files leave out, and what they need.
pub(super) struct Filtered {
    pub(super) not_carried: Vec<NotCarried>,
    pub(super) roles: BTreeSet<String>,
    absent: BTreeSet<(String, String)>,
    names: Vec<TextNames>,
}

impl Filtered {
    /// Whether a change of `schema` is one that the files leave out.
    pub(super) fn explains(&self, schema: &str, change: &Change) -> bool {
        let object = change.object.bare_name();
        match &change.part {
            None => self.absent.contains(&(schema.to_owned(), object.to_owned())),
            Some(part) => {
                let names = |named: &TextNames| {
                    named.contains_qualified(schema, object) && named.contains(&part.name)
                };
                self.names.iter().any(names)
            }
        }
    }
}

/// What the names of Tenure's functions begin with.
const OWN_FUNCTIONS: &str = "tenure_";

impl<'a> Filter<'a> {
    pub(super) fn new(rules: Rules<'a>) -> Self {
        Self {
            rules,
            absent: BTreeSet::new(),
            left_out: BTreeMap::new(),
            names: Vec::new(),
            roles: BTreeSet::new(),
        }
    }

    /// Whether the files carry the statement.
    pub(super) fn keeps(&mut self, script: &Script, statement: &Statement) -> bool {
        let schema_of = |name: &crate::sql::Name| name.schema.clone().unwrap_or_default();
        let is_platform = |schema: &str| schema == self.rules.platform.as_str();
        if statement.names.iter().any(|name| {
            is_platform(&schema_of(name))
                && (OWN_TABLES.contains(&name.name.as_str())
                    || name.name == OWN_SEQUENCE
                    || name.name.starts_with(OWN_FUNCTIONS))
        }) {
            return false;
        }
        let verb = statement.verb();
        let text = script.text(statement);
        let is_comment = verb.starts_with("COMMENT");
        if is_comment
            && (text.starts_with("COMMENT ON EXTENSION ") || text.starts_with("COMMENT ON SCHEMA public "))
        {
            return false;
        }
        let named = |name: &crate::sql::Name| (schema_of(name), name.name.clone());
        let because =
            if text.starts_with("CREATE FOREIGN TABLE ") || text.starts_with("IMPORT FOREIGN SCHEMA ") {
                "foreign servers and their user mappings belong to one environment"
            } else if statement.names.iter().any(|name| self.rules.tenants.contains(&schema_of(name))) {
                "it names the schema of one tenant"
            } else if statement.names.iter().any(|name| self.absent.contains(&named(name))) {
                "it depends on an object that is not carried"
            } else if roles_named(text).iter().any(|role| self.rules.tenant_roles.contains(role)) {
                "the role belongs to one tenant; [tenants] roles gives each tenant its own"
            } else {
                self.roles.extend(roles_named(text).into_iter().filter(|role| !role.starts_with("pg_")));
                return true;
            };
        self.names.push(TextNames::of(&script.masked()[statement.range.clone()]));
        if let Some(created) = statement.names.first().filter(|_| verb.starts_with("CREATE")) {
            self.absent.insert(named(created));
        }
        let object = shown(text);
        self.left_out.insert(object, because);
        false
    }

    pub(super) fn filtered(self) -> Filtered {
        let Self { absent, left_out, names, roles, .. } = self;
        let left_out = left_out.into_iter();
        let not_carried =
            left_out.map(|(object, because)| NotCarried { object, because: because.to_owned() }).collect();
        Filtered { not_carried, roles, absent, names }
    }
}

/// The start of a statement, on one line.
fn shown(text: &str) -> String {
    const MAX: usize = 160;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX) {
        Some((end, _)) => format!("{} …", line[..end].trim_end()),
        None => line,
    }
}

/// What the baseline consists of.
pub(super) struct Platform<'a> {
    /// The output of `pg_dump` for all schemas that are not of tenants.
    pub(super) dump: &'a str,
    /// The extensions with their schemas, in the order of their creation.
    pub(super) extensions: &'a [(Identifier, Identifier)],
    /// Roles that the template's statements name.
    pub(super) roles: &'a BTreeSet<String>,
    /// Statements that fill tables.
    pub(super) rows: &'a [String],
    /// Django's migrations in these rows.
    pub(super) django: &'a [String],
    /// The materialized views with rows, as the dump names them.
    pub(super) populated_views: &'a [String],
}

/// The name and the text of the migration that creates the platform.
pub(super) fn baseline(
    version: &Version,
    platform: &Platform<'_>,
    filter: &mut Filter<'_>,
) -> Result<(String, String), Failure> {
    let name = FileName { from: Version::ZERO, to: version.clone(), name: "baseline".to_owned() };
    let own = filter.rules.platform.as_str().to_owned();
    let mut schemas = BTreeSet::from(["public".to_owned(), own]);
    let mut statements = Vec::new();
    let extensions = platform.extensions.iter().filter(|(_, schema)| schema.as_str() != "pg_catalog");
    for (extension, schema) in extensions {
        if schemas.insert(schema.as_str().to_owned()) {
            statements.push(format!("CREATE SCHEMA IF NOT EXISTS {}", schema.quoted()));
        }
        statements.push(format!(
            "CREATE EXTENSION IF NOT EXISTS {} SCHEMA {}",
            extension.quoted(),
            schema.quoted()
        ));
    }
    let dumped = dumped_statements(platform.dump, |script, statement| {
        match statement.created_schema() {
            // Tenure creates the platform's schema, and every database has `public`.
            Some(schema) => schemas.insert(schema.to_owned()),
            None => filter.keeps(script, statement),
        }
    })
    .map_err(|error: SqlError| Failure::from(crate::chain::ChainError::from(error)))?;
    if dumped.iter().any(|text| text.starts_with("CREATE FUNCTION ") || text.starts_with("CREATE PROCEDURE "))
    {
        // A dump creates routines before the tables that their bodies name.
        statements.insert(0, "SET LOCAL check_function_bodies = off".to_owned());
    }
    let views: Vec<String> = dumped
        .iter()
        .filter_map(|text| text.strip_prefix("CREATE MATERIALIZED VIEW ")?.lines().next())
        .filter_map(|line| {
            let is_populated = |view: &&String| {
                line.strip_prefix(view.as_str()).is_some_and(|rest| rest.starts_with(' ') || rest.is_empty())
            };
            platform.populated_views.iter().find(is_populated)
        })
        .map(|view| format!("REFRESH MATERIALIZED VIEW {view}"))
        .collect();
    let mut text = format!(
        "-- Migration: v{} to v{version}\n-- Description: The platform as it was when Tenure was introduced\n\
         -- Scope: platform\n",
        Version::ZERO
    );
    for migration in platform.django {
        let _written = writeln!(text, "-- Django: {migration}");
    }
    text.push_str("BEGIN;\n");
    let roles: BTreeSet<&String> = platform.roles.iter().chain(&filter.roles).collect();
    if !roles.is_empty() {
        text.push_str(
            "\n-- Roles that get privileges; they belong to the server, which may have them already\n",
        );
    }
    for role in roles {
        let _written = writeln!(
            text,
            "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {}) THEN CREATE ROLE {} NOLOGIN; END IF; END $$;",
            literal(role),
            Identifier::new(role.as_str())?.quoted()
        );
    }
    statements.extend(dumped);
    statements.extend(platform.rows.iter().cloned());
    statements.extend(views);
    for statement in statements {
        text.push('\n');
        text.push_str(&statement);
        text.push_str(";\n");
    }
    text.push_str("\nCOMMIT;\n");
    Ok((name.to_string(), text))
}
