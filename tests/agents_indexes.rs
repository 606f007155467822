//! The store of agents: every index is walked by a query, and no page is sorted.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;

use bitware_orchestrator::db::agents::{
    Range, agent, chat, logs, orchestrator, prompts, statements, system_logs,
};
use bitware_orchestrator::db::{Param, Statement};
use engine::time::Timestamp;
use sqlite::Sqlite;

const ACCOUNT: &str = "default";

fn range(limit: u32) -> Range {
    Range { limit, ..Range::default() }
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// For each list, a query along each of its indexes.
fn along_indexes() -> Vec<(&'static str, Statement)> {
    let all = range(50);
    let agents = |filter: agent::Filter| agent::page_statement(ACCOUNT, &filter, &all).unwrap();
    let logs = |f: logs::Filter| logs::RECORDS.page_statement(ACCOUNT, &f, &all, None).unwrap();
    let prompts =
        |f: prompts::Filter| prompts::RECORDS.page_statement(ACCOUNT, &f, &all, None).unwrap();
    let system = |f: system_logs::Filter| {
        system_logs::RECORDS.page_statement(ACCOUNT, &f, &all, None).unwrap()
    };
    let chat = |f: chat::Filter| chat::RECORDS.page_statement(ACCOUNT, &f, &all, None).unwrap();
    let x = || text("x");
    vec![
        ("agents_by_time", agents(agent::Filter::default())),
        ("agents_live", agents(agent::Filter { archived: Some(false), ..Default::default() })),
        ("agents_by_status", agents(agent::Filter { status: x(), ..Default::default() })),
        ("agents_by_model", agents(agent::Filter { model: x(), ..Default::default() })),
        ("agents_by_session", agents(agent::Filter { session_id: x(), ..Default::default() })),
        ("agents_by_adw", agents(agent::Filter { adw_id: x(), ..Default::default() })),
        ("agents_by_worktree", agents(agent::Filter { git_worktree: x(), ..Default::default() })),
        ("orchestrator_agents_by_time", orchestrator::page_statement(ACCOUNT, &all).unwrap()),
        ("prompts_by_time", prompts(prompts::Filter::default())),
        ("prompts_by_agent", prompts(prompts::Filter { agent_id: x(), ..Default::default() })),
        ("prompts_by_author", prompts(prompts::Filter { author: x(), ..Default::default() })),
        ("prompts_by_task", prompts(prompts::Filter { task_slug: x(), ..Default::default() })),
        ("prompts_by_session", prompts(prompts::Filter { session_id: x(), ..Default::default() })),
        ("agent_logs_by_time", logs(logs::Filter::default())),
        ("agent_logs_by_agent", logs(logs::Filter { agent_id: x(), ..Default::default() })),
        ("agent_logs_by_session", logs(logs::Filter { session_id: x(), ..Default::default() })),
        ("agent_logs_by_task", logs(logs::Filter { task_slug: x(), ..Default::default() })),
        ("agent_logs_by_adw", logs(logs::Filter { adw_id: x(), ..Default::default() })),
        ("agent_logs_by_type", logs(logs::Filter { event_type: x(), ..Default::default() })),
        (
            "agent_logs_by_category",
            logs(logs::Filter { event_category: x(), ..Default::default() }),
        ),
        ("system_logs_by_time", system(system_logs::Filter::default())),
        ("system_logs_by_level", system(system_logs::Filter { level: x(), ..Default::default() })),
        (
            "system_logs_by_file",
            system(system_logs::Filter { file_path: x(), ..Default::default() }),
        ),
        ("system_logs_by_adw", system(system_logs::Filter { adw_id: x(), ..Default::default() })),
        ("orchestrator_chat_by_time", chat(chat::Filter::default())),
        ("orchestrator_chat_by_agent", chat(chat::Filter { agent_id: x(), ..Default::default() })),
        (
            "orchestrator_chat_by_sender",
            chat(chat::Filter { sender_type: x(), ..Default::default() }),
        ),
        (
            "orchestrator_chat_by_receiver",
            chat(chat::Filter { receiver_type: x(), ..Default::default() }),
        ),
    ]
}

#[test]
fn every_index_of_the_family_is_walked_by_a_query() {
    let db = Sqlite::new();
    for (index, statement) in along_indexes() {
        let plan = db.query_plan(&statement);
        assert!(plan.contains(&format!("INDEX {index} ")), "{index}: {plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{index}: {plan}");
    }
    let family = "('agents', 'orchestrator_agents', 'prompts', 'agent_logs', 'system_logs',
        'orchestrator_chat', 'agent_usage')";
    let indexes = db.lines(&format!(
        "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name IN {family}
           AND sql IS NOT NULL"
    ));
    assert!(indexes.len() >= 36, "{}", indexes.len());
    let statements = statements();
    for index in indexes {
        let by = statements.iter().find(|sql| {
            let params = (1..=20).map(|_| Param::Text("1".to_owned())).collect::<Vec<_>>();
            let count = (1..=20).rev().find(|n| sql.text.contains(&format!("?{n}"))).unwrap_or(0);
            let statement = Statement { sql: **sql, params: params[..count].to_vec() };
            db.query_plan(&statement).contains(&format!("INDEX {index} "))
        });
        assert!(by.is_some(), "no statement walks {index}");
    }
}

#[test]
fn a_search_walks_the_words_from_the_newest() {
    let db = Sqlite::new();
    let at = Timestamp::from_millis(0);
    let range = Range { from: Some(at), ..range(10) };
    let filter = logs::Filter::default();
    let statement =
        logs::RECORDS.page_statement(ACCOUNT, &filter, &range, Some("feed fails")).unwrap();
    let plan = db.query_plan(&statement);
    assert!(plan.contains("agent_logs_text VIRTUAL TABLE INDEX"), "{plan}");
    assert!(plan.contains("INTEGER PRIMARY KEY"), "{plan}");
    assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    assert!(logs::RECORDS.page_statement(ACCOUNT, &filter, &range, Some(" - ")).is_none());
}
