//! Statements whose effects may leave the database: programs, files, other servers, languages that reach them. Dropping a
//! throwaway database does not undo these effects, so such a statement does not run on one. An Allow line accepts that.

use super::Project;
use crate::chain::{Migration, Version};
use crate::error::{Code, Failure};
use crate::sql::{Script, Statement};
use crate::verify::{RuleId, accepted};

/// Why such a statement does not run.
pub const LEAVES_DATABASE: &str = "its effects may leave the database, which dropping a throwaway database does not undo, so it was not run there";

/// A failure if the migration has such a statement, so that it cannot run on a throwaway database.
pub fn server_host_failure(migration: &Migration) -> Option<Failure> {
    let mut statements = migration.statements.iter().map(|(statement, _)| statement);
    let statement = statements.find(|statement| statement.acts_on_server_host(&migration.script))?;
    Some(not_run(&migration.script, statement))
}

/// Whether a line of `script` accepts that the effects of `statement` are not observed, with those of `others` in the same file.
pub fn accepts_not_observed(script: &Script, others: &[&Statement], statement: &Statement) -> bool {
    let names: Vec<String> = others.iter().chain([&statement]).map(|it| it.main_name(script)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    accepted([script], RuleId::NotObserved, &names).last() == Some(&true)
}

impl Project {
    /// The statements in the migrations up to `version` and in the templates that do not run on a throwaway database. Fails with
    /// the first that no line accepts.
    pub fn omitted_on_throwaway(&self, version: &Version) -> Result<Vec<(&Script, &Statement)>, Failure> {
        let steps = self.chain.migrations().iter().filter(|step| step.to() <= version);
        let of_steps = steps.map(|step| {
            (&step.script, step.statements.iter().map(|(statement, _)| statement).collect::<Vec<_>>())
        });
        let files =
            self.templates.values().flat_map(|template| template.files.iter().chain(&template.after_create));
        let of_templates = files.map(|(script, statements)| (script, statements.iter().collect()));
        let mut omitted = Vec::new();
        for (script, statements) in of_steps.chain(of_templates) {
            let mut of_file: Vec<&Statement> = Vec::new();
            for statement in statements.into_iter().filter(|statement| statement.acts_on_server_host(script))
            {
                if !accepts_not_observed(script, &of_file, statement) {
                    return Err(not_run(script, statement));
                }
                of_file.push(statement);
            }
            omitted.extend(of_file.into_iter().map(|statement| (script, statement)));
        }
        Ok(omitted)
    }
}

fn not_run(script: &Script, statement: &Statement) -> Failure {
    Failure::new(Code::LeavesDatabase, LEAVES_DATABASE)
        .hint("do it outside the migration, with psql's \\copy or a script; or accept it with an Allow line")
        .at(script.place(statement))
}
