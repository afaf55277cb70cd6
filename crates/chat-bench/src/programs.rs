//! Where the programs under measurement are.

use std::env;
use std::path::{Path, PathBuf};

/// A release build's program, such as `chat-server` or `examples/hello`.
pub(crate) fn release(program: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = here.ancestors().nth(2).unwrap_or(here);
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    target.join("release").join(program)
}
