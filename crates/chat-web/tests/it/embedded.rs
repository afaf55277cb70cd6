//! The files inside the binary are those in `dist`, and their variants say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use chat_web::{WebFile, WebFiles};
use flate2::read::GzDecoder;

fn dist(part: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(part).join("dist")
}

/// What is in `dist`, with the address of the assets in the place of its placeholder.
fn source(file: &WebFile) -> Vec<u8> {
    let content = fs::read(dist(file.part).join(file.name)).unwrap();
    if !file.is_entry {
        return content;
    }
    let address = format!("assets/{}", WebFiles::embedded().assets_hash());
    String::from_utf8(content).unwrap().replace("__ASSETS__", &address).into_bytes()
}

#[test]
fn embedded_files_are_the_built_ones() {
    for file in WebFiles::embedded().iter() {
        assert_eq!(file.plain, source(file), "{} of {}", file.name, file.part);
    }
}

#[test]
fn all_built_files_of_a_part_are_embedded() {
    let files = WebFiles::embedded();
    let parts: BTreeSet<&str> = files.iter().map(|file| file.part).collect();
    assert!(parts.contains("client") && parts.contains("widget"), "{parts:?}");
    for part in parts {
        let built = fs::read_dir(dist(part)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let embedded = files.iter().filter(|file| file.part == part).map(|file| file.name.to_owned());
        assert_eq!(embedded.collect::<BTreeSet<_>>(), built.collect(), "{part}");
    }
}

#[test]
fn compressed_variants_hold_the_same_and_are_smaller() {
    for file in WebFiles::embedded().iter() {
        let mut sizes = vec![file.plain.len()];
        if let Some(gzip) = &file.gzip {
            let mut unpacked = Vec::new();
            GzDecoder::new(&gzip[..]).read_to_end(&mut unpacked).unwrap();
            assert_eq!(unpacked, file.plain, "{}", file.name);
            sizes.push(gzip.len());
        }
        if let Some(br) = &file.br {
            let mut unpacked = Vec::new();
            brotli::Decompressor::new(&br[..], 4096).read_to_end(&mut unpacked).unwrap();
            assert_eq!(unpacked, file.plain, "{}", file.name);
            sizes.push(br.len());
        }
        assert!(sizes.is_sorted_by(|larger, smaller| larger > smaller), "{}: {sizes:?}", file.name);
        let is_script = Path::new(file.name).extension().is_some_and(|ending| ending == "js");
        assert!(sizes.len() == 3 || !is_script, "{} has no variants", file.name);
    }
}

#[test]
fn files_of_the_widget_import_nothing_from_each_other() {
    // Those of two versions may meet in one page.
    for file in WebFiles::embedded().iter().filter(|file| file.part == "widget") {
        // Behind the line that names the part.
        let text = String::from_utf8(file.plain.to_vec()).unwrap().lines().skip(1).collect::<String>();
        let imports = ["import{", "import\""].iter().any(|one| text.starts_with(one))
            || [";import{", ";import\"", "from\"./"].iter().any(|one| text.contains(one));
        assert!(!imports, "{}", file.name);
    }
}

#[test]
fn files_with_one_tag_are_the_same() {
    let files = WebFiles::embedded();
    let mut contents = BTreeMap::new();
    for file in files.iter() {
        let known = contents.entry(file.tag).or_insert(&file.plain);
        assert_eq!(*known, &file.plain, "{}/{}", file.part, file.name);
    }
    assert!(contents.len() > 1);
}
