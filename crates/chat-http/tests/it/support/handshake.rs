//! The opening handshake of a WebSocket as a plain request, for what its answer says.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, RequestBuilder};

use super::app::send;
use super::{Answer, TestApp};

/// A request for a socket without anything that says who asks. A socket that it opens is closed with its response.
pub(crate) fn handshake(app: &TestApp, session: &str, query: &str) -> RequestBuilder {
    app.anonymous(Method::GET, &format!("/ws/chat/{session}{query}"))
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

/// The response to a person who asks for a socket and gets none.
pub(crate) async fn refusal_for(app: &TestApp, who: &str, session: &str, query: &str) -> Answer {
    send(handshake(app, session, query).bearer_auth(app.token_of(who))).await
}

/// The status of the answer, and the subprotocol that it names.
pub(crate) async fn outcome(request: RequestBuilder) -> (u16, Option<String>) {
    let response = request.send().await.expect("an answer");
    let subprotocol = response.headers().get("sec-websocket-protocol");
    (response.status().as_u16(), subprotocol.map(|name| name.to_str().expect("ASCII").to_owned()))
}

/// The status of the answer.
pub(crate) async fn status(request: RequestBuilder) -> u16 {
    outcome(request).await.0
}

/// The entry among the subprotocols that holds a token.
pub(crate) fn token_entry(token: &str) -> String {
    format!("base64url.bearer.chat.{}", URL_SAFE_NO_PAD.encode(token))
}
