//! What drivers and a shard say to each other. On the wire: one line of JSON, then one line for
//! each record, so that records pass through unparsed.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::Figures;
use crate::ids::{Epoch, ExecutionId, InboxSeq, Seq};
use crate::time::Timestamp;

/// The version of the protocol. A shard that meets a request of a newer one refuses.
///
/// 2: an append acknowledges what its driver has met. A driver of version 2 must not meet a shard
/// of version 1, which would hand it the same entries again; a driver of version 1 understands no
/// entry, so a shard of version 2 takes the lease from it as soon as one comes in.
/// 3: a shard tells its figures.
pub const PROTOCOL: u32 = 3;

/// The most entries of an execution that no driver has acknowledged.
pub const UNHEARD_MAX: u64 = 1_000;

/// The most executions that are asked about at once.
pub const KEPT_MAX: usize = 1_000;

/// The largest entry, as compact JSON.
pub const ENTRY_BYTES_MAX: usize = 256 * 1024;

/// What a driver or the API asks of a shard. Records travel beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Request {
    /// Begin a journal with one record, under a lease of epoch 1 where it is `driven`.
    Start {
        /// The execution.
        id: ExecutionId,
        /// The tenant.
        account: String,
        /// When it started.
        at: Timestamp,
        /// Makes a repeated start find the first one.
        idempotency: Option<Idempotency>,
        /// Whether it goes on.
        after: After,
        /// The execution that begins it, in the same shard; each hears of the other's end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<ExecutionId>,
        /// Whether the asker drives it; else a driver is asked for at once.
        #[serde(default = "yes", skip_serializing_if = "is_yes")]
        driven: bool,
    },
    /// Append one record.
    Append {
        /// The execution.
        id: ExecutionId,
        /// The lease under which the driver works.
        epoch: Epoch,
        /// The place of the record.
        seq: Seq,
        /// Whether the execution goes on.
        after: After,
        /// The last inbox entry that the driver has met: what the record makes of it is durable
        /// with it, and it is handed out no more.
        #[serde(default)]
        seen: InboxSeq,
    },
    /// Take the lease of an execution that nobody drives.
    Take {
        /// The execution.
        id: ExecutionId,
    },
    /// Keep the lease.
    Renew {
        /// The execution.
        id: ExecutionId,
        /// The lease.
        epoch: Epoch,
    },
    /// Give the lease back.
    Release {
        /// The execution.
        id: ExecutionId,
        /// The lease.
        epoch: Epoch,
        /// The last inbox entry that the driver has met.
        seen: InboxSeq,
        /// When a driver is needed next; now or earlier is a hand-over.
        wake_at: Timestamp,
        /// The place of the last record that the driver knows: a release that comes late, after
        /// the driver went on, must not take its lease. Absent from older drivers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<Seq>,
    },
    /// Store something for the execution's driver.
    Post {
        /// The execution.
        id: ExecutionId,
        /// What it is, at most [`ENTRY_BYTES_MAX`] long.
        entry: Value,
        /// Makes a repeated post find the first one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// Whether it opens an execution that has ended.
        #[serde(default, skip_serializing_if = "is_no")]
        reopens: bool,
    },
    /// Ask whether something was stored under a key; answered with [`Reply::Posted`] or
    /// [`Reply::Unknown`].
    Posted {
        /// The execution.
        id: ExecutionId,
        /// The key.
        key: String,
    },
    /// Read the records after a place.
    Read {
        /// The execution.
        id: ExecutionId,
        /// The place; 0 for all.
        after: Seq,
    },
    /// Ask where an execution stands without reading it.
    Peek {
        /// The execution.
        id: ExecutionId,
    },
    /// Ask which of these executions the shard still knows; answered with [`Reply::Kept`]. A shard
    /// that does not know this request refuses it as malformed, and the asker leaves them alone.
    Kept {
        /// The executions, at most [`KEPT_MAX`].
        ids: Vec<ExecutionId>,
    },
    /// Do what is due, and forget what is old.
    Sweep,
    /// Ask what the shard has in hand; changes nothing.
    Figures,
}

impl Request {
    /// The oldest version of the protocol in which this request means what it says.
    pub fn version(&self) -> u32 {
        match self {
            Self::Start { parent: None, driven: true, .. }
            | Self::Read { .. }
            | Self::Peek { .. }
            | Self::Sweep => 1,
            Self::Start { .. }
            | Self::Append { .. }
            | Self::Take { .. }
            | Self::Renew { .. }
            | Self::Release { .. }
            | Self::Post { .. }
            | Self::Posted { .. }
            | Self::Kept { .. } => 2,
            Self::Figures => 3,
        }
    }
}

/// What makes a repeated start find the first one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idempotency {
    /// HMAC of account and key.
    pub key_hash: String,
    /// Hash of the request's canonical body.
    pub body_hash: String,
}

/// Whether an execution goes on after a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum After {
    /// Its driver goes on.
    Active,
    /// The record carries the end.
    Ended,
}

/// Where an execution stands, as far as its shard knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Driven, or in need of a driver.
    Active,
    /// Nothing can be done before a moment or a message comes.
    Parked,
    /// Over.
    Ended,
}

/// Something that came in for an execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InboxEntry {
    /// Its place.
    pub n: InboxSeq,
    /// What it is.
    pub entry: Value,
}

/// What a shard answers. Records travel beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// The journal has begun.
    Started {
        /// The lease.
        epoch: Epoch,
    },
    /// A start with the same key and body came before.
    Existing {
        /// The execution that it began.
        id: ExecutionId,
    },
    /// A start with the same key and another body came before.
    KeyConflict,
    /// The record is durable.
    Appended {
        /// What came in and the driver may not have met.
        inbox: Vec<InboxEntry>,
    },
    /// The lease is the driver's; the records follow.
    Taken {
        /// The lease.
        epoch: Epoch,
        /// The place of the last record.
        seq: Seq,
        /// What came in and no driver has met.
        inbox: Vec<InboxEntry>,
    },
    /// Another driver holds the lease.
    Held {
        /// When it ends if it is not renewed.
        until: Timestamp,
    },
    /// The lease goes on.
    Renewed {
        /// What came in and the driver may not have met.
        inbox: Vec<InboxEntry>,
    },
    /// The lease is given back.
    Released,
    /// The lease is kept: something came in that the driver has not met.
    InboxNotEmpty {
        /// What it is.
        inbox: Vec<InboxEntry>,
    },
    /// The entry is stored.
    Posted {
        /// Its place.
        n: InboxSeq,
    },
    /// Too much has come in that no driver has acknowledged yet: nothing is stored.
    InboxFull {
        /// How much may wait.
        max: u64,
    },
    /// The entry is too large: nothing is stored.
    TooLarge {
        /// How large one may be.
        max_bytes: u64,
    },
    /// The records follow.
    Records {
        /// The place of the last record.
        seq: Seq,
        /// Where the execution stands.
        phase: Phase,
        /// The tenant.
        account: String,
        /// When the lease ends that somebody holds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lease_until: Option<Timestamp>,
        /// How many inbox entries no driver has acknowledged.
        #[serde(default)]
        unheard: u64,
        /// When a parked execution needs a driver.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wake_at: Option<Timestamp>,
    },
    /// Where the execution stands.
    Standing {
        /// The place of the last record.
        seq: Seq,
        /// Where it stands.
        phase: Phase,
        /// When the lease ends that somebody holds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lease_until: Option<Timestamp>,
        /// How many inbox entries no driver has acknowledged.
        #[serde(default)]
        unheard: u64,
        /// When a parked execution needs a driver.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wake_at: Option<Timestamp>,
    },
    /// Those that the shard knows.
    Kept {
        /// The executions.
        ids: Vec<ExecutionId>,
    },
    /// What was due is done.
    Swept {
        /// What the shard has in hand; absent from older shards.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        figures: Option<Figures>,
    },
    /// What the shard has in hand.
    Figures(Figures),
    /// The shard knows no such execution.
    Unknown,
    /// The execution is over.
    Ended,
    /// The lease is another driver's now.
    StaleEpoch {
        /// The current lease.
        epoch: Epoch,
    },
    /// The record is not the next one.
    OutOfSequence {
        /// The place of the last record.
        seq: Seq,
    },
    /// The asker speaks a newer version of the protocol.
    TooNew {
        /// The version that the shard speaks.
        speaks: u32,
    },
}

fn yes() -> bool {
    true
}

fn is_yes(value: &bool) -> bool {
    *value
}

fn is_no(value: &bool) -> bool {
    !*value
}

/// Writes a message and its records, one line each.
pub fn encode<'r, M: Serialize>(
    message: &M,
    records: impl IntoIterator<Item = &'r str>,
) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string(message)?;
    for record in records {
        debug_assert!(!record.contains('\n'), "a record is compact JSON");
        text.push('\n');
        text.push_str(record);
    }
    Ok(text)
}

/// Reads a message and its records.
pub fn decode<M: DeserializeOwned>(text: &str) -> Result<(M, Vec<&str>), serde_json::Error> {
    let mut lines = text.split('\n');
    let message = serde_json::from_str(lines.next().unwrap_or_default())?;
    Ok((message, lines.collect()))
}
