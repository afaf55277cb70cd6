//! The wire types: what bodies and frames look like. Nothing else in the workspace knows JSON names.

mod agent;
mod attachment;
mod availability;
mod control;
mod event;
mod inbox;
mod message;
mod message_form;
mod page_body;
mod person;
mod service;
mod session;
mod stats;
mod ticket;
mod wire;

pub(crate) use agent::{AgentDto, AgentListDto, PutAgentBody};
pub(crate) use attachment::AttachmentDto;
pub(crate) use availability::{AGENT_STATUSES, AgentAvailabilityDto, AvailabilityDto, SetAvailabilityBody};
pub(crate) use control::{
    ClientHeartbeatBody, HeartbeatDto, HelloDto, MultiplexedHeartbeatDto, MultiplexedHelloDto, NewTokenBody,
    NoDataBody, NotResumedDto, OpenInboxBody, SocketErrorDto, SubscribeBody, SubscribedDto, TokenExpiryDto,
    TypingStateBody, UnsubscribedDto, UpToBody,
};
pub(crate) use event::{EventFrameDto, ReceiptDto, TypingDto};
pub(crate) use inbox::{InboxDto, InboxSnapshotDto, InboxUpdateDto, InboxViewDto};
pub(crate) use message::{MessageDto, MessagePageDto, MessagesJson, ReadBody, SendMessageBody, TypingBody};
pub(crate) use message_form::{MultipartMessageBody, UploadBody};
pub(crate) use page_body::PageBody;
pub(crate) use person::{BlockBody, PersonDto};
pub(crate) use service::ServiceDto;
pub(crate) use session::{
    AssignBody, CreateSessionBody, PriorityDto, SessionDto, SessionListDto, SessionStatusDto, TransferBody,
    UpdateSessionBody,
};
pub(crate) use stats::StatsDto;
pub(crate) use ticket::{DownloadTicketDto, TicketDto};
