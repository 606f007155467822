//! Draws the charts of a report as inline SVG. All are 360 units wide, so that their letters keep
//! one size, and take their colours from the style sheet, so that they follow dark mode and print.

use text::clean;

use super::tags::Tags;
use crate::document::{Chart, ChartKind, Count};

const WIDTH: f64 = 360.0;
/// An average letter of a label, in the wider of the fonts that a system may have.
const LETTER_WIDTH: f64 = 7.3;
const LABEL_CHARS_MAX: usize = 24;
const ROW_HEIGHT: f64 = 25.0;
const BAR_HEIGHT: f64 = 13.0;
const COLUMNS_HEIGHT: f64 = 150.0;
const TONE_HEIGHT: f64 = 96.0;

/// The chart with its title and description for those who do not see it.
pub fn chart(tags: &mut Tags, chart: &Chart) {
    let height = match &chart.kind {
        ChartKind::Bars(counts) => ROW_HEIGHT * counts.len().max(1) as f64 + 4.0,
        ChartKind::Columns(_) => COLUMNS_HEIGHT,
        ChartKind::Tone { .. } => TONE_HEIGHT,
    };
    let title_id = format!("{}-title", chart.anchor);
    let text_id = format!("{}-text", chart.anchor);
    let attributes = [
        ("viewBox", &*format!("0 0 {WIDTH} {height}")),
        ("role", "img"),
        ("aria-labelledby", &*format!("{title_id} {text_id}")),
    ];
    tags.element("svg", &attributes, |tags| {
        tags.leaf("title", &[("id", &title_id)], &chart.heading);
        tags.leaf("desc", &[("id", &text_id)], &description(chart));
        match &chart.kind {
            ChartKind::Bars(counts) => bars(tags, counts),
            ChartKind::Columns(counts) => columns(tags, counts),
            ChartKind::Tone { positive, neutral, negative } => {
                tone(tags, [*positive, *neutral, *negative]);
            }
        }
    });
}

/// All figures in words.
fn description(chart: &Chart) -> String {
    let listed = |counts: &[Count]| {
        let items: Vec<String> =
            counts.iter().map(|c| format!("{}: {}", c.label, c.count)).collect();
        items.join("; ")
    };
    let figures = match &chart.kind {
        ChartKind::Bars(counts) | ChartKind::Columns(counts) => listed(counts),
        ChartKind::Tone { positive, neutral, negative } => {
            format!("positive: {positive}; neutral: {neutral}; negative: {negative}")
        }
    };
    format!("{} {figures}.", chart.takeaway)
}

fn bars(tags: &mut Tags, counts: &[Count]) {
    let labels: Vec<String> =
        counts.iter().map(|count| clean::shorten(&count.label, LABEL_CHARS_MAX)).collect();
    let longest = labels.iter().map(|label| label.chars().count()).max().unwrap_or_default();
    let left = longest as f64 * LETTER_WIDTH + 10.0;
    let most = counts.iter().map(|count| count.count).max().unwrap_or_default().max(1);
    let room = WIDTH - left - 34.0;
    for (place, (count, label)) in counts.iter().zip(&labels).enumerate() {
        let top = place as f64 * ROW_HEIGHT + (ROW_HEIGHT - BAR_HEIGHT) / 2.0;
        let middle = top + BAR_HEIGHT / 2.0 + 4.2;
        let width = (room * count.count as f64 / most as f64).max(2.0);
        let class = if place == 0 { "bar first" } else { "bar" };
        label_at(tags, "label end", left - 8.0, middle, label);
        rectangle(tags, class, Area { x: left, y: top, width, height: BAR_HEIGHT });
        label_at(tags, "figure", left + width + 6.0, middle, &count.count.to_string());
    }
}

fn columns(tags: &mut Tags, counts: &[Count]) {
    const BASE: f64 = 122.0;
    const TOP: f64 = 22.0;
    let Some((peak, most)) = counts
        .iter()
        .enumerate()
        .max_by_key(|(_, count)| count.count)
        .map(|(place, count)| (place, count.count.max(1)))
    else {
        return;
    };
    let pitch = WIDTH / counts.len() as f64;
    let width = (pitch * 0.72).min(30.0);
    let middle = |place: usize| (place as f64 + 0.5) * pitch;
    for (place, count) in counts.iter().enumerate().filter(|(_, count)| count.count > 0) {
        let height = (BASE - TOP) * count.count as f64 / most as f64;
        let class = if place == peak { "bar first" } else { "bar" };
        let x = middle(place) - width / 2.0;
        rectangle(tags, class, Area { x, y: BASE - height, width, height });
    }
    let peak_x = middle(peak).clamp(10.0, WIDTH - 10.0);
    label_at(tags, "figure middle", peak_x, TOP - 6.0, &most.to_string());
    rectangle(tags, "axis", Area { x: 0.0, y: BASE, width: WIDTH, height: 1.0 });
    for place in labelled(counts.len(), peak) {
        let (class, x) = match place {
            0 => ("label", 0.0),
            place if place + 1 == counts.len() => ("label end", WIDTH),
            place => ("label middle", middle(place)),
        };
        label_at(tags, class, x, BASE + 17.0, &counts[place].label);
    }
}

/// The columns whose date is written: both ends, and the peak where there is room for it.
fn labelled(columns: usize, peak: usize) -> Vec<usize> {
    let last = columns - 1;
    let mut places = vec![0];
    let room = columns as f64 * 0.18;
    if peak as f64 > room && ((last - peak) as f64) > room {
        places.push(peak);
    }
    if last > 0 {
        places.push(last);
    }
    places
}

fn tone(tags: &mut Tags, counts: [usize; 3]) {
    const NAMES: [(&str, &str); 3] =
        [("Positive", "positive"), ("Neutral", "neutral"), ("Negative", "negative")];
    let total = counts.iter().sum::<usize>().max(1) as f64;
    let mut x = 0.0;
    for (count, (_, class)) in counts.iter().zip(NAMES).filter(|(count, _)| **count > 0) {
        let width = WIDTH * *count as f64 / total;
        // A hairline of background keeps neighbours apart without relying on colour.
        let area = Area { x, y: 8.0, width: (width - 1.5).max(1.0), height: 22.0 };
        rectangle(tags, class, area);
        x += width;
    }
    for (place, (count, (name, class))) in counts.iter().zip(NAMES).enumerate() {
        let x = place as f64 * WIDTH / 3.0;
        let share = (100.0 * *count as f64 / total).round();
        rectangle(tags, class, Area { x, y: 48.0, width: 11.0, height: 11.0 });
        label_at(tags, "label", x + 17.0, 58.0, name);
        label_at(tags, "figure", x + 17.0, 78.0, &format!("{count} ({share}%)"));
    }
}

struct Area {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

fn rectangle(tags: &mut Tags, class: &str, area: Area) {
    tags.leaf(
        "rect",
        &[
            ("class", class),
            ("x", &number(area.x)),
            ("y", &number(area.y)),
            ("width", &number(area.width)),
            ("height", &number(area.height)),
        ],
        "",
    );
}

fn label_at(tags: &mut Tags, class: &str, x: f64, y: f64, text: &str) {
    tags.leaf("text", &[("class", class), ("x", &number(x)), ("y", &number(y))], text);
}

fn number(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    rounded.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(kind: ChartKind) -> String {
        let mut tags = Tags::default();
        let chart_of = Chart {
            anchor: "chart-x".to_owned(),
            heading: "Heading <b>".to_owned(),
            takeaway: "Most are one.".to_owned(),
            kind,
        };
        chart(&mut tags, &chart_of);
        tags.finish()
    }

    fn counts(figures: &[usize]) -> Vec<Count> {
        let count = |(n, count): (usize, &usize)| Count { label: format!("<{n}>"), count: *count };
        figures.iter().enumerate().map(count).collect()
    }

    #[test]
    fn charts_speak_to_those_who_do_not_see_them() {
        let svg = drawn(ChartKind::Bars(counts(&[5, 2])));
        assert!(svg.contains("role=\"img\""));
        assert!(svg.contains("aria-labelledby=\"chart-x-title chart-x-text\""));
        assert!(svg.contains("<title id=\"chart-x-title\">Heading &lt;b&gt;</title>"));
        assert!(svg.contains("Most are one. &lt;0&gt;: 5; &lt;1&gt;: 2."));
    }

    #[test]
    fn every_count_that_is_not_zero_has_its_mark() {
        let marks = |svg: String| svg.matches("<rect class=\"bar").count();
        assert_eq!(marks(drawn(ChartKind::Bars(counts(&[5, 2, 1])))), 3);
        assert_eq!(marks(drawn(ChartKind::Columns(counts(&[0, 2, 0, 1])))), 2);
        let svg = drawn(ChartKind::Tone { positive: 1, neutral: 0, negative: 3 });
        assert!(svg.contains("1 (25%)") && svg.contains("0 (0%)") && svg.contains("3 (75%)"));
    }

    #[test]
    fn nothing_to_draw_is_no_error() {
        for kind in [
            ChartKind::Bars(Vec::new()),
            ChartKind::Columns(Vec::new()),
            ChartKind::Columns(counts(&[0])),
            ChartKind::Tone { positive: 0, neutral: 0, negative: 0 },
        ] {
            assert!(!drawn(kind).contains("NaN"));
        }
    }
}
