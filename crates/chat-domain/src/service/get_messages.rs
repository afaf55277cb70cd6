//! Page through a session's messages.

use super::ChatService;
use crate::error::{ChatError, Input, Invalid, Resource, Result};
use crate::model::{ChatSession, MessageCursor, MessagePage, MessageQuery, PageOutcome, Principal, SessionId};
use crate::policy::{self, Action};

impl ChatService {
    /// A page of a session's messages, with the session as it was when the page was read. `None` instead of the page
    /// when the query names the position of a page that the caller has, and that is still the current one.
    pub async fn get_messages(
        &self,
        who: &Principal,
        id: SessionId,
        input: Input<MessageQuery>,
    ) -> Result<(ChatSession, Option<MessagePage>)> {
        let query = match input {
            Ok(query) => query,
            Err(invalid) => {
                policy::authorize(who, &Action::See(&self.session(id).await?))?;
                return Err(invalid.into());
            }
        };
        let snapshot = self.ports.messages.page(id, query).await?.ok_or(ChatError::NotFound(Resource::Session))?;
        policy::authorize(who, &Action::See(&snapshot.session))?;
        let field = match query.cursor {
            MessageCursor::After(_) => "after",
            MessageCursor::Newest | MessageCursor::Before(_) => "before",
        };
        match snapshot.page {
            PageOutcome::Page(page) => Ok((snapshot.session, Some(page))),
            PageOutcome::Unchanged => Ok((snapshot.session, None)),
            PageOutcome::NoSuchMessage => {
                Err(Invalid::new(field, "must be the id of a message of this session").into())
            }
        }
    }
}
