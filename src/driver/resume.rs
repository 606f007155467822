//! Going on with an execution that nobody drives: a timer is due, a lease ran out, or a driver
//! handed over. The queue's message names the execution and nothing else: what to do stands in
//! the journal.

use engine::driver::{Answer, Driver, Ending};
use engine::ids::ExecutionId;
use engine::shard::{InboxEntry, Reply, Request};
use engine::time::Millis;
use serde_json::json;
use worker::{Context, MessageBatch, MessageExt, RawMessage};

use super::Site;
use super::drive::{drive, leave};
use super::read::ReadError;
use crate::effects::offload;
use crate::health::probes::MESSAGE as PROBE;
use crate::journal::{client, replay};
use crate::log::{self, Level};
use crate::{cache, clock, governor};

/// Takes the messages of one batch of the queue `executions`.
///
/// In production the driver works inside the handler, which the platform lets live for 15 minutes,
/// and the message is acknowledged after it. The local broker delivers one message at a time, so
/// there the message is acknowledged first; a hint that is lost is sent again.
pub async fn consume(site: &Site, batch: &MessageBatch<String>, context: &Context) {
    for message in batch.raw_iter() {
        if message.body().as_string().as_deref() == Some(PROBE) {
            message.ack();
            continue;
        }
        let Some(id) = execution_of(&message) else {
            log::write(Level::Error, json!({ "event": "queue.malformed_message" }));
            message.ack();
            continue;
        };
        let lifetime = site.config.driver_queue;
        if site.config.queue_drives_inline {
            resume(site, &id, lifetime).await;
            message.ack();
        } else {
            message.ack();
            let site = site.clone();
            context.wait_until(async move {
                resume(&site, &id, lifetime).await;
            });
        }
    }
}

fn execution_of(message: &RawMessage) -> Option<ExecutionId> {
    message.body().as_string()?.parse().ok()
}

/// Takes the lease and drives; does nothing when another driver holds it or nothing is left to do.
pub async fn resume(site: &Site, id: &ExecutionId, lifetime: Millis) -> Option<Ending> {
    match take(site, id, lifetime).await {
        Ok(Some(mut driver)) => {
            let account = driver.state().started.account.clone();
            // Whoever goes on is never refused; without an answer it goes on without a place.
            let kept = governor::keep(&site.bindings, &account, id, Vec::new()).await;
            if let Ok(gates) = kept {
                driver.answered(clock::now(), clock::entropy(), Answer::Gates(gates));
            }
            let driven = drive(site, driver).await;
            leave(site, &account, id, driven.reports).await;
            if let Some(kept) = cache::keepable(&site.config, &driven.state) {
                cache::keep(&site.bindings, kept).await;
            }
            Some(driven.ending)
        }
        Ok(None) => None,
        Err(error) => {
            // The lease runs out and the shard asks again: nothing is lost, and the log says why.
            log::write(
                Level::Error,
                json!({
                    "event": "execution.resume_failed",
                    "execution.id": id.as_str(),
                    "error": error.to_string(),
                }),
            );
            None
        }
    }
}

async fn take(
    site: &Site,
    id: &ExecutionId,
    lifetime: Millis,
) -> Result<Option<Driver>, ReadError> {
    let request = Request::Take { id: id.clone() };
    let (reply, records) = client::ask(&site.bindings, id, &request, None).await?;
    let (lease, mut inbox): (_, Vec<InboxEntry>) = match reply {
        Reply::Taken { epoch, seq, inbox } => ((epoch, seq), inbox),
        Reply::Held { .. } | Reply::Ended | Reply::Unknown => return Ok(None),
        other => return Err(ReadError::Unexpected(format!("{other:?}"))),
    };
    let mut events = replay::events(&records)?;
    offload::resolve(&site.bindings, &mut events).await?;
    offload::resolve_inbox(&site.bindings, &mut inbox).await?;
    let state = replay::state(events)?;
    let (now, entropy) = (clock::now(), clock::entropy());
    Ok(Some(Driver::taken(now, entropy, state, lease, &inbox, site.limits(lifetime))))
}
