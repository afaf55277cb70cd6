//! Receipts for everything up to a position: among which messages to look, and what follows from those that are found.
//! Not here: the statements that look.

use chat_domain::model::{
    ChatSession, MAX_RECEIPT_MESSAGES, MessageId, Party, Receipt, ReceiptStatus, Seq, Timestamp, UserId,
};

use crate::Corrupt;
use crate::values::{seq_from_db, to_db};

/// A receipt for everything up to a position, before it is known which messages it names.
#[derive(Clone, Debug)]
pub struct UpTo {
    session: ChatSession,
    reader: UserId,
    party: Party,
    status: ReceiptStatus,
    /// The position above which it looks.
    after: Seq,
    /// The last position that it looks at.
    until: Seq,
}

/// What follows from the messages that were found.
#[derive(Clone, Debug, PartialEq)]
pub enum UpToOutcome {
    /// The session after the receipt.
    Receipt(ChatSession, Receipt),
    /// There is nothing to tell. The session is to be kept when its mark has moved.
    Nothing(Option<ChatSession>),
}

impl UpTo {
    /// How many positions are looked through in vain before the mark that says where to start is moved past them. What a
    /// look costs is bounded by it, and most looks need not write.
    const LOOKED_THROUGH: u64 = MAX_RECEIPT_MESSAGES as u64;

    /// `reader`, who acts for a side of the session, has read everything up to a position. `None` when nothing can be
    /// unread there.
    pub fn read(session: ChatSession, reader: &UserId, up_to: Seq) -> Option<Self> {
        let party = session.party_of(reader);
        let after = session.read_to(party);
        Self::new(session, (reader, party), ReceiptStatus::Read, after, up_to)
    }

    /// Everything up to a position has reached `receiver`. `None` when nothing can be on its way there, and for an
    /// onlooker.
    pub fn delivered(session: ChatSession, receiver: &UserId, up_to: Seq) -> Option<Self> {
        let party = session.participant(receiver)?;
        let after = session.delivered_to(party);
        Self::new(session, (receiver, party), ReceiptStatus::Delivered, after, up_to)
    }

    fn new(
        session: ChatSession,
        (reader, party): (&UserId, Party),
        status: ReceiptStatus,
        after: Seq,
        up_to: Seq,
    ) -> Option<Self> {
        // Nobody has received or read what has not happened yet.
        let until = up_to.min(session.progress.last_seq);
        // What was read has arrived too.
        if until <= after || session.unread_by(party) == 0 {
            return None;
        }
        Some(Self { session, reader: reader.clone(), party, status, after, until })
    }

    /// The side whose messages are concerned.
    pub fn sender(&self) -> Party {
        self.party.other()
    }

    /// The messages are above this position, as its column holds it.
    pub fn after(&self) -> i64 {
        to_db(self.after.get())
    }

    /// The messages are at most at this position, as its column holds it.
    pub fn up_to(&self) -> i64 {
        to_db(self.until.get())
    }

    /// What follows when `found` are the oldest `MAX_RECEIPT_MESSAGES` messages that have not come so far yet, oldest
    /// first, each with its position. The time of the receipt is `last_event_at` of the session after it.
    ///
    /// # Errors
    /// A position is none.
    pub fn found(
        self,
        found: impl IntoIterator<Item = (i64, MessageId)>,
        now: Timestamp,
    ) -> Result<UpToOutcome, Corrupt> {
        let (seqs, messages): (Vec<i64>, Vec<MessageId>) = found.into_iter().unzip();
        let Self { session, reader, party, status, after, until } = self;
        let Some(newest) = seqs.last() else {
            let is_far = until.get().saturating_sub(after.get()) >= Self::LOOKED_THROUGH;
            return Ok(UpToOutcome::Nothing(is_far.then(|| match status {
                ReceiptStatus::Delivered => session.skip_delivered(party, until),
                ReceiptStatus::Read => session.skip_read(party, until),
            })));
        };
        let newest = seq_from_db("chat_messages.seq", *newest)?;
        let is_all = messages.len() < MAX_RECEIPT_MESSAGES;
        let mark = if is_all { until } else { newest };
        let session = match status {
            ReceiptStatus::Delivered => session.record_delivery(party, mark, now),
            ReceiptStatus::Read => {
                let read = u64::try_from(messages.len()).unwrap_or(u64::MAX);
                session.record_read_up_to(party, read, mark, now)
            }
        };
        Ok(UpToOutcome::Receipt(session, Receipt { reader, status, up_to: newest, messages }))
    }
}

#[cfg(test)]
mod tests {
    use chat_domain::model::AgentId;
    use chat_testkit::fixtures::{alice, at, bob, message_id, new_session, root};

    use super::*;

    /// A session that Bob holds, in which Alice sent `messages` messages, at the positions from 3 on.
    fn session(messages: u64) -> ChatSession {
        let mut session = ChatSession::open(new_session(1)).assign(AgentId::from(&bob().id), at(1)).unwrap();
        for _ in 0..messages {
            session = session.record_message(Party::User, at(1)).unwrap().0;
        }
        session
    }

    fn found(seqs: std::ops::RangeInclusive<u64>) -> Vec<(i64, MessageId)> {
        seqs.map(|seq| (to_db(seq), message_id(seq))).collect()
    }

    #[test]
    fn one_looks_above_what_was_read_and_not_beyond_the_end() {
        let wanted = UpTo::read(session(5), &bob().id, Seq::new(4)).unwrap();
        assert_eq!((wanted.after(), wanted.up_to(), wanted.sender()), (0, 4, Party::User));
        let UpToOutcome::Receipt(session, receipt) = wanted.found(found(3..=4), at(2)).unwrap() else {
            panic!("a receipt")
        };
        assert_eq!((receipt.up_to, receipt.status), (Seq::new(4), ReceiptStatus::Read));
        assert_eq!((session.progress.last_seq, session.progress.unread_by_support), (Seq::new(8), 3));
        let wanted = UpTo::read(session.clone(), &bob().id, Seq::new(u64::MAX)).unwrap();
        assert_eq!((wanted.after(), wanted.up_to()), (4, 8));
        assert!(UpTo::read(session.clone(), &bob().id, Seq::new(4)).is_none(), "that was read");
        let wanted = UpTo::delivered(session, &bob().id, Seq::new(5)).unwrap();
        assert_eq!((wanted.after(), wanted.up_to()), (4, 5), "what was read has arrived");
    }

    #[test]
    fn nobody_looks_where_nothing_is_unread() {
        assert!(UpTo::read(session(0), &bob().id, Seq::new(2)).is_none());
        let read = session(5).record_read(Party::Support, 5, at(2));
        assert!(UpTo::read(read.clone(), &bob().id, Seq::new(9)).is_none());
        assert!(UpTo::delivered(read, &bob().id, Seq::new(9)).is_none());
        assert!(UpTo::read(session(5), &alice().id, Seq::new(9)).is_none(), "they are her own");
        assert!(UpTo::delivered(session(5), &root().id, Seq::new(9)).is_none(), "an onlooker");
    }

    #[test]
    fn after_a_full_receipt_one_goes_on_where_it_ended() {
        let full = MAX_RECEIPT_MESSAGES as u64;
        for wanted in [UpTo::read, UpTo::delivered] {
            let wanted = wanted(session(full + 50), &bob().id, Seq::new(u64::MAX)).unwrap();
            let UpToOutcome::Receipt(session, receipt) = wanted.found(found(3..=full + 2), at(2)).unwrap() else {
                panic!("a receipt")
            };
            assert_eq!(receipt.up_to, Seq::new(full + 2));
            assert_eq!(session.delivered_to(Party::Support), receipt.up_to);
        }
    }

    #[test]
    fn a_long_look_in_vain_is_not_repeated_and_a_short_one_is_not_written_down() {
        let (far, near) = (UpTo::LOOKED_THROUGH, UpTo::LOOKED_THROUGH - 1);
        for wanted in [UpTo::read, UpTo::delivered] {
            let nothing = wanted(session(2_000), &bob().id, Seq::new(near)).unwrap().found([], at(2)).unwrap();
            assert_eq!(nothing, UpToOutcome::Nothing(None));
            let nothing = wanted(session(2_000), &bob().id, Seq::new(far)).unwrap().found([], at(2)).unwrap();
            let UpToOutcome::Nothing(Some(after)) = nothing else { panic!("a session whose mark has moved") };
            assert_eq!(after.progress.last_seq, session(2_000).progress.last_seq, "that is no change");
            assert_eq!(wanted(after, &bob().id, Seq::new(far + 1)).unwrap().after(), to_db(far));
        }
    }
}
