//! Owns the way from a call to a reply. It decides nothing beyond which operation was asked for.

use worker::Env;
use worker_kit::{Call, Reply, WorkerError, vars};

use crate::check::{CheckInput, check};
use crate::health::HealthBook;
use crate::sources::{SourcesInput, find};
use crate::{info, library, store};

pub(crate) async fn handle(call: Call, env: Env) -> Result<Reply, WorkerError> {
    match call.path.as_str() {
        info::SOURCES => {
            let input: SourcesInput = call.parse()?;
            let catalogue = library::catalogue(vars::flag(&env, "FEEDS_OFFLINE"));
            let book = match store::bound(&env) {
                Some(store) => {
                    let found = find(catalogue, &unlimited(&input), &HealthBook::default());
                    let urls: Vec<&str> =
                        found.sources.iter().map(|source| source.url.as_str()).collect();
                    store::read(&store, &urls).await
                }
                None => HealthBook::default(),
            };
            Reply::of(&find(catalogue, &input, &book))
        }
        info::CHECK => {
            let input: CheckInput = call.parse()?;
            Reply::of(&check(&input, &env, call.deadline_ms).await)
        }
        path => Err(WorkerError::internal("operation.unknown", format!("no operation {path}"))),
    }
}

/// Health changes the order, so it is read of more feeds than are asked for.
fn unlimited(input: &SourcesInput) -> SourcesInput {
    SourcesInput { max_feeds: crate::sources::FEEDS_MAX, min_score: 0.0, ..input.clone() }
}
