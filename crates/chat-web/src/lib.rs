//! The files that people see, inside the binary: the client library, the widget, the console and the demo.
//!
//! What a browser runs is beside `src`, one directory for each part, and uses nothing but the public API. Here is what serves
//! it: which files there are (`web_files`, made by the build script), under which addresses (`site`), and with which headers
//! (`file_response`, `page`). The HTTP server is `chat-http`, which knows nothing of this crate, as this crate knows nothing
//! of it: `chat-server` hands the routes over.

mod content_coding;
mod development;
mod file_response;
mod page;
mod site;
mod web_files;
mod web_origin;

pub use development::{DevelopmentPeople, DevelopmentPerson};
pub use site::{WebHandler, WebHome, WebRoute, WebSettings, WebSite};
pub use web_files::{WebFile, WebFiles};
pub use web_origin::WebOrigin;
