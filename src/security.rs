//! Security events: entries of the audit log about sign-ins and refused callers.
//!
//! Strangers bring them about, so they are bounded. Within a minute the log takes
//! [`OF_SOURCE_MAX`] of one kind from one address, and [`OF_KIND_MAX`] of one kind that strangers
//! can bring about in all; an isolate does not even ask the database for more. Every one is counted
//! ([`crate::counts`]), so that a flood shows where its single events do not. It must write neither
//! a password, nor a token, nor a name that nobody has.

use std::cell::RefCell;
use std::collections::BTreeMap;

use engine::time::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::clock::now;
use crate::counts;
use crate::db::audit::{self, Bounds, Entry};
use crate::db::{D1, Database, iso};
use crate::log::{self, Level};
use crate::request::RequestContext;

/// Of one kind from one source in a minute.
pub const OF_SOURCE_MAX: u32 = 3;
/// Of one kind in a minute, where strangers can bring it about.
pub const OF_KIND_MAX: u32 = 20;
/// Of one kind and one user in a minute, where it takes that user's credentials.
const OF_USER_MAX: u32 = 10;
const MINUTE_MS: i64 = 60_000;
/// What kind of subject such an entry has.
pub const SUBJECT_TYPE: &str = "security";

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A password was wrong, or was not even looked at.
    SignInFailed,
    /// Too many were: no more are looked at for a while.
    LockedOut,
    /// A key, a token or a secret was not valid.
    CredentialRefused,
    /// A caller asked for what its rights do not allow.
    ScopeViolated,
    /// A refresh token was used by two.
    RefreshReused,
    /// A person signed in.
    SignedIn,
    /// A person signed out.
    SignedOut,
}

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// What happened.
    pub kind: Kind,
    /// Whose account it concerns, where that is known.
    pub account: Option<String>,
    /// Who brought it about, as [`crate::auth::Caller::actor`] says.
    pub actor: (String, String),
    /// Which user, or what stands for one.
    pub subject: String,
    /// Where it came from, if the platform says.
    pub address: Option<String>,
    /// Why, in a few words that are the same each time.
    pub reason: &'static str,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::SignInFailed,
        Self::LockedOut,
        Self::CredentialRefused,
        Self::ScopeViolated,
        Self::RefreshReused,
        Self::SignedIn,
        Self::SignedOut,
    ];

    /// The word in the metrics.
    pub fn as_str(self) -> &'static str {
        let change = self.change();
        change.strip_prefix("security.").unwrap_or(change)
    }

    /// The word in the audit log.
    pub fn change(self) -> &'static str {
        match self {
            Self::SignInFailed => "security.sign_in_failed",
            Self::LockedOut => "security.locked_out",
            Self::CredentialRefused => "security.credential_refused",
            Self::ScopeViolated => "security.scope_violated",
            Self::RefreshReused => "security.refresh_reused",
            Self::SignedIn => "security.signed_in",
            Self::SignedOut => "security.signed_out",
        }
    }

    /// Whether it takes no credential to bring it about.
    fn is_of_strangers(self) -> bool {
        match self {
            Self::SignInFailed | Self::LockedOut | Self::CredentialRefused => true,
            Self::ScopeViolated | Self::RefreshReused | Self::SignedIn | Self::SignedOut => false,
        }
    }
}

thread_local! {
    /// How many of each kind this isolate has written in which minute.
    static WRITTEN: RefCell<(i64, BTreeMap<Kind, u32>)> = RefCell::default();
}

/// Writes an event down behind the reply, if there is room for it. A log that cannot be written to
/// holds up and refuses nobody.
pub fn note(context: &RequestContext, event: Event) {
    counts::security_event(event.kind.as_str());
    let now = now();
    if event.kind.is_of_strangers() && !has_room(event.kind, now) {
        return;
    }
    let (Ok(invocation), Ok(database)) = (context.invocation(), context.database()) else { return };
    let statement = audit::add_bounded(&entry(&event, context.id(), now), bounds(&event, now));
    let request = context.id().to_owned();
    invocation.wait_until(write(database, statement, request));
}

async fn write(database: D1, statement: crate::db::Statement, request: String) {
    if let Err(error) = database.query(statement).await {
        let error = error.to_string();
        let fields =
            json!({ "event": "security.not_noted", "request.id": request, "error": error });
        log::write(Level::Warn, fields);
    }
}

fn has_room(kind: Kind, now: Timestamp) -> bool {
    let minute = now.as_millis().div_euclid(MINUTE_MS);
    WRITTEN.with_borrow_mut(|(of, written)| {
        if *of != minute {
            (*of, *written) = (minute, BTreeMap::new());
        }
        let count = written.entry(kind).or_default();
        *count = count.saturating_add(1);
        *count <= OF_KIND_MAX
    })
}

/// What counts together with an event, and how many of that a minute takes.
fn bounds(event: &Event, now: Timestamp) -> Bounds {
    let minute = now.as_millis().div_euclid(MINUTE_MS) * MINUTE_MS;
    let since = iso(Timestamp::from_millis(minute));
    match event.kind.is_of_strangers() {
        true => Bounds {
            since,
            source: event.address.clone().unwrap_or_else(|| "unknown".to_owned()),
            of_source_max: OF_SOURCE_MAX,
            of_kind_max: OF_KIND_MAX,
        },
        false => Bounds {
            since,
            source: format!("{}:{}", event.actor.0, event.actor.1),
            of_source_max: OF_USER_MAX,
            of_kind_max: u32::MAX,
        },
    }
}

fn entry(event: &Event, request: &str, now: Timestamp) -> Entry {
    let Event { kind, account, actor, subject, address, reason } = event.clone();
    let source = bounds(event, now).source;
    Entry {
        id: Uuid::now_v7().to_string(),
        at: iso(now),
        account_id: account,
        actor_type: actor.0,
        actor: actor.1,
        change: kind.change().to_owned(),
        subject_type: SUBJECT_TYPE.to_owned(),
        subject,
        before: None,
        after: Some(json!({ "source": source, "address": address, "reason": reason })),
        request_id: Some(request.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: Kind) -> Event {
        Event {
            kind,
            account: None,
            actor: ("user".into(), "u1".into()),
            subject: "name:abc".into(),
            address: Some("203.0.113.9".into()),
            reason: "unknown name",
        }
    }

    #[test]
    fn strangers_are_counted_by_address_and_people_by_themselves() {
        let at = Timestamp::from_millis(1_772_000_030_500);
        let failed = bounds(&event(Kind::SignInFailed), at);
        assert_eq!((failed.source.as_str(), failed.of_source_max), ("203.0.113.9", 3));
        assert_eq!((failed.since.as_str(), failed.of_kind_max), ("2026-02-25T06:13:00.000Z", 20));
        let signed_in = bounds(&event(Kind::SignedIn), at);
        assert_eq!((signed_in.source.as_str(), signed_in.of_kind_max), ("user:u1", u32::MAX));
        let nowhere = Event { address: None, ..event(Kind::LockedOut) };
        assert_eq!(bounds(&nowhere, at).source, "unknown");
    }

    #[test]
    fn an_isolate_asks_for_no_more_than_a_minute_takes() {
        let at = |ms| Timestamp::from_millis(1_900_000_020_000 + ms);
        let taken = (0..100).filter(|_| has_room(Kind::CredentialRefused, at(0))).count();
        assert_eq!(taken, OF_KIND_MAX as usize);
        assert!(has_room(Kind::LockedOut, at(0)), "each kind has its own room");
        assert!(has_room(Kind::CredentialRefused, at(MINUTE_MS)));
    }

    #[test]
    fn an_entry_says_what_and_where_and_no_more() {
        let entry = entry(&event(Kind::SignInFailed), "r1", Timestamp::from_millis(0));
        assert_eq!(entry.change, "security.sign_in_failed");
        assert_eq!((entry.subject_type.as_str(), entry.subject.as_str()), ("security", "name:abc"));
        let expected = json!({
            "source": "203.0.113.9", "address": "203.0.113.9", "reason": "unknown name",
        });
        assert_eq!(entry.after, Some(expected));
    }
}
