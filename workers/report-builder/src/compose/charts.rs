//! The charts: what is covered, when, in which tone, and by whom.

use crate::document::{Block, Chart, ChartKind, Count, Section};
use crate::material::ToneLabel;
use crate::prose;
use crate::themes::OTHER;

use super::{Desk, section};

/// With fewer articles a chart shows nothing that a sentence does not.
const ARTICLES_MIN: usize = 4;

/// The section of charts, where there is anything to draw.
pub fn coverage(desk: &Desk) -> Option<Section> {
    if desk.brief.material.sources.len() < ARTICLES_MIN {
        return None;
    }
    let charts = [themes(desk), timeline(desk), tone(desk), publishers(desk)];
    let charts: Vec<Chart> = charts.into_iter().flatten().collect();
    (!charts.is_empty())
        .then(|| section("coverage", "Coverage at a glance", vec![Block::Charts(charts)]))
}

fn themes(desk: &Desk) -> Option<Chart> {
    if desk.themes.len() < 2 {
        return None;
    }
    let mut counts: Vec<Count> = desk
        .themes
        .iter()
        .map(|theme| Count { label: theme.title.clone(), count: theme.sources.len() })
        .collect();
    fold_tail(&mut counts, desk.limits.rows);
    let total = desk.brief.material.sources.len();
    let first = &counts[0];
    let takeaway = if first.label == OTHER {
        format!("{} do not fall under one theme.", prose::count_of(first.count, "article"))
    } else {
        let share = prose::percent(first.count, total);
        let of = prose::count_of(total, "article");
        format!("{} is the largest theme, with {} of {of} ({share}).", first.label, first.count)
    };
    Some(Chart {
        anchor: "chart-themes".to_owned(),
        heading: "Articles by theme".to_owned(),
        takeaway,
        kind: ChartKind::Bars(counts),
    })
}

/// What does not fit into `rows` rows becomes the last one.
fn fold_tail(counts: &mut Vec<Count>, rows: usize) {
    if counts.len() <= rows {
        return;
    }
    let tail: usize = counts.drain(rows - 1..).map(|count| count.count).sum();
    counts.push(Count { label: "All others".to_owned(), count: tail });
}

fn timeline(desk: &Desk) -> Option<Chart> {
    let trends = desk.trends.as_ref()?;
    let unit = trends.timeline.unit.name();
    let counts = trends.timeline.buckets.iter();
    let counts = counts.map(|b| Count { label: b.label.clone(), count: b.count }).collect();
    let peak = trends.timeline.peak()?;
    let mut takeaway = format!(
        "The busiest {unit} began on {} with {}.",
        peak.label,
        prose::count_of(peak.count, "article")
    );
    if trends.timeline.unit == crate::calendar::Unit::Day {
        let count = prose::count_of(peak.count, "article");
        takeaway = format!("The busiest day was {} with {count}.", peak.label);
    }
    if trends.timeline.earlier > 0 {
        let earlier = prose::count_of(trends.timeline.earlier, "earlier article");
        takeaway.push_str(&format!(" Not shown: {earlier}."));
    }
    Some(Chart {
        anchor: "chart-timeline".to_owned(),
        heading: format!("Articles by {unit}"),
        takeaway,
        kind: ChartKind::Columns(counts),
    })
}

fn tone(desk: &Desk) -> Option<Chart> {
    let counts = desk.brief.material.tones();
    let total: usize = counts.iter().sum();
    if total < ARTICLES_MIN {
        return None;
    }
    let [positive, neutral, negative] = counts;
    let named = [("positive", positive), ("neutral", neutral), ("negative", negative)];
    let most = positive.max(neutral).max(negative);
    let leading: Vec<&str> =
        named.iter().filter(|(_, count)| *count == most).map(|(name, _)| *name).collect();
    let takeaway = match leading.as_slice() {
        [name] => format!("{} of {total} are {name}.", prose::grouped(most)),
        _ => "No tone prevails.".to_owned(),
    };
    Some(Chart {
        anchor: "chart-tone".to_owned(),
        heading: "Tone of the articles".to_owned(),
        takeaway,
        kind: ChartKind::Tone { positive, neutral, negative },
    })
}

fn publishers(desk: &Desk) -> Option<Chart> {
    let publishers = desk.brief.material.publishers();
    if publishers.len() < 2 {
        return None;
    }
    let count =
        |(label, count): &(&str, usize)| Count { label: (*label).to_owned(), count: *count };
    let mut counts: Vec<Count> = publishers.iter().map(count).collect();
    fold_tail(&mut counts, desk.limits.rows);
    let first = prose::count_of(publishers[0].1, "article");
    Some(Chart {
        anchor: "chart-publishers".to_owned(),
        heading: "Articles by publisher".to_owned(),
        takeaway: format!("{} contributes most, with {first}.", publishers[0].0),
        kind: ChartKind::Bars(counts),
    })
}

impl crate::material::Material {
    /// How many sources are positive, neutral, negative.
    pub fn tones(&self) -> [usize; 3] {
        let count = |label: ToneLabel| {
            self.sources.iter().filter(|s| s.tone.is_some_and(|tone| tone.label == label)).count()
        };
        [count(ToneLabel::Positive), count(ToneLabel::Neutral), count(ToneLabel::Negative)]
    }
}
