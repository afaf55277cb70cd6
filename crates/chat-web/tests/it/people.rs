//! `/console/development-people`: tokens for pages of this server, opened at a name of this machine, and for no other page.

use actix_web::test::TestRequest;

use crate::support::{Received, development, get, send, settings};

const PATH: &str = "/console/development-people";
const HOST: (&str, &str) = ("host", "localhost:8080");

async fn ask(headers: &[(&str, &str)]) -> Received {
    get(&development(), PATH, headers).await
}

async fn is_refused(headers: &[(&str, &str)]) {
    let refused = ask(headers).await;
    assert_eq!((refused.status.as_u16(), refused.body.len()), (404, 0), "{headers:?}");
}

#[actix_web::test]
async fn a_page_of_this_server_at_a_name_of_this_machine_gets_tokens() {
    for headers in [
        &[HOST, ("sec-fetch-site", "same-origin")][..],
        &[("host", "127.0.0.1:8080"), ("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:8080")],
        &[("host", "[::1]:8080")],
        &[("host", "localhost")],
    ] {
        let people = ask(headers).await;
        assert_eq!(people.status, 200, "{headers:?}");
        let expected = r#"{"people":[{"id":"alice","role":"user","token":"token of alice"},{"id":"bob","role":"agent","token":"token of bob"}]}"#;
        assert_eq!(people.body, expected);
        for (name, value) in [
            ("content-type", "application/json"),
            ("cache-control", "no-store"),
            ("cross-origin-resource-policy", "same-origin"),
            ("access-control-allow-origin", ""),
        ] {
            assert_eq!(people.header(name), value, "{name}");
        }
    }
}

#[actix_web::test]
async fn a_name_that_was_made_to_point_here_gets_no_token() {
    for headers in [
        &[("host", "evil.example")][..],
        &[("host", "evil.example:8080"), ("sec-fetch-site", "same-origin"), ("origin", "http://evil.example:8080")],
        &[("host", "localhost.evil.example:8080"), ("sec-fetch-site", "same-origin")],
        &[("host", "192.168.0.2:8080"), ("sec-fetch-site", "same-origin")],
        &[HOST, ("host", "evil.example")],
        &[],
    ] {
        is_refused(headers).await;
    }
    // The address of a request counts more than the header.
    let request = TestRequest::with_uri(&format!("http://evil.example{PATH}")).append_header(HOST);
    assert_eq!(send(&development(), request).await.status, 404);
}

#[actix_web::test]
async fn a_page_of_another_origin_gets_no_token() {
    for headers in [
        &[HOST, ("sec-fetch-site", "cross-site")][..],
        &[HOST, ("sec-fetch-site", "same-site")],
        &[HOST, ("sec-fetch-site", "anything")],
        &[HOST, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
        &[HOST, ("origin", "https://shop.example")],
        &[HOST, ("origin", "null")],
        &[HOST, ("origin", "http://localhost:3000"), ("sec-fetch-site", "same-site")],
        &[HOST, ("origin", "http://127.0.0.1:8080")],
        &[HOST, ("origin", "https://localhost:8080")],
        &[HOST, ("origin", "http://localhost:8080"), ("origin", "https://shop.example")],
        &[HOST, ("origin", "https://shop.example"), ("sec-fetch-site", "same-origin")],
    ] {
        is_refused(headers).await;
    }
}

#[actix_web::test]
async fn outside_development_mode_there_is_no_such_address() {
    assert_eq!(get(&settings(), PATH, &[HOST]).await.status, 404);
}
