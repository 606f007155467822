//! From the records of a journal to the state of its execution.

use engine::execution::{Event, Payload, State, StoredRef};
use engine::plan::Violation;
use engine::time::Timestamp;

use crate::plans;

/// Why a journal could not be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A record is not what this build writes or reads.
    #[error("a record of the journal cannot be read: {0}")]
    Record(#[from] serde_json::Error),
    /// The events do not follow on each other.
    #[error("the journal cannot be replayed: {0}")]
    Events(engine::execution::ReplayError<Vec<Violation>>),
}

/// The events of records, in order.
pub fn events<R: AsRef<str>>(records: &[R]) -> Result<Vec<Event>, ReplayError> {
    let mut events = Vec::new();
    for record in records {
        events.extend(serde_json::from_str::<Vec<Event>>(record.as_ref())?);
    }
    Ok(events)
}

/// One record of these events.
pub fn record(events: &[Event]) -> Result<String, serde_json::Error> {
    serde_json::to_string(events)
}

/// The state that events come to.
pub fn state(events: Vec<Event>) -> Result<State, ReplayError> {
    State::replay(events, |started| plans::plan(&started.content_hash, &started.definition))
        .map_err(ReplayError::Events)
}

/// The state that records come to, since when its status is what it is, and when something last
/// happened.
pub fn history<R: AsRef<str>>(records: &[R]) -> Result<(State, Timestamp, Timestamp), ReplayError> {
    let mut moments = Vec::new();
    for record in records {
        moments.extend(serde_json::from_str::<Vec<Moment>>(record.as_ref())?);
    }
    let mut events = events(records)?.into_iter();
    let mut state = state(events.by_ref().take(1).collect())?;
    let (mut since, mut last) = (state.started.at, state.started.at);
    for (event, Moment { at }) in events.zip(moments.into_iter().skip(1)) {
        let before = state.status;
        state
            .apply(&event)
            .map_err(|e| ReplayError::Events(engine::execution::ReplayError::Illegal(e)))?;
        last = at.unwrap_or(last);
        if state.status != before {
            since = last;
        }
    }
    Ok((state, since, last))
}

/// When an event happened: every one says so.
#[derive(serde::Deserialize)]
struct Moment {
    at: Option<Timestamp>,
}

/// The outputs of events, to be stored elsewhere or brought from there.
pub fn outputs(events: &mut [Event]) -> impl Iterator<Item = &mut Payload> {
    events.iter_mut().filter_map(|event| match event {
        Event::StepSucceeded { output, .. } | Event::StepReused { output, .. } => Some(output),
        Event::SignalReceived { payload, .. } => Some(payload),
        Event::Started(_)
        | Event::AttemptStarted { .. }
        | Event::AttemptAccepted { .. }
        | Event::Heartbeat { .. }
        | Event::AttemptFailed { .. }
        | Event::StepCancelled { .. }
        | Event::StepHeld { .. }
        | Event::MapStarted { .. }
        | Event::WaitStarted { .. }
        | Event::Asked { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Parked { .. }
        | Event::Woken { .. }
        | Event::Unwinding { .. }
        | Event::Reset { .. }
        | Event::StepFailed { .. }
        | Event::StepSkipped { .. }
        | Event::LateAnswer { .. }
        | Event::TakenOver { .. }
        | Event::Finished { .. } => None,
    })
}

/// References of outputs whose values must be brought before the state can decide anything.
pub fn unresolved(events: &mut [Event]) -> Vec<StoredRef> {
    outputs(events).filter_map(|output| output.unresolved().cloned()).collect()
}
