//! From a request to a socket: the connection leaves the HTTP server's hands.
//!
//! A request that asks for a WebSocket comes here with its connection. It takes the same way through the application as
//! every other one, with the same middleware; what the handler wants opened is a [`SocketPlan`] on its response 101.
//! Then the head of the response is written, the socket becomes a task of its own, and what the HTTP server had for the
//! connection is freed ([ADR 0011](../../../../docs/adr/0011-sockets-taken-over.md)). Any other response is written whole,
//! and the connection closed after it: the server cannot take it back.
//!
//! The server knows such a request by its header `Upgrade: websocket`, whatever its method, its path and its other
//! headers are. It has no body here: what follows the head belongs to the new protocol.

use std::convert::Infallible;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_codec::Framed;
use actix_http::body::MessageBody;
use actix_http::h1::Codec;
use actix_http::{Request, Response, StatusCode};
use actix_service::{Service, ServiceFactory};
use actix_web::dev::ServiceResponse;
use chat_websocket::{accept, refuse};
use futures_util::future::LocalBoxFuture;
use tokio::sync::watch;

use super::plan::SocketPlan;
use super::socket_task::SocketTask;
use super::worker_sockets::WorkerSockets;
use crate::guard::{GuardedStream, SplitBody};
use crate::handshake;

/// How long the head of the response 101 may take: a few hundred bytes on a connection that nothing else waits on.
const HEAD_LIMIT: Duration = Duration::from_secs(5);
/// How long a part of another response may take; the guard's own limits are shorter.
const PART_LIMIT: Duration = Duration::from_secs(20);

type Connected = (Request, Framed<GuardedStream, Codec>);

/// Makes the service of each worker that takes connections over.
pub(crate) struct TakeOver<F> {
    app: F,
    drop_sockets: watch::Receiver<bool>,
}

impl<F> TakeOver<F> {
    /// `app` serves the requests; when `drop_sockets` becomes true, the open sockets are dropped.
    pub(crate) fn new(app: F, drop_sockets: watch::Receiver<bool>) -> Self {
        Self { app, drop_sockets }
    }
}

impl<F, B> ServiceFactory<Connected> for TakeOver<F>
where
    F: ServiceFactory<Request, Config = (), Response = ServiceResponse<B>, Error = actix_web::Error, InitError = ()>,
    F::Service: 'static,
    F::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ();
    type Error = Infallible;
    type Config = ();
    type Service = TakeOverService<F::Service>;
    type InitError = ();
    type Future = LocalBoxFuture<'static, Result<Self::Service, ()>>;

    fn new_service(&self, (): ()) -> Self::Future {
        let app = self.app.new_service(());
        let drop_sockets = self.drop_sockets.clone();
        Box::pin(async move { Ok(TakeOverService { app: app.await?, sockets: Rc::default(), drop_sockets }) })
    }
}

/// Takes connections over on one worker.
pub(crate) struct TakeOverService<S> {
    app: S,
    sockets: Rc<WorkerSockets>,
    drop_sockets: watch::Receiver<bool>,
}

impl<S, B> Service<Connected> for TakeOverService<S>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ();
    type Error = Infallible;
    type Future = LocalBoxFuture<'static, Result<(), Infallible>>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // An application is always ready, and an error would end the worker.
        self.app.poll_ready(cx).map(|_always| Ok(()))
    }

    fn call(&self, (request, framed): Connected) -> Self::Future {
        framed.io_ref().begin_upgrade();
        handshake::allow_takeover(&request);
        let answer = self.app.call(request);
        let (sockets, drop_sockets) = (Rc::clone(&self.sockets), self.drop_sockets.clone());
        Box::pin(async move {
            let (plan, response) = match answer.await {
                Ok(answer) => {
                    // The request goes with what it holds.
                    let (_request, mut response) = answer.into_parts();
                    let plan = response.extensions_mut().remove::<SocketPlan>();
                    (plan, response.map_into_boxed_body())
                }
                Err(error) => (None, error.error_response()),
            };
            let response = Response::from(response);
            let outcome = match plan {
                Some(plan) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                    open(framed, response, plan, &sockets, drop_sockets).await
                }
                _ => {
                    let response = response.map_body(|_, body| SplitBody::new(body));
                    refuse(framed, response, PART_LIMIT).await.map(GuardedStream::give_back)
                }
            };
            if let Err(error) = outcome {
                tracing::debug!(error.cause = %error, "connection lost before the response was sent");
            }
            Ok(())
        })
    }
}

/// Sends the response 101 and starts the task of the socket.
async fn open<B: MessageBody>(
    framed: Framed<GuardedStream, Codec>,
    response: Response<B>,
    mut plan: SocketPlan,
    sockets: &Rc<WorkerSockets>,
    drop_sockets: watch::Receiver<bool>,
) -> io::Result<()> {
    // A client that goes away now takes the plan with it, and so what it watches.
    let (stream, mut already_read) = accept(framed, response, HEAD_LIMIT).await?;
    let (stream, held_back, address_slot) = stream.into_inner()?;
    plan.permit.keep(address_slot);
    already_read.extend_from_slice(&held_back);
    sockets.spawn(|slot| SocketTask::new(plan, stream, &already_read, slot));
    drop(already_read);
    sockets.anchor(drop_sockets).await;
    Ok(())
}
