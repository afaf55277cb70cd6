//! Which variant of a file a client takes (RFC 9110, 12.5.3).
//!
//! actix-web's own reader of the header takes the first of two codings that the client likes as much, which is the larger
//! one of `gzip, deflate, br`, and does not know what `*` stands for.

use actix_web::http::header::{ACCEPT_ENCODING, HeaderMap};

/// A variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentCoding {
    Brotli,
    Gzip,
    Identity,
}

/// What a client says of a coding, in thousandths.
type Weight = u16;

impl ContentCoding {
    /// The name in headers.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
            Self::Identity => "identity",
        }
    }

    /// The variant with the highest weight among those that there are; of several the smallest. A client that takes none
    /// gets the file as it is, as if it had said nothing.
    pub(crate) fn choose(headers: &HeaderMap, available: &[Self]) -> Self {
        let weights = Weights::of(headers);
        // In ascending order of preference: of equal ones the last is taken.
        let ranked = [Self::Gzip, Self::Brotli].into_iter().filter(|coding| available.contains(coding));
        let best = ranked.map(|coding| (weights.of_coding(coding), coding)).filter(|(weight, _)| *weight > 0);
        let Some((weight, coding)) = best.max_by_key(|(weight, _)| *weight) else { return Self::Identity };
        // What is not asked for by name is taken as a last resort.
        if weights.identity.is_some_and(|identity| identity > weight) { Self::Identity } else { coding }
    }
}

/// What the header says of each coding; `None` for nothing.
#[derive(Default)]
struct Weights {
    brotli: Option<Weight>,
    gzip: Option<Weight>,
    identity: Option<Weight>,
    others: Option<Weight>,
}

impl Weights {
    fn of(headers: &HeaderMap) -> Self {
        let mut weights = Self::default();
        let values = headers.get_all(ACCEPT_ENCODING).filter_map(|value| value.to_str().ok());
        for entry in values.flat_map(|value| value.split(',')) {
            let (name, parameters) = entry.split_once(';').unwrap_or((entry, ""));
            let name = name.trim().to_ascii_lowercase();
            let weight = match name.as_str() {
                "br" => &mut weights.brotli,
                "gzip" | "x-gzip" => &mut weights.gzip,
                "identity" => &mut weights.identity,
                "*" => &mut weights.others,
                _ => continue,
            };
            // An entry that cannot be read says nothing.
            *weight = quality(parameters).or(*weight);
        }
        weights
    }

    fn of_coding(&self, coding: ContentCoding) -> Weight {
        let named = match coding {
            ContentCoding::Brotli => self.brotli,
            ContentCoding::Gzip => self.gzip,
            ContentCoding::Identity => self.identity,
        };
        named.or(self.others).unwrap_or(0)
    }
}

/// The value of `q`, 1 unless there is one (RFC 9110, 12.4.2).
fn quality(parameters: &str) -> Option<Weight> {
    let parameters = parameters.trim();
    if parameters.is_empty() {
        return Some(1_000);
    }
    let (name, value) = parameters.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let (whole, fraction) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    if fraction.len() > 3 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let thousandths: Weight = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::ContentCoding::{self, Brotli, Gzip, Identity};
    use super::*;

    fn chosen(values: &[&'static str], available: &[ContentCoding]) -> ContentCoding {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_static(value));
        }
        ContentCoding::choose(&headers, available)
    }

    #[test]
    fn the_variant_is_the_one_that_the_client_likes_most() {
        let all = [Brotli, Gzip];
        for (values, expected) in [
            (&[][..], Identity),
            (&[""], Identity),
            (&["gzip, deflate, br, zstd"], Brotli),
            (&["gzip", "BR"], Brotli),
            (&["gzip, deflate"], Gzip),
            (&["x-gzip"], Gzip),
            (&["deflate, zstd"], Identity),
            (&["br;q=0.5, gzip;q=0.501"], Gzip),
            (&["br; Q=0.8 , gzip ;q=0.8"], Brotli),
            (&["br;q=0, gzip;q=0.001"], Gzip),
            (&["br;q=0, gzip;q=0.000"], Identity),
            (&["*"], Brotli),
            (&["*;q=0"], Identity),
            (&["br;q=0, *"], Gzip),
            (&["*;q=0.5, gzip"], Gzip),
            (&["gzip;q=0.5, identity"], Identity),
            (&["gzip;q=0.5, identity;q=0.5"], Gzip),
            (&["identity;q=0"], Identity),
            (&["identity;q=0, gzip;q=0.1"], Gzip),
            // What cannot be read says nothing.
            (&["br;q=2, gzip;q=1.001, *;q=a"], Identity),
            (&["br;q=0.1234, gzip"], Gzip),
            (&["br;level=4"], Identity),
            (&["brx, xgzip"], Identity),
        ] {
            assert_eq!(chosen(values, &all), expected, "{values:?}");
        }
    }

    #[test]
    fn a_variant_that_is_missing_is_not_chosen() {
        assert_eq!(chosen(&["br, gzip"], &[Gzip]), Gzip);
        assert_eq!(chosen(&["br;q=0.9, gzip;q=0.1"], &[Gzip]), Gzip);
        assert_eq!(chosen(&["br, gzip"], &[]), Identity);
    }
}
