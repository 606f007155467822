//! Reading an execution from its journal, and waiting for its end.

use std::time::Duration;

use engine::execution::State;
use engine::ids::{ExecutionId, Seq};
use engine::shard::{Phase, Reply, Request};
use engine::time::{Millis, Timestamp};
use worker::Delay;

use super::Site;
use crate::clock;
use crate::effects::offload::{self, OffloadError};
use crate::journal::client::{self, JournalError};
use crate::journal::replay::{self, ReplayError};

/// The first and the longest pause between two looks at an execution that somebody waits for.
const LOOK_AGAIN_MIN: Millis = Millis::new(25);
const LOOK_AGAIN_MAX: Millis = Millis::new(1000);

/// Why an execution could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The journal gave no answer.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal cannot be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A large output could not be brought.
    #[error(transparent)]
    Offload(#[from] OffloadError),
    /// The journal answered something else.
    #[error("the journal answered {0}")]
    Unexpected(String),
}

/// Where an execution stands, as far as its journal knows without reading the records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The tenant that it belongs to.
    pub account: String,
    /// The place of the last record.
    pub seq: Seq,
    /// Whether it needs a driver.
    pub phase: Phase,
    /// When the lease ends that a driver holds.
    pub lease_until: Option<Timestamp>,
    /// How many messages have come in that no driver has met.
    pub unheard: u64,
    /// When a parked execution needs a driver.
    pub wake_at: Option<Timestamp>,
}

/// The records after a place, and where the execution stands; `None` when its journal knows none
/// of that id.
pub async fn records(
    site: &Site,
    id: &ExecutionId,
    after: Seq,
) -> Result<Option<(Standing, Vec<String>)>, ReadError> {
    let request = Request::Read { id: id.clone(), after };
    let (reply, records) = client::ask(&site.bindings, id, &request, None).await?;
    match reply {
        Reply::Records { seq, phase, account, lease_until, unheard, wake_at } => {
            let standing = Standing { account, seq, phase, lease_until, unheard, wake_at };
            Ok(Some((standing, records)))
        }
        Reply::Unknown => Ok(None),
        other => Err(ReadError::Unexpected(format!("{other:?}"))),
    }
}

/// Reads an execution; `None` when its journal knows none of that id. With `payloads` the values
/// of large outputs are brought as well.
pub async fn find(
    site: &Site,
    id: &ExecutionId,
    payloads: bool,
) -> Result<Option<State>, ReadError> {
    let Some((_, records)) = records(site, id, Seq(0)).await? else { return Ok(None) };
    let mut events = replay::events(&records)?;
    if payloads {
        offload::resolve(&site.bindings, &mut events).await?;
    }
    Ok(Some(replay::state(events)?))
}

/// Reads an execution that is known to exist.
pub async fn outcome_of(site: &Site, id: &ExecutionId) -> Result<State, ReadError> {
    let found = find(site, id, true).await?;
    found.ok_or_else(|| ReadError::Unexpected("no execution of that id".to_owned()))
}

/// Waits until the execution has ended, at most until `until`.
pub async fn wait_for_end(
    site: &Site,
    id: &ExecutionId,
    until: Timestamp,
) -> Result<(), ReadError> {
    let mut pause = LOOK_AGAIN_MIN;
    loop {
        let request = Request::Peek { id: id.clone() };
        let (reply, _) = client::ask(&site.bindings, id, &request, None).await?;
        if !matches!(reply, Reply::Standing { phase: Phase::Active | Phase::Parked, .. }) {
            return Ok(());
        }
        let left = until.since(clock::now());
        if left == Millis::ZERO {
            return Ok(());
        }
        Delay::from(Duration::from_millis(pause.min(left).get())).await;
        pause = Millis::new(pause.get() * 2).min(LOOK_AGAIN_MAX);
    }
}
