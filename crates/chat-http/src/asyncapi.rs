//! The sockets' own description (`AsyncAPI` 3.0), made from the catalogue of frames and the schemas of the wire types.

use std::sync::LazyLock;

use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};
use url::{Position, Url};
use utoipa::OpenApi;

use crate::base_url::BaseUrl;
use crate::dto::{
    ClientHeartbeatBody, HeartbeatDto, HelloDto, InboxSnapshotDto, InboxUpdateDto, MessageDto, MultiplexedHeartbeatDto,
    MultiplexedHelloDto, NewTokenBody, NoDataBody, OpenInboxBody, ReceiptDto, SessionDto, SocketErrorDto,
    SubscribeBody, SubscribedDto, TokenExpiryDto, TypingDto, TypingStateBody, UnsubscribedDto, UpToBody,
};
use crate::error::ApiError;
use crate::request::NoInput;
use crate::socket_protocol::{About, CloseCode, FRAMES, FrameKind, FrameSender, SocketMode};
use crate::state::App;

/// What stands in the frames; the same schemas as in the description of the API where both have them.
#[derive(OpenApi)]
#[openapi(components(schemas(
    ClientHeartbeatBody,
    HeartbeatDto,
    HelloDto<'static>,
    InboxSnapshotDto<'static>,
    InboxUpdateDto<'static>,
    MessageDto<'static>,
    MultiplexedHeartbeatDto,
    MultiplexedHelloDto<'static>,
    NewTokenBody,
    NoDataBody,
    OpenInboxBody,
    ReceiptDto<'static>,
    SessionDto<'static>,
    SocketErrorDto<'static>,
    SubscribeBody,
    SubscribedDto<'static>,
    TokenExpiryDto,
    TypingDto<'static>,
    TypingStateBody,
    UnsubscribedDto<'static>,
    UpToBody,
)))]
struct FrameData;

const MODES: [SocketMode; 3] = [SocketMode::Base, SocketMode::Extended, SocketMode::Multiplexed];

/// What stands in the document that belongs to no server in particular.
const ANY_SERVER: &str = "http://127.0.0.1:8080";

/// The description of the socket as indented JSON, for clients that reach the service at `base_url`.
pub fn asyncapi_json(base_url: Option<&str>) -> String {
    let mut document = WITHOUT_SERVERS.clone();
    // Its name is the last in the order of the alphabet, as its place is.
    add(&mut document, "servers", sorted(json!({ "server": server(base_url.unwrap_or(ANY_SERVER)) })));
    // Serialising a document of strings and numbers cannot fail.
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

pub(crate) async fn document(app: App, request: HttpRequest, input: NoInput) -> Result<HttpResponse, ApiError> {
    input.0?;
    let base = BaseUrl::of(&request, &app.settings);
    let body = asyncapi_json(base.as_absolute());
    Ok(HttpResponse::Ok().content_type("application/json").body(body))
}

/// Where the socket is: the service's address with the scheme of WebSocket.
fn server(base_url: &str) -> Value {
    let url = Url::parse(base_url).ok();
    let (protocol, host, path) = match &url {
        Some(url) => {
            let protocol = if url.scheme() == "https" { "wss" } else { "ws" };
            (protocol, &url[Position::BeforeHost..Position::AfterPort], url.path().trim_end_matches('/'))
        }
        None => ("ws", base_url, ""),
    };
    let mut server = json!({
        "host": host,
        "protocol": protocol,
        "description": "The server that this document comes from.",
        "security": [
            { "$ref": "#/components/securitySchemes/bearer" },
            { "$ref": "#/components/securitySchemes/ticket" },
        ],
    });
    if !path.is_empty() {
        add(&mut server, "pathname", json!(path));
    }
    server
}

/// The whole document but for its servers. Made once: anyone may ask for it, as often as they like.
static WITHOUT_SERVERS: LazyLock<Value> = LazyLock::new(|| sorted(description()));

fn description() -> Value {
    let channels: Map<String, Value> =
        MODES.into_iter().map(|mode| (mode.as_str().to_owned(), channel(mode))).collect();
    let messages: Map<String, Value> = MODES
        .into_iter()
        .flat_map(|mode| frames_of(mode).map(move |frame| (message_name(mode, frame), message(mode, frame))))
        .collect();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Support chat: the sockets",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Watching support-chat sessions live, one at an address or many on one socket. How to connect, to resume and to close is described in \
                docs/reference/websocket.md.",
            "license": { "name": "MIT OR Apache-2.0", "url": "https://spdx.org/licenses/MIT.html" },
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations(),
        "components": {
            "messages": messages,
            "schemas": schemas(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The header Authorization, or the subprotocol base64url.bearer.chat. with the token \
                        in base64url without padding behind it.",
                },
                "ticket": {
                    "type": "httpApiKey",
                    "in": "query",
                    "name": "ticket",
                    "description": "Of POST /api/chat/sessions/{sessionId}/ws-ticket for a session, of POST /api/chat/ws-ticket for \
                        /ws/chat; opens one socket.",
                },
            },
        },
    })
}

fn frames_of(mode: SocketMode) -> impl Iterator<Item = &'static FrameKind> {
    FRAMES.iter().filter(move |frame| frame.modes.contains(&mode))
}

/// What a frame is called in the document: two directions and modes have frames of the same type.
fn message_name(mode: SocketMode, frame: &FrameKind) -> String {
    format!("{}_{}_{}", mode.as_str(), frame.sender.as_str(), frame.name)
}

/// The same as the name of a type, such as `ExtendedServerAuthExpiring`.
fn type_name(mode: SocketMode, frame: &FrameKind) -> String {
    let mut name = String::new();
    for word in message_name(mode, frame).split('_') {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        name.push_str(&first.to_ascii_uppercase());
        name.push_str(rest);
    }
    name
}

fn channel(mode: SocketMode) -> Value {
    let description = match mode {
        SocketMode::Base => "Without a subprotocol: three types of frames, and what the client says is ignored.",
        SocketMode::Extended => {
            "With the subprotocol chat.v1: positions, receipts, acknowledgements, renewal of tokens."
        }
        SocketMode::Multiplexed => {
            "With the subprotocol chat.v1, which is required here: any number of sessions, to which the client subscribes."
        }
    };
    let messages: Map<String, Value> = frames_of(mode)
        .map(|frame| message_name(mode, frame))
        .map(|name| (name.clone(), json!({ "$ref": format!("#/components/messages/{name}") })))
        .collect();
    let close_codes: Vec<Value> = CloseCode::ALL
        .iter()
        .map(|code| {
            let (number, reason) = (code.number(), code.reason());
            json!({ "code": number, "reason": reason, "meaning": code.meaning(), "action": code.action() })
        })
        .collect();
    let mut channel = json!({
        "address": if mode == SocketMode::Multiplexed { "/ws/chat" } else { "/ws/chat/{sessionId}" },
        "description": description,
        "messages": messages,
        "bindings": { "ws": { "method": "GET", "query": query(mode), "bindingVersion": "0.1.0" } },
        "x-close-codes": close_codes,
    });
    if mode != SocketMode::Multiplexed {
        add(&mut channel, "parameters", json!({ "sessionId": { "description": "The session to subscribe to." } }));
    }
    channel
}

fn query(mode: SocketMode) -> Value {
    let text = |description: &str| json!({ "type": "string", "description": description });
    if mode == SocketMode::Multiplexed {
        return json!({ "type": "object", "properties": { "ticket": text("In place of a token.") } });
    }
    json!({
        "type": "object",
        "properties": {
            "since": { "type": "integer", "minimum": 0, "description": "Start right after this position." },
            "epoch": {
                "type": "string",
                "pattern": "^[0-9A-Za-z-]{1,64}$",
                "description": "The history that since belongs to, from hello.",
            },
            "after": text("Start right after this message."),
            "ticket": text("In place of a token."),
        },
    })
}

fn operations() -> Value {
    let of = |action: &str, mode: SocketMode, sender: FrameSender| {
        let messages: Vec<Value> = frames_of(mode)
            .filter(|frame| frame.sender == sender)
            .map(|frame| json!({ "$ref": format!("#/channels/{}/messages/{}", mode.as_str(), message_name(mode, frame)) }))
            .collect();
        let summary = match (sender, mode) {
            (FrameSender::Server, SocketMode::Base) => "What the server sends in base mode.",
            (FrameSender::Server, SocketMode::Extended) => "What the server sends in extended mode.",
            (FrameSender::Server, SocketMode::Multiplexed) => "What the server sends on a socket of many sessions.",
            (FrameSender::Client, SocketMode::Multiplexed) => "What the client sends on a socket of many sessions.",
            (FrameSender::Client, _) => "What the client sends in extended mode.",
        };
        json!({
            "action": action,
            "summary": summary,
            "channel": { "$ref": format!("#/channels/{}", mode.as_str()) },
            "messages": messages,
        })
    };
    json!({
        "send_base": of("send", SocketMode::Base, FrameSender::Server),
        "send_extended": of("send", SocketMode::Extended, FrameSender::Server),
        "receive_extended": of("receive", SocketMode::Extended, FrameSender::Client),
        "send_multiplexed": of("send", SocketMode::Multiplexed, FrameSender::Server),
        "receive_multiplexed": of("receive", SocketMode::Multiplexed, FrameSender::Client),
    })
}

fn message(mode: SocketMode, frame: &FrameKind) -> Value {
    let mut properties = json!({
        "type": { "type": "string", "const": frame.name, "description": "The type of the frame." },
        "data": { "$ref": format!("#/components/schemas/{}", frame.data) },
    });
    let mut required = vec!["type"];
    if !frame.may_lack_data() {
        required.push("data");
    }
    if mode == SocketMode::Multiplexed && frame.about != About::Socket {
        if frame.about == About::Session {
            required.push("sessionId");
        }
        add(
            &mut properties,
            "sessionId",
            json!({ "type": "string", "maxLength": 64, "description": "The session that it is about." }),
        );
    }
    if mode != SocketMode::Base && frame.durable {
        required.push("seq");
        add(
            &mut properties,
            "seq",
            json!({
                "type": "integer", "format": "int64", "minimum": 1, "description": "The position in the session."
            }),
        );
    }
    if mode != SocketMode::Base && frame.may_have_key() {
        add(
            &mut properties,
            "idempotencyKey",
            json!({
                "type": "string", "description": "The key that the message was sent with; only for its sender."
            }),
        );
    }
    if frame.sender == FrameSender::Client {
        add(
            &mut properties,
            "ref",
            json!({
                "type": "string", "maxLength": 64, "description": "Comes back in error, if that is the answer."
            }),
        );
    }
    let example = frame.example_of(mode);
    json!({
        "name": frame.name,
        "title": frame.name,
        "summary": frame.meaning,
        // Generators name a type after it. It is a name and no address: references are to the document.
        "payload": {
            "$id": type_name(mode, frame),
            "type": "object",
            "description": format!("A frame of the {}: {}", frame.sender.as_str(), frame.meaning),
            "required": required,
            "properties": properties,
        },
        "examples": [{ "payload": example }],
    })
}

fn add(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

/// The schemas of what stands in the frames. OpenAPI has a keyword `example` of its own; here it is JSON Schema's.
fn schemas() -> Value {
    let mut document = serde_json::to_value(FrameData::openapi()).unwrap_or_default();
    let mut schemas = document.pointer_mut("/components/schemas").map(Value::take).unwrap_or_default();
    rename_examples(&mut schemas);
    schemas
}

fn rename_examples(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(rename_examples),
        Value::Object(fields) => {
            // A schema; a property that is called so would be an object.
            if let Some(example) = fields.get("example").filter(|example| !example.is_object()).cloned() {
                fields.remove("example");
                fields.insert("examples".to_owned(), json!([example]));
            }
            fields.values_mut().for_each(rename_examples);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// With the keys of all objects in order, whatever order the features of `serde_json` in this build keep them in.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            fields.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(fields.into_iter().collect())
        }
        other => other,
    }
}
