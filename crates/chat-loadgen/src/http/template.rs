//! Requests as bytes with blanks, so that sending one is a copy.

use super::Target;

/// What differs from one request of a template to the next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Blanks<'a> {
    /// For `{session}`.
    pub session: &'a str,
    /// For `{before}`: the id of a message.
    pub before: &'a str,
    /// For `{page}`.
    pub page: u64,
    /// The idempotency key's last part, and part of the message.
    pub serial: u64,
    /// When the request is sent, in microseconds of the machine's monotonic clock.
    pub stamp_us: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Fixed(Vec<u8>),
    Session,
    Before,
    Page,
    /// 16 digits.
    Serial,
    /// 16 digits.
    Stamp,
}

/// A whole request, head and body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

/// How many digits a number in a request has, whatever its value, so that its length is fixed.
const DIGITS: usize = 16;
/// What a message begins with that tells when it was sent: `@`, the digits, `@`.
const STAMP_CHARS: usize = DIGITS + 2;

impl Template {
    /// `GET` of a path that may contain `{session}`, `{before}` and `{page}`.
    ///
    /// # Errors
    /// Text that names an unknown blank or a character that a path cannot have.
    pub fn get(target: &Target, path: &str, token: &str) -> Result<Self, String> {
        Self::without_body("GET", target, path, token)
    }

    /// `POST` of a path, as for `get`, with an empty body.
    ///
    /// # Errors
    /// As `get`.
    pub fn post(target: &Target, path: &str, token: &str) -> Result<Self, String> {
        Self::without_body("POST", target, path, token)
    }

    fn without_body(method: &str, target: &Target, path: &str, token: &str) -> Result<Self, String> {
        if !path.starts_with('/') {
            return Err("must begin with a slash, such as /api/chat/sessions?page={page}".to_owned());
        }
        if let Some(wrong) = path.chars().find(|c| !c.is_ascii_graphic()) {
            return Err(format!("has {wrong:?}, which a path cannot contain; write it as %XX"));
        }
        let mut template = Self { parts: Vec::new() };
        template.fixed(&format!("{method} {}", target.prefix));
        let mut rest = path;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or("has a brace that is not closed")?;
            template.fixed(before);
            template.parts.push(match name {
                "session" => Part::Session,
                "before" => Part::Before,
                "page" => Part::Page,
                _ => return Err(format!("has {{{name}}}; known are {{session}}, {{before}} and {{page}}")),
            });
            rest = after;
        }
        let length = if method == "GET" { "" } else { "Content-Length: 0\r\n" };
        template.fixed(&format!("{rest} HTTP/1.1\r\n{}{length}\r\n", headers(target, token)));
        Ok(template)
    }

    /// `POST` of a message with `length` characters, with an idempotency key that begins with `key` when there is one.
    /// From 18 characters on, the message begins with the time at which it is sent: `@` 16 digits `@`.
    pub fn message(target: &Target, token: &str, length: usize, key: Option<&str>) -> Self {
        let mut template = Self { parts: Vec::new() };
        template.fixed(&format!("POST {}/api/chat/sessions/", target.prefix));
        template.parts.push(Part::Session);
        let body_bytes = r#"{"content":""}"#.len() + length;
        template.fixed(&format!(
            "/messages HTTP/1.1\r\n{}Content-Type: application/json\r\nContent-Length: {body_bytes}\r\n",
            headers(target, token)
        ));
        if let Some(key) = key {
            template.fixed(&format!("Idempotency-Key: {key}"));
            template.parts.push(Part::Serial);
            template.fixed("\r\n");
        }
        template.fixed("\r\n{\"content\":\"");
        let mut filler = length;
        if length >= STAMP_CHARS {
            template.fixed("@");
            template.parts.push(Part::Stamp);
            template.fixed("@");
            filler -= STAMP_CHARS;
        }
        template.fixed(&"x".repeat(filler));
        template.fixed("\"}");
        template
    }

    /// `POST` of a text of `bytes` that looks like the frame of a message, for a service that brings it to sockets as it is.
    /// It has the time at which it is sent where a message would have it.
    pub fn text(target: &Target, path: &str, bytes: usize) -> Self {
        const START: &str = r#"{"type":"message","data":{"content":"@"#;
        const END: &str = r#""}}"#;
        let filler = bytes.saturating_sub(START.len() + DIGITS + 1 + END.len());
        let length = START.len() + DIGITS + 1 + filler + END.len();
        let mut template = Self { parts: Vec::new() };
        template.fixed(&format!(
            "POST {}{path} HTTP/1.1\r\n{}Content-Length: {length}\r\n\r\n{START}",
            target.prefix,
            headers(target, "")
        ));
        template.parts.push(Part::Stamp);
        template.fixed(&format!("@{}{END}", "x".repeat(filler)));
        template
    }

    /// Any request with a JSON body or none, for what is not measured.
    pub fn once(target: &Target, method: &str, path: &str, token: &str, extra_headers: &str, body: &str) -> Vec<u8> {
        let content = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        format!(
            "{method} {}{path} HTTP/1.1\r\n{}{extra_headers}{content}Content-Length: {}\r\n\r\n{body}",
            target.prefix,
            headers(target, token),
            body.len()
        )
        .into_bytes()
    }

    /// Whether requests differ by session.
    pub fn names_session(&self) -> bool {
        self.parts.contains(&Part::Session)
    }

    /// Whether requests name a message.
    pub fn names_before(&self) -> bool {
        self.parts.contains(&Part::Before)
    }

    /// Writes the request into `out`, which is emptied first.
    pub fn render(&self, blanks: &Blanks<'_>, out: &mut Vec<u8>) {
        out.clear();
        for part in &self.parts {
            match part {
                Part::Fixed(bytes) => out.extend_from_slice(bytes),
                Part::Session => out.extend_from_slice(blanks.session.as_bytes()),
                Part::Before => out.extend_from_slice(blanks.before.as_bytes()),
                Part::Page => out.extend_from_slice(blanks.page.to_string().as_bytes()),
                Part::Serial => out.extend_from_slice(&digits(blanks.serial)),
                Part::Stamp => out.extend_from_slice(&digits(blanks.stamp_us)),
            }
        }
    }

    fn fixed(&mut self, text: &str) {
        match self.parts.last_mut() {
            Some(Part::Fixed(bytes)) => bytes.extend_from_slice(text.as_bytes()),
            _ => self.parts.push(Part::Fixed(text.as_bytes().to_vec())),
        }
    }
}

fn headers(target: &Target, token: &str) -> String {
    let authorization = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    format!("Host: {}\r\n{authorization}", target.authority)
}

fn digits(mut number: u64) -> [u8; DIGITS] {
    let mut text = [b'0'; DIGITS];
    for digit in text.iter_mut().rev() {
        // The remainder is below ten.
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
    text
}

/// The text of a stamp.
pub(crate) fn stamp(sent_us: u64) -> String {
    format!("@{sent_us:0DIGITS$}@")
}

/// When a message of [`Template::message`] was sent, in microseconds of its machine's monotonic clock.
pub(crate) fn stamp_of(content: &str) -> Option<u64> {
    content.strip_prefix('@')?.split_at_checked(DIGITS).filter(|(_, rest)| rest.starts_with('@'))?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target::parse("http://127.0.0.1:8080").unwrap()
    }

    fn rendered(template: &Template, blanks: &Blanks<'_>) -> String {
        let mut out = Vec::new();
        template.render(blanks, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_message_has_the_length_that_it_announces_and_the_characters_that_were_asked_for() {
        for length in [1, 17, 18, 19, 100, 10_000] {
            let template = Template::message(&target(), "T", length, Some("k-"));
            let request = rendered(&template, &Blanks { session: "s1", serial: 7, stamp_us: 42, ..Blanks::default() });
            let (head, body) = request.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
            assert!(head.contains("Idempotency-Key: k-0000000000000007"), "{head}");
            let value: serde_json::Value = serde_json::from_str(body).unwrap();
            let content = value["content"].as_str().unwrap();
            assert_eq!(content.chars().count(), length);
            assert_eq!(stamp_of(content), (length >= 18).then_some(42));
        }
    }

    #[test]
    fn a_text_has_the_length_that_was_asked_for() {
        for bytes in [100, 300] {
            let request = rendered(&Template::text(&target(), "/publish", bytes), &Blanks::default());
            let (head, body) = request.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("Content-Length: {bytes}")) && body.len() == bytes, "{request}");
            serde_json::from_str::<serde_json::Value>(body).unwrap();
        }
    }

    #[test]
    fn the_blanks_of_a_path_are_filled() {
        let template = Template::get(&target(), "/x/{session}?before={before}&page={page}", "T").unwrap();
        let blanks = Blanks { session: "s1", before: "m1", page: 3, ..Blanks::default() };
        assert!(
            rendered(&template, &blanks).starts_with("GET /x/s1?before=m1&page=3 HTTP/1.1\r\nHost: 127.0.0.1:8080")
        );
    }

    #[test]
    fn a_request_without_a_body_says_so() {
        let template = Template::post(&target(), "/x/{session}/ws-ticket", "T").unwrap();
        let request = rendered(&template, &Blanks { session: "s1", ..Blanks::default() });
        assert!(request.starts_with("POST /x/s1/ws-ticket HTTP/1.1\r\n"), "{request}");
        assert!(request.ends_with("Content-Length: 0\r\n\r\n"), "{request}");
    }

    #[test]
    fn a_path_with_an_unknown_blank_or_a_space_is_refused() {
        for path in ["", "x", "/{sesion}", "/{session", "/a b", "/ä"] {
            assert!(Template::get(&target(), path, "T").is_err(), "{path:?} was taken");
        }
    }
}
