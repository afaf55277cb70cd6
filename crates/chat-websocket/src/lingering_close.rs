//! The end of a stream that loses nothing that was written.
//!
//! A socket that is closed while bytes of the peer are unread sends a reset, and the peer's kernel then throws away what
//! its program has not read yet, the close frame among it. So the sending side is shut down first, and what still comes
//! is read and dropped until the peer has closed too (RFC 6455 §7.1.1).

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

/// Read at a time; small, because it is part of the caller's task.
const CHUNK: usize = 256;
/// Read at a time of a peer that may send more than [`LARGE_AFTER`]: the rest of an upload would be 100,000 small reads.
const LARGE_CHUNK: usize = 16 * 1024;
/// After how many bytes.
const LARGE_AFTER: u64 = 64 * 1024;

/// Shuts the sending side down, and reads until the peer has closed, or `most` bytes have come, or `limit` has passed.
///
/// # Errors
/// The stream broke, or the peer neither closed nor stopped in time.
pub async fn lingering_close<S>(io: &mut S, most: u64, limit: Duration) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    timeout(limit, async {
        io.shutdown().await?;
        let mut first = io.take(most.min(LARGE_AFTER));
        let mut chunk = [0; CHUNK];
        while first.read(&mut chunk).await? > 0 {}
        if first.limit() > 0 || most <= LARGE_AFTER {
            return Ok(());
        }
        let mut rest = first.into_inner().take(most - LARGE_AFTER);
        let mut chunk = vec![0; LARGE_CHUNK];
        while rest.read(&mut chunk).await? > 0 {}
        Ok(())
    })
    .await?
}
