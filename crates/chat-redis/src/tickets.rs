//! Tickets that every node can take, as long as Redis is there.
//!
//! A ticket lies in exactly one place, so that it is used once: in Redis, or, when Redis refused it or there was no
//! connection at all, in the memory of the node that issued it. When nobody can know whether Redis took it, it lies
//! nowhere that this node would look, and its caller is asked to try again.
//!
//! Taking one asks twice. A question that only looks is sent first: a Redis that is frozen or cut off may carry out what
//! it was sent long after nobody waits for it, and must then find nothing that uses the ticket up. Only when it answers
//! is the ticket removed, and whoever removed it has it.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use chat_domain::error::{ChatError, Result};
use chat_domain::model::{
    MAX_TICKETS_OF_A_PERSON, Principal, Role, SessionId, Ticket, TicketDigest, Timestamp, UserId,
};
use chat_domain::ports::TicketStore;
use redis::Script;
use serde::{Deserialize, Serialize};
use tracing::debug;

use crate::commands::Commands;
use crate::error::Failure;
use crate::metering::fallbacks;
use crate::names::{Names, hexadecimal};

static PUT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("put_ticket.lua")));

/// Tickets in Redis.
pub(crate) struct RedisTickets {
    commands: Arc<Commands>,
    names: Names,
    local: Arc<dyn TicketStore>,
}

impl RedisTickets {
    pub(crate) fn new(commands: Arc<Commands>, names: Names, local: Arc<dyn TicketStore>) -> Self {
        Self { commands, names, local }
    }
}

#[async_trait]
impl TicketStore for RedisTickets {
    async fn put(&self, digest: TicketDigest, ticket: Ticket, now: Timestamp) -> Result<()> {
        let lifetime = ticket.expires_at.since(now).as_millis();
        if lifetime == 0 {
            return Ok(());
        }
        let value = serde_json::to_vec(&TicketDto::from(&ticket)).map_err(ChatError::internal)?;
        let mut put = PUT.prepare_invoke();
        put.key(self.names.ticket(&digest)).key(self.names.tickets_of(&ticket.holder.id));
        put.arg(value).arg(u64::try_from(lifetime).unwrap_or(u64::MAX)).arg(hexadecimal(&digest));
        put.arg(ticket.expires_at.unix_ms()).arg(now.unix_ms()).arg(MAX_TICKETS_OF_A_PERSON);
        put.arg(self.names.ticket_prefix());
        match self.commands.invoke::<u64>(self.commands.budget, &put).await {
            Ok(0) => Err(ChatError::unavailable("Redis has a ticket of this digest")),
            Ok(_) => Ok(()),
            Err(Failure::Uncertain(reason)) => {
                Err(ChatError::unavailable(format!("nobody knows whether Redis took the ticket: {reason}")))
            }
            Err(failure @ (Failure::Down | Failure::Refused(_))) => {
                fallbacks("tickets").increment(1);
                debug!(reason = %failure, "a ticket is kept on this node");
                self.local.put(digest, ticket, now).await
            }
        }
    }

    async fn take(&self, digest: TicketDigest, now: Timestamp) -> Result<Option<Ticket>> {
        // Here first, because that costs nothing. It makes no difference to who gets it.
        if let Some(ticket) = self.local.take(digest, now).await? {
            return Ok(Some(ticket));
        }
        let key = self.names.ticket(&digest);
        let mut look = redis::cmd("GET");
        look.arg(&key);
        let looked = self.commands.ask::<Option<Vec<u8>>>(self.commands.budget, &look).await;
        let value = looked.map_err(|failure| cannot_look(&failure))?;
        // What cannot be read is of another version, and opens nothing here.
        let Some(ticket) = value.and_then(|value| read(&value)) else { return Ok(None) };
        let mut remove = redis::pipe();
        remove.cmd("DEL").arg(&key);
        remove.cmd("ZREM").arg(self.names.tickets_of(&ticket.holder.id)).arg(hexadecimal(&digest));
        // If this answer is lost, the ticket may be used up: then nobody has it, and its holder asks for another one.
        let answer = self.commands.ask_all::<(u64, u64)>(self.commands.budget, &remove).await;
        let (removed, _counted) = answer.map_err(|failure| cannot_look(&failure))?;
        Ok((removed == 1 && now < ticket.expires_at).then_some(ticket))
    }
}

fn cannot_look(failure: &Failure) -> ChatError {
    ChatError::unavailable(format!("a ticket could not be looked for in Redis: {failure}"))
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TicketDto {
    user: String,
    role: String,
    name: Option<String>,
    session: String,
    token_expires_at: i64,
    expires_at: i64,
}

impl From<&Ticket> for TicketDto {
    fn from(ticket: &Ticket) -> Self {
        Self {
            user: ticket.holder.id.to_string(),
            role: ticket.holder.role.as_str().to_owned(),
            name: ticket.holder.name.clone(),
            session: ticket.session_id.to_string(),
            token_expires_at: ticket.token_expires_at.unix_ms(),
            expires_at: ticket.expires_at.unix_ms(),
        }
    }
}

/// What cannot be read opens nothing.
fn read(value: &[u8]) -> Option<Ticket> {
    let dto: TicketDto = serde_json::from_slice(value).ok()?;
    Some(Ticket {
        holder: Principal { id: UserId::parse(&dto.user).ok()?, role: Role::parse(&dto.role)?, name: dto.name },
        session_id: SessionId::parse(&dto.session)?,
        token_expires_at: Timestamp::from_unix_ms(dto.token_expires_at),
        expires_at: Timestamp::from_unix_ms(dto.expires_at),
    })
}
