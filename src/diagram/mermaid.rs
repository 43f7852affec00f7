//! The diagram as a Mermaid `erDiagram`. It has no clusters, so each table's label names its schema.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::model::{Cluster, Diagram, Reference, Table};

pub(super) fn mermaid(diagram: &Diagram) -> String {
    let mut text = String::from("erDiagram\n");
    let ids = ids(diagram);
    for ((cluster, table), id) in diagram.tables().zip(&ids) {
        let _written = writeln!(text, "    {id}[\"{}.{}\"] {{", label(&cluster.name), label(&table.name));
        for column in &table.columns {
            let keys: Vec<_> = column.keys.iter().map(|key| key.as_str()).collect();
            let keys = if keys.is_empty() { String::new() } else { format!(" {}", keys.join(", ")) };
            let name = &column.column.name;
            let plain = word(name);
            let comment = if plain == *name { String::new() } else { format!(" \"{}\"", label(name)) };
            let _written =
                writeln!(text, "        {} {plain}{keys}{comment}", type_word(&column.column.of_type));
        }
        text.push_str("    }\n");
    }
    for reference in &diagram.references {
        let Reference { from, to, columns, optional, one_to_one } = reference;
        let one = if *optional { "|o" } else { "||" };
        let many = if *one_to_one { "o|" } else { "o{" };
        let (from, to) = (&ids[diagram.index(*from)], &ids[diagram.index(*to)]);
        let _written = writeln!(text, "    {to} {one}--{many} {from} : \"{}\"", label(&columns.join(", ")));
    }
    text
}

/// Names that are unique in the diagram: `platform_users`, with a number if an earlier table has the same.
fn ids(diagram: &Diagram) -> Vec<String> {
    let mut taken = HashSet::new();
    let own = |(at, (cluster, table)): (usize, (&Cluster, &Table))| {
        let name = word(&format!("{}_{}", cluster.kind, table.name));
        let name = if taken.contains(&name) { format!("{name}_{at}") } else { name };
        taken.insert(name.clone());
        name
    };
    diagram.tables().enumerate().map(own).collect()
}

/// The text with underscores for what Mermaid does not accept in a name.
fn word(text: &str) -> String {
    let plain: String =
        text.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
    if plain.starts_with(|letter: char| letter.is_ascii_alphabetic()) { plain } else { format!("x{plain}") }
}

/// A type: also parentheses and brackets.
fn type_word(text: &str) -> String {
    let is_plain = |letter: &char| letter.is_ascii_alphanumeric() || "()[]_-".contains(*letter);
    let plain: String = text.chars().map(|letter| if is_plain(&letter) { letter } else { '_' }).collect();
    if plain.starts_with(|letter: char| letter.is_ascii_alphabetic()) { plain } else { format!("x{plain}") }
}

/// A text in quotes, in which Mermaid knows no escape.
fn label(text: &str) -> String {
    crate::output::escape(text).replace('"', "'").replace(['#', ';'], "_")
}
