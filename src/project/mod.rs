//! Reads the project on disk into values: its root, `tenure.toml`, `migrations/` and `tenant_templates/`.
//! `review.rs` passes them to `verify`.
//! No writes and no database access belong here.
#![expect(clippy::disallowed_methods, reason = "this is the layer that reads the disk")]

mod base;
mod files;
mod git;
mod policy;
mod queries;
mod review;
mod schema_replay;
mod server_host;
mod templates;
mod workers;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use base::{Base, EstimatedRows, PendingWrite};
use files::Loaded;
pub use files::{read, read_given, read_inside};
pub use policy::{PolicyBase, lowered, policy};
pub use queries::{release, statements};
pub use review::{EffectsByFile, Focus, Review};
pub use server_host::{LEAVES_DATABASE, accepts_not_observed, server_host_failure};
pub use templates::check_templates;

use crate::chain::{Chain, Checksum, FileName, Version};
use crate::error::{Code, Failure};
use crate::settings::Settings;
pub use crate::sql::STACK;
use crate::sql::{ORG_ROLE, ScopedNames, Script};
use crate::template::Template;

/// The settings file's name.
pub const SETTINGS_FILE: &str = "tenure.toml";
/// The folder of migrations.
pub const MIGRATIONS: &str = "migrations";
pub use crate::template::TEMPLATES;

/// A project's root and settings, for commands that read no migrations.
#[derive(Debug, Clone)]
pub struct Root {
    /// The folder.
    pub path: PathBuf,
    /// The settings.
    pub settings: Settings,
    /// The settings of the base that the policy is taken from, if one was given.
    pub policy: Option<PolicyBase>,
}

/// A completely read and checked project.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder.
    pub root: PathBuf,
    /// The settings, without those that are less strict than in the base.
    pub settings: Settings,
    /// The settings of the base that the policy is taken from, if one was given. What only the base may allow is read here.
    pub policy: Option<PolicyBase>,
    /// The migrations.
    pub chain: Chain,
    /// The templates by name.
    pub templates: BTreeMap<String, Template>,
}

/// The valid part of a project, and all failures.
#[derive(Debug, Clone)]
pub struct LoadedProject {
    /// The project. It is complete only if there is no failure.
    pub project: Project,
    /// The failures, in the order in which they were found.
    pub failures: Vec<Failure>,
}

impl Root {
    /// Finds the project: the folder `requested`, or the nearest one from `here` upwards with a settings file or a
    /// migrations folder. Reads its settings.
    pub fn find(requested: Option<&Path>, here: &Path) -> Result<Self, Failure> {
        let path = Self::folder(requested, here)?;
        let file = path.join(SETTINGS_FILE);
        // A broken link is an error, not a project without settings.
        let settings = if file.symlink_metadata().is_ok() {
            Settings::read(&read_inside(&path, &file, SETTINGS_FILE)?)?
        } else {
            Settings::default()
        };
        Ok(Self { path, settings, policy: None })
    }

    /// Finds the folder of the project without reading its settings.
    pub fn folder(requested: Option<&Path>, here: &Path) -> Result<PathBuf, Failure> {
        let is_root = |path: &Path| path.join(SETTINGS_FILE).is_file() || path.join(MIGRATIONS).is_dir();
        let path = match requested {
            Some(requested) => {
                let path = here.join(requested);
                if !path.is_dir() {
                    return Err(Failure::new(
                        Code::NoProject,
                        format!("{} is not a folder", requested.display()),
                    ));
                }
                path
            }
            None => here.ancestors().find(|path| is_root(path)).map(Path::to_owned).ok_or_else(|| {
                Failure::new(
                    Code::NoProject,
                    "no tenure.toml and no migrations folder here or in a parent folder",
                )
                .hint("run `tenure init` to create a project, or set its folder with -C")
            })?,
        };
        Ok(path)
    }

    /// The FROM and TO versions in the file names of `migrations/`. The chain is not checked.
    pub fn edges(&self) -> Result<Vec<(Version, Version)>, Failure> {
        let names = files::sql_files(&self.path.join(MIGRATIONS))?;
        let parsed = names.iter().filter_map(|name| FileName::parse(&name.name).ok());
        Ok(parsed.map(|name| (name.from, name.to)).collect())
    }

    /// Reads the migrations and templates. Returns the first failure.
    pub fn load(self) -> Result<Project, Failure> {
        let loaded = self.load_with_failures();
        loaded.failures.into_iter().next().map_or(Ok(loaded.project), Err)
    }

    /// Reads the migrations and templates, and collects all failures.
    pub fn load_with_failures(self) -> LoadedProject {
        let platform = self.settings.platform_schema();
        let (mut failures, mut known, mut templates) =
            (Vec::new(), ScopedNames::for_project(&self.settings.tenants.schema_prefix), BTreeMap::new());
        let Loaded { found, failures: unread } = files::template_sources(&self.path);
        failures.extend(unread);
        for (name, sources) in found {
            let Some(sources) = sources else {
                // An unreadable template may create any name.
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
        let (mut chain, chain_errors) = Chain::assemble_with_errors(found, &platform, known);
        chain.expect(
            &templates.values().map(|template| (&template.version, template.objects())).collect::<Vec<_>>(),
        );
        failures.extend(chain_errors.into_iter().map(Failure::from));
        // The version in a file name counts even if the file has errors.
        let versions: BTreeSet<_> = names.iter().flat_map(|name| [&name.from, &name.to]).collect();
        for template in templates.values().filter(|template| !versions.contains(&template.version)) {
            failures.extend(template.check_against(&chain).err().map(Failure::from));
        }
        // An unreadable file may create a missing table.
        if failures.is_empty() {
            let use_errors = templates.values().flat_map(|template| template.check_uses(&chain));
            failures.extend(use_errors.map(Failure::from));
        }
        let (root, settings, policy) = (self.path, self.settings, self.policy);
        let mut project = Project { root, settings, policy, chain, templates };
        failures.extend(project.set_role_prefix());
        LoadedProject { project, failures }
    }
}

impl Project {
    /// Whether a file contains `{org_role}`.
    pub fn names_tenant_roles(&self) -> bool {
        self.scripts().any(|script| script.first_with_role().is_some())
    }

    /// The files of the chain, the reverse files and those of the templates.
    fn scripts(&self) -> impl Iterator<Item = &Script> {
        let migrations = self.chain.migrations().iter().chain(self.chain.downs());
        let of_templates = self.templates.values().flat_map(Template::scripts);
        migrations.map(|migration| &migration.script).chain(of_templates)
    }

    /// Completes `{org_role}` in all files. Returns a failure if tenants have no roles.
    fn set_role_prefix(&mut self) -> Option<Failure> {
        let prefix: Arc<str> = self.settings.tenants.role_prefix.as_str().into();
        let of_templates = self.templates.values_mut().flat_map(Template::scripts_mut);
        for script in self.chain.scripts_mut().chain(of_templates) {
            script.role_prefix = Arc::clone(&prefix);
        }
        let first = self.scripts().find_map(|script| Some((script, script.first_with_role()?)));
        let (script, statement) = first.filter(|_| !self.settings.tenants.roles)?;
        let failure = Failure::new(
            Code::Settings,
            format!("{ORG_ROLE} is the role of a tenant, but tenants have none"),
        );
        Some(failure.at(script.place(statement)).hint(
            "set roles = true under [tenants] in tenure.toml; `tenure tenant grant` makes the roles of existing tenants",
        ))
    }

    /// The names of the files that are new or edited since the merge base of HEAD and the commit `name`. A file that a symbolic
    /// link leads to counts as edited.
    pub fn changed_since(&self, name: &str) -> Result<HashSet<String>, Failure> {
        let changed = git::Repository { folder: &self.root, flag: "--since" }.changed_since(name)?;
        let real_root = self.root.canonicalize().unwrap_or_else(|_| self.root.clone());
        let names = self.scripts().map(|script| script.source.file.clone());
        let is_changed = |name: &String| {
            let is_linked = self.root.join(name).canonicalize().ok() != Some(real_root.join(name));
            is_linked || changed.contains(Path::new(name))
        };
        Ok(names.filter(is_changed).collect())
    }

    /// The text of the migration `file` with this checksum, if a commit before HEAD has it.
    pub fn committed_text(&self, file: &str, checksum: &Checksum) -> Option<String> {
        let path = format!("{MIGRATIONS}/{file}");
        git::Repository { folder: &self.root, flag: "migrate repair" }
            .versions(&path)
            .find(|text| Checksum::of(text) == *checksum)
    }

    /// The template `name`, or the default one.
    pub fn template(&self, name: Option<&str>) -> Result<&Template, Failure> {
        let name = name.unwrap_or(&self.settings.tenants.template);
        self.templates.get(name).ok_or_else(|| {
            let existing: Vec<_> = self.templates.keys().map(String::as_str).collect();
            let hint = if existing.is_empty() {
                format!("add its files in {TEMPLATES}/{name}/")
            } else {
                format!("existing templates: {}", existing.join(", "))
            };
            Failure::new(Code::TemplateMissing, format!("there is no tenant template {name:?}")).hint(hint)
        })
    }
}
