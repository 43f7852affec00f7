//! A tenant's role: its name, the statements that make it and give it its rights, and its password, which is sent
//! only as what it is checked against.

use postgres_protocol::password::scram_sha_256;
use rand::distr::{Alphanumeric, SampleString as _};

use crate::error::Failure;
use crate::ident::{Identifier, SchemaName, literal};
use crate::outcome::Password;
use crate::postgres::message::Message;
use crate::settings::Settings;
use crate::template::Template;

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
pub(super) struct Secret {
    pub(super) password: Password,
    verifier: String,
}

/// So many letters and digits: 190 bits.
const LENGTH: usize = 32;

impl Secret {
    /// Makes one, of the thread's generator, which is a cryptographic one that the system seeds.
    pub(super) fn make() -> Self {
        let password = Alphanumeric.sample_string(&mut rand::rng(), LENGTH);
        let verifier = scram_sha_256(password.as_bytes());
        Self { password: Password::new(password), verifier }
    }

    /// The verifier as SQL; NULL for none.
    pub(super) fn literal(secret: Option<&Self>) -> String {
        secret.map_or_else(|| "NULL".to_owned(), |secret| literal(&secret.verifier))
    }
}

/// The name of the role of the tenant of `schema`.
pub(super) fn name(settings: &Settings, schema: &SchemaName) -> Result<Identifier, Failure> {
    Ok(schema.role(&settings.tenants.role_prefix)?)
}

/// The role that the roles of all tenants of `template` are members of, where the template uses something of the
/// platform.
pub(super) fn group(settings: &Settings, template: &Template) -> Result<Option<Identifier>, Failure> {
    if template.uses.is_empty() {
        return Ok(None);
    }
    let prefix = &settings.tenants.role_prefix;
    let name = SchemaName::existing(format!("{}_{}", settings.platform_schema(), template.name))?;
    Ok(Some(name.role(prefix)?))
}

/// What of a schema a new role gets rights on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// What will be made in it: nothing is in it yet. To look for what is would take the longer the more tenants there
    /// are.
    Empty,
    /// What is in it, and what will be.
    Filled,
}

/// Adds the statements that make the role of a tenant and give it its rights. Its version row may come later.
pub(super) fn make(
    message: &mut Message,
    settings: &Settings,
    (schema, template, reach): (&SchemaName, &Template, Reach),
    (role, secret): (&Identifier, Option<&Secret>),
) -> Result<(), Failure> {
    let platform = settings.platform_schema().quoted();
    let (named, role) = (literal(schema.as_str()), literal(role.as_str()));
    let group = group(settings, template)?;
    if let Some(group) = &group {
        message.push(&format!(
            "SELECT {platform}.tenure_role_group({}, {})",
            literal(group.as_str()),
            literal(&uses(template).to_string())
        ));
    }
    message
        .push(&format!("SELECT {platform}.tenure_role_make({named}, {role}, {})", Secret::literal(secret)));
    let group = group.map_or_else(|| "NULL".to_owned(), |group| literal(group.as_str()));
    let gives = match reach {
        Reach::Empty => "tenure_role_cover",
        Reach::Filled => "tenure_role_grant",
    };
    message.push(&format!("SELECT {platform}.{gives}({named}, {role}, {group})"));
    Ok(())
}

/// What the template uses of the platform, as `tenure_role_group` reads it.
fn uses(template: &Template) -> serde_json::Value {
    let of_one = |a_use: &crate::chain::Use| {
        let rights: Vec<_> = a_use.rights.iter().map(|right| right.as_str()).collect();
        serde_json::json!({ "table": a_use.table, "rights": rights })
    };
    template.uses.iter().map(of_one).collect()
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
