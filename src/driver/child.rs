//! Executions that steps of other executions begin. Parent and child live in one shard, which tells
//! each of the other's end; beginning one that has begun finds it.

use engine::driver::Answer;
use engine::execution::{Asked, Child, Event, Fault, Message, Outcome, Started, State};
use engine::ids::{ExecutionId, Fence};
use engine::shard::{After, Reply, Request};
use serde_json::json;

use super::drive::encode;
use super::read;
use super::{Site, lines};
use crate::journal::client;
use crate::log::{self, Level};
use crate::templates::content_hash;

/// The key under which a parent's call-off stands in the inbox of its child: once is enough.
const CANCEL_KEY: &str = "parent:cancel";

/// Begins the execution unless it has begun, and looks whether it has ended.
pub(super) async fn begin_or_look(site: &Site, child: Child) -> Answer {
    let Child { fence, accepts_partial, started, id } = child;
    let started = match started {
        Ok(started) => started,
        Err(fault) => return failed(fence, fault),
    };
    let looked = match begin(site, &id, started).await {
        Ok(Begun::Now) => Ok(None),
        Ok(Begun::Before) => look(site, &id).await,
        Err(error) => Err(error),
    };
    match looked {
        Ok(Some(ended)) => {
            Answer::Called { fence, outcome: ended.outcome_of_step(accepts_partial) }
        }
        Ok(None) => Answer::Accepted { fence, silence: None },
        Err(error) => {
            log::write(
                Level::Warn,
                json!({ "event": "child.unknown", "execution.id": id.as_str(), "error": error }),
            );
            Answer::ChildUnknown(fence)
        }
    }
}

fn failed(fence: Fence, fault: Fault) -> Answer {
    Answer::Called { fence, outcome: Outcome { result: Err(fault), cost: None, memoised: None } }
}

enum Begun {
    Now,
    Before,
}

/// Writes the child's first record. Nobody drives it yet: the shard asks for a driver.
async fn begin(site: &Site, id: &ExecutionId, started: Started) -> Result<Begun, String> {
    let content_hash = content_hash(&started.definition);
    let started = Started { content_hash, ..started };
    let parent = started.parent.as_ref().map(|parent| parent.id.clone());
    let (account, at) = (started.account.clone(), started.at);
    let said = lines::started(&started, None);
    let mut events = vec![Event::Started(Box::new(started))];
    let record = encode(site, id, &mut events).await?;
    let request = Request::Start {
        id: id.clone(),
        account,
        at,
        idempotency: None,
        after: After::Active,
        parent,
        driven: false,
    };
    match client::ask(&site.bindings, id, &request, Some(&record)).await {
        Ok((Reply::Started { .. }, _)) => {
            lines::write(vec![said]);
            Ok(Begun::Now)
        }
        Ok((Reply::Existing { .. }, _)) => Ok(Begun::Before),
        Ok((other, _)) => Err(format!("{other:?}")),
        Err(error) => Err(error.to_string()),
    }
}

/// The child, if it has ended.
async fn look(site: &Site, id: &ExecutionId) -> Result<Option<State>, String> {
    let found = read::find(site, id, true).await.map_err(|error| error.to_string())?;
    Ok(found.filter(|state| state.status.is_final()))
}

/// Calls a child off; whether it has been told, or needs not to be.
pub(super) async fn cancel(site: &Site, parent: &ExecutionId, child: &ExecutionId) -> bool {
    let by = format!("execution:{parent}");
    let asked = Asked { by, reason: Some("its step was called off".to_owned()) };
    let Ok(entry) = serde_json::to_value(Message::Cancel { asked }) else { return true };
    let key = Some(CANCEL_KEY.to_owned());
    let request = Request::Post { id: child.clone(), entry, key, reopens: false };
    match client::ask(&site.bindings, child, &request, None).await {
        Ok((Reply::Posted { .. } | Reply::Ended | Reply::Unknown, _)) => true,
        Ok(_) | Err(_) => false,
    }
}
