//! The loop: perform the machine's actions side by side and bring it their answers.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use engine::admission::Report;
use engine::driver::{Action, Answer, Driver, Ending, Limits, Trouble};
use engine::execution::{INLINE_BYTES_MAX, Request, State};
use engine::ids::{Epoch, ExecutionId, Fence, InboxSeq, Seq};
use engine::shard::{After, InboxEntry, Reply, Request as ShardRequest};
use engine::time::{Millis, Timestamp};
use futures::future::{AbortHandle, Either, FutureExt, LocalBoxFuture, abortable, select};
use futures::stream::{FuturesUnordered, StreamExt};
use serde_json::json;
use worker::Delay;

use super::{Site, child, lines};
use crate::clock::Entropy;
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

/// How a driver ended: the state that it leaves, and what its calls came to since it last said so.
pub(super) struct Driven {
    pub ending: Ending,
    pub state: State,
    pub reports: Vec<Report>,
}

/// Drives until the machine has come to its end. The place is still taken: see [`leave`].
pub(super) async fn drive(site: &Site, driver: Driver) -> Driven {
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
        entropy: Entropy::fresh(),
    };
    let ending = loop {
        round.perform();
        if let Some(ending) = round.driver.ending() {
            break ending;
        }
        round.wait().await;
    };
    let reports = round.driver.take_reports();
    let state = round.driver.into_state();
    note(ending, &state);
    Driven { ending, state, reports }
}

/// Gives the place of an execution back. A place that is not given back runs out.
pub(super) async fn leave(site: &Site, account: &str, id: &ExecutionId, reports: Vec<Report>) {
    if let Err(error) = governor::leave(&site.bindings, account, id, reports).await {
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
    entropy: Entropy,
}

impl Round<'_> {
    fn perform(&mut self) {
        let (site, id) = (self.site, self.id);
        for action in self.driver.actions(clock::now(), self.entropy.draw()) {
            let flight = match action {
                Action::Call(request) => self.call(request),
                Action::Abort(fence) => {
                    if let Some(abort) = self.aborts.remove(&fence) {
                        abort.abort();
                    }
                    continue;
                }
                Action::Child(child) => {
                    async move { Some(child::begin_or_look(site, *child).await) }.boxed_local()
                }
                Action::CancelChild(child) => async move {
                    let told = child::cancel(site, id, &child).await;
                    Some(Answer::Told { child, told })
                }
                .boxed_local(),
                Action::Pass { .. } | Action::Return { .. } | Action::Report(_) => {
                    self.ask_governor(action)
                }
                Action::Append { epoch, seq, seen, after, events } => {
                    let said = lines::of(self.driver.state(), &events, None);
                    async move {
                        let place = Place { epoch, seq, seen, after };
                        let appended = append(site, id, place, events).await;
                        if appended.is_ok() {
                            lines::write(said);
                        }
                        Some(Answer::Appended(appended))
                    }
                    .boxed_local()
                }
                Action::Renew(epoch) => {
                    async move { Some(Answer::Renewed(renew(site, id, epoch).await)) }.boxed_local()
                }
                Action::Release { epoch, seen, wake_at, seq } => async move {
                    let seq = Some(seq);
                    let request =
                        ShardRequest::Release { id: id.clone(), epoch, seen, wake_at, seq };
                    Some(Answer::Released(ask(site, id, &request, None).await))
                }
                .boxed_local(),
            };
            self.flights.push(flight);
        }
        if clock::now() >= self.keep_at {
            self.keep_at = clock::now().plus(KEEP_PLACE_EVERY);
            let (account, reports) = (self.account, self.driver.take_reports());
            self.flights.push(
                async move {
                    // A place that is not kept runs out: the execution goes on without it.
                    let kept = governor::keep(&site.bindings, account, id, reports).await;
                    kept.ok().map(Answer::Gates)
                }
                .boxed_local(),
            );
        }
    }

    /// What concerns the gates of workers. A Governor that gives no answer is asked again.
    fn ask_governor<'b>(&mut self, action: Action) -> LocalBoxFuture<'b, Option<Answer>>
    where
        Self: 'b,
    {
        let (site, id, account) = (self.site, self.id, self.account);
        let bindings = &site.bindings;
        match action {
            Action::Pass { unit, path, worker, gate, priority, until } => async move {
                let call = governor::Call { path, worker, gate, priority, until };
                let answer = match governor::pass(bindings, account, id, call).await {
                    Ok(governor::Passage::Passed(_)) => Some(Ok(())),
                    Ok(governor::Passage::Held(reason, after)) => Some(Err((reason, after))),
                    Err(_) => None,
                };
                Some(Answer::Passed { unit, answer })
            }
            .boxed_local(),
            Action::Return { path, worker } => {
                let reports = self.driver.take_reports();
                async move {
                    let place = (path.as_str(), worker.as_str());
                    let noted = governor::give_back(bindings, account, id, place, reports).await;
                    noted.ok().map(Answer::Gates)
                }
                .boxed_local()
            }
            Action::Report(reports) => async move {
                let noted = governor::report(bindings, account, id, reports).await;
                noted.ok().map(Answer::Gates)
            }
            .boxed_local(),
            _ => async { None }.boxed_local(),
        }
    }

    fn call<'b>(&mut self, request: Box<Request>) -> LocalBoxFuture<'b, Option<Answer>>
    where
        Self: 'b,
    {
        let site = self.site.clone();
        let fence = request.fence;
        let made = async move { call::call(&site.bindings, &site.config, &request).await };
        let (made, abort) = abortable(made);
        self.aborts.insert(fence, abort);
        // A call that was given up has no answer.
        async move {
            made.await.ok().map(|called| match called {
                Called::Answered(outcome) => Answer::Called { fence, outcome },
                Called::Accepted { heartbeat: silence } => Answer::Accepted { fence, silence },
            })
        }
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
        if let Answer::Called { fence, .. } | Answer::Accepted { fence, .. } = &answer {
            self.aborts.remove(fence);
        }
        self.driver.answered(clock::now(), self.entropy.draw(), answer);
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
    seen: InboxSeq,
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
    let Place { epoch, seq, seen, after } = place;
    let request = ShardRequest::Append { id: id.clone(), epoch, seq, after, seen };
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

async fn ask(
    site: &Site,
    id: &ExecutionId,
    request: &ShardRequest,
    record: Option<&str>,
) -> Result<Vec<InboxEntry>, Trouble> {
    match client::ask(&site.bindings, id, request, record).await {
        Ok((Reply::Appended { inbox } | Reply::Renewed { inbox }, _))
        | Ok((Reply::InboxNotEmpty { inbox }, _)) => resolved(site, id, inbox).await,
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

/// The entries with the outputs that they refer to. Without them the shard is asked again.
async fn resolved(
    site: &Site,
    id: &ExecutionId,
    mut inbox: Vec<InboxEntry>,
) -> Result<Vec<InboxEntry>, Trouble> {
    offload::resolve_inbox(&site.bindings, &mut inbox).await.map_err(|error| {
        trouble(id, &error.to_string());
        Trouble::Unavailable
    })?;
    Ok(inbox)
}

fn trouble(id: &ExecutionId, error: &str) {
    log::write(
        Level::Warn,
        json!({
            "event": "driver.journal_trouble", "execution.id": id.as_str(), "error": error,
        }),
    );
}

/// That an execution ended is told with its last event.
fn note(ending: Ending, state: &State) {
    let (level, mut fields) = match ending {
        Ending::Ended => return,
        Ending::Released => (Level::Debug, json!({ "event": "execution.released" })),
        Ending::Lost => (Level::Info, json!({ "event": "execution.lease_lost" })),
    };
    fields["status"] = state.status.as_str().into();
    lines::name(&state.started, &mut fields);
    log::write(level, fields);
}
