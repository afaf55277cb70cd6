//! The words of the project: docs/glossary.md says what each thing is called, and some words stand nowhere.
//!
//! The words here are signs that a sentence lacks its noun, or that a plain word exists. A sentence without
//! its noun says neither which process nor which person it is about.

use crate::support::{assert_none, files, read, relative, root};

/// The words and phrases that stand nowhere, and what to write instead. Together, so that this file does not have them.
const AVOIDED: &[(&str, &str)] = &[
    (concat!("who", "ever"), "the noun: the client, the process that, the caller"),
    (concat!("no", "body"), "the noun in the negative: no client, no node, no caller"),
    (concat!("some", "body"), "the noun: a caller, a client, another process"),
    (concat!("a", "new"), "`again`"),
    (concat!("is to", "ld"), "`receives`, `is informed of`, `is reported`"),
    (concat!("me", "nd"), "`fix` or `repair`"),
    (concat!("me", "nds"), "`fixes` or `repairs`"),
    (concat!("me", "nded"), "`fixed` or `repaired`"),
    (concat!("gives o", "ut"), "`returns` or `issues`"),
    (concat!("for e", "ver"), "`without end`; a deadlock is a `deadlock`"),
];

/// Lines that have such a word for a reason: the file, a part of the line, and the reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// The files that a person writes or reads. What `docs/reference` has comes from the sources.
const EXTENSIONS: &[&str] =
    &["conf", "css", "html", "js", "json", "md", "mjs", "py", "rs", "service", "sh", "sql", "toml", "yaml", "yml"];
const FURTHER_FILES: &[&str] = &[".cargo/config.toml", ".ci/run", "justfile"];

/// A word in lower case with the line it stands in, and whether nothing but space or the marker of a comment is between it
/// and the word before.
struct Word {
    text: String,
    line: usize,
    follows: bool,
}

/// The words of a text. `snake_case` and `CamelCase` are several words; a comment that goes on in the next line goes on.
fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut open = false;
        let mut follows = true;
        let mut before = ' ';
        for letter in line.chars() {
            if letter.is_alphabetic() {
                let begins = !open || (letter.is_uppercase() && before.is_lowercase());
                if begins {
                    words.push(Word { text: String::new(), line: index + 1, follows });
                    follows = true;
                }
                if let Some(word) = words.last_mut() {
                    word.text.extend(letter.to_lowercase());
                }
                open = true;
            } else {
                follows &= letter.is_whitespace() || ['/', '!', '*', '#', '_', '-'].contains(&letter);
                open = false;
            }
            before = letter;
        }
    }
    words
}

/// The lines with an avoided word, in order, each with the word and what to write instead.
fn avoided(text: &str) -> Vec<(usize, &'static str, &'static str)> {
    let words = words(text);
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        for &(phrase, instead) in AVOIDED {
            let is_here = match phrase.split_once(' ') {
                None => word.text == phrase,
                Some((first, second)) => {
                    let next = words.get(at + 1).filter(|next| next.follows);
                    word.text == first && next.is_some_and(|next| next.text == second)
                }
            };
            if is_here {
                found.push((word.line, phrase, instead));
            }
        }
    }
    found
}

/// All of them: the line as editors understand it, with what to do.
fn places() -> Vec<String> {
    let mut paths: Vec<_> = EXTENSIONS.iter().flat_map(|extension| files("", extension)).collect();
    paths.extend(FURTHER_FILES.iter().map(|path| root().join(path)));
    let mut places = Vec::new();
    for path in paths {
        let (name, text) = (relative(&path), read(&path));
        for (line, word, instead) in avoided(&text) {
            let content = text.lines().nth(line - 1).unwrap_or_default();
            let has_a_reason = EXCEPTIONS.iter().any(|(file, part, _)| name == *file && content.contains(part));
            if !has_a_reason {
                places.push(format!("{name}:{line} has `{word}`; write {instead}"));
            }
        }
    }
    places
}

#[test]
fn words_that_hide_the_noun_stand_nowhere() {
    assert_none(&places(), "name the client, node, caller or row that the sentence is about (docs/glossary.md)");
}

#[test]
fn every_exception_of_a_word_is_used() {
    let unused: Vec<String> = EXCEPTIONS
        .iter()
        .filter(|(file, part, _)| !read(&root().join(file)).lines().any(|line| line.contains(part)))
        .map(|(file, part, _)| format!("{file} has no line with `{part}`"))
        .collect();
    assert_none(&unused, "take the exception out");
}

#[test]
fn avoided_words_are_found_in_prose_and_in_names() {
    let lines = |text: &str| avoided(text).into_iter().map(|(line, ..)| line).collect::<Vec<_>>();
    assert_eq!(lines(concat!("fn until_no", "body_listens()\nlet No", "body = 1;")), [1, 2]);
    assert_eq!(lines(concat!("// It is\n// to", "ld so. It is\n/// to", "ld.")), [1, 2]);
    assert_eq!(lines(concat!("Who", "ever is to", "ld: A", "new")), [1, 1, 1]);
    assert_eq!(lines("It is (told) by no body; amends renew; forever"), Vec::<usize>::new());
}
