//! CEL: what each construct and each function gives.
#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod expr_common;

use engine::expr::EvalError;
use expr_common::table_world as world;
use serde_json::{Value, json};

fn table(cases: &[(&str, Value)]) {
    let world = world();
    for (source, expected) in cases {
        let found = world.value(&format!("={source}"));
        assert_eq!(found.as_ref(), Ok(expected), "{source}");
        let written = found.map(|value| value.to_string());
        assert_eq!(written, Ok(expected.to_string()), "{source}: ints stay ints");
    }
}

#[test]
fn literals() {
    table(&[
        ("1", json!(1)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("0xff", json!(255)),
        ("18446744073709551615u", json!(u64::MAX)),
        ("1.0", json!(1.0)),
        (".5", json!(0.5)),
        ("1e3", json!(1000.0)),
        ("-2.5e-1", json!(-0.25)),
        ("null", json!(null)),
        ("true", json!(true)),
    ]);
    table(&[
        (r#""a'b""#, json!("a'b")),
        (r"'a\'b'", json!("a'b")),
        (r"'\x41\u00e9\U0001F600\101\n\\'", json!("Aé😀A\n\\")),
        (r"r'\d+'", json!(r"\d+")),
        ("'''two\r\nlines'''", json!("two\nlines")),
        ("[1, 'a', [true],]", json!([1, "a", [true]])),
        ("{'b': 1, 'a': {}}", json!({"a": {}, "b": 1})),
        ("[] + [ ]", json!([])),
        ("1 // a comment\n + 1", json!(2)),
    ]);
}

#[test]
fn operators_and_their_precedence() {
    table(&[
        ("1 + 2 * 3", json!(7)),
        ("(1 + 2) * 3", json!(9)),
        ("7 / 2", json!(3)),
        ("-7 / 2", json!(-3)),
        ("7 % 3", json!(1)),
        ("10 - 3 - 2", json!(5)),
        ("--1", json!(1)),
        ("-data.n", json!(-3)),
        ("!!true", json!(true)),
        ("1 < 2 && 2 < 3 || false", json!(true)),
        ("true || false && false", json!(true)),
        ("1 == 1 ? 'a' : 1 == 2 ? 'b' : 'c'", json!("a")),
        ("'a' + 'b'", json!("ab")),
        ("[1] + [2]", json!([1, 2])),
        ("2 in data.list", json!(true)),
        ("'zeta' in data.map", json!(true)),
        ("4 in data.list", json!(false)),
        ("'abc' < 'abd'", json!(true)),
        ("false < true", json!(true)),
        ("[1, {'a': 2}] == [1.0, {'a': 2u}]", json!(true)),
        ("'1' == 1", json!(false)),
        ("null != 0", json!(true)),
    ]);
}

#[test]
fn numbers_of_json_behave_as_written() {
    table(&[
        ("data.n == 3", json!(true)),
        ("data.n == 3.0", json!(true)),
        ("data.f == 3", json!(true)),
        ("data.n > 0", json!(true)),
        ("data.half > 2", json!(true)),
        ("data.n > 2.5 && data.n < 3.5", json!(true)),
        ("data.n", json!(3)),
        ("data.f", json!(3.0)),
        ("data.n + 1", json!(4)),
        ("data.n * 1.5", json!(4.5)),
        ("data.half * 2", json!(5.0)),
        ("data.n / 2", json!(1)),
        ("data.n / 2.0", json!(1.5)),
        ("data.big", json!(u64::MAX)),
        ("data.big > data.n", json!(true)),
        ("data.big - 1", json!(u64::MAX - 1)),
        ("type(data.n) == int && type(data.f) == double && type(data.big) == uint", json!(true)),
        ("size(data.list) > 0", json!(true)),
        ("data.list[1.0]", json!(1)),
        ("int('12') + int(3.9) + int(-3.9)", json!(12)),
        ("type(data.n)", json!("int")),
        ("double(2) / 4", json!(0.5)),
        ("string(1.5) + string(2) + string(true) + string(3.0)", json!("1.52true3")),
        ("bool('true')", json!(true)),
        ("uint(7)", json!(7)),
    ]);
}

#[test]
fn reading_from_the_scope() {
    table(&[
        ("data.name", json!("Ada")),
        ("data['a-key']['b c']", json!(1)),
        ("data.articles[1].tags", json!([])),
        ("steps.fetch.status == 'succeeded'", json!(true)),
        ("steps.fetch.output.items[1]", json!(2)),
        ("steps['fetch'].attempts", json!(2)),
        ("steps.fetch.error", json!(null)),
        ("size(steps)", json!(1)),
        ("request.topic", json!("AI")),
        ("item.url + string(index)", json!("i4")),
        ("size(data)", json!(15)),
        ("data[request.topic == 'AI' ? 'name' : 'n']", json!("Ada")),
        ("'name' in data", json!(true)),
        ("has(data.name)", json!(true)),
        ("has(data.nope)", json!(false)),
        ("has(data.nothing)", json!(true)),
        ("has(data.nothing.deeper)", json!(false)),
        ("has(data.nope.deeper)", json!(false)),
        ("has(steps.fetch.output)", json!(true)),
        ("has(steps.classify)", json!(false)),
        ("has(data.articles[9].url)", json!(false)),
        ("default(data.nope, 7)", json!(7)),
        ("default(data.nothing, [])", json!([])),
        ("default(data.n, 1 / 0)", json!(3)),
        ("data.nope.default('x')", json!("x")),
        ("default(data.articles[5].url, 'none')", json!("none")),
    ]);
}

#[test]
fn macros() {
    table(&[
        ("data.list.all(x, x > 0)", json!(true)),
        ("data.list.exists(x, x > 2)", json!(true)),
        ("data.list.exists_one(x, x > 1)", json!(false)),
        ("data.empty.all(x, false)", json!(true)),
        ("data.empty.exists(x, true)", json!(false)),
        ("data.list.filter(x, x != 1)", json!([3, 2])),
        ("data.list.map(x, x * 2)", json!([6, 2, 4])),
        ("data.list.map(x, x > 1, x * 2)", json!([6, 4])),
        ("data.list.map(x, data.words.map(y, y + string(x)))[0]", json!(["b3", "a3", "b3"])),
        ("data.map.map(k, k)", json!(["alpha", "mid", "zeta"])),
        ("data.map.filter(k, data.map[k] > 1)", json!(["alpha", "mid"])),
        ("{'b': 1, 'a': 2}.map(k, k)", json!(["a", "b"])),
        ("data.articles.filter(a, a.score > 0.6).map(a, {'id': a.id})", json!([{"id": "b"}])),
        ("data.map(k, k)[0]", json!("a-key")),
    ]);
}

#[test]
fn a_decisive_part_absorbs_errors() {
    table(&[
        ("false && 1 / 0 == 1", json!(false)),
        ("1 / 0 == 1 && false", json!(false)),
        ("true || data.nope", json!(true)),
        ("data.nope || true", json!(true)),
        ("[0, 1].exists(x, 1 / x == 1)", json!(true)),
        ("[0, 1].all(x, 1 / x == 2)", json!(false)),
        ("true ? 1 : 1 / 0", json!(1)),
    ]);
    let failed = world().value("=true && data.nope");
    assert_eq!(failed, Err(EvalError::Missing { path: "data.nope".into() }));
}

#[test]
fn functions_on_lists_and_maps() {
    table(&[
        ("flatten([[1], 2, [[3]]])", json!([1, 2, [3]])),
        ("data.articles.map(a, a.tags).flatten()", json!(["x", "y", "z"])),
        ("distinct(data.words)", json!(["b", "a"])),
        (
            "distinct([1, 1.0, '1', [1], [1.0], {'a': 1}, {'a': 1u}])",
            json!([1, "1", [1], {"a": 1}]),
        ),
        ("distinct_by(data.articles, 'url').map(a, a.id)", json!(["a", "b"])),
        ("distinct_by(data.articles, 'm.k').map(a, a.id)", json!(["a", "b", "c"])),
        ("concat(data.list, [9], data.empty)", json!([3, 1, 2, 9])),
        ("take(data.list, 2)", json!([3, 1])),
        ("take(data.list, 99)", json!([3, 1, 2])),
        ("take(data.list, 0)", json!([])),
        ("reverse(data.list)", json!([2, 1, 3])),
        ("sort(data.list)", json!([1, 2, 3])),
        ("sort([2, 1.5, -1])", json!([-1, 1.5, 2])),
        ("sort(data.words)", json!(["a", "b", "b"])),
        ("sort_by(data.articles, 'score').map(a, a.id)", json!(["a", "c", "b"])),
        ("sort_by_desc(data.articles, 'score').map(a, a.id)", json!(["b", "a", "c"])),
        ("sort_by(data.articles, 'm.k').map(a, a.id)", json!(["b", "a", "c"])),
        ("sort_by_desc(data.articles, 'm.k').map(a, a.id)", json!(["a", "b", "c"])),
        ("merge({'a': 1, 'b': 1}, {'b': 2}, {'c': 3})", json!({"a": 1, "b": 2, "c": 3})),
        ("keys(data.map)", json!(["alpha", "mid", "zeta"])),
        ("values(data.map)", json!([2, 3, 1])),
        ("sum(data.list)", json!(6)),
        ("sum([1, 0.5])", json!(1.5)),
        ("sum([])", json!(0)),
        ("avg([1, 2])", json!(1.5)),
        ("min(data.list)", json!(1)),
        ("max(data.words)", json!("b")),
        ("max([1, 2.5, 2u])", json!(2.5)),
        ("size(data.map)", json!(3)),
    ]);
}

#[test]
fn functions_on_texts_and_numbers() {
    table(&[
        ("size('né😀')", json!(3)),
        ("'abc'.contains('b')", json!(true)),
        ("startsWith('abc', 'ab') && 'abc'.endsWith('bc')", json!(true)),
        ("lower('ÄB') + upper('é')", json!("äbÉ")),
        ("trim('  a ')", json!("a")),
        ("split('a,b', ',')", json!(["a", "b"])),
        ("split('ab', '')", json!(["a", "b"])),
        ("replace('aaa', 'a', 'bb')", json!("bbbbbb")),
        ("substring('héllo', 1, 3)", json!("él")),
        ("substring('héllo', 3)", json!("lo")),
        ("join(data.words, '-')", json!("b-a-b")),
        ("join([])", json!("")),
        ("round(2.345, 2)", json!(2.35)),
        ("round(2.5)", json!(3.0)),
        ("round(-2.5)", json!(-3.0)),
        ("round(7, 2)", json!(7)),
        ("round(1e300, 15)", json!(1e300)),
    ]);
}
