//! The text of a server's error without values of rows. Names and the shape of a message stay. It is masked by structure,
//! since servers translate their messages: `lc_messages`.

use sqlx::postgres::PgDatabaseError;

/// The replacement for a value.
const MASK: &str = "…";

/// The replacement for the whole message of an error that code raised with the SQLSTATE of a data or constraint error.
const RAISED: &str = "code of the database raised an error, whose text may contain values and is not shown";

/// The server's functions that report an error with a text of user code, or of another server.
const RAISING: &[&str] = &[
    // PL/pgSQL
    "exec_stmt_raise",
    "exec_stmt_assert",
    // PL/Python, PL/Perl, PL/Tcl
    "PLy_output",
    "PLy_elog",
    "PLy_elog_impl",
    "PLy_exception_set_with_details",
    "do_util_elog",
    "plperl_util_elog",
    "plperl_call_perl_func",
    "plperl_call_perl_trigger_func",
    "plperl_call_perl_event_trigger_func",
    "pltcl_elog",
    "throw_tcl_error",
    // dblink, postgres_fdw, Citus
    "dblink_res_error",
    "dblink_connect_str_check",
    "pgfdw_report_error",
    "pgfdw_report_internal",
    "ReportResultError",
    "RaiseRemoteError",
];

/// Files of the server whose messages of class 23 contain names in quotes, and never values.
const NAMES_ONLY: &[&str] = &[
    "domains.c",
    "execExprInterp.c",
    "execIndexing.c",
    "execMain.c",
    "execPartition.c",
    "nbtinsert.c",
    "partbounds.c",
    "ri_triggers.c",
    "tablecmds.c",
    "tuplesort.c",
    "tuplesortvariants.c",
];

/// Files of the server whose syntax errors (class 42) quote a value: a text search query or vector.
const VALUES: &[&str] = &["tsquery.c", "tsvector.c", "tsvector_parser.c"];

/// Errors whose detail lists objects: other objects depend on the object to drop.
const DEPENDENTS: &str = "2BP01";

/// The SQLSTATEs of invalid XML. Their detail is the parser's text with lines of the document.
const XML: std::ops::RangeInclusive<&str> = "2200L"..="2200T";

/// The fields of a server's error (manual, chapter 55.8).
#[derive(Debug, Clone, Default)]
struct Fields<'e> {
    sqlstate: &'e str,
    message: &'e str,
    detail: Option<&'e str>,
    hint: Option<&'e str>,
    context: Option<&'e str>,
    /// The names of schema, table, column, data type and constraint.
    names: Vec<&'e str>,
    file: &'e str,
    routine: &'e str,
}

/// The parts of a server's error that may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerText {
    pub(super) message: String,
    pub(super) detail: Option<String>,
    pub(super) hint: Option<String>,
    /// Where PL/pgSQL code was, the innermost call first.
    pub(super) calls: Vec<Call>,
    /// Whether code of the database raised the error or was running, so that even names may be built from rows. Public
    /// output shows only the SQLSTATE of such an error.
    pub(super) from_code: bool,
}

/// A place in PL/pgSQL code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// The function with the types of its arguments; `None` for a DO block.
    pub(super) function: Option<String>,
    /// The line in its body, from 1.
    pub(super) line: usize,
}

/// The name of a DO block in a context (`inline_code_block` in the server's source).
const BLOCK: &str = "inline_code_block";

impl Call {
    /// Reads a line of a context such as `PL/pgSQL function f(integer) line 3 at RAISE`, in any language.
    fn of(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("PL/pgSQL")?;
        let (function, rest) = match rest.split_once(BLOCK) {
            Some((before, rest)) if !before.contains('(') => (None, rest),
            _ => {
                let open = rest.find('(')?;
                let start = rest[..open].rfind(' ').map_or(0, |space| space + 1);
                let end = open + rest[open..].find(')')? + 1;
                (Some(rest[start..end].to_owned()), &rest[end..])
            }
        };
        let digits = rest.split(|letter: char| !letter.is_ascii_digit()).find(|word| !word.is_empty())?;
        Some(Self { function, line: digits.parse().ok()? })
    }
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.function {
            Some(function) => write!(f, "in line {} of {function}", self.line),
            None => write!(f, "in line {} of the block", self.line),
        }
    }
}

impl ServerText {
    pub(super) fn of(error: &PgDatabaseError) -> Self {
        let names = [error.schema(), error.table(), error.column(), error.data_type(), error.constraint()];
        let file = error.file().unwrap_or_default();
        Fields {
            sqlstate: error.code(),
            message: error.message(),
            detail: error.detail().filter(|detail| !detail.is_empty()),
            hint: error.hint(),
            context: error.r#where(),
            names: names.into_iter().flatten().collect(),
            file: file.rsplit(['/', '\\']).next().unwrap_or(file),
            routine: error.routine().unwrap_or_default(),
        }
        .shown()
    }
}

impl Fields<'_> {
    fn shown(&self) -> ServerText {
        let calls: Vec<Call> = self.context.into_iter().flat_map(str::lines).filter_map(Call::of).collect();
        let from_code = self.is_raised() || self.context.is_some_and(|context| !context.is_empty());
        if self.is_raised_by_tenure() {
            let (detail, hint) = (self.detail.map(str::to_owned), self.hint.map(str::to_owned));
            // Its own functions are no place for a user.
            return ServerText {
                message: self.message.to_owned(),
                detail,
                hint,
                calls: Vec::new(),
                from_code,
            };
        }
        if self.is_raised() {
            // The author of a RAISE writes its message for people; the other parts are for data.
            let message = if self.is_about_values() { RAISED } else { self.message };
            return ServerText { message: message.to_owned(), detail: None, hint: None, calls, from_code };
        }
        let message = if self.is_about_values() {
            self.without_values(&without_numbers(self.message))
        } else {
            self.message.to_owned()
        };
        let detail = self.detail.map(|detail| self.shown_detail(detail));
        ServerText { message, detail, hint: self.hint.map(str::to_owned), calls, from_code }
    }

    /// Whether user code, or another server, chose the text.
    fn is_raised(&self) -> bool {
        RAISING.contains(&self.routine)
    }

    /// Whether one of Tenure's own functions raised the error: its texts contain only names, versions and states. The context
    /// starts with the function that raised the error.
    fn is_raised_by_tenure(&self) -> bool {
        let raising = self.context.and_then(|context| context.lines().next()).unwrap_or_default();
        self.is_raised()
            && !self.is_about_values()
            && raising.split([' ', '"', '.']).any(|word| word.starts_with("tenure_"))
    }

    /// Whether the message may contain values: data errors and constraint violations (manual, appendix A).
    fn is_about_values(&self) -> bool {
        self.sqlstate.starts_with("22") || self.sqlstate.starts_with("23") || VALUES.contains(&self.file)
    }

    fn shown_detail(&self, detail: &str) -> String {
        if self.sqlstate == DEPENDENTS {
            return detail.to_owned();
        }
        if XML.contains(&self.sqlstate) || detail.contains('\n') {
            return MASK.to_owned();
        }
        self.without_values(&without_parentheses(detail, self.is_about_values()))
    }

    /// Replaces the text in quotes except names: those in the error's own fields, all of a message that contains only names,
    /// and in a detail those of the message. A value may contain quotes, so the replacement extends to the last quote.
    fn without_values(&self, text: &str) -> String {
        if self.sqlstate.starts_with("23") && NAMES_ONLY.contains(&self.file) {
            return text.to_owned();
        }
        let is_name = |name: &str| {
            self.names.contains(&name)
                || (!self.is_about_values() && self.message.contains(&format!("\"{name}\"")))
        };
        let (mut shown, mut rest) = (String::new(), text);
        while let Some(start) = rest.find(is_quote) {
            let quote = rest[start..].chars().next().map_or(1, char::len_utf8);
            let inner = &rest[start + quote..];
            let end = inner.find(is_quote).unwrap_or(inner.len());
            if is_name(&inner[..end]) && end < inner.len() {
                let next = start + quote + end + inner[end..].chars().next().map_or(1, char::len_utf8);
                shown.push_str(&rest[..next]);
                rest = &rest[next..];
                continue;
            }
            shown.push_str(&rest[..start + quote]);
            shown.push_str(MASK);
            let Some(last) = inner.rfind(is_quote) else { return shown };
            shown.push_str(&inner[last..]);
            return shown;
        }
        shown.push_str(rest);
        shown
    }
}

/// The text of a notice about a statement of a file. The driver passes on only its message, so text in quotes and numbers stay
/// only if they stand in the file, or if the file contains the whole message, as that of a `RAISE`.
pub fn shown_notice(message: &str, file: &str) -> String {
    if file.contains(message) {
        return message.to_owned();
    }
    let is_in_file = |name: &&str| {
        let is_word =
            |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
        file.match_indices(*name).any(|(at, _)| {
            !is_word(file[..at].chars().next_back()) && !is_word(file[at + name.len()..].chars().next())
        })
    };
    let quoted = message.split(is_quote).skip(1).step_by(2).filter(|name| !name.is_empty());
    // A data error, of whose texts only the names stay.
    let names = quoted.filter(is_in_file).collect();
    Fields { sqlstate: "22000", message, names, ..Fields::default() }
        .without_values(&without_numbers(message))
}

/// The quotation marks of the server's languages. An apostrophe is none: some languages use it inside of words.
fn is_quote(letter: char) -> bool {
    matches!(letter, '"' | '«' | '»' | '“' | '”' | '„' | '‟' | '「' | '」' | '『' | '』' | '‹' | '›')
}

/// Replaces the values in parentheses: `Key (a)=(b)` and `(a) = (b)` keep the columns, any other text in parentheses is
/// replaced if `all` is set. A value may contain parentheses, so the replacement extends to the last one.
fn without_parentheses(text: &str, all: bool) -> String {
    let value = [")=(", ") = ("].iter().filter_map(|sign| Some(text.find(*sign)? + sign.len())).min();
    let start = value.or_else(|| text.find('(').filter(|_| all).map(|at| at + 1));
    let Some(start) = start else { return text.to_owned() };
    let end = text.rfind(')').filter(|end| *end >= start).unwrap_or(text.len());
    format!("{}{MASK}{}", &text[..start], &text[end..])
}

/// Replaces numbers, such as a date or a byte sequence, except a type's modifier, as in `varchar(5)`, and digits of a name.
/// Text in quotes is unchanged.
fn without_numbers(text: &str) -> String {
    let (mut shown, mut quoted, mut in_modifier, mut last) = (String::new(), false, false, ' ');
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        quoted ^= is_quote(letter);
        match letter {
            '(' => in_modifier = last.is_alphanumeric(),
            ')' => in_modifier = false,
            _ => {}
        }
        let is_in_word = last.is_alphanumeric() || last == '_';
        if !letter.is_numeric() || quoted || in_modifier || is_in_word {
            shown.push(letter);
            last = letter;
            continue;
        }
        shown.push_str(MASK);
        last = letter;
        while let Some(next) = letters.next_if(|next| next.is_alphanumeric() || ".:-+/_".contains(*next)) {
            last = next;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error<'e>(sqlstate: &'e str, message: &'e str) -> Fields<'e> {
        Fields { sqlstate, message, ..Fields::default() }
    }

    #[test]
    fn values_in_messages_are_masked_in_every_language() {
        for (sqlstate, message, shown) in [
            (
                "22P02",
                "invalid input syntax for type integer: \"secret\"",
                "invalid input syntax for type integer: \"…\"",
            ),
            (
                "22P02",
                "ungültige Eingabesyntax für Typ integer: »secret«",
                "ungültige Eingabesyntax für Typ integer: »…«",
            ),
            (
                "22P02",
                "syntaxe en entrée invalide pour le type integer : « secret »",
                "syntaxe en entrée invalide pour le type integer : «…»",
            ),
            ("22P02", "型integerの入力構文が不正です: \"secret\"", "型integerの入力構文が不正です: \"…\""),
            (
                "22P02",
                "invalid input syntax for type integer: \"a\" secret \"b\"",
                "invalid input syntax for type integer: \"…\"",
            ),
            (
                "22P02",
                "invalid input syntax for type integer: \"no end",
                "invalid input syntax for type integer: \"…",
            ),
            (
                "22003",
                "value \"99999999999\" is out of range for type integer",
                "value \"…\" is out of range for type integer",
            ),
            ("22008", "date field value out of range: 1990-13-01", "date field value out of range: …"),
            (
                "22008",
                "date/time field value out of range: \"31/12/1990\"",
                "date/time field value out of range: \"…\"",
            ),
            (
                "22021",
                "invalid byte sequence for encoding \"UTF8\": 0xe2 0x28",
                "invalid byte sequence for encoding \"…\": … …",
            ),
            (
                "22001",
                "value too long for type character varying(5)",
                "value too long for type character varying(5)",
            ),
            ("22003", "numeric field overflow", "numeric field overflow"),
            ("22012", "division by zero", "division by zero"),
            (
                "23505",
                "tuple \"secret\" is refused by an extension",
                "tuple \"…\" is refused by an extension",
            ),
        ] {
            assert_eq!(error(sqlstate, message).shown().message, shown);
        }
        let query = Fields { file: "tsquery.c", ..error("42601", "syntax error in tsquery: \"secret x\"") };
        assert_eq!(query.shown().message, "syntax error in tsquery: \"…\"");
    }

    #[test]
    fn a_notice_shows_what_the_file_contains() {
        let file =
            "CREATE TABLE IF NOT EXISTS users (id int); DO $$ BEGIN RAISE NOTICE 'step 7 of x'; END $$;";
        for (message, shown) in [
            ("relation \"users\" already exists, skipping", "relation \"users\" already exists, skipping"),
            ("relation \"user\" already exists, skipping", "relation \"…\" already exists, skipping"),
            ("step 7 of x", "step 7 of x"),
            ("moved 93 rows of \"secret\"", "moved … rows of \"…\""),
            ("Relation »users« existiert bereits", "Relation »users« existiert bereits"),
        ] {
            assert_eq!(shown_notice(message, file), shown);
        }
    }

    #[test]
    fn names_stay() {
        for (message, file, detail, shown) in [
            (
                "could not create unique index \"users_email_key\"",
                "tuplesortvariants.c",
                "Key (email)=(secret) is duplicated.",
                "Key (email)=(…) is duplicated.",
            ),
            (
                "update or delete on table \"users\" violates foreign key constraint \"f\" on table \"o\"",
                "ri_triggers.c",
                "Key (id)=(a) secret \"b\") is still referenced from table \"o\".",
                "Key (id)=(…) is still referenced from table \"o\".",
            ),
            (
                "new row for relation \"users\" violates check constraint \"c\"",
                "execMain.c",
                "Failing row contains (1, secret, null).",
                "Failing row contains (…).",
            ),
            (
                "no partition of relation \"p\" found for row",
                "execPartition.c",
                "Partition key of the failing row contains (a) = (secret).",
                "Partition key of the failing row contains (a) = (…).",
            ),
            (
                "conflicting key value violates exclusion constraint \"x\"",
                "execIndexing.c",
                "Key (lower(a))=(secret) conflicts with existing key (lower(a))=(secret).",
                "Key (lower(a))=(…).",
            ),
        ] {
            let text = Fields { file, detail: Some(detail), ..error("23505", message) }.shown();
            assert_eq!((text.message.as_str(), text.detail.as_deref()), (message, Some(shown)));
        }
        let other = Fields {
            names: vec!["users_email_key"],
            ..error("23505", "doppelter Schlüsselwert verletzt »users_email_key«")
        };
        assert_eq!(other.shown().message, "doppelter Schlüsselwert verletzt »users_email_key«");
        let dependents =
            Fields { detail: Some("view \"V\" depends on table t"), ..error("2BP01", "cannot drop table t") };
        assert_eq!(dependents.shown().detail.as_deref(), Some("view \"V\" depends on table t"));
    }

    #[test]
    fn details_of_other_errors_keep_the_names_of_the_message() {
        let message = "cannot insert a non-DEFAULT value into column \"id\"";
        let detail = "Column \"id\" is an identity column defined as GENERATED ALWAYS, not \"secret\".";
        let shown = Fields { detail: Some(detail), ..error("428C9", message) }.shown();
        assert_eq!(shown.message, message);
        assert_eq!(
            shown.detail.unwrap(),
            "Column \"id\" is an identity column defined as GENERATED ALWAYS, not \"…\"."
        );
        let json = Fields {
            detail: Some("Token \"secret\" is invalid."),
            ..error("22P02", "invalid input syntax for type json")
        };
        assert_eq!(json.shown().detail.unwrap(), "Token \"…\" is invalid.");
        let xml = Fields {
            detail: Some("line 1: Opening and ending tag mismatch: secret"),
            ..error("2200N", "invalid XML content")
        };
        assert_eq!(xml.shown().detail.unwrap(), "…");
    }

    #[test]
    fn only_the_message_of_a_raise_is_shown_and_none_that_claims_to_be_about_values() {
        let raised = |sqlstate, context| Fields {
            detail: Some("secret"),
            hint: Some("secret"),
            context: Some(context),
            routine: "exec_stmt_raise",
            ..error(sqlstate, "the row secret is wrong")
        };
        let shown = raised("P0001", "PL/pgSQL function inline_code_block line 1 at RAISE").shown();
        assert_eq!(
            (shown.message.as_str(), shown.detail, shown.hint),
            ("the row secret is wrong", None, None)
        );
        assert!(shown.from_code);
        for sqlstate in ["22P02", "23505"] {
            let shown = raised(sqlstate, "PL/pgSQL function tenure_x() line 1 at RAISE").shown();
            assert_eq!((shown.message.as_str(), shown.detail), (RAISED, None));
        }
        let forged = raised("TN001", "PL/pgSQL function inline_code_block line 1 at RAISE").shown();
        assert_eq!(forged.detail, None);
        let own = raised("TN001", "PL/pgSQL function tenure_advance(text,text) line 9 at RAISE").shown();
        assert_eq!(own.detail.as_deref(), Some("secret"));
    }
}
