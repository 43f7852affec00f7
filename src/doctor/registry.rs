//! Whether the table of tenants is as the settings say, and as Tenure needs it.

use super::{Check, Health};
use crate::error::{Code, Failure};
use crate::output::plural;
use crate::postgres::Connection;
use crate::postgres::metadata::registry::{self, Shape};
use crate::postgres::metadata::registry_facts::{self, RegistryFacts, RowFacts};
use crate::settings::Settings;

const CHECK: &str = "registry";

fn check(state: Health, message: String, help: impl Into<Option<String>>) -> Check {
    Check { check: CHECK, state, message, help: help.into() }
}

fn failed(failure: Failure) -> Check {
    let state = if failure.code == Code::PermissionDenied { Health::Warn } else { Health::Fail };
    check(state, failure.message, failure.hint)
}

/// Checks the registry.
pub(super) async fn examine(connection: &mut Connection, settings: &Settings) -> Result<Vec<Check>, Failure> {
    let facts = match registry_facts::catalog(connection, settings).await {
        Ok(facts) => facts,
        Err(failure) if failure.session_ended() => return Err(failure),
        Err(failure) => return Ok(vec![failed(failure)]),
    };
    let Some(shape) = &facts.shape else { return Ok(vec![missing(&facts, settings)]) };
    if let Err(failure) = shape.expect_columns(settings).and_then(|()| shape.expect_visible(settings)) {
        return Ok(vec![failed(failure)]);
    }
    let rows = match registry_facts::rows(connection, settings).await {
        Ok(rows) => rows,
        Err(failure) if failure.session_ended() => return Err(failure),
        Err(failure) => return Ok(vec![failed(failure)]),
    };
    let mut checks = judge(&facts, shape, &rows, settings);
    if checks.is_empty() {
        let shown = registry::shown(settings);
        let waiting = match rows.without_schema {
            0 => String::new(),
            waiting => format!(", {waiting} of them without a schema"),
        };
        let message = format!("{shown}, {}, with {}{waiting}", shape.kind_name(), plural(rows.rows, "row"));
        checks.push(check(Health::Ok, message, None));
    }
    Ok(checks)
}

fn missing(facts: &RegistryFacts, settings: &Settings) -> Check {
    let shown = registry::shown(settings);
    if !facts.is_expected {
        return check(Health::Ok, format!("{shown} does not exist yet: a migration creates it"), None);
    }
    let help = match facts.elsewhere.first() {
        Some(schema) => format!(
            "it must be in the platform's schema: CREATE VIEW {} AS SELECT * FROM {schema}.{}, or set [platform] schema",
            registry::table(settings),
            settings.tenants.registry.quoted()
        ),
        None => "name the table of tenants with [tenants] registry in tenure.toml".to_owned(),
    };
    check(Health::Fail, format!("the table {shown} does not exist"), help)
}

fn judge(facts: &RegistryFacts, shape: &Shape, rows: &RowFacts, settings: &Settings) -> Vec<Check> {
    let columns = &settings.tenants.columns;
    let (shown, slug, schema) = (registry::shown(settings), &columns.slug, &columns.schema);
    let mut checks = Vec::new();
    if rows.without_slug > 0 {
        checks.push(check(
            Health::Fail,
            format!("the column {slug} of {shown} is NULL in {}", plural(rows.without_slug, "row")),
            "give each tenant a slug, or exclude such rows with [tenants] where".to_owned(),
        ));
    }
    for (column, double) in [(slug, &rows.double_slug), (schema, &rows.double_schema)] {
        if let Some(double) = double {
            checks.push(check(
                Health::Fail,
                format!("the column {column} of {shown} has {double:?} in several rows"),
                format!("correct the rows and add a unique constraint on {column}"),
            ));
        }
    }
    if let Some(odd) = &rows.without_prefix {
        checks.push(check(
            Health::Fail,
            format!(
                "the slug is the column {schema} without its prefix, but {odd:?} does not start with {:?}",
                settings.tenants.schema_prefix
            ),
            "set [tenants] schema_prefix, or exclude such rows with [tenants] where".to_owned(),
        ));
    }
    let is_table = matches!(shape.kind.as_str(), "r" | "p");
    if is_table && !facts.slug_is_unique && rows.double_slug.is_none() {
        checks.push(check(
            Health::Warn,
            format!("the column {slug} of {shown} has no unique index, so two rows may have one slug"),
            format!("add a unique constraint on {slug}"),
        ));
    }
    if !shape.accepts_rows() {
        checks.push(check(
            Health::Warn,
            format!("{shown} is {}, which accepts no new rows", shape.kind_name()),
            "insert a tenant's row where the application does, then run `tenure tenant create`".to_owned(),
        ));
    }
    let required = shape.required(settings);
    if !required.is_empty() {
        checks.push(check(
            Health::Warn,
            format!("columns of {shown} need a value for each new tenant: {}", required.join(", ")),
            format!("give them a default, or pass --column {}=… to `tenure tenant create`", required[0]),
        ));
    }
    if shape.column(schema).is_some_and(|column| column.is_generated) {
        checks.push(check(
            Health::Warn,
            format!("the column {schema} of {shown} is computed, so a tenant cannot be dropped or renamed"),
            format!("make {schema} an ordinary column"),
        ));
    }
    checks
}
