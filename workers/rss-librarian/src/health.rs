//! Owns what is known about a feed's health: the last check, and what it is worth. A feed that
//! nobody has read is unverified, never assumed to be well. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A check is forgotten after this time; the feed is unverified again.
pub const REMEMBERED_S: u64 = 30 * 24 * 60 * 60;

/// What the last check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// No check has read the feed.
    Unverified,
    /// The last check read a feed.
    Ok,
    /// The last check did not.
    Failing,
}

/// The health of one feed; also its form in KV.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// What the last check found.
    pub status: Status,
    /// When: ISO 8601 UTC.
    pub checked_at: Option<String>,
    /// Why the feed fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Health {
    /// Of a feed that no check has read.
    pub fn unverified() -> Health {
        Health { status: Status::Unverified, checked_at: None, detail: None }
    }

    /// What the health adds to a feed's quality, 0..1.
    pub fn worth(&self) -> f64 {
        match self.status {
            Status::Ok => 1.0,
            Status::Unverified => 0.6,
            Status::Failing => 0.0,
        }
    }
}

/// The last checks by URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthBook(BTreeMap<String, Health>);

impl HealthBook {
    /// From what KV holds. A record that cannot be read counts as none.
    pub fn from_records<'r>(records: impl IntoIterator<Item = (&'r str, &'r str)>) -> HealthBook {
        let read = |(url, record): (&str, &str)| {
            Some((url.to_owned(), serde_json::from_str(record).ok()?))
        };
        HealthBook(records.into_iter().filter_map(read).collect())
    }

    /// The health of a feed.
    pub fn of(&self, url: &str) -> Health {
        self.0.get(url).cloned().unwrap_or_else(Health::unverified)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_without_a_check_is_unverified() {
        let health = HealthBook::default().of("https://a.org/f");
        assert_eq!(
            serde_json::to_string(&health).unwrap(),
            r#"{"status":"unverified","checked_at":null}"#
        );
    }

    #[test]
    fn records_are_read_and_what_cannot_be_read_is_ignored() {
        let record =
            r#"{"status":"failing","checked_at":"2026-01-01T00:00:00.000Z","detail":"404"}"#;
        let book = HealthBook::from_records([
            ("https://a.org/f", record),
            ("https://b.org/f", "{"),
            ("https://c.org/f", r#"{"status":"splendid","checked_at":null}"#),
        ]);
        assert_eq!(book.of("https://a.org/f").status, Status::Failing);
        assert_eq!(book.of("https://a.org/f").detail.as_deref(), Some("404"));
        assert_eq!(book.of("https://b.org/f"), Health::unverified());
        assert_eq!(book.of("https://c.org/f"), Health::unverified());
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let health = Health {
            status: Status::Ok,
            checked_at: Some("2026-01-01T00:00:00.000Z".into()),
            detail: None,
        };
        let record = serde_json::to_string(&health).unwrap();
        assert_eq!(HealthBook::from_records([("u", record.as_str())]).of("u"), health);
    }

    #[test]
    fn health_is_worth_more_the_more_is_known_to_be_well() {
        let worth = |status| Health { status, checked_at: None, detail: None }.worth();
        assert!(worth(Status::Ok) > worth(Status::Unverified));
        assert!(worth(Status::Unverified) > worth(Status::Failing));
    }
}
