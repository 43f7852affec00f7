//! The results of `tenant list` and `tenant show` as text.

use super::TenantList;
use crate::migrate::text::history;
use crate::output::{Paint, Text, or_dash, plural, table};
use crate::postgres::metadata::tenant_stats::TenantStats;
use crate::postgres::metadata::{HistoryEntry, Tenant};

/// The number of history rows that are shown with a tenant.
const NEWEST: usize = 20;

/// Which tenants a list contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// All tenants in use.
    All,
    /// A selection by state, version or page.
    Some,
}

/// The result of `tenant list`.
pub fn tenant_list(list: &TenantList, asked: Asked, paint: Paint) -> Text {
    let mut text = match asked {
        Asked::All if list.tenants.is_empty() => {
            Text::of_line("no tenants; create one with `tenure tenant create SLUG`")
        }
        Asked::Some if list.tenants.is_empty() => Text::of_line("no such tenants"),
        Asked::All | Asked::Some => tenant_rows(list, paint),
    };
    if let Some(count) = list.without_schema {
        let nameless = match count {
            1 => "1 registry row has no schema".to_owned(),
            _ => format!("{count} registry rows have no schema"),
        };
        text.line(paint.dim(&nameless));
    }
    text
}

fn tenant_rows(list: &TenantList, paint: Paint) -> Text {
    let rows: Vec<_> = list
        .tenants
        .iter()
        .map(|listed| {
            let tenant = &listed.tenant;
            [
                tenant.slug.clone(),
                or_dash(tenant.name.as_ref()),
                tenant.schema.to_string(),
                or_dash(tenant.version.as_ref()),
                or_dash(tenant.template.as_ref()),
                tenant.shown_state().to_owned(),
                or_dash(tenant.created_at.as_deref().map(|time| paint.time(time)).as_ref()),
            ]
        })
        .collect();
    let mut text =
        table(["slug", "name", "schema", "version", "template", "status", "created"], &rows, paint);
    if let Some(next) = &list.next {
        text.line(paint.dim(&format!("there are more: --after {next}")));
    }
    text
}

/// The result of `tenant show`.
pub fn tenant(tenant: &Tenant, held: &TenantStats, entries: &[HistoryEntry], paint: Paint) -> Text {
    let mut text = Text::default();
    for (key, value) in [
        ("slug", tenant.slug.clone()),
        ("name", or_dash(tenant.name.as_ref())),
        ("id", or_dash(tenant.id.as_ref())),
        ("schema", tenant.schema.to_string()),
        ("version", or_dash(tenant.version.as_ref())),
        ("template", or_dash(tenant.template.as_ref())),
        ("status", tenant.shown_state().to_owned()),
        ("created", or_dash(tenant.created_at.as_deref().map(|time| paint.time(time)).as_ref())),
    ] {
        text.line(format_args!("{}{}", paint.dim(&format!("{key:<10}")), value));
    }
    text.append(&tenant_stats(held, paint));
    if !entries.is_empty() {
        let older = entries.len().saturating_sub(NEWEST);
        text.blank();
        text.append(&history(&entries[older..], &[], paint));
        if older > 0 {
            let more = format!("{older} older: `tenure migrate history --tenant {}`", tenant.slug);
            text.line(paint.dim(&more));
        }
    }
    text
}

/// The number of tables that are listed, the largest first.
const LARGEST: usize = 20;

/// Size, role, and the largest tables.
pub fn tenant_stats(tenant_stats: &TenantStats, paint: Paint) -> Text {
    let mut text = Text::default();
    let role = tenant_stats.role.as_ref().map_or_else(
        || "–".to_owned(),
        |role| {
            format!(
                "{role}, {}",
                if tenant_stats.can_log_in == Some(true) { "can log in" } else { "may not log in" }
            )
        },
    );
    let tables = plural(tenant_stats.tables.len(), "table");
    let size = format!("{} in {tables}", bytes(tenant_stats.size_bytes));
    for (key, value) in [("size", size), ("role", role)] {
        text.line(format_args!("{}{value}", paint.dim(&format!("{key:<10}"))));
    }
    if tenant_stats.tables.is_empty() {
        return text;
    }
    let mut largest: Vec<_> = tenant_stats.tables.iter().collect();
    largest.sort_by_key(|table| std::cmp::Reverse(table.bytes));
    let about = if tenant_stats.counted { "" } else { "~" };
    let rows: Vec<_> = largest
        .iter()
        .take(LARGEST)
        .map(|table| {
            let rows = table.rows.map_or_else(|| "–".to_owned(), |rows| format!("{about}{rows}"));
            [table.name.clone(), rows, bytes(table.bytes)]
        })
        .collect();
    text.blank();
    text.append(&table(["table", "rows", "size"], &rows, paint));
    if largest.len() > LARGEST {
        text.line(paint.dim(&format!("and {} smaller", largest.len() - LARGEST)));
    }
    text
}

/// A size such as `0 bytes`, `8 KiB` or `1.5 GiB`.
fn bytes(bytes: u64) -> String {
    let (mut unit, mut shift) = ("bytes", 0);
    for (name, bits) in [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)] {
        if bytes >> bits > 0 {
            (unit, shift) = (name, bits);
        }
    }
    let (whole, tenths) = (bytes >> shift, ((bytes % (1 << shift)) * 10) >> shift);
    if tenths == 0 || whole >= 100 { format!("{whole} {unit}") } else { format!("{whole}.{tenths} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_two_or_three_digits() {
        let shown: Vec<_> = [0, 1_023, 8_192, 1_610_612_736, 200 << 20, u64::MAX].map(bytes).into();
        assert_eq!(shown, ["0 bytes", "1023 bytes", "8 KiB", "1.5 GiB", "200 MiB", "16777215 TiB"]);
    }
}
