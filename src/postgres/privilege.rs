//! The statement that gives a role the privilege that it lacks, from the server's message.

use crate::ident::Identifier;
use crate::sql::shortest_form;

/// The kinds of objects in messages of the server (`aclcheck_error` in its source), with the privileges that migrations and the
/// platform need on them (manual, chapter 5.8) and the word of GRANT.
const KINDS: &[(&str, &str, &str)] = &[
    ("database", "CONNECT, CREATE, TEMPORARY", "DATABASE"),
    ("domain", "USAGE", "DOMAIN"),
    ("foreign server", "USAGE", "FOREIGN SERVER"),
    ("foreign table", "ALL", "TABLE"),
    ("foreign-data wrapper", "USAGE", "FOREIGN DATA WRAPPER"),
    ("function", "EXECUTE", "FUNCTION"),
    ("language", "USAGE", "LANGUAGE"),
    ("large object", "SELECT, UPDATE", "LARGE OBJECT"),
    ("materialized view", "ALL", "TABLE"),
    ("procedure", "EXECUTE", "PROCEDURE"),
    ("schema", "USAGE, CREATE", "SCHEMA"),
    ("sequence", "ALL", "SEQUENCE"),
    ("table", "ALL", "TABLE"),
    ("tablespace", "CREATE", "TABLESPACE"),
    ("type", "USAGE", "TYPE"),
    ("view", "ALL", "TABLE"),
];

/// The hint for an error with the SQLSTATE 42501. The message is parsed in English only; any other gets a general hint.
pub(super) fn hint(message: &str, role: Option<&str>) -> String {
    let role = role.map_or_else(|| "the role".to_owned(), quoted);
    if let Some(object) = message.strip_prefix("permission denied for ") {
        let matches = |(kind, privileges, word): &(&str, &str, &str)| {
            let name = object.strip_prefix(kind)?.strip_prefix(' ')?;
            let name = if *kind == "large object" { name.to_owned() } else { quoted(name) };
            Some(format!("the owner or a superuser can run `GRANT {privileges} ON {word} {name} TO {role}`"))
        };
        if let Some(hint) = KINDS.iter().find_map(matches) {
            return hint;
        }
    }
    if let Some(object) = message.strip_prefix("must be owner of ") {
        return format!(
            "connect as the owner of {object}, or make {role} a member of the owner: `GRANT owner TO {role}`"
        );
    }
    if message.starts_with("permission denied to create role") {
        return format!("a superuser can run `ALTER ROLE {role} CREATEROLE`");
    }
    if message.starts_with("permission denied to create extension") || message.contains("superuser") {
        return "only a superuser, or a role that your provider names, may do this".to_owned();
    }
    format!("grant the privilege to {role}, or connect as another role")
}

/// The name as SQL. A message may contain more than a name.
fn quoted(name: &str) -> String {
    Identifier::new(name).map_or_else(|_| name.to_owned(), |name| shortest_form(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_names_the_grant() {
        let hint = |message| hint(message, Some("app"));
        assert_eq!(
            hint("permission denied for schema org_acme"),
            "the owner or a superuser can run `GRANT USAGE, CREATE ON SCHEMA org_acme TO app`"
        );
        assert_eq!(
            hint("permission denied for table Odd \"name"),
            "the owner or a superuser can run `GRANT ALL ON TABLE \"Odd \"\"name\" TO app`"
        );
        assert!(hint("permission denied for foreign-data wrapper w").contains("ON FOREIGN DATA WRAPPER w "));
        assert!(hint("permission denied for materialized view v").contains("ON TABLE v "));
        assert!(hint("must be owner of table users").contains("the owner of table users"));
        assert!(hint("permission denied to create role").contains("ALTER ROLE app CREATEROLE"));
        assert_eq!(hint("keine Berechtigung"), "grant the privilege to app, or connect as another role");
    }
}
