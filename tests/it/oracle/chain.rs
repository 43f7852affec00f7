//! A product's migrations as migrations of Tenure: only the names of the files, the header lines and the schema are added. What a
//! product's own tool does with a transaction (`BEGIN`, `COMMIT`), Tenure does itself, so these statements are removed.

use std::path::Path;

use serde_json::Value;
use tenure::error::Source;
use tenure::sql::Script;

use crate::support::Project;

/// A statement with its position: lines and columns as in findings, from the first byte to the one after the last.
#[derive(Debug, Clone)]
pub struct Statement {
    pub text: String,
    pub start: (u64, u64),
    pub end: (u64, u64),
}

/// A file that Tenure can read.
#[derive(Debug, Clone)]
pub struct File {
    /// The product's name of the file, without `.sql`.
    pub name: String,
    /// The name as a migration.
    pub path: String,
    pub text: String,
    pub statements: Vec<Statement>,
}

#[derive(Debug)]
pub struct Chain {
    pub name: String,
    pub files: Vec<File>,
    /// The files that cannot be migrations of Tenure, with the reason.
    pub refused: Vec<(String, String)>,
}

/// A denial.
#[derive(Debug, Clone)]
pub struct Denial {
    pub path: String,
    pub rule: String,
    pub at: (u64, u64),
    pub message: String,
}

impl Chain {
    /// Reads the SQL files of a folder, in the order of their names.
    pub fn read(folder: &Path) -> Self {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|end| end == "sql"));
        paths.sort();
        let mut chain = Self { name, files: Vec::new(), refused: Vec::new() };
        for path in paths {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            chain.add(name, &text);
        }
        chain
    }

    /// Adds a file to the end of the chain.
    pub fn add(&mut self, name: String, text: &str) {
        let number = self.files.len();
        let slug: String = name.chars().filter(char::is_ascii_alphanumeric).take(60).collect();
        let path = format!("migrations/v0.0.{number}_to_v0.0.{}_x{}.sql", number + 1, slug.to_lowercase());
        let head = format!(
            "-- Migration: v0.0.{number} to v0.0.{}\n-- Description: {name}\n-- Scope: platform\n",
            number + 1
        );
        match parse(&path, format!("{head}{}", text.trim_start_matches('\u{feff}'))) {
            Ok((_, statements)) if statements.is_empty() => {}
            Ok((text, statements)) => self.files.push(File { name, path, text, statements }),
            Err(why) => self.refused.push((name, why)),
        }
    }

    /// A project with the chain.
    pub fn project(&self) -> Project {
        let project = Project::empty();
        // A product's tables are in the schema of unqualified names.
        project.file("tenure.toml", "[platform]\nschema = 'public'\n");
        for file in &self.files {
            project.file(&file.path, &file.text);
        }
        project
    }

    /// The denials of `tenure verify`. A file that it cannot read is removed from the chain.
    pub fn denials(&mut self) -> Vec<Denial> {
        loop {
            let (_, document) = self.project().json("verify");
            let Some(error) = document.get("error") else { return denials(&document) };
            let path = error["file"].as_str().unwrap_or_else(|| panic!("{document}"));
            let index =
                self.files.iter().position(|file| file.path == path).unwrap_or_else(|| panic!("{document}"));
            let refused = self.files.remove(index);
            self.refused.push((refused.name, format!("{}: {}", error["code"], error["message"])));
            // The versions must be consecutive.
            let files = std::mem::take(&mut self.files);
            for file in files {
                let body: Vec<&str> = file.text.splitn(4, '\n').collect();
                self.add(file.name, body[3]);
            }
        }
    }
}

fn denials(document: &Value) -> Vec<Denial> {
    let findings = document["findings"].as_array().unwrap();
    let denied = findings.iter().filter(|it| it["level"] == "deny" && it["allowed"] == false);
    let text = |it: &Value, key: &str| it[key].as_str().unwrap_or_default().to_owned();
    let number = |it: &Value, key: &str| it[key].as_u64().unwrap_or_default();
    denied
        .map(|it| Denial {
            path: text(it, "file"),
            rule: text(it, "rule"),
            at: (number(it, "line"), number(it, "column")),
            message: text(it, "message"),
        })
        .collect()
}

/// The text without transaction control, and its statements.
fn parse(path: &str, text: String) -> Result<(String, Vec<Statement>), String> {
    let script = Script::parse(Source::new(path, text.as_str())).map_err(|error| format!("{error:?}"))?;
    let control = script.statements.iter().filter(|it| it.is_begin_or_commit());
    let mut bytes = text.clone().into_bytes();
    for statement in control {
        let end = text[statement.range.end..]
            .find(';')
            .map_or(statement.range.end, |at| statement.range.end + at + 1);
        bytes[statement.range.start..end].fill(b' ');
    }
    let text = String::from_utf8(bytes).unwrap();
    let at = |offset| {
        let position = script.source.position(offset);
        (position.line as u64, position.column as u64)
    };
    let statements = script.statements.iter().filter(|it| !it.is_begin_or_commit()).map(|it| Statement {
        text: script.text(it).to_owned(),
        start: at(it.range.start),
        end: at(it.range.end),
    });
    Ok((text.clone(), statements.collect()))
}
