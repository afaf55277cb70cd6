//! Embeds the built files of the parts, each with its compressed variants.
//!
//! They are compressed here, so that the program needs no time for it when it runs, that no binary file is in the
//! repository, and that building needs nothing but Rust.
#![expect(clippy::print_stdout, reason = "a build script reports to cargo on standard output")]

mod parts;

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use self::parts::{ASSETS_PLACEHOLDER, PARTS};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A file as it is served.
struct BuiltFile {
    part: &'static str,
    name: String,
    is_entry: bool,
    content: Vec<u8>,
}

fn main() -> Outcome<()> {
    let crate_dir = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo::rerun-if-changed=build");
    let mut files = Vec::new();
    for part in PARTS {
        let dist = crate_dir.join(part.name).join("dist");
        println!("cargo::rerun-if-changed={}", dist.display());
        for name in names(&dist)? {
            let content = fs::read(dist.join(&name))?;
            let is_entry = part.entries.contains(&name.as_str());
            files.push(BuiltFile { part: part.name, name, is_entry, content });
        }
    }
    let assets = hash_of_assets(&files);
    for file in files.iter_mut().filter(|file| file.is_entry) {
        if let Ok(text) = str::from_utf8(&file.content) {
            file.content = text.replace(ASSETS_PLACEHOLDER, &format!("assets/{assets}")).into_bytes();
        }
    }
    let table =
        files.iter().enumerate().map(|(number, file)| row(number, file, &out_dir)).collect::<Outcome<String>>()?;
    let source = format!("const ASSETS_HASH: &str = {assets:?};\nfn table() -> Vec<WebFile> {{ vec![\n{table}] }}\n");
    fs::write(out_dir.join("embedded.rs"), source)?;
    Ok(())
}

/// The files in a directory, in order.
fn names(directory: &Path) -> Outcome<Vec<String>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    for entry in entries {
        let entry = entry?;
        let name =
            entry.file_name().into_string().map_err(|name| format!("{} is no name for a file", name.display()))?;
        if !entry.file_type()?.is_file() {
            return Err(format!("{} is no file: addresses have one level", entry.path().display()).into());
        }
        found.push(name);
    }
    found.sort();
    Ok(found)
}

/// Changes with each asset, its name or its content: assets may import each other by relative addresses.
fn hash_of_assets(files: &[BuiltFile]) -> String {
    let mut hash = Sha256::new();
    for file in files.iter().filter(|file| !file.is_entry) {
        for piece in [file.part.as_bytes(), file.name.as_bytes(), &file.content] {
            hash.update((piece.len() as u64).to_le_bytes());
            hash.update(piece);
        }
    }
    hex(&hash.finalize(), 8)
}

fn hex(digest: &[u8], bytes: usize) -> String {
    digest.iter().take(bytes).fold(String::new(), |mut text, byte| {
        let _never_fails = write!(text, "{byte:02x}");
        text
    })
}

/// The row of the table for a file, whose variants are written beside it.
fn row(number: usize, file: &BuiltFile, out_dir: &Path) -> Outcome<String> {
    let write = |ending: &str, bytes: &[u8]| -> Outcome<String> {
        fs::write(out_dir.join(format!("{number}{ending}")), bytes)?;
        Ok(format!("Bytes::from_static(include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{number}{ending}\")))"))
    };
    let smaller = |ending: &str, bytes: &[u8]| -> Outcome<String> {
        // Pictures, for example, are compressed already.
        if bytes.len() < file.content.len() {
            Ok(format!("Some({})", write(ending, bytes)?))
        } else {
            Ok("None".into())
        }
    };
    Ok(format!(
        "WebFile {{ part: {:?}, name: {:?}, is_entry: {}, tag: {:?}, plain: {}, br: {}, gzip: {} }},\n",
        file.part,
        file.name,
        file.is_entry,
        hex(&Sha256::digest(&file.content), 16),
        write("", &file.content)?,
        smaller(".br", &brotli(&file.content)?)?,
        smaller(".gz", &gzip(&file.content)?)?,
    ))
}

fn brotli(content: &[u8]) -> Outcome<Vec<u8>> {
    let settings = brotli::enc::BrotliEncoderParams { size_hint: content.len(), ..Default::default() };
    let (mut from, mut compressed) = (content, Vec::new());
    brotli::BrotliCompress(&mut from, &mut compressed, &settings)?;
    Ok(compressed)
}

fn gzip(content: &[u8]) -> Outcome<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    Ok(encoder.finish()?)
}
