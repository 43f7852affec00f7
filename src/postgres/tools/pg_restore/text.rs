//! What `pg_restore` writes, taken apart without believing it: of its data section only rows and the values of
//! sequences are taken, and from the other two what belongs to psql or to the session is left out. Pure.

use crate::error::{Code, Failure};

/// A line of the data section.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Nothing that is to be done.
    Nothing,
    /// A statement that sets a sequence.
    Sequence(String),
    /// The beginning of rows: `COPY … FROM stdin`.
    Copy(String),
    /// A row, with its line end.
    Row(&'a [u8]),
    /// The rows' end.
    End,
}

/// Reads the data section line by line.
#[derive(Debug, Default)]
pub(super) struct Data {
    statement: String,
    /// The statement without what stands in quotes.
    bare: String,
    quote: Option<char>,
    in_rows: bool,
}

impl Data {
    /// The next line, with its line end.
    pub(super) fn line<'a>(&mut self, line: &'a [u8]) -> Result<Line<'a>, Failure> {
        if self.in_rows {
            if matches!(line, b"\\.\n" | b"\\.") {
                self.in_rows = false;
                return Ok(Line::End);
            }
            return Ok(Line::Row(line));
        }
        let text = std::str::from_utf8(line).map_err(|_| odd("a statement that is no UTF-8"))?;
        if self.statement.is_empty() {
            let word = text.trim_end();
            let is_psqls = word.starts_with("\\restrict ") || word.starts_with("\\unrestrict ");
            if word.is_empty() || word.starts_with("--") || is_psqls {
                return Ok(Line::Nothing);
            }
        }
        self.take(text);
        if self.quote.is_some() || !self.bare.trim_end().ends_with(';') {
            return Ok(Line::Nothing);
        }
        let statement = std::mem::take(&mut self.statement);
        let bare = std::mem::take(&mut self.bare);
        self.judge(statement.trim().trim_end_matches(';'), bare.trim().trim_end_matches(';'))
    }

    /// Whether all that was begun has ended.
    pub(super) fn end(&self) -> Result<(), Failure> {
        if self.in_rows || !self.statement.is_empty() { Err(odd("no end")) } else { Ok(()) }
    }

    fn take(&mut self, text: &str) {
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            match self.quote {
                // In an escape string a backslash takes the next letter with it.
                Some('\\') if letter == '\\' => drop(letters.next()),
                Some('\\') if letter == '\'' => self.quote = None,
                Some(quote) if quote == letter => self.quote = None,
                Some(_) => {}
                None if letter == '\'' && self.bare.ends_with(['E', 'e']) => self.quote = Some('\\'),
                None if matches!(letter, '\'' | '"') => self.quote = Some(letter),
                None => self.bare.push(letter),
            }
        }
        self.statement.push_str(text);
    }

    fn judge(&mut self, statement: &str, bare: &str) -> Result<Line<'static>, Failure> {
        let is_copy = bare.starts_with("COPY ") && bare.ends_with(" FROM stdin");
        if is_copy && !bare.contains(';') && bare.matches('(').count() <= 1 {
            self.in_rows = true;
            return Ok(Line::Copy(statement.to_owned()));
        }
        if is_setval(bare) {
            return Ok(Line::Sequence(statement.to_owned()));
        }
        let is_setting = bare.starts_with("SET ") || bare.starts_with("SELECT pg_catalog.set_config(");
        if is_setting && !bare.contains(';') {
            Ok(Line::Nothing)
        } else {
            Err(odd("a statement that is not about rows"))
        }
    }
}

/// `SELECT pg_catalog.setval('…', 7, true)`, without what stands in quotes.
fn is_setval(bare: &str) -> bool {
    let value = bare
        .strip_prefix("SELECT pg_catalog.setval(")
        .map(|rest| rest.trim_start_matches(['E', 'e']))
        .and_then(|rest| rest.strip_prefix(", "))
        .and_then(|rest| rest.strip_suffix(", true)").or_else(|| rest.strip_suffix(", false)")));
    value.is_some_and(|value| {
        let digits = value.strip_prefix('-').unwrap_or(value);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The definitions of a section, without psql's own commands and the settings at its head: the transaction's limits
/// stay ours, and a newer program's settings may be unknown to the server.
pub(super) fn definitions(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let (mut in_head, mut token) = (true, None);
    for line in text.split_inclusive('\n') {
        let word = line.trim_end();
        if in_head {
            if word.starts_with("-- Name: ") || word.starts_with("-- TOC entry ") {
                in_head = false;
            } else {
                token = word.strip_prefix("\\restrict ").map(str::to_owned).or(token);
                let is_setting =
                    word.starts_with("SET ") || word.starts_with("SELECT pg_catalog.set_config(");
                if is_setting || word.starts_with("\\restrict ") {
                    continue;
                }
            }
        }
        let is_end = token.as_ref().is_some_and(|token| word.strip_prefix("\\unrestrict ") == Some(token));
        if !is_end {
            kept.push_str(line);
        }
    }
    kept
}

/// The definitions with the default privileges of `owner` as those of the current role.
pub(super) fn given_by_us(text: &str, owner: &str) -> String {
    let quoted = format!("\"{}\"", owner.replace('"', "\"\""));
    let mut kept = String::with_capacity(text.len());
    let mut is_inside = false;
    for line in text.split_inclusive('\n') {
        if line.starts_with("-- Name: ") {
            is_inside = line.contains("; Type: DEFAULT ACL; ");
        }
        let given = line.strip_prefix("ALTER DEFAULT PRIVILEGES FOR ROLE ").filter(|_| is_inside);
        let name = [owner, &quoted].into_iter().find_map(|name| given?.strip_prefix(name));
        match name.filter(|rest| rest.starts_with(" IN SCHEMA ")) {
            Some(rest) => {
                kept.push_str("ALTER DEFAULT PRIVILEGES");
                kept.push_str(rest);
            }
            None => kept.push_str(line),
        }
    }
    kept
}

/// What the character at `position`, from 1, of definitions is about: `TABLE workspaces`.
pub(super) fn about(text: &str, position: usize) -> Option<String> {
    let end = text.char_indices().nth(position.checked_sub(1)?).map_or(text.len(), |(at, _)| at);
    let line = text[..end].lines().rev().find(|line| line.starts_with("-- Name: "))?;
    let (name, rest) = line.strip_prefix("-- Name: ")?.rsplit_once("; Type: ")?;
    let kind = rest.split(';').next()?;
    Some(format!("{kind} {name}"))
}

fn odd(what: &str) -> Failure {
    Failure::new(Code::ExportInvalid, format!("the dump in the file holds {what} where its rows should be"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        let mut data = Data::default();
        let mut found = Vec::new();
        for line in text.split_inclusive('\n') {
            match data.line(line.as_bytes()).map_err(|failure| failure.message)? {
                Line::Nothing => {}
                Line::Row(row) => found.push(format!("row {}", String::from_utf8_lossy(row).trim_end())),
                other => found.push(format!("{other:?}")),
            }
        }
        data.end().map_err(|failure| failure.message)?;
        Ok(found)
    }

    #[test]
    fn rows_and_sequences_are_taken_and_nothing_else() {
        let text = "\\restrict abc\n--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\n\
            SELECT pg_catalog.set_config('search_path', '', false);\n\n\
            COPY org_a.\"odd;\nname(\" (id, \"a\"\"b\") FROM stdin;\n1\tit's; \\\\.\n\\N\tSET x\n\\.\n\n\
            SELECT pg_catalog.setval('org_a.s_id_seq', 7, true);\n\
            SELECT pg_catalog.setval(E'org_a.\"o\\\\''(d\"', -1, false);\n\\unrestrict abc\n";
        assert_eq!(
            read(text).unwrap(),
            [
                "Copy(\"COPY org_a.\\\"odd;\\nname(\\\" (id, \\\"a\\\"\\\"b\\\") FROM stdin\")",
                "row 1\tit's; \\\\.",
                "row \\N\tSET x",
                "End",
                "Sequence(\"SELECT pg_catalog.setval('org_a.s_id_seq', 7, true)\")",
                "Sequence(\"SELECT pg_catalog.setval(E'org_a.\\\"o\\\\\\\\''(d\\\"', -1, false)\")",
            ]
        );
        for wrong in [
            "DROP TABLE x;\n",
            "COPY x FROM PROGRAM 'id';\n",
            "COPY x FROM stdin; DROP TABLE y;\n",
            "COPY (SELECT f()) FROM stdin;\n",
            "SELECT pg_catalog.setval('x', 1, true), f();\n",
            "SELECT pg_catalog.setval('x', (SELECT f()), true);\n",
            "SET x = 1; DROP TABLE y;\n",
            "\\! id\n",
            "COPY x FROM stdin;\n1\n",
            "COPY x\n",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_head_of_a_section_is_left_out_and_its_bodies_are_not_touched() {
        let text = "--\n-- dump\n--\n\n\\restrict t0ken\n\nSET lock_timeout = 0;\nSET transaction_timeout = 0;\n\
            SELECT pg_catalog.set_config('search_path', '', false);\n\n--\n-- Name: f(); Type: FUNCTION; Schema: a; Owner: -\n--\n\n\
            CREATE FUNCTION a.f() RETURNS void AS $$\nSET lock_timeout = 0;\n\\unrestrict other\n$$;\n\nSET default_tablespace = '';\n\
            \\unrestrict t0ken\n";
        let kept = definitions(text);
        assert_eq!(kept.matches("SET lock_timeout = 0;").count(), 1, "{kept}");
        for (word, is_there) in [
            ("restrict t0ken", false),
            ("transaction_timeout", false),
            ("\\unrestrict other", true),
            ("default_tablespace", true),
        ] {
            assert_eq!(kept.contains(word), is_there, "{word} in {kept}");
        }
        let position = kept.find("RETURNS").unwrap();
        assert_eq!(about(&kept, position).as_deref(), Some("FUNCTION f()"));
        assert_eq!(about(&kept, 1), None);
    }
}
