//! What must outlive the object's sleep: where subscriptions stand. Those at the head of their
//! source, which are nearly all, are one row together.

use super::connection::Stage;
use super::{Hub, SocketId};
use crate::live::place::Place;
use crate::live::topic::Source;

/// Where the furthest subscriptions of a source stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The source.
    pub source: Source,
    /// The place.
    pub place: Place,
}

/// A subscription whose row is not as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The connection.
    pub socket: SocketId,
    /// The subscription.
    pub name: String,
    /// What the client asked for, in JSON, where there is no row yet.
    pub asked: Option<String>,
    /// Where it stands.
    pub stage: Stage,
    /// Whether that is for itself, or the head of its source goes for it.
    pub own: bool,
}

/// What is to be stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unkept {
    /// Heads that moved.
    pub moved: Vec<Head>,
    /// Sources that nobody listens to any more.
    pub left: Vec<Source>,
    /// Subscriptions.
    pub changes: Vec<Change>,
}

impl Unkept {
    /// Whether everything stands as it is stored.
    pub fn is_empty(&self) -> bool {
        self.moved.is_empty() && self.left.is_empty() && self.changes.is_empty()
    }
}

impl Hub {
    /// The place of a source's head as it was stored.
    pub fn restore_head(&mut self, head: Head) {
        self.heads.insert(head.source, head.place);
    }

    /// What is to be stored now; it counts as stored.
    pub fn unkept(&mut self) -> Unkept {
        let (mut moved, mut places) = (Vec::new(), self.heads.clone());
        places.retain(|source, _| self.paces.contains_key(source));
        let left = self.heads.keys().filter(|source| !places.contains_key(source));
        let left = left.cloned().collect();
        for subscription in self.connections.values().flat_map(|it| it.subscriptions.values()) {
            let Some(place) = subscription.place() else { continue };
            let head = places.entry(subscription.topic.source().clone()).or_insert(place);
            *head = place.max(*head);
        }
        for (source, place) in &places {
            if self.heads.get(source) != Some(place) {
                moved.push(Head { source: source.clone(), place: *place });
            }
        }
        let mut changes = Vec::new();
        for (socket, connection) in &mut self.connections {
            for (name, it) in &mut connection.subscriptions {
                let head = places.get(it.topic.source()).map(|place| Stage::At(*place));
                let own = head != Some(it.stage);
                // One at the head is stored as standing behind everything.
                let stored = if own { it.stage } else { Stage::At(Place::END) };
                if it.stored == Some(stored) {
                    continue;
                }
                let asked = it.stored.is_none().then(|| {
                    serde_json::to_string(&it.asked).expect("a message is made of JSON values")
                });
                it.stored = Some(stored);
                let (socket, name) = (socket.clone(), name.clone());
                changes.push(Change { socket, name, asked, stage: it.stage, own });
            }
        }
        self.heads = places;
        Unkept { moved, left, changes }
    }
}
