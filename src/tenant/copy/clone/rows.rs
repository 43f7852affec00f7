//! The statements that copy the rows of one schema into another with the same definitions: they remove what blocks the copy, copy
//! each table, and restore the rest. Pure: catalog rows in, statements out.

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
    /// Whether it copies rows that are counted.
    pub(in crate::tenant) copies: bool,
}

/// A table with rows of its own.
#[derive(Debug, Clone)]
struct Table {
    name: Identifier,
    /// The writable columns.
    columns: String,
    /// The expressions for their values in the source.
    values: String,
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
    /// Whether a foreign key references another schema.
    pub(in crate::tenant) leads_out: bool,
    /// Notes for the user.
    pub(in crate::tenant) notes: Vec<String>,
}

impl Rows {
    /// Reads the result sets.
    pub(in crate::tenant) fn read(sets: &[Vec<Row>]) -> Result<Self, Failure> {
        let [tables, constraints, switches, sequences, views, keys, strays, odd] = sets else {
            return Err(Failure::new(Code::StatementFailed, "unexpected number of result sets"));
        };
        if let Some(stray) = strays.first() {
            return Err(Failure::new(
                Code::CloneDiffers,
                format!(
                    "rows of table {} are in {}, in another schema",
                    stray.text("relation")?,
                    stray.text("child")?
                ),
            )
            .hint("move it into the tenant's schema: ALTER TABLE … SET SCHEMA …"));
        }
        let name = |row: &Row, column: &str| Ok::<_, Failure>(Identifier::new(row.text(column)?)?);
        let mut rows = Self::default();
        for row in tables {
            rows.tables.push(Table {
                name: name(row, "name")?,
                columns: row.text("columns")?,
                values: row.text("values")?,
            });
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
        for row in odd {
            let relation = row.text("relation")?;
            rows.notes.push(match row.optional_text("name")? {
                Some(column) => format!(
                    "table {relation}: column {column} may contain OIDs of large objects, which were not copied"
                ),
                None => format!("foreign table {relation}: its rows are on another server and were not copied"),
            });
        }
        Ok(rows)
    }

    /// The number of tables with rows of their own.
    pub(in crate::tenant) fn tables(&self) -> usize {
        self.tables.len()
    }

    /// The statements of the copy, in order.
    pub(in crate::tenant) fn steps(&self, source: &SchemaName, target: &SchemaName) -> Vec<Step> {
        let mut steps = Steps::default();
        let (from, into) = (source.quoted(), target.quoted());
        // With deferred checks pending, a table could not be altered.
        steps.add("preparing", "SET CONSTRAINTS ALL IMMEDIATE".to_owned());
        // Fails instead of copying only the rows that the role can see.
        steps.add("preparing", "SET LOCAL row_security = off".to_owned());
        // Casts through text depend on these.
        for setting in ["DateStyle = 'ISO, YMD'", "IntervalStyle = 'postgres'", "extra_float_digits = 1"] {
            steps.add("preparing", format!("SET LOCAL {setting}"));
        }
        for switch in &self.switches {
            steps.add(&switch.doing("disabling"), switch.sql(&into, "DISABLE"));
        }
        for Constraint { relation, name, .. } in &self.constraints {
            let sql = format!("ALTER TABLE {into}.{} DROP CONSTRAINT {}", relation.quoted(), name.quoted());
            steps.add(&format!("dropping constraint {name} of table {relation}"), sql);
        }
        if !self.tables.is_empty() {
            let all: Vec<_> =
                self.tables.iter().map(|table| format!("ONLY {into}.{}", table.name.quoted())).collect();
            steps.add("truncating the new tables", format!("TRUNCATE {}", all.join(", ")));
        }
        for Table { name, columns, values } in &self.tables {
            let list = if columns.is_empty() { String::new() } else { format!(" ({columns})") };
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
    fn add(&mut self, doing: &str, sql: String) {
        self.0.push(Step { sql, doing: doing.to_owned(), copies: false });
    }

    fn copy(&mut self, doing: &str, sql: String) {
        self.0.push(Step { sql, doing: doing.to_owned(), copies: true });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggers_and_constraints_are_removed_and_restored() {
        let name = |text: &str| Identifier::new(text).unwrap();
        let rows = Rows {
            tables: vec![
                Table {
                    name: name("a"),
                    columns: "id, \"B\"".to_owned(),
                    values: "id, \"B\"::text::new.mood".to_owned(),
                },
                Table { name: name("bare"), columns: String::new(), values: String::new() },
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
            ..Rows::default()
        };
        let (old, new) = (SchemaName::existing("old").unwrap(), SchemaName::existing("new").unwrap());
        let sql: Vec<_> = rows.steps(&old, &new).into_iter().map(|step| step.sql).collect();
        insta::assert_snapshot!(sql.join("\n"), @r#"
        SET CONSTRAINTS ALL IMMEDIATE
        SET LOCAL row_security = off
        SET LOCAL DateStyle = 'ISO, YMD'
        SET LOCAL IntervalStyle = 'postgres'
        SET LOCAL extra_float_digits = 1
        ALTER TABLE ONLY "new"."a" DISABLE TRIGGER "t"
        ALTER TABLE "new"."a" DROP CONSTRAINT "a_fk"
        TRUNCATE ONLY "new"."a", ONLY "new"."bare"
        INSERT INTO "new"."a" (id, "B") OVERRIDING SYSTEM VALUE SELECT id, "B"::text::new.mood FROM ONLY "old"."a"
        INSERT INTO "new"."bare" OVERRIDING SYSTEM VALUE SELECT  FROM ONLY "old"."bare"
        ALTER TABLE "new"."a" ADD CONSTRAINT "a_fk" FOREIGN KEY (id) REFERENCES new.a(id)
        COMMENT ON CONSTRAINT "a_fk" ON "new"."a" IS 'it''s'
        ALTER TABLE ONLY "new"."a" ENABLE ALWAYS TRIGGER "t"
        SELECT pg_catalog.setval('"new"."S2"', last_value, is_called) FROM "old"."s"
        REFRESH MATERIALIZED VIEW "new"."m" WITH NO DATA
        "#);
    }
}
