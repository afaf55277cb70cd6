//! Large uploads that a node refuses before it has read them, through `docs/deployment/nginx.conf`: the client gets the
//! node's response, and not a 502 because the node closed its connection while nginx was still writing the body.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;
use test_servers::nginx::PrivateNginx;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, split};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::deployment::{connect_tls, site};
use crate::support::{PATIENCE, Person, TestServer, chat_server, run};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// What nginx passes on, and a node takes when nothing else is wrong.
const LARGE: usize = 22 * 1024 * 1024;
/// What nginx passes on, and a node refuses.
const TOO_LARGE: usize = 40 * 1024 * 1024;
const PIECE: usize = 64 * 1024;
/// How often an upload is sent that is refused on sight, and an upload that is refused when most of it was read.
const OFTEN: usize = 20;
const SELDOM: usize = 3;
/// What is around the file of an upload.
const FORM: (&str, &str) =
    ("--b\r\nContent-Disposition: form-data; name=\"attachments[0]\"; filename=\"a.bin\"\r\n\r\n", "\r\n--b--\r\n");

/// A node with a proxy before it, as the shipped files set them.
struct Site {
    nginx: PrivateNginx,
    node: TestServer,
    home: tempfile::TempDir,
}

/// An upload, and the status that it must get.
struct RefusedUpload {
    path: String,
    token: String,
    bytes: usize,
    status: u16,
}

impl Site {
    async fn start(options: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let node = TestServer::start_on(&home.path().join("data"), |command| {
            command.env("CHAT_JWT_SECRET", SECRET).env("CHAT_TRUSTED_PROXIES", "127.0.0.1");
            command.env("CHAT_MAX_MESSAGE_SIZE", "30MiB").envs(options.iter().copied());
        })
        .await;
        let nginx = PrivateNginx::start(|at| site(at, &[&node, &node], home.path())).unwrap();
        Self { nginx, node, home }
    }

    /// A person at the node, past nginx.
    fn person(&self, sub: &str, role: &str) -> Person {
        let mut command = chat_server(&data_dir(&self.home));
        command.env("CHAT_JWT_SECRET", SECRET);
        let made = run(command.args(["token", "--sub", sub, "--role", role]));
        assert_eq!(made.code, 0, "{}", made.stderr);
        Person::new(self.node.addr, made.stdout.trim_end())
    }

    /// The first line of the response to an upload, or what happened instead.
    async fn upload(&self, upload: &RefusedUpload, in_chunks: bool) -> String {
        let (mut reading, mut writing) = split(connect_tls(&self.nginx).await);
        let length = if in_chunks {
            "Transfer-Encoding: chunked".to_owned()
        } else {
            format!("Content-Length: {}", upload.bytes)
        };
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
             Content-Type: multipart/form-data; boundary=b\r\n{length}\r\n\r\n",
            upload.path, upload.token
        );
        let body =
            [FORM.0.as_bytes(), &vec![b'x'; upload.bytes - FORM.0.len() - FORM.1.len()], FORM.1.as_bytes()].concat();
        let (sent, mut progress) = watch::channel(0);
        let sending = tokio::spawn(async move {
            writing.write_all(head.as_bytes()).await?;
            for piece in body.chunks(PIECE) {
                sent.send_modify(|pieces| *pieces += 1);
                if in_chunks {
                    writing.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
                }
                writing.write_all(piece).await?;
                if in_chunks {
                    writing.write_all(b"\r\n").await?;
                }
            }
            if in_chunks {
                writing.write_all(b"0\r\n\r\n").await?;
            }
            // The connection stays open, as that of a client does which waits for the response.
            writing.flush().await?;
            Ok::<_, std::io::Error>(writing)
        });
        // A body that is read takes as long as the machine is slow, so that only a pause counts.
        let stuck = async {
            loop {
                match timeout(PATIENCE, progress.changed()).await {
                    Ok(Ok(())) => {}
                    // All of it is sent: the response may take as long.
                    Ok(Err(_)) => break sleep(PATIENCE).await,
                    Err(_) => break,
                }
            }
        };
        let mut response = Vec::new();
        let responding = async {
            loop {
                let mut bytes = [0; 4096];
                match reading.read(&mut bytes).await {
                    Ok(0) => return "no response".to_owned(),
                    Err(error) => return format!("no response: {error}"),
                    Ok(count) => response.extend_from_slice(&bytes[..count]),
                }
                if let Some(line) = response.windows(2).position(|end| end == b"\r\n") {
                    return String::from_utf8_lossy(&response[..line]).into_owned();
                }
            }
        };
        let reply = tokio::select! {
            reply = responding => reply,
            () = stuck => "no response in time".to_owned(),
        };
        sending.abort();
        reply
    }

    /// Sends each upload often, in both ways, and checks that each gets its status.
    async fn expect(&self, uploads: &[RefusedUpload]) {
        let mut wrong: BTreeMap<String, usize> = BTreeMap::new();
        for upload in uploads {
            for in_chunks in [false, true] {
                // A form of a session that is closed, or without a length, is read before it is refused.
                let is_read = upload.status == 409 || (upload.status == 400 && in_chunks);
                for _ in 0..if is_read { SELDOM } else { OFTEN } {
                    let line = self.upload(upload, in_chunks).await;
                    if !line.starts_with(&format!("HTTP/1.1 {} ", upload.status)) {
                        let sent = if in_chunks { "in chunks" } else { "with its length" };
                        *wrong.entry(format!("{} {sent}: {line}", upload.status)).or_default() += 1;
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

fn data_dir(home: &tempfile::TempDir) -> std::path::PathBuf {
    Path::new(home.path()).join("data")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nginx: cargo xtask test"]
async fn refused_uploads_get_the_nodes_response_through_the_shipped_proxy() {
    let site = Site::start(&[]).await;
    let (alice, carol) = (site.person("alice", "user"), site.person("carol", "agent"));
    let open = alice.open_session("open").await;
    let closed = alice.open_session("closed").await;
    let answer = alice.put(&format!("/api/chat/sessions/{closed}/close"), &json!({})).await;
    assert_eq!(answer.status(), 200);
    let unknown = "01890000-0000-7000-8000-000000000000";
    let upload = |session: &str, token: &str, bytes, status| RefusedUpload {
        path: format!("/api/chat/sessions/{session}/messages"),
        token: token.to_owned(),
        bytes,
        status,
    };
    site.expect(&[
        upload(&open, &alice.token, TOO_LARGE, 400),
        upload(&open, "no-token", LARGE, 401),
        upload(&open, &carol.token, LARGE, 403),
        upload(unknown, &alice.token, LARGE, 404),
        upload(&closed, &alice.token, LARGE, 409),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nginx: cargo xtask test"]
async fn uploads_beyond_the_rate_get_the_nodes_response_through_the_shipped_proxy() {
    let site = Site::start(&[("CHAT_RATE_MESSAGES", "1/h")]).await;
    let alice = site.person("alice", "user");
    let path = format!("/api/chat/sessions/{}/messages", alice.open_session("often").await);
    assert_eq!(alice.post(&path, &json!({ "content": "the only one" })).await.status(), 201);
    site.expect(&[RefusedUpload { path, token: alice.token.clone(), bytes: LARGE, status: 429 }]).await;
}
