//! The body: themes with their articles, what moves, how the articles speak.

use crate::calendar;
use crate::document::{Block, Digest, Inline, Section, Table};
use crate::material::{Material, Source, ToneLabel};
use crate::prose;
use crate::themes::Theme;
use crate::trends::Pace;

use super::{Desk, section};

/// With fewer measured articles a tone is an anecdote.
const TONES_MIN: usize = 4;

/// One section with the articles of each theme.
pub fn themes(desk: &mut Desk) -> Option<Section> {
    let themes: Vec<Theme> = desk.themes.iter().take(desk.limits.themes).cloned().collect();
    let is_single = themes.len() == 1;
    let mut blocks = Vec::new();
    for theme in &themes {
        if !is_single {
            blocks.push(Block::Heading(theme.title.clone()));
        }
        if theme.sources.len() > 1 {
            blocks.push(Block::Paragraph(vec![Inline::Text(theme_line(desk, theme))]));
        }
        let shown = theme.sources.iter().take(desk.limits.digests_per_theme);
        let digests = shown.map(|place| digest(desk, *place)).collect();
        blocks.push(Block::Digests(digests));
    }
    let heading = if is_single { "The articles" } else { "Themes" };
    (!blocks.is_empty()).then(|| section("themes", heading, blocks))
}

/// "14 articles from 6 publishers, mostly neutral in tone. The most relevant come first."
fn theme_line(desk: &Desk, theme: &Theme) -> String {
    let sources: Vec<&Source> =
        theme.sources.iter().map(|place| &desk.brief.material.sources[*place]).collect();
    let names = sources.iter().map(|source| source.publisher.as_str());
    let publishers = crate::material::ranked_counts(names).len();
    let mut line = format!(
        "{} from {}",
        prose::count_of(sources.len(), "article"),
        prose::count_of(publishers, "publisher")
    );
    if let Some(tone) = mostly(&counts(sources.iter().copied())) {
        line.push_str(&format!(", {tone} in tone"));
    }
    let shown = desk.limits.digests_per_theme;
    if sources.len() > shown {
        line.push_str(&format!("; the {shown} most relevant are listed"));
    }
    line.push('.');
    line
}

fn digest(desk: &mut Desk, place: usize) -> Digest {
    let source = &desk.brief.material.sources[place];
    let best = desk.brief.ranking.best_of(place, &desk.said);
    let text = best.map(|index| desk.quote(index)).or_else(|| opening(source));
    Digest {
        title: source.title.clone(),
        address: source.address.clone(),
        byline: desk.byline(place),
        language: desk.foreign_language(place),
        cited: desk.citations.cite(place),
        text: text.filter(|text| *text != source.title),
    }
}

/// The beginning of a text that has no sentence to quote: another language, or cut by its feed.
fn opening(source: &Source) -> Option<String> {
    const CHARS_MAX: usize = 220;
    let first = text::sentences(&source.body).first()?.to_string();
    Some(text::clean::shorten(&first, CHARS_MAX))
}

/// What moves over the period.
pub fn trends(desk: &Desk) -> Option<Section> {
    let trends = desk.trends.as_ref()?;
    let middle = calendar::long(trends.middle_ms);
    let mut sentences = vec![match trends.pace {
        Pace::Quickening => format!(
            "Publication is quickening: the later half of the dated articles, from {middle} on, \
             came in much less time than the earlier half."
        ),
        Pace::Steady => format!(
            "Publication is steady: half of the dated articles appeared before {middle}, half \
             since."
        ),
        Pace::Slowing => format!(
            "Publication is slowing: the later half of the dated articles, from {middle} on, took \
             much longer to appear than the earlier half."
        ),
    }];
    if !trends.leading.is_empty() {
        let named = trends.leading.iter().map(|(keyword, count)| format!("{keyword} ({count})"));
        let named = prose::listed(&named.collect::<Vec<_>>());
        sentences.push(format!("The keywords that most articles share are {named}."));
    }
    let mut blocks = vec![Block::Paragraph(vec![Inline::Text(sentences.join(" "))])];
    if !trends.rising.is_empty() {
        let rows = trends.rising.iter().map(|rising| {
            vec![rising.keyword.clone(), rising.earlier.to_string(), rising.later.to_string()]
        });
        blocks.push(Block::Table(Table {
            caption: format!(
                "Keywords that gain: articles that name them, before {middle} and since."
            ),
            head: vec!["Keyword".to_owned(), "Before".to_owned(), "Since".to_owned()],
            rows: rows.collect(),
        }));
    }
    Some(section("trends", "What is moving", blocks))
}

/// How the articles speak.
pub fn tone(desk: &mut Desk) -> Option<Section> {
    let material = desk.brief.material;
    let [positive, neutral, negative] = material.tones();
    let total = positive + neutral + negative;
    if total < TONES_MIN {
        return None;
    }
    let part = |count: usize| format!("{count} ({})", prose::percent(count, total));
    let text = format!(
        "Of {} with a measured tone, {} are positive, {} neutral and {} negative. Tone says how an \
         article words its subject, not whether the news is good.",
        prose::count_of(total, "article"),
        part(positive),
        part(neutral),
        part(negative)
    );
    let mut blocks = vec![Block::Paragraph(vec![Inline::Text(text)])];
    blocks.extend(extremes(desk));
    if desk.limits.is_detailed && desk.themes.len() > 1 {
        blocks.push(Block::Table(tone_table(desk)));
    }
    Some(section("tone", "Tone", blocks))
}

/// The most positive and the most negative article.
fn extremes(desk: &mut Desk) -> Option<Block> {
    let extreme = |label: ToneLabel| {
        let toned = desk.brief.material.sources.iter().enumerate();
        toned
            .filter_map(|(place, source)| Some((place, source.tone?)))
            .filter(|(_, tone)| tone.label == label && tone.score != 0.0)
            .max_by(|a, b| a.1.score.abs().total_cmp(&b.1.score.abs()).then(b.0.cmp(&a.0)))
    };
    let found = [
        ("Most positive: ", extreme(ToneLabel::Positive)),
        ("Most negative: ", extreme(ToneLabel::Negative)),
    ];
    let mut items = Vec::new();
    for (label, found) in found {
        let Some((place, tone)) = found else { continue };
        let source = &desk.brief.material.sources[place];
        let title = match &source.address {
            Some(address) => Inline::Link { address: address.clone(), text: source.title.clone() },
            None => Inline::Text(source.title.clone()),
        };
        items.push(vec![
            Inline::Text(label.to_owned()),
            title,
            Inline::Cite(vec![desk.citations.cite(place)]),
            Inline::Text(format!(" ({:+.2})", tone.score).replace('-', "−")),
        ]);
    }
    (!items.is_empty()).then_some(Block::Bullets(items))
}

fn tone_table(desk: &Desk) -> Table {
    let rows = desk.themes.iter().map(|theme| {
        let sources = theme.sources.iter().map(|place| &desk.brief.material.sources[*place]);
        let figures = counts(sources).map(|count| count.to_string());
        std::iter::once(theme.title.clone()).chain(figures).collect()
    });
    Table {
        caption: "Tone by theme, in articles.".to_owned(),
        head: ["Theme", "Positive", "Neutral", "Negative"].map(str::to_owned).to_vec(),
        rows: rows.collect(),
    }
}

/// "The tone is mostly neutral (24 of 42 articles)."
pub fn tone_sentence(material: &Material) -> Option<String> {
    let counts = material.tones();
    let total: usize = counts.iter().sum();
    if total < TONES_MIN {
        return None;
    }
    let [positive, _, negative] = counts;
    let lean = |side: &str| {
        format!(
            "The tone leans {side}: {positive} of {total} articles are positive, {negative} \
             negative."
        )
    };
    Some(match mostly(&counts) {
        Some(tone) => format!("The tone is {tone}."),
        None if negative >= 2 * positive => lean("to the negative"),
        None if positive >= 2 * negative => lean("to the positive"),
        None => format!(
            "The tone is divided: {positive} of {total} articles are positive, {negative} negative."
        ),
    })
}

fn counts<'a>(sources: impl Iterator<Item = &'a Source>) -> [usize; 3] {
    let mut counts = [0; 3];
    for tone in sources.filter_map(|source| source.tone) {
        counts[tone.label as usize] += 1;
    }
    counts
}

/// The tone of more than half of the articles.
fn mostly(counts: &[usize; 3]) -> Option<&'static str> {
    let total: usize = counts.iter().sum();
    let names = ["mostly positive", "mostly neutral", "mostly negative"];
    let (place, most) = counts.iter().enumerate().max_by_key(|(_, count)| **count)?;
    (most * 2 > total && total >= 2).then_some(names[place])
}
