//! The page as HTML. Every text from outside goes through [`shown`], and maud escapes it; the page contains no data in scripts.

use std::collections::{BTreeMap, HashMap, HashSet};

use maud::{DOCTYPE, Markup, PreEscaped, html};
use uuid::Uuid;

use super::Report;
use super::cause::next_step;
use crate::chain::{Migration, Version};
use crate::drift::Drifted;
use crate::migrate::TenantLine;
use crate::output::{Paint, elapsed, escape, grouped, plural, without_credentials};
use crate::postgres::metadata::TenantState;
use crate::postgres::metadata::fleet_times::{BUCKETS, StepDurations};
use crate::postgres::metadata::platform_fingerprint::PlatformDrift;
use crate::runs::FailureGroup;

use crate::sql::Scope;
use crate::verify::FindingTarget;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The number of names in a list of tenants.
const NAMES: usize = 20;
/// The number of findings and of differences that are listed.
const LISTED: usize = 200;
/// The number of colours for versions before the latest.
const SHADES: usize = 5;

/// A text from outside, without hidden characters and credentials.
fn shown(text: &str) -> String {
    escape(&without_credentials(text))
}

pub(super) fn page(report: &Report<'_>) -> String {
    // Only this script runs, whatever the page contains.
    let nonce = Uuid::new_v4().simple().to_string();
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'"
    );
    let sections = [
        ("chain", "Chain", chain(report)),
        ("fleet", "Fleet", fleet(report)),
        ("failures", "Failures", failures(report)),
        ("drift", "Drift", drift(report)),
        ("durations", "Durations", durations(report)),
        ("findings", "Findings", findings(report)),
        ("diagram", "Tables", diagram(report)),
        ("runs", "Runs", runs(report)),
    ];
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Tenure: " (shown(&report.database)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#chain" { "Skip to the report" }
                header {
                    h1 { "Fleet report" }
                    p.dim { (shown(&report.database)) ", " (Paint::PLAIN.time(&report.times.now)) ", Tenure " (env!("CARGO_PKG_VERSION")) }
                    (summary(report))
                    nav aria-label="Sections" {
                        @for (id, title, _) in &sections { a href={ "#" (id) } { (title) } " " }
                    }
                }
                main {
                    @for (id, title, content) in &sections {
                        section id=(id) aria-labelledby={ "h-" (id) } { h2 id={ "h-" (id) } { (title) } (content) }
                    }
                }
                script nonce=(nonce) { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}

fn summary(report: &Report<'_>) -> Markup {
    let (platform, tenants) = (&report.status.platform, &report.status.tenants);
    let cards = [
        ("platform", platform.version.as_ref().map_or_else(|| "–".to_owned(), ToString::to_string), false),
        ("latest version", platform.latest.to_string(), false),
        ("tenants", tenants.total.to_string(), false),
        ("up to date", tenants.current.to_string(), false),
        ("behind", tenants.behind.to_string(), tenants.behind > 0),
        ("failed", report.status.failures.len().to_string(), !report.status.failures.is_empty()),
    ];
    html! {
        dl.cards { @for (name, value, is_bad) in &cards { div.bad[*is_bad] { dt { (name) } dd { (value) } } } }
        @for failure in &report.status.trouble {
            p.alert role="alert" { strong { (failure.code.as_str()) } " " (shown(&failure.message)) }
        }
    }
}

fn chain(report: &Report<'_>) -> Markup {
    let status = &report.status;
    let migrations = report.project.chain.migrations();
    let past = |version: &Version| -> usize {
        status.tenants.versions.iter().filter(|(at, _)| *at >= version).map(|(_, count)| count).sum()
    };
    let total = status.tenants.total;
    let row = |migration: &Migration| {
        let is_done = status.platform.version.as_ref().is_some_and(|at| at >= migration.to());
        let count = past(migration.to());
        let (state, class) = match (is_done, count) {
            (true, count) if count >= total => ("applied", "good"),
            (false, 0) => ("pending", "dim"),
            _ => ("in progress", "warn"),
        };
        let scope = match (migration.has(Scope::Platform), migration.has(Scope::Tenant)) {
            (true, true) => "platform, tenants",
            (true, false) => "platform",
            _ => "tenants",
        };
        html! {
            tr {
                td { (migration.from()) " → " (migration.to()) }
                td { (shown(&migration.file)) }
                td { (scope) }
                td class=(class) { (state) }
                td { @if total > 0 { progress max=(total) value=(count) {} " " (count) " of " (total) } @else { "–" } }
            }
        }
    };
    html! {
        p {
            "The platform (" code { (status.platform.schema.to_string()) } ") is at "
            strong { (status.platform.version.as_ref().map_or_else(|| "no version".to_owned(), ToString::to_string)) }
            ", the latest version is " strong { (status.platform.latest) } ". "
            (plural(status.platform.pending.len(), "migration")) " pending."
        }
        div.scroll tabindex="0" {
            table {
                thead { tr { th { "Step" } th { "Migration" } th { "Scope" } th { "State" } th { "Tenants past it" } } }
                tbody { @for migration in migrations { (row(migration)) } }
            }
        }
    }
}

/// The marks of a tenant in the grid.
#[derive(Default)]
struct Marks<'a> {
    failed: HashSet<&'a str>,
    drifted: HashSet<&'a str>,
}

impl<'a> Marks<'a> {
    fn of(report: &'a Report<'_>) -> Self {
        let failed = report.status.failures.iter().map(|failure| failure.schema.as_str());
        let differences = report.drift.iter().flat_map(|drift| &drift.differences);
        let drifted = differences.map(|difference| difference.schema.as_str());
        Self { failed: failed.collect(), drifted: drifted.collect() }
    }

    /// The classes of a tenant, and the words for them.
    fn of_tenant(&self, line: &TenantLine) -> (String, String) {
        let schema = line.schema.as_str();
        let marks = [
            (self.failed.contains(schema), "f", "failed"),
            (self.drifted.contains(schema), "d", "drift"),
            (line.status == TenantState::Suspended, "s", "suspended"),
            (line.schema_missing, "m", "schema missing"),
            (!matches!(line.status, TenantState::Active | TenantState::Suspended), "u", line.status.as_str()),
        ];
        let marks = marks.iter().filter(|(has, ..)| *has);
        let (mut classes, mut words) = (Vec::new(), Vec::new());
        for (_, class, word) in marks {
            classes.push(*class);
            words.push(*word);
        }
        (classes.join(" "), words.join(", "))
    }
}

fn fleet(report: &Report<'_>) -> Markup {
    let list = report.status.list.as_deref().unwrap_or_default();
    if list.is_empty() {
        return html! { p { "There are no tenants. " code { "tenure tenant create SLUG" } " creates one." } };
    }
    let mut groups: BTreeMap<Option<&Version>, Vec<&TenantLine>> = BTreeMap::new();
    for line in list {
        groups.entry(line.version.as_ref()).or_default().push(line);
    }
    let latest = &report.status.platform.latest;
    let marks = Marks::of(report);
    let behind = groups.keys().flatten().filter(|version| **version < latest).count();
    let class = |version: Option<&Version>, nth: usize| match version {
        None => "none".to_owned(),
        Some(version) if version == latest => "latest".to_owned(),
        Some(version) if version > latest => "ahead".to_owned(),
        // The oldest version has the strongest colour.
        Some(_) => format!("old{}", (behind - nth.min(behind)).clamp(1, SHADES)),
    };
    // A version row that is missing stands first.
    let offset = usize::from(groups.contains_key(&None));
    html! {
        form.filters role="search" {
            label { "Search " input id="q" type="search" placeholder="slug or schema ( / )" autocomplete="off"; }
            fieldset {
                legend { "Versions" }
                @for (nth, version) in groups.keys().enumerate() {
                    label { input type="checkbox" checked data-version=(nth); " " (name_of(*version)) }
                }
            }
            fieldset {
                legend { "Only" }
                @for (class, word) in [("f", "failed"), ("d", "drift"), ("s", "suspended")] {
                    label { input type="checkbox" data-only=(class); " " (word) }
                }
            }
            output id="shown" aria-live="polite" { (list.len()) " of " (list.len()) }
        }
        input.view id="as-list" type="checkbox";
        label for="as-list" { " Show names" }
        p.legend {
            span.key.latest { } " latest " span.key.old1 { } " behind (stronger: further) " span.key.ahead { } " ahead "
            span.key.none { } " no version " span.key.f { } " failed " span.key.d { } " drift " span.key.s { } " suspended"
        }
        p id="detail" aria-live="polite" { "Point at a tenant, or move with the arrow keys." }
        div id="grid" {
            @for (nth, (version, lines)) in groups.iter().enumerate() {
                section.group data-group=(nth) {
                    h3 { (name_of(*version)) " " span.dim { (plural(lines.len(), "tenant")) } }
                    ul class={ "cells " (class(*version, nth - offset)) } {
                        @for line in lines {
                            @let (classes, words) = marks.of_tenant(line);
                            @if classes.is_empty() {
                                li { span { (shown(&line.slug)) " " i { (line.schema.to_string()) } } }
                            } @else {
                                li class=(classes) { span { (shown(&line.slug)) " " i { (shown(line.schema.as_str())) } " " b { (words) } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn name_of(version: Option<&Version>) -> String {
    version.map_or_else(|| "no version".to_owned(), ToString::to_string)
}

fn failures(report: &Report<'_>) -> Markup {
    let groups = FailureGroup::of(&report.status.failures);
    if groups.is_empty() {
        return html! { p { "No tenant is held back by a failure." } };
    }
    let slugs = report.status.list.iter().flatten().map(|line| (line.schema.as_str(), line.slug.as_str()));
    let slugs: HashMap<&str, &str> = slugs.collect();
    let platform = report.status.platform.schema.to_string();
    html! {
        @for group in &groups {
            @let (only, is_one) = (group.schemas.first(), group.schemas.len() == 1);
            @let slug = only.filter(|_| is_one).and_then(|schema| slugs.get(schema.as_str()).copied());
            @let (advice, command) = next_step(&group.cause, slug);
            article.failure {
                h3 {
                    (plural(group.schemas.len(), "schema")) ": " code { (shown(&group.cause.code)) }
                    @if let Some(state) = &group.cause.sqlstate { " SQLSTATE " code { (shown(state)) } }
                }
                p.message { (shown(&group.cause.message)) }
                p.dim { (shown(&group.cause.place())) ", after " (plural(usize::try_from(group.attempts).unwrap_or_default(), "attempt")) }
                p { (advice) " Then: " code.command { (command) } }
                (names(group.schemas.iter().map(|schema| if *schema == platform { "the platform" } else { schema.as_str() })))
            }
        }
    }
}

/// The first names, the others folded.
fn names<'a>(all: impl ExactSizeIterator<Item = &'a str>) -> Markup {
    let count = all.len();
    let all: Vec<String> = all.map(shown).collect();
    html! {
        @if count <= NAMES {
            p.names { (all.join(", ")) }
        } @else {
            details { summary { (all[..NAMES].join(", ")) " and " (count - NAMES) " more" } p.names { (all[NAMES..].join(", ")) } }
        }
    }
}

fn drift(report: &Report<'_>) -> Markup {
    html! {
        @match &report.status.platform.drift {
            Some(PlatformDrift::Same) => p { "The platform schema is as its last step left it." },
            Some(PlatformDrift::Different { since, .. }) => p.alert {
                "Something else changed the platform schema since the step to " (since) ". Then: " code.command { "tenure drift" }
            },
            Some(PlatformDrift::Unknown { because }) => p { "The platform schema was not compared: " (shown(because)) "." },
            None => p { "The platform schema was not compared." },
        }
        @match &report.drift {
            None => p { "The tenants were not compared with the files. " code.command { "tenure report --drift --html FILE" } " compares them." },
            Some(drifted) => (tenant_drift(drifted)),
        }
    }
}

fn tenant_drift(drifted: &Drifted) -> Markup {
    let differences = drifted.differences.iter();
    let groups = grouped(
        differences.map(|found| ((found.object.clone(), found.change.clone()), found.schema.as_str())),
    );
    html! {
        p {
            (plural(drifted.tenants.total, "tenant")) " compared: " (drifted.tenants.same) " as the files define, "
            (drifted.tenants.different) " different."
        }
        @if !groups.is_empty() {
            div.scroll tabindex="0" {
                table {
                    thead { tr { th { "Object" } th { "Difference" } th.number { "Schemas" } th { "Names" } } }
                    tbody {
                        @for ((object, change), schemas) in groups.iter().take(LISTED) {
                            tr {
                                td { (shown(object)) } td { (shown(change)) } td.number { (schemas.len()) }
                                td { (names(schemas.iter().copied())) }
                            }
                        }
                    }
                }
            }
            (more(groups.len()))
        }
    }
}

fn more(all: usize) -> Markup {
    html! { @if all > LISTED { p.dim { "… and " (all - LISTED) " more" } } }
}

fn durations(report: &Report<'_>) -> Markup {
    let times = &report.times;
    if times.steps.is_empty() {
        return html! { p { "No migration was run yet." } };
    }
    let slugs = report.status.list.iter().flatten().map(|line| (line.schema.as_str(), line.slug.as_str()));
    let slugs: HashMap<&str, &str> = slugs.collect();
    html! {
        div.scroll tabindex="0" {
            table {
                thead { tr { th { "Migration" } th { "Scope" } th.number { "Units" } th.number { "Median" } th.number { "Longest" } th { "Distribution" } } }
                tbody {
                    @for step in &times.steps {
                        tr {
                            td { (shown(&step.migration)) }
                            td { @if step.is_platform { "platform" } @else { "tenants" } }
                            td.number { (step.counts.iter().sum::<u64>()) }
                            td.number { (elapsed(step.median_ms)) }
                            td.number { (elapsed(step.max_ms)) }
                            td { (histogram(step)) }
                        }
                    }
                }
            }
        }
        @if !times.slowest.is_empty() {
            h3 { "Slowest tenants" }
            div.scroll tabindex="0" {
                table {
                    thead { tr { th { "Tenant" } th { "Schema" } th.number { "Units" } th.number { "Total" } } }
                    tbody {
                        @for slow in &times.slowest {
                            tr {
                                td { (slugs.get(slow.schema.as_str()).map_or_else(|| "–".to_owned(), |slug| shown(slug))) }
                                td { (shown(&slow.schema)) }
                                td.number { (slow.units) }
                                td.number { (elapsed(slow.total_ms)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Bars of the buckets between the first and the last one with units.
fn histogram(step: &StepDurations) -> Markup {
    let used: Vec<usize> = (0..step.counts.len()).filter(|bucket| step.counts[*bucket] > 0).collect();
    let (Some(first), Some(last)) = (used.first(), used.last()) else { return html! {} };
    let highest = step.counts.iter().max().copied().unwrap_or_default().max(1);
    let range = |bucket: usize| match bucket {
        0 => format!("under {}", elapsed(BUCKETS[0])),
        _ if bucket == BUCKETS.len() => format!("{} or more", elapsed(BUCKETS[bucket - 1])),
        _ => format!("{} to {}", elapsed(BUCKETS[bucket - 1]), elapsed(BUCKETS[bucket])),
    };
    let words = (*first..=*last).map(|bucket| format!("{}: {}", range(bucket), step.counts[bucket]));
    let words = words.collect::<Vec<_>>().join("; ");
    html! {
        div.bars role="img" aria-label=(words) {
            @for bucket in *first..=*last {
                @let count = step.counts[bucket];
                @let height = (count * 100).div_ceil(highest);
                span title={ (range(bucket)) ": " (plural(usize::try_from(count).unwrap_or_default(), "unit")) } {
                    i style={ "height:" (height) "%" } {}
                }
            }
        }
        div.dim.range { (range(*first)) @if first != last { " … " (range(*last)) } }
    }
}

fn findings(report: &Report<'_>) -> Markup {
    let review = match &report.review {
        Ok(review) => review,
        Err(failure) => return html! { p.alert { (failure.code.as_str()) " " (shown(&failure.message)) } },
    };
    let summary = &review.summary;
    let place = |target: &FindingTarget| match target {
        FindingTarget::Text { place, .. } => place.to_string(),
        FindingTarget::Object(object) => object.object.clone(),
    };
    html! {
        p { (plural(summary.files, "file")) ", " (plural(summary.statements, "statement")) ": " (summary.counts.deny) " denied, " (summary.counts.warn) " warned, " (summary.counts.allowed) " allowed." }
        @if !review.findings.is_empty() {
            div.scroll tabindex="0" {
                table {
                    thead { tr { th { "Level" } th { "Rule" } th { "Place" } th { "Message" } } }
                    tbody {
                        @for finding in review.findings.iter().take(LISTED) {
                            tr {
                                td { @if finding.allowed.is_some() { "allowed" } @else { (finding.level) } }
                                td { code { (finding.rule) } }
                                td { (shown(&place(&finding.subject))) }
                                td {
                                    (shown(&finding.message))
                                    @if let Some(reason) = &finding.allowed { " " span.dim { "(allowed: " (shown(reason)) ")" } }
                                }
                            }
                        }
                    }
                }
            }
            (more(review.findings.len()))
        }
    }
}

fn diagram(report: &Report<'_>) -> Markup {
    html! {
        @if let Some(svg) = &report.diagram {
            p { "The tables of the files at version " (report.status.platform.latest) "." }
            div.scroll.picture tabindex="0" { (PreEscaped(svg)) }
        } @else {
            p { "The files create no table." }
        }
    }
}

fn runs(report: &Report<'_>) -> Markup {
    let runs = &report.runs.runs;
    if runs.is_empty() {
        return html! { p { "No run is recorded." } };
    }
    html! {
        div.scroll tabindex="0" {
            table {
                thead { tr { th { "Started" } th { "Command" } th { "Outcome" } th.number { "Took" } th.number { "Units" } th.number { "Failed" } th { "By" } th { "Run" } } }
                tbody {
                    @for run in runs {
                        @let is_good = matches!(run.outcome.as_deref(), Some("done" | "nothing"));
                        tr {
                            td { (Paint::PLAIN.time(&run.started_at)) }
                            td { code { (shown(&run.command)) } }
                            td class=(if is_good { "good" } else { "warn" }) { (run.outcome.as_deref().map_or_else(|| "not ended".to_owned(), shown)) }
                            td.number { (run.duration_ms.map_or_else(|| "–".to_owned(), elapsed)) }
                            td.number { (run.units) }
                            td.number { (run.failed) }
                            td { (shown(&run.started_by)) }
                            td { code { (run.id) } }
                        }
                    }
                }
            }
        }
        p { code.command { "tenure run show ID" } " shows the units of a run." }
    }
}
