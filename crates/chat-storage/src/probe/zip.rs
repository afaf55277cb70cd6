//! ZIP archives that are documents: told by the list of entries at the archive's end, whatever their order and size.
//!
//! - Office Open XML (ECMA-376, part 2): an entry `[Content_Types].xml`, and a directory for each kind of document.
//! - `OpenDocument` (part 3, 3.3) and EPUB (OCF, 4.3): an entry `mimetype`, not compressed, whose content is the type.
//!
//! The format is that of PKWARE's APPNOTE.TXT 6.3.10. Nothing is decompressed.

use std::collections::BTreeSet;
use std::io::{Read, Seek};
use std::ops::Range;

use super::window::Window;

const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";
const DIRECTORY_ENTRY: [u8; 4] = *b"PK\x01\x02";
const END_OF_DIRECTORY: [u8; 4] = *b"PK\x05\x06";
const ZIP64_END: [u8; 4] = *b"PK\x06\x06";
const ZIP64_LOCATOR: [u8; 4] = *b"PK\x06\x07";

/// The end of the directory is followed by a comment of at most 64 KiB.
const MAX_END_BYTES: u64 = 22 + 65_535;
/// How much of the list is read: some thousand entries, many times what a document has.
const MAX_DIRECTORY_BYTES: u64 = 512 * 1024;
/// The longest of the names that matter, and of the types.
const MAX_NAME_BYTES: usize = 128;

const WORD: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const WORD_MACROS: &str = "application/vnd.ms-word.document.macroenabled.12";
const EXCEL: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const EXCEL_MACROS: &str = "application/vnd.ms-excel.sheet.macroenabled.12";
const EXCEL_BINARY: &str = "application/vnd.ms-excel.sheet.binary.macroenabled.12";
const POWER_POINT: &str = "application/vnd.openxmlformats-officedocument.presentationml.presentation";
const POWER_POINT_MACROS: &str = "application/vnd.ms-powerpoint.presentation.macroenabled.12";

/// The document's type, or `None` for an archive that is nothing more.
pub(super) fn document_type<R: Read + Seek>(window: &mut Window<R>) -> Option<String> {
    let directory = directory(window)?;
    let length = directory.end.checked_sub(directory.start)?.min(MAX_DIRECTORY_BYTES);
    let mut entries = vec![0; usize::try_from(length).ok()?];
    window.fill(directory.start, &mut entries)?;

    let mut seen = Seen::default();
    let mut rest = entries.as_slice();
    while let Some((entry, behind)) = Entry::parse(rest) {
        seen.note(&entry);
        rest = behind;
    }
    let declared = seen.mimetype.and_then(|at| stored_type(window, at));
    declared.or_else(|| seen.named().map(str::to_owned))
}

/// Where the list of entries lies.
fn directory<R: Read + Seek>(window: &mut Window<R>) -> Option<Range<u64>> {
    let end = window.rfind(&END_OF_DIRECTORY, window.len(), MAX_END_BYTES)?;
    let [s0, s1, s2, s3, offset @ ..] = window.peek::<8>(end.checked_add(12)?)?;
    let (size, offset) = (u32::from_le_bytes([s0, s1, s2, s3]), u32::from_le_bytes(offset));
    let (size, end) = if size == u32::MAX || offset == u32::MAX {
        let locator = end.checked_sub(20)?;
        if window.peek(locator)? != ZIP64_LOCATOR {
            return None;
        }
        let end = u64::from_le_bytes(window.peek(locator.checked_add(8)?)?);
        if window.peek(end)? != ZIP64_END {
            return None;
        }
        (u64::from_le_bytes(window.peek(end.checked_add(40)?)?), end)
    } else {
        (u64::from(size), end)
    };
    // It ends where the record of its end begins, which holds for archives behind something else, too.
    Some(end.checked_sub(size)?..end)
}

/// An entry of the list.
struct Entry<'a> {
    name: &'a [u8],
    is_compressed: bool,
    offset: u32,
}

impl<'a> Entry<'a> {
    /// The first entry, and what follows it.
    fn parse(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let header = bytes.first_chunk::<46>()?;
        if !header.starts_with(&DIRECTORY_ENTRY) {
            return None;
        }
        let u16_at = |at: usize| Some(u16::from_le_bytes(*header.get(at..)?.first_chunk()?));
        let name_end = 46 + usize::from(u16_at(28)?);
        let end = name_end + usize::from(u16_at(30)?) + usize::from(u16_at(32)?);
        let entry = Self {
            name: bytes.get(46..name_end)?,
            is_compressed: u16_at(10)? != 0,
            offset: u32::from_le_bytes(*header.get(42..)?.first_chunk()?),
        };
        Some((entry, bytes.get(end..)?))
    }
}

/// Entries that tell documents apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum DocumentPart {
    ContentTypes,
    Word,
    Excel,
    BinaryWorkbook,
    PowerPoint,
    Macros,
    EpubContainer,
}

/// What the list of entries has of what matters.
#[derive(Default)]
struct Seen {
    /// Where the entry `mimetype` lies.
    mimetype: Option<u32>,
    parts: BTreeSet<DocumentPart>,
}

impl Seen {
    fn note(&mut self, entry: &Entry<'_>) {
        let part = match entry.name {
            b"mimetype" if !entry.is_compressed => {
                self.mimetype = Some(entry.offset);
                return;
            }
            b"[Content_Types].xml" => DocumentPart::ContentTypes,
            b"META-INF/container.xml" => DocumentPart::EpubContainer,
            b"xl/workbook.bin" => DocumentPart::BinaryWorkbook,
            name if name.ends_with(b"/vbaProject.bin") => DocumentPart::Macros,
            name if name.starts_with(b"word/") => DocumentPart::Word,
            name if name.starts_with(b"xl/") => DocumentPart::Excel,
            name if name.starts_with(b"ppt/") => DocumentPart::PowerPoint,
            _ => return,
        };
        self.parts.insert(part);
    }

    /// The type that the names of the entries alone tell.
    fn named(&self) -> Option<&'static str> {
        let has = |part| self.parts.contains(&part);
        if !has(DocumentPart::ContentTypes) {
            return has(DocumentPart::EpubContainer).then_some("application/epub+zip");
        }
        let kinds = [
            (DocumentPart::BinaryWorkbook, EXCEL_BINARY, EXCEL_BINARY),
            (DocumentPart::Word, WORD, WORD_MACROS),
            (DocumentPart::Excel, EXCEL, EXCEL_MACROS),
            (DocumentPart::PowerPoint, POWER_POINT, POWER_POINT_MACROS),
        ];
        let found = kinds.into_iter().find(|(part, ..)| has(*part));
        found.map(|(_, plain, with_macros)| if has(DocumentPart::Macros) { with_macros } else { plain })
    }
}

/// The content of the entry `mimetype`, when it is the type of a document.
fn stored_type<R: Read + Seek>(window: &mut Window<R>, at: u32) -> Option<String> {
    let at = u64::from(at);
    if window.peek(at)? != LOCAL_HEADER {
        return None;
    }
    let [n0, n1, x0, x1] = window.peek::<4>(at.checked_add(26)?)?;
    let skipped = 30 + u64::from(u16::from_le_bytes([n0, n1])) + u64::from(u16::from_le_bytes([x0, x1]));
    // The size in the local header may be 0 when it follows the data; the type ends where the next header begins.
    let start = at.checked_add(skipped)?;
    let mut bytes = vec![0; usize::try_from(window.len().checked_sub(start)?).ok()?.min(MAX_NAME_BYTES)];
    window.fill(start, &mut bytes)?;
    let of_type = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"/.+-".contains(byte);
    let end = bytes.iter().position(|byte| !of_type(byte)).unwrap_or(bytes.len());
    let text = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let known = text == "application/epub+zip" || text.starts_with("application/vnd.oasis.opendocument.");
    known.then(|| text.to_owned())
}
