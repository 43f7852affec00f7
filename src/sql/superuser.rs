//! Statements that need a superuser but run no code. On a shadow, a superuser can run them for a role that has no more rights
//! than the owner of a database.
//!
//! **Invariant:** such a statement gives nobody the rights of a superuser, and runs no function of the project. What is not
//! certain is not in the list.

use squawk_syntax::SyntaxKind;

use super::tree::{Node, Token};
use super::{Script, normalized};
use crate::error::Source;
use crate::ident::Identifier;

/// Words in a statement on roles that give a right, or that mean roles which the statement does not name.
const REFUSED_WORDS: &[&str] =
    &["all", "createrole", "createuser", "current_role", "public", "replication", "superuser"];

/// The words for the role of the session. It may become a member of a role, but no role may become a member of it.
const OWN_ROLE: &[&str] = &["current_user", "session_user"];

/// A statement that a superuser may run for another role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuperuserStatement {
    /// What it does.
    pub kind: SuperuserAction,
    /// A statement that fails unless the current role may make the same change of an object or a setting of its own.
    pub check: Option<String>,
    /// Its names and key words.
    pub words: Vec<String>,
    /// Its tokens, without comments.
    tokens: Vec<String>,
}

/// The action of such a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SuperuserAction {
    /// It creates, changes or drops roles of the project, or changes their memberships.
    Roles {
        /// The role that it creates.
        created: Option<String>,
    },
    /// It gives an object to a role of the project.
    Owner,
    /// It changes only the catalog.
    Catalog {
        /// The objects that it creates, each with its kind.
        created: Vec<String>,
    },
    /// It creates an operator class or family, which the server uses without a check of the types.
    OperatorClass {
        /// The objects that it creates, each with its kind.
        created: Vec<String>,
    },
}

impl SuperuserStatement {
    /// Reads `text`, one statement as it is sent. `reserved` are the roles of the server that are not the project's.
    pub fn of(text: &str, reserved: &[&str]) -> Option<Self> {
        let text = text.trim_end();
        let script = Script::parse(Source::new("", text.strip_suffix(';').unwrap_or(text))).ok()?;
        let [statement] = script.statements.as_slice() else { return None };
        let node = statement.node(&script);
        if !node.tokens().all(|token| is_plain(token.text)) {
            return None;
        }
        let is_own = || names_only_project_roles(node, reserved);
        let (kind, check) = if is_on_roles(node) {
            let creates = matches!(
                node.kind(),
                SyntaxKind::CREATE_GROUP | SyntaxKind::CREATE_ROLE | SyntaxKind::CREATE_USER
            );
            let created = words(node).nth(2).filter(|_| creates).map(|token| normalized(token.text));
            is_own().then_some((SuperuserAction::Roles { created }, setting_check(node)))?
        } else if only_changes_owner(node) {
            is_own().then_some((SuperuserAction::Owner, Some(owner_check(node))))?
        } else if sets_leakproof(node) {
            (SuperuserAction::Catalog { created: Vec::new() }, Some(owner_check(node)))
        } else {
            let created = created_objects(node);
            match node.kind() {
                SyntaxKind::CREATE_OPERATOR_CLASS | SyntaxKind::CREATE_OPERATOR_FAMILY => {
                    (SuperuserAction::OperatorClass { created }, None)
                }
                SyntaxKind::CREATE_PUBLICATION if publishes_by_name(node) => {
                    (SuperuserAction::Catalog { created }, None)
                }
                _ => return None,
            }
        };
        let tokens = node.tokens().map(|token| token.text.to_owned()).collect();
        let words = words(node).map(|token| normalized(token.text)).collect();
        Some(Self { kind, check, words, tokens })
    }

    /// The statements that a superuser runs for the role `own`, in one transaction. They give it the objects.
    pub fn for_role(&self, own: &Identifier) -> Vec<String> {
        let own = own.quoted();
        let is_own = |token: &str| OWN_ROLE.contains(&token.to_ascii_lowercase().as_str());
        let tokens = self.tokens.iter().map(|token| if is_own(token) { &own } else { token });
        let mut statements = vec![tokens.map(String::as_str).collect::<Vec<_>>().join(" ")];
        match &self.kind {
            SuperuserAction::Roles { created: Some(created) } => {
                // A role that creates another one may use it, too.
                let created = created.replace('"', "\"\"");
                statements.push(format!("GRANT \"{created}\" TO {own} WITH ADMIN OPTION"));
            }
            SuperuserAction::Catalog { created } | SuperuserAction::OperatorClass { created }
                if !created.is_empty() =>
            {
                // Only a superuser may own some of them. The others do not see this, since the transaction is open.
                statements.push(format!("ALTER ROLE {own} SUPERUSER"));
                statements.extend(created.iter().map(|object| format!("ALTER {object} OWNER TO {own}")));
                statements.push(format!("ALTER ROLE {own} NOSUPERUSER"));
            }
            SuperuserAction::Roles { created: None }
            | SuperuserAction::Owner
            | SuperuserAction::Catalog { .. }
            | SuperuserAction::OperatorClass { .. } => {}
        }
        statements
    }
}

/// The objects that the statement creates, as in an ALTER statement.
fn created_objects(node: Node<'_>) -> Vec<String> {
    use SyntaxKind::{CREATE_OPERATOR_CLASS, CREATE_PUBLICATION, DEFAULT_KW, FAMILY_KW, FOR_KW, USING_KW};
    let tokens: Vec<Token<'_>> = node.tokens().collect();
    if node.kind() == CREATE_PUBLICATION {
        return tokens.get(2).map(|name| format!("PUBLICATION {}", name.text)).into_iter().collect();
    }
    // CREATE OPERATOR CLASS|FAMILY name
    let rest = tokens.iter().skip(3);
    let name = rest.take_while(|token| !matches!(token.kind, DEFAULT_KW | FOR_KW | USING_KW));
    let name = name.map(|token| token.text).collect::<String>();
    let Some(method) = tokens.iter().skip_while(|token| token.kind != USING_KW).nth(1) else {
        return Vec::new();
    };
    let object = |kind: &str| format!("OPERATOR {kind} {name} USING {}", method.text);
    let is_class = node.kind() == CREATE_OPERATOR_CLASS;
    // A class without a family gets one of its name.
    let has_family = is_class && tokens.iter().any(|token| token.kind == FAMILY_KW);
    let of_class = is_class.then(|| object("CLASS"));
    of_class.into_iter().chain((!has_family).then(|| object("FAMILY"))).collect()
}

/// `FOR ALL TABLES` or `FOR TABLES IN SCHEMA`, without the condition of a table: the server reads a literal in it as a value of the
/// column's type, which may check it with a function of the project.
fn publishes_by_name(node: Node<'_>) -> bool {
    use SyntaxKind::{TABLE_KW, WHERE_KW};
    !node.tokens().any(|token| matches!(token.kind, TABLE_KW | WHERE_KW))
}

/// `ALTER ROLE name SET …` for the current role, which may change only those of its own settings that it may set in a session.
fn setting_check(node: Node<'_>) -> Option<String> {
    use SyntaxKind::{ALTER_ROLE, ALTER_USER, SET_KW};
    let sets = node.tokens().any(|token| token.kind == SET_KW);
    if !sets || !matches!(node.kind(), ALTER_ROLE | ALTER_USER) {
        return None;
    }
    let rest = node.tokens().skip(3).map(|token| token.text).collect::<Vec<_>>().join(" ");
    Some(format!("ALTER ROLE CURRENT_USER {rest}"))
}

/// The roles that the code in `text` creates, as far as its words show.
pub fn roles_created_by_code(text: &str) -> Vec<String> {
    let words = code_words(text);
    let is = |word: &str, any: &[&str]| any.iter().any(|one| one.eq_ignore_ascii_case(word));
    let created = words.windows(3).filter(|three| {
        is(three[0], &["create"]) && is(three[1], &["role", "user", "group"]) && !three[2].starts_with("pg_")
    });
    created.map(|three| normalized(three[2])).collect()
}

/// The roles that a statement gives privileges to, takes them from, or names in a policy.
pub fn roles_named(text: &str) -> Vec<String> {
    let verbs = ["grant ", "revoke ", "create policy ", "alter policy ", "alter default privileges "];
    let start: String = text.chars().take(30).collect::<String>().to_ascii_lowercase();
    if !verbs
        .iter()
        .any(|verb| start.split_whitespace().collect::<Vec<_>>().join(" ").starts_with(verb.trim_end()))
    {
        return Vec::new();
    }
    let words = code_words(text);
    let ends = ["with", "granted", "using", "restrict", "cascade"];
    let mut roles = Vec::new();
    let mut in_list = false;
    for word in words {
        let lower = word.to_ascii_lowercase();
        match lower.as_str() {
            "to" | "from" => in_list = true,
            "group" => {}
            word if ends.contains(&word) => in_list = false,
            "public" | "current_user" | "current_role" | "session_user" => {}
            _ if in_list => roles.push(normalized(word)),
            _ => {}
        }
    }
    roles
}

/// The words of code: names, also quoted ones, and key words.
fn code_words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(|sign: char| sign.is_alphabetic() || "_\"".contains(sign)) {
        rest = &rest[at..];
        let end = match rest.strip_prefix('"') {
            Some(quoted) => quoted.find('"').map_or(rest.len(), |end| end + 2),
            None => {
                rest.find(|sign: char| !(sign.is_alphanumeric() || "_$".contains(sign))).unwrap_or(rest.len())
            }
        };
        words.push(&rest[..end]);
        rest = &rest[end..];
    }
    words
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

/// Whether the server certainly reads the token as the parser does: a name, a number, an operator or a simple string.
fn is_plain(token: &str) -> bool {
    let has_single = |inner: &[u8], quote: &str| {
        let inner = String::from_utf8_lossy(inner).replace(&quote.repeat(2), "");
        inner.contains(quote) || inner.contains('\\')
    };
    match token.as_bytes() {
        [b'\'', inner @ .., b'\''] => !has_single(inner, "'"),
        [b'"', inner @ .., b'"'] => !inner.is_empty() && !has_single(inner, "\"") && !inner.contains(&b'\''),
        [b',' | b'(' | b')'] => true,
        _ if token.chars().all(|sign| "<>=~!@#%^&|?+*/-".contains(sign)) => {
            !token.contains("--") && !token.contains("/*")
        }
        _ => token.chars().all(|sign| sign.is_alphanumeric() || "_.".contains(sign)),
    }
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

/// `ALTER FUNCTION f(…) [NOT] LEAKPROOF`, and no other change.
fn sets_leakproof(node: Node<'_>) -> bool {
    use SyntaxKind::{ALTER_FUNCTION, ALTER_ROUTINE, LEAKPROOF_KW, NOT_KW};
    let tokens: Vec<Token<'_>> = node.tokens().collect();
    let ends = match tokens.as_slice() {
        [.., before, not, last] if last.kind == LEAKPROOF_KW && not.kind == NOT_KW => before.text == ")",
        [.., before, last] if last.kind == LEAKPROOF_KW => before.text == ")",
        _ => false,
    };
    ends && matches!(node.kind(), ALTER_FUNCTION | ALTER_ROUTINE)
}

/// `COMMENT ON object IS NULL` for the object of an ALTER statement. It needs the same ownership.
fn owner_check(node: Node<'_>) -> String {
    use SyntaxKind::{EXISTS_KW, IF_KW, LEAKPROOF_KW, NOT_KW, ONLY_KW, OWNER_KW, STAR};
    let object =
        node.tokens().skip(1).take_while(|token| !matches!(token.kind, LEAKPROOF_KW | NOT_KW | OWNER_KW));
    let object = object.filter(|token| !matches!(token.kind, IF_KW | EXISTS_KW | ONLY_KW | STAR));
    format!("COMMENT ON {} IS NULL", object.map(|token| token.text).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<SuperuserAction> {
        SuperuserStatement::of(text, &["tenure", "shadow_login"]).map(|statement| statement.kind)
    }

    #[test]
    fn statements_on_the_projects_roles_are_accepted() {
        for text in [
            "CREATE USER \"App\" WITH PASSWORD 'x'",
            "CREATE GROUP readers",
            "ALTER ROLE app NOSUPERUSER NOCREATEROLE CONNECTION LIMIT -1",
            "ALTER ROLE app SET search_path = a, b",
            "ALTER USER app VALID UNTIL '2030-01-01'",
            "DROP ROLE IF EXISTS app, readers;\n",
            "GRANT readers TO app, CURRENT_USER WITH ADMIN OPTION",
            "REVOKE readers FROM app",
            "COMMENT ON ROLE app IS 'it''s'",
            "CREATE ROLE app /* c ; */ LOGIN -- x",
        ] {
            assert!(matches!(of(text), Some(SuperuserAction::Roles { .. })), "{text}");
        }
        assert_eq!(of("CREATE ROLE App"), Some(SuperuserAction::Roles { created: Some("app".to_owned()) }));
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
            "CREATE ROLE app PASSWORD $$x$$",
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
            assert_eq!(of(text), Some(SuperuserAction::Owner), "{text}");
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
        assert_eq!(roles_created_by_code("create role \"app-user two\" login"), ["app-user two"]);
    }

    #[test]
    fn the_text_and_the_check_of_the_owner_are_made_of_tokens() {
        let of = |text: &str| SuperuserStatement::of(text, &[]).unwrap();
        let owner = of("ALTER TABLE IF EXISTS ONLY a.\"T\" /* c */ OWNER TO app");
        let own = Identifier::new("own").unwrap();
        assert_eq!(owner.for_role(&own), ["ALTER TABLE IF EXISTS ONLY a . \"T\" OWNER TO app"]);
        assert_eq!(owner.check.unwrap(), "COMMENT ON TABLE a . \"T\" IS NULL");
        let leakproof = of("ALTER FUNCTION f(int, text) NOT LEAKPROOF");
        assert_eq!(leakproof.check.unwrap(), "COMMENT ON FUNCTION f ( int , text ) IS NULL");
        let setting = of("ALTER ROLE app IN DATABASE d SET session_preload_libraries = 'x'");
        assert_eq!(
            setting.check.unwrap(),
            "ALTER ROLE CURRENT_USER IN DATABASE d SET session_preload_libraries = 'x'"
        );
        assert_eq!(of("GRANT a TO b, CURRENT_USER").for_role(&own), ["GRANT a TO b , \"own\""]);
        assert_eq!(
            of("CREATE OPERATOR CLASS s.c DEFAULT FOR TYPE t USING btree AS OPERATOR 1 <").for_role(&own)
                [2..4],
            [
                "ALTER OPERATOR CLASS s.c USING btree OWNER TO \"own\"",
                "ALTER OPERATOR FAMILY s.c USING btree OWNER TO \"own\""
            ]
        );
    }

    #[test]
    fn statements_that_change_only_the_catalog_are_accepted() {
        for text in [
            "CREATE PUBLICATION p FOR ALL TABLES WITH (publish = 'insert')",
            "CREATE PUBLICATION p FOR TABLES IN SCHEMA s",
            "ALTER FUNCTION f(int) LEAKPROOF",
            "CREATE OPERATOR CLASS c FOR TYPE t USING btree AS OPERATOR 1 <",
        ] {
            let found = of(text);
            let is_catalog = matches!(
                found,
                Some(SuperuserAction::Catalog { .. } | SuperuserAction::OperatorClass { .. })
            );
            assert!(is_catalog, "{text}");
        }
        for text in [
            "CREATE FUNCTION f() RETURNS int LEAKPROOF LANGUAGE sql AS 'SELECT 1'",
            "ALTER FUNCTION f() LEAKPROOF SECURITY DEFINER",
            "ALTER FUNCTION f() SECURITY DEFINER LEAKPROOF",
            "ALTER FUNCTION f() SUPPORT g LEAKPROOF",
            "ALTER FUNCTION f() OWNER TO tenure",
            "ALTER FUNCTION f() LEAKPROOF SET x.y = 'z'",
            "ALTER PUBLICATION p OWNER TO tenure",
            "CREATE PUBLICATION p FOR TABLE t WHERE (a = CAST('(1)' AS c))",
            "CREATE PUBLICATION p FOR TABLES IN SCHEMA s, TABLE t",
            "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()",
            "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
