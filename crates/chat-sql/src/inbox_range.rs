//! The ranges of an inbox as conditions on `chat_sessions`, which all SQL databases understand and have the same indexes
//! for: see the steps `000031_inbox_waiting` to `000036_inbox_settled` of `migrations`. The texts must be those of the
//! indexes, or the database does not see that they fit.

use chat_domain::inbox::InboxRange;
use chat_domain::model::Priority;

/// What is asked of the rows of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeConditions<'a> {
    /// Conditions without values.
    pub fixed: &'static str,
    /// A column and the person that it holds.
    pub holder: Option<(&'static str, &'a str)>,
    /// What orders the range before `id`, both descending. A row that a node of an older version has written has another
    /// moment in place of a column that this node does not know.
    pub at: &'static str,
    /// The same where no older node writes: the column alone, which SQLite can seek.
    pub column: &'static str,
}

const ACTIVE: &str = "status = 'active'";
const CLOSED: &str = "status = 'closed'";

/// The conditions of a range.
pub fn range_conditions(range: &InboxRange) -> RangeConditions<'_> {
    let conditions = |fixed, holder, at| RangeConditions { fixed, holder, at, column: at };
    match range {
        InboxRange::ActiveOfAgent(me) | InboxRange::AssignedTo(me) => {
            conditions(ACTIVE, Some(("agent_id", me.as_str())), "started_at")
        }
        InboxRange::ActiveOfOwner(me) => conditions(ACTIVE, Some(("user_id", me.as_str())), "started_at"),
        InboxRange::Waiting(priority) => RangeConditions {
            column: "queue_place",
            ..conditions(queue(*priority), None, "(coalesce(queue_place, -started_at))")
        },
        InboxRange::Assigned => conditions("agent_id IS NOT NULL AND status = 'active'", None, "started_at"),
        InboxRange::Closed => conditions(CLOSED, None, "ended_at"),
        InboxRange::ClosedUnder(me) => {
            conditions("status = 'closed' AND agent_id IS NOT NULL", Some(("agent_id", me.as_str())), "ended_at")
        }
        InboxRange::ClosedOf(me) => conditions(CLOSED, Some(("user_id", me.as_str())), "ended_at"),
        InboxRange::SettledOf(me) => RangeConditions {
            column: "settled_at",
            ..conditions(CLOSED, Some(("user_id", me.as_str())), "(coalesce(settled_at, ended_at))")
        },
    }
}

/// The queue of a priority. A priority that only a newer version knows is shown as the default, and stands with it.
fn queue(priority: Priority) -> &'static str {
    match priority {
        Priority::High => {
            "agent_id IS NULL AND status = 'active' \
             AND (CASE priority WHEN 'high' THEN 2 WHEN 'low' THEN 0 ELSE 1 END) = 2"
        }
        Priority::Medium => {
            "agent_id IS NULL AND status = 'active' \
             AND (CASE priority WHEN 'high' THEN 2 WHEN 'low' THEN 0 ELSE 1 END) = 1"
        }
        Priority::Low => {
            "agent_id IS NULL AND status = 'active' \
             AND (CASE priority WHEN 'high' THEN 2 WHEN 'low' THEN 0 ELSE 1 END) = 0"
        }
    }
}
