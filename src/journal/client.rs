//! Typed calls of the journal that holds an execution.

use engine::ids::{ExecutionId, ShardId};
use engine::shard::{PROTOCOL, Reply, Request, decode, encode};
use worker::{Method, RequestInit};

use crate::bindings::{Bindings, Missing};

/// Why a journal gave no answer. What was asked may have been done.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The binding is not there.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The call failed on the way.
    #[error("the journal cannot be reached: {0}")]
    Unreachable(String),
    /// The answer is none that this build understands.
    #[error("the journal answered with status {status}: {text}")]
    Unexpected {
        /// The HTTP status.
        status: u16,
        /// The beginning of the answer, for the log.
        text: String,
    },
}

impl From<worker::Error> for JournalError {
    fn from(error: worker::Error) -> Self {
        Self::Unreachable(error.to_string())
    }
}

/// Asks the journal of `id`; `record` travels beside a start or an append.
pub async fn ask(
    bindings: &Bindings,
    id: &ExecutionId,
    request: &Request,
    record: Option<&str>,
) -> Result<(Reply, Vec<String>), JournalError> {
    ask_shard(bindings, id.shard(), request, record).await
}

/// Asks the journal of a shard.
pub async fn ask_shard(
    bindings: &Bindings,
    shard: ShardId,
    request: &Request,
    record: Option<&str>,
) -> Result<(Reply, Vec<String>), JournalError> {
    let body = encode(request, record).map_err(|error| worker::Error::from(error.to_string()))?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_body(Some(body.into()));
    let request = worker::Request::new_with_init(&format!("https://journal/{PROTOCOL}"), &init)?;
    let mut response = bindings.journal(shard)?.fetch_with_request(request).await?;
    let (status, text) = (response.status_code(), response.text().await?);
    let unexpected = || JournalError::Unexpected { status, text: text.chars().take(200).collect() };
    if status != 200 {
        return Err(unexpected());
    }
    let (reply, records) = decode::<Reply>(&text).map_err(|_| unexpected())?;
    Ok((reply, records.into_iter().map(str::to_owned).collect()))
}
