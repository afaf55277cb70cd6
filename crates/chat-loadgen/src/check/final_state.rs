//! Reads everything that a session has, by paging backwards.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::error::LoadError;
use crate::history::{FinalState, OtherEvents, StoredMessage};
use crate::setup::Caller;

/// The pause before a page that failed is asked for again.
const PAUSE: Duration = Duration::from_millis(200);

/// Reads the final state of a session, and tries again for `patience` while the service is not itself.
pub(super) async fn read(
    caller: &mut Caller,
    session: &str,
    other_events: OtherEvents,
    patience: Duration,
) -> Result<FinalState, LoadError> {
    let deadline = Instant::now() + patience;
    loop {
        match try_read(caller, session, other_events).await {
            Err(_) if Instant::now() < deadline => sleep(PAUSE).await,
            read => return read,
        }
    }
}

async fn try_read(caller: &mut Caller, session: &str, other_events: OtherEvents) -> Result<FinalState, LoadError> {
    let (head, mut page) = caller.messages(session, "limit=100").await?;
    let (total_count, last_seq) = (page.total_count, head.chat_seq);
    // Newest first, until it is turned around.
    let mut messages = Vec::new();
    loop {
        let oldest = page.messages.first().map(|message| message.id.clone());
        messages.extend(page.messages.into_iter().rev());
        match oldest {
            Some(oldest) if page.has_more => {
                (_, page) = caller.messages(session, &format!("limit=100&before={oldest}")).await?;
            }
            _ => break,
        }
    }
    let stored = |message: crate::setup::Message| StoredMessage { id: message.id, content: message.content, seq: None };
    Ok(FinalState {
        session: session.to_owned(),
        messages: messages.into_iter().rev().map(stored).collect(),
        total_count,
        last_seq,
        other_events,
    })
}
