//! The source of an execution's events: what has been read goes out, then the journal is asked for
//! more. It holds no more than one answer of the journal.

use std::collections::VecDeque;

use engine::ids::{ExecutionId, Seq};
use engine::shard::Phase;
use engine::time::Millis;
use serde_json::json;

use super::shown;
use crate::api::pacing::{Look, Source};
use crate::driver::{self, Site, Standing};
use crate::log::{self, Level};

/// What is still to be sent to one client.
pub struct Feed {
    site: Site,
    id: ExecutionId,
    /// The last record that was sent whole, and how many events of the next one were.
    seq: Seq,
    skip: usize,
    records: VecDeque<String>,
    standing: Standing,
    /// Whether the journal was asked a moment ago.
    fresh: bool,
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
        Self { site, id, seq, skip, records: records.into(), standing, fresh: true }
    }

    /// What can be sent without asking anybody.
    fn at_hand(&mut self) -> Look {
        while let Some(record) = self.records.pop_front() {
            self.seq = self.seq.next();
            let skip = std::mem::take(&mut self.skip);
            match shown::frames(self.seq, &record, skip) {
                Ok(frames) if frames.is_empty() => {}
                Ok(frames) => return Look::Frames(frames),
                Err(error) => {
                    self.warn("events.unreadable", &error.to_string());
                    return Look::Over;
                }
            }
        }
        if self.standing.phase != Phase::Ended || self.seq < self.standing.seq {
            return Look::Nothing;
        }
        let data = json!({ "pipeline_id": self.id.as_str() });
        Look::Last(format!("event: end\ndata: {data}\n\n"))
    }

    fn warn(&self, event: &str, error: &str) {
        let id = self.id.as_str();
        log::write(Level::Warn, json!({ "event": event, "execution.id": id, "error": error }));
    }
}

impl Source for Feed {
    const PAUSES: (Millis, Millis) = (Millis::new(50), Millis::from_secs(1));

    /// A journal that is gone is retired: nothing follows.
    async fn look(&mut self) -> Look {
        let fresh = std::mem::take(&mut self.fresh);
        match self.at_hand() {
            Look::Nothing if !fresh => {}
            looked => return looked,
        }
        match driver::records(&self.site, &self.id, self.seq).await {
            Ok(Some((standing, records))) => {
                self.standing = standing;
                self.records = records.into();
                self.at_hand()
            }
            Ok(None) => Look::Over,
            Err(error) => Look::Silent(error.to_string()),
        }
    }

    fn given_up(&self, error: &str) {
        self.warn("events.journal_silent", error);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::StreamExt;

    use super::*;
    use crate::api::pacing::stream;
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
        let pieces = stream(feed).map(|piece| match piece {
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
        let Look::Frames(first) = open.look().await else { panic!("it has a record") };
        assert!(first.starts_with("id: 1.1\nevent: c\n"));
        assert_eq!(open.at_hand(), Look::Nothing);
        let mut damaged = feed(Phase::Active, (Seq(0), 0), &["{"]);
        assert_eq!(damaged.look().await, Look::Over);
    }

    #[tokio::test]
    async fn the_journal_is_asked_after_the_first_look_and_its_silence_told() {
        let mut feed = feed(Phase::Active, (Seq(0), 0), &[]);
        assert_eq!(feed.look().await, Look::Nothing, "the handler has just asked it");
        assert!(matches!(feed.look().await, Look::Silent(_)));
    }
}
