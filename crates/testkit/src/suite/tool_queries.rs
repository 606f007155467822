//! What tools are found by, how lists are paged, upkeep and figures.

use reqwest::Method;
use serde_json::json;

use super::expect::{brief, demand, list, same, status};
use super::tool_registry::{NOBODY, ids, node, read, remove, tool};
use super::{Outcome, Phase, Subject, cases};

pub fn phase() -> Phase {
    Phase {
        title: "Tool queries and upkeep",
        cases: cases![
            "a tag comes once, and goes once" => tags,
            "tools are found by what their schemas name" => property_search,
            "pages lose nothing and repeat nothing while tools are added" => pages,
            "tools follow their nodes, and nobody's own decision is undone" => follow_nodes,
            "figures count what is there" => figures,
        ],
    }
}

async fn tags(it: &Subject) -> Outcome {
    let id = tool(it, "tagged", &json!({})).await?;
    let tag = format!("Tag {}", it.token());
    let path = format!("/tools/{id}/tags/{}", tag.replace(' ', "%20"));
    let ask = |method, path: &str| it.ask(method, path).by_worker().send();
    same("the first time", ask(Method::POST, &path).await?.status, 201)?;
    let again = ask(
        Method::POST,
        &path.to_uppercase().replace("/TOOLS/", "/tools/").replace("/TAGS/", "/tags/"),
    )
    .await?;
    same("the second time", again.status, 200)?;
    same("the tags", &again.body["tags"], &json!([tag]))?;
    let search = format!("/tools/tags/{}", it.token().to_uppercase());
    same("found", ids(&read(it, &search).await?, "tool_id")?, vec![id.clone()])?;
    same("taken off", ask(Method::DELETE, &path).await?.status, 204)?;
    same("taken off again", ask(Method::DELETE, &path).await?.status, 404)?;
    let nobody = format!("/tools/{NOBODY}/tags/x");
    same("nobody's", ask(Method::POST, &nobody).await?.status, 404)?;
    let long = format!("/tools/{id}/tags/{}", "x".repeat(51));
    same("too long", ask(Method::POST, &long).await?.status, 422)?;
    remove(it, &[format!("/tools/{id}")]).await
}

async fn property_search(it: &Subject) -> Outcome {
    let (taken, given) = (format!("in_{}", it.token()), format!("out_{}", it.token()));
    let nested = json!({"properties": {(&taken): {"properties": {"deep": {}}}}});
    let both = json!({"input_schema": nested, "output_schema": {"properties": {(&given): {}}}});
    let first = tool(it, "searched", &both).await?;
    let second = tool(it, "searched too", &json!({"input_schema": nested})).await?;
    for (query, found) in [
        (format!("input_property={taken}"), vec![&first, &second]),
        (format!("input_property={taken}.deep"), vec![&first, &second]),
        (format!("output_property={given}"), vec![&first]),
        (format!("input_property={taken}&output_property={given}"), vec![&first]),
        ("input_property=deep".to_owned(), vec![]),
        (format!("input_property={given}"), vec![]),
    ] {
        let reply = read(it, &format!("/queries/search-tools-by-schema/?{query}")).await?;
        same(&query, ids(&reply, "tool_id")?.iter().collect::<Vec<_>>(), found)?;
    }
    remove(it, &[format!("/tools/{first}"), format!("/tools/{second}")]).await
}

async fn pages(it: &Subject) -> Outcome {
    let tag = format!("page{}", it.token());
    let add = async |n: usize| -> Result<String, String> {
        let id = tool(it, &format!("page {n}"), &json!({})).await?;
        let path = format!("/tools/{id}/tags/{tag}");
        status(&it.ask(Method::POST, &path).by_worker().send().await?, 201)?;
        Ok(id)
    };
    let mut made = Vec::new();
    for n in 0..7 {
        made.push(add(n).await?);
    }
    let (mut seen, mut path) = (Vec::new(), Some(format!("/tools/tags/{tag}?limit=3")));
    while let Some(page) = path {
        let reply = read(it, &page).await?;
        status(&reply, 200)?;
        seen.extend(ids(&reply, "tool_id")?);
        let link = reply.header("link").and_then(|link| link.strip_prefix('<'));
        path =
            link.and_then(|link| link.split_once(">; rel=\"next\"")).map(|(to, _)| to.to_owned());
        if path.is_some() && made.len() < 10 {
            made.push(add(made.len()).await?);
        }
    }
    same("what was read", &seen, &made)?;
    let skipped = read(it, &format!("/tools/tags/{tag}?skip=8&limit=10")).await?;
    same("what skip leaves", ids(&skipped, "tool_id")?, made[8..].to_vec())?;
    let paths: Vec<String> = made.iter().map(|id| format!("/tools/{id}")).collect();
    remove(it, &paths).await
}

async fn follow_nodes(it: &Subject) -> Outcome {
    let node = node(it, "ACTIVE").await?;
    let followed = tool(it, "follows", &json!({"target_node_id": node})).await?;
    let own = json!({"target_node_id": node, "status": "DISABLED"});
    let own = tool(it, "rests", &own).await?;
    let set = async |state: &str| {
        let path = format!("/nodes/{node}");
        let ask = it.ask(Method::PUT, &path).by_worker().json(&json!({ "status": state }));
        status(&ask.send().await?, 200)?;
        let ask = it.ask(Method::POST, "/maintenance/update-tool-status/").by_worker();
        let reply = ask.send().await?;
        status(&reply, 200)?;
        let states = [&followed, &own].map(|id| format!("/tools/{id}"));
        let [one, two] = states;
        let (one, two) = (read(it, &one).await?, read(it, &two).await?);
        Ok::<_, String>([one.text("/status").to_owned(), two.text("/status").to_owned()])
    };
    same("on a node in error", set("ERROR").await?, ["DISABLED", "DISABLED"].map(str::to_owned))?;
    same("when it is back", set("ACTIVE").await?, ["ENABLED", "DISABLED"].map(str::to_owned))?;
    let paths = [format!("/tools/{followed}"), format!("/tools/{own}"), format!("/nodes/{node}")];
    remove(it, &paths).await
}

async fn figures(it: &Subject) -> Outcome {
    let count = async |field: &str| -> Result<u64, String> {
        let reply = read(it, "/stats/summary").await?;
        status(&reply, 200)?;
        reply.body[field].as_u64().ok_or_else(|| format!("{field} is no number"))
    };
    let node = node(it, "ACTIVE").await?;
    let id = tool(it, "counted", &json!({"target_node_id": node})).await?;
    for field in ["total_nodes", "active_nodes", "total_tools", "enabled_tools", "callable_tools"] {
        demand!(count(field).await? > 0, "{field} is 0");
    }
    let used = read(it, "/monitoring/tool-usage-statistics?limit=1000").await?;
    let row = list(&used, "")?.iter().find(|row| row["tool_id"] == id.as_str());
    same("its artifacts", row.map(|row| &row["artifact_count"]), Some(&json!(0)))?;
    let integrity = read(it, "/monitoring/data-integrity").await?;
    let errors = list(&integrity, "/checks")?.iter().filter(|check| check["severity"] == "error");
    demand!(errors.clone().count() > 0, "no check for errors");
    demand!(errors.into_iter().all(|check| check["count"] == 0), "{}", brief(&integrity.body));
    status(&read(it, "/monitoring/storage-usage-by-category").await?, 200)?;
    remove(it, &[format!("/tools/{id}"), format!("/nodes/{node}")]).await
}
