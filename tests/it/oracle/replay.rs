//! Runs the statements of a chain one by one on a server, and reads the facts and the writes of each.

use std::collections::BTreeSet;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use super::chain::{Chain, File, Statement};
use super::changes::{changes, touched};
use super::facts::{Change, Facts, Key, Properties, with_old_names};
use crate::support::{Database, within};

const LINES: &str = include_str!("../../../src/postgres/catalog/lines.sql");
const FILL: &str = include_str!("../../../src/shadow/sample.sql");
const SCHEMAS: &str = "SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' \
                       AND nspname NOT IN ('information_schema', 'oracle')";

/// What a statement did.
#[derive(Debug, Default)]
pub struct Observation {
    /// The facts that it changed.
    pub touched: BTreeSet<Key>,
    /// Commands on rows of tables that existed before the file: `DELETE public.t`, and `UPDATE` if it sets a column that
    /// existed before.
    pub writes: Vec<String>,
    /// The error if rows refused it. It was run again without the sample rows.
    pub refused: Option<String>,
    /// The error if it did not run.
    pub failed: Option<String>,
}

/// What a file did.
#[derive(Debug)]
pub struct FileRun {
    pub statements: Vec<Observation>,
    /// The changes of what was there before the file.
    pub changes: std::collections::BTreeMap<Key, Change>,
}

/// Runs all files of a chain, in order.
pub fn replay(chain: &Chain) -> Vec<FileRun> {
    let db = Database::fresh();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut server = Server::connect(&db).await;
        let mut runs = Vec::new();
        for file in &chain.files {
            runs.push(server.file(file).await);
        }
        server.observer.close().await.unwrap();
        runs
    })
}

struct Server<'a> {
    db: &'a Database,
    observer: PgConnection,
    facts: Facts,
    /// The tables whose only rows are samples.
    samples: BTreeSet<String>,
}

impl<'a> Server<'a> {
    async fn connect(db: &'a Database) -> Self {
        let mut observer = PgConnection::connect(&db.url).await.unwrap();
        run(&mut observer, NOTES).await.unwrap();
        let facts = facts(&mut observer).await;
        Self { db, observer, facts, samples: BTreeSet::new() }
    }

    async fn file(&mut self, file: &File) -> FileRun {
        self.fill().await;
        let before = self.facts.clone();
        let mut session = PgConnection::connect(&self.db.url).await.unwrap();
        let mut statements = Vec::new();
        for statement in &file.statements {
            statements.push(self.statement(&mut session, statement, &before).await);
        }
        session.close().await.unwrap();
        FileRun { statements, changes: changes(&before, &with_old_names(&self.facts, &before)) }
    }

    async fn statement(
        &mut self,
        session: &mut PgConnection,
        statement: &Statement,
        before: &Facts,
    ) -> Observation {
        let mut observed = Observation::default();
        let mut result = self.try_statement(session, &statement.text, before).await;
        if let Err(error) = &result
            && !self.samples.is_empty()
        {
            observed.refused = Some(error.clone());
            let samples = std::mem::take(&mut self.samples);
            self.empty(samples).await;
            result = self.try_statement(session, &statement.text, before).await;
        }
        // Rows that earlier files derived from samples.
        if result.is_err() {
            let tables = run(&mut self.observer, TABLES).await.unwrap();
            self.empty(tables.iter().map(|row| row.get::<String, _>(0)).collect()).await;
            result = self.try_statement(session, &statement.text, before).await;
        }
        match result {
            Ok(writes) => observed.writes = writes,
            Err(error) => {
                observed.failed = Some(error);
                observed.refused = None;
            }
        }
        let now = facts(&mut self.observer).await;
        observed.touched = touched(&with_old_names(&self.facts, before), &with_old_names(&now, before));
        self.facts = now;
        observed
    }

    /// Runs a statement in a transaction, with triggers that note its writes. If they are in its way, or the transaction
    /// is, without.
    async fn try_statement(
        &self,
        session: &mut PgConnection,
        sql: &str,
        before: &Facts,
    ) -> Result<Vec<String>, String> {
        let mut noted = Err(String::new());
        if writes_rows(sql) {
            noted = noted_run(session, sql, before, &self.facts).await;
        }
        if noted.is_err() {
            noted = run(session, &format!("BEGIN;\n{sql}\n;COMMIT")).await.map(|_| Vec::new());
        }
        if let Err(error) = &noted {
            let outside = ["25001", "2D000", "0A000"].iter().any(|code| error.starts_with(code));
            let _ended = run(session, "ROLLBACK").await;
            if outside {
                noted = run(session, sql).await.map(|_| Vec::new());
            }
        }
        noted
    }

    /// Inserts sample rows into the empty tables.
    async fn fill(&mut self) {
        let counts = |rows: Vec<PgRow>| -> BTreeSet<String> {
            rows.iter().map(|row| row.get::<String, _>(0)).collect()
        };
        let tables: Vec<String> =
            counts(run(&mut self.observer, TABLES).await.unwrap()).into_iter().collect();
        let empty = self.empty_of(&tables).await;
        for schema in
            run(&mut self.observer, &format!("SELECT nspname::text FROM ({SCHEMAS}) s")).await.unwrap()
        {
            let schema: String = schema.get(0);
            let settings = format!(
                "BEGIN; SET LOCAL client_min_messages = error; \
                 SELECT set_config('tenure.sample_schema', '{schema}', true), set_config('tenure.sample_skip', '[]', true);\n{FILL}\nCOMMIT"
            );
            if run(&mut self.observer, &settings).await.is_err() {
                let _ended = run(&mut self.observer, "ROLLBACK").await;
            }
        }
        let still = self.empty_of(&empty).await;
        self.samples.extend(empty.into_iter().filter(|table| !still.contains(table)));
    }

    async fn empty_of(&mut self, tables: &[String]) -> Vec<String> {
        let mut found = Vec::new();
        for chunk in tables.chunks(100) {
            let each = |table: &String| {
                format!("SELECT '{}' WHERE NOT EXISTS (SELECT FROM {table})", table.replace('\'', "''"))
            };
            let sql: Vec<String> = chunk.iter().map(each).collect();
            let rows = run(&mut self.observer, &sql.join(" UNION ALL ")).await.unwrap_or_default();
            found.extend(rows.iter().map(|row| row.get::<String, _>(0)));
        }
        found
    }

    /// Deletes the rows of these tables.
    async fn empty(&mut self, tables: BTreeSet<String>) {
        let deletes: Vec<String> = tables.iter().map(|table| format!("DELETE FROM {table};")).collect();
        for delete in deletes {
            let sql = format!("BEGIN; SET LOCAL session_replication_role = replica; {delete} COMMIT");
            if run(&mut self.observer, &sql).await.is_err() {
                let _ended = run(&mut self.observer, "ROLLBACK").await;
            }
        }
    }
}

const TABLES: &str = "SELECT quote_ident(nspname) || '.' || quote_ident(relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
                      WHERE relkind IN ('r', 'p') AND NOT relispartition AND nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'oracle')";

fn writes_rows(sql: &str) -> bool {
    let comments = regex::Regex::new(r"(?s)\A(?:\s|--[^\n]*\n|/\*.*?\*/|\()+").unwrap();
    let code = comments.replace(sql, "").to_lowercase();
    ["insert", "update", "delete", "truncate", "merge", "with", "do", "select", "call"]
        .iter()
        .any(|verb| code.starts_with(verb))
}

/// Creates the triggers on the tables of `oracle_tables`, a JSON object of their columns.
const WATCH: &str = "DO $$ DECLARE t record; present text; BEGIN \
    FOR t IN SELECT key AS name, value AS columns, to_regclass(key) AS oid \
        FROM pg_catalog.jsonb_each(current_setting('oracle.tables')::jsonb) LOOP \
      CONTINUE WHEN t.oid IS NULL; \
      EXECUTE format('CREATE TRIGGER oracle_d BEFORE DELETE ON %s FOR EACH STATEMENT EXECUTE FUNCTION oracle.note()', t.oid); \
      EXECUTE format('CREATE TRIGGER oracle_t BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION oracle.note()', t.oid); \
      SELECT string_agg(quote_ident(attname), ', ') INTO present FROM pg_catalog.pg_attribute \
        WHERE attrelid = t.oid AND attnum > 0 AND NOT attisdropped AND t.columns ? attname::text; \
      CONTINUE WHEN present IS NULL; \
      EXECUTE format('CREATE TRIGGER oracle_u BEFORE UPDATE OF %s ON %s FOR EACH STATEMENT EXECUTE FUNCTION oracle.note()', present, t.oid); \
      CONTINUE WHEN (SELECT relispartition FROM pg_catalog.pg_class c WHERE c.oid = t.oid); \
      EXECUTE format('CREATE TRIGGER zz_oracle_r AFTER UPDATE OF %s ON %s FOR EACH ROW EXECUTE FUNCTION oracle.note_row(%L)', \
        present, t.oid, t.columns); \
    END LOOP; END $$";

const UNWATCH: &str = "SET CONSTRAINTS ALL IMMEDIATE; DO $$ DECLARE t record; BEGIN \
    FOR t IN SELECT tgname, tgrelid::regclass AS name FROM pg_catalog.pg_trigger \
        WHERE tgname IN ('oracle_d', 'oracle_t', 'oracle_u', 'zz_oracle_r') AND tgparentid = 0 LOOP \
      EXECUTE format('DROP TRIGGER %I ON %s', t.tgname, t.name); \
    END LOOP; END $$; COMMIT";

/// The functions of the triggers. `note_row` distinguishes values that are overwritten from NULL that is filled.
const NOTES: &str = "CREATE SCHEMA oracle; GRANT USAGE ON SCHEMA oracle TO public; \
    CREATE FUNCTION oracle.note(what text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN \
        PERFORM pg_catalog.set_config('oracle.writes', \
            pg_catalog.concat(pg_catalog.current_setting('oracle.writes', true), what, E'\\n'), false); END $$; \
    CREATE FUNCTION oracle.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
        PERFORM oracle.note(pg_catalog.concat(TG_OP, ' ', TG_TABLE_SCHEMA, '.', TG_TABLE_NAME)); RETURN NULL; END $$; \
    CREATE FUNCTION oracle.note_row() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE overwrites boolean; BEGIN \
        SELECT bool_or(o.value <> 'null') INTO overwrites FROM pg_catalog.jsonb_each(pg_catalog.to_jsonb(OLD)) o \
            WHERE TG_ARGV[0]::jsonb ? o.key AND o.value IS DISTINCT FROM pg_catalog.to_jsonb(NEW) -> o.key; \
        PERFORM oracle.note(pg_catalog.concat(CASE WHEN overwrites THEN 'OVERWRITE ' ELSE 'FILL ' END, TG_TABLE_SCHEMA, '.', TG_TABLE_NAME)); \
        RETURN NULL; END $$";

/// Runs a statement with triggers on the tables of `before`, and returns what they noted.
async fn noted_run(
    session: &mut PgConnection,
    sql: &str,
    before: &Facts,
    now: &Facts,
) -> Result<Vec<String>, String> {
    let mut tables = serde_json::Map::new();
    // The file may have given the name of an old column to another one.
    let is_old = |key: &Key| {
        let id = Key { kind: "id".to_owned(), ..key.clone() };
        before.get(&id) == now.get(&id)
    };
    let columns = before.keys().filter(|key| key.kind == "table" && key.is_part("column"));
    for key in columns.filter(|key| is_old(key)) {
        let name = format!("{}.{}", quoted(&key.schema), quoted(&key.object));
        let columns = tables.entry(name).or_insert_with(|| serde_json::Value::Array(Vec::new()));
        let column = key.part.as_ref().map(|(_, name)| name.clone());
        columns.as_array_mut().unwrap().extend(column.map(serde_json::Value::from));
    }
    let tables = literal(&serde_json::Value::from(tables).to_string());
    let result = async {
        let begin = format!("BEGIN; SELECT set_config('oracle.writes', '', false), set_config('oracle.tables', {tables}, true)");
        run(session, &format!("{begin}; {WATCH}")).await?;
        run(session, sql).await?;
        let rows = run(session, "SELECT current_setting('oracle.writes', true)").await?;
        let noted: String = rows.first().map(|row| row.get(0)).unwrap_or_default();
        run(session, UNWATCH).await?;
        let writes: BTreeSet<String> = noted.lines().map(str::to_owned).collect();
        // An update of rows that only fills NULL, or that met no row and asks for NULL.
        let asks = sql.to_uppercase().contains("IS NULL");
        let is_fill = |table: &str| {
            !writes.contains(&format!("OVERWRITE {table}")) && (asks || writes.contains(&format!("FILL {table}")))
        };
        let kept = writes.iter().filter(|write| !write.starts_with("OVERWRITE ") && !write.starts_with("FILL "));
        let shown = kept.map(|write| match write.strip_prefix("UPDATE ").filter(|table| is_fill(table)) {
            Some(table) => format!("FILL {table}"),
            None => write.clone(),
        });
        Ok(shown.collect())
    }
    .await;
    if result.is_err() {
        let _ended = run(session, "ROLLBACK").await;
    }
    result
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

async fn facts(observer: &mut PgConnection) -> Facts {
    let lines = LINES.replace("/*SCHEMAS*/", &format!("ARRAY({SCHEMAS})"));
    let sql = format!(
        "BEGIN; SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL jit = off; SET LOCAL work_mem = '64MB'; \
         WITH {lines} SELECT schema::text, kind::text, object::text, part::text, name::text, \
         concat_ws(E'\\x1f', nullif(properties, ''), nullif(code, ''), nullif(access, '')) FROM neutral \
         UNION ALL SELECT '', 'extension', extname::text, NULL, NULL, '' FROM pg_extension \
         UNION ALL SELECT nspname, 'rows', relname, NULL, NULL, concat('of=', c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
            WHERE relkind IN ('r', 'p') AND nspname = ANY (ARRAY({SCHEMAS})) \
         UNION ALL SELECT nspname, 'rows', relname, 'column', attname, concat('of=', attnum) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
            JOIN pg_attribute ON attrelid = c.oid WHERE relkind IN ('r', 'p') AND nspname = ANY (ARRAY({SCHEMAS})) AND attnum > 0 AND NOT attisdropped \
         UNION ALL SELECT nspname, 'rows', relname, 'constraint', conname, concat('of=', conkey) FROM pg_constraint \
            JOIN pg_class c ON c.oid = conrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = ANY (ARRAY({SCHEMAS})) \
         UNION ALL SELECT nspname, 'id', relname, NULL, NULL, concat('of=', c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
            WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND nspname = ANY (ARRAY({SCHEMAS})) \
         UNION ALL SELECT nspname, 'id', c.relname, part, name, concat_ws(E'\x1f', concat('of=', of), 'key=' || key) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
            CROSS JOIN LATERAL (SELECT 'column' AS part, attname AS name, attnum::text AS of, NULL AS key FROM pg_attribute \
               WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped \
               UNION ALL SELECT 'constraint', conname, oid::text, CASE contype WHEN 'f' THEN concat_ws(' ', conkey, confrelid, confkey, confupdtype, \
                  confdeltype, confmatchtype, condeferred) END FROM pg_constraint WHERE conrelid = c.oid \
               UNION ALL SELECT 'trigger', tgname, oid::text, NULL FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal \
               UNION ALL SELECT 'index', relname, indexrelid::text, NULL FROM pg_index JOIN pg_class i ON i.oid = indexrelid WHERE indrelid = c.oid) parts \
            WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND nspname = ANY (ARRAY({SCHEMAS})) \
         UNION ALL SELECT nspname, 'name', relname, NULL, NULL, '' FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
            JOIN pg_index ON indexrelid = c.oid WHERE indisunique AND nspname = ANY (ARRAY({SCHEMAS})) \
         UNION ALL SELECT nspname, 'name', conname, NULL, NULL, '' FROM pg_constraint \
            JOIN pg_namespace n ON n.oid = connamespace WHERE nspname = ANY (ARRAY({SCHEMAS})); COMMIT"
    );
    let mut facts = Facts::new();
    for row in run(observer, &sql).await.unwrap() {
        let text = |index: usize| row.get::<Option<String>, _>(index);
        let part = text(3).zip(text(4));
        let key = Key {
            schema: text(0).unwrap_or_default(),
            kind: text(1).unwrap_or_default(),
            object: text(2).unwrap_or_default(),
            part,
        };
        let properties: Properties = text(5)
            .unwrap_or_default()
            .split('\u{1f}')
            .filter_map(|property| property.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        facts.insert(key, properties);
    }
    facts
}

/// Runs SQL, as one message. An error is its SQLSTATE and message.
async fn run(connection: &mut PgConnection, sql: &str) -> Result<Vec<PgRow>, String> {
    let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    within(sql, query.fetch_all(connection)).await.map_err(|error| match error.into_database_error() {
        Some(error) => format!("{} {}", error.code().unwrap_or_default(), error.message()),
        None => "the connection broke".to_owned(),
    })
}
