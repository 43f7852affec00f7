//! The project on disk: its root, `tenure.toml`, `migrations/` and `tenant_templates/` read into values.
//! The only reader of the user's files; it writes nothing and asks no database.
#![expect(clippy::disallowed_methods, reason = "this is the layer that reads the disk")]

mod files;
mod queries;
mod review;
mod schema_replay;
mod server_host;
mod templates;
mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use files::Loaded;
pub use files::read;
pub use queries::{release, statements};
pub use review::{EffectsByFile, Review, policy};
pub use server_host::server_host_failure;
pub use templates::check_templates;

use crate::chain::{Chain, FileName, Version};
use crate::error::{Code, Failure};
use crate::settings::Settings;
pub use crate::sql::STACK;
use crate::sql::ScopedNames;
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

/// As much of a project as can be read, and all that is wrong with the rest.
#[derive(Debug, Clone)]
pub struct LoadedProject {
    /// Whole only where there is no failure.
    pub project: Project,
    /// What is wrong, in the order in which it was come upon.
    pub failures: Vec<Failure>,
}

impl Root {
    /// The folder that `asked` names, or the nearest one from `here` upwards that has a settings file
    /// or a migrations folder.
    pub fn find(asked: Option<&Path>, here: &Path) -> Result<Self, Failure> {
        let path = Self::folder(asked, here)?;
        let file = path.join(SETTINGS_FILE);
        let settings =
            if file.exists() { Settings::read(&read(&file, SETTINGS_FILE)?)? } else { Settings::default() };
        Ok(Self { path, settings })
    }

    /// The same folder, whatever its settings say.
    pub fn folder(asked: Option<&Path>, here: &Path) -> Result<PathBuf, Failure> {
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
        Ok(path)
    }

    /// The edges that the names in `migrations/` make, whether or not they are a chain.
    pub fn edges(&self) -> Result<Vec<(Version, Version)>, Failure> {
        let names = files::sql_files(&self.path.join(MIGRATIONS))?;
        let parsed = names.iter().filter_map(|name| FileName::parse(&name.name).ok());
        Ok(parsed.map(|name| (name.from, name.to)).collect())
    }

    /// Reads the migrations and templates.
    pub fn load(self) -> Result<Project, Failure> {
        let loaded = self.load_with_failures();
        loaded.failures.into_iter().next().map_or(Ok(loaded.project), Err)
    }

    /// Reads what can be read of the migrations and templates, and tells all that is wrong with them.
    pub fn load_with_failures(self) -> LoadedProject {
        let platform = self.settings.platform_schema();
        let (mut failures, mut known, mut templates) =
            (Vec::new(), ScopedNames::for_project(&self.settings.tenants.schema_prefix), BTreeMap::new());
        let Loaded { found, failures: unread } = files::template_sources(&self.path);
        failures.extend(unread);
        for (name, sources) in found {
            let Some(sources) = sources else {
                // What cannot be read may make anything.
                known.add_unreadable(None);
                continue;
            };
            let folder = format!("{TEMPLATES}/{name}");
            match Template::read(&name, &folder, sources, &platform, &mut known) {
                Ok(template) => drop(templates.insert(name, template)),
                Err(errors) => failures.extend(errors.into_iter().map(Failure::from)),
            }
        }
        let Loaded { found, failures: unread } = files::migration_files(&self.path);
        failures.extend(unread);
        let names: Vec<_> = found.iter().filter_map(|file| FileName::parse(&file.name).ok()).collect();
        let (mut chain, wrong) = Chain::assemble_with_errors(found, &platform, known);
        chain.expect(
            &templates.values().map(|template| (&template.version, template.objects())).collect::<Vec<_>>(),
        );
        failures.extend(wrong.into_iter().map(Failure::from));
        // A version that a name leads to is known, also where its file is wrong.
        let versions: BTreeSet<_> = names.iter().flat_map(|name| [&name.from, &name.to]).collect();
        for template in templates.values().filter(|template| !versions.contains(&template.version)) {
            failures.extend(template.check_against(&chain).err().map(Failure::from));
        }
        // A file that cannot be read may make what is missing.
        if failures.is_empty() {
            let wrong = templates.values().flat_map(|template| template.check_uses(&chain));
            failures.extend(wrong.map(Failure::from));
        }
        let project = Project { root: self.path, settings: self.settings, chain, templates };
        LoadedProject { project, failures }
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
