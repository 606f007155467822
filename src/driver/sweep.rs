//! The visit of every shard, once a minute: what is overdue wakes, what is old goes, an alarm that
//! was lost is set anew, and what each shard has in hand is noted for operators.

use engine::ids::ShardId;
use engine::shard::{Figures, Reply, Request};
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Site;
use crate::clock::now;
use crate::db::{D1, operation};
use crate::journal::client::{self, JournalError};
use crate::log::{self, Level};

/// Shards that are visited at once.
const AT_ONCE: usize = 4;
/// The name under which the figures are noted.
pub const SHARDS: &str = "shards";

/// What a sweep found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweptShards {
    /// How many shards there are.
    pub shards: u16,
    /// Those that answered, each with what it has in hand.
    pub answered: Vec<(u16, Figures)>,
}

impl SweptShards {
    /// What all shards together have in hand.
    pub fn sum(&self) -> Figures {
        self.answered.iter().fold(Figures::default(), |sum, (_, figures)| sum.plus(*figures))
    }
}

/// Visits every shard.
pub async fn sweep(site: &Site) {
    let shards: Vec<u16> = (0..site.config.journal_shards).collect();
    let mut swept = SweptShards { shards: site.config.journal_shards, answered: Vec::new() };
    for slice in shards.chunks(AT_ONCE) {
        let visits = slice.iter().map(|shard| visit(site, ShardId(*shard)));
        for (shard, visited) in slice.iter().zip(join_all(visits).await) {
            match visited {
                Ok(figures) => swept.answered.push((*shard, figures)),
                Err(error) => {
                    let error = error.to_string();
                    let event = json!({
                        "event": "journal.sweep_failed", "shard": shard, "error": error,
                    });
                    log::write(Level::Error, event);
                }
            }
        }
    }
    if let Err(error) = note(site, &swept).await {
        let event = json!({ "event": "journal.figures_not_noted", "error": error });
        log::write(Level::Warn, event);
    }
}

/// A shard of an older build tells no figures.
async fn visit(site: &Site, shard: ShardId) -> Result<Figures, JournalError> {
    match client::ask_shard(&site.bindings, shard, &Request::Sweep, None).await? {
        (Reply::Swept { figures }, _) => Ok(figures.unwrap_or_default()),
        _ => Ok(Figures::default()),
    }
}

async fn note(site: &Site, swept: &SweptShards) -> Result<(), String> {
    let database = D1::new(site.bindings.database().map_err(|error| error.to_string())?);
    let noted = operation::note(&database, SHARDS, &json!(swept), now()).await;
    noted.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_read_back_and_adds_up() {
        let figures = Figures { open: 2, size_bytes: 10, ..Figures::default() };
        let swept = SweptShards { shards: 3, answered: vec![(0, figures), (2, figures)] };
        let text = serde_json::to_string(&swept).unwrap();
        assert_eq!(serde_json::from_str::<SweptShards>(&text).unwrap(), swept);
        assert_eq!((swept.sum().open, swept.sum().size_bytes), (4, 20));
    }
}
