//! Looks at Rust sources token by token, so that comments and texts are never mistaken for code.

use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::support::{read, relative};

/// The tokens of a source file.
pub(crate) fn parse(path: &Path) -> TokenStream {
    read(path).parse().unwrap_or_else(|error| panic!("{} cannot be read as Rust: {error}", relative(path)))
}

/// Every identifier with its line.
pub(crate) fn idents(tokens: &TokenStream) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    visit(tokens, &mut |level| {
        found.extend(level.iter().filter_map(|token| ident(token).map(|name| (name, line(token)))));
    });
    found
}

/// The line of each place where a macro of this name is called.
pub(crate) fn macro_calls(tokens: &TokenStream, name: &str) -> Vec<usize> {
    windows(tokens, |window| is_ident(window.first(), name) && is_punct(window.get(1), '!'))
}

/// The line of each call of a method of this name.
pub(crate) fn method_calls(tokens: &TokenStream, name: &str) -> Vec<usize> {
    windows(tokens, |window| {
        is_punct(window.first(), '.')
            && is_ident(window.get(1), name)
            && group(window.get(2), Delimiter::Parenthesis).is_some()
    })
}

/// The name of every function that is written here, in macros too.
pub(crate) fn functions(tokens: &TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    visit(tokens, &mut |level| {
        for (index, token) in level.iter().enumerate() {
            if is_ident(Some(token), "fn") {
                found.extend(level.get(index + 1).and_then(ident));
            }
        }
    });
    found
}

/// The content of every attribute (`#[…]` and `#![…]`) with its line.
pub(crate) fn attributes(tokens: &TokenStream) -> Vec<(Vec<TokenTree>, usize)> {
    let mut found = Vec::new();
    visit(tokens, &mut |level| {
        for (index, token) in level.iter().enumerate().filter(|(_, token)| is_punct(Some(token), '#')) {
            let bang = usize::from(is_punct(level.get(index + 1), '!'));
            if let Some(content) = group(level.get(index + 1 + bang), Delimiter::Bracket) {
                found.push((content.into_iter().collect(), line(token)));
            }
        }
    });
    found
}

/// The line of each `match` arm that catches everything: `_ =>`, or a single new name.
pub(crate) fn catch_all_arms(tokens: &TokenStream) -> Vec<usize> {
    let mut found = Vec::new();
    visit(tokens, &mut |level| {
        for (index, _) in level.iter().enumerate().filter(|(_, token)| is_ident(Some(token), "match")) {
            let body = level.iter().skip(index + 1).find_map(|token| group(Some(token), Delimiter::Brace));
            let arms: Vec<TokenTree> = body.into_iter().flatten().collect();
            for at in 0..arms.len() {
                let begins = at == 0
                    || is_punct(arms.get(at - 1), ',')
                    || group(arms.get(at - 1), Delimiter::Brace).is_some()
                    || group(arms.get(at - 1), Delimiter::Bracket).is_some();
                let name = arms.get(at).and_then(ident).filter(|name| name != "true" && name != "false");
                let catches =
                    name.is_some_and(|name| name.starts_with(|first: char| first.is_lowercase() || first == '_'));
                let ends = is_punct(arms.get(at + 1), '=') && is_punct(arms.get(at + 2), '>');
                if begins && catches && ends {
                    found.extend(arms.get(at).map(line));
                }
            }
        }
    });
    found
}

/// The same tokens without what is compiled for tests only (`#[cfg(test)]`, `#[test]`).
pub(crate) fn without_tests(tokens: TokenStream) -> TokenStream {
    let level: Vec<TokenTree> = tokens.into_iter().collect();
    let (mut kept, mut at) = (Vec::new(), 0);
    while let Some(token) = level.get(at) {
        let attribute = is_punct(Some(token), '#').then(|| group(level.get(at + 1), Delimiter::Bracket)).flatten();
        if attribute.is_some_and(|attribute| ["cfg(test)", "test"].contains(&compact(&attribute).as_str())) {
            // The item ends with its body, or with a semicolon.
            at += 2;
            while level
                .get(at)
                .is_some_and(|token| group(Some(token), Delimiter::Brace).is_none() && !is_punct(Some(token), ';'))
            {
                at += 1;
            }
        } else if let TokenTree::Group(inner) = token {
            let mut content = proc_macro2::Group::new(inner.delimiter(), without_tests(inner.stream()));
            content.set_span(inner.span());
            kept.push(TokenTree::Group(content));
        } else {
            kept.push(token.clone());
        }
        at += 1;
    }
    kept.into_iter().collect()
}

/// The tokens as text without white space.
pub(crate) fn compact(tokens: &TokenStream) -> String {
    tokens.to_string().split_whitespace().collect()
}

pub(crate) fn is_ident(token: Option<&TokenTree>, name: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(found)) if *found == name)
}

pub(crate) fn is_punct(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(found)) if found.as_char() == sign)
}

/// The content of a group with this delimiter.
pub(crate) fn group(token: Option<&TokenTree>, delimiter: Delimiter) -> Option<TokenStream> {
    match token {
        Some(TokenTree::Group(found)) if found.delimiter() == delimiter => Some(found.stream()),
        _ => None,
    }
}

pub(crate) fn ident(token: &TokenTree) -> Option<String> {
    match token {
        TokenTree::Ident(name) => Some(name.to_string()),
        _ => None,
    }
}

fn line(token: &TokenTree) -> usize {
    token.span().start().line
}

/// Shows every level of nesting.
pub(crate) fn visit(tokens: &TokenStream, look: &mut impl FnMut(&[TokenTree])) {
    let level: Vec<TokenTree> = tokens.clone().into_iter().collect();
    look(&level);
    for token in &level {
        if let TokenTree::Group(inner) = token {
            visit(&inner.stream(), look);
        }
    }
}

/// The line of each place whose next tokens are wanted.
fn windows(tokens: &TokenStream, wanted: impl Fn(&[TokenTree]) -> bool) -> Vec<usize> {
    let mut found = Vec::new();
    visit(tokens, &mut |level| {
        for (index, token) in level.iter().enumerate() {
            if level.get(index..).is_some_and(&wanted) {
                found.push(line(token));
            }
        }
    });
    found
}

#[test]
fn tests_are_told_from_shipped_code() {
    let source =
        "fn f() { a.unwrap(); } #[cfg(test)] #[x] mod tests { fn g() { b.unwrap(); } } fn h() {\nc.unwrap(); }";
    let shipped = without_tests(source.parse().unwrap());
    assert_eq!(method_calls(&shipped, "unwrap"), [1, 2]);
    assert_eq!(functions(&shipped), ["f", "h"]);
}

#[test]
fn arms_that_catch_everything_are_found() {
    let caught = |source: &str| catch_all_arms(&source.parse().unwrap()).len();
    assert_eq!(caught("match x { A(_) => 1, _ => 2 }"), 1);
    assert_eq!(caught("match x { A(_) => { 1 } other => 2 }"), 1);
    assert_eq!(caught("match x { A => match y { C => 1, _ if z => 2, }, B | D => |_| 3 }"), 0);
    assert_eq!(caught("match x { A => match y { C => 1, _ => 2, }, B => 3 }"), 1);
    assert_eq!(caught("match x { A => f(|_| 1), Self::B(b) => { b } }"), 0);
    assert_eq!(caught("match x { true => 1, false => 2 }"), 0);
}

#[test]
fn texts_and_comments_are_not_code() {
    let source = "fn f() { g(\"todo!() .unwrap()\"); /* dbg!(1) */ } // todo!()";
    let tokens = source.parse().unwrap();
    assert!(macro_calls(&tokens, "todo").is_empty() && macro_calls(&tokens, "dbg").is_empty());
    assert!(method_calls(&tokens, "unwrap").is_empty());
    assert_eq!(macro_calls(&"fn f() {\n todo!() }".parse().unwrap(), "todo"), [2]);
}
