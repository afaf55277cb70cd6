//! The addresses of the files, and what each responds with.

use std::sync::Arc;

use actix_web::http::header::{HeaderValue, LOCATION};
use actix_web::{HttpRequest, HttpResponse};

use crate::development::{self, DevelopmentPeople};
use crate::file_response::{Caching, Readers, respond};
use crate::page::PageOrigins;
use crate::web_files::{WebFile, WebFiles};
use crate::web_origin::WebOrigin;

/// What the operator decides about the files.
#[derive(Clone, Default)]
pub struct WebSettings {
    /// Whether the console is served.
    pub console: bool,
    /// Whether the widget is served.
    pub widget: bool,
    /// The address under which clients reach the server, unless it follows from each request.
    pub public_url: Option<String>,
    /// Where pictures of people are that the console may show.
    pub avatar_origins: Vec<WebOrigin>,
    /// In development mode, the people as whom one may sign in.
    pub people: Option<DevelopmentPeople>,
}

/// Responds to `GET` and `HEAD`. The second argument is the origin as which the client reaches the server, where it is known.
pub type WebHandler = Arc<dyn Fn(&HttpRequest, Option<&str>) -> HttpResponse + Send + Sync>;

/// An address and what it responds with. A response with 404 says that there is nothing at this address.
#[derive(Clone)]
pub struct WebRoute {
    /// The path, with parameters in braces as actix-web has them.
    pub path: &'static str,
    /// Its responses.
    pub handler: WebHandler,
}

/// What a browser gets that opens the server's own address.
#[derive(Clone)]
pub enum WebHome {
    /// It is sent to this path, relative to the server's address.
    At(&'static str),
    /// A page.
    Page(WebHandler),
}

/// All that is served.
#[derive(Clone, Default)]
pub struct WebSite {
    /// The addresses. Where nothing is served, there is none.
    pub routes: Vec<WebRoute>,
    /// The page at `/`; `None` where this crate has none.
    pub home: Option<WebHome>,
}

impl WebSite {
    /// The addresses of the files that there are and that the operator wants.
    pub fn new(files: &WebFiles, settings: &WebSettings) -> Self {
        let console = settings.console.then(|| files.entry("console", "index.html")).flatten();
        let widget = settings.widget.then(|| files.entry("widget", "widget.js")).flatten();
        let client = files.entry("client", "client.js");
        // Only development mode has people to show both sides as.
        let demo = settings.people.as_ref().and_then(|_| files.entry("demo", "index.html"));
        let demo = demo.filter(|_| console.is_some() && widget.is_some());

        let mut routes = Vec::new();
        for (path, script) in [("/client.js", client), ("/widget.js", widget)] {
            if let Some(script) = script {
                routes.push(WebRoute { path, handler: script_handler(script) });
            }
        }
        if files.iter().any(|file| !file.is_entry) {
            let handler = assets_handler(files.clone(), settings.console, settings.widget, demo.is_some());
            routes.push(WebRoute { path: "/assets/{hash}/{part}/{file}", handler });
        }
        if let Some(page) = &console {
            routes.push(WebRoute { path: "/console", handler: page_handler(page.clone(), settings) });
            // The page's addresses are relative to an address without a slash at its end.
            routes.push(WebRoute { path: "/console/", handler: redirect_handler("../console") });
        }
        if let (Some(people), true) = (&settings.people, console.is_some() || demo.is_some()) {
            let people = Arc::clone(people);
            let handler: WebHandler = Arc::new(move |request, _| development::respond(request, &people));
            routes.push(WebRoute { path: "/console/development-people", handler });
        }
        let at_console = console.is_some().then_some(WebHome::At("console"));
        let home = demo.map(|page| WebHome::Page(page_handler(page, settings))).or(at_console);
        Self { routes, home }
    }
}

/// A script that pages of all sites load, at an address that stays the same.
fn script_handler(script: WebFile) -> WebHandler {
    Arc::new(move |request, _| respond(request, &script, Caching::Revalidated, Readers::AllOrigins, []))
}

/// The assets of this version. Those of another version are not here: an old page that asks a new server, or a new page
/// that asks an old one, must not get files that do not fit it. Files of the widget fit: they import nothing from each
/// other and take what they need as arguments, so a shop's page that is open while the server is updated gets those
/// that are here.
fn assets_handler(files: WebFiles, console: bool, widget: bool, demo: bool) -> WebHandler {
    Arc::new(move |request, _| {
        let parameters = request.match_info();
        let name = parameters.get("part").zip(parameters.get("file"));
        let Some(asset) = name.and_then(|(part, file)| files.asset(part, file)) else {
            return HttpResponse::NotFound().finish();
        };
        let (is_served, readers) = match asset.part {
            "console" => (console, Readers::SameOrigin),
            "demo" => (demo, Readers::SameOrigin),
            "widget" => (widget, Readers::AllOrigins),
            _ => (true, Readers::AllOrigins),
        };
        let hash = parameters.get("hash").unwrap_or_default();
        let caching = if hash == files.assets_hash() { Caching::Immutable } else { Caching::Revalidated };
        if is_served && (caching == Caching::Immutable || (asset.part == "widget" && is_hash(hash))) {
            respond(request, asset, caching, readers, [])
        } else {
            HttpResponse::NotFound().finish()
        }
    })
}

/// Whether a server of some version may have it in its addresses.
fn is_hash(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn page_handler(page: WebFile, settings: &WebSettings) -> WebHandler {
    let public = settings.public_url.as_deref().and_then(WebOrigin::of_url);
    let avatars = settings.avatar_origins.clone();
    Arc::new(move |request, origin| {
        let own = origin.and_then(WebOrigin::of_url);
        let origins = PageOrigins { own, public: public.clone(), avatars: avatars.clone() };
        respond(request, &page, Caching::Revalidated, Readers::SameOrigin, origins.headers())
    })
}

fn redirect_handler(to: &'static str) -> WebHandler {
    Arc::new(move |_, _| {
        HttpResponse::PermanentRedirect().insert_header((LOCATION, HeaderValue::from_static(to))).finish()
    })
}
