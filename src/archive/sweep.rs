//! The sweep: moves finished executions that are old enough into the archive, a bounded number at a
//! time. It may be killed at any point: the object is written and read back first, then it is
//! indexed and its executions are removed in one transaction. What was cut off before that is done
//! again; the object that it left is removed, or written anew with the same content.

use std::collections::{BTreeMap, BTreeSet};

use engine::execution::Status;
use engine::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::pack::{self, Packed};
use super::{ArchiveError, Shelf};
use crate::db::archive::{self, Candidate, DUTY, Move};
use crate::db::duties::{self, Held};
use crate::db::{Database, iso};

/// How long a sweep may hold its duty: longer than it may take.
const HOLD: Millis = Millis::from_secs(180);
/// When the next sweep looks again where nothing is old enough.
const REST: Millis = Millis::from_secs(300);
/// Rows that are looked at together, and journals that are asked about.
const PAGE_ROWS: u32 = 200;
/// Bytes of rows before compression in one object.
const OBJECT_BYTES_MAX: u64 = 4_000_000;

/// How far one sweep goes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// What ended before this is old enough.
    pub ended_before: Timestamp,
    /// When it begins no more objects.
    pub until: Timestamp,
    /// The most executions that it moves, give or take a page.
    pub executions_max: usize,
}

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Executions that it moved.
    pub executions: usize,
    /// Objects that it wrote.
    pub objects: usize,
    /// Bytes of those.
    pub bytes: u64,
    /// Old enough, but their journals are still there.
    pub kept: usize,
}

/// Where the sweeps stand between one and the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Standing {
    /// The number of the last row that was looked at; 0 begins anew.
    after: i64,
    /// An object that may have been written without being indexed.
    pending: Option<String>,
}

/// Moves what is old enough; `None` where it is not due, or another sweep is at it. `now` is the
/// clock, asked again after each object.
pub async fn sweep(
    db: &impl Database,
    shelf: &impl Shelf,
    bounds: Bounds,
    now: impl Fn() -> Timestamp,
) -> Result<Option<Swept>, ArchiveError> {
    let Some(held) = duties::take(db, DUTY, now(), HOLD).await? else { return Ok(None) };
    let standing: Standing = serde_json::from_value(held.state).unwrap_or_default();
    let mut sweep = Sweep { db, shelf, fence: held.fence, standing, swept: Swept::default() };
    sweep.clear_pending().await?;
    let mut exhausted = false;
    while !exhausted && sweep.swept.executions < bounds.executions_max && now() < bounds.until {
        exhausted = sweep.page(bounds, &now).await?;
    }
    let next_at = if exhausted { now().plus(REST) } else { now() };
    let held = Held { fence: held.fence, state: sweep.standing.json() };
    duties::done(db, DUTY, &held, now(), next_at).await?;
    Ok(Some(sweep.swept))
}

struct Sweep<'a, D, S> {
    db: &'a D,
    shelf: &'a S,
    fence: u64,
    standing: Standing,
    swept: Swept,
}

impl<D: Database, S: Shelf> Sweep<'_, D, S> {
    /// What a sweep that was cut off has written and nothing refers to.
    async fn clear_pending(&mut self) -> Result<(), ArchiveError> {
        if let Some(key) = self.standing.pending.clone()
            && !archive::knows(self.db, &key).await?
        {
            self.shelf.delete(&key).await?;
        }
        self.standing.pending = None;
        Ok(())
    }

    /// Looks at the next rows; says whether there are none behind them that could be old enough.
    async fn page(
        &mut self,
        bounds: Bounds,
        now: &impl Fn() -> Timestamp,
    ) -> Result<bool, ArchiveError> {
        let rows = archive::candidates(self.db, self.standing.after, PAGE_ROWS).await?;
        let Page { old, after, exhausted } = read(&rows, &iso(bounds.ended_before));
        let kept = self.shelf.kept(&old).await?;
        self.swept.kept += kept.len();
        let free: Vec<&str> = old.into_iter().filter(|id| !kept.contains(*id)).collect();
        let sizes: BTreeMap<String, u64> =
            archive::sizes(self.db, &free).await?.into_iter().collect();
        let sizes: Vec<(&str, u64)> =
            free.iter().map(|id| (*id, sizes.get(*id).copied().unwrap_or_default())).collect();
        for group in pack::groups(&sizes, OBJECT_BYTES_MAX) {
            if now() >= bounds.until {
                return Ok(false);
            }
            self.object(&group).await?;
        }
        self.standing.after = if exhausted { 0 } else { after };
        Ok(exhausted)
    }

    /// Writes an object, reads it back, and only then moves what it holds.
    async fn object(&mut self, ids: &[&str]) -> Result<(), ArchiveError> {
        let records = archive::records(self.db, ids).await?;
        let Some(packed) = pack::pack(&records) else { return Ok(()) };
        let Packed { object_key, bytes, moved } = packed;
        self.standing.pending = Some(object_key.clone());
        if !duties::note(self.db, DUTY, self.fence, &self.standing.json()).await? {
            return Err(ArchiveError::Overtaken);
        }
        let length = bytes.len() as u64;
        self.shelf.put(&object_key, &bytes).await?;
        if self.shelf.read(&object_key, None).await? != bytes {
            return Err(ArchiveError::Differs(object_key));
        }
        self.standing.pending = None;
        let it = Move {
            fence: self.fence,
            object_key: &object_key,
            bytes: length,
            moved: &moved,
            state: &self.standing.json(),
        };
        self.swept.executions += archive::commit(self.db, it).await?;
        self.swept.objects += 1;
        self.swept.bytes += length;
        Ok(())
    }
}

impl Standing {
    fn json(&self) -> Value {
        serde_json::to_value(self).expect("texts and numbers are JSON")
    }
}

/// What a page of rows says.
#[derive(Debug, PartialEq, Eq)]
struct Page<'a> {
    /// Executions that ended long enough ago.
    old: Vec<&'a str>,
    /// The last row's number.
    after: i64,
    /// Whether what follows is too young: rows come about in the order of age.
    exhausted: bool,
}

fn read<'a>(rows: &'a [Candidate], before: &str) -> Page<'a> {
    let finals = [Status::Completed, Status::Partial, Status::Failed, Status::Cancelled];
    let finals: BTreeSet<&str> = finals.iter().map(|status| status.as_str()).collect();
    let ended = |row: &&Candidate| {
        let at = row.completed_at.as_ref().unwrap_or(&row.created_at);
        finals.contains(row.status.as_str()) && at.as_str() < before
    };
    let last = rows.last();
    Page {
        old: rows.iter().filter(ended).map(|row| row.pipeline_id.as_str()).collect(),
        after: last.map_or(0, |row| row.id),
        exhausted: rows.len() < PAGE_ROWS as usize
            || last.is_none_or(|row| row.created_at.as_str() >= before),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, status: &str, created_at: &str, completed_at: Option<&str>) -> Candidate {
        Candidate {
            id,
            pipeline_id: format!("p{id}"),
            status: status.to_owned(),
            created_at: created_at.to_owned(),
            completed_at: completed_at.map(str::to_owned),
            journal_seq: 1,
        }
    }

    #[test]
    fn only_what_ended_long_enough_ago_is_old() {
        let rows = [
            row(1, "completed", "2026-01-01", Some("2026-01-02")),
            row(2, "waiting", "2026-01-01", None),
            row(3, "failed", "2026-01-03", Some("2026-01-09")),
            row(4, "cancelled", "2026-01-03", None),
            row(9, "partial", "2026-01-04", Some("2026-01-05")),
        ];
        let page = read(&rows, "2026-01-06");
        assert_eq!(page, Page { old: vec!["p1", "p4", "p9"], after: 9, exhausted: true });
        assert!(read(&[], "2026").exhausted);
    }

    #[test]
    fn a_full_page_of_old_rows_has_more_behind_it() {
        let all = |at: &str| -> Vec<Candidate> {
            (1..=i64::from(PAGE_ROWS)).map(|id| row(id, "running", at, None)).collect()
        };
        assert!(!read(&all("2026-01-01"), "2026-01-06").exhausted);
        assert!(read(&all("2026-01-06"), "2026-01-06").exhausted);
    }
}
