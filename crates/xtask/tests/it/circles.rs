//! Modules of a crate that depend on each other in a circle: none can be read, moved or tested without the others.
//!
//! A module depends on another when its file names a path into it (`crate::…`, `super::…`, `self::…`, in `use` or
//! elsewhere). What a module re-exports from another module counts as the other module's. Modules of one folder are
//! compared, each with everything below it; a parent and its children are not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::support::{assert_none, files, relative};
use crate::tokens::{compact, group, ident, is_ident, is_punct, parse, visit, without_tests};

/// The circles that there still are: the folder, and its modules that form one. A circle that is opened leaves this list,
/// and no new one is added to it.
const KNOWN: &[(&str, &[&str])] = &[];

/// How many re-exports are followed from name to name.
const MOST_RE_EXPORTS: usize = 8;

type ModulePath = Vec<String>;

/// One module: the paths that its file names, and what the names that it imports or re-exports stand for.
#[derive(Default)]
struct Module {
    names: BTreeSet<ModulePath>,
    imports: BTreeMap<String, ModulePath>,
}

/// The modules of a crate without those of its tests.
struct Modules(BTreeMap<ModulePath, Module>);

impl Modules {
    fn of(sources: Vec<(ModulePath, TokenStream)>) -> Self {
        let tests: BTreeSet<ModulePath> =
            sources.iter().flat_map(|(path, tokens)| modules_of_tests(path, tokens)).collect();
        let mut modules: BTreeMap<ModulePath, Module> = BTreeMap::new();
        for (path, tokens) in sources {
            if !tests.iter().any(|test| path.starts_with(test)) {
                // A program and its library have the same root.
                modules.entry(path.clone()).or_default().add(&path, &without_tests(tokens));
            }
        }
        Self(modules)
    }

    /// The module in which what the path names is defined, as far as it can be followed.
    fn resolve(&self, path: &[String], re_exports: usize) -> ModulePath {
        let mut module = ModulePath::new();
        for (index, name) in path.iter().enumerate() {
            module.push(name.clone());
            if self.0.contains_key(&module) {
                continue;
            }
            module.pop();
            let import = self.0.get(&module).and_then(|module| module.imports.get(name));
            return match import.filter(|_| re_exports < MOST_RE_EXPORTS) {
                Some(import) => {
                    let rest = path.iter().skip(index + 1);
                    self.resolve(&import.iter().chain(rest).cloned().collect::<Vec<_>>(), re_exports + 1)
                }
                None => module,
            };
        }
        module
    }

    /// Which child of a folder depends on which other child, by folder.
    fn edges(&self) -> BTreeMap<ModulePath, BTreeSet<(String, String)>> {
        let mut edges: BTreeMap<ModulePath, BTreeSet<(String, String)>> = BTreeMap::new();
        for (from, module) in &self.0 {
            for path in &module.names {
                let to = self.resolve(path, 0);
                let common = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
                if let (Some(one), Some(other)) = (from.get(common), to.get(common)) {
                    let folder = from.iter().take(common).cloned().collect();
                    edges.entry(folder).or_default().insert((one.clone(), other.clone()));
                }
            }
        }
        edges
    }

    /// The circles, each as its folder and the names of its modules.
    fn circles(&self) -> Vec<(ModulePath, Vec<String>)> {
        let mut circles = Vec::new();
        for (folder, edges) in self.edges() {
            let reached = |from: &str| {
                let (mut reached, mut next) = (BTreeSet::new(), vec![from.to_owned()]);
                while let Some(module) = next.pop() {
                    let targets = edges.iter().filter(|(one, _)| *one == module).map(|(_, other)| other.clone());
                    next.extend(targets.filter(|target| reached.insert(target.clone())).collect::<Vec<_>>());
                }
                reached
            };
            let all: BTreeMap<&str, BTreeSet<String>> =
                edges.iter().map(|(one, _)| (one.as_str(), reached(one))).collect();
            let found: BTreeSet<Vec<String>> = all
                .iter()
                .map(|(module, targets)| {
                    let leads_back = |target: &&String| all.get(target.as_str()).is_some_and(|it| it.contains(*module));
                    targets.iter().filter(leads_back).cloned().collect::<Vec<_>>()
                })
                .filter(|circle| circle.len() > 1)
                .collect();
            circles.extend(found.into_iter().map(|circle| (folder.clone(), circle)));
        }
        circles
    }
}

impl Module {
    fn add(&mut self, own: &[String], tokens: &TokenStream) {
        visit(tokens, &mut |level| {
            for (index, token) in level.iter().enumerate() {
                let follows_a_path = index > 0 && is_punct(level.get(index - 1), ':');
                if !follows_a_path && ["crate", "self", "super"].iter().any(|start| is_ident(Some(token), start)) {
                    let paths = expand(level.get(index..).unwrap_or_default());
                    self.names.extend(paths.into_iter().filter_map(|(path, _)| absolute(own, &path)));
                }
                if is_ident(Some(token), "use") {
                    let rest = level.get(index + 1..).unwrap_or_default();
                    let length = rest.iter().position(|token| is_punct(Some(token), ';')).unwrap_or_default();
                    for (path, name) in expand(rest.get(..length).unwrap_or_default()) {
                        self.imports.extend(absolute(own, &path).map(|path| (name, path)));
                    }
                }
            }
        });
    }
}

/// The paths of a tree of imports, or the one path that begins here, each with the name that it is known by.
fn expand(tokens: &[TokenTree]) -> Vec<(Vec<String>, String)> {
    let (mut path, mut at) = (Vec::new(), 0);
    while let Some(name) = tokens.get(at).and_then(ident) {
        path.push(name);
        at += 1;
        if !is_punct(tokens.get(at), ':') || !is_punct(tokens.get(at + 1), ':') {
            break;
        }
        at += 2;
    }
    if let Some(tree) =
        group(tokens.get(at), Delimiter::Brace).filter(|_| is_punct(tokens.get(at.wrapping_sub(1)), ':'))
    {
        let tree: Vec<TokenTree> = tree.into_iter().collect();
        return tree
            .split(|token| is_punct(Some(token), ','))
            .filter(|branch| !branch.is_empty())
            .flat_map(expand)
            .map(|(branch, name)| {
                let itself = branch.first().is_some_and(|first| first == "self");
                let name = if itself && name == "self" { path.last().cloned().unwrap_or_default() } else { name };
                (path.iter().chain(branch.iter().skip(usize::from(itself))).cloned().collect(), name)
            })
            .collect();
    }
    let alias = is_ident(tokens.get(at), "as").then(|| tokens.get(at + 1).and_then(ident)).flatten();
    let name = alias.or_else(|| path.last().cloned()).unwrap_or_default();
    if path.is_empty() { Vec::new() } else { vec![(path, name)] }
}

/// The path from the crate's root. A path that begins with another name leads into a child, or out of the crate, where
/// nothing is found.
fn absolute(own: &[String], path: &[String]) -> Option<ModulePath> {
    let mut module = own.to_vec();
    let mut rest = path;
    while let Some((first, others)) = rest.split_first() {
        match first.as_str() {
            "crate" => module.clear(),
            "self" => {}
            "super" => drop(module.pop()?),
            _ => break,
        }
        rest = others;
    }
    module.extend(rest.iter().cloned());
    Some(module)
}

/// The modules in files of their own that this one has for tests only.
fn modules_of_tests(own: &[String], tokens: &TokenStream) -> Vec<ModulePath> {
    let mut found = Vec::new();
    visit(tokens, &mut |level| {
        for (index, token) in level.iter().enumerate() {
            let is_for_tests = is_punct(Some(token), '#')
                && group(level.get(index + 1), Delimiter::Bracket)
                    .is_some_and(|it| compact(&it).starts_with("cfg(test"));
            if is_for_tests && is_ident(level.get(index + 2), "mod") && is_punct(level.get(index + 4), ';') {
                let name = level.get(index + 3).and_then(ident).unwrap_or_default();
                found.push([own, &[name]].concat());
            }
        }
    });
    found
}

/// The module that a file below `src` is.
fn module_path(path_in_src: &str) -> ModulePath {
    let mut path: ModulePath = path_in_src.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if path.last().is_some_and(|last| ["lib", "main", "mod"].contains(&last.as_str())) {
        path.pop();
    }
    path
}

/// The circles of all crates: their folders and their modules.
fn circles() -> Vec<(String, Vec<String>)> {
    let mut crates: BTreeMap<String, Vec<(ModulePath, TokenStream)>> = BTreeMap::new();
    for file in files("crates", "rs") {
        let path = relative(&file);
        if let Some((member, path_in_src)) = path.split_once("/src/") {
            crates
                .entry(format!("{member}/src"))
                .or_default()
                .push((module_path(path_in_src), parse(Path::new(&file))));
        }
    }
    let circles_of = |(src, sources): (String, Vec<_>)| {
        let circles = Modules::of(sources).circles().into_iter();
        circles.map(move |(folder, circle)| ([vec![src.clone()], folder].concat().join("/"), circle))
    };
    crates.into_iter().flat_map(circles_of).collect()
}

fn shown(folder: &str, circle: &[impl AsRef<str>]) -> String {
    format!("{folder}: {}", circle.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", "))
}

#[test]
fn modules_of_a_crate_form_no_circle() {
    let found: BTreeSet<String> = circles().iter().map(|(folder, circle)| shown(folder, circle)).collect();
    let known: BTreeSet<String> = KNOWN.iter().map(|(folder, circle)| shown(folder, circle)).collect();
    let new: Vec<String> = found.difference(&known).cloned().collect();
    assert_none(
        &new,
        "move what both modules need into a third one, or hand over what one asks the other for; KNOWN in \
         crates/xtask/tests/it/circles.rs lists the circles that are still to be opened",
    );
    let gone: Vec<String> = known.difference(&found).cloned().collect();
    assert_none(&gone, "this circle is open: take it out of KNOWN");
}

#[test]
fn circles_are_found_through_imports_paths_and_re_exports() {
    let circles = |sources: &[(&str, &str)]| {
        let sources = sources.iter().map(|(path, source)| (module_path(path), source.parse().unwrap())).collect();
        let circles = Modules::of(sources).circles().into_iter();
        circles.map(|(folder, circle)| shown(&folder.join("/"), &circle)).collect::<Vec<_>>()
    };
    assert_eq!(
        circles(&[("lib.rs", ""), ("a.rs", "use crate::b::B;"), ("b.rs", "fn f() { crate::c::g(); }")]),
        [""; 0]
    );
    assert_eq!(circles(&[("a.rs", "use crate::{b::{B, C}, d};"), ("b.rs", "fn f() { super::a::g(); }")]), [": a, b"]);
    // Through a third one, and from a child.
    let three = [
        ("a.rs", "use crate::b::B;"),
        ("b/mod.rs", "mod x;"),
        ("b/x.rs", "use crate::c;"),
        ("c.rs", "use super::a::A;"),
    ];
    assert_eq!(circles(&three), [": a, b, c"]);
    // The parent hands on what a sibling has; what the parent has itself is no circle.
    let parent = ("p/mod.rs", "mod a; mod b; pub use self::a::A; pub use b::{B as C, D}; struct P;");
    assert_eq!(circles(&[parent, ("p/a.rs", "use super::C;"), ("p/b.rs", "use super::{A, P};")]), ["p: a, b"]);
    assert_eq!(circles(&[parent, ("p/a.rs", "use super::C;"), ("p/b.rs", "use super::P;")]), [""; 0]);
    // Tests may know everything.
    let tests = [
        ("a.rs", "use crate::b::B; #[cfg(test)] mod tests;"),
        ("a/tests.rs", "use crate::c::C;"),
        ("b.rs", "#[cfg(test)] mod tests { use crate::a::A; }"),
        ("c.rs", "use crate::a::A;"),
    ];
    assert_eq!(circles(&tests), [""; 0]);
}
