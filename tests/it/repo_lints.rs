//! Rules for the repository that no compiler checks: small files, each with its purpose on top; no test that is left out; no
//! trace of the machine that it was written on.

use std::collections::BTreeSet;
use std::path::Path;

/// More than this is hardly one idea.
const LONGEST: usize = 600;

/// Every file below a folder of the repository whose name ends so, with its text; paths with `/`.
pub fn files(folder: &str, end: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    collect(root, &root.join(folder), end, &mut found);
    assert!(!found.is_empty(), "{folder}/**/*.{end}");
    found.sort();
    found
}

fn collect(root: &Path, folder: &Path, end: &str, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // What Cargo, git and the private server made; .ci and .github are ours.
        if matches!(name.as_str(), "target" | ".git" | ".tenure" | "tenure-demo") {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, end, found);
        } else if end.is_empty() || path.extension().is_some_and(|extension| extension == end) {
            // A file that is no text, or has gone away meanwhile, has nothing to be looked at.
            if let Ok(text) = std::fs::read_to_string(&path) {
                found.push((path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/"), text));
            }
        }
    }
}

fn code() -> Vec<(String, String)> {
    [files("src", "rs"), files("tests", "rs"), files("benches", "rs"), files("xtask", "rs")].concat()
}

#[test]
fn no_path_goes_two_modules_up() {
    let far = ["super::"; 2].concat();
    for (path, text) in files("src", "rs") {
        assert!(!text.contains(&far), "{path}: write the path from `crate` on");
    }
}

#[test]
fn no_file_is_longer_than_a_few_screens() {
    let long: Vec<_> = code()
        .into_iter()
        .map(|(path, text)| (text.lines().count(), path))
        .filter(|(lines, _)| *lines > LONGEST)
        .collect();
    assert!(long.is_empty(), "more than {LONGEST} lines: {long:?}");
}

#[test]
fn every_file_says_first_what_it_is_for() {
    let silent: Vec<_> =
        code().into_iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "no //! at the top: {silent:?}");
}

#[test]
fn no_test_file_is_forgotten() {
    for (path, _) in files("tests/it", "rs") {
        let below = path.strip_prefix("tests/it/").unwrap();
        let (parent, name) = match below.rsplit_once('/') {
            Some((folder, "mod.rs")) => match folder.rsplit_once('/') {
                Some((above, name)) => (format!("{above}/mod.rs"), name),
                None => ("main.rs".to_owned(), folder),
            },
            Some((folder, file)) => (format!("{folder}/mod.rs"), file.trim_end_matches(".rs")),
            None if below == "main.rs" => continue,
            None => ("main.rs".to_owned(), below.trim_end_matches(".rs")),
        };
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
        let text = std::fs::read_to_string(root.join(&parent)).unwrap();
        assert!(text.lines().any(|line| line == format!("mod {name};")), "{path} is no module of {parent}");
    }
}

#[test]
fn no_test_is_switched_off_without_a_reason() {
    let off = ["#[ig", "nore]"].concat();
    for (path, text) in code() {
        assert!(!text.contains(&off), "{path}");
    }
}

#[test]
fn nothing_tells_of_the_machine_that_it_was_written_on() {
    // In pieces, so that this file does not tell either.
    let traces = [["/wo", "rk/"], ["/Us", "ers/"]].map(|pieces| pieces.concat());
    for (path, text) in files(".", "") {
        for trace in &traces {
            assert!(!text.contains(trace), "{path} holds {trace}");
        }
        assert!(!text.lines().any(|line| line.starts_with("<<<<<<< ")), "{path} holds an unsettled merge");
    }
}

#[test]
fn every_package_comes_from_the_one_registry_that_everybody_has() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lock: toml::Table = std::fs::read_to_string(root.join("Cargo.lock")).unwrap().parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    assert!(packages.len() > 100, "{}", packages.len());
    let sources: BTreeSet<_> =
        packages.iter().filter_map(|package| package.get("source")?.as_str()).collect();
    assert_eq!(sources.len(), 1, "{sources:?}");
    // How Cargo reaches a registry is each developer's own setting.
    let config: toml::Table =
        std::fs::read_to_string(root.join(".cargo/config.toml")).unwrap().parse().unwrap();
    assert_eq!(config.keys().collect::<Vec<_>>(), ["alias"], ".cargo/config.toml holds aliases only");
}

#[test]
fn every_error_code_is_given_by_something() {
    let given: String = files("src", "rs")
        .into_iter()
        .filter(|(path, _)| path != "src/error/codes.rs")
        .map(|(_, text)| text)
        .collect();
    for code in tenure::error::Code::ALL {
        let word = regex::Regex::new(&format!(r"\bCode::{code:?}\b")).unwrap();
        assert!(word.is_match(&given), "{} is in the documents, and nothing gives it", code.as_str());
    }
}

#[test]
fn cargo_xtask_finds_the_lines_before_which_it_adds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let tasks = read("xtask/src/main.rs");
    for (path, line) in [
        ("src/verify/rules/mod.rs", "    template::ROWS,"),
        ("src/verify/rule_id.rs", "    TemplateBeyondTenant,"),
        ("src/cli/mod.rs", "        Command::Doctor => "),
        ("src/cli/mod.rs", "    /// Print a shell completion script"),
    ] {
        assert!(tasks.contains(&format!("{path:?}")) && tasks.contains(&format!("{line:?}")), "{path}");
        assert!(read(path).contains(&format!("\n{line}")), "{path} has no line {line:?}");
    }
}
