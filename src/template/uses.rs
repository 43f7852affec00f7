//! The platform tables that a template's tenants use: merges its `-- Uses:` lines and compares them with the platform's
//! migrations.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Template, TemplateError};
use crate::chain::{Chain, Migration, TableUse, Version};
use crate::sql::{NameRole, OWN_TABLES, Scope};

/// Statements that may create objects without naming them.
const OPAQUE: &[&str] = &["CALL", "DO", "EXECUTE", "SELECT", "WITH"];

/// Merges the lines: the result contains each table once, with the privileges of all its lines.
pub(super) fn merge(uses: Vec<TableUse>) -> Vec<TableUse> {
    let mut merged: Vec<TableUse> = Vec::new();
    for a_use in uses {
        match merged.iter_mut().find(|other| other.table == a_use.table) {
            Some(other) => {
                other.privileges.extend(a_use.privileges);
                other.privileges.sort_unstable();
                other.privileges.dedup();
            }
            None => merged.push(a_use),
        }
    }
    merged
}

impl Template {
    /// Checks that the platform's migrations create the used tables. Skipped if the chain does not start at 0.0.0 or runs
    /// code, since the platform may then have other tables.
    pub fn check_uses(&self, chain: &Chain) -> Vec<TemplateError> {
        let statements = || chain.migrations().iter().flat_map(|step| step.part(Scope::Platform));
        if chain.first() != Version::ZERO
            || statements().any(|statement| OPAQUE.contains(&statement.verb().as_str()))
        {
            return Vec::new();
        }
        let names = statements().flat_map(|statement| &statement.names);
        let created: BTreeSet<&str> = names
            .filter(|name| name.role == NameRole::Created)
            .map(|name| name.name.as_str())
            .chain(OWN_TABLES.iter().copied())
            .collect();
        let missing = self.uses.iter().filter(|a_use| !created.contains(a_use.table.as_str()));
        missing
            .map(|a_use| TemplateError::NotOfPlatform {
                table: a_use.table.to_string(),
                place: a_use.place.clone(),
            })
            .collect()
    }

    /// The used tables that exist in a platform at `version`. A table that no step creates is assumed to exist.
    pub fn uses_at(&self, chain: &Chain, version: &Version) -> Vec<&TableUse> {
        let creates = |step: &Migration, table: &str| {
            let names = step.part(Scope::Platform).flat_map(|statement| &statement.names);
            names.filter(|name| name.role == NameRole::Created).any(|name| name.name == table)
        };
        let exists = |a_use: &&TableUse| {
            let table = a_use.table.as_str();
            let mut makers = chain.migrations().iter().filter(|step| creates(step, table)).peekable();
            makers.peek().is_none() || makers.any(|step| step.to() <= version)
        };
        self.uses.iter().filter(exists).collect()
    }

    /// The `-- Uses:` lines for a new version of the template.
    pub fn uses_lines(&self) -> String {
        let mut text = String::new();
        for a_use in &self.uses {
            let privileges: Vec<_> =
                a_use.privileges.iter().map(|right| right.as_str().to_lowercase()).collect();
            let _written = writeln!(text, "-- Uses: {} ({})", a_use.table.quoted(), privileges.join(", "));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::{Content, MigrationFile};
    use crate::error::{Code, Failure, Source};
    use crate::ident::SchemaName;
    use crate::sql::ScopedNames;

    fn template(head: &str) -> Template {
        let platform = SchemaName::existing("p").unwrap();
        let files = [("a.sql", "-- Uses: users (select)\nCREATE TABLE a (id int)"), ("b.sql", "SELECT 1")];
        let mut sources: Vec<_> = files.into_iter().map(|(name, text)| Source::new(name, text)).collect();
        sources.push(Source::new("0.sql", format!("-- Template: v1.0.0\n{head}\nCREATE TABLE z (id int)")));
        Template::read("default", "t", sources, &platform, &mut ScopedNames::default()).unwrap()
    }

    /// The errors of `check_uses` for a template with these lines and a chain of this migration.
    fn wrong(head: &str, migration: (&str, &str)) -> Vec<String> {
        let platform = SchemaName::existing("p").unwrap();
        let text = format!("-- Description: x\n-- Scope: platform\n{}", migration.1);
        let content = Content::of(Source::new("m.sql", text));
        let files = vec![MigrationFile { name: migration.0.to_owned(), content }];
        let chain = Chain::assemble(files, &platform, ScopedNames::default()).unwrap();
        template(head).check_uses(&chain).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_lines_of_all_files_are_merged_and_written() {
        let one = template("-- Uses: users (insert)\n-- Uses: p.\"A b\" (update, select)");
        assert_eq!(
            one.uses_lines(),
            "-- Uses: \"users\" (select, insert)\n-- Uses: \"A b\" (select, update)\n"
        );
        assert_eq!(template(one.uses_lines().trim()).uses_lines(), one.uses_lines());
    }

    #[test]
    fn tables_of_later_steps_are_not_included() {
        let platform = SchemaName::existing("p").unwrap();
        let file = |from: &str, to: &str, sql: &str| MigrationFile {
            name: format!("v{from}_to_v{to}_a.sql"),
            content: Content::of(Source::new(
                "m.sql",
                format!("-- Description: x\n-- Scope: platform\n{sql}"),
            )),
        };
        let files = vec![
            file("0.0.0", "1.0.0", "CREATE TABLE p.users (id int)"),
            file("1.0.0", "1.1.0", "CREATE TABLE p.late (id int)"),
        ];
        let chain = Chain::assemble(files, &platform, ScopedNames::default()).unwrap();
        let template = template("-- Uses: late (select)\n-- Uses: elsewhere (select)");
        let at = |version: &str| {
            let uses = template.uses_at(&chain, &version.parse().unwrap());
            uses.into_iter().map(|a_use| a_use.table.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(at("1.0.0"), "elsewhere users");
        assert_eq!(at("1.1.0"), "late elsewhere users");
    }

    #[test]
    fn unknown_tables_are_errors() {
        let made =
            ("v0.0.0_to_v1.0.0_a.sql", "CREATE TABLE p.users (id int); CREATE VIEW p.v AS SELECT 1 AS x;");
        assert_eq!(wrong("-- Uses: v (select)\n-- Uses: schema_version (select)", made), [""; 0]);
        let a = "-- Uses: a (select)";
        assert_eq!(wrong(a, made), ["the platform's migrations create no table or view a"]);
        let error =
            TemplateError::NotOfPlatform { table: "a".to_owned(), place: template(a).uses[0].place.clone() };
        assert_eq!(Failure::from(error).code, Code::HeaderInvalid);
        assert_eq!(wrong(a, ("v0.9.0_to_v1.0.0_a.sql", "CREATE TABLE p.b (id int)")), [""; 0]);
        let code = "CREATE TABLE p.b (id int); DO $$BEGIN END$$";
        assert_eq!(wrong(a, ("v0.0.0_to_v1.0.0_a.sql", code)), [""; 0]);
    }
}
