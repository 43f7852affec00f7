//! The body of a DO block or a routine as static SQL statements. Everything besides the statements is blank in the script of the
//! body, so that spans are valid in the user's text.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use squawk_syntax::SyntaxKind;

use super::mentions::tokens;
use super::plpgsql::{self, Parts};
use super::script::{Script, Statement};
use super::text_names::content;
use super::{Lookup, Node, normalized};
use crate::error::Source;

/// The code of a DO block or a routine.
#[derive(Debug, Clone)]
pub struct Code {
    /// The static statements.
    pub script: Script,
    /// When each of the statements runs, in the same order.
    pub runs: Vec<Runs>,
    /// `SELECT expression` for each expression between the statements that may call a function.
    pub expressions: Vec<Script>,
    /// Whether it contains dynamic SQL: `EXECUTE …`.
    pub is_dynamic: bool,
    /// Whether a run may skip dynamic SQL for another reason than a loop over no rows or an object that is missing or exists.
    pub may_skip_dynamic: bool,
    /// The contents of its strings, which dynamic SQL may execute.
    pub strings: Vec<String>,
}

/// When a statement of a body runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runs {
    /// Whenever the body runs.
    Always,
    /// If an object is missing.
    IfMissing(Guard),
    /// If an object exists.
    IfPresent(Guard),
    /// If both conditions hold: an IF in an IF.
    Both(Box<Self>, Box<Self>),
    /// Perhaps.
    Perhaps,
}

/// The object that decides whether a statement runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// The one that the statement creates or drops: `EXCEPTION WHEN duplicate_object`.
    Own,
    /// One with these names: the strings in `IF NOT EXISTS (SELECT …)`.
    Named(Vec<String>),
}

impl Code {
    /// The code in `statement`, a DO block or the definition of a routine in PL/pgSQL or SQL; `None` if it cannot be read.
    pub fn of(script: &Script, statement: &Statement) -> Option<Self> {
        if let Some(body) = statement.node(script).first(SyntaxKind::ATOMIC_BODY) {
            return Self::atomic(script, body);
        }
        let is_block = statement.kind == SyntaxKind::DO;
        let (inner, offset, language) = body_of(script, statement)?;
        match language.as_deref() {
            None if is_block => Self::plpgsql(&script.source, &inner, offset),
            Some("plpgsql") => Self::plpgsql(&script.source, &inner, offset),
            Some("sql") if !is_block => Self::sql(&script.source, &inner, offset),
            _ => None,
        }
    }

    /// Whether a run may skip statements, also with all of its objects and rows.
    pub fn may_skip(&self) -> bool {
        self.may_skip_dynamic || self.runs.contains(&Runs::Perhaps)
    }

    /// The COMMIT or ROLLBACK in a DO block, which fails in a transaction (manual, chapter 43.8).
    pub(super) fn transaction_control(script: &Script, statement: &Statement) -> Option<Range<usize>> {
        if statement.kind != SyntaxKind::DO {
            return None;
        }
        let (inner, offset, language) = body_of(script, statement)?;
        let range = language.is_none_or(|language| language == "plpgsql").then(|| control(&inner))??;
        Some(offset + range.start..offset + range.end)
    }

    fn plpgsql(source: &Arc<Source>, text: &str, offset: usize) -> Option<Self> {
        let parts = plpgsql::split(text)?;
        let script = Script::parse_masked(Arc::clone(source), masked(text, &parts, offset)).ok()?;
        let starts = script.statements.iter().map(|statement| statement.range.start);
        if !starts.eq(parts.statements.iter().map(|(range, _)| offset + range.start)) {
            return None;
        }
        let calls = parts.expressions.iter().filter(|range| text[(*range).clone()].contains('('));
        let expressions = calls.map(|range| {
            let text = format!("SELECT {}", &text[range.clone()]);
            Script::parse(Source::new(source.file.clone(), text)).ok().filter(|it| it.statements.len() == 1)
        });
        Some(Self {
            expressions: expressions.collect::<Option<_>>()?,
            runs: parts.statements.into_iter().map(|(_, runs)| runs).collect(),
            is_dynamic: parts.is_dynamic,
            may_skip_dynamic: parts.may_skip_dynamic,
            strings: parts.strings,
            script: resolved_on_path(script),
        })
    }

    /// The statements of `BEGIN ATOMIC … END` (manual, CREATE FUNCTION, `sql_body`).
    fn atomic(script: &Script, body: Node<'_>) -> Option<Self> {
        let mut tokens = body.tokens().skip_while(|token| token.kind != SyntaxKind::ATOMIC_KW).skip(1);
        let (first, last) = (tokens.next()?, tokens.filter(|token| token.kind == SyntaxKind::END_KW).last());
        let end = last.map_or(first.range().start, |end| end.range().start);
        let mut text = script.masked().as_bytes().get(first.range().start..end)?.to_vec();
        // `RETURN expression` is the only statement of a body that is none elsewhere.
        let starts = body.tokens().filter(|token| token.kind == SyntaxKind::RETURN_KW);
        for at in starts.map(|token| token.range().start - first.range().start) {
            text[at..at + "RETURN".len()].copy_from_slice(b"SELECT");
        }
        Self::sql(&script.source, std::str::from_utf8(&text).ok()?, first.range().start)
    }

    fn sql(source: &Arc<Source>, text: &str, offset: usize) -> Option<Self> {
        let mut blank = vec![b' '; offset];
        blank.extend_from_slice(text.as_bytes());
        let script = Script::parse_masked(Arc::clone(source), String::from_utf8(blank).ok()?).ok()?;
        let strings = tokens(text).into_iter().filter_map(|token| content(token.text).map(|it| it.1));
        Some(Self {
            runs: vec![Runs::Always; script.statements.len()],
            expressions: Vec::new(),
            is_dynamic: false,
            may_skip_dynamic: false,
            strings: strings.map(str::to_owned).collect(),
            script: resolved_on_path(script),
        })
    }
}

/// The first COMMIT or ROLLBACK in the body `text`.
fn control(text: &str) -> Option<Range<usize>> {
    let all = tokens(text);
    let word = |at: usize| all.get(at).map(|token| token.text.to_ascii_lowercase()).unwrap_or_default();
    let begins = |at: usize| [";", "begin", "then", "else", "loop", ">"].contains(&word(at).as_str());
    let ends = |at: usize| [";", "and"].contains(&word(at).as_str());
    let found = (1..all.len())
        .find(|&at| ["commit", "rollback"].contains(&word(at).as_str()) && begins(at - 1) && ends(at + 1));
    found.map(|at| all[at].start..all[at].start + all[at].text.len())
}

/// The text of the body, where it begins in the file, and its language if it is given.
fn body_of<'s>(
    script: &'s Script,
    statement: &'s Statement,
) -> Option<(Cow<'s, str>, usize, Option<String>)> {
    let node = statement.node(script);
    let is_block = statement.kind == SyntaxKind::DO;
    let holder = match statement.kind {
        SyntaxKind::DO => node,
        SyntaxKind::CREATE_FUNCTION | SyntaxKind::CREATE_PROCEDURE => {
            node.first(SyntaxKind::AS_DEFINITION)?
        }
        _ => return None,
    };
    let is_string = |text: &str| text.starts_with(['\'', '$']) || text.starts_with(['E', 'e']);
    let language = node.tokens().skip_while(|token| token.kind != SyntaxKind::LANGUAGE_KW).nth(1);
    let language = language.map(|token| normalized(token.text.trim_matches('\'')));
    let of_language = |token: &super::Token<'_>| {
        token.within == SyntaxKind::LITERAL && is_string(token.text) && token.text.len() > 1
    };
    let mut bodies = holder.tokens().filter(of_language);
    let body =
        bodies.find(|token| Some(token.text.trim_matches('\'').to_lowercase()) != language || !is_block)?;
    let (start, inner) = content(body.text)?;
    let inner = match body.text.chars().next() {
        Some('$') => Cow::Borrowed(inner),
        _ if inner.contains('\\') => return None,
        _ => Cow::Owned(without_doubled_quotes(inner)),
    };
    let offset = body.range().start + start;
    Some((inner, offset, language))
}

/// Names in a body are not sent qualified.
fn resolved_on_path(mut script: Script) -> Script {
    let statements = script.statements.iter_mut();
    for name in statements.flat_map(|statement| &mut statement.names) {
        name.lookup = Lookup::Path;
    }
    script
}

/// The statements of a body at their offsets in the file.
fn masked(text: &str, parts: &Parts, offset: usize) -> String {
    let mut shown = vec![b' '; offset + text.len() + 1];
    for (range, _) in &parts.statements {
        shown[offset + range.start..offset + range.end].copy_from_slice(text[range.clone()].as_bytes());
        shown[offset + range.end] = b';';
    }
    for range in &parts.blank {
        shown[offset + range.start..offset + range.end].fill(b' ');
    }
    for start in &parts.performed {
        shown[offset + start..offset + start + 7].copy_from_slice(b"SELECT ");
    }
    String::from_utf8(shown).unwrap_or_default()
}

/// A body that is quoted with `'`, with its doubled quotes replaced: `''x''` becomes ` 'x' `. The length stays the same. A quote
/// that is escaped twice makes the text unreadable.
fn without_doubled_quotes(text: &str) -> String {
    let mut opens = true;
    let mut parts = text.split("''");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown.push_str(if opens { " '" } else { "' " });
        shown.push_str(part);
        opens = !opens;
    }
    shown
}
