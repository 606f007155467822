//! Owns the way from feeds to one list of articles: each once, fairly chosen, newest first. Pure.

use std::cmp::Reverse;
use std::collections::HashSet;

use sha2::{Digest, Sha256};
use url::Url;

use crate::contract::Article;
use crate::feed::{Feed, Item};
use crate::links;

/// The most bytes of text in one answer, well below what the next worker reads. Beyond it the texts
/// of the last articles are left to their summaries.
const TEXT_BYTES_MAX: usize = 2_500_000;
/// A date further ahead than this is taken for an error when articles are put in order.
const AHEAD_MS_MAX: i64 = 24 * 60 * 60 * 1000;

/// A feed that was read.
#[derive(Clone, Copy, Debug)]
pub struct Loaded<'l> {
    /// Its address as asked for.
    pub url: &'l str,
    /// What it says.
    pub feed: &'l Feed,
}

/// What limits the list.
#[derive(Clone, Copy, Debug)]
pub struct Selection {
    /// Articles in all.
    pub articles_max: usize,
    /// Articles of one feed.
    pub per_feed_max: usize,
    /// Unix ms; earlier articles are left out, undated ones are kept.
    pub since_ms: Option<i64>,
    /// Unix ms.
    pub now_ms: i64,
}

/// The articles. They are chosen in rounds: from every feed its newest, then from every feed its
/// second newest, and so on, so that a busy feed takes no place that a quiet one could fill. What
/// appears in several feeds counts for the first of them.
pub fn articles(feeds: &[Loaded<'_>], selection: &Selection) -> Vec<Article> {
    let mut seen = HashSet::new();
    let queues: Vec<Vec<Candidate<'_>>> =
        feeds.iter().map(|loaded| candidates(*loaded, selection, &mut seen)).collect();
    let mut chosen = Vec::new();
    for round in 0..selection.per_feed_max {
        let mut of_round: Vec<Candidate<'_>> =
            queues.iter().filter_map(|queue| queue.get(round).copied()).collect();
        if of_round.is_empty() {
            break;
        }
        of_round.sort_by_key(Candidate::order);
        chosen.extend(of_round);
    }
    chosen.truncate(selection.articles_max);
    chosen.sort_by_key(Candidate::order);
    let mut articles: Vec<Article> = chosen.into_iter().map(Candidate::into_article).collect();
    bound_text(&mut articles);
    articles
}

/// An item that may be chosen.
#[derive(Clone, Copy)]
struct Candidate<'c> {
    loaded: Loaded<'c>,
    item: &'c Item,
    /// What the order goes by: the date, held to the present.
    order_ms: Option<i64>,
}

impl Candidate<'_> {
    /// Newest first, undated last. Sorting is stable, so equals stay in the order of the feeds.
    fn order(&self) -> (bool, Reverse<Option<i64>>) {
        (self.order_ms.is_none(), Reverse(self.order_ms))
    }

    fn into_article(self) -> Article {
        let Loaded { url: feed_url, feed } = self.loaded;
        let host = || Url::parse(feed_url).ok().and_then(|u| u.host_str().map(str::to_owned));
        let feed_title = feed.title.clone().or_else(host).unwrap_or_default();
        Article {
            id: article_id(feed_url, self.item),
            title: self.item.title.clone(),
            url: self
                .item
                .url
                .clone()
                .or_else(|| feed.site_url.clone())
                .unwrap_or_else(|| feed_url.to_owned()),
            summary: self.item.summary.clone(),
            content_text: self.item.content_text.clone(),
            published_at: self.item.published_at_ms.and_then(rfc_3339),
            author: self.item.author.clone(),
            feed_url: feed_url.to_owned(),
            source_title: self.item.source_title.clone().unwrap_or_else(|| feed_title.clone()),
            feed_title,
            language: self.item.language.clone().or_else(|| feed.language.clone()),
        }
    }
}

/// The items of a feed that no earlier feed had, newest first.
fn candidates<'c>(
    loaded: Loaded<'c>,
    selection: &Selection,
    seen: &mut HashSet<String>,
) -> Vec<Candidate<'c>> {
    let latest_ms = selection.now_ms.saturating_add(AHEAD_MS_MAX);
    let mut candidates: Vec<Candidate<'c>> = loaded
        .feed
        .items
        .iter()
        .filter(|item| match (item.published_at_ms, selection.since_ms) {
            (Some(published_ms), Some(since_ms)) => published_ms >= since_ms,
            _ => true,
        })
        .map(|item| {
            let order_ms = item.published_at_ms;
            let order_ms = order_ms.map(|ms| if ms > latest_ms { selection.now_ms } else { ms });
            Candidate { loaded, item, order_ms }
        })
        .collect();
    candidates.sort_by_key(Candidate::order);
    candidates.retain(|candidate| first_sight(loaded.url, candidate.item, seen));
    candidates.truncate(selection.per_feed_max);
    candidates
}

/// Whether none of an item's keys was seen before; notes them all.
fn first_sight(feed_url: &str, item: &Item, seen: &mut HashSet<String>) -> bool {
    let by_address = item.url.as_deref().and_then(|url| Url::parse(url).ok());
    let by_address = by_address.map(|url| format!("url {}", links::key(&url)));
    let by_id = format!("id {}", article_id(feed_url, item));
    let keys: Vec<String> = by_address.into_iter().chain([by_id]).collect();
    let fresh = keys.iter().all(|key| !seen.contains(key));
    seen.extend(keys);
    fresh
}

/// The feed's own id where it is one for the whole world; else a digest of the feed and what tells
/// the item from its neighbours.
fn article_id(feed_url: &str, item: &Item) -> String {
    const DIGEST_BYTES: usize = 16;
    let worldwide = |id: &&str| {
        id.contains("://") || id.starts_with("tag:") || id.to_ascii_lowercase().starts_with("urn:")
    };
    if let Some(id) = item.id.as_deref().filter(worldwide) {
        return id.to_owned();
    }
    let own = match (&item.id, &item.url) {
        (Some(id), _) => id.clone(),
        (None, Some(url)) => url.clone(),
        (None, None) => format!("{} {:?} {}", item.title, item.published_at_ms, item.summary),
    };
    let digest = Sha256::digest(format!("{feed_url}\n{own}"));
    let hex: String = digest[..DIGEST_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("article-{hex}")
}

fn rfc_3339(unix_ms: i64) -> Option<String> {
    chrono::DateTime::from_timestamp_millis(unix_ms)
        .map(|date| date.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
}

fn bound_text(articles: &mut [Article]) {
    let mut bytes: usize = articles.iter().map(|a| a.summary.len() + a.title.len()).sum();
    for article in articles {
        bytes += article.content_text.as_ref().map_or(0, String::len);
        if bytes > TEXT_BYTES_MAX {
            article.content_text = None;
        }
    }
}

#[cfg(test)]
mod tests;
