//! Registered tools: what they are sent and give is checked, who cannot be called is left out, and
//! all else is as with workers.

use serde_json::{Value, json};

use super::kinds::{Settings, map};
use super::story::{Shape, Story, broken, http, retries, step, template, terms, usd};
use crate::execution::{FaultKind, Input, Message, Outcome, Payload, SkipReason, Unit};
use crate::plan::definition::{
    FailureTolerance, StepDefinition, StepKind, TemplateDefinition, ToolDefinition,
};
use crate::plan::{Address, LeftOut};

/// A step that calls the tool `count`.
fn calls(name: &str) -> StepDefinition {
    let tool = |step: &mut StepDefinition| {
        (step.kind, step.worker) = (StepKind::Tool, None);
        step.input_mapping = Some(json!({"text": "$.topic"}));
    };
    step(name).edit(tool).set("tool", json!("count"))
}

fn tool(id: &str, name: &str, cost: u64) -> ToolDefinition {
    ToolDefinition {
        id: id.to_owned(),
        name: name.to_owned(),
        version: "1.2.0".to_owned(),
        node: Some("n1".to_owned()),
        address: Some("https://node.test/v1/".to_owned()),
        input_schema: Some(json!({
            "required": ["text"], "properties": {"text": {"type": "string"}},
        })),
        output_schema: Some(json!({
            "required": ["words"], "properties": {"words": {"type": "integer"}},
        })),
        estimated_cost: Some(usd(cost)),
        max_concurrency: Some(2),
        ..ToolDefinition::default()
    }
}

fn with_tools(steps: Vec<StepDefinition>) -> TemplateDefinition {
    let mut template = template(steps);
    let away = Some("the node of tool `away` is in status ERROR".to_owned());
    let known = [
        ("count", tool("t-1", "count", 100)),
        ("t-2", tool("t-2", "other", 40)),
        ("away", ToolDefinition { unavailable: away, ..tool("t-3", "away", 7) }),
    ];
    template.tools.extend(known.map(|(name, tool)| (name.to_owned(), tool)));
    template
}

/// An execution whose gates are open.
fn begin(steps: Vec<StepDefinition>) -> Story {
    let mut template = with_tools(steps);
    template.tools.values_mut().for_each(|tool| tool.max_concurrency = None);
    Story::of(template, terms())
}

fn fault(story: &Story, step: &str) -> crate::execution::Fault {
    let step = story.step(step);
    match (&step.fault, &step.skipped) {
        (_, Some(SkipReason::Failed { fault })) => fault.clone(),
        (Some(fault), _) => fault.clone(),
        other => panic!("no fault: {other:?}"),
    }
}

#[test]
fn a_tool_is_called_at_its_node_like_a_worker() {
    let mut story = begin(vec![calls("a").retry(retries(1))]);
    let call = story.calls[0].clone();
    assert_eq!(call.address, Address::Url("https://node.test/v1".to_owned()));
    assert_eq!((call.worker.as_str(), call.endpoint.as_str()), ("tool:count", ""));
    assert_eq!(call.tool.as_ref().map(|tool| tool.id.as_str()), Some("t-1"));
    assert_eq!((call.version.as_str(), call.whom().as_str()), ("1.2.0", "tool `count`"));
    assert!(call.tool.as_ref().is_some_and(|tool| tool.is_trusted));
    assert_eq!(call.body, Ok(json!({"text": "bees"})));
    assert_eq!(story.state.reserved, usd(100));
    story.breaks("a", http(503));
    story.wait(1_000);
    assert_eq!(story.calls[1].attempt, 2);
    assert_eq!(story.calls[1].idempotency_key(), call.idempotency_key());
    story.succeed("a", json!({"words": 1, "more": true}));
    assert_eq!(story.state.status.as_str(), "completed");
}

#[test]
fn a_tool_of_another_account_is_told_apart_and_not_trusted() {
    let mut template = with_tools(vec![calls("a")]);
    let tool = template.tools.get_mut("count").unwrap();
    (tool.account, tool.max_concurrency) = (Some("acme".to_owned()), None);
    let story = Story::of(template, terms());
    assert_eq!(story.calls[0].worker, "tool@acme:count");
    assert!(story.calls[0].tool.as_ref().is_some_and(|tool| !tool.is_trusted));
}

#[test]
fn its_gate_is_asked_for_by_its_own_name() {
    let story = Story::of(with_tools(vec![calls("a")]), terms());
    assert!(story.calls.is_empty());
    let unit: Unit = story.state.plan.find_unit("a").unwrap();
    let (name, gate) = story.state.gate_of(unit).unwrap();
    assert_eq!((name, gate.concurrency_max), ("tool:count", Some(2)));
}

#[test]
fn an_input_that_does_not_fit_is_never_sent_and_names_the_property() {
    for (sent, pointer) in [(json!({}), "/text"), (json!({"text": 7}), "/text")] {
        let mistaken = calls("a").retry(retries(3)).sends(sent);
        let mistaken = mistaken.set("fallback_tool", json!("t-2"));
        let story = begin(vec![mistaken]);
        assert!(story.calls.is_empty());
        let fault = fault(&story, "a");
        assert_eq!((fault.code.as_str(), fault.violations.len()), ("tool.input_invalid", 1));
        assert_eq!(fault.violations[0].pointer, pointer);
        let told = "step `a`: the input does not fit the input_schema of tool `count`: /text is";
        assert!(fault.message.starts_with(told), "{}", fault.message);
        assert_eq!(story.state.status.as_str(), "failed");
        assert_eq!((story.state.spent, story.step("a").attempts), (usd(0), 0));
    }
}

#[test]
fn an_output_that_does_not_fit_fails_at_its_cost_and_is_not_asked_for_again() {
    let mut story = begin(vec![calls("a").retry(retries(3)), calls("b").optional()]);
    story.answer(story.fence("b"), Ok(json!({"words": 3})), Some(5));
    story.answer(story.fence("a"), Ok(json!({"words": "three"})), Some(30));
    let fault = fault(&story, "a");
    assert_eq!((fault.code.as_str(), fault.kind), ("tool.output_invalid", FaultKind::Output));
    assert_eq!(fault.violations[0].pointer, "/words");
    assert_eq!((story.state.status.as_str(), story.calls.len()), ("failed", 2));
    assert_eq!(story.state.spent, usd(35));
    assert!(story.step("a").output.is_none());
}

#[test]
fn another_tool_may_stand_in_for_one_that_gives_what_it_must_not() {
    let mut story = begin(vec![calls("a").set("fallback_tool", json!("t-2"))]);
    story.answer(story.fence("a"), Ok(json!({})), Some(1));
    assert_eq!(story.calls[1].worker, "tool:other");
    story.answer(story.fence("a"), Ok(json!({"words": 2})), None);
    assert_eq!(story.state.status.as_str(), "completed");
    assert_eq!(story.state.spent, usd(41), "the estimate of the one that answered");
}

#[test]
fn what_a_tool_reports_later_is_checked_as_well() {
    let mut story = begin(vec![calls("a")]);
    let fence = story.fence("a");
    story.accept("a", None);
    let result = Ok(Payload::inline(json!({"words": null})));
    let outcome = Outcome { result, cost: Some(usd(3)), memoised: None };
    let by = "worker:node".to_owned();
    story.input(Input::Message(Message::Completed { by, fence, outcome })).unwrap();
    assert_eq!(fault(&story, "a").code, "tool.output_invalid");
    assert_eq!(story.state.spent, usd(3));
}

#[test]
fn each_element_of_a_map_is_checked_by_itself() {
    let each = map("m").set("items", json!([{"text": "x"}, {"text": 1}, {"text": "z"}]));
    let each = each.edit(|step| step.worker = None).set("tool", json!("count"));
    let each = each.set("tolerated_failures", json!(1));
    let mut story = begin(vec![each.edit(|step| step.input_mapping = None)]);
    assert_eq!(story.calls.len(), 2);
    assert_eq!(story.calls[1].step, "m[2]");
    for path in ["m[0]", "m[2]"] {
        let unit = story.state.plan.find_unit(path).unwrap();
        let fence = story.state.work(unit).unwrap().attempt.as_ref().unwrap().fence;
        story.answer(fence, Ok(json!({"words": 1})), Some(0));
    }
    assert_eq!(story.state.status.as_str(), "completed");
    let output = story.step("m").output.as_ref().and_then(|o| o.value().cloned()).unwrap();
    assert_eq!(output["errors"][0]["code"], "tool.input_invalid");
}

#[test]
fn a_tool_that_cannot_be_called_is_not_chosen() {
    let mut story = begin(vec![
        calls("a").set("tool", json!("away")).set("alternatives", json!(["count"])),
        calls("b").set("tool", json!("away")).optional(),
        calls("c").set("fallback_tool", json!("away")).after(&["b"]),
    ]);
    let left_out = |name: &str| {
        let index = story.state.plan.find(name).unwrap();
        story.state.plan.step(index).call().unwrap().left_out.clone()
    };
    let away = "the node of tool `away` is in status ERROR";
    let expected = vec![LeftOut { tool: "away".to_owned(), reason: away.to_owned() }];
    assert_eq!([left_out("a"), left_out("b"), left_out("c")], [(); 3].map(|()| expected.clone()));
    assert_eq!((story.calls.len(), story.calls[0].worker.as_str()), (2, "tool:count"));
    let fault = fault(&story, "b");
    assert_eq!(fault.code, "tool.unavailable");
    assert_eq!(fault.message, format!("step `b`: {away}"));
    story.breaks("c", broken());
    assert_eq!(fault_code(&story, "c"), "worker.unreachable", "nobody stands in for it");
}

fn fault_code(story: &Story, step: &str) -> String {
    fault(story, step).code
}

#[test]
fn a_step_without_a_tool_that_can_be_called_is_not_done_in_any_template() {
    let mut template = with_tools(vec![calls("a").set("tool", json!("away")), calls("b")]);
    template.failure_tolerance = FailureTolerance::Partial;
    template.tools.values_mut().for_each(|tool| tool.max_concurrency = None);
    let mut story = Story::of(template, terms());
    assert_eq!(fault_code(&story, "a"), "tool.unavailable");
    story.succeed("b", json!({"words": 1}));
    assert_eq!(story.state.status.as_str(), "partial");
}

#[test]
fn a_tool_may_undo_a_step() {
    let undone = step("a").set("compensate", json!({"tool": "t-2", "input_mapping": "$.sent"}));
    let mut story = begin(vec![undone, step("b").after(&["a"])]);
    story.succeed("a", json!({"sent": {"text": "x"}}));
    story.breaks("b", http(400));
    let undo = story.calls.last().unwrap();
    assert_eq!((undo.step.as_str(), undo.worker.as_str()), ("a/compensate", "tool:other"));
    let unit = story.state.plan.find_unit("a/compensate").unwrap();
    let fence = story.state.work(unit).unwrap().attempt.as_ref().unwrap().fence;
    story.answer(fence, Ok(Value::Null), Some(0));
    assert_eq!(story.state.work(unit).unwrap().fault.as_ref().unwrap().code, "tool.output_invalid");
    assert_eq!(story.state.fault.as_ref().unwrap().code, "compensation.failed");
}
