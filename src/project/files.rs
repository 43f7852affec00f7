//! Finds and reads the files of a project. Each unreadable file is a separate failure, so that one run reports all.
//!
//! **Invariant:** no file is read that is not in the project: a pull request may contain symbolic links, and messages show the
//! lines of a file.

use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::SETTINGS_FILE;
use super::workers::parallel_map;
use super::{MIGRATIONS, TEMPLATES};
use crate::chain::{Content, MigrationFile, with_unix_lines};
use crate::error::{Code, Failure, Place, Source};
use crate::template::AFTER_CREATE;

/// The maximum size of a file of SQL or settings.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// The files that were read, and the failures.
pub(super) struct Loaded<T> {
    pub(super) found: Vec<T>,
    pub(super) failures: Vec<Failure>,
}

impl<T> Loaded<T> {
    fn failed(failure: Failure) -> Self {
        Self { found: Vec::new(), failures: vec![failure] }
    }
}

/// A name that ends in `.sql`.
pub(super) struct SqlFile {
    pub(super) name: String,
    /// Why it is not a regular file.
    failure: Option<Failure>,
}

impl SqlFile {
    fn read(&self, root: &Path, folder: &Path, shown: &str) -> Result<Arc<Source>, Failure> {
        match &self.failure {
            Some(failure) => Err(failure.clone().at(Place::File(format!("{shown}/{}", self.name)))),
            None => read_inside(root, &folder.join(&self.name), &format!("{shown}/{}", self.name)),
        }
    }
}

/// Reads and parses all `.sql` files of `migrations/`.
pub(super) fn migration_files(root: &Path) -> Loaded<MigrationFile> {
    let folder = root.join(MIGRATIONS);
    if !folder.is_dir() {
        return Loaded::failed(
            Failure::new(Code::NoMigrations, format!("{} has no {MIGRATIONS} folder", root.display())).hint(
                if root.join(SETTINGS_FILE).exists() {
                    "`tenure migrate new NAME` creates it with a first file; -C sets the project's folder"
                } else {
                    "run `tenure init` to create a project, or set its folder with -C"
                },
            ),
        );
    }
    let names = match check_inside(root, &folder, MIGRATIONS).and_then(|()| sql_files(&folder)) {
        Ok(names) if names.is_empty() => {
            let none =
                Failure::new(Code::NoMigrations, format!("the {MIGRATIONS} folder contains no migration"));
            return Loaded::failed(
                none.at(Place::File(MIGRATIONS.to_owned())).hint("`tenure migrate new NAME` creates one"),
            );
        }
        Ok(names) => names,
        Err(failure) => return Loaded::failed(failure),
    };
    let mut failures = Vec::new();
    let read = parallel_map(names.iter(), |file| file.read(root, &folder, MIGRATIONS).map(Content::of));
    let found = names
        .into_iter()
        .zip(read)
        .map(|(file, content)| {
            let content = content.unwrap_or_else(|failure| {
                failures.push(failure);
                Content::Unreadable
            });
            MigrationFile { name: file.name, content }
        })
        .collect();
    Loaded { found, failures }
}

/// A template's name and its files; `None` if not all of them could be read.
type TemplateFiles = (String, Option<Vec<Arc<Source>>>);

pub(super) fn template_sources(root: &Path) -> Loaded<TemplateFiles> {
    let folder = root.join(TEMPLATES);
    let mut loaded = Loaded { found: Vec::new(), failures: Vec::new() };
    if !folder.is_dir() {
        return loaded;
    }
    let names = match check_inside(root, &folder, TEMPLATES).and_then(|()| entries(&folder)) {
        Ok(names) => names,
        Err(failure) => return Loaded::failed(failure),
    };
    for name in names {
        let path = folder.join(&name);
        if !path.is_dir() || name.starts_with('.') {
            continue;
        }
        let shown = format!("{TEMPLATES}/{name}");
        let before = loaded.failures.len();
        let mut sources = Vec::new();
        let after = path.join(AFTER_CREATE);
        let folders = [(path, shown.clone()), (after, format!("{shown}/{AFTER_CREATE}"))];
        for (path, shown) in folders.iter().filter(|(path, _)| path.is_dir()) {
            match check_inside(root, path, shown).and_then(|()| sql_files(path)) {
                Ok(files) => {
                    for file in files {
                        match file.read(root, path, shown) {
                            Ok(source) => sources.push(source),
                            Err(failure) => loaded.failures.push(failure),
                        }
                    }
                }
                Err(failure) => loaded.failures.push(failure),
            }
        }
        loaded.found.push((name, (loaded.failures.len() == before).then_some(sources)));
    }
    loaded
}

pub(super) fn sql_files(folder: &Path) -> Result<Vec<SqlFile>, Failure> {
    let mut names = entries(folder)?;
    names.retain(|name| {
        let is_sql = Path::new(name).extension().is_some_and(|end| end.eq_ignore_ascii_case("sql"));
        is_sql && !name.starts_with('.')
    });
    // Other entries with such a name are an error, not ignored. Reading a dangling link fails later.
    let file = |name: String| {
        let path = folder.join(&name);
        let failure = (path.exists() && !path.is_file()).then(|| {
            not_a_file(&path).hint("rename or remove it: only files may have a name that ends in .sql")
        });
        SqlFile { name, failure }
    };
    Ok(names.into_iter().map(file).collect())
}

pub(super) fn entries(folder: &Path) -> Result<Vec<String>, Failure> {
    let unreadable = |error: std::io::Error| io(folder, &error);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        // A name that is not UTF-8 is converted for the message; it is rejected as a migration name.
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Refuses a path in the folder `root` that leads out of it. A symbolic link inside of `root` may not lead to a hidden file or
/// folder either, such as `.env` or `.git`.
pub(super) fn check_inside(root: &Path, path: &Path, shown: &str) -> Result<(), Failure> {
    let real =
        |path: &Path| path.canonicalize().map_err(|error| io(path, &error).at(Place::File(shown.to_owned())));
    let (real_root, real) = (real(root)?, real(path)?);
    let inside = real.strip_prefix(&real_root).ok();
    let is_hidden =
        |path: &Path| path.components().any(|part| part.as_os_str().to_string_lossy().starts_with('.'));
    let path = without_dots(path);
    let given = path.strip_prefix(without_dots(root)).ok().or_else(|| path.strip_prefix(&real_root).ok());
    if inside.is_some_and(|inside| Some(inside) == given || !is_hidden(inside)) {
        return Ok(());
    }
    let to = if inside.is_some() { "to a hidden file or folder" } else { "out of the project" };
    Err(Failure::new(Code::Io, format!("{shown} is a symbolic link that leads {to}"))
        .at(Place::File(shown.to_owned()))
        .hint("replace the link with the file; links to other files of the project are allowed"))
}

/// The path without `.` and `..`, by its text alone.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

/// Reads a file in the folder `root`.
pub fn read_inside(root: &Path, path: &Path, shown: &str) -> Result<Arc<Source>, Failure> {
    if path.is_symlink() {
        check_inside(root, path, shown)?;
    }
    read(path, shown)
}

/// Reads a file of the command line. The operator may name any file, but a file of the project in `root` may come from a pull
/// request.
pub fn read_given(root: Option<&Path>, path: &Path, shown: &str) -> Result<Arc<Source>, Failure> {
    check_given(root, path, shown)?;
    read(path, shown)
}

/// Refuses a path of the command line that is in the project, but leads out of it.
pub(super) fn check_given(root: Option<&Path>, path: &Path, shown: &str) -> Result<(), Failure> {
    let is_in = |root: &&Path| {
        let path = without_dots(path);
        let real = root.canonicalize();
        path.starts_with(without_dots(root)) || real.is_ok_and(|real| path.starts_with(real))
    };
    root.filter(is_in).map_or(Ok(()), |root| check_inside(root, path, shown))
}

/// Reads a file of SQL or settings: UTF-8, with or without a BOM, up to `MAX_FILE_BYTES`. Every line ends with LF.
pub fn read(path: &Path, shown: &str) -> Result<Arc<Source>, Failure> {
    let named = |failure: Failure| failure.at(Place::File(shown.to_owned()));
    let unreadable = |error: std::io::Error| named(io(path, &error));
    // Opening a named pipe could block.
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(named(not_a_file(path)));
    }
    // With room for the whole file, it is read at once.
    let size = usize::try_from(metadata.len().min(MAX_FILE_BYTES)).unwrap_or_default();
    let mut bytes = Vec::with_capacity(size + 1);
    // One byte more than the limit detects larger files, also while they grow.
    File::open(path)
        .map_err(unreadable)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let message = format!("the file is larger than {} MiB", MAX_FILE_BYTES >> 20);
        return Err(Failure::new(Code::FileTooLarge, message)
            .at(Place::File(shown.to_owned()))
            .hint("split it; load large amounts of data with COPY, outside migrations"));
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    match std::str::from_utf8(bytes) {
        // What is sent is what the checksum covers, so that two checkouts give the same strings and bodies.
        Ok(text) => Ok(Source::new(shown, with_unix_lines(text))),
        Err(error) => {
            let valid = &bytes[..error.valid_up_to()];
            let source = Source::new(shown, String::from_utf8_lossy(valid).into_owned());
            let end = source.text.len();
            Err(Failure::new(Code::NotUtf8, "the file is not UTF-8")
                .at(Place::at(&source, end..end))
                .hint("save it as UTF-8"))
        }
    }
}

fn not_a_file(path: &Path) -> Failure {
    Failure::new(Code::Io, format!("{} is not a file", path.display()))
}

pub(super) fn io(path: &Path, error: &std::io::Error) -> Failure {
    let shown = path.display().to_string();
    Failure::new(Code::Io, format!("{shown}: {error}")).at(Place::File(shown))
}
