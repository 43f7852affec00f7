//! Writes the files of a squashed template, all or none.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::io;
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::project::{Project, TEMPLATES};
use crate::template::{AFTER_CREATE, NewFile, Template};

/// The folder of the new files.
pub(super) struct Place {
    /// The template's name, which is the folder's name.
    pub(super) name: String,
    root: PathBuf,
    /// The files to replace, relative to the project folder.
    old: Vec<String>,
}

impl Place {
    /// A new folder, or the folder of `template` if `replace` is set.
    pub(super) fn of(
        project: &Project,
        template: &Template,
        version: &Version,
        replace: bool,
    ) -> Result<Self, Failure> {
        let root = project.root.clone();
        if replace {
            let old = template.files.iter().map(|(script, _)| script.source.file.clone()).collect();
            return Ok(Self { name: template.name.clone(), root, old });
        }
        let name = format!("{}_v{version}", template.family());
        let folder = format!("{TEMPLATES}/{name}");
        if root.join(&folder).exists() {
            return Err(Failure::new(Code::TemplateExists, format!("{folder} already exists")).hint(
                "`tenure template check` compares it with the older version; delete it to create it again",
            ));
        }
        Ok(Self { name, root, old: Vec::new() })
    }

    /// A new folder for the template `name`.
    pub(super) fn new_template(root: &Path, name: &str) -> Result<Self, Failure> {
        let is_letter = |letter: char| letter.is_alphanumeric() || "_-.".contains(letter);
        // Folders that begin with a dot are no templates.
        if name.is_empty() || name.starts_with('.') || !name.chars().all(is_letter) {
            return Err(Failure::new(Code::Usage, format!("{name:?} is not a name of a template"))
                .hint("a name contains letters, digits, _, - and ."));
        }
        let folder = format!("{TEMPLATES}/{name}");
        if root.join(&folder).exists() {
            return Err(Failure::new(Code::TemplateExists, format!("{folder} already exists"))
                .hint("choose another name with --name"));
        }
        Ok(Self { name: name.to_owned(), root: root.to_owned(), old: Vec::new() })
    }

    /// Writes the files to a staging folder, then swaps the folders, so that a reader sees the old template or the
    /// new one. Restores the old folder if `validate` fails. Returns the names of the new and the old files.
    pub(super) fn write(
        &self,
        files: &[NewFile],
        validate: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(Vec<String>, Vec<String>), Failure> {
        // Existing after_create files stay unchanged.
        let is_kept = |name: &str| !self.old.is_empty() && name.starts_with(&format!("{AFTER_CREATE}/"));
        let files: Vec<&NewFile> = files.iter().filter(|(name, _)| !is_kept(name)).collect();
        let templates = self.root.join(TEMPLATES);
        let folder = templates.join(&self.name);
        // Folders that start with a dot are not templates.
        let [staging, backup] = ["new", "old"].map(|word| templates.join(format!(".{}.{word}", self.name)));
        if backup.exists() {
            return Err(Failure::new(Code::TemplateExists, format!("{} already exists", backup.display()))
                .hint("an interrupted run left the old template there: move it back or delete it"));
        }
        remove(&staging)?;
        let outcome = self.fill_staging(&staging, &folder, &files).and_then(|()| {
            if folder.exists() {
                rename(&folder, &backup)?;
            }
            rename(&staging, &folder)?;
            validate()
        });
        if outcome.is_err() && backup.exists() {
            // Best effort: report the first failure.
            let _restored = remove(&folder).and_then(|()| rename(&backup, &folder));
        } else if outcome.is_err() && self.old.is_empty() {
            let _removed = remove(&folder);
        }
        let _removed = remove(&staging);
        outcome?;
        remove(&backup)?;
        let new = files.iter().map(|(name, _)| format!("{TEMPLATES}/{}/{name}", self.name)).collect();
        Ok((new, self.old.clone()))
    }

    /// Fills the staging folder with the new files and the other contents of `folder`.
    fn fill_staging(&self, staging: &Path, folder: &Path, files: &[&NewFile]) -> Result<(), Failure> {
        let replaced = |path: &Path| self.old.iter().any(|old| self.root.join(old) == path);
        std::fs::create_dir_all(staging).map_err(|error| io(staging, &error))?;
        if folder.exists() {
            copy(folder, staging, &replaced)?;
        }
        for (name, text) in files {
            let path = staging.join(name);
            let parent = path.with_file_name("");
            std::fs::create_dir_all(&parent).map_err(|error| io(&parent, &error))?;
            // Never overwrite a file.
            let made = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
            let mut file = made.map_err(|error| io(&path, &error))?;
            let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
            written.map_err(|error| io(&path, &error))?;
        }
        Ok(())
    }
}

/// Copies a folder's contents except the files that are `left_out`.
fn copy(from: &Path, to: &Path, left_out: &dyn Fn(&Path) -> bool) -> Result<(), Failure> {
    for entry in std::fs::read_dir(from).map_err(|error| io(from, &error))? {
        let path = entry.map_err(|error| io(from, &error))?.path();
        let Some(name) = path.file_name().filter(|_| !left_out(&path)) else { continue };
        if path.is_symlink() {
            // The content of its target stays where it is.
            let copied = std::fs::read_link(&path)
                .and_then(|target| std::os::unix::fs::symlink(target, to.join(name)));
            copied.map_err(|error| io(&path, &error))?;
        } else if path.is_dir() {
            std::fs::create_dir_all(to.join(name)).map_err(|error| io(&path, &error))?;
            copy(&path, &to.join(name), left_out)?;
        } else {
            std::fs::copy(&path, to.join(name)).map_err(|error| io(&path, &error))?;
        }
    }
    Ok(())
}

fn rename(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::rename(from, to).map_err(|error| io(from, &error))
}

/// Removes a folder if it exists.
fn remove(folder: &Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(folder, &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
