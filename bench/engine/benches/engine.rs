//! Times of the engine's machines: an execution from its start to its end, one step of it, its
//! replay, records to and from text, a template's compilation, and expressions.

use std::hint::black_box;
use std::sync::Arc;

use bench_engine::{Lived, data, sequence};
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use engine::execution::{Event, State};
use engine::expr::{Condition, Mapping, MappingRoot, Scope};
use engine::plan::Plan;
use serde_json::{Map, Value, json};

const STEPS: [usize; 3] = [5, 100, 1_000];

fn executions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("execution");
    group.sample_size(20);
    for steps in STEPS {
        let definition = Arc::new(sequence(steps));
        let plan = Arc::new(Plan::compile(&definition).expect("a sequence is valid"));
        let begin = || Lived::begun(&definition, &plan);
        group.bench_function(BenchmarkId::new("decide and apply, all", steps), |bencher| {
            bencher.iter_batched(begin, Lived::to_the_end, BatchSize::SmallInput);
        });
        let mut half = begin();
        (1..=steps / 2).for_each(|n| half.step(&format!("s{n}")));
        let next = format!("s{}", steps / 2 + 1);
        group.bench_function(BenchmarkId::new("decide and apply, one step", steps), |bencher| {
            let step = |mut lived: Lived| lived.step(&next);
            bencher.iter_batched(|| half.clone(), step, BatchSize::LargeInput);
        });
        let events = begin().to_the_end().events;
        group.bench_function(BenchmarkId::new("replay", steps), |bencher| {
            let replay = |events: Vec<Event>| {
                State::replay::<()>(events, |_| Ok(Arc::clone(&plan))).expect("it was lived")
            };
            bencher.iter_batched(|| events.clone(), replay, BatchSize::SmallInput);
        });
        let text = serde_json::to_string(&events).expect("events are JSON");
        group.bench_function(BenchmarkId::new("records to text", steps), |bencher| {
            bencher.iter(|| serde_json::to_string(black_box(&events)).expect("events are JSON"));
        });
        group.bench_function(BenchmarkId::new("records from text", steps), |bencher| {
            let read = |text| serde_json::from_str::<Vec<Event>>(text).expect("it was written");
            bencher.iter(|| read(black_box(text.as_str())));
        });
    }
    group.finish();
}

fn templates(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("template");
    for steps in STEPS {
        let definition = sequence(steps);
        group.bench_function(BenchmarkId::new("compile", steps), |bencher| {
            bencher.iter(|| Plan::compile(black_box(&definition)).expect("a sequence is valid"));
        });
    }
    group.finish();
}

fn expressions(criterion: &mut Criterion) {
    let articles: Vec<Value> =
        (0..100).map(|n| json!({ "id": n, "score": f64::from(n) / 100.0, "url": "u" })).collect();
    let data = Map::from_iter([
        ("articles".to_owned(), Value::Array(articles)),
        ("text".to_owned(), data().into()),
    ]);
    let (steps, request) = (Map::new(), json!({ "topic": "bench" }));
    let scope = Scope { data: &data, steps: &steps, request: &request, item: None, output: None };
    let mut group = criterion.benchmark_group("expression");
    for (name, source) in [
        ("path", "$.text"),
        ("path over 100", "$.articles[*].url"),
        ("CEL comparison", "=size(data.articles) > 3 && request.topic == 'bench'"),
        ("CEL over 100", "=data.articles.filter(a, a.score > 0.5).map(a, a.id)"),
    ] {
        let mapping = Mapping::compile(&json!(source), MappingRoot::Data).expect("it is valid");
        group.bench_function(BenchmarkId::new("evaluate", name), |bencher| {
            bencher.iter(|| mapping.eval(black_box(&scope)).expect("it has a value"));
        });
        group.bench_function(BenchmarkId::new("compile", name), |bencher| {
            let source = json!(source);
            bencher.iter(|| Mapping::compile(black_box(&source), MappingRoot::Data).is_ok());
        });
    }
    let condition = Condition::compile(&json!({ "articles_available": "> 0" })).expect("valid");
    group.bench_function("condition", |bencher| {
        bencher.iter(|| condition.eval(black_box(&scope)).expect("it holds or not"));
    });
    group.finish();
}

criterion_group!(benches, executions, templates, expressions);
criterion_main!(benches);
