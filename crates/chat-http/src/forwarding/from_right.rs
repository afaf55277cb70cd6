//! Lists in headers, read from their right end.

use actix_web::http::header::HeaderMap;

/// The elements of all headers of this name, the last one of the last header first, without empty ones.
///
/// A proxy adds its element behind what it got. The sender of that cannot change how the elements behind it are read:
/// from the right, a quote that is never closed comes after all that trusted hops wrote.
pub(super) fn elements<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    let mut values: Vec<&str> = headers.get_all(name).map(|value| value.to_str().unwrap_or(UNREADABLE)).collect();
    values.reverse();
    values.into_iter().flat_map(|value| split(value, b',')).filter(|element| !element.is_empty())
}

/// Stands for a header that is not ASCII: no address, no name, no pair.
const UNREADABLE: &str = "?";

/// The parts between separators that stand outside quotes, from the right, without the spaces around them.
pub(super) fn split(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut is_quoted = false;
        let at = text.bytes().rposition(|byte| {
            is_quoted ^= byte == b'"';
            byte == separator && !is_quoted
        });
        let (before, part) = match at.and_then(|at| Some((text.get(..at)?, text.get(at + 1..)?))) {
            Some((before, part)) => (Some(before), part),
            None => (None, text),
        };
        rest = before;
        Some(part.trim_matches([' ', '\t']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_from_the_right_and_quotes_keep_them_together() {
        let of = |text| split(text, b',').collect::<Vec<_>>();
        assert_eq!(of("a, b ,c"), ["c", "b", "a"]);
        assert_eq!(of(""), [""]);
        assert_eq!(of(r#"for="a,b", c"#), ["c", r#"for="a,b""#]);
        // What stands before an open quote changes nothing behind it.
        assert_eq!(of(r#"x="evil, for=192.0.2.1"#).first(), Some(&"for=192.0.2.1"));
    }
}
