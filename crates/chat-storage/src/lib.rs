//! chat-storage
