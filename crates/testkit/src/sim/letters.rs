//! What is posted to executions: lost, doubled and late on its way, sent again by whoever got no
//! answer, stored once by its key.

use engine::execution::Message;
use engine::ids::ExecutionId;
use engine::shard::{Reply, Request};
use serde_json::Value;

use super::world::{Happening, Lived, World};

/// Something on its way to an execution's inbox.
#[derive(Clone, Debug)]
pub struct Letter {
    pub to: ExecutionId,
    pub entry: Value,
    /// Without a key it may be stored twice.
    pub key: Option<String>,
    pub reopens: bool,
}

impl Letter {
    pub fn new(to: &ExecutionId, message: &Message, key: Option<String>) -> Self {
        let entry = serde_json::to_value(message).expect("messages are written");
        Self { to: to.clone(), entry, key, reopens: message.reopens() }
    }
}

impl World {
    pub fn send_letter(&mut self, letter: Letter) {
        if self.strikes(self.odds.request_doubled) {
            self.fault("a post is doubled");
            let late_ms = self.rng.between(0, 40_000);
            self.after(late_ms, Happening::LetterArrives(Box::new(letter.clone())));
        }
        if self.strikes(self.odds.request_lost) {
            self.fault("a post is lost");
            return self.send_again(letter);
        }
        let latency_ms = self.latency_ms();
        self.after(latency_ms, Happening::LetterArrives(Box::new(letter)));
    }

    /// Whoever got no answer sends it again, where that is safe.
    fn send_again(&mut self, letter: Letter) {
        if letter.key.is_some() {
            let later_ms = self.rng.between(1_000, 12_000);
            self.after(later_ms, Happening::Letter(Box::new(letter)));
        }
    }

    pub fn letter_arrives(&mut self, letter: Letter) -> Lived {
        let Letter { to, entry, key, reopens } = letter.clone();
        let asked = Request::Post { id: to, entry, key, reopens };
        let request = self.sabotaged(asked.clone());
        let answer = self.ask_shard(None, &asked, request, "")?;
        if let Ok((Reply::Posted { n }, _)) = &answer {
            self.check_hinted(&letter.to, n.0)?;
        }
        if answer.is_err() || self.strikes(self.odds.reply_lost) {
            self.send_again(letter);
        }
        Ok(())
    }

    /// What nobody drives is asked to be driven, now or a moment ago.
    fn check_hinted(&self, id: &ExecutionId, n: u64) -> Lived {
        let alone = self.disk.borrow().row(id).is_some_and(|row| row.wake_at.is_some());
        if alone && self.checker.is_unheard(id, n) && !self.hinted_of_late(id) {
            return Err(format!("{id}: something came in, and nobody is asked to drive"));
        }
        Ok(())
    }
}
