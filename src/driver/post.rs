//! Bringing a message to an execution: stored in its journal's inbox before anybody is answered,
//! met by its driver, in effect once.

use std::time::Duration;

use engine::execution::Message;
use engine::ids::{ExecutionId, InboxSeq};
use engine::shard::{Reply, Request};
use engine::time::{Millis, Timestamp};
use worker::Delay;

use super::Site;
use super::read::ReadError;
use crate::clock;
use crate::journal::client;
use crate::journal::replay::ReplayError;

/// The first and the longest pause between two looks at whether a message was met.
const LOOK_AGAIN_MIN: Millis = Millis::new(25);
const LOOK_AGAIN_MAX: Millis = Millis::new(400);

/// A message on its way.
#[derive(Clone, Debug)]
pub struct Post<'a> {
    /// To which execution.
    pub id: &'a ExecutionId,
    /// What it says.
    pub message: &'a Message,
    /// Makes a repeated post find the first one.
    pub key: Option<String>,
    /// Whether it opens an execution that has ended.
    pub reopens: bool,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posted {
    /// It is stored, now or by an earlier post with the same key.
    Stored(InboxSeq),
    /// The execution has ended: nothing is stored.
    Ended,
    /// The journal knows no such execution.
    Unknown,
    /// Too many messages wait to be met: nothing is stored.
    Full {
        /// How many may.
        max: u64,
    },
    /// The message is too large: nothing is stored.
    TooLarge {
        /// How large one may be.
        bytes_max: u64,
    },
}

/// Stores a message. A try without an answer is made once more: it finds what it stored.
pub async fn post(site: &Site, post: Post<'_>) -> Result<Posted, ReadError> {
    let Post { id, message, key, reopens } = post;
    let entry = serde_json::to_value(message).map_err(ReplayError::from)?;
    let key = key.or_else(|| key_of_its_own(message));
    let request = Request::Post { id: id.clone(), entry, key, reopens };
    let answer = match client::ask(&site.bindings, id, &request, None).await {
        Ok(answer) => answer,
        Err(_) => client::ask(&site.bindings, id, &request, None).await?,
    };
    match answer.0 {
        Reply::Posted { n } => Ok(Posted::Stored(n)),
        Reply::Ended => Ok(Posted::Ended),
        Reply::Unknown => Ok(Posted::Unknown),
        Reply::InboxFull { max } => Ok(Posted::Full { max }),
        Reply::TooLarge { max_bytes } => Ok(Posted::TooLarge { bytes_max: max_bytes }),
        other => Err(ReadError::Unexpected(format!("{other:?}"))),
    }
}

/// Where a message was stored under a key; `None` when none was.
pub async fn posted(
    site: &Site,
    id: &ExecutionId,
    key: &str,
) -> Result<Option<InboxSeq>, ReadError> {
    let request = Request::Posted { id: id.clone(), key: key.to_owned() };
    match client::ask(&site.bindings, id, &request, None).await?.0 {
        Reply::Posted { n } => Ok(Some(n)),
        _ => Ok(None),
    }
}

/// Most messages must not be stored twice; of heartbeats the last one counts.
fn key_of_its_own(message: &Message) -> Option<String> {
    let once = !matches!(message, Message::Heartbeat { .. });
    once.then(|| format!("once:{:032x}", clock::random()))
}

/// Waits until all that has come in for an execution is met, at most until `until`; says whether
/// it is.
pub async fn wait_until_met(
    site: &Site,
    id: &ExecutionId,
    until: Timestamp,
) -> Result<bool, ReadError> {
    let mut pause = LOOK_AGAIN_MIN;
    loop {
        let left = until.since(clock::now());
        if left == Millis::ZERO {
            return Ok(false);
        }
        Delay::from(Duration::from_millis(pause.min(left).get())).await;
        let request = Request::Peek { id: id.clone() };
        let (reply, _) = client::ask(&site.bindings, id, &request, None).await?;
        match reply {
            Reply::Standing { unheard: 0, .. } => return Ok(true),
            Reply::Standing { .. } => {}
            other => return Err(ReadError::Unexpected(format!("{other:?}"))),
        }
        pause = Millis::new(pause.get() * 2).min(LOOK_AGAIN_MAX);
    }
}
