//! Tenure's own tables and functions, which no file may change, and the exact forms of the statements that Tenure
//! executes itself and therefore removes from a file. Any other statement on these objects is an error, since neither
//! removing nor running it would be correct.

use squawk_syntax::SyntaxKind;

use super::names::NameRole;
use super::scope::ObjectLocation;
use super::script::{Script, Statement};
use super::transaction::{FileKind, MetadataFilter};
use super::tree::Node;
use super::{Name, SqlError, normalized};
use crate::error::Place;

/// The one table that files may name without a schema.
pub(super) const VERSION_TABLE: &str = "schema_version";

/// Tenure's own tables, in the platform schema.
pub const TABLES: &[&str] = &[
    VERSION_TABLE,
    "tenant_version",
    "migration_history",
    "migration_failure",
    "tenure_lock",
    "run",
    "tenure_schema_history",
];

/// The sequence of one of them.
pub const SEQUENCE: &str = "migration_history_id_seq";

/// Tenure's own functions, in the platform schema.
pub(super) const FUNCTIONS: &[&str] = &[
    "tenure_advance",
    "tenure_advance_platform",
    "tenure_dependents",
    "tenure_drop_tenant",
    "tenure_expect_no_dependents",
    "tenure_expect_platform",
    "tenure_follow_settings",
    "tenure_hold",
    "tenure_mark_run",
    "tenure_purge_some",
    "tenure_record",
    "tenure_refuse",
    "tenure_renamed_path",
    "tenure_role_drop",
    "tenure_role_droppable",
    "tenure_role_enable",
    "tenure_role_ensure",
    "tenure_role_expect_own",
    "tenure_role_follow",
    "tenure_role_free_name",
    "tenure_role_grant",
    "tenure_role_group",
    "tenure_role_login",
    "tenure_role_make",
    "tenure_role_mark",
    "tenure_role_of",
    "tenure_role_path",
    "tenure_role_remove",
    "tenure_role_rename",
    "tenure_take",
];

/// The nodes that name a table, not one of its constraints or columns.
const RELATIONS: &[SyntaxKind] = &[
    SyntaxKind::RELATION_NAME_REF,
    SyntaxKind::SEQUENCE,
    SyntaxKind::TABLE_NAME,
    SyntaxKind::TABLE_NAME_REF,
    SyntaxKind::VIEW,
];

/// These act on a table without changing its definition or its rows.
const HARMLESS: &[SyntaxKind] = &[
    SyntaxKind::ALTER_PUBLICATION,
    SyntaxKind::ANALYZE,
    SyntaxKind::COMMENT_ON,
    SyntaxKind::CREATE_INDEX,
    SyntaxKind::CREATE_PUBLICATION,
    SyntaxKind::CREATE_STATISTICS,
    SyntaxKind::GRANT,
    SyntaxKind::LOCK,
    SyntaxKind::REINDEX,
    SyntaxKind::REVOKE,
    SyntaxKind::SECURITY_LABEL,
    SyntaxKind::VACUUM,
];

/// The first of Tenure's own objects that `statement` creates, alters, drops or calls. `bare` returns whether an
/// unqualified name belongs to the platform.
pub(super) fn touched_own_object<'a>(
    statement: &'a Statement,
    platform: &str,
    bare: impl Fn(&Name) -> bool,
) -> Option<&'a Name> {
    let harmless = HARMLESS.contains(&statement.kind);
    let drops_schema = statement.kind == SyntaxKind::DROP_SCHEMA || statement.renames_schema;
    statement.names.iter().find(|name| {
        if matches!(name.kind, SyntaxKind::SCHEMA | SyntaxKind::SCHEMA_REF) {
            return drops_schema && name.role == NameRole::Target && name.name == platform;
        }
        let in_platform = match name.schema.as_deref() {
            Some(schema) => schema == platform,
            None => {
                !(name.role == NameRole::Created && statement.location == ObjectLocation::Session)
                    && bare(name)
            }
        };
        // Calling one of the functions changes Tenure's own tables.
        let is_function = FUNCTIONS.contains(&name.name.as_str());
        let is_call = name.kind == SyntaxKind::CALL_EXPR;
        let acts = name.role != NameRole::Referenced && !harmless;
        let is_table = TABLES.contains(&name.name.as_str()) && RELATIONS.contains(&name.kind);
        in_platform && ((acts && (is_table || is_function)) || (is_call && is_function))
    })
}

impl MetadataFilter<'_> {
    /// Whether Tenure executes the statement itself, so that it is removed from the file.
    pub(super) fn is_own_statement(
        &self,
        script: &Script,
        statement: &Statement,
        bare: impl Fn(&Name) -> bool,
    ) -> Result<bool, SqlError> {
        let node = statement.node(script);
        let place = script.place(statement);
        if statement.kind == SyntaxKind::CREATE_SCHEMA {
            let made = statement.names.iter().find(|name| name.kind == SyntaxKind::SCHEMA);
            return match made {
                Some(name) if name.name == self.platform || name.in_tenant_schema() => {
                    if is_plain_schema(node) { Ok(true) } else { Err(SqlError::SchemaStatement { place }) }
                }
                _ => Ok(false),
            };
        }
        let is_version_row =
            statement.names.iter().find(|name| name.role != NameRole::Referenced).is_some_and(|name| {
                match name.schema.as_deref() {
                    _ if name.name != VERSION_TABLE => false,
                    Some(schema) => schema == self.platform,
                    None => bare(name),
                }
            });
        if !is_version_row || self.file == FileKind::Template {
            return Ok(false);
        }
        let value = match statement.kind {
            SyntaxKind::CREATE_TABLE
                if statement.location == ObjectLocation::Schema && is_version_table(node) =>
            {
                return Ok(true);
            }
            SyntaxKind::UPDATE => updated_version(node),
            SyntaxKind::INSERT => inserted_version(node),
            SyntaxKind::CREATE_TABLE => None,
            _ => return Ok(false),
        };
        let values = value.ok_or(SqlError::VersionStatement { place })?;
        values.into_iter().try_for_each(|value| self.check_version(script, value)).map(|()| true)
    }

    /// Checks that the statement sets the version of the file.
    fn check_version(&self, script: &Script, value: Node<'_>) -> Result<(), SqlError> {
        let version_text = literal(value);
        match self.file {
            FileKind::Migration { version } if version_text.as_deref() != Some(version) => {
                Err(SqlError::VersionMismatch {
                    found: value.text().to_owned(),
                    expected: version.to_owned(),
                    place: Place::at(&script.source, value.span()),
                })
            }
            _ if version_text.is_none() => {
                Err(SqlError::VersionStatement { place: Place::at(&script.source, value.span()) })
            }
            _ => Ok(()),
        }
    }
}

/// Whether all children of `node` have one of these kinds.
fn only(node: Node<'_>, kinds: &[SyntaxKind]) -> bool {
    node.children().all(|child| kinds.contains(&child.kind()))
}

/// `CREATE SCHEMA [IF NOT EXISTS] name`
fn is_plain_schema(node: Node<'_>) -> bool {
    only(node, &[SyntaxKind::IF_NOT_EXISTS, SyntaxKind::NAMED_SCHEMA])
        && node.child(SyntaxKind::NAMED_SCHEMA).is_some_and(|named| only(named, &[SyntaxKind::SCHEMA]))
}

/// `CREATE TABLE [IF NOT EXISTS] schema_version (version …, applied_at …)`
fn is_version_table(node: Node<'_>) -> bool {
    use SyntaxKind::{CHECK_CONSTRAINT, COLUMN, PRIMARY_KEY_CONSTRAINT, UNIQUE_CONSTRAINT};
    let Some(list) = node.child(SyntaxKind::TABLE_ARG_LIST) else { return false };
    let columns: Vec<_> = list
        .children()
        .filter(|child| child.kind() == COLUMN)
        .map(|column| column.child(SyntaxKind::COLUMN_NAME).map(|name| named(name)))
        .collect();
    only(node, &[SyntaxKind::IF_NOT_EXISTS, SyntaxKind::TABLE_NAME, SyntaxKind::TABLE_ARG_LIST])
        && only(list, &[CHECK_CONSTRAINT, COLUMN, PRIMARY_KEY_CONSTRAINT, UNIQUE_CONSTRAINT])
        && !list.contains(&[SyntaxKind::REFERENCES_CONSTRAINT])
        && columns.iter().all(|name| matches!(name.as_deref(), Some("version" | "applied_at")))
        && columns.iter().any(|name| name.as_deref() == Some("version"))
}

/// The new version in `UPDATE [ONLY] schema_version [alias] SET version = …[, applied_at = …] [WHERE …]`; `None` for
/// any other statement.
fn updated_version(node: Node<'_>) -> Option<Vec<Node<'_>>> {
    let parts = [
        SyntaxKind::OPTIONAL_AS_ALIAS,
        SyntaxKind::RELATION_NAME,
        SyntaxKind::SET_CLAUSE,
        SyntaxKind::WHERE_CLAUSE,
    ];
    let set = node.child(SyntaxKind::SET_CLAUSE).filter(|_| only(node, &parts))?;
    let versions = set_versions(set)?;
    (versions.len() == 1).then_some(versions)
}

/// The new values of `version` in a SET clause; `None` if it sets columns other than `version` and `applied_at`.
fn set_versions(set: Node<'_>) -> Option<Vec<Node<'_>>> {
    let list = set.child(SyntaxKind::SET_COLUMN_LIST)?;
    let mut versions = Vec::new();
    for column in list.children() {
        let target = column.child(SyntaxKind::COLUMN_TARGET)?;
        let value = column.child(SyntaxKind::SET_EXPR)?;
        match column_of(target)?.as_str() {
            "version" => versions.push(value),
            "applied_at" => {}
            _ => return None,
        }
    }
    Some(versions)
}

/// The versions in `INSERT INTO schema_version [(version[, applied_at])] VALUES (…) [ON CONFLICT …]`; `None` for any
/// other statement.
fn inserted_version(node: Node<'_>) -> Option<Vec<Node<'_>>> {
    let parts = [
        SyntaxKind::COLUMN_TARGET_LIST,
        SyntaxKind::ON_CONFLICT_CLAUSE,
        SyntaxKind::RELATION_NAME_REF,
        SyntaxKind::REQUIRED_AS_ALIAS,
        SyntaxKind::VALUES,
    ];
    let values = node.child(SyntaxKind::VALUES).filter(|_| only(node, &parts))?;
    let rows = values.child(SyntaxKind::ROW_LIST).filter(|_| only(values, &[SyntaxKind::ROW_LIST]))?;
    let mut rows = rows.children();
    let (row, None) = (rows.next()?, rows.next()) else { return None };
    let row: Vec<_> = row.children().collect();
    let columns = match node.child(SyntaxKind::COLUMN_TARGET_LIST) {
        Some(list) => list.children().map(|target| column_of(target)).collect::<Option<Vec<_>>>()?,
        None => ["version", "applied_at"].map(str::to_owned).into_iter().take(row.len()).collect(),
    };
    if columns.len() != row.len() || columns.iter().any(|name| name != "version" && name != "applied_at") {
        return None;
    }
    let mut versions = vec![*row.get(columns.iter().position(|name| name == "version")?)?];
    if let Some(conflict) = node.child(SyntaxKind::ON_CONFLICT_CLAUSE)
        && let Some(update) = conflict.child(SyntaxKind::CONFLICT_DO_UPDATE_SET)
    {
        let set = update.child(SyntaxKind::SET_CLAUSE)?;
        let is_excluded = |value: Node<'_>| named(value) == "excluded.version";
        versions.extend(set_versions(set)?.into_iter().filter(|value| !is_excluded(*value)));
    }
    Some(versions)
}

/// The column that is set; `None` if only a field or element of it is set.
fn column_of(target: Node<'_>) -> Option<String> {
    only(target, &[SyntaxKind::COLUMN_NAME_REF]).then(|| named(target))
}

fn named(node: Node<'_>) -> String {
    normalized(node.text())
}

/// The content of `value` if it is a single string literal.
fn literal(value: Node<'_>) -> Option<String> {
    let mut tokens = value.tokens();
    let (token, None) = (tokens.next()?, tokens.next()) else { return None };
    let text = token.text;
    if let Some(rest) = text.strip_prefix('$') {
        let tag = &text[..rest.find('$')? + 2];
        return Some(text.strip_prefix(tag)?.strip_suffix(tag)?.to_owned());
    }
    let text = text.strip_prefix(['e', 'E']).unwrap_or(text);
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    // A version contains no quotes or escapes.
    (!inner.contains(['\'', '\\'])).then(|| inner.to_owned())
}

#[cfg(test)]
mod tests;
