//! Templates as they are shown.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::expect::{demand, list, moment, same, status, template_unknown, texts};
use super::subject::{AFTER_REVIEW, BASIC, REPORT, REVIEW, REVIEWED};
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

pub fn phase() -> Phase {
    Phase {
        title: "Templates",
        cases: cases![
            "a list entry and a page say the same" => list_and_page,
            "research and curation depend on nothing, the rest on them" => dependencies,
            "the reviewed report is the usual one with a wait before its last step" => reviewed,
            "conditions in the object form are shown as objects" => conditions,
            "mappings are shown as they are written" => mappings,
            "every template has unique step names in order" => steps_in_order,
            "a name of any characters is looked up and not found" => odd_names,
            "the revision of an execution is a number from 1" => revision,
        ],
    }
}

async fn page(it: &Subject, name: &str) -> Result<Reply, String> {
    let reply = it.get(&format!("/templates/{name}")).send().await?;
    status(&reply, 200)?;
    Ok(reply)
}

async fn list_and_page(it: &Subject) -> Outcome {
    let listed = it.get("/templates").send().await?;
    status(&listed, 200)?;
    for entry in list(&listed, "/templates")? {
        let name = entry["name"].as_str().unwrap_or_default();
        let page = page(it, name).await?;
        for (field, value) in entry.as_object().into_iter().flatten() {
            same(&format!("{name}: {field}"), &page.body[field], value)?;
        }
        moment(page.text("/updated_at"))?;
        let tolerance = page.text("/failure_tolerance");
        demand!(matches!(tolerance, "strict" | "partial" | "park"), "{name}: {tolerance:?}");
    }
    Ok(())
}

fn step<'r>(page: &'r Reply, name: &str) -> Result<&'r Value, String> {
    let steps = list(page, "/steps")?;
    let found = steps.iter().find(|step| step["step_name"] == name);
    found.ok_or_else(|| format!("{name} is missing from {:?}", texts(steps, "step_name")))
}

async fn dependencies(it: &Subject) -> Outcome {
    let page = page(it, REPORT).await?;
    for (name, expected) in [
        ("topic_research", json!([])),
        ("source_curation", json!([])),
        ("merge_sources", json!(["topic_research", "source_curation"])),
        ("feed_fetching", json!(["merge_sources"])),
        ("content_classification", json!(["feed_fetching"])),
        ("report_generation", json!(["content_classification"])),
    ] {
        same(name, &step(&page, name)?["depends_on_steps"], &expected)?;
    }
    Ok(())
}

async fn reviewed(it: &Subject) -> Outcome {
    let (usual, page) = (page(it, REPORT).await?, page(it, REVIEWED).await?);
    for listed in list(&usual, "/steps")? {
        let name = listed["step_name"].as_str().unwrap_or_default();
        for field in ["kind", "worker_name", "endpoint", "input_mapping", "output_mapping"] {
            same(&format!("{name}: {field}"), &step(&page, name)?[field], &listed[field])?;
        }
    }
    let review = step(&page, REVIEW)?;
    same("kind", review["kind"].as_str(), Some("wait"))?;
    same("approval", review["config"]["approval"].as_bool(), Some(true))?;
    same("it waits for", &review["depends_on_steps"], &json!(["content_classification"]))?;
    same("for it waits", &step(&page, AFTER_REVIEW)?["depends_on_steps"], &json!([REVIEW]))
}

async fn conditions(it: &Subject) -> Outcome {
    let page = page(it, REPORT).await?;
    let condition = &step(&page, "feed_fetching")?["condition"];
    same("condition", condition, &json!({ "sources_available": "> 0" }))?;
    same("condition", &step(&page, "topic_research")?["condition"], &Value::Null)
}

async fn mappings(it: &Subject) -> Outcome {
    let page = page(it, REPORT).await?;
    let input = &step(&page, "topic_research")?["input_mapping"];
    same("topic", input["topic"].as_str(), Some("$.topic"))?;
    same("depth", input["depth"].as_str(), Some("=request.source_discovery_depth"))?;
    let output = &step(&page, "feed_fetching")?["output_mapping"];
    same("articles", output["articles"].as_str(), Some("$.articles"))
}

async fn steps_in_order(it: &Subject) -> Outcome {
    for name in texts(list(it.capabilities().await?, "/available_templates")?, "name") {
        let page = page(it, name).await?;
        let steps = list(&page, "/steps")?;
        let names: BTreeSet<&str> = texts(steps, "step_name").into_iter().collect();
        same(name, names.len(), steps.len())?;
        let orders: Vec<_> = steps.iter().map(|step| step["step_order"].as_i64()).collect();
        demand!(orders.is_sorted() && !orders.contains(&None), "{name}: {orders:?}");
        for step in steps {
            let needs = step["depends_on_steps"].as_array().into_iter().flatten();
            for needed in needs.filter_map(Value::as_str) {
                demand!(names.contains(needed), "{name}: nobody is called {needed}");
            }
        }
    }
    Ok(())
}

async fn odd_names(it: &Subject) -> Outcome {
    let long = "n".repeat(200);
    for (path, name) in [
        ("no%20pe", "no pe"),
        ("%27%20OR%20%271%27=%271", "' OR '1'='1"),
        ("RSS_INTELLIGENCE_PIPELINE", "RSS_INTELLIGENCE_PIPELINE"),
        (&long, &long[..64]),
    ] {
        let reply = it.get(&format!("/templates/{path}")).send().await?;
        template_unknown(&reply, name).map_err(|found| format!("{path}: {found}"))?;
    }
    Ok(())
}

async fn revision(it: &Subject) -> Outcome {
    for reply in [it.basic().await?, it.report().await?] {
        let revision = reply.body["pipeline"]["template_revision"].as_u64();
        demand!(revision >= Some(1), "template_revision is {revision:?}");
    }
    same("template", it.basic().await?.text("/template"), BASIC)
}
