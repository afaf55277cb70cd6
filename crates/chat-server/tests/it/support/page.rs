//! A page of a test: served to a browser, which sends back what the page has found out.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use test_servers::chromium::HeadlessPage;

/// How long a browser may take, on a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(2);

/// Opens a page whose module is `script` in a headless browser, and returns what the script returns. Its origin is not
/// that of the server under test.
pub(crate) fn run_page(script: &str) -> Value {
    let html = format!(
        "<!doctype html><title>test</title><body><script type=module>
        const run = async () => {{ {script} }};
        const once = (target, name) => new Promise((resolve, reject) => {{
            target.addEventListener(name, resolve, {{ once: true }});
            target.addEventListener('error', () => reject(new Error(target.error?.message ?? 'error')), {{ once: true }});
        }});
        window.once = once;
        let result;
        try {{ result = await run(); }} catch (error) {{ result = {{ error: String(error) }}; }}
        await fetch('/result', {{ method: 'POST', body: JSON.stringify(result) }});
        </script>"
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (sender, results): (Sender<Value>, Receiver<Value>) = channel();
    // Ends with the process: a browser may keep connections that it never uses.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (html, sender) = (html.clone(), sender.clone());
            thread::spawn(move || serve(&stream.unwrap(), &html, &sender));
        }
    });
    let page = HeadlessPage::open(&url).unwrap();
    results
        .recv_timeout(PATIENCE)
        .unwrap_or_else(|_| panic!("the page has sent nothing; the browser: {}", page.output()))
}

/// Serves one request: the page, or its result.
fn serve(mut stream: &TcpStream, html: &str, results: &Sender<Value>) {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    while reader.read_line(&mut head).unwrap_or(0) > 2 {
        let line = head.lines().last().unwrap_or_default().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    if head.is_empty() || reader.read_exact(&mut body).is_err() {
        return;
    }
    let content = match head.split(' ').nth(1) {
        Some("/") => html,
        Some("/result") => {
            // The test has what it waited for, or has ended.
            let _sent = results.send(serde_json::from_slice(&body).unwrap());
            ""
        }
        _ => "",
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        content.len()
    );
    let _gone = stream.write_all(format!("{head}{content}").as_bytes());
}
