//! The connections of an account, and what goes to whom. A pure machine: it is told what clients
//! say, what time it is and what the sources have, and tells what to send.
//!
//! Each subscription has a place of its own, and what a source brings after a place is given to
//! those that stand there or beyond: so nothing is left out and nothing comes twice, however reads,
//! new subscriptions and full windows interleave.

mod connection;
mod deliver;
mod keep;

use std::collections::BTreeMap;

use api_types::live::{
    LiveClosing, LiveClosingType, LiveHeartbeat, LiveHeartbeatType, LiveServerMessage,
    LiveSubscribe, LiveUnsubscribed, LiveUnsubscribedType,
};
use engine::time::{Millis, Timestamp};

use super::limits::{
    AUTHENTICATE_WITHIN, CONNECTION_LIFE, CONNECTIONS_MAX, ERRORS_MAX, HEARTBEAT, HEARTBEAT_IDLE,
    JOURNALS_MAX, LOOK_AGAIN_MAX, MESSAGE_BYTES_MAX, PENDING_MAX, SHARE_BYTES_MIN, SILENT_FOR,
    SUBSCRIPTIONS_MAX, UNACKNOWLEDGED_BYTES_MAX, WINDOW_BYTES, WINDOW_MESSAGES,
};
use super::pace::Pace;
use super::place::Place;
use super::refusal::{Closing, Refusal};
use super::topic::{Source, Topic};
pub use connection::{Connection, Kept, Stage, Subscription, Who};
pub use deliver::Page;
pub use keep::{Change, Head, Unkept};

/// A connection, as the platform's tag of its socket names it.
pub type SocketId = String;

/// What is to be done with a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Out {
    /// Send a text.
    Send(SocketId, String),
    /// Close it. The hub has forgotten it.
    Close(SocketId, Closing),
}

/// What operators see of an account's connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Figures {
    /// Connections that are open.
    pub connections: u64,
    /// Their subscriptions.
    pub subscriptions: u64,
    /// Events that were sent since the beginning.
    pub delivered: u64,
    /// Connections that were closed because they did not keep up.
    pub dropped: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Hub {
    connections: BTreeMap<SocketId, Connection>,
    /// When each source that somebody listens to is looked at again.
    paces: BTreeMap<Source, Pace>,
    unacknowledged_bytes: usize,
    delivered: u64,
    dropped: u64,
    heads: BTreeMap<Source, Place>,
}

impl Hub {
    /// One that has counted so much already.
    pub fn counted(delivered: u64, dropped: u64) -> Self {
        Self { delivered, dropped, ..Self::default() }
    }

    /// What operators see.
    pub fn figures(&self) -> Figures {
        let subscriptions = self.connections.values().map(|it| it.subscriptions.len() as u64).sum();
        let connections = self.connections.len() as u64;
        let (delivered, dropped) = (self.delivered, self.dropped);
        Figures { connections, subscriptions, delivered, dropped }
    }

    /// Whether one more may be opened.
    pub fn has_place(&self, authenticated: bool) -> bool {
        let pending = || self.connections.values().filter(|it| it.kept.who.is_none()).count();
        self.connections.len() < CONNECTIONS_MAX && (authenticated || pending() < PENDING_MAX)
    }

    /// A connection that was opened, or was there when the object woke.
    pub fn open(&mut self, id: SocketId, kept: Kept, now: Timestamp) {
        self.connections.insert(id, Connection::new(kept, now));
    }

    /// A connection that is no more.
    pub fn forget(&mut self, id: &str) {
        let Some(connection) = self.connections.remove(id) else { return };
        self.unacknowledged_bytes -= connection.unacknowledged.bytes;
        self.forget_sources();
    }

    /// The connection of that name.
    pub fn connection(&self, id: &str) -> Option<&Connection> {
        self.connections.get(id)
    }

    /// Somebody authenticated on a connection.
    pub fn vouch(&mut self, id: &str, kept: Kept) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.kept = kept;
        }
    }

    /// Takes a message of so many bytes into account, before it is read.
    pub fn hear(&mut self, id: &str, bytes: usize, now: Timestamp) -> Result<(), Closing> {
        let Some(connection) = self.connections.get_mut(id) else { return Ok(()) };
        match connection.hear(now) {
            true => Err(Closing::TooManyMessages),
            false if bytes > MESSAGE_BYTES_MAX => Err(Closing::MessageTooLarge),
            false => Ok(()),
        }
    }

    /// Counts a message that was not understood.
    pub fn misheard(&mut self, id: &str) -> Result<(), Closing> {
        let Some(connection) = self.connections.get_mut(id) else { return Ok(()) };
        connection.errors += 1;
        if connection.errors > ERRORS_MAX { Err(Closing::TooManyErrors) } else { Ok(()) }
    }

    /// Begins a subscription; its source is asked with the next look.
    pub fn subscribe(
        &mut self,
        id: &str,
        asked: LiveSubscribe,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let journals = self.paces.keys().filter(|it| matches!(it, Source::Journal(_))).count();
        let connection = self.connections.get_mut(id).ok_or(Refusal::Unauthenticated)?;
        let who = connection.kept.who.as_ref().ok_or(Refusal::Unauthenticated)?;
        if connection.subscriptions.contains_key(&asked.id) {
            return Err(Refusal::SubscriptionExists);
        }
        let topic = Topic::of(&asked, who.administers)?;
        let unwatched = matches!(topic.source(), Source::Journal(_))
            && !self.paces.contains_key(topic.source());
        if connection.subscriptions.len() >= SUBSCRIPTIONS_MAX
            || unwatched && journals >= JOURNALS_MAX
        {
            return Err(Refusal::TooManySubscriptions);
        }
        let cursor = asked.cursor.as_deref();
        let after = cursor.map(|it| topic.place(it).ok_or(Refusal::CursorInvalid)).transpose()?;
        let after = match topic.source() {
            Source::Journal(_) => after.or(Some(Place::START)),
            Source::Events | Source::AgentLogs => after,
        };
        self.paces.insert(topic.source().clone(), Pace::due(now));
        let name = asked.id.clone();
        let begun = Subscription::new(asked, topic, Stage::Asked(after), None);
        connection.subscriptions.insert(name, begun);
        Ok(())
    }

    /// A subscription that was there when the object woke.
    pub fn restore(&mut self, id: &str, subscription: Subscription, now: Timestamp) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let source = subscription.topic.source().clone();
        self.paces.entry(source).or_insert(Pace::after(now, LOOK_AGAIN_MAX));
        connection.subscriptions.insert(subscription.asked.id.clone(), subscription);
    }

    /// Ends a subscription for a reason.
    pub fn unsubscribe(&mut self, id: &str, name: &str, reason: &str) -> Result<Out, Refusal> {
        let connection = self.connections.get_mut(id).ok_or(Refusal::Unauthenticated)?;
        let ended = connection.subscriptions.remove(name);
        let mut ended = ended.ok_or(Refusal::SubscriptionUnknown)?;
        let load = ended.acknowledge(Place::END);
        connection.unacknowledged.messages -= load.messages;
        connection.unacknowledged.bytes -= load.bytes;
        self.unacknowledged_bytes -= load.bytes;
        self.forget_sources();
        let cursor = ended.topic.cursor(ended.place().unwrap_or_default());
        let (name, reason) = (name.to_owned(), reason.to_owned());
        let told = LiveUnsubscribed { kind: LiveUnsubscribedType::IS, id: name, reason, cursor };
        Ok(Out::Send(id.to_owned(), text(&LiveServerMessage::Unsubscribed(told))))
    }

    /// A client has dealt with everything of a subscription up to a cursor. Where that makes room,
    /// the source is due.
    pub fn acknowledge(
        &mut self,
        id: &str,
        name: &str,
        cursor: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let connection = self.connections.get_mut(id).ok_or(Refusal::Unauthenticated)?;
        let subscription = connection.subscriptions.get_mut(name);
        let subscription = subscription.ok_or(Refusal::SubscriptionUnknown)?;
        let until = subscription.topic.place(cursor).ok_or(Refusal::CursorInvalid)?;
        let load = subscription.acknowledge(until);
        connection.unacknowledged.messages -= load.messages;
        connection.unacknowledged.bytes -= load.bytes;
        self.unacknowledged_bytes -= load.bytes;
        let left = connection.unacknowledged;
        let room = left.messages <= WINDOW_MESSAGES / 2 && left.bytes <= WINDOW_BYTES / 2;
        if connection.lagging_since.is_some() && room {
            connection.lagging_since = None;
            for subscription in connection.subscriptions.values() {
                self.paces.insert(subscription.topic.source().clone(), Pace::due(now));
            }
        }
        Ok(())
    }

    /// Whether anybody listens.
    pub fn is_listened_to(&self) -> bool {
        !self.paces.is_empty()
    }

    /// Something may have happened: every source is due.
    pub fn stir(&mut self, now: Timestamp) {
        self.paces.values_mut().for_each(|pace| *pace = Pace::due(now));
    }

    /// The sources to look at now.
    pub fn due(&self, now: Timestamp) -> Vec<Source> {
        let due = self.paces.iter().filter(|(_, pace)| pace.is_due(now));
        due.map(|(source, _)| source.clone()).collect()
    }

    /// A source must be looked at again.
    pub fn stir_source(&mut self, source: &Source, now: Timestamp) {
        if let Some(pace) = self.paces.get_mut(source) {
            *pace = Pace::due(now);
        }
    }

    /// A source is being looked at.
    pub fn begin_look(&mut self, source: &Source, now: Timestamp) {
        if let Some(pace) = self.paces.get_mut(source) {
            *pace = pace.looking(now);
        }
    }

    /// When a source was looked at, and whether that brought something.
    pub fn looked(&mut self, source: &Source, found: bool, longest: Millis, now: Timestamp) {
        if let Some(pace) = self.paces.get_mut(source) {
            *pace = pace.next(source, found, longest, now);
        }
    }

    /// Closes what has had its time, and tells the others that they live. `pinged` says when the
    /// platform last answered a ping of a connection.
    pub fn tend(&mut self, now: Timestamp, pinged: impl Fn(&str) -> Option<Timestamp>) -> Vec<Out> {
        let closing = |(id, it): (&SocketId, &Connection)| {
            let over = closes(it, now, pinged(id))?;
            Some((id.clone(), over))
        };
        let over: Vec<(SocketId, Closing)> = self.connections.iter().filter_map(closing).collect();
        let mut outs: Vec<Out> =
            over.into_iter().flat_map(|(id, closing)| self.close(&id, closing)).collect();
        for (id, connection) in &mut self.connections {
            if connection.kept.who.is_some() && now >= heartbeat_at(connection) {
                connection.told_at = now;
                let subscriptions = connection.places();
                let told = LiveHeartbeat { kind: LiveHeartbeatType::IS, subscriptions };
                outs.push(Out::Send(id.clone(), text(&LiveServerMessage::Heartbeat(told))));
            }
        }
        outs
    }

    /// Closes a connection, which is told where to go on.
    pub fn close(&mut self, id: &str, closing: Closing) -> Vec<Out> {
        let Some(connection) = self.connections.get(id) else { return Vec::new() };
        let (code, _) = closing.code();
        let told = LiveClosing {
            kind: LiveClosingType::IS,
            code,
            reason: closing.message(),
            subscriptions: connection.places(),
        };
        if closing == Closing::SlowConsumer {
            self.dropped += 1;
        }
        self.forget(id);
        let told = text(&LiveServerMessage::Closing(told));
        vec![Out::Send(id.to_owned(), told), Out::Close(id.to_owned(), closing)]
    }

    /// When something is due next: a look, or the end of a time limit.
    pub fn next_at(&self) -> Option<Timestamp> {
        let looks = self.paces.values().map(|pace| pace.at());
        let ends = self.connections.values().flat_map(|it| {
            let pending = it.kept.who.is_none().then(|| it.since().plus(AUTHENTICATE_WITHIN));
            let known = it.kept.who.is_some();
            let life = known.then(|| it.since().plus(CONNECTION_LIFE).min(heartbeat_at(it)));
            [pending, life, it.lags_until()].into_iter().flatten()
        });
        looks.chain(ends).min()
    }

    /// How many bytes one connection may have under way.
    fn share_bytes(&self) -> usize {
        if self.unacknowledged_bytes < UNACKNOWLEDGED_BYTES_MAX {
            return WINDOW_BYTES;
        }
        (UNACKNOWLEDGED_BYTES_MAX / self.connections.len().max(1)).max(SHARE_BYTES_MIN)
    }

    /// Forgets sources that nobody listens to.
    fn forget_sources(&mut self) {
        let mut paces = std::mem::take(&mut self.paces);
        let all = self.connections.values().flat_map(|it| it.subscriptions.values());
        for subscription in all {
            let source = subscription.topic.source();
            if let Some(pace) = paces.remove(source) {
                self.paces.insert(source.clone(), pace);
            }
            if paces.is_empty() {
                break;
            }
        }
    }
}

/// A message as its text.
pub fn text(message: &LiveServerMessage) -> String {
    serde_json::to_string(message).expect("messages are made of JSON values")
}

fn heartbeat_at(connection: &Connection) -> Timestamp {
    let pause = if connection.subscriptions.is_empty() { HEARTBEAT_IDLE } else { HEARTBEAT };
    connection.told_at.plus(pause)
}

/// Why a connection has had its time.
fn closes(it: &Connection, now: Timestamp, pinged: Option<Timestamp>) -> Option<Closing> {
    let silent = |pinged: Timestamp| now >= pinged.max(it.heard_at).plus(SILENT_FOR);
    match it.kept.who {
        None => {
            (now >= it.since().plus(AUTHENTICATE_WITHIN)).then_some(Closing::AuthenticationLate)
        }
        Some(_) if it.lags_until().is_some_and(|until| now >= until) => Some(Closing::SlowConsumer),
        Some(_) if now >= it.since().plus(CONNECTION_LIFE) => Some(Closing::Expired),
        Some(_) => pinged.is_some_and(silent).then_some(Closing::Silent),
    }
}

#[cfg(test)]
mod tests;
