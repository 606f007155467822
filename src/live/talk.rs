//! What clients say: each message is read, checked and done, or refused with a code.

use std::rc::Rc;

use api_types::live::{
    LiveAck, LiveAuthenticate, LivePing, LivePong, LivePongType, LiveServerMessage, LiveSubscribe,
    LiveUnsubscribe,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::ToSchema;
use worker::{WebSocket, WebSocketIncomingMessage};

use super::hub::{Kept, Out, text};
use super::refusal::{Closing, Refusal};
use super::{Inner, who};
use crate::auth::{ClientRead, authorize, headers_of};
use crate::clock::now;
use crate::error::ApiError;
use crate::extract::{JsonDocument, value_of};

/// A message that fits.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time is read and met at once")]
enum Said {
    Authenticate(LiveAuthenticate),
    Subscribe(LiveSubscribe),
    Unsubscribe(LiveUnsubscribe),
    Ack(LiveAck),
    Ping(LivePing),
}

/// What is wrong with a message, and what it is about.
#[derive(Debug)]
struct Wrong {
    id: Option<String>,
    refusal: Refusal,
}

impl Inner {
    /// Takes a frame of a client.
    pub(super) async fn hear(
        self: &Rc<Self>,
        socket: &WebSocket,
        message: WebSocketIncomingMessage,
    ) -> worker::Result<()> {
        let Some(id) = self.state.get_tags(socket).into_iter().next() else { return Ok(()) };
        let (message, bytes) = match message {
            WebSocketIncomingMessage::String(text) => (Ok(text), 0),
            WebSocketIncomingMessage::Binary(bytes) => (Err(Closing::Binary), bytes.len()),
        };
        let bytes = message.as_ref().map_or(bytes, String::len);
        let heard = self.with(|room| Ok(room.hub.hear(&id, bytes, now())))?;
        let message = match (heard, message) {
            (Ok(()), Ok(message)) => message,
            (Err(closing), _) | (Ok(()), Err(closing)) => return self.close(&id, closing),
        };
        let done = match read(&message) {
            Ok(said) => {
                let about = said.about();
                let done = self.perform(&id, said).await?;
                done.map_err(|refusal| Wrong { id: about, refusal })
            }
            Err(wrong) => Err(wrong),
        };
        if let Err(Wrong { id: about, refusal }) = done {
            let told = LiveServerMessage::Error(refusal.message(about.as_deref()));
            self.say(&id, &told)?;
            if let Err(closing) = self.with(|room| Ok(room.hub.misheard(&id)))? {
                self.close(&id, closing)?;
            }
        }
        Ok(())
    }

    async fn perform(self: &Rc<Self>, id: &str, said: Said) -> worker::Result<Result<(), Refusal>> {
        let at = now();
        match said {
            Said::Authenticate(shown) => self.authenticate(id, &shown).await,
            Said::Subscribe(asked) => {
                let begun = self.with(|room| {
                    let begun = room.hub.subscribe(id, asked, at);
                    room.keep()?;
                    Ok(begun)
                })?;
                if begun.is_ok() {
                    self.look_soon();
                }
                Ok(begun)
            }
            Said::Unsubscribe(over) => self.with(|room| {
                let ended = room.hub.unsubscribe(id, &over.id, "asked");
                if let Ok(told) = ended {
                    room.store.forget(id, &over.id)?;
                    room.perform(vec![told])?;
                    return Ok(Ok(()));
                }
                Ok(ended.map(drop))
            }),
            Said::Ack(ack) => {
                let due = |room: &mut super::room::Room| !room.hub.due(at).is_empty();
                let (done, look) = self.with(|room| {
                    let done = room.hub.acknowledge(id, &ack.id, &ack.cursor, at);
                    Ok((done, due(room)))
                })?;
                if look {
                    self.look_soon();
                }
                Ok(done)
            }
            Said::Ping(ping) => {
                let pong = LivePong { kind: LivePongType::IS, id: ping.id };
                self.say(id, &LiveServerMessage::Pong(pong))?;
                Ok(Ok(()))
            }
        }
    }

    /// Checks a credential. One that is wrong ends the connection, even where another was good
    /// before.
    async fn authenticate(
        self: &Rc<Self>,
        id: &str,
        shown: &LiveAuthenticate,
    ) -> worker::Result<Result<(), Refusal>> {
        let context = self.context();
        let checked = match headers_of(&shown.token, shown.worker_id.as_deref()) {
            Some(headers) => authorize::<ClientRead>(&context, &headers).await,
            None => Err(ApiError::ApiKeyInvalid),
        };
        let (refusal, closing) = match checked {
            Ok(caller) => {
                let who = who(&caller);
                if self.with(|room| Ok(room.account == who.account))? {
                    let kept = Kept { who: Some(who), since_ms: now().as_millis() };
                    self.with(|room| room.vouch(id, kept))?;
                    self.keep_alarm().await?;
                    return Ok(Ok(()));
                }
                (Refusal::AccountForeign, Closing::AccountForeign)
            }
            Err(error) if error.code().status().is_server_error() => {
                return Ok(Err(Refusal::of(&error)));
            }
            Err(error) => (Refusal::of(&error), Closing::AuthenticationFailed),
        };
        self.say(id, &LiveServerMessage::Error(refusal.message(None)))?;
        self.close(id, closing)?;
        Ok(Ok(()))
    }

    fn say(&self, id: &str, message: &LiveServerMessage) -> worker::Result<()> {
        let out = Out::Send(id.to_owned(), text(message));
        self.with(|room| room.perform(vec![out]))
    }

    fn close(&self, id: &str, closing: Closing) -> worker::Result<()> {
        self.with(|room| {
            let outs = room.hub.close(id, closing);
            room.perform(outs)
        })
    }
}

impl Said {
    /// What an error about it is about.
    fn about(&self) -> Option<String> {
        match self {
            Self::Authenticate(_) => None,
            Self::Subscribe(LiveSubscribe { id, .. })
            | Self::Unsubscribe(LiveUnsubscribe { id, .. })
            | Self::Ack(LiveAck { id, .. }) => Some(id.clone()),
            Self::Ping(LivePing { id, .. }) => id.clone(),
        }
    }
}

/// Reads a message. The `type` picks the schema, so that what does not fit is named exactly.
fn read(message: &str) -> Result<Said, Wrong> {
    let value = value_of(message.as_bytes())
        .map_err(|error| Wrong { id: None, refusal: Refusal::of(&error) })?;
    let id = value.get("id").and_then(Value::as_str).filter(|id| id.len() <= 64);
    let id = id.map(str::to_owned);
    let wrong = |refusal| Wrong { id: id.clone(), refusal };
    let kind = value.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let unfit = |error: ApiError| wrong(Refusal::of(&error));
    match kind.as_str() {
        "authenticate" => fit(value).map(Said::Authenticate).map_err(unfit),
        "subscribe" => fit(value).map(Said::Subscribe).map_err(unfit),
        "unsubscribe" => fit(value).map(Said::Unsubscribe).map_err(unfit),
        "ack" => fit(value).map(Said::Ack).map_err(unfit),
        "ping" => fit(value).map(Said::Ping).map_err(unfit),
        _ => Err(wrong(Refusal::TypeUnknown)),
    }
}

fn fit<T: ToSchema + DeserializeOwned + 'static>(value: Value) -> Result<T, ApiError> {
    JsonDocument::<T>::of(value).typed()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn code(message: &str) -> (Option<String>, String, Vec<String>) {
        let Wrong { id, refusal } = read(message).unwrap_err();
        let told = refusal.message(id.as_deref());
        (told.id, told.code, told.violations.into_iter().map(|it| it.pointer).collect())
    }

    #[test]
    fn what_fits_is_read() {
        for message in [
            json!({ "type": "authenticate", "token": "x" }),
            json!({ "type": "authenticate", "token": "x", "worker_id": "me" }),
            json!({ "type": "subscribe", "id": "a", "topic": "jobs" }),
            json!({ "type": "subscribe", "id": "a:1", "topic": "x", "filter": {}, "cursor": "0" }),
            json!({ "type": "unsubscribe", "id": "a" }),
            json!({ "type": "ack", "id": "a", "cursor": "3.1" }),
            json!({ "type": "ping" }),
            json!({ "type": "ping", "id": "x" }),
        ] {
            assert!(read(&message.to_string()).is_ok(), "{message}");
        }
    }

    #[test]
    fn garbage_is_told_what_is_wrong_with_it() {
        for (message, expected) in [
            ("", "json.malformed"),
            ("{", "json.malformed"),
            ("null", "live.type_unknown"),
            ("[]", "live.type_unknown"),
            (r#"{"type":7}"#, "live.type_unknown"),
            (r#"{"type":"welcome"}"#, "live.type_unknown"),
            (r#"{"type":"subscribe"}"#, "request.invalid"),
            (&format!("{}1{}", "[".repeat(400), "]".repeat(400)), "json.malformed"),
        ] {
            assert_eq!(code(message).1, expected, "{message}");
        }
        let (id, _, pointers) = code(r#"{"type":"subscribe","id":"a","topc":1,"cursor":"x"}"#);
        assert_eq!(id.as_deref(), Some("a"));
        assert_eq!(pointers.len(), 3, "{pointers:?}");
        assert!(pointers.contains(&"/cursor".to_owned()), "{pointers:?}");
        let (id, _, _) = code(&json!({ "type": "ack", "id": "x".repeat(65) }).to_string());
        assert_eq!(id, None, "what is too long is not repeated");
    }
}
