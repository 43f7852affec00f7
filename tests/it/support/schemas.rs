//! Checks each JSON document that a test sees against its JSON Schema, of which no key may be missing.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};
use tenure::cli::json_schemas;

/// The validators by command.
static VALIDATORS: LazyLock<BTreeMap<&str, Validator>> = LazyLock::new(|| {
    let validator = |(command, mut schema): (&'static str, Value)| {
        let all = schema["anyOf"].as_array_mut().into_iter().flatten();
        all.for_each(close);
        let definitions = schema["$defs"].as_object_mut().into_iter().flat_map(|all| all.values_mut());
        definitions.for_each(close);
        (command, jsonschema::validator_for(&schema).unwrap())
    };
    json_schemas().into_iter().map(validator).collect()
});

/// Refuses keys that the schema of an object does not name.
fn close(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    let is_object = object.contains_key("properties");
    for (key, inner) in object.iter_mut() {
        match (key.as_str(), inner) {
            ("properties", Value::Object(all)) => all.values_mut().for_each(close),
            ("items" | "additionalProperties", inner) => close(inner),
            // The keys of these are beside the object's own.
            ("oneOf" | "anyOf", Value::Array(all)) if !is_object => all.iter_mut().for_each(close),
            _ => {}
        }
    }
    if is_object && !object.contains_key("additionalProperties") {
        object.insert("unevaluatedProperties".to_owned(), json!(false));
    }
}

/// The schema of the command's documents: of the first words that are a command.
fn of_command(words: &[&str]) -> &'static Validator {
    let named = (0..words.len()).find_map(|start| {
        let name = |length: usize| words.get(start..start + length).map(|words| words.join(" "));
        [3, 2, 1].into_iter().filter_map(name).find_map(|name| VALIDATORS.get(name.as_str()))
    });
    named.unwrap_or(&VALIDATORS["overview"])
}

/// Whether the document is one of the command's.
pub fn is_valid_document(words: &[&str], document: &Value) -> bool {
    of_command(words).is_valid(document)
}

/// Asserts that the document is one of the command's.
#[track_caller]
pub fn check_document<'a>(words: impl IntoIterator<Item = &'a str>, document: &Value) {
    let words: Vec<&str> = words.into_iter().collect();
    assert_valid(of_command(&words), &words.join(" "), document);
}

/// Asserts that the document is a line of `--events`.
#[track_caller]
pub fn check_event(line: &Value) {
    assert_valid(&VALIDATORS["events"], "an event", line);
}

#[track_caller]
fn assert_valid(validator: &Validator, name: &str, document: &Value) {
    let errors: Vec<String> = validator
        .iter_errors(document)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "tenure {name}: not what its schema says: {errors:#?}\n{document:#}");
}
