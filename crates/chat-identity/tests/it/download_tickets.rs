//! Tickets for downloads under a key that changes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chat_domain::model::{Epoch, Principal, Role, SigningKey, Timestamp, UserId};
use chat_domain::ports::SigningKeyStore;
use chat_domain::{ChatError, Result};
use chat_identity::{DOWNLOAD_TICKET_LIFETIME, DownloadTickets, VerifiedToken};

const NOW_MS: i64 = 1_769_850_000_123;

fn now() -> Timestamp {
    Timestamp::from_unix_ms(NOW_MS)
}

/// A database whose key changes and which may be unreachable.
#[derive(Default)]
struct Database(Mutex<State>);

#[derive(Default)]
struct State {
    history: u32,
    is_unreachable: bool,
    reads: u32,
}

#[async_trait]
impl SigningKeyStore for Database {
    async fn signing_key(&self) -> Result<SigningKey> {
        let mut state = self.0.lock().unwrap();
        state.reads += 1;
        if state.is_unreachable {
            return Err(ChatError::unavailable("the database is unreachable"));
        }
        Ok(SigningKey::derive(&[7; 32], "here", &Epoch::parse(&format!("epoch-{}", state.history)).unwrap()))
    }
}

impl Database {
    fn rotate(&self) {
        self.0.lock().unwrap().history += 1;
    }

    fn reads(&self) -> u32 {
        self.0.lock().unwrap().reads
    }
}

fn alice() -> VerifiedToken {
    let principal = Principal {
        token_issued_at: Some(now().minus(Duration::from_hours(24 * 300))),
        ..Principal::new(UserId::parse("alice").unwrap(), Role::User)
    };
    VerifiedToken { principal, expires_at: now().plus(Duration::from_hours(1)) }
}

fn later(seconds: u64) -> Timestamp {
    now().plus(Duration::from_secs(seconds))
}

#[tokio::test]
async fn a_ticket_says_who_asked_for_it_and_ends_in_a_whole_second() {
    let tickets = DownloadTickets::new(Arc::new(Database::default()));
    let (ticket, expires_at) = tickets.issue(&alice(), now()).await.unwrap();
    assert_eq!(expires_at, Timestamp::from_unix_ms(1_769_850_900_000));
    assert!(expires_at <= now().plus(DOWNLOAD_TICKET_LIFETIME));
    let verified = tickets.verify(&ticket, now()).await.unwrap().unwrap();
    assert_eq!(verified.principal.id, alice().principal.id);
    assert_eq!(verified.principal.role, Role::User);
    // In whole seconds, as tokens have it.
    assert_eq!(verified.principal.token_issued_at.unwrap().unix_ms(), (NOW_MS - 300 * 86_400_000) / 1_000 * 1_000);
    assert_eq!(verified.expires_at, expires_at);
    assert!(tickets.verify(&ticket, expires_at).await.unwrap().is_err());
}

#[tokio::test]
async fn a_ticket_of_another_node_is_accepted_soon_after_the_key_has_changed() {
    let database = Arc::new(Database::default());
    let (one, other) =
        (DownloadTickets::new(Arc::clone(&database) as _), DownloadTickets::new(Arc::clone(&database) as _));
    let (before, _) = one.issue(&alice(), now()).await.unwrap();
    other.verify(&before, now()).await.unwrap().unwrap();
    database.rotate();
    let (after, _) = one.issue(&alice(), later(30)).await.unwrap();
    // The other node has read the key 29 seconds ago.
    other.verify(&after, later(29)).await.unwrap().unwrap();
    for tickets in [&one, &other] {
        assert!(tickets.verify(&before, later(31)).await.unwrap().is_err(), "the history that it belongs to is over");
    }
}

#[tokio::test]
async fn wrong_tickets_make_the_database_answer_once_a_second_at_most() {
    let database = Arc::new(Database::default());
    let tickets = DownloadTickets::new(Arc::clone(&database) as _);
    let (genuine, _) = tickets.issue(&alice(), now()).await.unwrap();
    let wrong = format!("{}AAAA{}", &genuine[..genuine.len() - 8], &genuine[genuine.len() - 4..]);
    for millisecond in 0..5_000 {
        assert!(tickets.verify(&wrong, now().plus(Duration::from_millis(millisecond))).await.unwrap().is_err());
        tickets.verify(&genuine, now().plus(Duration::from_millis(millisecond))).await.unwrap().unwrap();
    }
    assert!(database.reads() <= 6, "{}", database.reads());
}

#[tokio::test]
async fn while_the_database_is_unreachable_the_key_is_good_for_half_a_minute() {
    let database = Arc::new(Database::default());
    let tickets = DownloadTickets::new(Arc::clone(&database) as _);
    let (ticket, _) = tickets.issue(&alice(), now()).await.unwrap();
    database.0.lock().unwrap().is_unreachable = true;
    tickets.verify(&ticket, later(29)).await.unwrap().unwrap();
    let away = tickets.verify(&ticket, later(30)).await;
    assert!(matches!(away, Err(ChatError::Unavailable { .. })), "{away:?}");
    database.0.lock().unwrap().is_unreachable = false;
    tickets.verify(&ticket, later(31)).await.unwrap().unwrap();
}
