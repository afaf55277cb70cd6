//! List the sessions a person may see.

use super::ChatService;
use crate::error::{Input, Result};
use crate::model::{PageLimit, PageNumber, Principal, SessionPage, SessionQuery, StatusFilter};
use crate::policy;

impl ChatService {
    /// A page of the sessions that `who` may see, newest first.
    pub async fn list_sessions(
        &self,
        who: &Principal,
        input: Input<(Option<StatusFilter>, PageNumber, PageLimit)>,
    ) -> Result<SessionPage> {
        let visible = policy::visible_sessions(who);
        let (status, page, limit) = input?;
        self.ports.sessions.list(&SessionQuery { visible, status, page, limit }).await
    }
}
