//! Assigns pool schemas to tasks.

use std::collections::{BTreeMap, HashMap};

use super::results::Task;
use crate::chain::Version;
use crate::error::Failure;
use crate::ident::SchemaName;
use crate::postgres::Connection;
use crate::postgres::metadata::pool;
use crate::project::Project;

/// How many schemas more than tasks are requested, since other runs may take some.
const SPARE: usize = 32;

/// The number of schemas in the pool when the state was read, by version and template.
pub(super) type Counts = BTreeMap<(Version, String), usize>;

/// The free schemas by template. Each is given to one worker only.
#[derive(Debug, Default)]
pub(super) struct Pool(HashMap<String, Vec<SchemaName>>);

impl Pool {
    /// Reads enough schemas for `tasks` tasks, with the platform at `at`. One round trip per template with a pool.
    pub(super) async fn find(
        connection: &mut Connection,
        project: &Project,
        (counts, at): (&Counts, &Version),
        tasks: usize,
    ) -> Result<Self, Failure> {
        let platform = project.settings.platform_schema();
        let mut found = HashMap::new();
        for (_, name) in counts.keys().filter(|(version, _)| version == at) {
            let Some(template) = project.templates.get(name) else { continue };
            let made_from = (name.as_str(), template.checksum.as_str());
            let free = pool::free(connection, &platform, made_from, at, tasks + SPARE).await?;
            found.insert(name.clone(), free);
        }
        Ok(Self(found))
    }

    /// Takes a schema for the task, if the task has no parameter values of its own.
    pub(super) fn give(&mut self, task: &Task<'_>) -> Option<SchemaName> {
        self.0.get_mut(&task.template.name).filter(|_| task.filled.is_default)?.pop()
    }

    /// Returns a schema that was given to the task but not used.
    pub(super) fn put_back(&mut self, task: &Task<'_>, schema: SchemaName) {
        self.0.entry(task.template.name.clone()).or_default().insert(0, schema);
    }
}
