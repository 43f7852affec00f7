//! `tenure explain RULE`, `tenure verify --rules`

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::Context;
use super::ui::Ui;
use crate::error::{Code, Failure, did_you_mean};
use crate::output::Text;
use crate::project::policy;
use crate::verify::format::{self, CodeJson, Levelled, RuleJson};
use crate::verify::{self, Policy, RULES, Tool};

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Rule, such as drop-column, or error code, such as chain-gap
    #[arg(value_name = "RULE")]
    name: String,
}

/// The result of `explain`.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Explained {
    /// A rule of `verify`.
    Rule(RuleJson),
    /// A rule of `tenant audit`.
    AuditRule(RuleJson),
    /// A rule of `drift`.
    DriftRule(RuleJson),
    /// An error code.
    ErrorCode(CodeJson),
}

/// The result of `verify --rules`.
#[derive(JsonSchema, Serialize)]
pub(super) struct Rules {
    rules: Vec<RuleJson>,
}

pub(super) fn run(context: &Context, args: &ExplainArgs) -> Result<u8, Failure> {
    let name = args.name.to_lowercase();
    if let Some(rule) = verify::find(&name) {
        let level = effective(context, rule.tool())?.level(rule);
        let json = RuleJson::from(&(rule, level));
        let value = match rule.tool() {
            Tool::Verify => Explained::Rule(json),
            Tool::Audit => Explained::AuditRule(json),
            Tool::Drift => Explained::DriftRule(json),
        };
        context.ui.result(&value, |_| Text::of_lines(&format::explained_rule(rule, level)))?;
        return Ok(0);
    }
    if let Some(code) = Code::ALL.iter().copied().find(|code| code.as_str() == name) {
        let value = Explained::ErrorCode(code.into());
        context.ui.result(&value, |_| Text::of_lines(&format::explained_code(code)))?;
        return Ok(0);
    }
    let names = RULES.iter().map(|rule| rule.id.as_str()).chain(Code::ALL.iter().map(|code| code.as_str()));
    let hint = did_you_mean(&name, names);
    let hint = hint.unwrap_or_else(|| {
        "`tenure verify --rules` lists the rules, docs/errors.md the error codes".to_owned()
    });
    Err(Failure::new(Code::Usage, format!("no rule or error code is named {:?}", args.name)).hint(hint))
}

/// Prints all rules with their levels in this project.
pub(super) fn list(context: &Context, ui: Ui) -> Result<u8, Failure> {
    let policy = effective(context, Tool::Verify)?;
    let rules: Vec<Levelled> = Tool::Verify.rules().map(|rule| (rule, policy.level(rule))).collect();
    let value = Rules { rules: rules.iter().map(RuleJson::from).collect() };
    ui.result(&value, |paint| format::rules(&rules, paint))?;
    Ok(0)
}

/// The project's policy for the tool; outside a project, the default.
fn effective(context: &Context, tool: Tool) -> Result<Policy, Failure> {
    match context.root() {
        Ok(root) if tool == Tool::Audit => Ok(Policy::new(tool, &root.settings.audit.levels)?),
        Ok(root) => policy(&root.settings, None),
        // An invalid --project is still an error.
        Err(failure) if failure.code == Code::NoProject && context.global.project.is_none() => {
            Ok(Policy::default())
        }
        Err(failure) => Err(failure),
    }
}
