//! Where an identity provider publishes its keys.

use std::fmt;

use url::Url;

/// The path of the discovery document below an issuer (`OpenID` Connect Discovery 1.0, 4).
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// Where the keys are published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySetLocation {
    /// At this URL.
    Url(Url),
    /// At the URL that the discovery document of this issuer names.
    Issuer(OidcIssuer),
}

/// An issuer as its tokens and its discovery document write it, to the last slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcIssuer {
    name: String,
    discovery: Url,
}

impl KeySetLocation {
    /// Reads the URL of a key set.
    ///
    /// # Errors
    /// What is wrong with it, with a valid value.
    pub fn parse_url(text: &str) -> Result<Self, String> {
        fetchable(text)
            .map(Self::Url)
            .map_err(|problem| format!("{problem}, such as https://login.example.com/.well-known/jwks.json"))
    }

    /// Reads an issuer.
    ///
    /// # Errors
    /// What is wrong with it, with a valid value.
    pub fn parse_issuer(text: &str) -> Result<Self, String> {
        const VALID: &str = "such as https://login.example.com/realms/shop";
        let url = fetchable(text).map_err(|problem| format!("{problem}, {VALID}"))?;
        if url.query().is_some() {
            return Err(format!("must be a URL without a query, {VALID}"));
        }
        let discovery = format!("{}{DISCOVERY_PATH}", text.trim_end_matches('/'));
        let discovery = Url::parse(&discovery).map_err(|error| format!("must be a URL ({error}), {VALID}"))?;
        Ok(Self::Issuer(OidcIssuer { name: text.to_owned(), discovery }))
    }

    /// The issuer that tokens must have, where the location names one.
    pub fn issuer(&self) -> Option<&str> {
        match self {
            Self::Url(_) => None,
            Self::Issuer(issuer) => Some(&issuer.name),
        }
    }

    /// Whether what is fetched first is fetched over HTTPS.
    pub fn is_https(&self) -> bool {
        match self {
            Self::Url(url) => url.scheme() == "https",
            Self::Issuer(issuer) => issuer.discovery.scheme() == "https",
        }
    }
}

impl OidcIssuer {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn discovery(&self) -> &Url {
        &self.discovery
    }
}

impl fmt::Display for KeySetLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => url.fmt(f),
            Self::Issuer(issuer) => issuer.name.fmt(f),
        }
    }
}

/// A URL of HTTP or HTTPS without credentials, which would be shown and logged.
fn fetchable(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "must be an https URL".to_owned())?;
    let is_fetchable = matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none();
    if is_fetchable { Ok(url) } else { Err("must be an https URL without credentials and fragment".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_keeps_its_form_and_leads_to_its_discovery_document() {
        for (issuer, discovery) in [
            ("https://shop.eu.auth0.com/", "https://shop.eu.auth0.com/.well-known/openid-configuration"),
            (
                "https://login.example.com/realms/a",
                "https://login.example.com/realms/a/.well-known/openid-configuration",
            ),
        ] {
            let location = KeySetLocation::parse_issuer(issuer).unwrap();
            assert_eq!((location.issuer(), location.to_string().as_str()), (Some(issuer), issuer));
            let KeySetLocation::Issuer(issuer) = location else { panic!("another location") };
            assert_eq!(issuer.discovery().as_str(), discovery);
        }
    }

    #[test]
    fn an_address_that_cannot_be_fetched_is_refused_with_a_valid_value() {
        for text in ["", "login.example.com", "ftp://login.example.com", "https://user:canary@host/", "https://host/#a"]
        {
            for refusal in [KeySetLocation::parse_url(text), KeySetLocation::parse_issuer(text)] {
                let refusal = refusal.unwrap_err();
                assert!(refusal.contains("https://login.example.com/") && !refusal.contains("canary"), "{refusal}");
            }
        }
        assert!(KeySetLocation::parse_url("https://host/keys?p=1").is_ok());
        assert!(KeySetLocation::parse_issuer("https://host/?p=1").is_err());
    }
}
