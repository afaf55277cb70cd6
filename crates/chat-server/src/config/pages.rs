//! The options about the pages and files that the server has for people.

use chat_web::WebOrigin;
use clap::Args;

use super::{Switch, list};

/// Which pages are served, and what they may show.
#[derive(Args, Clone, Debug)]
pub(crate) struct PageOptions {
    /// Whether the agents' console is served under `/console`. When `off`, there is nothing at its addresses.
    #[arg(long, env = "CHAT_CONSOLE", value_name = "SWITCH", default_value = "on")]
    #[arg(value_enum, global = true, help_heading = "Pages")]
    pub(crate) console: Switch,

    /// Whether the customers' widget is served as `/widget.js`. When `off`, there is nothing at its addresses. The client
    /// library, `/client.js`, is served in any case.
    #[arg(long, env = "CHAT_WIDGET", value_name = "SWITCH", default_value = "on")]
    #[arg(value_enum, global = true, help_heading = "Pages")]
    pub(crate) widget: Switch,

    /// The origins whose pictures of people the console may show, separated by commas, such as
    /// `https://pictures.example.com`. Without any, it shows initials.
    #[arg(long, env = "CHAT_AVATAR_ORIGINS", value_name = "ORIGINS", value_delimiter = ',')]
    #[arg(value_parser = WebOrigin::parse, global = true, help_heading = "Pages")]
    pub(crate) avatar_origins: Vec<WebOrigin>,
}

impl PageOptions {
    /// The value of each option by its name.
    pub(super) fn shown(&self) -> [(&'static str, String); 3] {
        [
            ("console", self.console.to_string()),
            ("widget", self.widget.to_string()),
            ("avatar_origins", list(&self.avatar_origins)),
        ]
    }
}
