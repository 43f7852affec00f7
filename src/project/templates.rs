//! The templates as `template check` shows them: what each makes, what verification says of it, and
//! which shared tables are locked while a tenant is made.

use super::{Project, Review};
use crate::error::Failure;
use crate::outcome::{Checked, CheckedTemplate, ShownKey};
use crate::template::Template;

/// Checks all templates of a project.
pub fn check_templates(project: &Project) -> Result<Checked, Failure> {
    let latest = project.chain.latest();
    let checked = |template: &Template| {
        let compiled = template.compile(&project.chain, &latest)?;
        Some(CheckedTemplate {
            name: template.name.clone(),
            version: template.version.clone(),
            latest: latest.clone(),
            statements: compiled.statements.len(),
            shared_keys: compiled.shared_keys.into_iter().map(ShownKey).collect(),
        })
    };
    let Review { findings, summary } =
        Review::of(project, [], project.templates.values(), &super::Witnesses::new())?;
    let templates = project.templates.values().filter_map(checked).collect();
    Ok(Checked { templates, findings, summary })
}
