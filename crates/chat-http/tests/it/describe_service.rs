//! `GET /`

use serde_json::json;

use crate::documents::{PUBLIC_URL, app_behind_a_proxy, get};

#[tokio::test]
async fn the_root_leads_people_to_the_docs_and_tools_to_the_documents() {
    let app = app_behind_a_proxy().await;
    // As Firefox, Chromium and Safari open a page.
    for accept in [
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "text/html",
        "application/json;q=0.1, Text/HTML;q=0.9",
    ] {
        let answer = get(&app, "/", accept).await;
        answer.expect_status(302);
        // The public address: what is relative goes astray where a prefix is opened without the slash at its end.
        assert_eq!(answer.header("location"), format!("{PUBLIC_URL}/docs/"), "{accept}");
        assert_eq!(answer.header("vary"), "Accept");
    }
    for accept in ["*/*", "application/json", "text/*", "text/htmlx"] {
        let answer = get(&app, "/", accept).await;
        assert_eq!(answer.header("vary"), "Accept");
        let expected = json!({
            "name": "Support chat",
            "version": env!("CARGO_PKG_VERSION"),
            "docs": format!("{PUBLIC_URL}/docs/"),
            "openapi": format!("{PUBLIC_URL}/openapi.json"),
            "asyncapi": format!("{PUBLIC_URL}/asyncapi.json"),
        });
        assert_eq!(answer.expect(200), expected, "{accept}");
    }
    app.stop().await;
}
