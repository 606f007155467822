//! What is measured, in words for a person.

use super::Metric;

impl Metric {
    /// The figure for a person.
    pub(super) fn shown(self, figure: f64) -> String {
        match self {
            Self::SuccessRate | Self::FailureShare | Self::PlacesShare => {
                format!("{:.1} %", figure * 100.0)
            }
            Self::P95Ms => format!("{figure:.0} ms"),
            Self::MeanCostUsd | Self::HourlyCostUsd => format!("{figure:.4} USD"),
            Self::Quality => format!("{figure:.2}"),
        }
    }

    /// What it is called in a sentence.
    pub(super) fn named(self) -> &'static str {
        match self {
            Self::SuccessRate => "success rate",
            Self::P95Ms => "95th percentile of duration",
            Self::MeanCostUsd => "cost of an execution",
            Self::HourlyCostUsd => "spending of an hour",
            Self::FailureShare => "share of attempts that failed",
            Self::Quality => "quality score",
            Self::PlacesShare => "share of places in use",
        }
    }
}
