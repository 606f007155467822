//! Everything that can happen to a scene: time before and at each of its moments, drivers, answers
//! under each kind of fence, and every message.

use serde_json::json;

use super::scenes::Scene;
use crate::admission::HeldBy;
use crate::execution::tests::asking::{
    cancel, completed, heartbeat, kill, outcome, pause, rerun, resume, retry, signal,
};
use crate::execution::tests::story::{broken, http};
use crate::execution::{Fault, Input, Message, Outcome, Part};
use crate::ids::{Epoch, ExecutionId, Fence, ShardId};
use crate::time::{Millis, Timestamp};

/// An input, by its name, and when it comes.
pub struct Given {
    pub name: String,
    pub at: Timestamp,
    pub input: Input,
}

/// Every input that the scene can meet.
pub fn inputs(scene: &Scene) -> Vec<Given> {
    let now = scene.story.now;
    let mut all: Vec<Given> = Vec::new();
    let mut add = |name: &str, at: Timestamp, input: Input| {
        all.push(Given { name: name.to_owned(), at, input });
    };
    add("driver", now, Input::Resume);
    add("time", now.plus(Millis::new(1)), Input::Tick);
    for (moment, at) in scene.moments() {
        let just_before = Timestamp::from_millis((at.as_millis() - 1).max(now.as_millis()));
        add(&format!("before {moment}"), just_before, Input::Tick);
        add(&format!("at {moment}"), at.max(now), Input::Tick);
    }
    let up_to = scene.story.state.last_fence();
    add("taken over", now, Input::TakenOver { epoch: Epoch(2), up_to });
    for (which, fence) in scene.fences() {
        for (word, outcome) in outcomes() {
            let name = format!("answered {word}, {which} fence");
            add(&name, now, Input::Answered { fence, outcome });
        }
        let silence = Some(Millis::from_secs(2));
        add(&format!("accepted, {which} fence"), now, Input::Accepted { fence, silence });
    }
    let (unit, until) = (scene.unit(), now.plus(Millis::from_secs(1)));
    add("held by its gate", now, Input::Held { unit, reason: HeldBy::Rate, until });
    for (name, message) in messages(scene) {
        add(&name, now, Input::Message(message));
    }
    all
}

fn outcomes() -> [(&'static str, Outcome); 3] {
    let failed = |fault: Fault| outcome(Err(fault), Some(10));
    [
        ("ok", outcome(Ok(json!({"n": 1})), Some(10))),
        ("with a passing fault", failed(broken())),
        ("with a lasting fault", failed(http(400))),
    ]
}

fn messages(scene: &Scene) -> Vec<(String, Message)> {
    let mut messages = vec![
        ("cancel", cancel()),
        ("kill", kill()),
        ("pause", pause()),
        ("resume", resume(None)),
        ("resume with a higher budget", resume(Some(100_000))),
        ("retry", retry()),
    ];
    let edited = || Some(json!({"edited": true}));
    let whole = scene.story.plan.step(scene.unit().step).name.clone();
    messages.push(("rerun", rerun(&scene.subject, None)));
    messages.push(("rerun with another input", rerun(&scene.subject, edited())));
    if scene.unit().part != Part::Whole {
        messages.push(("rerun of the whole step", rerun(&whole, None)));
    }
    messages.extend([
        ("rerun of the step before", rerun("past", None)),
        ("rerun of nobody", rerun("nobody", None)),
        ("its signal", signal("go", json!({"n": 1}))),
        ("a signal of nobody", signal("nobody", json!({}))),
    ]);
    let parent = ExecutionId::new(scene.story.now, ShardId(0), 99);
    let child = scene.story.state.children().next().map(|(_, id)| id.clone());
    let child = child.unwrap_or_else(|| parent.clone());
    messages.push(("end of its child", Message::ChildEnded { child }));
    messages.push(("end of its parent", Message::ParentEnded { parent }));
    let mut named: Vec<(String, Message)> =
        messages.into_iter().map(|(name, message)| (name.to_owned(), message)).collect();
    for (which, fence) in scene.fences() {
        for (word, outcome) in outcomes() {
            named.push((format!("completed {word}, {which} fence"), completed(fence, outcome)));
        }
        named.push((format!("heartbeat, {which} fence"), heartbeat(fence, Some(2_000))));
    }
    named
}

impl Scene {
    /// The subject's own moments, and the execution's.
    fn moments(&self) -> Vec<(&'static str, Timestamp)> {
        let state = &self.story.state;
        if state.status.is_final() {
            return vec![("the deadline", state.deadline_at)];
        }
        let work = state.work(self.unit()).filter(|work| !work.status.is_settled());
        let attempt = work.and_then(|work| work.attempt.as_ref());
        let step = state.step(self.unit().step);
        let planned = self.story.plan.step(self.unit().step);
        let queued = step.ready_at.zip(planned.queue_timeout).filter(|_| {
            work.is_some_and(|work| work.status == crate::execution::StepStatus::Ready)
        });
        let moments = [
            ("its attempt's time-out", attempt.map(|attempt| attempt.deadline_at)),
            ("its total deadline", work.and_then(|work| work.give_up_at)),
            ("its retry", work.and_then(|work| work.retry_at)),
            ("the end of its time in the queue", queued.map(|(at, length)| at.plus(length))),
            ("the end of its wait", step.wait.as_ref().and_then(|wait| wait.until)),
            ("the deadline", Some(state.deadline_at)),
        ];
        moments.into_iter().filter_map(|(name, at)| Some((name, at?))).collect()
    }

    /// The subject's fence, one whose answer is unknown, one that was answered, and one that was
    /// never given out.
    fn fences(&self) -> Vec<(&'static str, Fence)> {
        let state = &self.story.state;
        let attempt = state.work(self.unit()).and_then(|work| work.attempt.as_ref());
        let current = attempt.map(|attempt| attempt.fence);
        let late = state.unknown.keys().next().copied();
        let never = Fence(state.last_fence().0 + 1);
        let all = [
            ("its", current),
            ("a late", late),
            ("an old", Some(Fence(1))),
            ("an unknown", Some(never)),
        ];
        all.into_iter().filter_map(|(name, fence)| Some((name, fence?))).collect()
    }
}
