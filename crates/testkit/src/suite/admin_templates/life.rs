//! What becomes of a template after it was published: its history, its copies, its end.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    CHANGED, EXISTS, IN_USE, INVALID, NOT_FOUND, PAUSE, SEEN_WITHIN_TRIES, create, document, path,
    post, put, read, remove, started, with,
};
use crate::suite::expect::{
    QUERY_INVALID, REQUEST_INVALID, demand, fault, list, number, same, status, template_unknown,
    texts, violation,
};
use crate::suite::{Outcome, Subject};

pub(super) async fn history(it: &Subject) -> Outcome {
    with(it, "history", async |name, made| {
        let first = number(&made, "/revision")?;
        let mut second = document(name, "one");
        second["steps"][1]["is_optional"] = json!(true);
        second["steps"][0]["step_name"] = json!("begin");
        second["steps"][1]["depends_on_steps"] = json!(["begin"]);
        second["failure_tolerance"] = json!("partial");
        status(&put(it, name, &second).send().await?, 200)?;
        let pages = read(it, &path(name, "/revisions?limit=1")).await?;
        let newest = &list(&pages, "/revisions")?[0];
        same("the newest", newest["revision"].as_f64(), Some(first + 1.0))?;
        same("who", newest["published"]["actor"].as_str(), Some("testkit"))?;
        same("how", newest["published"]["change"].as_str(), Some("template.replaced"))?;
        let cursor = number(&pages, "/next_cursor")?;
        let older = read(it, &path(name, &format!("/revisions?limit=9&cursor={cursor}"))).await?;
        same("the older", list(&older, "/revisions")?.len(), first as usize)?;
        let (from, to) = (first, first + 1.0);
        let diff = read(it, &path(name, &format!("/diff?from={from}&to={to}"))).await?;
        status(&diff, 200)?;
        same("added", &diff.body["steps"]["added"], &json!(["begin"]))?;
        same("removed", &diff.body["steps"]["removed"], &json!(["first"]))?;
        let changed = json!([{ "name": "second", "changes": [
            { "pointer": "/depends_on_steps/0", "before": "first", "after": "begin" },
            { "pointer": "/is_optional", "before": false, "after": true },
        ] }]);
        same("changed", &diff.body["steps"]["changed"], &changed)?;
        same("attributes", list(&diff, "/attributes")?.len(), 1)?;
        let none = read(it, &path(name, &format!("/diff?from={to}&to={to}"))).await?;
        same("identical", &none.body["identical"], &json!(true))?;
        let held = read(it, &path(name, &format!("/revisions/{from}"))).await?;
        same("steps", list(&held, "/template/steps")?.len(), 2)?;
        fault(&read(it, &path(name, "/revisions/999")).await?, NOT_FOUND)?;
        fault(&read(it, &path(name, "/revisions/x")).await?, NOT_FOUND)?;
        fault(&read(it, &path(name, "/diff?from=1")).await?, QUERY_INVALID)?;
        let logged = format!("/admin/audit-log?subject_type=template&subject={name}");
        let logged = read(it, &logged).await?;
        same("entries", list(&logged, "/entries")?.len(), 2)
    })
    .await
}

pub(super) async fn rolled_back(it: &Subject) -> Outcome {
    with(it, "rolled_back", async |name, made| {
        let first = number(&made, "/revision")?;
        status(&put(it, name, &document(name, "two")).send().await?, 200)?;
        let back = post(it, &path(name, "/rollback"), &json!({ "revision": first as u64 })).await?;
        status(&back, 200)?;
        same("the number", number(&back, "/revision")?, first + 2.0)?;
        same("the content", &back.body["content_hash"], &made.body["content_hash"])?;
        same("the document", &back.body["template"], &made.body["template"])?;
        let result = started(it, name, first + 2.0).await?;
        let steps = &result.body["pipeline"]["worker_results"];
        same("what it does", &steps[0]["data"], &json!({ "first": "one" }))?;
        fault(&post(it, &path(name, "/rollback"), &json!({ "revision": 99 })).await?, NOT_FOUND)?;
        let bad = post(it, &path(name, "/rollback"), &json!({ "revision": 0, "to": 1 })).await?;
        fault(&bad, REQUEST_INVALID)?;
        violation(&bad, "/to", "unknown_field")
    })
    .await
}

pub(super) async fn cloned(it: &Subject) -> Outcome {
    with(it, "cloned", async |name, made| {
        let copy = format!("{name}_copy");
        let reply = post(it, &path(name, "/clone"), &json!({ "name": copy })).await?;
        let again = post(it, &path(name, "/clone"), &json!({ "name": copy })).await?;
        status(&remove(it, &copy).await?, 204)?;
        status(&reply, 201)?;
        same("the steps", &reply.body["template"]["steps"], &made.body["template"]["steps"])?;
        same("the name", reply.text("/template/name"), copy.as_str())?;
        fault(&again, EXISTS)?;
        let odd = post(it, &path(name, "/clone"), &json!({ "name": "1 bad" })).await?;
        fault(&odd, REQUEST_INVALID)
    })
    .await
}

pub(super) async fn inactive(it: &Subject) -> Outcome {
    with(it, "inactive", async |name, made| {
        let off = post(it, &path(name, "/deactivate"), &Value::Null).await?;
        status(&off, 200)?;
        same("active", &off.body["template"]["is_active"], &json!(false))?;
        same("the revision", &off.body["revision"], &made.body["revision"])?;
        let mut refused = false;
        for _ in 0..SEEN_WITHIN_TRIES {
            let reply = it.start(&json!({ "pipeline_template": name })).await?;
            refused = reply.status == 404;
            if refused {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        demand!(refused, "{name} is still started");
        fault(&post(it, &path(name, "/default"), &Value::Null).await?, INVALID)?;
        let on = post(it, &path(name, "/activate"), &Value::Null).await?;
        same("active", &on.body["template"]["is_active"], &json!(true))?;
        started(it, name, number(&made, "/revision")?).await.map(|_| ())
    })
    .await
}

pub(super) async fn the_default(it: &Subject) -> Outcome {
    let listed = read(it, "/admin/templates?limit=200").await?;
    let found = list(&listed, "/templates")?.iter().find(|entry| entry["is_default"] == true);
    let name = found.and_then(|entry| entry["name"].as_str()).ok_or("there is no default")?;
    let before = read(it, &path(name, "")).await?;
    fault(&remove(it, name).await?, IN_USE)?;
    fault(&post(it, &path(name, "/deactivate"), &Value::Null).await?, IN_USE)?;
    let again = post(it, &path(name, "/default"), &Value::Null).await?;
    status(&again, 200)?;
    same("it", &read(it, &path(name, "")).await?.body["template"], &before.body["template"])
}

pub(super) async fn in_use(it: &Subject) -> Outcome {
    with(it, "in_use", async |name, _| {
        let outer = format!("{name}_outer");
        let body = json!({ "name": outer, "steps": [{ "step_order": 1, "step_name": "inner",
            "kind": "pipeline", "config": { "template": name } }] });
        create(it, &body).await?;
        let refused = remove(it, name).await?;
        let off = post(it, &path(name, "/deactivate"), &Value::Null).await?;
        let broken = read(it, &path(&outer, "")).await?;
        status(&remove(it, &outer).await?, 204)?;
        fault(&refused, IN_USE)?;
        demand!(refused.text("/detail").contains(&outer), "{}", refused.text("/detail"));
        same("warnings", texts(list(&off, "/warnings")?, "code").len(), 2)?;
        violation(&broken, "/steps/0/config/template", "pipeline.inactive_template")
    })
    .await
}

pub(super) async fn removed(it: &Subject) -> Outcome {
    with(it, "removed", async |name, made| {
        let revision = number(&made, "/revision")?;
        let execution = started(it, name, revision).await?;
        let stale = it.ask(Method::DELETE, &path(name, "")).by_worker();
        fault(&stale.header("if-match", "\"old\"").send().await?, CHANGED)?;
        status(&remove(it, name).await?, 204)?;
        template_unknown(&read(it, &path(name, "")).await?, name)?;
        template_unknown(&remove(it, name).await?, name)?;
        template_unknown(&it.get(&format!("/templates/{name}")).send().await?, name)?;
        status(&read(it, &path(name, &format!("/revisions/{revision}"))).await?, 200)?;
        let history = read(it, &path(name, "/revisions")).await?;
        same("revisions", list(&history, "/revisions")?.len(), 1)?;
        let shown = it.get(execution.text("/pipeline_url")).by_client().send().await?;
        same("the execution", shown.text("/status"), "completed")
    })
    .await
}
