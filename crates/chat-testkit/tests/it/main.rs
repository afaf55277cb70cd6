//! The in-memory stores pass the suites that every adapter passes, and the suites find stores that are broken.

mod fakes;
mod memory;
mod mutants;
mod support;
