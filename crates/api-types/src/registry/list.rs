//! What lists take.

use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

/// Which part of a list is wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// How many rows are left out; default 0.
    #[param(nullable = false, minimum = 0, maximum = 1_000_000)]
    pub skip: Option<u32>,
    /// The most rows; default 100.
    #[param(nullable = false, minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// Where to go on: it stands in the header `Link` of the page before.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub cursor: Option<String>,
}

/// Which tools are looked for: those whose schemas name these properties. Without any, all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SchemaSearchQuery {
    /// A property of `input_schema`; `author.name` for one within another.
    #[param(nullable = false, min_length = 1, max_length = 256)]
    pub input_property: Option<String>,
    /// A property of `output_schema`; `author.name` for one within another.
    #[param(nullable = false, min_length = 1, max_length = 256)]
    pub output_property: Option<String>,
    /// How many rows are left out; default 0.
    #[param(nullable = false, minimum = 0, maximum = 1_000_000)]
    pub skip: Option<u32>,
    /// The most rows; default 100.
    #[param(nullable = false, minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// Where to go on: it stands in the header `Link` of the page before.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub cursor: Option<String>,
}
