//! Large outputs: put into R2 before the record that refers to them is appended, and brought back
//! when a journal is replayed. Keys are made of execution, step and fence, so that doing it twice
//! does it once.

use std::sync::Arc;

use engine::execution::{Event, INLINE_BYTES_MAX, Payload, StoredRef};
use engine::ids::{ExecutionId, Fence};
use engine::shard::InboxEntry;
use futures::future::try_join_all;
use serde_json::{Value, json};

use crate::bindings::Bindings;
use crate::journal::replay;
use crate::templates::sha256_hex;

/// Where the output stands in the inbox entry of a report.
const REPORTED: &str = "/outcome/result/Ok";
/// How much of a content's SHA-256 stands in a key.
const CONTENT_CHARS: usize = 16;

/// Why outputs could not be put or brought.
#[derive(Debug, thiserror::Error)]
#[error("object storage: {why}")]
pub struct OffloadError {
    why: String,
    /// Whether there is no such object: asking again would not help.
    pub is_gone: bool,
}

impl OffloadError {
    fn new(why: String) -> Self {
        Self { why, is_gone: false }
    }
}

/// Puts each output that is too large for the journal into R2 and leaves its reference.
pub async fn store_large(
    bindings: &Bindings,
    id: &ExecutionId,
    events: &mut [Event],
) -> Result<(), OffloadError> {
    for event in events {
        let (step, fence) = match event {
            Event::StepSucceeded { step, fence, .. } => (step.clone(), *fence),
            Event::StepReused { step, .. } => (step.clone(), None),
            _ => continue,
        };
        for output in replay::outputs(std::slice::from_mut(event)) {
            match fence {
                Some(fence) => {
                    store(bindings, &format!("outputs/{id}/{step}/{fence}.json"), output).await?;
                }
                // What has no attempt may be done anew with another outcome.
                None => store_reported(bindings, id, (&step, Fence::default()), output).await?,
            }
        }
    }
    Ok(())
}

/// Puts the output that a worker reports of an attempt into R2 where it is too large for an inbox,
/// and leaves its reference. The key names the content as well: a report that comes again with
/// another output must not change the first.
pub async fn store_reported(
    bindings: &Bindings,
    id: &ExecutionId,
    (step, fence): (&str, Fence),
    output: &mut Payload,
) -> Result<(), OffloadError> {
    let text = output.value().map(|value| value.to_string()).unwrap_or_default();
    let content = sha256_hex(text.as_bytes());
    let (content, _) = content.split_at(CONTENT_CHARS);
    store(bindings, &format!("outputs/{id}/{step}/{fence}-{content}.json"), output).await
}

async fn store(bindings: &Bindings, key: &str, output: &mut Payload) -> Result<(), OffloadError> {
    let Some(value) = output.value().filter(|_| output.stored().is_none()) else { return Ok(()) };
    let text = value.to_string();
    if text.len() <= INLINE_BYTES_MAX {
        return Ok(());
    }
    let bytes = text.len() as u64;
    let bucket = bindings.artifacts().map_err(|error| OffloadError::new(error.to_string()))?;
    let put = bucket.put(key, text.into_bytes()).execute().await;
    put.map_err(|error| OffloadError::new(error.to_string()))?;
    output.set_stored(StoredRef { key: key.to_owned(), bytes });
    Ok(())
}

/// Brings the values of outputs that inbox entries refer to.
pub async fn resolve_inbox(
    bindings: &Bindings,
    inbox: &mut [InboxEntry],
) -> Result<(), OffloadError> {
    for entry in inbox {
        let Some(output) = entry.entry.pointer_mut(REPORTED) else { continue };
        let payload: Option<Payload> = serde_json::from_value(output.clone()).ok();
        if let Some(stored) = payload.as_ref().and_then(Payload::unresolved) {
            let value = bring(bindings, stored).await?;
            *output = json!(Payload::inline(Value::clone(&value)));
        }
    }
    Ok(())
}

/// Brings the values of all stored outputs.
pub async fn resolve(bindings: &Bindings, events: &mut [Event]) -> Result<(), OffloadError> {
    let wanted = replay::unresolved(events);
    let values = try_join_all(wanted.iter().map(|stored| bring(bindings, stored))).await?;
    let mut values = wanted.iter().zip(values);
    for output in replay::outputs(events).filter(|output| output.unresolved().is_some()) {
        if let Some((_, value)) = values.next() {
            output.resolve(value);
        }
    }
    Ok(())
}

/// Brings the value of one stored output.
pub async fn bring(bindings: &Bindings, stored: &StoredRef) -> Result<Arc<Value>, OffloadError> {
    let failed = |error: String| OffloadError::new(format!("{}: {error}", stored.key));
    let bucket = bindings.artifacts().map_err(|error| failed(error.to_string()))?;
    let object = bucket.get(&stored.key).execute().await.map_err(|e| failed(e.to_string()))?;
    let object =
        object.ok_or_else(|| OffloadError { is_gone: true, ..failed("not there".to_owned()) })?;
    let body = object.body().ok_or_else(|| failed("without a body".to_owned()))?;
    let text = body.text().await.map_err(|error| failed(error.to_string()))?;
    let value = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    Ok(Arc::new(value))
}
