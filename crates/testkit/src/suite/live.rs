//! The door of `/ws`, as far as HTTP goes: who is let in, and tickets. What is said behind it, the
//! stack tests see.

use std::collections::BTreeSet;

use reqwest::Method;

use super::expect::{Fault, KEY_INVALID, KEY_REQUIRED, demand, fault, number, same, status};
use super::subject::Ask;
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

const TICKET: &str = "/api/v1/ws/ticket";
const UPGRADE_REQUIRED: Fault<'_> = Fault {
    status: 426,
    code: "live.upgrade_required",
    error: "The request must upgrade to a WebSocket",
};
const TICKET_INVALID: Fault<'_> =
    Fault { status: 401, code: "live.ticket_invalid", error: "The ticket does not work" };

pub fn phase() -> Phase {
    Phase {
        title: "Live updates",
        cases: cases![
            "a request that is no upgrade is told so" => no_upgrade,
            "each ticket is another, and says how long it is good" => tickets,
            "who shows no credential gets no ticket" => no_ticket,
            "what is no ticket opens no connection" => forged,
            "a key that is none opens no connection" => wrong_key,
            "one credential is enough, and two are too many" => two_ways,
            "another protocol than ours is refused" => protocol,
        ],
    }
}

/// A WebSocket client's request, as far as HTTP goes.
fn upgrade<'s>(it: &'s Subject, path: &str) -> Ask<'s> {
    it.get(path)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

async fn ticket(it: &Subject) -> Result<Reply, String> {
    let reply = it.ask(Method::POST, TICKET).by_client().send().await?;
    status(&reply, 201)?;
    Ok(reply)
}

async fn no_upgrade(it: &Subject) -> Outcome {
    for ask in [it.get("/ws"), it.get("/ws").by_client(), it.get("/ws").header("upgrade", "h2c")] {
        fault(&ask.send().await?, UPGRADE_REQUIRED)?;
    }
    Ok(())
}

async fn tickets(it: &Subject) -> Outcome {
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        let reply = ticket(it).await?;
        same("expires_in", number(&reply, "/expires_in")?, 30.0)?;
        same("url", reply.text("/url"), &format!("/ws?ticket={}", reply.text("/ticket")))?;
        same("Location", reply.header("location"), Some(reply.text("/url")))?;
        same("Cache-Control", reply.header("cache-control"), Some("no-store"))?;
        demand!(reply.text("/ticket").len() >= 43, "{} is short", reply.text("/ticket"));
        seen.insert(reply.text("/ticket").to_owned());
    }
    same("different tickets", seen.len(), 3)
}

async fn no_ticket(it: &Subject) -> Outcome {
    fault(&it.ask(Method::POST, TICKET).send().await?, KEY_REQUIRED)?;
    let wrong = it.ask(Method::POST, TICKET).header("x-api-key", "wrong");
    fault(&wrong.send().await?, KEY_INVALID)
}

async fn forged(it: &Subject) -> Outcome {
    let real = ticket(it).await?.text("/ticket").to_owned();
    let (account, random) = real.split_once('.').ok_or("a ticket has two parts")?;
    let flipped = if random.starts_with('A') { 'B' } else { 'A' };
    for forged in [
        "nonsense".to_owned(),
        format!("{account}.{flipped}{}", &random[1..]),
        format!("{account}.{}", "A".repeat(43)),
        format!("{account}x.{random}"),
        random.to_owned(),
    ] {
        let reply = upgrade(it, &format!("/ws?ticket={forged}")).send().await?;
        fault(&reply, TICKET_INVALID).map_err(|found| format!("{forged}: {found}"))?;
    }
    Ok(())
}

async fn wrong_key(it: &Subject) -> Outcome {
    fault(&upgrade(it, "/ws").header("x-api-key", "wrong").send().await?, KEY_INVALID)?;
    let offered = "bitware.v1, bearer.wrong";
    let reply = upgrade(it, "/ws").header("sec-websocket-protocol", offered).send().await?;
    fault(&reply, KEY_INVALID)?;
    demand!(reply.header("sec-websocket-protocol").is_none(), "the credential comes back");
    Ok(())
}

async fn two_ways(it: &Subject) -> Outcome {
    let path = ticket(it).await?.text("/url").to_owned();
    let reply = upgrade(it, &path).by_client().send().await?;
    same("the code", reply.text("/code"), "header.invalid")?;
    let reply = upgrade(it, "/ws?account=default").by_client().send().await?;
    status(&reply, 400)?;
    same("the code", reply.text("/code"), "header.invalid")
}

async fn protocol(it: &Subject) -> Outcome {
    for offered in ["bitware.v2", "graphql-ws", "bearer.x", "bitware.v1, bearer.x, bearer.y"] {
        let reply = upgrade(it, "/ws").header("sec-websocket-protocol", offered).send().await?;
        status(&reply, 400).map_err(|found| format!("{offered}: {found}"))?;
        same("the code", reply.text("/code"), "header.invalid")?;
    }
    Ok(())
}
