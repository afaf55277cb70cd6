//! `/client.js` and `/widget.js`.

use chat_web::WebSettings;

use crate::support::{get, settings};

#[actix_web::test]
async fn every_page_may_load_the_scripts_and_asks_whether_they_have_changed() {
    for path in ["/client.js", "/widget.js", "/widget.js?v=2"] {
        let script = get(&settings(), path, &[]).await;
        assert_eq!(script.status, 200);
        for (name, value) in [
            ("content-type", "text/javascript; charset=utf-8"),
            ("cache-control", "no-cache"),
            ("access-control-allow-origin", "*"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("vary", "Accept-Encoding"),
            ("x-content-type-options", "nosniff"),
            ("content-encoding", ""),
        ] {
            assert_eq!(script.header(name), value, "{path}: {name}");
        }
        assert_eq!(script.body, "plain");
    }
}

#[actix_web::test]
async fn a_variant_has_a_tag_of_its_own_and_is_not_sent_again() {
    let mut tags = Vec::new();
    for (accepted, coding, body) in [("identity", "", "plain"), ("gzip, br", "br", "br"), ("gzip", "gzip", "gzip")] {
        let first = get(&settings(), "/widget.js", &[("accept-encoding", accepted)]).await;
        assert_eq!((first.header("content-encoding"), &first.body[..]), (coding, body.as_bytes()), "{accepted}");
        assert_eq!(first.header("vary"), "Accept-Encoding");
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with('"') && !tags.contains(&tag), "{tag}");
        for known in [tag.as_str(), &format!("W/{tag}"), &format!("\"other\", {tag}"), "*"] {
            let headers = [("accept-encoding", accepted), ("if-none-match", known)];
            let again = get(&settings(), "/widget.js", &headers).await;
            assert_eq!((again.status.as_u16(), again.body.len()), (304, 0), "{known}");
            for name in ["etag", "vary", "cache-control", "access-control-allow-origin"] {
                assert_eq!(again.header(name), first.header(name), "{name}");
            }
            assert_eq!(again.header("content-encoding"), "");
        }
        for other in ["\"other\"", tag.trim_matches('"')] {
            let headers = [("accept-encoding", accepted), ("if-none-match", other)];
            assert_eq!(get(&settings(), "/widget.js", &headers).await.status, 200, "{other}");
        }
        tags.push(tag);
    }
    // What one variant is called says nothing about another.
    let headers = [("accept-encoding", "br"), ("if-none-match", tags[2].as_str())];
    assert_eq!(get(&settings(), "/widget.js", &headers).await.status, 200);
}

#[actix_web::test]
async fn without_the_widget_there_is_nothing_of_it() {
    let off = WebSettings { widget: false, ..settings() };
    for path in ["/widget.js", "/assets/0123456789abcdef/widget/panel.js"] {
        assert_eq!(get(&off, path, &[]).await.status, 404, "{path}");
        assert_eq!(get(&settings(), path, &[]).await.status, 200, "{path}");
    }
    // Pages of other makers are built on it.
    assert_eq!(get(&off, "/client.js", &[]).await.status, 200);
}
