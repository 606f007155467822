//! The archive on the platform: R2, the journals, and the sweep that the cron makes.

use std::collections::{BTreeMap, BTreeSet};

use engine::ids::{ExecutionId, ShardId};
use engine::shard::{Reply, Request};
use engine::time::{Millis, Timestamp};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::json;
use sha2::{Digest, Sha256};
use worker::{Bucket, Range};

use super::sweep::{Bounds, Swept, sweep};
use super::{ArchiveError, Shelf};
use crate::bindings::Bindings;
use crate::clock::now;
use crate::db::D1;
use crate::driver::Site;
use crate::journal::client;
use crate::log::{self, Level};

/// How long a sweep begins new objects: it shares the cron's minute with what wakes executions.
const SWEEP_TIME: Millis = Millis::from_secs(20);
/// The most executions that one sweep moves, give or take a page.
const SWEEP_EXECUTIONS_MAX: usize = 1_000;
const DAY_MS: i64 = 24 * 3600 * 1000;
/// Shards that are asked at the same time: the platform allows six connections.
const ASKED_AT_ONCE: usize = 4;

/// See the module.
pub struct Storage<'a> {
    bindings: &'a Bindings,
    shards: u16,
}

impl<'a> Storage<'a> {
    /// The storage behind these bindings; ids name shards below `shards`.
    pub fn new(bindings: &'a Bindings, shards: u16) -> Self {
        Self { bindings, shards }
    }

    fn bucket(&self) -> Result<Bucket, ArchiveError> {
        self.bindings.artifacts().map_err(|missing| ArchiveError::Storage(missing.to_string()))
    }
}

impl Shelf for Storage<'_> {
    /// R2 itself checks that what came in has this hash.
    async fn put(&self, key: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
        let hash = Sha256::digest(bytes).to_vec();
        let put = self.bucket()?.put(key, bytes.to_vec()).sha256(hash).execute().await;
        put.map(drop).map_err(|error| failed(key, &error))
    }

    async fn read(&self, key: &str, part: Option<(u64, u64)>) -> Result<Vec<u8>, ArchiveError> {
        let bucket = self.bucket()?;
        let mut asked = bucket.get(key);
        if let Some((offset, length)) = part {
            asked = asked.range(Range::OffsetWithLength { offset, length });
        }
        let object = asked.execute().await.map_err(|error| failed(key, &error))?;
        let gone = || ArchiveError::Storage(format!("{key}: not there"));
        let object = object.ok_or_else(gone)?;
        let body = object.body().ok_or_else(gone)?;
        body.bytes().await.map_err(|error| failed(key, &error))
    }

    async fn delete(&self, key: &str) -> Result<(), ArchiveError> {
        self.bucket()?.delete(key).await.map_err(|error| failed(key, &error))
    }

    /// An id that is none, or of a shard that this deployment does not have, has no journal.
    async fn kept(&self, ids: &[&str]) -> Result<BTreeSet<String>, ArchiveError> {
        let mut of_shards: BTreeMap<ShardId, Vec<ExecutionId>> = BTreeMap::new();
        for id in ids.iter().filter_map(|id| id.parse::<ExecutionId>().ok()) {
            if id.shard().0 < self.shards {
                of_shards.entry(id.shard()).or_default().push(id);
            }
        }
        let asked = of_shards.into_iter().map(async |(shard, ids)| {
            let answer =
                client::ask_shard(self.bindings, shard, &Request::Kept { ids }, None).await;
            match answer {
                Ok((Reply::Kept { ids }, _)) => Ok(ids),
                Ok((other, _)) => Err(ArchiveError::Journal(format!("it answered {other:?}"))),
                Err(error) => Err(ArchiveError::Journal(error.to_string())),
            }
        });
        let kept: Vec<Vec<ExecutionId>> =
            stream::iter(asked).buffer_unordered(ASKED_AT_ONCE).try_collect().await?;
        Ok(kept.into_iter().flatten().map(|id| id.to_string()).collect())
    }
}

/// Moves what is old enough by `RETENTION_DAYS`. What fails is tried again by the next sweep.
pub async fn sweep_if_due(site: &Site) {
    let days = i64::from(site.config.retention_days);
    if days == 0 {
        return;
    }
    let began = now();
    let bounds = Bounds {
        ended_before: Timestamp::from_millis(began.as_millis() - days * DAY_MS),
        until: began.plus(SWEEP_TIME),
        executions_max: SWEEP_EXECUTIONS_MAX,
    };
    match swept(site, bounds).await {
        Ok(Some(swept)) if swept != Swept::default() => log::write(
            Level::Info,
            json!({
                "event": "retention.swept",
                "executions": swept.executions,
                "objects": swept.objects,
                "bytes": swept.bytes,
                "journals_kept": swept.kept,
                "duration_ms": now().since(began).get(),
            }),
        ),
        Ok(_) => {}
        Err(error) => log::write(
            Level::Error,
            json!({ "event": "retention.failed", "error": error.to_string() }),
        ),
    }
}

async fn swept(site: &Site, bounds: Bounds) -> Result<Option<Swept>, ArchiveError> {
    let database = site.bindings.database();
    let database = database.map_err(|missing| ArchiveError::Storage(missing.to_string()))?;
    let storage = Storage::new(&site.bindings, site.config.journal_shards);
    sweep(&D1::new(database), &storage, bounds, now).await
}

fn failed(key: &str, error: &worker::Error) -> ArchiveError {
    ArchiveError::Storage(format!("{key}: {error}"))
}
