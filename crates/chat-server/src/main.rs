//! `chat-server`: a support-chat backend in one binary.
//!
//! This crate decides nothing about chats. It reads the configuration (`config`), puts adapters under the domain's
//! use cases (`wire`), and offers commands (`cli`).

mod adapters;
mod admin;
mod background;
mod backup;
mod binding;
mod cli;
mod collecting;
mod config;
mod data_dir;
mod descriptors;
mod development;
mod development_secret;
mod doctor;
mod exclusive;
mod maintenance;
mod pages;
mod private_file;
mod shutdown;
mod system;
mod telemetry;
mod tokens;
mod wire;

use std::env;
use std::io;
use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Requests allocate many small things on one thread and free them on another, which the C library's allocator is slow
/// at; docs/benchmarks.md has the profile.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    match cli::run(env::args_os(), env::vars_os().map(|(name, _)| name), &mut io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => cli::report(&error),
    }
}
