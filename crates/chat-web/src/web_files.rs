//! The files that are served, each with its compressed variants.

use actix_web::web::Bytes;

/// A file as it is served.
#[derive(Clone, Debug)]
pub struct WebFile {
    /// The part that it belongs to: `client`, `widget`, `console` or `demo`.
    pub part: &'static str,
    /// Its name within the part.
    pub name: &'static str,
    /// Whether it has an address of its own, and none with a hash.
    pub is_entry: bool,
    /// Changes with its content.
    pub tag: &'static str,
    /// As it is.
    pub plain: Bytes,
    /// Compressed with Brotli, where that is smaller.
    pub br: Option<Bytes>,
    /// Compressed with gzip, where that is smaller.
    pub gzip: Option<Bytes>,
}

/// The files of a version.
#[derive(Clone, Debug)]
pub struct WebFiles {
    files: Vec<WebFile>,
    /// The part of the assets' addresses that changes with them.
    assets_hash: &'static str,
}

impl WebFiles {
    /// These files; `assets_hash` stands in the addresses of those that are no entries.
    pub fn new(files: Vec<WebFile>, assets_hash: &'static str) -> Self {
        Self { files, assets_hash }
    }

    /// Those inside the binary.
    pub fn embedded() -> Self {
        Self::new(table(), ASSETS_HASH)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &WebFile> {
        self.files.iter()
    }

    /// What stands in the addresses of assets.
    pub fn assets_hash(&self) -> &'static str {
        self.assets_hash
    }

    /// The file that a part has an address of its own for.
    pub(crate) fn entry(&self, part: &str, name: &str) -> Option<WebFile> {
        self.files.iter().find(|file| file.is_entry && file.part == part && file.name == name).cloned()
    }

    /// The asset of a part with this name.
    pub(crate) fn asset(&self, part: &str, name: &str) -> Option<&WebFile> {
        self.files.iter().find(|file| !file.is_entry && file.part == part && file.name == name)
    }
}

impl WebFile {
    /// What it is, by the ending of its name. A browser takes it for that and nothing else.
    pub(crate) fn media_type(&self) -> &'static str {
        match self.name.rsplit_once('.').map_or("", |(_, ending)| ending) {
            "html" => "text/html; charset=utf-8",
            "js" | "mjs" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "json" | "map" => "application/json",
            "svg" => "image/svg+xml",
            "png" => "image/png",
            "webp" => "image/webp",
            "ico" => "image/x-icon",
            "woff2" => "font/woff2",
            "mp3" => "audio/mpeg",
            "wav" => "audio/wav",
            "ogg" => "audio/ogg",
            "webmanifest" => "application/manifest+json",
            "txt" => "text/plain; charset=utf-8",
            _ => "application/octet-stream",
        }
    }
}

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
