//! Lists of jobs, and what is refused of them.

use reqwest::Method;
use serde_json::json;

use super::expect::{KEY_REQUIRED, QUERY_INVALID, REQUEST_INVALID, demand, fault, list, same};
use super::expect::{status, texts, violation};
use super::jobs::{NOT_FOUND, PATH, made, make, read, set, title};
use super::subject::BASIC;
use super::{Outcome, Phase, Subject, cases};

const NOBODY: &str = "0193a1c2-0000-7000-8000-00000000ffff";

pub fn phase() -> Phase {
    Phase {
        title: "Jobs in lists",
        cases: cases![
            "a job that does not fit is refused with its place" => garbage,
            "jobs are found by status, priority, text and time" => found,
            "jobs come in pages in every order" => pages,
        ],
    }
}

async fn garbage(it: &Subject) -> Outcome {
    for (body, pointer) in [
        (json!({}), "/title"),
        (json!({ "title": "   " }), "/title"),
        (json!({ "title": "x".repeat(201) }), "/title"),
        (json!({ "title": "a", "name": "b" }), "/name"),
        (json!({ "title": "a", "priority": "soon" }), "/priority"),
        (json!({ "title": "a", "metadata": [] }), "/metadata"),
        (json!({ "title": "a", "metadata": { "x": "x".repeat(66_000) } }), "/metadata"),
        (json!({ "title": "a", "input": {} }), "/input"),
        (json!({ "title": "a", "budget_limit": 1 }), "/budget_limit"),
        (json!({ "title": "a", "status": "completed" }), "/status"),
        (json!({ "title": "a", "pipeline_template": BASIC, "max_articles": 0 }), "/max_articles"),
    ] {
        let reply = make(it, &body).await?;
        fault(&reply, REQUEST_INVALID)?;
        let places = texts(list(&reply, "/violations")?, "pointer");
        demand!(places.contains(&pointer), "{pointer}: {}", reply.body);
    }
    violation(&make(it, &json!({})).await?, "/title", "required")?;
    let id = made(it, &json!({ "title": title(it, "garbage") })).await?;
    fault(&set(it, &id, "done").await?, REQUEST_INVALID)?;
    for (change, pointer) in [
        (json!({ "title": null }), "/title"),
        (json!({ "status": "running" }), "/status"),
        (json!({ "priority": 3 }), "/priority"),
    ] {
        let patch = it.ask(Method::PATCH, &format!("{PATH}/{id}")).by_client();
        let reply = patch.json(&change).send().await?;
        fault(&reply, REQUEST_INVALID)?;
        let places = texts(list(&reply, "/violations")?, "pointer");
        demand!(places.contains(&pointer), "{pointer}: {}", reply.body);
    }
    for query in ["status=done", "priority=1", "sort=title", "limit=0", "cursor=x", "skip=1"] {
        fault(&read(it, &format!("{PATH}?{query}")).await?, QUERY_INVALID)?;
    }
    for path in [NOBODY, "soon"] {
        fault(&read(it, &format!("{PATH}/{path}")).await?, NOT_FOUND)?;
        fault(&set(it, path, "running").await?, NOT_FOUND)?;
    }
    fault(&it.get(PATH).send().await?, KEY_REQUIRED)
}

async fn found(it: &Subject) -> Outcome {
    let word = format!("needle{}", it.token());
    let mut ids = Vec::new();
    for (n, priority) in ["low", "high", "critical"].into_iter().enumerate() {
        let body = json!({ "title": format!("{n}"), "description": word, "priority": priority });
        ids.push(made(it, &body).await?);
    }
    status(&set(it, &ids[1], "running").await?, 200)?;
    let from = read(it, &format!("{PATH}/{}", ids[2])).await?.text("/created_at").to_owned();
    for (query, expected) in [
        (String::new(), vec![2, 1, 0]),
        ("&status=running".to_owned(), vec![1]),
        ("&status=pending".to_owned(), vec![2, 0]),
        ("&priority=critical".to_owned(), vec![2]),
        ("&status=pending&priority=high".to_owned(), vec![]),
        (format!("&created_from={from}"), vec![2]),
        ("&created_to=1999-01-01T00:00:00Z".to_owned(), vec![]),
        ("&sort=-priority".to_owned(), vec![2, 1, 0]),
        ("&sort=priority".to_owned(), vec![0, 1, 2]),
        ("&sort=-updated_at".to_owned(), vec![1, 2, 0]),
    ] {
        let path = format!("{PATH}?search={}{query}&total=true", word.to_uppercase());
        let reply = read(it, &path).await?;
        let expected: Vec<&str> = expected.into_iter().map(|n: usize| ids[n].as_str()).collect();
        same("total", reply.body["total"].as_u64(), Some(expected.len() as u64))?;
        same(&path, texts(list(&reply, "/jobs")?, "id"), expected)?;
    }
    Ok(())
}

async fn pages(it: &Subject) -> Outcome {
    let word = format!("page{}", it.token());
    let mut ids = Vec::new();
    for n in 0..5 {
        let priority = ["low", "critical"][n % 2];
        ids.push(made(it, &json!({ "title": format!("{word} {n}"), "priority": priority })).await?);
    }
    ids.sort();
    for sort in ["-created_at", "created_at", "-updated_at", "updated_at", "-priority", "priority"]
    {
        let mut found = Vec::new();
        let mut cursor = String::new();
        for _ in 0..4 {
            let path = format!("{PATH}?search={word}&limit=2&sort={sort}{cursor}");
            let page = read(it, &path).await?;
            let jobs = list(&page, "/jobs")?;
            found.extend(texts(jobs, "id").into_iter().map(str::to_owned));
            match page.body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        found.sort();
        same(sort, found, ids.clone())?;
    }
    Ok(())
}
