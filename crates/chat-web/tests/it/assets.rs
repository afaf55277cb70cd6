//! `/assets/{hash}/{part}/{file}`.

use chat_web::WebSettings;

use crate::support::{HASH, development, get, settings};

#[actix_web::test]
async fn assets_of_this_version_are_kept_for_a_year() {
    let asset = get(&settings(), &format!("/assets/{HASH}/widget/panel.js"), &[("accept-encoding", "br")]).await;
    assert_eq!((asset.status.as_u16(), &asset.body[..]), (200, b"br".as_slice()));
    assert_eq!(asset.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(asset.header("content-type"), "text/javascript; charset=utf-8");
}

#[actix_web::test]
async fn assets_of_other_versions_and_unknown_ones_are_not_there() {
    for path in [
        "/assets/fedcba9876543210/console/main.js",
        "/assets/fedcba9876543210/demo/main.css",
        "/assets/fedcba9876543210/widget/nothing.js",
        "/assets/0123456789ABCDEF/widget/panel.js",
        "/assets/0123456789abcdef0/widget/panel.js",
        "/assets//widget/panel.js",
        "/assets/0123456789abcdef/widget/nothing.js",
        "/assets/0123456789abcdef/panel.js",
        "/assets/0123456789abcdef/widget/../widget/panel.js",
        "/assets/0123456789abcdef/widget/..%2fwidget%2fpanel.js",
        // An entry has its own address only.
        "/assets/0123456789abcdef/widget/widget.js",
        "/assets/0123456789abcdef/console/index.html",
    ] {
        let missing = get(&development(), path, &[]).await;
        assert_eq!((missing.status.as_u16(), missing.body.len()), (404, 0), "{path}");
        assert_eq!(missing.header("cache-control"), "", "{path} may be there in another version");
    }
}

#[actix_web::test]
async fn the_widget_of_another_version_gets_the_files_that_are_here() {
    let asset = get(&settings(), "/assets/fedcba9876543210/widget/panel.js??", &[("accept-encoding", "br")]).await;
    assert_eq!((asset.status.as_u16(), &asset.body[..]), (200, b"br".as_slice()));
    // The next server that is asked may have the right one.
    assert_eq!(asset.header("cache-control"), "no-cache");
    assert_eq!(asset.header("access-control-allow-origin"), "*");
    assert_eq!(asset.header("cross-origin-resource-policy"), "cross-origin");
    let off = WebSettings { widget: false, ..settings() };
    assert_eq!(get(&off, "/assets/fedcba9876543210/widget/panel.js", &[]).await.status, 404);
}

#[actix_web::test]
async fn only_the_widgets_assets_are_for_pages_of_other_sites() {
    for (path, policy, allowed) in [
        ("widget/panel.js", "cross-origin", "*"),
        ("console/main.js", "same-origin", ""),
        ("demo/main.css", "same-origin", ""),
    ] {
        let asset = get(&development(), &format!("/assets/{HASH}/{path}"), &[]).await;
        assert_eq!(asset.status, 200, "{path}");
        assert_eq!(asset.header("cross-origin-resource-policy"), policy, "{path}");
        assert_eq!(asset.header("access-control-allow-origin"), allowed, "{path}");
    }
}

#[actix_web::test]
async fn a_file_without_variants_is_sent_as_it_is() {
    let path = format!("/assets/{HASH}/console/picture.png");
    let asset = get(&settings(), &path, &[("accept-encoding", "br")]).await;
    assert_eq!((asset.header("content-encoding"), asset.header("vary")), ("", ""));
    assert_eq!((asset.header("content-type"), &asset.body[..]), ("image/png", b"plain".as_slice()));
}

#[actix_web::test]
async fn assets_of_a_page_that_is_not_served_are_not_there() {
    let off = WebSettings { console: false, ..development() };
    for (settings, path) in [(&off, "console/main.js"), (&off, "demo/main.css"), (&settings(), "demo/main.css")] {
        assert_eq!(get(settings, &format!("/assets/{HASH}/{path}"), &[]).await.status, 404, "{path}");
    }
}
