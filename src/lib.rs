//! The shell: what the platform calls. Event handlers and Durable Object exports only; everything
//! else stands in the modules.

pub mod accounts;
mod alerting;
mod api;
pub mod archive;
mod audit;
mod auth;
mod bindings;
mod cache;
mod clock;
mod config;
mod cors;
mod counts;
mod csv;
pub mod db;
mod driver;
mod effects;
mod error;
mod events;
mod extract;
mod fetches;
mod figures;
pub mod governor;
mod health;
pub mod insights;
mod jobs;
mod journal;
mod live;
mod log;
mod metrics;
mod nesting;
mod openapi;
mod pages;
pub mod people;
mod plans;
pub mod publishing;
mod rate;
mod request;
mod router;
mod schema;
mod security;
mod serve;
mod tasks;
pub mod templates;
mod trace;
mod within;

use futures::future::{join, join3, join5};
use worker::{Context, Env, MessageBatch, ScheduleContext, ScheduledEvent, event, web_sys};

use bindings::Bindings;
use driver::Site;
pub use governor::Governor;
pub use journal::Journal;
pub use live::Live;
use request::Deployment;

#[event(start)]
fn start() {
    // The platform's own hook, which marks the instance as lost, comes after the one that prints.
    let platform = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        console_error_panic_hook::hook(info);
        platform(info);
    }));
}

#[event(fetch)]
async fn fetch(
    request: web_sys::Request,
    env: Env,
    context: Context,
) -> worker::Result<worker::Response> {
    let config = config::of(&env);
    let deployment = Deployment { config, bindings: Bindings::of(env), invocation: Some(context) };
    let response = match serve::from_platform(&request) {
        Some(request) => serve::serve(request, deployment).await,
        None => serve::refuse_unreadable(deployment),
    };
    serve::to_platform(response).await
}

/// Each minute: what is overdue wakes, workers and nodes are asked how they are, the
/// figures learn what ended and are looked at for what got worse, late tasks are told of, what is
/// old is archived, events whose time is over go, and jobs that were cut off are finished.
#[event(scheduled)]
async fn scheduled(_: ScheduledEvent, env: Env, _: ScheduleContext) {
    let site = site(env);
    join5(
        driver::sweep(&site),
        join(health::check_if_due(&site), health::check_nodes(&site)),
        join(figures::keep_up(&site), tasks::upkeep::keep_up(&site)),
        alerting::check_if_due(&site),
        join3(archive::sweep_if_due(&site), events::sweep_if_due(&site), jobs::sweep_if_due(&site)),
    )
    .await;
    people::upkeep::forget_if_due(&site.bindings).await;
    counts::add_up(&site.bindings).await;
    // Whoever listens to the installation's own account hears of workers and alerts at once.
    live::moved(&site.bindings, auth::ACCOUNT_DEFAULT).await;
}

/// Never an error: the platform would take it for a crash of the whole instance.
#[event(queue)]
async fn queue(batch: MessageBatch<String>, env: Env, context: Context) -> worker::Result<()> {
    let site = site(env);
    driver::consume(&site, &batch, &context).await;
    counts::bring(&site.bindings).await;
    Ok(())
}

fn site(env: Env) -> Site {
    Site { config: config::of(&env), bindings: Bindings::of(env) }
}
