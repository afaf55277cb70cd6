//! Statements and conditions that diesel's query builder cannot express. A statement of the write path takes any number
//! of rows as arrays, so that a batch costs as many round trips as a single write, and has a fixed text, so that it is
//! prepared once per connection.

mod add_to_counts;
mod add_to_statistics;
mod advance_sessions;
mod columns;
mod find_messages_by_keys;
mod find_people;
mod insert_events;
mod note_presence;
mod put_people;
mod put_tickets;
mod session_page_condition;
mod take_tickets;
mod update_states;

pub(crate) use add_to_counts::AddToCounts;
pub(crate) use add_to_statistics::AddToStatistics;
pub(crate) use advance_sessions::AdvanceSessions;
pub(crate) use find_messages_by_keys::FindMessagesByKeys;
pub(crate) use find_people::FindPeople;
pub(crate) use insert_events::InsertEvents;
pub(crate) use note_presence::NotePresence;
pub(crate) use put_people::PutPeople;
pub(crate) use put_tickets::PutTickets;
pub(crate) use session_page_condition::SessionPageCondition;
pub(crate) use take_tickets::TakeTickets;
pub(crate) use update_states::UpdateStates;

/// Makes a hand-written query a statement that diesel prepares once: it is known by its type, and its text never differs.
macro_rules! prepared {
    ($statement:ident) => {
        impl diesel::query_builder::QueryId for $statement {
            type QueryId = $statement;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl diesel::RunQueryDsl<diesel::PgConnection> for $statement {}
    };
    ($statement:ident<'_>) => {
        impl diesel::query_builder::QueryId for $statement<'_> {
            type QueryId = $statement<'static>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl diesel::RunQueryDsl<diesel::PgConnection> for $statement<'_> {}
    };
}
use prepared;
