//! One task per file: its options, and the steps it consists of.

pub(crate) mod asyncapi;
pub(crate) mod autobahn;
pub(crate) mod bench;
pub(crate) mod docs;
pub(crate) mod lint;
pub(crate) mod test;
