//! Names of types: a name stands once in the workspace (docs/glossary.md).
//!
//! A reader who meets `Settings` in a search, a log or an error of the compiler must not have to find out whose it is. The
//! stores for PostgreSQL and SQLite have the same parts, and names of several words for them.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{assert_none, files, read, relative};

/// The stores that have the same parts.
const TWINS: [&str; 2] = ["crates/chat-postgres/", "crates/chat-sqlite/"];

/// Other names that stand in several files. The list only shrinks: take a name out when it stands once.
const SEVERAL: &[&str] = &[
    // One in each adapter or tool, each under the name of its crate, and the same idea.
    "Cli", "Database", "Failure",
];

const ITEMS: &[&str] = &["struct", "enum", "trait", "type", "union"];

/// The types of a file that are not in one of its modules, which are tests.
fn types(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let item = match line.strip_prefix("pub") {
            Some(rest) if rest.starts_with("(in ") => rest.split_once(") ")?.1,
            Some(rest) => rest.split_once(' ')?.1,
            None => line,
        };
        let (keyword, rest) = item.split_once(' ')?;
        let end = rest.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(rest.len());
        ITEMS.contains(&keyword).then(|| rest.get(..end)).flatten()
    })
}

/// Whether a name has one word. That of an abbreviation, such as `Cli`, is one too.
fn is_short(name: &str) -> bool {
    name.chars().skip(1).all(char::is_lowercase)
}

/// Whether these files are one of each store, and the name is no short one.
fn are_twins(name: &str, files: &BTreeSet<String>) -> bool {
    !is_short(name)
        && files.len() == TWINS.len()
        && TWINS.iter().all(|twin| files.iter().filter(|file| file.starts_with(twin)).count() == 1)
}

/// The files of each name; each file counts once, since it may have one for each platform.
fn names() -> BTreeMap<String, BTreeSet<String>> {
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in files("crates", "rs") {
        let file = relative(&path);
        if !file.contains("/src/") || file.contains("/tests/") || file.ends_with("tests.rs") {
            continue;
        }
        for name in types(&read(&path)) {
            names.entry(name.to_owned()).or_default().insert(file.clone());
        }
    }
    names
}

#[test]
fn a_type_name_stands_once_in_the_workspace() {
    let is_allowed = |name: &str, files: &BTreeSet<String>| SEVERAL.contains(&name) || are_twins(name, files);
    let several = names().into_iter().filter(|(name, files)| files.len() > 1 && !is_allowed(name, files));
    let problems: Vec<String> = several.map(|(name, files)| format!("{name} in {files:?}")).collect();
    assert_none(&problems, "give each a name that carries its owner, such as `PgSettings`");
}

#[test]
fn the_list_of_names_that_stand_several_times_has_no_other() {
    let names = names();
    let is_needless = |name: &&&str| names.get(**name).is_none_or(|files| files.len() < 2);
    let problems: Vec<String> = SEVERAL.iter().filter(is_needless).map(|name| (*name).to_owned()).collect();
    assert_none(&problems, "take it out of the list in crates/xtask/tests/it/names.rs");
}

#[test]
fn types_are_found_however_visible_they_are() {
    let text = "pub struct One(u8);\npub(crate) enum Two {\nstruct Three<T> {\n    struct Inside;\nfn type_of() {}\n\
                pub(in crate::a) trait Four: Send {\ntype Five = u8;\n// struct Six\n";
    assert_eq!(types(text).collect::<Vec<_>>(), ["One", "Two", "Three", "Four", "Five"]);
    assert!(is_short("Settings") && is_short("Cli") && !is_short("PgSettings"));
}

/// Whether a line begins a function whose name hides its subject: `what_was_saved_is_not_made_again` is about thumbnails.
fn hides_its_subject(line: &str) -> bool {
    // `pub(in crate::a)` has a space in it.
    let is_qualifier = |word: &str| {
        let is_visibility = word.starts_with("pub") || (word.ends_with(')') && !word.starts_with('"'));
        is_visibility || matches!(word, "const" | "async" | "unsafe")
    };
    let Some((before, name)) = line.split_once("fn what") else { return false };
    before.split_whitespace().all(is_qualifier) && name.starts_with(['_', '(', '<'])
}

#[test]
fn no_function_begins_with_what() {
    let mut problems = Vec::new();
    for path in files("crates", "rs") {
        let text = read(&path);
        let found = text.lines().filter(|line| hides_its_subject(line));
        problems.extend(found.map(|line| format!("{}: {}", relative(&path), line.trim())));
    }
    assert_none(&problems, "name the subject");
}

#[test]
fn functions_are_found_whatever_stands_before_them() {
    for line in [
        "fn what() {}",
        "    async fn what_is_left() {",
        "pub(crate) fn what_is_left<T>(",
        "    pub(in crate::a) const fn what<T>() {",
    ] {
        assert!(hides_its_subject(line), "{line}");
    }
    for line in ["fn whatever() {}", "// fn what_is_left", "let text = \"fn what_is_left\";", "fn is_what()"] {
        assert!(!hides_its_subject(line), "{line}");
    }
}

#[test]
fn only_the_stores_have_a_name_twice() {
    let files = |crates: &[&str]| crates.iter().map(|name| format!("crates/{name}/src/rows.rs")).collect();
    let (twins, others) = (files(&["chat-postgres", "chat-sqlite"]), files(&["chat-postgres", "chat-http"]));
    assert!(are_twins("SessionRow", &twins) && !are_twins("Row", &twins) && !are_twins("SessionRow", &others));
    assert!(!are_twins("SessionRow", &files(&["chat-postgres", "chat-sqlite", "chat-http"])));
}
