//! Estimates: what counts, who is chosen, and what holds of every plan.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::execution::Choice;
use crate::plan::definition::TemplateDefinition;

fn plan(steps: Value) -> Plan {
    let definition: TemplateDefinition = serde_json::from_value(json!({
        "name": "t", "steps": steps,
        "workers": {
            "w": { "base_url": "https://w.test", "endpoints": ["/do"], "active": true,
                "estimated_cost": 100, "avg_response_time_ms": 1_000, "timeout_ms": 5_000 },
            "slow": { "base_url": "https://s.test", "endpoints": ["/do"], "active": true,
                "estimated_cost": 10, "avg_response_time_ms": 4_000 },
            "new": { "base_url": "https://n.test", "endpoints": ["/do"], "active": true,
                "estimated_cost": 30 },
        },
    }))
    .unwrap();
    Plan::compile(&definition).unwrap_or_else(|found| panic!("{found:#?}"))
}

fn step(name: &str, needs: &[&str]) -> Value {
    json!({ "name": name, "order": 1, "worker": "w", "depends_on": needs,
        "retry": { "max_retries": 2, "jitter": false } })
}

fn with(mut step: Value, more: Value) -> Value {
    let more = more.as_object().unwrap().clone();
    step.as_object_mut().unwrap().extend(more);
    step
}

fn micros(estimate: &Estimate<'_>) -> (u64, u64, Option<u64>) {
    let CostEstimate { least, expected, worst, .. } = estimate.cost;
    (least.as_micros(), expected.as_micros(), worst.map(MicroUsd::as_micros))
}

fn terms() -> Terms {
    Terms { attempt_timeout: Millis::from_secs(10), ..Terms::default() }
}

#[test]
fn the_least_leaves_out_what_may_be_skipped_and_the_worst_counts_every_retry() {
    let plan = plan(json!([
        step("a", &[]),
        with(step("b", &["a"]), json!({ "condition": "data.n > 0" })),
        with(step("c", &["a"]), json!({ "optional": true, "fallback_worker": "slow" })),
        { "name": "d", "order": 2, "kind": "transform", "input_mapping": {}, "depends_on": ["b"] },
    ]));
    let estimate = plan.estimate(&terms());
    assert_eq!(micros(&estimate), (200, 300, Some(300 + 300 + 330)));
    assert!(estimate.cost.is_complete && estimate.time.is_complete);
    let lean = Terms { skip_optional: true, retries_max: Some(0), ..terms() };
    let estimate = plan.estimate(&lean);
    assert_eq!(micros(&estimate), (100, 200, Some(200)));
    let fates: Vec<Fate> = estimate.steps.iter().map(|step| step.fate).collect();
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| fates[plan.find(name).unwrap().position()]);
    assert_eq!([a, b, c, d], [Fate::Certain, Fate::Conditional, Fate::LeftOut, Fate::Certain]);
    assert_eq!(estimate.dearest(3).len(), 1);
}

#[test]
fn a_step_takes_its_attempts_and_the_delays_between_them_at_most() {
    let plan = plan(json!([step("a", &[])]));
    let estimate = plan.estimate(&terms());
    assert_eq!(estimate.steps[0].attempts_max, 3);
    assert_eq!(estimate.steps[0].length, Some(Millis::from_secs(1)));
    assert_eq!(estimate.time.worst, Some(Millis::from_secs(3 * 5 + 1 + 2)));
    let hurried =
        with(step("a", &[]), json!({ "retry": { "max_retries": 9, "total_deadline_ms": 500 } }));
    let time = self::plan(json!([hurried])).estimate(&terms()).time;
    assert_eq!((time.expected, time.worst), (Millis::new(500), Some(Millis::new(500))));
}

#[test]
fn what_was_measured_is_expected_and_budgets_keep_to_the_registry() {
    let plan = plan(json!([
        step("a", &[]),
        with(step("m", &["a"]), json!({ "kind": "map", "config": { "items": "$.list" } })),
        with(step("o", &["a"]), json!({ "worker": "slow" })),
    ]));
    let mut figures = Figures::default();
    let measured =
        |ms, micros| Measured { time: Millis::new(ms), cost: MicroUsd::from_micros(micros) };
    figures.insert("a", "w", measured(300, 70));
    figures.insert("m", "w", measured(8_000, 2_000));
    figures.insert("o", "w", measured(1, 1));
    let by_registry = plan.estimate(&terms());
    assert_eq!(micros(&by_registry), (110, 110, None));
    assert!(!by_registry.cost.is_complete && !by_registry.time.is_complete);
    let estimate = plan.estimate_by(&terms(), &figures);
    assert_eq!(micros(&estimate), (110, 70 + 2_000 + 10, None));
    assert!(estimate.cost.is_complete && estimate.time.is_complete);
    assert_eq!(estimate.time.expected, Millis::new(8_300));
    assert_eq!(estimate.time.worst, by_registry.time.worst);
    assert_eq!(estimate.steps[plan.find("o").unwrap().position()].measured, None, "another worker");
}

#[test]
fn the_critical_path_is_what_the_expected_time_is_made_of() {
    let plan = plan(json!([
        step("a", &[]),
        with(step("b", &[]), json!({ "worker": "slow" })),
        { "name": "t", "order": 2, "kind": "transform", "input_mapping": {},
          "depends_on": ["a", "b"] },
        with(step("c", &["t"]), json!({ "condition": "data.n > 0" })),
        step("idle", &["a"]),
    ]));
    let names = |terms: &Terms| -> (Vec<String>, u64, u64) {
        let estimate = plan.estimate(terms);
        let path = estimate.critical_path(&plan);
        let named = path.iter().map(|index| plan.step(*index).name.clone()).collect();
        let sum = path.iter().map(|index| {
            let step = &estimate.steps[index.position()];
            step.ends.get() - step.starts.get()
        });
        (named, sum.sum(), estimate.time.expected.get())
    };
    let wide = Terms { parallelism: 8, ..terms() };
    assert_eq!(names(&wide), (vec!["b".to_owned(), "c".to_owned()], 5_000, 5_000));
    assert_eq!(plan.estimate(&wide).time.least, Millis::from_secs(4), "a condition may skip");
    let narrow = Terms { parallelism: 1, ..terms() };
    let (path, sum, expected) = names(&narrow);
    assert_eq!((sum, expected), (7_000, 7_000), "{path:?}");
    assert_eq!(path.len(), 4, "each waits for the place of the one before");
}

#[test]
fn independent_steps_share_the_places() {
    let plan = plan(json!([step("a", &[]), step("b", &[]), step("c", &[]), step("d", &["a"])]));
    let expected =
        |parallelism| plan.estimate(&Terms { parallelism, ..terms() }).time.expected.get() / 1_000;
    assert_eq!([1, 2, 3, 16].map(expected), [4, 2, 2, 2]);
    let one_after_the_other = plan.estimate(&Terms { parallelism: 1, ..terms() });
    let mut ends: Vec<u64> = one_after_the_other.steps.iter().map(|s| s.ends.get()).collect();
    ends.sort_unstable();
    assert_eq!(ends, [1_000, 2_000, 3_000, 4_000]);
}

fn target(cost: Option<u64>, expected: Option<u64>, quality: Option<f64>) -> Target {
    Target {
        worker: String::new(),
        address: crate::plan::Address::Url("https://w.test".to_owned()),
        endpoint: "/do".to_owned(),
        defaults: serde_json::Map::new(),
        estimated_cost: cost.map(MicroUsd::from_micros),
        expected: expected.map(Millis::new),
        timeout: None,
        quality,
        version: String::new(),
        gate: crate::plan::Gate::default(),
        tool: None,
    }
}

fn chosen(targets: &[Target], choice: Choice) -> usize {
    let named = targets.iter().enumerate();
    let named = named.map(|(n, t)| Target { worker: n.to_string(), ..t.clone() });
    let mut named: Vec<Target> = named.collect();
    let call = Call {
        primary: named.remove(0),
        alternatives: named,
        fallback: None,
        left_out: Vec::new(),
        unavailable: None,
        memo: None,
        heartbeat: Millis::from_secs(60),
        accepted_max: Millis::from_secs(60),
    };
    call.chosen(choice).worker.parse().unwrap()
}

#[test]
fn the_strategy_chooses_among_workers_of_one_capability() {
    let able = [
        target(Some(50), Some(900), Some(0.7)),
        target(Some(10), Some(2_000), Some(0.6)),
        target(Some(90), Some(300), Some(0.8)),
        target(Some(200), Some(4_000), Some(0.95)),
    ];
    let all = [Choice::Declared, Choice::Cheapest, Choice::Fastest, Choice::Best];
    assert_eq!(all.map(|choice| chosen(&able, choice)), [0, 1, 2, 3]);
}

#[test]
fn what_is_equal_or_unknown_stays_with_the_one_that_is_named_first() {
    let equal = [target(Some(5), Some(5), Some(0.5)), target(Some(5), Some(5), Some(0.5))];
    let first_unknown = [target(None, None, None), target(Some(1), Some(1), Some(1.0))];
    let second_unknown = [target(Some(9), Some(9), Some(0.1)), target(None, None, None)];
    for choice in [Choice::Declared, Choice::Cheapest, Choice::Fastest, Choice::Best] {
        for targets in [&equal, &first_unknown, &second_unknown] {
            assert_eq!(chosen(targets, choice), 0, "{choice:?}");
        }
    }
}

fn changed(mut plan: Plan, change: impl FnOnce(&mut Plan)) -> Plan {
    change(&mut plan);
    plan
}

fn step_mut<'p>(plan: &'p mut Plan, name: &str) -> &'p mut Step {
    let index = plan.find(name).unwrap();
    &mut plan.steps[index.position()]
}

fn call_mut<'p>(plan: &'p mut Plan, name: &str) -> &'p mut Call {
    match &mut step_mut(plan, name).kind {
        Kind::Worker(call) => call,
        other => panic!("{other:?}"),
    }
}

#[test]
fn of_steps_that_race_only_the_cheapest_is_certain_to_be_paid() {
    let plan = changed(
        plan(json!([
            step("dear", &[]),
            with(step("cheap", &[]), json!({ "worker": "slow" })),
            step("first", &["dear", "cheap"]),
        ])),
        |plan| step_mut(plan, "first").join = Join::Some(1),
    );
    assert_eq!(micros(&plan.estimate(&terms())).0, 210, "losers go on and are paid");
    let plan = changed(plan, |plan| step_mut(plan, "first").losers = Losers::Cancel);
    let estimate = plan.estimate(&terms());
    assert_eq!((micros(&estimate).0, micros(&estimate).1), (110, 210));
    let fate = |name| estimate.steps[plan.find(name).unwrap().position()].fate;
    assert_eq!(["dear", "cheap", "first"].map(fate), [Fate::Raced, Fate::Raced, Fate::Certain]);
    assert_eq!(estimate.time.expected, Millis::from_secs(4), "the loser's time is still counted");
    let first = &estimate.steps[plan.find("first").unwrap().position()];
    assert_eq!((first.starts, first.ends), (Millis::from_secs(1), Millis::from_secs(2)));
}

#[test]
fn a_join_that_the_strategy_leaves_too_little_for_is_not_reached() {
    let optional = json!({ "optional": true });
    let plan = changed(
        plan(json!([
            with(step("a", &[]), optional.clone()),
            with(step("b", &[]), optional),
            with(step("c", &[]), json!({ "condition": "data.n > 0" })),
            step("two", &["a", "b", "c"]),
            step("after", &["two"]),
        ])),
        |plan| step_mut(plan, "two").join = Join::Some(2),
    );
    let fates = |terms: &Terms| {
        let estimate = plan.estimate(terms);
        ["two", "after"].map(|name| estimate.steps[plan.find(name).unwrap().position()].fate)
    };
    assert_eq!(fates(&terms()), [Fate::Certain, Fate::Certain]);
    let lean = Terms { skip_optional: true, ..terms() };
    assert_eq!(fates(&lean), [Fate::Unreachable, Fate::Unreachable]);
    assert_eq!(micros(&plan.estimate(&lean)), (0, 100, Some(300)));
}

#[test]
fn what_a_remembered_answer_may_give_for_nothing_is_not_in_the_least() {
    let plan = changed(plan(json!([step("a", &[])])), |plan| {
        call_mut(plan, "a").memo = Some(Millis::from_secs(60));
    });
    assert_eq!(micros(&plan.estimate(&terms())), (0, 100, Some(300)));
    let anew = Terms { memo: false, ..terms() };
    assert_eq!(micros(&plan.estimate(&anew)), (100, 100, Some(300)));
}

#[test]
fn of_a_worker_without_figures_nothing_is_guessed() {
    let plan = plan(json!([with(step("a", &[]), json!({ "worker": "new" }))]));
    let time = plan.estimate(&terms()).time;
    assert_eq!((time.expected, time.is_complete), (Millis::ZERO, false));
    assert_eq!(time.worst, Some(Millis::from_secs(33)), "its attempts have their limit");
}

#[test]
fn what_undoes_a_step_is_part_of_the_worst_case() {
    let plan = changed(plan(json!([step("a", &[])])), |plan| {
        let retry = step_mut(plan, "a").retry.clone();
        let target = call_mut(plan, "a").primary.clone();
        let undo = crate::plan::Compensation { target, input: None, retry };
        step_mut(plan, "a").compensation = Some(Box::new(undo));
    });
    assert_eq!(micros(&plan.estimate(&terms())), (100, 100, Some(600)));
}

/// Steps, each with the earlier ones that it needs as bits, and what it is.
fn drawn() -> impl Strategy<Value = Vec<(u16, u16, u8, u8, u64)>> {
    let one = (any::<u16>(), any::<u16>(), 0..8u8, 0..4u8, 0..5_000u64);
    prop::collection::vec(one, 1..=16)
}

fn random(drawn: &[(u16, u16, u8, u8, u64)]) -> Plan {
    let needs = |at: usize, bits: u16| -> Vec<String> {
        (0..at).filter(|n| bits >> n & 1 == 1).map(|n| format!("s{n}")).collect()
    };
    let steps = drawn.iter().enumerate().map(|(at, (a, b, shape, retries, _))| {
        let mut step = json!({ "name": format!("s{at}"), "order": at, "worker": "w",
            "depends_on": needs(at, a & b), "retry": { "max_retries": retries } });
        match shape {
            0 => step["optional"] = json!(true),
            1 => step["condition"] = json!("data.n > 0"),
            2 => step["fallback_worker"] = json!("slow"),
            3 => step["worker"] = json!("new"),
            _ => {}
        }
        step
    });
    changed(plan(steps.collect()), |plan| {
        for (at, (.., shape, _, ms)) in drawn.iter().enumerate() {
            let name = format!("s{at}");
            if let Kind::Worker(call) = &mut step_mut(plan, &name).kind {
                call.primary.expected = call.primary.expected.map(|_| Millis::new(*ms));
            }
            let step = step_mut(plan, &name);
            if *shape >= 6 && !step.required.is_empty() {
                step.join = Join::Some(1);
                step.losers = if *shape == 7 { Losers::Cancel } else { Losers::Continue };
            }
        }
    })
}

proptest! {
    #[test]
    fn least_expected_and_worst_stand_in_this_order(drawn in drawn(), lean: bool, p in 1..6u32) {
        let plan = random(&drawn);
        let estimate = plan.estimate(&Terms {
            skip_optional: lean, parallelism: p, retries_max: lean.then_some(1), ..terms()
        });
        let (least, expected, worst) = micros(&estimate);
        prop_assert!(least <= expected && Some(expected) <= worst, "{least} {expected} {worst:?}");
        prop_assert!(estimate.time.worst >= Some(estimate.time.expected));
        for step in &estimate.steps {
            prop_assert!(step.ends.get() <= estimate.time.expected.get());
            prop_assert!(!step.fate.may_be() || step.worst >= Some(step.cost));
        }
    }

    #[test]
    fn more_places_never_take_longer(drawn in drawn()) {
        let plan = random(&drawn);
        let times: Vec<_> = (1..=20)
            .map(|parallelism| plan.estimate(&Terms { parallelism, ..terms() }).time)
            .collect();
        for pair in times.windows(2) {
            prop_assert!(pair[1].expected <= pair[0].expected);
            prop_assert!(pair[1].worst <= pair[0].worst);
        }
    }

    #[test]
    fn no_more_is_in_progress_than_has_a_place(drawn in drawn(), places in 1..5u32) {
        let plan = random(&drawn);
        let estimate = plan.estimate(&Terms { parallelism: places, ..terms() });
        for step in &estimate.steps {
            let at_once = estimate.steps.iter().filter(|other| {
                other.starts <= step.starts && step.starts < other.ends
            });
            prop_assert!(at_once.count() <= places as usize);
        }
        let whole = |step: &Step| step.join == Join::All;
        for (step, of) in plan.steps.iter().zip(&estimate.steps).filter(|(step, _)| whole(step)) {
            for need in &step.dependencies {
                prop_assert!(estimate.steps[need.position()].ends <= of.starts);
            }
        }
    }

    #[test]
    fn leaving_optional_steps_out_never_makes_it_dearer(drawn in drawn()) {
        let plan = random(&drawn);
        let cost = |skip_optional| plan.estimate(&Terms { skip_optional, ..terms() }).cost;
        prop_assert!(cost(true).expected <= cost(false).expected);
        prop_assert!(cost(true).worst <= cost(false).worst);
    }
}
