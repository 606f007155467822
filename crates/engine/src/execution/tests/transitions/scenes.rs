//! The scenes: a step `s`, an element `m[1]` or an undo in each of its statuses, in each status of
//! its execution. Before it `past` has succeeded and `lost` was given up without an answer; `other`
//! is in flight where the scene would be over without.

use serde_json::{Value, json};

use crate::admission::HeldBy;
use crate::execution::tests::asking::{
    cancel, child, configured, kill, map, pause, retry, signal, tolerating, undo_by, undone, wait,
    with_others,
};
use crate::execution::tests::story::usd;
use crate::execution::tests::story::{Shape, Story, broken, http, retries, step, template, terms};
use crate::execution::{Input, Status, StepStatus, Terms, Unit};
use crate::plan::definition::{
    FailureTolerance, RetryDefinition, StepDefinition, StepKind, ToolDefinition,
};

/// A unit of an execution that has come to this point.
pub struct Scene {
    pub name: String,
    pub subject: String,
    pub story: Story,
    is: (Option<StepStatus>, Status),
}

impl Scene {
    pub fn unit(&self) -> Unit {
        self.story.plan.find_unit(&self.subject).expect("the subject is in the plan")
    }

    /// The scene is what its name says.
    pub fn is_as_it_says(&self) {
        let work = self.story.state.work(self.unit());
        let is = (work.map(|work| work.status), self.story.state.status);
        assert_eq!(is, self.is, "{}", self.name);
    }
}

/// All scenes.
pub fn scenes() -> Vec<Scene> {
    let mut scenes = steps();
    scenes.extend(paused());
    scenes.extend(elements());
    scenes.extend(undos());
    scenes.extend(ended());
    scenes
}

fn scene(
    name: &str,
    subject: &str,
    unit: impl Into<Option<StepStatus>>,
    status: Status,
    story: Story,
) -> Scene {
    let is = (unit.into(), status);
    Scene { name: name.to_owned(), subject: subject.to_owned(), story, is }
}

/// A step with a second try within ten seconds.
fn s() -> StepDefinition {
    let retry = RetryDefinition { total_deadline_ms: Some(10_000), ..retries(1) };
    let s = step("s").worker("paid").retry(retry).after(&["past"]);
    s.edit(|step| step.timeout_ms = Some(3_000))
}

/// The same by a tool, for which another may stand in.
fn tool() -> StepDefinition {
    let calls = json!({"tool": "counts", "fallback_tool": "stands_in"});
    configured(s(), calls).edit(|step| (step.kind, step.worker) = (StepKind::Tool, None))
}

fn other() -> StepDefinition {
    step("other")
}

fn tell(steps: Vec<StepDefinition>, tolerance: FailureTolerance, terms: Terms) -> Story {
    let lost = step("lost").worker("paid").optional();
    let lost = lost.edit(|step| step.timeout_ms = Some(100));
    let mut all = vec![step("past"), lost];
    all.extend(steps);
    let mut template = tolerating(tolerance, with_others(template(all)));
    template.tools.extend(["counts", "stands_in"].map(|name| (name.to_owned(), words(name))));
    let request = json!({"topic": "bees", "items": [1, 2, 3]});
    let mut story = Story::asked(template, terms, request, u32::MAX);
    story.wait(100);
    assert_eq!(story.status("lost"), "skipped");
    story
}

fn words(name: &str) -> ToolDefinition {
    ToolDefinition {
        id: format!("id of {name}"),
        name: name.to_owned(),
        address: Some("https://node.test".to_owned()),
        output_schema: Some(json!({"required": ["words"]})),
        estimated_cost: Some(usd(40)),
        ..ToolDefinition::default()
    }
}

/// An execution in which `past` is done.
fn begun(steps: Vec<StepDefinition>) -> Story {
    tolerant_of(FailureTolerance::Strict, steps)
}

fn tolerant_of(tolerance: FailureTolerance, steps: Vec<StepDefinition>) -> Story {
    let mut story = tell(steps, tolerance, terms());
    story.done("past");
    story
}

fn queued() -> StepDefinition {
    configured(s(), json!({"queue_timeout_ms": 4_000}))
}

fn without_a_slot(steps: Vec<StepDefinition>) -> Story {
    let mut story = tell(steps, FailureTolerance::Strict, terms());
    story.slots = 0;
    story.done("past");
    story
}

fn retrying(tolerance: FailureTolerance) -> Story {
    let mut story = tolerant_of(tolerance, vec![s()]);
    story.breaks("s", broken());
    story
}

fn awaits(config: Value) -> StepDefinition {
    wait("s", config).after(&["past"])
}

fn steps() -> Vec<Scene> {
    use StepStatus as Is;
    let gated = || configured(s().worker("gated"), json!({"queue_timeout_ms": 4_000}));
    let mut accepted = begun(vec![s()]);
    accepted.accept("s", Some(3_000));
    let budget = Terms { budget: Some(usd(150)), ..terms() };
    let mut dear = tell(vec![s(), other()], FailureTolerance::Strict, budget);
    dear.done("past");
    let mut succeeded = begun(vec![s(), other(), step("then").after(&["s"])]);
    succeeded.done("s");
    let never = s().when(json!("false"));
    let mut failed = tolerant_of(FailureTolerance::Partial, vec![s(), other()]);
    failed.breaks("s", http(400));
    let first = configured(step("first"), json!({"join": "any", "losers": "cancel"}));
    let mut needless = begun(vec![s(), other(), first.after(&["s", "other"])]);
    needless.done("other");
    let signalled = json!({"signal": "go", "timeout_ms": 5_000});
    let run = Status::Running;
    vec![
        scene("pending", "s", Is::Pending, run, begun(vec![other(), s().after(&["other"])])),
        scene("ready, without a slot", "s", Is::Ready, run, without_a_slot(vec![queued()])),
        scene("ready, at a gate", "s", Is::Ready, run, begun(vec![gated()])),
        scene("ready, too dear as yet", "s", Is::Ready, run, dear),
        scene("running", "s", Is::Running, run, begun(vec![s()])),
        scene("running, and it can be undone", "s", Is::Running, run, begun(vec![undone_s()])),
        scene("running, accepted", "s", Is::Running, Status::Waiting, accepted),
        scene(
            "running, an execution",
            "s",
            Is::Running,
            Status::Waiting,
            begun(vec![child("s").after(&["past"])]),
        ),
        scene("running, a tool that must give `words`", "s", Is::Running, run, begun(vec![tool()])),
        scene("retrying", "s", Is::Retrying, run, retrying(FailureTolerance::Strict)),
        scene(
            "waiting, for a signal",
            "s",
            Is::Waiting,
            Status::Waiting,
            begun(vec![awaits(signalled)]),
        ),
        scene(
            "waiting, for an approval",
            "s",
            Is::Waiting,
            Status::Waiting,
            begun(vec![awaits(json!({"approval": "go"}))]),
        ),
        scene(
            "waiting, for a moment",
            "s",
            Is::Waiting,
            Status::Waiting,
            begun(vec![awaits(json!({"delay_ms": 5_000}))]),
        ),
        scene("succeeded", "s", Is::Succeeded, run, succeeded),
        scene("skipped", "s", Is::Skipped, run, begun(vec![never, other()])),
        scene("failed, others go on", "s", Is::Failed, run, failed),
        scene("cancelled, needless", "s", Is::Cancelled, run, needless),
    ]
}

fn undone_s() -> StepDefinition {
    undone("s").retry(retries(1)).after(&["past"])
}

fn paused() -> Vec<Scene> {
    use StepStatus as Is;
    let hold = |mut story: Story| {
        story.ask(pause());
        story
    };
    let mut accepted = begun(vec![s()]);
    accepted.accept("s", Some(3_000));
    let mut done = hold(begun(vec![s()]));
    done.done("s");
    let mut dear =
        tell(vec![s()], FailureTolerance::Strict, Terms { budget: Some(usd(150)), ..terms() });
    dear.done("past");
    let parked = retrying(FailureTolerance::Park);
    let mut parked_story = parked;
    parked_story.wait(1_000);
    parked_story.breaks("s", broken());
    let mut signalled = hold(begun(vec![awaits(json!({"signal": "go", "timeout_ms": 5_000}))]));
    signalled.ask(signal("go", json!({"early": true})));
    let pending = begun(vec![other(), s().after(&["other"])]);
    let held = Status::Paused;
    vec![
        scene("paused, pending", "s", Is::Pending, held, hold(pending)),
        scene("paused, ready", "s", Is::Ready, held, hold(without_a_slot(vec![queued()]))),
        scene("paused, running", "s", Is::Running, held, hold(begun(vec![s()]))),
        scene("paused, accepted", "s", Is::Running, held, hold(accepted)),
        scene(
            "paused, an execution",
            "s",
            Is::Running,
            held,
            hold(begun(vec![child("s").after(&["past"])])),
        ),
        scene(
            "paused, retrying",
            "s",
            Is::Retrying,
            held,
            hold(retrying(FailureTolerance::Strict)),
        ),
        scene("paused, waiting with its signal there", "s", Is::Waiting, held, signalled),
        scene("paused, all done", "s", Is::Succeeded, held, done),
        scene("paused by its budget", "s", Is::Ready, held, dear),
        scene("parked on its failure", "s", Is::Failed, held, parked_story),
    ]
}

/// A map of three elements, two at a time, each tried twice; one may fail.
fn mapped(tolerance: FailureTolerance, besides: Vec<StepDefinition>) -> Story {
    let settings =
        json!({"concurrency": 2, "tolerated_failures": 1, "compensate": undo_by("paid")});
    let mut steps = vec![map("m", settings).worker("paid").retry(retries(1)).after(&["past"])];
    steps.extend(besides);
    tolerant_of(tolerance, steps)
}

fn elements() -> Vec<Scene> {
    use StepStatus as Is;
    let strict = || mapped(FailureTolerance::Strict, Vec::new());
    let with = |act: fn(&mut Story)| {
        let mut story = strict();
        act(&mut story);
        story
    };
    let mut ready = tell(
        vec![map("m", json!({"concurrency": 1})).after(&["past"])],
        FailureTolerance::Strict,
        terms(),
    );
    ready.done("past");
    let accepted = with(|story| {
        story.accept("m[0]", Some(3_000));
        story.accept("m[1]", Some(3_000));
    });
    let retrying = with(|story| story.breaks("m[1]", broken()));
    let succeeded = with(|story| story.done("m[1]"));
    let failed = with(|story| story.breaks("m[1]", http(400)));
    let mut cancelled = mapped(FailureTolerance::Partial, vec![other()]);
    cancelled.breaks("m[0]", http(400));
    cancelled.breaks("m[2]", http(400));
    let held = with(|story| {
        story.breaks("m[1]", broken());
        story.done("m[0]");
        story.ask(pause());
        story.done("m[2]");
    });
    let run = Status::Running;
    vec![
        scene("element ready", "m[1]", Is::Ready, run, ready),
        scene("element running", "m[1]", Is::Running, run, strict()),
        scene("element running, all accepted", "m[1]", Is::Running, Status::Waiting, accepted),
        scene("element retrying", "m[1]", Is::Retrying, run, retrying),
        scene("element succeeded, others go on", "m[1]", Is::Succeeded, run, succeeded),
        scene("element failed, tolerated", "m[1]", Is::Failed, run, failed),
        scene("element cancelled, its map failed", "m[1]", Is::Cancelled, run, cancelled),
        scene("paused, element retrying", "m[1]", Is::Retrying, Status::Paused, held),
    ]
}

/// An execution that has failed after `first` and `s` had succeeded.
fn undoing(undo: Value) -> Story {
    let s = configured(step("s"), json!({"compensate": undo})).after(&["first"]);
    let end = step("end").after(&["s"]);
    let mut story = begun(vec![undone("first").after(&["past"]), s, end]);
    for name in ["first", "s"] {
        story.done(name);
    }
    story.breaks("end", http(400));
    story
}

fn undos() -> Vec<Scene> {
    use StepStatus as Is;
    let twice = || {
        let retry = json!({"max_retries": 1, "jitter": false, "total_deadline_ms": 10_000});
        undoing(json!({"worker": "paid", "retry": retry}))
    };
    let with = |act: fn(&mut Story)| {
        let mut story = twice();
        act(&mut story);
        story
    };
    let accepted = with(|story| drop(story.accept("s/compensate", Some(3_000))));
    let retrying = with(|story| story.breaks("s/compensate", broken()));
    let failed = with(|story| story.breaks("s/compensate", http(400)));
    let done = with(|story| story.done("s/compensate"));
    let mut held = undoing(undo_by("gated"));
    let unit = held.unit("s/compensate");
    let held_by = Input::Held { unit, reason: HeldBy::Breaker, until: held.now };
    held.input(held_by).expect("a gate may hold it");
    let killed = with(|story| drop(story.ask(kill())));
    let mut drained = begun(vec![undone_s(), other()]);
    drained.ask(cancel());
    let mut drained_child = begun(vec![child("s").after(&["past"]), other()]);
    drained_child.ask(cancel());
    let run = Status::Running;
    vec![
        scene("undo at a gate", "s/compensate", None, run, undoing(undo_by("gated"))),
        scene("undo held by its gate", "s/compensate", Is::Ready, run, held),
        scene("undo running", "s/compensate", Is::Running, run, twice()),
        scene("undo cut short", "s/compensate", Is::Cancelled, Status::Cancelled, killed),
        scene("undo running, accepted", "s/compensate", Is::Running, run, accepted),
        scene("undo retrying", "s/compensate", Is::Retrying, run, retrying),
        scene("undo failed, others go on", "s/compensate", Is::Failed, run, failed),
        scene("undo done, others go on", "s/compensate", Is::Succeeded, run, done),
        scene("on the way back, drained", "s", Is::Running, run, drained),
        scene("on the way back, an execution", "s", Is::Running, run, drained_child),
    ]
}

fn ended() -> Vec<Scene> {
    use StepStatus as Is;
    let mut completed = begun(vec![s()]);
    completed.done("s");
    let mut partial = tolerant_of(FailureTolerance::Partial, vec![s(), step("t").after(&["s"])]);
    partial.breaks("s", http(400));
    let mut failed = begun(vec![s(), other()]);
    failed.breaks("s", http(400));
    let mut killed = begun(vec![undone_s(), step("then").after(&["s"])]);
    killed.done("s");
    killed.ask(kill());
    let mut compensated = begun(vec![undone_s(), step("then").after(&["s"])]);
    compensated.done("s");
    compensated.ask(cancel());
    compensated.done("s/compensate");
    let mut stands = undoing(undo_by("paid"));
    stands.breaks("s/compensate", http(400));
    stands.done("first/compensate");
    let mut element = mapped(FailureTolerance::Partial, Vec::new());
    element.done("m[0]");
    element.breaks("m[1]", http(400));
    element.breaks("m[2]", http(400));
    let mut skipped = tolerant_of(FailureTolerance::Partial, vec![step("f"), s().after(&["f"])]);
    skipped.breaks("f", http(400));
    let mut redone = begun(vec![s(), other()]);
    redone.breaks("s", http(400));
    redone.ask(retry());
    vec![
        scene("completed", "s", Is::Succeeded, Status::Completed, completed),
        scene("partial, failed", "s", Is::Failed, Status::Partial, partial),
        scene("partial, skipped", "s", Is::Skipped, Status::Partial, skipped),
        scene("partial, element failed", "m[1]", Is::Failed, Status::Partial, element),
        scene("failed", "s", Is::Failed, Status::Failed, failed),
        scene("failed, and it could not be undone", "s", Is::Succeeded, Status::Failed, stands),
        scene("cancelled by a kill", "then", Is::Cancelled, Status::Cancelled, killed),
        scene("cancelled and undone", "s", Is::Compensated, Status::Cancelled, compensated),
        scene("done anew", "s", Is::Running, Status::Running, redone),
    ]
}
