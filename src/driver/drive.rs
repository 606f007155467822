//! The loop: perform the machine's actions side by side and bring it their answers.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use engine::driver::{Action, Answer, Driver, Ending, Limits, Trouble};
use engine::execution::{Fault, FaultKind, INLINE_BYTES_MAX, Outcome, Request, State};
use engine::ids::{Epoch, ExecutionId, Fence, InboxSeq, Seq};
use engine::shard::{After, InboxEntry, Reply, Request as ShardRequest};
use engine::time::{Millis, Timestamp};
use futures::future::{AbortHandle, Either, FutureExt, LocalBoxFuture, abortable, select};
use futures::stream::{FuturesUnordered, StreamExt};
use serde_json::json;
use worker::Delay;

use super::Site;
use crate::effects::answer::Called;
use crate::effects::{call, offload};
use crate::journal::{client, replay};
use crate::log::{self, Level};
use crate::{clock, governor};

/// Calls in flight at once. The platform allows six connections in one request; the journal and
/// the Governor need one each.
const IN_FLIGHT_MAX: u32 = 4;
/// How often a driver renews its place with the Governor.
const KEEP_PLACE_EVERY: Millis = Millis::from_secs(10);

impl Site {
    /// The limits of a driver that lives for `lifetime` from now.
    pub(super) fn limits(&self, lifetime: Millis) -> Limits {
        Limits {
            lifetime_end: clock::now().plus(lifetime),
            calls_max: self.config.driver_calls_max,
            in_flight_max: IN_FLIGHT_MAX,
            renew_every: Millis::new(self.config.lease.get() / 3),
        }
    }
}

type Flights<'a> = FuturesUnordered<LocalBoxFuture<'a, Option<Answer>>>;

/// Drives until the machine has come to its end. The place is still taken: see [`leave`].
pub(super) async fn drive(site: &Site, driver: Driver) -> (Ending, State) {
    let (id, account) = {
        let started = &driver.state().started;
        (started.id.clone(), started.account.clone())
    };
    let mut round = Round {
        site,
        id: &id,
        account: &account,
        driver,
        flights: FuturesUnordered::new(),
        aborts: BTreeMap::new(),
        keep_at: clock::now().plus(KEEP_PLACE_EVERY),
        pause: Pause::default(),
    };
    let ending = loop {
        round.perform();
        if let Some(ending) = round.driver.ending() {
            break ending;
        }
        round.wait().await;
    };
    let state = round.driver.into_state();
    note(&id, ending, &state);
    (ending, state)
}

/// Gives the place of an execution back. A place that is not given back runs out.
pub(super) async fn leave(site: &Site, account: &str, id: &ExecutionId) {
    if let Err(error) = governor::leave(&site.bindings, account, id, Vec::new()).await {
        log::write(
            Level::Warn,
            json!({
                "event": "governor.leave_failed",
                "execution.id": id.as_str(),
                "error": error.to_string(),
            }),
        );
    }
}

struct Round<'a> {
    site: &'a Site,
    id: &'a ExecutionId,
    account: &'a str,
    driver: Driver,
    flights: Flights<'a>,
    aborts: BTreeMap<Fence, AbortHandle>,
    keep_at: Timestamp,
    pause: Pause,
}

impl Round<'_> {
    fn perform(&mut self) {
        let (site, id) = (self.site, self.id);
        for action in self.driver.actions(clock::now(), clock::entropy()) {
            let flight = match action {
                Action::Call(request) => self.call(request),
                Action::Abort(fence) => {
                    if let Some(abort) = self.aborts.remove(&fence) {
                        abort.abort();
                    }
                    continue;
                }
                Action::Append { epoch, seq, after, events } => async move {
                    let place = Place { epoch, seq, after };
                    Some(Answer::Appended(append(site, id, place, events).await))
                }
                .boxed_local(),
                Action::Renew(epoch) => {
                    async move { Some(Answer::Renewed(renew(site, id, epoch).await)) }.boxed_local()
                }
                Action::Release { epoch, seen, wake_at } => async move {
                    Some(Answer::Released(release(site, id, epoch, seen, wake_at).await))
                }
                .boxed_local(),
            };
            self.flights.push(flight);
        }
        if clock::now() >= self.keep_at {
            self.keep_at = clock::now().plus(KEEP_PLACE_EVERY);
            let account = self.account;
            self.flights.push(
                async move {
                    // A place that is not kept runs out: the execution goes on without it.
                    governor::keep(&site.bindings, account, id, Vec::new()).await.ok();
                    None
                }
                .boxed_local(),
            );
        }
    }

    fn call<'b>(&mut self, request: Box<Request>) -> LocalBoxFuture<'b, Option<Answer>>
    where
        Self: 'b,
    {
        let site = self.site.clone();
        let fence = request.fence;
        let made =
            async move { answered(call::call(&site.bindings, &site.config, &request).await) };
        let (made, abort) = abortable(made);
        self.aborts.insert(fence, abort);
        // A call that was given up has no answer.
        async move { made.await.ok().map(|outcome| Answer::Called { fence, outcome }) }
            .boxed_local()
    }

    /// Waits for an answer or for the machine's next moment; takes all answers that are there.
    async fn wait(&mut self) {
        let wake_at = self.driver.wake_at(clock::now());
        let wake_at = wake_at.map_or(self.keep_at, |at| at.min(self.keep_at));
        let pause = self.pause.until(wake_at);
        let first = match select(self.flights.next(), pause).await {
            Either::Left((Some(answer), _)) => answer,
            // Nothing is in flight: only time can change something.
            Either::Left((None, pause)) => {
                pause.await;
                None
            }
            Either::Right(((), _)) => None,
        };
        self.take(first);
        while let Some(Some(answer)) = self.flights.next().now_or_never() {
            self.take(answer);
        }
    }

    fn take(&mut self, answer: Option<Answer>) {
        let Some(answer) = answer else { return };
        if let Answer::Called { fence, .. } = &answer {
            self.aborts.remove(fence);
        }
        self.driver.answered(clock::now(), clock::entropy(), answer);
    }
}

/// The machine takes an output or a fault for an answer.
fn answered(called: Called) -> Outcome {
    match called {
        Called::Answered(outcome) => outcome,
        Called::Accepted { .. } => {
            let message = "the worker answered 202: its output is still to come";
            let fault = Fault::new(FaultKind::Output, "worker.malformed_output", message);
            Outcome { result: Err(fault), cost: None, memoised: None }
        }
    }
}

/// A timer that is set anew only when it would ring too late: ringing too early costs a look, and
/// setting one costs more.
#[derive(Default)]
struct Pause(Option<(Timestamp, Pin<Box<Delay>>)>);

impl Pause {
    fn until(&mut self, at: Timestamp) -> &mut Pin<Box<Delay>> {
        let now = clock::now();
        let set = self.0.take().filter(|(rings_at, _)| (now < *rings_at) && (*rings_at <= at));
        let (_, delay) = self.0.insert(set.unwrap_or_else(|| {
            let length = Duration::from_millis(at.since(now).get().max(1));
            (at, Box::pin(Delay::from(length)))
        }));
        delay
    }
}

struct Place {
    epoch: Epoch,
    seq: Seq,
    after: After,
}

async fn append(
    site: &Site,
    id: &ExecutionId,
    place: Place,
    mut events: Vec<engine::execution::Event>,
) -> Result<Vec<InboxEntry>, Trouble> {
    let record = encode(site, id, &mut events).await.map_err(|error| {
        trouble(id, &error);
        Trouble::Unavailable
    })?;
    let Place { epoch, seq, after } = place;
    let request = ShardRequest::Append { id: id.clone(), epoch, seq, after, seen: InboxSeq(0) };
    ask(site, id, &request, Some(&record)).await
}

/// The record of these events, with large outputs put elsewhere first.
pub(super) async fn encode(
    site: &Site,
    id: &ExecutionId,
    events: &mut [engine::execution::Event],
) -> Result<String, String> {
    let record = replay::record(events).map_err(|error| error.to_string())?;
    if record.len() <= INLINE_BYTES_MAX {
        return Ok(record);
    }
    let stored = offload::store_large(&site.bindings, id, events).await;
    stored.map_err(|error| error.to_string())?;
    replay::record(events).map_err(|error| error.to_string())
}

async fn renew(site: &Site, id: &ExecutionId, epoch: Epoch) -> Result<Vec<InboxEntry>, Trouble> {
    ask(site, id, &ShardRequest::Renew { id: id.clone(), epoch }, None).await
}

async fn release(
    site: &Site,
    id: &ExecutionId,
    epoch: Epoch,
    seen: InboxSeq,
    wake_at: Timestamp,
) -> Result<Vec<InboxEntry>, Trouble> {
    let request = ShardRequest::Release { id: id.clone(), epoch, seen, wake_at };
    ask(site, id, &request, None).await
}

async fn ask(
    site: &Site,
    id: &ExecutionId,
    request: &ShardRequest,
    record: Option<&str>,
) -> Result<Vec<InboxEntry>, Trouble> {
    match client::ask(&site.bindings, id, request, record).await {
        Ok((Reply::Appended { inbox } | Reply::Renewed { inbox }, _)) => Ok(inbox),
        Ok((Reply::InboxNotEmpty { inbox }, _)) => Ok(inbox),
        Ok((Reply::Released, _)) => Ok(Vec::new()),
        Ok((other, _)) => {
            trouble(id, &format!("{other:?}"));
            Err(Trouble::Lost)
        }
        Err(error) => {
            trouble(id, &error.to_string());
            Err(Trouble::Unavailable)
        }
    }
}

fn trouble(id: &ExecutionId, error: &str) {
    log::write(
        Level::Warn,
        json!({
            "event": "driver.journal_trouble", "execution.id": id.as_str(), "error": error,
        }),
    );
}

fn note(id: &ExecutionId, ending: Ending, state: &State) {
    let event = match ending {
        Ending::Ended => "execution.ended",
        Ending::Released => "execution.released",
        Ending::Lost => "execution.lease_lost",
    };
    let fault = state.fault.as_ref().map(|fault| fault.code.as_str());
    let duration = state.finished_at.unwrap_or(clock::now()).since(state.started.at);
    log::write(
        Level::Info,
        json!({
            "event": event,
            "execution.id": id.as_str(),
            "account": state.started.account,
            "template": state.plan.name,
            "status": state.status.as_str(),
            "code": fault,
            "duration_ms": duration.get(),
            "cost_micro_usd": state.spent.as_micros(),
        }),
    );
}
