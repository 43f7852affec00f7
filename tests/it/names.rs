//! Names: whatever a slug or a display name is, it is refused with its code, or it makes exactly that one schema and
//! that one row; nothing else in the database changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use tenure::error::{Code, Failure};
use tenure::ident::{DisplayName, SchemaName, Slug, literal};
use tenure::settings::Settings;

use crate::support::{OwnServer, Project};

/// So many are judged, and those that are let through are made on the server.
const NAMES: usize = 1_000_000;

/// So many of them by the program itself.
const TENANTS: usize = 2_000;

/// A page of names in one message.
const PAGE: usize = 5_000;

/// What people and attackers write, in parts.
const NASTY: &[&str] = &[
    "\"",
    "'",
    "''",
    ";",
    "--",
    "/*",
    "*/",
    "\\",
    "\0",
    "$$",
    "$a$",
    "{org_schema}",
    "%s",
    "%I",
    ".",
    " ",
    "\n",
    "\r\n",
    "\u{feff}",
    "\u{202e}",
    "\u{200b}",
    "а",
    "ⅰ",
    "ﬁ",
    "ß",
    "İ",
    "K",
    "é",
    "e\u{301}",
    "🦀",
    "_",
    "__",
    "a",
    "z9",
    "A",
    "Org_",
    "org_",
    "pg_",
    "pg_catalog",
    "public",
    "information_schema",
    "datalinx_platform",
    "select",
    "user",
    "null",
    "E'",
    "drop schema public cascade",
    "U&\"",
    "\\000",
    "&",
    "|",
    "`",
    "(",
    ")",
    ",",
    "\u{1}",
    "\u{7f}",
    "\u{fffd}",
    "\u{10ffff}",
];

/// Slugs that are reserved, or nearly.
const SPECIAL: &[&str] = &[
    "public",
    "pg_toast",
    "pg_",
    "pg_x",
    "information_schema",
    "datalinx_platform",
    "user",
    "select",
    "org_a",
    "a",
    "",
    "1a",
    "_a",
];

/// The same names each time, a million of them within seconds: proptest's strategies take minutes for that.
struct Names(u64);

impl Names {
    fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    /// xorshift64*
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        u32::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32).unwrap()
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next()).unwrap() % end
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    /// Anything.
    fn wild(&mut self) -> String {
        if self.below(4) == 0 {
            let any = |names: &mut Self| char::from_u32(names.next() % 0x11_0000).unwrap_or('\u{fffd}');
            return (0..self.below(12)).map(|_| any(self)).collect();
        }
        (0..=self.below(4)).map(|_| self.of(NASTY)).collect()
    }

    /// So many letters of a slug.
    fn letters(&mut self, count: usize) -> String {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789_";
        (0..count)
            .map(|at| char::from(LETTERS[self.below(if at == 0 { 26 } else { LETTERS.len() })]))
            .collect()
    }

    /// Mostly slugs, and what is nearly one.
    fn slug(&mut self) -> String {
        match self.below(16) {
            0..8 => {
                let count = 1 + self.below(12);
                self.letters(count)
            }
            8..10 => {
                let count = 57 + self.below(7);
                self.letters(count)
            }
            10 => self.of(SPECIAL).to_owned(),
            11 => self.letters(6).to_uppercase(),
            12 => self.letters(4) + self.of(NASTY),
            _ => self.wild(),
        }
    }
}

fn schema_of(slug: &str) -> Result<SchemaName, Code> {
    let slug = Slug::new(slug).map_err(|error| Failure::from(error).code)?;
    Settings::default().tenant_schema(&slug).map_err(|error| Failure::from(error).code)
}

/// All that the database holds, and the server's roles: the server must be the test's own.
fn census(project: &Project) -> Vec<String> {
    project.db.column(
        "SELECT 'schema ' || nspname FROM pg_namespace UNION ALL \
         SELECT 'relation ' || oid::regclass FROM pg_class UNION ALL SELECT 'function ' || oid::regprocedure FROM pg_proc UNION ALL \
         SELECT 'role ' || rolname FROM pg_roles UNION ALL SELECT 'type ' || oid::regtype FROM pg_type ORDER BY 1",
    )
}

#[test]
fn a_million_names_are_refused_or_make_exactly_what_they_say() {
    let server = OwnServer::start(&[]);
    let project = Project::seeds_in(server.database("names"));
    project.run("migrate up").passes();
    let before = census(&project);
    let mut names = Names::new();
    let mut refused: BTreeMap<&str, usize> = BTreeMap::new();
    let mut made = 0;
    for _ in 0..NAMES / PAGE {
        let mut schemas: BTreeSet<String> = BTreeSet::new();
        let mut message = String::from(
            "BEGIN; CREATE TEMPORARY TABLE names (given bytea, said text) ON COMMIT DROP; INSERT INTO names VALUES ",
        );
        let mut rows = Vec::new();
        for _ in 0..PAGE {
            let slug = names.slug();
            match schema_of(&slug) {
                Ok(schema) => {
                    // No folding, no cutting: two slugs never make one schema.
                    assert_eq!(schema.as_str(), format!("org_{slug}"));
                    schemas.insert(schema.as_str().to_owned());
                }
                Err(code) => *refused.entry(code.as_str()).or_default() += 1,
            }
            let name = names.wild();
            match DisplayName::new(&name) {
                Ok(shown) => {
                    rows.push(format!("('\\x{}', {})", hex(name.as_bytes()), literal(shown.as_str())));
                }
                Err(error) => {
                    assert!(name.contains('\0'), "{name:?}");
                    *refused.entry(Failure::from(error).code.as_str()).or_default() += 1;
                }
            }
        }
        message.push_str(&rows.join(", "));
        message.push(';');
        for schema in &schemas {
            let _ =
                write!(message, "CREATE SCHEMA {};", SchemaName::existing(schema.as_str()).unwrap().quoted());
        }
        // Every text is what was given, and every schema has the name that it was to have, byte for byte.
        let list: Vec<String> = schemas.iter().map(|schema| literal(schema)).collect();
        let _ = write!(
            message,
            "DO $do$ BEGIN \
             IF EXISTS (SELECT FROM names WHERE convert_to(said, 'UTF8') <> given) THEN RAISE 'a text is another'; END IF; \
             IF (SELECT count(*) FROM pg_namespace WHERE xmin = pg_current_xact_id()::xid AND nspname !~ '^pg_') <> {count} \
             OR (SELECT count(*) FROM pg_namespace WHERE nspname = ANY (ARRAY[{list}]::text[])) <> {count} \
             THEN RAISE 'other schemas than were to be made'; END IF; END $do$; ROLLBACK;",
            count = schemas.len(),
            list = list.join(", "),
        );
        project.db.run(&message);
        made += schemas.len();
    }
    assert!(made > NAMES / 10, "only {made} schemas");
    for code in ["slug-invalid", "schema-name-too-long", "schema-name-reserved", "name-invalid"] {
        assert!(refused.get(code).is_some_and(|count| *count > 100), "{code}: {refused:?}");
    }
    assert_eq!(census(&project), before);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[test]
fn the_program_makes_what_it_lets_through_and_nothing_else() {
    let server = OwnServer::start(&[]);
    let project = Project::empty_in(server.database("names"));
    project.migration(
        "0.0.0",
        "1.0.0",
        "base",
        "-- Scope: platform\nCREATE TABLE organizations (id uuid PRIMARY KEY, name text, slug text UNIQUE, schema_name text UNIQUE);",
    );
    project.file("tenant_templates/default/1.sql", "-- Template: v1.0.0\nCREATE DOMAIN short AS text;");
    project.run("migrate up").passes();
    let before: BTreeSet<String> = census(&project).into_iter().collect();
    let mut names = Names::new();
    let mut list = csv::Writer::from_writer(Vec::new());
    list.write_record(["slug", "name"]).unwrap();
    let mut wanted = BTreeMap::new();
    for _ in 0..TENANTS {
        let (slug, name) = (names.slug(), names.wild());
        list.write_record([&slug, &name]).unwrap();
        // The list is read with what is around a word taken off, and without a name the slug is the name.
        let (slug, name) = (slug.trim().to_owned(), name.trim().to_owned());
        let name = if name.is_empty() { slug.clone() } else { name };
        let first = wanted.contains_key(&slug);
        if !first && schema_of(&slug).is_ok() && DisplayName::new(&name).is_ok() {
            wanted.insert(slug, name);
        }
    }
    let text = String::from_utf8(list.into_inner().unwrap()).unwrap();
    let output = project.run_with_input("--format json tenant create --from -", &text);
    let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(output.code, 4, "{output}");
    let known =
        ["slug-invalid", "schema-name-too-long", "schema-name-reserved", "name-invalid", "tenant-exists"];
    for failed in document["failures"].as_array().unwrap() {
        assert!(known.contains(&failed["code"].as_str().unwrap()), "{failed}");
    }
    let registry = project.db.rows("SELECT slug, name, schema_name FROM datalinx_platform.organizations");
    let made: BTreeMap<String, String> =
        registry.iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    assert_eq!(made, wanted);
    assert!(registry.iter().all(|row| row[2] == format!("org_{}", row[0])));
    let after: BTreeSet<String> = census(&project).into_iter().collect();
    assert!(before.is_subset(&after));
    let new: BTreeSet<&String> = after.difference(&before).collect();
    let schemas = new.iter().filter(|line| line.starts_with("schema ")).count();
    assert_eq!(schemas, wanted.len());
    // A schema and the two types of its domain: the domain, and an array of it.
    assert_eq!(new.len(), 3 * wanted.len());
}

#[test]
fn a_url_in_the_place_of_a_slug_is_not_repeated() {
    let project = Project::with_tenants(&["a"]);
    let url = "postgres://me:hunter2@db.example/app";
    for verb in ["create", "show", "suspend", "rename a", "drop --confirm a", "undrop"] {
        for flags in ["", " --format json"] {
            let output = project.run(&format!("tenant {verb} {url}{flags}"));
            let said = format!("{}{}", output.stdout, output.stderr);
            assert!(output.code != 0 && !said.contains("hunter2"), "{verb}: {output}");
        }
    }
}

#[test]
fn a_url_in_the_place_of_a_file_is_not_repeated() {
    let project = Project::with_tenants(&["a"]);
    let url = "postgres://operator:hunter2@db.internal/app";
    for verb in [
        "verify",
        "verify --base",
        "verify --queries",
        "tenant create --from",
        "tenant import",
        "tenant export a --to",
    ] {
        for format in ["human", "json"] {
            let output = project.run(&format!("{verb} {url} --format {format}"));
            let said = format!("{}{}", output.stdout, output.stderr);
            assert!(output.code != 0 && !said.contains("hunter2"), "{verb}: {output}");
        }
    }
    project.file("tenants.csv", format!("slug\n{url}\n"));
    let output = project.run("tenant create --from tenants.csv");
    let said = format!("{}{}", output.stdout, output.stderr);
    assert!(output.code != 0 && !said.contains("hunter2"), "{output}");
}
