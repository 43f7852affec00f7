//! `JUnit` XML for the test reports of CI servers: a test case for each rule and file with findings, and one for the run.
//! <https://github.com/testmoapp/junitxml>

use std::fmt::Write as _;
use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::report::Report;
use crate::error::Place;
use crate::output::{Text, escape, plural, without_secrets};
use crate::verify::{Finding, Level, Object};

/// The result of a test case.
enum Outcome {
    Passed,
    /// Findings that deny: the message, and the lines of all.
    Failed(String, String),
    /// A failure of the run, likewise.
    Error(String, String),
    /// All findings are accepted; the reason of the first.
    Skipped(String),
}

struct Case {
    /// The file, the object of the database, or the program.
    of: String,
    is_file: bool,
    /// The rule or the error code.
    name: String,
    line: Option<usize>,
    outcome: Outcome,
    /// Lines about findings that do not deny.
    notes: String,
}

/// The document.
pub fn junit(report: &Report<'_>) -> io::Result<Text> {
    let mut cases = vec![Case {
        of: "tenure".to_owned(),
        is_file: false,
        name: report.command.to_owned(),
        line: None,
        outcome: Outcome::Passed,
        notes: report.counts() + "\n",
    }];
    cases.extend(report.lowered.iter().map(|lowered| Case {
        of: "tenure.toml".to_owned(),
        is_file: true,
        name: lowered.setting.clone(),
        line: None,
        outcome: Outcome::Passed,
        notes: format!("lowered: {lowered}\n"),
    }));
    cases.extend(report.failures.iter().map(|failure| {
        let place = failure.place.as_ref();
        let help = failure.hint.as_ref().map(|hint| format!("help: {hint}\n")).unwrap_or_default();
        let at = place.map(|place| format!("{}: ", escape(&report.place(place)))).unwrap_or_default();
        let lines = format!("{at}{}\n{help}", escape(&failure.message));
        Case {
            of: place.map_or_else(|| "tenure".to_owned(), |place| (report.path)(place.file())),
            is_file: place.is_some(),
            name: failure.code.as_str().to_owned(),
            line: place.and_then(Place::start).map(|start| start.line),
            outcome: Outcome::Error(failure.message.clone(), lines),
            notes: String::new(),
        }
    }));
    let mut groups: Vec<(String, Vec<&Finding>)> = Vec::new();
    for finding in report.findings.iter() {
        let of = match (finding.place(), finding.object()) {
            (Some(place), _) => (report.path)(place.file()),
            (None, object) => object.map(Object::title).unwrap_or_default(),
        };
        match groups.iter_mut().rev().find(|(own, group)| *own == of && group[0].rule == finding.rule) {
            Some((_, group)) => group.push(finding),
            None => groups.push((of, vec![finding])),
        }
    }
    cases.extend(groups.into_iter().map(|(of, group)| of_group(report, of, &group)));
    written(report, &cases).map(|xml| Text::of_lines(&xml))
}

/// The test case of the findings of one rule in one file.
fn of_group(report: &Report<'_>, of: String, group: &[&Finding]) -> Case {
    let (mut denied, mut notes) = (String::new(), String::new());
    for finding in group {
        let at =
            finding.place().map(|place| format!("{}: ", escape(&report.place(place)))).unwrap_or_default();
        let lines = if finding.denies() { &mut denied } else { &mut notes };
        let _written = writeln!(lines, "{at}{}", escape(&finding.message));
        let _written = match (&finding.allowed, finding.level) {
            (Some(because), _) => writeln!(lines, "allowed because {}", escape(because)),
            (None, Level::Deny | Level::Warn | Level::Off) => {
                writeln!(lines, "help: {}", escape(&finding.help))
            }
        };
    }
    let first = group.iter().find(|finding| finding.denies());
    let others = group.iter().filter(|finding| finding.denies()).count().saturating_sub(1);
    let more = if others > 0 { format!(" (and {})", plural(others, "other")) } else { String::new() };
    let outcome = match first {
        Some(first) => Outcome::Failed(format!("{}{more}", first.message), denied),
        None => match group.iter().map(|finding| finding.allowed.as_ref()).collect::<Option<Vec<_>>>() {
            Some(reasons) => Outcome::Skipped(format!("allowed because {}", reasons[0])),
            None => Outcome::Passed,
        },
    };
    let shown = first.unwrap_or(&group[0]);
    let line = shown.place().and_then(Place::start).map(|start| start.line);
    let is_file = shown.place().is_some();
    Case { of, is_file, name: shown.rule.to_string(), line, outcome, notes }
}

fn written(report: &Report<'_>, cases: &[Case]) -> io::Result<String> {
    let count = |wanted: fn(&Outcome) -> bool| cases.iter().filter(|case| wanted(&case.outcome)).count();
    let name = format!("tenure {}", report.command);
    let counts = [
        ("name", name),
        ("tests", cases.len().to_string()),
        ("failures", count(|outcome| matches!(outcome, Outcome::Failed(..))).to_string()),
        ("errors", count(|outcome| matches!(outcome, Outcome::Error(..))).to_string()),
        ("skipped", count(|outcome| matches!(outcome, Outcome::Skipped(_))).to_string()),
        ("time", "0".to_owned()),
    ];
    let counts = || counts.iter().map(|(key, value)| (*key, value.as_str()));
    // The outer element counts no skipped cases.
    let totals = || counts().filter(|(key, _)| *key != "skipped");
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    writer.create_element("testsuites").with_attributes(totals()).write_inner_content(|writer| {
        writer.create_element("testsuite").with_attributes(counts()).write_inner_content(|writer| {
            for case in cases {
                write_case(writer, case)?;
            }
            Ok(())
        })?;
        Ok(())
    })?;
    Ok(String::from_utf8_lossy(&writer.into_inner()).into_owned() + "\n")
}

fn write_case(writer: &mut Writer<Vec<u8>>, case: &Case) -> io::Result<()> {
    let Case { of, is_file, name, line, outcome, notes } = case;
    let (of, name, line) = (one_line(of), one_line(name), line.map(|line| line.to_string()));
    let file = is_file.then_some(("file", of.as_str()));
    let line = line.as_deref().map(|line| ("line", line));
    let attributes = [("classname", of.as_str()), ("name", &name), ("time", "0")];
    let attributes = attributes.into_iter().chain(file).chain(line);
    let element = writer.create_element("testcase").with_attributes(attributes);
    element.write_inner_content(|writer| {
        let reported = |tag, message: &str| (tag, one_line(message));
        match outcome {
            Outcome::Passed => {}
            Outcome::Failed(message, lines) | Outcome::Error(message, lines) => {
                let tag = if matches!(outcome, Outcome::Failed(..)) { "failure" } else { "error" };
                let (tag, message) = reported(tag, message);
                let attributes = [("message", message.as_str()), ("type", &name)];
                writer
                    .create_element(tag)
                    .with_attributes(attributes)
                    .write_text_content(BytesText::new(&plain(lines)))?;
            }
            Outcome::Skipped(because) => {
                let (tag, message) = reported("skipped", because);
                writer.create_element(tag).with_attribute(("message", message.as_str())).write_empty()?;
            }
        }
        if !notes.is_empty() {
            writer.create_element("system-out").write_text_content(BytesText::new(&plain(notes)))?;
        }
        Ok(())
    })?;
    Ok(())
}

/// A text for an attribute, which has no line breaks.
fn one_line(text: &str) -> String {
    plain(&escape(text))
}

/// A text without secrets and without the characters that XML does not contain (chapter 2.2); control characters are escaped
/// already.
fn plain(text: &str) -> String {
    without_secrets(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}
