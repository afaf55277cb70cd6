//! What a support chat is made of: sessions, messages, people, and the values they carry.
//!
//! Value types parse: a value that exists is valid. Nothing here knows about databases, JSON or time sources.

mod agent;
mod attachment;
mod availability;
mod collection;
mod epoch;
mod event;
mod fanout_credentials;
mod idempotency;
mod ids;
mod last_message;
mod message;
mod paging;
mod party;
mod person;
mod principal;
mod receipt;
mod revocation;
mod seq;
mod session;
mod session_change;
mod session_details;
mod signing_key;
mod socket;
mod statistics;
mod thumbnail;
mod ticket;
mod timestamp;
mod upload;

pub use agent::{Agent, AgentUpdate, DisplayName};
pub use attachment::{Attachment, ByteRange, Color, FileName, MediaMetadata, MediaType, StoredObject};
pub use availability::{AgentStatus, Availability, OFFLINE_AFTER};
pub use collection::{DatabaseInstance, Generation, Generations, NotOwner, OrphanMark, StoreOwner};
pub use epoch::Epoch;
pub use event::{EventChange, LiveEvent, SessionEvent, TypingEvent};
pub use fanout_credentials::{FanoutCredentials, FanoutKey};
pub use idempotency::{Fingerprint, FingerprintBuilder, Idempotency, IdempotencyKey};
pub use ids::{AgentId, AttachmentId, MessageId, SessionId, SocketId, UserId};
pub use last_message::{LastMessage, LatestActivity, Preview};
pub use message::{ChatMessage, Content, Delivery, DeliveryStatus, DraftAttachments, MessageDraft};
pub use paging::{
    MessageCursor, MessagePage, MessageQuery, PageLimit, PageNumber, PageOutcome, SessionKey, SessionPage,
    SessionPosition, SessionQuery, SessionSnapshot, SessionStatus, Visibility,
};
pub use party::Party;
pub use person::{AvatarUrl, KnownPeople, KnownPerson, Person, PersonClaims, PersonName};
pub use principal::{Principal, Role, TokenKeyDigest};
pub use receipt::{MAX_RECEIPT_MESSAGES, Receipt, ReceiptStatus};
pub use revocation::{AccessChange, AccessEnd, Revocation, RevocationVersion};
pub use seq::Seq;
pub use session::{
    AttemptedTransition, ChatSession, NewSession, OpeningDetails, Progress, SessionState, TransitionError,
};
pub use session_change::{ExpectedVersion, SessionAction, SessionChange, SessionUpdate};
pub use session_details::{DetailsUpdate, Priority, SessionDetails, Subject, Tags};
pub use signing_key::SigningKey;
pub use socket::{OpenSocket, SocketLimits};
pub use statistics::{Statistics, StatisticsDelta, WaitingSessions};
pub use thumbnail::{
    MAX_THUMBNAIL_PIXELS, MAX_THUMBNAIL_SIDE, MAX_THUMBNAIL_SOURCE_BYTES, Thumbnail, ThumbnailFormat, ThumbnailOutcome,
    ThumbnailSize,
};
pub use ticket::{MAX_TICKETS_OF_A_PERSON, TICKET_LIFETIME, Ticket, TicketDigest};
pub use timestamp::Timestamp;
pub use upload::{UnsentUpload, UploadQuota, UploadUsage};
