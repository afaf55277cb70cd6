//! The rules that hold for the project as a whole: its layers, its manifests, its dependencies, its sources, its documents.
//!
//! A rule that only a reviewer knows is forgotten; each test here says in its failure what to do.
#![expect(clippy::panic, clippy::unwrap_used, reason = "tests")]

mod circles;
mod deployment;
mod docs;
mod domain;
mod layers;
mod manifests;
mod migrations;
mod names;
mod pairs;
mod supply_chain;
mod support;
mod tidy;
mod tokens;
mod words;
