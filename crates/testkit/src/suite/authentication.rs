//! Who may do what.

use reqwest::Method;
use serde_json::json;

use super::expect::{
    Fault, KEY_INVALID, KEY_REQUIRED, WORKER_INVALID, demand, fault, list, page, status,
};
use super::subject::Ask;
use super::{Outcome, Phase, Subject, cases};

pub fn phase() -> Phase {
    Phase {
        title: "Authentication",
        cases: cases![
            "a start without a key is 401 API key required" => no_key,
            "a start with a wrong key is 401 API key required" => wrong_keys,
            "the key in another header is no key" => key_elsewhere,
            "a worker's credentials start nothing" => worker_starts_nothing,
            "a wrong bearer is refused even beside a right key" => wrong_bearer,
            "a bearer needs a worker's name" => bearer_without_name,
            "the history needs a credential" => history_without,
            "the history opens to a client, to a worker, and to both" => history_with,
            "a wrong key is refused where none is needed to read" => wrong_key_reads_nothing,
            "pages for everybody look at no credential" => public_pages,
            "credentials are looked at before the body" => before_the_body,
        ],
    }
}

fn start(it: &Subject) -> Ask<'_> {
    it.ask(Method::POST, "/orchestrate").json(&it.basic_request())
}

fn challenged(reply: &crate::client::Reply, expected: Fault<'_>) -> Outcome {
    fault(reply, expected)?;
    let challenge = reply.header("www-authenticate").unwrap_or_default();
    demand!(challenge.starts_with("Bearer realm="), "WWW-Authenticate is {challenge:?}");
    Ok(())
}

async fn no_key(it: &Subject) -> Outcome {
    challenged(&start(it).send().await?, KEY_REQUIRED)
}

async fn wrong_keys(it: &Subject) -> Outcome {
    let key = it.client().key();
    let unlike = [
        "wrong".to_owned(),
        format!("{key}x"),
        key[..key.len() - 1].to_owned(),
        key.to_uppercase() + "A",
        format!("bwk_{}", "A".repeat(43)),
        String::new(),
    ];
    for wrong in unlike {
        let reply = start(it).header("x-api-key", &wrong).send().await?;
        challenged(&reply, KEY_INVALID)
            .map_err(|found| format!("{} chars: {found}", wrong.len()))?;
    }
    Ok(())
}

async fn key_elsewhere(it: &Subject) -> Outcome {
    let key = it.client().key().to_owned();
    let bearer = format!("Bearer {key}");
    let reply = start(it).header("authorization", &bearer).send().await?;
    challenged(&reply, WORKER_INVALID)?;
    let query = format!("/orchestrate?api_key={key}");
    let reply = it.ask(Method::POST, &query).json(&it.basic_request()).send().await?;
    challenged(&reply, KEY_REQUIRED)
}

async fn worker_starts_nothing(it: &Subject) -> Outcome {
    challenged(&start(it).by_worker().send().await?, KEY_REQUIRED)
}

async fn wrong_bearer(it: &Subject) -> Outcome {
    for wrong in ["Bearer wrong", "Basic d29ya2VyOndvcmtlcg==", "Bearer"] {
        let ask = start(it).by_client().header("x-worker-id", "suite");
        let reply = ask.header("authorization", wrong).send().await?;
        challenged(&reply, WORKER_INVALID).map_err(|found| format!("{wrong:?}: {found}"))?;
    }
    Ok(())
}

async fn bearer_without_name(it: &Subject) -> Outcome {
    let bearer = format!("Bearer {}", it.client().secret());
    let ask = || it.get("/pipeline-history").header("authorization", &bearer);
    challenged(&ask().send().await?, WORKER_INVALID)?;
    for name in ["", "two words", &"n".repeat(65)] {
        let reply = ask().header("x-worker-id", name).send().await?;
        challenged(&reply, WORKER_INVALID).map_err(|found| format!("{name:?}: {found}"))?;
    }
    status(&ask().header("x-worker-id", &"n".repeat(64)).send().await?, 200)
}

async fn history_without(it: &Subject) -> Outcome {
    challenged(&it.get("/pipeline-history").send().await?, KEY_REQUIRED)
}

async fn history_with(it: &Subject) -> Outcome {
    let ask = || it.get("/pipeline-history?limit=1");
    for ask in [ask().by_client(), ask().by_worker(), ask().by_client().by_worker()] {
        let reply = ask.send().await?;
        status(&reply, 200)?;
        list(&reply, "/pipelines")?;
    }
    Ok(())
}

async fn wrong_key_reads_nothing(it: &Subject) -> Outcome {
    let path = it.basic().await?.text("/pipeline_url");
    challenged(&it.get(path).header("x-api-key", "wrong").send().await?, KEY_INVALID)
}

async fn public_pages(it: &Subject) -> Outcome {
    for path in ["/help", "/templates", "/healthz"] {
        let reply = it.get(path).header("x-api-key", "wrong").send().await?;
        page(&reply).map_err(|found| format!("{path}: {found}"))?;
    }
    Ok(())
}

async fn before_the_body(it: &Subject) -> Outcome {
    let malformed = it.ask(Method::POST, "/orchestrate").body("{invalid json}").send().await?;
    fault(&malformed, KEY_REQUIRED)?;
    let unfit = it.ask(Method::POST, "/orchestrate").json(&json!({ "budget_limit": -1 }));
    fault(&unfit.send().await?, KEY_REQUIRED)
}
