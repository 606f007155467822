//! What crosses the wire, and what an older version wrote there.

use super::*;

#[test]
fn messages_and_records_cross_the_wire_line_by_line() {
    let request = append(1, 1, 2, After::Active);
    let text = encode(&request, ["[1]", "[2]"]).unwrap();
    let (back, records) = decode::<Request>(&text).unwrap();
    assert_eq!((back, records), (request, vec!["[1]", "[2]"]));
}

#[test]
fn what_the_first_version_wrote_still_reads() {
    let id = id(1);
    let read = |text: String| decode::<Request>(&text).unwrap().0;
    let text = format!(
        r#"{{"op":"start","id":"{id}","account":"default","at":0,"idempotency":null,
            "after":"active"}}"#
    );
    let text = text.replace('\n', "");
    assert_eq!(read(text), start_with(None, 1, After::Active));
    let text = format!(r#"{{"op":"append","id":"{id}","epoch":1,"seq":2,"after":"ended"}}"#);
    assert_eq!(read(text), append(1, 1, 2, After::Ended));
    let text = format!(r#"{{"op":"post","id":"{id}","entry":"a"}}"#);
    assert_eq!(read(text), post(1, "a"));
    let standing = decode::<Reply>(r#"{"reply":"standing","seq":2,"phase":"ended"}"#).unwrap().0;
    let (lease_until, wake_at) = (None, None);
    let phase = Phase::Ended;
    assert_eq!(standing, Reply::Standing { seq: Seq(2), phase, lease_until, unheard: 0, wake_at });
}

#[test]
fn the_first_version_reads_a_start_that_needs_nothing_new() {
    let text = encode(&start_with(None, 1, After::Active), []).unwrap();
    assert!(!text.contains("parent") && !text.contains("driven"), "{text}");
    assert_eq!(start_with(None, 1, After::Active).version(), 1);
    assert_eq!(child(2, 1, After::Active).version(), 2);
    assert_eq!(append(1, 1, 2, After::Active).version(), 2);
    assert_eq!(Request::Figures.version(), PROTOCOL);
}

#[test]
fn the_answer_to_a_sweep_is_read_with_figures_and_without() {
    let read = |text: &str| decode::<Reply>(text).unwrap().0;
    assert_eq!(read(r#"{"reply":"swept"}"#), Reply::Swept { figures: None });
    let figures = Figures { open: 2, size_bytes: 4096, ..Figures::default() };
    for reply in [Reply::Swept { figures: Some(figures) }, Reply::Figures(figures)] {
        assert_eq!(read(&encode(&reply, []).unwrap()), reply);
    }
}
