//! How often a socket calls the stores.

use std::time::Duration;

/// How long to wait after a failed call.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long to wait between two recordings of a watermark.
pub(super) const RECORD_GAP: Duration = Duration::from_secs(1);
