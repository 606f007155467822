//! Templates for tests on the stack, as SQL: one for each shape of work, and those at the edge of
//! what is promised. tests/fixture_templates.rs holds them against the schema and the compiler.

use crate::workers::Workers;

/// Templates that complete without more than a start; `wait` also needs its signal.
pub const COMPLETING: [&str; 8] =
    ["sequential", "parallel", "map", "wait", "wait_delay", "pipeline", "callback", "tool"];
/// The tool that the first step of the template `tool` calls.
pub const TOOL_ID: &str = "00000000-0000-4000-8000-0000000000e0";
/// The template whose last step fails: its two other steps are compensated.
pub const COMPENSATION: &str = "compensation";
/// The signal that the template `wait` waits for.
pub const SIGNAL: &str = "go";

/// What stands for the workers' address in the files.
const ADDRESS: &str = "https://workers.invalid";

/// The workers and a template for each shape of work.
pub fn templates(workers: &Workers) -> String {
    include_str!("../fixtures/templates.sql").replace(ADDRESS, workers.url())
}

/// `thousand_steps`, `ten_thousand_elements` and `given_elements`, a map over the request's
/// `input.elements`; goes after [`templates`].
pub fn large() -> &'static str {
    include_str!("../fixtures/large.sql")
}
