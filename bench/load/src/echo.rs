//! The worker that every subject calls: a POST is answered with its own body. It counts the calls
//! of each execution by the field `run` of the body, so that whoever starts executions without
//! waiting can wait here for their last call: `GET /wait/RUN/CALLS`. `GET /calls` is the sum.

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::task::LocalSet;

/// As long as anybody waits for calls.
const WAIT_MAX: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Counted {
    calls: u64,
    of_runs: HashMap<String, Calls>,
}

#[derive(Clone, Default)]
struct Calls {
    n: u64,
    more: Rc<Notify>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    run: Option<&'a str>,
}

type Shared = Rc<RefCell<Counted>>;
type Reply = Response<Full<Bytes>>;

/// Serves until it is killed.
pub async fn serve(port: &str) -> Result<(), Box<dyn Error>> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port.parse::<u16>()?)).await?;
    println!("ready {}", listener.local_addr()?.port());
    let counted = Shared::default();
    let serving = async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            stream.set_nodelay(true).ok();
            let counted = Rc::clone(&counted);
            let answers = service_fn(move |request| answer(Rc::clone(&counted), request));
            tokio::task::spawn_local(async move {
                http1::Builder::new().serve_connection(TokioIo::new(stream), answers).await.ok();
            });
        }
    };
    LocalSet::new().run_until(serving).await
}

async fn answer(counted: Shared, request: Request<Incoming>) -> Result<Reply, Infallible> {
    if request.method() == Method::POST {
        let Ok(body) = request.into_body().collect().await else {
            return Ok(reply(StatusCode::BAD_REQUEST, Bytes::new()));
        };
        let body = body.to_bytes();
        count(&counted, &body);
        return Ok(reply(StatusCode::OK, body));
    }
    let path = request.uri().path().to_owned();
    if path == "/calls" {
        return Ok(reply(StatusCode::OK, counted.borrow().calls.to_string().into()));
    }
    let asked = path.strip_prefix("/wait/").and_then(|rest| rest.rsplit_once('/'));
    let Some((run, calls)) = asked.and_then(|(run, n)| Some((run, n.parse().ok()?))) else {
        return Ok(reply(StatusCode::NOT_FOUND, Bytes::new()));
    };
    let in_time = tokio::time::timeout(WAIT_MAX, called(&counted, run, calls)).await.is_ok();
    counted.borrow_mut().of_runs.remove(run);
    let status = if in_time { StatusCode::OK } else { StatusCode::GATEWAY_TIMEOUT };
    Ok(reply(status, Bytes::from_static(b"{}")))
}

/// Only runs that somebody waits for are remembered: others would be kept for ever.
fn count(counted: &Shared, body: &[u8]) {
    let mut counted = counted.borrow_mut();
    counted.calls += 1;
    let Ok(Body { run: Some(run) }) = serde_json::from_slice(body) else { return };
    if !run.starts_with("awaited-") {
        return;
    }
    let calls = counted.of_runs.entry(run.to_owned()).or_default();
    calls.n += 1;
    calls.more.notify_waiters();
}

async fn called(counted: &Shared, run: &str, calls: u64) {
    loop {
        let of_run = counted.borrow_mut().of_runs.entry(run.to_owned()).or_default().clone();
        if of_run.n >= calls {
            return;
        }
        of_run.more.notified().await;
    }
}

fn reply(status: StatusCode, body: Bytes) -> Reply {
    let mut reply = Response::new(Full::new(body));
    *reply.status_mut() = status;
    let json = hyper::header::HeaderValue::from_static("application/json");
    reply.headers_mut().insert(hyper::header::CONTENT_TYPE, json);
    reply
}
