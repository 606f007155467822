//! The worker `feed_fetcher`: fetches feeds and returns their articles. This file is the entry
//! alone.

pub mod charset;
pub mod contract;
pub mod feed;
mod fetch;
mod keep;
pub mod links;
pub mod merge;
pub mod settle;
pub mod text;
pub mod xml;

use worker::{Body, Context, Env, HttpRequest};

#[worker::event(fetch)]
async fn fetch(req: HttpRequest, env: Env, _: Context) -> worker::Result<http::Response<Body>> {
    worker_kit::serve(req, env, &contract::INFO, fetch::handle).await
}
