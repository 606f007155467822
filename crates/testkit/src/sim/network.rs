//! Between invocations and the shard: messages are late, lost and doubled, in either direction.

use engine::ids::InboxSeq;
use engine::shard::{Reply, Request};

use super::Sabotage;
use super::check::NodeId;
use super::node::Asked;
use super::world::{Happening, Lived, World};

/// What came of a request: the reply with its records, or the news that none will come.
pub type Answered = Result<(Reply, Vec<String>), ()>;

/// A request under way.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// Who asked; the API when it is nobody.
    pub from: Option<NodeId>,
    /// By which the answer finds its question; `None` for a double, whose answer nobody reads.
    pub token: Option<u64>,
    pub request: Request,
    pub record: String,
    /// When the asker is told that no answer comes.
    pub give_up_ms: i64,
}

impl World {
    /// Sends a request and notes what it was for.
    pub fn send(&mut self, node: NodeId, asked: Asked, request: Request, record: String) {
        self.token_last += 1;
        let token = self.token_last;
        if let Some(node) = self.nodes.get_mut(&node) {
            node.waiting.insert(token, asked);
        }
        let give_up_ms = self.now_ms + self.rng.between(1_000, 12_000);
        let from = Some(node);
        let parcel = Parcel { from, token: Some(token), request, record, give_up_ms };
        if self.strikes(self.odds.request_doubled) {
            self.fault("a request is doubled");
            let double = Parcel { token: None, ..parcel.clone() };
            let late = self.latency_ms() + self.rng.between(0, 40_000);
            self.after(late, Happening::Arrives(Box::new(double)));
        }
        if self.strikes(self.odds.request_lost) {
            self.fault("a request is lost");
            return self.no_answer(&parcel);
        }
        let latency_ms = self.latency_ms();
        self.after(latency_ms, Happening::Arrives(Box::new(parcel)));
    }

    /// A request reaches the shard, which answers.
    pub fn arrives(&mut self, parcel: Parcel) -> Lived {
        let request = self.sabotaged(parcel.request.clone());
        let answer = self.ask_shard(parcel.from, &parcel.request, request, &parcel.record)?;
        let Some((node, token)) = parcel.from.zip(parcel.token) else { return Ok(()) };
        let Ok((reply, records)) = answer else {
            self.no_answer(&parcel);
            return Ok(());
        };
        if self.strikes(self.odds.reply_lost) {
            self.fault("a reply is lost");
            self.no_answer(&parcel);
            return Ok(());
        }
        let latency_ms = self.latency_ms();
        let answer = Ok((reply, records));
        self.after(latency_ms, Happening::Replied { node, token, answer });
        Ok(())
    }

    fn no_answer(&mut self, parcel: &Parcel) {
        if let Some((node, token)) = parcel.from.zip(parcel.token) {
            self.at(parcel.give_up_ms, Happening::Replied { node, token, answer: Err(()) });
        }
    }

    pub fn latency_ms(&mut self) -> i64 {
        if self.strikes(self.odds.message_late) {
            self.fault("a message is late");
            return self.rng.between(500, 50_000);
        }
        self.rng.between(1, 15)
    }

    /// Takes out the check that this world does without.
    pub fn sabotaged(&self, request: Request) -> Request {
        let row = |id| self.disk.borrow().row(id);
        match (self.sabotage, request) {
            (Some(Sabotage::EpochCheck), Request::Append { id, epoch, seq, after, seen }) => {
                let epoch = row(&id).map_or(epoch, |row| row.epoch);
                Request::Append { id, epoch, seq, after, seen }
            }
            (Some(Sabotage::SequenceCheck), Request::Append { id, epoch, seq, after, seen }) => {
                let seq = row(&id).map_or(seq, |row| row.seq.next());
                Request::Append { id, epoch, seq, after, seen }
            }
            (Some(Sabotage::InboxCheck), Request::Release { id, epoch, seen, wake_at, seq }) => {
                let seen = row(&id).map_or(seen, |row| row.inbox);
                Request::Release { id, epoch, seen, wake_at, seq }
            }
            (Some(Sabotage::Acknowledgement), Request::Append { id, epoch, seq, after, .. }) => {
                Request::Append { id, epoch, seq, after, seen: InboxSeq(0) }
            }
            (Some(Sabotage::Reopening), Request::Post { id, entry, key, .. }) => {
                Request::Post { id, entry, key, reopens: false }
            }
            (_, request) => request,
        }
    }
}
