//! What acts on the machine of a server: a program that it runs, a file that it writes. No throwaway database takes that
//! back, so it is not run on one.

use super::Project;
use crate::chain::{Migration, Version};
use crate::error::{Code, Failure};
use crate::sql::{Script, Statement};

impl Project {
    /// Makes sure that nothing on the way to `version`, and in no template, acts on the machine of the server.
    pub fn check_server_host(&self, version: &Version) -> Result<(), Failure> {
        let steps = self.chain.migrations().iter().filter(|step| step.to() <= version);
        let of_steps = steps.filter_map(server_host_failure);
        let files =
            self.templates.values().flat_map(|template| template.files.iter().chain(&template.after_create));
        let of_templates = files.filter_map(|(script, statements)| first(script, statements.iter()));
        of_steps.chain(of_templates).next().map_or(Ok(()), Err)
    }
}

/// Why the migration is not run on a throwaway database, if it acts on the machine of the server.
pub fn server_host_failure(migration: &Migration) -> Option<Failure> {
    first(&migration.script, migration.statements.iter().map(|(statement, _)| statement))
}

fn first<'a>(script: &Script, mut statements: impl Iterator<Item = &'a Statement>) -> Option<Failure> {
    let statement = statements.find(|statement| statement.acts_on_server_host(script))?;
    let message = "it runs a program on the server's machine, or writes a file there, which goes on being there when a \
                   throwaway database is gone: it was not run to see what it does";
    Some(
        Failure::new(Code::UnitFailed, message)
            .hint("do it beside the migration, with the client's \\copy or a script")
            .at(script.place(statement)),
    )
}
