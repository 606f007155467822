//! The protocol as older drivers and Governors speak it.

use serde_json::json;

use super::*;

fn read(value: serde_json::Value) -> Request {
    serde_json::from_value(value).unwrap()
}

#[test]
fn what_older_drivers_ask_is_still_understood() {
    let mut account = Account::new();
    let id = id(7);
    let admit = read(json!({ "op": "admit", "id": id, "limit": 1 }));
    assert_eq!(account.ask(admit), granted());
    let other = json!({ "op": "admit", "id": super::id(8), "limit": 1 });
    let refused = account.ask(read(other));
    assert!(matches!(refused, Reply::Refused { taken: 1, .. }), "it does not know of a line");
    assert_eq!(account.ask(read(json!({ "op": "keep", "id": id }))), granted());
    assert_eq!(account.ask(read(json!({ "op": "leave", "id": id }))), Reply::Left);
}

#[test]
fn replies_are_what_older_drivers_read_and_theirs_are_read() {
    assert_eq!(serde_json::to_value(granted()).unwrap(), json!({ "reply": "granted" }));
    assert_eq!(serde_json::to_value(Reply::Left).unwrap(), json!({ "reply": "left" }));
    let old: Reply = serde_json::from_value(json!({ "reply": "granted" })).unwrap();
    assert_eq!(old, granted());
    let refused = json!({ "reply": "refused", "retry_after": 1000, "taken": 3 });
    let read: Reply = serde_json::from_value(refused.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), refused);
}

#[test]
fn every_request_and_reply_survives_the_wire() {
    let key = KeyFunds { id: "k".to_owned(), daily_max: None, monthly_max: Some(micros(9)) };
    let daily_max = Some(micros(2));
    let funds = Funds { reserve: micros(1), daily_max, key: Some(key), ..Funds::default() };
    let again = Some(funds.clone());
    let settlement = Settlement { id: id(1), spent_total: micros(3), ended: true };
    let at = Timestamp::from_millis(5);
    for request in [
        Request::Admit { id: id(1), limit: 2, priority: 3, waits: true, funds: again },
        Request::Settle { settlements: vec![settlement] },
        Request::Raise { id: id(1), funds },
        Request::Pass {
            id: id(1),
            path: "map[3]".to_owned(),
            worker: "w".to_owned(),
            gate: crate::plan::Gate::default(),
            priority: -1,
            until: at,
        },
    ] {
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request);
    }
    let exhausted = Exhausted {
        period: Period::Monthly,
        max: micros(1),
        spent: micros(2),
        reserved: micros(3),
        wanted: micros(4),
        renews_at: at,
        of_key: true,
    };
    for reply in [
        Reply::Exhausted(exhausted),
        Reply::Waits { position: 1, ask_again: crate::time::Millis::new(9) },
        Reply::Held { reason: HeldBy::Rate, ask_again: crate::time::Millis::new(9) },
        Reply::Passed { until: at },
        Reply::Granted { gates: vec!["w".to_owned()] },
    ] {
        let text = serde_json::to_string(&reply).unwrap();
        assert_eq!(serde_json::from_str::<Reply>(&text).unwrap(), reply);
    }
}

#[test]
fn a_governor_that_knows_no_keys_is_asked_as_before_where_there_is_none() {
    let funds = Funds { reserve: micros(1), daily_max: Some(micros(2)), ..Funds::default() };
    let expected = json!({ "reserve": 1, "daily_max": 2 });
    assert_eq!(serde_json::to_value(&funds).unwrap(), expected);
    let mut account = Account::new();
    let full = account.start(1, Funds { reserve: micros(3), ..funds });
    let full = serde_json::to_value(full).unwrap();
    assert_eq!(full.get("of_key"), None, "and answers as before");
    let old: Reply = serde_json::from_value(full).unwrap();
    assert!(matches!(old, Reply::Exhausted(exhausted) if !exhausted.of_key));
}
