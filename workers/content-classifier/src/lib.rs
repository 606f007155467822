//! The worker `content_classifier`: scores and classifies articles. This file is the entry alone;
//! the judgement is in pure modules.

pub mod analysis;
pub mod category;
pub mod contract;
pub mod document;
pub mod duplicates;
mod handle;
pub mod insights;
pub mod judgement;
pub mod keywords;
pub mod language;
pub mod phrases;
pub mod quality;
pub mod relevance;
pub mod sentiment;

use worker::{Body, Context, Env, HttpRequest};

#[worker::event(fetch)]
async fn fetch(req: HttpRequest, env: Env, _: Context) -> worker::Result<http::Response<Body>> {
    worker_kit::serve(req, env, &contract::INFO, handle::analyze).await
}
