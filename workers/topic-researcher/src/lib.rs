//! Turns a topic into angles to look at it from, and into candidate sources for each of them.
//!
//! This file is the entry alone. What decides is pure: `angles` derives, `sources` chooses,
//! `discover` reads feed links out of pages, `plan` speaks with a model. `visit` fetches pages.

mod angles;
pub mod discover;
mod facets;
mod handler;
mod info;
pub mod library;
mod plan;
pub mod research;
mod sources;
mod topic;
mod visit;

#[worker::event(fetch)]
async fn fetch(
    req: worker::HttpRequest,
    env: worker::Env,
    _ctx: worker::Context,
) -> worker::Result<http::Response<worker::Body>> {
    worker_kit::serve(req, env, &info::INFO, handler::handle).await
}
