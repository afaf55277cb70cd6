//! The reference of files: what is recognised, what browsers may show, and what becomes of names.

use std::fmt::Write;

use crate::handlers::download_attachment::SHOWN_INLINE;

const INTRODUCTION: &str = "\
# Files

<!-- Rendered from crates/chat-http/src/files_reference.rs and crates/chat-storage/src/recognised.rs by `cargo xtask docs`.
Do not edit. -->

A file's type follows from its bytes. The type that its sender claims chooses only between kinds of plain text. A type
that is not in the tables below is named too where the file begins with a known signature (archives, programs, fonts);
everything else is `application/octet-stream`.

A download is `inline` for the types marked so, and `attachment` for all others, whatever was claimed: a browser shows
only raster images, audio and video by itself. Every download has `X-Content-Type-Options: nosniff` and
`Content-Security-Policy: sandbox`.

`width` and `height` are pixels as the picture is shown, after the turn that a JPEG (EXIF), HEIF or MP4 states;
`duration` is seconds, rounded to milliseconds. They are read from headers, and from the end of recordings whose header
does not say (WebM of `MediaRecorder`, MP4 in fragments). What a header does not say, and pictures of more than 2^28
pixels, are left out.

";

const TEXT: &str = "
## Text

A file whose bytes are all text is `text/plain`. It is `text/csv`, `text/tab-separated-values` or `text/markdown` when its
sender claims that, JSON when it also begins like JSON, `text/csv` also under the names that Windows has for it
(`application/vnd.ms-excel`), and `text/vcard` or `text/calendar` when it begins so. HTML, SVG, XML and scripts are named as
what they are.

Text is UTF-8. Text in another character set carries it, in the message and in `Content-Type`: `text/plain;
charset=utf-16` with a byte order mark, `charset=iso-8859-1` or `charset=windows-1252` where most characters are ASCII.

## Names

- The name is what follows the last `/` or `\\`: `C:\\Users\\x\\scan 1.pdf` is `scan 1.pdf`.
- Control characters, `\"`, line breaks and characters that reorder text are taken out; white space at both ends, too. A
  leading dot stays. What is left of nothing is `file`.
- A name of more than 255 bytes of UTF-8 is cut before its extension, between characters as people see them.
- In a form, `filename*` (RFC 8187) is used before `filename`. In `filename`, `%22`, `%0D` and `%0A` stand for `\"`, CR and
  LF, as browsers and curl write them, and nothing else is an escape; encoded words (RFC 2047) are decoded. A name that
  is not UTF-8 is read as Latin-1.
- A field for files without name and bytes, which browsers send where no file was chosen, is no file.

## No room

A file over the limits of [configuration](configuration.md), and one that is larger than the file system takes, is
`400 VALIDATION_FAILED`. When the disk is full, files are `503 STORAGE_FULL` with `Retry-After: 300`, and text is taken.
";

/// The reference document of files, in Markdown. `recognised` are the types that the attachment store tells, in groups.
pub fn files_reference(recognised: &[(&str, &[&str])]) -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str("| kind | type | shown inline |\n|---|---|---|\n");
    for (kind, types) in recognised {
        for media_type in *types {
            let inline = if SHOWN_INLINE.contains(media_type) { "yes" } else { "" };
            // Writing to a String cannot fail.
            let _infallible = writeln!(page, "| {kind} | `{media_type}` | {inline} |");
        }
    }
    page.push_str(TEXT);
    page
}
