//! Reads the statements in the output of `pg_dump --schema-only`.

use std::fmt::Write as _;

use super::{Script, SqlError, Statement};
use crate::error::Source;

/// The statements of a dump without semicolons, in its order, and without the settings of its session. Those for which `keeps` is
/// false are left out.
pub fn dumped_statements(
    dump: &str,
    mut keeps: impl FnMut(&Script, &Statement) -> bool,
) -> Result<Vec<String>, SqlError> {
    let script = Script::parse(Source::new("output of pg_dump", without_restrict_commands(dump)))?;
    let kept = script
        .statements
        .iter()
        .filter(|statement| !is_session_setting(script.text(statement)) && keeps(&script, statement));
    Ok(kept.map(|statement| without_owner(&without_array_casts(script.text(statement)))).collect())
}

/// The statement without the role for which it changes default privileges, the owner of the dumped schema.
fn without_owner(text: &str) -> String {
    let rest = text.strip_prefix("ALTER DEFAULT PRIVILEGES FOR ROLE ");
    match rest.and_then(|rest| rest.split_once(" IN SCHEMA ")) {
        Some((_, rest)) => format!("ALTER DEFAULT PRIVILEGES IN SCHEMA {rest}"),
        None => text.to_owned(),
    }
}

/// Removes the psql commands `\restrict` and `\unrestrict` around the output of newer releases of `pg_dump`.
fn without_restrict_commands(dump: &str) -> String {
    let key = dump.lines().find_map(|line| line.strip_prefix("\\restrict "));
    let Some(key) = key else { return dump.to_owned() };
    let frame = [format!("\\restrict {key}"), format!("\\unrestrict {key}")];
    dump.lines().filter(|line| !frame.iter().any(|mark| mark == line)).fold(
        String::new(),
        |mut text, line| {
            text.push_str(line);
            text.push('\n');
            text
        },
    )
}

/// Removes casts that the server adds: `status IN ('a', 'b')` on a `varchar` is printed as `(status)::text = ANY
/// ((ARRAY['a'::character varying, …])::text[])`, and the parsed result of that is printed differently again.
fn without_array_casts(text: &str) -> String {
    const BEFORE: &str = "((ARRAY[";
    const AFTER: &str = "])::text[])";
    let (mut written, mut rest) = (String::new(), text);
    while let Some((before, array)) = rest.split_once(BEFORE) {
        written.push_str(before);
        let items = varchar_list(array);
        if !items.is_empty()
            && let Some(behind) = array[items.len()..].strip_prefix(AFTER)
        {
            let _written = write!(written, "(ARRAY[{items}])");
            rest = behind;
        } else {
            written.push_str(BEFORE);
            rest = array;
        }
    }
    written + rest
}

/// The comma-separated `varchar` literals at the start of `text`.
fn varchar_list(text: &str) -> &str {
    let mut at = 0;
    loop {
        let Some(mut rest) = text[at..].strip_prefix('\'') else { return "" };
        // A doubled quote is part of the string.
        while let Some((_, behind)) = rest.split_once('\'') {
            rest = behind;
            match rest.strip_prefix('\'') {
                Some(behind) => rest = behind,
                None => break,
            }
        }
        let Some(behind) = rest.strip_prefix("::character varying") else { return "" };
        at = text.len() - behind.len();
        match behind.strip_prefix(", ") {
            Some(next) => at = text.len() - next.len(),
            None => return &text[..at],
        }
    }
}

/// Whether the statement is a session setting of the dump.
fn is_session_setting(text: &str) -> bool {
    text.starts_with("SET ") || text.starts_with("SELECT pg_catalog.set_config(")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casts_of_string_lists_are_removed() {
        let list =
            "CHECK (((a)::text = ANY ((ARRAY['x'::character varying, 'it''s'::character varying])::text[])))";
        let simplified =
            "CHECK (((a)::text = ANY (ARRAY['x'::character varying, 'it''s'::character varying])))";
        assert_eq!(without_array_casts(list), simplified);
        for other in [
            "((ARRAY['x'::character varying])::int[])",
            "((ARRAY[1, 2])::text[])",
            "((ARRAY['",
            "((ARRAY[])::text[])",
        ] {
            assert_eq!(without_array_casts(other), other);
        }
    }
}
