//! Who may do what, in one table: every person × every operation × every state of the session, with the exact status.
//!
//! Each cell has a session, a message, a file or an agent of its own, so that no cell changes what another cell finds.
//! The bodies are valid, so that the status tells about rights and state.

use std::collections::BTreeSet;
use std::time::Duration;

use chat_domain::model::Role;
use chat_domain::ports::Clock;
use chat_testkit::fixtures;
use chat_testkit::media::zeros_png;
use futures_util::future::join_all;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::app::{send, token};
use crate::support::{TestApp, TestSocket};

/// The columns. `owner` is alice, `other` mallory; `assigned` is bob, who has the session where one is assigned and is
/// an agent like any other where none is; `colleague` is carol, `off` is dora, an agent whom an admin has deactivated.
const PEOPLE: [&str; 8] = ["anonymous", "expired", "owner", "other", "assigned", "colleague", "off", "admin"];

/// The rows. A state without a session is `-`; of agents, `known` are in the directory.
///
/// `waiting` is active and unassigned, `abandoned` was closed before an agent came. `unsent` is a file that the owner of a
/// waiting session has uploaded and not sent, and `unwritten` a waiting session without the message.
const TABLE: &str = "
                                                   anonymous expired owner other assigned colleague off admin
GET    /api/chat/sessions                 -              401     401   200   200      200       200 403   200
POST   /api/chat/sessions                 -              401     401   201   201      403       403 403   201

GET    /api/chat/inbox                    mine           401     401   200   200      200       200 403   403
GET    /api/chat/inbox                    waiting        401     401   403   403      200       200 403   200
GET    /api/chat/inbox                    assigned       401     401   403   403      403       403 403   200
GET    /api/chat/inbox                    closed         401     401   200   200      200       200 403   200

GET    /api/chat/sessions/{sessionId}     waiting        401     401   200   403      200       200 403   200
GET    /api/chat/sessions/{sessionId}     assigned       401     401   200   403      200       403 403   200
GET    /api/chat/sessions/{sessionId}     closed         401     401   200   403      200       403 403   200
GET    /api/chat/sessions/{sessionId}     abandoned      401     401   200   403      403       403 403   200
GET    /api/chat/sessions/{sessionId}     unknown        401     401   404   404      404       404 403   404
GET    /api/chat/sessions/{sessionId}     malformed      401     401   404   404      404       404 403   404

PATCH  /api/chat/sessions/{sessionId}     waiting        401     401   403   403      403       403 403   200
PATCH  /api/chat/sessions/{sessionId}     assigned       401     401   403   403      200       403 403   200
PATCH  /api/chat/sessions/{sessionId}     closed         401     401   403   403      409       403 403   409
PATCH  /api/chat/sessions/{sessionId}     abandoned      401     401   403   403      403       403 403   409
PATCH  /api/chat/sessions/{sessionId}     unknown        401     401   404   404      404       404 403   404
PATCH  /api/chat/sessions/{sessionId}     malformed      401     401   404   404      404       404 403   404

PUT    /api/chat/sessions/{sessionId}/close waiting      401     401   200   403      403       403 403   200
PUT    /api/chat/sessions/{sessionId}/close assigned     401     401   200   403      200       403 403   200
PUT    /api/chat/sessions/{sessionId}/close closed       401     401   409   403      409       403 403   409
PUT    /api/chat/sessions/{sessionId}/close abandoned    401     401   409   403      403       403 403   409
PUT    /api/chat/sessions/{sessionId}/close unknown      401     401   404   404      404       404 403   404
PUT    /api/chat/sessions/{sessionId}/close malformed    401     401   404   404      404       404 403   404

PUT    /api/chat/sessions/{sessionId}/assign waiting     401     401   403   403      200       200 403   200
PUT    /api/chat/sessions/{sessionId}/assign assigned    401     401   403   403      409       409 403   409
PUT    /api/chat/sessions/{sessionId}/assign closed      401     401   403   403      409       409 403   409
PUT    /api/chat/sessions/{sessionId}/assign abandoned   401     401   403   403      409       409 403   409
PUT    /api/chat/sessions/{sessionId}/assign unknown     401     401   404   404      404       404 403   404
PUT    /api/chat/sessions/{sessionId}/assign malformed   401     401   404   404      404       404 403   404

PUT    /api/chat/sessions/{sessionId}/transfer waiting   401     401   403   403      403       403 403   200
PUT    /api/chat/sessions/{sessionId}/transfer assigned  401     401   403   403      200       403 403   200
PUT    /api/chat/sessions/{sessionId}/transfer closed    401     401   403   403      409       403 403   409
PUT    /api/chat/sessions/{sessionId}/transfer abandoned 401     401   403   403      403       403 403   409
PUT    /api/chat/sessions/{sessionId}/transfer unknown   401     401   404   404      404       404 403   404
PUT    /api/chat/sessions/{sessionId}/transfer malformed 401     401   404   404      404       404 403   404

GET    /api/chat/sessions/{sessionId}/messages waiting   401     401   200   403      200       200 403   200
GET    /api/chat/sessions/{sessionId}/messages assigned  401     401   200   403      200       403 403   200
GET    /api/chat/sessions/{sessionId}/messages closed    401     401   200   403      200       403 403   200
GET    /api/chat/sessions/{sessionId}/messages abandoned 401     401   200   403      403       403 403   200
GET    /api/chat/sessions/{sessionId}/messages unknown   401     401   404   404      404       404 403   404
GET    /api/chat/sessions/{sessionId}/messages malformed 401     401   404   404      404       404 403   404

GET    /api/chat/sessions/{sessionId}/messages/{messageId} waiting   401 401 200 403 200 200 403 200
GET    /api/chat/sessions/{sessionId}/messages/{messageId} assigned  401 401 200 403 200 403 403 200
GET    /api/chat/sessions/{sessionId}/messages/{messageId} closed    401 401 200 403 200 403 403 200
GET    /api/chat/sessions/{sessionId}/messages/{messageId} abandoned 401 401 200 403 403 403 403 200
GET    /api/chat/sessions/{sessionId}/messages/{messageId} unwritten 401 401 404 403 404 404 403 404
GET    /api/chat/sessions/{sessionId}/messages/{messageId} unknown   401 401 404 404 404 404 403 404
GET    /api/chat/sessions/{sessionId}/messages/{messageId} malformed 401 401 404 404 404 404 403 404

POST   /api/chat/sessions/{sessionId}/messages waiting   401     401   201   403      403       403 403   201
POST   /api/chat/sessions/{sessionId}/messages assigned  401     401   201   403      201       403 403   201
POST   /api/chat/sessions/{sessionId}/messages closed    401     401   409   403      409       403 403   409
POST   /api/chat/sessions/{sessionId}/messages abandoned 401     401   409   403      403       403 403   409
POST   /api/chat/sessions/{sessionId}/messages unknown   401     401   404   404      404       404 403   404
POST   /api/chat/sessions/{sessionId}/messages malformed 401     401   404   404      404       404 403   404

PUT    /api/chat/sessions/{sessionId}/read waiting       401     401   204   403      403       403 403   204
PUT    /api/chat/sessions/{sessionId}/read assigned      401     401   204   403      204       403 403   204
PUT    /api/chat/sessions/{sessionId}/read closed        401     401   204   403      204       403 403   204
PUT    /api/chat/sessions/{sessionId}/read abandoned     401     401   204   403      403       403 403   204
PUT    /api/chat/sessions/{sessionId}/read unknown       401     401   404   404      404       404 403   404
PUT    /api/chat/sessions/{sessionId}/read malformed     401     401   404   404      404       404 403   404

POST   /api/chat/sessions/{sessionId}/typing waiting     401     401   204   403      403       403 403   204
POST   /api/chat/sessions/{sessionId}/typing assigned    401     401   204   403      204       403 403   204
POST   /api/chat/sessions/{sessionId}/typing closed      401     401   204   403      204       403 403   204
POST   /api/chat/sessions/{sessionId}/typing abandoned   401     401   204   403      403       403 403   204
POST   /api/chat/sessions/{sessionId}/typing unknown     401     401   404   404      404       404 403   404
POST   /api/chat/sessions/{sessionId}/typing malformed   401     401   404   404      404       404 403   404

POST   /api/chat/sessions/{sessionId}/ws-ticket waiting  401     401   201   403      201       201 403   201
POST   /api/chat/sessions/{sessionId}/ws-ticket assigned 401     401   201   403      201       403 403   201
POST   /api/chat/sessions/{sessionId}/ws-ticket closed   401     401   201   403      201       403 403   201
POST   /api/chat/sessions/{sessionId}/ws-ticket abandoned 401    401   201   403      403       403 403   201
POST   /api/chat/sessions/{sessionId}/ws-ticket unknown  401     401   404   404      404       404 403   404
POST   /api/chat/sessions/{sessionId}/ws-ticket malformed 401    401   404   404      404       404 403   404

POST   /api/chat/sessions/{sessionId}/attachments waiting 401    401   201   403      403       403 403   201
POST   /api/chat/sessions/{sessionId}/attachments assigned 401   401   201   403      201       403 403   201
POST   /api/chat/sessions/{sessionId}/attachments closed 401     401   409   403      409       403 403   409
POST   /api/chat/sessions/{sessionId}/attachments abandoned 401  401   409   403      403       403 403   409
POST   /api/chat/sessions/{sessionId}/attachments unknown 401    401   404   404      404       404 403   404
POST   /api/chat/sessions/{sessionId}/attachments malformed 401  401   404   404      404       404 403   404

GET    /api/chat/attachments/{attachmentId} waiting      401     401   200   403      200       200 403   200
GET    /api/chat/attachments/{attachmentId} assigned     401     401   200   403      200       403 403   200
GET    /api/chat/attachments/{attachmentId} closed       401     401   200   403      200       403 403   200
GET    /api/chat/attachments/{attachmentId} abandoned    401     401   200   403      403       403 403   200
GET    /api/chat/attachments/{attachmentId} unknown      401     401   404   404      404       404 403   404
GET    /api/chat/attachments/{attachmentId} malformed    401     401   404   404      404       404 403   404
GET    /api/chat/attachments/{attachmentId} unsent       401     401   200   404      404       404 403   404

HEAD   /api/chat/attachments/{attachmentId} waiting      401     401   200   403      200       200 403   200
HEAD   /api/chat/attachments/{attachmentId} assigned     401     401   200   403      200       403 403   200
HEAD   /api/chat/attachments/{attachmentId} closed       401     401   200   403      200       403 403   200
HEAD   /api/chat/attachments/{attachmentId} abandoned    401     401   200   403      403       403 403   200
HEAD   /api/chat/attachments/{attachmentId} unknown      401     401   404   404      404       404 403   404
HEAD   /api/chat/attachments/{attachmentId} malformed    401     401   404   404      404       404 403   404
HEAD   /api/chat/attachments/{attachmentId} unsent       401     401   200   404      404       404 403   404

DELETE /api/chat/attachments/{attachmentId} waiting      401     401   409   403      409       409 403   409
DELETE /api/chat/attachments/{attachmentId} assigned     401     401   409   403      409       403 403   409
DELETE /api/chat/attachments/{attachmentId} closed       401     401   409   403      409       403 403   409
DELETE /api/chat/attachments/{attachmentId} abandoned    401     401   409   403      403       403 403   409
DELETE /api/chat/attachments/{attachmentId} unknown      401     401   404   404      404       404 403   404
DELETE /api/chat/attachments/{attachmentId} malformed    401     401   404   404      404       404 403   404
DELETE /api/chat/attachments/{attachmentId} unsent       401     401   204   404      404       404 403   404

GET    /api/chat/attachments/{attachmentId}/thumbnail waiting   401     401   200   403      200       200 403   200
GET    /api/chat/attachments/{attachmentId}/thumbnail assigned  401     401   200   403      200       403 403   200
GET    /api/chat/attachments/{attachmentId}/thumbnail closed    401     401   200   403      200       403 403   200
GET    /api/chat/attachments/{attachmentId}/thumbnail abandoned 401     401   200   403      403       403 403   200
GET    /api/chat/attachments/{attachmentId}/thumbnail unknown   401     401   404   404      404       404 403   404
GET    /api/chat/attachments/{attachmentId}/thumbnail malformed 401     401   404   404      404       404 403   404

HEAD   /api/chat/attachments/{attachmentId}/thumbnail waiting   401     401   200   403      200       200 403   200
HEAD   /api/chat/attachments/{attachmentId}/thumbnail assigned  401     401   200   403      200       403 403   200
HEAD   /api/chat/attachments/{attachmentId}/thumbnail closed    401     401   200   403      200       403 403   200
HEAD   /api/chat/attachments/{attachmentId}/thumbnail abandoned 401     401   200   403      403       403 403   200
HEAD   /api/chat/attachments/{attachmentId}/thumbnail unknown   401     401   404   404      404       404 403   404
HEAD   /api/chat/attachments/{attachmentId}/thumbnail malformed 401     401   404   404      404       404 403   404

GET    /ws/chat/{sessionId}               waiting        401     401   101   403      101       101 403   101
GET    /ws/chat/{sessionId}               assigned       401     401   101   403      101       403 403   101
GET    /ws/chat/{sessionId}               closed         401     401   101   403      101       403 403   101
GET    /ws/chat/{sessionId}               abandoned      401     401   101   403      403       403 403   101
GET    /ws/chat/{sessionId}               unknown        401     401   404   404      404       404 403   404
GET    /ws/chat/{sessionId}               malformed      401     401   404   404      404       404 403   404

GET    /ws/chat                           -              401     401   101   101      101       101 403   101

POST   /api/chat/ws-ticket                -              401     401   201   201      201       201 403   201
POST   /api/chat/download-ticket          -              401     401   201   201      201       201 403   201

GET    /api/chat/stats                    -              401     401   403   403      403       403 403   200
GET    /api/chat/agents                   -              401     401   403   403      200       200 403   200
PUT    /api/chat/agents/me/availability   -              401     401   403   403      200       200 403   403
PUT    /api/chat/agents/{agentId}         known          401     401   403   403      403       403 403   200
PUT    /api/chat/agents/{agentId}         unknown        401     401   403   403      403       403 403   201
PUT    /api/chat/agents/{agentId}         malformed      401     401   403   403      403       403 403   400
DELETE /api/chat/agents/{agentId}         known          401     401   403   403      403       403 403   200
DELETE /api/chat/agents/{agentId}         unknown        401     401   403   403      403       403 403   404
DELETE /api/chat/agents/{agentId}         malformed      401     401   403   403      403       403 403   404

POST   /api/chat/people/{personId}/sign-out any          401     401   403   403      403       403 403   204
POST   /api/chat/people/{personId}/sign-out malformed    401     401   403   403      403       403 403   400
PUT    /api/chat/people/{personId}/block  any            401     401   403   403      403       403 403   204
PUT    /api/chat/people/{personId}/block  malformed      401     401   403   403      403       403 403   400
DELETE /api/chat/people/{personId}/block  any            401     401   403   403      403       403 403   204
DELETE /api/chat/people/{personId}/block  malformed      401     401   403   403      403       403 403   400

GET    /                                  -              200     200   200   200      200       200 200   200
GET    /healthz                           -              200     200   200   200      200       200 200   200
GET    /readyz                            -              200     200   200   200      200       200 200   200
GET    /openapi.json                      -              200     200   200   200      200       200 200   200
GET    /asyncapi.json                     -              200     200   200   200      200       200 200   200
";

/// A line of the table.
struct Row {
    method: &'static str,
    path: &'static str,
    state: &'static str,
    expected: Vec<u16>,
}

fn rows() -> Vec<Row> {
    let mut lines = TABLE.lines().filter(|line| !line.trim().is_empty());
    let head: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(head, PEOPLE);
    lines
        .map(|line| {
            let words: Vec<&'static str> = line.split_whitespace().collect();
            let expected: Vec<u16> = words[3..].iter().map(|status| status.parse().unwrap()).collect();
            assert_eq!(expected.len(), PEOPLE.len(), "{line}");
            Row { method: words[0], path: words[1], state: words[2], expected }
        })
        .collect()
}

/// The states that an operation must have rows for, by the parameter of its path.
fn states_of(path: &str) -> &'static [&'static str] {
    if path.contains("{agentId}") {
        &["known", "unknown", "malformed"]
    } else if path.contains("{personId}") {
        // Any subject of a token: none is unknown.
        &["any", "malformed"]
    } else if path.ends_with("{attachmentId}") {
        &["waiting", "assigned", "closed", "abandoned", "unknown", "malformed", "unsent"]
    } else if path.ends_with("{messageId}") {
        &["waiting", "assigned", "closed", "abandoned", "unwritten", "unknown", "malformed"]
    } else if path.ends_with("/inbox") {
        // Its views.
        &["mine", "waiting", "assigned", "closed"]
    } else if path.contains('{') {
        &["waiting", "assigned", "closed", "abandoned", "unknown", "malformed"]
    } else {
        &["-"]
    }
}

#[test]
fn the_table_has_every_operation_in_every_state_and_nothing_else() {
    let expected: BTreeSet<(String, String)> = chat_http::routes()
        .into_iter()
        .flat_map(|route| {
            let operation = format!("{} {}", route.method, route.path);
            states_of(route.path).iter().map(move |state| (operation.clone(), (*state).to_owned()))
        })
        .collect();
    let rows = rows();
    let given: BTreeSet<(String, String)> =
        rows.iter().map(|row| (format!("{} {}", row.method, row.path), row.state.to_owned())).collect();
    assert_eq!(given.len(), rows.len(), "a row stands twice");
    let missing: Vec<_> = expected.difference(&given).collect();
    assert!(missing.is_empty(), "not in the table: {missing:?}");
    let surplus: Vec<_> = given.difference(&expected).collect();
    assert!(surplus.is_empty(), "no such operation or state: {surplus:?}");
}

/// What a cell's request is about.
struct Subject {
    /// What stands in the path for its parameter.
    id: String,
    /// A message of the session, or an id of none.
    message: String,
}

/// Makes what the cell of `row` and column number `column` needs.
async fn prepare(app: &TestApp, row: &Row, column: usize) -> Subject {
    let about_attachment = row.path.contains("{attachmentId}");
    let nothing = |id: String| Subject { id, message: fixtures::message_id(404).to_string() };
    match row.state {
        "-" => return nothing(String::new()),
        _ if !row.path.contains('{') => return nothing(String::new()),
        "malformed" if row.path.contains("{agentId}") || row.path.contains("{personId}") => {
            return nothing("x".repeat(129));
        }
        "any" => return nothing(format!("person-{}-{column}", row.method)),
        "malformed" => return nothing("not-a-uuid".to_owned()),
        "unknown" if about_attachment => return nothing(fixtures::attachment_id(404).to_string()),
        "unknown" if row.path.contains("{agentId}") => return nothing(format!("new-{}-{column}", row.method)),
        "unknown" => return nothing(fixtures::session_id(404).to_string()),
        "known" => {
            let id = format!("known-{}-{column}", row.method);
            app.put("root", &format!("/api/chat/agents/{id}"), json!({})).await.expect(201);
            return nothing(id);
        }
        _ => {}
    }
    let session = match row.state {
        "assigned" | "closed" => app.open_assigned("alice", "bob").await,
        _ => app.open_session("alice").await,
    };
    if row.state == "unsent" {
        let path = format!("/api/chat/sessions/{session}/attachments");
        let file = send(app.request("alice", Method::POST, &path).body("receipt")).await.expect(201);
        return nothing(file["id"].as_str().unwrap().to_owned());
    }
    if row.state == "unwritten" {
        return nothing(session);
    }
    let message =
        if about_attachment { send_file(app, &session).await } else { app.say("alice", &session, "hi").await };
    if matches!(row.state, "closed" | "abandoned") {
        app.put("alice", &format!("/api/chat/sessions/{session}/close"), json!(null)).await.expect(200);
    }
    let id = if about_attachment { message["attachments"][0]["id"].as_str().unwrap().to_owned() } else { session };
    Subject { id, message: message["id"].as_str().unwrap().to_owned() }
}

async fn send_file(app: &TestApp, session: &str) -> Value {
    // A picture, so that there is a thumbnail too.
    let picture = Part::bytes(zeros_png(4, 4, 2, 0)).file_name("receipt.png").mime_str("image/png").unwrap();
    let form = Form::new().part("attachments[0]", picture);
    let request = app.request("alice", Method::POST, &format!("/api/chat/sessions/{session}/messages"));
    send(request.multipart(form)).await.expect(201)
}

/// The token of a column; `anonymous` has none.
fn token_of(app: &TestApp, person: &str) -> Option<String> {
    let now = app.clock.now();
    match person {
        "anonymous" => None,
        "expired" => Some(token("alice", Role::User, now.minus(Duration::from_hours(2)), now)),
        "off" => Some(app.token("dora", Role::Agent)),
        _ => Some(app.token_of(name_of(person))),
    }
}

/// Who stands behind a column.
fn name_of(person: &str) -> &'static str {
    match person {
        "anonymous" | "expired" | "owner" => "alice",
        "other" => "mallory",
        "assigned" => "bob",
        "colleague" => "carol",
        "off" => "dora",
        "admin" => "root",
        unknown => panic!("no such column: {unknown}"),
    }
}

/// A body that breaks no rule.
fn body_for(row: &Row, person: &str, subject: &Subject) -> Option<Value> {
    let operation = row.path.rsplit('/').next().unwrap();
    match (row.method, operation) {
        ("GET" | "HEAD" | "DELETE", _) | ("PUT", "close") | ("POST", "ws-ticket" | "sign-out" | "download-ticket") => {
            None
        }
        ("POST", "sessions") | ("PUT", "{agentId}" | "block") => Some(json!({})),
        ("PUT", "availability") => Some(json!({ "status": "away" })),
        ("PATCH", "{sessionId}") => Some(json!({ "subject": "Refund" })),
        // An agent claims for themself, everyone else asks for an agent of the directory.
        ("PUT", "assign") => {
            let agent = if matches!(person, "assigned" | "colleague" | "off") { name_of(person) } else { "carol" };
            Some(json!({ "agentId": agent }))
        }
        ("PUT", "transfer") => Some(json!({ "agentId": "carol" })),
        ("POST", "messages") => Some(json!({ "content": "hello" })),
        // A file of JSON.
        ("POST", "attachments") => Some(json!(["a", "file"])),
        ("PUT", "read") => Some(json!({ "messageIds": [subject.message] })),
        ("POST", "typing") => Some(json!({ "isTyping": true })),
        unknown => panic!("no body for {unknown:?}: add it together with the table's rows"),
    }
}

async fn status_of_cell(app: &TestApp, row: &Row, column: usize) -> u16 {
    let person = PEOPLE[column];
    let subject = prepare(app, row, column).await;
    let token = token_of(app, person);
    if row.path.starts_with("/ws/") {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<(&'static str, &str)> =
            bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        let opened = if row.path == "/ws/chat" {
            let headers = [headers.as_slice(), &[("sec-websocket-protocol", "chat.v1")]].concat();
            TestSocket::try_open_multiplexed(&app.base, "", &headers).await
        } else {
            TestSocket::try_open(&app.base, &subject.id, "", &headers).await
        };
        return match opened {
            Ok(_open) => 101,
            Err(status) => status,
        };
    }
    let path = row.path.replace("{sessionId}", &subject.id);
    let path = path.replace("{attachmentId}", &subject.id).replace("{agentId}", &subject.id);
    let path = path.replace("{personId}", &subject.id).replace("{messageId}", &subject.message);
    let path = if path.ends_with("/inbox") { format!("{path}?view={}", row.state) } else { path };
    let mut request: RequestBuilder = app.anonymous(row.method.parse().unwrap(), &path);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body_for(row, person, &subject) {
        request = request.json(&body);
    }
    send(request).await.status.as_u16()
}

on_every_store! {
    async fn everyone_gets_the_status_that_the_table_says(app) {
        for agent in ["bob", "carol"] {
            app.put("root", &format!("/api/chat/agents/{agent}"), json!({})).await.expect(201);
        }
        app.put("root", "/api/chat/agents/dora", json!({ "active": false })).await.expect(201);
        let mut wrong = Vec::new();
        for row in rows() {
            let given = join_all((0..PEOPLE.len()).map(|column| status_of_cell(app, &row, column))).await;
            for ((person, expected), given) in PEOPLE.iter().zip(&row.expected).zip(given) {
                if *expected != given {
                    wrong.push(format!("{} {} {person}: {} {given}", row.method, row.path, row.state));
                }
            }
        }
        assert!(wrong.is_empty(), "cells that differ from the table, with what was answered:\n{}", wrong.join("\n"));
    }
}
