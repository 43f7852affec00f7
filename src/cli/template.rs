//! `tenure template check|squash`

use super::args::{CheckArgs, SquashArgs};
use super::{Context, database, report, shadow as shadows, squash, unless_interrupted};
use crate::error::Failure;
use crate::project::check_templates;
use crate::shadow;
use crate::template::{self, Checked, Squashed};

pub(super) async fn check(context: &Context, args: &CheckArgs) -> Result<u8, Failure> {
    report::show(context, args.report.output, checked(context, args).await)
}

async fn checked(context: &Context, args: &CheckArgs) -> Result<Checked, Failure> {
    let project = context.project()?;
    let mut checked = check_templates(&project)?;
    let versions = project.templates.values().map(|template| project.versions_of(template).len());
    // A template with one version needs no comparison.
    if args.shadow || args.shadow_url.is_some() || versions.max() > Some(1) {
        let proved = async {
            shadow::prove(&project, shadows::open(&project, args.shadow_url.as_deref()).await?).await
        };
        checked.proofs = unless_interrupted(Box::pin(proved)).await?;
    }
    Ok(checked)
}

pub(super) async fn squash(context: &Context, args: &SquashArgs) -> Result<u8, Failure> {
    let project = context.project()?;
    let template = project.template(args.name.as_deref())?;
    let latest = project.chain.latest();
    let mut squashed = Squashed {
        template: template.name.clone(),
        from: template.version.clone(),
        to: latest.clone(),
        made: None,
        files: Vec::new(),
        removed: Vec::new(),
    };
    if template.version != latest {
        template.can_be_squashed()?;
        let place = squash::Place::of(&project, template, &latest, args.replace)?;
        let shadow = unless_interrupted(shadows::open(&project, args.shadow_url.as_deref())).await?;
        let (url, environment) = (shadow.url().clone(), database::environment());
        let dump = |name: &str, schema: &_, major| {
            crate::postgres::dump(&url.with_database(name), schema, major, &environment)
        };
        let files = unless_interrupted(Box::pin(shadow::squash(&project, template, shadow, &dump))).await?;
        (squashed.files, squashed.removed) = place.write(&files, || context.project().map(drop))?;
        squashed.made = Some(place.name);
    }
    context.ui.result(&squashed, |paint| template::text::squashed(&squashed, paint))?;
    Ok(0)
}
