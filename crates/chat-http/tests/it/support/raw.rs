//! Talks to the server byte by byte, for what no client library would send.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// How long an answer that must come may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The key of the handshake in RFC 6455, 1.3.
const SOCKET_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A connection without any protocol on top.
pub(crate) struct RawClient(TcpStream);

/// A frame as it came over the wire (RFC 6455, 5.2).
#[derive(Debug)]
pub(crate) struct RawFrame {
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

impl RawFrame {
    pub(crate) const CONTINUATION: u8 = 0;
    pub(crate) const TEXT: u8 = 1;
    pub(crate) const CLOSE: u8 = 8;
    pub(crate) const PING: u8 = 9;
    pub(crate) const PONG: u8 = 10;

    /// The number and the reason of a close frame.
    pub(crate) fn close(&self) -> Option<(u16, String)> {
        let (number, reason) = self.payload.split_first_chunk()?;
        (self.opcode == Self::CLOSE)
            .then(|| (u16::from_be_bytes(*number), String::from_utf8_lossy(reason).into_owned()))
    }
}

impl RawClient {
    pub(crate) async fn connect(base: &str) -> Self {
        let addr = base.strip_prefix("http://").expect("an address without TLS");
        Self(TcpStream::connect(addr).await.expect("a connection"))
    }

    /// Connects from another address of this machine than the usual one.
    pub(crate) async fn connect_from(source: &str, base: &str) -> Self {
        let addr = base.strip_prefix("http://").expect("an address without TLS").parse().expect("an address");
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(format!("{source}:0").parse().expect("an address")).expect("an address of this machine");
        Self(socket.connect(addr).await.expect("a connection"))
    }

    /// Opens a socket. Unlike a library it never answers a ping.
    pub(crate) async fn open_socket(base: &str, session: &str, token: &str) -> Self {
        Self::open_with(base, &handshake(session, token, "")).await
    }

    /// Opens a socket in extended mode.
    pub(crate) async fn open_extended(base: &str, session: &str, token: &str) -> Self {
        Self::open_with(base, &handshake(session, token, "Sec-WebSocket-Protocol: chat.v1\r\n")).await
    }

    /// Opens a socket of many sessions.
    pub(crate) async fn open_multiplexed(base: &str, token: &str) -> Self {
        let handshake = handshake("", token, "Sec-WebSocket-Protocol: chat.v1\r\n");
        Self::open_with(base, &handshake.replacen("/ws/chat/ ", "/ws/chat ", 1)).await
    }

    async fn open_with(base: &str, handshake: &str) -> Self {
        let mut client = Self::connect(base).await;
        client.send(handshake.as_bytes()).await;
        let head = client.read_head().await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        client
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("the bytes are sent");
    }

    /// Sends bytes to a server that may hang up before it has read them all.
    pub(crate) async fn send_as_far_as_it_goes(&mut self, bytes: &[u8]) {
        let _hung_up = self.0.write_all(bytes).await;
    }

    /// Sends the same bytes again and again until the server has hung up, and returns how many it got rid of. Most of
    /// them are in the kernel's buffers.
    pub(crate) async fn send_until_cut_off(&mut self, bytes: &[u8], most: usize) -> usize {
        let mut sent = 0;
        while sent < most && timeout(PATIENCE, self.0.write_all(bytes)).await.expect("it takes bytes or ends").is_ok() {
            sent += bytes.len();
        }
        sent
    }

    /// Reads some bytes; none when the connection has ended.
    pub(crate) async fn read_some(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 16 * 1024];
        let count =
            timeout(PATIENCE, self.0.read(&mut bytes)).await.expect("bytes in time").expect("an open connection");
        bytes.truncate(count);
        bytes
    }

    /// Reads some bytes; none when the connection has ended, also by a reset.
    pub(crate) async fn read_some_or_end(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 16 * 1024];
        let count = timeout(PATIENCE, self.0.read(&mut bytes)).await.expect("bytes in time").unwrap_or_default();
        bytes.truncate(count);
        bytes
    }

    /// The next response with a body of a stated length: its head and its body.
    pub(crate) async fn read_response(&mut self) -> (String, String) {
        let head = self.read_head().await;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
        let body = self.read_exactly(length.parse().expect("a number")).await;
        (head, String::from_utf8_lossy(&body).into_owned())
    }

    /// Sends bytes as far as the server takes them, and reads meanwhile until the frame that closes the socket.
    pub(crate) async fn flood(self, bytes: &[u8]) -> (u16, String) {
        let stream = self.0.into_std().expect("a stream");
        let other = stream.try_clone().expect("a second handle");
        let [mut reader, mut writer] =
            [stream, other].map(|stream| Self(TcpStream::from_std(stream).expect("a stream")));
        let (closed, ()) = futures_util::join!(reader.read_close(), writer.send_as_far_as_it_goes(bytes));
        closed
    }

    /// Sends the bytes again and again, a little at a time, and reads meanwhile until the server closes the connection.
    pub(crate) async fn trickle(self, bytes: &[u8]) -> String {
        let stream = self.0.into_std().expect("a stream");
        let other = stream.try_clone().expect("a second handle");
        let [mut reader, mut writer] =
            [stream, other].map(|stream| Self(TcpStream::from_std(stream).expect("a stream")));
        let sending = async {
            while writer.0.write_all(bytes).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            answer = reader.read_to_end() => answer,
            () = sending => unreachable!("it never ends"),
        }
    }

    /// Says that nothing more will be sent; what the server sends can still be read.
    pub(crate) async fn finish(&mut self) {
        self.0.shutdown().await.expect("the half of the connection closes");
    }

    /// Everything that the server sends until it closes the connection.
    pub(crate) async fn read_to_end(&mut self) -> String {
        let mut bytes = Vec::new();
        // A reset is a way to close, too; what came before it counts.
        let _reset = timeout(PATIENCE, self.0.read_to_end(&mut bytes)).await.expect("the server closes in time");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The status line and the headers of the next answer.
    pub(crate) async fn read_head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.read_exactly(1).await);
        }
        String::from_utf8(head).expect("a head of text")
    }

    pub(crate) async fn read_frame(&mut self) -> RawFrame {
        let header = self.read_exactly(2).await;
        let length = match header[1] {
            126 => u64::from(u16::from_be_bytes(self.read_exactly(2).await.try_into().unwrap())),
            127 => u64::from_be_bytes(self.read_exactly(8).await.try_into().unwrap()),
            short => u64::from(short),
        };
        RawFrame { opcode: header[0] & 0x0f, payload: self.read_exactly(length).await }
    }

    /// Reads frames until a frame closes the socket.
    pub(crate) async fn read_close(&mut self) -> (u16, String) {
        loop {
            if let Some(close) = self.read_frame().await.close() {
                return close;
            }
        }
    }

    async fn read_exactly(&mut self, count: u64) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(count).unwrap()];
        timeout(PATIENCE, self.0.read_exact(&mut bytes)).await.expect("bytes in time").expect("an open connection");
        bytes
    }
}

/// A request that opens a socket; `more` are whole lines of headers.
pub(crate) fn handshake(session: &str, token: &str, more: &str) -> String {
    format!(
        "GET /ws/chat/{session} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {SOCKET_KEY}\r\n{more}\r\n"
    )
}

/// A whole frame of a client; the mask is zero, so the payload is readable.
pub(crate) fn client_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | u8::try_from(short).unwrap()),
        long => {
            frame.push(0x80 | 0x7e);
            frame.extend(u16::try_from(long).unwrap().to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}
