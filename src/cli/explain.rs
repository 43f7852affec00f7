//! `tenure explain RULE`, `tenure verify --rules`

use clap::Args;
use serde_json::json;

use super::Context;
use super::ui::Ui;
use crate::error::{Code, Failure, nearest};
use crate::isolation;
use crate::project::policy;
use crate::verify::format::{self, Levelled};
use crate::verify::{self, Policy, RULES};

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// A rule, such as drop-column, or an error code, such as chain-gap
    #[arg(value_name = "RULE")]
    name: String,
}

pub(super) fn run(context: &Context, args: &ExplainArgs) -> Result<u8, Failure> {
    let name = args.name.to_lowercase();
    if let Some(rule) = verify::find(&name) {
        let level = effective(context)?.level(rule);
        let value = json!({ "rule": format::rule_json(&(rule, level)) });
        context.ui.result(&value, |_| format::explained_rule(rule, level))?;
        return Ok(0);
    }
    if let Some(code) = Code::ALL.iter().copied().find(|code| code.as_str() == name) {
        let value = json!({ "error_code": format::code_json(code) });
        context.ui.result(&value, |_| format::explained_code(code))?;
        return Ok(0);
    }
    if let Some(rule) = isolation::RULES.iter().find(|rule| rule.id == name) {
        let value = json!({ "audit_rule": rule });
        context.ui.result(&value, |_| isolation::text::explained_wall(rule))?;
        return Ok(0);
    }
    let names = RULES.iter().map(|rule| rule.id.as_str()).chain(Code::ALL.iter().map(|code| code.as_str()));
    let names = names.chain(isolation::RULES.iter().map(|rule| rule.id));
    let hint = match nearest(&name, names).as_slice() {
        [] => "`tenure verify --rules` lists the rules".to_owned(),
        near => format!("did you mean {}?", near.join(" or ")),
    };
    Err(Failure::new(Code::Usage, format!("there is no rule and no error code {:?}", args.name)).hint(hint))
}

/// All rules, with the level that each has here.
pub(super) fn list(context: &Context, ui: Ui) -> Result<u8, Failure> {
    let policy = effective(context)?;
    let rules: Vec<Levelled> = RULES.iter().map(|rule| (rule, policy.level(rule))).collect();
    let value = json!({ "rules": rules.iter().map(format::rule_json).collect::<Vec<_>>() });
    ui.result(&value, |paint| format::rules(&rules, paint))?;
    Ok(0)
}

/// The project's policy; outside of a project, what the rules say of themselves.
fn effective(context: &Context) -> Result<Policy, Failure> {
    match context.root() {
        Ok(root) => policy(&root.settings),
        // A project that was named and is none is an error all the same.
        Err(failure) if failure.code == Code::NoProject && context.global.project.is_none() => {
            Ok(Policy::default())
        }
        Err(failure) => Err(failure),
    }
}
