//! No text panics, overflows the stack or runs away, neither when it is compiled nor when it is
//! evaluated; and the same scope always gives the same result.
#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod expr_common;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use engine::expr::{Condition, Mapping, MappingRoot, RESULT_BYTES_MAX, Scope};
use expr_common::{World, cases, table_world};
use proptest::prelude::*;
use serde_json::{Value, json};

const VALID: &[&str] = &[
    "=size(data.articles.filter(a, a.score > 0.6 && has(a.tags))) >= 1 ? data.n : -1",
    "=data.articles.map(a, a.score > 0.5, {'id': a.id, 'n': data.n * 2 + int('3')})",
    "=distinct_by(concat(data.articles, []), 'url').map(a, upper(a.id) + \"x\")",
    "=merge(data.map, {'k': [1, 2.5, null, true, 'é\\u00e9\\n']}).k[1] / 2u",
    "=sort_by_desc(data.articles, 'm.k')[0].tags.flatten().join(', ')",
    "=default(steps.fetch.output.items[7], round(data.half, 1)) != item.url",
    "=data.list.all(x, x in [1, 2, 3]) || !data.words.exists_one(w, w == 'b')",
    "='''a\nb''' + r'\\d' + substring(data.name, 1) + string(-0x1F % 7)",
    "=min(data.list) + max(data.list) - sum(data.list) * avg(data.list)",
    "$.articles[?@.score > 0.5 && (@.m.k == $.n || !@.tags)]['url', 'id']",
    "$..tags[0:2]",
    "$['a-key'][\"b c\"]",
    "$.articles[?count(@.tags[*]) > 1][*]",
    "$.list[-1]",
];

const TOKENS: &[&str] = &[
    "=",
    "$",
    "data",
    "steps",
    "item",
    "x",
    ".",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    ",",
    ":",
    "?",
    "*",
    "..",
    "@",
    "+",
    "-",
    "/",
    "%",
    "!",
    "&&",
    "||",
    "==",
    "<",
    " in ",
    "0",
    "1",
    "-1",
    "2.5",
    "9223372036854775807",
    "18446744073709551615u",
    "1e308",
    "'s'",
    "\"",
    "'",
    "'''",
    "\\",
    "\\u",
    "data.list",
    "data.articles",
    "data.big",
    "data.nothing",
    "data.name",
    ".map(x,",
    ".filter(x,",
    ".all(x,",
    "size(",
    "flatten(",
    "distinct(",
    "sort(",
    "sort_by(",
    "take(",
    "round(",
    "int(",
    "split(",
    "replace(",
    "substring(",
    "join(",
    "merge(",
    "default(",
    "has(",
    "[?",
    "[*]",
    "[::2]",
    "[-1]",
    "$.articles",
    "true",
    "null",
    "é",
    "\u{0}",
    "\n",
    "//",
    "`",
    "😀",
];

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let mut world = table_world();
    world.output = Some(json!({"x": [1, "a", null, {"y": 2}]}));
    world
});

static SHARED: LazyLock<BTreeMap<String, Arc<Value>>> = LazyLock::new(|| {
    WORLD.data.iter().map(|(key, value)| (key.clone(), Arc::new(value.clone()))).collect()
});

/// Compiles and evaluates a text in every way there is.
fn survive(source: &str) {
    let scope = WORLD.scope();
    let other = Scope { data: &*SHARED, ..scope };
    for root in [MappingRoot::Data, MappingRoot::Output] {
        match Mapping::compile(&json!({"field": [source]}), root) {
            Ok(mapping) => {
                let first = mapping.eval(&scope);
                assert_eq!(first, mapping.eval(&other), "{source:?}");
                if let Ok(value) = first {
                    assert!(value.to_string().len() <= RESULT_BYTES_MAX, "{source:?}");
                }
            }
            Err(errors) => {
                assert_eq!(errors.len(), 1);
                assert_eq!(errors[0].0, "/field/0");
                let offset = errors[0].1.position.map_or(0, |position| position.offset);
                assert!(offset <= source.len(), "{source:?} {offset}");
                assert!(!errors[0].1.to_string().is_empty());
            }
        }
    }
    if let Ok(condition) = Condition::compile(&json!(source)) {
        assert_eq!(condition.eval(&scope), condition.eval(&other));
    }
    let _ = Condition::compile(&json!({"list_available": source}));
}

/// A valid expression with one to six of its characters dropped, doubled, swapped or replaced.
fn mutated() -> impl Strategy<Value = String> {
    let edit = (any::<prop::sample::Index>(), 0..4_u8, prop::sample::select(TOKENS));
    (prop::sample::select(VALID), prop::collection::vec(edit, 1..6)).prop_map(|(source, edits)| {
        let mut chars: Vec<String> = source.chars().map(String::from).collect();
        for (at, edit, token) in edits {
            let at = at.index(chars.len());
            match edit {
                0 => chars[at].clear(),
                1 => chars[at] = chars[at].repeat(2),
                2 => {
                    let other = (at + 1) % chars.len();
                    chars.swap(at, other);
                }
                _ => chars[at].push_str(token),
            }
        }
        chars.concat()
    })
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn any_text(sigil in "[=$]?", text in any::<String>()) {
        survive(&format!("{sigil}{text}"));
    }

    #[test]
    fn any_sequence_of_tokens(words in prop::collection::vec(prop::sample::select(TOKENS), 0..25)) {
        let text = words.concat();
        survive(&format!("={text}"));
        survive(&format!("${text}"));
    }

    #[test]
    fn any_change_of_a_valid_expression(source in mutated()) {
        survive(&source);
    }
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn any_repetition(
        word in prop::sample::select(TOKENS),
        other in prop::sample::select(TOKENS),
        times in 1..2000_usize,
    ) {
        for sigil in ["=", "$", "=data", "$.a", "=1", "$["] {
            let mut text = format!("{sigil}{}", [word, other].concat().repeat(times));
            let mut end = text.len().min(4096);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            survive(&text);
        }
    }
}

#[test]
fn what_is_valid_here_is_evaluated() {
    let world = table_world();
    for source in VALID {
        let mapping = Mapping::compile(&json!(source), MappingRoot::Data);
        let value = mapping.unwrap_or_else(|errors| panic!("{source}: {}", errors[0].1));
        assert!(value.eval(&world.scope()).is_ok(), "{source}: {:?}", value.eval(&world.scope()));
    }
}

/// A Worker has one megabyte of stack, and optimized code takes a fourth of what this test takes.
#[test]
fn the_deepest_sources_fit_in_a_small_stack() {
    let pairs = [
        ("(", ")"),
        ("[", "]"),
        ("{'a':", "}"),
        ("-(", ")"),
        ("!(", ")"),
        ("size([", "])"),
        ("[1].map(x,", ")"),
        ("[1].map(x, x > 0 || true, 1 + ", ")"),
        ("default(data.x, ", ")"),
        ("true ? 1 : ", ""),
        ("1 + ", ""),
        ("data.list[", "]"),
        ("has(data.a[", "].b)"),
        ("merge({}, {'a': [", "]})"),
    ];
    let mut sources = Vec::new();
    for (open, close) in pairs {
        for levels in [10, 20, 29, 30, 31, 63, 400] {
            let inner = format!("{}1{}", open.repeat(levels), close.repeat(levels));
            sources.push(format!("={inner}"));
        }
    }
    for levels in 1..9 {
        sources.push(format!("$[?{}@.a{}]", "(".repeat(levels), ")".repeat(levels)));
        sources.push(format!("$[?{}@.a{}]", "@[?".repeat(levels), "]".repeat(levels)));
    }
    let small = std::thread::Builder::new().stack_size(768 * 1024);
    let thread = small.spawn(move || sources.iter().for_each(|source| survive(source)));
    thread.unwrap().join().unwrap();
}
