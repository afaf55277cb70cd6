//! A column that holds what this program never wrote.

use chat_domain::ChatError;

/// A value that cannot be read back. It shows a fault of the program or a change by hand, never a fault of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt {
    /// The table and the column, such as `chat_messages.seq`.
    pub column: &'static str,
    /// What is wrong with it, in words that follow the name of the column. The value itself is not told: it may be
    /// what people wrote.
    pub problem: &'static str,
}

impl From<Corrupt> for ChatError {
    fn from(Corrupt { column, problem }: Corrupt) -> Self {
        Self::internal(format!("the column {column} {problem}"))
    }
}
