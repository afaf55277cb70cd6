//! chat-realtime
