//! Every error code with its status: the one place that decides both. `docs/reference/errors.md` is rendered from it.

use std::fmt::Write;

use actix_web::http::StatusCode;

macro_rules! error_codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal, $status:ident;)+) => {
        /// What went wrong, as a program sees it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl ErrorCode {
            /// Every code, in the order of the reference.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code in the error body.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The status it is answered with.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// What it means, for the reference.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii_start(),)+ }
            }
        }
    };
}

error_codes! {
    /// The request breaks a rule; `details` names the fields and the rules.
    ValidationFailed = "VALIDATION_FAILED", BAD_REQUEST;
    /// The files that the caller has uploaded and not sent are as many, or as large together, as one person may have. Send
    /// some, remove some, or let them expire.
    UploadQuota = "UPLOAD_QUOTA", BAD_REQUEST;
    /// There is no valid bearer token, or ticket for a socket, or an admin has signed the caller out since it was
    /// issued. Get a new one, then repeat the request.
    Unauthenticated = "UNAUTHENTICATED", UNAUTHORIZED;
    /// The caller is known but may not do this.
    Forbidden = "FORBIDDEN", FORBIDDEN;
    /// The caller is an agent whom an admin has deactivated.
    AgentDeactivated = "AGENT_DEACTIVATED", FORBIDDEN;
    /// An admin has blocked the caller.
    Blocked = "BLOCKED", FORBIDDEN;
    /// The page that opens the socket comes from an origin that is not on the list.
    OriginNotAllowed = "ORIGIN_NOT_ALLOWED", FORBIDDEN;
    /// The server is in development mode, which serves its own machine alone, and the request came through a proxy.
    DevelopmentMode = "DEVELOPMENT_MODE", FORBIDDEN;
    /// There is no session of this id.
    SessionNotFound = "SESSION_NOT_FOUND", NOT_FOUND;
    /// The session has no message of this id.
    MessageNotFound = "MESSAGE_NOT_FOUND", NOT_FOUND;
    /// There is no active agent of this id in the directory.
    AgentNotFound = "AGENT_NOT_FOUND", NOT_FOUND;
    /// There is no attachment of this id.
    AttachmentNotFound = "ATTACHMENT_NOT_FOUND", NOT_FOUND;
    /// There is no thumbnail of this attachment, and will be none: it is no picture, or one that is damaged or too large
    /// to be decoded. Show its name, or download it.
    NoThumbnail = "NO_THUMBNAIL", NOT_FOUND;
    /// There is nothing at this address.
    RouteNotFound = "ROUTE_NOT_FOUND", NOT_FOUND;
    /// The address exists, but not for this method; `Allow` lists those it takes.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", METHOD_NOT_ALLOWED;
    /// The session has ended; it can be read but not changed.
    SessionClosed = "SESSION_CLOSED", CONFLICT;
    /// The session already has an agent.
    AlreadyAssigned = "ALREADY_ASSIGNED", CONFLICT;
    /// The caller claims a session that they hold already. A client whose earlier claim had no answer knows by this that
    /// it was successful.
    AlreadyYours = "ALREADY_YOURS", CONFLICT;
    /// The idempotency key was used before, for a different request.
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED", CONFLICT;
    /// In a frame of a socket with many subscriptions: it is subscribed to the session already. Nothing has changed.
    AlreadySubscribed = "ALREADY_SUBSCRIBED", CONFLICT;
    /// In a frame of a socket with many subscriptions: it is not subscribed to the session, or not any more, or the
    /// subscription has not begun yet.
    NotSubscribed = "NOT_SUBSCRIBED", CONFLICT;
    /// The file has been sent in a message, which keeps it: it cannot be taken back.
    AlreadySent = "ALREADY_SENT", CONFLICT;
    /// The session is not as `If-Match` says. Read it again, and repeat the request with its `ETag` if it still makes sense.
    PreconditionFailed = "PRECONDITION_FAILED", PRECONDITION_FAILED;
    /// The missed events cannot be replayed. Read the messages, then connect without `since` and `after`.
    ReplayUnavailable = "REPLAY_UNAVAILABLE", GONE;
    /// The address is a WebSocket; connect with a WebSocket client. A proxy may have dropped the headers `Upgrade` and
    /// `Connection` of one.
    UpgradeRequired = "UPGRADE_REQUIRED", UPGRADE_REQUIRED;
    /// The caller has as many sockets open on this node as one person may have. Close one, or wait `Retry-After`
    /// seconds.
    TooManySockets = "TOO_MANY_SOCKETS", TOO_MANY_REQUESTS;
    /// In a frame of a socket with many subscriptions: it has as many as one may have. End one, or open another socket.
    TooManySubscriptions = "TOO_MANY_SUBSCRIPTIONS", TOO_MANY_REQUESTS;
    /// The customer has as many sessions open as one may have. Close one: until then, repeating the request does not
    /// help.
    TooManyOpenSessions = "TOO_MANY_OPEN_SESSIONS", TOO_MANY_REQUESTS;
    /// The caller has as many uploads running as one person may have. Let one end, or wait `Retry-After` seconds.
    TooManyUploads = "TOO_MANY_UPLOADS", TOO_MANY_REQUESTS;
    /// The caller has as many requests whose bodies have not come whole as one person may have. Let one end, or wait
    /// `Retry-After` seconds.
    TooManyRequests = "TOO_MANY_REQUESTS", TOO_MANY_REQUESTS;
    /// The caller has done this more often than one person may on this node, or the address has opened more sockets than
    /// one may. Repeat it after `Retry-After` seconds; in a frame of a socket, the message names them.
    RateLimited = "RATE_LIMITED", TOO_MANY_REQUESTS;
    /// Something failed on our side. The log has the cause under the request id.
    Internal = "INTERNAL", INTERNAL_SERVER_ERROR;
    /// A part of the system is busy or out of reach. Repeat the request after `Retry-After` seconds, with the same
    /// idempotency key if it writes.
    Unavailable = "UNAVAILABLE", SERVICE_UNAVAILABLE;
    /// There is no room for files until an operator makes some; text can be sent. Not before `Retry-After` seconds.
    StorageFull = "STORAGE_FULL", SERVICE_UNAVAILABLE;
}

/// The reference document of the error codes, in Markdown.
pub fn errors_reference() -> String {
    let mut page = String::from(
        "# Error codes\n\n\
         <!-- Rendered from crates/chat-http/src/error/table.rs by `cargo xtask docs`. Do not edit. -->\n\n\
         Every answer other than 2xx, 304 and 416 has this body:\n\n\
         ```json\n\
         {\n  \"success\": false,\n  \"message\": \"the session is closed\",\n  \"error\": {\n    \
         \"code\": \"SESSION_CLOSED\",\n    \"message\": \"the session is closed\",\n    \
         \"details\": [],\n    \"requestId\": \"0b7f9c3e-6f0e-4d0c-9d3e-2f6f0c1d7a55\"\n  }\n}\n\
         ```\n\n\
         `details` lists `{\"field\", \"message\"}` for a request that breaks rules. `requestId` is also the header\n\
         `X-Request-Id` and a field of the server's log, which has a line for every 5xx, and for every other failure too\n\
         at `CHAT_LOG=debug`. The code and the message also stand in an `error` frame of the socket. What the HTTP parser itself refuses (a malformed request line\n\
         or header) is answered with a bare 400 or 431.\n\n\
         | code | status | meaning |\n|---|---|---|\n",
    );
    for code in ErrorCode::ALL {
        let status = code.status();
        // Writing to a String cannot fail.
        let _infallible = writeln!(page, "| `{}` | {} | {} |", code.as_str(), status.as_u16(), code.meaning());
    }
    page
}
