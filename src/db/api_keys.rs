//! Issued keys. The database has the SHA-256 of each secret, never the secret.

use std::fmt::Write;

use engine::admission::KeyFunds;
use engine::money::MicroUsd;
use engine::time::{Millis, Timestamp};
use serde::Deserialize;

use super::row::{json, moment};
use super::{Database, DbError, iso, statements};

/// How exact `last_used_at` is: a key in use is written to once in this time.
const USE_NOTED_EVERY: Millis = Millis::from_secs(3600);

statements! { "api_keys":
    /// A key by the hash of its secret, with the state of its account.
    BY_HASH = "SELECT k.id, k.account_id, k.name, k.scopes, k.rate_per_minute,
        k.daily_budget_micro_usd, k.monthly_budget_micro_usd, k.expires_at, k.revoked_at,
        k.last_used_at, a.status AS account_status, coalesce(l.root_id, k.id) AS budget_id
      FROM api_keys AS k JOIN accounts AS a ON a.id = k.account_id
      LEFT JOIN api_key_lineage AS l ON l.key_id = k.id
      WHERE k.key_hash = ?1";

    /// The budgets of the newest key of the line that the key ?1 began.
    BUDGET = "SELECT k.daily_budget_micro_usd, k.monthly_budget_micro_usd FROM api_keys AS k
      WHERE k.id = ?1 OR k.id IN (SELECT key_id FROM api_key_lineage WHERE root_id = ?1)
      ORDER BY k.created_at DESC, k.id DESC LIMIT 1";

    /// Notes that a key was used, unless that was noted not long ago.
    NOTE_USE = "UPDATE api_keys SET last_used_at = ?2
      WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?3)";
}

/// A key as its row has it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ApiKey {
    /// The row's id.
    pub id: String,
    /// The account that it belongs to.
    pub account_id: String,
    /// What people call it.
    pub name: String,
    /// What it allows.
    #[serde(deserialize_with = "json")]
    pub scopes: Vec<String>,
    /// How many requests a minute it may make; `None` for the installation's rate.
    pub rate_per_minute: Option<u32>,
    /// The most that its executions may cost in a day (UTC).
    pub daily_budget_micro_usd: Option<u64>,
    /// The most that its executions may cost in a month (UTC).
    pub monthly_budget_micro_usd: Option<u64>,
    /// When it ends to be valid.
    pub expires_at: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// When it was last seen, to the hour.
    pub last_used_at: Option<String>,
    /// `active` or `suspended`.
    pub account_status: String,
    /// The key that began the line that it stands in, by rotations: they share its budget.
    pub budget_id: String,
}

/// What the executions of a line of keys may cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Budget {
    /// In a day (UTC).
    pub daily_budget_micro_usd: Option<u64>,
    /// In a month (UTC).
    pub monthly_budget_micro_usd: Option<u64>,
}

impl ApiKey {
    /// When it ends to be valid: a moment that nobody can read is in the past.
    pub fn ends_at(&self) -> Option<Timestamp> {
        let text = self.expires_at.as_deref()?;
        Some(moment(text).unwrap_or(Timestamp::from_millis(0)))
    }

    /// Whether it may be used, as far as it goes: neither revoked nor expired.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        let over = self.ends_at().is_some_and(|end| end <= now);
        self.revoked_at.is_none() && !over
    }

    /// What its executions may cost.
    pub fn budget(&self) -> Budget {
        Budget {
            daily_budget_micro_usd: self.daily_budget_micro_usd,
            monthly_budget_micro_usd: self.monthly_budget_micro_usd,
        }
    }

    /// Whether its account may do anything.
    pub fn is_of_active_account(&self) -> bool {
        self.account_status == "active"
    }
}

impl Budget {
    /// What it asks of the Governor, as the budget `id`.
    pub fn funds(self, id: String) -> KeyFunds {
        KeyFunds {
            id,
            daily_max: self.daily_budget_micro_usd.map(MicroUsd::from_micros),
            monthly_max: self.monthly_budget_micro_usd.map(MicroUsd::from_micros),
        }
    }
}

/// The key with this SHA-256 digest of its secret, valid or not.
pub async fn find(db: &impl Database, digest: &[u8; 32]) -> Result<Option<ApiKey>, DbError> {
    db.query(BY_HASH.with(hex(digest))).await?.first()
}

/// What the line of keys that `root` began may cost; `None` where the key is gone.
pub async fn budget(db: &impl Database, root: &str) -> Result<Option<Budget>, DbError> {
    db.query(BUDGET.with(root)).await?.first()
}

/// Notes that the key `id` was used.
pub async fn note_use(db: &impl Database, id: &str, now: Timestamp) -> Result<(), DbError> {
    let since = now.as_millis().saturating_sub_unsigned(USE_NOTED_EVERY.get());
    let before = iso(Timestamp::from_millis(since));
    db.query(NOTE_USE.with(id).with(now).with(before)).await?;
    Ok(())
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String never fails");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ApiKey {
        ApiKey {
            id: "k".into(),
            account_id: "default".into(),
            name: String::new(),
            scopes: vec!["read".into()],
            rate_per_minute: None,
            daily_budget_micro_usd: None,
            monthly_budget_micro_usd: None,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
            account_status: "active".into(),
            budget_id: "k".into(),
        }
    }

    #[test]
    fn a_key_is_valid_until_it_ends_or_is_revoked() {
        let end = Timestamp::from_millis(1_700_000_000_000);
        let before = Timestamp::from_millis(1_699_999_999_999);
        assert!(key().is_valid_at(end));
        let ends = ApiKey { expires_at: Some(iso(end)), ..key() };
        assert!(ends.is_valid_at(before) && !ends.is_valid_at(end));
        for bad in [
            ApiKey { expires_at: Some("soon".into()), ..key() },
            ApiKey { revoked_at: Some(iso(end)), ..key() },
        ] {
            assert!(!bad.is_valid_at(before));
        }
        assert!(key().is_of_active_account());
        assert!(!ApiKey { account_status: "suspended".into(), ..key() }.is_of_active_account());
    }
}
