//! Workers that answered 202: they report later, or forget to.

use engine::execution::{Applies, Message, Request as Call};
use engine::time::Millis;

use super::letters::Letter;
use super::world::{Happening, Lived, World};

/// The longest that such a worker takes while faults last, and once they are over.
const TAKES_MS_MAX: i64 = 25_000;
const TAKES_QUIET_MS_MAX: i64 = 2_000;
/// How often it says that it is still at it.
const BEAT_MS: i64 = 2_500;

/// What a worker still has to say of an attempt that it took.
#[derive(Clone, Debug)]
pub struct Callback {
    pub call: Box<Call>,
    /// When it has its result.
    done_ms: i64,
}

impl World {
    /// A worker took an attempt. When its 202 arrives, if it is not overtaken.
    pub fn accepted(&mut self, call: &Call, latency_ms: i64) -> i64 {
        let quiet = self.is_quiet();
        if !quiet && self.workers.forgets(call, &self.odds, &mut self.rng) {
            self.fault("a worker forgets what it took");
            return latency_ms;
        }
        let most_ms = if quiet { TAKES_QUIET_MS_MAX } else { TAKES_MS_MAX };
        let takes_ms = self.rng.between(0, most_ms);
        let late = self.strikes(self.odds.callback_late);
        let early = self.strikes(self.odds.callback_early);
        let done_ms = self.now_ms + latency_ms + takes_ms;
        let done_ms = if early { self.now_ms + 1 } else { done_ms };
        let callback = Callback { call: Box::new(call.clone()), done_ms };
        let first_ms = if late { done_ms } else { done_ms.min(self.now_ms + BEAT_MS) };
        if late {
            self.fault("a worker says nothing for long");
        }
        self.at(first_ms, Happening::Callback(callback));
        if early {
            self.fault("a report comes before its acceptance");
        }
        latency_ms
    }

    /// A worker reports, or says that it goes on.
    pub fn call_back(&mut self, callback: Callback) -> Lived {
        let call = &callback.call;
        let (id, fence) = (call.execution.clone(), call.fence);
        if self.now_ms < callback.done_ms {
            let silence = self.rng.chance(300).then(|| Millis::new(self.rng.below(9_000) + 4_000));
            self.report_of(&Message::Heartbeat { fence, silence }, &id, None)?;
            let next_ms = callback.done_ms.min(self.now_ms + BEAT_MS);
            self.at(next_ms, Happening::Callback(callback));
            return Ok(());
        }
        let odds = if self.is_quiet() { &super::odds::Odds::default() } else { &self.odds };
        let (outcome, charged) = self.workers.report(call, odds, &mut self.rng);
        self.checker.charged(&id, charged)?;
        let message = Message::Completed { by: call.worker.clone(), fence, outcome };
        // The same attempt may have had one report already: the first counts.
        self.report_of(&message, &id, Some(format!("complete:{fence}")))?;
        if self.strikes(self.odds.answer_doubled) {
            self.fault("a report is doubled");
            let again_ms = self.rng.between(0, 30_000);
            self.after(again_ms, Happening::Callback(callback));
        }
        Ok(())
    }

    /// What the API does with a report: refuses what nobody waits for, stores the rest.
    fn report_of(
        &mut self,
        message: &Message,
        id: &engine::ids::ExecutionId,
        key: Option<String>,
    ) -> Lived {
        let state = self.checker.replay(id)?;
        let applies = state.applies(message);
        // At times what is stale is only so by the time it is met.
        if applies == Applies::Yes {
            self.send_letter(Letter::new(id, message, key));
        }
        Ok(())
    }
}
