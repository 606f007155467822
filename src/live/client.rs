//! Typed calls of the Live object of an account.

use std::cell::RefCell;
use std::collections::HashMap;

use engine::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};
use worker::{WebSocket, web_sys};

use super::hub::{Figures, Who};
use crate::bindings::Bindings;
use crate::clock::now;
use crate::error::{ApiError, LiveFault};
use crate::fetches::Fetches;
use crate::within::within;

/// How a request to the object says whose it is.
pub const ACCOUNT_HEADER: &str = "x-live-account";
/// Who has authenticated, in JSON.
pub const WHO_HEADER: &str = "x-live-who";
/// The hash of a ticket.
pub const TICKET_HEADER: &str = "x-live-ticket";

/// How long an isolate remembers that nobody listens to an account. Who begins to listen meanwhile
/// hears of what happened by the object's own looks.
const UNHEARD_FOR: Millis = Millis::from_secs(2);
const UNHEARD_MAX: usize = 1_000;
/// How long a poke may take.
const POKE_LIMIT: Millis = Millis::from_secs(2);

thread_local! {
    static UNHEARD: RefCell<HashMap<String, Timestamp>> = RefCell::default();
}

/// How a connection is asked for.
pub enum Entry<'a> {
    /// By a credential that was checked.
    Known(&'a Who),
    /// By the hash of a ticket.
    Ticket(&'a str),
    /// By nothing yet: the first message will say.
    Pending,
}

/// What a poke comes to.
#[derive(Serialize, Deserialize)]
pub struct Moved {
    /// Whether anybody listens.
    pub listening: bool,
}

/// A ticket to keep.
#[derive(Serialize, Deserialize)]
pub struct Kept {
    /// Its hash.
    pub hash: String,
    /// Whose it is.
    pub who: Who,
}

/// Tells the Live object of an account that events may have been written. Best effort: what a lost
/// poke would have told, the object finds by itself.
pub async fn moved(bindings: &Bindings, account: &str) {
    if is_unheard(account, now()) {
        return;
    }
    let asked = within(POKE_LIMIT, post(bindings, account, "moved", "")).await;
    let Some(Ok((200, text))) = asked else { return };
    if serde_json::from_str::<Moved>(&text).is_ok_and(|moved| !moved.listening) {
        note_unheard(account, now());
    }
}

/// Keeps a ticket until it is used or over.
pub async fn keep_ticket(bindings: &Bindings, kept: &Kept) -> Result<(), ApiError> {
    let body = serde_json::to_string(kept).map_err(|error| unavailable(error.to_string()))?;
    match post(bindings, &kept.who.account, "ticket", &body).await? {
        (200, _) => Ok(()),
        (429, _) => Err(LiveFault::Full.into()),
        (status, text) => Err(unexpected(status, &text)),
    }
}

/// What operators see of an account's connections.
pub async fn figures(bindings: &Bindings, account: &str) -> Result<Figures, ApiError> {
    let (status, text) = post(bindings, account, "figures", "").await?;
    serde_json::from_str(&text).map_err(|_| unexpected(status, &text))
}

/// The client's end of a new connection.
pub async fn join(
    bindings: &Bindings,
    account: &str,
    entry: Entry<'_>,
) -> Result<WebSocket, ApiError> {
    let init = web_sys::RequestInit::new();
    let headers = worker::Headers::new();
    let mut fields =
        vec![("upgrade", "websocket".to_owned()), (ACCOUNT_HEADER, account.to_owned())];
    match entry {
        Entry::Known(who) => {
            let who = serde_json::to_string(who).map_err(|error| unavailable(error.to_string()))?;
            fields.push((WHO_HEADER, who));
        }
        Entry::Ticket(hash) => fields.push((TICKET_HEADER, hash.to_owned())),
        Entry::Pending => {}
    }
    for (name, value) in fields {
        headers.set(name, &value).map_err(|error| unavailable(error.to_string()))?;
    }
    init.set_headers(&headers.0);
    let failed =
        |error: worker::wasm_bindgen::JsValue| unavailable(crate::fetches::message(&error));
    let stub = bindings.live(account)?.into_rpc::<Fetches>();
    let response = stub.send("https://live/join", &init).await.map_err(failed)?;
    match response.status() {
        101 => {
            let socket = worker::Response::from(response).websocket();
            socket.ok_or_else(|| unavailable("an upgrade without a socket".to_owned()))
        }
        401 => Err(LiveFault::TicketInvalid.into()),
        429 => Err(LiveFault::Full.into()),
        status => Err(unexpected(status, "")),
    }
}

async fn post(
    bindings: &Bindings,
    account: &str,
    what: &str,
    body: &str,
) -> Result<(u16, String), ApiError> {
    let stub = bindings.live(account)?.into_rpc::<Fetches>();
    stub.post(&format!("https://live/{what}"), body).await.map_err(unavailable)
}

fn unavailable(cause: String) -> ApiError {
    LiveFault::Unavailable { cause }.into()
}

fn unexpected(status: u16, text: &str) -> ApiError {
    let start: String = text.chars().take(200).collect();
    unavailable(format!("status {status}: {start}"))
}

fn is_unheard(account: &str, now: Timestamp) -> bool {
    UNHEARD.with_borrow(|unheard| unheard.get(account).is_some_and(|until| *until > now))
}

fn note_unheard(account: &str, now: Timestamp) {
    UNHEARD.with_borrow_mut(|unheard| {
        if unheard.len() >= UNHEARD_MAX {
            unheard.retain(|_, until| *until > now);
        }
        if unheard.len() < UNHEARD_MAX {
            unheard.insert(account.to_owned(), now.plus(UNHEARD_FOR));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_poked_for_nobody_for_a_while() {
        let at = Timestamp::from_millis(1_000);
        assert!(!is_unheard("acme", at));
        note_unheard("acme", at);
        assert!(is_unheard("acme", at.plus(Millis::new(1_999))));
        assert!(!is_unheard("acme", at.plus(UNHEARD_FOR)));
        assert!(!is_unheard("other", at));
    }
}
