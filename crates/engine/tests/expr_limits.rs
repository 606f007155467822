//! The limits of an evaluation: each is met by some expression, and none can be absorbed.
#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod expr_common;

use engine::expr::{
    COMPARED_DEPTH_MAX, EvalError, MADE_DEPTH_MAX, RESULT_BYTES_MAX, SCRATCH_BYTES_MAX, STEPS_MAX,
};
use expr_common::World;
use serde_json::{Value, json};

fn world() -> World {
    let text = "x".repeat(100_000);
    World::new(json!({
        "list": vec![1; 1_100],
        "text": text,
        "texts": vec![text; 10],
        "articles": (0..5_000).map(|n| json!({"id": n, "url": format!("u{}", n % 700)}))
            .collect::<Vec<_>>(),
    }))
}

const TOO_LONG: EvalError = EvalError::TooLong { limit: STEPS_MAX };
const TOO_MUCH: EvalError = EvalError::TooLarge { limit: SCRATCH_BYTES_MAX };

#[test]
fn steps_are_limited() {
    let endless = "data.list.all(x, data.list.all(y, x == y))";
    let sharing = "[1]".to_owned() + &".map(x, [x, x])".repeat(22);
    for source in [
        endless.to_owned(),
        format!("{sharing} == {sharing}"),
        "data.list.map(x, size(data.text) + x)".to_owned(),
        "data.list.map(x, data.text.contains('y'))".to_owned(),
        "data.list.map(x, x in data.list && !(0 in data.list))".to_owned(),
    ] {
        assert_eq!(world().value(&format!("={source}")), Err(TOO_LONG), "{source}");
    }
    for absorbed in [
        format!("={endless} || true"),
        format!("=true && {endless} && false"),
        format!("=default({endless}, 1)"),
        format!("=has(data.articles[{endless} ? 0 : 1].id)"),
        format!("=[1].exists(x, {endless} || x == 1)"),
        format!("=[1].all(x, {endless} && x == 2)"),
    ] {
        assert_eq!(world().value(&absorbed), Err(TOO_LONG), "{absorbed}");
    }
}

#[test]
fn memory_is_limited() {
    let doubled = "['xxxxxxxx']".to_owned() + &".map(x, x + x)".repeat(40);
    for source in [
        doubled,
        "data.list.map(x, data.text + data.text)".to_owned(),
        "data.list.map(x, upper(data.text))".to_owned(),
        "data.list.map(x, replace(data.text, 'x', 'yyyy'))".to_owned(),
        "data.list.map(x, join(data.texts, data.text))".to_owned(),
        "data.list.map(x, split(data.text, 'x'))".to_owned(),
        "data.list.map(x, concat(data.list, data.list, data.list, data.list))".to_owned(),
        "data.list.map(x, [x, x, x, x] + data.list)".to_owned(),
    ] {
        let found = world().value(&format!("={source}"));
        assert!(
            matches!(&found, Err(error) if *error == TOO_MUCH || *error == TOO_LONG),
            "{source}"
        );
    }
    let doubled = "['xxxxxxxx']".to_owned() + &".map(x, x + x)".repeat(40);
    assert_eq!(world().value(&format!("={doubled}")), Err(TOO_MUCH));
}

#[test]
fn results_are_limited() {
    let too_large = Err(EvalError::TooLarge { limit: RESULT_BYTES_MAX });
    let many = ["data.texts"; 8].join(", ");
    let joined = "=concat(data.texts, data.texts)".to_owned() + &".map(x, [x, x])".repeat(2);
    for source in [joined, format!("=[{many}]")] {
        assert_eq!(world().value(&source), too_large, "{source}");
    }
    let shared = "=[1]".to_owned() + &".map(x, [x, x])".repeat(25);
    assert_eq!(world().value(&shared), too_large, "parts that share memory count each time");
    assert_eq!(world().value("=size(concat(data.texts, data.texts))"), Ok(json!(20)));
}

#[test]
fn depth_is_limited() {
    let too_deep = Err(EvalError::TooDeep { limit: MADE_DEPTH_MAX });
    let deeper = "=[1]".to_owned() + &".map(x, [x])".repeat(MADE_DEPTH_MAX as usize);
    assert_eq!(world().value(&deeper), too_deep);
    let deeper = "=[1]".to_owned() + &".map(x, {'a': x})".repeat(MADE_DEPTH_MAX as usize);
    assert_eq!(world().value(&deeper), too_deep);
    let just = "=[1]".to_owned() + &".map(x, [x])".repeat(MADE_DEPTH_MAX as usize - 1);
    assert!(world().value(&just).is_ok());
    let nest = "[1]".to_owned() + &".map(x, [x])".repeat(MADE_DEPTH_MAX as usize);
    for absorbed in [
        format!("={nest} == [] || true"),
        format!("={nest} == [] && false"),
        format!("=default({nest}, 1)"),
        format!("=[1].exists(x, {nest} == [] || x == 1)"),
        format!("=[0, 1].exists(x, x == 1 || {nest} == [])"),
        format!("=[0, 1].all(x, x != 1 && {nest} == [])"),
    ] {
        assert_eq!(world().value(&absorbed), too_deep, "{absorbed}");
    }
    let nested = (0..COMPARED_DEPTH_MAX + 1).fold(json!(1), |inner, _| json!([inner]));
    let deep = World::new(json!({"a": nested, "b": nested}));
    let too_deep = Err(EvalError::TooDeep { limit: COMPARED_DEPTH_MAX });
    for source in ["=data.a == data.b", "=distinct([data.a, data.b])", "=sort([data.a])", "$.a..x"]
    {
        assert_eq!(deep.value(source), too_deep, "{source}");
    }
}

#[test]
fn what_a_pipeline_does_fits() {
    let cases = [
        ("=distinct_by(data.articles, 'url').size()", json!(700)),
        ("=sort_by_desc(data.articles, 'id')[0].id", json!(4999)),
        ("=data.articles.filter(a, a.id % 2 == 0 && a.url.startsWith('u')).size()", json!(2500)),
        ("=take(data.articles.map(a, {'id': a.id, 'link': 'https://' + a.url}), 1)", {
            json!([{"id": 0, "link": "https://u0"}])
        }),
        ("=size(concat(data.articles, data.articles))", json!(10_000)),
        ("=size(join(data.texts, ' '))", json!(1_000_009)),
        ("=data.articles == data.articles", json!(true)),
    ];
    for (source, expected) in cases {
        assert_eq!(world().value(source), Ok(expected), "{source}");
    }
    let Ok(Value::Array(urls)) = world().value("$.articles[*].url") else { panic!("an array") };
    assert_eq!(urls.len(), 5_000);
}
