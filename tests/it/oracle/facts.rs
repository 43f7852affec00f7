//! Facts of the catalog, and what identifies them when relations and parts get other names.

use std::collections::BTreeMap;

/// An object, or a part of one (a column, an index, …).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub schema: String,
    pub kind: String,
    pub object: String,
    /// The kind of the part and its name.
    pub part: Option<(String, String)>,
}

/// The properties that differ from the default.
pub type Properties = BTreeMap<String, String>;

pub type Facts = BTreeMap<Key, Properties>;

/// What a change takes from the release before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Nothing: it adds, or only the planner and people see it.
    Nothing,
    /// It allows more, or people disagree and no tool denies it: more values, another default, another body of a routine.
    Arguable,
    /// Something is lost, reads differently, or is refused.
    Harm,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub weight: Weight,
    pub what: String,
}

impl Key {
    pub fn is_part(&self, kind: &str) -> bool {
        self.part.as_ref().is_some_and(|(part, _)| part == kind)
    }

    pub fn whole(&self) -> Self {
        Self { part: None, ..self.clone() }
    }

    /// The part of the same object.
    pub fn sibling(&self, kind: &str, name: &str) -> Self {
        Self { part: Some((kind.to_owned(), name.to_owned())), ..self.clone() }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}.{}", self.kind, self.schema, self.object)?;
        self.part.as_ref().map_or(Ok(()), |(kind, name)| write!(f, " {kind} {name}"))
    }
}

/// `facts` with the names that relations and their parts had in `before`; a new name is a property.
pub fn with_old_names(facts: &Facts, before: &Facts) -> Facts {
    let old = Names::of(before);
    let now = Names::of(facts);
    let renamed: Vec<(&String, &String)> = now
        .relations
        .iter()
        .filter_map(|(id, (_, name))| Some((name, &old.relations.get(id)?.1)))
        .filter(|(name, old)| name != old)
        .collect();
    let mut named = Facts::new();
    let mut others = Vec::new();
    for (key, properties) in facts {
        let (mut key, mut properties) = (key.clone(), properties.clone());
        let whole = (key.schema.clone(), key.object.clone());
        let id = now.ids.get(&whole).filter(|_| RELATIONS.contains(&key.kind.as_str()));
        let Some((id, (schema, object))) = id.and_then(|id| Some((id, old.relations.get(id)?))) else {
            others.push((key, properties));
            continue;
        };
        let is_described = !["rows", "id"].contains(&key.kind.as_str());
        let mut note = |name: String| {
            if is_described {
                properties.insert("name".to_owned(), name);
            }
        };
        if let Some((kind, name)) = &mut key.part {
            let of_part = (id.clone(), kind.clone(), name.clone());
            match now.part_ids.get(&of_part).map(|of| old.parts.get(&(id.clone(), kind.clone(), of.clone())))
            {
                Some(Some(own)) if own != name => {
                    note(name.clone());
                    let own = own.clone();
                    if let Some(definition) = properties.get_mut("definition") {
                        for word in ["INDEX", "TRIGGER"] {
                            *definition = definition
                                .replacen(&format!("{word} {name} "), &format!("{word} {own} "), 1)
                                .replacen(&format!("{word} \"{name}\" "), &format!("{word} \"{own}\" "), 1);
                        }
                    }
                    *name = own;
                }
                // A new part with the name of an old one that has another name now.
                Some(None) if old.part_ids.get(&of_part).is_some_and(|of| now.has_part(id, kind, of)) => {
                    name.push_str(" (new)");
                }
                _ => {}
            }
            // The server prints the names of tables in definitions.
            if let Some(definition) = properties.get_mut("definition") {
                for (name, old) in &renamed {
                    for end in ["(", " "] {
                        *definition = definition
                            .replace(&format!(".{name}{end}"), &format!(".{old}{end}"))
                            .replace(&format!(".\"{name}\"{end}"), &format!(".\"{old}\"{end}"));
                    }
                }
            }
        } else if (schema, object) != (&key.schema, &key.object) {
            note(format!("{}.{}", key.schema, key.object));
        }
        (key.schema, key.object) = (schema.clone(), object.clone());
        named.insert(key, properties);
    }
    for (mut key, properties) in others {
        let whole = (key.schema.clone(), key.object.clone());
        let has_other_name = old.ids.get(&whole).is_some_and(|id| now.relations.contains_key(id));
        if has_other_name && RELATIONS.contains(&key.kind.as_str()) {
            key.object.push_str(" (new)");
        }
        named.entry(key).or_insert(properties);
    }
    named
}

/// The kinds of facts about relations.
const RELATIONS: &[&str] = &["table", "view", "sequence", "materialized view", "rows", "id"];

/// What identifies relations and their parts whatever their names are.
#[derive(Default)]
struct Names {
    /// The OID of a relation, by schema and name.
    ids: BTreeMap<(String, String), String>,
    relations: BTreeMap<String, (String, String)>,
    /// The OID or number of a part, by the relation's OID, the kind and the name.
    part_ids: BTreeMap<(String, String, String), String>,
    parts: BTreeMap<(String, String, String), String>,
}

impl Names {
    fn of(facts: &Facts) -> Self {
        let mut names = Self::default();
        let ids = || facts.iter().filter(|(key, _)| key.kind == "id");
        for (key, properties) in ids().filter(|(key, _)| key.part.is_none()) {
            let (whole, id) = ((key.schema.clone(), key.object.clone()), get(properties, "of").to_owned());
            names.relations.insert(id.clone(), whole.clone());
            names.ids.insert(whole, id);
        }
        for (key, properties) in ids() {
            let Some((kind, name)) = &key.part else { continue };
            let whole = names.ids[&(key.schema.clone(), key.object.clone())].clone();
            let id = get(properties, "of").to_owned();
            names.parts.insert((whole.clone(), kind.clone(), id.clone()), name.clone());
            names.part_ids.insert((whole, kind.clone(), name.clone()), id);
        }
        names
    }

    fn has_part(&self, whole: &str, kind: &str, id: &str) -> bool {
        self.parts.contains_key(&(whole.to_owned(), kind.to_owned(), id.to_owned()))
    }
}

/// A property; empty if it is missing.
pub fn get<'a>(properties: &'a Properties, name: &str) -> &'a str {
    properties.get(name).map_or("", String::as_str)
}
