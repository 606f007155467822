//! The way of a request through the Worker: its context, CORS, the router, and at the end the error
//! form, the headers that every reply carries, and one line in the log. It must know no endpoint.

use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use tower_service::Service;
use worker::send::SendWrapper;
use worker::{ResponseBody, web_sys};

use crate::clock::now;
use crate::cors;
use crate::counts;
use crate::db::iso;
use crate::error::{ApiError, DetailList, with_detail_list};
use crate::live;
use crate::log::{self, Level};
use crate::request::{Deployment, RequestContext};
use crate::router::router;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What replies say to browsers. A page of its own may set another policy.
const SECURITY_HEADERS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::CACHE_CONTROL, "no-store"),
    // Browsers heed it where the page came by https.
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
];

/// The body of a reply that the platform itself brings: it goes from there to the client, past this
/// Worker's memory.
#[derive(Clone)]
pub struct PlatformStream(Arc<SendWrapper<web_sys::ReadableStream>>);

impl PlatformStream {
    /// A stream that nobody has read from.
    pub fn new(stream: web_sys::ReadableStream) -> Self {
        Self(Arc::new(SendWrapper(stream)))
    }
}

/// Answers a request. Every failure is a reply.
pub async fn serve(request: Request<Body>, deployment: Deployment) -> Response {
    let (mut parts, body) = request.into_parts();
    let context = RequestContext::new(&parts.headers, deployment);
    let method = parts.method.clone();
    let origin = parts.headers.get(header::ORIGIN).cloned();
    let origins = &context.config().allowed_origins;
    let response = match cors::preflight(origins, &method, &parts.headers) {
        Some(response) => response,
        None => {
            parts.uri = without_trailing_slash(parts.uri);
            parts.extensions.insert(context.clone());
            let answered = router().clone().call(Request::from_parts(parts, body)).await;
            answered.unwrap_or_else(|never| match never {})
        }
    };
    let (mut response, error) = render(response, &context, &method);
    cors::mark(origins, origin.as_ref(), response.headers_mut());
    mark(&context, response.headers_mut());
    write_line(&context, &method, response.status(), error.as_deref());
    if counts::is_pending()
        && let Ok(invocation) = context.invocation()
    {
        let bindings = context.bindings().clone();
        invocation.wait_until(async move { counts::bring(&bindings).await });
    }
    stir(&context, &method, response.status());
    response
}

/// What changed something may have told of it: whoever listens to the account hears it at once.
fn stir(context: &RequestContext, method: &Method, status: StatusCode) {
    let changed = !method.is_safe() && status.is_success();
    if let (true, Some(account), Ok(invocation)) =
        (changed, context.account(), context.invocation())
    {
        let bindings = context.bindings().clone();
        invocation.wait_until(async move { live::moved(&bindings, &account).await });
    }
}

/// The reply to what the platform could not even make a request of.
pub fn refuse_unreadable(deployment: Deployment) -> Response {
    let context = RequestContext::new(&HeaderMap::new(), deployment);
    let response = ApiError::RequestUnreadable.into_response();
    let (mut response, error) = render(response, &context, &Method::GET);
    mark(&context, response.headers_mut());
    write_line(&context, &Method::GET, response.status(), error.as_deref());
    response
}

/// The request as the platform gives it; `None` when its address or method is none.
///
/// The conversion of the `worker` crate refuses a request for one header value outside ASCII, which
/// the platform itself may add (the name of the visitor's city), and cannot meet a protocol that it
/// does not know. Here values are bytes, and what is not used is not read.
pub fn from_platform(request: &web_sys::Request) -> Option<Request<Body>> {
    let mut built = Request::builder().method(&*request.method()).uri(request.url());
    let headers = built.headers_mut()?;
    for (name, value) in worker::Headers(request.headers()).entries() {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let body = match request.body() {
        Some(stream) => Body::new(worker::Body::new(stream)),
        None => Body::empty(),
    };
    built.body(body).ok()
}

/// The reply as the platform takes it: whole where it is whole, so that nothing is streamed without
/// need, and a stream of the platform's own as it is.
pub async fn to_platform(mut response: Response) -> worker::Result<worker::Response> {
    if let Some(stream) = response.extensions_mut().remove::<PlatformStream>() {
        let (parts, _) = response.into_parts();
        let builder = worker::Response::builder()
            .with_status(parts.status.as_u16())
            .with_headers(parts.headers.into());
        return Ok(builder.body(ResponseBody::Stream(stream.0.0.clone())));
    }
    if let Some(socket) = response.extensions_mut().remove::<worker::WebSocket>() {
        let (parts, _) = response.into_parts();
        let builder = worker::Response::builder()
            .with_status(parts.status.as_u16())
            .with_headers(parts.headers.into())
            .with_websocket(socket);
        return Ok(builder.empty());
    }
    let Some(length) = response.body().size_hint().exact() else {
        return worker::Response::try_from(response);
    };
    let (parts, body) = response.into_parts();
    let builder = worker::Response::builder()
        .with_status(parts.status.as_u16())
        .with_headers(parts.headers.into());
    if length == 0 {
        return Ok(builder.empty());
    }
    let bytes = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    Ok(builder.fixed(bytes.to_vec()))
}

/// Puts the error form into a reply that carries an error.
fn render(
    response: Response,
    context: &RequestContext,
    method: &Method,
) -> (Response, Option<Arc<ApiError>>) {
    let (mut parts, body) = response.into_parts();
    let mut error = parts.extensions.remove::<Arc<ApiError>>();
    if error.is_none() && (parts.status.is_client_error() || parts.status.is_server_error()) {
        let cause = format!("a reply of status {} without its error", parts.status);
        let internal = ApiError::Internal { cause };
        parts.status = internal.code().status();
        error = Some(Arc::new(internal));
    }
    let Some(error) = error else { return (Response::from_parts(parts, body), None) };
    let form = error.reply(context.id(), iso(now()));
    let text = match parts.extensions.remove::<DetailList>() {
        Some(DetailList) => match with_detail_list(form) {
            Ok(form) => serde_json::to_string(&form),
            Err(form) => serde_json::to_string(&form),
        },
        None => serde_json::to_string(&form),
    };
    let text = text.expect("the error form is JSON");
    let json = HeaderValue::from_static("application/json");
    parts.headers.insert(header::CONTENT_TYPE, json);
    parts.headers.remove(header::CONTENT_LENGTH);
    let body = if method == Method::HEAD { Body::empty() } else { Body::from(text) };
    (Response::from_parts(parts, body), Some(error))
}

fn mark(context: &RequestContext, headers: &mut HeaderMap) {
    for (name, value) in SECURITY_HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    let id = HeaderValue::from_str(context.id()).expect("a request id is a token");
    headers.insert(REQUEST_ID, id);
}

fn write_line(
    context: &RequestContext,
    method: &Method,
    status: StatusCode,
    error: Option<&ApiError>,
) {
    let level = if status.is_server_error() && status != StatusCode::BAD_GATEWAY {
        Level::Error
    } else {
        Level::Info
    };
    log::write(level, context.log_fields(method.as_str(), status.as_u16(), error));
}

fn without_trailing_slash(uri: Uri) -> Uri {
    let path = uri.path();
    let Some(stem) = path.strip_suffix('/').filter(|stem| !stem.is_empty()) else { return uri };
    let path_and_query = match uri.query() {
        Some(query) => format!("{stem}?{query}"),
        None => stem.to_owned(),
    };
    path_and_query.parse().unwrap_or(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slash_is_taken_off_and_the_query_stays() {
        for (sent, found) in [
            ("/help/", "/help"),
            ("/help/?a=b/", "/help?a=b/"),
            ("/", "/"),
            ("/help//", "/help/"),
            ("/help", "/help"),
            ("https://host.example/help/", "/help"),
        ] {
            let uri = without_trailing_slash(sent.parse().unwrap());
            assert_eq!(uri.path_and_query().unwrap().as_str(), found, "{sent}");
        }
    }
}
