//! Which built files are served, and under which addresses. The build script embeds what this table names.
//!
//! A part is a directory beside `src`, with what it is built to in `dist`. Its entries have addresses that stay the same
//! from version to version. Its other files are assets: their addresses have a hash of them all, so that a browser never has
//! to ask for one again.

/// A part of what people see.
pub(crate) struct Part {
    /// The directory, which is also the first part of its assets' names.
    pub(crate) name: &'static str,
    /// The files in `dist` that are no assets: the name.
    pub(crate) entries: &'static [&'static str],
}

/// What stands in an entry for the directory of the assets, such as `assets/0123456789abcdef`. The build script replaces it.
pub(crate) const ASSETS_PLACEHOLDER: &str = "__ASSETS__";

/// The parts. A part that is named here is served, from the next build on.
pub(crate) const PARTS: &[Part] = &[
    Part { name: "client", entries: &["client.js"] },
    Part { name: "widget", entries: &["widget.js"] },
    Part { name: "console", entries: &["index.html"] },
    Part { name: "demo", entries: &["index.html"] },
];
