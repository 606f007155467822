//! Executions that steps begin: what `src/driver/child.rs` does on the platform.

use std::sync::Arc;

use engine::driver::Answer;
use engine::execution::{Asked as AskedBy, Child, Event, Fault, Message, Outcome, Started};
use engine::ids::{ExecutionId, Seq};
use engine::shard::{After, Reply, Request};

use super::Sabotage;
use super::check::NodeId;
use super::network::Answered;
use super::node::Asked;
use super::world::{Lived, World};

/// The key under which a parent's call-off stands in the inbox of its child: once is enough.
const CANCEL_KEY: &str = "parent:cancel";

impl World {
    /// Begins the execution unless it has begun; what comes of it is in the reply.
    pub fn begin_child(&mut self, node: NodeId, child: Box<Child>) -> Lived {
        let started = match &child.started {
            Ok(started) => started.clone(),
            Err(fault) => return self.child_failed(node, &child, fault.clone()),
        };
        let parent = started.parent.as_ref().map(|parent| parent.id.clone());
        let (account, at, id) = (started.account.clone(), started.at, child.id.clone());
        let content_hash = self.hash_of_child(&started)?;
        let started = Started { content_hash, ..started };
        let events = [Event::Started(Box::new(started))];
        let record = serde_json::to_string(&events).expect("events are written");
        let parent = parent.filter(|_| self.sabotage != Some(Sabotage::ChildNotice));
        let request = Request::Start {
            id,
            account,
            at,
            idempotency: None,
            after: After::Active,
            parent,
            driven: false,
        };
        self.send(node, Asked::Child(child), request, record);
        Ok(())
    }

    fn hash_of_child(&self, started: &Started) -> Result<String, String> {
        let parent = started.parent.as_ref().ok_or("a child has a parent")?;
        let template = self.checker.template_of(&parent.id).ok_or("a child of nobody")?;
        let recipe = template.children.get(&started.definition.name);
        let recipe = recipe.ok_or_else(|| format!("{} is nobody's", started.definition.name))?;
        if started.definition != recipe.definition {
            return Err(format!("{}: another definition than its parent's", started.id));
        }
        Ok(recipe.content_hash.clone())
    }

    fn child_failed(&mut self, node: NodeId, child: &Child, fault: Fault) -> Lived {
        let outcome = Outcome { result: Err(fault), cost: None, memoised: None };
        self.bring_outcome(node, child, outcome)
    }

    fn bring_outcome(&mut self, node: NodeId, child: &Child, outcome: Outcome) -> Lived {
        let Some(parent) = self.nodes.get(&node).map(|node| node.exec.clone()) else {
            return Ok(());
        };
        let fence = child.fence;
        self.checker.answered(&parent, fence, &outcome);
        self.bring(node, Answer::Called { fence, outcome })
    }

    pub fn child_begun(&mut self, node: NodeId, child: Box<Child>, answer: Answered) -> Lived {
        let fence = child.fence;
        match answer {
            Ok((Reply::Started { .. }, _)) => {
                self.bring(node, Answer::Accepted { fence, silence: None })
            }
            Ok((Reply::Existing { .. }, _)) => {
                let request = Request::Read { id: child.id.clone(), after: Seq(0) };
                self.send(node, Asked::Look(child), request, String::new());
                Ok(())
            }
            Ok(_) | Err(()) => self.bring(node, Answer::ChildUnknown(fence)),
        }
    }

    pub fn child_seen(&mut self, node: NodeId, child: &Child, answer: Answered) -> Lived {
        let fence = child.fence;
        let Ok((Reply::Records { .. }, records)) = answer else {
            return self.bring(node, Answer::ChildUnknown(fence));
        };
        let state = self.checker.replay_records(&child.id, &records)?;
        if !state.status.is_final() {
            return self.bring(node, Answer::Accepted { fence, silence: None });
        }
        let outcome = state.outcome_of_step(child.accepts_partial);
        self.bring_outcome(node, child, outcome)
    }

    pub fn cancel_child(&mut self, node: NodeId, child: ExecutionId) {
        let Some(parent) = self.nodes.get(&node).map(|node| node.exec.clone()) else { return };
        let by = format!("execution:{parent}");
        let asked = AskedBy { by, reason: Some("its step was called off".to_owned()) };
        let entry = serde_json::to_value(Message::Cancel { asked }).expect("messages are written");
        let key = Some(CANCEL_KEY.to_owned());
        let request = Request::Post { id: child.clone(), entry, key, reopens: false };
        self.send(node, Asked::Tell(child), request, String::new());
    }

    pub fn child_told(&mut self, node: NodeId, child: ExecutionId, answer: Answered) -> Lived {
        let told = matches!(answer, Ok((Reply::Posted { .. } | Reply::Ended | Reply::Unknown, _)));
        self.bring(node, Answer::Told { child, told })
    }
}

/// The plans of executions, by the hash in their first record.
pub type Plans = std::collections::BTreeMap<String, Arc<engine::plan::Plan>>;
