//! `GET /api/chat/inbox`

use serde_json::{Value, json};

use crate::support::TestApp;

const PATH: &str = "/api/chat/inbox";
const SESSIONS: &str = "/api/chat/sessions";

async fn inbox(app: &TestApp, who: &str, query: &str) -> Value {
    app.get(who, &format!("{PATH}?view={query}")).await.expect(200)
}

/// The ids of a page, in its order.
fn ids(inbox: &Value) -> Vec<String> {
    inbox["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

async fn open(app: &TestApp, who: &str, body: Value) -> String {
    app.post(who, SESSIONS, body).await.expect(201)["id"].as_str().unwrap().to_owned()
}

async fn close(app: &TestApp, who: &str, id: &str) -> Value {
    app.put(who, &format!("{SESSIONS}/{id}/close"), json!(null)).await.expect(200)
}

on_every_store! {
    async fn an_item_is_the_session_with_what_a_list_shows_of_it(app) {
        let id = app.open_assigned("alice", "bob").await;
        let session = app.get("bob", &format!("{SESSIONS}/{id}")).await.expect(200);
        let item = inbox(app, "bob", "mine").await["items"][0].clone();
        for (name, value) in session.as_object().unwrap() {
            assert_eq!(&item[name], value, "{name}");
        }
        assert_eq!((&item["lastMessage"], &item["unreadCount"], &item["seq"]), (&json!(null), &json!(0), &json!(2)));
        assert_eq!(item["waitingSince"], session["startedAt"]);
        assert!(item["lastActivityAt"].as_str() > session["startedAt"].as_str(), "the assignment came later: {item}");

        let message = app.say("alice", &id, "Hello,\n  my order is late").await;
        let page = inbox(app, "bob", "mine").await;
        let item = &page["items"][0];
        let shown = json!({
            "id": message["id"], "seq": 3, "sender": "user", "author": { "id": "alice" },
            "preview": "Hello, my order is late", "timestamp": message["timestamp"], "attachmentCount": 0,
        });
        assert_eq!((&item["lastMessage"], &item["unreadCount"], &item["seq"]), (&shown, &json!(1), &json!(3)));
        assert_eq!((&item["lastActivityAt"], &item["waitingSince"]), (&message["timestamp"], &message["timestamp"]));
        let counts = json!({ "mine": 1, "mineUnread": 1, "waiting": 0, "longestWaitingSince": null });
        assert_eq!((&page["counts"], &page["nextCursor"]), (&counts, &json!(null)));

        // The customer's side of the same session.
        let theirs = inbox(app, "alice", "mine").await;
        assert_eq!((&theirs["items"][0]["unreadCount"], &theirs["counts"]["mineUnread"]), (&json!(0), &json!(0)));
        app.say("bob", &id, "It is on its way").await;
        let theirs = inbox(app, "alice", "mine").await;
        assert_eq!((&theirs["items"][0]["unreadCount"], &theirs["counts"]["mineUnread"]), (&json!(1), &json!(1)));
        assert_eq!(theirs["items"][0]["waitingSince"], json!(null));
        app.put("bob", &format!("{SESSIONS}/{id}/read"), json!({ "messageIds": [message["id"]] })).await.expect(204);
        assert_eq!(inbox(app, "bob", "mine").await["counts"]["mineUnread"], json!(0));
    }

    async fn each_role_has_its_views(app) {
        let waiting = app.open_session("alice").await;
        let bobs = app.open_assigned("alice", "bob").await;
        let carols = app.open_assigned("dave", "carol").await;
        let bobs_closed = app.open_assigned("dave", "bob").await;
        close(app, "bob", &bobs_closed).await;
        let never_answered = app.open_session("alice").await;
        close(app, "alice", &never_answered).await;
        let expected: [(&str, &str, Vec<&String>); 12] = [
            ("alice", "mine", vec![&bobs, &waiting, &never_answered]),
            ("dave", "mine", vec![&carols, &bobs_closed]),
            ("alice", "closed", vec![&never_answered]),
            ("dave", "closed", vec![&bobs_closed]),
            ("mallory", "mine", vec![]),
            ("bob", "mine", vec![&bobs]),
            ("bob", "waiting", vec![&waiting]),
            ("bob", "closed", vec![&bobs_closed]),
            ("carol", "closed", vec![]),
            ("root", "waiting", vec![&waiting]),
            ("root", "assigned", vec![&carols, &bobs]),
            ("root", "closed", vec![&never_answered, &bobs_closed]),
        ];
        for (who, view, sessions) in expected {
            assert_eq!(ids(&inbox(app, who, view).await).iter().collect::<Vec<_>>(), sessions, "{view} of {who}");
        }
        let longest = inbox(app, "root", "waiting").await["items"][0]["startedAt"].clone();
        for (who, view, mine, waits) in [("alice", "mine", 2, false), ("bob", "closed", 1, true), ("root", "closed", 0, true)] {
            let since = if waits { longest.clone() } else { json!(null) };
            let counts = json!({ "mine": mine, "mineUnread": 0, "waiting": u8::from(waits), "longestWaitingSince": since });
            assert_eq!(inbox(app, who, view).await["counts"], counts, "{who}");
        }
    }

    async fn a_view_that_is_not_the_callers_is_refused_before_what_else_is_wrong(app) {
        for (who, view) in [("alice", "waiting"), ("alice", "assigned"), ("bob", "assigned"), ("root", "mine")] {
            for more in ["", "&limit=0", "&cursor=x", "&verbose=1"] {
                let error = app.get(who, &format!("{PATH}?view={view}{more}")).await;
                let error = error.expect_error(403, "FORBIDDEN");
                assert_eq!(error["message"], "you are not allowed to see this view of the inbox", "{view} of {who}");
            }
        }
    }

    async fn every_parameter_that_breaks_a_rule_is_refused(app) {
        for (who, query, field) in [
            ("bob", "", "view"),
            ("bob", "?view=", "view"),
            ("bob", "?view=all", "view"),
            ("bob", "?view=Mine", "view"),
            ("bob", "?view=mine&view=mine", "view"),
            ("bob", "?view=mine&limit=0", "limit"),
            ("bob", "?view=mine&limit=x", "limit"),
            ("bob", "?view=mine&limit=-1", "limit"),
            ("bob", "?view=mine&page=1", "page"),
            ("bob", "?view=mine&cursor=", "cursor"),
            ("bob", "?view=mine&cursor=AQ", "cursor"),
            ("bob", "?view=mine&priority=high", "priority"),
            ("alice", "?view=mine&tag=orders", "tag"),
            ("alice", "?view=mine&userId=alice", "userId"),
            ("bob", "?view=waiting&agentId=bob", "agentId"),
            ("root", "?view=closed&agentId=bob", "agentId"),
            ("root", "?view=assigned&agentId=", "agentId"),
            ("bob", "?view=waiting&priority=urgent", "priority"),
            ("bob", "?view=waiting&tag=", "tag"),
            ("bob", "?view=waiting&userId=", "userId"),
        ] {
            app.get(who, &format!("{PATH}{query}")).await.expect_invalid(field);
        }
        // A cursor is one of its view.
        for _ in 0..2 {
            app.open_session("alice").await;
        }
        let page = inbox(app, "bob", "waiting&limit=1").await;
        let cursor = page["nextCursor"].as_str().unwrap();
        app.get("bob", &format!("{PATH}?view=closed&cursor={cursor}")).await.expect_invalid("cursor");
        app.get("bob", &format!("{PATH}?view=waiting&cursor={}", &cursor[1..])).await.expect_invalid("cursor");
    }

    async fn a_page_has_50_items_by_default_and_at_most_100(app) {
        futures_util::future::join_all((0..103).map(|_| app.open_session("alice"))).await;
        assert_eq!(ids(&inbox(app, "bob", "waiting").await).len(), 50);
        for requested in ["100", "101", "9223372036854775807"] {
            assert_eq!(ids(&inbox(app, "bob", &format!("waiting&limit={requested}")).await).len(), 100, "limit={requested}");
        }
        let one = inbox(app, "bob", "waiting&limit=1").await;
        assert_eq!((ids(&one).len(), &one["counts"]["waiting"]), (1, &json!(103)));
    }

    async fn the_queue_is_in_the_order_of_priority_and_of_waiting(app) {
        let low = open(app, "alice", json!({ "priority": "low" })).await;
        let first = open(app, "alice", json!({ "priority": "high" })).await;
        let second = open(app, "alice", json!({ "priority": "high" })).await;
        let medium = open(app, "alice", json!({})).await;
        assert_eq!(ids(&inbox(app, "bob", "waiting").await), [&first, &second, &medium, &low].map(String::clone));
        // From the first message on, the customer waits since then; more messages change nothing.
        app.say("alice", &second, "here").await;
        app.say("alice", &first, "here").await;
        app.say("alice", &second, "hello?").await;
        assert_eq!(ids(&inbox(app, "bob", "waiting").await), [&second, &first, &medium, &low].map(String::clone));
        app.say("root", &second, "we are on it").await;
        assert_eq!(ids(&inbox(app, "carol", "waiting").await), [&first, &second, &medium, &low].map(String::clone));
    }

    async fn a_walk_by_cursor_sees_every_session_once_while_others_come_and_go(app) {
        let mut opened = Vec::new();
        for _ in 0..7 {
            opened.push(app.open_session("alice").await);
        }
        let (mut seen, mut query) = (Vec::new(), "waiting&limit=3".to_owned());
        loop {
            let page = inbox(app, "bob", &query).await;
            seen.extend(ids(&page));
            let Some(cursor) = page["nextCursor"].as_str() else { break };
            query = format!("waiting&limit=3&cursor={cursor}");
            // A session that was seen leaves, and a more urgent session comes.
            app.put("bob", &format!("{SESSIONS}/{}/assign", seen[0]), json!({ "agentId": "bob" })).await;
            open(app, "alice", json!({ "priority": "high" })).await;
        }
        assert_eq!(seen, opened, "those that wait longest first");
    }

    async fn filters_show_what_they_name(app) {
        let orders = open(app, "alice", json!({ "priority": "high", "tags": ["orders"] })).await;
        let plain = open(app, "dave", json!({ "priority": "low" })).await;
        for (filter, expected) in [
            ("tag=orders", vec![&orders]),
            ("tag=other", vec![]),
            ("priority=low", vec![&plain]),
            ("userId=dave", vec![&plain]),
            ("userId=dave&tag=orders", vec![]),
        ] {
            let page = inbox(app, "bob", &format!("waiting&{filter}")).await;
            assert_eq!(ids(&page).iter().collect::<Vec<_>>(), expected, "{filter}");
            assert_eq!(page["counts"]["waiting"], json!(2), "{filter}");
        }
        for (id, agent) in [(&orders, "bob"), (&plain, "carol")] {
            app.put(agent, &format!("{SESSIONS}/{id}/assign"), json!({ "agentId": agent })).await.expect(200);
        }
        assert_eq!(ids(&inbox(app, "root", "assigned&agentId=carol").await), [plain]);
        assert_eq!(ids(&inbox(app, "root", "assigned&agentId=dora").await), [""; 0]);
    }

    async fn a_preview_ends_between_signs_and_files_have_none(app) {
        let id = app.open_assigned("alice", "bob").await;
        let astronaut = "\u{1f469}\u{200d}\u{1f680}";
        app.say("alice", &id, &format!("{}{astronaut}{astronaut}", "x".repeat(137))).await;
        let last = inbox(app, "bob", "mine").await["items"][0]["lastMessage"].clone();
        assert_eq!(last["preview"], format!("{}…", "x".repeat(137)));
        let file = reqwest::multipart::Part::bytes(b"hello".to_vec()).file_name("a.txt").mime_str("text/plain").unwrap();
        let form = reqwest::multipart::Form::new().part("attachments[0]", file);
        let request = app.request("alice", reqwest::Method::POST, &format!("{SESSIONS}/{id}/messages"));
        crate::support::app::send(request.multipart(form)).await.expect(201);
        let last = inbox(app, "bob", "mine").await["items"][0]["lastMessage"].clone();
        assert_eq!((&last["preview"], &last["attachmentCount"]), (&json!(""), &json!(1)));
    }
}
