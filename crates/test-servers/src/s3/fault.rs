//! What goes wrong between a client and the S3 server, and bodies that break off.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::Method;
use hyper::body::{Body, Frame, SizeHint};

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum S3Fault {
    /// The connection is closed without a response, and nothing is done.
    Disconnects,
    /// No response comes until the fault is taken away, and nothing is done.
    Silent,
    /// This status and this code of S3, such as 503 and `SlowDown`; nothing is done.
    Status(u16, &'static str),
    /// The connection is closed once so many bytes of the request's body have come.
    CutRequest(usize),
    /// The connection is closed once so many bytes of the response's body have been sent.
    CutResponse(usize),
    /// The request is carried out, and the connection is closed instead of the response.
    LostResponse,
}

/// Which requests a fault affects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct S3RequestFilter {
    /// Those with this method; all for `None`.
    pub method: Option<&'static str>,
    /// Those whose path and query contain this; all for the empty text.
    pub containing: &'static str,
    /// Only so many of them; all for `None`.
    pub times: Option<usize>,
}

impl S3RequestFilter {
    /// Every request.
    pub const ALL: Self = Self { method: None, containing: "", times: None };

    /// Those with this method, and this in their path or query.
    pub const fn requests(method: &'static str, containing: &'static str) -> Self {
        Self { method: Some(method), containing, times: None }
    }

    /// The first of them only.
    #[must_use]
    pub const fn once(self) -> Self {
        Self { times: Some(1), ..self }
    }

    pub(super) fn covers(&self, method: &Method, path_and_query: &str) -> bool {
        self.times != Some(0)
            && self.method.is_none_or(|wanted| method.as_str() == wanted)
            && path_and_query.contains(self.containing)
    }
}

/// A body of which only so much comes through.
pub(super) struct CutBody<B> {
    pub(super) inner: B,
    pub(super) left: usize,
}

impl<B> Body for CutBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.left == 0 {
            return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::ConnectionReset).into())));
        }
        let frame = match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => return Poll::Pending,
        };
        let Ok(mut bytes) = frame.into_data() else { return Poll::Ready(None) };
        bytes.truncate(self.left);
        self.left -= bytes.len();
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
