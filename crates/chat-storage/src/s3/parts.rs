//! The bytes of an upload on their way into parts.

use std::mem;

use bytes::Bytes;
use chat_domain::error::Invalid;
use chat_domain::model::MediaType;

use crate::excerpt::Excerpt;
use crate::intake::{FIELD, Intake, UploadFacts};

/// What a service takes at least of every part but the last.
const PART_BYTES: usize = 5 * 1024 * 1024;
/// How many parts a service takes.
const MOST_PARTS: usize = 10_000;
/// How many bytes are gathered before they are hashed.
const BLOCK_BYTES: usize = 32 * 1024;
/// How much of the beginning is kept for what looks at the whole file in the end.
const HEAD_BYTES: usize = 1024 * 1024;

/// An upload that is being received: what was seen of it, and the part that is not sent yet.
pub(super) struct IncomingParts {
    pub(super) intake: Intake,
    /// The end of the part, which has not been hashed.
    open: Vec<u8>,
    part: Vec<Bytes>,
    part_bytes: usize,
    parts: usize,
    head: Vec<Bytes>,
    /// The part before, which may still be on its way: the end of a file is never shorter than a part.
    before: Vec<Bytes>,
}

/// A part that is complete.
pub(super) struct CompletePart {
    pub(super) blocks: Vec<Bytes>,
    pub(super) bytes: u64,
}

impl IncomingParts {
    pub(super) fn new(max_bytes: u64) -> Self {
        Self {
            intake: Intake::new(max_bytes),
            open: Vec::new(),
            part: Vec::new(),
            part_bytes: 0,
            parts: 0,
            head: Vec::new(),
            before: Vec::new(),
        }
    }

    /// Takes as much of `bytes` as fits into the open block, and returns the rest.
    pub(super) fn fill<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let room = BLOCK_BYTES.saturating_sub(self.open.len());
        let (taken, rest) = bytes.split_at(room.min(bytes.len()));
        if self.open.capacity() == 0 {
            // Grown step by step, it would end with room for twice as much.
            self.open.reserve_exact(BLOCK_BYTES);
        }
        self.open.extend_from_slice(taken);
        rest
    }

    pub(super) fn block_is_full(&self) -> bool {
        self.open.len() >= BLOCK_BYTES
    }

    pub(super) fn part_is_full(&self) -> bool {
        self.part_bytes >= PART_BYTES
    }

    /// Hashes the open block and adds it to the part. Takes long enough to be done off the async threads.
    pub(super) fn seal_block(mut self) -> Self {
        let block = Bytes::from(mem::take(&mut self.open));
        if !block.is_empty() {
            self.intake.digest(&block);
            self.part_bytes += block.len();
            self.part.push(block);
        }
        self
    }

    /// The part that is complete, of an upload in several parts.
    ///
    /// # Errors
    /// There are more parts than a service takes.
    pub(super) fn take_part(&mut self) -> Result<CompletePart, Invalid> {
        self.parts += 1;
        if self.parts > MOST_PARTS {
            return Err(Invalid::new(FIELD, "must not be larger than this server can store"));
        }
        let blocks = mem::take(&mut self.part);
        if self.head.is_empty() {
            self.head = blocks.iter().take(HEAD_BYTES / BLOCK_BYTES).cloned().collect();
        }
        self.before.clone_from(&blocks);
        let bytes = mem::take(&mut self.part_bytes);
        Ok(CompletePart { blocks, bytes: u64::try_from(bytes).unwrap_or(u64::MAX) })
    }

    /// Whether a part was taken: the upload is one in several parts.
    pub(super) fn has_parts(&self) -> bool {
        self.parts > 0
    }

    /// What is known of the file once all of it was received, and the part that is not taken yet.
    ///
    /// # Errors
    /// There were no bytes at all.
    pub(super) fn finish(self, claimed: Option<&MediaType>) -> Result<(UploadFacts, Excerpt, CompletePart), Invalid> {
        let facts = self.intake.finish(claimed)?;
        let tail = self.before.iter().chain(&self.part).cloned().collect();
        let excerpt = Excerpt::new(facts.size, self.head, tail);
        let bytes = u64::try_from(self.part_bytes).unwrap_or(u64::MAX);
        Ok((facts, excerpt, CompletePart { blocks: self.part, bytes }))
    }
}
