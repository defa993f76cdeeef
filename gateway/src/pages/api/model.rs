//! What the page shows, taken out of the OpenAPI document.

use serde::Serialize;
use serde_json::Value;

use super::text::{Paragraph, paragraphs, pieces};

/// The whole page.
#[derive(Debug, Serialize)]
pub(super) struct Reference {
    about: Vec<Paragraph>,
    groups: Vec<Group>,
    types: Vec<Type>,
}

/// The operations of one tag.
#[derive(Debug, Serialize)]
struct Group {
    name: String,
    about: String,
    operations: Vec<Operation>,
}

#[derive(Debug, Serialize)]
struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    about: Vec<Paragraph>,
    parameters: Vec<Parameter>,
    body: Option<Kind>,
    answers: Vec<Answer>,
    /// A command that calls it.
    curl: String,
}

#[derive(Debug, Serialize)]
struct Parameter {
    name: String,
    place: String,
    kind: Kind,
    required: bool,
    about: Paragraph,
}

#[derive(Debug, Serialize)]
struct Answer {
    status: String,
    about: Paragraph,
    kind: Option<Kind>,
}

#[derive(Debug, Serialize)]
struct Type {
    name: String,
    about: Vec<Paragraph>,
    fields: Vec<Field>,
    /// Of an enum.
    names: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Field {
    name: String,
    kind: Kind,
    required: bool,
    about: Paragraph,
}

/// What a value is, in words; `link` names a type of this page.
#[derive(Debug, Default, Serialize)]
struct Kind {
    before: &'static str,
    name: String,
    link: bool,
    after: &'static str,
}

impl Reference {
    pub(super) fn of(document: &Value) -> Self {
        let operations = operations(document);
        let groups = items(&document["tags"]).map(|tag| {
            let name = text(&tag["name"]);
            let of_tag = operations.iter().filter(|(tag, _)| *tag == name).map(
                |(_, (method, path, operation))| Operation::of(document, method, path, operation),
            );
            Group {
                operations: of_tag.collect(),
                about: text(&tag["description"]),
                name,
            }
        });
        Self {
            about: paragraphs(str_of(&document["info"]["description"])),
            groups: groups
                .filter(|group| !group.operations.is_empty())
                .collect(),
            types: entries(&document["components"]["schemas"])
                .map(|(name, schema)| Type::of(name, schema))
                .collect(),
        }
    }
}

type Found<'d> = (&'d str, &'d str, &'d Value);

/// Each operation under its tag.
fn operations(document: &Value) -> Vec<(String, Found<'_>)> {
    entries(&document["paths"])
        .flat_map(|(path, item)| {
            entries(item).map(move |(method, operation)| {
                let tag = text(&operation["tags"][0]);
                (tag, (method, path, operation))
            })
        })
        .collect()
}

impl Operation {
    fn of(document: &Value, method: &str, path: &str, operation: &Value) -> Self {
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        let body = Some(body).filter(|schema| schema.is_object());
        Self {
            id: text(&operation["operationId"]),
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            summary: text(&operation["summary"]),
            about: paragraphs(str_of(&operation["description"])),
            parameters: items(&operation["parameters"]).map(Parameter::of).collect(),
            curl: curl(method, path, body.map(|body| example(document, body))),
            body: body.map(Kind::of),
            answers: entries(&operation["responses"])
                .map(|(status, answer)| Answer::of(status, answer))
                .collect(),
        }
    }
}

/// The command for an operation; `$HOST` is where this page was found.
fn curl(method: &str, path: &str, body: Option<&Value>) -> String {
    let path = path
        .replace("{orderId}", "$ORDER_ID")
        .replace("{userId}", "42");
    match body {
        Some(body) => format!(
            "curl -X {} \"$HOST{path}\" -H 'content-type: application/json' -d '{body}'",
            method.to_ascii_uppercase()
        ),
        None => format!("curl \"$HOST{path}\""),
    }
}

/// The example of the type that a schema refers to.
fn example<'d>(document: &'d Value, schema: &Value) -> &'d Value {
    let reference = str_of(&schema["$ref"]);
    let named = document.pointer(reference.trim_start_matches('#'));
    named.map_or(&Value::Null, |schema| &schema["example"])
}

impl Parameter {
    fn of(parameter: &Value) -> Self {
        Self {
            name: text(&parameter["name"]),
            place: text(&parameter["in"]),
            kind: Kind::of(&parameter["schema"]),
            required: parameter["required"] == true,
            about: pieces(str_of(&parameter["description"])),
        }
    }
}

impl Answer {
    fn of(status: &str, answer: &Value) -> Self {
        let content = entries(&answer["content"]).next();
        Self {
            status: status.to_owned(),
            about: pieces(str_of(&answer["description"])),
            kind: content
                .filter(|(_, content)| content["schema"].is_object())
                .map(|(_, content)| Kind::of(&content["schema"])),
        }
    }
}

impl Type {
    fn of(name: &str, schema: &Value) -> Self {
        let required: Vec<&str> = items(&schema["required"])
            .filter_map(Value::as_str)
            .collect();
        Self {
            name: name.to_owned(),
            about: paragraphs(str_of(&schema["description"])),
            fields: entries(&schema["properties"])
                .map(|(name, field)| Field {
                    name: name.to_owned(),
                    kind: Kind::of(field),
                    required: required.contains(&name),
                    about: pieces(described(field)),
                })
                .collect(),
            names: items(&schema["enum"]).map(text).collect(),
        }
    }
}

/// A field's description, which stands beside its `$ref` or within its `oneOf`.
fn described(field: &Value) -> &str {
    let inner = items(&field["oneOf"]).map(|one| &one["description"]);
    std::iter::once(&field["description"])
        .chain(inner)
        .find_map(Value::as_str)
        .unwrap_or_default()
}

impl Kind {
    fn of(schema: &Value) -> Self {
        if let Some(reference) = schema["$ref"].as_str() {
            return Self {
                name: reference.rsplit('/').next().unwrap_or_default().to_owned(),
                link: true,
                ..Self::default()
            };
        }
        if let Some(one) = items(&schema["oneOf"]).find(|one| one["type"] != "null") {
            return Self {
                after: " or null",
                ..Self::of(one)
            };
        }
        let (names, is_nullable) = match &schema["type"] {
            Value::Array(names) => {
                let is_null = |name: &&Value| *name == "null";
                (
                    names.iter().find(|name| !is_null(name)).map(text),
                    names.iter().any(|name| is_null(&name)),
                )
            }
            name => (name.as_str().map(str::to_owned), false),
        };
        let after = if is_nullable { " or null" } else { "" };
        let name = names.unwrap_or_else(|| "any value".to_owned());
        if name == "array" {
            return Self {
                before: "list of ",
                after,
                ..Self::of(&schema["items"])
            };
        }
        let name = match schema["format"].as_str() {
            Some("date-time") => "time".to_owned(),
            Some("uuid") => "UUID".to_owned(),
            Some("email") => "mail address".to_owned(),
            _ => name,
        };
        Self {
            before: "",
            name,
            link: false,
            after,
        }
    }
}

fn str_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn text(value: &Value) -> String {
    str_of(value).to_owned()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(name, value)| (name.as_str(), value))
}
