//! What a Live object holds while it is awake: the hub, the sockets, and the store. It performs
//! what the hub says.

use std::collections::{BTreeMap, BTreeSet};

use api_types::live::{LiveServerMessage, LiveSubscribe, LiveWelcome, LiveWelcomeType, LiveWindow};
use engine::time::Timestamp;
use serde_json::json;
use worker::{State, WebSocket};

use super::PROTOCOL;
use super::hub::{Hub, Kept, Out, SocketId, Stage, Subscription, text};
use super::limits::{
    CONNECTION_LIFE, HEARTBEAT, MESSAGE_BYTES_MAX, SUBSCRIPTIONS_MAX, WINDOW_BYTES, WINDOW_MESSAGES,
};
use super::place::Place;
use super::refusal::Closing;
use super::store::{Row, Store};
use super::topic::Topic;
use crate::db::iso;
use crate::journal::Platform;
use crate::log::{self, Level};

/// See the module.
pub struct Room {
    /// Who gets what.
    pub hub: Hub,
    /// What outlives sleep.
    pub store: Store<Platform>,
    /// The account; empty while nobody was here.
    pub account: String,
    sockets: BTreeMap<SocketId, WebSocket>,
}

impl Room {
    /// The room of an object that was made, or woke.
    pub fn load(state: &State, now: Timestamp) -> worker::Result<Self> {
        let store = Store::open(Platform::of(state.storage()))?;
        let (delivered, dropped) = store.counted()?;
        let mut hub = Hub::counted(delivered, dropped);
        let mut sockets = BTreeMap::new();
        for socket in state.get_websockets() {
            let id = state.get_tags(&socket).into_iter().next();
            let kept: Option<String> = socket.deserialize_attachment()?;
            let kept = kept.and_then(|text| serde_json::from_str::<Kept>(&text).ok());
            if let (Some(id), Some(kept)) = (id, kept) {
                hub.open(id.clone(), kept, now);
                sockets.insert(id, socket);
            }
        }
        let heads = store.heads()?;
        for Row { socket, asked, stage } in store.subscriptions()? {
            match restored(&hub, &socket, &asked, stage, &heads) {
                Some(subscription) => hub.restore(&socket, subscription, now),
                // Its connection went while nobody was there to note it.
                None => store.forget_all(&socket)?,
            }
        }
        heads.into_iter().for_each(|head| hub.restore_head(head));
        let account = store.account()?.unwrap_or_default();
        Ok(Self { hub, store, account, sockets })
    }

    /// A connection was opened.
    pub fn enter(
        &mut self,
        account: &str,
        id: SocketId,
        socket: WebSocket,
        kept: Kept,
        now: Timestamp,
    ) -> worker::Result<()> {
        if self.account.is_empty() {
            self.store.set_account(account)?;
            account.clone_into(&mut self.account);
        }
        self.sockets.insert(id.clone(), socket);
        self.hub.open(id.clone(), kept, now);
        self.welcome(&id);
        Ok(())
    }

    /// Says to a connection that its credential is good, if it has one.
    pub fn welcome(&mut self, id: &str) {
        let Some(connection) = self.hub.connection(id) else { return };
        let Some(who) = &connection.kept.who else { return };
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let told = LiveWelcome {
            kind: LiveWelcomeType::IS,
            protocol: PROTOCOL.to_owned(),
            connection: id.to_owned(),
            account: who.account.clone(),
            caller: who.name.clone(),
            expires_at: iso(connection.since().plus(CONNECTION_LIFE)),
            window: LiveWindow { messages: number(WINDOW_MESSAGES), bytes: number(WINDOW_BYTES) },
            subscriptions_max: number(SUBSCRIPTIONS_MAX),
            message_bytes_max: number(MESSAGE_BYTES_MAX),
            heartbeat_s: u32::try_from(HEARTBEAT.get() / 1000).unwrap_or(u32::MAX),
        };
        let told = text(&LiveServerMessage::Welcome(told));
        self.perform(vec![Out::Send(id.to_owned(), told)]).ok();
    }

    /// Somebody authenticated on a connection.
    pub fn vouch(&mut self, id: &str, kept: Kept) -> worker::Result<()> {
        if let Some(socket) = self.sockets.get(id) {
            socket.serialize_attachment(serde_json::to_string(&kept)?)?;
        }
        self.hub.vouch(id, kept);
        self.welcome(id);
        Ok(())
    }

    /// A connection is no more.
    pub fn leave(&mut self, id: &str) -> worker::Result<()> {
        self.sockets.remove(id);
        self.hub.forget(id);
        self.store.forget_all(id)
    }

    /// Closes what has had its time, and tells the others that they live.
    pub fn tend(
        &mut self,
        now: Timestamp,
        pinged: impl Fn(&WebSocket) -> Option<Timestamp>,
    ) -> worker::Result<()> {
        let sockets = &self.sockets;
        let outs = self.hub.tend(now, |id| sockets.get(id).and_then(&pinged));
        self.perform(outs)
    }

    /// Sends what is to be sent and closes what is to be closed. A socket that takes nothing is one
    /// whose end nobody reported: it is forgotten.
    pub fn perform(&mut self, outs: Vec<Out>) -> worker::Result<()> {
        let mut dead = BTreeSet::new();
        for out in outs {
            match out {
                Out::Send(id, text) => {
                    let socket = self.sockets.get(&id);
                    if socket.is_some_and(|socket| socket.send_with_str(text).is_err()) {
                        dead.insert(id);
                    }
                }
                Out::Close(id, closing) => self.close(&id, closing)?,
            }
        }
        dead.iter().try_for_each(|id| self.leave(id))
    }

    /// Stores what moved, after it was sent: whoever missed it for that has lost its connection,
    /// and comes back with its own cursors.
    pub fn keep(&mut self) -> worker::Result<()> {
        let unkept = self.hub.unkept();
        if unkept.is_empty() {
            return Ok(());
        }
        let figures = self.hub.figures();
        self.store.keep(&unkept, (figures.delivered, figures.dropped))
    }

    fn close(&mut self, id: &str, closing: Closing) -> worker::Result<()> {
        let (code, reason) = closing.code();
        if closing == Closing::SlowConsumer {
            log::write(
                Level::Warn,
                json!({
                    "event": "live.consumer_dropped", "account": self.account, "connection": id,
                }),
            );
        }
        if let Some(socket) = self.sockets.remove(id) {
            socket.close(Some(code), Some(reason)).ok();
        }
        self.store.forget_all(id)
    }
}

/// A subscription as it was stored; `None` where its connection is no more.
fn restored(
    hub: &Hub,
    socket: &str,
    asked: &str,
    stage: Option<Stage>,
    heads: &[super::hub::Head],
) -> Option<Subscription> {
    let who = hub.connection(socket)?.kept.who.as_ref()?;
    let asked: LiveSubscribe = serde_json::from_str(asked).ok()?;
    let topic = Topic::of(&asked, who.administers).ok()?;
    let head = heads.iter().find(|head| head.source == *topic.source()).map(|head| head.place);
    let (now, stored) = match stage {
        Some(stage) => (stage, stage),
        None => (Stage::At(head?), Stage::At(Place::END)),
    };
    Some(Subscription::new(asked, topic, now, Some(stored)))
}
