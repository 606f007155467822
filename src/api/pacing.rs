//! The pace of server-sent events, for every endpoint that tells what arrives: when the source is
//! asked again, when a quiet connection shows that it lives, how long one lives, and when a source
//! that gives no answer is given up. It must not know what is told.

use std::convert::Infallible;
use std::fmt::Display;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use engine::time::{Millis, Timestamp};
use futures::stream::{Stream, unfold};
use worker::Delay;
use worker::send::SendFuture;

use crate::clock::now;
use crate::error::ApiError;

/// The longest that a connection lives.
const LIFE: Millis = Millis::from_secs(600);
/// How often a connection on which nothing happens shows that it lives.
const HEARTBEAT: Millis = Millis::from_secs(15);
/// How often in a row a source may give no answer.
pub const FAILURES_MAX: u32 = 5;
/// When a client comes back whose connection ended.
const COME_BACK: Millis = Millis::from_secs(2);

/// What a look at a source brings.
#[derive(Debug, PartialEq, Eq)]
pub enum Look {
    /// Frames; there may be more at once.
    Frames(String),
    /// Frames, and nothing after them.
    Last(String),
    /// Nothing so far.
    Nothing,
    /// Nothing, and nothing will come.
    Over,
    /// No answer: why, for the log.
    Silent(String),
}

/// Where what is told comes from.
pub trait Source: Send + 'static {
    /// The first and the longest pause between two looks at which there is nothing.
    const PAUSES: (Millis, Millis);

    /// Looks for what follows on what was brought before.
    fn look(&mut self) -> impl Future<Output = Look>;

    /// Says in the log that the source gave no answer for too long.
    fn given_up(&self, error: &str);
}

/// The reply that tells what `source` brings, as long as somebody listens.
pub fn reply<S: Source>(source: S) -> Response {
    let mut response = Response::new(Body::from_stream(stream(source)));
    let kind = HeaderValue::from_static("text/event-stream; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The number that `Last-Event-ID` names, where what is told has numbers; none where it is absent.
pub fn last_number(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    let fits = |number: &u64| *number < 1 << 53;
    let message = "the ids of this stream are whole numbers".to_owned();
    number.filter(fits).map(Some).ok_or(ApiError::EventIdInvalid { message })
}

/// One event as a frame. `data` holds no line break: it is JSON on one line.
pub fn frame(id: impl Display, event: &str, data: &str) -> String {
    format!("id: {id}\nevent: {event}\ndata: {data}\n\n")
}

/// The text of the stream, piece by piece.
pub fn stream<S: Source>(source: S) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    unfold(Pacing::of(source), |mut pacing| {
        SendFuture::new(async move {
            let piece = pacing.next().await?;
            Some((Ok(Bytes::from(piece)), pacing))
        })
    })
}

struct Pacing<S> {
    source: S,
    pause: Millis,
    heartbeat_at: Timestamp,
    closes_at: Timestamp,
    failures: u32,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Opening,
    Open,
    Closed,
}

impl<S: Source> Pacing<S> {
    fn of(source: S) -> Self {
        Self {
            source,
            pause: S::PAUSES.0,
            heartbeat_at: now().plus(HEARTBEAT),
            closes_at: now().plus(LIFE),
            failures: 0,
            stage: Stage::Opening,
        }
    }

    async fn next(&mut self) -> Option<String> {
        if self.stage == Stage::Opening {
            self.stage = Stage::Open;
            return Some(format!("retry: {}\n\n", COME_BACK.get()));
        }
        loop {
            if self.stage == Stage::Closed || now() >= self.closes_at {
                return None;
            }
            let looked = self.source.look().await;
            if let Some(frames) = self.take(looked) {
                self.heartbeat_at = now().plus(HEARTBEAT);
                return Some(frames);
            }
            if self.stage == Stage::Closed {
                return None;
            }
            if now() >= self.heartbeat_at {
                self.heartbeat_at = now().plus(HEARTBEAT);
                return Some(": heartbeat\n\n".to_owned());
            }
            let left = self.heartbeat_at.since(now());
            Delay::from(Duration::from_millis(self.pause.min(left).get())).await;
            self.pause = Millis::new(self.pause.get() * 2).min(S::PAUSES.1);
        }
    }

    /// What a look means for the stream, and the frames that it brought.
    fn take(&mut self, looked: Look) -> Option<String> {
        let silent = matches!(looked, Look::Silent(_));
        self.failures = if silent { self.failures + 1 } else { 0 };
        match looked {
            Look::Frames(frames) => {
                self.pause = S::PAUSES.0;
                return Some(frames);
            }
            Look::Last(frames) => {
                self.stage = Stage::Closed;
                return Some(frames);
            }
            Look::Over => self.stage = Stage::Closed,
            Look::Silent(error) if self.failures >= FAILURES_MAX => {
                self.source.given_up(&error);
                self.stage = Stage::Closed;
            }
            Look::Silent(_) => self.pause = S::PAUSES.1,
            Look::Nothing => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::StreamExt;

    use super::*;

    /// Brings what it is given, then ends.
    struct Script {
        looks: VecDeque<Look>,
        given_up: Arc<AtomicU32>,
    }

    impl Source for Script {
        const PAUSES: (Millis, Millis) = (Millis::new(1), Millis::new(2));

        async fn look(&mut self) -> Look {
            self.looks.pop_front().unwrap_or(Look::Over)
        }

        fn given_up(&self, _error: &str) {
            self.given_up.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn script(looks: impl IntoIterator<Item = Look>) -> (Script, Arc<AtomicU32>) {
        let given_up = Arc::new(AtomicU32::new(0));
        (Script { looks: looks.into_iter().collect(), given_up: Arc::clone(&given_up) }, given_up)
    }

    async fn all(script: Script) -> Vec<String> {
        let pieces = stream(script).map(|piece| match piece {
            Ok(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            Err(never) => match never {},
        });
        pieces.collect().await
    }

    #[tokio::test]
    async fn a_stream_says_when_to_come_back_tells_and_ends() {
        let frames = |text: &str| Look::Frames(text.to_owned());
        let (told, _) = script([frames("a"), frames("b"), Look::Last("c".to_owned()), frames("d")]);
        assert_eq!(all(told).await, ["retry: 2000\n\n", "a", "b", "c"]);
        let (over, _) = script([frames("a"), Look::Over, frames("b")]);
        assert_eq!(all(over).await, ["retry: 2000\n\n", "a"]);
    }

    #[test]
    fn a_source_that_stays_silent_is_given_up_and_said_to_be() {
        let silent = || Look::Silent("why".to_owned());
        let (source, given_up) = script([]);
        let mut pacing = Pacing::of(source);
        pacing.stage = Stage::Open;
        for _ in 1..FAILURES_MAX {
            pacing.take(silent());
        }
        assert_eq!((pacing.stage, given_up.load(Ordering::Relaxed)), (Stage::Open, 0));
        pacing.take(Look::Nothing);
        pacing.take(silent());
        assert_eq!((pacing.stage, pacing.failures), (Stage::Open, 1), "it counts in a row");
        for _ in 1..FAILURES_MAX {
            pacing.take(silent());
        }
        assert_eq!((pacing.stage, given_up.load(Ordering::Relaxed)), (Stage::Closed, 1));
    }

    #[test]
    fn frames_bring_the_first_pause_back() {
        let (source, _) = script([]);
        let mut pacing = Pacing::of(source);
        pacing.take(Look::Silent(String::new()));
        assert_eq!(pacing.pause, Script::PAUSES.1);
        assert_eq!(pacing.take(Look::Frames("x".to_owned())).as_deref(), Some("x"));
        assert_eq!(pacing.pause, Script::PAUSES.0);
    }

    #[test]
    fn the_place_to_go_on_from_is_a_number() {
        let at = |text: &'static str| {
            let value = HeaderValue::from_static(text);
            last_number(&HeaderMap::from_iter([("last-event-id".parse().unwrap(), value)]))
        };
        assert_eq!(at("17").unwrap(), Some(17));
        assert_eq!(last_number(&HeaderMap::new()).unwrap(), None);
        for bad in ["", "-1", "3.1", "x", "99999999999999999999", "9007199254740993"] {
            assert_eq!(at(bad).unwrap_err().code().as_str(), "event_id.invalid", "{bad}");
        }
    }
}
