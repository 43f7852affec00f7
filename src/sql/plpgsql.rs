//! Splits a PL/pgSQL body into its static SQL statements and its expressions. squawk parses no PL/pgSQL, so the body is read from
//! squawk-lexer's tokens (manual, chapter 43). A construct that the splitter does not know makes the body unreadable.

use std::ops::Range;

use squawk_lexer::TokenKind;

use super::code::{Guard, Runs};
use super::mentions::{Piece, tokens};
use super::text_names::content;

/// The parts of a body, as byte ranges of its text.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// The statements, and when they run.
    pub(super) statements: Vec<(Range<usize>, Runs)>,
    /// `INTO variable` in them.
    pub(super) blank: Vec<Range<usize>>,
    /// The starts of those that begin with `PERFORM`.
    pub(super) performed: Vec<usize>,
    pub(super) expressions: Vec<Range<usize>>,
    pub(super) is_dynamic: bool,
    /// Whether dynamic SQL is in a branch that a run may skip. A loop over rows and an IF that looks for an object are none.
    pub(super) may_skip_dynamic: bool,
    /// The contents of all strings.
    pub(super) strings: Vec<String>,
}

/// The parts of `text`; `None` if it contains something unknown.
pub(super) fn split(text: &str) -> Option<Parts> {
    let all = tokens(text);
    let mut splitter = Splitter {
        text,
        all: &all,
        at: 0,
        may_have_returned: false,
        branches: 0,
        may_have_left: false,
        parts: Parts::default(),
    };
    splitter.body()?;
    splitter.parts.strings = all.iter().filter_map(string).collect();
    Some(splitter.parts)
}

/// Statements of SQL.
const VERBS: &[&str] = &[
    "alter", "analyze", "call", "cluster", "comment", "copy", "create", "delete", "drop", "explain", "grant",
    "import", "insert", "listen", "load", "lock", "merge", "notify", "reassign", "refresh", "reindex",
    "reset", "revoke", "security", "select", "set", "show", "table", "truncate", "unlisten", "update",
    "values", "with",
];

/// Statements that return rows.
const QUERIES: &[&str] =
    &["delete", "explain", "insert", "merge", "select", "show", "table", "update", "values", "with"];

/// Words that end a list of statements.
const ENDS: &[&str] = &["else", "elseif", "elsif", "end", "exception", "when"];

/// Names of errors that say that the new object exists already, and of those that say that the object does not exist.
const DUPLICATE: &[&str] = &[
    "duplicate_alias",
    "duplicate_column",
    "duplicate_function",
    "duplicate_object",
    "duplicate_schema",
    "duplicate_table",
];
const UNDEFINED: &[&str] =
    &["invalid_schema_name", "undefined_column", "undefined_function", "undefined_object", "undefined_table"];

fn string(token: &Piece<'_>) -> Option<String> {
    let is_literal = matches!(token.kind, TokenKind::Literal { .. });
    is_literal.then(|| content(token.text)).flatten().map(|(_, inner)| inner.to_owned())
}

struct Splitter<'t> {
    text: &'t str,
    all: &'t [Piece<'t>],
    at: usize,
    may_have_returned: bool,
    /// Number of the surrounding branches that a run may skip.
    branches: usize,
    /// Whether an EXIT or a CONTINUE precedes.
    may_have_left: bool,
    parts: Parts,
}

/// `None`: the body contains something unknown.
type Read<T = ()> = Option<T>;

impl Splitter<'_> {
    fn kind(&self) -> Option<TokenKind> {
        self.all.get(self.at).map(|token| token.kind)
    }

    /// The word at index `at`, in lower case; empty if it is no word.
    fn word_at(&self, at: usize) -> String {
        let word = self.all.get(at).filter(|token| token.kind == TokenKind::Ident);
        word.map(|token| token.text.to_ascii_lowercase()).unwrap_or_default()
    }

    fn word(&self) -> String {
        self.word_at(self.at)
    }

    fn eat(&mut self, word: &str) -> bool {
        let found = self.word() == word;
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, word: &str) -> Read {
        self.eat(word).then_some(())
    }

    fn semicolon(&mut self) -> Read {
        let found = self.kind() == Some(TokenKind::Semi);
        self.at += usize::from(found);
        found.then_some(())
    }

    /// The index of the next token outside of brackets and CASEs for which `ends` returns true.
    fn find(&self, ends: impl Fn(&Piece<'_>, &str) -> bool) -> Read<usize> {
        let mut depth = 0_usize;
        for at in self.at..self.all.len() {
            let (token, word) = (&self.all[at], self.word_at(at));
            if depth == 0 && ends(token, &word) {
                return Some(at);
            }
            match token.kind {
                TokenKind::OpenParen | TokenKind::OpenBracket => depth += 1,
                TokenKind::CloseParen | TokenKind::CloseBracket => depth = depth.checked_sub(1)?,
                TokenKind::Ident if word == "case" => depth += 1,
                TokenKind::Ident if word == "end" => depth = depth.checked_sub(1)?,
                _ => {}
            }
        }
        None
    }

    fn end_of_statement(&self) -> Read<usize> {
        self.find(|token, _| token.kind == TokenKind::Semi)
    }

    fn find_word(&self, word: &str) -> Read<usize> {
        let end = self.find(|token, other| token.kind == TokenKind::Semi || other == word)?;
        (self.word_at(end) == word).then_some(end)
    }

    /// The bytes of the tokens from the current one to the one before `end`.
    fn bytes(&self, end: usize) -> Range<usize> {
        let last = self.all[end - 1];
        self.all[self.at].start..last.start + last.text.len()
    }

    /// Reads an expression that ends before the token at `end`.
    fn expression(&mut self, end: usize) -> Read {
        if end <= self.at {
            return None;
        }
        let range = self.bytes(end);
        self.parts.expressions.push(range);
        self.at = end;
        Some(())
    }

    /// Reads an SQL statement that ends before the token at `end`.
    fn statement(&mut self, end: usize, runs: &Runs) -> Read {
        if end <= self.at || (self.at..end).any(|at| self.word_at(at) == "atomic") {
            return None;
        }
        if ["select", "with", "insert", "update", "delete", "merge", "values"].contains(&self.word().as_str())
        {
            self.blank_into(end)?;
        }
        let runs = if self.may_have_returned { Runs::Perhaps } else { runs.clone() };
        let range = self.bytes(end);
        self.parts.statements.push((range, runs));
        self.at = end;
        Some(())
    }

    /// Blanks `INTO [STRICT] variable, …` in the statement up to `end`.
    fn blank_into(&mut self, end: usize) -> Read {
        let mut depth = 0_usize;
        for at in self.at..end {
            match self.all[at].kind {
                TokenKind::OpenParen => depth += 1,
                TokenKind::CloseParen => depth = depth.checked_sub(1)?,
                TokenKind::Ident if depth == 0 && self.word_at(at) == "into" => {
                    let before = if at == 0 { String::new() } else { self.word_at(at - 1) };
                    if ["insert", "merge"].contains(&before.as_str()) {
                        continue;
                    }
                    let last = self.targets(at + 1)?;
                    let last = &self.all[last - 1];
                    self.parts.blank.push(self.all[at].start..last.start + last.text.len());
                }
                _ => {}
            }
        }
        Some(())
    }

    /// The index after a list of variables that begins at `at`.
    fn targets(&self, mut at: usize) -> Read<usize> {
        at += usize::from(self.word_at(at) == "strict");
        loop {
            at = self.variable(at)?;
            if self.all.get(at).is_none_or(|token| token.kind != TokenKind::Comma) {
                return Some(at);
            }
            at += 1;
        }
    }

    /// The index after the variable at `at`: `a`, `a.b`, `a[1]`.
    fn variable(&self, mut at: usize) -> Read<usize> {
        let is_name = |at: usize| {
            let kind = self.all.get(at).map(|token| token.kind);
            matches!(kind, Some(TokenKind::Ident | TokenKind::QuotedIdent { .. }))
        };
        is_name(at).then_some(())?;
        at += 1;
        loop {
            match self.all.get(at).map(|token| token.kind) {
                Some(TokenKind::Dot) if is_name(at + 1) => at += 2,
                Some(TokenKind::OpenBracket) => {
                    let rest = &self.all[at..];
                    at += 1 + rest.iter().position(|token| token.kind == TokenKind::CloseBracket)?;
                }
                _ => return Some(at),
            }
        }
    }

    fn body(&mut self) -> Read {
        self.labels();
        self.block(&Runs::Always)?;
        self.at += usize::from(self.kind() == Some(TokenKind::Semi));
        (self.at == self.all.len()).then_some(())
    }

    /// Skips `<<label>>`.
    fn labels(&mut self) {
        while self.kind() == Some(TokenKind::Lt) {
            self.at += 5;
        }
    }

    fn block(&mut self, runs: &Runs) -> Read {
        if self.eat("declare") {
            self.declarations()?;
        }
        self.expect("begin")?;
        let first = self.parts.statements.len();
        self.statements(runs)?;
        if self.eat("exception") {
            let end = self.parts.statements.len();
            let handled = self.handlers()?;
            let alone = end - first == 1 && self.parts.statements.len() == end && *runs == Runs::Always;
            for (_, runs) in &mut self.parts.statements[first..] {
                *runs = handled.clone().filter(|_| alone).unwrap_or(Runs::Perhaps);
            }
        }
        self.expect("end")?;
        self.at += usize::from(self.kind() == Some(TokenKind::Ident));
        Some(())
    }

    /// Reads `WHEN condition THEN …` handlers. Returns when a statement runs whose errors all of them handle.
    fn handlers(&mut self) -> Read<Option<Runs>> {
        let mut conditions = Vec::new();
        while self.eat("when") {
            let then = self.find_word("then")?;
            conditions.extend((self.at..then).map(|at| self.word_at(at)).filter(|word| word != "or"));
            self.at = then + 1;
            self.branch()?;
        }
        let all = |known: &[&str]| conditions.iter().all(|word| known.contains(&word.as_str()));
        Some(match () {
            () if all(DUPLICATE) => Some(Runs::IfMissing(Guard::Own)),
            () if all(UNDEFINED) => Some(Runs::IfPresent(Guard::Own)),
            () => None,
        })
    }

    fn declarations(&mut self) -> Read {
        while self.word() != "begin" {
            let end = self.end_of_statement()?;
            let value = self.find(|token, word| {
                matches!(token.kind, TokenKind::Semi | TokenKind::Eq | TokenKind::Colon)
                    || ["default", "cursor", "alias"].contains(&word)
            })?;
            match self.word_at(value).as_str() {
                "alias" => {}
                "cursor" => {
                    self.at = value + 1;
                    self.at = self
                        .find(|token, word| token.kind == TokenKind::Semi || word == "for" || word == "is")?
                        + 1;
                    self.statement(end, &Runs::Perhaps)?;
                }
                "default" => {
                    self.at = value + 1;
                    self.expression(end)?;
                }
                _ if value == end => {}
                _ => {
                    self.at = self.after_assignment(value)?;
                    self.expression(end)?;
                }
            }
            self.at = end + 1;
        }
        Some(())
    }

    /// The index after `:=` or `=` at `at`.
    fn after_assignment(&self, at: usize) -> Read<usize> {
        let kind = |at: usize| self.all.get(at).map(|token| token.kind);
        match (kind(at), kind(at + 1)) {
            (Some(TokenKind::Colon), Some(TokenKind::Eq)) => Some(at + 2),
            (Some(TokenKind::Eq), _) => Some(at + 1),
            _ => None,
        }
    }

    /// Reads the statements of a branch that a run may skip.
    fn branch(&mut self) -> Read {
        self.branches += 1;
        let read = self.statements(&Runs::Perhaps);
        self.branches -= 1;
        read
    }

    fn statements(&mut self, runs: &Runs) -> Read {
        loop {
            self.labels();
            let word = self.word();
            if ENDS.contains(&word.as_str()) {
                return Some(());
            }
            self.one(&word, runs)?;
            self.semicolon()?;
        }
    }

    /// Reads one statement, without its semicolon.
    fn one(&mut self, word: &str, runs: &Runs) -> Read {
        if let Some(assigned) = self.variable(self.at).and_then(|at| self.after_assignment(at)) {
            self.at = assigned;
            let end = self.end_of_statement()?;
            return self.expression(end);
        }
        if word == "begin" || word == "declare" {
            return self.block(runs);
        }
        let end = || self.end_of_statement();
        if VERBS.contains(&word) {
            let end = end()?;
            return self.statement(end, runs);
        }
        self.at += 1;
        match word {
            "if" => self.conditional(runs),
            "case" => self.case(),
            "loop" => self.loop_body(),
            "while" => {
                let end = self.find_word("loop")?;
                self.expression(end)?;
                self.at += 1;
                self.branches += 1;
                self.loop_body()?;
                self.branches -= 1;
                Some(())
            }
            "for" => self.for_loop(runs),
            "foreach" => {
                self.at = self.find_word("array")? + 1;
                let end = self.find_word("loop")?;
                self.expression(end)?;
                self.at += 1;
                self.loop_body()
            }
            "exit" | "continue" => {
                self.may_have_left = true;
                if let Some(when) = self.find_word("when") {
                    self.at = when + 1;
                    let end = self.end_of_statement()?;
                    return self.expression(end);
                }
                self.at = self.end_of_statement()?;
                Some(())
            }
            "return" => self.return_value(runs),
            "raise" => self.raise(),
            "assert" => {
                let end = self.end_of_statement()?;
                self.expression(end)
            }
            "perform" => {
                self.at -= 1;
                self.parts.performed.push(self.all[self.at].start);
                let end = self.end_of_statement()?;
                self.statement(end, runs)
            }
            "execute" => {
                self.note_dynamic();
                self.at = self.end_of_statement()?;
                Some(())
            }
            "null" => Some(()),
            "get" | "fetch" | "move" | "close" => {
                self.at = self.end_of_statement()?;
                Some(())
            }
            "open" => {
                let end = self.end_of_statement()?;
                match self.find_word("for") {
                    Some(query) => {
                        self.at = query + 1;
                        self.query(end, runs)
                    }
                    None if self.all[self.at..end].iter().any(|it| it.kind == TokenKind::OpenParen) => None,
                    None => {
                        self.at = end;
                        Some(())
                    }
                }
            }
            _ => None,
        }
    }

    fn note_dynamic(&mut self) {
        self.parts.is_dynamic = true;
        self.parts.may_skip_dynamic |= self.branches > 0 || self.may_have_left || self.may_have_returned;
    }

    /// Reads a query, or `EXECUTE …`, that ends before the token at `end`.
    fn query(&mut self, end: usize, runs: &Runs) -> Read {
        if self.word() == "execute" {
            self.note_dynamic();
            self.at = end;
            return Some(());
        }
        let is_query = QUERIES.contains(&self.word().as_str()) || self.kind() == Some(TokenKind::OpenParen);
        is_query.then_some(())?;
        self.statement(end, runs)
    }

    fn conditional(&mut self, runs: &Runs) -> Read {
        let then = self.find_word("then")?;
        let inner = match (runs, self.guard(then)) {
            (Runs::Perhaps, _) | (_, None) => Runs::Perhaps,
            (Runs::Always, Some(guard)) => guard,
            (outer, Some(guard)) => Runs::Both(Box::new(outer.clone()), Box::new(guard)),
        };
        self.expression(then)?;
        self.at += 1;
        if inner == Runs::Perhaps {
            self.branch()?;
        } else {
            self.statements(&inner)?;
        }
        self.branches(&["elsif", "elseif"])?;
        self.expect("if")
    }

    /// Reads the branches that begin with one of `words`, the ELSE branch and END.
    fn branches(&mut self, words: &[&str]) -> Read {
        while words.iter().any(|word| self.eat(word)) {
            let then = self.find_word("then")?;
            self.expression(then)?;
            self.at += 1;
            self.branch()?;
        }
        if self.eat("else") {
            self.branch()?;
        }
        self.expect("end")
    }

    /// When the statements after the condition up to `then` run, if the condition looks for one object.
    fn guard(&self, then: usize) -> Option<Runs> {
        let words: Vec<String> = (self.at..then).map(|at| self.word_at(at)).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let several = self.find(|_, word| ["and", "or", "then"].contains(&word))?;
        if several != then {
            return None;
        }
        let range = self.bytes(then);
        let is_in = |token: &&Piece<'_>| range.contains(&token.start);
        let mut names: Vec<String> = self.all.iter().filter(is_in).filter_map(string).collect();
        let mut queries = range.clone();
        let ends_with_zero = self.all[then - 1].text == "0" && self.all[then - 2].kind == TokenKind::Eq;
        let missing = match words.as_slice() {
            ["not", "found"] | ["found"] => {
                let (last, _) = self.parts.statements.last()?;
                let is_in = |token: &&Piece<'_>| last.contains(&token.start);
                names.extend(self.all.iter().filter(is_in).filter_map(string));
                queries.start = last.start;
                words[0] == "not"
            }
            ["not", "exists", ..] | [.., "is", "null"] => true,
            ["exists", ..] | [.., "is", "not", "null"] => false,
            _ if ends_with_zero => true,
            _ => return None,
        };
        let reads_catalog = |token: &Piece<'_>| {
            let word = token.text.to_ascii_lowercase();
            ["pg_", "to_reg", "information_schema", "regclass", "regtype"]
                .iter()
                .any(|it| word.starts_with(it))
        };
        let is_catalog = self.all.iter().filter(|token| queries.contains(&token.start)).any(reads_catalog);
        let guard = (is_catalog && !names.is_empty()).then_some(Guard::Named(names))?;
        Some(if missing { Runs::IfMissing(guard) } else { Runs::IfPresent(guard) })
    }

    fn case(&mut self) -> Read {
        if self.word() != "when" {
            let end = self.find_word("when")?;
            self.expression(end)?;
        }
        self.branches(&["when"])?;
        self.expect("case")
    }

    /// Reads the statements after LOOP.
    fn loop_body(&mut self) -> Read {
        self.statements(&Runs::Perhaps)?;
        self.expect("end")?;
        self.expect("loop")?;
        self.at += usize::from(self.kind() == Some(TokenKind::Ident));
        Some(())
    }

    fn for_loop(&mut self, runs: &Runs) -> Read {
        self.at = self.find_word("in")? + 1;
        let end = self.find_word("loop")?;
        let range = self.bytes(end);
        if let Some(dots) = self.text[range.clone()].find("..").filter(|_| self.word() != "select") {
            let (start, middle) = (range.start, range.start + dots);
            let reverse = if self.word() == "reverse" { "reverse".len() } else { 0 };
            self.parts.expressions.push(start + reverse..middle);
            let by = (self.at..end).find(|at| self.word_at(*at) == "by").map(|at| self.all[at].start);
            self.parts.expressions.push(middle + 2..by.unwrap_or(range.end));
            self.parts.expressions.extend(by.map(|by| by + 2..range.end));
        } else if end - self.at > 1 {
            self.query(end, runs)?;
        } else if self.kind() != Some(TokenKind::Ident) {
            return None;
        }
        self.at = end + 1;
        self.loop_body()
    }

    fn return_value(&mut self, runs: &Runs) -> Read {
        let end = self.end_of_statement()?;
        if self.eat("query") {
            return self.query(end, runs);
        }
        let next = self.eat("next");
        if self.at < end {
            self.expression(end)?;
        }
        self.may_have_returned |= !next;
        Some(())
    }

    fn raise(&mut self) -> Read {
        let end = self.end_of_statement()?;
        let values = self.find(|token, word| {
            matches!(token.kind, TokenKind::Semi | TokenKind::Comma) || word == "using"
        })?;
        if values < end {
            self.at = values + 1;
            if self.all[values].kind == TokenKind::Comma {
                let using = self.find(|token, word| token.kind == TokenKind::Semi || word == "using")?;
                self.expression(using)?;
                self.at += usize::from(using < end);
            }
            if self.at < end {
                self.expression(end)?;
            }
        }
        self.at = end;
        Some(())
    }
}

#[cfg(test)]
mod tests;
