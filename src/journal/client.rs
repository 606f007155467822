//! Typed calls of the journal that holds an execution.

use engine::ids::{ExecutionId, ShardId};
use engine::shard::{Reply, Request, decode, encode};

use crate::bindings::{Bindings, Missing};
use crate::fetches::Fetches;

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
    let body = encode(request, record);
    let body = body.map_err(|error| JournalError::Unreachable(error.to_string()))?;
    let journal = bindings.journal(shard)?.into_rpc::<Fetches>();
    let answer = journal.post(&format!("https://journal/{}", request.version()), &body).await;
    let (status, text) = answer.map_err(JournalError::Unreachable)?;
    let unexpected = || JournalError::Unexpected { status, text: text.chars().take(200).collect() };
    if status != 200 {
        return Err(unexpected());
    }
    let (reply, records) = decode::<Reply>(&text).map_err(|_| unexpected())?;
    Ok((reply, records.into_iter().map(str::to_owned).collect()))
}
