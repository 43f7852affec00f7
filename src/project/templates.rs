//! Checks templates for `template check`: their size, their findings, and the shared tables that creating a tenant locks.

use super::{Project, Review};
use crate::error::Failure;
use crate::template::{Checked, CheckedTemplate, SharedKeyJson, Template};

/// Checks all templates of a project.
pub fn check_templates(project: &Project) -> Result<Checked, Failure> {
    let latest = project.chain.latest();
    let checked = |template: &Template| {
        let compiled = template.compile(&project.chain, &latest)?;
        let (statements, transactions) = compiled.counts();
        Some(CheckedTemplate {
            name: template.name.clone(),
            version: template.version.clone(),
            latest: latest.clone(),
            statements,
            transactions,
            shared_keys: compiled.shared_keys.into_iter().map(SharedKeyJson).collect(),
        })
    };
    let Review { findings, summary, lowered } = Review::of(
        project,
        [],
        project.templates.values(),
        &super::EffectsByFile::new(),
        super::Focus::default(),
    )?;
    let templates = project.templates.values().filter_map(checked).collect();
    Ok(Checked { templates, findings, lowered, summary, proofs: Vec::new() })
}

impl Project {
    /// All versions of the template, the oldest first. They create the same tenant.
    pub fn versions_of(&self, template: &Template) -> Vec<&Template> {
        let family = template.family();
        let mut all: Vec<_> = self.templates.values().filter(|other| other.family() == family).collect();
        all.sort_by(|one, other| (&one.version, &one.name).cmp(&(&other.version, &other.name)));
        all
    }

    /// The oldest version, if the project has only one template.
    pub(super) fn only_template(&self) -> Option<&Template> {
        let versions = self.versions_of(self.templates.values().next()?);
        (versions.len() == self.templates.len()).then(|| versions.into_iter().next()).flatten()
    }
}
