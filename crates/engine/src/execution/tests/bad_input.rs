//! Bad input: each kind of it has a stable code and a message that names the step and the field,
//! and what it leaves is an execution that ends or waits for an operator as the template says.

use serde_json::{Value, json};

use super::kinds::{Settings, budget, by_key, child, map, over, wait, with_inner};
use super::story::{Shape, Story, http, step, template, terms, transform};
use crate::execution::{
    Applies, Input, MAP_OUTPUT_BYTES_MAX, Message, Outcome, PauseReason, Payload, Rejection,
};
use crate::ids::Fence;
use crate::plan::definition::{
    FailureTolerance, RetryDefinition, StepDefinition, TemplateDefinition,
};
use crate::plan::{Plan, overlooked};

/// A step `x` that comes to grief over `data.list`, perhaps only after an answer.
struct Grief {
    step: StepDefinition,
    list: Value,
    answer: Option<(&'static str, Value)>,
    code: &'static str,
    says: &'static str,
}

/// Evaluating this takes more steps than any expression may.
const ENDLESS: &str =
    "data.list.all(a, data.list.all(b, data.list.all(c, data.list.all(d, a + b + c + d >= 0))))";

fn grief(step: StepDefinition, list: Value, code: &'static str, says: &'static str) -> Grief {
    Grief { step, list, answer: None, code, says }
}

impl Grief {
    fn answered(self, path: &'static str, output: Value) -> Self {
        Self { answer: Some((path, output)), ..self }
    }
}

fn griefs() -> Vec<Grief> {
    let missing = "expression.missing_value";
    let hundred = || json!((0..100).collect::<Vec<u32>>());
    let many = json!((0..10_001).collect::<Vec<u32>>());
    let until = || wait("x", json!({"until": "$.list"}));
    vec![
        grief(map("x"), json!({"no": "array"}), "map.not_an_array", "step `x`, config.items"),
        grief(map("x"), many, "map.too_many_items", "step `x`, config.items: 10001 elements"),
        grief(
            map("x").sends(json!({"u": "=item.url"})),
            json!([{"no": "url"}]),
            "map.too_many_failed",
            "step `x`: 1 of 1 elements failed; the first: step `x`, input_mapping",
        ),
        grief(map("x"), json!([1]), "map.output_too_large", "step `x`")
            .answered("x[0]", json!("z".repeat(MAP_OUTPUT_BYTES_MAX + 1))),
        grief(
            step("x").sends(json!({"u": "$.url"})),
            json!([]),
            missing,
            "step `x`, input_mapping",
        ),
        grief(step("x").when(json!("data.n > 1")), json!([]), missing, "step `x`, condition"),
        grief(
            step("x").when(json!("data.list > 1")),
            json!([]),
            "expression.type",
            "step `x`, condition",
        ),
        grief(step("x").when(json!(ENDLESS)), hundred(), "expression.limit", "step `x`, condition"),
        grief(
            transform("x", json!({"slow": format!("={ENDLESS}")})),
            hundred(),
            "expression.limit",
            "step `x`, input_mapping",
        ),
        grief(
            map("x").set("items", json!(format!("=[{ENDLESS}]"))),
            hundred(),
            "expression.limit",
            "step `x`, config.items",
        ),
        grief(
            step("x").writes(json!({"u": "$.url"})),
            json!([]),
            missing,
            "step `x`, output_mapping",
        )
        .answered("x", json!({"no": "url"})),
        grief(
            map("x").writes(json!({"u": "$.url"})),
            json!([]),
            missing,
            "step `x`, output_mapping",
        ),
        grief(until(), json!("tomorrow"), "wait.not_a_moment", "step `x`, config.until"),
        grief(until(), json!([1]), "wait.not_a_moment", "step `x`, config.until"),
        grief(
            child("x").sends(json!({"u": "$.url"})),
            json!([]),
            missing,
            "step `x`, input_mapping",
        ),
    ]
}

/// The execution after its step `x` came to grief, beside a step that succeeded.
fn after(grief: &Grief, tolerance: FailureTolerance, optional: bool) -> Story {
    let edit = |step: StepDefinition| if optional { step.optional() } else { step };
    let steps = vec![transform("fine", json!({"fine": true})), edit(grief.step.clone())];
    let steps = [steps, vec![step("needs").after(&["x"])]].concat();
    let template = TemplateDefinition { failure_tolerance: tolerance, ..template(steps) };
    let template = with_inner(template, vec![step("i")]);
    let mut story = over(grief.list.clone(), template, terms());
    if let Some((path, output)) = &grief.answer {
        story.succeed_at(path, output.clone());
    }
    story
}

#[test]
fn a_step_that_comes_to_grief_says_so_and_the_template_says_what_follows() {
    use FailureTolerance::{Park, Partial, Strict};
    for grief in griefs() {
        for (tolerance, ended) in [(Strict, "failed"), (Partial, "partial"), (Park, "paused")] {
            let story = after(&grief, tolerance, false);
            let (code, message) = story.fault("x");
            assert_eq!((story.ended(), code), (ended, grief.code), "{message}");
            assert!(message.contains(grief.says), "{message} does not say {}", grief.says);
            assert_eq!(story.status("fine"), "succeeded");
            if tolerance == Park {
                let step = "x".to_owned();
                assert_eq!(story.state.paused, Some(PauseReason::Failure { step }));
            } else {
                assert_eq!(story.code(), grief.code, "the execution says why");
            }
            assert!(story.in_flight().is_empty());
        }
        let story = after(&grief, Strict, true);
        assert_eq!((story.status("x"), story.fault("x").0), ("skipped", grief.code));
        assert_eq!(story.in_flight(), ["needs"], "an optional step holds nobody back");
    }
}

#[test]
fn what_a_template_itself_asks_in_vain_fails_the_execution() {
    let mut story = Story::of(
        TemplateDefinition {
            output_mapping: Some(json!({"report": "$.report"})),
            ..template(vec![step("a")])
        },
        terms(),
    );
    story.succeed("a", json!({"no": "report"}));
    assert_eq!((story.ended(), story.code()), ("failed", "expression.missing_value"));
    let message = &story.state.fault.as_ref().unwrap().message;
    assert!(message.contains("the template's output_mapping"), "{message}");
}

fn signal(name: &str) -> Message {
    let payload = Payload::inline(json!({}));
    Message::Signal { asked: by_key(), name: name.to_owned(), payload, answers: None }
}

fn rerun(path: &str, input: Option<Value>) -> Message {
    Message::Rerun { asked: by_key(), step: path.to_owned(), input }
}

fn completed(fence: u64) -> Message {
    let outcome = Outcome { result: Ok(Payload::inline(json!({}))), cost: None, memoised: None };
    Message::Completed { by: "worker:w".to_owned(), fence: Fence(fence), outcome }
}

/// An execution whose map, call and wait are done.
fn over_and_done() -> Story {
    let steps = vec![map("m"), step("a"), wait("w", json!({"signal": "go"}))];
    let mut story = over(json!([1, 2]), template(steps), terms());
    for path in ["m[0]", "m[1]", "a"] {
        story.succeed_at(path, json!({}));
    }
    story.signal("go", json!({}));
    assert_eq!(story.ended(), "completed");
    story
}

fn waiting() -> Story {
    Story::begin(vec![step("a"), wait("w", json!({"signal": "go"}))])
}

fn out_of_money() -> Story {
    Story::of(template(vec![step("a").worker("paid")]), budget(99))
}

fn left_to_an_operator() -> Story {
    let template = TemplateDefinition {
        failure_tolerance: FailureTolerance::Park,
        ..template(vec![step("a")])
    };
    let mut story = Story::of(template, terms());
    story.fail("a", http(400));
    story
}

#[test]
fn messages_that_do_not_fit_are_refused_with_a_reason_and_change_nothing() {
    type Told = fn() -> Story;
    let resume = |budget| Message::Resume { asked: by_key(), budget };
    let silence = None;
    let table: Vec<(Told, Message, &str, &str)> = vec![
        (over_and_done, signal("go"), "execution.ended", "it is completed"),
        (over_and_done, completed(1), "execution.ended", "it is completed"),
        (over_and_done, rerun("nobody", None), "step.unknown", "`nobody`"),
        (over_and_done, rerun("m[2]", None), "step.unknown", "`m[2]`"),
        (over_and_done, rerun("m[-1]", None), "step.unknown", "`m[-1]`"),
        (over_and_done, rerun("m[01]", None), "step.unknown", "`m[01]`"),
        (over_and_done, rerun("a/compensate", None), "step.unknown", "`a/compensate`"),
        (over_and_done, rerun("w", Some(json!({}))), "step.takes_no_input", "`w`"),
        (over_and_done, Message::Retry { asked: by_key() }, "execution.nothing_failed", "no step"),
        (waiting, signal("nobody"), "signal.unknown", "`nobody`"),
        (waiting, rerun("a", None), "execution.in_progress", "in progress"),
        (waiting, completed(9), "fence.stale", "9"),
        (waiting, Message::Heartbeat { fence: Fence(9), silence }, "fence.stale", "9"),
        (out_of_money, resume(None), "budget.exhausted", "step `a`"),
        (left_to_an_operator, resume(None), "execution.parked_on_failure", "step `a`"),
    ];
    for (told, message, code, says) in table {
        let mut story = told();
        let Applies::Refused(refusal) = story.state.applies(&message) else {
            panic!("{message:?} applies");
        };
        assert_eq!(refusal.code, code, "{message:?}");
        assert!(refusal.message.contains(says), "{} does not say {says}", refusal.message);
        let before = story.state.clone();
        let met = story.input(Input::Message(message));
        assert!(matches!(met, Err(Rejection::NotApplicable | Rejection::Ended)), "{met:?}");
        assert_eq!(story.state, before);
    }
}

#[test]
fn absurd_settings_are_no_plan_and_each_is_named_by_its_place() {
    let policy = |edit: fn(&mut RetryDefinition)| {
        step("x").edit(|step| edit(step.retry.get_or_insert_default()))
    };
    let set = |step: StepDefinition, field: &str, value: Value| step.set(field, value);
    let cases: Vec<(StepDefinition, &str, &str)> = vec![
        (policy(|p| p.max_retries = Some(-1)), "retry/max_retries", "retry.out_of_range"),
        (policy(|p| p.max_retries = Some(101)), "retry/max_retries", "retry.out_of_range"),
        (policy(|p| p.initial_ms = Some(-5)), "retry/initial_ms", "retry.out_of_range"),
        (policy(|p| p.factor = Some(0.5)), "retry/factor", "retry.out_of_range"),
        (policy(|p| p.factor = Some(f64::NAN)), "retry/factor", "retry.out_of_range"),
        (policy(|p| p.cap_ms = Some(i64::MAX)), "retry/cap_ms", "retry.out_of_range"),
        (
            policy(|p| p.total_deadline_ms = Some(-1)),
            "retry/total_deadline_ms",
            "retry.out_of_range",
        ),
        (policy(|p| p.retry_on = Some(vec![200])), "retry/retry_on", "retry.out_of_range"),
        (step("x").edit(|s| s.timeout_ms = Some(0)), "timeout_ms", "step.timeout_out_of_range"),
        (set(map("x"), "concurrency", json!(0)), "config/concurrency", "config.out_of_range"),
        (
            set(map("x"), "tolerated_failure_share", json!(1.5)),
            "config/tolerated_failure_share",
            "config.out_of_range",
        ),
        (set(map("x"), "items", json!(7)), "config/items", "config.wrong_type"),
        (
            set(step("x"), "queue_timeout_ms", json!(-1)),
            "config/queue_timeout_ms",
            "config.out_of_range",
        ),
        (wait("x", json!({"delay_ms": -1})), "config/delay_ms", "config.out_of_range"),
        (wait("x", json!({"until": "tomorrow"})), "config/until", "config.out_of_range"),
        (set(child("x"), "budget_usd", json!(-1)), "config/budget_usd", "config.out_of_range"),
        (
            set(child("x"), "template", json!("nobody")),
            "config/template",
            "pipeline.unknown_template",
        ),
    ];
    for (step_, place, code) in cases {
        let template = with_inner(template(vec![step_]), vec![step("i")]);
        // What a new revision is refused for, old ones may have.
        let mut violations = overlooked(&template);
        violations.extend(Plan::compile(&template).err().unwrap_or_default());
        let pointer = format!("/steps/0/{place}");
        let found = violations.iter().find(|violation| violation.pointer == pointer);
        let found = found.unwrap_or_else(|| panic!("{pointer} is not in {violations:?}"));
        assert_eq!(found.code, code, "{found:?}");
        assert!(!found.message.is_empty());
    }
}
