//! The text and the Markdown of a dry run. **Invariant:** the Markdown contains no URLs or addresses, since pull requests
//! may be public.

use std::fmt::Write as _;
use std::time::Duration;

use super::{BranchReport, DryRun, HeldLock, MeasuredStatement, MeasuredTable};
use crate::error::{Code, Failure};
use crate::executor::SlowTenant;
use crate::migrate::text::{Unfinished, migrated};
use crate::output::{Paint, Text, code, elapsed, plural, plural_of, prose, table, table_head};
use crate::postgres::metadata::RunStatus;
use crate::project::Review;
use crate::verify::format::{self, Report, Verified};

/// Maximum number of statements in text; JSON contains all.
const MAX_STATEMENTS: usize = 40;
/// Maximum number of catalog changes in text.
const MAX_CHANGES: usize = 30;
/// Maximum length of a statement in the terminal's table.
const MAX_STATEMENT_WIDTH: usize = 60;

/// The text for a terminal.
pub fn dry_run(run: &DryRun, paint: Paint) -> Text {
    let branch = &run.branch;
    let mut text = Text::default();
    if !branch.statements.is_empty() {
        let (slowest_statements, left) = slowest_statements(&branch.statements);
        let rows: Vec<_> = slowest_statements
            .iter()
            .map(|it| {
                let what: String = it.statement.chars().take(MAX_STATEMENT_WIDTH).collect();
                [
                    strongest(it),
                    milliseconds(lock_ms(it)),
                    milliseconds(it.slowest_ms),
                    it.units.to_string(),
                    other_effects(it),
                    place(it),
                    what,
                ]
            })
            .collect();
        let headings = ["lock", "held", "time", "schemas", "other effects", "where", "statement"];
        text.append(&table(headings, &rows, paint));
        if left > 0 {
            text.line(paint.dim(&format!("and {left} faster ones")));
        }
        text.blank();
    }
    // For many tenants, the run's own text contains them.
    if !branch.slowest.is_empty() && run.migrated.slowest.is_empty() {
        text.line(paint.dim(&format!("slowest: {}", slowest(&branch.slowest))));
    }
    for change in branch.changes.iter().take(MAX_CHANGES) {
        let of = if change.schemas > 1 {
            format!(" ({})", plural(change.schemas, "schema"))
        } else {
            String::new()
        };
        text.line(format_args!("{}  {}: {}{of}", change.scope, change.object, change.change));
    }
    if branch.changes.len() > MAX_CHANGES {
        let more = branch.changes.len() - MAX_CHANGES;
        text.line(paint.dim(&format!("and {}", plural(more, "further change"))));
    }
    for broken in branch.queries.iter().flat_map(|queries| &queries.broken) {
        let word = if broken.kind == "warn" { paint.warn(broken.kind) } else { paint.bad(broken.kind) };
        text.line(format_args!("{word}: {}: {}", broken.query, broken.what));
    }
    if let Some(queries) = query_summary(branch) {
        text.line(queries);
    }
    // There is nothing to finish on a branch.
    text.append(&migrated(&run.migrated, Unfinished::Left, paint));
    text.line(branch_summary(branch));
    if let Some(url) = &branch.database_url {
        text.line(url);
    }
    text
}

/// The Markdown for a pull request.
pub fn dry_run_markdown(run: &DryRun) -> Text {
    let (branch, done) = (&run.branch, &run.migrated);
    let head = match done.outcome {
        RunStatus::Done if branch.breaks_queries() => {
            "**failed**: all pending migrations ran on a branch, but queries of the release break there"
        }
        RunStatus::Done => "all pending migrations ran on a branch",
        RunStatus::Nothing => "no migrations are pending",
        RunStatus::Failed => "**failed**: nothing was migrated on the branch",
        RunStatus::Partial => "**failed**: only some migrations succeeded on the branch",
        RunStatus::Interrupted => "interrupted",
    };
    let mut text = Text::of_lines("### Tenure dry run\n\n");
    text.line(format_args!(
        "{head}: the platform from {} to {}, {} of {}, {}.",
        done.platform.from,
        done.platform.to,
        done.tenants.migrated,
        plural(done.tenants.total, "tenant"),
        plural(done.units, "unit")
    ));
    text.append(&format::lowered_table(&run.lowered));
    if !done.failures.is_empty() {
        text.append(&table_head(["schema", "migration", "failure", "attempts"]));
        for failed in done.failures.iter().take(MAX_STATEMENTS) {
            let (schema, file) = (code(failed.schema.as_str()), code(&failed.migration));
            let message = prose(&public_text(&failed.failure));
            text.line(format_args!("| {schema} | {file} | {message} | {} |", failed.attempts));
        }
    }
    if !branch.statements.is_empty() {
        text.append(&table_head(["statement", "strongest lock", "held", "time", "on", "other effects"]));
        let (slowest_statements, left) = slowest_statements(&branch.statements);
        for it in &slowest_statements {
            let (where_it_is, what) = (code(&place(it)), code(&it.statement));
            let on = if it.units == 1 { code(&it.slowest_schema) } else { plural(it.units, "schema") };
            let (lock_ms, time) = (milliseconds(lock_ms(it)), milliseconds(it.slowest_ms));
            let (lock, other_effects) = (prose(&strongest(it)), prose(&other_effects(it)));
            text.line(format_args!(
                "| {where_it_is} {what} | {lock} | {lock_ms} | {time} | {on} | {other_effects} |"
            ));
        }
        if left > 0 {
            text.blank();
            text.line(format_args!("and {left} faster ones"));
        }
        text.blank();
        text.line("Held: from the statement to COMMIT. Both times are those of the slowest schema.");
    }
    if !branch.slowest.is_empty() {
        text.append(&table_head(["slowest tenants", "time"]));
        for slow in &branch.slowest {
            text.line(format_args!("| {} | {} |", code(&slow.schema), elapsed(slow.duration_ms)));
        }
    }
    if let Some(queries) = query_summary(branch) {
        text.blank();
        text.line(format_args!("{queries}."));
    }
    let broken: Vec<_> = branch.queries.iter().flat_map(|queries| &queries.broken).collect();
    if !broken.is_empty() {
        text.append(&table_head(["", "query", "what changed"]));
        for broken in broken.into_iter().take(MAX_STATEMENTS) {
            let (query, what) = (code(&broken.query), prose(&broken.what));
            text.line(format_args!("| {} | {query} | {what} |", broken.kind));
        }
    }
    if !branch.changes.is_empty() {
        text.blank();
        text.line(format_args!("<details><summary>Catalog changes: {}</summary>", branch.changes.len()));
        text.append(&table_head(["scope", "schemas", "object", "change"]));
        for change in &branch.changes {
            let (object, how) = (code(&change.object), prose(&change.change));
            text.line(format_args!("| {} | {} | {object} | {how} |", change.scope, change.schemas));
        }
        text.blank();
        text.line("</details>");
    }
    text.blank();
    text.line(format_args!("{}.", prose(&branch_summary(branch))));
    text
}

/// The failure in one line. Its message is already that for public output.
fn public_text(failure: &Failure) -> String {
    let mut message = failure.message.clone();
    if let Some(place) = &failure.place {
        let _written = write!(message, " at {place}");
    }
    if let Some(sqlstate) = &failure.sqlstate {
        let _written = write!(message, " (SQLSTATE {sqlstate})");
    }
    message
}

/// The Markdown for a failed dry run. The message may contain addresses, so only the log has it.
pub fn no_dry_run_markdown(why: Code) -> Text {
    let mut text = Text::of_lines("### Tenure dry run\n\n");
    text.line(format_args!("**Not done**: {}. See the job's log for details.", code(why.as_str())));
    text
}

/// The slowest statements in their original order, and the number of omitted ones.
fn slowest_statements(all: &[MeasuredStatement]) -> (Vec<&MeasuredStatement>, usize) {
    let weight = |it: &MeasuredStatement| it.slowest_ms.max(lock_ms(it));
    let mut order: Vec<usize> = (0..all.len()).collect();
    // Stable: of equally slow statements, keep the first.
    order.sort_by(|one, other| weight(&all[*other]).total_cmp(&weight(&all[*one])));
    order.truncate(MAX_STATEMENTS);
    order.sort_unstable();
    let left = all.len() - order.len();
    (order.into_iter().map(|at| &all[at]).collect(), left)
}

fn place(it: &MeasuredStatement) -> String {
    let file = it.file.rsplit('/').next().unwrap_or(&it.file);
    format!("{file}:{}", it.line)
}

fn name(table: &MeasuredTable) -> String {
    format!("{}.{}", table.schema, table.table)
}

/// `ACCESS EXCLUSIVE on {org_schema}.tasks`
fn strongest(it: &MeasuredStatement) -> String {
    if it.alone {
        return "not measured: runs outside of a transaction".to_owned();
    }
    match it.tables.first() {
        Some(MeasuredTable { lock: Some(lock), .. }) => format!("{lock} on {}", name(&it.tables[0])),
        _ => it.held_since.as_ref().map_or_else(
            || "–".to_owned(),
            |held| {
                let HeldLock { schema, table, lock, line } = held;
                format!("none new: {lock} on {schema}.{table} is held since line {line}")
            },
        ),
    }
}

fn lock_ms(it: &MeasuredStatement) -> f64 {
    it.tables.first().map_or(0.0, |table| table.held_ms)
}

/// The rewritten and scanned tables, and the other locks.
fn other_effects(it: &MeasuredStatement) -> String {
    let mut words = Vec::new();
    let rewritten: Vec<_> = it.tables.iter().filter(|table| table.rewritten > 0).map(name).collect();
    if !rewritten.is_empty() {
        words.push(format!("rewrites {}", rewritten.join(", ")));
    }
    let scanned: Vec<_> =
        it.tables.iter().filter(|table| table.scanned && table.rewritten == 0).map(name).collect();
    if !scanned.is_empty() {
        words.push(format!("scans {}", scanned.join(", ")));
    }
    let others = it.tables.iter().skip(1);
    let others: Vec<_> =
        others.filter_map(|table| Some(format!("{} on {}", table.lock.as_ref()?, name(table)))).collect();
    words.extend(others);
    if words.is_empty() { "–".to_owned() } else { words.join("; ") }
}

fn slowest(slowest: &[SlowTenant]) -> String {
    let one = |slow: &SlowTenant| format!("{} {}", slow.schema, elapsed(slow.duration_ms));
    slowest.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn query_summary(branch: &BranchReport) -> Option<String> {
    let queries = branch.queries.as_ref()?;
    let broken = plural_of(queries.broken.len(), "breaks", "break");
    let unchecked =
        if queries.unchecked > 0 { format!(", {} unchecked", queries.unchecked) } else { String::new() };
    Some(format!(
        "{} of the release ran before and after: {broken}{unchecked}",
        plural_of(queries.asked, "query", "queries")
    ))
}

fn branch_summary(branch: &BranchReport) -> String {
    let BranchReport { name, provider, deleted, expires_at, .. } = branch;
    match (deleted, expires_at) {
        (true, _) => format!("the branch {name} at {provider} was deleted"),
        (false, Some(end)) => format!("the branch {name} at {provider} is kept until {end}"),
        (false, None) => format!("the branch {name} at {provider} is kept until you delete it"),
    }
}

fn milliseconds(ms: f64) -> String {
    match ms {
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms => elapsed(Duration::try_from_secs_f64(ms / 1e3).unwrap_or_default().as_millis()),
    }
}

/// The denied findings as a Markdown report of `verify`.
pub fn denied_markdown(review: &Review) -> Text {
    let verified = Verified {
        findings: &review.findings,
        summary: &review.summary,
        failures: &[],
        lowered: &review.lowered,
        effects: None,
        unchecked: &[],
        path: &|file| file.to_owned(),
        blob: "",
    };
    format::markdown(&Report::from(&verified))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_statements_are_shown() {
        let of = |ms: f64| MeasuredStatement {
            file: "f".to_owned(),
            line: 1,
            statement: String::new(),
            scope: crate::sql::Scope::Tenant,
            units: 1,
            duration_ms: ms,
            slowest_ms: ms,
            slowest_schema: "org_x".to_owned(),
            tables: Vec::new(),
            held_since: None,
            alone: false,
        };
        let all: Vec<_> = (0..100).map(|number| of(f64::from(number))).collect();
        let (most, left) = slowest_statements(&all);
        assert_eq!(
            (most.len(), left, most[0].duration_ms.to_string()),
            (MAX_STATEMENTS, 60, "60".to_owned())
        );
        assert_eq!(slowest_statements(&all[..3]).1, 0);
        // Of equally slow statements, the first are kept.
        let mut equal: Vec<_> = (0..60).map(|_| of(1.0)).collect();
        equal[50] = of(2.0);
        equal[1] = of(0.5);
        let (most, left) = slowest_statements(&equal);
        assert_eq!((most.len(), left), (MAX_STATEMENTS, 20));
        assert!(
            std::ptr::eq(most[1], &raw const equal[2])
                && std::ptr::eq(most[MAX_STATEMENTS - 1], &raw const equal[50])
        );
    }
}
