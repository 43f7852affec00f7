//! A tenant's role: its name, the statements that create it and grant its privileges, and its password, which is sent only as a
//! SCRAM verifier.

use postgres_protocol::password::scram_sha_256;
use rand::distr::{Alphanumeric, SampleString as _};

use crate::chain::{TableUse, Version};
use crate::error::Failure;
use crate::ident::{Identifier, SchemaName, literal};
use crate::postgres::batch::SqlBatch;
use crate::postgres::metadata::roles;
pub(in crate::tenant) use crate::postgres::metadata::roles::Reach;
use crate::postgres::{Connection, Row};
use crate::project::Project;
use crate::settings::Settings;
use crate::template::Template;
use crate::tenant::Password;
use crate::tenant::provisioning::Role;

/// The role of a new tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewRole {
    /// No role; for throwaway servers.
    None,
    /// A role without login.
    Closed,
    /// A role that can log in with a password.
    Login,
}

/// A password and its SCRAM verifier (RFC 5803). Only the verifier is sent, so no server log contains the password.
#[derive(Debug, Clone)]
pub(crate) struct Secret {
    pub(crate) password: Password,
    verifier: String,
}

/// The length of a password: 32 letters and digits, 190 bits.
const LENGTH: usize = 32;

impl Secret {
    /// Generates one with the thread's generator, which is cryptographically secure.
    pub(crate) fn make() -> Self {
        let password = Alphanumeric.sample_string(&mut rand::rng(), LENGTH);
        let verifier = scram_sha_256(password.as_bytes());
        Self { password: Password::new(password), verifier }
    }

    /// The verifier as an SQL literal; NULL for `None`.
    pub(crate) fn literal(secret: Option<&Self>) -> String {
        secret.map_or_else(|| "NULL".to_owned(), |secret| literal(&secret.verifier))
    }
}

/// The role of a tenant that is not created by `tenant create`, if tenants have roles.
pub(in crate::tenant) fn usual(settings: &Settings, schema: &SchemaName) -> Result<Option<Role>, Failure> {
    if settings.tenants.roles { Ok(Some((settings.tenant_role(schema)?, None))) } else { Ok(None) }
}

/// The role that such a statement changed, if any.
pub(in crate::tenant) fn name(sets: &[Vec<Row>]) -> Option<String> {
    sets.iter().flatten().find_map(|row| row.optional_text(roles::ROLE).ok().flatten())
}

/// The group role with the privileges of a template's tenants on platform objects; the tenants' roles are members of it.
struct Group {
    name: Identifier,
    uses: serde_json::Value,
}

impl Group {
    /// The group of the tenants of `template`, with the platform at `version`; `None` if they use no platform object.
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

/// The tenant that owns a role.
pub(in crate::tenant) struct Owner<'a> {
    /// The tenant's schema.
    pub(in crate::tenant) schema: &'a SchemaName,
    /// The template that it was created from.
    pub(in crate::tenant) template: &'a Template,
    /// The platform's version.
    pub(in crate::tenant) version: &'a Version,
    /// Whether the schema has objects.
    pub(in crate::tenant) reach: Reach,
}

/// Adds the statements that create the role of a tenant and grant its privileges. The version row may be inserted later.
pub(in crate::tenant) fn make(
    message: &mut SqlBatch,
    project: &Project,
    owner: &Owner<'_>,
    (role, secret): (&Identifier, Option<&Secret>),
) -> Result<(), Failure> {
    let group = Group::of(project, owner.template, owner.version)?;
    let group = group.as_ref().map(|group| roles::Group { name: &group.name, uses: &group.uses });
    let verifier = Secret::literal(secret);
    let platform = project.settings.platform_schema();
    message.push_each(&roles::make(&platform, (owner.schema, owner.reach), (role, &verifier), group));
    Ok(())
}

/// Adds the statements that give the role of the dropped tenant, whose schema is an expression, to another one.
pub(in crate::tenant) fn hand_over(
    message: &mut SqlBatch,
    project: &Project,
    owner: &Owner<'_>,
    (role, dropped): (&Identifier, &str),
) -> Result<(), Failure> {
    let group = Group::of(project, owner.template, owner.version)?;
    let group = group.as_ref().map(|group| roles::Group { name: &group.name, uses: &group.uses });
    let platform = project.settings.platform_schema();
    message.push_each(&roles::hand_over(&platform, dropped, owner.schema, (role, group)));
    Ok(())
}

/// The roles of tenants with these schemas, and the group roles of all templates.
pub fn role_names<'a>(
    project: &Project,
    schemas: impl IntoIterator<Item = &'a SchemaName>,
) -> Result<Vec<Identifier>, Failure> {
    let mut names = Vec::new();
    for schema in schemas {
        names.push(project.settings.tenant_role(schema)?);
    }
    for template in project.templates.values() {
        let group = Group::of(project, template, &project.chain.latest())?;
        names.extend(group.map(|group| group.name));
    }
    Ok(names)
}

/// Gives the tenant of `schema`, which has none, its role. The role, and the group role of the template, must exist.
pub async fn give_existing_role(
    connection: &mut Connection,
    project: &Project,
    schema: &SchemaName,
    (template, version): (&Template, &Version),
) -> Result<(), Failure> {
    let role = project.settings.tenant_role(schema)?;
    let group = Group::of(project, template, version)?;
    let group = group.as_ref().map(|group| roles::Group { name: &group.name, uses: &group.uses });
    let platform = project.settings.platform_schema();
    let statements = roles::make_from_existing(&platform, schema, &role, group);
    let done = connection.run(&statements.join("; ")).await;
    done.map_err(|server_error| server_error.failure_on(schema, "granting the tenant's role its privileges"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_long_and_unique_and_in_no_statement() {
        let (one, other) = (Secret::make(), Secret::make());
        let password = one.password.reveal();
        assert!(password.len() >= 24 && password.bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_ne!(password, other.password.reveal());
        let statement = Secret::literal(Some(&one));
        assert!(statement.starts_with("'SCRAM-SHA-256$4096:") && !statement.contains(password));
        assert!(!format!("{one:?}").contains(password), "nor does Debug show it");
    }
}
