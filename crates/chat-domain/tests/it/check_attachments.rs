//! The stored files are compared with the messages that refer to them.

use std::time::Duration;

use chat_domain::ChatError;
use chat_domain::model::Timestamp;
use chat_domain::ports::{AttachmentStore as _, OrphanRegistry as _, Upload};
use chat_domain::service::{AttachmentCheck, CheckedAttachments, Finding};
use chat_testkit::fixtures::attachment_id;
use chat_testkit::source::from_bytes;

use crate::support::App;

const DAY: Duration = Duration::from_hours(24);

fn check(app: &App) -> AttachmentCheck {
    AttachmentCheck {
        attachments: app.attachments.clone(),
        messages: app.store.clone(),
        registry: app.store.clone(),
        clock: app.clock.clone(),
        mark_after: DAY,
    }
}

async fn run(check: &AttachmentCheck) -> (CheckedAttachments, Vec<Finding>) {
    let mut findings = Vec::new();
    let mut report = |finding| {
        findings.push(finding);
        Ok(())
    };
    let checked = check.run(&mut report).await.unwrap();
    (checked, findings)
}

async fn orphan(app: &App, n: u64) {
    let upload = Upload { id: attachment_id(n), claimed_type: None, max_bytes: 100 };
    app.attachments.put(upload, from_bytes("left behind")).await.unwrap();
}

#[tokio::test]
async fn missing_marked_and_unknown_files_are_told_apart() {
    let app = App::new();
    let session = app.held_by_bob(1).await;
    let mut sent = Vec::new();
    for n in 0..3 {
        sent.push(app.send_files(session, &format!("{n}"), &[(0, "kept")]).await.message.attachments[0].id);
    }
    assert_eq!(
        run(&check(&app)).await,
        (CheckedAttachments { referenced: 3, ..CheckedAttachments::default() }, Vec::new())
    );
    orphan(&app, 50).await;
    orphan(&app, 51).await;
    app.clock.advance(DAY);
    orphan(&app, 52).await;
    app.attachments.delete(sent[1]).await.unwrap();
    let at = Timestamp::from_unix_ms(7);
    app.store.begin_round().await.unwrap().unwrap().mark(vec![attachment_id(51)], at).await.unwrap();
    let (checked, findings) = run(&check(&app)).await;
    assert_eq!(checked, CheckedAttachments { referenced: 3, missing: 1, marked: 1, unknown: 1 });
    assert_eq!(
        findings,
        [Finding::Missing(sent[1]), Finding::Unknown(attachment_id(50)), Finding::Marked(attachment_id(51), at)],
        "and the young one is left out",
    );
}

#[tokio::test]
async fn a_check_goes_through_any_number_of_files() {
    let app = App::new();
    let session = app.held_by_bob(1).await;
    for n in 0..1_200 {
        let sent = app.send_files(session, &format!("{n}"), &[(0, "kept")]).await.message.attachments[0].id;
        if n % 3 == 0 {
            app.attachments.delete(sent).await.unwrap();
        }
        if n % 4 == 0 {
            orphan(&app, 10_000 + n).await;
        }
    }
    app.clock.advance(DAY);
    let (checked, findings) = run(&check(&app)).await;
    assert_eq!(checked, CheckedAttachments { referenced: 1_200, missing: 400, marked: 0, unknown: 300 });
    assert_eq!(findings.len(), 700);
}

#[tokio::test]
async fn a_report_that_fails_ends_the_check() {
    let app = App::new();
    orphan(&app, 1).await;
    app.clock.advance(DAY);
    let failed = check(&app).run(&mut |_| Err(ChatError::unavailable("the reader is gone"))).await;
    assert!(failed.is_err());
}
