//! Bodies that report their progress: that of a request when it is read to its end, that of a response when the HTTP
//! server has taken all of it.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_http::error::PayloadError;
use actix_http::{Payload, Request, RequestHead, Version};
use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use futures_util::Stream;

use super::connection_state::ConnectionState;
use super::split_body::SplitBody;

/// The body of a request. The application has one handle of it and the guard another, so that what the application did
/// not read is held back instead of being read and dropped by the HTTP server at the speed of the network.
#[derive(Clone)]
pub(super) struct RequestBody(Rc<RefCell<RequestBodyState>>);

struct RequestBodyState {
    payload: Payload,
    state: Rc<ConnectionState>,
    /// The client waits to be asked for the body (RFC 9110, 10.1.1).
    awaits_continue: bool,
    progress: BodyProgress,
}

/// How far the reading of a body is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BodyProgress {
    Open,
    /// Its end was seen.
    Ended,
    /// It broke off, or is none.
    Failed,
}

impl RequestBody {
    /// Puts itself between the request and its body, if there is one.
    pub(super) fn of(request: &mut Request, state: &Rc<ConnectionState>) -> Option<Self> {
        let payload = request.take_payload();
        if matches!(payload, Payload::None) {
            return None;
        }
        let head = request.head();
        let body = Self(Rc::new(RefCell::new(RequestBodyState {
            payload,
            state: Rc::clone(state),
            awaits_continue: RequestHead::expect(head) && head.version >= Version::HTTP_11,
            progress: BodyProgress::Open,
        })));
        *request.payload() = Payload::Stream { payload: Box::pin(body.clone()) };
        Some(body)
    }

    /// Reads and drops what of the body has come by now. `true` when that was all of it.
    ///
    /// A small body comes in one packet with its head, but the HTTP server delivers the head first: so the rest of what
    /// it has is waited for once.
    pub(super) async fn has_come_whole(self) -> bool {
        let mut looked = false;
        std::future::poll_fn(|cx| {
            let mut reading = self.0.borrow_mut();
            // A body that was not asked for does not come.
            while reading.progress == BodyProgress::Open && !reading.awaits_continue {
                if reading.poll_next(cx).is_pending() {
                    if looked {
                        return Poll::Ready(false);
                    }
                    looked = true;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            Poll::Ready(reading.progress == BodyProgress::Ended)
        })
        .await
    }
}

impl RequestBodyState {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, PayloadError>>> {
        let mut next = Pin::new(&mut self.payload).poll_next(cx);
        if next.is_pending() && self.state.body_is_broken() {
            next = Poll::Ready(Some(Err(PayloadError::EncodingCorrupted)));
        }
        match &next {
            Poll::Ready(Some(Err(_))) => self.progress = BodyProgress::Failed,
            Poll::Ready(None) => self.progress = BodyProgress::Ended,
            Poll::Ready(Some(Ok(bytes))) => self.state.body_read(bytes.len()),
            Poll::Pending => {}
        }
        next
    }
}

impl Stream for RequestBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut reading = self.0.borrow_mut();
        let next = reading.poll_next(cx);
        if next.is_pending() && std::mem::take(&mut reading.awaits_continue) {
            reading.state.ask_for_body();
        }
        next
    }
}

/// The body of a response. When it is dropped, the HTTP server has taken all of it.
pub(crate) struct ResponseBody<B> {
    body: SplitBody<B>,
    state: Rc<ConnectionState>,
}

impl<B> ResponseBody<B> {
    pub(super) fn new(body: B, state: Rc<ConnectionState>) -> Self {
        Self { body: SplitBody::new(body), state }
    }
}

impl<B: MessageBody + Unpin> MessageBody for ResponseBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_next(cx)
    }
}

impl<B> Drop for ResponseBody<B> {
    fn drop(&mut self) {
        self.state.response_ended();
    }
}
