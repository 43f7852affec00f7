//! Renders a message with its source lines in the style of `rustc`, for failures and findings alike.

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};

use super::Paint;
use super::text::{Text, escape, escape_commands, escape_lines, escape_source};
use crate::error::Place;

/// How serious a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It stops the operation.
    Error,
    /// It does not stop the operation.
    Warning,
    /// Information, such as an accepted finding.
    Note,
}

/// A message to render.
#[derive(Debug, Clone, Copy)]
pub struct Diagnostic<'a> {
    /// How serious it is.
    pub severity: Severity,
    /// Its stable code, shown in brackets.
    pub code: Option<&'a str>,
    /// The message.
    pub title: &'a str,
    /// The position.
    pub place: Option<&'a Place>,
    /// The label of the marked text; may be empty.
    pub label: &'a str,
    /// Further notes.
    pub notes: &'a [&'a str],
    /// The next step.
    pub help: Option<&'a str>,
}

impl Diagnostic<'_> {
    /// Renders the message.
    pub fn render(&self, paint: Paint) -> Text {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let [title, label] = [escape_lines(self.title), escape(self.label)];
        let file = self.place.map(|place| escape(place.file())).unwrap_or_default();
        let help = self.help.map(escape_lines);
        let notes: Vec<String> = self.notes.iter().map(|note| escape_lines(note)).collect();
        let title = level.primary_title(title);
        let title = match self.code {
            Some(code) => title.id(code),
            None => title,
        };
        let mut elements: Vec<Element<'_>> = Vec::new();
        // Only the lines that are shown, since processing the whole file for each finding is slow. A single CR ends a
        // line in `Source::position`, and has the length of an LF.
        let lines = match self.place {
            Some(Place::Span(source, range)) => source.lines_around(range),
            _ => 0..0,
        };
        let shown = match self.place {
            Some(Place::Span(source, _)) => escape_source(&with_lf(&source.text[lines.clone()])),
            _ => String::new(),
        };
        match self.place {
            Some(Place::Span(source, range)) => {
                // Any span must be rendered without a panic.
                let offset = |at: usize| escape_source(&source.text[lines.start..at]).len();
                let start = offset(source.text.floor_char_boundary(range.start));
                let end = offset(source.text.ceil_char_boundary(range.end)).max(start);
                let mark = AnnotationKind::Primary.span(start..end);
                let mark = if label.is_empty() { mark } else { mark.label(&label) };
                elements.push(
                    Snippet::source(&shown)
                        .line_start(source.position(lines.start).line)
                        .path(&file)
                        .annotation(mark)
                        .into(),
                );
            }
            Some(Place::File(_)) => elements.push(Origin::path(&file).into()),
            None => {}
        }
        elements.extend(notes.iter().map(|note| Level::NOTE.message(note).into()));
        elements.extend(help.as_deref().map(|help| Level::HELP.message(help).into()));
        let group = Group::with_title(title).elements(elements);
        let renderer = if paint.is_coloured { Renderer::styled() } else { Renderer::plain() };
        let groups = [group];
        let text = renderer.render(&groups);
        let text = if self.place.is_some() {
            text
        } else {
            // Without a position there are no source lines, so the empty gutter is removed.
            let plain = Renderer::plain().render(&groups);
            let lines = text.lines().zip(plain.lines()).filter(|(_, plain)| plain.trim() != "|");
            lines.map(|(line, _)| line).collect::<Vec<_>>().join("\n")
        };
        Text::of_escaped(escape_commands(&text) + "\n")
    }
}

/// Replaces each single CR by LF. The length is unchanged.
fn with_lf(text: &str) -> String {
    let mut letters = text.chars().peekable();
    let mut shown = String::with_capacity(text.len());
    while let Some(letter) = letters.next() {
        let is_single_cr = letter == '\r' && letters.peek() != Some(&'\n');
        shown.push(if is_single_cr { '\n' } else { letter });
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::Source;

    fn diagnostic(place: Option<&Place>) -> Diagnostic<'_> {
        Diagnostic {
            severity: Severity::Error,
            code: Some("drop-column"),
            title: "it breaks",
            place,
            label: "here",
            notes: &["known from the text"],
            help: Some("do not"),
        }
    }

    #[test]
    fn a_span_is_marked_under_its_line() {
        let source = Source::new("migrations/a.sql", "-- ä\r\nALTER TABLE \"ü\"\r\n  DROP COLUMN email;\r\n");
        let start = source.text.find("DROP").unwrap();
        let place = Place::at(&source, start..start + 17);
        insta::assert_snapshot!(diagnostic(Some(&place)).render(Paint::PLAIN), @r#"
        error[drop-column]: it breaks
         --> migrations/a.sql:3:3
          |
        3 |   DROP COLUMN email;
          |   ^^^^^^^^^^^^^^^^^ here
          |
          = note: known from the text
          = help: do not
        "#);
        assert!(diagnostic(Some(&place)).render(Paint::COLOURED).as_str().contains("\u{1b}["));
    }

    #[test]
    fn a_line_may_end_with_cr() {
        let source = Source::new("a.sql", "-- a\rSELECT 1;\rDROP TABLE t;\r");
        let start = source.text.find("DROP").unwrap();
        let drawn = diagnostic(Some(&Place::at(&source, start..start + 12))).render(Paint::PLAIN).to_string();
        assert!(drawn.contains("--> a.sql:3:1\n"), "{drawn}");
        assert!(drawn.contains("3 | DROP TABLE t;\n  | ^^^^^^^^^^^^ here"), "{drawn}");
    }

    #[test]
    fn a_file_or_nothing_has_no_lines() {
        let place = Place::File("tenure.toml".to_owned());
        insta::assert_snapshot!(diagnostic(Some(&place)).render(Paint::PLAIN), @r#"
        error[drop-column]: it breaks
        --> tenure.toml
         = note: known from the text
         = help: do not
        "#);
        let bare = Diagnostic {
            severity: Severity::Note,
            code: None,
            label: "",
            notes: &[],
            help: None,
            ..diagnostic(None)
        };
        insta::assert_snapshot!(bare.render(Paint::PLAIN), @"note: it breaks");
    }

    #[test]
    fn no_part_begins_a_line_or_hides_something() {
        let hostile = "a\n= help: b\r\n::error::c\u{1b}[31m\u{202e}##[error]";
        let source = Source::new(hostile, "SELECT\t'\u{1b}]0;x\u{9b}\u{200b}';\n::error::d\n##[error]e\n");
        for place in [Place::at(&source, 8..17), Place::at(&source, 0..60), Place::File(hostile.to_owned())] {
            let shown = Diagnostic {
                severity: Severity::Error,
                code: None,
                title: hostile,
                place: Some(&place),
                label: hostile,
                notes: &[hostile],
                help: Some(hostile),
            };
            let drawn = shown.render(Paint::PLAIN).to_string();
            assert!(!drawn.contains(['\r', '\t', '\u{1b}', '\u{9b}', '\u{202e}', '\u{200b}']), "{drawn}");
            assert!(!drawn.contains("##[") && !drawn.contains("::error::c"), "{drawn}");
            for line in drawn.lines().map(str::trim_start) {
                assert!(!line.starts_with("::") && !line.starts_with("= help: b"), "{drawn}");
            }
            let coloured = shown.render(Paint::COLOURED).to_string();
            assert!(!coloured.contains("\u{1b}[31m") && !coloured.contains('\u{9b}'), "{coloured:?}");
        }
        let drawn = diagnostic(Some(&Place::at(&source, 8..15))).render(Paint::PLAIN).to_string();
        let shown = "1 | SELECT    '\\u{1b}]0;x\\u{9b}\\u{200b}';\n  |            ^^^^^^^^^^^^^^^^ here\n";
        assert!(drawn.contains(shown), "{drawn}");
    }

    proptest! {
        #[test]
        fn no_span_makes_it_panic(text in "\\PC{0,20}(\r?\n\\PC{0,20}){0,3}", a in 0usize..60, b in 0usize..60) {
            let place = Place::at(&Source::new("a.sql", text), a.min(b)..a.max(b));
            let _drawn = diagnostic(Some(&place)).render(Paint::PLAIN);
        }
    }
}
