//! The history: pages that meet every row once, filters, and the indexes that they walk.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;

use bitware_orchestrator::db::history::{
    Cursor, Filter, LOOKED_AT_MAX, PAGE_MAX, far_statement, page, page_statement, total,
    total_statement,
};
use engine::time::Timestamp;
use sqlite::{Sqlite, wait};

/// Three hundred executions of two accounts, ten at a time at the same moment.
fn filled() -> Sqlite {
    let db = Sqlite::new();
    db.shell(
        "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 299)
        INSERT INTO pipeline_executions (
          pipeline_id, account_id, template_name, topic, status, execution_strategy,
          total_cost_micro_usd, created_at)
        SELECT 'pipe_' || n, iif(n % 3 = 0, 'acme', 'default'), 'template_' || (n % 4),
          'Topic ' || n, iif(n % 10 = 0, 'failed', 'completed'),
          iif(n % 2 = 0, 'balanced', 'cost_optimized'), n * 1000,
          strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000 + n / 10, 'unixepoch')
        FROM n",
    );
    db
}

fn walk(db: &Sqlite, account: &str, filter: &Filter, limit: u32) -> Vec<String> {
    walk_looking_at(db, account, filter, limit, LOOKED_AT_MAX)
}

fn walk_looking_at(
    db: &Sqlite,
    account: &str,
    filter: &Filter,
    limit: u32,
    looked_at_max: u32,
) -> Vec<String> {
    let mut found = Vec::new();
    let mut after: Option<Cursor> = None;
    for _ in 0..1000 {
        let page = wait(page(db, account, filter, after.as_ref(), limit, looked_at_max)).unwrap();
        assert!(page.rows.len() <= limit as usize);
        found.extend(page.rows.iter().map(|row| row.pipeline_id.clone()));
        match page.next {
            Some(next) => after = Some(next),
            None => return found,
        }
    }
    panic!("the pages never end");
}

fn expected(db: &Sqlite, condition: &str) -> Vec<String> {
    db.lines(&format!(
        "SELECT pipeline_id FROM pipeline_executions WHERE {condition}
         ORDER BY created_at DESC, id DESC"
    ))
}

#[test]
fn pages_meet_every_row_of_the_account_once_newest_first() {
    let db = filled();
    for limit in [1, 7, 50, 100, 200] {
        assert_eq!(
            walk(&db, "default", &Filter::default(), limit),
            expected(&db, "account_id = 'default'"),
            "{limit} a page"
        );
    }
    assert_eq!(walk(&db, "acme", &Filter::default(), 50).len(), 100);
    assert_eq!(walk(&db, "nobody", &Filter::default(), 50), Vec::<String>::new());
}

#[test]
fn rows_that_come_while_pages_are_read_are_met_by_the_next_reader() {
    let db = filled();
    let first = wait(page(&db, "default", &Filter::default(), None, 20, LOOKED_AT_MAX)).unwrap();
    db.shell(
        "INSERT INTO pipeline_executions (
           pipeline_id, account_id, template_name, status, created_at)
         VALUES ('pipe_new', 'default', 't', 'running', '2030-01-01T00:00:00.000Z')",
    );
    let second =
        wait(page(&db, "default", &Filter::default(), first.next.as_ref(), 20, LOOKED_AT_MAX))
            .unwrap();
    let together: Vec<&str> =
        first.rows.iter().chain(&second.rows).map(|row| row.pipeline_id.as_str()).collect();
    let whole = expected(&db, "account_id = 'default' AND pipeline_id <> 'pipe_new'");
    assert_eq!(together, whole[..40]);
}

#[test]
fn each_filter_leaves_what_it_says() {
    let db = filled();
    let at = |second: i64| Some(Timestamp::from_millis((1_700_000_000 + second) * 1000));
    let of = |text: &str| Some(text.to_owned());
    let none = Filter::default;
    for (filter, condition) in [
        (Filter { status: of("failed"), ..none() }, "status = 'failed'"),
        (Filter { status: of("completed"), ..none() }, "status = 'completed'"),
        (Filter { status: of("running"), ..none() }, "false"),
        (Filter { template_name: of("template_2"), ..none() }, "template_name = 'template_2'"),
        (
            Filter { template_name: of("template_2"), status: of("completed"), ..none() },
            "template_name = 'template_2' AND status = 'completed'",
        ),
        (
            Filter { template_name: of("template_2"), status: of("failed"), ..none() },
            "template_name = 'template_2' AND status = 'failed'",
        ),
        (
            Filter { execution_strategy: of("cost_optimized"), ..none() },
            "execution_strategy = 'cost_optimized'",
        ),
        (Filter { topic_contains: of("TOPIC 29"), ..none() }, "topic LIKE '%topic 29%'"),
        (Filter { topic_contains: of("%"), ..none() }, "false"),
        (
            Filter { created_from: at(5), created_to: at(9), ..none() },
            "created_at BETWEEN '2023-11-14T22:13:25.000Z' AND '2023-11-14T22:13:29.000Z'",
        ),
        (
            Filter { cost_micro_usd_min: Some(10_000), cost_micro_usd_max: Some(20_000), ..none() },
            "total_cost_micro_usd BETWEEN 10000 AND 20000",
        ),
    ] {
        let expected = expected(&db, &format!("account_id = 'default' AND {condition}"));
        assert_eq!(walk(&db, "default", &filter, 9), expected, "{filter:?}");
        for few in [1, 4, 10, 25] {
            let found = walk_looking_at(&db, "default", &filter, 9, few);
            assert_eq!(found, expected, "{filter:?}, looking at {few}");
        }
        let counted = wait(total(&db, "default", &filter)).unwrap();
        assert_eq!(counted, expected.len() as u64, "{filter:?}");
    }
}

#[test]
fn a_limit_is_held_to_what_a_page_may_have() {
    let db = filled();
    let rows = |limit| {
        wait(page(&db, "default", &Filter::default(), None, limit, LOOKED_AT_MAX))
            .unwrap()
            .rows
            .len()
    };
    assert_eq!((rows(0), rows(u32::MAX)), (1, PAGE_MAX as usize));
}

#[test]
fn pages_walk_an_index_in_its_order() {
    let db = filled();
    let cursor = Cursor { created_at: "2023-11-14T22:13:29.000Z".to_owned(), id: 7 };
    let of = |text: &str| Some(text.to_owned());
    for (filter, index) in [
        (Filter::default(), "history (account_id=?"),
        (
            Filter { template_name: of("t"), ..Filter::default() },
            "by_template (account_id=? AND template_name=?",
        ),
        (
            Filter { status: of("failed"), ..Filter::default() },
            "by_status (account_id=? AND status=?",
        ),
    ] {
        for after in [None, Some(&cursor)] {
            let plan = db.query_plan(&page_statement("default", &filter, after, None, 50));
            let walked = format!("pipeline_executions_{index} AND created_at>? AND created_at<?)");
            assert!(plan.contains(&walked), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}

/// What filters pass over is never read: only what a page shows is, and sorted again.
#[test]
fn filters_look_at_one_index_alone() {
    let db = filled();
    let none = Filter::default;
    let of = |text: &str| Some(text.to_owned());
    let cursor = Cursor { created_at: "2023-11-14T22:13:29.000Z".to_owned(), id: 7 };
    let within = "(account_id=? AND created_at>? AND created_at<?)";
    for filter in [
        Filter { status: of("completed"), ..none() },
        Filter { status: of("failed"), template_name: of("t"), ..none() },
        Filter { execution_strategy: of("balanced"), ..none() },
        Filter { topic_contains: of("rivers"), template_name: of("t"), ..none() },
        Filter { cost_micro_usd_min: Some(1), ..none() },
        Filter { cost_micro_usd_max: Some(1), status: of("failed"), ..none() },
    ] {
        for after in [None, Some(&cursor)] {
            let plan = db.query_plan(&page_statement("default", &filter, after, None, 50));
            let looked_at = format!("USING COVERING INDEX pipeline_executions_filters {within}");
            assert!(plan.contains(&looked_at), "{plan}");
            assert!(plan.contains("SEARCH e USING INTEGER PRIMARY KEY (rowid=?)"), "{plan}");
            let far = db.query_plan(&far_statement("default", &filter, after, 50));
            let walked = format!("USING COVERING INDEX pipeline_executions_history {within}");
            assert!(far.contains(&walked), "{far}");
            assert!(!far.contains("TEMP B-TREE"), "{far}");
        }
        let plan = db.query_plan(&total_statement("default", &filter));
        let counted = format!("USING COVERING INDEX pipeline_executions_filters {within}");
        assert!(plan.contains(&counted), "{plan}");
    }
}

#[test]
fn a_page_ends_where_enough_was_looked_at() {
    let db = filled();
    let rare = Filter { topic_contains: Some("topic 1".to_owned()), ..Filter::default() };
    let first = wait(page(&db, "default", &rare, None, 50, 100)).unwrap();
    assert_eq!(first.rows.len(), 33, "of the newest 100 those are about 1…");
    assert!(first.next.is_some(), "it goes on from there");
    let nobody = Filter { topic_contains: Some("nobody".to_owned()), ..Filter::default() };
    let first = wait(page(&db, "default", &nobody, None, 50, 100)).unwrap();
    assert!(first.rows.is_empty() && first.next.is_some());
}
