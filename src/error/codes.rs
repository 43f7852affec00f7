//! Every error code once: its name for programs, its class (so its exit code), and what it means.
//! `docs/errors.md` is made from this list, and a test says so.

/// What kind of failure it is. The exit code follows from it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Refused or failed: a finding denied, a unit failed. Exit code 1.
    Refused,
    /// The command line, the settings or the files are wrong. Exit code 2.
    Usage,
    /// The database could not be reached. Exit code 3.
    Unreachable,
    /// Part of the fleet is done and part is not. Exit code 4.
    Partial,
    /// Interrupted, cleanly. Exit code 130.
    Interrupted,
}

impl Class {
    /// The process's exit code.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Refused => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Partial => 4,
            Self::Interrupted => 130,
        }
    }
}

macro_rules! codes {
    ($($variant:ident $name:literal $class:ident $doc:literal)*) => {
        /// A stable name for one kind of failure. Programs match on [`Code::as_str`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $doc] $variant,)* }

        impl Code {
            /// All of them, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name that programs see; kebab-case, never changed once published.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The class, and with it the exit code.
            pub const fn class(self) -> Class {
                match self { $(Self::$variant => Class::$class,)* }
            }

            /// One sentence for the documentation.
            pub const fn doc(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }
        }
    };
}

codes! {
    Usage "usage" Usage "The command line is wrong."
    Settings "settings" Usage "`tenure.toml`, a flag or an environment variable has a value that cannot be used."
    NoProject "no-project" Usage "There is no folder with `tenure.toml` or `migrations/` here or above."
    NoMigrations "no-migrations" Usage "The project has no migrations folder, or the folder holds no migration."
    ProjectExists "project-exists" Usage "`tenure init` found files that it would have written."
    Io "io" Usage "A file or folder could not be read or written."
    NotUtf8 "not-utf8" Usage "A file's bytes are not UTF-8."
    FileTooLarge "file-too-large" Usage "A file of SQL or settings is larger than 16 MiB."
    MigrationName "migration-name" Usage "A file in `migrations/` is not named `vX_to_vY_name.sql`."
    MigrationOrder "migration-order" Usage "A migration's FROM is not lower than its TO, and it undoes no other migration."
    MigrationEmpty "migration-empty" Usage "A migration or template has no statement."
    ChainGap "chain-gap" Usage "No migration leads to a version that another one starts from."
    ChainFork "chain-fork" Usage "Two migrations start from one version, or lead to one version."
    HeaderMismatch "header-mismatch" Usage "A file's `-- Migration:` line names other versions than the file's name."
    HeaderMissing "header-missing" Usage "A header line that must be there is not: `-- Description:`, or a template's `-- Template:`."
    HeaderInvalid "header-invalid" Usage "A header line cannot be understood."
    VersionMismatch "version-mismatch" Usage "A file's own UPDATE of `schema_version` sets another version than the file's TO, or does more than that."
    OwnTable "own-table" Usage "A statement makes, changes or drops what Tenure keeps: its tables, its functions, or a schema that it makes."
    Syntax "syntax" Usage "The SQL of a file cannot be parsed."
    TransactionControl "transaction-control" Usage "A file holds transaction control other than its own outer BEGIN and COMMIT."
    PsqlMetaCommand "psql-meta-command" Usage "A file holds a command of psql, such as `\\copy` or `\\i`."
    CopyFromStdin "copy-from-stdin" Usage "A file holds `COPY … FROM STDIN`, whose data cannot travel in a migration."
    CopyToStdout "copy-to-stdout" Usage "A file holds `COPY … TO STDOUT`, whose data nobody would take."
    ScopeUnclear "scope-unclear" Usage "It does not follow from the names whether a statement acts on the platform or on each tenant."
    MixedTransaction "mixed-transaction" Usage "A statement that cannot run in a transaction stands beside statements that must."
    UnnamedIndex "unnamed-index" Usage "An index is built concurrently without a name, so a failed attempt's leftover could not be found."
    TemplateMissing "template-missing" Usage "The tenant template asked for does not exist, or there is none."
    TemplateInvalid "template-invalid" Usage "A template's version is not one that the chain knows, or a statement in it does not belong there."
    TemplateExists "template-exists" Usage "`tenure template squash` would write into a folder that is there already."
    ParameterInvalid "parameter-invalid" Usage "A value for a parameter of a template is missing, is for none of its parameters, or cannot be quoted."
    VersionNotInChain "version-not-in-chain" Usage "A version that was asked for is not one of the chain."
    CsvInvalid "csv-invalid" Usage "The list of tenants cannot be read."
    QueriesInvalid "queries-invalid" Usage "A path that should hold the queries of a release holds none, or cannot be read as such."
    NoDatabaseUrl "no-database-url" Usage "No database was named, and in CI none is started."
    DatabaseUrl "database-url" Usage "The database URL cannot be understood."
    ConfirmationRequired "confirmation-required" Usage "A dangerous verb needs `--yes` where there is no terminal."
    NoServerBinaries "no-server-binaries" Usage "PostgreSQL's server programs were not found, so no private server can be started."
    NoClientPrograms "no-client-programs" Usage "PostgreSQL's client programs of the server's release or a newer one were not found."
    ExportInvalid "export-invalid" Usage "A file is no tenant's export, or it is damaged, or a newer Tenure made it."
    SessionRequired "session-required" Refused "Something needs a session of the server, and only a transaction pooler is reachable."
    ShadowNotEmpty "shadow-not-empty" Refused "The database that was given as a shadow is not empty, and Tenure did not make what is in it."
    ShadowInUse "shadow-in-use" Refused "Another run is using the database that was given as a shadow."
    TemplateDiffers "template-differs" Refused "What was to be the new version of a template does not make the same tenant as the old one."
    FindingDenied "finding-denied" Refused "Verification denies a statement."
    NoStatistics "no-statistics" Refused "The server keeps no statistics of queries: `pg_stat_statements` is not there, or not loaded."
    MigrationEdited "migration-edited" Refused "A migration that was applied has been edited since."
    MigrationGone "migration-gone" Refused "A migration that was applied is no longer in the project."
    DatabaseVersionUnknown "database-version-unknown" Refused "The database is at a version that the chain does not know."
    MetadataUnsupported "metadata-unsupported" Refused "Tenure's own tables in the database were made by a build from before the first release, and this one does not convert them."
    VersionBeyond "version-beyond" Refused "The database is at a version beyond the chain's end."
    NotMigrated "not-migrated" Refused "The platform has not been migrated far enough for this."
    RunUnknown "run-unknown" Refused "There is no run of that id."
    BaselineRefused "baseline-refused" Refused "The database already has a version, or nothing that a version could be of, so it gets no baseline."
    SlugInvalid "slug-invalid" Refused "A slug is not `[a-z][a-z0-9_]*`."
    NameInvalid "name-invalid" Refused "A tenant's display name holds a NUL."
    SchemaNameTooLong "schema-name-too-long" Refused "A slug makes a schema name of more than 63 bytes."
    SchemaNameReserved "schema-name-reserved" Refused "A slug makes a schema name that is reserved."
    RoleNameTooLong "role-name-too-long" Refused "A slug makes a role name of more than 63 bytes."
    RoleExists "role-exists" Refused "A role of the name that a tenant's role would have is there already, and is not this database's."
    TenantWithoutRole "tenant-without-role" Refused "A tenant has no role of its own."
    TenantExists "tenant-exists" Refused "A tenant of that slug, or a schema of that name, is there already."
    TenantUnknown "tenant-unknown" Refused "There is no tenant of that slug."
    TenantState "tenant-state" Refused "A tenant is in a state in which this cannot be done to it: suspended, dropped, in the pool."
    SchemaUnknown "schema-unknown" Refused "There is no schema of that name."
    AdoptDiffers "adopt-differs" Refused "A schema that was to be adopted is not what the template and its steps make at the version said."
    CloneDiffers "clone-differs" Refused "The source of a clone is not what its template and the steps make at its version."
    NameInText "name-in-text" Refused "A schema cannot get another name, since functions or other texts hold the one that it has."
    TenantInUse "tenant-in-use" Refused "Something outside of a dropped tenant depends on it: a view, a foreign key, a function, rows of another table."
    HookFailed "hook-failed" Refused "The command that is run after a tenant is made failed or took too long, so the tenant was taken back."
    NotPoolable "not-poolable" Refused "Schemas of a template cannot be made in advance, since something in them would keep a name or a value that is not the tenant's."
    TenantMoved "tenant-moved" Refused "A tenant was migrated or changed while it was exported, so the file was not kept."
    ImportNeeds "import-needs" Refused "The database lacks an extension or a role that an imported tenant needs."
    ImportDiffers "import-differs" Refused "What came out of an export is not what went into it, so it was undone."
    RegistryInvalid "registry-invalid" Refused "The registry of tenants is not a table with the columns that the settings name."
    UnitFailed "unit-failed" Refused "A statement failed; its whole unit was rolled back."
    StatementFailed "statement-failed" Refused "The server refused one of Tenure's own statements."
    UnsafeStrings "unsafe-strings" Refused "The database has `standard_conforming_strings` off, so its strings end elsewhere than the parser thinks."
    PermissionDenied "permission-denied" Refused "The role may not do what is needed."
    TenantsBehind "tenants-behind" Refused "A platform step waits for tenants that are not at its FROM version yet."
    BranchExists "branch-exists" Refused "A branch of that name is there already, and Tenure did not make it, so it is neither used nor deleted."
    BranchCapacity "branch-capacity" Refused "The provider of branches gives no further one, or none that runs, so nothing was verified."
    BranchBusy "branch-busy" Refused "The provider of branches was busy with something else for as long as was waited."
    BranchNotFound "branch-not-found" Refused "There is no branch of that name."
    BranchTarget "branch-target" Refused "What would have been migrated is not the branch that was made, or it is a default or protected one."
    BranchNotReady "branch-not-ready" Refused "A branch was made and did not become fit for use: an operation of it failed, or it did not answer in time."
    BranchEmptyLedger "branch-empty-ledger" Refused "A branch has the platform's tables without the rows that say its versions, so it would be migrated from 0.0.0."
    BranchRefused "branch-refused" Refused "The provider of branches refused what it was asked for."
    BranchInUse "branch-in-use" Refused "Others are connected to the database that was to be copied, and the server copies none that is in use."
    BranchAuth "branch-auth" Usage "The key for the provider of branches is missing or refused, or may not do this."
    BranchApi "branch-api" Unreachable "The API of the provider of branches could not be reached, or gave an answer that cannot be understood."
    ServerUnreachable "server-unreachable" Unreachable "No server answers at the address given, or it refuses the connection."
    ConnectionLost "connection-lost" Unreachable "The connection broke in the middle of the work."
    PrivateServer "private-server" Unreachable "The private server does not start or stop."
    Interrupted "interrupted" Interrupted "The command was interrupted; what was begun was finished or undone."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_kebab_case_and_stands_once() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert!(
            names
                .iter()
                .all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'))
        );
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(Code::ALL.iter().all(|code| code.doc().ends_with('.')));
    }
}
