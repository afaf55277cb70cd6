//! The reference of files: what is recognised, what browsers may show, and what becomes of names.

use std::fmt::Write;

use chat_domain::model::UnsentUpload;
use chat_domain::service::Rules;
use chat_identity::{DOWNLOAD_TICKET_LIFETIME, in_words};

use crate::error::RETRY_FULL_SECONDS;
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

A file whose bytes are all text is `text/plain`, with these exceptions:

- `text/csv`, `text/tab-separated-values` and `text/markdown`, if the sender claims them. `text/csv` also for its other
  names, such as `application/vnd.ms-excel` of Windows, if the first line has a comma, a semicolon or a tab.
- A type of JSON, if the sender claims it and the file begins like JSON. A file that begins with `{` and is sent as
  `application/json` is `application/json`; sent as `text/plain` it is `text/plain`. A file `name;price` that is sent as
  `application/json` is `text/plain`.
- `text/vcard` and `text/calendar`, if the file begins so. HTML, SVG, XML and shell scripts too, whatever the sender
  claims. JavaScript, if the sender claims it.

Text is UTF-8. Text in another character set carries it, in the message and in `Content-Type`: `text/plain;
charset=utf-16` with a byte order mark, `charset=iso-8859-1` or `charset=windows-1252` where most characters are ASCII.

## Ways to send a file

| way | request |
|---|---|
| with its message | `POST /api/chat/sessions/{sessionId}/messages` as a form with `content` and `attachments[0]`, `attachments[1]` … |
| first alone | `POST /api/chat/sessions/{sessionId}/attachments`, as a form with the one field `file`, or as the body itself with `Content-Type` and `Content-Disposition`; it returns the attachment as messages have it |
| … then in a message | `POST /api/chat/sessions/{sessionId}/messages` with JSON: `content` and `attachmentIds`, in the order of the message |

The message is the same in both ways, for its readers and on sockets. A file that was uploaded alone

- is there for its uploader alone until it is sent: to others, its id is unknown (404);
- is sent once, in the session it was uploaded to, by its uploader. `attachmentIds` with any other id is
  `400 VALIDATION_FAILED`, with the same rule whatever the reason, also for the loser of two messages with the file at
  the same time. A repetition with the same `Idempotency-Key` and the same ids gets the first response;
- can be removed by its uploader with `DELETE /api/chat/attachments/{attachmentId}`; once it was sent, that is
  `409 ALREADY_SENT`;
- can be sent for <upload lifetime>, and is then removed; so are files that cannot be sent any more, since the session was closed
  or handed to another agent;
- counts until then in the quota of its uploader (`CHAT_MAX_UNSENT_SIZE`, and <unsent files> files): `400 UPLOAD_QUOTA`.

A client that sends `Expect: 100-continue` is asked for the file only after the checks that do not need it: token,
session, right, length, quota, state of the session, limits.

## Names

- The name is what follows the last `/` or `\\`: `C:\\Users\\x\\scan 1.pdf` is `scan 1.pdf`.
- Control characters, `\"`, line breaks and characters that reorder text are taken out; white space at both ends, too. A
  leading dot stays. What is left of nothing is `file`.
- A name of more than 255 bytes of UTF-8 is cut before its extension, between characters as people see them.
- In a form, `filename*` (RFC 8187) is used before `filename`. In `filename`, `%22`, `%0D` and `%0A` stand for `\"`, CR and
  LF, as browsers and curl write them, and nothing else is an escape; encoded words (RFC 2047) are decoded. A name that
  is not UTF-8 is read as Latin-1.
- A field for files without name and bytes, which browsers send where no file was chosen, is no file.

## Thumbnails

`GET /api/chat/attachments/{attachmentId}/thumbnail?size=160` is a small picture of a JPEG, PNG, GIF (its first frame) or
WebP: the longer side has at most 160 or, by default, 640 pixels, and never more than the picture. It is turned as the
EXIF data of the picture say, and has no metadata; its colours are those of sRGB. It is a JPEG, or a lossless WebP where
something is transparent. Rights, caching and the limit of downloads are those of the file. AVIF and HEIC have no thumbnail,
since their decoders are written in C, in which an error of memory can let a picture run code. TIFF, BMP and SVG have none
either.

A message names it as `thumbnailUrl` if the type fits, the file has at most 32 MiB, and the header does not state
a side of 0 or of more than 65,535 pixels, or more than 50 megapixels. It is made, in both sizes, as the file is stored or
with the first request, and kept beside the file. `404 NO_THUMBNAIL` if the picture is damaged, or decoding it takes more
than 128 MiB of memory or 2 seconds of a processor; that is kept too, so that it is tried once. The bound of memory depends
on what the decoder of the format needs for each pixel:

| picture | bytes for a pixel | most megapixels |
|---|---|---|
| grey JPEG in one scan, grey PNG | 1, 2 | 50 |
| JPEG in one scan, PNG | 3 | 44 |
| progressive JPEG, or one in several scans | 9 | 14 |
| PNG with transparency, and every GIF | 8 | 16 |
| PNG of 16 bits a channel | 6 | 22 |
| PNG of 16 bits a channel with transparency | 16 | 8 |
| WebP | 7 | 19 |
| WebP with transparency | 11 | 12 |
| animated WebP | 14 or 15 | 9 or 8 |

The file itself counts too: of WebP once, of the others twice, so that a JPEG of 6 MB ends at 40 megapixels. A lossless
WebP, and the transparency of a lossy one, may bring tables that take 350 times as much memory as bytes: it has at most about
370 KB, less 20 KB for each megapixel, or 30 KB with transparency.

A node decodes two pictures at a time. At most 64 are decoded or wait, of which one person has begun at most 16: beyond
that, and after waiting 5 seconds in vain, a request is `503 UNAVAILABLE` with `Retry-After`. Show the name of the file, or
its `url`, where there is no thumbnail.

`metadata.dominantColor` is the colour that most of such a picture comes close to, as `#a1b2c3`: with `width` and `height`, a
page can lay out and colour the place of a picture before it loads
(`<img style=\"aspect-ratio: 4 / 3; background: #a1b2c3\">`). The picture is decoded for it as it is stored, within the
same bounds. It is absent if the picture has no thumbnail, if all of it is transparent, and if it took more than half a
second, with the time in which other pictures were decoded. The file is stored all the same, and the pictures that follow
it in a form have no colour either. A colour that is absent stays so.

## Links for pages

An `<img>`, a `<video>` and a link cannot send a header. `POST /api/chat/download-ticket` returns a ticket that a page
adds to the address of any attachment, or its thumbnail, as `?ticket=`: `<img src=\"…/api/chat/attachments/<id>?ticket=<ticket>\">`. It
authorises `GET` and `HEAD` in the name of the person who asked for it, on every node, as often as wanted, for <ticket lifetime>
or until their token ends. The right to the file is checked each time; signing the person out, blocking them and
deactivating an agent end their tickets. A request with a ticket and an `Authorization` header, or with two tickets, is
401. A page gets a new ticket when a file is 401, or a little before `expiresAt`.

With a ticket anyone sees the files that its holder may see, so a page does not put it into links that people share. The
service writes it to no log; the access log of a proxy has it unless the proxy leaves the query out.

## No room

A file over the limits of [configuration](configuration.md), and one that is larger than the file system takes, is
`400 VALIDATION_FAILED`. When the disk is full, files are `503 STORAGE_FULL` with `Retry-After: <seconds when full>`, and
text is taken. While S3 is out of reach, files are `503 UNAVAILABLE` with `Retry-After`, and text is taken.
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
    let values = [
        ("<upload lifetime>", in_words(UnsentUpload::LIFETIME)),
        ("<unsent files>", Rules::MAX_UNSENT_FILES.to_string()),
        ("<seconds when full>", RETRY_FULL_SECONDS.to_string()),
        ("<ticket lifetime>", in_words(DOWNLOAD_TICKET_LIFETIME)),
    ];
    page.push_str(&values.iter().fold(TEXT.to_owned(), |text, (name, value)| text.replace(name, value)));
    page
}
