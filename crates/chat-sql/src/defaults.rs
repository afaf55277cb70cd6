//! Defaults that hold for every store on an SQL database. An operator sets one number for whichever database is used.

/// How many reads are with the reading connections at most, running or in line.
pub const READ_QUEUE: usize = 256;

/// How many writes wait for a writer at most.
pub const WRITE_QUEUE: usize = 4096;

/// How many writes are committed together at most.
pub const WRITE_BATCH: usize = 512;
