//! The project on disk: its root, `tenure.toml`, `migrations/` and `tenant_templates/` read into values.
//! The only reader of the user's files; it writes nothing and asks no database.
#![expect(clippy::disallowed_methods, reason = "this is the layer that reads the disk")]

mod before;
mod review;
mod templates;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use review::{Review, policy};
pub use templates::check_templates;

use crate::chain::{Chain, FileName, MigrationFile, Version};
use crate::error::{Code, Failure, Place, Source};
use crate::settings::Settings;
use crate::sql::Known;
use crate::template::Template;

/// The settings file's name.
pub const SETTINGS_FILE: &str = "tenure.toml";
/// The folder of migrations.
pub const MIGRATIONS: &str = "migrations";
/// The folder of templates, a folder each.
pub const TEMPLATES: &str = "tenant_templates";

/// A project's root and settings: what a command needs that reads no migration.
#[derive(Debug, Clone)]
pub struct Root {
    /// The folder.
    pub path: PathBuf,
    /// The settings.
    pub settings: Settings,
}

/// A project, read and checked as a whole.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder.
    pub root: PathBuf,
    /// The settings.
    pub settings: Settings,
    /// The migrations.
    pub chain: Chain,
    /// The templates by name.
    pub templates: BTreeMap<String, Template>,
}

impl Root {
    /// The folder that `asked` names, or the nearest one from `here` upwards that has a settings file
    /// or a migrations folder.
    pub fn find(asked: Option<&Path>, here: &Path) -> Result<Self, Failure> {
        let is_root = |path: &Path| path.join(SETTINGS_FILE).is_file() || path.join(MIGRATIONS).is_dir();
        let path = match asked {
            Some(asked) => {
                let path = here.join(asked);
                if !path.is_dir() {
                    return Err(Failure::new(
                        Code::NoProject,
                        format!("{} is not a folder", asked.display()),
                    ));
                }
                path
            }
            None => here.ancestors().find(|path| is_root(path)).map(Path::to_owned).ok_or_else(|| {
                Failure::new(
                    Code::NoProject,
                    "no tenure.toml and no migrations folder here or in a parent folder",
                )
                .hint("run `tenure init` to begin a project, or name its folder with -C")
            })?,
        };
        let file = path.join(SETTINGS_FILE);
        let settings =
            if file.exists() { Settings::read(&read(&file, SETTINGS_FILE)?)? } else { Settings::default() };
        Ok(Self { path, settings })
    }

    /// The edges that the names in `migrations/` make, whether or not they are a chain.
    pub fn edges(&self) -> Result<Vec<(Version, Version)>, Failure> {
        let names = sql_files(&self.path.join(MIGRATIONS))?;
        let parsed = names.iter().filter_map(|name| FileName::parse(name).ok());
        Ok(parsed.map(|name| (name.from, name.to)).collect())
    }

    /// Reads the migrations and templates.
    pub fn load(self) -> Result<Project, Failure> {
        let platform = self.settings.platform_schema();
        let mut templates = BTreeMap::new();
        let mut known = Known::default();
        for (name, sources) in template_sources(&self.path)? {
            let template = Template::read(&name, &format!("{TEMPLATES}/{name}"), sources, &platform)?;
            template.teach(&mut known);
            templates.insert(name, template);
        }
        let chain = Chain::assemble(migration_files(&self.path)?, &platform, known)?;
        for template in templates.values() {
            template.check_against(&chain)?;
        }
        Ok(Project { root: self.path, settings: self.settings, chain, templates })
    }
}

impl Project {
    /// The template `name`, or the default one.
    pub fn template(&self, name: Option<&str>) -> Result<&Template, Failure> {
        let name = name.unwrap_or(&self.settings.tenants.template);
        self.templates.get(name).ok_or_else(|| {
            let there: Vec<_> = self.templates.keys().map(String::as_str).collect();
            let hint = if there.is_empty() {
                format!("put its files into {TEMPLATES}/{name}/")
            } else {
                format!("there is: {}", there.join(", "))
            };
            Failure::new(Code::TemplateMissing, format!("there is no tenant template {name:?}")).hint(hint)
        })
    }
}

/// The files of `migrations/`, every one whose name ends in `.sql`.
fn migration_files(root: &Path) -> Result<Vec<MigrationFile>, Failure> {
    let folder = root.join(MIGRATIONS);
    if !folder.is_dir() {
        return Err(Failure::new(
            Code::NoMigrations,
            format!("{} has no {MIGRATIONS} folder", root.display()),
        )
        .hint("run `tenure init` to begin a project, or name its folder with -C"));
    }
    let files = sql_files(&folder)?
        .into_iter()
        .map(|name| {
            let source = read(&folder.join(&name), &format!("{MIGRATIONS}/{name}"))?;
            Ok(MigrationFile { name, source })
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    if files.is_empty() {
        return Err(Failure::new(Code::NoMigrations, format!("the {MIGRATIONS} folder holds no migration"))
            .at(Place::File(MIGRATIONS.to_owned()))
            .hint("`tenure migrate new NAME` makes one"));
    }
    Ok(files)
}

/// A template's name and its files.
type TemplateFiles = (String, Vec<Arc<Source>>);

fn template_sources(root: &Path) -> Result<Vec<TemplateFiles>, Failure> {
    let folder = root.join(TEMPLATES);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for name in entries(&folder)? {
        let path = folder.join(&name);
        if path.is_dir() && !name.starts_with('.') {
            let sources = sql_files(&path)?
                .into_iter()
                .map(|file| read(&path.join(&file), &format!("{TEMPLATES}/{name}/{file}")))
                .collect::<Result<Vec<_>, _>>()?;
            found.push((name, sources));
        }
    }
    Ok(found)
}

fn sql_files(folder: &Path) -> Result<Vec<String>, Failure> {
    let mut names = entries(folder)?;
    names.retain(|name| {
        let is_sql = Path::new(name).extension().is_some_and(|end| end.eq_ignore_ascii_case("sql"));
        is_sql && !name.starts_with('.')
    });
    // What only looks like a file must not be passed over in silence; a link that leads nowhere is found
    // by reading it.
    match names.iter().map(|name| folder.join(name)).find(|path| path.exists() && !path.is_file()) {
        Some(path) => Err(Failure::new(Code::Io, format!("{} is not a file", path.display()))
            .hint("a name that ends in .sql is a file's; rename it or take it away")),
        None => Ok(names),
    }
}

fn entries(folder: &Path) -> Result<Vec<String>, Failure> {
    let unreadable = |error: std::io::Error| io(folder, &error);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        // A name that is not UTF-8 is no migration's; shown as well as it can be, it is refused as such.
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Reads a file of SQL or settings: UTF-8, with or without a BOM.
pub fn read(path: &Path, shown: &str) -> Result<Arc<Source>, Failure> {
    let bytes = std::fs::read(path).map_err(|error| io(path, &error))?;
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(shown, text)),
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

fn io(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Code::Io, format!("{}: {error}", path.display()))
}
