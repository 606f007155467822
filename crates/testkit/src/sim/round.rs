//! A driver's loop: perform what it wants, check that it leaves nothing undone, wait.

use engine::driver::{Action, Ending};
use engine::ids::Fence;
use engine::shard::Request;
use engine::time::Timestamp;

use super::Sabotage;
use super::check::NodeId;
use super::node::{Asked, CALLS_MAX, Stage};
use super::world::{EPOCH_MS, Lived, World};

impl World {
    /// One round of the driver's loop: perform what it wants, then wait.
    pub fn go_on(&mut self, node: NodeId) -> Lived {
        if self.dies(node) {
            return Ok(());
        }
        let entropy = self.rng.next();
        let clock = self.clock(0);
        let Some(one) = self.nodes.get_mut(&node) else { return Ok(()) };
        let now = Timestamp::from_millis(clock.as_millis() + one.ahead_ms);
        let Stage::Driving(driver) = &mut one.stage else { return Ok(()) };
        let actions = driver.actions(now, entropy);
        let (ending, wake_at) = (driver.ending(), driver.wake_at(now));
        let ahead_ms = one.ahead_ms;
        let keeps = self.now_ms >= one.keep_at_ms;
        for action in actions {
            if self.dies(node) {
                return Ok(());
            }
            self.perform(node, action)?;
        }
        if let Some(ending) = ending {
            return self.leave(node, ending);
        }
        self.check_prompt(node, now)?;
        if keeps {
            self.keep_place(node);
        }
        let offset_ms = EPOCH_MS + self.ahead_ms + ahead_ms;
        let wake_ms = wake_at.map(|at| (at.as_millis() - offset_ms).max(self.now_ms + 1));
        self.wake_at(node, wake_ms);
        Ok(())
    }

    /// A driver leaves nothing undone that it could begin, and keeps within its limits.
    fn check_prompt(&self, node: NodeId, now: Timestamp) -> Lived {
        let Some(one) = self.nodes.get(&node) else { return Ok(()) };
        let Stage::Driving(driver) = &one.stage else { return Ok(()) };
        let (limits, state) = (&one.limits, driver.state());
        // Whoever was heard of before its 202 came is waited for no more.
        let connected =
            |fence: &&Fence| state.attempt(**fence).is_some_and(|(_, attempt)| !attempt.accepted);
        let in_air = one.in_air.iter().filter(connected).count();
        let in_air = u32::try_from(in_air).unwrap_or(u32::MAX);
        if one.bound_calls > limits.calls_max || in_air > limits.in_flight_max {
            let bound = one.bound_calls;
            return Err(format!("{node}: {bound} calls, {in_air} at once, with {limits:?}"));
        }
        let releases = one.waiting.values().any(|asked| matches!(asked, Asked::Release));
        let calls_left = limits.calls_max == CALLS_MAX;
        let slots_left = state.connected() < limits.in_flight_max as usize;
        let time_left = now.plus(state.started.terms.attempt_timeout) <= limits.lifetime_end;
        let plain = self.checker.template_of(&one.exec).is_some_and(|template| template.plain);
        let could = calls_left && slots_left && time_left && !releases && plain && !one.barred;
        if could && state.has_startable(now) {
            return Err(format!("{node} lets a step wait: {:?}", state.why(now)));
        }
        Ok(())
    }

    fn perform(&mut self, node: NodeId, action: Action) -> Lived {
        let id = self.nodes[&node].exec.clone();
        match action {
            Action::Append { epoch, seq, seen, after, events } => {
                let record = serde_json::to_string(&events).expect("events are written");
                if self.sabotage == Some(Sabotage::WriteAhead) {
                    self.call_ahead(node, &events)?;
                }
                let request = Request::Append { id, epoch, seq, after, seen };
                self.send(node, Asked::Append, request, record);
            }
            Action::Renew(epoch) => {
                let request = Request::Renew { id, epoch };
                self.send(node, Asked::Renew, request, String::new());
            }
            Action::Release { epoch, seen, wake_at, seq } => {
                let seq = Some(seq);
                let request = Request::Release { id, epoch, seen, wake_at, seq };
                self.send(node, Asked::Release, request, String::new());
            }
            Action::Abort(fence) => {
                let late = self.strikes(self.odds.abort_late);
                if late {
                    self.fault("an abort comes too late");
                }
                if let Some(node) = self.nodes.get_mut(&node) {
                    node.in_air.remove(&fence);
                    node.gated.remove(&fence);
                    if !late {
                        node.flights.remove(&fence);
                    }
                }
            }
            Action::Call(request) => self.call(node, &request)?,
            Action::Child(child) => self.begin_child(node, child)?,
            Action::CancelChild(child) => self.cancel_child(node, child),
            Action::Pass { .. } | Action::Return { .. } | Action::Report(_) => {
                self.ask_governor(node, action);
            }
        }
        Ok(())
    }

    fn leave(&mut self, node: NodeId, ending: Ending) -> Lived {
        let Some(gone) = self.nodes.remove(&node) else { return Ok(()) };
        self.tell(|| format!("{node} leaves {}: {ending:?}", gone.exec));
        self.governor.leave(self.clock(0), &gone.exec);
        if let (Ending::Ended, Stage::Driving(driver)) = (ending, gone.stage) {
            let replayed = self.checker.replay(&gone.exec)?;
            let state = driver.into_state();
            // Somebody may have opened it again since.
            let same_end = replayed.finished_at == state.finished_at;
            if same_end && replayed != state {
                let (theirs, own) = (format!("{replayed:#?}"), format!("{state:#?}"));
                let apart = theirs.lines().zip(own.lines()).filter(|(one, other)| one != other);
                let apart: Vec<_> = apart.take(3).collect();
                let id = &gone.exec;
                return Err(format!("{id}: the journal comes to something else: {apart:?}"));
            }
        }
        Ok(())
    }
}
