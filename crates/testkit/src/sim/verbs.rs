//! Operators: they pause, resume, call off, retry and do again at any moment, send signals, and at
//! the end see to it that nothing is left standing.

use engine::execution::{Answers, Applies, Asked, Message, PauseReason, Payload, State};
use engine::ids::ExecutionId;
use engine::money::MicroUsd;
use engine::plan::Kind;
use serde_json::json;

use super::letters::Letter;
use super::world::{Happening, Lived, World};

/// How often somebody looks after what stands, once faults are over.
const TEND_EVERY_MS: i64 = 4_000;
/// Names of operators begin so: what they ask for alters what comes of an execution.
pub const OPERATOR: &str = "user:";

impl World {
    /// Somebody says something to an execution.
    pub fn say(&mut self) -> Lived {
        let ended = self.rng.chance(300);
        let known = if ended { self.checker.ended() } else { self.checker.unfinished() };
        let picked = usize::try_from(self.rng.below(known.len() as u64)).unwrap_or(0);
        let Some(id) = known.get(picked).cloned() else { return Ok(()) };
        let state = self.checker.replay(&id)?;
        let harsh = self.strikes(self.odds.harsh);
        let message = if harsh { self.harsh(&state) } else { self.mild(&state) };
        let Some(message) = message else { return Ok(()) };
        self.say_to(&state, message);
        Ok(())
    }

    /// Says it as the API does: what does not apply is refused before it is stored.
    fn say_to(&mut self, state: &State, message: Message) {
        let id = &state.started.id;
        if state.applies(&message) != Applies::Yes {
            return;
        }
        self.report.verbs += 1;
        let key = format!("verb {}", self.report.verbs);
        self.tell(|| format!("somebody says to {id}: {message:?}"));
        self.send_letter(Letter::new(id, &message, Some(key)));
    }

    /// Who asks; each request can be told from all others.
    fn asked(&self) -> Asked {
        let reason = Some(format!("verb {}", self.report.verbs + 1));
        Asked { by: format!("{OPERATOR}1"), reason }
    }

    /// What can only delay.
    fn mild(&mut self, state: &State) -> Option<Message> {
        let asked = self.asked();
        match self.rng.below(6) {
            0 => Some(Message::Pause { asked }),
            1 => Some(Message::Resume { asked, budget: None }),
            2 => {
                let more = MicroUsd::from_micros(self.rng.below(2_000));
                let budget = state.budget.map(|budget| budget.plus(more));
                Some(Message::Resume { asked, budget })
            }
            _ => self.signal(state, asked),
        }
    }

    fn harsh(&mut self, state: &State) -> Option<Message> {
        let asked = self.asked();
        match self.rng.below(10) {
            0 | 1 => Some(Message::Cancel { asked }),
            2 => Some(Message::Kill { asked }),
            3..=5 => Some(Message::Retry { asked }),
            _ => {
                let count = state.plan.steps.len() as u64;
                let picked = usize::try_from(self.rng.below(count)).unwrap_or(0);
                let step = &state.plan.steps[picked];
                let element = matches!(step.kind, Kind::Map(_)) && self.rng.chance(600);
                let path = match element {
                    true => format!("{}[{}]", step.name, self.rng.below(12)),
                    false => step.name.clone(),
                };
                let edited = self.rng.chance(400);
                let input = edited.then(|| json!({"edited": self.rng.below(1_000)}));
                Some(Message::Rerun { asked, step: path, input })
            }
        }
    }

    /// A signal that a step of the plan waits for; an approval may be withheld.
    fn signal(&mut self, state: &State, asked: Asked) -> Option<Message> {
        let harmless = self.checker.is_comparable(&state.started.id) || !self.rng.chance(300);
        let tag = asked.reason.clone();
        let payload = Payload::inline(json!({"approved": harmless, "tag": tag}));
        let guarded = guarded(state);
        let picked = usize::try_from(self.rng.below(guarded.len() as u64 * 2)).unwrap_or(0);
        if let Some((name, answers)) = guarded.get(picked).cloned() {
            return Some(Message::Signal { asked, name, payload, answers: Some(answers) });
        }
        let name = |kind: &Kind| match kind {
            Kind::Wait(wait) => wait.of.signal().map(str::to_owned),
            _ => None,
        };
        let names: Vec<String> = state.plan.steps.iter().filter_map(|s| name(&s.kind)).collect();
        let picked = usize::try_from(self.rng.below(names.len() as u64)).unwrap_or(0);
        let name = names.get(picked)?.clone();
        Some(Message::Signal { asked, name, payload, answers: None })
    }

    /// Once faults are over, somebody resumes what is paused and answers what waits for signals.
    pub fn tend(&mut self) -> Lived {
        for id in self.checker.unfinished() {
            self.tend_to(&id)?;
        }
        self.after(TEND_EVERY_MS, Happening::Tend);
        Ok(())
    }

    fn tend_to(&mut self, id: &ExecutionId) -> Lived {
        let state = self.checker.replay(id)?;
        let asked = self.asked();
        let message = match &state.paused {
            Some(PauseReason::Asked) => Some(Message::Resume { asked, budget: None }),
            // It has its share, and no more can be had for it.
            Some(PauseReason::Budget { .. }) if state.started.parent.is_some() => {
                Some(Message::Cancel { asked })
            }
            Some(PauseReason::Budget { needed, limit, .. }) => {
                let budget = Some(limit.plus(*limit).plus(*needed).plus(*needed));
                Some(Message::Resume { asked, budget })
            }
            Some(PauseReason::Failure { .. }) if self.rng.chance(500) => {
                Some(Message::Retry { asked })
            }
            Some(PauseReason::Failure { .. }) => Some(Message::Cancel { asked }),
            None => {
                let named = awaited(&state);
                named.map(|(name, answers)| {
                    let tag = asked.reason.clone();
                    let payload = Payload::inline(json!({"approved": true, "tag": tag}));
                    Message::Signal { asked, name, payload, answers }
                })
            }
        };
        if let Some(message) = message {
            self.say_to(&state, message);
        }
        Ok(())
    }
}

/// The first signal that something waits for, and the one wait that it must name, if it must.
pub fn awaited(state: &State) -> Option<(String, Option<Answers>)> {
    let guarded = guarded(state).into_iter().map(|(name, answers)| (name, Some(answers))).next();
    guarded.or_else(|| {
        let waits = state.steps.iter().filter_map(|step| step.wait.as_ref());
        waits.filter_map(|wait| wait.signal.clone()).next().map(|name| (name, None))
    })
}

/// Approvals that are waited for and that only their tasks give.
fn guarded(state: &State) -> Vec<(String, Answers)> {
    let open = state.approvals.iter().filter(|request| request.end.is_none());
    let open = open
        .filter(|request| state.asks(request.step).is_some_and(engine::plan::Approval::is_guarded));
    let named = open.filter_map(|request| {
        let step = state.plan.step(request.step);
        let Kind::Wait(wait) = &step.kind else { return None };
        let answers = Answers { step: step.name.clone(), generation: request.generation };
        Some((wait.of.signal()?.to_owned(), answers))
    });
    named.collect()
}
