//! Mounts the files and pages of another crate. Their requests are treated as all others: limits, ids, the access log,
//! metrics.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::future::ready;

use crate::base_url::client_origin;
use crate::error::ApiError;
use crate::metering::RouteMetrics;
use crate::mounts::{Mount, MountHandler, Mounts};
use crate::state::App;

pub(crate) fn register(config: &mut ServiceConfig, mounts: &Mounts) {
    for Mount { path, handler } in &mounts.routes {
        let respond = {
            let handler = Arc::clone(handler);
            move |app: App, request: HttpRequest| ready(respond(&handler, &app, &request))
        };
        let refuse = || ready(Err::<HttpResponse, _>(ApiError::method_not_allowed("GET, HEAD")));
        let resource = web::resource(*path)
            .app_data(RouteMetrics::new(path, [Method::GET, Method::HEAD].iter()))
            .route(web::get().to(respond.clone()))
            // The server leaves the body out.
            .route(web::head().to(respond))
            .default_service(web::to(refuse));
        config.service(resource);
    }
}

/// What a handler responds with.
pub(crate) fn respond(handler: &MountHandler, app: &App, request: &HttpRequest) -> HttpResponse {
    let origin = client_origin(request, &app.settings);
    handler(request, origin.as_deref())
}
