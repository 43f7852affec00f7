//! The JSON documents of the commands. Only a listed type can be printed, and the JSON Schemas in `schemas/` are generated from
//! the same list.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Value, json};

use super::tenant::{copy as copying, create, show};
use super::{
    baseline, demo, dev, diagram, documents, explain, history, html_report, init, new, overview, queries,
    repair, up,
};
use crate::output::{ErrorJson, EventJson};
use crate::verify::format::VerifiedJson;
use crate::{
    branch, doctor, drift, dry_run, isolation, migrate, restore_point, runs, template, tenant, wait,
};

/// The key of a document that says whether the command succeeded.
pub(super) const OUTCOME: &str = "outcome";

/// A document that a command prints with `--format json`.
pub(super) trait Document: Serialize {}

/// A document with the failure of the command.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct WithError<T> {
    /// Why the command failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<ErrorJson>,
    #[serde(flatten)]
    pub(super) document: T,
}

/// The failure of any command.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Failed {
    pub(super) error: ErrorJson,
}

type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

macro_rules! documents {
    ($($type:ty: $($command:literal)+;)*) => {
        $(impl Document for $type {})*

        /// The commands that print each document.
        const DOCUMENTS: &[(&[&str], SchemaOf)] = &[$((&[$($command),+], <$type as JsonSchema>::json_schema),)*];
    };
}

documents! {
    overview::Overview: "overview";
    overview::NoProject: "overview";
    init::Initialized<'_>: "init";
    crate::init::Initialized: "init";
    demo::DemoRun<'_>: "demo";
    doctor::Diagnosis: "doctor";
    dev::DevStarted<'_>: "dev start";
    dev::DevStopped: "dev stop";
    dev::DevReset: "dev reset";
    dev::DevUrl<'_>: "dev url";
    documents::ManPages<'_>: "man";
    migrate::Migrated: "migrate up";
    migrate::Planned: "migrate up";
    dry_run::DryRun: "migrate up";
    WithError<&up::Refused<'_>>: "migrate up";
    new::Written: "migrate new";
    baseline::Baselined<'_>: "migrate baseline";
    repair::Repaired<'_>: "migrate repair";
    history::History<'_>: "migrate history";
    migrate::text::StatusDocument<'_>: "status";
    wait::Waited: "wait";
    WithError<&wait::Waited>: "wait";
    runs::RunList: "run list";
    runs::RunDetails: "run show";
    restore_point::RestorePoint: "restore-point";
    VerifiedJson: "verify";
    explain::Rules: "verify";
    explain::Explained: "explain";
    drift::Drifted: "drift";
    isolation::Audited: "tenant audit";
    template::Checked: "template check";
    template::Squashed: "template squash";
    crate::init::FromSchema: "template from-schema";
    queries::CapturedTo<'_>: "queries capture";
    diagram::Drawn<'_>: "diagram";
    html_report::ReportWritten<'_>: "report";
    WithError<create::CreateResult<'_>>: "tenant create";
    tenant::TenantList: "tenant list";
    show::Shown<'_>: "tenant show";
    tenant::Changed: "tenant rename" "tenant undrop";
    tenant::roles::LoginChange: "tenant suspend" "tenant resume";
    tenant::roles::LoggedIn: "tenant login";
    tenant::roles::Granted: "tenant grant";
    tenant::lifecycle::Dropped: "tenant drop";
    WithError<&tenant::lifecycle::Purged>: "tenant drop";
    tenant::Adopted: "tenant adopt";
    tenant::AdoptedAll: "tenant adopt";
    WithError<&copying::Different<'_>>: "tenant adopt" "tenant clone";
    tenant::Cloned: "tenant clone";
    tenant::Exported: "tenant export";
    tenant::Imported: "tenant import";
    tenant::Restored: "tenant restore";
    tenant::pool::PoolList: "tenant pool list";
    tenant::pool::PoolFilled: "tenant pool fill";
    tenant::pool::PoolDrained: "tenant pool drain";
    branch::BranchCreated: "branch create";
    branch::BranchList: "branch list";
    branch::BranchDeleted: "branch delete";
    branch::BranchesCollected: "branch gc";
}

impl Document for Failed {}

/// The JSON Schemas of the documents of each command, by command, and that of an event as `events`.
pub fn json_schemas() -> BTreeMap<&'static str, Value> {
    let mut commands: BTreeMap<&str, Vec<SchemaOf>> = BTreeMap::new();
    for (names, schema) in DOCUMENTS {
        for name in *names {
            commands.entry(name).or_default().push(*schema);
        }
    }
    for schemas in commands.values_mut() {
        schemas.push(Failed::json_schema);
    }
    let results = commands["migrate up"].clone();
    let of_command = |(name, schemas): (&'static str, Vec<SchemaOf>)| {
        let title = if name == "overview" { "tenure".to_owned() } else { format!("tenure {name}") };
        (name, file(&title, |generator| schemas.iter().map(|schema| result(*schema, generator)).collect()))
    };
    let mut files: BTreeMap<_, _> = commands.into_iter().map(of_command).collect();
    let lines = |generator: &mut SchemaGenerator| {
        let results = results.iter().map(|schema| {
            let mut schema = result(*schema, generator);
            require(&mut schema, "at_ms", json!({ "type": "integer", "minimum": 0 }));
            require(&mut schema, "event", json!({ "const": "result" }));
            schema
        });
        let results: Vec<Value> = results.collect();
        [EventJson::json_schema(generator).to_value()].into_iter().chain(results).collect()
    };
    files.insert("events", file("A line of tenure migrate up --events", lines));
    files
}

/// A file with the schemas of several documents.
fn file(title: &str, schemas: impl FnOnce(&mut SchemaGenerator) -> Vec<Value>) -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let schemas = schemas(&mut generator);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "anyOf": schemas,
        "$defs": generator.take_definitions(true),
    })
}

/// The schema of a document with the outcome.
fn result(schema: SchemaOf, generator: &mut SchemaGenerator) -> Value {
    let mut schema = schema(generator).to_value();
    require(&mut schema, OUTCOME, json!({ "enum": ["done", "failed"] }));
    schema
}

/// Adds a key to the schema of an object, or of several, unless it has this key.
fn require(schema: &mut Value, key: &str, value: Value) {
    if let Some(all) = schema.get_mut("oneOf").and_then(Value::as_array_mut) {
        return all.iter_mut().for_each(|schema| require(schema, key, value.clone()));
    }
    if schema["properties"].get(key).is_some() {
        return;
    }
    schema["properties"][key] = value;
    match schema["required"].as_array_mut() {
        Some(required) => required.push(key.into()),
        None => schema["required"] = json!([key]),
    }
}
