//! The list of error codes, each with its name, its class (which decides the exit code) and its description.
//! `docs/errors.md` is generated from it and from `explanations.toml`.

/// The class of a failure, which decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The operation was refused or failed: a finding denied, a unit failed. Exit code 1.
    Refused,
    /// The command line, the settings or the files are wrong. Exit code 2.
    Usage,
    /// The database could not be reached. Exit code 3.
    Unreachable,
    /// Only a part of the fleet was migrated. Exit code 4.
    Partial,
    /// Interrupted by a signal. Exit code 130.
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

/// Whether the same command may succeed later, without another change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It may.
    Helps,
    /// If the SQLSTATE is that of a transient error, such as a lock timeout or a lost connection.
    BySqlstate,
    /// It fails again.
    Useless,
}

impl Code {
    /// Whether a retry can help.
    pub const fn retry(self) -> Retry {
        match self {
            Self::BranchApi
            | Self::BranchBusy
            | Self::BranchInUse
            | Self::BranchNotReady
            | Self::ConnectionLost
            | Self::Interrupted
            | Self::ShadowInUse
            | Self::TenantMoved
            | Self::TenantsBehind
            | Self::WaitTimeout => Retry::Helps,
            Self::ServerUnreachable | Self::StatementFailed | Self::UnitFailed => Retry::BySqlstate,
            _ => Retry::Useless,
        }
    }
}

macro_rules! codes {
    ($($variant:ident $name:literal $class:ident $doc:literal)*) => {
        /// A stable error code. Programs match on [`Code::as_str`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $doc] $variant,)* }

        impl Code {
            /// All codes, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in JSON; kebab-case, never changed after publication.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The class, which decides the exit code.
            pub const fn class(self) -> Class {
                match self { $(Self::$variant => Class::$class,)* }
            }

            /// The description for the documentation.
            pub const fn doc(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }
        }
    };
}

codes! {
    Usage "usage" Usage "The command line is invalid."
    Settings "settings" Usage "`tenure.toml`, a flag or an environment variable has an invalid value."
    NoProject "no-project" Usage "Neither the current folder nor a parent folder contains `tenure.toml` or `migrations/`."
    NoMigrations "no-migrations" Usage "The project has no migrations folder, or the folder contains no migration."
    NoMergeBase "no-merge-base" Usage "The commit of `--since` and HEAD have no common commit in this clone."
    ProjectExists "project-exists" Usage "Files that `tenure init` would write already exist."
    Io "io" Usage "A file or folder could not be read or written."
    NotUtf8 "not-utf8" Usage "A file is not UTF-8."
    FileTooLarge "file-too-large" Usage "A file of SQL or settings is larger than 16 MiB."
    MigrationName "migration-name" Usage "A file in `migrations/` is not named `vX_to_vY_name.sql`."
    MigrationOrder "migration-order" Usage "The FROM of a migration is not lower than its TO, and it is no down migration of another one."
    MigrationEmpty "migration-empty" Usage "A migration contains neither a statement nor a comment, or a template contains no statement."
    ChainGap "chain-gap" Usage "No migration leads to the version that another one starts from."
    ChainFork "chain-fork" Usage "Two migrations start from the same version, or lead to the same version."
    HeaderMismatch "header-mismatch" Usage "The `-- Migration:` line of a file contains other versions than the file name."
    HeaderMissing "header-missing" Usage "A required header line is missing: `-- Description:`, or a template's `-- Template:`."
    HeaderInvalid "header-invalid" Usage "A header line is invalid."
    VersionMismatch "version-mismatch" Usage "The UPDATE of `schema_version` in a file sets a version other than the file's TO, or changes other columns."
    OwnTable "own-table" Usage "A statement creates, alters or drops an object of Tenure: its tables, its functions, or a schema that it creates."
    Syntax "syntax" Usage "The SQL of a file cannot be parsed."
    TransactionControl "transaction-control" Usage "A file contains transaction control other than its own outer BEGIN and COMMIT."
    PsqlMetaCommand "psql-meta-command" Usage "A file contains a psql command, such as `\\copy` or `\\i`."
    ReversePart "reverse-part" Usage "A file contains a forward and a reverse part, as other tools have it, so both would run."
    CopyFromStdin "copy-from-stdin" Usage "A file contains `COPY … FROM STDIN`, whose data is not SQL."
    CopyToStdout "copy-to-stdout" Usage "A file contains `COPY … TO STDOUT`, whose data nothing receives."
    ScopeUnclear "scope-unclear" Usage "The names in a statement do not determine whether it acts on the platform or on each tenant."
    MixedTransaction "mixed-transaction" Usage "A file contains a statement that cannot run in a transaction and others that must."
    UnnamedIndex "unnamed-index" Usage "An index is built concurrently without a name, so the invalid index of a failed attempt could not be found."
    TemplateMissing "template-missing" Usage "The requested tenant template does not exist."
    TemplateInvalid "template-invalid" Usage "The version of a template is not in the chain, or a statement is not allowed in a template."
    TemplateExists "template-exists" Usage "The folder that `tenure template squash` would write already exists."
    ParameterInvalid "parameter-invalid" Usage "The value of a template parameter is missing or cannot be quoted, or the parameter does not exist."
    VersionNotInChain "version-not-in-chain" Usage "A requested version is not in the chain."
    CsvInvalid "csv-invalid" Usage "The list of tenants cannot be read."
    ColumnInvalid "column-invalid" Usage "A column to set with `--column` or in a list of tenants does not exist in the registry, or Tenure writes it itself."
    QueriesInvalid "queries-invalid" Usage "A path contains no queries of a release, or cannot be parsed."
    NoDatabaseUrl "no-database-url" Usage "No database was given, and none is started in CI."
    DatabaseUrl "database-url" Usage "The database URL is invalid."
    ConfirmationRequired "confirmation-required" Usage "A destructive command needs `--yes` if there is no terminal."
    NoServerBinaries "no-server-binaries" Usage "PostgreSQL's server programs were not found, so no private server can be started."
    NoClientPrograms "no-client-programs" Usage "PostgreSQL's client programs of the server's release or a newer one were not found."
    SnapshotInvalid "snapshot-invalid" Usage "The file of `--schema-from` is not a snapshot of a schema, or was written by another version of Tenure."
    ExportInvalid "export-invalid" Usage "A file is not the export of a tenant, is damaged, or was created by a newer version of Tenure."
    SessionRequired "session-required" Refused "An operation needs a session of the server, but only a transaction pooler is reachable."
    ShadowNotEmpty "shadow-not-empty" Refused "The database given as a shadow contains objects that Tenure did not create."
    ShadowInUse "shadow-in-use" Refused "Another run is using the database given as a shadow."
    ShadowExtension "shadow-extension" Usage "An extension that a shadow may create is not available on its server."
    ShadowRole "shadow-role" Refused "The role of the given shadow has more rights than a shadow may use, and no other role could be created."
    LeavesDatabase "leaves-database" Refused "A statement does not run on a throwaway database, since its effects may leave the database."
    TemplateDiffers "template-differs" Refused "The new version of a template does not create the same tenant as the old one."
    FindingDenied "finding-denied" Refused "Verification denies a statement."
    NoStatistics "no-statistics" Refused "The server has no query statistics: `pg_stat_statements` is not installed or not loaded."
    MigrationEdited "migration-edited" Refused "An applied migration was edited."
    MigrationGone "migration-gone" Refused "An applied migration is missing from the project."
    OtherHistory "other-history" Refused "Another file was applied as the version of a migration, such as on another branch."
    DatabaseVersionUnknown "database-version-unknown" Refused "The version of the database is not in the chain."
    MetadataUnsupported "metadata-unsupported" Refused "Tenure's own tables in the database were created by a build from before the first release, which this one does not convert."
    VersionBeyond "version-beyond" Refused "The version of the database is beyond the end of the chain."
    NotMigrated "not-migrated" Refused "The version of the platform is too low for the operation."
    RunUnknown "run-unknown" Refused "There is no run with that id."
    BaselineMissing "baseline-missing" Refused "The database has the tables of the first migration, but no history of Tenure."
    BaselineRefused "baseline-refused" Refused "The database already has a version, or has no schema to baseline."
    SlugInvalid "slug-invalid" Refused "A slug is not `[a-z][a-z0-9_]*`, or with `slug = \"dns\"` also with hyphens."
    NameInvalid "name-invalid" Refused "A tenant's display name contains a NUL character."
    SchemaNameTooLong "schema-name-too-long" Refused "The schema name of a slug has more than 63 bytes."
    SchemaNameReserved "schema-name-reserved" Refused "The schema name of a slug is reserved."
    RoleNameTooLong "role-name-too-long" Refused "The role name of a slug has more than 63 bytes."
    RoleExists "role-exists" Refused "A role with the name of a tenant's role already exists and does not belong to this database."
    TenantWithoutRole "tenant-without-role" Refused "A tenant has no role of its own."
    TenantExists "tenant-exists" Refused "A tenant with that slug, or a schema with that name, already exists."
    TenantUnknown "tenant-unknown" Refused "There is no tenant with that slug."
    TenantState "tenant-state" Refused "The state of a tenant does not allow the operation: suspended, dropped or in the pool."
    SchemaUnknown "schema-unknown" Refused "There is no schema with that name."
    DjangoFailed "django-failed" Refused "Django's manage.py failed."
    DjangoRefused "django-refused" Refused "A Django migration cannot become a file."
    FilesDiffer "files-differ" Refused "The files that were written do not create the given database."
    AdoptDiffers "adopt-differs" Refused "A schema to adopt differs from a tenant of the template at the given version."
    CloneDiffers "clone-differs" Refused "The source of a clone differs from a tenant of its template at its version."
    CopyRefused "copy-refused" Refused "A copy of a tenant would be incomplete or share objects with the original: large objects, an invalid index, or rows of tables in other schemas."
    NameInText "name-in-text" Refused "A schema cannot be renamed, since functions or other texts contain its name."
    TenantInUse "tenant-in-use" Refused "An object outside a dropped tenant depends on it: a view, a foreign key, a function, or rows of another table."
    HookFailed "hook-failed" Refused "The `after_create` command of a new tenant failed or took too long, so the tenant was removed."
    NotPoolable "not-poolable" Refused "Pool schemas of a template cannot be created, since a name or value in them would differ from the tenant's."
    TenantMoved "tenant-moved" Refused "A tenant was migrated or changed during its export, so the file was deleted."
    ImportNeeds "import-needs" Refused "The database lacks an extension, a role, a publication or a tablespace that an imported tenant needs."
    ImportDiffers "import-differs" Refused "The imported tenant differs from the exported one, so the import was rolled back."
    RegistryNotFound "registry-not-found" Refused "No registry of tenants was found in the database."
    RegistryInvalid "registry-invalid" Refused "The registry of tenants is not a table with the columns in the settings."
    UnitFailed "unit-failed" Refused "A statement failed; its unit was rolled back."
    StatementFailed "statement-failed" Refused "One of Tenure's own statements failed."
    UnsafeStrings "unsafe-strings" Refused "The database has `standard_conforming_strings` off, so the server parses strings differently from Tenure."
    PermissionDenied "permission-denied" Refused "The role lacks a privilege."
    TenantsBehind "tenants-behind" Refused "A platform step waits for tenants that have not reached its FROM version."
    WaitTimeout "wait-timeout" Refused "The platform or a tenant did not reach the version of `tenure wait` within its time limit."
    DiagramEmpty "diagram-empty" Refused "There is no table to draw: the files create none, or the database has none yet."
    BranchExists "branch-exists" Refused "A branch with that name already exists and was not created by Tenure, so it is neither used nor deleted."
    BranchCapacity "branch-capacity" Refused "The branch provider cannot create or start another branch, so nothing was verified."
    BranchBusy "branch-busy" Refused "The branch provider was busy until the time limit."
    BranchNotFound "branch-not-found" Refused "There is no branch with that name."
    BranchTarget "branch-target" Refused "The database to migrate is not the created branch, or the branch is a default or protected one."
    BranchNotReady "branch-not-ready" Refused "A new branch did not become ready: an operation failed, or it did not respond in time."
    BranchEmptyLedger "branch-empty-ledger" Refused "A branch has Tenure's tables without version rows, so it would be migrated from 0.0.0."
    BranchRefused "branch-refused" Refused "The branch provider refused a request."
    BranchInUse "branch-in-use" Refused "Other sessions are connected to the database to copy, and the server cannot copy a database in use."
    BranchAuth "branch-auth" Usage "The API key of the branch provider is missing, invalid, or lacks a permission."
    BranchApi "branch-api" Unreachable "The API of the branch provider could not be reached, or returned an invalid response."
    AuthenticationFailed "authentication-failed" Unreachable "The server refused the user: a wrong or missing password, or a rule in its `pg_hba.conf`."
    ServerUnreachable "server-unreachable" Unreachable "No server responds at the given address, or it refuses the connection."
    ConnectionLost "connection-lost" Unreachable "The connection was lost during an operation."
    PrivateServer "private-server" Unreachable "The private server could not be started or stopped."
    Interrupted "interrupted" Interrupted "The command was interrupted; work in progress was finished or rolled back."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_kebab_case_and_unique() {
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
