//! The least that actix-ws can do for many sockets: hold them, answer pings, and bring a text to all. The benchmarks
//! measure the service beside it. The allocator is the service's.
//!
//! `cargo run --release -p chat-loadgen --example bare_actix_ws -- 127.0.0.1:8081 2`: address and workers. `GET /ws`
//! opens a socket, and the body of `POST /publish` goes to all of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::web::{Bytes, Data, Payload, get, post};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use actix_ws::{Message, Session};
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Everybody who listens.
#[derive(Default)]
struct Room {
    sessions: Mutex<HashMap<u64, Session>>,
    numbers: AtomicU64,
}

impl Room {
    fn enter(&self, session: Session) -> u64 {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).insert(number, session);
        number
    }

    fn leave(&self, number: u64) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
    }

    fn everybody(&self) -> Vec<Session> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

async fn open(request: HttpRequest, body: Payload, room: Data<Arc<Room>>) -> actix_web::Result<HttpResponse> {
    let (response, mut session, mut messages) = actix_ws::handle(&request, body)?;
    let number = room.enter(session.clone());
    actix_web::rt::spawn(async move {
        while let Some(Ok(message)) = messages.recv().await {
            match message {
                Message::Ping(payload) if session.pong(&payload).await.is_ok() => {}
                Message::Ping(_) | Message::Close(_) => break,
                _ => {}
            }
        }
        room.leave(number);
    });
    Ok(response)
}

async fn publish(text: Bytes, room: Data<Arc<Room>>) -> HttpResponse {
    let Ok(text) = bytestring::ByteString::try_from(text) else { return HttpResponse::BadRequest().finish() };
    for mut session in room.everybody() {
        // A session that has ended leaves by itself.
        let _ended = session.text(text.clone()).await;
    }
    HttpResponse::Ok().finish()
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8081".to_owned());
    let workers = arguments.next().and_then(|workers| workers.parse().ok()).unwrap_or(2);
    let room = Data::new(Arc::new(Room::default()));
    HttpServer::new(move || {
        App::new()
            .app_data(room.clone())
            .route("/ready", get().to(|| async { HttpResponse::Ok().finish() }))
            .route("/ws", get().to(open))
            .route("/publish", post().to(publish))
    })
    .workers(workers)
    .bind(address)?
    .run()
    .await
}
