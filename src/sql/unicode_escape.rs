//! Identifiers with Unicode escapes: `U&"d\0061ta"`, `U&"d!0061ta" UESCAPE '!'` (manual, chapter 4.1.1).

/// Decodes such an identifier; `None` if `identifier` has another form. Invalid escapes are returned unchanged, since
/// the server rejects them.
pub(super) fn decode(identifier: &str) -> Option<String> {
    let rest = identifier.strip_prefix(['U', 'u'])?.strip_prefix("&\"")?;
    let end = closing(rest)?;
    let written = rest[..end].replace("\"\"", "\"");
    Some(letters(&written, escape(&rest[end + 1..])).unwrap_or(written))
}

/// Returns the position of the closing quote.
fn closing(text: &str) -> Option<usize> {
    let mut marks = text.char_indices().filter(|(_, letter)| *letter == '"').map(|(at, _)| at).peekable();
    while let Some(at) = marks.next() {
        if marks.next_if_eq(&(at + 1)).is_none() {
            return Some(at);
        }
    }
    None
}

/// Returns the escape character, from the text after the closing quote.
fn escape(rest: &str) -> char {
    rest.trim_end().strip_suffix('\'').and_then(|text| text.chars().next_back()).unwrap_or('\\')
}

fn letters(written: &str, escape: char) -> Option<String> {
    let mut chars = written.chars();
    let (mut text, mut high_surrogate) = (String::new(), None);
    while let Some(letter) = chars.next() {
        let rest = chars.as_str();
        let number = match rest.chars().next() {
            _ if letter != escape => None,
            Some(next) if next == escape => {
                chars.next();
                None
            }
            Some('+') => Some(rest.get(1..7)?),
            _ => Some(rest.get(..4)?),
        };
        let Some(number) = number else {
            if high_surrogate.is_some() {
                return None;
            }
            text.push(letter);
            continue;
        };
        chars = rest[rest.find(number)? + number.len()..].chars();
        // Code points above U+FFFF may be written as a surrogate pair.
        match (high_surrogate.take(), u32::from_str_radix(number, 16).ok()?) {
            (None, high @ 0xD800..=0xDBFF) => high_surrogate = Some(high),
            (Some(high), low @ 0xDC00..=0xDFFF) => {
                text.push(char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00))?);
            }
            (None, number) => text.push(char::from_u32(number)?),
            (Some(_), _) => return None,
        }
    }
    high_surrogate.is_none().then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_decoded() {
        for (written, name) in [
            (r#"U&"d\0061t\+000061""#, "data"),
            (r#"u&"\0441\043B\043E\043D""#, "слон"),
            (r#"U&"d!0061ta" UESCAPE '!'"#, "data"),
            (r#"U&"d\0061ta" uescape '!'"#, r"d\0061ta"),
            (r#"U&"a""b\\c""#, r#"a"b\c"#),
            (r#"U&"\D83D\DE00""#, "\u{1f600}"),
            (r#"U&"\+01F600""#, "\u{1f600}"),
            (r#"U&"Plain""#, "Plain"),
            (r#"U&"\zzzz""#, r"\zzzz"),
            (r#"U&"\D83D""#, r"\D83D"),
            (r#"U&"\D83Dx\DE00""#, r"\D83Dx\DE00"),
        ] {
            assert_eq!(decode(written).as_deref(), Some(name), "{written}");
        }
        for other in ["u", "U&", "\"U&\"", "u & b", "users", "U&\"open"] {
            assert_eq!(decode(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "U&\"(\\\\|\\+|0|d|8|é|\"|[a-f]){0,20}\"?( UESCAPE '.')?") {
            let _name = decode(&text);
        }
    }
}
