//! The statements that create the objects of a snapshot, for the model of `verify`. They contain what the rules read: no
//! owners, privileges, storage, comments, or options of foreign servers, which may contain passwords.

use std::fmt::Write as _;

use super::model::{Kind, Object, ObjectKey, PartKey, PartKind, Properties, Property, SchemaSnapshot};
use crate::error::Failure;
use crate::ident::{Identifier, literal};
use crate::sql::ORG_SCHEMA;
use crate::verify::CatalogObject;

/// Encloses the body of a routine.
const BODY: &str = "$tenure_body$";

impl SchemaSnapshot {
    /// The objects with the statements that create them, those that others need first. The schema's own name is the placeholder.
    pub fn statements(&self) -> Result<Vec<CatalogObject>, Failure> {
        let mut objects = Vec::new();
        let mut later = Vec::new();
        for (key, object) in &self.objects {
            let name = qualified(key.bare_name())?;
            let mut add = |sql: String| objects.push(CatalogObject { name: key.bare_name().to_owned(), sql });
            match key.kind {
                Kind::Enum => {
                    let labels = object.properties.list(Property::Labels);
                    let labels: Vec<_> = labels.into_iter().map(literal).collect();
                    add(format!("CREATE TYPE {name} AS ENUM ({})", labels.join(", ")));
                }
                Kind::Domain => add(domain(&name, object)?),
                Kind::CompositeType => {
                    let columns = columns(object)
                        .map(|(name, column)| Ok(format!("{} {}", quoted(name)?, of_type(column))));
                    let columns = columns.collect::<Result<Vec<_>, Failure>>()?;
                    add(format!("CREATE TYPE {name} AS ({})", columns.join(", ")));
                }
                Kind::Range => {
                    add(format!("CREATE TYPE {name} AS RANGE (SUBTYPE = {})", of_type(&object.properties)));
                }
                Kind::Sequence if self.serial_of(key).is_none() => add(format!("CREATE SEQUENCE {name}")),
                Kind::Table | Kind::ForeignTable => add(self.table(key, object)?),
                Kind::View | Kind::MaterializedView => {
                    let of = if key.kind == Kind::View { "VIEW" } else { "MATERIALIZED VIEW" };
                    add(format!("CREATE {of} {name} AS {}", get(&object.properties, Property::Definition)));
                }
                Kind::Function | Kind::Procedure => add(routine(key, &object.properties)?),
                Kind::Aggregate => {
                    let arguments = key.name.get(key.bare_name().len()..).unwrap_or_default();
                    add(format!("CREATE AGGREGATE {name}{arguments} (SFUNC = unknown, STYPE = unknown)"));
                }
                Kind::Schema
                | Kind::Sequence
                | Kind::Operator
                | Kind::Collation
                | Kind::Statistics
                | Kind::Extension => {}
            }
            let security = object.properties.get(Property::RowSecurity).unwrap_or_default();
            for (wanted, action) in [("enabled", "ENABLE"), ("forced", "FORCE")] {
                // `forced` alone is both; `forced, but not enabled` is not.
                if security.starts_with(wanted) || (security == "forced" && action == "ENABLE") {
                    let sql = format!("ALTER TABLE {name} {action} ROW LEVEL SECURITY");
                    later.push(CatalogObject { name: key.bare_name().to_owned(), sql });
                }
            }
            for (part, properties) in &object.parts {
                let sql = part_statement(part, properties, &name)?;
                later.extend(sql.map(|sql| CatalogObject { name: key.bare_name().to_owned(), sql }));
                let is_off = part.kind == PartKind::Trigger && properties.has(Property::Enabled);
                if is_off {
                    let sql = format!("ALTER TABLE {name} DISABLE TRIGGER {}", quoted(&part.name)?);
                    later.push(CatalogObject { name: key.bare_name().to_owned(), sql });
                }
            }
        }
        objects.append(&mut later);
        Ok(objects)
    }

    /// The names of the objects on which privileges were granted or revoked.
    pub fn objects_with_privileges(&self) -> Vec<String> {
        let has = |(_, object): &(&ObjectKey, &Object)| object.properties.has(Property::Privileges);
        self.objects.iter().filter(has).map(|(key, _)| key.bare_name().to_owned()).collect()
    }

    fn table(&self, key: &ObjectKey, object: &Object) -> Result<String, Failure> {
        let mut parts = Vec::new();
        for (name, column) in columns(object) {
            let serial = self.serial_type(&key.name, name, column);
            let mut text = format!("{} {}", quoted(name)?, serial.unwrap_or_else(|| of_type(column)));
            if let Some(expression) = column.get(Property::Generated) {
                let end = expression.rfind(' ').unwrap_or(expression.len());
                let _written = write!(text, " GENERATED ALWAYS AS ({}) STORED", &expression[..end]);
            } else if let Some(identity) = column.get(Property::Identity) {
                let _written = write!(text, " GENERATED {} AS IDENTITY", identity.to_uppercase());
            } else if let Some(default) = column.get(Property::Default).filter(|_| serial.is_none()) {
                let _written = write!(text, " DEFAULT {default}");
            }
            if column.get(Property::NotNull) == Some("yes") {
                text.push_str(" NOT NULL");
            }
            parts.push(text);
        }
        for (part, properties) in object.parts.iter().filter(|(part, _)| part.kind == PartKind::Constraint) {
            parts.push(constraint(part, properties)?);
        }
        let name = qualified(&key.name)?;
        let foreign = key.kind == Kind::ForeignTable;
        let end = match object.properties.get(Property::PartitionKey) {
            Some(by) => format!(" PARTITION BY {by}"),
            None if foreign => " SERVER unknown".to_owned(),
            None => String::new(),
        };
        let create = if foreign { "CREATE FOREIGN TABLE" } else { "CREATE TABLE" };
        Ok(format!("{create} {name} ({}){end}", parts.join(", ")))
    }

    /// The serial type of a column whose own sequence has the name that the server gives to it.
    fn serial_type(&self, table: &str, name: &str, column: &Properties) -> Option<&'static str> {
        let sequence = ObjectKey { kind: Kind::Sequence, name: format!("{table}_{name}_seq") };
        let has_sequence = self.serial_of(&sequence).is_some();
        let is_filled = column.get(Property::Default).is_some_and(|default| default.starts_with("nextval("));
        let is_serial = has_sequence && is_filled && column.get(Property::NotNull) == Some("yes");
        is_serial.then(|| match of_type(column) {
            "integer" => Some("serial"),
            "bigint" => Some("bigserial"),
            "smallint" => Some("smallserial"),
            _ => None,
        })?
    }

    /// The table and the column of which the sequence is the serial's one.
    fn serial_of(&self, key: &ObjectKey) -> Option<(String, String)> {
        let owner = self.objects.get(key).filter(|_| key.kind == Kind::Sequence)?;
        let owner = owner.properties.get(Property::OwnedBy)?.strip_prefix(ORG_SCHEMA)?.strip_prefix('.')?;
        let (table, column) = owner.split_once('.').filter(|_| !owner.contains('"'))?;
        (key.name == format!("{table}_{column}_seq")).then(|| (table.to_owned(), column.to_owned()))
    }
}

fn get(properties: &Properties, property: Property) -> &str {
    properties.get(property).unwrap_or_default()
}

fn of_type(properties: &Properties) -> &str {
    get(properties, Property::Type)
}

fn quoted(name: &str) -> Result<String, Failure> {
    Ok(Identifier::new(name)?.quoted())
}

fn qualified(name: &str) -> Result<String, Failure> {
    Ok(format!("{ORG_SCHEMA}.{}", quoted(name)?))
}

/// The columns in their order.
fn columns(object: &Object) -> impl Iterator<Item = (&str, &Properties)> {
    let columns = object.parts.iter().filter(|(part, _)| part.kind == PartKind::Column);
    let mut columns: Vec<_> = columns.map(|(part, properties)| (part.name.as_str(), properties)).collect();
    columns.sort_by_key(|(_, properties)| {
        get(properties, Property::Position).parse::<usize>().unwrap_or_default()
    });
    columns.into_iter()
}

fn constraint(part: &PartKey, properties: &Properties) -> Result<String, Failure> {
    let not_valid = if properties.has(Property::Validated) { " NOT VALID" } else { "" };
    let definition = get(properties, Property::Definition);
    Ok(format!("CONSTRAINT {} {definition}{not_valid}", quoted(&part.name)?))
}

fn domain(name: &str, object: &Object) -> Result<String, Failure> {
    let mut sql = format!("CREATE DOMAIN {name} AS {}", of_type(&object.properties));
    if object.properties.has(Property::NotNull) {
        sql.push_str(" NOT NULL");
    }
    for (part, properties) in object.parts.iter().filter(|(part, _)| part.kind == PartKind::Constraint) {
        let _written = write!(sql, " {}", constraint(part, properties)?);
    }
    Ok(sql)
}

fn routine(key: &ObjectKey, properties: &Properties) -> Result<String, Failure> {
    let is_function = key.kind == Kind::Function;
    let of = if is_function { "FUNCTION" } else { "PROCEDURE" };
    let mut sql =
        format!("CREATE {of} {}({})", qualified(key.bare_name())?, get(properties, Property::Arguments));
    if is_function {
        let _written = write!(
            sql,
            " RETURNS {} {}",
            properties.get(Property::Result).unwrap_or("void"),
            get(properties, Property::Volatility).to_uppercase()
        );
    }
    let _written = write!(sql, " LANGUAGE {}", quoted(get(properties, Property::Language))?);
    for (property, words) in [(Property::Strict, " STRICT"), (Property::Security, " SECURITY DEFINER")] {
        if properties.has(property) {
            sql.push_str(words);
        }
    }
    match (properties.get(Property::Definition), properties.get(Property::Body)) {
        (Some(definition), _) => {
            let _written = write!(sql, " {definition}");
        }
        (None, body) => {
            let _written = write!(sql, " AS {BODY}{}{BODY}", body.unwrap_or_default());
        }
    }
    Ok(sql)
}

fn part_statement(part: &PartKey, properties: &Properties, of: &str) -> Result<Option<String>, Failure> {
    let definition = get(properties, Property::Definition);
    Ok(match part.kind {
        PartKind::Column | PartKind::Constraint => None,
        // An invalid index does not prove that its values are unique.
        PartKind::Index if properties.has(Property::Valid) => {
            Some(definition.replacen("CREATE UNIQUE INDEX", "CREATE INDEX", 1))
        }
        PartKind::Index | PartKind::Trigger | PartKind::Rule => Some(definition.to_owned()),
        PartKind::Policy => {
            let mut sql = format!("CREATE POLICY {} ON {of}", quoted(&part.name)?);
            if properties.has(Property::Permissive) {
                sql.push_str(" AS RESTRICTIVE");
            }
            let _written = write!(sql, " FOR {}", get(properties, Property::Command).to_uppercase());
            for (property, words) in [(Property::Using, "USING"), (Property::Check, "WITH CHECK")] {
                if let Some(condition) = properties.get(property) {
                    let _written = write!(sql, " {words} ({condition})");
                }
            }
            Some(sql)
        }
    })
}
