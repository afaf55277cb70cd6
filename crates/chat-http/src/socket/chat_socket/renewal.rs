//! A newer token on an open socket: its check, and what it changes.

use chat_domain::ChatError;
use chat_domain::service::AccessState;
use chat_identity::{TokenError, VerifiedToken};
use tokio::time::Instant;

use super::ChatSocket;
use crate::error::ApiError;
use crate::socket::close_reason::SocketCloseReason;
use crate::socket::jobs::{JobKind, JobOutcome, TokenCheck, in_time};
use crate::socket::token_lifetime::TokenLifetime;
use crate::socket_protocol::{Reference, ServerFrame};

impl ChatSocket {
    /// Starts the check of a newer token. If its key is unknown, the keys of now are fetched beside the socket. A token that
    /// comes meanwhile takes the place of the one that waits, which then gets no reply of its own.
    pub(super) fn renew(&mut self, token: String, reference: Option<Reference>, now: Instant) {
        match self.connection.app.tokens.verify(&token, self.connection.app.clock.now()) {
            Err(error) if error.is_unknown_key() => {
                let app = self.connection.app.clone();
                self.connection.jobs.start(JobKind::TokenCheck, async move {
                    let verified = app.tokens.verify_or_fetch(&token, || app.clock.now()).await;
                    JobOutcome::TokenCheck(Box::new(TokenCheck { verified, reference }))
                });
            }
            verified => self.on_token_check(TokenCheck { verified, reference }, now),
        }
    }

    fn refuse_renewal(&mut self, error: &ApiError, reference: Option<&Reference>, now: Instant) {
        let session = self.subscriptions.session();
        self.connection.send_error(error, reference, session, now);
    }

    /// Starts the check of the right that the newer token gives, or reports to the client why it is refused.
    pub(super) fn on_token_check(&mut self, check: TokenCheck, now: Instant) {
        let TokenCheck { verified, reference } = check;
        let token = match verified {
            Ok(token) if token.principal.id == self.subscriptions.viewer().id => token,
            Ok(_) => {
                let refusal = ApiError::unauthenticated("the token names another person than the socket's");
                return self.refuse_renewal(&refusal, reference.as_ref(), now);
            }
            Err(error) => {
                return self.refuse_renewal(&ApiError::unauthenticated(error.to_string()), reference.as_ref(), now);
            }
        };
        if let Err(refused) = self.connection.app.service.require_access(&token.principal) {
            return self.refuse_renewal(&refused.into(), reference.as_ref(), now);
        }
        // An older token that still waits for its key must not follow this one.
        self.connection.jobs.stop(JobKind::TokenCheck);
        self.subscriptions.restrict_role(token.principal.role, &mut self.connection, now);
        // It checks the former role.
        self.connection.jobs.stop(JobKind::Recheck);
        let right = self.subscriptions.check_access(token.principal.clone());
        let renewal = Box::new((token, reference));
        self.connection.jobs.start(JobKind::Renewal, async { JobOutcome::Renewal(renewal, in_time(right).await) });
    }

    /// Takes the newer token if its person may see the session, and reports the outcome to the client.
    pub(super) fn on_renewal(
        &mut self,
        token: VerifiedToken,
        reference: Option<&Reference>,
        right: Result<AccessState, ChatError>,
        now: Instant,
    ) -> Result<(), SocketCloseReason> {
        match right {
            Ok(AccessState::Granted) => {}
            Ok(right) => return self.subscriptions.on_access(right, &mut self.connection),
            Err(error) => {
                self.subscriptions.renewal_failed(now);
                self.refuse_renewal(&error.into(), reference, now);
                return Ok(());
            }
        }
        let wall_now = self.connection.app.clock.now();
        if token.expires_at <= wall_now {
            self.subscriptions.renewal_expired(now);
            self.refuse_renewal(&ApiError::unauthenticated(TokenError::Expired.to_string()), reference, now);
            return Ok(());
        }
        // It names the same person, which was checked before the right was.
        if self.subscriptions.renewed(token.principal, &mut self.connection, now).is_ok() {
            self.connection.token = TokenLifetime::new(token.expires_at, now, wall_now).with_warning(now);
            self.connection.send_frame(&ServerFrame::auth_ok(token.expires_at), now);
        }
        Ok(())
    }
}
