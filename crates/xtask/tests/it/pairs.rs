//! One concern has one file name in every layer: a use case, its handler, its test.

use std::collections::BTreeSet;

use crate::support::{assert_none, files};

const USE_CASES: &str = "crates/chat-domain/src/service";
const HANDLERS: &str = "crates/chat-http/src/handlers";
const TESTS: &str = "crates/chat-http/tests/it";

/// Use cases that no request asks for, and why.
const WITHOUT_HANDLER: &[(&str, &str)] = &[
    ("admit", "runs at the beginning of every request and has no path of its own"),
    ("check_attachments", "an operator asks for it on the command line"),
    ("collect_orphans", "the server starts it by the clock"),
    ("close_sockets", "the server calls it when it stops"),
    ("close_deactivated", "the server starts it by the clock"),
    ("find_people", "every response that shows people asks for them"),
    ("mark_delivered", "a socket's pong or `ack` asks for it"),
    ("mark_read_up_to", "a socket's `read` asks for it"),
    ("migrate_attachments", "an operator asks for it on the command line"),
    ("open_inbox", "a socket's `open_inbox` asks for it"),
    ("person_sockets", "what the use cases of people and of sockets share"),
    ("present_agents", "what opening inboxes, listing agents and reporting presence share"),
    ("refresh_revocations", "the server starts it by the clock"),
    ("report_presence", "the server starts it by the clock"),
    ("require_access", "runs at the beginning of every request and has no path of its own"),
    ("revocations", "what the use cases that end access and all others share"),
    ("sweep_revocations", "the server starts it by the clock"),
    ("store_file", "what sending a form and uploading share"),
    ("redeem_ticket", "comes before the handler of a socket that shows a ticket"),
];

/// Handlers that are not about chats, and why.
const WITHOUT_USE_CASE: &[(&str, &str)] = &[
    ("describe_service", "knows only addresses"),
    ("health", "asks the adapters how they are"),
    ("issue_download_ticket", "signs what the token says, as the issuer of tokens does, in chat-identity"),
];

/// The base names of the files in a directory, without `mod` and `main`.
fn names(directory: &str) -> BTreeSet<String> {
    files(directory, "rs")
        .iter()
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "mod" && name != "main")
        .collect()
}

fn is_listed(list: &[(&str, &str)], name: &str) -> bool {
    list.iter().any(|(listed, _)| *listed == name)
}

#[test]
fn every_use_case_has_a_handler_of_its_name() {
    let handlers = names(HANDLERS);
    let missing: Vec<String> = names(USE_CASES)
        .into_iter()
        .filter(|name| !handlers.contains(name) && !is_listed(WITHOUT_HANDLER, name))
        .map(|name| format!("{HANDLERS}/{name}.rs"))
        .collect();
    assert_none(&missing, "write the handler, or say in WITHOUT_HANDLER why the use case has none");
}

#[test]
fn every_handler_has_a_use_case_of_its_name() {
    let use_cases = names(USE_CASES);
    let missing: Vec<String> = names(HANDLERS)
        .into_iter()
        .filter(|name| !use_cases.contains(name) && !is_listed(WITHOUT_USE_CASE, name))
        .map(|name| format!("{USE_CASES}/{name}.rs"))
        .collect();
    assert_none(
        &missing,
        "write the use case, give both files the same name, or say in WITHOUT_USE_CASE why there is none",
    );
}

#[test]
fn every_handler_has_a_test_file_of_its_name() {
    let tests = names(TESTS);
    let missing: Vec<String> = names(HANDLERS)
        .into_iter()
        .filter(|name| !tests.contains(name))
        .map(|name| format!("{TESTS}/{name}.rs"))
        .collect();
    assert_none(&missing, "test the operation over HTTP in a file of its name");
}

#[test]
fn the_lists_of_exceptions_name_what_exists() {
    let (use_cases, handlers) = (names(USE_CASES), names(HANDLERS));
    let needless = WITHOUT_HANDLER.iter().filter(|(name, _)| !use_cases.contains(*name) || handlers.contains(*name));
    let strange = WITHOUT_USE_CASE.iter().filter(|(name, _)| !handlers.contains(*name) || use_cases.contains(*name));
    let problems: Vec<String> = needless.chain(strange).map(|(name, _)| (*name).to_owned()).collect();
    assert_none(&problems, "take it out of the list of exceptions in crates/xtask/tests/it/pairs.rs");
}
