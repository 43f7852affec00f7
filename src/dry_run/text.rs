//! The text and the Markdown of a dry run. **Invariant:** the Markdown contains no URLs or addresses, since pull requests
//! may be public.

use std::fmt::Write as _;

use super::{BranchReport, DryRun, MeasuredStatement, MeasuredTable};
use crate::error::{Code, Failure};
use crate::executor::SlowTenant;
use crate::migrate::text::migrated;
use crate::output::{Paint, code, plural, plural_of, prose, table};
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
pub fn dry_run(run: &DryRun, paint: Paint) -> String {
    let branch = &run.branch;
    let mut text = String::new();
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
        text.push_str(&table(headings, &rows, paint));
        if left > 0 {
            let _written = writeln!(text, "{}", paint.dim(&format!("and {left} faster ones")));
        }
        text.push('\n');
    }
    // For many tenants, the run's own text contains them.
    if !branch.slowest.is_empty() && run.migrated.slowest.is_empty() {
        let _written = writeln!(text, "{}", paint.dim(&format!("slowest: {}", slowest(&branch.slowest))));
    }
    for change in branch.changes.iter().take(MAX_CHANGES) {
        let of = if change.schemas > 1 {
            format!(" ({})", plural(change.schemas, "schema"))
        } else {
            String::new()
        };
        let _written = writeln!(text, "{}  {}: {}{of}", change.scope, change.object, change.change);
    }
    if branch.changes.len() > MAX_CHANGES {
        let more = branch.changes.len() - MAX_CHANGES;
        let _written = writeln!(text, "{}", paint.dim(&format!("and {}", plural(more, "further change"))));
    }
    for broken in branch.queries.iter().flat_map(|queries| &queries.broken) {
        let word = if broken.kind == "warn" { paint.warn(broken.kind) } else { paint.bad(broken.kind) };
        let _written = writeln!(text, "{word}: {}: {}", broken.query, broken.what);
    }
    if let Some(queries) = query_summary(branch) {
        let _written = writeln!(text, "{queries}");
    }
    // There is nothing to finish on a branch.
    text.push_str(
        &migrated(&run.migrated, paint).replace("run `tenure migrate up` again to finish", "not finished"),
    );
    let _written = writeln!(text, "{}", branch_summary(branch));
    if let Some(url) = &branch.database_url {
        let _written = writeln!(text, "{url}");
    }
    text
}

/// The Markdown for a pull request.
pub fn dry_run_markdown(run: &DryRun) -> String {
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
    let mut text = format!(
        "### Tenure dry run\n\n{head}: the platform from {} to {}, {} of {}, {}.\n",
        done.platform.from,
        done.platform.to,
        done.tenants.migrated,
        plural(done.tenants.total, "tenant"),
        plural(done.units, "unit")
    );
    if !done.failures.is_empty() {
        text.push_str("\n| schema | migration | failure | attempts |\n| --- | --- | --- | --- |\n");
        for failed in done.failures.iter().take(MAX_STATEMENTS) {
            let (schema, file) = (code(failed.schema.as_str()), code(&failed.migration));
            let message = prose(&public_text(&failed.failure));
            let _written = writeln!(text, "| {schema} | {file} | {message} | {} |", failed.attempts);
        }
    }
    if !branch.statements.is_empty() {
        text.push_str(
            "\n| statement | strongest lock | held | time | on | other effects |\n| --- | --- | --- | --- | --- | --- |\n",
        );
        let (slowest_statements, left) = slowest_statements(&branch.statements);
        for it in &slowest_statements {
            let (where_it_is, what) = (code(&place(it)), code(&it.statement));
            let on = if it.units == 1 { code(&it.slowest_schema) } else { plural(it.units, "schema") };
            let (lock_ms, time) = (milliseconds(lock_ms(it)), milliseconds(it.slowest_ms));
            let (lock, other_effects) = (prose(&strongest(it)), prose(&other_effects(it)));
            let _written = writeln!(
                text,
                "| {where_it_is} {what} | {lock} | {lock_ms} | {time} | {on} | {other_effects} |"
            );
        }
        if left > 0 {
            let _written = writeln!(text, "\nand {left} faster ones");
        }
        text.push_str("\nHeld: from the statement to COMMIT. Both times are those of the slowest schema.\n");
    }
    if !branch.slowest.is_empty() {
        text.push_str("\n| slowest tenants | time |\n| --- | --- |\n");
        for slow in &branch.slowest {
            let _written = writeln!(text, "| {} | {} ms |", code(&slow.schema), slow.duration_ms);
        }
    }
    if let Some(queries) = query_summary(branch) {
        let _written = writeln!(text, "\n{queries}.");
    }
    let broken: Vec<_> = branch.queries.iter().flat_map(|queries| &queries.broken).collect();
    if !broken.is_empty() {
        text.push_str("\n| | query | what changed |\n| --- | --- | --- |\n");
        for broken in broken.into_iter().take(MAX_STATEMENTS) {
            let (query, what) = (code(&broken.query), prose(&broken.what));
            let _written = writeln!(text, "| {} | {query} | {what} |", broken.kind);
        }
    }
    if !branch.changes.is_empty() {
        let _written = writeln!(
            text,
            "\n<details><summary>Catalog changes: {}</summary>\n\n| scope | schemas | object | change |\n| --- | --- | --- | --- |",
            branch.changes.len()
        );
        for change in &branch.changes {
            let (object, how) = (code(&change.object), prose(&change.change));
            let _written = writeln!(text, "| {} | {} | {object} | {how} |", change.scope, change.schemas);
        }
        text.push_str("\n</details>\n");
    }
    let _written = writeln!(text, "\n{}.", prose(&branch_summary(branch)));
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
pub fn no_dry_run_markdown(why: Code) -> String {
    format!("### Tenure dry run\n\n**Not done**: {}. See the job's log for details.\n", code(why.as_str()))
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
        _ => "–".to_owned(),
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
    let one = |slow: &SlowTenant| format!("{} {} ms", slow.schema, slow.duration_ms);
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
        ms if ms < 10_000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1e3),
    }
}

/// The denied findings as a Markdown report of `verify`.
pub fn denied_markdown(review: &Review) -> String {
    let verified = Verified {
        findings: &review.findings,
        summary: &review.summary,
        failures: &[],
        effects: None,
        unchecked: &[],
        path: &|file| file.to_owned(),
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
