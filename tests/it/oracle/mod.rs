//! Compares the denials of `tenure verify` with a real server, on the migrations of public products. `TENURE_CHAINS` names a
//! folder with a folder of SQL files, in the order of their names, for each chain in the table of `docs/corpus.md`; the
//! products' files are not in this repository. `TENURE_ORACLE_REPORT` names a folder for a list of each chain's findings.

mod chain;
mod changes;
mod facts;
mod judge;
mod replay;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use chain::Chain;
use judge::{Judged, Truth};

const PAGE: &str = "docs/corpus.md";
const BEGIN: &str = "<!-- chains: begin -->";
const END: &str = "<!-- chains: end -->\n";

/// Writes past the test harness, which captures the output of a passing test.
fn say(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE)).unwrap()
}

/// The section of the page that this test writes.
pub fn section() -> String {
    let page = page();
    let begin = page.find(BEGIN).unwrap();
    page[begin..page.find(END).unwrap() + END.len()].to_owned()
}

#[test]
fn denials_on_real_chains_are_true_and_nothing_is_missed() {
    let Some(folder) = std::env::var_os("TENURE_CHAINS") else {
        say("SKIPPED: TENURE_CHAINS names no folder with chains");
        return;
    };
    let mut names: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    names.sort();
    let table = section();
    let mut chains: Vec<Chain> = names.iter().map(|path| Chain::read(path)).collect();
    chains.retain(|chain| {
        let is_listed = table.contains(&format!("| {} |", chain.name));
        if !is_listed {
            say(&format!("SKIPPED: {} is not in the table of {PAGE}", chain.name));
        }
        is_listed
    });
    let denials: Vec<_> = chains.iter_mut().map(Chain::denials).collect();
    for (chain, denials) in chains.iter().zip(&denials) {
        let judged = judge::judge(chain, denials, &replay::replay(chain));
        say(&judged.to_string());
        if let Some(folder) = std::env::var_os("TENURE_ORACLE_REPORT") {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(Path::new(&folder).join(format!("{}.txt", judged.chain)), judged.list()).unwrap();
        }
        write_row(&format!("| {} |", judged.chain), &judged);
    }
}

/// The cells of a row before the measured ones, with the empty one at its beginning.
const KEPT: usize = 5;

/// Replaces the measured cells of the row that begins with `row`, if documents are to be written.
fn write_row(row: &str, judged: &Judged) {
    if std::env::var_os("INSTA_UPDATE").is_none_or(|update| update != "always") {
        return;
    }
    let count = |truth| judged.count(truth).to_string();
    let cells = [
        judged.files.to_string(),
        judged.statements.to_string(),
        judged.denials.len().to_string(),
        count(Truth::ProvablyFalse),
        judged.misses.len().to_string(),
        judged.measured.clone(),
    ];
    let line = |line: &str| {
        if !line.starts_with(row) {
            return line.to_owned();
        }
        let kept: Vec<&str> = line.split('|').take(KEPT).collect();
        format!("{}| {} |", kept.join("|"), cells.join(" | "))
    };
    let text: Vec<String> = page().lines().map(line).collect();
    std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE), text.join("\n") + "\n").unwrap();
}
