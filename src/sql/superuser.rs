//! Statements that need a superuser but run no code. On a shadow, a superuser can run them for a role that has no more rights
//! than the owner of a database.
//!
//! **Invariant:** such a statement gives nobody the rights of a superuser, and runs no function of the project. What is not
//! certain is not in the list.

use squawk_syntax::SyntaxKind;

use super::tree::{Node, Token};
use super::{Script, normalized};
use crate::error::Source;

/// Words in a statement on roles that give a right, or that mean roles which the statement does not name.
const REFUSED_WORDS: &[&str] =
    &["all", "createrole", "createuser", "current_role", "public", "replication", "superuser"];

/// The words for the role of the session. It may become a member of a role, but no role may become a member of it.
const OWN_ROLE: &[&str] = &["current_user", "session_user"];

/// A statement that a superuser may run for another role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SuperuserStatement {
    /// It creates, changes or drops roles of the project, or changes their memberships.
    Roles {
        /// The role that it creates.
        created: Option<String>,
    },
    /// It gives an object to a role of the project.
    Owner,
    /// It changes only the catalog.
    Catalog,
}

impl SuperuserStatement {
    /// Reads `text`, one statement as it is sent. `reserved` are the roles of the server that are not the project's.
    pub fn of(text: &str, reserved: &[&str]) -> Option<Self> {
        let text = text.trim_end();
        let text = text.strip_suffix(';').unwrap_or(text);
        let script = Script::parse(Source::new("", text)).ok()?;
        let [statement] = script.statements.as_slice() else { return None };
        let node = statement.node(&script);
        if is_on_roles(node) {
            return (is_plain(text, node) && names_only_project_roles(node, reserved)).then(|| {
                let creates = matches!(
                    node.kind(),
                    SyntaxKind::CREATE_GROUP | SyntaxKind::CREATE_ROLE | SyntaxKind::CREATE_USER
                );
                let created = words(node).nth(2).filter(|_| creates);
                Self::Roles { created: created.map(|token| normalized(token.text)) }
            });
        }
        if !is_plain(text, node) {
            return None;
        }
        if only_changes_owner(node) && names_only_project_roles(node, reserved) {
            return Some(Self::Owner);
        }
        changes_only_catalog(node).then_some(Self::Catalog)
    }
}

/// The roles that the code in `text` creates, as far as its words show.
pub fn roles_created_by_code(text: &str) -> Vec<String> {
    let is_word = |sign: char| sign.is_alphanumeric() || "_\"".contains(sign);
    let words: Vec<&str> = text.split(|sign| !is_word(sign)).filter(|word| !word.is_empty()).collect();
    let is = |word: &str, any: &[&str]| any.iter().any(|one| one.eq_ignore_ascii_case(word));
    let created = words.windows(3).filter(|three| {
        is(three[0], &["create"]) && is(three[1], &["role", "user", "group"]) && !three[2].starts_with("pg_")
    });
    created.map(|three| normalized(three[2])).collect()
}

fn is_on_roles(node: Node<'_>) -> bool {
    use SyntaxKind::{
        ALTER_GROUP, ALTER_ROLE, ALTER_USER, COMMENT_ON, CREATE_GROUP, CREATE_ROLE, CREATE_USER, DROP_GROUP,
        DROP_ROLE, DROP_USER, GRANT, ON_KW, REVOKE, ROLE_KW,
    };
    match node.kind() {
        ALTER_GROUP | ALTER_ROLE | ALTER_USER | CREATE_GROUP | CREATE_ROLE | CREATE_USER | DROP_GROUP
        | DROP_ROLE | DROP_USER => true,
        // Without an object it grants or revokes membership in a role.
        GRANT | REVOKE => !node.tokens().any(|token| token.kind == ON_KW),
        COMMENT_ON => words(node).nth(2).is_some_and(|token| token.kind == ROLE_KW),
        _ => false,
    }
}

/// Whether the server certainly reads the same tokens: no comment, and only names, numbers, operators and simple strings.
fn is_plain(text: &str, node: Node<'_>) -> bool {
    let is_simple = |token: &str| match token.as_bytes() {
        [b'\'', inner @ .., b'\''] => !inner.contains(&b'\'') && !inner.contains(&b'\\'),
        [b'"', inner @ .., b'"'] => !inner.is_empty() && !inner.iter().any(|sign| b"\"'\\".contains(sign)),
        [b',' | b'(' | b')'] => true,
        _ if token.chars().all(|sign| "<>=~!@#%^&|?+*/-".contains(sign)) => {
            !token.contains("--") && !token.contains("/*")
        }
        _ => token.chars().all(|sign| sign.is_alphanumeric() || "_.".contains(sign)),
    };
    let without_space = |text: &str| text.split_whitespace().collect::<String>();
    let tokens: String = node.tokens().map(|token| token.text).collect();
    node.tokens().all(|token| is_simple(token.text)) && without_space(&tokens) == without_space(text)
}

/// The tokens that are names or key words.
fn words(node: Node<'_>) -> impl Iterator<Item = Token<'_>> {
    let is_word = |text: &str| text.starts_with(|sign: char| sign.is_alphabetic() || "_\"".contains(sign));
    node.tokens().filter(move |token| is_word(token.text))
}

/// Whether all roles in the statement are the project's, and no option gives a right.
fn names_only_project_roles(node: Node<'_>, reserved: &[&str]) -> bool {
    let is_grant = node.kind() == SyntaxKind::GRANT;
    let mut is_after_to = false;
    words(node).all(|token| {
        is_after_to |= token.kind == SyntaxKind::TO_KW;
        let word = normalized(token.text);
        !REFUSED_WORDS.contains(&word.as_str())
            && !reserved.contains(&word.as_str())
            && !word.starts_with("pg_")
            && (!OWN_ROLE.contains(&word.as_str()) || (is_grant && is_after_to))
    })
}

/// Whether the new owner is all that the statement changes, and no function runs with the rights of the new owner because of it.
fn only_changes_owner(node: Node<'_>) -> bool {
    use SyntaxKind::{
        ALTER_AGGREGATE, ALTER_DOMAIN, ALTER_FUNCTION, ALTER_MATERIALIZED_VIEW, ALTER_PROCEDURE,
        ALTER_ROUTINE, ALTER_SCHEMA, ALTER_SEQUENCE, ALTER_TABLE, ALTER_TYPE, ALTER_VIEW, COMMA, OWNER_KW,
        TO_KW,
    };
    let tokens: Vec<Token<'_>> = node.tokens().collect();
    let ends = matches!(tokens.as_slice(), [.., owner, to, _] if owner.kind == OWNER_KW && to.kind == TO_KW);
    let has_comma = tokens.iter().any(|token| token.kind == COMMA);
    ends && match node.kind() {
        ALTER_AGGREGATE | ALTER_FUNCTION | ALTER_PROCEDURE | ALTER_ROUTINE => true,
        // Without a comma there is one action.
        ALTER_DOMAIN
        | ALTER_MATERIALIZED_VIEW
        | ALTER_SCHEMA
        | ALTER_SEQUENCE
        | ALTER_TABLE
        | ALTER_TYPE
        | ALTER_VIEW => !has_comma,
        _ => false,
    }
}

fn changes_only_catalog(node: Node<'_>) -> bool {
    use SyntaxKind::{
        ALTER_FUNCTION, ALTER_OPERATOR_FAMILY, ALTER_PROCEDURE, ALTER_PUBLICATION, ALTER_ROUTINE,
        CREATE_OPERATOR_CLASS, CREATE_OPERATOR_FAMILY, CREATE_PUBLICATION, DROP_OPERATOR_CLASS,
        DROP_OPERATOR_FAMILY, LEAKPROOF_KW, OWNER_KW, SET_KW,
    };
    let has = |kind| node.tokens().any(|token| token.kind == kind);
    // A new owner would run functions with its rights.
    !has(OWNER_KW)
        && match node.kind() {
            ALTER_OPERATOR_FAMILY
            | ALTER_PUBLICATION
            | CREATE_OPERATOR_CLASS
            | CREATE_OPERATOR_FAMILY
            | CREATE_PUBLICATION
            | DROP_OPERATOR_CLASS
            | DROP_OPERATOR_FAMILY => true,
            ALTER_FUNCTION | ALTER_PROCEDURE | ALTER_ROUTINE => has(LEAKPROOF_KW) && !has(SET_KW),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<SuperuserStatement> {
        SuperuserStatement::of(text, &["tenure", "shadow_login"])
    }

    #[test]
    fn statements_on_the_projects_roles_are_accepted() {
        for text in [
            "CREATE USER \"App\" WITH PASSWORD 'x'",
            "CREATE GROUP readers",
            "ALTER ROLE app NOSUPERUSER NOCREATEROLE CONNECTION LIMIT -1",
            "ALTER ROLE app SET search_path = a, b",
            "ALTER USER app VALID UNTIL '2030-01-01'",
            "DROP ROLE IF EXISTS app, readers",
            "GRANT readers TO app, CURRENT_USER WITH ADMIN OPTION",
            "REVOKE readers FROM app",
            "COMMENT ON ROLE app IS 'reads'",
        ] {
            assert!(matches!(of(text), Some(SuperuserStatement::Roles { .. })), "{text}");
        }
        assert_eq!(
            of("CREATE ROLE App"),
            Some(SuperuserStatement::Roles { created: Some("app".to_owned()) })
        );
    }

    #[test]
    fn statements_that_give_rights_are_refused() {
        for text in [
            "CREATE ROLE app SUPERUSER",
            "CREATE ROLE app CREATEROLE",
            "CREATE USER app REPLICATION",
            "ALTER ROLE app WITH LOGIN \"superuser\"",
            "ALTER USER ALL SET session_preload_libraries = 'x'",
            "ALTER ROLE CURRENT_USER SUPERUSER",
            "ALTER ROLE session_user SET x.y = 'z'",
            "GRANT pg_execute_server_program TO app",
            "GRANT \"pg_read_server_files\" TO CURRENT_USER",
            "GRANT U&\"p\\0067_read_server_files\" TO app",
            "GRANT tenure TO app",
            "GRANT \"tenure\" TO app",
            "GRANT Shadow_Login TO app",
            "CREATE ROLE app IN ROLE tenure",
            "CREATE ROLE app ROLE shadow_login",
            "CREATE ROLE app ADMIN current_user",
            "ALTER ROLE app /* ; */ SUPERUSER",
            "CREATE ROLE app PASSWORD E'a\\'b'",
            "CREATE ROLE app -- a\nLOGIN",
            "CREATE ROLE app; SELECT 1",
            "GRANT SELECT ON t TO app",
            "SELECT 1",
            "DO 'x'",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn a_new_owner_is_a_role_of_the_project() {
        for text in ["ALTER TABLE a.t OWNER TO app", "ALTER FUNCTION f(int, text) OWNER TO \"App\""] {
            assert_eq!(of(text), Some(SuperuserStatement::Owner), "{text}");
        }
        for text in [
            "ALTER TABLE t OWNER TO tenure",
            "ALTER TABLE t OWNER TO CURRENT_USER",
            "ALTER TABLE t ADD COLUMN c int DEFAULT f(), OWNER TO app",
            "ALTER TABLE t OWNER TO pg_read_server_files",
            "ALTER EVENT TRIGGER e OWNER TO app",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn roles_in_code_are_found() {
        let code =
            "DO $$BEGIN IF NOT EXISTS (SELECT) THEN CREATE ROLE app; create user \"B\" LOGIN; END IF; END$$";
        assert_eq!(roles_created_by_code(code), ["app", "B"]);
    }

    #[test]
    fn statements_that_change_only_the_catalog_are_accepted() {
        for text in [
            "CREATE PUBLICATION p FOR ALL TABLES",
            "ALTER FUNCTION f(int) LEAKPROOF",
            "CREATE OPERATOR CLASS c FOR TYPE t USING btree AS OPERATOR 1 <",
        ] {
            assert_eq!(of(text), Some(SuperuserStatement::Catalog), "{text}");
        }
        for text in [
            "CREATE FUNCTION f() RETURNS int LEAKPROOF LANGUAGE sql AS 'SELECT 1'",
            "ALTER FUNCTION f() OWNER TO tenure",
            "ALTER FUNCTION f() LEAKPROOF SET x.y = 'z'",
            "ALTER PUBLICATION p OWNER TO tenure",
            "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()",
            "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
