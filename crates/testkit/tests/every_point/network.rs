//! Between those who ask and the shard: each message has its number, in the order in which they
//! are sent. And what the shard does by itself: its alarm, its hints, its restarts.

use engine::execution::Message;
use engine::ids::ExecutionId;
use engine::shard::{ExecutionRow, Reply, Request, Shard, Store};
use engine::time::Millis;
use serde_json::Value;

use super::fault::{Fault, Post};
use super::node::Asked;
use super::world::{EPOCH_MS, Happening, Held, Sabotage, World};

/// How long a message takes, and a hint.
const LATENCY_MS: i64 = 1;
const HINT_MS: i64 = 20;
/// When an asker without an answer gives up, and when a sender tries again.
const GIVE_UP_MS: i64 = 2_000;
const AGAIN_MS: i64 = 1_000;
/// What is delayed takes so long where nothing overtakes it; what comes late takes longer than a
/// lease.
const DELAY_MS: i64 = 300;
const LATE_MS: i64 = 40_000;

/// Who waits for the answer.
#[derive(Clone, Debug)]
pub enum From {
    Node { node: usize, token: u64 },
    Letter(Box<Letter>),
    Nobody,
}

/// A request under way.
#[derive(Clone, Debug)]
pub struct Parcel {
    nth: usize,
    from: From,
    request: Request,
    record: String,
}

/// What came of a request: `None` when no answer will come.
#[derive(Clone, Debug)]
pub struct Replied {
    pub node: usize,
    pub token: u64,
    pub reply: Option<(Reply, Vec<String>)>,
}

/// Something for an execution's inbox, sent until it is stored.
#[derive(Clone, Debug)]
pub struct Letter {
    pub to: ExecutionId,
    pub entry: Value,
    pub key: Option<String>,
    pub reopens: bool,
}

impl Letter {
    pub fn new(to: &ExecutionId, message: &Message, key: Option<&str>) -> Self {
        let entry = serde_json::to_value(message).expect("messages are written");
        let (to, key, reopens) = (to.clone(), key.map(str::to_owned), message.reopens());
        Self { to, entry, key, reopens }
    }
}

impl World<'_> {
    /// Sends a node's request and notes what it was for.
    pub fn send(&mut self, node: usize, asked: Asked, request: Request, record: String) {
        self.token_last += 1;
        let token = self.token_last;
        if let Some(node) = self.nodes.get_mut(&node) {
            node.waiting.insert(token, asked);
        }
        self.post(From::Node { node, token }, request, record);
    }

    pub fn send_letter(&mut self, letter: Letter) {
        let Letter { to: id, entry, key, reopens } = letter.clone();
        let request = Request::Post { id, entry, key, reopens };
        self.post(From::Letter(Box::new(letter)), request, String::new());
    }

    fn post(&mut self, from: From, request: Request, record: String) {
        let nth = self.points.messages;
        self.points.messages += 1;
        let parcel = Parcel { nth, from, request, record };
        match self.fate_of(nth) {
            Some(post) => self.misroute(post, parcel),
            None => self.after(LATENCY_MS, Happening::Arrives(Box::new(parcel))),
        }
    }

    /// What becomes of a message; `None` where nothing does.
    fn fate_of(&self, message: usize) -> Option<Post> {
        self.faults.iter().find_map(|fault| match fault {
            Fault::Message { nth, post } if *nth == message => Some(*post),
            _ => None,
        })
    }

    fn misroute(&mut self, post: Post, parcel: Parcel) {
        let double = Parcel { from: From::Nobody, nth: usize::MAX, ..parcel.clone() };
        match post {
            Post::Lost => return self.no_answer(&parcel),
            Post::Doubled => self.after(LATENCY_MS, Happening::Arrives(Box::new(double))),
            Post::DoubledLate => self.after(LATE_MS, Happening::Arrives(Box::new(double))),
            Post::Delayed => {
                self.held.push_back(parcel);
                return self.after(DELAY_MS, Happening::Unhold);
            }
            Post::ReplyLost | Post::ReplyDelayed => {}
        }
        self.after(LATENCY_MS, Happening::Arrives(Box::new(parcel)));
    }

    /// What was delayed comes behind what overtook it.
    pub fn unhold(&mut self) -> Held {
        while let Some(parcel) = self.held.pop_front() {
            self.arrives(parcel)?;
        }
        Ok(())
    }

    pub fn arrives(&mut self, parcel: Parcel) -> Held {
        if self.faults.contains(&Fault::Restart { nth: parcel.nth, handled: false }) {
            self.restart();
        }
        let now = self.shard_clock();
        let leased = self.is_leased(&parcel.request);
        let request = self.sabotaged(parcel.request.clone());
        let answer = match self.shard.handle(now, request, &parcel.record) {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        if !leased && matches!(answer.0, Reply::Appended { .. }) {
            return Err(format!("what comes under an old lease is taken: {:?}", parcel.request));
        }
        self.books.read(self.shard.store(), &parcel.request)?;
        if self.faults.contains(&Fault::Restart { nth: parcel.nth, handled: true }) {
            self.restart();
        }
        self.keep_alarm();
        self.answer(&parcel, answer);
        self.unhold()
    }

    /// Whether an append comes under the last lease that was given out.
    fn is_leased(&self, request: &Request) -> bool {
        let Request::Append { id, epoch, .. } = request else { return true };
        self.row(id).is_none_or(|row| row.epoch == *epoch)
    }

    fn row(&self, id: &ExecutionId) -> Option<ExecutionRow> {
        match self.shard.store().execution(id) {
            Ok(row) => row,
            Err(never) => match never {},
        }
    }

    fn answer(&mut self, parcel: &Parcel, answer: (Reply, Vec<String>)) {
        let mut latency_ms = LATENCY_MS;
        match self.fate_of(parcel.nth) {
            Some(Post::ReplyLost) => return self.no_answer(parcel),
            Some(Post::ReplyDelayed) => latency_ms = DELAY_MS,
            _ => {}
        }
        match (&parcel.from, answer) {
            (From::Node { node, token }, answer) => {
                let replied = Replied { node: *node, token: *token, reply: Some(answer) };
                self.after(latency_ms, Happening::Replied(replied));
            }
            // What is sent before the start has come is sent again.
            (From::Letter(_), (Reply::Unknown, _)) => self.no_answer(parcel),
            (From::Letter(_) | From::Nobody, _) => {}
        }
    }

    fn no_answer(&mut self, parcel: &Parcel) {
        match parcel.from.clone() {
            From::Node { node, token } => {
                let replied = Replied { node, token, reply: None };
                self.after(GIVE_UP_MS, Happening::Replied(replied));
            }
            From::Letter(letter) if letter.key.is_some() => {
                self.after(AGAIN_MS, Happening::Letter(letter));
            }
            From::Letter(_) | From::Nobody => {}
        }
    }

    fn restart(&mut self) {
        let store = self.shard.store().clone();
        self.shard = match Shard::load(store, self.timing, self.shard_clock()) {
            Ok(shard) => shard,
            Err(never) => match never {},
        };
    }

    /// The shard's alarm comes when it wants it to, by its clock.
    pub fn keep_alarm(&mut self) {
        let Some(at) = self.shard.alarm_at() else { return };
        self.alarm_version += 1;
        let version = self.alarm_version;
        let offset_ms = EPOCH_MS + self.ahead_ms + self.shard_ahead_ms;
        let in_ms = at.as_millis() - offset_ms - self.now_ms;
        self.after(in_ms.max(1), Happening::Alarm { version });
    }

    /// Does what is due: hints go out; what is to be projected is, at once.
    pub fn alarm(&mut self) {
        let now = self.shard_clock();
        let tasks = match self.shard.tasks(now) {
            Ok(tasks) => tasks,
            Err(never) => match never {},
        };
        for id in tasks.hints {
            self.hint(id);
        }
        if !tasks.project.is_empty() {
            match self.shard.projected(now, Ok(&tasks.project)) {
                Ok(()) => {}
                Err(never) => match never {},
            }
        }
        self.keep_alarm();
    }

    fn hint(&mut self, id: ExecutionId) {
        let nth = self.points.hints;
        self.points.hints += 1;
        let mut latency_ms = HINT_MS;
        let fate = self.faults.iter().find_map(|fault| match fault {
            Fault::Hint { nth: ill, post } if *ill == nth => Some(*post),
            _ => None,
        });
        if let Some(post) = fate {
            match post {
                Post::Lost | Post::ReplyLost => return,
                Post::Doubled => self.after(latency_ms, Happening::Hint(id.clone())),
                Post::DoubledLate => self.after(LATE_MS, Happening::Hint(id.clone())),
                Post::Delayed | Post::ReplyDelayed => latency_ms = LATE_MS,
            }
        }
        self.after(latency_ms, Happening::Hint(id));
    }

    /// The shard's clock runs ahead of the drivers': their leases are over.
    pub fn outrun(&mut self) {
        let more = self.timing.lease.plus(Millis::from_secs(1));
        self.shard_ahead_ms += i64::try_from(more.get()).unwrap_or(i64::MAX);
        self.keep_alarm();
    }

    /// Takes out the check that this world does without.
    fn sabotaged(&self, request: Request) -> Request {
        match (self.sabotage, request) {
            (Some(Sabotage::Epochs), Request::Append { id, epoch, seq, after, seen }) => {
                let epoch = self.row(&id).map_or(epoch, |row| row.epoch);
                Request::Append { id, epoch, seq, after, seen }
            }
            (Some(Sabotage::Sequences), Request::Append { id, epoch, seq, after, seen }) => {
                let seq = self.row(&id).map_or(seq, |row| row.seq.next());
                Request::Append { id, epoch, seq, after, seen }
            }
            (_, request) => request,
        }
    }
}
