//! The Durable Object that fans events out to the WebSockets of an account: performs what
//! [`hub`] decides. It writes nothing that matters: what happened stands in D1 and in journals,
//! and a client that comes back with its cursors misses nothing.
//!
//! Sockets are held by the platform while the object sleeps. It wakes for messages, for pokes of
//! writers ([`moved`]), and by its alarm while somebody listens, to find what a lost poke would
//! have told.

mod client;
mod hub;
mod limits;
mod look;
mod pace;
mod place;
mod refusal;
mod room;
mod sources;
mod store;
mod talk;
mod topic;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use engine::time::{Millis, Timestamp};
use serde_json::json;
use worker::wasm_bindgen::{JsCast, prelude::wasm_bindgen};
use worker::{
    DurableObject, Env, Request, Response, State, WebSocket, WebSocketIncomingMessage,
    WebSocketPair, WebSocketRequestResponsePair, durable_object, js_sys, wasm_bindgen, web_sys,
};

use crate::auth::{Caller, Scope};
use crate::bindings::Bindings;
use crate::clock::{self, now};
use crate::config;
use crate::log::{self, Level};
use crate::request::{Deployment, RequestContext};
use client::{ACCOUNT_HEADER, Kept as KeptTicket, Moved, TICKET_HEADER, WHO_HEADER};
pub use client::{Entry, Kept, figures, join, keep_ticket, moved};
use hub::Kept as KeptConnection;
pub use hub::{Figures, Who};
use limits::{TICKET_LIFE, TICKETS_MAX};
use room::Room;

/// The protocol, as a client names it among its subprotocols.
pub const PROTOCOL: &str = "bitware.v1";
/// How long a ticket is good, in seconds.
pub const TICKET_LIFE_S: u32 = 30;
/// The ping that is answered while the object sleeps, and its answer.
const PING: &str = r#"{"type":"ping"}"#;
const PONG: &str = r#"{"type":"pong"}"#;

/// Who a caller is to a connection.
pub fn who(caller: &Caller) -> Who {
    Who {
        account: caller.account().to_owned(),
        name: caller.name(),
        administers: caller.scopes().contains(Scope::Admin),
    }
}

/// See the module.
#[durable_object]
pub struct Live {
    inner: Rc<Inner>,
}

struct Inner {
    state: State,
    env: Env,
    /// Loaded by the first event.
    room: RefCell<Option<Room>>,
    /// The alarm that is set, as far as this object knows.
    alarm: Cell<Option<Timestamp>>,
    looking_since: Cell<Option<Timestamp>>,
}

impl DurableObject for Live {
    fn new(state: State, env: Env) -> Self {
        if let Ok(pair) = WebSocketRequestResponsePair::new(PING, PONG) {
            state.set_websocket_auto_response(&pair);
        }
        let (room, alarm, looking_since) = (RefCell::new(None), Cell::new(None), Cell::new(None));
        Self { inner: Rc::new(Inner { state, env, room, alarm, looking_since }) }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        match request.path().as_str() {
            "/moved" => self.inner.moved(),
            "/figures" => Response::from_json(&self.inner.with(|room| Ok(room.hub.figures()))?),
            "/ticket" => {
                let kept: KeptTicket = serde_json::from_str(&request.text().await?)?;
                self.inner.keep_ticket(&kept)
            }
            "/join" => self.inner.join(&request).await,
            _ => Response::error("unknown", 404),
        }
    }

    async fn alarm(&self) -> worker::Result<Response> {
        self.inner.alarm.set(None);
        self.inner.tend()?;
        self.inner.look().await;
        self.inner.keep_alarm().await?;
        Response::empty()
    }

    async fn websocket_message(
        &self,
        socket: WebSocket,
        message: WebSocketIncomingMessage,
    ) -> worker::Result<()> {
        self.inner.hear(&socket, message).await
    }

    async fn websocket_close(
        &self,
        socket: WebSocket,
        code: usize,
        _: String,
        _: bool,
    ) -> worker::Result<()> {
        // The client meets an abnormal end unless its close frame is answered.
        let code = u16::try_from(code).ok().filter(|code| (3000..5000).contains(code));
        socket.close(Some(code.unwrap_or(1000)), Some("")).ok();
        self.inner.leave(&socket)
    }

    async fn websocket_error(&self, socket: WebSocket, _: worker::Error) -> worker::Result<()> {
        self.inner.leave(&socket)
    }
}

impl Inner {
    /// Uses the room, which is loaded by the first use after this object was made or woke.
    fn with<T>(&self, work: impl FnOnce(&mut Room) -> worker::Result<T>) -> worker::Result<T> {
        let mut slot = self.room.borrow_mut();
        if slot.is_none() {
            *slot = Some(Room::load(&self.state, now())?);
        }
        work(slot.as_mut().expect("the room was just loaded"))
    }

    /// What the HTTP API has for each request, for what is checked and read here.
    fn context(&self) -> RequestContext {
        let deployment = Deployment {
            config: config::of(&self.env),
            bindings: Bindings::of(self.env.clone()),
            invocation: None,
        };
        RequestContext::new(&HeaderMap::new(), deployment)
    }

    fn moved(self: &Rc<Self>) -> worker::Result<Response> {
        let listening = self.with(|room| {
            room.hub.stir(now());
            Ok(room.hub.is_listened_to())
        })?;
        if listening {
            self.look_soon();
        }
        Response::from_json(&Moved { listening })
    }

    fn keep_ticket(&self, kept: &KeptTicket) -> worker::Result<Response> {
        let at = now();
        let until = at.plus(TICKET_LIFE);
        let times = (at.as_millis(), until.as_millis());
        let KeptTicket { hash, who } = kept;
        match self.with(|room| room.store.keep_ticket(hash, who, times, TICKETS_MAX))? {
            true => Response::empty(),
            false => Response::error("too many tickets", 429),
        }
    }

    async fn join(&self, request: &Request) -> worker::Result<Response> {
        let headers = request.headers();
        let account = headers.get(ACCOUNT_HEADER)?.unwrap_or_default();
        let at = now();
        let who = match (headers.get(WHO_HEADER)?, headers.get(TICKET_HEADER)?) {
            (Some(who), _) => Some(serde_json::from_str::<Who>(&who)?),
            (None, Some(hash)) => {
                let used = self.with(|room| room.store.use_ticket(&hash, at.as_millis()))?;
                if used.is_none() {
                    return Response::error("the ticket is none", 401);
                }
                used
            }
            (None, None) => None,
        };
        if !self.with(|room| Ok(room.hub.has_place(who.is_some())))? {
            return Response::error("all places are taken", 429);
        }
        let pair = WebSocketPair::new()?;
        let id = format!("{:016x}", clock::entropy());
        self.state.accept_websocket_with_tags(&pair.server, &[&id]);
        let kept = KeptConnection { who, since_ms: at.as_millis() };
        pair.server.serialize_attachment(serde_json::to_string(&kept)?)?;
        let known = kept.who.is_some();
        let fields = json!({ "event": "live.opened", "account": account, "connection": id });
        self.with(|room| room.enter(&account, id, pair.server, kept, at))?;
        log::write(Level::Debug, fields);
        if known {
            self.keep_alarm().await?;
        } else {
            // Nothing else would wake the object in time.
            self.set_alarm(at.plus(limits::AUTHENTICATE_WITHIN)).await?;
        }
        Response::from_websocket(pair.client)
    }

    fn leave(&self, socket: &WebSocket) -> worker::Result<()> {
        let Some(id) = self.state.get_tags(socket).into_iter().next() else { return Ok(()) };
        self.with(|room| room.leave(&id))
    }

    /// Closes what has had its time, and tells the others that they live.
    fn tend(&self) -> worker::Result<()> {
        let pinged = |socket: &WebSocket| pinged(&self.state, socket);
        self.with(|room| room.tend(now(), pinged))
    }

    async fn keep_alarm(&self) -> worker::Result<()> {
        let wanted = self.with(|room| Ok(room.hub.next_at()))?;
        match (wanted, self.alarm.get()) {
            (Some(wanted), Some(set)) if set <= wanted => Ok(()),
            (Some(wanted), _) => self.set_alarm(wanted).await,
            (None, _) => Ok(()),
        }
    }

    async fn set_alarm(&self, at: Timestamp) -> worker::Result<()> {
        // An alarm in the past may never come.
        let at = at.max(now().plus(Millis::new(1)));
        if self.alarm.get().is_some_and(|set| set <= at && set > now()) {
            return Ok(());
        }
        let moment: Option<DateTime<Utc>> = DateTime::from_timestamp_millis(at.as_millis());
        self.alarm.set(Some(at));
        self.state.storage().set_alarm(moment.unwrap_or_default()).await
    }
}

#[wasm_bindgen]
extern "C" {
    /// A Durable Object's state; the binding of the platform leaves this method out.
    type Answers;

    #[wasm_bindgen(method, catch, js_name = getWebSocketAutoResponseTimestamp)]
    fn answered_at(
        this: &Answers,
        socket: &web_sys::WebSocket,
    ) -> Result<wasm_bindgen::JsValue, wasm_bindgen::JsValue>;
}

/// When the platform last answered a ping of a connection.
fn pinged(state: &State, socket: &WebSocket) -> Option<Timestamp> {
    let state: &Answers = state.as_raw().unchecked_ref();
    let at = state.answered_at(socket.as_ref()).ok()?.dyn_into::<js_sys::Date>().ok()?;
    Some(Timestamp::from_millis(at.get_time() as i64))
}

fn failed(event: &str, error: &str) {
    log::write(Level::Warn, json!({ "event": event, "error": error }));
}
