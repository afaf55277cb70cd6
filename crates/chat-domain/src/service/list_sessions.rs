//! List the sessions a person may see.

use super::ChatService;
use crate::error::{Input, Result};
use crate::model::{PageLimit, Principal, SessionPage, SessionPosition, SessionQuery, SessionStatus};
use crate::policy;

impl ChatService {
    /// A page of the sessions that `who` may see, newest first.
    pub async fn list_sessions(
        &self,
        who: &Principal,
        input: Input<(Option<SessionStatus>, SessionPosition, PageLimit)>,
    ) -> Result<SessionPage> {
        let visible = policy::visible_sessions(who);
        let (status, position, limit) = input?;
        self.ports.sessions.list(&SessionQuery { visible, status, position, limit }).await
    }
}
