//! JSONPath in mappings: the basics of RFC 9535, the fast paths against the plain evaluation, the
//! places of mistakes, and the bound on the work.
#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod expr_common;

use engine::expr::{EvalError, JSONPATH_BRACKETS_MAX, MappingRoot, SOURCE_BYTES_MAX};
use expr_common::{World, cases, mistake};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The example of RFC 9535, section 1.5, as `data`.
fn store() -> World {
    World::new(json!({
        "store": {
            "book": [
                {"category": "reference", "author": "Nigel Rees",
                 "title": "Sayings of the Century", "price": 8.95},
                {"category": "fiction", "author": "Evelyn Waugh",
                 "title": "Sword of Honour", "price": 12.99},
                {"category": "fiction", "author": "Herman Melville",
                 "title": "Moby Dick", "isbn": "0-553-21311-3", "price": 8.99},
                {"category": "fiction", "author": "J. R. R. Tolkien",
                 "title": "The Lord of the Rings", "isbn": "0-395-19395-8", "price": 22.99},
            ],
            "bicycle": {"color": "red", "price": 399},
        },
        "limit": 10,
        "nothing": null,
        "odd keys": {"a.b": 1, "c'd": 2, "é": 3, "\"": 4},
    }))
}

#[test]
fn the_basics_of_the_standard() {
    let titles =
        json!(["Sayings of the Century", "Sword of Honour", "Moby Dick", "The Lord of the Rings"]);
    let authors = json!(["Nigel Rees", "Evelyn Waugh", "Herman Melville", "J. R. R. Tolkien"]);
    let cases = [
        ("$.store.book[*].author", authors.clone()),
        ("$..author", authors),
        ("$.store.*.color", json!(["red"])),
        ("$.store..price", json!([399, 8.95, 12.99, 8.99, 22.99])),
        ("$..book[2].title", json!(["Moby Dick"])),
        ("$.store.book[-1].title", json!("The Lord of the Rings")),
        ("$.store.book[0,1].title", json!(["Sayings of the Century", "Sword of Honour"])),
        ("$.store.book[:2].title", json!(["Sayings of the Century", "Sword of Honour"])),
        ("$.store.book[::2].price", json!([8.95, 8.99])),
        ("$..book[?@.isbn].title", json!(["Moby Dick", "The Lord of the Rings"])),
        ("$.store.book[?@.price < 10].title", json!(["Sayings of the Century", "Moby Dick"])),
        ("$.store.book[?@.price < $.limit].price", json!([8.95, 8.99])),
        ("$.store.book[?@.price < 10 && @.category == 'fiction'].price", json!([8.99])),
        ("$.store.book[?(@.price > 20 || !@.isbn)].price", json!([8.95, 12.99, 22.99])),
        ("$.store.book[?length(@.title) == 9].title", json!(["Moby Dick"])),
        ("$.store[?count(@[*]) == 4][0].price", json!([8.95])),
        ("$.store.book[*]['title']", titles.clone()),
        ("$[\"store\"]['book'][*].title", titles),
        ("$.store.bicycle.price", json!(399)),
        ("$.store.bicycle", json!({"color": "red", "price": 399})),
        ("$ .store .bicycle ['color']", json!("red")),
        ("$.nothing", json!(null)),
        ("$['odd keys']['a.b']", json!(1)),
        ("$['odd keys']['c\\'d']", json!(2)),
        ("$['odd keys'].é", json!(3)),
        ("$['odd keys']['\\u00e9']", json!(3)),
        ("$['odd keys'][\"\\\"\"]", json!(4)),
        ("$.nope[*]", json!([])),
        ("$.nope..x", json!([])),
        ("$.store.book[?@.nope]", json!([])),
        ("$.limit[*]", json!([])),
        ("$[?@ == 10]", json!([10])),
    ];
    for (path, expected) in cases {
        assert_eq!(store().value(path), Ok(expected), "{path}");
    }
    assert_eq!(store().value("$"), Ok(Value::Object(store().data)));
}

#[test]
fn a_missing_singular_value_is_named_by_its_first_absent_part() {
    let cases = [
        ("$.nope", "$.nope"),
        ("$.store.nope.deeper", "$.store.nope"),
        ("$.store.book[9].title", "$.store.book[9]"),
        ("$.store.book[-5]", "$.store.book[-5]"),
        ("$.store[0]", "$.store[0]"),
        ("$.limit.x", "$.limit.x"),
        ("$[0].x", "$[0]"),
        ("$['a b'].c", "$[\"a b\"]"),
    ];
    for (path, missing) in cases {
        let expected = Err(EvalError::Missing { path: missing.into() });
        assert_eq!(store().value(path), expected, "{path}");
    }
}

#[test]
fn the_root_of_an_output_mapping_is_the_output() {
    let mut world = store();
    let read = |world: &World, path: &str| {
        world.eval(json!(path), MappingRoot::Output).map_err(|error| error.error)
    };
    assert_eq!(read(&world, "$.x"), Err(EvalError::Missing { path: "$".into() }));
    world.output = Some(json!({"x": [{"y": 1}, {"y": 2}], "limit": 1}));
    assert_eq!(read(&world, "$.x[*].y"), Ok(json!([1, 2])));
    assert_eq!(read(&world, "$.x[?@.y > $.limit].y"), Ok(json!([2])));
    assert_eq!(read(&world, "$.x[1].y"), Ok(json!(2)));
    assert_eq!(read(&world, "$..y"), Ok(json!([1, 2])));
    assert_eq!(read(&world, "=output.x[0].y + data.limit"), Ok(json!(11)));
    assert_eq!(read(&world, "$"), Ok(world.output.clone().unwrap()));
    world.output = Some(json!([1, 2, 3]));
    assert_eq!(read(&world, "$[1:]"), Ok(json!([2, 3])));
    assert_eq!(read(&world, "$[-1]"), Ok(json!(3)));
}

#[test]
fn mistakes_have_a_place() {
    let cases = [
        ("$.", 2),
        ("$.a[", 3),
        ("$.a b", 3),
        ("$[01]", 3),
        ("$['a", 2),
        ("$.1", 2),
        ("$.items[?@.price < ]", 17),
        ("$.a[?foo(@)]", 5),
        ("$5 off", 1),
        ("$.a ", 3),
    ];
    for (path, offset) in cases {
        let error = mistake(path);
        assert!(error.message.starts_with("not a JSONPath: "), "{path}: {error}");
        assert_eq!(error.position.map(|position| position.offset), Some(offset), "{path}: {error}");
    }
    for (path, text) in [
        ("$.a b", "not a JSONPath: unexpected ' '; a text begins with `$$` (at column 4)"),
        (
            "$.1",
            "not a JSONPath: a name begins with a letter or `_`; a text begins with `$$` \
                 (at column 3)",
        ),
        ("$[?a", "not a JSONPath: it ends too early; a text begins with `$$` (at column 5)"),
        (
            "$.a[?foo(@)]",
            "not a JSONPath: function name 'foo' is not defined; a text begins with \
                          `$$` (at column 6)",
        ),
    ] {
        assert_eq!(mistake(path).to_string(), text);
    }
}

#[test]
fn what_could_run_away_is_refused_when_compiling() {
    let too_long = format!("$['{}']", "x".repeat(SOURCE_BYTES_MAX));
    assert!(mistake(&too_long).message.contains("longer than"));
    for cut in ["$['a", "$[\"\\u", "$['\\uD83D\\u", "$['a']['\\", "$.a'", "$[?@ == 'x\\']"] {
        assert!(mistake(cut).message.ends_with("a string is not closed"), "{cut}");
    }
    for open in ["(", "!(", "@[?", "length("] {
        let deep = format!("$[?{}@.a", open.repeat(JSONPATH_BRACKETS_MAX));
        assert!(mistake(&deep).message.contains("nested deeper"), "{deep}");
        assert!(mistake(&format!("$[?{}", open.repeat(500))).message.contains("nested deeper"));
    }
    let brackets_in_a_string = format!("$['{}']", "(".repeat(100));
    assert_eq!(
        store().value(&brackets_in_a_string).map_err(|error| error.code()),
        Err("expression.missing_value")
    );
    for function in ["match", "search"] {
        let error = mistake(&format!("$.x[?@.b && {function}(@.a, 'b')]"));
        assert!(error.message.starts_with(&format!("`{function}` is not available")), "{error}");
        assert_eq!(error.position.unwrap().offset, 12);
    }
}

#[test]
fn a_query_whose_bound_is_too_large_is_not_evaluated() {
    let deep = (0..60).fold(json!(1), |inner, _| json!([inner, 1]));
    let wide: Vec<Value> = (0..20_000).map(|n| json!({"n": n, "tags": ["a", "b"]})).collect();
    let world = World::new(json!({"deep": deep, "wide": wide}));
    for path in [
        "$.deep..*..*..*..*",
        "$..*..*..*",
        "$.deep[0,0,0,0,0,0,0,0][0,0,0,0,0,0,0,0][0,0,0,0,0,0,0,0][0,0,0,0,0,0,0,0][0,0,0,0,0,0]",
        "$.wide[?count($.wide[*]) > 3]",
        "$.wide[?$..n]",
    ] {
        let error = world.value(path).map(|value| value.to_string().len());
        assert_eq!(error.map_err(|error| error.code()), Err("expression.limit"), "{path}");
    }
    for path in ["$.wide[*].n", "$.wide[?@.n > 19990].tags[*]", "$.wide[?count(@.tags[*]) > 2]"] {
        assert!(world.value(path).is_ok(), "{path}: {:?}", world.value(path));
    }
}

#[test]
fn a_result_has_a_largest_size() {
    let world = World::new(json!({"text": "x".repeat(2_400_000), "list": [1]}));
    assert!(world.value("$.text").is_ok());
    assert_eq!(
        world.value("$[*]").map_err(|error| error.code()),
        Ok(json!([[1], world.data["text"]]))
    );
    let twice = world.eval(json!({"a": "$.text", "b": ["$.text"]}), MappingRoot::Data).unwrap_err();
    assert_eq!((twice.pointer.as_str(), twice.code()), ("/b/0", "expression.limit"));
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        prop::sample::select(vec!["a", "b", "xyz"]).prop_map(Value::from),
    ];
    let key = || prop::sample::select(vec!["a", "b", "c", "x y", "é"]).prop_map(str::to_owned);
    let value = leaf.prop_recursive(4, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(key(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    let key = prop::sample::select(vec!["a", "b", "c", "x y", "é"]).prop_map(str::to_owned);
    prop::collection::btree_map(key, value, 0..4)
        .prop_map(|map| Value::Object(map.into_iter().collect()))
}

fn path() -> impl Strategy<Value = String> {
    let segments = vec![
        ".a",
        ".b",
        ".c",
        ".é",
        "['x y']",
        "[\"a\"]",
        "[0]",
        "[-1]",
        "[1:]",
        "[::-1]",
        "[*]",
        ".*",
        "..a",
        "..*",
        "..[0]",
        "['a','b']",
        "[0, *]",
        " .a",
        "[ 'b' ]",
        "[?@.a]",
        "[?@.a == 1]",
        "[?@ == $.b]",
        "[?@.a == $.a.b || !@.b]",
        "[?count(@..*) > 1]",
        "[?@[?@.a]]",
        "[?$.c[?@ == $.a]]",
        "[?length(@) == 1, 0]",
        "[?value(@.*) == 'a']",
        "[?$[0]]",
        "[?@ != $]",
        "['\\u00e9']",
        "['a\\u0062']",
        "[?@.x == 'it\\'s ]) $']",
    ];
    prop::collection::vec(prop::sample::select(segments), 0..4)
        .prop_map(|segments| format!("${}", segments.concat()))
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn every_way_of_evaluation_selects_the_same(data in document(), path in path()) {
        let plain = serde_json_path::JsonPath::parse(&path).unwrap();
        let nodes: Vec<Value> = plain.query(&data).all().into_iter().cloned().collect();
        let mut world = World::new(data.clone());
        world.output = Some(data);
        let singular = path.find(['*', '?', ':', ',']).is_none() && !path.contains("..");
        for root in [MappingRoot::Data, MappingRoot::Output] {
            let found = world.eval(json!(path), root).map_err(|error| error.error);
            match (singular, nodes.first(), found) {
                (true, None, found) => {
                    let missing = matches!(found, Err(EvalError::Missing { .. }));
                    prop_assert!(missing, "{} {:?}", path, found);
                }
                (true, Some(node), found) => prop_assert_eq!(found.as_ref(), Ok(node), "{}", path),
                (false, _, found) => {
                    prop_assert_eq!(found, Ok(Value::Array(nodes.clone())), "{}", path);
                }
            }
        }
    }
}
