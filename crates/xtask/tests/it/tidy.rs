//! How sources are written, where the compiler and clippy do not look.

use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenTree};

use crate::support::{assert_none, files, read, relative, root};
use crate::tokens::{attributes, group, is_ident, is_punct, macro_calls, method_calls, parse, without_tests};

/// Lines that a file should not pass, and lines that it must not pass.
const SOFT_LINES: usize = 400;
const HARD_LINES: usize = 600;
/// At most one file in this many may be longer than the soft limit.
const SOFT_SHARE: usize = 20;

/// Crates that are not part of the server: their panics end a test or a developer's task.
const NOT_SHIPPED: &[&str] = &["crates/chat-bench/", "crates/chat-testkit/", "crates/test-servers/", "crates/xtask/"];

fn sources() -> Vec<PathBuf> {
    files("crates", "rs")
}

fn shipped(path: &Path) -> bool {
    let path = relative(path);
    path.split('/').nth(2) == Some("src")
        && !NOT_SHIPPED.iter().any(|prefix| path.starts_with(prefix))
        && !is_module_of_tests(&path)
}

/// Whether this is a `tests.rs`, or below a folder `tests`, that the parent module has for tests only.
fn is_module_of_tests(path: &str) -> bool {
    let folder = || path.split_once("/src/tests/").map(|(parent, _)| format!("{parent}/src"));
    let Some(parent) = path.strip_suffix("/tests.rs").map(str::to_owned).or_else(folder) else { return false };
    let candidates = [format!("{parent}.rs"), format!("{parent}/mod.rs"), format!("{parent}/lib.rs")];
    candidates
        .iter()
        .map(|candidate| root().join(candidate))
        .any(|candidate| candidate.is_file() && read(&candidate).contains("#[cfg(test)]\nmod tests;"))
}

/// One line per place, as editors understand it.
fn places(path: &Path, lines: Vec<usize>, what: &str) -> Vec<String> {
    lines.into_iter().map(|line| format!("{}:{line} {what}", relative(path))).collect()
}

#[test]
fn every_file_opens_with_what_lives_in_it() {
    let problems: Vec<String> = sources()
        .into_iter()
        .filter(|path| !read(path).starts_with("//!"))
        .filter(|path| !generated(path))
        .map(|path| relative(&path))
        .collect();
    assert_none(&problems, "begin the file with `//!` and a sentence: what lives here, and what does not");
}

/// What diesel prints, and build scripts of a few lines.
fn generated(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name == "schema.rs" || (name == "build.rs" && read(path).lines().count() <= 10)
}

#[test]
fn no_file_is_too_long_to_read() {
    let problems: Vec<String> = sources()
        .into_iter()
        .map(|path| (read(&path).lines().count(), path))
        .filter(|(lines, _)| *lines > HARD_LINES)
        .map(|(lines, path)| format!("{} has {lines} lines", relative(&path)))
        .collect();
    assert_none(&problems, "split it by concern; the hard limit is 600 lines");
}

#[test]
fn few_files_are_long() {
    let sources = sources();
    let long: Vec<String> = sources
        .iter()
        .map(|path| (read(path).lines().count(), path))
        .filter(|(lines, _)| *lines > SOFT_LINES)
        .map(|(lines, path)| format!("{} has {lines} lines", relative(path)))
        .collect();
    if long.len() * SOFT_SHARE > sources.len() {
        assert_none(&long, "more than one file in twenty has over 400 lines: split some of these by concern");
    }
}

#[test]
fn nothing_is_left_for_later() {
    // Put together, so that this file does not name what it looks for.
    let notes = [concat!("FIX", "ME"), concat!("TO", "DO"), concat!("XX", "X")];
    let mut problems = Vec::new();
    for path in sources() {
        let tokens = parse(&path);
        for name in ["todo", "unimplemented", "dbg"] {
            problems.extend(places(&path, macro_calls(&tokens, name), &format!("calls {name}!")));
        }
        for (index, line) in read(&path).lines().enumerate() {
            // A comment's marker stands in front of the note, as a word of its own.
            let comment = line.split_once("//").map_or("", |(_, comment)| comment);
            let words: Vec<&str> = comment.split(|sign: char| !sign.is_alphanumeric()).collect();
            if notes.iter().any(|note| words.contains(note)) {
                problems.push(format!("{}:{} is a note to do something later", relative(&path), index + 1));
            }
        }
    }
    assert_none(&problems, "do it now, or write down in the tracker what is missing and why");
}

#[test]
fn exceptions_from_lints_are_expected_and_not_allowed() {
    let mut problems = Vec::new();
    for path in sources() {
        for (content, line) in attributes(&parse(&path)) {
            if allows(&content) {
                problems.push(format!("{}:{line} allows a lint", relative(&path)));
            }
        }
    }
    assert_none(
        &problems,
        "write `#[expect(lint, reason = \"…\")]`: it fails when the exception is no longer needed, and says why it was",
    );
}

/// Whether an attribute is `allow(…)`, or has one inside, as `cfg_attr(test, allow(…))` does.
fn allows(content: &[TokenTree]) -> bool {
    content.iter().enumerate().any(|(index, token)| match token {
        TokenTree::Group(inner) => allows(&inner.stream().into_iter().collect::<Vec<_>>()),
        _ => is_ident(Some(token), "allow") && group(content.get(index + 1), Delimiter::Parenthesis).is_some(),
    })
}

#[test]
fn an_ignored_test_says_what_it_needs() {
    let mut problems = Vec::new();
    for path in sources() {
        for (content, line) in attributes(&parse(&path)) {
            if !is_ident(content.first(), "ignore") {
                continue;
            }
            let reason = content.get(2).filter(|_| is_punct(content.get(1), '=')).map(ToString::to_string);
            if !reason.is_some_and(|reason| names_need_and_provider(&reason)) {
                problems.push(format!("{}:{line} ignores a test without `needs …: cargo xtask test`", relative(&path)));
            }
        }
    }
    assert_none(
        &problems,
        "write `#[ignore = \"needs Postgres: cargo xtask test\"]`, and let `cargo xtask test` provide it",
    );
}

/// Whether a literal says what the test needs and what provides it.
fn names_need_and_provider(literal: &str) -> bool {
    let need = literal.strip_prefix("\"needs ").and_then(|rest| rest.strip_suffix(": cargo xtask test\""));
    need.is_some_and(|need| !need.trim().is_empty())
}

#[test]
fn a_reason_to_ignore_a_test_names_the_need_and_the_provider() {
    assert!(names_need_and_provider("\"needs Postgres: cargo xtask test\""));
    for reason in ["\"slow\"", "\"needs Postgres\"", "\"needs : cargo xtask test\"", "\"Postgres: cargo xtask test\""] {
        assert!(!names_need_and_provider(reason), "{reason}");
    }
}

#[test]
fn shipped_code_does_not_panic_on_what_it_did_not_expect() {
    let mut problems = Vec::new();
    for path in sources().into_iter().filter(|path| shipped(path)) {
        let tokens = without_tests(parse(&path));
        for name in ["unwrap", "expect", "unwrap_err", "expect_err"] {
            problems.extend(places(&path, method_calls(&tokens, name), &format!("calls .{name}()")));
        }
        for name in ["panic", "unreachable"] {
            problems.extend(places(&path, macro_calls(&tokens, name), &format!("calls {name}!")));
        }
    }
    assert_none(&problems, "return an error, or make the state that cannot be impossible to write down");
}
