//! Counts and times every request. The time ends when the head of the answer is ready: a download goes on after that,
//! and so does a socket.

use std::rc::Rc;
use std::time::Instant;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

use crate::metering::{GaugeGuard, RequestMetrics, RouteMetrics};

pub(crate) async fn measure<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let Some(metrics) = request.app_data::<Rc<RequestMetrics>>().cloned() else { return next.call(request).await };
    let method = request.method().clone();
    let begun = Instant::now();
    let _in_flight = GaugeGuard::new(&metrics.in_flight);
    let outcome = next.call(request).await;
    let took = begun.elapsed();
    match &outcome {
        // The resource that took the request has put its own metrics in reach.
        Ok(response) => {
            metrics.answered(response.request().app_data::<RouteMetrics>(), &method, response.status(), took);
        }
        Err(error) => metrics.answered(None, &method, error.as_response_error().status_code(), took),
    }
    outcome
}
