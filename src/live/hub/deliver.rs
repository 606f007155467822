//! What a source brought, given to those who stand where it begins.

use api_types::live::{
    LiveLagging, LiveLaggingType, LiveServerMessage, LiveSubscribed, LiveSubscribedType, LiveWindow,
};
use engine::time::Timestamp;

use super::connection::{Connection, Stage, Subscription};
use super::{Hub, Out, SocketId, text};
use crate::live::limits::LAGGING_FOR;
use crate::live::place::Place;
use crate::live::refusal::Refusal;
use crate::live::topic::{Item, Source};

/// What a source has after a place.
#[derive(Clone, Debug)]
pub struct Page {
    /// The place that was asked for.
    pub from: Place,
    /// Up to here nothing is missing.
    pub through: Place,
    /// What comes after it, in its order and without gaps.
    pub items: Vec<Item>,
}

impl Hub {
    /// The subscriptions of a source that it was not asked for yet.
    pub fn asked(&self, source: &Source) -> Vec<(SocketId, String)> {
        self.subscriptions_of(source, |it| matches!(it.stage, Stage::Asked(_)))
    }

    /// Places subscriptions that were asked for: after what they named, or behind `newest`, the
    /// place of what the source has last.
    pub fn place(&mut self, asked: &[(SocketId, String)], newest: Place) -> Vec<Out> {
        asked.iter().filter_map(|(id, name)| self.place_one(id, name, newest)).collect()
    }

    fn place_one(&mut self, id: &str, name: &str, newest: Place) -> Option<Out> {
        let connection = self.connections.get_mut(id)?;
        let subscription = connection.subscriptions.get_mut(name)?;
        let Stage::Asked(wanted) = subscription.stage else { return None };
        // Where nothing is left to compare with, the client may be right.
        if newest != Place::START && wanted.is_some_and(|wanted| wanted > newest) {
            return Some(self.refuse(id, name, &Refusal::CursorInvalid));
        }
        let place = wanted.unwrap_or(newest);
        subscription.stage = Stage::At(place);
        let cursor = subscription.topic.cursor(place);
        let told = LiveSubscribed { kind: LiveSubscribedType::IS, id: name.to_owned(), cursor };
        Some(Out::Send(id.to_owned(), text(&LiveServerMessage::Subscribed(told))))
    }

    /// Ends a subscription whose source does not take it.
    pub fn refuse(&mut self, id: &str, name: &str, refusal: &Refusal) -> Out {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.subscriptions.remove(name);
        }
        self.forget_sources();
        let told = LiveServerMessage::Error(refusal.message(Some(name)));
        Out::Send(id.to_owned(), text(&told))
    }

    /// Where those stand who are furthest in a source, of those who can be sent something.
    pub fn head(&self, source: &Source) -> Option<Place> {
        self.ready(source).max()
    }

    /// Where those stand who are furthest behind.
    pub fn tail(&self, source: &Source) -> Option<Place> {
        self.ready(source).min()
    }

    /// The subscriptions of a source that stand at or beyond a place: it has ended there.
    pub fn at_end(&self, source: &Source, end: Place) -> Vec<(SocketId, String)> {
        self.subscriptions_of(source, |it| it.place().is_some_and(|place| place >= end))
    }

    /// From where a journal must be read for everybody who can be sent something.
    pub fn reads_from(&self, source: &Source) -> Option<Place> {
        let connections = self.connections.values().filter(|it| it.has_room());
        let all = connections.flat_map(|it| it.subscriptions.values());
        let places = all.filter(|it| it.topic.source() == source).map(|it| match it.stage {
            Stage::Asked(wanted) => wanted.unwrap_or_default(),
            Stage::At(place) => place,
        });
        places.min()
    }

    /// Gives a page to those who stand at its beginning or beyond, as far as their windows go.
    pub fn deliver(&mut self, source: &Source, page: &Page, now: Timestamp) -> Vec<Out> {
        let share_bytes = self.share_bytes();
        let mut outs = Vec::new();
        for (id, connection) in &mut self.connections {
            if !connection.has_room() {
                continue;
            }
            let before_bytes = connection.unacknowledged.bytes;
            let mut subscriptions = std::mem::take(&mut connection.subscriptions);
            let mut full = false;
            for (name, subscription) in &mut subscriptions {
                if full || subscription.topic.source() != source {
                    continue;
                }
                let Some(place) = subscription.place().filter(|place| *place >= page.from) else {
                    continue;
                };
                let items = page.items.iter().filter(|item| item.place > place);
                let given = give(id, name, connection, subscription, items, share_bytes, &mut outs);
                full = given.is_err();
                self.delivered += given.unwrap_or_else(|sent| sent);
                if !full && page.through > place {
                    subscription.stage = Stage::At(page.through);
                }
            }
            connection.subscriptions = subscriptions;
            self.unacknowledged_bytes += connection.unacknowledged.bytes - before_bytes;
            if full {
                connection.lagging_since = Some(now);
                outs.push(Out::Send(id.clone(), lagging(connection)));
            }
        }
        outs
    }

    fn ready(&self, source: &Source) -> impl Iterator<Item = Place> {
        let ready = self.connections.values().filter(|it| it.has_room());
        let all = ready.flat_map(|it| it.subscriptions.values());
        all.filter(move |it| it.topic.source() == source).filter_map(Subscription::place)
    }

    fn subscriptions_of(
        &self,
        source: &Source,
        wanted: impl Fn(&Subscription) -> bool,
    ) -> Vec<(SocketId, String)> {
        let mut found = Vec::new();
        for (id, connection) in &self.connections {
            for (name, subscription) in &connection.subscriptions {
                if subscription.topic.source() == source && wanted(subscription) {
                    found.push((id.clone(), name.clone()));
                }
            }
        }
        found
    }
}

/// Sends what passes, until the window is full: `Err` then. How many were sent.
fn give<'i>(
    id: &SocketId,
    name: &str,
    connection: &mut Connection,
    subscription: &mut Subscription,
    items: impl Iterator<Item = &'i Item>,
    share_bytes: usize,
    outs: &mut Vec<Out>,
) -> Result<u64, u64> {
    let mut sent = 0;
    for item in items {
        if subscription.topic.passes(&item.facts) {
            let message = event(name, &subscription.topic.cursor(item.place), &item.body);
            let bytes = message.len();
            if !connection.takes(bytes, share_bytes) {
                return Err(sent);
            }
            connection.unacknowledged.messages += 1;
            connection.unacknowledged.bytes += bytes;
            subscription.note_sent(item.place, bytes);
            outs.push(Out::Send(id.clone(), message));
            sent += 1;
        }
        subscription.stage = Stage::At(item.place);
    }
    Ok(sent)
}

/// The text of an [`api_types::live::LiveEvent`]. An event is written once and wrapped for each who
/// gets it; names and cursors have no character that JSON escapes.
fn event(subscription: &str, cursor: &str, body: &str) -> String {
    format!(
        r#"{{"type":"event","subscription":"{subscription}","cursor":"{cursor}","event":{body}}}"#
    )
}

fn lagging(connection: &Connection) -> String {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let load = connection.unacknowledged;
    let told = LiveLagging {
        kind: LiveLaggingType::IS,
        unacknowledged: LiveWindow { messages: number(load.messages), bytes: number(load.bytes) },
        closes_in_s: u32::try_from(LAGGING_FOR.get() / 1000).unwrap_or(u32::MAX),
        subscriptions: connection.places(),
    };
    text(&LiveServerMessage::Lagging(told))
}

#[cfg(test)]
mod tests {
    use api_types::live::{LiveEvent, LiveEventType};

    use super::*;

    #[test]
    fn an_event_is_the_message_of_the_schema() {
        let told = LiveEvent {
            kind: LiveEventType::IS,
            subscription: "a:b.c_d-1".into(),
            cursor: "3.1".into(),
            event: serde_json::json!({ "x": "\"" }),
        };
        let expected = serde_json::to_value(&told).unwrap();
        let made = event("a:b.c_d-1", "3.1", r#"{"x":"\""}"#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&made).unwrap(), expected);
    }
}
