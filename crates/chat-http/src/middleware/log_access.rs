//! A line of the access log for each request, when its response has been taken or its client is gone.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderName;
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{Error, HttpMessage};

use crate::access_log::{AccessLine, AccessLog, AccessPerson};
use crate::forwarding::ClientView;
use crate::log_text::{logged_method, logged_path};
use crate::state::AppState;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Writes a line about each request.
pub(crate) async fn log_access(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let state = request.app_data::<Data<AppState>>().cloned();
    let Some((state, log)) = state.and_then(|state| Some((state.clone(), state.access_log.clone()?))) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let begun = Instant::now();
    let mut line = AccessLine {
        time: state.clock.now().to_string(),
        method: logged_method(request.method()).to_owned(),
        route: None,
        path: logged_path(request.path()),
        status: 0,
        bytes: 0,
        ms: 0.0,
        client: ClientView::of(request.request(), &state.settings.proxies).address,
        request_id: String::new(),
        person: None,
    };
    let response = next.call(request).await?;
    line.status = response.status().as_u16();
    line.route = response.request().match_pattern();
    line.person = response.request().extensions().get::<AccessPerson>().map(|person| person.0.to_string());
    let id = response.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    id.unwrap_or_default().clone_into(&mut line.request_id);
    Ok(response.map_body(|_, body| BoxBody::new(CountedBody { body: Box::pin(body), line: Some(line), log, begun })))
}

/// A body that counts what is taken of it. Its line is written when it is dropped.
struct CountedBody<B> {
    body: Pin<Box<B>>,
    line: Option<AccessLine>,
    log: AccessLog,
    begun: Instant,
}

impl<B: MessageBody> MessageBody for CountedBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let polled = self.body.as_mut().poll_next(context);
        if let (Poll::Ready(Some(Ok(piece))), Some(line)) = (&polled, &mut self.line) {
            line.bytes += piece.len() as u64;
        }
        polled
    }
}

impl<B> Drop for CountedBody<B> {
    fn drop(&mut self) {
        if let Some(mut line) = self.line.take() {
            line.ms = (self.begun.elapsed().as_secs_f64() * 1e6).round() / 1e3;
            self.log.write(line);
        }
    }
}
