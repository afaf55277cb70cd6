//! The description of the API: that it says enough for generated clients, for people and for checkers, and says it rightly.

use chat_http::ErrorCode;
use jsonschema::Draft;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::support::app::send;
use crate::support::{Store, TestApp};

const NO_TOKEN: [&str; 3] = ["/", "/healthz", "/readyz"];

fn document() -> Value {
    serde_json::from_str(&chat_http::openapi_json(None)).unwrap()
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("no object: {value}"))
}

/// Every operation with its path and method.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let all = object(&document["paths"]).iter();
    all.flat_map(|(path, item)| {
        object(item).iter().map(move |(method, operation)| (format!("{method} {path}"), operation))
    })
    .collect()
}

fn parameters(operation: &Value) -> impl Iterator<Item = &Value> {
    operation["parameters"].as_array().into_iter().flatten()
}

/// The names of the schemas that a value refers to, also through others.
fn referred<'a>(document: &'a Value, value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            if let Some(name) = fields.get("$ref").and_then(Value::as_str).and_then(|name| name.rsplit('/').next())
                && !found.contains(&name)
            {
                found.push(name);
                referred(document, &document["components"]["schemas"][name], found);
            }
            fields.values().for_each(|field| referred(document, field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| referred(document, item, found)),
        _ => {}
    }
}

#[test]
fn every_part_of_the_api_document_is_described() {
    let document = document();
    let mut missing = Vec::new();
    let mut require = |value: &Value, field: &str, what: String| {
        if value[field].as_str().is_none_or(str::is_empty) {
            missing.push(format!("{what} has no {field}"));
        }
    };
    for (name, operation) in operations(&document) {
        require(operation, "summary", name.clone());
        require(operation, "operationId", name.clone());
        for parameter in parameters(operation) {
            require(parameter, "description", format!("{name}, parameter {}", parameter["name"]));
        }
        for (status, response) in object(&operation["responses"]) {
            require(response, "description", format!("{name}, {status}"));
            for (header, value) in object(response.get("headers").unwrap_or(&json!({}))) {
                require(value, "description", format!("{name}, {status}, {header}"));
            }
        }
    }
    for (name, schema) in object(&document["components"]["schemas"]) {
        require(schema, "description", name.clone());
        for (field, value) in schema["properties"].as_object().into_iter().flatten() {
            // Beside a choice it stands with the alternatives.
            let value = value["oneOf"].get(0).unwrap_or(value);
            require(value, "description", format!("{name}.{field}"));
        }
    }
    assert_eq!(missing, Vec::<String>::new());
    assert!(document["info"]["license"]["url"].as_str().is_some_and(|url| url.starts_with("https://")));
}

#[test]
fn every_error_has_an_example_of_its_own_status() {
    let document = document();
    let mut examples = 0;
    for (name, operation) in operations(&document) {
        let responses = object(&operation["responses"]);
        assert!(responses.contains_key("400"), "{name}: a query parameter that it does not have is refused");
        for (status, response) in responses {
            let content = &response["content"]["application/json"];
            if content["schema"]["$ref"] != "#/components/schemas/APIErrorResponse" {
                continue;
            }
            let error = &content["example"]["error"];
            let code = ErrorCode::ALL.iter().find(|code| error["code"] == code.as_str());
            let code = code.unwrap_or_else(|| panic!("{name}, {status}: {error}"));
            assert_eq!(code.status().as_str(), status, "{name}");
            let names_fields = error["details"].as_array().is_some_and(|details| !details.is_empty());
            assert_eq!(names_fields, status == "400", "{name}, {status}");
            for header in match status.as_str() {
                "401" => &["X-Request-Id", "WWW-Authenticate"][..],
                "429" => &["X-Request-Id", "Retry-After", "RateLimit", "RateLimit-Policy"],
                "503" => &["X-Request-Id", "Retry-After"],
                _ => &["X-Request-Id"],
            } {
                assert!(response["headers"][header].is_object(), "{name}, {status}: {header}");
            }
            examples += 1;
        }
    }
    assert!(examples >= 80, "{examples}");
}

#[test]
fn every_operation_states_which_credentials_it_needs() {
    for (name, operation) in operations(&document()) {
        let path = name.split(' ').nth(1).unwrap();
        let expected = match path {
            _ if NO_TOKEN.contains(&path) => json!([]),
            "/api/chat/attachments/{attachmentId}/thumbnail" => json!([{ "bearer": [] }, { "downloadTicket": [] }]),
            "/api/chat/attachments/{attachmentId}" if name.starts_with("get ") => {
                json!([{ "bearer": [] }, { "downloadTicket": [] }])
            }
            "/ws/chat" | "/ws/chat/{sessionId}" => json!([{ "bearer": [] }, { "ticket": [] }]),
            _ => json!([{ "bearer": [] }]),
        };
        assert_eq!(operation["security"], expected, "{name}");
    }
}

#[test]
fn files_are_binary_in_both_directions() {
    let document = document();
    let binary = json!({ "type": "string", "format": "binary" });
    let is_binary = |schema: &Value| binary.as_object().unwrap().iter().all(|(name, value)| schema[name] == *value);
    let download = &document["paths"]["/api/chat/attachments/{attachmentId}"]["get"]["responses"];
    for status in ["200", "206"] {
        let content = object(&download[status]["content"]);
        // Any type is returned; the second is for generators of clients that know bytes by this type alone.
        assert_eq!(content.keys().collect::<Vec<_>>(), ["*/*", "application/octet-stream"]);
        for media_type in content.values() {
            let name = media_type["schema"]["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
            assert!(is_binary(&document["components"]["schemas"][name]), "{status}");
        }
    }
    let form = &document["components"]["schemas"]["SendChatMessageWithFiles"];
    assert_eq!(form["required"], Value::Null, "a form needs neither a text nor a first file");
    for index in 0..10 {
        assert!(is_binary(&form["properties"][format!("attachments[{index}]")]), "{index}");
    }
    assert!(is_binary(&form["additionalProperties"]));
    let names = jsonschema::options().with_draft(Draft::Draft202012).build(&form["propertyNames"]).unwrap();
    for name in ["content", "attachments", "attachments[]", "attachments[0]", "attachments[12]", "attachments[9999]"] {
        assert!(names.is_valid(&json!(name)), "{name}");
    }
    for name in ["file", "attachment", "attachments[-1]", "attachments[10000]", "attachments[a]", "attachments[0]x"] {
        assert!(!names.is_valid(&json!(name)), "{name}");
    }
}

/// Whether a schema says how long a text is or how large a number, or which ones there are.
fn bounds_text(document: &Value, schema: &Value) -> bool {
    let schema = schema["oneOf"].get(0).unwrap_or(schema);
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()) {
        return bounds_text(document, &document["components"]["schemas"][name]);
    }
    let is =
        |kind: &str| schema["type"] == kind || schema["type"].as_array().is_some_and(|all| all.contains(&json!(kind)));
    if is("array") {
        return schema["maxItems"].is_u64() && bounds_text(document, &schema["items"])
            || schema["items"]["format"] == "binary";
    }
    if is("integer") {
        return schema["enum"].is_array() || schema["minimum"].is_i64() && schema["maximum"].is_u64();
    }
    let is_bounded = ["maxLength", "enum"].iter().any(|bound| !schema[bound].is_null()) || schema["format"] == "binary";
    !is("string") || is_bounded
}

#[test]
fn schemas_of_client_frames_have_bounds() {
    let document = document();
    // What is looked up has no length: any other id is that of nothing, any other header is ignored.
    let looked_up = [
        "sessionId",
        "attachmentId",
        "messageId",
        "before",
        "after",
        "Range",
        "If-Range",
        "If-None-Match",
        "If-Match",
        "Content-Disposition",
        "MarkMessagesRead.messageIds",
        "SendChatMessage.attachmentIds",
    ];
    let mut unbounded = Vec::new();
    for (name, operation) in operations(&document) {
        for parameter in parameters(operation) {
            let field = parameter["name"].as_str().unwrap();
            if !looked_up.contains(&field) && !bounds_text(&document, &parameter["schema"]) {
                unbounded.push(format!("{name}, {field}"));
            }
            let types = &parameter["schema"]["type"];
            assert!(!types.is_array(), "{name}, {field}: a parameter that is not there is not null");
        }
        let mut bodies = Vec::new();
        referred(&document, &operation["requestBody"], &mut bodies);
        for body in bodies {
            for (field, schema) in
                document["components"]["schemas"][body]["properties"].as_object().into_iter().flatten()
            {
                let field = format!("{body}.{field}");
                if !looked_up.contains(&field.as_str()) && !bounds_text(&document, schema) {
                    unbounded.push(field);
                }
            }
        }
    }
    assert_eq!(unbounded, Vec::<String>::new());
    let parameter = |path: &str, method: &str, name: &str| {
        let all = &document["paths"][path][method];
        parameters(all).find(|parameter| parameter["name"] == name).unwrap()["schema"].clone()
    };
    for name in ["page", "limit"] {
        assert_eq!(parameter("/api/chat/sessions", "get", name)["minimum"], 1);
    }
    for path in ["/api/chat/sessions", "/api/chat/sessions/{sessionId}/messages"] {
        assert_eq!(parameter(path, "post", "Idempotency-Key")["pattern"], "^[!-~]+$");
    }
    assert!(parameter("/ws/chat/{sessionId}", "get", "epoch")["pattern"].is_string());
    assert_eq!(parameter("/api/chat/sessions", "get", "status")["$ref"], "#/components/schemas/SessionStatus");
}

/// Every example of a body that a person can send from the page of the documentation as it stands.
#[tokio::test]
async fn the_examples_of_bodies_fit_their_schemas_and_are_accepted() {
    let document = document();
    for (name, schema) in object(&document["components"]["schemas"]) {
        let with_definitions = json!({ "allOf": [schema], "components": document["components"] });
        let validator = jsonschema::options().with_draft(Draft::Draft202012).build(&with_definitions).unwrap();
        for (field, property) in schema["properties"].as_object().into_iter().flatten() {
            if let Some(example) = property.get("example") {
                let one = json!({ "allOf": [property], "components": document["components"] });
                let one = jsonschema::options().with_draft(Draft::Draft202012).build(&one).unwrap();
                assert!(one.is_valid(example), "{name}.{field}: {example}");
            }
        }
        if let Some(example) = schema.get("example") {
            assert!(validator.is_valid(example), "{name}: {example}");
        }
    }
    let example = &document["components"]["schemas"]["CreateChatSession"]["example"];
    assert!(example.is_object() && example.get("userId").is_none(), "{example}");
    let app = TestApp::start(Store::Memory).await;
    for who in ["alice", "root"] {
        let request = app.request(who, Method::POST, "/api/chat/sessions").json(example);
        send(request).await.expect(201);
    }
    app.stop().await;
}
