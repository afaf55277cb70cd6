//! What a list shows of the newest message of a session.

use std::sync::Arc;

use unicode_segmentation::UnicodeSegmentation;

use super::{ChatMessage, MessageId, Party, Seq, Timestamp, UserId};

/// The beginning of a text on one line: at most 140 code points. Runs of white space are one space. A text that goes on
/// ends with "…", after whole grapheme clusters, so that no sign that a person sees is cut in two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview(Box<str>);

impl Preview {
    /// The most code points that a preview has, with the "…".
    pub const MAX_CHARS: usize = 140;

    /// The preview of a text. What it costs does not depend on how long the text is.
    pub fn of(text: &str) -> Self {
        if Self::is_its_own_preview(text.as_bytes()) {
            return Self(text.into());
        }
        let (mut line, mut chars, mut is_after_space) = (String::with_capacity(text.len().min(256)), 0, false);
        for sign in text.trim_start().chars().take(Self::LOOKED_AT) {
            if sign.is_whitespace() {
                is_after_space = true;
                continue;
            }
            if std::mem::take(&mut is_after_space) {
                line.push(' ');
                chars += 1;
            }
            line.push(sign);
            chars += 1;
            // One or two more than fit: then the boundary before the last of them is known.
            if chars > Self::MAX_CHARS {
                return Self::cut(&line);
            }
        }
        Self(line.into_boxed_str())
    }

    /// Whether a text is its own preview, as most are: short, of signs that are a byte each, with single spaces between.
    /// Such a text need not be taken apart.
    fn is_its_own_preview(text: &[u8]) -> bool {
        let is_space_at_an_end = text.first() == Some(&b' ') || text.last() == Some(&b' ');
        if text.is_empty() || text.len() > Self::MAX_CHARS || is_space_at_an_end {
            return false;
        }
        // All bytes are looked at whatever the first ones are, and without a branch: that is done many at a time.
        let are_plain = text.iter().fold(true, |plain, byte| plain & (b' '..=b'~').contains(byte));
        let space = |byte: &u8| u8::from(*byte == b' ');
        let pairs = text.iter().zip(text.iter().skip(1));
        are_plain && pairs.fold(0, |double, (byte, next)| double | (space(byte) & space(next))) == 0
    }

    /// The most code points of a message, so that long runs of white space are passed over and no more is looked at.
    const LOOKED_AT: usize = super::Content::MAX_CHARS;

    /// Cuts a line that is longer than a preview.
    fn cut(line: &str) -> Self {
        let (mut kept, mut chars) = (0, 0);
        for (start, cluster) in line.grapheme_indices(true) {
            chars += cluster.chars().count();
            if chars >= Self::MAX_CHARS {
                break;
            }
            kept = start + cluster.len();
        }
        let kept = line.get(..kept).unwrap_or_default().trim_end();
        Self(format!("{kept}…").into_boxed_str())
    }

    /// Takes a preview that was made before it was stored.
    pub fn from_store(text: &str) -> Self {
        Self(text.into())
    }

    /// The text; empty for a message of files alone.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The newest message of a session, as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastMessage {
    /// Which message of the session it is, from 1. If the session has more messages than that, a node of an older
    /// version has added some, and another message is the newest.
    pub number: u64,
    /// Its name.
    pub id: MessageId,
    /// Its position.
    pub seq: Seq,
    /// The side that sent it.
    pub sender: Party,
    /// The person who wrote it.
    pub author: UserId,
    /// How its text begins.
    pub preview: Preview,
    /// When it was sent.
    pub at: Timestamp,
    /// How many files it has.
    pub attachment_count: u64,
}

impl LastMessage {
    /// The message as a list shows it, which is the session's `number`th.
    pub fn of(message: &ChatMessage, number: u64) -> Self {
        Self {
            number,
            id: message.id,
            seq: message.seq,
            sender: message.sender,
            author: message.author.clone(),
            preview: Preview::of(message.content.as_str()),
            at: message.sent_at,
            attachment_count: message.attachments.len() as u64,
        }
    }
}

/// What happened last in a session, as an inbox shows it. An event shows the session without it: the log of events does
/// not keep it, and there it is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatestActivity {
    /// When something happened that brings the session to people's attention: it was opened, assigned or transferred, or a
    /// message was sent. A receipt, an update or the end is nothing of that kind.
    pub activity_at: Timestamp,
    /// The newest message.
    pub message: Option<Arc<LastMessage>>,
}
