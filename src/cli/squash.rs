//! Where the files of a squashed template go, and how they come there: all or none.

use std::path::{Path, PathBuf};

use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::project::{Project, TEMPLATES};
use crate::template::{AFTER_CREATE, NewFile, Template};

/// The folder for the new files.
pub(super) struct Place {
    /// The template's name there.
    pub(super) name: String,
    root: PathBuf,
    /// The files that they replace, below the project's folder.
    old: Vec<String>,
}

impl Place {
    /// A folder of its own, which must not be there; or that of `template`, in which they replace the old ones.
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
            return Err(Failure::new(Code::TemplateExists, format!("{folder} is there already")).hint(
                "`tenure template check` compares it with the older version; remove it to have it made anew",
            ));
        }
        Ok(Self { name, root, old: Vec::new() })
    }

    /// Writes the files, and takes away those that they replace. If the project `can_be_read` no more, all is
    /// as it was. The names of the new files and of the old.
    pub(super) fn write(
        &self,
        files: &[NewFile],
        can_be_read: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(Vec<String>, Vec<String>), Failure> {
        let folder = format!("{TEMPLATES}/{}", self.name);
        // Where files are replaced, what is run after a tenant is made stays as it is.
        let stays = |name: &str| !self.old.is_empty() && name.starts_with(&format!("{AFTER_CREATE}/"));
        let files: Vec<&NewFile> = files.iter().filter(|(name, _)| !stays(name)).collect();
        let new: Vec<String> = files.iter().map(|(name, _)| format!("{folder}/{name}")).collect();
        // No template's: its name begins with a dot.
        let aside = self.root.join(TEMPLATES).join(format!(".{}.old", self.name));
        let mut done = Done { moved: Vec::new(), written: Vec::new(), made: Vec::new() };
        let outcome = (|| {
            if !self.old.is_empty() {
                make(&aside)?;
            }
            for (index, file) in self.old.iter().enumerate() {
                let kept = aside.join(format!("{index}.sql"));
                let from = self.root.join(file);
                std::fs::rename(&from, &kept).map_err(|error| io(&from, &error))?;
                done.moved.push((kept, from));
            }
            for (file, (_, text)) in new.iter().zip(files) {
                let path = self.root.join(file);
                for folder in [self.root.join(&folder), path.with_file_name("")] {
                    if !folder.exists() {
                        make(&folder)?;
                        done.made.push(folder);
                    }
                }
                // Never over a file that is there.
                let made = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
                let mut file = made.map_err(|error| io(&path, &error))?;
                done.written.push(path.clone());
                std::io::Write::write_all(&mut file, text.as_bytes()).map_err(|error| io(&path, &error))?;
            }
            can_be_read()
        })();
        match outcome {
            Ok(()) => {
                if !self.old.is_empty() {
                    std::fs::remove_dir_all(&aside).map_err(|error| io(&aside, &error))?;
                }
                Ok((new, self.old.clone()))
            }
            Err(failure) => {
                done.undo();
                if !self.old.is_empty() {
                    // Empty by now; what could not be moved back must stay.
                    let _removed = std::fs::remove_dir(&aside);
                }
                Err(failure)
            }
        }
    }
}

/// What was done so far.
struct Done {
    moved: Vec<(PathBuf, PathBuf)>,
    written: Vec<PathBuf>,
    made: Vec<PathBuf>,
}

impl Done {
    /// As far as the disk lets it: the failure that led here is the one to tell.
    fn undo(self) {
        for path in self.written {
            let _removed = std::fs::remove_file(path);
        }
        for (kept, from) in self.moved {
            let _moved = std::fs::rename(kept, from);
        }
        for made in self.made.into_iter().rev() {
            let _removed = std::fs::remove_dir(made);
        }
    }
}

fn make(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| io(folder, &error))
}

fn io(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Code::Io, format!("{}: {error}", path.display()))
}
