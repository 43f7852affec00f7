//! The diagram as SVG, with the colours of a light or a dark page.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::layout::{Edge, End, GUTTER, Node, Placed, Route, place};
use super::model::{Diagram, Table};
use crate::output::escape;

const HEADER: f64 = 28.0;
const ROW: f64 = 19.0;
/// The widths of a letter of a name and of a type.
const NAME_LETTER: f64 = 7.3;
const TYPE_LETTER: f64 = 6.7;
/// The place for keys before a column's name.
const KEYS: f64 = 48.0;
/// Longer names are cut; the whole one is in the tooltip.
const MAX_LETTERS: usize = 40;
const MARGIN: f64 = 24.0;
/// The space for the name of a cluster.
const TITLE: f64 = 34.0;
/// The straight part of a reference at its end, with its symbol.
const FOOT: f64 = 24.0;

const STYLE: &str = ".erd{--erd-page:#fff;--erd-cluster:#f3f6fa;--erd-edge:#cbd5e1;--erd-box:#fff;--erd-head:#e2e8f0;--erd-text:#0f172a;\
--erd-dim:#52606d;--erd-line:#64748b;--erd-key:#0550ae;font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:12px}\
@media (prefers-color-scheme:dark){.erd{--erd-page:#0d1117;--erd-cluster:#161b22;--erd-edge:#30363d;--erd-box:#0d1117;--erd-head:#21262d;\
--erd-text:#e6edf3;--erd-dim:#9aa6b2;--erd-line:#8b98a5;--erd-key:#79c0ff}}\
.erd .page{fill:var(--erd-page)}.erd .cluster{fill:var(--erd-cluster);stroke:var(--erd-edge)}\
.erd .box{fill:var(--erd-box);stroke:var(--erd-line)}.erd .head{fill:var(--erd-head)}.erd text{fill:var(--erd-text)}\
.erd .title{font-weight:700}.erd .name{font-weight:700}.erd .type,.erd .note{fill:var(--erd-dim);font-size:11px}.erd .type{text-anchor:end}\
.erd .key{fill:var(--erd-key);font-size:10px;font-weight:700}.erd .ref{fill:none;stroke:var(--erd-line);stroke-width:1.3}\
.erd .hole{fill:var(--erd-page);stroke:var(--erd-line);stroke-width:1.3}";

pub(super) fn svg(diagram: &Diagram) -> String {
    let tables: Vec<&Table> = diagram.tables().map(|(_, table)| table).collect();
    let clusters = diagram.clusters.iter().enumerate();
    let of_cluster = clusters.flat_map(|(nth, cluster)| std::iter::repeat_n(nth, cluster.tables.len()));
    let nodes: Vec<Node> = tables
        .iter()
        .zip(of_cluster)
        .map(|(table, cluster)| Node { cluster, width: width(table), height: height(table) })
        .collect();
    let edges: Vec<Edge> = diagram
        .references
        .iter()
        .map(|reference| {
            let (from, to) = (diagram.index(reference.from), diagram.index(reference.to));
            let is_first =
                |column: &super::model::Column| reference.columns.first() == Some(&column.column.name);
            let row = tables[from].columns.iter().position(is_first);
            let from_y = row.map_or(HEADER / 2.0, |row| HEADER + ROW * (index(row) + 0.5));
            // References that may be empty have an end of their own.
            let bundle = usize::from(reference.optional);
            Edge { from, from_y, to, to_y: if reference.optional { HEADER - 7.0 } else { 9.0 }, bundle }
        })
        .collect();
    let placed = place(&nodes, &edges, diagram.clusters.len());
    let (width, height) =
        (placed.width + 2.0 * MARGIN + 2.0 * 16.0, placed.height + 2.0 * MARGIN + TITLE + 44.0);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"erd\" role=\"img\" aria-label=\"Entity-relationship diagram of {} tables\" \
         width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\">\n<style>{STYLE}</style>\n\
         <rect class=\"page\" width=\"100%\" height=\"100%\"/>\n<g transform=\"translate({:.0} {:.0})\">\n",
        tables.len(),
        MARGIN + 16.0,
        MARGIN + TITLE,
    );
    for (cluster, (left, right)) in diagram.clusters.iter().zip(&placed.clusters) {
        let title = match cluster.kind {
            "platform" => format!("{} (platform)", cluster.name),
            "tenant" => "schema of each tenant".to_owned(),
            _ => cluster.name.clone(),
        };
        let _written = writeln!(
            text,
            "<rect class=\"cluster\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"8\"/>\
             <text class=\"title\" x=\"{:.1}\" y=\"-14\">{}</text>",
            left - 16.0,
            -TITLE,
            right - left + 32.0,
            placed.height + TITLE + 16.0,
            left - 4.0,
            escaped(&title)
        );
    }
    references(&mut text, diagram, &placed);
    for ((table, node), corner) in tables.iter().zip(&nodes).zip(&placed.corners) {
        draw(&mut text, table, node, *corner);
    }
    let _written = write!(
        text,
        "<text class=\"note\" x=\"-4\" y=\"{:.1}\">PK primary key, FK foreign key, UK unique, ? may be NULL; \
         crow’s foot: many, circle: none, bar: one</text>\n</g>\n</svg>\n",
        placed.height + 40.0
    );
    text
}

fn draw(text: &mut String, table: &Table, node: &Node, (x, y): (f64, f64)) {
    let (width, height) = (node.width, node.height);
    let _written = writeln!(
        text,
        "<g transform=\"translate({x:.1} {y:.1})\"><title>{}</title>\
         <rect class=\"box\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"4\"/>\
         <path class=\"head\" d=\"M.7 {HEADER}V4.7a4 4 0 0 1 4-4H{:.1}a4 4 0 0 1 4 4V{HEADER}z\"/>\
         <text class=\"name\" x=\"10\" y=\"18.5\">{}</text>",
        escaped(&table.name),
        width - 4.7,
        escaped(&cut(&title(table)))
    );
    for (nth, column) in table.columns.iter().enumerate() {
        let base = HEADER + ROW * index(nth) + 13.5;
        let keys: Vec<_> = column.keys.iter().map(|key| key.as_str()).collect();
        if !keys.is_empty() {
            let _written = write!(text, "<text class=\"key\" x=\"8\" y=\"{base}\">{}</text>", keys.join(" "));
        }
        let name = &column.column.name;
        let whole = if name.chars().count() > MAX_LETTERS {
            format!("<title>{}</title>", escaped(name))
        } else {
            String::new()
        };
        let _written = writeln!(
            text,
            "<text x=\"{KEYS}\" y=\"{base}\">{}{whole}</text><text class=\"type\" x=\"{:.1}\" y=\"{base}\">{}</text>",
            escaped(&cut(name)),
            width - 8.0,
            escaped(&cut(&shown_type(column)))
        );
    }
    text.push_str("</g>\n");
}

fn references(text: &mut String, diagram: &Diagram, placed: &Placed) {
    // A shared way is drawn once.
    let mut drawn = HashSet::new();
    for (reference, Route { from, to, lanes }) in diagram.references.iter().zip(&placed.routes) {
        let mut path = String::new();
        let mut at = (foot(from), from.y);
        let mut parts = vec![format!("M{:.1} {:.1}H{:.1}", from.x, from.y, at.0)];
        if lanes.is_empty() && from.right && to.right {
            // Both in one column.
            let out = from.x.max(to.x) + GUTTER * 0.55;
            parts.push(format!(
                "M{:.1} {:.1}C{out:.1} {:.1} {out:.1} {:.1} {:.1} {:.1}",
                at.0,
                at.1,
                at.1,
                to.y,
                foot(to),
                to.y
            ));
        } else {
            for [start, end] in lanes.iter().copied().chain([[(foot(to), to.y); 2]]) {
                let middle = f64::midpoint(at.0, start.0);
                parts.push(format!(
                    "M{:.1} {:.1}C{middle:.1} {:.1} {middle:.1} {:.1} {:.1} {:.1}H{:.1}",
                    at.0, at.1, at.1, start.1, start.0, start.1, end.0
                ));
                at = end;
            }
        }
        parts.push(format!("M{:.1} {:.1}H{:.1}", foot(to), to.y, to.x));
        path.extend(parts.into_iter().filter(|part| drawn.insert(part.clone())));
        if reference.one_to_one {
            bar(&mut path, from, 8.0);
        } else {
            crow(&mut path, from);
        }
        bar(&mut path, to, 8.0);
        if !reference.optional {
            bar(&mut path, to, 13.0);
        }
        let _written = writeln!(text, "<path class=\"ref\" d=\"{path}\"/>");
        let mut holes = vec![(from, 17.0)];
        if reference.optional {
            holes.push((to, 16.0));
        }
        for (end, distance) in holes {
            let _written = write!(
                text,
                "<circle class=\"hole\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\"/>",
                out(end, distance),
                end.y
            );
        }
        text.push('\n');
    }
}

/// The x at a distance from the table.
fn out(end: &End, distance: f64) -> f64 {
    if end.right { end.x + distance } else { end.x - distance }
}

fn foot(end: &End) -> f64 {
    out(end, FOOT)
}

fn bar(path: &mut String, end: &End, distance: f64) {
    let _written = write!(path, "M{:.1} {:.1}v10", out(end, distance), end.y - 5.0);
}

fn crow(path: &mut String, end: &End) {
    let tip = out(end, 12.0);
    let _written = write!(
        path,
        "M{:.1} {:.1}L{tip:.1} {:.1}L{:.1} {:.1}",
        end.x,
        end.y - 6.0,
        end.y,
        end.x,
        end.y + 6.0
    );
}

#[expect(clippy::cast_precision_loss, reason = "the number of columns of a table")]
fn index(at: usize) -> f64 {
    at as f64
}

fn title(table: &Table) -> String {
    match table.partitions {
        0 => table.name.clone(),
        1 => format!("{} (1 partition)", table.name),
        count => format!("{} ({count} partitions)", table.name),
    }
}

fn shown_type(column: &super::model::Column) -> String {
    format!("{}{}", column.column.of_type, if column.column.not_null { "" } else { "?" })
}

fn height(table: &Table) -> f64 {
    HEADER + ROW * index(table.columns.len()) + 5.0
}

fn width(table: &Table) -> f64 {
    let letters = |text: &str| index(cut(text).chars().count());
    let of_column = |column: &super::model::Column| {
        KEYS + letters(&column.column.name) * NAME_LETTER
            + 18.0
            + letters(&shown_type(column)) * TYPE_LETTER
            + 8.0
    };
    let widest = table.columns.iter().map(of_column).fold(0.0, f64::max);
    widest.max(letters(&title(table)) * NAME_LETTER + 24.0).max(140.0)
}

/// At most [`MAX_LETTERS`] characters of a text without hidden characters.
fn cut(text: &str) -> String {
    let text = escape(text);
    if text.chars().count() <= MAX_LETTERS {
        return text;
    }
    text.chars().take(MAX_LETTERS - 1).chain(['…']).collect()
}

/// The text in XML and HTML, without hidden characters.
pub(super) fn escaped(text: &str) -> String {
    let text = escape(text);
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
