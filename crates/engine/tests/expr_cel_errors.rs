//! CEL: what each mistake says, when an expression is compiled and when it is evaluated.
#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod expr_common;

use engine::expr::{
    EXPRESSION_BRACKETS_MAX, EXPRESSION_DEPTH_MAX, EvalError, Mapping, MappingRoot,
    SOURCE_BYTES_MAX, Scope,
};
use expr_common::table_world as world;
use expr_common::{Watched, mistake};
use serde_json::{Value, json};

#[test]
fn what_is_missing_is_named() {
    let cases = [
        ("data.nope", "data.nope"),
        ("data.articles[7].url", "data.articles[7]"),
        ("data.articles[-1]", "data.articles[-1]"),
        ("data.articles[data.n + 4]", "data.articles[…]"),
        ("data.nothing.a", "data.nothing.a"),
        ("data['a-key']['c d']", "data[\"a-key\"][\"c d\"]"),
        ("size(data.nope)", "data.nope"),
        ("data.articles.map(a, a.nope)", "a.nope"),
        ("data.articles.filter(a, true)[0].nope", "(…)[0].nope"),
        ("steps.nope.output", "steps.nope"),
        ("steps.fetch.nope", "steps.fetch.nope"),
        ("steps.fetch.output.nope", "steps.fetch.output.nope"),
        ("request.nope", "request.nope"),
        ("item.nope", "item.nope"),
    ];
    for (source, path) in cases {
        let found = world().value(&format!("={source}"));
        assert_eq!(found, Err(EvalError::Missing { path: path.into() }), "{source}");
    }
    let mut world = world();
    world.item = None;
    for source in ["item", "index"] {
        let missing = Err(EvalError::Missing { path: source.into() });
        assert_eq!(world.value(&format!("={source}")), missing);
    }
    let error = world.value("=data.nope").unwrap_err();
    assert_eq!(error.code(), "expression.missing_value");
    assert_eq!(error.to_string(), "there is no value at `data.nope`");
}

#[test]
fn types_that_do_not_fit_are_named_with_their_place() {
    let cases = [
        ("1 + 'a'", "`+` does not go between int and string (at column 3)"),
        ("data.n.x", "a value of type int has no field `x` (at column 7)"),
        ("data.map[0]", "a value of type map has no element for a key of type int (at column 9)"),
        ("data.list['a']", "a value of type list has no field `a` (at column 10)"),
        ("size(1)", "argument 1 of `size` is a list, a map or a string, not int (at column 1)"),
        ("1 && true", "`&&` takes a bool, not int (at column 1)"),
        ("data.n.map(x, x)", "only lists and maps have elements, not int (at column 7)"),
        ("-'a'", "`-` takes a number, not string (at column 1)"),
        ("1.5 % 2", "`%` takes whole numbers, not a double (at column 5)"),
        ("{1: 2}", "the keys of a map are strings, as in JSON (at column 2)"),
        ("join([1])", "argument 1 of `join` is a list of strings, not int (at column 1)"),
        ("1 < 'a'", "`<` does not go between int and string (at column 3)"),
        ("\n  1 +\n 'a'", "`+` does not go between int and string (at line 2, column 5)"),
    ];
    for (source, message) in cases {
        let error = world().value(&format!("={source}")).unwrap_err();
        assert_eq!(error, EvalError::Type { message: message.into() }, "{source}");
        assert_eq!(error.code(), "expression.type");
    }
}

#[test]
fn what_has_no_result_fails() {
    let cases = [
        "1 / 0",
        "1 % 0",
        "9223372036854775807 + 1",
        "-9223372036854775807 - 2",
        "9223372036854775807 * 2",
        "data.big + 1u",
        "0u - 1u",
        "int('x')",
        "int(1e300)",
        "uint(-1)",
        "1.0 / 0.0",
        "0.0 / 0.0",
        "avg([])",
        "max([])",
        "min([1, 'a'])",
        "sort([1, 'a'])",
        "substring('abc', 2, 1)",
        "substring('abc', 4)",
        "take([1], -1)",
        "replace('a', '', 'b')",
        "{'a': 1, 'a': 2}",
        "round(1.5, 16)",
        "bool('maybe')",
    ];
    for source in cases {
        let error = world().value(&format!("={source}")).unwrap_err();
        assert_eq!(error.code(), "expression.failed", "{source}: {error}");
    }
}

#[test]
fn mistakes_are_found_when_compiling_with_their_place() {
    let cases = [
        ("=", "expected a value, found the end of the expression", 1),
        ("=1 +", "expected a value, found the end of the expression", 4),
        ("=(1", "expected `)`, found the end of the expression", 3),
        ("=[1, 2", "expected `,` or `]`, found the end of the expression", 6),
        ("=f(1,)", "expected a value, found `)`", 5),
        ("=data.", "expected a field name after `.`, found the end of the expression", 6),
        ("=data.x data.y", "expected an operator or the end, found `data`", 8),
        ("=articles", "unknown name `articles`; known are data, steps, request, item and index", 1),
        ("=output.x", "`output` is known in output mappings only", 1),
        ("=shout(data.x)", "unknown function `shout`", 1),
        ("=data.x.shout()", "unknown function `shout`", 7),
        ("=data.x.matches('a')", "unknown function `matches`", 7),
        ("=take(data.x)", "`take` takes 2 arguments, not 1", 1),
        ("=data.x.take()", "`take` takes 2 arguments, not 1", 7),
        ("=round(1, 2, 3)", "`round` takes 1 to 2 arguments, not 3", 1),
        ("=default(1)", "`default` takes a value and a fallback, not 1", 1),
        ("=map(data.x, y, y)", "`map` is called on a list: `list.map(x, …)`", 1),
        ("=data.x.map(y + 1, y)", "expected `,`, found `+`", 14),
        ("=data.x.map(1, y)", "expected a name for the element", 12),
        ("=data.x.map(data, 1)", "`data` has a meaning of its own here", 12),
        ("=has(data)", "`has` takes one field: `has(data.articles)`", 1),
        ("=has(1 + 1)", "`has` takes one field", 1),
        ("=a = 1", "unexpected character '='; compare with `==`", 3),
        ("=1 & 2", "unexpected character '&'; use `&&`", 3),
        ("='abc", "the string is not closed: expected '", 1),
        ("='a\nb'", "the string is not closed on its line", 1),
        (r"='\q'", "unknown escape in a string", 2),
        ("=b'abc'", "bytes are not supported", 1),
        ("=12abc", "`12abc` is neither a number nor a name", 1),
        ("=99999999999999999999", "the number 99999999999999999999 is out of range", 1),
        ("=9223372036854775808", "the number is out of range of an int", 1),
        ("=1e999", "the number 1e999 is out of range", 1),
        ("=data.`a b`", "unexpected character '`'", 6),
        ("=é", "unexpected character 'é'", 1),
        ("=if", "`if` is a reserved word", 1),
        ("=1 ? 2", "expected `:`, found the end of the expression", 6),
        ("=!-1", "expected a value, found `-`", 2),
        ("=\n\n  @", "unexpected character '@'", 5),
    ];
    for (source, message, offset) in cases {
        let error = mistake(source);
        assert!(error.message.starts_with(message), "{source}: {error}");
        assert_eq!(
            error.position.map(|position| position.offset),
            Some(offset),
            "{source}: {error}"
        );
    }
    let position = mistake("=\n\n  @").position.unwrap();
    assert_eq!((position.line, position.column), (3, 3));
    assert_eq!(mistake("='é' @").position.unwrap().column, 6);
    assert_eq!(
        mistake("=1 +").to_string(),
        "expected a value, found the end of the expression \
                                             (at column 5)"
    );
}

#[test]
fn long_and_deep_sources_are_refused_before_they_are_parsed() {
    let long = format!("='{}'", "x".repeat(SOURCE_BYTES_MAX));
    assert!(mistake(&long).message.contains("longer than"));
    let (most, brackets) = (EXPRESSION_DEPTH_MAX as usize, EXPRESSION_BRACKETS_MAX as usize);
    let deep = [
        format!("={}1{}", "(".repeat(brackets), ")".repeat(brackets)),
        format!("={}", "(".repeat(4000)),
        format!("={}", "[{(".repeat(1300)),
        format!("={}", "[".repeat(4000)),
        format!("=1{}", "+1".repeat(most)),
        format!("=data{}", "[0]".repeat(most + 1)),
        format!("=data{}", ".a".repeat(most + 1)),
        format!("={}1", "-".repeat(most + 2)),
        format!("={}true", "!".repeat(4000)),
        format!("={}1", "true ? 1 : ".repeat(brackets)),
        format!("={}1", "size(".repeat(800)),
        format!("={}", "[].map(x,".repeat(400)),
    ];
    for source in deep {
        let error = mistake(&source);
        assert!(error.message.contains("nested deeper"), "{source}: {error}");
    }
    let wide = format!("={}true", "true && ".repeat(500));
    assert_eq!(world().value(&wide), Ok(json!(true)), "width is no depth");
    let nested = format!("={}1{}", "(".repeat(brackets - 1), ")".repeat(brackets - 1));
    assert_eq!(world().value(&nested), Ok(json!(1)));
    assert_eq!(world().value(&format!("=1{}", "+1".repeat(most - 1))), Ok(json!(most)));
}

#[test]
fn only_what_is_named_is_fetched() {
    let data = Watched::new(json!({"a": [1, 2], "b": 2, "c": 3}));
    let steps = Watched::new(json!({"s": {"output": {"x": 1}, "status": "succeeded"}}));
    let request = json!({});
    let scope = Scope { data: &data, steps: &steps, request: &request, item: None, output: None };
    let eval = |source: &str| {
        data.asked.borrow_mut().clear();
        steps.asked.borrow_mut().clear();
        let mapping = json!(source);
        let mapping = Mapping::compile(&mapping, MappingRoot::Data).unwrap();
        let value = mapping.eval(&scope).unwrap();
        (value, data.asked.borrow().join(" "), steps.asked.borrow().join(" "))
    };
    let asked = |value: Value, data: &str, steps: &str| (value, data.to_owned(), steps.to_owned());
    assert_eq!(eval("=data.a[0] + data.a[1] + data['b']"), asked(json!(5), "a b", ""));
    assert_eq!(eval("=has(data.z)"), asked(json!(false), "z", ""));
    assert_eq!(eval("=true || data.a == []"), asked(json!(true), "", ""));
    assert_eq!(eval("=steps.s.output.x"), asked(json!(1), "", "s/output"));
    assert_eq!(eval("=steps.s.output.x + size(steps.s.status)"), {
        asked(json!(10), "", "s/output s/status")
    });
    assert_eq!(eval("=size(data)"), asked(json!(3), "* a b c", ""));
    assert_eq!(eval("$.a[0]"), asked(json!(1), "a", ""));
    assert_eq!(eval("$.a[*]"), asked(json!([1, 2]), "a", ""));
    assert_eq!(eval("$.a[?@ == $.b]"), asked(json!([2]), "a b", ""));
}
