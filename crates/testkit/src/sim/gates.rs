//! Between drivers and the Governor: permits asked for and given back, reports, places kept.

use engine::admission::{Reply, Request};
use engine::driver::{Action, Answer};
use engine::execution::Unit;

use super::Sabotage;
use super::check::NodeId;
use super::node::{KEEP_PLACE_EVERY_MS, Node, Stage};
use super::world::{Happening, Lived, World};

/// After which a Governor without an answer is no longer waited for.
const NO_ANSWER_MS: i64 = 5_000;

/// Something that a driver asks of the Governor.
#[derive(Clone, Debug)]
pub struct Petition {
    pub node: NodeId,
    pub request: Request,
    /// What a permit is asked for.
    pub unit: Option<Unit>,
}

impl World {
    pub fn ask_governor(&mut self, node: NodeId, action: Action) {
        let Some(Node { exec, stage: Stage::Driving(driver), .. }) = self.nodes.get_mut(&node)
        else {
            return;
        };
        let id = exec.clone();
        let (request, unit) = match action {
            Action::Pass { unit, path, worker, gate, priority, until } => {
                (Request::Pass { id, path, worker, gate, priority, until }, Some(unit))
            }
            Action::Return { path, worker } => {
                let reports = driver.take_reports();
                (Request::Return { id, path, worker, reports }, None)
            }
            Action::Report(reports) => (Request::Report { id, reports }, None),
            _ => return,
        };
        self.petition(Petition { node, request, unit });
    }

    pub fn keep_place(&mut self, node: NodeId) {
        let at_ms = self.now_ms + KEEP_PLACE_EVERY_MS;
        let Some(one) = self.nodes.get_mut(&node) else { return };
        one.keep_at_ms = at_ms;
        let Stage::Driving(driver) = &mut one.stage else { return };
        let request = Request::Keep { id: one.exec.clone(), reports: driver.take_reports() };
        self.petition(Petition { node, request, unit: None });
    }

    fn petition(&mut self, petition: Petition) {
        if self.sabotage == Some(Sabotage::Gate)
            && let Some(unit) = petition.unit
        {
            let answer = Answer::Passed { unit, answer: Some(Ok(())) };
            return self.after(1, Happening::Told { node: petition.node, answer });
        }
        if self.strikes(self.odds.governor_silent) {
            self.fault("the governor does not hear a driver");
            return self.governor_silent(&petition);
        }
        let latency_ms = self.rng.between(1, 15);
        self.after(latency_ms, Happening::Petition(Box::new(petition)));
    }

    fn governor_silent(&mut self, petition: &Petition) {
        if let Some(unit) = petition.unit {
            let answer = Answer::Passed { unit, answer: None };
            self.after(NO_ANSWER_MS, Happening::Told { node: petition.node, answer });
        }
    }

    /// A petition reaches the Governor.
    pub fn petitioned(&mut self, petition: Petition) -> Lived {
        let now = self.clock(0);
        let reply = self.governor.hear(now, petition.node, petition.request.clone());
        if self.strikes(self.odds.governor_silent) {
            self.fault("the governor's answer is lost");
            self.governor_silent(&petition);
            return Ok(());
        }
        self.tell(|| {
            format!("{} asks the governor {:?}: {reply:?}", petition.node, petition.request)
        });
        let Petition { node, unit, request } = petition;
        let answer = match (unit, reply) {
            (Some(unit), Reply::Passed { .. }) => Answer::Passed { unit, answer: Some(Ok(())) },
            (Some(unit), Reply::Held { reason, ask_again }) => {
                Answer::Passed { unit, answer: Some(Err((reason, ask_again))) }
            }
            (None, Reply::Granted { gates } | Reply::Noted { gates }) => Answer::Gates(gates),
            (_, reply) => return Err(format!("{request:?} was answered with {reply:?}")),
        };
        let latency_ms = self.rng.between(1, 15);
        self.after(latency_ms, Happening::Told { node, answer });
        Ok(())
    }

    /// The Governor's answer reaches a driver.
    pub fn told(&mut self, node: NodeId, answer: Answer) -> Lived {
        if let (Answer::Gates(gates), Some(node)) = (&answer, self.nodes.get_mut(&node)) {
            node.barred = !gates.is_empty();
        }
        self.bring(node, answer)
    }
}
