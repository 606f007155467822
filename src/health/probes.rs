//! Trials of what the orchestrator itself needs: a cheap request of each part, with a limit of
//! time. What was found is good for [`KEPT_FOR`], so that readers cannot multiply the trials.

use std::cell::RefCell;
use std::future::Future;

use api_types::{ComponentHealth, HealthVerdict};
use engine::ids::ShardId;
use engine::shard::{Reply, Request};
use engine::time::{Millis, Timestamp};
use futures::future::join5;
use worker::{QueueContentType, RawMessageBuilder};

use super::database::{self, Look};
use super::workers::KEY;
use crate::bindings::Missing;
use crate::clock::{self, now};
use crate::db::iso;
use crate::driver::Site;
use crate::journal::client::{self, JournalError};
use crate::within::within;

/// How long an isolate tells what it has found.
pub const KEPT_FOR: Millis = Millis::from_secs(10);
/// How long a part may take to answer.
const LIMIT: Millis = Millis::from_secs(2);
/// A part that takes longer is degraded.
const SLOW: Millis = Millis::from_secs(1);
/// The object that is looked for; whether it is there does not matter.
const OBJECT: &str = "health/probe";
/// The message that tries the queue: whoever gets it lets it go.
pub const MESSAGE: &str = "probe";

thread_local! {
    static FOUND: RefCell<Option<(Timestamp, Vec<ComponentHealth>)>> = const { RefCell::new(None) };
}

/// Why a part is not as it should be, without what it said.
enum Amiss {
    Missing,
    Silent,
    Failed,
    Lacks(String),
}

/// Tries every part, unless this isolate did so a moment ago.
pub async fn components(site: &Site) -> Vec<ComponentHealth> {
    let fresh = |(at, found): &(Timestamp, Vec<ComponentHealth>)| {
        (now().since(*at) < KEPT_FOR).then(|| found.clone())
    };
    if let Some(found) = FOUND.with_borrow(|known| known.as_ref().and_then(fresh)) {
        return found;
    }
    let (d1, kv, r2, queue, journal) =
        join5(d1(site), kv(site), r2(site), queue(site), journal(site)).await;
    let found = vec![d1, kv, r2, queue, journal];
    FOUND.with_borrow_mut(|known| *known = Some((now(), found.clone())));
    found
}

async fn d1(site: &Site) -> ComponentHealth {
    let outcome = match database::look(&site.bindings).await {
        Look::Current(latency) => Ok(latency),
        Look::Outdated(lacking) => Err(Amiss::Lacks(database::sentence(&lacking))),
        Look::Missing(_) => Err(Amiss::Missing),
        Look::Silent => Err(Amiss::Silent),
        Look::Failed(_) => Err(Amiss::Failed),
    };
    found("d1", outcome)
}

async fn kv(site: &Site) -> ComponentHealth {
    let asked = async {
        let cache = site.bindings.cache().map_err(missing)?;
        cache.get(KEY).text().await.map(drop).map_err(|_| Amiss::Failed)
    };
    found("kv", timed(asked).await)
}

async fn r2(site: &Site) -> ComponentHealth {
    let asked = async {
        let bucket = site.bindings.artifacts().map_err(missing)?;
        bucket.head(OBJECT).await.map(drop).map_err(|_| Amiss::Failed)
    };
    found("r2", timed(asked).await)
}

async fn queue(site: &Site) -> ComponentHealth {
    let asked = async {
        let queue = site.bindings.executions().map_err(missing)?;
        let message = RawMessageBuilder::new(MESSAGE.into());
        let message = message.build_with_content_type(QueueContentType::Text);
        queue.send_raw(message).await.map_err(|_| Amiss::Failed)
    };
    found("queue", timed(asked).await)
}

/// Any shard: over time each of them is tried.
async fn journal(site: &Site) -> ComponentHealth {
    let shard = ShardId::pick(clock::entropy(), site.config.journal_shards);
    let asked = async {
        match client::ask_shard(&site.bindings, shard, &Request::Figures, None).await {
            // An older shard has no figures, and says so: it is there.
            Ok((Reply::Figures(_) | Reply::TooNew { .. }, _)) => Ok(()),
            Err(JournalError::Missing(_)) => Err(Amiss::Missing),
            Ok(_) | Err(_) => Err(Amiss::Failed),
        }
    };
    found("journal", timed(asked).await)
}

fn missing(_: Missing) -> Amiss {
    Amiss::Missing
}

async fn timed(asked: impl Future<Output = Result<(), Amiss>>) -> Result<Millis, Amiss> {
    let began = now();
    within(LIMIT, asked).await.unwrap_or(Err(Amiss::Silent))?;
    Ok(now().since(began))
}

fn found(name: &str, outcome: Result<Millis, Amiss>) -> ComponentHealth {
    let (status, detail) = match &outcome {
        Ok(latency) if *latency > SLOW => (HealthVerdict::Degraded, Some("It is slow".to_owned())),
        Ok(_) => (HealthVerdict::Healthy, None),
        Err(Amiss::Lacks(what)) => (HealthVerdict::Degraded, Some(what.clone())),
        Err(Amiss::Missing) => (HealthVerdict::Unhealthy, Some("It is not bound".to_owned())),
        Err(Amiss::Silent) => {
            let detail = format!("It did not answer within {} seconds", LIMIT.get() / 1000);
            (HealthVerdict::Unhealthy, Some(detail))
        }
        Err(Amiss::Failed) => (HealthVerdict::Unhealthy, Some("It answers with errors".to_owned())),
    };
    ComponentHealth {
        name: name.to_owned(),
        status,
        latency_ms: outcome.ok().map(Millis::get),
        detail,
        checked_at: iso(now()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_says_nothing_of_the_inside() {
        let quick = found("kv", Ok(Millis::new(3)));
        assert_eq!((quick.status, quick.latency_ms), (HealthVerdict::Healthy, Some(3)));
        let slow = found("kv", Ok(Millis::new(1_001)));
        assert_eq!(slow.status, HealthVerdict::Degraded);
        let lacks = found("d1", Err(Amiss::Lacks("The migration 0009".to_owned())));
        assert_eq!(lacks.status, HealthVerdict::Degraded);
        for (amiss, says) in [
            (Amiss::Missing, "It is not bound"),
            (Amiss::Silent, "It did not answer within 2 seconds"),
            (Amiss::Failed, "It answers with errors"),
        ] {
            let found = found("r2", Err(amiss));
            assert_eq!((found.status, found.latency_ms), (HealthVerdict::Unhealthy, None));
            assert_eq!(found.detail.as_deref(), Some(says));
        }
    }
}
