//! `GET /pipeline/{id}/why`.

use super::expect::{
    KEY_REQUIRED, PIPELINE_NOT_FOUND, demand, fault, list, moment, same, status, texts,
};
use super::subject::NOBODY;
use super::{Outcome, Phase, Subject, cases};

const PATH: &str = "/pipeline/{id}/why";

pub fn phase() -> Phase {
    Phase {
        title: "Why",
        cases: cases![
            "an execution that goes on says what holds each unfinished step" => going_on,
            "one that is paused says so" => paused,
            "one that has ended says how" => ended,
            "why wants a credential" => credentials,
            "why of an unknown execution is 404" => unknown,
        ],
    }
}

async fn going_on(it: &Subject) -> Outcome {
    const TRIES_MAX: usize = 20;
    let document = it.document().await?;
    for _ in 0..TRIES_MAX {
        let id = it.begin().await?;
        let reply = it.get(&format!("/pipeline/{id}/why")).by_client().send().await?;
        status(&reply, 200)?;
        document.check("GET", PATH, &reply)?;
        same("pipeline_id", reply.text("/pipeline_id"), &id)?;
        moment(reply.text("/since"))?;
        moment(reply.text("/last_event_at"))?;
        demand!(!reply.text("/summary").is_empty(), "no summary: {}", reply.body);
        let steps = list(&reply, "/steps")?;
        if reply.text("/status") != "running" || steps.is_empty() {
            continue;
        }
        for field in ["step", "blocker", "reason"] {
            let told = texts(steps, field).iter().filter(|text| !text.is_empty()).count();
            same(field, told, steps.len())?;
        }
        let dependent = texts(steps, "blocker").contains(&"dependency");
        demand!(dependent, "no step waits for another: {}", reply.body);
        let first = steps.iter().find(|step| step["blocker"] != "dependency");
        let name = first.and_then(|step| step["step"].as_str()).unwrap_or_default();
        demand!(
            !name.is_empty() && reply.text("/summary").contains(name),
            "the summary does not name `{name}`: {}",
            reply.text("/summary")
        );
        return Ok(());
    }
    Err(format!("{TRIES_MAX} executions had ended before they could be asked"))
}

async fn paused(it: &Subject) -> Outcome {
    let (id, reply) = it.act(|id| it.verb(id, "pause")).await?;
    same("pause", reply.text("/execution_status"), "paused")?;
    let reply = it.get(&format!("/pipeline/{id}/why")).by_client().send().await?;
    it.document().await?.check("GET", PATH, &reply)?;
    same("status", reply.text("/status"), "paused")?;
    demand!(reply.text("/summary").contains("paused"), "{}", reply.text("/summary"));
    let cancelled = it.verb(&id, "cancel").send().await?;
    demand!(cancelled.status < 300, "cancel is {}", cancelled.status);
    Ok(())
}

async fn ended(it: &Subject) -> Outcome {
    let id = it.basic().await?.text("/pipeline_id");
    let reply = it.get(&format!("/pipeline/{id}/why")).by_worker().send().await?;
    status(&reply, 200)?;
    it.document().await?.check("GET", PATH, &reply)?;
    same("status", reply.text("/status"), "completed")?;
    same("steps", list(&reply, "/steps")?.len(), 0)?;
    same("phase", reply.text("/driver/phase"), "ended")?;
    same("at_work", reply.body["driver"]["at_work"].as_bool(), Some(false))?;
    demand!(reply.text("/summary").contains("completed"), "{}", reply.text("/summary"));
    Ok(())
}

async fn credentials(it: &Subject) -> Outcome {
    let id = it.basic().await?.text("/pipeline_id");
    fault(&it.get(&format!("/pipeline/{id}/why")).send().await?, KEY_REQUIRED)
}

async fn unknown(it: &Subject) -> Outcome {
    for id in [NOBODY, "nope"] {
        let reply = it.get(&format!("/pipeline/{id}/why")).by_client().send().await?;
        fault(&reply, PIPELINE_NOT_FOUND)?;
        it.document().await?.check("GET", PATH, &reply)?;
    }
    Ok(())
}
