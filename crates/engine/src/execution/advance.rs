//! Decisions: what follows from an input. All branching about executions is in the modules of
//! [`Deciding`]; the events that come out are facts and carry their consequences.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Event, Fault, HeldBy, Message, Payload, SkipReason, Started, State, Status};
use super::{StepStatus, Unit};
use crate::ids::{Epoch, ExecutionId, Fence};
use crate::money::MicroUsd;
use crate::plan::Plan;
use crate::time::{Millis, Timestamp};

/// What a decision may use besides the state.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The moment of the decision.
    pub now: Timestamp,
    /// Randomness for the jitter of retries and the ids of executions that steps begin.
    pub entropy: u64,
    /// Calls that the driver can make now, besides those in flight.
    pub slots: u32,
    /// An attempt must be over by then: the end of the driver's lifetime.
    pub latest_end: Timestamp,
    /// What the driver knows of gates.
    pub gates: &'a Gates,
}

/// What a driver knows of gates and of the inbox. Nothing of it is durable: the next driver asks
/// anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gates {
    /// What came in before that moment has been met: somebody whose word is awaited until then has
    /// not spoken.
    pub heard_until: Timestamp,
    /// Workers whose gate is shut or on trial: each call asks.
    pub shut: BTreeSet<String>,
    /// Calls that may begin.
    pub passes: BTreeSet<Unit>,
}

/// Nothing is known: calls of gated workers wait until their driver has asked.
/// And nothing is in the inbox.
pub static NO_GATES: Gates = Gates {
    heard_until: Timestamp::from_millis(i64::MAX),
    shut: BTreeSet::new(),
    passes: BTreeSet::new(),
};

impl Default for Gates {
    fn default() -> Self {
        NO_GATES.clone()
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A driver is there, or has a place again: what can start shall start.
    Resume,
    /// A driver took the execution over from one that was lost.
    TakenOver {
        /// The lease under which it goes on.
        epoch: Epoch,
        /// The last fence that a driver before it gave out: later ones are its own.
        up_to: Fence,
    },
    /// An attempt came back.
    Answered {
        /// The fence that it carried.
        fence: Fence,
        /// What it brought.
        outcome: Outcome,
    },
    /// A worker took an attempt and works on, or the execution that an attempt is has begun.
    Accepted {
        /// The attempt's fence.
        fence: Fence,
        /// The longest silence that the worker announces; absent, the step's.
        silence: Option<Millis>,
    },
    /// The gate of a worker is shut.
    Held {
        /// What may not begin.
        unit: Unit,
        /// Which rule holds it.
        reason: HeldBy,
        /// When it is worth asking again.
        until: Timestamp,
    },
    /// Something came in.
    Message(Message),
    /// Time went by.
    Tick,
}

/// What an attempt brought.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The output, or what went wrong.
    pub result: Result<Payload, Fault>,
    /// What it cost, where the worker said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<MicroUsd>,
    /// What was saved, where an earlier answer to the same call served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memoised: Option<Memoised>,
}

/// What an earlier answer to the same call saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memoised {
    /// What the call cost then.
    pub cost: MicroUsd,
    /// How long it took then.
    pub duration: Millis,
}

/// Why an input changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The execution is over.
    #[error("the execution has ended")]
    Ended,
    /// No attempt ever had that fence.
    #[error("no attempt carries this fence")]
    UnknownFence,
    /// What was asked for does not fit the execution as it stands.
    #[error("it does not apply to the execution as it stands")]
    NotApplicable,
}

/// The decision about `input`, over a copy of the state.
pub fn decide(state: &State, context: &Context<'_>, input: Input) -> Result<Vec<Event>, Rejection> {
    state.clone().advance(context, input)
}

/// Begins an execution: its state and the events that begin its journal.
pub fn start(started: Started, plan: Arc<Plan>, context: &Context<'_>) -> (State, Vec<Event>) {
    let first = Event::Started(Box::new(started.clone()));
    let mut state = State::new(Arc::new(started), plan);
    let mut deciding = Deciding { state: &mut state, context, events: vec![first], begun: 0 };
    deciding.schedule();
    let events = deciding.events;
    (state, events)
}

/// Begins and ends an execution whose steps all have the outputs of an earlier one.
pub fn reuse(
    started: Started,
    plan: Arc<Plan>,
    outputs: Vec<(String, Payload)>,
    from: &ExecutionId,
) -> Result<(State, Vec<Event>), super::IllegalEvent> {
    let at = started.at;
    let mut events = vec![Event::Started(Box::new(started.clone()))];
    let mut state = State::new(Arc::new(started), Arc::clone(&plan));
    for step in &plan.steps {
        let name = step.name.clone();
        let event = match outputs.iter().find(|(of, _)| *of == name) {
            Some((_, output)) => {
                Event::StepReused { step: name, at, output: output.clone(), from: from.clone() }
            }
            None => Event::StepSkipped { step: name, at, reason: SkipReason::Condition },
        };
        state.apply(&event)?;
        events.push(event);
    }
    let figures = state.count();
    let end = Event::Finished { status: Status::Completed, at, fault: None, figures };
    state.apply(&end)?;
    events.push(end);
    Ok((state, events))
}

impl State {
    /// Takes the decision about `input`, applies its events and returns them. A rejected input
    /// leaves the state as it was.
    pub fn advance(
        &mut self,
        context: &Context<'_>,
        input: Input,
    ) -> Result<Vec<Event>, Rejection> {
        let reopens = matches!(&input, Input::Message(message) if message.reopens());
        if self.status.is_final() && !reopens {
            return Err(Rejection::Ended);
        }
        let mut deciding = Deciding { state: self, context, events: Vec::new(), begun: 0 };
        match input {
            Input::Resume | Input::Tick => {}
            Input::TakenOver { epoch, up_to } => deciding.taken_over(epoch, up_to),
            Input::Answered { fence, outcome } => deciding.answered(fence, outcome)?,
            Input::Accepted { fence, silence } => deciding.accepted(fence, silence)?,
            Input::Held { unit, reason, until } => deciding.held(unit, reason, until),
            Input::Message(message) => deciding.message(message)?,
        }
        deciding.expire();
        deciding.schedule();
        Ok(deciding.events)
    }
}

/// A decision in the making.
pub(super) struct Deciding<'a> {
    pub(super) state: &'a mut State,
    pub(super) context: &'a Context<'a>,
    events: Vec<Event>,
    /// Attempts that this decision has started and that take a slot.
    pub(super) begun: u32,
}

impl Deciding<'_> {
    pub(super) fn emit(&mut self, event: Event) {
        self.state.apply(&event).expect("a decision emits only events that fit its state");
        self.events.push(event);
    }

    pub(super) fn finish(&mut self, status: Status, fault: Option<Fault>) {
        let figures = self.state.count();
        self.emit(Event::Finished { status, at: self.context.now, fault, figures });
    }

    fn held(&mut self, unit: Unit, reason: HeldBy, until: Timestamp) {
        let work = self.state.work(unit);
        let told = work.and_then(|work| work.held).map(|(reason, _)| reason);
        let undo = self.state.next_undo(self.context.now) == Some(unit);
        // It may have come to something else while its gate was asked.
        let waits = work
            .map_or(undo, |work| matches!(work.status, StepStatus::Ready | StepStatus::Retrying));
        // Said once for each reason: a driver that asks again and again must not fill the journal.
        if waits && told != Some(reason) {
            let (step, at) = (self.state.plan.path(unit), self.context.now);
            self.emit(Event::StepHeld { step, at, reason, until });
        }
    }
}
