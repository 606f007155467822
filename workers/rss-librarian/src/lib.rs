//! Finds feeds for a topic in a curated catalogue, and checks whether they can be read.
//!
//! This file is the entry alone. What decides is pure: `sources` ranks, `health` keeps what checks
//! said. `check` and `store` touch the network and KV.

mod check;
mod handler;
pub mod health;
mod info;
pub mod library;
pub mod sources;
mod store;

#[worker::event(fetch)]
async fn fetch(
    req: worker::HttpRequest,
    env: worker::Env,
    _ctx: worker::Context,
) -> worker::Result<http::Response<worker::Body>> {
    worker_kit::serve(req, env, &info::INFO, handler::handle).await
}
