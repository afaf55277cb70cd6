//! The application as the HTTP server calls it: with bodies that report their progress to the guard.

use std::future::{Future, pending};
use std::rc::Rc;

use actix_http::body::{BoxBody, MessageBody};
use actix_http::{ConnectionType, Request, Response};
use actix_service::{Service, ServiceFactory, ServiceFactoryExt as _, apply_fn_factory};
use actix_web::dev::ServiceResponse;
use futures_util::future::{FutureExt as _, LocalBoxFuture, Shared};

use super::body::{RequestBody, ResponseBody};
use super::connection_state::ConnectionState;

/// The application of a worker. The HTTP server wants a service for requests, one for requests whose clients wait to be
/// asked for the body, and one for handshakes of sockets; all of them are this one.
pub(crate) struct WorkerApp<S> {
    made: Shared<LocalBoxFuture<'static, Result<Rc<S>, ()>>>,
}

impl<S: 'static> WorkerApp<S> {
    pub(crate) fn new<F>(app: &F) -> Self
    where
        F: ServiceFactory<Request, Config = (), Service = S, InitError = ()>,
        F::Future: 'static,
    {
        let made = app.new_service(());
        Self { made: async move { Ok(Rc::new(made.await?)) }.boxed_local().shared() }
    }
}

impl<S> Clone for WorkerApp<S> {
    fn clone(&self) -> Self {
        Self { made: self.made.clone() }
    }
}

impl<S, B> ServiceFactory<Request> for WorkerApp<S>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
{
    type Response = ServiceResponse<B>;
    type Error = actix_web::Error;
    type Config = ();
    type Service = Rc<S>;
    type InitError = ();
    type Future = Shared<LocalBoxFuture<'static, Result<Rc<S>, ()>>>;

    fn new_service(&self, (): ()) -> Self::Future {
        self.made.clone()
    }
}

/// The service for requests.
pub(crate) fn for_requests<S, B>(
    app: WorkerApp<S>,
) -> impl ServiceFactory<
    Request,
    Config = (),
    Response = Response<ResponseBody<B>>,
    Error = Response<BoxBody>,
    InitError = (),
    Service: Service<Request, Future: 'static>,
    Future: 'static,
>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    S::Future: 'static,
    B: MessageBody + Unpin + 'static,
{
    apply_fn_factory(app.map_err(Response::from), |request, app: &_| answer(request, app))
}

/// The service for requests with `Expect: 100-continue`.
///
/// The HTTP server offers to decide here whether the client is asked for the body. But whether it is wanted is known by
/// the handler alone, after it has checked who asks, and for what. So the request is answered here, the body is asked for
/// when the handler first waits for it, and the response goes back in the way that is meant for refusals.
pub(crate) fn for_expecting_requests<S, B>(
    app: WorkerApp<S>,
) -> impl ServiceFactory<
    Request,
    Config = (),
    Response = Request,
    Error = Response<BoxBody>,
    InitError = (),
    Service: 'static,
    Future: 'static,
>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    S::Future: 'static,
    B: MessageBody + Unpin + 'static,
{
    apply_fn_factory(app.map_err(Response::from), |request, app: &_| {
        let answer = answer(request, app);
        async move {
            Err::<Request, _>(match answer.await {
                Ok(response) => response.map_into_boxed_body(),
                Err(response) => response,
            })
        }
    })
}

fn answer<A, B>(
    mut request: Request,
    app: &A,
) -> impl Future<Output = Result<Response<ResponseBody<B>>, Response<BoxBody>>> + use<A, B>
where
    A: Service<Request, Response = ServiceResponse<B>, Error = Response<BoxBody>>,
    B: MessageBody + Unpin + 'static,
{
    let state = request.conn_data::<Rc<ConnectionState>>().cloned().unwrap_or_default();
    let begun = state.begin_request();
    let body = RequestBody::of(&mut request, &state);
    let answer = begun.then(|| app.call(request));
    async move {
        // What follows a response that ends the connection is no request (RFC 9112, 9.6).
        let Some(answer) = answer else { return pending().await };
        let answer = answer.await;
        state.withdraw_interim();
        let is_whole = match body {
            Some(body) => body.has_come_whole().await,
            None => true,
        };
        if !is_whole {
            state.close_after_response();
        }
        match answer {
            Ok(response) => Ok(ended(response.into(), is_whole).map_body(|_, body| ResponseBody::new(body, state))),
            Err(response) => {
                let boxed = |body| BoxBody::new(ResponseBody::new(body, state));
                Err(ended(response, is_whole).map_body(|_, body| boxed(body)))
            }
        }
    }
}

/// Adds `Connection: close` when the connection cannot take another request.
fn ended<B>(mut response: Response<B>, is_whole: bool) -> Response<B> {
    if !is_whole {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    response
}
