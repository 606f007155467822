//! What tools are found by: tags, and what their schemas name; and by which index.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;
mod tool_rows;

use bitware_orchestrator::db::tool_search::{self, Properties, Tagging};
use bitware_orchestrator::db::{Database, Paging, Statement, artifacts, tools};
use serde_json::{Value, json};
use sqlite::{Sqlite, wait};
use tool_rows::{FIRST, add_tool, id, logged, names, with_accounts};

#[test]
fn tools_are_found_by_a_part_of_a_tag_in_any_case() {
    let db = with_accounts();
    for (n, name, tags) in
        [(10, "a", &["nlp", "Text-Mining"][..]), (11, "b", &["mining"]), (12, "c", &[])]
    {
        add_tool(&db, n, "default", name);
        for tag in tags {
            wait(tool_search::tag(&db, "default", &id(n), tag, logged(700))).unwrap();
        }
    }
    add_tool(&db, 13, "acme", "theirs");
    wait(tool_search::tag(&db, "acme", &id(13), "mining", logged(701))).unwrap();
    let found = |text: &str, paging| {
        names(wait(tool_search::by_tag(&db, "default", text, paging)).unwrap())
    };
    assert_eq!(found("MINING", FIRST), ["a", "b"]);
    assert_eq!(found("nlp", FIRST), ["a"]);
    assert_eq!(found("100%", FIRST), Vec::<String>::new());
    assert_eq!(found("mining", Paging { skip: 1, ..FIRST }), ["b"]);
}

#[test]
fn a_tag_is_the_same_in_any_case_and_its_number_has_an_end() {
    let db = with_accounts();
    add_tool(&db, 10, "default", "a");
    let tag = |account: &str, name: &str| {
        wait(tool_search::tag(&db, account, &id(10), name, logged(600))).unwrap()
    };
    let was = |tagging| match tagging {
        Tagging::Tagged { before, tool } => (before, tool.tags),
        other => panic!("{other:?}"),
    };
    assert_eq!(was(tag("default", "NLP")), (false, vec!["NLP".to_owned()]));
    assert_eq!(was(tag("default", "nlp")), (true, vec!["NLP".to_owned()]));
    assert_eq!(tag("acme", "nlp"), Tagging::Absent);
    for n in 1..tool_search::TAGS_MAX {
        assert!(!was(tag("default", &format!("t{n}"))).0);
    }
    assert_eq!(tag("default", "one more"), Tagging::Full);
    assert!(was(tag("default", "T1")).0, "what is there already may come again");
    let untag = |account: &str, name: &str| {
        wait(tool_search::untag(&db, account, &id(10), name, logged(601))).unwrap()
    };
    assert!(!untag("acme", "NLP"));
    assert!(untag("default", "Nlp"));
    assert!(!untag("default", "nlp"));
}

/// Few taggings are looked for from the tags, many from the tools; both find the same.
#[test]
fn rare_and_common_tags_find_the_same_tools_in_the_same_order() {
    let db = with_accounts();
    db.shell(
        "INSERT INTO tools (tool_id, account_id, name, category)
         WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 300)
         SELECT format('00000000-0000-7000-8000-%012d', 997 * n % 1000), 'default', 't' || n,
           'ANALYSIS' FROM n;
         INSERT INTO tool_tags (account_id, tag_name, tool_id)
         SELECT account_id, 'Group ' || (seq % 7), tool_id FROM tools
         UNION ALL SELECT account_id, 'group own ' || seq, tool_id FROM tools WHERE seq % 3 = 0",
    );
    for (text, after, skip) in [
        ("group", 0_u32, 0_u32),
        ("GROUP 3", 100, 2),
        ("own 1", 0, 3),
        ("none", 0, 0),
        ("p 6", 299, 0),
    ] {
        let ids = |sql: bitware_orchestrator::db::Sql| -> Vec<Value> {
            let statement = sql.with("default").with(after).with(text).with(20_u32).with(skip);
            let rows: Vec<Value> = wait(db.query(statement)).unwrap().decode().unwrap();
            rows.into_iter().map(|row| row["seq"].clone()).collect()
        };
        let (rare, common) = (ids(tool_search::BY_RARE_TAG), ids(tool_search::BY_COMMON_TAG));
        assert_eq!(rare, common, "{text}");
        assert_eq!(rare.is_empty(), text == "none", "{text}: {rare:?}");
    }
}

#[test]
fn names_of_tags_are_counted_whatever_happens_to_tools() {
    let db = with_accounts();
    let tag = |n: u32, account: &str, name: &str| {
        wait(tool_search::tag(&db, account, &id(n), name, logged(700))).unwrap();
    };
    let counted = || {
        let kept = db.lines("SELECT account_id, tag_name, tools FROM tag_names ORDER BY 1, 2");
        let sql = "SELECT account_id, min(tag_name), count(*) FROM tool_tags
            GROUP BY account_id, tag_name ORDER BY 1, 2";
        assert_eq!(kept, db.lines(sql));
        kept
    };
    for (n, account) in [(10, "default"), (11, "default"), (12, "default"), (13, "acme")] {
        add_tool(&db, n, account, &format!("t{n}"));
        tag(n, account, if n == 11 { "NLP" } else { "nlp" });
    }
    tag(10, "default", "nlp");
    tag(10, "default", "rare");
    assert_eq!(counted(), ["acme|nlp|1", "default|nlp|3", "default|rare|1"]);
    wait(tool_search::untag(&db, "default", &id(11), "Nlp", logged(701))).unwrap();
    wait(tools::remove(&db, "default", &id(10), logged(702))).unwrap();
    assert_eq!(counted(), ["acme|nlp|1", "default|nlp|1"]);
    db.shell("DELETE FROM accounts WHERE id = 'acme'");
    assert_eq!(counted(), ["default|nlp|1"]);
}

fn add_with_schemas(db: &Sqlite, n: u32, input: &Value, output: &Value) {
    let sql = format!(
        "INSERT INTO tools (tool_id, account_id, name, category, input_schema, output_schema)
         VALUES ('{}', 'default', 't{n}', 'ANALYSIS', '{input}', '{output}')",
        id(n)
    );
    db.shell(&sql);
}

fn by(db: &Sqlite, properties: Properties<'_>, paging: Paging) -> Vec<String> {
    names(wait(tool_search::by_properties(db, "default", properties, paging)).unwrap())
}

#[test]
fn tools_are_found_by_what_their_schemas_name_at_any_depth() {
    let db = with_accounts();
    let rich = json!({
        "type": "object",
        "properties": {
            "url": true,
            "author": {"type": "object", "properties": {"name": {"type": "string"}}},
            "rows": {"type": "array", "items": {"properties": {"cell": {}}}},
            "properties": {"properties": {"odd.name": {}}},
        },
        "allOf": [{"properties": {"shared": {}}}],
        "anyOf": [true, {"oneOf": [{"properties": {"either": {}}}]}],
        "required": ["url"], "description": "properties",
    });
    add_with_schemas(&db, 1, &rich, &json!({"properties": {"score": {}}}));
    add_with_schemas(&db, 2, &json!({"properties": {"url": {}}}), &json!({}));
    add_with_schemas(&db, 3, &json!({"properties": "odd", "items": [1], "allOf": 7}), &rich);
    for name in ["author", "author.name", "rows.cell", "properties.odd.name", "shared", "either"] {
        assert_eq!(by(&db, Properties::Input(name), FIRST), ["t1"], "{name}");
        assert_eq!(by(&db, Properties::Output(name), FIRST), ["t3"], "{name}");
    }
    assert_eq!(by(&db, Properties::Input("url"), FIRST), ["t1", "t2"]);
    assert_eq!(by(&db, Properties::Both { input: "url", output: "score" }, FIRST), ["t1"]);
    assert_eq!(by(&db, Properties::Input("name"), FIRST), Vec::<String>::new());
    db.shell("UPDATE tools SET input_schema = '{\"properties\":{\"uri\":{}}}' WHERE name = 't2'");
    assert_eq!(by(&db, Properties::Input("url"), FIRST), ["t1"]);
    assert_eq!(by(&db, Properties::Input("uri"), FIRST), ["t2"]);
}

#[test]
fn two_lists_of_properties_are_walked_together() {
    let db = with_accounts();
    db.shell(
        "INSERT INTO tools (tool_id, account_id, name, category, input_schema, output_schema)
         WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2000)
         SELECT format('00000000-0000-7000-8000-%012d', n), 'default', 't' || n, 'ANALYSIS',
           json_object('properties', json_object('in' || (n % 3), json('{}'))),
           json_object('properties', json_object('out' || (n % 100), json('{}'))) FROM n",
    );
    let expected: Vec<String> =
        (1..=2000).filter(|n| n % 3 == 1 && n % 100 == 7).map(|n| format!("t{n}")).collect();
    let both = Properties::Both { input: "in1", output: "out7" };
    assert_eq!(by(&db, both, FIRST), expected);
    assert_eq!(by(&db, both, Paging { after: 900, skip: 1, limit: 2 }), expected[4..6]);
    let none = Properties::Both { input: "in1", output: "nothing" };
    assert_eq!(by(&db, none, FIRST), Vec::<String>::new());
}

#[test]
fn searches_and_pages_go_by_an_index() {
    let db = with_accounts();
    let plan = |statement: Statement| db.query_plan(&statement);
    for properties in [
        Properties::Input("url"),
        Properties::Output("url"),
        Properties::Both { input: "url", output: "score" },
    ] {
        let statement = tool_search::by_properties_statement("default", properties, FIRST);
        let plan = plan(statement);
        assert!(plan.contains("SEARCH p USING PRIMARY KEY"), "{plan}");
        assert!(plan.contains("SEARCH t USING INTEGER PRIMARY KEY (rowid=?)"), "{plan}");
        assert!(!plan.contains("SCAN t") && !plan.contains("SCAN p"), "{plan}");
    }
    let page = |sql: bitware_orchestrator::db::Sql| sql.with("default").with(0_u64);
    for (statement, index) in [
        (page(tools::PAGE).with(None::<&str>).with(9_u32).with(0_u32), "tools_by_account"),
        (
            page(tools::PAGE_OF_STATUS).with("ENABLED").with(9_u32).with(0_u32),
            "tools_by_status (account_id=? AND status=? AND seq>?)",
        ),
        (
            page(tools::PAGE_OF_CATEGORY).with("STORAGE").with(9_u32).with(0_u32),
            "tools_by_category",
        ),
        (
            page(tool_search::BY_RARE_TAG).with("x").with(9_u32).with(0_u32),
            "g USING PRIMARY KEY (account_id=? AND tag_name=?)",
        ),
        (
            page(tool_search::BY_RARE_TAG).with("x").with(9_u32).with(0_u32),
            "n USING PRIMARY KEY (account_id=?)",
        ),
        (
            page(tool_search::BY_COMMON_TAG).with("x").with(9_u32).with(0_u32),
            "tool_tags_by_tool (account_id=? AND tool_id=?)",
        ),
        (page(artifacts::PAGE).with(9_u32).with(0_u32), "artifacts_by_account"),
        (page(artifacts::PAGE_OF_TOOL).with(9_u32).with(0_u32).with("t"), "artifacts_by_tool"),
        (
            artifacts::LARGE
                .with("default")
                .with(5_u32)
                .with(9_u32)
                .with(9_u32)
                .with(9_u32)
                .with(0_u32),
            "artifacts_by_size",
        ),
    ] {
        let plan = plan(statement);
        assert!(plan.contains(index), "{index}: {plan}");
    }
}
