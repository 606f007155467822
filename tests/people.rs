//! People: users, sessions, refresh tokens, failures and security events, over SQLite.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;

use bitware_orchestrator::db::audit::{self, Bounds, Entry};
use bitware_orchestrator::db::sessions::{self, Span};
use bitware_orchestrator::db::sign_in_attempts::{self, Attempt, Counted, Limit};
use bitware_orchestrator::db::users::{self, Filter, User};
use bitware_orchestrator::db::{Database, Statement, iso};
use bitware_orchestrator::people::upkeep;
use engine::time::{Millis, Timestamp};
use serde_json::json;
use sqlite::{Sqlite, interleave, wait};

const NOW: Timestamp = Timestamp::from_millis(1_772_000_000_000);
const HASH: &str = "$2b$04$.....................................................";
const OTHER_HASH: &str = "$2b$05$.....................................................";

fn at(s: i64) -> Timestamp {
    Timestamp::from_millis(NOW.as_millis() + s * 1000)
}

fn user(id: &str, role: &str) -> User {
    User {
        user_id: id.into(),
        account_id: "default".into(),
        email: format!("{id}@Example.com"),
        name: id.into(),
        role: role.into(),
        active: true,
        ..User::default()
    }
}

/// Does a change as handlers do; whether it was made.
fn make(db: &Sqlite, change: Statement) -> bool {
    let before = db.number("SELECT count(*) FROM audit_log");
    let entry = entry("user.changed", "x", &format!("e{before}"));
    wait(db.batch(vec![change, audit::add(&entry)])).unwrap();
    db.number("SELECT count(*) FROM audit_log") > before
}

fn entry(change: &str, source: &str, id: &str) -> Entry {
    Entry {
        id: id.into(),
        at: iso(NOW),
        account_id: None,
        actor_type: "system".into(),
        actor: "nobody".into(),
        change: change.into(),
        subject_type: "security".into(),
        subject: "s".into(),
        before: None,
        after: Some(json!({ "source": source })),
        request_id: None,
    }
}

fn read(db: &Sqlite, id: &str) -> User {
    wait(users::find(db, id, None)).unwrap().unwrap()
}

fn begin(db: &Sqlite, session: &str, user: &str, token: &str) {
    let span = Span { from: NOW, until: at(90 * 86_400) };
    let life = Span { from: NOW, until: at(14 * 86_400) };
    let batch = vec![
        sessions::begin(session, user, span, HASH),
        sessions::first_token(&hash(token), session, life),
    ];
    wait(db.batch(batch)).unwrap();
}

fn hash(token: &str) -> String {
    format!("{:0>64}", token.bytes().fold(String::new(), |hex, b| format!("{hex}{b:02x}")))
}

fn person(db: &Sqlite, session: &str, user: &str, now: Timestamp) -> bool {
    wait(sessions::person(db, session, user, now)).unwrap().is_some()
}

#[test]
fn there_is_one_first_user_and_no_two_of_one_email_or_name() {
    let db = Sqlite::new();
    assert!(!wait(users::any(&db)).unwrap());
    assert!(make(&db, users::begin(&user("a", "admin"), HASH)));
    assert!(!make(&db, users::begin(&user("b", "admin"), HASH)), "there is one");
    assert!(wait(users::any(&db)).unwrap());
    let email = User { email: "A@EXAMPLE.COM".into(), ..user("c", "user") };
    let name = User { name: "A".into(), ..user("d", "user") };
    let nowhere = User { account_id: "nobody".into(), ..user("e", "user") };
    for (refused, way) in [(email, (true, true, false)), (name, (true, false, true))] {
        assert!(!make(&db, users::create(&refused, HASH)), "{refused:?}");
        let found = wait(users::in_the_way(&db, &refused)).unwrap().unwrap();
        assert_eq!((found.account_exists, found.email_taken, found.name_taken), way);
    }
    assert!(!make(&db, users::create(&nowhere, HASH)));
    assert!(!wait(users::in_the_way(&db, &nowhere)).unwrap().unwrap().account_exists);
    assert!(make(&db, users::create(&user("f", "viewer"), HASH)));
    let by = |login| wait(users::by_login(&db, login)).unwrap().map(|it| it.user_id);
    assert_eq!(by("F@eXAMPLE.com").as_deref(), Some("f"));
    assert_eq!(by("F").as_deref(), Some("f"));
    assert_eq!(by("nobody"), None);
}

#[test]
fn the_last_administrator_stays_and_nobody_overwrites_anothers_change() {
    let db = Sqlite::new();
    make(&db, users::begin(&user("a", "admin"), HASH));
    db.shell("INSERT INTO accounts (id) VALUES ('acme')");
    let a = read(&db, "a");
    let worse = [
        User { role: "user".into(), ..a.clone() },
        User { active: false, ..a.clone() },
        User { account_id: "acme".into(), ..a.clone() },
    ];
    for worse in &worse {
        assert!(!make(&db, users::change(worse)), "{worse:?}");
    }
    assert!(!make(&db, users::delete(&a)));
    assert!(!wait(users::in_the_way(&db, &a)).unwrap().unwrap().others_administer);
    let elsewhere = User { account_id: "acme".into(), ..user("b", "admin") };
    let off = User { active: false, ..user("c", "admin") };
    for other in [&elsewhere, &off] {
        assert!(make(&db, users::create(other, HASH)));
        assert!(!make(&db, users::delete(&a)), "{other:?} administers something else");
    }
    assert!(make(&db, users::change(&User { name: "Ada".into(), ..a.clone() })));
    assert!(!make(&db, users::change(&User { name: "Eve".into(), ..a })), "it is not as read");
    assert!(make(&db, users::change(&User { active: true, ..read(&db, "c") })));
    assert!(make(&db, users::change(&User { role: "viewer".into(), ..read(&db, "a") })));
    assert!(!make(&db, users::delete(&read(&db, "c"))), "now it is the last");
    assert!(make(&db, users::delete(&read(&db, "a"))));
}

#[test]
fn users_are_listed_by_what_they_are() {
    let db = Sqlite::new();
    db.shell("INSERT INTO accounts (id) VALUES ('acme')");
    make(&db, users::create(&user("a", "admin"), HASH));
    make(&db, users::create(&User { active: false, ..user("b", "user") }, HASH));
    make(&db, users::create(&User { account_id: "acme".into(), ..user("b2", "user") }, HASH));
    let list = |filter: Filter<'_>, after| {
        let (found, more) = wait(users::page(&db, filter, (after, 2))).unwrap();
        let ids: Vec<String> = found.into_iter().map(|user| user.user_id).collect();
        (ids.join(" "), more)
    };
    let all = Filter::default();
    assert_eq!(list(all, None), ("a b".to_owned(), true));
    assert_eq!(list(all, Some("b")), ("b2".to_owned(), false));
    assert_eq!(list(Filter { account: Some("acme"), ..all }, None).0, "b2");
    assert_eq!(list(Filter { role: Some("user"), ..all }, None).0, "b b2");
    assert_eq!(list(Filter { active: Some(false), ..all }, None).0, "b");
    assert_eq!(list(Filter { search: Some("b2@"), ..all }, None).0, "b2");
    assert_eq!(list(Filter { search: Some("b%"), ..all }, None).0, "", "a text, no pattern");
}

#[test]
fn a_session_ends_with_whatever_it_came_of() {
    let db = Sqlite::new();
    db.shell("INSERT INTO accounts (id) VALUES ('acme')");
    for id in ["a", "b", "c", "d", "e"] {
        make(&db, users::create(&user(id, "user"), HASH));
        begin(&db, &format!("s{id}"), id, id);
        begin(&db, &format!("t{id}"), id, &format!("t{id}"));
        assert!(person(&db, &format!("s{id}"), id, NOW));
    }
    assert!(!person(&db, "sa", "b", NOW), "another's session");
    assert!(
        person(&db, "sa", "a", at(90 * 86_400 - 1)) && !person(&db, "sa", "a", at(90 * 86_400))
    );
    wait(db.query(sessions::end("sa", NOW, "signed_out"))).unwrap();
    assert!(!person(&db, "sa", "a", NOW) && person(&db, "ta", "a", NOW));
    let ended = wait(db.query(sessions::end_all("a", NOW, "signed_out", None))).unwrap();
    assert_eq!(ended.count(), 1, "the other one had ended");
    make(&db, users::change(&User { active: false, ..read(&db, "b") }));
    assert!(!person(&db, "sb", "b", NOW), "at once");
    wait(db.query(sessions::end_of_inactive("b", NOW))).unwrap();
    make(&db, users::change(&User { active: true, ..read(&db, "b") }));
    assert!(!person(&db, "sb", "b", NOW), "for good");
    wait(db.query(sessions::end_of_inactive("c", NOW))).unwrap();
    wait(db.query(sessions::end_of_moved("c", NOW, "acme"))).unwrap();
    assert!(person(&db, "sc", "c", NOW), "nothing was changed");
    make(&db, users::set_password(&read(&db, "c"), OTHER_HASH, &iso(NOW)));
    let end = sessions::end_of_old_password(("c", OTHER_HASH), NOW, Some("sc"), "password_changed");
    assert_eq!(wait(db.query(end)).unwrap().count(), 1);
    assert!(person(&db, "sc", "c", NOW) && !person(&db, "tc", "c", NOW));
    make(&db, users::delete(&read(&db, "d")));
    assert!(!person(&db, "sd", "d", NOW));
    assert_eq!(db.number("SELECT count(*) FROM refresh_tokens WHERE session_id = 'sd'"), 0);
    begin(&db, "se2", "e", "e2");
    make(&db, users::set_password(&read(&db, "e"), OTHER_HASH, &iso(NOW)));
    begin(&db, "se3", "e", "e3");
    assert!(!person(&db, "se3", "e", NOW), "the password was changed meanwhile");
    wait(db.query(sessions::end_surplus("e", NOW, 2))).unwrap();
    let live = db.lines("SELECT id FROM user_sessions WHERE user_id = 'e' AND ended_at IS NULL");
    assert_eq!(live.len(), 2);
}

#[test]
fn a_token_has_one_successor_however_many_ask() {
    let db = Sqlite::new();
    make(&db, users::create(&user("a", "user"), HASH));
    begin(&db, "s", "a", "one");
    let follow = |token: &str, next: &str, now| {
        let (token, next) = (hash(token), hash(next));
        let span = Span { from: now, until: now.plus(Millis::from_secs(60)) };
        wait(sessions::follow(&db, (&token, &next), span, 3)).unwrap()
    };
    let first = follow("one", "two", NOW).unwrap();
    assert_eq!(first.next_hash, Some(hash("two")));
    assert_eq!(first.used(), Some(NOW));
    let again = follow("one", "other", at(5)).unwrap();
    assert_eq!((again.used(), again.next_hash), (Some(NOW), Some(hash("two"))));
    assert_eq!(db.number("SELECT refreshes FROM user_sessions"), 1);
    assert_eq!(db.number("SELECT count(*) FROM refresh_tokens"), 2);
    assert_eq!(follow("two", "three", at(60)).unwrap().next_hash, None, "it has expired");
    db.slow.set(true);
    let (two, three, four) = (hash("two"), hash("three"), hash("four"));
    let span = Span { from: at(1), until: at(99) };
    let both = [&three, &four].map(|next| sessions::follow(&db, (&two, next), span, 3));
    let found = interleave(Vec::from(both));
    let next: Vec<_> = found.into_iter().map(|it| it.unwrap().unwrap().next_hash).collect();
    assert_eq!(next, [Some(three.clone()), Some(three)], "both see the same one");
    assert_eq!(db.number("SELECT refreshes FROM user_sessions"), 2);
    follow("three", "five", at(2)).unwrap();
    assert_eq!(follow("five", "six", at(3)).unwrap().next_hash, None, "often enough");
    assert_eq!(follow("unknown", "x", NOW), None);
}

const LIMIT: Limit = Limit {
    failures: 3,
    block: Millis::from_secs(10),
    block_max: Millis::from_secs(35),
    forgotten_after: Millis::from_secs(1_000),
};

fn count(db: &Sqlite, id: &str, who: &str, address: Option<&str>, now: Timestamp) -> Counted {
    let attempt = Attempt { id, who, address, at: now };
    let of_address = Limit { failures: 5, ..LIMIT };
    wait(sign_in_attempts::count(db, attempt, (LIMIT, of_address))).unwrap()
}

#[test]
fn failures_block_for_longer_each_time_and_are_forgotten() {
    let db = Sqlite::new();
    let go = |id: &str, s| count(&db, id, "user:a", None, at(s));
    assert_eq!([go("1", 0), go("2", 1)], [Counted::Through(None); 2]);
    assert_eq!(go("2", 1), Counted::Through(None), "its answer was lost: it counts once");
    assert_eq!(go("3", 2), Counted::Through(Some(at(12))));
    assert_eq!(go("4", 11), Counted::Blocked(at(12)));
    assert_eq!(go("5", 12), Counted::Through(Some(at(32))), "twice as long");
    assert_eq!(go("6", 32), Counted::Through(Some(at(67))), "at most so long");
    assert_eq!(go("7", 67), Counted::Through(Some(at(102))));
    assert_eq!(go("8", 67 + 1_001), Counted::Through(None), "forgotten");
    let cleared = wait(db.query(sign_in_attempts::clear("user:a"))).unwrap();
    assert_eq!(cleared.count(), 1);
    assert_eq!(wait(db.query(sign_in_attempts::clear("user:a"))).unwrap().count(), 0);
}

#[test]
fn an_address_that_is_blocked_blocks_nobody_else() {
    let db = Sqlite::new();
    let from = |id: &str, who: &str, address, s| count(&db, id, who, Some(address), at(s));
    for (id, who) in [("1", "user:a"), ("2", "user:b"), ("3", "user:c"), ("4", "user:d")] {
        assert_eq!(from(id, who, "address:x", 0), Counted::Through(None));
    }
    assert_eq!(from("5", "user:e", "address:x", 1), Counted::Through(Some(at(11))));
    assert_eq!(from("6", "user:a", "address:x", 2), Counted::Blocked(at(11)));
    let failures = "SELECT failures FROM sign_in_attempts WHERE subject = 'user:a'";
    assert_eq!(db.number(failures), 1, "what was not looked at is no failure of the user");
    assert_eq!(from("7", "user:a", "address:y", 2), Counted::Through(None));
    wait(db.query(sign_in_attempts::take_back("address:x", "5"))).unwrap();
    assert_eq!(from("8", "user:f", "address:x", 3), Counted::Through(Some(at(13))));
}

#[test]
fn the_log_takes_so_many_of_a_kind_and_of_a_source() {
    let db = Sqlite::new();
    let add = |change: &str, source: &str, n: u32| {
        let bounds =
            Bounds { since: iso(NOW), source: source.into(), of_source_max: 2, of_kind_max: 5 };
        let id = format!("{change}-{source}-{n}");
        wait(db.query(audit::add_bounded(&entry(change, source, &id), bounds))).unwrap();
    };
    for n in 0..9 {
        for source in ["x", "y", "z"] {
            add("security.sign_in_failed", source, n);
        }
        add("security.locked_out", "x", n);
    }
    let of = |change: &str, source: &str| {
        db.number(&format!(
            "SELECT count(*) FROM audit_log WHERE change = '{change}' AND
               after ->> '$.source' = '{source}'"
        ))
    };
    let failed = ["x", "y", "z"].map(|source| of("security.sign_in_failed", source));
    assert_eq!((failed, of("security.locked_out", "x")), ([2, 2, 1], 2));
    assert_eq!(db.number("SELECT count(*) FROM events"), 0, "they are for administrators alone");
}

#[test]
fn what_is_long_over_is_removed_and_nothing_else() {
    let db = Sqlite::new();
    make(&db, users::create(&user("a", "user"), HASH));
    begin(&db, "s", "a", "one");
    count(&db, "1", "user:a", None, NOW);
    for (id, change) in [("e1", "security.sign_in_failed"), ("e2", "security.signed_in")] {
        wait(db.batch(vec![
            sign_in_attempts::take_back("user:a", "1"),
            audit::add(&entry(change, "x", id)),
        ]))
        .unwrap();
    }
    let rows = || {
        let counts = "SELECT (SELECT count(*) FROM refresh_tokens),
            (SELECT count(*) FROM user_sessions), (SELECT count(*) FROM sign_in_attempts),
            (SELECT count(*) FROM audit_log WHERE subject_type = 'security')";
        db.lines(counts).remove(0)
    };
    let days = |n: i64| at(n * 86_400 + n);
    let before = rows();
    wait(upkeep::forget(&db, days(1))).unwrap();
    assert_eq!(rows(), before);
    wait(upkeep::forget(&db, days(3))).unwrap();
    assert!(rows().starts_with("1|1|0|"), "{}", rows());
    wait(upkeep::forget(&db, days(16))).unwrap();
    assert_eq!(rows(), "0|1|0|2", "the entry of the user's making, and of its sign-in, stay");
    wait(upkeep::forget(&db, days(92))).unwrap();
    assert_eq!(rows(), "0|0|0|2");
    assert!(wait(users::find(&db, "a", None)).unwrap().is_some());
}
