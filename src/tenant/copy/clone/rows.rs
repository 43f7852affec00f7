//! The statements that copy the rows of one schema into another with the same definitions: they remove what blocks the copy, copy
//! each table, and restore the rest. Pure: catalog rows in, statements out.

use serde::Deserialize;

use crate::error::{Code, Failure};
use crate::ident::{Identifier, SchemaName, literal};
use crate::postgres::Row;

const PLAN: &str = include_str!("plan.sql");

/// The queries about the two schemas, as one batch.
pub(in crate::tenant) fn questions(source: &SchemaName, target: &SchemaName) -> String {
    PLAN.replace("/*SOURCE*/", &literal(source.as_str())).replace("/*TARGET*/", &literal(target.as_str()))
}

/// A statement, with its description for a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tenant) struct Step {
    pub(in crate::tenant) sql: String,
    pub(in crate::tenant) doing: String,
    pub(in crate::tenant) kind: StepKind,
}

/// The kind of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tenant) enum StepKind {
    /// Changes a setting of the transaction.
    Setting,
    /// Copies rows from the source, in the snapshot of the copy. They are counted.
    Copy,
    /// Changes or reads the new schema.
    Change,
}

/// The number of tables from which on rows are copied in several transactions: each table needs about eight locks in each schema, and
/// with the default settings the server's lock table has room for 6,400 in total.
const MANY: usize = 200;

/// A table with rows of its own.
#[derive(Debug, Clone)]
struct Table {
    name: Identifier,
    /// The writable columns.
    columns: Vec<Column>,
}

/// A column. The server has quoted its name.
#[derive(Debug, Clone, Deserialize)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    of_type: String,
    /// Whether the source's column has another type.
    differs: bool,
    /// The type whose values name objects, if it is one.
    object: Option<String>,
    is_array: bool,
}

impl Column {
    /// The expression for the value in `source`. An object of that schema becomes the one of `target`.
    fn value(&self, source: &SchemaName, target: &SchemaName) -> String {
        let Self { name, of_type, .. } = self;
        let Some(object) = &self.object else {
            return if self.differs { format!("{name}::text::{of_type}") } else { name.clone() };
        };
        let renamed = |value: &str| {
            let value = match object.as_str() {
                "regnamespace" => {
                    let [source, target] = [source, target].map(|schema| literal(&schema.quoted()));
                    format!(
                        "CASE {value} WHEN {source}::regnamespace THEN {target}::regnamespace ELSE {value} END"
                    )
                }
                // Only with argument types does the text name one object.
                "regproc" => in_schema(value, "regprocedure", (source, target)),
                "regoper" => in_schema(value, "regoperator", (source, target)),
                other => in_schema(value, other, (source, target)),
            };
            format!("({value})::{object}")
        };
        if self.is_array {
            let element = renamed("u.value");
            return format!(
                "(CASE WHEN pg_catalog.array_ndims({name}) = 1 THEN ARRAY(SELECT {element} FROM pg_catalog.unnest({name}) \
                 WITH ORDINALITY AS u (value, position) ORDER BY position) ELSE {name}::{object}[] END)::{of_type}"
            );
        }
        format!("{}::{of_type}", renamed(name))
    }
}

/// The object of `value`, of type `object`, in the other schema. The text has the source's name as a qualifier, since that schema is
/// not in the search path. An object outside of it keeps its OID.
fn in_schema(value: &str, object: &str, (source, target): (&SchemaName, &SchemaName)) -> String {
    let text = format!("{value}::{object}::text");
    // As the server prints the name, with and without quotes.
    let [bare, quoted] = [source.as_str().to_owned(), source.quoted()].map(|name| {
        name.chars().fold(String::new(), |pattern, letter| match letter {
            '_' | '"' => pattern + &letter.to_string(),
            letter if letter.is_alphanumeric() => pattern + &letter.to_string(),
            letter => format!("{pattern}\\{letter}"),
        })
    });
    let pattern = literal(&format!(r"(^|[(,])(?:{bare}|{quoted})\."));
    let with = literal(&format!(r"\1{}.", target.quoted().replace('\\', r"\\")));
    format!(
        "CASE WHEN {text} ~ {pattern} THEN pg_catalog.regexp_replace({text}, {pattern}, {with}, 'g')::{object}::oid ELSE {value}::oid END"
    )
}

/// A constraint that is dropped and added again.
#[derive(Debug, Clone)]
struct Constraint {
    relation: Identifier,
    name: Identifier,
    definition: String,
    comment: Option<String>,
}

/// An enabled trigger or rule.
#[derive(Debug, Clone)]
struct Switch {
    kind: String,
    relation: Identifier,
    name: Identifier,
    state: String,
}

/// The input of a copy.
#[derive(Debug, Clone, Default)]
pub(in crate::tenant) struct Rows {
    tables: Vec<Table>,
    constraints: Vec<Constraint>,
    switches: Vec<Switch>,
    sequences: Vec<(Identifier, Identifier)>,
    views: Vec<(Identifier, bool)>,
    /// The tables and materialized views that get statistics of their rows.
    analyzed: Vec<Identifier>,
    /// Whether a foreign key references another schema.
    pub(in crate::tenant) leads_out: bool,
    /// Notes for the user.
    pub(in crate::tenant) notes: Vec<String>,
}

impl Rows {
    /// Reads the result sets.
    pub(in crate::tenant) fn read(sets: &[Vec<Row>]) -> Result<Self, Failure> {
        let [tables, constraints, switches, sequences, views, keys, analyzed, foreign] = sets else {
            return Err(Failure::new(Code::StatementFailed, "unexpected number of result sets"));
        };
        let name = |row: &Row, column: &str| Ok::<_, Failure>(Identifier::new(row.text(column)?)?);
        let mut rows = Self::default();
        for row in tables {
            let columns = serde_json::from_value(row.document("columns")?);
            let columns = columns.map_err(|error| {
                Failure::new(Code::StatementFailed, format!("reading the columns to copy: {error}"))
            })?;
            rows.tables.push(Table { name: name(row, "name")?, columns });
        }
        for row in constraints {
            rows.constraints.push(Constraint {
                relation: name(row, "relation")?,
                name: name(row, "name")?,
                definition: row.text("definition")?,
                comment: row.optional_text("comment")?,
            });
        }
        for row in switches {
            rows.switches.push(Switch {
                kind: row.text("kind")?,
                relation: name(row, "relation")?,
                name: name(row, "name")?,
                state: row.text("state")?,
            });
        }
        for row in sequences {
            rows.sequences.push((name(row, "source")?, name(row, "target")?));
        }
        for row in views {
            rows.views.push((name(row, "name")?, row.get_bool("populated")?));
        }
        rows.leads_out = keys.first().map(|row| row.integer("keys")).transpose()?.unwrap_or(0) > 0;
        for row in analyzed {
            rows.analyzed.push(name(row, "name")?);
        }
        for row in foreign {
            let relation = row.text("relation")?;
            rows.notes.push(format!(
                "foreign table {relation}: its rows are on another server and were not copied"
            ));
        }
        Ok(rows)
    }

    /// The number of tables with rows of their own.
    pub(in crate::tenant) fn tables(&self) -> usize {
        self.tables.len()
    }

    /// Whether the copy needs several transactions.
    pub(in crate::tenant) fn is_large(&self) -> bool {
        self.tables.len() > MANY
    }

    /// The statements of the copy, in order. `path` is the search path of the target.
    pub(in crate::tenant) fn steps(&self, source: &SchemaName, target: &SchemaName, path: &str) -> Vec<Step> {
        let mut steps = Steps::default();
        let (from, into) = (source.quoted(), target.quoted());
        for setting in [
            format!("SET LOCAL search_path = {path}").as_str(),
            // With deferred checks pending, a table could not be altered.
            "SET CONSTRAINTS ALL IMMEDIATE",
            // Fails instead of copying only the rows that the role can see.
            "SET LOCAL row_security = off",
            // Casts through text depend on these.
            "SET LOCAL DateStyle = 'ISO, YMD'",
            "SET LOCAL IntervalStyle = 'postgres'",
            "SET LOCAL extra_float_digits = 1",
        ] {
            steps.push("preparing", setting.to_owned(), StepKind::Setting);
        }
        for switch in &self.switches {
            steps.add(&switch.doing("disabling"), switch.sql(&into, "DISABLE"));
        }
        for Constraint { relation, name, .. } in &self.constraints {
            let sql = format!("ALTER TABLE {into}.{} DROP CONSTRAINT {}", relation.quoted(), name.quoted());
            steps.add(&format!("dropping constraint {name} of table {relation}"), sql);
        }
        for Table { name, .. } in &self.tables {
            steps.add(
                &format!("truncating new table {name}"),
                format!("TRUNCATE ONLY {into}.{}", name.quoted()),
            );
        }
        for Table { name, columns } in &self.tables {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            let list = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
            let values: Vec<String> = columns.iter().map(|column| column.value(source, target)).collect();
            let values = values.join(", ");
            let table = name.quoted();
            steps.copy(
                &format!("copying table {name}"),
                format!(
                    "INSERT INTO {into}.{table}{list} OVERRIDING SYSTEM VALUE SELECT {values} FROM ONLY {from}.{table}"
                ),
            );
        }
        for constraint in &self.constraints {
            constraint.put_back(&into, &mut steps);
        }
        for switch in &self.switches {
            steps.add(&switch.doing("enabling"), switch.sql(&into, switch.on()));
        }
        for (one, other) in &self.sequences {
            let target = literal(&format!("{into}.{}", other.quoted()));
            let sql = format!(
                "SELECT pg_catalog.setval({target}, last_value, is_called) FROM {from}.{}",
                one.quoted()
            );
            steps.add(&format!("setting sequence {other}"), sql);
        }
        for (view, populated) in &self.views {
            let with = if *populated { "" } else { " WITH NO DATA" };
            let sql = format!("REFRESH MATERIALIZED VIEW {into}.{}{with}", view.quoted());
            steps.add(&format!("refreshing materialized view {view}"), sql);
        }
        for name in &self.analyzed {
            steps.add(&format!("analyzing {name}"), format!("ANALYZE {into}.{}", name.quoted()));
        }
        steps.0
    }
}

impl Switch {
    fn doing(&self, what: &str) -> String {
        format!("{what} {} {} of table {}", self.kind.to_lowercase(), self.name, self.relation)
    }

    /// With `ONLY`, since a partition's clone of a trigger has its own mode.
    fn sql(&self, into: &str, verb: &str) -> String {
        let (relation, name) = (self.relation.quoted(), self.name.quoted());
        format!("ALTER TABLE ONLY {into}.{relation} {verb} {} {name}", self.kind)
    }

    fn on(&self) -> &'static str {
        match self.state.as_str() {
            "A" => "ENABLE ALWAYS",
            "R" => "ENABLE REPLICA",
            _ => "ENABLE",
        }
    }
}

impl Constraint {
    fn put_back(&self, into: &str, steps: &mut Steps) {
        let Self { relation, name, definition, comment } = self;
        let table = format!("{into}.{}", relation.quoted());
        let doing = format!("checking constraint {name} of table {relation}");
        steps.add(&doing, format!("ALTER TABLE {table} ADD CONSTRAINT {} {definition}", name.quoted()));
        if let Some(comment) = comment {
            let sql = format!("COMMENT ON CONSTRAINT {} ON {table} IS {}", name.quoted(), literal(comment));
            steps.add(&doing, sql);
        }
    }
}

/// A list of statements.
#[derive(Default)]
struct Steps(Vec<Step>);

impl Steps {
    fn push(&mut self, doing: &str, sql: String, kind: StepKind) {
        self.0.push(Step { sql, doing: doing.to_owned(), kind });
    }

    fn add(&mut self, doing: &str, sql: String) {
        self.push(doing, sql, StepKind::Change);
    }

    fn copy(&mut self, doing: &str, sql: String) {
        self.push(doing, sql, StepKind::Copy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggers_and_constraints_are_removed_and_restored() {
        let name = |text: &str| Identifier::new(text).unwrap();
        let column = |name: &str, of_type: &str, differs| Column {
            name: name.to_owned(),
            of_type: of_type.to_owned(),
            differs,
            object: None,
            is_array: false,
        };
        let rows = Rows {
            tables: vec![
                Table {
                    name: name("a"),
                    columns: vec![column("id", "integer", false), column("\"B\"", "new.mood", true)],
                },
                Table { name: name("bare"), columns: Vec::new() },
            ],
            constraints: vec![Constraint {
                relation: name("a"),
                name: name("a_fk"),
                definition: "FOREIGN KEY (id) REFERENCES new.a(id)".to_owned(),
                comment: Some("it's".to_owned()),
            }],
            switches: vec![Switch {
                kind: "TRIGGER".to_owned(),
                relation: name("a"),
                name: name("t"),
                state: "A".to_owned(),
            }],
            sequences: vec![(name("s"), name("S2"))],
            views: vec![(name("m"), false)],
            analyzed: vec![name("a"), name("m")],
            ..Rows::default()
        };
        let (old, new) = (SchemaName::existing("old").unwrap(), SchemaName::existing("new").unwrap());
        let sql: Vec<_> = rows.steps(&old, &new, "new").into_iter().map(|step| step.sql).collect();
        insta::assert_snapshot!(sql.join("\n"), @r#"
        SET LOCAL search_path = new
        SET CONSTRAINTS ALL IMMEDIATE
        SET LOCAL row_security = off
        SET LOCAL DateStyle = 'ISO, YMD'
        SET LOCAL IntervalStyle = 'postgres'
        SET LOCAL extra_float_digits = 1
        ALTER TABLE ONLY "new"."a" DISABLE TRIGGER "t"
        ALTER TABLE "new"."a" DROP CONSTRAINT "a_fk"
        TRUNCATE ONLY "new"."a"
        TRUNCATE ONLY "new"."bare"
        INSERT INTO "new"."a" (id, "B") OVERRIDING SYSTEM VALUE SELECT id, "B"::text::new.mood FROM ONLY "old"."a"
        INSERT INTO "new"."bare" OVERRIDING SYSTEM VALUE SELECT  FROM ONLY "old"."bare"
        ALTER TABLE "new"."a" ADD CONSTRAINT "a_fk" FOREIGN KEY (id) REFERENCES new.a(id)
        COMMENT ON CONSTRAINT "a_fk" ON "new"."a" IS 'it''s'
        ALTER TABLE ONLY "new"."a" ENABLE ALWAYS TRIGGER "t"
        SELECT pg_catalog.setval('"new"."S2"', last_value, is_called) FROM "old"."s"
        REFRESH MATERIALIZED VIEW "new"."m" WITH NO DATA
        ANALYZE "new"."a"
        ANALYZE "new"."m"
        "#);
    }
}
