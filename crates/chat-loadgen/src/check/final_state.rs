//! Reads everything that a session has, by paging backwards.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::api_client::{ApiClient, PageMessage};
use crate::error::LoadError;
use crate::history::{FinalState, OtherEvents, StoredMessage};
use crate::http::header_number;

/// The pause before a page that failed is requested again.
const PAUSE: Duration = Duration::from_millis(200);

/// Reads the final state of a session, and tries again for `patience` while the service fails.
pub(super) async fn read(
    client: &mut ApiClient,
    session: &str,
    other_events: OtherEvents,
    patience: Duration,
) -> Result<FinalState, LoadError> {
    let deadline = Instant::now() + patience;
    loop {
        match try_read(client, session, other_events).await {
            Err(_) if Instant::now() < deadline => sleep(PAUSE).await,
            read => return read,
        }
    }
}

async fn try_read(client: &mut ApiClient, session: &str, other_events: OtherEvents) -> Result<FinalState, LoadError> {
    let (response, mut page) = client.messages(session, "limit=100").await?;
    let (total_count, last_seq) = (page.total_count, header_number(response.headers(), "x-chat-seq"));
    // Newest first, until it is turned around.
    let mut messages = Vec::new();
    loop {
        let oldest = page.messages.first().map(|message| message.id.clone());
        messages.extend(page.messages.into_iter().rev());
        match oldest {
            Some(oldest) if page.has_more => {
                (_, page) = client.messages(session, &format!("limit=100&before={oldest}")).await?;
            }
            _ => break,
        }
    }
    let stored = |message: PageMessage| StoredMessage { id: message.id, content: message.content, seq: None };
    Ok(FinalState {
        session: session.to_owned(),
        messages: messages.into_iter().rev().map(stored).collect(),
        total_count,
        last_seq,
        other_events,
    })
}
