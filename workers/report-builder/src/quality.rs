//! The quality score of a report: how well it stands on its sources.
//!
//! ```text
//! quality = 0.30 · evidence: cited sources, over 20 (brief: 6, detailed: 40), at most 1
//!         + 0.25 · mean relevance of the cited sources (0.5 where it is unknown)
//!         + 0.20 · diversity: 1 − Σ (a publisher's share of the cited sources)²
//!         + 0.15 · findings: found, over those that the type of report has room for
//!         + 0.10 · traceability: the share of cited sources with both an address and a date
//! ```
//!
//! A report without sources scores 0.

use crate::contract::ReportType;
use crate::material::{Source, ranked_counts};

const RELEVANCE_UNKNOWN: f64 = 0.5;

/// What the score is taken over.
#[derive(Debug)]
pub struct Measured<'a> {
    pub report_type: ReportType,
    pub cited: Vec<&'a Source>,
    pub findings: usize,
    pub findings_max: usize,
}

/// 0..1, rounded to three decimals.
pub fn score(measured: &Measured) -> f64 {
    let Measured { report_type, cited, findings, findings_max } = measured;
    if cited.is_empty() {
        return 0.0;
    }
    let count = cited.len() as f64;
    let wanted = match report_type {
        ReportType::Brief => 6.0,
        ReportType::Executive => 20.0,
        ReportType::Detailed => 40.0,
    };
    let relevance: f64 = cited.iter().map(|s| s.relevance.unwrap_or(RELEVANCE_UNKNOWN)).sum();
    let publishers = ranked_counts(cited.iter().map(|source| source.publisher.as_str()));
    let concentration: f64 = publishers.iter().map(|(_, n)| (*n as f64 / count).powi(2)).sum();
    let traceable = cited.iter().filter(|s| s.address.is_some() && s.published_ms.is_some());
    let score = 0.3 * (count / wanted).min(1.0)
        + 0.25 * relevance / count
        + 0.2 * (1.0 - concentration)
        + 0.15 * *findings as f64 / (*findings_max).max(1) as f64
        + 0.1 * traceable.count() as f64 / count;
    (score.clamp(0.0, 1.0) * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Article;
    use crate::material::Material;
    use serde_json::json;

    fn measured(count: usize, publishers: usize, relevance: f64) -> f64 {
        let article = |n: usize| {
            serde_json::from_value::<Article>(json!({
                "id": n.to_string(), "title": format!("T{n}"), "relevance": relevance,
                "feed_title": format!("P{}", n % publishers),
                "url": format!("https://x.example/{n}"),
                "published_at": "2026-11-01T00:00:00Z"
            }))
            .unwrap()
        };
        let material = Material::of(&(0..count).map(article).collect::<Vec<_>>());
        score(&Measured {
            report_type: ReportType::Executive,
            cited: material.sources.iter().collect(),
            findings: 6,
            findings_max: 6,
        })
    }

    #[test]
    fn evidence_relevance_and_diversity_raise_the_score() {
        let best = measured(20, 20, 1.0);
        assert_eq!(best, 0.99);
        assert!(measured(5, 5, 1.0) < best);
        assert!(measured(20, 1, 1.0) < best);
        assert!(measured(20, 20, 0.2) < best);
        assert_eq!(measured(0, 1, 1.0), 0.0);
    }
}
