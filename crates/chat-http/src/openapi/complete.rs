//! What holds for all operations: the security of those that need no token, the 400 of every one, the headers of failures.

use chat_domain::model::ThumbnailSize;
use serde_json::Value;
use utoipa::Modify;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{Content, OpenApi, PathItem, Ref, RefOr, Required, Response, Schema};

use super::error_examples;

/// The media type of all bodies but files and forms.
const JSON: &str = "application/json";

pub(super) struct CompleteDocument;

impl Modify for CompleteDocument {
    fn modify(&self, openapi: &mut OpenApi) {
        for item in openapi.paths.paths.values_mut() {
            for operation in operations(item) {
                complete(operation);
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten()
}

fn complete(operation: &mut Operation) {
    // No entry means "as the document says elsewhere"; an empty list means "none".
    operation.security.get_or_insert_default();
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter {
            without_null(parameter);
        }
    }
    if operation.operation_id.as_deref() == Some("get_thumbnail") {
        // The macro knows no list of numbers.
        for parameter in operation.parameters.iter_mut().flatten() {
            if let RefOr::T(parameter) = parameter
                && parameter.name == "size"
            {
                let sizes = ThumbnailSize::ALL.map(|size| Value::from(size.pixels()));
                let schema = ObjectBuilder::new().schema_type(SchemaType::Type(Type::Integer)).enum_values(Some(sizes));
                parameter.schema = Some(schema.into());
            }
        }
    }
    let responses = &mut operation.responses.responses;
    responses.entry("400".to_owned()).or_insert_with(|| RefOr::T(bad_request()));
    let id = operation.operation_id.clone().unwrap_or_default();
    if matches!(id.as_str(), "create_session" | "block_person")
        && let Some(RefOr::T(body)) = &mut operation.request_body
    {
        // The macro describes a body that may be missing as a body that may be `null`.
        body.required = Some(Required::False);
    }
    for (status, response) in responses {
        if let (Ok(status), RefOr::T(response)) = (status.parse(), response) {
            complete_response(&id, status, response);
        }
    }
}

/// A parameter is there or not; there is no way to write `null` in a header or a query.
fn without_null(parameter: &mut Parameter) {
    if parameter.required == Required::True {
        return;
    }
    if let Some(RefOr::T(Schema::Object(object))) = &mut parameter.schema
        && let SchemaType::Array(types) = &object.schema_type
        && let [kind] = types.iter().filter(|kind| **kind != Type::Null).collect::<Vec<_>>().as_slice()
    {
        object.schema_type = SchemaType::Type((*kind).clone());
    }
}

fn bad_request() -> Response {
    let schema = Ref::from_schema_name("APIErrorResponse");
    ResponseBuilder::new()
        .description("The request breaks a rule, such as a query parameter that the operation does not have")
        .content(JSON, Content::new(Some(schema)))
        .build()
}

const RETRY_AFTER: &str = "The seconds after which to repeat the request.";

fn complete_response(operation: &str, status: u16, response: &mut Response) {
    let mut header = |name: &str, description: &str| {
        let schema = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
        let header = HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build();
        response.headers.entry(name.to_owned()).or_insert(RefOr::T(header));
    };
    header("X-Request-Id", "The id under which the log knows the request.");
    match status {
        401 => header("WWW-Authenticate", "The scheme of the token: `Bearer`."),
        429 => {
            header("Retry-After", RETRY_AFTER);
            header("RateLimit-Policy", "With `RATE_LIMITED`: the limit, as in `\"messages\";q=300;w=60`.");
            header(
                "RateLimit",
                "With `RATE_LIMITED`: what is left and when there is more, as in `\"messages\";r=0;t=2`.",
            );
        }
        503 if operation != "readyz" => header("Retry-After", RETRY_AFTER),
        _ => {}
    }
    if let Some(RefOr::T(content)) = response.content.get_mut(JSON)
        && content.schema == Some(RefOr::Ref(Ref::from_schema_name("APIErrorResponse")))
    {
        content.example = error_examples::example(operation, status);
    }
}
