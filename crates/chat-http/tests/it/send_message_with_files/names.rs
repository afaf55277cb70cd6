//! Names of files, as many kinds of clients write them, and what is kept of them.

use crate::support::app::send;
use crate::support::{Form, TestApp};

/// Sends a file with these parameters behind the name of its field, and returns its name and how a download names it.
async fn named(app: &TestApp, parameters: &[u8]) -> (String, String) {
    let session = app.open_session("alice").await;
    let header =
        [b"Content-Disposition: form-data; name=\"attachments[0]\"; ".as_slice(), parameters, b"\r\n"].concat();
    let message = send(Form::new().part(header, b"x").to(app, "alice", &session)).await.expect(201);
    let file = &message["attachments"][0];
    let download = app.get("alice", &format!("/api/chat/attachments/{}", file["id"].as_str().unwrap())).await;
    (file["name"].as_str().unwrap().to_owned(), download.header("content-disposition").to_owned())
}

on_every_store! {
    async fn a_name_is_read_as_its_sender_writes_it(app) {
        let umlauts = ("Gr\u{fc}\u{df}e.pdf", "attachment; filename=\"Gr__e.pdf\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.pdf");
        let cases: [(&[u8], &str, &str); 10] = [
            // Browsers and curl escape three characters, and nothing else.
            (
                b"filename=\"a%22b%0D%0Ac 100%25 %41.txt\"",
                "abc 100%25 %41.txt",
                "attachment; filename=\"abc 100%25 %41.txt\"",
            ),
            (b"filename=\"C:\\Users\\x\\scan 1.pdf\"", "scan 1.pdf", "attachment; filename=\"scan 1.pdf\""),
            (b"filename=\"quo\\\"te.txt\"", "quote.txt", "attachment; filename=\"quote.txt\""),
            (b"filename=\".gitignore\"", ".gitignore", "attachment; filename=\".gitignore\""),
            (b"filename=\"x\"; filename*=utf-8''Gr%C3%BC%C3%9Fe.pdf", umlauts.0, umlauts.1),
            (b"filename*=iso-8859-1'de'Gr%FC%DFe.pdf; filename=x", umlauts.0, umlauts.1),
            (b"filename=\"=?utf-8?B?R3LDvMOfZS5wZGY=?=\"", umlauts.0, umlauts.1),
            (b"filename=\"=?iso-8859-1?Q?Gr=FC=DFe?= =?utf-8?Q?.pdf?=\"", umlauts.0, umlauts.1),
            (b"filename=\"Gr\xfc\xdfe.pdf\"", umlauts.0, umlauts.1),
            (b"filename=scan.pdf", "scan.pdf", "attachment; filename=\"scan.pdf\""),
        ];
        for (parameters, name, disposition) in cases {
            let (found, downloaded_as) = named(app, parameters).await;
            assert_eq!(found, name, "{:?}", String::from_utf8_lossy(parameters));
            assert_eq!(downloaded_as, disposition, "{:?}", String::from_utf8_lossy(parameters));
        }
    }

    async fn unsafe_characters_are_removed_from_a_name(app) {
        for (claimed, kept) in [
            ("../../etc/passwd", "passwd"),
            ("C:\\Windows\\evil.exe", "evil.exe"),
            ("tab\there.txt", "tabhere.txt"),
            ("next\u{85}line.txt", "nextline.txt"),
            ("gpj.\u{202e}exe", "gpj.exe"),
            ("\u{feff}a\u{2066}b\u{200f}.txt", "ab.txt"),
            ("=?utf-8?Q?a=0D=0AX-Evil=3A_1=22?=", "aX-Evil: 1"),
            ("=?utf-8?Q?..=2F..=2Fetc=2Fpasswd?=", "passwd"),
            (".htaccess", ".htaccess"),
            ("..", "file"),
            ("", "file"),
            ("Rechnung Straße 5 €.pdf", "Rechnung Straße 5 €.pdf"),
        ] {
            let (name, _) = named(app, format!("filename=\"{claimed}\"").as_bytes()).await;
            assert_eq!(name, kept, "{claimed:?}");
        }
        let (name, _) = named(app, b"filename*=utf-8''%2e%2e%2f%22%0d%0aX-Evil:%201.txt").await;
        assert_eq!(name, "X-Evil: 1.txt");
    }

    async fn a_long_name_keeps_its_extension_and_whole_characters(app) {
        let flag = "\u{1f1e9}\u{1f1ea}";
        for (claimed, kept) in [
            (format!("{}.jpeg", "ä".repeat(300)), format!("{}.jpeg", "ä".repeat(125))),
            (format!("{}.jpeg", flag.repeat(100)), format!("{}.jpeg", flag.repeat(31))),
        ] {
            let (name, _) = named(app, format!("filename=\"{claimed}\"").as_bytes()).await;
            assert_eq!(name, kept);
            assert!(name.len() <= 255);
        }
    }
}
