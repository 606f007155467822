//! Every way in which the settings of a step can be wrong, each with its pointer and code; and what
//! definitions from before these settings may carry all the same.
// tidy: long file because every setting of every kind has its mistakes in one table
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use engine::plan::definition::TemplateDefinition;
use engine::plan::{Plan, Violation, overlooked};
use serde_json::{Value, json};

const WEEK_AND_1: u64 = 7 * 24 * 3_600_000 + 1;

/// A template of one step before the one that is looked at, which depends on it.
fn template(step: &Value) -> TemplateDefinition {
    let url = "https://w.test";
    let mut template = json!({
        "name": "t",
        "steps": [{"name": "a", "order": 1, "worker": "w"}, {"name": "b", "order": 2}],
        "workers": {
            "w": {"base_url": url}, "other": {"base_url": url},
            "retired": {"base_url": url, "active": false},
        },
        "templates": {
            "inner": {"name": "inner", "steps": [{"name": "x", "order": 1, "worker": "w"}],
                      "workers": {"w": {"base_url": url}}},
        },
    });
    let looked_at = template["steps"][1].as_object_mut().unwrap();
    looked_at.insert("depends_on".to_owned(), json!(["a"]));
    looked_at.extend(step.as_object().unwrap().clone());
    serde_json::from_value(template).expect("a definition, valid or not")
}

/// What is wrong with a step: what it is refused for, and what is overlooked in old definitions.
fn found(step: &Value) -> (Vec<Violation>, Vec<Violation>) {
    let template = template(step);
    (Plan::compile(&template).err().unwrap_or_default(), overlooked(&template))
}

fn told(found: &[Violation]) -> Vec<(&str, &str)> {
    found.iter().map(|v| (v.pointer.as_str(), v.code.as_str())).collect()
}

const TYPE: &str = "config.wrong_type";
const RANGE: &str = "config.out_of_range";
const MISPLACED: &str = "config.misplaced_field";
const UNKNOWN: &str = "config.unknown_field";
const MISSING: &str = "config.missing_field";
const CONFLICT: &str = "config.conflicting_fields";
const ELEMENT: &str = "expression.no_element";

/// Checks a table of fields of `config`; `valid` are the other ones. A pointer is within `config`.
fn check(kind: &str, step: &Value, valid: &Value, cases: &[(Value, &str, &str)]) {
    let stood_before = matches!(kind, "worker" | "transform");
    for (config, pointer, code) in cases {
        let mut all = valid.as_object().unwrap().clone();
        all.extend(config.as_object().unwrap().clone());
        let mut step = step.clone();
        step["kind"] = json!(kind);
        step["config"] = Value::Object(all);
        let (refused, overlooked) = found(&step);
        let (one, none) = if stood_before { (overlooked, refused) } else { (refused, overlooked) };
        let pointer = format!("/steps/1/config{pointer}");
        assert_eq!(told(&one), [(pointer.as_str(), *code)], "{kind} {config}: {one:?}");
        assert_eq!(none, [], "{kind} {config}");
        assert!(!one[0].message.is_empty());
    }
}

/// Mistakes in what all kinds have.
fn common() -> Vec<(Value, &'static str, &'static str)> {
    vec![
        (json!({"jion": "any"}), "/jion", UNKNOWN),
        (json!({"a/b": 1}), "/a~1b", UNKNOWN),
        (json!({"join": "some"}), "/join", TYPE),
        (json!({"join": 1}), "/join", TYPE),
        (json!({"join": {"n_of_m": 1, "of": 2}}), "/join", TYPE),
        (json!({"join": {"n_of_m": "1"}}), "/join", TYPE),
        (json!({"join": {"n_of_m": 0}}), "/join", RANGE),
        (json!({"join": {"n_of_m": 2}}), "/join", RANGE),
        (json!({"join": {"n_of_m": 1e18}}), "/join", RANGE),
        (json!({"losers": "kill"}), "/losers", RANGE),
        (json!({"losers": true}), "/losers", TYPE),
        (json!({"queue_timeout_ms": 0}), "/queue_timeout_ms", RANGE),
        (json!({"queue_timeout_ms": -1}), "/queue_timeout_ms", RANGE),
        (json!({"queue_timeout_ms": WEEK_AND_1}), "/queue_timeout_ms", RANGE),
        (json!({"queue_timeout_ms": "1000"}), "/queue_timeout_ms", TYPE),
        (json!({"queue_timeout_ms": 1.5}), "/queue_timeout_ms", TYPE),
    ]
}

/// Mistakes in what undoes a step.
fn of_compensations() -> Vec<(Value, &'static str, &'static str)> {
    let with = |field: &str, value: Value| json!({"compensate": {"worker": "w", field: value}});
    vec![
        (json!({"compensate": "w"}), "/compensate", TYPE),
        (json!({"compensate": {}}), "/compensate/worker", MISSING),
        (json!({"compensate": {"worker": 1}}), "/compensate/worker", TYPE),
        (json!({"compensate": {"worker": "x"}}), "/compensate/worker", "worker.unknown"),
        (with("worker", json!("retired")), "/compensate/worker", "worker.inactive"),
        (with("endpoint", json!("undo")), "/compensate/worker", "worker.malformed_endpoint"),
        (with("endpoint", json!(1)), "/compensate/endpoint", TYPE),
        (with("when", json!("failed")), "/compensate/when", UNKNOWN),
        (with("timeout_ms", json!(0)), "/compensate/timeout_ms", RANGE),
        (with("timeout_ms", json!(15 * 60_000)), "/compensate/timeout_ms", RANGE),
        (with("retry", json!({"max_retires": 1})), "/compensate/retry", TYPE),
        (
            with("retry", json!({"max_retries": -1})),
            "/compensate/retry/max_retries",
            "retry.out_of_range",
        ),
        (
            with("input_mapping", json!({"id": "$["})),
            "/compensate/input_mapping/id",
            "expression.malformed",
        ),
        (with("input_mapping", json!("=item")), "/compensate/input_mapping", ELEMENT),
    ]
}

/// Mistakes in what steps have that call a worker.
fn of_calls() -> Vec<(Value, &'static str, &'static str)> {
    vec![
        (json!({"alternatives": "other"}), "/alternatives", TYPE),
        (json!({"alternatives": ["other", 7]}), "/alternatives/1", TYPE),
        (json!({"alternatives": ["nobody"]}), "/alternatives/0", "worker.unknown"),
        (json!({"alternatives": ["other", "retired"]}), "/alternatives/1", "worker.inactive"),
        (json!({"alternatives": ["w"]}), "/alternatives/0", "config.duplicate"),
        (json!({"alternatives": ["other", "other"]}), "/alternatives/1", "config.duplicate"),
        (json!({"alternatives": vec!["other"; 17]}), "/alternatives", RANGE),
        (json!({"cache_ttl_s": 0}), "/cache_ttl_s", RANGE),
        (json!({"cache_ttl_s": 2_592_001}), "/cache_ttl_s", RANGE),
        (json!({"heartbeat_ms": 0}), "/heartbeat_ms", RANGE),
        (json!({"heartbeat_ms": [5]}), "/heartbeat_ms", TYPE),
        (json!({"accepted_max_ms": WEEK_AND_1}), "/accepted_max_ms", RANGE),
    ]
}

#[test]
fn settings_of_workers_and_maps() {
    let asks = json!({"worker": "w"});
    let settings = [common(), of_calls(), of_compensations()].concat();
    check("worker", &asks, &json!({}), &settings);
    check(
        "worker",
        &asks,
        &json!({}),
        &[
            (json!({"items": "$.x"}), "/items", MISPLACED),
            (json!({"delay_ms": 5}), "/delay_ms", MISPLACED),
            (json!({"template": "inner"}), "/template", MISPLACED),
        ],
    );
    let items = json!({"items": "$.list"});
    check("map", &asks, &items, &settings);
    check(
        "map",
        &asks,
        &items,
        &[
            (json!({"items": null}), "/items", MISSING),
            (json!({"items": 7}), "/items", TYPE),
            (json!({"items": "list"}), "/items", TYPE),
            (json!({"items": "$$.list"}), "/items", TYPE),
            (json!({"items": {"a": "$.list"}}), "/items", TYPE),
            (json!({"items": "$["}), "/items", "expression.malformed"),
            (json!({"items": ["=1 +"]}), "/items/0", "expression.malformed"),
            (json!({"items": "=item.parts"}), "/items", ELEMENT),
            (json!({"concurrency": 0}), "/concurrency", RANGE),
            (json!({"concurrency": -1}), "/concurrency", RANGE),
            (json!({"concurrency": 1001}), "/concurrency", RANGE),
            (json!({"concurrency": "all"}), "/concurrency", TYPE),
            (json!({"tolerated_failures": -1}), "/tolerated_failures", RANGE),
            (json!({"tolerated_failures": 10_001}), "/tolerated_failures", RANGE),
            (json!({"tolerated_failures": 0.5}), "/tolerated_failures", TYPE),
            (json!({"tolerated_failure_share": 1.01}), "/tolerated_failure_share", RANGE),
            (json!({"tolerated_failure_share": -0.1}), "/tolerated_failure_share", RANGE),
            (json!({"tolerated_failure_share": "10%"}), "/tolerated_failure_share", TYPE),
            (
                json!({"tolerated_failure_share": 0.1, "tolerated_failures": 1}),
                "/tolerated_failure_share",
                CONFLICT,
            ),
            (json!({"signal": "go"}), "/signal", MISPLACED),
            (json!({"accept_partial": true}), "/accept_partial", MISPLACED),
        ],
    );
}

#[test]
fn settings_of_transforms_and_waits() {
    let produces = json!({"input_mapping": {"x": 1}});
    check("transform", &produces, &json!({}), &common());
    check(
        "transform",
        &produces,
        &json!({}),
        &[
            (json!({"compensate": {"worker": "w"}}), "/compensate", MISPLACED),
            (json!({"cache_ttl_s": 60}), "/cache_ttl_s", MISPLACED),
        ],
    );
    let delay = json!({"delay_ms": 10});
    check("wait", &json!({}), &delay, &common());
    check(
        "wait",
        &json!({}),
        &delay,
        &[
            (json!({"delay_ms": null}), "", MISSING),
            (json!({"delay_ms": -1}), "/delay_ms", RANGE),
            (json!({"delay_ms": WEEK_AND_1}), "/delay_ms", RANGE),
            (json!({"delay_ms": "1 h"}), "/delay_ms", TYPE),
            (json!({"signal": "go"}), "/signal", CONFLICT),
            (json!({"until": 5}), "/until", CONFLICT),
            (json!({"timeout_ms": 5}), "/timeout_ms", MISPLACED),
            (json!({"on_timeout": "continue"}), "/on_timeout", MISPLACED),
            (json!({"compensate": {"worker": "w"}}), "/compensate", MISPLACED),
            (json!({"alternatives": ["other"]}), "/alternatives", MISPLACED),
        ],
    );
    let ends = |field: &str, value: Value| json!({"delay_ms": null, field: value});
    check(
        "wait",
        &json!({}),
        &delay,
        &[
            (ends("until", json!("tomorrow")), "/until", RANGE),
            (ends("until", json!(1.5)), "/until", RANGE),
            (ends("until", json!([1])), "/until", TYPE),
            (ends("until", json!("=now(")), "/until", "expression.malformed"),
            (ends("until", json!("=index")), "/until", ELEMENT),
            (ends("signal", json!("go on")), "/signal", "name.malformed"),
            (ends("signal", json!(true)), "/signal", TYPE),
            (ends("approval", json!(false)), "/approval", TYPE),
            (ends("approval", json!("1st")), "/approval", "name.malformed"),
        ],
    );
    check(
        "wait",
        &json!({}),
        &json!({"signal": "go"}),
        &[
            (json!({"timeout_ms": 0}), "/timeout_ms", RANGE),
            (json!({"timeout_ms": WEEK_AND_1}), "/timeout_ms", RANGE),
            (json!({"on_timeout": "retry"}), "/on_timeout", RANGE),
            (json!({"approval": true}), "/approval", CONFLICT),
        ],
    );
    check("wait", &json!({}), &json!({"approval": true}), &of_approvals());
}

/// Mistakes in what an approval says of its task.
fn of_approvals() -> Vec<(Value, &'static str, &'static str)> {
    let with = |field: &str, value: Value| json!({"approval": {field: value}});
    let many: Vec<String> = (0..51).map(|n| format!("user:{n}")).collect();
    let escalates =
        |after: Value| json!({"approval": {"candidates": ["key:k"], "escalation": after}});
    vec![
        (json!({"approval": 1}), "/approval", TYPE),
        (with("titel", json!("x")), "/approval/titel", UNKNOWN),
        (with("signal", json!("go on")), "/approval/signal", "name.malformed"),
        (with("title", json!(5)), "/approval/title", TYPE),
        (with("title", json!(" ")), "/approval/title", RANGE),
        (with("title", json!("x".repeat(201))), "/approval/title", RANGE),
        (with("description", json!("x".repeat(4_001))), "/approval/description", RANGE),
        (with("form", json!([])), "/approval/form", TYPE),
        (with("form", json!({"title": "x".repeat(65_536)})), "/approval/form", RANGE),
        (with("candidates", json!("ada@example.org")), "/approval/candidates", TYPE),
        (with("candidates", json!([7])), "/approval/candidates/0", TYPE),
        (with("candidates", json!(["key:k", "ada"])), "/approval/candidates/1", RANGE),
        (with("candidates", json!(["role:king"])), "/approval/candidates/0", RANGE),
        (
            with("candidates", json!(["key:k", "key:k"])),
            "/approval/candidates/1",
            "config.duplicate",
        ),
        (with("candidates", json!(many)), "/approval/candidates", RANGE),
        (with("due_ms", json!(0)), "/approval/due_ms", RANGE),
        (with("due_ms", json!(WEEK_AND_1)), "/approval/due_ms", RANGE),
        (with("forbid_self_approval", json!("yes")), "/approval/forbid_self_approval", TYPE),
        (
            with("escalation", json!({"after_ms": 5, "candidates": ["key:k"]})),
            "/approval/escalation",
            MISPLACED,
        ),
        (escalates(json!({"candidates": ["key:l"]})), "/approval/escalation/after_ms", MISSING),
        (
            escalates(json!({"after_ms": 5, "candidates": []})),
            "/approval/escalation/candidates",
            MISSING,
        ),
        (
            escalates(json!({"after_ms": 5, "candidates": ["key:l"], "to": 1})),
            "/approval/escalation/to",
            UNKNOWN,
        ),
    ]
}

#[test]
fn settings_of_pipelines() {
    let inner = json!({"template": "inner"});
    check("pipeline", &json!({}), &inner, &[common(), of_compensations()].concat());
    check(
        "pipeline",
        &json!({}),
        &inner,
        &[
            (json!({"template": null}), "/template", MISSING),
            (json!({"template": 7}), "/template", TYPE),
            (json!({"template": "nobody"}), "/template", "pipeline.unknown_template"),
            (json!({"budget_usd": -0.01}), "/budget_usd", RANGE),
            (json!({"budget_usd": 1e9}), "/budget_usd", RANGE),
            (json!({"budget_usd": "1"}), "/budget_usd", TYPE),
            (json!({"accept_partial": "yes"}), "/accept_partial", TYPE),
            (json!({"heartbeat_ms": 5}), "/heartbeat_ms", MISPLACED),
            (json!({"concurrency": 5}), "/concurrency", MISPLACED),
        ],
    );
}

#[test]
fn config_is_an_object() {
    for config in [json!([]), json!("any"), json!(1)] {
        let step = json!({"kind": "map", "worker": "w", "config": config});
        let (refused, _) = found(&step);
        let items = ("/steps/1/config/items", MISSING);
        assert_eq!(told(&refused), [("/steps/1/config", TYPE), items]);
    }
}

#[test]
fn a_join_needs_dependencies() {
    let config = json!({"join": "all", "delay_ms": 1});
    let alone = json!({"kind": "wait", "depends_on": [], "config": config});
    let expected = ("/steps/1/config/join", "config.no_dependencies");
    assert_eq!(told(&found(&alone).0), [expected]);
    let unknown = json!({"kind": "wait", "depends_on": ["a", "x"],
                         "config": {"join": {"n_of_m": 2}, "delay_ms": 1}});
    let expected = ("/steps/1/depends_on/1", "step.unknown_dependency");
    assert_eq!(told(&found(&unknown).0), [expected], "the join may fit what was meant");
    let twice = json!({"kind": "wait", "depends_on": ["a", "a"],
                       "config": {"join": {"n_of_m": 2}, "delay_ms": 1}});
    assert_eq!(told(&found(&twice).0), [("/steps/1/config/join", RANGE)]);
}

#[test]
fn fields_that_nothing_would_read_are_refused_in_the_new_kinds() {
    let row = json!({
        "worker": "w", "endpoint": "/x", "fallback_worker": "w", "timeout_ms": 5,
        "retry": {"max_retries": 1}, "input_mapping": {"x": 1},
    });
    let with = |kind: &str, config: Value| {
        let mut step = row.clone();
        step["kind"] = json!(kind);
        step["config"] = config;
        step
    };
    let unexpected = ["worker", "endpoint", "fallback_worker"]
        .map(|field| (format!("/steps/1/{field}"), "step.unexpected_worker".to_owned()));
    let surplus = |fields: &[&str]| {
        let code = "step.unexpected_field".to_owned();
        fields.iter().map(move |f| (format!("/steps/1/{f}"), code.clone())).collect::<Vec<_>>()
    };
    let own = |step: &Value| -> Vec<(String, String)> {
        let (refused, _) = found(step);
        refused.into_iter().map(|v| (v.pointer, v.code)).collect()
    };
    let wait = own(&with("wait", json!({"delay_ms": 1})));
    let expected = [&unexpected[..], &surplus(&["timeout_ms", "retry", "input_mapping"])].concat();
    assert_eq!(wait, expected);
    let pipeline = own(&with("pipeline", json!({"template": "inner"})));
    assert_eq!(pipeline, [&unexpected[..], &surplus(&["timeout_ms"])].concat());
}

#[test]
fn only_the_input_of_a_map_knows_an_element() {
    let step = |kind: &str, field: &str| {
        let mut step = json!({"kind": kind, "worker": "w"});
        if kind == "map" {
            step["config"] = json!({"items": "$.list"});
        }
        step[field] = match field {
            "condition" => json!("item.x == index"),
            _ => json!({"x": ["=item.x"]}),
        };
        step
    };
    assert_eq!(found(&step("map", "input_mapping")), (vec![], vec![]));
    for field in ["condition", "output_mapping"] {
        let pointer = format!("/steps/1/{field}");
        assert_eq!(told(&found(&step("map", field)).0), [(pointer.as_str(), ELEMENT)]);
    }
    for field in ["condition", "output_mapping", "input_mapping"] {
        let (refused, overlooked) = found(&step("worker", field));
        assert_eq!(refused, [], "it compiled yesterday, and failed when it was evaluated");
        let pointer = format!("/steps/1/{field}");
        assert_eq!(told(&overlooked), [(pointer.as_str(), ELEMENT)]);
    }
    let mut template = template(&json!({"worker": "w"}));
    template.output_mapping = Some(json!("=index"));
    assert!(Plan::compile(&template).is_ok());
    assert_eq!(told(&overlooked(&template)), [("/output_mapping", ELEMENT)]);
}

#[test]
fn what_a_worker_can_bear_has_limits() {
    let with = |field: &str, value: &Value| {
        let mut template = template(&json!({"worker": "w"}));
        let mut worker = serde_json::to_value(&template.workers["w"]).unwrap();
        worker[field] = value.clone();
        template.workers.insert("w".to_owned(), serde_json::from_value(worker).unwrap());
        template
    };
    let range = "worker.out_of_range";
    for (field, value, pointer, code) in [
        ("max_per_minute", json!(0), "max_per_minute", range),
        ("quality_score", json!(1.1), "quality_score", range),
        ("quality_score", json!(-0.1), "quality_score", range),
        ("breaker", json!(5), "breaker", "worker.malformed_breaker"),
        ("breaker", json!({"failure": 5}), "breaker", "worker.malformed_breaker"),
        ("breaker", json!({"failures": -5}), "breaker", "worker.malformed_breaker"),
        ("breaker", json!({"failure_rate": 1.5}), "breaker/failure_rate", range),
        ("breaker", json!({"window": 0}), "breaker/window", range),
        ("breaker", json!({"window": 1001}), "breaker/window", range),
        ("breaker", json!({"open_ms": 0}), "breaker/open_ms", range),
        ("breaker", json!({"open_ms": 3_600_001}), "breaker/open_ms", range),
    ] {
        let refused = Plan::compile(&with(field, &value)).unwrap_err();
        let pointer = format!("/workers/w/{pointer}");
        assert_eq!(told(&refused), [(pointer.as_str(), code)], "{field} = {value}");
    }
    let closed = with("max_concurrency", &json!(0));
    assert_eq!(told(&overlooked(&closed)), [("/workers/w/max_concurrency", range)]);
    let plan = Plan::compile(&closed).expect("it compiled yesterday");
    let engine::plan::Kind::Worker(call) = &plan.steps[0].kind else { panic!("it asks a worker") };
    assert_eq!(call.primary.gate.concurrency_max, None, "nor would it wait for ever today");
}
