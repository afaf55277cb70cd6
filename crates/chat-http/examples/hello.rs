//! The least that actix-web can do: the same bytes for every request. The benchmarks measure the service beside it.
//!
//! `cargo run --release -p chat-http --example hello -- 127.0.0.1:8081 9000 2`: address, bytes of the body, workers.

use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse, HttpServer};

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8081".to_owned());
    let bytes = arguments.next().and_then(|bytes| bytes.parse().ok()).unwrap_or(100);
    let workers = arguments.next().and_then(|workers| workers.parse().ok()).unwrap_or(2);
    let body = Bytes::from(vec![b'x'; bytes]);
    HttpServer::new(move || {
        let body = body.clone();
        let hello = move || {
            let body = body.clone();
            async { HttpResponse::Ok().content_type("application/json").body(body) }
        };
        App::new().default_service(web::to(hello))
    })
    .workers(workers)
    .bind(address)?
    .run()
    .await
}
