//! Schemas that were made in advance, handed out to the tasks that may take one.

use std::collections::{BTreeMap, HashMap};

use super::results::Task;
use crate::chain::Version;
use crate::error::Failure;
use crate::ident::SchemaName;
use crate::postgres::Connection;
use crate::postgres::metadata::pool;
use crate::project::Project;

/// So many more than there are tasks are asked for, since others may take some first.
const SPARE: usize = 32;

/// How many schemas were in the pool when the state was read, by version and template.
pub(super) type Counts = BTreeMap<(Version, String), usize>;

/// Those that were free when they were looked for, by template. No worker is given one that another was given.
#[derive(Debug, Default)]
pub(super) struct Pool(HashMap<String, Vec<SchemaName>>);

impl Pool {
    /// Looks for enough for so many tasks where the platform is `at`. One round trip for each template that has any.
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

    /// One for the task, which must bring nothing that had to be known in advance.
    pub(super) fn give(&mut self, task: &Task<'_>) -> Option<SchemaName> {
        self.0.get_mut(&task.template.name).filter(|_| task.filled.is_usual)?.pop()
    }

    /// One that was given to the task, and not taken.
    pub(super) fn put_back(&mut self, task: &Task<'_>, schema: SchemaName) {
        self.0.entry(task.template.name.clone()).or_default().insert(0, schema);
    }
}
