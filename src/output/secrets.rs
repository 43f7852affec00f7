//! Masks URLs and passwords in text that may be published, such as a comment on a pull request. **Invariant:** if in
//! doubt, text is masked.

/// The replacement for a secret.
const MASK: &str = "***";

/// The word before a secret, in any case. `sslpassword` and `PGPASSWORD` end with it.
const WORD: &str = "password";

/// Masks all URLs and passwords.
pub fn without_secrets(text: &str) -> String {
    without_passwords(&without_urls(text, |_| true))
}

/// Masks passwords in URLs, connection strings and `user:password@host`: for messages that repeat user input, such as a file
/// name.
pub fn without_credentials(text: &str) -> String {
    if !text.contains('@') && !text.to_ascii_lowercase().contains(WORD) && !text.contains("://") {
        return text.to_owned();
    }
    let text = without_urls(text, has_password);
    without_logins(&mask_passwords(&text, |word| word == Assigned::Equals))
}

/// Whether a URL, from its `://` on, contains a password: also percent-encoded, or as a parameter.
pub(super) fn has_password(url: &str) -> bool {
    let url = decoded(url);
    let user = url.rsplit_once('@').map(|(user, _)| user.trim_start_matches("://"));
    let given = |value: &str| !value.is_empty() && !value.starts_with(MASK);
    user.and_then(|user| user.split_once(':')).is_some_and(|(_, password)| given(password))
        || url.to_ascii_lowercase().split_once("password=").is_some_and(|(_, password)| given(password))
}

/// The text with percent-encoded characters decoded.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after.get(..2).filter(|_| *first == b'%').and_then(|code| std::str::from_utf8(code).ok());
        let byte = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Masks the password in `user:password@host`. All text before the last `@` of a word, or of a text in quotes, belongs to it.
fn without_logins(text: &str) -> String {
    let (mut shown, mut from) = (String::new(), 0);
    while let Some(at) = text[from..].find('@').map(|at| last_at(text, from + at)) {
        let is_host = text[at + 1..].starts_with(|sign: char| sign.is_alphanumeric() || "[/".contains(sign));
        let start = from + login_start(&text[from..at], &text[at..]);
        let login = &text[start..at];
        let colon = login.find(':').filter(|_| is_host).filter(|colon| {
            let password = &login[colon + 1..];
            !password.is_empty() && !password.starts_with(MASK) && !password.starts_with("//")
        });
        if let Some(colon) = colon {
            shown.push_str(&text[from..=start + colon]);
            shown.push_str(MASK);
        } else {
            shown.push_str(&text[from..at]);
        }
        shown.push('@');
        from = at + 1;
    }
    shown.push_str(&text[from..]);
    shown
}

/// The last `@` of the word with the one at `first`.
fn last_at(text: &str, first: usize) -> usize {
    let word = text[first..].split(|sign: char| sign.is_whitespace() || "\"'`<>|".contains(sign)).next();
    first + word.and_then(|word| word.rfind('@')).unwrap_or_default()
}

/// The start of the login at the end of `before`: the text since an open quote, else since a space.
fn login_start(before: &str, after: &str) -> usize {
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    let open = ['"', '\'', '`'].iter().filter_map(|quote| {
        let is_open = before[line..].matches(*quote).count() % 2 == 1 && after.contains(*quote);
        before.rfind(*quote).filter(|_| is_open).map(|at| at + 1)
    });
    let space = before.rfind(|sign: char| sign.is_whitespace() || "\"'`<>|".contains(sign));
    open.min()
        .unwrap_or_else(|| space.map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8)))
}

/// Masks URLs; `is_secret` gets the part that starts with `://`.
fn without_urls(text: &str, is_secret: impl Fn(&str) -> bool) -> String {
    let (mut shown, mut rest) = (String::new(), text);
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at);
        let scheme =
            before.trim_end_matches(|sign: char| sign.is_ascii_alphanumeric() || "+.-".contains(sign));
        let end = match scheme.chars().next_back().filter(|sign| "'\"`".contains(*sign)) {
            // A URL in quotes: spaces and brackets are part of it.
            Some(quote) => closing(after, quote),
            None => bare_url(after),
        };
        shown.push_str(before);
        shown.push_str(if is_secret(&after[..end]) { "://***" } else { &after[..end] });
        rest = &after[end..];
    }
    shown.push_str(rest);
    shown
}

/// The position of the closing quote; doubled quotes and those after a backslash are part of the text.
fn closing(text: &str, quote: char) -> usize {
    let mut at = 0;
    while let Some(end) = text[at..].find(quote).map(|end| at + end) {
        if text[end + 1..].starts_with(quote) {
            at = end + 2;
        } else if text[..end].ends_with('\\') {
            at = end + 1;
        } else {
            return end;
        }
    }
    text.len()
}

/// The length of a URL without quotes. All text before an `@` is part of it.
fn bare_url(text: &str) -> usize {
    let until =
        |of: &dyn Fn(char) -> bool, from: usize| text[from..].find(of).map_or(text.len(), |at| from + at);
    // ESC begins the end of a coloured text.
    let end = until(&|sign| sign.is_whitespace() || "'\"`<>|\u{1b}".contains(sign), 0);
    let space = until(&char::is_whitespace, end);
    match text[end..space].rfind('@') {
        Some(at) => until(&|sign| sign.is_whitespace() || "'\"`<>|".contains(sign), end + at),
        None => end,
    }
}

/// How a password follows the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Assigned {
    /// After `=`, as in a connection string.
    Equals,
    /// As a literal or after another operator, as in SQL and JSON.
    Otherwise,
}

fn without_passwords(text: &str) -> String {
    mask_passwords(text, |_| true)
}

fn mask_passwords(text: &str, is_masked: impl Fn(Assigned) -> bool) -> String {
    // Only ASCII letters change, so offsets stay valid.
    let (mut shown, mut from, lower) = (String::new(), 0, text.to_ascii_lowercase());
    while let Some(at) = lower[from..].find(WORD) {
        let after = from + at + WORD.len();
        let assigned =
            if blank(&text[after..]).starts_with('=') { Assigned::Equals } else { Assigned::Otherwise };
        let found = value(&text[..from + at], &text[after..]).filter(|_| is_masked(assigned));
        if let Some((start, end)) = found.filter(|(start, _)| !text[after + start..].starts_with(MASK)) {
            shown.push_str(&text[from..after + start]);
            shown.push_str(MASK);
            from = after + end;
        } else {
            shown.push_str(&text[from..after]);
            from = after;
        }
    }
    shown.push_str(&text[from..]);
    shown
}

/// The range of the value after the word: a literal, or any text after an assignment operator. `password text` has no
/// value: it is a column definition.
fn value(before: &str, text: &str) -> Option<(usize, usize)> {
    let name = before.trim_end_matches(|sign: char| sign.is_alphanumeric() || sign == '_');
    let quote = name.chars().next_back().filter(|sign| "'\"".contains(*sign));
    let closed = quote.and_then(|quote| text.strip_prefix('\\').unwrap_or(text).strip_prefix(quote));
    let (named, was_quoted) = (closed.unwrap_or(text), closed.is_some());
    let bare = blank(named);
    let given = match bare.as_bytes() {
        [b':', b'=', ..] | [b'=', b'>', ..] => Some(&bare[2..]),
        [b':', b':', ..] => None,
        [b'=' | b':', ..] => Some(&bare[1..]),
        // The key in a list of key and value arguments.
        [b',', ..] if was_quoted => Some(&bare[1..]),
        _ => None,
    };
    let rest = blank(given.unwrap_or(bare));
    let start = text.len() - rest.len();
    if let Some(length) = literal(rest) {
        return Some((start, start + length));
    }
    given?;
    let length = word(rest);
    (length > 0).then_some((start, start + length))
}

/// Skips white space and the margin that a snippet adds to each line.
fn blank(text: &str) -> &str {
    let mut rest = text.trim_start_matches([' ', '\t']);
    while let Some(line) = rest.strip_prefix(['\n', '\r']) {
        rest = line.trim_start();
        let margin = rest.trim_start_matches(|sign: char| sign.is_ascii_digit() || sign == ' ');
        if let Some(behind) = margin.strip_prefix('|') {
            rest = behind.trim_start_matches([' ', '\t', '_', '|', '/', '^', '-']);
        }
    }
    rest
}

/// The length of the SQL or JSON literal at the start of the text. An unterminated literal extends to the end.
fn literal(text: &str) -> Option<usize> {
    if let Some(tagged) = text.strip_prefix('$') {
        let tag = tagged.find('$')?;
        if !tagged[..tag].chars().all(|sign| sign.is_alphanumeric() || sign == '_') {
            return None;
        }
        let mark = &text[..tag + 2];
        return Some(text[mark.len()..].find(mark).map_or(text.len(), |end| end + 2 * mark.len()));
    }
    let begins = ["U&", "u&", "E", "e", "N", "n", "B", "b", "X", "x", "\\", ""].into_iter();
    let prefix = begins.into_iter().find(|prefix| {
        text.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('\'') || rest.starts_with('"'))
    })?;
    let escapes = matches!(prefix, "E" | "e" | "\\") || text.starts_with('"');
    let quote = char::from(*text.as_bytes().get(prefix.len())?);
    // Doubled quotes before other text are an escaped quote inside a surrounding literal.
    let double = format!("{quote}{quote}");
    let inner = &text[prefix.len() + 1..];
    if let Some(within) = inner.strip_prefix(quote)
        && within.starts_with(|sign: char| !sign.is_whitespace() && !",;)".contains(sign) && sign != quote)
    {
        return Some(within.find(&double).map_or(text.len(), |end| prefix.len() + 2 + end + 2));
    }
    let mut signs = inner.char_indices().peekable();
    while let Some((at, sign)) = signs.next() {
        let is_doubled = sign == quote && signs.peek().is_some_and(|(_, next)| *next == quote);
        if is_doubled || (sign == '\\' && escapes) {
            signs.next();
        } else if sign == quote {
            return Some(prefix.len() + 1 + at + 1);
        }
    }
    Some(text.len())
}

/// The length of the word at the start of the text: up to a space or the end of the surrounding literal, including
/// literals as arguments.
fn word(text: &str) -> usize {
    let (mut at, mut last) = (0, ' ');
    while let Some(sign) = text[at..].chars().next() {
        if sign == '\\' {
            at += 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8);
        } else if last == '(' && sign == '\'' {
            at += literal(&text[at..]).unwrap_or(1);
        } else if text[at..].starts_with("''") {
            at += 2;
        } else if sign.is_whitespace() || "'\"`<>|".contains(sign) {
            break;
        } else {
            at += sign.len_utf8();
        }
        last = sign;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_masked() {
        for (text, shown) in [
            (
                "CREATE SUBSCRIPTION s CONNECTION 'postgresql://me:hunter2@h/d?x=1' PUBLICATION p; -- see https://h",
                "CREATE SUBSCRIPTION s CONNECTION 'postgresql://***' PUBLICATION p; -- see https://***",
            ),
            ("'postgres://me:hun ter|2@h/d', 1", "'postgres://***', 1"),
            ("go to postgres://me:hun|ter2@h/d|x", "go to postgres://***|x"),
            ("<https://h> a@b", "<https://***> a@b"),
        ] {
            assert_eq!(without_secrets(text), shown);
        }
    }

    #[test]
    fn passwords_are_masked() {
        for text in [
            "dblink('host=h user=u password=hunter2')",
            "dblink('host=h user=u password = hunter2 dbname=d')",
            "dblink('host=h password=''hunter2 hunter2'' user=u')",
            r"dblink('host=h password=hun\ hunter2')",
            "dblink('password=x,hunter2)y')",
            "dblink('password=x''hunter2')",
            "CREATE USER MAPPING FOR u SERVER s OPTIONS (user 'u', password 'hunter2')",
            "CREATE USER MAPPING FOR u SERVER s OPTIONS (\"password\" 'hunter2')",
            "ALTER ROLE u PASSWORD 'hun''hunter2'",
            "ALTER ROLE u ENCRYPTED PASSWORD\n\t'hunter2' VALID UNTIL 'x'",
            r"ALTER ROLE u PASSWORD E'a\'hunter2'",
            "ALTER ROLE u PASSWORD U&'hunter2'",
            "ALTER ROLE u PASSWORD $x$hunter2$x$",
            "ALTER ROLE u PASSWORD 'hunter2",
            "SET sslpassword TO x; PGPASSWORD=hunter2 psql",
            "conn sslpassword=hunter2",
            "UPDATE a SET password = crypt('my hunter2', gen_salt('bf'))",
            "f(password => 'hunter2')",
            "'{\"password\": \"hunter2\"}'",
            "json_build_object('password', 'hunter2')",
            "v_password := 'hunter2'",
            " 3 |   ALTER ROLE u PASSWORD\n   |   ^^^^\n 4 |     'hunter2'",
            "äöü PASSWORD 'hunter2'",
        ] {
            let shown = without_secrets(text);
            assert!(!shown.contains("hunter2") && shown.contains(MASK), "{text}: {shown}");
        }
    }

    #[test]
    fn other_text_is_unchanged() {
        for text in [
            "ALTER TABLE users ADD COLUMN password text NOT NULL",
            "ALTER TABLE users ADD COLUMN password_hash text DEFAULT 'x'",
            "password authentication failed for user \"u\"",
            "SELECT password::text, name FROM users WHERE password IS NOT NULL",
            "ALTER ROLE u PASSWORD NULL",
            "users.password, users.name",
            "ends with password",
            "ALTER TABLE \"password\" ADD COLUMN c int",
        ] {
            assert_eq!(without_secrets(text), text);
        }
        assert_eq!(without_secrets("SET a = password = 'x', b = 1"), "SET a = password = ***, b = 1");
        assert_eq!(without_secrets("(user 'u', password 'x')"), "(user 'u', password ***)");
        assert_eq!(without_secrets("dblink('password=x user=u', 1)"), "dblink('password=*** user=u', 1)");
    }

    #[test]
    fn only_passwords_are_credentials() {
        for (text, shown) in [
            ("/p/postgres://u:secret@h/x: not found", "/p/postgres://*** not found"),
            ("postgres://h/x?password=secret", "postgres://***"),
            ("postgres://u:***@h/x", "postgres://u:***@h/x"),
            ("postgres://u%3Asecret@h/x", "postgres://***"),
            ("postgres://h/x?sslmode=require&PASSWORD=secret", "postgres://***"),
            ("postgres://h/x?pass%77ord=secret", "postgres://***"),
            ("no file host=h password=secret user=u", "no file host=h password=*** user=u"),
            ("no file host=h password = 'my secret' user=u", "no file host=h password = *** user=u"),
            ("no file u:secret@h/x, nor 'u:my secret@h'", "no file u:***@h/x, nor 'u:***@h'"),
            (
                r#""postgres://u:my secret \" x@h" and 'postgres://u:''secret@h'"#,
                r#""postgres://***" and 'postgres://***'"#,
            ),
            ("no file postgres:/u:secret@h/x", "no file postgres:***@h/x"),
            ("u:sec@ret@h", "u:***@h"),
            ("ask bob@example.com: a password is needed", "ask bob@example.com: a password is needed"),
            ("migrations/a.sql:3:5: @ and password: none", "migrations/a.sql:3:5: @ and password: none"),
            (
                "see https://example.org/a and postgres://u@h/x",
                "see https://example.org/a and postgres://u@h/x",
            ),
        ] {
            assert_eq!(without_credentials(text), shown);
        }
    }
}
