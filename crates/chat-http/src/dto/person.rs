//! The access of people on the wire.

use chat_domain::error::{Input, Invalid};
use serde::Deserialize;
use utoipa::ToSchema;

/// The most characters a reason has.
const MAX_REASON_CHARS: usize = 500;

/// Why a person is blocked.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BlockPerson)]
pub(crate) struct BlockBody {
    /// For the server's log alone. At most 500 characters.
    #[schema(max_length = 500, example = "abusive messages")]
    reason: Option<String>,
}

impl BlockBody {
    /// The reason.
    pub(crate) fn parse(self) -> Input<Option<String>> {
        if self.reason.as_deref().is_some_and(|reason| reason.chars().count() > MAX_REASON_CHARS) {
            return Err(Invalid::new("reason", "must have at most 500 characters"));
        }
        Ok(self.reason)
    }
}
