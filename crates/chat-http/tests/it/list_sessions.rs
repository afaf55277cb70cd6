//! `GET /api/chat/sessions`

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::TestApp;

const PATH: &str = "/api/chat/sessions";

/// The ids of a list, in its order.
fn ids(list: &Value) -> Vec<String> {
    let sessions = list["sessions"].as_array().unwrap();
    sessions.iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect()
}

async fn list(app: &TestApp, who: &str, query: &str) -> Value {
    app.get(who, &format!("{PATH}{query}")).await.expect(200)
}

on_every_store! {
    async fn a_list_holds_whole_sessions_newest_first(app) {
        let first = app.post("alice", PATH, json!({ "subject": "one" })).await.expect(201);
        let second = app.post("alice", PATH, json!({ "priority": "low", "tags": ["a"] })).await.expect(201);
        let sessions = [second, first];
        let expected =
            json!({ "sessions": sessions, "totalCount": 2, "page": 1, "totalPages": 1, "nextCursor": null });
        assert_eq!(list(app, "alice", "").await, expected);
    }

    async fn an_empty_list_has_no_pages(app) {
        let expected = json!({ "sessions": [], "totalCount": 0, "page": 1, "totalPages": 0, "nextCursor": null });
        assert_eq!(list(app, "alice", "").await, expected);
    }

    async fn pages_follow_each_other_without_gap_and_end(app) {
        let mut opened = Vec::new();
        for _ in 0..7 {
            opened.push(app.open_session("alice").await);
        }
        opened.reverse();
        let mut seen = Vec::new();
        for page in 1..=3 {
            let list = list(app, "alice", &format!("?page={page}&limit=3")).await;
            assert_eq!((&list["totalCount"], &list["page"], &list["totalPages"]), (&json!(7), &json!(page), &json!(3)));
            seen.extend(ids(&list));
        }
        assert_eq!(seen, opened);
        let beyond = list(app, "alice", "?page=4&limit=3").await;
        assert_eq!(beyond, json!({ "sessions": [], "totalCount": 7, "page": 4, "totalPages": 3, "nextCursor": null }));
        // Past the end and back: a page in the middle does not depend on those asked for before.
        assert_eq!(ids(&list(app, "alice", "?page=2&limit=3").await), opened[3..6]);
    }

    async fn a_walk_by_cursor_sees_every_session_once_while_others_are_opened_and_closed(app) {
        let mut opened = Vec::new();
        for _ in 0..7 {
            opened.push(app.open_session("alice").await);
        }
        opened.reverse();
        let (mut seen, mut query) = (Vec::new(), "?status=active&limit=3".to_owned());
        let mut places = Vec::new();
        loop {
            let list = list(app, "alice", &query).await;
            places.push((list["page"].clone(), list["totalCount"].clone(), list["totalPages"].clone()));
            seen.extend(ids(&list));
            let Some(cursor) = list["nextCursor"].as_str() else {
                assert_eq!(list["nextCursor"], json!(null));
                break;
            };
            query = format!("?status=active&limit=3&cursor={cursor}");
            // Page numbers would show one session twice after the first, and pass over one after the second.
            app.open_session("alice").await;
            app.put("alice", &format!("{PATH}/{}/close", seen[0]), json!(null)).await;
        }
        assert_eq!(seen, opened);
        assert_eq!(places[0], (json!(1), json!(7), json!(3)));
        assert!(places[1..].iter().all(|(page, ..)| *page == json!(null)), "{places:?}");
    }

    async fn a_cursor_grants_nothing(app) {
        for _ in 0..2 {
            app.open_session("alice").await;
        }
        let theirs = list(app, "alice", "?limit=1").await;
        let cursor = theirs["nextCursor"].as_str().unwrap();
        let expected = json!({ "sessions": [], "totalCount": 0, "page": null, "totalPages": 0, "nextCursor": null });
        assert_eq!(list(app, "mallory", &format!("?cursor={cursor}")).await, expected);
    }

    async fn a_page_has_20_sessions_by_default_and_at_most_100(app) {
        join_all((0..103).map(|_| app.open_session("alice"))).await;
        let default = list(app, "alice", "").await;
        assert_eq!((ids(&default).len(), &default["totalPages"]), (20, &json!(6)));
        for requested in ["100", "101", "1000000", "9223372036854775807"] {
            let clamped = list(app, "alice", &format!("?limit={requested}")).await;
            assert_eq!((ids(&clamped).len(), &clamped["totalPages"]), (100, &json!(2)), "limit={requested}");
        }
        assert_eq!(ids(&list(app, "alice", "?limit=1").await).len(), 1);
    }

    async fn the_status_divides_the_list_and_its_count(app) {
        let closed = app.open_session("alice").await;
        let active = app.open_session("alice").await;
        app.put("alice", &format!("{PATH}/{closed}/close"), json!(null)).await.expect(200);
        let actives = list(app, "alice", "?status=active").await;
        assert_eq!((ids(&actives), &actives["totalCount"]), (vec![active.clone()], &json!(1)));
        let closeds = list(app, "alice", "?status=closed").await;
        assert_eq!((ids(&closeds), &closeds["totalCount"]), (vec![closed.clone()], &json!(1)));
        assert_eq!(ids(&list(app, "alice", "").await), [active, closed]);
    }

    async fn a_list_holds_and_counts_what_the_caller_may_see(app) {
        let waiting = app.open_session("alice").await;
        let bobs = app.open_assigned("alice", "bob").await;
        let carols = app.open_assigned("dave", "carol").await;
        let bobs_closed = app.open_assigned("dave", "bob").await;
        let never_answered = app.open_session("dave").await;
        for (who, id) in [("bob", &bobs_closed), ("dave", &never_answered)] {
            app.put(who, &format!("{PATH}/{id}/close"), json!(null)).await.expect(200);
        }
        let expected: [(&str, Vec<&String>); 6] = [
            ("alice", vec![&bobs, &waiting]),
            ("dave", vec![&never_answered, &bobs_closed, &carols]),
            ("mallory", vec![]),
            ("bob", vec![&bobs_closed, &bobs, &waiting]),
            ("carol", vec![&carols, &waiting]),
            ("root", vec![&never_answered, &bobs_closed, &carols, &bobs, &waiting]),
        ];
        for (who, sessions) in expected {
            let list = list(app, who, "").await;
            assert_eq!(ids(&list).iter().collect::<Vec<_>>(), sessions, "{who}");
            assert_eq!(list["totalCount"], json!(sessions.len()), "{who}");
        }
        assert_eq!(list(app, "bob", "?status=active").await["totalCount"], json!(2));
        assert_eq!(list(app, "bob", "?status=closed").await["totalCount"], json!(1));
    }

    async fn a_cursor_is_the_next_cursor_of_a_page_and_stands_without_a_page(app) {
        for _ in 0..2 {
            app.open_session("alice").await;
        }
        let first = list(app, "alice", "?limit=1").await;
        let cursor = first["nextCursor"].as_str().unwrap();
        for wrong in ["", "1", "AQ", "%00", &cursor[1..], &format!("{cursor}A"), &format!("{cursor}%3D%3D")] {
            app.get("alice", &format!("{PATH}?cursor={wrong}")).await.expect_invalid("cursor");
        }
        for page in ["1", "2", "x"] {
            let both = app.get("alice", &format!("{PATH}?page={page}&cursor={cursor}")).await;
            let error = both.expect_error(400, "VALIDATION_FAILED");
            assert_eq!(error["details"][0]["field"], "cursor", "{error}");
        }
    }

    async fn every_parameter_that_breaks_a_rule_is_named(app) {
        let error = app.get("alice", "/api/chat/sessions?status=open&page=0&limit=x").await;
        let error = error.expect_error(400, "VALIDATION_FAILED");
        let fields: Vec<_> = error["details"].as_array().unwrap().iter().map(|detail| detail["field"].clone()).collect();
        assert_eq!(fields, ["status", "page", "limit"]);
    }
}
