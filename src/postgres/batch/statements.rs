//! Renders the statements of a user's files for one schema.

use std::ops::Range;
use std::sync::Arc;

use uuid::Uuid;

use super::{BEGIN, SqlBatch};
use crate::error::Failure;
use crate::ident::{SchemaName, SharedPath, literal};
use crate::postgres::Row;
use crate::postgres::deadline::Limit;
use crate::settings::Migrate;
use crate::sql::{
    IndexParts, Origin, ParameterValues, Script, Statement, Substitution, TableInDefinition, TenantNames,
};

impl SqlBatch {
    /// Adds statements of a file, with `{org_schema}` replaced by `schema`.
    pub fn push_file<'a>(
        &mut self,
        script: &Script,
        statements: impl Iterator<Item = &'a Statement>,
        schema: &SchemaName,
    ) {
        let file = self.source(script);
        for statement in statements {
            self.push_parts(
                (script, file),
                statement,
                [statement.range.clone()],
                schema,
                &ParameterValues::default(),
            );
        }
    }

    /// Adds a check that the objects which these statements expect in `schema` exist.
    pub fn expect<'a>(
        &mut self,
        script: &Script,
        statements: impl Iterator<Item = &'a Statement>,
        schema: &SchemaName,
    ) {
        if self.rendered.push_expectations(self.sources.len(), statements, &schema.quoted()) {
            self.source(script);
            self.rendered.push(";\n");
            self.end_statement(None);
        }
    }

    fn source(&mut self, script: &Script) -> usize {
        self.sources.push(Arc::clone(&script.source));
        self.sources.len() - 1
    }

    /// Renders a part of a statement for `schema`.
    fn render(
        &mut self,
        from: (&Script, usize),
        statement: &Statement,
        part: Range<usize>,
        schema: &SchemaName,
        values: &ParameterValues,
    ) {
        let (in_text, quoted) = (schema.in_text(), schema.quoted());
        let role =
            if statement.has_placeholder { schema.role_in_text(&from.0.role_prefix) } else { String::new() };
        let names = TenantNames { schema: &in_text, role: &role };
        self.rendered.push_part(from, statement, part, Substitution { names, quoted: &quoted, values });
    }

    /// Adds one statement of a transaction, composed of these parts of its text.
    fn push_parts(
        &mut self,
        from: (&Script, usize),
        statement: &Statement,
        parts: impl IntoIterator<Item = Range<usize>>,
        schema: &SchemaName,
        values: &ParameterValues,
    ) {
        let (script, file) = from;
        let is_extension = self.enter_extensions(script, statement);
        for part in parts {
            self.render(from, statement, part, schema, values);
        }
        self.rendered.push(";\n");
        self.end_statement(Some((file, statement.range.clone())));
        if is_extension {
            self.leave_extensions(script, statement);
        }
        self.update_limit(script, statement);
    }

    /// A statement that may set `statement_timeout` removes the limit.
    fn update_limit(&mut self, script: &Script, statement: &Statement) {
        if statement.may_change_setting(script, "statement_timeout") {
            self.limit = Limit::None;
        }
    }

    /// Adds one statement of a file that is sent outside of a transaction block.
    pub fn push_non_transactional(&mut self, script: &Script, statement: &Statement, schema: &SchemaName) {
        let file = self.source(script);
        self.render((script, file), statement, statement.range.clone(), schema, &ParameterValues::default());
        self.end_statement(Some((file, statement.range.clone())));
    }

    /// Adds a trial build that resolves the names in the definition of a non-transactional index along the
    /// unit's search path: the same index on a new table like the index's own, in a transaction that is rolled
    /// back. The last rows are the input of [`ResolvedIndex::of`].
    pub fn push_trial(
        &mut self,
        limits: Migrate,
        script: &Script,
        index: (&Statement, &IndexParts<'_>),
        (schema, path): (&SchemaName, &SharedPath),
    ) {
        let (statement, parts) = index;
        let table_schema = match &parts.table.schema {
            Some(other) if !parts.table.in_tenant_schema() => quoted(other),
            Some(_) | None => schema.quoted(),
        };
        let own = format!("{table_schema}.{}", quoted(&parts.table.name));
        // A temporary table precedes the index's own table of the same name in the search path.
        let trial = match parts.itself {
            TableInDefinition::Unnamed => {
                format!("{}.\"tenure_trial_{}\"", schema.quoted(), Uuid::new_v4().simple())
            }
            TableInDefinition::Qualifier | TableInDefinition::Row => {
                format!("pg_temp.{}", quoted(&parts.table.name))
            }
        };
        self.push(BEGIN);
        self.limit_statements(limits);
        self.push(&format!("SET LOCAL lock_timeout = {}", limits.lock_timeout.milliseconds()));
        self.search_path(schema, path);
        let file = self.source(script);
        let origin = Origin { file, range: parts.table.range.clone() };
        // A child's row is also a row of its parent; a table created with LIKE has its own row type.
        let (before, behind) = match parts.itself {
            TableInDefinition::Row => ("() INHERITS (", ")"),
            TableInDefinition::Unnamed | TableInDefinition::Qualifier => ("(LIKE ", ")"),
        };
        self.rendered.push(&format!("CREATE TABLE {trial} {before}"));
        self.rendered.push_substitute(&own, origin);
        self.rendered.push(&format!("{behind};\n"));
        self.end_statement(Some((file, statement.range.clone())));
        let unique = if parts.is_unique { "UNIQUE " } else { "" };
        self.rendered.push(&format!("CREATE {unique}INDEX ON {trial}"));
        self.render((script, file), statement, parts.definition.clone(), schema, &ParameterValues::default());
        self.rendered.push(";\n");
        self.end_statement(Some((file, statement.range.clone())));
        self.push("SET LOCAL search_path = ''");
        self.push(&format!(
            "SELECT pg_catalog.pg_get_indexdef(i.indexrelid) AS definition, \
             pg_catalog.format('.%I USING ', t.relname) AS before, \
             coalesce(' WHERE ' || pg_catalog.pg_get_expr(i.indpred, i.indrelid), '') AS predicate \
             FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class t ON t.oid = i.indrelid WHERE i.indrelid = {}::pg_catalog.regclass",
            literal(&trial)
        ));
        self.push("ROLLBACK");
    }

    /// Adds the statement that builds an index, with the names in its definition as the server resolved them.
    pub fn push_resolved(
        &mut self,
        script: &Script,
        index: (&Statement, &IndexParts<'_>),
        found: &ResolvedIndex,
        schema: &SchemaName,
    ) {
        let (statement, parts) = index;
        let file = self.source(script);
        self.render((script, file), statement, parts.head.clone(), schema, &ParameterValues::default());
        let definition = || Origin { file, range: parts.definition.clone() };
        self.rendered.push_substitute(&format!(" USING {}", found.definition), definition());
        if let Some(range) = parts.tablespace.clone() {
            self.rendered.push(" ");
            self.render((script, file), statement, range, schema, &ParameterValues::default());
        }
        self.rendered.push_substitute(&found.predicate, definition());
        self.end_statement(Some((file, statement.range.clone())));
    }

    /// Adds a statement of Tenure's own whose errors are reported at the place of a file's statement.
    pub fn push_for_statement(&mut self, sql: &str, script: &Script, statement: &Statement) {
        self.push(sql);
        let file = self.source(script);
        if let Some(last) = self.statements.last_mut() {
            last.place = Some((file, statement.range.clone()));
        }
    }

    /// Adds one statement for a schema that no other session sees yet, with the values of its parameters.
    /// `CONCURRENTLY` is removed: it has no use there, and is not allowed in a transaction.
    pub fn push_with_expectations(
        &mut self,
        script: &Script,
        statement: &Statement,
        schema: &SchemaName,
        values: &ParameterValues,
    ) {
        self.expect(script, std::iter::once(statement), schema);
        self.push_in_transaction(script, statement, schema, values);
    }

    /// Like [`Self::push_with_expectations`], if the expectations were already checked.
    pub fn push_in_transaction(
        &mut self,
        script: &Script,
        statement: &Statement,
        schema: &SchemaName,
        values: &ParameterValues,
    ) {
        let file = self.source(script);
        let range = statement.range.clone();
        let word = statement.concurrently.clone().unwrap_or(range.end..range.end);
        let parts = [range.start..word.start, word.end..range.end];
        self.push_parts((script, file), statement, parts, schema, values);
    }
}

/// The definition of an index with resolved names: in the catalog, or schema-qualified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedIndex {
    /// From the access method to the storage parameters.
    definition: String,
    /// The `WHERE` clause, or empty.
    predicate: String,
}

impl ResolvedIndex {
    /// Reads the results of [`SqlBatch::push_trial`]; `None` if the server describes no index.
    pub fn of(sets: &[Vec<Row>]) -> Result<Option<Self>, Failure> {
        let described = |row| Row::text(row, "definition").ok().map(|whole| (row, whole));
        let Some((row, whole)) = sets.iter().flatten().find_map(described) else { return Ok(None) };
        let (before, predicate) = (row.text("before")?, row.text("predicate")?);
        let definition = whole.find(&before).map(|at| &whole[at + before.len()..]);
        let definition = definition.and_then(|definition| definition.strip_suffix(predicate.as_str()));
        Ok(definition
            .map(|definition| Self { definition: definition.to_owned(), predicate: predicate.clone() }))
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
