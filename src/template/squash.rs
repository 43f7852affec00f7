//! Converts the output of `pg_dump` into template files: session settings are removed, the schema becomes `{org_schema}`,
//! each table gets its own file, and foreign keys are in the last file. The caller checks that the files create the same
//! tenant.

use std::fmt::Write as _;

use super::{AFTER_CREATE, Template};
use crate::chain::{Chain, ChainError, Version};
use crate::error::{Code, Failure};
use crate::sql::{Name, ORG_SCHEMA, Scope, Script, Statement, TextNames, dumped_statements};

/// The order of statements in files. The order of a dump is only valid while the server does not check function bodies, so
/// several layouts are tried, the most readable first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Whether each table has its own file.
    by_table: bool,
    /// Whether functions follow the tables that their bodies name, and come before the tables that use them.
    functions_ordered: bool,
}

impl Layout {
    /// All layouts, the most readable first.
    pub const ALL: [Self; 4] = [
        Self { by_table: true, functions_ordered: false },
        Self { by_table: true, functions_ordered: true },
        Self { by_table: false, functions_ordered: false },
        Self { by_table: false, functions_ordered: true },
    ];
}

/// A file's name and its text.
pub type NewFile = (String, String);

/// The schema of a tenant in a dump.
#[derive(Debug, Clone)]
pub struct SchemaDump {
    /// The statements without semicolons, in the order of the dump.
    statements: Vec<String>,
    /// The statements that fill the materialized views.
    refreshes: Vec<String>,
}

impl SchemaDump {
    /// Reads the output of `pg_dump --schema-only` for a schema, whose name the placeholder has replaced. `filled` are its
    /// materialized views with rows. Statements for which `keeps` is false are left out.
    pub fn read(
        dump: &str,
        filled: &[&str],
        mut keeps: impl FnMut(&Script, &Statement) -> bool,
    ) -> Result<Self, Failure> {
        let creates_schema = |statement: &Statement| statement.created_schema().is_some();
        let statements = dumped_statements(dump, |script, statement| {
            // Tenure creates the schema itself.
            !creates_schema(statement) && keeps(script, statement)
        })
        .map_err(ChainError::from)?;
        let views = statements.iter().filter(|text| text.starts_with("CREATE MATERIALIZED VIEW "));
        let refreshes = views
            .filter(|text| object_name(text).is_some_and(|name| filled.contains(&name)))
            .filter_map(|text| text.strip_prefix("CREATE MATERIALIZED VIEW ")?.split_once(" AS\n"))
            // Storage parameters and the access method follow the name.
            .map(|(head, _)| format!("REFRESH MATERIALIZED VIEW {}", head.lines().next().unwrap_or(head)))
            .collect();
        Ok(Self { statements, refreshes })
    }

    /// The files of a template at `version`, numbered in the order in which they run. `rows` are the statements that fill its
    /// tables, `uses` its `-- Uses:` lines.
    pub fn files(&self, version: &Version, (rows, uses): (&[String], &str), layout: Layout) -> Vec<NewFile> {
        let (routines, others): (Vec<&String>, Vec<&String>) =
            self.statements.iter().partition(|text| layout.functions_ordered && concerns_routine(text));
        let end_of_tables = others.iter().position(|text| follows_tables(text)).unwrap_or(others.len());
        let (tables, after_tables) = others.split_at(end_of_tables);
        let tables = &in_order(tables, &routines);
        let late: Vec<&String> = routines.into_iter().filter(|text| !tables.contains(text)).collect();
        let mut files: Vec<(String, Vec<&String>)> = Vec::new();
        let first_name = if layout.by_table { "types_and_functions" } else { "schema" };
        // The file in which each object is created.
        let mut created_in: Vec<(&str, usize)> = Vec::new();
        let last_of = |created_in: &[(&str, usize)], text: &str| {
            let named = TextNames::of(text);
            let needed = created_in.iter().filter(|(name, _)| named.contains(name));
            needed.map(|(_, file)| *file).max()
        };
        for text in tables {
            let created = created_relation(text).filter(|_| layout.by_table);
            let own = object_name(text).and_then(|name| files.iter().position(|(file, _)| *file == name));
            // After everything that it names.
            let own = own.map(|own| last_of(&created_in, text).map_or(own, |last| last.max(own)));
            match (created, own.filter(|_| layout.by_table)) {
                (Some(name), _) => files.push((name.to_owned(), vec![text])),
                (None, Some(file)) => files[file].1.push(text),
                (None, None) => match files.last_mut() {
                    Some(last) => last.1.push(text),
                    None => files.push((first_name.to_owned(), vec![text])),
                },
            }
            if text.starts_with("CREATE ") {
                created_in.extend(object_name(text).map(|name| (name, files.len() - 1)));
            }
        }
        if !late.is_empty() {
            files.push(("functions".to_owned(), late));
        }
        let rows: Vec<&String> = rows.iter().collect();
        let mut last = Vec::new();
        for text in after_tables {
            let own = object_name(text).and_then(|name| files.iter().position(|(file, _)| *file == name));
            let own = own.map(|own| last_of(&created_in, text).map_or(own, |last| last.max(own)));
            match own.filter(|_| layout.by_table && belongs_to_one_table(text)) {
                Some(file) => files[file].1.push(text),
                None => last.push(*text),
            }
        }
        let keys =
            if last.iter().all(|text| is_foreign_key(text)) { "foreign_keys" } else { "keys_and_triggers" };
        let refreshes = self.refreshes.iter().collect();
        let views = "materialized_views".to_owned();
        files.extend([("rows".to_owned(), rows), (keys.to_owned(), last), (views, refreshes)]);
        files.retain(|(_, texts)| !texts.is_empty());
        let width = (files.len() * 10).to_string().len().max(3);
        let file = |(index, (name, texts)): (usize, &(String, Vec<&String>))| {
            let mut text = match index {
                0 => format!("-- Template: v{version}\n{uses}"),
                _ => String::new(),
            };
            for (at, statement) in texts.iter().enumerate() {
                let gap = if at == 0 { "" } else { "\n" };
                let _written = writeln!(text, "{gap}{statement};");
            }
            (format!("{:0width$}_{}.sql", (index + 1) * 10, file_stem(name)), text)
        };
        files.iter().enumerate().map(file).collect()
    }
}

impl Template {
    /// Checks that a dump of one tenant can replace the template: it must not contain parameter values, which differ per
    /// tenant.
    pub fn can_be_squashed(&self) -> Result<(), Failure> {
        let shaping: Vec<&str> = self
            .parameters
            .iter()
            .filter(|declared| declared.affects_schema)
            .map(|declared| declared.parameter.name.as_str())
            .collect();
        if shaping.is_empty() {
            return Ok(());
        }
        Err(Failure::new(
            Code::TemplateDiffers,
            format!(
                "the schema of a tenant of {:?} depends on its parameters ({}), and a dump would contain the values of one \
                 tenant",
                self.name,
                shaping.join(", ")
            ),
        )
        .hint("parameters may only be used in INSERT, UPDATE, DELETE and MERGE"))
    }

    /// Adds the parts that a dump does not contain: the declarations of parameters and the `after_create` files.
    pub fn add_undumped(&self, files: &mut Vec<NewFile>) {
        let after = self.after_create.iter().map(|(script, _)| {
            let name = script.source.file.rsplit('/').next().unwrap_or_default();
            (format!("{AFTER_CREATE}/{name}"), script.source.text.clone())
        });
        let after: Vec<NewFile> = after.collect();
        let texts: Vec<&str> = files.iter().chain(&after).map(|(_, text)| text.as_str()).collect();
        let lines = self.parameters.lines(&texts);
        if let Some((_, first)) = files.first_mut() {
            let end_of_line = first.find('\n').map_or(first.len(), |newline| newline + 1);
            first.insert_str(end_of_line, &lines);
        }
        files.extend(after);
    }

    /// The statements of the template and of the steps up to `version` that write rows, in up to four variants: only INSERT, or
    /// all such statements; without or with the statements that create temporary tables.
    pub fn row_statements_to(&self, chain: &Chain, version: &Version) -> Vec<Vec<String>> {
        let own = self.files.iter().flat_map(|(script, all)| all.iter().map(move |one| (script, one)));
        let steps = self.steps_to(chain, version).unwrap_or_default();
        let later = steps
            .iter()
            .map(|step| step.part(Scope::Tenant).map(|statement| (&step.script, statement)).collect());
        let transactions: Vec<Vec<_>> = std::iter::once(own.collect()).chain(later).collect();
        let variant = |writes: &[&str], with_temporary: bool| {
            let mut texts = Vec::new();
            for statements in &transactions {
                let mut temporary = Vec::new();
                for (script, statement) in statements {
                    let created: Vec<&Name> =
                        statement.temporary_tables().filter(|_| with_temporary).collect();
                    if !created.is_empty() || writes.contains(&statement.verb().as_str()) {
                        texts.push(script.text(statement).to_owned());
                    }
                    temporary.extend(created);
                }
                // Drop the temporary tables, since the next step may create others of the same names.
                texts.extend(temporary.iter().filter(|_| with_temporary).map(|name| {
                    format!("DROP TABLE IF EXISTS pg_temp.\"{}\"", name.name.replace('"', "\"\""))
                }));
            }
            texts
        };
        let (adding, all) = (&["INSERT"][..], &["INSERT", "UPDATE", "DELETE", "MERGE"][..]);
        let mut variants = Vec::new();
        for one in [variant(adding, false), variant(all, false), variant(adding, true), variant(all, true)] {
            if !variants.contains(&one) {
                variants.push(one);
            }
        }
        variants
    }
}

/// The statements of tables with the routines that they name before them, and before such a routine the tables and routines that
/// its body names.
fn in_order<'t>(tables: &[&'t String], routines: &[&'t String]) -> Vec<&'t String> {
    struct Order<'t, 'a> {
        created: &'a [(&'t str, &'t String)],
        begun: Vec<&'t String>,
        ordered: Vec<&'t String>,
    }
    impl<'t> Order<'t, '_> {
        fn add(&mut self, text: &'t String, of_routine: bool) {
            if self.begun.contains(&text) {
                return;
            }
            self.begun.push(text);
            let named = TextNames::of(text);
            for (name, other) in self.created {
                // The tables keep the order of the dump, unless a routine needs them.
                let is_routine = concerns_routine(other);
                if (is_routine || of_routine) && named.contains(name) {
                    self.add(other, is_routine);
                }
            }
            self.ordered.push(text);
        }
    }
    let created: Vec<(&str, &String)> = tables
        .iter()
        .chain(routines)
        .filter(|text| text.starts_with("CREATE "))
        .filter_map(|text| Some((object_name(text)?, *text)))
        .collect();
    let mut order = Order { created: &created, begun: Vec::new(), ordered: Vec::new() };
    for text in tables {
        order.add(text, false);
    }
    order.ordered
}

fn starts_with_any(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.starts_with(word))
}

/// Whether the statement creates, changes or comments on a function, procedure or aggregate, or sets privileges on it.
fn concerns_routine(text: &str) -> bool {
    starts_with_any(
        text,
        &[
            "CREATE FUNCTION ",
            "CREATE PROCEDURE ",
            "CREATE AGGREGATE ",
            "ALTER FUNCTION ",
            "ALTER PROCEDURE ",
            "COMMENT ON FUNCTION ",
            "COMMENT ON PROCEDURE ",
            "COMMENT ON AGGREGATE ",
        ],
    ) || (starts_with_any(text, &["GRANT ", "REVOKE "])
        && (text.contains(" ON FUNCTION ") || text.contains(" ON PROCEDURE ")))
}

/// Whether the statement adds a foreign key.
fn is_foreign_key(text: &str) -> bool {
    text.starts_with("ALTER TABLE ") && text.contains(" FOREIGN KEY ") && text.contains("ADD CONSTRAINT ")
}

/// Whether the statement is of a kind that follows all tables in a dump.
fn follows_tables(text: &str) -> bool {
    let is_constraint = text.starts_with("ALTER TABLE ") && text.contains("\n    ADD CONSTRAINT ");
    is_constraint
        || starts_with_any(
            text,
            &[
                "CREATE INDEX ",
                "CREATE UNIQUE INDEX ",
                "CREATE TRIGGER ",
                "CREATE RULE ",
                "CREATE POLICY ",
                "CREATE STATISTICS ",
                "CREATE EVENT TRIGGER ",
                "ALTER INDEX ",
            ],
        )
}

/// Whether a statement that follows the tables depends on one table only.
fn belongs_to_one_table(text: &str) -> bool {
    let is_constraint = text.starts_with("ALTER TABLE ") && text.contains("\n    ADD CONSTRAINT ");
    let is_privilege = starts_with_any(text, &["GRANT ", "REVOKE "]) && text.contains(" ON TABLE ");
    (is_constraint && !is_foreign_key(text))
        || is_privilege
        || starts_with_any(text, &["CREATE INDEX ", "CREATE UNIQUE INDEX "])
}

/// The table or view that a statement creates.
fn created_relation(text: &str) -> Option<&str> {
    let kinds = [
        "CREATE TABLE ",
        "CREATE UNLOGGED TABLE ",
        "CREATE FOREIGN TABLE ",
        "CREATE VIEW ",
        "CREATE MATERIALIZED VIEW ",
    ];
    object_name(text).filter(|_| starts_with_any(text, &kinds))
}

/// The name of the first object in a statement that is qualified with `{org_schema}`.
fn object_name(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once(ORG_SCHEMA)?;
    let rest = rest.strip_prefix('.')?;
    if let Some(quoted) = rest.strip_prefix('"') {
        return quoted.split_once('"').map(|(name, _)| name);
    }
    let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
    Some(&rest[..end]).filter(|name| !name.is_empty())
}

/// Replaces characters that are not allowed in all file names.
fn file_stem(name: &str) -> String {
    name.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "--\n-- PostgreSQL database dump\n--\n\n\\restrict k3y\n\nSET statement_timeout = 0;\n\
        SELECT pg_catalog.set_config('search_path', '', false);\n\nCREATE SCHEMA org_x;\n\n\
        CREATE FUNCTION org_x.touch() RETURNS trigger\n    LANGUAGE plpgsql\n    AS $$ BEGIN RETURN new; END $$;\n\n\
        SET default_table_access_method = heap;\n\n\
        CREATE TABLE org_x.a (\n    id integer NOT NULL\n);\n\nCOMMENT ON TABLE org_x.a IS 'in org_x';\n\n\
        CREATE TABLE org_x.b (\n    a integer\n);\n\n\
        ALTER TABLE ONLY org_x.a\n    ADD CONSTRAINT a_pkey PRIMARY KEY (id);\n\n\
        CREATE INDEX b_a ON org_x.b USING btree (a);\n\n\
        CREATE TRIGGER t BEFORE UPDATE ON org_x.a FOR EACH ROW EXECUTE FUNCTION org_x.touch();\n\n\
        ALTER TABLE ONLY org_x.b\n    ADD CONSTRAINT b_a_fkey FOREIGN KEY (a) REFERENCES org_x.a(id);\n\n\\unrestrict k3y\n";

    /// The names of the files that a layout gives.
    fn names(layout: usize, rows: &[String]) -> Vec<String> {
        let dumped = SchemaDump::read(&DUMP.replace("org_x", ORG_SCHEMA), &[], |_, _| true).unwrap();
        let files = dumped.files(&Version::ZERO, (rows, ""), Layout::ALL[layout]);
        files.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn each_table_has_a_file_and_keys_are_last() {
        let rows = ["INSERT INTO a VALUES (1)".to_owned()];
        let by_table = [
            "010_types_and_functions.sql",
            "020_a.sql",
            "030_b.sql",
            "040_rows.sql",
            "050_keys_and_triggers.sql",
        ];
        assert_eq!(names(0, &rows), by_table);
        assert_eq!(
            names(1, &[]),
            ["010_a.sql", "020_b.sql", "030_functions.sql", "040_keys_and_triggers.sql"]
        );
        assert_eq!(names(2, &[]), ["010_schema.sql", "020_keys_and_triggers.sql"]);
    }

    #[test]
    fn session_settings_and_the_schema_name_are_removed() {
        let dumped = SchemaDump::read(&DUMP.replace("org_x", ORG_SCHEMA), &[], |_, _| true).unwrap();
        let files = dumped.files(&Version::ZERO, (&[], "-- Uses: \"users\" (select)\n"), Layout::ALL[0]);
        assert_eq!(
            files[1].1,
            "CREATE TABLE {org_schema}.a (\n    id integer NOT NULL\n);\n\nCOMMENT ON TABLE {org_schema}.a IS 'in {org_schema}';\n\n\
             ALTER TABLE ONLY {org_schema}.a\n    ADD CONSTRAINT a_pkey PRIMARY KEY (id);\n"
        );
        assert!(files[0].1.starts_with(
            "-- Template: v0.0.0\n-- Uses: \"users\" (select)\nCREATE FUNCTION {org_schema}.touch()"
        ));
        let all: String = files.into_iter().map(|(_, text)| text).collect();
        assert!(!all.contains("SET ") && !all.contains("restrict") && !all.contains("org_x"), "{all}");
    }
}
