//! A tenant's role: its name, the statements that make it and give it its rights, and its password, which is sent
//! only as what it is checked against.

use postgres_protocol::password::scram_sha_256;
use rand::distr::{Alphanumeric, SampleString as _};

use crate::chain::{TableUse, Version};
use crate::error::Failure;
use crate::ident::{Identifier, SchemaName, literal};
use crate::postgres::Row;
use crate::postgres::batch::SqlBatch;
use crate::project::Project;
use crate::settings::Settings;
use crate::template::Template;
use crate::tenant::Password;
use crate::tenant::provisioning::Role;

/// Whether a new tenant gets a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewRole {
    /// None; as on a server that is thrown away, or that others share.
    None,
    /// One that others may act as.
    Closed,
    /// One that may log in with a password.
    Login,
}

/// A password, and what the server checks one against (RFC 5803). No message, no log of the server holds the
/// password itself.
#[derive(Debug, Clone)]
pub(in crate::tenant) struct Secret {
    pub(in crate::tenant) password: Password,
    verifier: String,
}

/// So many letters and digits: 190 bits.
const LENGTH: usize = 32;

impl Secret {
    /// Makes one, of the thread's generator, which is a cryptographic one that the system seeds.
    pub(in crate::tenant) fn make() -> Self {
        let password = Alphanumeric.sample_string(&mut rand::rng(), LENGTH);
        let verifier = scram_sha_256(password.as_bytes());
        Self { password: Password::new(password), verifier }
    }

    /// The verifier as SQL; NULL for none.
    pub(in crate::tenant) fn literal(secret: Option<&Self>) -> String {
        secret.map_or_else(|| "NULL".to_owned(), |secret| literal(&secret.verifier))
    }
}

/// The name of the role of a tenant that is made by other means than `tenant create`, where tenants get roles.
pub(in crate::tenant) fn usual(settings: &Settings, schema: &SchemaName) -> Result<Option<Role>, Failure> {
    if settings.tenants.roles { Ok(Some((settings.tenant_role(schema)?, None))) } else { Ok(None) }
}

/// The column of the role that was closed or opened.
const TURNED: &str = "tenure_role";

/// The statement that closes the role of a tenant, or opens it again if it may log in; the schema is an expression.
pub(in crate::tenant) fn turning(platform: &SchemaName, schema: &str, opens: bool) -> String {
    format!("SELECT {}.tenure_role_turn({schema}, {opens}) AS {TURNED}", platform.quoted())
}

/// The role that was turned, if there is one.
pub(in crate::tenant) fn turned(sets: &[Vec<Row>]) -> Option<String> {
    sets.iter().flatten().find_map(|row| row.optional_text(TURNED).ok().flatten())
}

/// The statement that gives the role of a tenant, if it has one, another name.
pub(in crate::tenant) fn renaming(platform: &SchemaName, schema: &SchemaName, role: &Identifier) -> String {
    let (schema, role) = (literal(schema.as_str()), literal(role.as_str()));
    format!("SELECT {}.tenure_role_rename({schema}, {role})", platform.quoted())
}

/// The statement that makes sure that the role of a tenant can be dropped with it.
pub(in crate::tenant) fn looking(platform: &SchemaName, schema: &SchemaName) -> String {
    format!("SELECT {}.tenure_role_goes({})", platform.quoted(), literal(schema.as_str()))
}

/// The statement that drops the role of a tenant, if it has one, once its schema is gone.
pub(in crate::tenant) fn dropping(platform: &SchemaName, schema: &SchemaName) -> String {
    format!("SELECT {}.tenure_role_drop({})", platform.quoted(), literal(schema.as_str()))
}

/// What the tenants of a template use of the platform, and the role that has the rights: their own are members of it.
struct Group {
    name: Identifier,
    uses: serde_json::Value,
}

impl Group {
    /// That of the tenants of `template` while the platform is at `version`; none where they use nothing of it.
    fn of(project: &Project, template: &Template, version: &Version) -> Result<Option<Self>, Failure> {
        let uses = template.uses_at(&project.chain, version);
        if uses.is_empty() {
            return Ok(None);
        }
        let settings = &project.settings;
        let name = SchemaName::existing(format!("{}_{}", settings.platform_schema(), template.name))?;
        let of_one = |a_use: &TableUse| {
            let rights: Vec<_> = a_use.privileges.iter().map(|right| right.as_str()).collect();
            serde_json::json!({ "table": a_use.table, "rights": rights })
        };
        Ok(Some(Self {
            name: name.role(&settings.tenants.role_prefix)?,
            uses: uses.into_iter().map(of_one).collect(),
        }))
    }
}

/// What of a schema a new role gets rights on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tenant) enum Reach {
    /// What will be made in it: nothing is in it yet. To look for what is would take the longer the more tenants there
    /// are.
    Empty,
    /// What is in it, and what will be.
    Filled,
}

/// Whose role it is, and when.
pub(in crate::tenant) struct Owner<'a> {
    /// The tenant's schema.
    pub(in crate::tenant) schema: &'a SchemaName,
    /// The template that it was made from.
    pub(in crate::tenant) template: &'a Template,
    /// Where the platform is.
    pub(in crate::tenant) version: &'a Version,
    /// Of the schema.
    pub(in crate::tenant) reach: Reach,
}

/// Adds the statements that make the role of a tenant and give it its rights. Its version row may come later.
pub(in crate::tenant) fn make(
    message: &mut SqlBatch,
    project: &Project,
    owner: &Owner<'_>,
    (role, secret): (&Identifier, Option<&Secret>),
) -> Result<(), Failure> {
    let platform = project.settings.platform_schema().quoted();
    let (named, role) = (literal(owner.schema.as_str()), literal(role.as_str()));
    let group = Group::of(project, owner.template, owner.version)?;
    if let Some(group) = &group {
        message.push(&format!(
            "SELECT {platform}.tenure_role_group({}, {})",
            literal(group.name.as_str()),
            literal(&group.uses.to_string())
        ));
    }
    message
        .push(&format!("SELECT {platform}.tenure_role_make({named}, {role}, {})", Secret::literal(secret)));
    let group = group.map_or_else(|| "NULL".to_owned(), |group| literal(group.name.as_str()));
    let gives = match owner.reach {
        Reach::Empty => "tenure_role_cover",
        Reach::Filled => "tenure_role_grant",
    };
    message.push(&format!("SELECT {platform}.{gives}({named}, {role}, {group})"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_long_and_no_other_and_stands_in_no_statement() {
        let (one, other) = (Secret::make(), Secret::make());
        let password = one.password.reveal();
        assert!(password.len() >= 24 && password.bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_ne!(password, other.password.reveal());
        let statement = Secret::literal(Some(&one));
        assert!(statement.starts_with("'SCRAM-SHA-256$4096:") && !statement.contains(password));
        assert!(!format!("{one:?}").contains(password), "nor does Debug show it");
    }
}
