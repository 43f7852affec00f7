//! Statements that run programs or write files on the server's host. Dropping a throwaway database does not undo these
//! effects, so such statements are not run on one.

use super::Project;
use crate::chain::{Migration, Version};
use crate::error::{Code, Failure};
use crate::sql::{Script, Statement};

impl Project {
    /// Checks that no migration up to `version` and no template acts on the server's host.
    pub fn check_server_host(&self, version: &Version) -> Result<(), Failure> {
        let steps = self.chain.migrations().iter().filter(|step| step.to() <= version);
        let of_steps = steps.filter_map(server_host_failure);
        let files =
            self.templates.values().flat_map(|template| template.files.iter().chain(&template.after_create));
        let of_templates = files.filter_map(|(script, statements)| first(script, statements.iter()));
        of_steps.chain(of_templates).next().map_or(Ok(()), Err)
    }
}

/// A failure if the migration acts on the server's host, so that it cannot run on a throwaway database.
pub fn server_host_failure(migration: &Migration) -> Option<Failure> {
    first(&migration.script, migration.statements.iter().map(|(statement, _)| statement))
}

fn first<'a>(script: &Script, mut statements: impl Iterator<Item = &'a Statement>) -> Option<Failure> {
    let statement = statements.find(|statement| statement.acts_on_server_host(script))?;
    let message = "it runs a program or writes a file on the server's host, which dropping a throwaway database does not \
                   undo, so it was not run there";
    Some(
        Failure::new(Code::UnitFailed, message)
            .hint("do it outside the migration, with psql's \\copy or a script")
            .at(script.place(statement)),
    )
}
