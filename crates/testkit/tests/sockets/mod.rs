//! A client of `/ws`, as a team would write one: it says and hears messages, and keeps nothing from
//! the test that reads them.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use testkit::stack::{CLIENT_API_KEY, Stack, key_hash};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// The longest that a test waits for a message.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A key of the account `acme` that may do everything there.
pub const ACME_KEY: &str = "bwk_acmeacmeacmeacmeacmeacmeacmeacmeacmeacmeacm";
/// One that may only start executions.
pub const EXECUTE_KEY: &str = "bwk_execexecexecexecexecexecexecexecexecexecexe";

/// The account and its keys.
pub fn accounts() -> String {
    let (acme, execute) = (key_hash(ACME_KEY), key_hash(EXECUTE_KEY));
    format!(
        "INSERT INTO accounts (id, name) VALUES ('acme', 'Acme');
         INSERT INTO api_keys (id, account_id, name, key_hash, scopes) VALUES
           ('acme-key', 'acme', 'a', '{acme}', '[\"execute\",\"read\",\"admin\"]'),
           ('execute-key', 'acme', 'e', '{execute}', '[\"execute\"]');"
    )
}

/// An open connection.
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// Why a connection was not opened: the status and the body of the reply.
pub type Refused = (u16, Value);

/// What a connection was told.
#[derive(Debug)]
pub enum Heard {
    /// A message.
    Message(Value),
    /// The close frame: its code and its reason.
    Closed(u16, String),
}

impl Socket {
    /// Opens `path` with these headers.
    pub async fn open(
        stack: &Stack,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Refused> {
        let url = format!("{}{path}", stack.url().replacen("http", "ws", 1));
        let mut request = url.into_client_request().expect("an address");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        match connect_async(request).await {
            Ok((socket, reply)) => {
                let named = reply.headers().get("sec-websocket-protocol");
                assert!(named.is_none_or(|named| named == "bitware.v1"), "{named:?}");
                Ok(Self(socket))
            }
            Err(Error::Http(reply)) => {
                let body = reply.body().clone().unwrap_or_default();
                Err((reply.status().as_u16(), serde_json::from_slice(&body).unwrap_or_default()))
            }
            Err(error) => panic!("{path} was not answered: {error}"),
        }
    }

    /// Opens a connection with the client key, and is welcome.
    pub async fn welcome(stack: &Stack) -> Self {
        let opened = Self::open(stack, "/ws", &[("x-api-key", CLIENT_API_KEY)]).await;
        let mut socket = opened.unwrap_or_else(|refused| panic!("{refused:?}"));
        let welcome = socket.message().await;
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        socket
    }

    /// Says a message.
    pub async fn say(&mut self, message: Value) {
        self.frame(Message::text(message.to_string())).await;
    }

    /// Sends a frame; one that the other side does not want any more is lost.
    pub async fn frame(&mut self, frame: Message) {
        self.0.send(frame).await.ok();
    }

    /// What comes next; `None` after so long.
    pub async fn hear(&mut self, patience: Duration) -> Option<Heard> {
        let until = tokio::time::Instant::now() + patience;
        loop {
            let next = tokio::time::timeout_at(until, self.0.next()).await.ok()?;
            match next {
                Some(Ok(Message::Text(text))) => {
                    let message = serde_json::from_str(&text).expect("messages are JSON");
                    return Some(Heard::Message(message));
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Some(Heard::Closed(frame.code.into(), frame.reason.to_string()));
                }
                Some(Ok(Message::Close(None))) => return Some(Heard::Closed(1005, String::new())),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Some(Heard::Closed(1006, error.to_string())),
                None => return Some(Heard::Closed(1006, "the stream ended".to_owned())),
            }
        }
    }

    /// The next message.
    pub async fn message(&mut self) -> Value {
        match self.hear(PATIENCE).await {
            Some(Heard::Message(message)) => message,
            other => panic!("no message but {other:?}"),
        }
    }

    /// The next message of a type; heartbeats and others on the way are passed over.
    pub async fn of_type(&mut self, kind: &str) -> Value {
        loop {
            let message = self.message().await;
            if message["type"] == kind {
                return message;
            }
            assert!(message["type"] != "error" || kind == "error", "{message}");
        }
    }

    /// The code of the close frame, whatever comes before it.
    pub async fn closed(&mut self) -> u16 {
        loop {
            match self.hear(PATIENCE).await {
                Some(Heard::Closed(code, _)) => return code,
                Some(Heard::Message(_)) => {}
                None => panic!("it stays open"),
            }
        }
    }

    /// Subscribes, and waits until that has begun: where.
    pub async fn subscribe(&mut self, id: &str, topic: &str, cursor: Option<&str>) -> String {
        let mut message = json!({ "type": "subscribe", "id": id, "topic": topic });
        if let Some(cursor) = cursor {
            message["cursor"] = cursor.into();
        }
        self.say(message).await;
        let begun = self.of_type("subscribed").await;
        assert_eq!(begun["id"], id, "{begun}");
        begun["cursor"].as_str().unwrap_or_default().to_owned()
    }

    /// Says that everything up to a cursor was dealt with.
    pub async fn acknowledge(&mut self, id: &str, cursor: &str) {
        self.say(json!({ "type": "ack", "id": id, "cursor": cursor })).await;
    }

    /// Asks for an answer, which comes after everything that was said before.
    pub async fn answers(&mut self) -> bool {
        self.say(json!({ "type": "ping", "id": "there" })).await;
        self.of_type("pong").await["id"] == "there"
    }
}
