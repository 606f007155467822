//! The worker `report_builder`: writes the intelligence report. This file is the entry alone; the
//! report is made by pure modules.

pub mod address;
pub mod assist;
pub mod calendar;
pub mod citations;
pub mod compose;
pub mod contract;
pub mod document;
mod handle;
pub mod material;
pub mod prose;
pub mod quality;
pub mod ranking;
pub mod render;
pub mod report;
pub mod themes;
pub mod trends;

use worker::{Body, Context, Env, HttpRequest};

#[worker::event(fetch)]
async fn fetch(req: HttpRequest, env: Env, _: Context) -> worker::Result<http::Response<Body>> {
    worker_kit::serve(req, env, &contract::INFO, handle::generate).await
}
