//! Puts the files of `chat-web` behind the HTTP server of `chat-http`. Neither knows the other.

use chat_http::{HomePage, Mount, Mounts};
use chat_web::{DevelopmentPeople, WebFiles, WebHome, WebRoute, WebSettings, WebSite};

use crate::config::{Config, Switch};

/// The pages and files that the configuration asks for. `people` are there in development mode.
pub(crate) fn mounts(config: &Config, people: Option<DevelopmentPeople>) -> Mounts {
    let settings = WebSettings {
        console: config.pages.console == Switch::On,
        widget: config.pages.widget == Switch::On,
        public_url: config.public_url.clone(),
        avatar_origins: config.pages.avatar_origins.clone(),
        people,
    };
    let WebSite { routes, home } = WebSite::new(&WebFiles::embedded(), &settings);
    let routes = routes.into_iter().map(|WebRoute { path, handler }| Mount { path, handler }).collect();
    let home = home.map(|home| match home {
        WebHome::At(path) => HomePage::At(path),
        WebHome::Page(handler) => HomePage::Page(handler),
    });
    Mounts { routes, home }
}
