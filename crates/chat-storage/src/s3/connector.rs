//! The HTTP client under `object_store`, with one header more.
//!
//! `object_store` (0.14.2) completes an upload in parts without a condition, so that it would replace an object of the
//! same key. S3 takes the same condition there as for an object that is put at once (`If-None-Match: *`,
//! `CompleteMultipartUpload`), and the header need not be signed, so it is added on the way.

use async_trait::async_trait;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};
use object_store::{ClientOptions, HeaderValue, Result};

/// Makes the clients.
#[derive(Debug)]
pub(super) struct ConditionalConnector;

impl HttpConnector for ConditionalConnector {
    fn connect(&self, options: &ClientOptions) -> Result<HttpClient> {
        let inner = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(ConditionalService { inner }))
    }
}

/// Adds the condition to what completes an upload.
#[derive(Debug)]
struct ConditionalService {
    inner: HttpClient,
}

#[async_trait]
impl HttpService for ConditionalService {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let completes = request.method().as_str() == "POST"
            && request.uri().query().is_some_and(|query| query.starts_with("uploadId="));
        if completes {
            request.headers_mut().insert("if-none-match", HeaderValue::from_static("*"));
        }
        self.inner.execute(request).await
    }
}
