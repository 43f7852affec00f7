//! Parses the output of `pg_restore` as untrusted text. Of the data section only rows and sequence values are
//! used; of the other two, psql's commands and session settings are removed. Pure.

use crate::error::{Code, Failure};
use crate::ident::SchemaName;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// A line without effect.
    Nothing,
    /// A statement that sets a sequence.
    Sequence(String),
    /// The start of rows: `COPY … FROM stdin`.
    Copy(String),
    /// A row with its line ending.
    Row(&'a [u8]),
    /// The end of rows.
    End,
}

/// A parser of the data section, line by line.
#[derive(Debug, Default)]
pub(super) struct Data {
    statement: String,
    /// The statement without quoted text.
    bare: String,
    quote: Option<char>,
    in_rows: bool,
}

impl Data {
    /// Parses the next line with its line ending.
    pub(super) fn line<'a>(&mut self, line: &'a [u8]) -> Result<Line<'a>, Failure> {
        if self.in_rows {
            if matches!(line, b"\\.\n" | b"\\.") {
                self.in_rows = false;
                return Ok(Line::End);
            }
            return Ok(Line::Row(line));
        }
        let text = std::str::from_utf8(line).map_err(|_| invalid("a statement that is not UTF-8"))?;
        if self.statement.is_empty() {
            let word = text.trim_end();
            let is_psql_command = word.starts_with("\\restrict ") || word.starts_with("\\unrestrict ");
            if word.is_empty() || word.starts_with("--") || is_psql_command {
                return Ok(Line::Nothing);
            }
        }
        self.append(text);
        if self.quote.is_some() || !self.bare.trim_end().ends_with(';') {
            return Ok(Line::Nothing);
        }
        let statement = std::mem::take(&mut self.statement);
        let bare = std::mem::take(&mut self.bare);
        self.classify(statement.trim().trim_end_matches(';'), bare.trim().trim_end_matches(';'))
    }

    /// Fails if the section ends inside of a statement or of rows.
    pub(super) fn end(&self) -> Result<(), Failure> {
        if self.in_rows || !self.statement.is_empty() {
            Err(invalid("an incomplete statement"))
        } else {
            Ok(())
        }
    }

    fn append(&mut self, text: &str) {
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match self.quote {
                // In an escape string a backslash escapes the next character.
                Some('\\') if c == '\\' => drop(chars.next()),
                Some('\\') if c == '\'' => self.quote = None,
                Some(quote) if quote == c => self.quote = None,
                Some(_) => {}
                None if c == '\'' && self.bare.ends_with(['E', 'e']) => self.quote = Some('\\'),
                None if matches!(c, '\'' | '"') => self.quote = Some(c),
                None => self.bare.push(c),
            }
        }
        self.statement.push_str(text);
    }

    fn classify(&mut self, statement: &str, bare: &str) -> Result<Line<'static>, Failure> {
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
            Err(invalid("an unexpected statement"))
        }
    }
}

/// Matches `SELECT pg_catalog.setval('…', 7, true)` without quoted text.
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

/// The definitions of a section, without psql's commands and the settings at its start: the transaction keeps
/// Tenure's timeouts, and the server may not know settings of a newer program.
pub(super) fn definitions(text: &str) -> String {
    let mut output = String::with_capacity(text.len());
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
            output.push_str(line);
        }
    }
    output
}

/// Changes the default privileges of `owner` to those of the current role.
pub(super) fn with_own_default_privileges(text: &str, owner: &str) -> String {
    let quoted = format!("\"{}\"", owner.replace('"', "\"\""));
    let mut output = String::with_capacity(text.len());
    let mut is_inside = false;
    for line in text.split_inclusive('\n') {
        if line.starts_with("-- Name: ") {
            is_inside = line.contains("; Type: DEFAULT ACL; ");
        }
        let rest = line.strip_prefix("ALTER DEFAULT PRIVILEGES FOR ROLE ").filter(|_| is_inside);
        let name = [owner, &quoted].into_iter().find_map(|name| rest?.strip_prefix(name));
        match name.filter(|rest| rest.starts_with(" IN SCHEMA ")) {
            Some(rest) => {
                output.push_str("ALTER DEFAULT PRIVILEGES");
                output.push_str(rest);
            }
            None => output.push_str(line),
        }
    }
    output
}

/// A foreign key, with its table and name as SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// The table.
    pub table: String,
    /// The name of the constraint.
    pub name: String,
}

impl ForeignKey {
    /// Its name in the differences of schemas: `table t: constraint k`.
    pub fn label(&self) -> String {
        // The table is qualified.
        let table = match self.table.strip_suffix('"') {
            Some(quoted) => quoted.rsplit_once(".\"").map_or(quoted, |(_, name)| name),
            None => self.table.rsplit_once('.').map_or(self.table.as_str(), |(_, name)| name),
        };
        let name = self.name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(&self.name);
        format!("table {}: constraint {}", table.replace("\"\"", "\""), name.replace("\"\"", "\""))
    }
}

/// The definitions with foreign keys to other schemas that are not validated, and these keys. A foreign key of a partitioned table is
/// unchanged: the server always validates it.
pub(super) fn with_unchecked_keys(text: &str, own: &SchemaName) -> (String, Vec<ForeignKey>) {
    let own = [own.as_str().to_owned(), own.quoted()].map(|name| format!(" REFERENCES {name}."));
    let (mut output, mut keys) = (String::with_capacity(text.len()), Vec::new());
    let mut table: Option<&str> = None;
    for line in text.split_inclusive('\n') {
        let end = line.trim_end();
        let is_inner = own.iter().any(|reference| end.contains(reference));
        let of_table = table.replace(end.strip_prefix("ALTER TABLE ONLY ").unwrap_or_default());
        let key = end.strip_prefix("    ADD CONSTRAINT ").and_then(|rest| rest.split_once(" FOREIGN KEY "));
        match (of_table.filter(|table| !table.is_empty()), key) {
            (Some(table), Some((name, rest)))
                if !is_inner
                    && end.ends_with(';')
                    && !rest.contains(" NOT VALID;")
                    && !rest.contains(" NOT ENFORCED") =>
            {
                keys.push(ForeignKey { table: table.to_owned(), name: name.to_owned() });
                output.push_str(end.trim_end_matches(';'));
                output.push_str(" NOT VALID;\n");
            }
            _ => output.push_str(line),
        }
    }
    (output, keys)
}

/// The archive entry at `position`, a character from 1: `TABLE workspaces`.
pub(super) fn entry_at(text: &str, position: usize) -> Option<String> {
    let end = text.char_indices().nth(position.checked_sub(1)?).map_or(text.len(), |(at, _)| at);
    let line = text[..end].lines().rev().find(|line| line.starts_with("-- Name: "))?;
    let (name, rest) = line.strip_prefix("-- Name: ")?.rsplit_once("; Type: ")?;
    let kind = rest.split(';').next()?;
    Some(format!("{kind} {name}"))
}

fn invalid(what: &str) -> Failure {
    Failure::new(Code::ExportInvalid, format!("the dump in the file contains {what} in its data section"))
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
    fn only_rows_and_sequences_are_accepted() {
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
    fn foreign_keys_are_not_checked() {
        let valid = "ALTER TABLE ONLY a.\"T t\"\n    ADD CONSTRAINT \"K k\" FOREIGN KEY (x) REFERENCES b.u(id) ON DELETE CASCADE;\n";
        let others = "ALTER TABLE ONLY a.t\n    ADD CONSTRAINT t_pkey PRIMARY KEY (id);\n\
            ALTER TABLE ONLY a.t\n    ADD CONSTRAINT k FOREIGN KEY (x) REFERENCES b.u(id) NOT VALID;\n\
            ALTER TABLE ONLY a.t\n    ADD CONSTRAINT k FOREIGN KEY (x) REFERENCES a.u(id);\n\
            ALTER TABLE a.parts\n    ADD CONSTRAINT k FOREIGN KEY (x) REFERENCES b.u(id);\n";
        let (output, keys) =
            with_unchecked_keys(&format!("{valid}{others}"), &SchemaName::existing("a").unwrap());
        assert_eq!(output, format!("{}{others}", valid.replace("CASCADE;", "CASCADE NOT VALID;")));
        assert_eq!(keys, [ForeignKey { table: "a.\"T t\"".to_owned(), name: "\"K k\"".to_owned() }]);
        assert_eq!(keys[0].label(), "table T t: constraint K k");
    }

    #[test]
    fn settings_at_the_start_are_removed_and_bodies_are_unchanged() {
        let text = "--\n-- dump\n--\n\n\\restrict t0ken\n\nSET lock_timeout = 0;\nSET transaction_timeout = 0;\n\
            SELECT pg_catalog.set_config('search_path', '', false);\n\n--\n-- Name: f(); Type: FUNCTION; Schema: a; Owner: -\n--\n\n\
            CREATE FUNCTION a.f() RETURNS void AS $$\nSET lock_timeout = 0;\n\\unrestrict other\n$$;\n\nSET default_tablespace = '';\n\
            \\unrestrict t0ken\n";
        let output = definitions(text);
        assert_eq!(output.matches("SET lock_timeout = 0;").count(), 1, "{output}");
        for (word, is_there) in [
            ("restrict t0ken", false),
            ("transaction_timeout", false),
            ("\\unrestrict other", true),
            ("default_tablespace", true),
        ] {
            assert_eq!(output.contains(word), is_there, "{word} in {output}");
        }
        let position = output.find("RETURNS").unwrap();
        assert_eq!(entry_at(&output, position).as_deref(), Some("FUNCTION f()"));
        assert_eq!(entry_at(&output, 1), None);
    }
}
