//! The examples of `tenure explain CODE` are true: their commands, run in a project that has the described error, print the
//! lines that the example shows. `…` in an example matches any text.

use std::any::Any;
use std::fmt::Write as _;
use std::mem::ManuallyDrop;

use regex::Regex;
use tenure::error::Code;

use crate::support::{
    ALWAYS, Database, Fault, Finish as _, Neon, Output, Pooler, Project, Session, Settings, Verb,
};

/// Codes whose examples need a crash, a signal, another session or a damaged file at the right moment. Tests of the features
/// cover them.
const NOT_RUN: &[Code] = &[
    Code::TenantMoved,
    Code::ImportDiffers,
    Code::TenantsBehind,
    Code::BranchEmptyLedger,
    Code::ConnectionLost,
    Code::PrivateServer,
    Code::Interrupted,
];

/// A role, which would outlive its database.
struct Role {
    db: ManuallyDrop<Database>,
    name: String,
}

impl Role {
    fn create(db: &Database, suffix: &str) -> Self {
        let name = format!("{}_{suffix}", db.name);
        db.run(&format!("CREATE ROLE {name} LOGIN"));
        Self { db: db.lend(), name }
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.db.run(&format!("DROP ROLE {}", self.name));
        }
    }
}

/// A project that has an error.
struct Setup {
    /// Dropped first: other databases, sessions and servers.
    held: Vec<Box<dyn Any>>,
    project: Project,
    /// Names in the example and what they are in the test.
    names: Vec<(&'static str, String)>,
    environment: Vec<(&'static str, String)>,
}

impl Setup {
    fn of(project: Project) -> Self {
        let folder = project.dir.path().display().to_string();
        let names = vec![("app", project.db.name.clone()), ("/srv/app", folder)];
        Self { held: Vec::new(), project, names, environment: Vec::new() }
    }

    /// With another environment variable. An empty value removes one.
    fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    fn hold(mut self, value: impl Any) -> Self {
        self.held.push(Box::new(value));
        self
    }

    /// With an own database for `postgresql:///shadow`.
    fn shadow(self, prepare: impl FnOnce(&Database)) -> Self {
        let shadow = Database::fresh();
        prepare(&shadow);
        let mut setup = self.hold(shadow.lend());
        setup.names.push(("postgresql:///shadow", shadow.url.clone()));
        setup.names.push(("shadow", shadow.name.clone()));
        setup.hold(shadow)
    }

    /// Runs the commands of an example. Returns them with their output, with the example's names.
    fn run(&self, example: &str) -> String {
        let mut seen = String::new();
        for line in example.lines().filter_map(|line| line.strip_prefix("$ ")) {
            let words = shlex::split(line).unwrap();
            let output = match words[0].as_str() {
                "cat" => std::fs::read_to_string(self.project.dir.path().join(&words[1])).unwrap(),
                "tenure" => {
                    let real = |word: &String| {
                        let name = self.names.iter().find(|(shown, _)| shown == word);
                        name.map_or_else(|| word.clone(), |(_, real)| real.clone())
                    };
                    let mut command = self.project.command(words[1..].iter().map(real));
                    // A pooler of all tests would change the messages.
                    command.env("DATABASE_URL", &self.project.db.url);
                    for (name, value) in &self.environment {
                        if value.is_empty() {
                            command.env_remove(name)
                        } else {
                            command.env(name, value)
                        };
                    }
                    let output = Output::of(&command.finish());
                    // A note of a command that waits depends on the time.
                    let notes =
                        output.stderr.split_inclusive('\n').filter(|line| !line.starts_with("waiting: "));
                    output.stdout + &notes.collect::<String>()
                }
                other => panic!("an example runs {other}"),
            };
            // Longer names first: one may begin with another.
            let mut names: Vec<_> = self.names.iter().collect();
            names.sort_by_key(|(_, real)| std::cmp::Reverse(real.len()));
            let output = names.iter().fold(output, |output, (shown, real)| output.replace(real, shown));
            write!(seen, "$ {line}\n{output}").unwrap();
        }
        seen
    }
}

/// The demo's project with one more file.
fn file(path: &str, text: impl AsRef<[u8]>) -> Setup {
    let project = Project::seeds();
    project.file(path, text);
    Setup::of(project)
}

/// The demo's project with one more migration.
fn step(sql: &str) -> Setup {
    file("migrations/v1.0.4_to_v1.0.5_add_tier.sql", format!("-- Description: Add tier\n{sql}\n"))
}

/// The migrated project with the tenant acme, after this SQL.
fn migrated(sql: &str) -> Setup {
    let project = Project::with_tenants(&["acme"]);
    if !sql.is_empty() {
        project.db.run(sql);
    }
    Setup::of(project)
}

fn with_settings(setup: Setup, settings: &str) -> Setup {
    setup.project.file("tenure.toml", settings);
    setup
}

/// A project whose database is the default branch of a Neon project.
fn neon(change: impl FnOnce(&mut Settings), prepare: impl FnOnce(&Neon)) -> Setup {
    let setup = with_settings(
        Setup::of(Project::empty()),
        "[branch]\nretry_timeout = \"1s\"\nready_timeout = \"20s\"\n",
    );
    let server = Neon::with(&setup.project.db, change);
    prepare(&server);
    let setup = server.environment().into_iter().fold(setup, |setup, (name, value)| setup.env(name, value));
    setup.hold(server)
}

const ADD_TIER: &str = "ALTER TABLE users ADD COLUMN tier text;";

/// Behind a pooler; `None` without `PgBouncer`.
fn behind_a_pooler() -> Option<Setup> {
    let setup = migrated("");
    let pooler = Pooler::with(&setup.project.db, "default_pool_size = 2")?;
    let url = pooler.url(&setup.project.db);
    Some(setup.env("DATABASE_URL", url).hold(pooler))
}

/// The setup for the code.
fn setup(code: Code) -> Setup {
    let usage = || Setup::of(Project::seeds());
    match code {
        Code::Usage
        | Code::ProjectExists
        | Code::Io
        | Code::VersionNotInChain
        | Code::DatabaseUrl
        | Code::NotMigrated
        | Code::NoStatistics
        | Code::RunUnknown
        | Code::WaitTimeout
        | Code::BaselineRefused => usage(),
        Code::BaselineMissing => {
            let setup = Setup::of(Project::seeds());
            setup.project.db.run(
                "CREATE SCHEMA datalinx_platform; CREATE TABLE datalinx_platform.organizations (id uuid)",
            );
            setup
        }
        Code::FilesDiffer => {
            let setup = Setup::of(Project::empty());
            setup.project.db.run(
                "CREATE TABLE customers (id int PRIMARY KEY, name text, schema_name text UNIQUE); \
                 INSERT INTO customers VALUES (1, 'Acme', 'acme'); CREATE SCHEMA acme; CREATE TABLE acme.t (a int); \
                 CREATE TABLE rates (rate int); INSERT INTO rates VALUES (1); \
                 CREATE FUNCTION rate() RETURNS int LANGUAGE plpgsql AS $$ DECLARE found int; \
                     BEGIN SELECT rate INTO STRICT found FROM public.rates; RETURN found; END $$; \
                 CREATE MATERIALIZED VIEW prices AS SELECT rate() AS price",
            );
            setup
        }
        Code::DjangoFailed => {
            with_settings(Setup::of(Project::seeds()), "[django]\nmanage = [\"./manage.py\"]\n")
        }
        Code::DjangoRefused => {
            let answer = r#"tenure-answer {"problem":"not-sql","names":["RunPython (Raw Python operation)"],"name":"0003_fill"}"#;
            let setup =
                with_settings(Setup::of(Project::seeds()), "[django]\nmanage = [\"sh\", \"manage.sh\"]\n");
            setup.project.file("manage.sh", format!("echo '{answer}'\n"));
            setup
        }
        Code::DiagramEmpty => {
            let project = Project::empty();
            project
                .file("migrations/v0.0.0_to_v1.0.0_empty.sql", "-- Description: Nothing\n-- no statement\n");
            Setup::of(project)
        }
        Code::Settings => file("tenure.toml", "[verify.levels]\ndrop-colum = \"warn\"\n"),
        Code::NoProject | Code::RegistryNotFound => Setup::of(Project::empty()),
        Code::NoMigrations => with_settings(Setup::of(Project::empty()), ""),
        Code::NoMergeBase => {
            let setup = usage();
            for line in
                ["init -q -b main", "add .", "commit -qm one", "checkout -q --orphan other", "commit -qm two"]
            {
                let mut git = std::process::Command::new("git");
                git.args(["-c", "user.name=a", "-c", "user.email=a@example.com"]).args(line.split(' '));
                assert!(git.current_dir(setup.project.dir.path()).finish().status.success(), "git {line}");
            }
            setup
        }
        Code::NotUtf8 => file(
            "migrations/v1.0.4_to_v1.0.5_add_tier.sql",
            b"-- Description: x\nCOMMENT ON TABLE users IS 'gr\xFC\xDFe';\n",
        ),
        Code::FileTooLarge => step(&"-".repeat(17 << 20)),
        Code::MigrationName => file("migrations/V2__add_tier.sql", ADD_TIER),
        Code::MigrationOrder => file("migrations/v1.2.0_to_v1.1.0_add_tier.sql", ADD_TIER),
        Code::MigrationEmpty => file("migrations/v1.0.4_to_v1.0.5_add_tier.sql", "\n"),
        Code::ChainGap => {
            file("migrations/v1.0.5_to_v1.0.6_add_tier.sql", format!("-- Description: Add tier\n{ADD_TIER}"))
        }
        Code::ChainFork => {
            let setup = step(ADD_TIER);
            setup.project.migration(
                "1.0.4",
                "1.0.6",
                "add_phone",
                "ALTER TABLE users ADD COLUMN phone text;",
            );
            setup
        }
        Code::HeaderMismatch => step(&format!("-- Migration: v1.0.4 to v1.1.0\n{ADD_TIER}")),
        Code::HeaderMissing => file("migrations/v1.0.4_to_v1.0.5_add_tier.sql", ADD_TIER),
        Code::HeaderInvalid => step(&format!("-- Scope: organization\n{ADD_TIER}")),
        Code::VersionMismatch => step(&format!(
            "{ADD_TIER}\nUPDATE datalinx_platform.schema_version SET version = '1.1.0', applied_at = now();"
        )),
        Code::OwnTable => step("TRUNCATE datalinx_platform.tenant_version;"),
        Code::Syntax => step("ALTER TABLE users ADD COLUMN tier text,;"),
        Code::TransactionControl => {
            step(&format!("{ADD_TIER}\nCOMMIT;\nALTER TABLE users ADD COLUMN phone text;"))
        }
        Code::PsqlMetaCommand => step("\\i more.sql"),
        Code::ReversePart => {
            step(&format!("-- +goose Up\n{ADD_TIER}\n-- +goose Down\nALTER TABLE users DROP COLUMN tier;"))
        }
        Code::CopyFromStdin => step("COPY users (email) FROM stdin;\na@example.com\n\\."),
        Code::CopyToStdout => step("COPY users TO STDOUT;"),
        Code::ScopeUnclear => step("CREATE TABLE invoices (id int);"),
        Code::MixedTransaction => {
            step(&format!("{ADD_TIER}\nCREATE INDEX CONCURRENTLY users_tier ON users (tier);"))
        }
        Code::UnnamedIndex => step("CREATE INDEX CONCURRENTLY ON users (display_name);"),
        Code::TemplateMissing | Code::SlugInvalid | Code::SchemaNameTooLong => {
            Setup::of(Project::with_tenants(&[]))
        }
        Code::TemplateInvalid => file(
            "tenant_templates/default/090_index.sql",
            "CREATE INDEX CONCURRENTLY by_name ON workspaces (name);\n",
        ),
        Code::TemplateExists => file(
            "tenant_templates/default_v1.0.4/010_all.sql",
            "-- Template: v1.0.4\nCREATE TABLE a (id int);\n",
        ),
        Code::ParameterInvalid => {
            let project = Project::with_tenants(&[]);
            project.file(
                "tenant_templates/default/090_plan.sql",
                "-- Parameter: plan literal\nINSERT INTO workspaces (name) VALUES ({plan});\n",
            );
            Setup::of(project)
        }
        Code::CsvInvalid => file("tenants.csv", "slug;name\nacme;Acme\n"),
        Code::ColumnInvalid => migrated(""),
        Code::QueriesInvalid => file("release.json", "SELECT 1;\n"),
        Code::NoDatabaseUrl => usage().env("CI", "true").env("DATABASE_URL", ""),
        Code::NoServerBinaries => {
            usage().env("DATABASE_URL", "").env("TENURE_PG_BINDIR", "/opt/postgresql/bin")
        }
        Code::NoClientPrograms => migrated("").env("TENURE_PG_BINDIR", "/nowhere").env("PATH", "/nowhere"),
        Code::SnapshotInvalid => file("schema.json", "{}\n"),
        Code::ExportInvalid => file("acme.tenure", "not an export\n"),
        Code::ShadowNotEmpty => usage().shadow(|shadow| shadow.run("CREATE TABLE precious (id int)")),
        Code::ShadowInUse => {
            let mut session = None;
            let lock =
                "SELECT pg_advisory_xact_lock(hashtext('tenure shadow'), hashtext(current_database()))";
            let mut setup = usage().shadow(|shadow| session = Some(Session::holding(shadow, lock)));
            // Dropped before the database.
            setup.held.insert(0, Box::new(session));
            setup
        }
        Code::ShadowExtension => usage().shadow(|_| {}),
        _ => setup_of_a_database(code),
    }
}

/// The setups of codes that concern the database.
fn setup_of_a_database(code: Code) -> Setup {
    let usage = || Setup::of(Project::seeds());
    match code {
        Code::ShadowRole => {
            let setup = usage();
            let role = Role::create(&setup.project.db, "ci");
            let mut url = String::new();
            let mut setup = setup.shadow(|shadow| {
                let (database, name) = (&shadow.name, &role.name);
                shadow.run(&format!("GRANT pg_execute_server_program TO {name}"));
                shadow.run(&format!("ALTER DATABASE {database} OWNER TO {name}"));
                url = shadow.url_as(name);
            });
            setup.names.extend([("postgresql://ci@/shadow", url), ("ci", role.name.clone())]);
            setup.hold(role)
        }
        Code::LeavesDatabase => {
            let setup = step("-- Scope: platform\nCOPY users TO PROGRAM 'gzip > /tmp/users.gz';");
            setup.project.migration("1.0.5", "1.0.6", "add_phone", "ALTER TABLE users ADD COLUMN phone text;");
            setup.shadow(|_| {})
        }
        Code::TemplateDiffers => file(
            "tenant_templates/default/090_kinds.sql",
            "CREATE TABLE {org_schema}.kinds (name text);\nDO $$ BEGIN INSERT INTO {org_schema}.kinds VALUES ('a'); END $$;\n",
        )
        .shadow(|_| {}),
        Code::FindingDenied => step("ALTER TABLE users DROP COLUMN email;"),
        Code::MigrationEdited | Code::ConfirmationRequired => {
            let setup = migrated("");
            let path = "migrations/v1.0.0_to_v1.0.1_add_mfa_columns.sql";
            let text = std::fs::read_to_string(setup.project.dir.path().join(path)).unwrap();
            setup.project.file(path, text + "-- one more line\n");
            setup
        }
        Code::MigrationGone => {
            let setup = migrated("");
            setup.project.remove("migrations/v1.0.1_to_v1.0.2_create_audit_log.sql");
            setup
        }
        Code::OtherHistory => {
            let (setup, tier, phone) = (migrated(""), ADD_TIER, "ALTER TABLE users ADD COLUMN phone text;");
            setup.project.migration("1.0.4", "1.0.5", "add_tier", tier);
            setup.project.run("migrate up").passes();
            setup.project.remove("migrations/v1.0.4_to_v1.0.5_add_tier.sql");
            setup.project.migration("1.0.4", "1.0.5", "add_phone", phone);
            setup.project.migration("1.0.5", "1.0.6", "add_tier", tier);
            setup
        }
        Code::DatabaseVersionUnknown => {
            migrated("UPDATE datalinx_platform.schema_version SET version = '1.0.2-hotfix'")
        }
        Code::MetadataUnsupported => {
            let setup = usage();
            setup.project.db.run(include_str!("before_release.sql"));
            setup
        }
        Code::VersionBeyond => migrated("UPDATE datalinx_platform.schema_version SET version = '1.2.0'"),
        Code::NameInvalid => {
            let project = Project::with_tenants(&[]);
            project.file("tenants.csv", "slug,name\nacme,Ac\0me\n");
            Setup::of(project)
        }
        Code::SchemaNameReserved => {
            with_settings(Setup::of(Project::with_tenants(&[])), "[tenants]\nschema_prefix = \"\"\n")
        }
        Code::RoleNameTooLong => with_settings(
            Setup::of(Project::with_tenants(&[])),
            "[tenants]\nroles = true\nrole_prefix = \"production_europe_west_customer_database_tenant_role_\"\n",
        ),
        Code::RoleExists => {
            let setup = Setup::of(Project::with_tenants(&[]));
            let role = Role::create(&setup.project.db, "org_acme");
            let settings = format!("[tenants]\nroles = true\nrole_prefix = \"{}_\"\n", setup.project.db.name);
            with_settings(setup, &settings).hold(role)
        }
        Code::TenantWithoutRole | Code::TenantExists | Code::TenantUnknown => migrated(""),
        Code::TenantState => migrated("UPDATE datalinx_platform.tenant_version SET status = 'creating'"),
        Code::SchemaUnknown => migrated("DROP SCHEMA org_acme CASCADE"),
        Code::AdoptDiffers => migrated(
            "DELETE FROM datalinx_platform.tenant_version; DELETE FROM datalinx_platform.organizations; \
             ALTER TABLE org_acme.workspaces ADD COLUMN colour text",
        ),
        Code::CloneDiffers => migrated("ALTER TABLE org_acme.workspaces ADD COLUMN colour text"),
        Code::CopyRefused => migrated(
            "CREATE SCHEMA attic; CREATE TABLE attic.old_workspaces () INHERITS (org_acme.workspaces); \
             INSERT INTO attic.old_workspaces (name) VALUES ('old')",
        ),
        Code::NameInText => migrated(
            "CREATE FUNCTION org_acme.total() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM org_acme.workspaces'",
        ),
        Code::TenantInUse => {
            let setup = migrated("CREATE VIEW public.seen AS SELECT name FROM org_acme.workspaces");
            setup.project.run("tenant drop acme --confirm acme").passes();
            setup
        }
        Code::HookFailed => {
            with_settings(Setup::of(Project::with_tenants(&[])), "[tenants]\nafter_create = [\"false\"]\n")
        }
        Code::NotPoolable => {
            let project = Project::with_tenants(&[]);
            project.file(
                "tenant_templates/default/090_total.sql",
                "CREATE FUNCTION {org_schema}.total() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM {org_schema}.workspaces';\n",
            );
            Setup::of(project)
        }
        Code::ImportNeeds => {
            let from = migrated("CREATE EXTENSION hstore; ALTER TABLE org_acme.workspaces ADD COLUMN tags hstore").project;
            from.run("tenant export acme --to acme.tenure").passes();
            let to = Project::with_tenants(&[]);
            to.file("acme.tenure", std::fs::read(from.dir.path().join("acme.tenure")).unwrap());
            Setup::of(to)
        }
        Code::RegistryInvalid => with_settings(migrated(""), "[tenants.columns]\nstatus = \"colour\"\n"),
        Code::UnitFailed => {
            let setup = migrated("INSERT INTO org_acme.workspaces (name) VALUES ('')");
            let sql = "ALTER TABLE workspaces ADD COLUMN share int;\n\
                       UPDATE workspaces SET share = 100 / length(name) WHERE share IS NULL;";
            setup.project.migration("1.0.4", "1.0.5", "add_share", sql);
            setup
        }
        Code::StatementFailed => {
            let setup = migrated("");
            let holder = Session::holding(&setup.project.db, "LOCK TABLE org_acme.workspaces");
            setup.hold(holder)
        }
        Code::UnsafeStrings => {
            let setup = migrated("");
            setup.project.migration("1.0.4", "1.0.5", "add_tier", ADD_TIER);
            let name = &setup.project.db.name;
            setup.project.db.run(&format!("ALTER DATABASE {name} SET standard_conforming_strings = off"));
            setup
        }
        Code::PermissionDenied => {
            let setup = usage();
            let role = Role::create(&setup.project.db, "reader");
            let url = setup.project.db.url_as(&role.name);
            setup.env("DATABASE_URL", url).hold(role)
        }
        Code::AuthenticationFailed => {
            let setup = usage();
            let url = setup.project.db.url_as("nobody");
            setup.env("DATABASE_URL", url)
        }
        Code::ServerUnreachable => usage(),
        _ => setup_of_a_branch(code),
    }
}

/// The setups of codes that concern branches.
fn setup_of_a_branch(code: Code) -> Setup {
    let local = || Setup::of(Project::empty());
    match code {
        Code::BranchExists | Code::BranchNotFound => local(),
        Code::BranchInUse => {
            let setup = local();
            let session = Session::open(&format!("{}&application_name=puma", setup.project.db.url));
            setup.hold(session)
        }
        Code::BranchCapacity => neon(|settings| settings.branches = 1, |_| {}),
        Code::BranchBusy => neon(|_| {}, |neon| _ = neon.plant(Verb::Create, ALWAYS, Fault::Busy)),
        Code::BranchTarget => neon(|settings| settings.wrong_target = Some("main".to_owned()), |_| {}),
        Code::BranchNotReady => {
            neon(|_| {}, |neon| _ = neon.course("running error", Some("no room on the pageserver")))
        }
        Code::BranchRefused => neon(|settings| settings.stores_passwords = false, |_| {}),
        Code::BranchAuth => neon(|_| {}, |_| {}).env("NEON_API_KEY", "napi_wrong"),
        Code::BranchApi => neon(|_| {}, |_| {}).env("NEON_API_HOST", "http://127.0.0.1:1/api/v2"),
        _ => panic!("{code:?} has no setup and is not in NOT_RUN"),
    }
}

/// Runs the examples of the codes whose index has this remainder.
fn are_true(part: usize) {
    let parts = 4;
    let mut wrong = String::new();
    for (index, code) in Code::ALL.iter().copied().enumerate() {
        if index % parts != part || NOT_RUN.contains(&code) {
            continue;
        }
        let setup = if code == Code::SessionRequired { behind_a_pooler() } else { Some(setup(code)) };
        let Some(setup) = setup else { continue };
        let example = code.explanation().unwrap().example.trim_end();
        let seen = setup.run(example);
        let pattern = regex::escape(example).replace('…', ".*?");
        if !Regex::new(&format!("(?s)^{pattern}")).unwrap().is_match(&seen) {
            writeln!(wrong, "=== {}\n{example}\n--- prints\n{seen}", code.as_str()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_first_quarter_of_the_examples_is_true() {
    are_true(0);
}

#[test]
fn the_second_quarter_of_the_examples_is_true() {
    are_true(1);
}

#[test]
fn the_third_quarter_of_the_examples_is_true() {
    are_true(2);
}

#[test]
fn the_fourth_quarter_of_the_examples_is_true() {
    are_true(3);
}
