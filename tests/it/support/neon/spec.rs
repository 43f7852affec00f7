//! Checks requests and responses against a copy of Neon's published API specification: the path `TENURE_NEON_OPENAPI`, or a file
//! next to the project. An unknown field or query parameter is a violation too, to detect misspelt names.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use super::fault::Seen;

/// The path of a copy, relative to the project's root.
const BESIDE: &str = "../shared/neon/openapi_branches.yaml";

/// The prefix of the specification's paths is the API's base.
#[derive(Debug)]
pub struct Spec(Value);

impl Spec {
    /// The specification, read once. If it is missing, prints that once.
    pub fn read() -> Option<&'static Self> {
        static SPEC: OnceLock<Option<Spec>> = OnceLock::new();
        let read = || {
            let given = std::env::var_os("TENURE_NEON_OPENAPI");
            let path = given.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(BESIDE), Into::into);
            let Ok(text) = std::fs::read_to_string(&path) else {
                #[expect(clippy::print_stderr, reason = "a skipped check must be visible")]
                {
                    eprintln!("SKIPPED: no specification of Neon's API in {}", path.display());
                }
                return None;
            };
            let mut document: Value = serde_saphyr::from_str(&text).unwrap();
            let mut components = document["components"].take();
            for (_, schema) in components["schemas"].as_object_mut().unwrap() {
                adapt(schema, false);
            }
            document["components"] = components;
            Some(Self(document))
        };
        SPEC.get_or_init(read).as_ref()
    }

    /// The violations in a request.
    pub fn request(&self, seen: &Seen) -> Vec<String> {
        let Some((operation, parameters)) = self.operation(seen) else { return Vec::new() };
        let mut wrong = Vec::new();
        for (name, text) in &seen.query {
            let Some(parameter) = parameters.iter().find(|at| at["in"] == "query" && at["name"] == **name)
            else {
                wrong.push(format!("the query parameter {name} is not known"));
                continue;
            };
            let value = match parameter["schema"]["type"].as_str() {
                Some("integer") => text.parse::<i64>().map_or(json!(text), Value::from),
                Some("boolean") => text.parse::<bool>().map_or(json!(text), Value::from),
                _ => json!(text),
            };
            wrong.extend(self.against(&parameter["schema"], &value, name));
        }
        for parameter in parameters.iter().filter(|at| at["in"] == "query" && at["required"] == true) {
            let name = parameter["name"].as_str().unwrap();
            if !seen.query.iter().any(|(key, _)| key == name) {
                wrong.push(format!("the query parameter {name} is missing"));
            }
        }
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        match &seen.body {
            Some(body) if schema.is_null() => wrong.push(format!("a body where none is taken: {body}")),
            Some(body) => wrong.extend(self.against(schema, body, "the body")),
            None if operation["requestBody"]["required"] == true => wrong.push("no body".to_owned()),
            None => {}
        }
        wrong
    }

    /// The violations in a response.
    pub fn answer(&self, seen: &Seen, status: u16, body: Option<&Value>) -> Vec<String> {
        let Some((operation, _)) = self.operation(seen) else { return Vec::new() };
        let responses = &operation["responses"];
        let declared = responses.get(status.to_string());
        if declared.is_none() && status < 400 {
            return vec![format!("the status {status} is not known")];
        }
        let response = self.resolved(declared.unwrap_or(&responses["default"]));
        let schema = &response["content"]["application/json"]["schema"];
        match body {
            Some(body) if schema.is_null() => vec![format!("a body with status {status}: {body}")],
            Some(body) => self.against(schema, body, "the answer"),
            None if schema.is_null() => Vec::new(),
            None => vec![format!("no body with status {status}")],
        }
    }

    /// The specification of an operation with its parameters; `None` if this part does not contain it.
    fn operation(&self, seen: &Seen) -> Option<(&Value, Vec<&Value>)> {
        let parts: Vec<_> = seen.path.trim_matches('/').split('/').collect();
        let (_, path) = self.0["paths"].as_object()?.iter().find(|(template, _)| {
            let names: Vec<_> = template.trim_matches('/').split('/').collect();
            let fits = |(name, part): (&&str, &&str)| name.starts_with('{') || name == part;
            names.len() == parts.len() && names.iter().zip(&parts).all(fits)
        })?;
        let operation = path.get(seen.method.to_lowercase())?;
        let all = [&path["parameters"], &operation["parameters"]];
        let parameters = all.into_iter().filter_map(Value::as_array).flatten();
        Some((operation, parameters.map(|parameter| self.resolved(parameter)).collect()))
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        let Some(reference) = value["$ref"].as_str() else { return value };
        self.0.pointer(reference.trim_start_matches('#')).unwrap()
    }

    fn against(&self, schema: &Value, value: &Value, what: &str) -> Vec<String> {
        let mut schema = schema.clone();
        adapt(&mut schema, true);
        let root = json!({ "allOf": [schema], "components": self.0["components"] });
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .should_validate_formats(true)
            .build(&root)
            .unwrap();
        let told =
            |error: jsonschema::ValidationError<'_>| format!("{what}{}: {error}", error.instance_path());
        validator.iter_errors(value).map(told).collect()
    }
}

/// Converts `OpenAPI` 3.0 to JSON Schema 2020-12: `nullable` becomes a type, and objects allow no additional properties.
fn adapt(schema: &mut Value, is_value: bool) {
    let Some(fields) = schema.as_object_mut() else { return };
    if fields.remove("nullable") == Some(Value::Bool(true))
        && let Some(kind) = fields.get("type").cloned()
    {
        fields.insert("type".to_owned(), json!([kind, "null"]));
    }
    if is_value && ["$ref", "properties", "allOf"].iter().any(|key| fields.contains_key(*key)) {
        fields.insert("unevaluatedProperties".to_owned(), json!(false));
    }
    let each = |fields: &mut Map<String, Value>, key: &str, is_value: bool| match fields.get_mut(key) {
        Some(Value::Object(named)) if key == "properties" => {
            named.iter_mut().for_each(|(_, schema)| adapt(schema, is_value));
        }
        Some(Value::Array(list)) => list.iter_mut().for_each(|schema| adapt(schema, is_value)),
        Some(schema) => adapt(schema, is_value),
        None => {}
    };
    each(fields, "properties", true);
    each(fields, "items", true);
    each(fields, "additionalProperties", true);
    each(fields, "allOf", false);
}
