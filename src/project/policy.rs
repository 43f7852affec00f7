//! The policy of a verification: the levels of the rules, and with `--policy-from` the settings of the base, so that a change
//! cannot lower them unseen.

use std::path::Path;
use std::sync::Arc;

use super::git::Repository;
use super::{MIGRATIONS, Root, SETTINGS_FILE, read};
use crate::error::{Code, Failure, Place, Source};
use crate::settings::{Contract, Settings};
use crate::verify::{Lowered, Policy, Tool};

/// The settings of the base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyBase {
    /// All of them; the defaults if the base has no settings file.
    pub settings: Settings,
    /// The settings of the change that are less strict, except levels of rules.
    not_taken: Vec<Lowered>,
}

impl Root {
    /// Takes the settings that make verification stricter from `from`: a path that ends in `.toml`, relative to `here`, or a
    /// commit of git.
    pub fn with_policy_from(mut self, from: &str, here: &Path) -> Result<Self, Failure> {
        let is_file = Path::new(from).extension().is_some_and(|end| end.eq_ignore_ascii_case("toml"));
        let (source, is_project) =
            if is_file { (Some(read(&here.join(from), from)?), true) } else { self.at_commit(from)? };
        let settings = match source {
            Some(source) => Settings::read(&source)?,
            None => Settings::default(),
        };
        let mut not_taken = Vec::new();
        // A change that creates the project decides its names; only the levels of rules have a default to compare with.
        if is_project {
            let (taken, replaced) = self.settings.with_base(&settings);
            self.settings = taken;
            not_taken.extend(replaced.into_iter().map(|it| Lowered {
                setting: it.key.to_owned(),
                value: it.value,
                instead_of: it.base,
                taken: false,
            }));
        }
        self.policy = Some(PolicyBase { settings, not_taken });
        Ok(self)
    }

    /// The settings file at a commit, and whether the project exists there.
    fn at_commit(&self, name: &str) -> Result<(Option<Arc<Source>>, bool), Failure> {
        let repository = Repository { folder: &self.path, flag: "--policy-from" };
        let commit = repository.commit(name)?;
        let listed =
            repository.stdout(&["ls-tree", "-z", "--name-only", &commit, "--", SETTINGS_FILE, MIGRATIONS])?;
        let has = |name: &str| listed.split(|byte| *byte == 0).any(|entry| entry == name.as_bytes());
        if !has(SETTINGS_FILE) {
            return Ok((None, has(MIGRATIONS)));
        }
        let blob = repository.stdout(&["cat-file", "blob", &format!("{commit}:./{SETTINGS_FILE}")])?;
        let shown = format!("{name}:{SETTINGS_FILE}");
        let text = String::from_utf8(blob).map_err(|_| {
            Failure::new(Code::NotUtf8, "the file is not UTF-8").at(Place::File(shown.clone()))
        })?;
        Ok((Some(Source::new(shown, text.trim_start_matches('\u{feff}'))), true))
    }
}

/// The policy in the settings, with the levels of the base where those are stricter.
pub fn policy(settings: &Settings, base: Option<&PolicyBase>) -> Result<Policy, Failure> {
    let policy = of_settings(settings)?;
    Ok(match base {
        Some(base) => policy.with_base(of_settings(&base.settings)?),
        None => policy,
    })
}

fn of_settings(settings: &Settings) -> Result<Policy, Failure> {
    let verify = &settings.verify;
    Policy::new(Tool::Verify, &verify.levels).map_err(|error| {
        let place = verify.places.get(error.key()).cloned();
        let failure = Failure::from(error);
        place.map_or_else(|| failure.clone(), |place| failure.clone().at(place))
    })
}

/// The lowered settings of a verification with this policy.
pub fn lowered(
    settings: &Settings,
    base: Option<&PolicyBase>,
    policy: &Policy,
) -> Result<Vec<Lowered>, Failure> {
    let mut lowered = policy.lowered();
    if settings.verify.contract == Contract::Queries {
        lowered.push(Lowered {
            setting: "verify.contract".to_owned(),
            value: "queries".to_owned(),
            instead_of: "allow".to_owned(),
            taken: true,
        });
    }
    if let Some(base) = base {
        let audit = |settings: &Settings| Policy::new(Tool::Audit, &settings.audit.levels);
        let audit = audit(settings)?.with_base(audit(&base.settings)?);
        lowered.extend(audit.lowered().into_iter().filter(|lowered| !lowered.taken));
        lowered.extend(base.not_taken.iter().cloned());
    }
    Ok(lowered)
}
