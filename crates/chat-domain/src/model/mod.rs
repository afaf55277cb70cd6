//! What a support chat is made of: sessions, messages, people, and the values they carry.
//!
//! Value types parse: a value that exists is valid. Nothing here knows about databases, JSON or time sources.

mod agent;
mod attachment;
mod collection;
mod connection;
mod epoch;
mod event;
mod fanout_credentials;
mod idempotency;
mod ids;
mod message;
mod paging;
mod principal;
mod receipt;
mod session;
mod session_change;
mod session_details;
mod statistics;
mod ticket;
mod timestamp;

pub use agent::{Agent, AgentUpdate, DisplayName};
pub use attachment::{Attachment, ByteRange, FileName, MediaMetadata, MediaType, StoredObject};
pub use collection::{DatabaseInstance, Generation, Generations, NotOwner, OrphanMark, StoreOwner};
pub use connection::{Connection, ConnectionLimits};
pub use epoch::Epoch;
pub use event::{Change, Form, LiveEvent, Published, SessionEvent, TypingEvent};
pub use fanout_credentials::{FanoutCredentials, FanoutKey};
pub use idempotency::{Fingerprint, FingerprintBuilder, Idempotency, IdempotencyKey};
pub use ids::{AgentId, AttachmentId, ConnectionId, MessageId, SessionId, UserId};
pub use message::{Accepted, ChatMessage, Content, Delivery, DeliveryStatus, MessageDraft};
pub use paging::{
    MessageCursor, MessagePage, MessageQuery, PageLimit, PageNumber, PageRead, SessionPage, SessionQuery,
    SessionSnapshot, StatusFilter, Visibility,
};
pub use principal::{Principal, Role};
pub use receipt::{MAX_RECEIPT_MESSAGES, Receipt, ReceiptStatus};
pub use session::{Attempt, ChatSession, NewSession, Party, Progress, Seq, SessionState, TransitionError};
pub use session_change::{SessionAction, SessionChange};
pub use session_details::{Priority, Subject, Tags};
pub use statistics::{Statistics, StatisticsDelta};
pub use ticket::{MAX_TICKETS_OF_A_PERSON, TICKET_LIFETIME, Ticket, TicketDigest};
pub use timestamp::Timestamp;
