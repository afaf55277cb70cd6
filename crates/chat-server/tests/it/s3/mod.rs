//! Attachments on S3: the real binary with an S3 server in the process of the test.

mod collecting;
mod migrating;
mod outage;
mod sharing;

use std::process::Command;

use reqwest::multipart::{Form, Part};
use reqwest::{Method, Response};
use serde_json::Value;
use test_servers::s3::S3Server;

use crate::support::Person;

/// Where the attachments lie.
fn url(server: &S3Server) -> String {
    format!("s3://{}/desk", server.bucket())
}

/// Lets a command keep attachments on the server.
fn on(server: &S3Server) -> impl FnOnce(&mut Command) + use<> {
    let (url, variables) = (url(server), server.variables());
    move |command| {
        command.env("CHAT_ATTACHMENTS_URL", url).envs(variables);
    }
}

/// Tries to send a file.
async fn try_file(person: &Person, session: &str, name: &str, bytes: impl Into<Vec<u8>>) -> Response {
    let part = Part::bytes(bytes.into()).file_name(name.to_owned());
    let form = Form::new().part("attachments[0]", part);
    let request = person.request(Method::POST, &format!("/api/chat/sessions/{session}/messages"));
    request.multipart(form).send().await.unwrap()
}

/// Sends a file and returns the path under which it is downloaded.
async fn send_file(person: &Person, session: &str, name: &str, bytes: impl Into<Vec<u8>>) -> String {
    let message: Value = Person::json(try_file(person, session, name, bytes).await, 201).await;
    format!("/api/chat/attachments/{}", message["attachments"][0]["id"].as_str().unwrap())
}
