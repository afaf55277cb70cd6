//! Pages of this server: what they may load, and that no other page may frame or open them to reach inside.

use actix_web::http::header::{CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_FRAME_OPTIONS};

use crate::web_origin::WebOrigin;

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// What no page here uses. Notifications have no entry in this header.
const NO_PERMISSIONS: &str = "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), \
                              geolocation=(), gyroscope=(), hid=(), magnetometer=(), microphone=(), midi=(), payment=(), \
                              publickey-credentials-get=(), serial=(), usb=()";

/// The origins that a page may reach besides its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct PageOrigins {
    /// As which the client reaches this server.
    pub(crate) own: Option<WebOrigin>,
    /// As which the operator has named it: addresses in responses begin with it.
    pub(crate) public: Option<WebOrigin>,
    /// Where pictures of people are.
    pub(crate) avatars: Vec<WebOrigin>,
}

impl PageOrigins {
    /// Nothing runs but the files of this server, and no text becomes markup or a script. Files are shown from memory, as
    /// `blob:`, before they are sent.
    fn policy(&self) -> String {
        let own_sockets = self.own.as_ref().map(WebOrigin::of_sockets);
        // A page that was opened at the public address has it as its own.
        let public = self.public.as_ref().filter(|public| self.own.as_ref() != Some(public));
        let (public, public_sockets) = (public.map(WebOrigin::to_string), public.map(WebOrigin::of_sockets));
        let avatars: Vec<String> = self.avatars.iter().map(ToString::to_string).collect();
        let sources = |fixed: &str, further: &[&Option<String>]| {
            let further = further.iter().filter_map(|origin| origin.as_deref());
            [fixed].into_iter().chain(further).collect::<Vec<_>>().join(" ")
        };
        [
            "default-src 'none'".to_owned(),
            "base-uri 'none'".to_owned(),
            "form-action 'none'".to_owned(),
            "frame-ancestors 'none'".to_owned(),
            "script-src 'self'".to_owned(),
            "style-src 'self'".to_owned(),
            "font-src 'self'".to_owned(),
            format!("connect-src {}", sources("'self'", &[&own_sockets, &public, &public_sockets])),
            [sources("img-src 'self' blob:", &[&public])].into_iter().chain(avatars).collect::<Vec<_>>().join(" "),
            sources("media-src 'self' blob:", &[&public]),
            "require-trusted-types-for 'script'".to_owned(),
            "trusted-types 'none'".to_owned(),
        ]
        .join("; ")
    }

    /// The headers of a page.
    pub(crate) fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = vec![
            (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (PERMISSIONS_POLICY, HeaderValue::from_static(NO_PERMISSIONS)),
            (OPENER_POLICY, HeaderValue::from_static("same-origin")),
        ];
        // Never fails: an origin has no other characters than a header may have. A page without a policy is not sent.
        let policy = HeaderValue::try_from(self.policy()).unwrap_or(HeaderValue::from_static("default-src 'none'"));
        headers.push((CONTENT_SECURITY_POLICY, policy));
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Option<WebOrigin> {
        WebOrigin::of_url(url)
    }

    fn directive(origins: &PageOrigins, name: &str) -> String {
        let policy = origins.policy();
        policy.split("; ").find(|directive| directive.starts_with(&format!("{name} "))).unwrap().to_owned()
    }

    #[test]
    fn a_page_reaches_its_own_server_and_the_origins_of_the_operator() {
        let origins = PageOrigins::default();
        assert_eq!(directive(&origins, "connect-src"), "connect-src 'self'");
        let origins = PageOrigins {
            own: origin("http://10.0.0.1:8080"),
            public: origin("https://chat.example/support"),
            avatars: ["https://one.example", "https://two.example:8443"].map(|url| origin(url).unwrap()).into(),
        };
        assert_eq!(
            directive(&origins, "connect-src"),
            "connect-src 'self' ws://10.0.0.1:8080 https://chat.example wss://chat.example"
        );
        assert_eq!(
            directive(&origins, "img-src"),
            "img-src 'self' blob: https://chat.example https://one.example https://two.example:8443"
        );
        assert_eq!(directive(&origins, "media-src"), "media-src 'self' blob: https://chat.example");
        let origins =
            PageOrigins { own: origin("https://chat.example"), public: origin("https://chat.example/"), ..origins };
        assert_eq!(directive(&origins, "connect-src"), "connect-src 'self' wss://chat.example");
    }

    #[test]
    fn nothing_in_the_policy_is_unsafe() {
        let policy = PageOrigins::default().policy();
        assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("data:"), "{policy}");
        for directive in
            ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"]
        {
            assert!(policy.split("; ").any(|part| part == directive), "{directive} is not in {policy}");
        }
    }
}
