//! Feeds of a few items each, to show what is chosen and in which order.

use super::*;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const NOW_MS: i64 = 1_795_000_000_000;

fn item(name: &str, age_days: i64) -> Item {
    Item {
        id: Some(name.to_owned()),
        title: name.to_owned(),
        url: Some(format!("https://x.org/{name}")),
        published_at_ms: Some(NOW_MS - age_days * DAY_MS),
        ..Item::default()
    }
}

fn feed(items: &[Item]) -> Feed {
    Feed { items: items.to_vec(), complete: true, title: Some("F".into()), ..Feed::default() }
}

fn selection(articles_max: usize, per_feed_max: usize) -> Selection {
    Selection { articles_max, per_feed_max, since_ms: None, now_ms: NOW_MS }
}

fn titles(feeds: &[&Feed], selection: &Selection) -> Vec<String> {
    let urls: Vec<String> = (0..feeds.len()).map(|n| format!("https://f{n}.org/feed")).collect();
    let loaded: Vec<Loaded<'_>> =
        feeds.iter().zip(&urls).map(|(feed, url)| Loaded { url, feed }).collect();
    articles(&loaded, selection).into_iter().map(|article| article.title).collect()
}

#[test]
fn a_busy_feed_takes_no_place_that_a_quiet_one_could_fill() {
    let busy = feed(&[item("b1", 0), item("b2", 1), item("b3", 2), item("b4", 3)]);
    let quiet = feed(&[item("q1", 20), item("q2", 30)]);
    assert_eq!(titles(&[&busy, &quiet], &selection(4, 30)), ["b1", "b2", "q1", "q2"]);
    assert_eq!(titles(&[&busy, &quiet], &selection(3, 30)), ["b1", "b2", "q1"]);
    assert_eq!(titles(&[&busy, &quiet], &selection(9, 2)), ["b1", "b2", "q1", "q2"]);
    assert_eq!(titles(&[&busy, &quiet], &selection(9, 30)).len(), 6);
}

#[test]
fn the_newest_come_first_and_the_undated_last() {
    let undated = Item { published_at_ms: None, ..item("u", 0) };
    let mixed = feed(&[undated, item("old", 9), item("new", 1)]);
    assert_eq!(titles(&[&mixed], &selection(9, 9)), ["new", "old", "u"]);
}

#[test]
fn a_date_far_ahead_counts_as_now() {
    let ahead = Item { published_at_ms: Some(NOW_MS + 900 * DAY_MS), ..item("ahead", 0) };
    let soon = Item { published_at_ms: Some(NOW_MS + DAY_MS / 2), ..item("soon", 0) };
    let loaded = feed(&[ahead, soon, item("today", 0)]);
    assert_eq!(titles(&[&loaded], &selection(9, 9)), ["soon", "ahead", "today"]);
}

#[test]
fn since_drops_the_older_and_keeps_the_undated() {
    let undated = Item { published_at_ms: None, ..item("u", 0) };
    let mixed = feed(&[item("old", 9), item("new", 1), undated]);
    let since = Selection { since_ms: Some(NOW_MS - 2 * DAY_MS), ..selection(9, 9) };
    assert_eq!(titles(&[&mixed], &since), ["new", "u"]);
}

#[test]
fn the_same_article_in_two_feeds_counts_for_the_first() {
    let first = feed(&[item("a", 3)]);
    let by_address = Item {
        id: Some("other".into()),
        title: "copy".into(),
        url: Some("http://www.x.org/a/?utm_source=f2".into()),
        ..item("a", 0)
    };
    assert_eq!(titles(&[&first, &feed(&[by_address])], &selection(9, 9)), ["a"]);
    let worldwide = |title: &str, url: &str| Item {
        id: Some("tag:x.org,2026:1".into()),
        title: title.into(),
        url: Some(url.into()),
        ..item("a", 0)
    };
    let two = [
        feed(&[worldwide("one", "https://x.org/1")]),
        feed(&[worldwide("two", "https://y.org/2")]),
    ];
    assert_eq!(titles(&[&two[0], &two[1]], &selection(9, 9)), ["one"]);
}

#[test]
fn ids_of_one_feed_mean_nothing_in_another() {
    let plain = |title: &str, url: &str| Item {
        id: Some("1".into()),
        title: title.into(),
        url: Some(url.into()),
        ..item("a", 0)
    };
    let two = [feed(&[plain("one", "https://x.org/1")]), feed(&[plain("two", "https://y.org/2")])];
    assert_eq!(titles(&[&two[0], &two[1]], &selection(9, 9)), ["one", "two"]);
}

#[test]
fn items_without_address_stay_apart_and_lead_to_the_site() {
    let nameless = |title: &str| Item { id: None, url: None, ..item(title, 1) };
    let mut loaded = feed(&[nameless("one"), nameless("two")]);
    loaded.site_url = Some("https://site.org/".into());
    let list = articles(&[Loaded { url: "https://f.org/feed", feed: &loaded }], &selection(9, 9));
    assert_eq!(list.len(), 2);
    assert_eq!(list[0].url, "https://site.org/");
    assert_ne!(list[0].id, list[1].id);
}

#[test]
fn an_article_carries_its_feed() {
    let mut loaded = feed(&[item("a", 1)]);
    loaded.language = Some("de".into());
    let list = articles(&[Loaded { url: "https://f.org/feed", feed: &loaded }], &selection(9, 9));
    let article = &list[0];
    assert_eq!((article.feed_title.as_str(), article.source_title.as_str()), ("F", "F"));
    assert_eq!(article.language.as_deref(), Some("de"));
    assert_eq!(article.published_at.as_deref(), Some("2026-11-17T11:06:40Z"));
    assert!(article.id.starts_with("article-") && article.id.len() == 40);
    loaded.title = None;
    let list = articles(&[Loaded { url: "https://f.org/feed", feed: &loaded }], &selection(9, 9));
    assert_eq!(list[0].feed_title, "f.org");
}

#[test]
fn the_text_of_an_answer_is_bounded() {
    let long = |n: usize| Item {
        content_text: Some("x".repeat(100_000)),
        ..item(&format!("n{n}"), n as i64)
    };
    let items: Vec<Item> = (0..40).map(long).collect();
    let loaded = feed(&items);
    let list = articles(&[Loaded { url: "https://f.org/feed", feed: &loaded }], &selection(99, 99));
    let with_text = list.iter().take_while(|article| article.content_text.is_some()).count();
    assert_eq!((list.len(), with_text), (40, 24));
    assert!(list[with_text..].iter().all(|article| article.content_text.is_none()));
}
