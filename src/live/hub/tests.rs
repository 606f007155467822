//! The hub as stories: who subscribed hears everything once, in order, whatever comes between.

use api_types::live::LiveServerMessage;
use serde_json::{Value, json};

use super::*;
use crate::live::limits::{LAGGING_FOR, WINDOW_MESSAGES};
use crate::live::topic::tests::asked;
use crate::live::topic::{Facts, Item};

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000).plus(Millis::new(ms))
}

fn somebody(administers: bool) -> Kept {
    let who = Who { account: "acme".into(), name: "key:k".into(), administers };
    Kept { who: Some(who), since_ms: at(0).as_millis() }
}

fn nobody() -> Kept {
    Kept { who: None, since_ms: at(0).as_millis() }
}

fn subscribe(hub: &mut Hub, id: &str, name: &str, topic: &str, cursor: Option<&str>) {
    try_subscribe(hub, id, name, topic, cursor).unwrap();
}

fn try_subscribe(
    hub: &mut Hub,
    id: &str,
    name: &str,
    topic: &str,
    cursor: Option<&str>,
) -> Result<(), Refusal> {
    let mut message = asked(topic, json!({}));
    message.id = name.to_owned();
    message.cursor = cursor.map(str::to_owned);
    hub.subscribe(id, message, at(0))
}

/// Events of the topic `jobs` with these numbers.
fn items(numbers: impl IntoIterator<Item = u64>) -> Vec<Item> {
    let item = |n: u64| Item {
        place: Place(n, 0),
        facts: Facts::Event { topic: "jobs".into(), event_type: "job.x".into(), subject: None },
        body: json!({ "id": n }).to_string(),
    };
    numbers.into_iter().map(item).collect()
}

fn page(from: u64, numbers: impl IntoIterator<Item = u64>) -> Page {
    let items = items(numbers);
    let through = items.last().map_or(Place(from, 0), |item| item.place);
    Page { from: Place(from, 0), through, items }
}

/// The cursors that a connection was sent, and the types of all else.
fn heard(outs: &[Out], id: &str) -> (Vec<String>, Vec<String>) {
    let (mut cursors, mut others) = (Vec::new(), Vec::new());
    for out in outs {
        match out {
            Out::Send(to, text) if to == id => {
                let message: Value = serde_json::from_str(text).unwrap();
                match message["type"].as_str().unwrap() {
                    "event" => cursors.push(message["cursor"].as_str().unwrap().to_owned()),
                    other => others.push(other.to_owned()),
                }
            }
            Out::Close(to, closing) if to == id => others.push(format!("{closing:?}")),
            Out::Send(..) | Out::Close(..) => {}
        }
    }
    (cursors, others)
}

fn place_all(hub: &mut Hub, newest: u64) -> Vec<Out> {
    let asked = hub.asked(&Source::Events);
    hub.place(&asked, Place(newest, 0))
}

#[test]
fn each_hears_what_comes_after_its_own_place() {
    let mut hub = Hub::default();
    for id in ["a", "b", "c"] {
        hub.open(id.into(), somebody(false), at(0));
    }
    subscribe(&mut hub, "a", "s", "jobs", None);
    subscribe(&mut hub, "b", "s", "jobs", Some("3"));
    subscribe(&mut hub, "c", "s", "tasks", None);
    let outs = place_all(&mut hub, 5);
    assert_eq!(heard(&outs, "a").1, ["subscribed"]);
    assert_eq!(
        (hub.head(&Source::Events), hub.tail(&Source::Events)),
        (Some(Place(5, 0)), Some(Place(3, 0)))
    );
    // What the head reads is not for who is behind: it would miss 4 and 5.
    let outs = hub.deliver(&Source::Events, &page(5, [6]), at(1));
    assert_eq!(heard(&outs, "a").0, ["6"]);
    assert_eq!(heard(&outs, "b").0, Vec::<String>::new());
    let mut behind = page(3, [4, 5, 6, 7]);
    behind.through = Place(7, 0);
    let outs = hub.deliver(&Source::Events, &behind, at(2));
    assert_eq!(heard(&outs, "a").0, ["7"], "6 not twice");
    assert_eq!(heard(&outs, "b").0, ["4", "5", "6", "7"]);
    assert_eq!(heard(&outs, "c").0, Vec::<String>::new());
    assert_eq!(hub.tail(&Source::Events), Some(Place(7, 0)), "who filters moves on as well");
    assert_eq!(hub.figures().delivered, 6);
}

#[test]
fn a_short_page_brings_everybody_to_its_end() {
    let mut hub = Hub::default();
    hub.open("a".into(), somebody(false), at(0));
    subscribe(&mut hub, "a", "old", "jobs", Some("3"));
    subscribe(&mut hub, "a", "new", "jobs", None);
    place_all(&mut hub, 9);
    let empty = Page { from: Place(3, 0), through: Place(9, 0), items: Vec::new() };
    assert!(hub.deliver(&Source::Events, &empty, at(1)).is_empty());
    assert_eq!(hub.tail(&Source::Events), Some(Place(9, 0)), "else it were read for ever");
}

#[test]
fn a_full_window_stops_one_and_no_other() {
    let mut hub = Hub::default();
    for id in ["slow", "fast"] {
        hub.open(id.into(), somebody(false), at(0));
        subscribe(&mut hub, id, "s", "jobs", Some("0"));
    }
    let count = WINDOW_MESSAGES as u64 + 5;
    place_all(&mut hub, count);
    hub.deliver(&Source::Events, &page(0, 1..=10), at(1));
    hub.acknowledge("fast", "s", "10", at(1)).unwrap();
    let outs = hub.deliver(&Source::Events, &page(10, 11..=count), at(2));
    let (cursors, others) = heard(&outs, "slow");
    assert_eq!(cursors.len() + 10, WINDOW_MESSAGES);
    assert_eq!(others, ["lagging"], "it is told once");
    assert_eq!(heard(&outs, "fast").0.len() as u64, count - 10);
    assert_eq!(hub.head(&Source::Events), Some(Place(count, 0)));
    assert_eq!(hub.tail(&Source::Events), Some(Place(count, 0)), "it is not read for meanwhile");
    // An acknowledgement of a little makes no room; of half, it does, and nothing was lost.
    hub.acknowledge("slow", "s", "10", at(3)).unwrap();
    assert_eq!(hub.tail(&Source::Events), Some(Place(count, 0)));
    hub.acknowledge("slow", "s", &WINDOW_MESSAGES.to_string(), at(3)).unwrap();
    assert_eq!(hub.tail(&Source::Events), Some(Place(WINDOW_MESSAGES as u64, 0)));
    assert_eq!(hub.due(at(3)), [Source::Events]);
    let rest = page(WINDOW_MESSAGES as u64, WINDOW_MESSAGES as u64 + 1..=count);
    let (cursors, _) = heard(&hub.deliver(&Source::Events, &rest, at(4)), "slow");
    assert_eq!(cursors.len(), 5);
}

#[test]
fn who_does_not_acknowledge_in_time_is_told_and_closed() {
    let mut hub = Hub::default();
    for id in ["slow", "other"] {
        hub.open(id.into(), somebody(false), at(0));
    }
    subscribe(&mut hub, "slow", "s", "jobs", Some("0"));
    place_all(&mut hub, 2_000);
    hub.deliver(&Source::Events, &page(0, 1..=2_000), at(0));
    let deadline = LAGGING_FOR.get();
    assert_eq!(heard(&hub.tend(at(deadline - 1), |_| None), "slow").1, Vec::<String>::new());
    assert!(hub.next_at().unwrap() <= at(deadline));
    let outs = hub.tend(at(deadline), |_| None);
    assert_eq!(heard(&outs, "slow").1, ["closing", "SlowConsumer"]);
    let Out::Send(_, told) = &outs[0] else { panic!() };
    let LiveServerMessage::Closing(told) = serde_json::from_str(told).unwrap() else { panic!() };
    assert_eq!((told.code, told.subscriptions[0].cursor.as_str()), (4408, "1000"));
    assert_eq!(heard(&outs, "other"), (Vec::new(), Vec::new()));
    let figures = hub.figures();
    assert_eq!((figures.connections, figures.dropped), (1, 1));
    assert!(!hub.is_listened_to(), "nobody is left who listens");
}

#[test]
fn many_slow_ones_share_what_memory_there_is() {
    let mut hub = Hub::default();
    let large = "x".repeat(100 * 1024);
    for n in 0..600 {
        let id = format!("{n}");
        hub.open(id.clone(), somebody(false), at(0));
        subscribe(&mut hub, &id, "s", "jobs", Some("0"));
    }
    place_all(&mut hub, 2);
    let mut both = page(0, [1, 2]);
    both.items.iter_mut().for_each(|item| item.body = json!(large).to_string());
    let one = Page { items: both.items[..1].to_vec(), through: Place(1, 0), ..both.clone() };
    hub.deliver(&Source::Events, &one, at(1));
    assert!(hub.unacknowledged_bytes > UNACKNOWLEDGED_BYTES_MAX);
    let two = Page { from: Place(1, 0), items: both.items[1..].to_vec(), through: Place(2, 0) };
    let outs = hub.deliver(&Source::Events, &two, at(2));
    assert_eq!(heard(&outs, "7").1, ["lagging"], "the second one would fit its own window");
    for n in 0..600 {
        hub.forget(&format!("{n}"));
    }
    assert_eq!(hub.unacknowledged_bytes, 0, "what is closed is not counted");
}

#[test]
fn subscriptions_are_named_once_and_limited() {
    let mut hub = Hub::default();
    hub.open("a".into(), somebody(false), at(0));
    hub.open("b".into(), nobody(), at(0));
    assert_eq!(try_subscribe(&mut hub, "b", "s", "jobs", None), Err(Refusal::Unauthenticated));
    assert_eq!(try_subscribe(&mut hub, "c", "s", "jobs", None), Err(Refusal::Unauthenticated));
    for n in 0..SUBSCRIPTIONS_MAX {
        subscribe(&mut hub, "a", &format!("s{n}"), "jobs", None);
    }
    let again = try_subscribe(&mut hub, "a", "s1", "jobs", None);
    assert_eq!(again, Err(Refusal::SubscriptionExists));
    let more = try_subscribe(&mut hub, "a", "more", "jobs", None);
    assert_eq!(more, Err(Refusal::TooManySubscriptions));
    hub.unsubscribe("a", "s1", "asked").unwrap();
    assert_eq!(hub.unsubscribe("a", "s1", "asked"), Err(Refusal::SubscriptionUnknown));
    subscribe(&mut hub, "a", "s1", "jobs", None);
    let odd = try_subscribe(&mut hub, "a", "odd", "jobs", Some("3.1"));
    assert!(odd.is_err(), "a cursor of another topic");
}

#[test]
fn a_cursor_that_lies_ahead_is_refused_where_that_can_be_known() {
    let mut hub = Hub::default();
    hub.open("a".into(), somebody(false), at(0));
    subscribe(&mut hub, "a", "s", "jobs", Some("11"));
    let outs = place_all(&mut hub, 10);
    assert_eq!(heard(&outs, "a").1, ["error"]);
    assert!(!hub.is_listened_to());
    subscribe(&mut hub, "a", "s", "jobs", Some("11"));
    assert_eq!(heard(&place_all(&mut hub, 0), "a").1, ["subscribed"], "all rows had their time");
}

#[test]
fn time_limits_close_what_is_silent_late_or_old() {
    let mut hub = Hub::default();
    hub.open("late".into(), nobody(), at(0));
    hub.open("pinger".into(), somebody(false), at(0));
    hub.open("quiet".into(), somebody(false), at(0));
    let late = AUTHENTICATE_WITHIN.get();
    assert_eq!(hub.next_at(), Some(at(late)));
    let outs = hub.tend(at(late), |_| None);
    assert_eq!(heard(&outs, "late").1, ["closing", "AuthenticationLate"]);
    let silent = SILENT_FOR.get();
    let pinged = |id: &str| (id == "pinger").then(|| at(10));
    assert!(hub.tend(at(silent + 9), pinged).is_empty());
    let outs = hub.tend(at(silent + 10), pinged);
    assert_eq!(heard(&outs, "pinger").1, ["closing", "Silent"]);
    let idle = HEARTBEAT_IDLE.get();
    assert_eq!(heard(&hub.tend(at(idle), |_| None), "quiet").1, ["heartbeat"]);
    subscribe(&mut hub, "quiet", "s", "jobs", None);
    let next = hub.tend(at(idle + HEARTBEAT.get()), |_| None);
    assert_eq!(heard(&next, "quiet").1, ["heartbeat"], "sooner, while it listens");
    hub.vouch("quiet", Kept { since_ms: at(1_000).as_millis(), ..somebody(false) });
    let old = CONNECTION_LIFE.get();
    assert_eq!(heard(&hub.tend(at(old), |_| None), "quiet").1, ["heartbeat"]);
    assert_eq!(heard(&hub.tend(at(old + 1_000), |_| None), "quiet").1, ["closing", "Expired"]);
    assert_eq!(hub.next_at(), None, "nobody is here: nothing is due");
}

#[test]
fn connections_are_limited_and_those_that_are_not_known_more_so() {
    let mut hub = Hub::default();
    for n in 0..PENDING_MAX {
        assert!(hub.has_place(false));
        hub.open(format!("p{n}"), nobody(), at(0));
    }
    assert!(!hub.has_place(false) && hub.has_place(true));
    for n in PENDING_MAX..CONNECTIONS_MAX {
        hub.open(format!("k{n}"), somebody(false), at(0));
    }
    assert!(!hub.has_place(true));
}

#[test]
fn what_is_stored_brings_everybody_back_to_its_place() {
    let mut hub = Hub::default();
    for id in ["a", "b"] {
        hub.open(id.into(), somebody(false), at(0));
    }
    subscribe(&mut hub, "a", "s", "jobs", None);
    let first = hub.unkept();
    assert_eq!(first.changes.len(), 1);
    assert!(first.changes[0].asked.is_some() && first.moved.is_empty());
    assert!(hub.unkept().is_empty(), "once");
    subscribe(&mut hub, "b", "s", "jobs", Some("3"));
    place_all(&mut hub, 5);
    let second = hub.unkept();
    assert_eq!(second.moved, [Head { source: Source::Events, place: Place(5, 0) }]);
    let own: Vec<(&str, bool)> =
        second.changes.iter().map(|change| (change.socket.as_str(), change.own)).collect();
    assert_eq!(own, [("a", false), ("b", true)]);
    hub.deliver(&Source::Events, &page(5, [6, 7]), at(1));
    let third = hub.unkept();
    assert_eq!(third.moved, [Head { source: Source::Events, place: Place(7, 0) }]);
    assert!(third.changes.is_empty(), "one row for all that moved: {third:?}");
    hub.forget("a");
    hub.forget("b");
    assert_eq!(hub.unkept().left, [Source::Events]);
}

/// Random readers and writers: whoever subscribed from the beginning hears every event once and in
/// order, however pages, windows and acknowledgements fall.
#[test]
fn nothing_is_missed_and_nothing_comes_twice() {
    let mut seed = 7_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut hub = Hub::default();
    let mut got: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let (mut written, mut time) = (0_u64, 0_u64);
    for n in 0..12 {
        hub.open(format!("{n}"), somebody(false), at(0));
        got.insert(format!("{n}"), Vec::new());
    }
    for n in 0..6 {
        subscribe(&mut hub, &format!("{n}"), "s", "jobs", Some("0"));
    }
    for round in 0..600 {
        time += 1;
        written += random(40);
        if round == 100 {
            for n in 6..12 {
                subscribe(&mut hub, &format!("{n}"), "s", "jobs", Some("0"));
            }
        }
        let mut outs = place_all(&mut hub, written);
        let read = |from: Place, most: u64| {
            let last = written.min(from.0 + most);
            let items = items(from.0 + 1..=last);
            let through = if last < written { Place(last, 0) } else { Place(written, 0).max(from) };
            Page { from, through, items }
        };
        for place in [hub.head(&Source::Events), hub.tail(&Source::Events)].into_iter().flatten() {
            let page = read(place, 1 + random(100));
            outs.extend(hub.deliver(&Source::Events, &page, at(time)));
        }
        for (id, numbers) in &mut got {
            let cursors = heard(&outs, id).0;
            numbers.extend(cursors.iter().map(|cursor| cursor.parse::<u64>().unwrap()));
            if random(3) == 0
                && let Some(last) = numbers.last()
            {
                hub.acknowledge(id, "s", &last.to_string(), at(time)).unwrap();
            }
        }
    }
    for (id, numbers) in got {
        assert!(numbers.len() > 3_000, "{id} heard {}", numbers.len());
        let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
        assert_eq!(numbers, expected, "{id}");
    }
}
