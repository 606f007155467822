//! The stream of events: what has been read goes out, then the journal is asked for more. It holds
//! no more than one answer of the journal, and stops where it is when nobody reads any more.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::Bytes;
use engine::ids::{ExecutionId, Seq};
use engine::shard::Phase;
use engine::time::{Millis, Timestamp};
use futures::stream::{Stream, unfold};
use serde_json::json;
use worker::Delay;
use worker::send::SendFuture;

use super::shown;
use crate::clock::now;
use crate::driver::{self, Site, Standing};
use crate::log::{self, Level};

/// The longest that a connection lives.
const LIFE: Millis = Millis::from_secs(600);
/// How often a connection on which nothing happens shows that it lives.
const HEARTBEAT: Millis = Millis::from_secs(15);
/// The first and the longest pause between two looks at the journal.
const LOOK_AGAIN_MIN: Millis = Millis::new(50);
const LOOK_AGAIN_MAX: Millis = Millis::from_secs(1);
/// How often in a row the journal may give no answer.
const FAILURES_MAX: u32 = 5;
/// When a client comes back whose connection ended.
const COME_BACK: Millis = Millis::from_secs(2);

/// What is still to be sent to one client.
pub struct Feed {
    site: Site,
    id: ExecutionId,
    /// The last record that was sent whole, and how many events of the next one were.
    seq: Seq,
    skip: usize,
    records: VecDeque<String>,
    standing: Standing,
    pause: Millis,
    heartbeat_at: Timestamp,
    closes_at: Timestamp,
    failures: u32,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Opening,
    Open,
    Closed,
}

impl Feed {
    /// What follows on `seq` and `skip` events of the record after it; `records` are those after
    /// `seq`.
    pub fn new(
        site: Site,
        id: ExecutionId,
        (seq, skip): (Seq, usize),
        standing: Standing,
        records: Vec<String>,
    ) -> Self {
        Self {
            site,
            id,
            seq,
            skip,
            records: records.into(),
            standing,
            pause: LOOK_AGAIN_MIN,
            heartbeat_at: now().plus(HEARTBEAT),
            closes_at: now().plus(LIFE),
            failures: 0,
            stage: Stage::Opening,
        }
    }

    /// The text of the stream, piece by piece.
    pub fn stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
        unfold(self, |mut feed| {
            SendFuture::new(async move {
                let piece = feed.next().await?;
                Some((Ok(Bytes::from(piece)), feed))
            })
        })
    }

    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(piece) = self.at_hand() {
                self.heartbeat_at = now().plus(HEARTBEAT);
                return Some(piece);
            }
            if self.stage == Stage::Closed || now() >= self.closes_at {
                return None;
            }
            let left = self.heartbeat_at.since(now());
            Delay::from(Duration::from_millis(self.pause.min(left).get())).await;
            if now() >= self.heartbeat_at {
                self.heartbeat_at = now().plus(HEARTBEAT);
                return Some(": heartbeat\n\n".to_owned());
            }
            self.look().await;
        }
    }

    /// What can be sent without asking anybody.
    fn at_hand(&mut self) -> Option<String> {
        match self.stage {
            Stage::Closed => return None,
            Stage::Opening => {
                self.stage = Stage::Open;
                return Some(format!("retry: {}\n\n", COME_BACK.get()));
            }
            Stage::Open => {}
        }
        while let Some(record) = self.records.pop_front() {
            self.seq = self.seq.next();
            let skip = std::mem::take(&mut self.skip);
            match shown::frames(self.seq, &record, skip) {
                Ok(frames) if frames.is_empty() => {}
                Ok(frames) => return Some(frames),
                Err(error) => {
                    self.warn("events.unreadable", &error.to_string());
                    self.stage = Stage::Closed;
                    return None;
                }
            }
        }
        if self.standing.phase != Phase::Ended || self.seq < self.standing.seq {
            return None;
        }
        self.stage = Stage::Closed;
        Some(format!("event: end\ndata: {}\n\n", json!({ "pipeline_id": self.id.as_str() })))
    }

    /// Asks the journal for what has happened since. One that is gone is retired: nothing follows.
    async fn look(&mut self) {
        match driver::records(&self.site, &self.id, self.seq).await {
            Ok(Some((standing, records))) => {
                self.failures = 0;
                self.pause = match records.is_empty() {
                    true => Millis::new(self.pause.get() * 2).min(LOOK_AGAIN_MAX),
                    false => LOOK_AGAIN_MIN,
                };
                self.standing = standing;
                self.records = records.into();
            }
            Ok(None) => self.stage = Stage::Closed,
            Err(error) => {
                self.failures += 1;
                self.pause = LOOK_AGAIN_MAX;
                if self.failures >= FAILURES_MAX {
                    self.warn("events.journal_silent", &error.to_string());
                    self.stage = Stage::Closed;
                }
            }
        }
    }

    fn warn(&self, event: &str, error: &str) {
        let id = self.id.as_str();
        log::write(Level::Warn, json!({ "event": event, "execution.id": id, "error": error }));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::StreamExt;

    use super::*;
    use crate::bindings::Bindings;
    use crate::config::Config;

    fn feed(phase: Phase, place: (Seq, usize), records: &[&str]) -> Feed {
        let config = Arc::new(Config::read(|_| None));
        let site = Site { bindings: Bindings::none(), config };
        let standing = Standing {
            account: "default".to_owned(),
            seq: Seq(place.0.0 + records.len() as u64),
            phase,
            lease_until: None,
            unheard: 0,
            wake_at: None,
        };
        let records = records.iter().map(|record| (*record).to_owned()).collect();
        let id = "pipe_1_00000000000000000000000000".parse().unwrap();
        Feed::new(site, id, place, standing, records)
    }

    const TWO: &str = r#"[{"type":"a","at":1},{"type":"b","at":2}]"#;
    const ONE: &str = r#"[{"type":"c","at":3}]"#;

    async fn all(feed: Feed) -> Vec<String> {
        let pieces = feed.stream().map(|piece| match piece {
            Ok(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            Err(never) => match never {},
        });
        pieces.collect().await
    }

    fn ids(pieces: &[String]) -> Vec<&str> {
        let lines = pieces.iter().flat_map(|piece| piece.lines());
        lines.filter_map(|line| line.strip_prefix("id: ")).collect()
    }

    #[tokio::test]
    async fn an_execution_that_has_ended_is_told_whole_and_closed() {
        let pieces = all(feed(Phase::Ended, (Seq(0), 0), &[TWO, ONE])).await;
        assert_eq!(ids(&pieces), ["1.1", "1.2", "2.1"]);
        assert!(pieces[0].starts_with("retry: "));
        let last = pieces.last().unwrap();
        assert!(last.starts_with("event: end\ndata: {") && !last.contains("id: "), "{last}");
    }

    #[tokio::test]
    async fn what_was_received_is_not_sent_again() {
        let pieces = all(feed(Phase::Ended, (Seq(4), 1), &[TWO, ONE])).await;
        assert_eq!(ids(&pieces), ["5.2", "6.1"]);
        let pieces = all(feed(Phase::Ended, (Seq(4), 2), &[TWO])).await;
        assert_eq!(ids(&pieces), Vec::<&str>::new());
        assert_eq!(pieces.len(), 2, "its beginning and its end: {pieces:?}");
    }

    #[tokio::test]
    async fn one_that_goes_on_is_not_closed_and_damage_is() {
        let mut open = feed(Phase::Active, (Seq(0), 0), &[ONE]);
        assert!(open.at_hand().unwrap().starts_with("retry"));
        assert!(open.at_hand().unwrap().starts_with("id: 1.1\nevent: c\n"));
        assert_eq!((open.at_hand(), open.stage), (None, Stage::Open));
        let mut damaged = feed(Phase::Active, (Seq(0), 0), &["{"]);
        damaged.at_hand();
        assert_eq!((damaged.at_hand(), damaged.stage), (None, Stage::Closed));
    }

    #[tokio::test]
    async fn a_journal_that_stays_silent_ends_the_connection() {
        let mut feed = feed(Phase::Active, (Seq(0), 0), &[]);
        feed.at_hand();
        for _ in 1..FAILURES_MAX {
            feed.look().await;
            assert_eq!(feed.stage, Stage::Open);
        }
        feed.look().await;
        assert_eq!(feed.stage, Stage::Closed);
    }
}
