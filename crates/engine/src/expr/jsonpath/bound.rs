//! A bound on the work of a query, before it is evaluated.
//!
//! A query is a chain of segments, each mapping a list of nodes to the next. In a value of `n`
//! nodes and `d` levels a node is in such a list at most `m` times, where `m` starts at 1 and is
//! multiplied, at each segment, by the number of its selectors, and by `d + 1` where the segment
//! descends (a node is met once from each of its ancestors). So a list has at most `m · n` nodes.
//! A filter looks at each of them and evaluates its own queries there: relative ones on the subtree
//! below, and all subtrees together have at most `n · (d + 1)` nodes; absolute ones on the root.

use serde_json::Value;

use super::super::COMPARED_DEPTH_MAX;
use super::super::budget::Budget;
use super::super::error::EvalError;
use super::scan::{Filter, Query, Segment, Selectors};

/// Nodes that a query could visit for one step.
const NODES_PER_STEP: f64 = 4.0;

/// What a node takes in memory, apart from its text.
const NODE_BYTES: usize = 2 * size_of::<Value>();

/// How large the value is that a query is given.
#[derive(Debug, Default)]
pub(super) struct Size {
    nodes: usize,
    levels: u32,
    text_bytes: usize,
}

impl Size {
    /// Measures a value; a step for every four nodes.
    pub(super) fn of(value: &Value, budget: &mut Budget) -> Result<Size, EvalError> {
        let mut size = Size::default();
        size.add(value, 0, budget)?;
        Ok(size)
    }

    pub(super) fn bytes(&self) -> usize {
        self.nodes.saturating_mul(NODE_BYTES).saturating_add(self.text_bytes)
    }

    fn add(&mut self, value: &Value, level: u32, budget: &mut Budget) -> Result<(), EvalError> {
        if level > COMPARED_DEPTH_MAX {
            return Err(EvalError::TooDeep { limit: COMPARED_DEPTH_MAX });
        }
        self.nodes += 1;
        self.levels = self.levels.max(level);
        if self.nodes.is_multiple_of(NODES_PER_STEP as usize) {
            budget.step(1)?;
        }
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => self.text_bytes += text.len(),
            Value::Array(items) => {
                for item in items {
                    self.add(item, level + 1, budget)?;
                }
            }
            Value::Object(fields) => {
                for (key, value) in fields {
                    self.text_bytes += key.len();
                    self.add(value, level + 1, budget)?;
                }
            }
        }
        Ok(())
    }
}

impl Query {
    /// The steps that pay for evaluating the query on a root of that size.
    pub(super) fn steps(&self, root: &Size) -> u64 {
        // Beyond the range of a u64 the conversion gives its largest value.
        (self.work(root) / NODES_PER_STEP).ceil() as u64
    }

    fn work(&self, root: &Size) -> f64 {
        self.work_per_node(root) * root.nodes as f64
    }

    /// The work on a subtree of the root, for each node of the subtree.
    fn work_per_node(&self, root: &Size) -> f64 {
        let descents = f64::from(root.levels) + 1.0;
        let mut repeats = 1.0;
        let mut work = 1.0;
        for segment in &self.segments {
            if let Segment::Many(selectors) = segment {
                repeats *= selectors.count as f64;
                if selectors.descends {
                    repeats *= descents;
                }
                let filters: f64 =
                    selectors.filters.iter().map(|filter| filter.work_per_node(root)).sum();
                work += repeats * filters;
            }
            work += repeats;
        }
        work
    }
}

impl Filter {
    /// The work of looking at one node, on average over all nodes of a tree.
    fn work_per_node(&self, root: &Size) -> f64 {
        let descents = f64::from(root.levels) + 1.0;
        // Comparing two nodes looks at no more than the smaller subtree.
        let mut work = 1.0 + descents;
        let mut absolute = 0;
        for query in &self.queries {
            absolute += usize::from(query.absolute);
            work += match (query.absolute, query.is_singular()) {
                (_, true) => query.segments.len() as f64,
                (true, false) => query.work(root),
                (false, false) => query.work_per_node(root) * descents,
            };
        }
        if absolute > 1 {
            work += root.nodes as f64;
        }
        work
    }
}

impl Selectors {
    /// One selector that is neither a filter nor below a descent.
    pub(super) fn plain(count: usize) -> Selectors {
        Selectors { count, descends: false, filters: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::scan;
    use super::*;

    const SEGMENTS: &[&str] = &[
        ".a",
        "[0]",
        "[*]",
        "..*",
        "..a",
        "[0,1]",
        "[0,0,*]",
        "..[*,0]",
        "[?@.a]",
        "[?@..a]",
        "[?count($..*) > 1]",
        "[1:]",
    ];

    fn tree(shape: &[u8]) -> Value {
        shape.iter().fold(json!(0), |inner, choice| match choice % 4 {
            0 => json!([inner]),
            1 => json!({"a": inner}),
            2 => json!([inner, 1, [2]]),
            _ => json!({"a": inner, "b": [3, 4]}),
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 500, failure_persistence: None, ..ProptestConfig::default()
        })]

        #[test]
        fn no_query_selects_more_than_its_bound(
            shape in prop::collection::vec(any::<u8>(), 0..16),
            segments in prop::collection::vec(prop::sample::select(SEGMENTS), 0..4),
        ) {
            let source = format!("${}", segments.concat());
            let root = tree(&shape);
            let size = Size::of(&root, &mut Budget::new()).unwrap();
            let (query, _) = scan::query(&source).unwrap();
            let bound = query.work(&size);
            prop_assume!(bound < 1e6);
            let selected = serde_json_path::JsonPath::parse(&source).unwrap().query(&root).len();
            prop_assert!(selected as f64 <= bound, "{}: {} of {}", source, selected, bound);
        }
    }

    #[test]
    fn repeated_selectors_and_queries_in_filters_multiply() {
        let chain = (0..10).fold(json!(1), |inner, _| json!([inner]));
        let list = json!((0..1_000).collect::<Vec<_>>());
        let cases = [
            (&chain, format!("${}", "[0,0]".repeat(10)), 1024.0),
            (&list, "$[?count($[*]) > 1]".to_owned(), 1e6),
            (&list, "$[?count($..*) > 1][?@ == $[?count($[*]) > 1]]".to_owned(), 1e9),
            (&list, "$[?@ == $ || $[0] == $]".to_owned(), 1e6),
            (&chain, "$..[?count(@..[*]) > 1]".to_owned(), 10_000.0),
        ];
        for (root, source, least) in cases {
            let size = Size::of(root, &mut Budget::new()).unwrap();
            let bound = scan::query(&source).unwrap().0.work(&size);
            assert!(bound >= least, "{source}: {bound} is less than {least}");
        }
    }

    #[test]
    fn a_value_is_measured_as_it_is() {
        let value = json!({"key": ["text", 1, {"a": null}], "b": true});
        let size = Size::of(&value, &mut Budget::new()).unwrap();
        assert_eq!((size.nodes, size.levels, size.text_bytes), (7, 3, 9));
    }
}
