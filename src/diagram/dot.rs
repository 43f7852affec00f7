//! The diagram for Graphviz.

use std::fmt::Write as _;

use super::model::{Diagram, Reference};
use super::svg::escaped;

pub(super) fn dot(diagram: &Diagram) -> String {
    let mut text = String::from(
        "digraph tenure {\n    rankdir=RL;\n    node [shape=plain, fontname=\"monospace\", fontsize=11];\n",
    );
    let mut at = 0;
    for (nth, cluster) in diagram.clusters.iter().enumerate() {
        let _written = writeln!(
            text,
            "    subgraph cluster_{nth} {{\n        label=<{}>; style=rounded;",
            escaped(&cluster.name)
        );
        for table in &cluster.tables {
            let _written = write!(
                text,
                "        t{at} [label=<<TABLE BORDER=\"0\" CELLBORDER=\"1\" CELLSPACING=\"0\" CELLPADDING=\"3\">\
                 <TR><TD PORT=\"h\" COLSPAN=\"3\"><B>{}</B></TD></TR>",
                escaped(&table.name)
            );
            for (number, column) in table.columns.iter().enumerate() {
                let keys: Vec<_> = column.keys.iter().map(|key| key.as_str()).collect();
                let null = if column.column.not_null { "" } else { " ?" };
                let _written = write!(
                    text,
                    "<TR><TD PORT=\"l{number}\">{}</TD><TD ALIGN=\"LEFT\">{}</TD><TD ALIGN=\"LEFT\">{}{null}</TD></TR>",
                    keys.join(" "),
                    escaped(&column.column.name),
                    escaped(&column.column.of_type),
                );
            }
            text.push_str("</TABLE>>];\n");
            at += 1;
        }
        text.push_str("    }\n");
    }
    for reference in &diagram.references {
        let Reference { from, to, columns, optional, one_to_one } = reference;
        let row = diagram.clusters[from.0].tables[from.1]
            .columns
            .iter()
            .position(|column| columns.first() == Some(&column.column.name));
        let port = row.map_or_else(|| "h".to_owned(), |row| format!("l{row}"));
        let head = if *optional { "teeodot" } else { "teetee" };
        let tail = if *one_to_one { "teeodot" } else { "crowodot" };
        let (from, to) = (diagram.index(*from), diagram.index(*to));
        let _written =
            writeln!(text, "    t{from}:{port} -> t{to}:h [dir=both, arrowhead={head}, arrowtail={tail}];");
    }
    text.push_str("}\n");
    text
}
