//! What a client asks for.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{PipelineReply, PlanReply};

/// A request for an execution. Fields that it does not know are refused, so that a misspelt one
/// cannot pass for a wish.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "topic": "artificial intelligence", "optimize_for": "balanced", "urgency": "medium",
    "quality_level": "standard", "budget_limit": 0.5, "max_articles": 50
}))]
pub struct OrchestrateRequest {
    /// What the pipeline is about: 1 to 500 characters besides surrounding space. Required, unless
    /// the template's `input_schema` says `"x-topic-required": false`.
    #[schema(min_length = 1, max_length = 2000)]
    pub topic: Option<String>,
    /// How soon the result is wanted; decides deadline and priority. Default `medium`.
    pub urgency: Option<Urgency>,
    /// How good the result must be; gives the defaults of the three fields after
    /// `enable_parallel_processing`. Default `standard`.
    pub quality_level: Option<QualityLevel>,
    /// The strategy. Default `balanced`.
    pub optimize_for: Option<OptimizeFor>,
    /// Whether steps that do not depend on each other may be in progress at the same time.
    /// Default true.
    pub enable_parallel_processing: Option<bool>,
    /// The most that the execution may cost, in USD. Default: the environment's.
    #[schema(minimum = 0, maximum = 1000000)]
    pub budget_limit: Option<f64>,
    /// How widely sources are looked for. Default: the quality level's.
    #[schema(minimum = 1, maximum = 5)]
    pub source_discovery_depth: Option<u32>,
    /// The most articles to work on. Default: the quality level's.
    #[schema(minimum = 1, maximum = 500)]
    pub max_articles: Option<u32>,
    /// How far back to look: a number with `m`, `h`, `d` or `w`, such as `24h` or `7d`.
    #[schema(pattern = "^[1-9][0-9]{0,3}[mhdw]$")]
    pub time_range: Option<String>,
    /// The longest that the execution may take; never longer than the environment allows.
    #[schema(exclusive_minimum = 0, maximum = 10080)]
    pub deadline_minutes: Option<f64>,
    /// The form of reports. Default `both`.
    pub output_format: Option<OutputFormat>,
    /// The template. Default: the one marked as default.
    #[schema(min_length = 1, max_length = 64)]
    pub pipeline_template: Option<String>,
    /// Further input, as the template's `input_schema` describes it.
    #[schema(value_type = Option<Value>)]
    pub input: Option<Value>,
    /// Answer 202 at once instead of waiting for the end.
    #[serde(rename = "async")]
    pub asynchronous: Option<bool>,
    /// Whether the stored result of an identical request will do. Default true.
    pub use_cache: Option<bool>,
    /// Start nothing, and answer with what the execution would come to. Default false.
    pub dry_run: Option<bool>,
}

/// What a start answers with 200.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum OrchestrateReply {
    /// The execution.
    Execution(Box<PipelineReply>),
    /// What it would come to: the request said `dry_run`.
    Plan(Box<PlanReply>),
}

macro_rules! label {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$each:meta])* $variant:ident = $word:literal),+ $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$each])* $variant),+
        }

        impl $name {
            /// The word on the wire, in tables and in expressions.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }
    };
}

label! {
    /// How soon a result is wanted.
    Urgency {
        /// Whenever it is done.
        Low = "low",
        /// Within a few minutes.
        #[default]
        Medium = "medium",
        /// Within a minute.
        High = "high",
        /// Before everything else.
        Critical = "critical",
    }
}

label! {
    /// How good a result must be.
    QualityLevel {
        /// A first look.
        Basic = "basic",
        /// Fit for everyday use.
        #[default]
        Standard = "standard",
        /// Broad and checked.
        Premium = "premium",
        /// All that can be had.
        Enterprise = "enterprise",
    }
}

label! {
    /// What an execution favours.
    OptimizeFor {
        /// The earliest end.
        Speed = "speed",
        /// The lowest cost.
        Cost = "cost",
        /// The best result.
        Quality = "quality",
        /// A fair share of each.
        #[default]
        Balanced = "balanced",
    }
}

label! {
    /// The form of reports.
    OutputFormat {
        /// HTML only.
        Html = "html",
        /// Markdown only.
        Markdown = "markdown",
        /// HTML and Markdown.
        #[default]
        Both = "both",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same<T: Serialize + Copy>(labels: &[T], word: fn(T) -> &'static str) {
        for label in labels {
            assert_eq!(serde_json::to_value(label).unwrap(), word(*label));
        }
    }

    #[test]
    fn the_word_is_the_one_on_the_wire() {
        use OptimizeFor::*;
        same(&[Speed, Cost, Quality, Balanced], OptimizeFor::as_str);
        use QualityLevel::*;
        same(&[Basic, Standard, Premium, Enterprise], QualityLevel::as_str);
        use Urgency::*;
        same(&[Low, Medium, High, Critical], Urgency::as_str);
        use OutputFormat::*;
        same(&[Html, Markdown, Both], OutputFormat::as_str);
    }
}
