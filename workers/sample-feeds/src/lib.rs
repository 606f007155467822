//! The worker `sample_feeds`: serves feeds of the project's own writing, so that the pipeline can
//! be seen at work where there is no network. This file is the entry alone.

pub mod answer;
pub mod library;
mod pages;
pub mod render;

use worker::{Body, Context, Env, HttpRequest};
use worker_kit::request_id;

#[worker::event(fetch)]
async fn fetch(req: HttpRequest, _: Env, _: Context) -> worker::Result<http::Response<Body>> {
    let id = request_id::of(req.headers());
    match answer::answer(req.method(), req.uri().path(), req.headers()) {
        Ok(answer) => {
            let mut response = http::Response::builder().status(answer.status);
            for (name, value) in answer.headers {
                response = response.header(name, value);
            }
            let body = match answer.body {
                Some(bytes) => {
                    let chunk = async move { Ok::<_, std::convert::Infallible>(bytes) };
                    Body::from_stream(futures::stream::once(chunk))?
                }
                None => Body::empty(),
            };
            Ok(response.header("x-request-id", id).body(body)?)
        }
        Err(error) => worker_kit::fail(&error, &id),
    }
}
