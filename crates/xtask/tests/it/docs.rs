//! The documents: links lead somewhere, recipes name files that exist, invariants name tests that exist, and the top of the
//! repository stays small.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{assert_none, files, read, relative, root};
use crate::tokens::{functions, parse};

const ARCHITECTURE: &str = "docs/architecture.md";
const RECIPES: &str = "docs/development";
/// How long it may be, to be read in one go.
const MOST_LINES_OF_THE_ARCHITECTURE: usize = 300;
/// The list of files that a message meets, and how many these may be.
const FILES_OF_A_MESSAGE: &str = "docs/development/files-of-a-message.md";
const MOST_FILES_OF_A_MESSAGE: usize = 20;

/// What the top of the repository holds beside the tools' dotfiles.
const TOP_LEVEL: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "clippy.toml",
    "crates",
    "deny.toml",
    "docs",
    "justfile",
    "migrations",
    "rustfmt.toml",
];

fn documents() -> Vec<PathBuf> {
    files("", "md")
}

/// The lines outside of code blocks, with their numbers.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push((index + 1, line));
        }
    }
    lines
}

/// A line's parts outside and inside of backticks, in turn: the even ones are prose, the odd ones code.
fn split_code(line: &str) -> Vec<&str> {
    line.split('`').collect()
}

fn code_spans(line: &str) -> Vec<&str> {
    split_code(line).into_iter().skip(1).step_by(2).collect()
}

/// The targets of the links in a line: `[text](target)`, and `[name]: target`.
fn link_targets(line: &str) -> Vec<String> {
    // Code in a link's text is part of the link; code that looks like a link is none.
    let masked: String = split_code(line)
        .iter()
        .enumerate()
        .map(|(index, part)| if index % 2 == 0 { (*part).to_owned() } else { "c".repeat(part.len()) })
        .collect();
    let mut targets = Vec::new();
    let mut rest = masked.as_str();
    while let Some((_, after)) = rest.split_once("](") {
        let (target, next) = after.split_once(')').unwrap_or((after, ""));
        targets.push(target.to_owned());
        rest = next;
    }
    if let Some((name, target)) = masked.split_once("]: ")
        && name.starts_with('[')
    {
        targets.push(target.to_owned());
    }
    // `target "title"`
    targets.iter().filter_map(|target| target.split_whitespace().next()).map(str::to_owned).collect()
}

/// The anchors that GitHub gives the headings of a document.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, line) in prose(text) {
        let heading = line.trim_start_matches('#');
        if heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let slug: String = heading
            .trim()
            .to_lowercase()
            .chars()
            .filter(|sign| sign.is_alphanumeric() || [' ', '-', '_'].contains(sign))
            .map(|sign| if sign == ' ' { '-' } else { sign })
            .collect();
        let mut anchor = slug.clone();
        for number in 1.. {
            if found.insert(anchor.clone()) {
                break;
            }
            anchor = format!("{slug}-{number}");
        }
    }
    found
}

/// What is wrong with a link of a document, if anything.
fn wrong(document: &Path, target: &str) -> Option<String> {
    let elsewhere = ["http://", "https://", "mailto:"];
    if elsewhere.iter().any(|scheme| target.starts_with(scheme)) {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() { document.to_owned() } else { document.parent()?.join(file) };
    if !path.exists() {
        return Some(format!("leads to {target}, which does not exist"));
    }
    let is_document = path.extension().is_some_and(|extension| extension == "md");
    (is_document && !anchor.is_empty() && !anchors(&read(&path)).contains(anchor))
        .then(|| format!("leads to {target}, but there is no such heading"))
}

/// What stands in front of the text of an item of a list: `-`, `*` or a number.
fn is_item(line: &str) -> bool {
    let text = line.trim_start();
    let number = text.split_once(". ").is_some_and(|(number, _)| is_number(number));
    number || text.starts_with("- ") || text.starts_with("* ")
}

fn is_number(text: &str) -> bool {
    (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What a formatter leaves of lists that it took for prose, by line: items within a line, items right below prose, text of
/// an item that stands below the next one's marker, and the indentation of lines that are now one.
fn broken_lists(text: &str) -> Vec<(usize, &'static str)> {
    let lines = prose(text);
    let mut problems = Vec::new();
    let mut before: Option<(usize, &str)> = None;
    for (number, line) in lines {
        let above = before.filter(|(above, line)| above + 1 == number && !line.trim().is_empty()).map(|(_, line)| line);
        before = Some((number, line));
        let is_text = !line.trim().is_empty() && !line.starts_with(['|', '#', '<']);
        if !is_text {
            continue;
        }
        // What is in code is as it has to be.
        let plain: String = split_code(line.trim())
            .iter()
            .enumerate()
            .map(|(part, text)| if part % 2 == 0 { text } else { "code" })
            .collect();
        let words: Vec<&str> = plain.split(' ').collect();
        let ends_sentence = |word: &str| word.ends_with(['.', ':', ';']) || word.ends_with(".)");
        let items_inside = words.windows(2).any(|pair| {
            let [end, marker] = pair else { return false };
            ends_sentence(end) && marker.strip_suffix('.').is_some_and(is_number)
        });
        if items_inside {
            problems.push((number, "has an item of a list within it"));
        }
        if plain.contains("  ") {
            problems.push((number, "has several spaces where lines were joined"));
        }
        match above {
            Some(above) if is_item(line) && !is_item(above) && !above.starts_with([' ', '#', '|']) => {
                problems.push((number, "is an item of a list right below prose: put an empty line between"));
            }
            Some(above) if !is_item(line) && !line.starts_with(' ') && (is_item(above) || above.starts_with("  ")) => {
                problems.push((number, "goes on with an item of a list and is not indented as its text"));
            }
            _ => {}
        }
    }
    problems
}

#[test]
fn lists_survive_the_formatter() {
    let mut problems = Vec::new();
    for document in documents() {
        for (number, problem) in broken_lists(&read(&document)) {
            problems.push(format!("{}:{number} {problem}", relative(&document)));
        }
    }
    assert_none(&problems, "write each item on lines of its own, the further ones indented");
}

#[test]
fn lists_that_have_run_together_are_found() {
    let lines = |text: &str| broken_lists(text).into_iter().map(|(line, _)| line).collect::<Vec<_>>();
    let good = "Do:\n\n1. This, in\n   two lines.\n   - a\n   - b\n2. That.\n\n- x `a  b`\n- y\n\nVersion 1.2. of it.\n\n| a  | b |\n";
    assert_eq!(lines(good), Vec::<usize>::new());
    // As "Restoring" in the operator's manual once was.
    assert_eq!(lines("1. Stop. 2. Go\non."), [1, 2]);
    assert_eq!(lines("1. Stop\n2. put the\nbackup    in its place: `x`. 3. Go."), [3, 3, 3]);
    assert_eq!(lines("Do:\n- this\n- that"), [2]);
    assert_eq!(lines("```\na  b\n```\n"), Vec::<usize>::new());
}

#[test]
fn every_link_leads_somewhere() {
    assert!(root().join("README.md").is_file(), "write README.md: what this is, for whom, and how to start it");
    let mut problems = Vec::new();
    for document in documents() {
        for (number, line) in prose(&read(&document)) {
            for target in link_targets(line) {
                let problem = wrong(&document, &target);
                problems.extend(problem.map(|problem| format!("{}:{number} {problem}", relative(&document))));
            }
        }
    }
    assert_none(&problems, "correct the link, or write what it promises");
}

/// The part of a path in front of a placeholder (`<name>`, `*`, `{a,b}`, `…`), cut at a directory.
fn fixed_part(path: &str) -> &str {
    match path.find(['<', '*', '{', '…']) {
        Some(at) => path.get(..at).and_then(|head| head.rsplit_once('/')).map_or("", |(directory, _)| directory),
        None => path,
    }
}

#[test]
fn recipes_and_the_architecture_name_files_that_exist() {
    assert!(root().join(RECIPES).is_dir(), "write the recipes for the common changes in {RECIPES}");
    let mut problems = Vec::new();
    for recipe in files(RECIPES, "md").into_iter().chain([root().join(ARCHITECTURE)]) {
        let text = read(&recipe);
        for (number, line) in prose(&text) {
            for span in code_spans(line) {
                // `path`, or `path::item`, or `path:line`; a command has spaces.
                let path = span.split(':').next().unwrap_or_default();
                let is_path = ["crates/", "docs/", "migrations/"].iter().any(|start| path.starts_with(start));
                if is_path && !path.contains(' ') && !root().join(fixed_part(path)).exists() {
                    problems.push(format!("{}:{number} names {path}, which does not exist", relative(&recipe)));
                }
            }
        }
    }
    assert_none(&problems, "name the file that takes its place; write placeholders as `crates/…/<name>.rs`");
}

#[test]
fn the_architecture_is_short() {
    let lines = read(&root().join(ARCHITECTURE)).lines().count();
    let most = MOST_LINES_OF_THE_ARCHITECTURE;
    assert!(lines <= most, "{ARCHITECTURE} has {lines} lines, and {most} at most: move details to where they belong");
}

/// The paths that the section under this heading names, in order.
fn paths_under<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let section = prose(text).into_iter().skip_while(|(_, line)| *line != heading).skip(1);
    let section = section.take_while(|(_, line)| !line.starts_with('#'));
    section.flat_map(|(_, line)| code_spans(line)).filter(|span| span.starts_with("crates/")).collect()
}

#[test]
fn a_message_meets_few_files_from_the_request_to_the_frame() {
    let text = read(&root().join(FILES_OF_A_MESSAGE));
    let paths = paths_under(&text, "# The files that a message meets");
    assert!(!paths.is_empty(), "{FILES_OF_A_MESSAGE} needs its heading, with the paths under it");
    let distinct: BTreeSet<_> = paths.iter().collect();
    assert_eq!(distinct.len(), paths.len(), "a reader meets each file once");
    assert!(paths.len() <= MOST_FILES_OF_A_MESSAGE, "{} files: shorten the way, or join two of them", paths.len());
}

#[test]
fn the_paths_of_a_section_are_found() {
    let text = "### A\n1. `crates/a.rs`\n### B\n1. `crates/b.rs` and `c`\n   `crates/d.rs`\n## C\n`crates/e.rs`";
    assert_eq!(paths_under(text, "### B"), ["crates/b.rs", "crates/d.rs"]);
}

/// The names of everything that can be a test: functions in test programs, in contract suites, and in files with unit tests.
fn test_names() -> BTreeSet<String> {
    files("crates", "rs")
        .into_iter()
        .filter(|path| {
            let name = relative(path);
            name.contains("/tests/")
                || name.starts_with("crates/chat-testkit/src/contract/")
                || read(path).contains("#[cfg(test)]")
        })
        .flat_map(|path| functions(&parse(&path)))
        .collect()
}

/// A paragraph or an item of a list.
struct Block {
    line: usize,
    text: String,
    /// Whether it is a numbered item under the heading about invariants.
    invariant: bool,
}

impl Block {
    /// The tests that it names: all code after `test:`.
    fn tests(&self) -> Vec<&str> {
        let Some((_, named)) = self.text.split_once("test:") else { return Vec::new() };
        code_spans(named).into_iter().map(|name| name.rsplit("::").next().unwrap_or(name)).collect()
    }
}

fn blocks(text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let (mut among_invariants, mut open) = (false, false);
    for (line, text) in prose(text) {
        let numbered = text.split_once(". ").is_some_and(|(head, _)| head.parse::<u32>().is_ok());
        if text.starts_with('#') {
            among_invariants = text.to_lowercase().contains("invariant");
            open = false;
        } else if text.trim().is_empty() {
            open = false;
        } else if let Some(block) = found.last_mut().filter(|_| open && !numbered) {
            block.text.push('\n');
            block.text.push_str(text);
        } else {
            found.push(Block { line, text: text.to_owned(), invariant: numbered && among_invariants });
            open = true;
        }
    }
    found
}

#[test]
fn every_invariant_names_tests_that_exist() {
    let path = root().join(ARCHITECTURE);
    assert!(path.is_file(), "write {ARCHITECTURE}: bird's eye, code map, numbered invariants, walkthroughs");
    let blocks = blocks(&read(&path));
    assert!(
        blocks.iter().any(|block| block.invariant),
        "{ARCHITECTURE} needs a heading `Invariants` and numbered items under it (`1. …`)"
    );
    let known = test_names();
    let mut problems = Vec::new();
    for block in &blocks {
        let tests = block.tests();
        if block.invariant && tests.is_empty() {
            problems.push(format!("{ARCHITECTURE}:{} names no test", block.line));
        }
        for name in tests.into_iter().filter(|name| !known.contains(*name)) {
            problems.push(format!("{ARCHITECTURE}:{} names the test {name}, which does not exist", block.line));
        }
    }
    assert_none(&problems, "end the invariant with ``test: `name_of_the_test` ``, and write the test if there is none");
}

#[test]
fn the_top_of_the_repository_stays_small() {
    // What git ignores there is not part of the repository.
    let ignored = read(&root().join(".gitignore"));
    let ignored: Vec<&str> = ignored.lines().map(|line| line.trim_matches('/')).collect();
    let mut problems = Vec::new();
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && !TOP_LEVEL.contains(&name.as_str()) && !ignored.contains(&name.as_str()) {
            problems.push(name);
        }
    }
    assert_none(&problems, "code lives in crates/, texts and deployment examples in docs/; tools have their dotfiles");
}

#[test]
fn links_and_anchors_are_read_as_github_reads_them() {
    assert_eq!(link_targets("see [a](b.md#c) and [`x](y)`](d.md \"title\"), `[e](f)`"), ["b.md#c", "d.md"]);
    assert_eq!(link_targets("[name]: docs/x.md"), ["docs/x.md"]);
    let text = "# One & two\n## One\n## One\n```\n# code\n```\n## `chat_x`: y";
    let expected = ["chat_x-y", "one", "one--two", "one-1"].map(str::to_owned);
    assert_eq!(anchors(text), BTreeSet::from(expected));
}

#[test]
fn invariants_and_their_tests_are_found() {
    let text = "# A\n1. no\n## Invariants\n1. one `x`\n   test: `a::b`,\n   `c`\n2. two\n\n`d`\n## Next\n3. no";
    let blocks = blocks(text);
    let invariants: Vec<&Block> = blocks.iter().filter(|block| block.invariant).collect();
    assert_eq!(
        invariants.iter().map(|block| (block.line, block.tests())).collect::<Vec<_>>(),
        [(4, vec!["b", "c"]), (7, vec![])]
    );
}

#[test]
fn placeholders_end_the_checked_part_of_a_path() {
    assert_eq!(fixed_part("crates/a/src/<name>.rs"), "crates/a/src");
    assert_eq!(fixed_part("crates/a/b.rs"), "crates/a/b.rs");
    assert_eq!(fixed_part("crates/*/src"), "crates");
}
