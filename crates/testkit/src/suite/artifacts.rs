//! Artifacts: their bytes go in and come out whole or in part, by credentials or by a link, and go
//! with their row.

use reqwest::Method;
use serde_json::{Value, json};

use super::expect::{demand, list, same, status};
use super::tool_registry::{NOBODY, post, read, remove, tool};
use super::{Outcome, Phase, Subject, cases};

pub fn phase() -> Phase {
    Phase {
        title: "Artifacts",
        cases: cases![
            "bytes come out as they went in, with their type and name" => round_trip,
            "parts are given as asked" => ranges,
            "what is known already is not sent again" => conditional,
            "stored pages are harmless, and names put nothing into headers" => harmless,
            "a link needs no credential, and is good for what it says alone" => links,
            "bytes are replaced whole" => replaced,
            "what cannot be stored is refused" => refused,
            "artifacts of a deleted tool stay, and are cleaned up on demand" => orphans,
        ],
    }
}

/// An artifact of this pass.
async fn artifact(it: &Subject, more: &Value) -> Result<String, String> {
    let mut body = json!({"file_name": "note.txt", "mime_type": "text/plain"});
    let fields = more.as_object().into_iter().flatten();
    fields.for_each(|(name, value)| body[name] = value.clone());
    let reply = post(it, "/artifacts/", &body).await?;
    status(&reply, 201)?;
    Ok(format!("/artifacts/{}", reply.text("/artifact_id")))
}

async fn store(it: &Subject, path: &str, kind: &str, text: &str) -> Result<Value, String> {
    let ask = it.ask(Method::PUT, &format!("{path}/content")).by_worker();
    let reply = ask.body_of_type(kind, text).send().await?;
    status(&reply, 200)?;
    Ok(reply.body)
}

async fn round_trip(it: &Subject) -> Outcome {
    let path = artifact(it, &json!({"size_bytes": 999_999})).await?;
    let before = read(it, &path).await?;
    same("content_url", &before.body["content_url"], &Value::Null)?;
    status(&read(it, &format!("{path}/content")).await?, 404)?;
    let text = "grüße\n".repeat(100_000);
    let stored = store(it, &path, "text/markdown; charset=utf-8", &text).await?;
    same("size_bytes", &stored["size_bytes"], &json!(text.len()))?;
    same("mime_type", &stored["mime_type"], &json!("text/markdown; charset=utf-8"))?;
    same("content_url", stored["content_url"].as_str(), Some(format!("{path}/content").as_str()))?;
    let found = read(it, &format!("{path}/content/")).await?;
    status(&found, 200)?;
    demand!(found.body == Value::String(text.clone()), "other bytes came out");
    for (name, value) in [
        ("content-type", "text/markdown; charset=utf-8"),
        ("content-length", &text.len().to_string()),
        ("accept-ranges", "bytes"),
        ("content-disposition", "attachment; filename=\"note.txt\"; filename*=UTF-8''note.txt"),
        ("etag", &format!("\"{}\"", stored["sha256"].as_str().unwrap_or_default())),
    ] {
        same(name, found.header(name), Some(value))?;
    }
    let head = it.ask(Method::HEAD, &format!("{path}/content")).by_client().send().await?;
    status(&head, 200)?;
    same("etag of HEAD", head.header("etag"), found.header("etag"))?;
    same("content-length of HEAD", head.header("content-length"), found.header("content-length"))?;
    remove(it, std::slice::from_ref(&path)).await?;
    status(&read(it, &format!("{path}/content")).await?, 404)
}

async fn ranges(it: &Subject) -> Outcome {
    let path = artifact(it, &json!({})).await?;
    let stored = store(it, &path, "text/plain", "abcdefghij").await?;
    let etag = format!("\"{}\"", stored["sha256"].as_str().unwrap_or_default());
    let content = format!("{path}/content");
    for (range, if_range, expected, text, shown) in [
        ("bytes=0-3", None, 206, "abcd", Some("bytes 0-3/10")),
        ("bytes=7-", None, 206, "hij", Some("bytes 7-9/10")),
        ("bytes=-2", None, 206, "ij", Some("bytes 8-9/10")),
        ("bytes=5-5000", Some(etag.as_str()), 206, "fghij", Some("bytes 5-9/10")),
        ("bytes=5-", Some("\"other\""), 200, "abcdefghij", None),
        ("bytes=0-1,3-4", None, 200, "abcdefghij", None),
        ("rows=1-2", None, 200, "abcdefghij", None),
    ] {
        let ask = it.get(&content).by_client().header("range", range);
        let ask = if_range.into_iter().fold(ask, |ask, tag| ask.header("if-range", tag));
        let reply = ask.send().await?;
        status(&reply, expected).map_err(|found| format!("{range}: {found}"))?;
        same(range, &reply.body, &Value::from(text))?;
        same(range, reply.header("content-range"), shown)?;
    }
    let beyond = it.get(&content).by_client().header("range", "bytes=10-").send().await?;
    status(&beyond, 416)?;
    same("content-range", beyond.header("content-range"), Some("bytes */10"))?;
    same("code", beyond.text("/code"), "range.unsatisfiable")?;
    remove(it, &[path]).await
}

async fn conditional(it: &Subject) -> Outcome {
    let path = artifact(it, &json!({})).await?;
    store(it, &path, "text/plain", "known").await?;
    let content = format!("{path}/content");
    let first = read(it, &content).await?;
    let etag = first.header("etag").unwrap_or_default().to_owned();
    let known = it.get(&content).by_client().header("if-none-match", &etag).send().await?;
    status(&known, 304)?;
    same("the body", &known.body, &Value::from(""))?;
    let other = it.get(&content).by_client().header("if-none-match", "\"other\"").send().await?;
    status(&other, 200)?;
    remove(it, &[path]).await
}

async fn harmless(it: &Subject) -> Outcome {
    let name = "x\"; filename=\"evil.exe";
    let path = artifact(it, &json!({"file_name": name})).await?;
    store(it, &path, "text/html", "<script>alert(1)</script>").await?;
    let page = read(it, &format!("{path}/content")).await?;
    same("nosniff", page.header("x-content-type-options"), Some("nosniff"))?;
    let policy = page.header("content-security-policy").unwrap_or_default();
    demand!(policy.contains("sandbox") && policy.contains("default-src 'none'"), "{policy}");
    let disposition = page.header("content-disposition").unwrap_or_default();
    demand!(disposition.starts_with("attachment; filename=\"x__ "), "{disposition}");
    same("quotes", disposition.matches('"').count(), 2)?;
    remove(it, &[path]).await?;
    let split = json!({"file_name": "a\r\nSet-Cookie: x=1"});
    status(&post(it, "/artifacts/", &split).await?, 422)
}

/// The path of a link, whatever address the installation gives itself.
fn path_of(link: &str) -> &str {
    link.find("/artifacts/").map_or(link, |start| &link[start..])
}

async fn links(it: &Subject) -> Outcome {
    let path = artifact(it, &json!({})).await?;
    store(it, &path, "text/plain", "linked").await?;
    let other = artifact(it, &json!({})).await?;
    store(it, &other, "text/plain", "another").await?;
    let links = format!("{path}/links");
    let made = it.ask(Method::POST, &links).by_client().json(&json!({"expires_in_s": 60}));
    let made = made.send().await?;
    status(&made, 201)?;
    let link = path_of(made.text("/url")).to_owned();
    let found = it.get(&link).send().await?;
    status(&found, 200)?;
    same("the bytes", &found.body, &Value::from("linked"))?;
    let signature = link.rsplit('=').next().unwrap_or_default();
    let forged = link.replace(signature, &"0".repeat(64));
    for bad in [
        link.replace(&path, &other),
        forged,
        link.replace("account=default", "account=acme"),
        link.replace("expires=", "expires=9"),
        link.split("&signature").next().unwrap_or_default().to_owned(),
    ] {
        let reply = it.get(&bad).send().await?;
        same(&bad, (reply.status, reply.text("/code")), (403, "link.invalid"))?;
    }
    let wrong = it.ask(Method::PUT, &link).body_of_type("text/plain", "x").send().await?;
    status(&wrong, 403)?;
    let put = it.ask(Method::POST, &links).by_client().json(&json!({"method": "PUT"}));
    status(&put.send().await?, 403)?;
    let put = it.ask(Method::POST, &links).by_worker().json(&json!({"method": "PUT"}));
    let put = put.send().await?;
    let link = path_of(put.text("/url"));
    let stored = it.ask(Method::PUT, link).body_of_type("text/plain", "by a link").send().await?;
    status(&stored, 200)?;
    same("the bytes", &read(it, &format!("{path}/content")).await?.body, &"by a link".into())?;
    status(&it.get(link).send().await?, 403)?;
    let short = it.ask(Method::POST, &links).by_client().json(&json!({"expires_in_s": 1}));
    let short = path_of(short.send().await?.text("/url")).to_owned();
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    status(&it.get(&short).send().await?, 403)?;
    let long = it.ask(Method::POST, &links).by_client().json(&json!({"expires_in_s": 604_801}));
    status(&long.send().await?, 422)?;
    remove(it, &[path, other]).await
}

async fn replaced(it: &Subject) -> Outcome {
    let path = artifact(it, &json!({})).await?;
    let first = store(it, &path, "text/plain", "first").await?;
    let second = store(it, &path, "text/plain", "second, and longer").await?;
    demand!(first["sha256"] != second["sha256"], "the same sum for other bytes");
    demand!(first["storage_pointer"] != second["storage_pointer"], "the same object");
    let found = read(it, &format!("{path}/content")).await?;
    same("the bytes", &found.body, &Value::from("second, and longer"))?;
    let empty = store(it, &path, "text/plain", "").await?;
    same("size_bytes", &empty["size_bytes"], &json!(0))?;
    let found = read(it, &format!("{path}/content")).await?;
    same("nothing", (found.status, &found.body), (200, &Value::from("")))?;
    remove(it, &[path]).await
}

async fn refused(it: &Subject) -> Outcome {
    let nobody = format!("/artifacts/{NOBODY}");
    let put = it.ask(Method::PUT, &format!("{nobody}/content")).by_worker();
    status(&put.body_of_type("text/plain", "x").send().await?, 404)?;
    let path = artifact(it, &json!({})).await?;
    let content = format!("{path}/content");
    let put = it.ask(Method::PUT, &content).by_worker().body_of_type("no type", "x");
    let reply = put.send().await?;
    same("a type that is none", (reply.status, reply.text("/code")), (400, "header.invalid"))?;
    let put = it.ask(Method::PUT, &content).by_client().body_of_type("text/plain", "x");
    status(&put.send().await?, 403)?;
    let put = it.ask(Method::PUT, &content).body_of_type("text/plain", "x").send().await?;
    status(&put, 401)?;
    remove(it, &[path]).await
}

async fn orphans(it: &Subject) -> Outcome {
    let id = tool(it, "makes artifacts", &json!({})).await?;
    let path = artifact(it, &json!({"created_by_tool_id": id})).await?;
    store(it, &path, "text/plain", "orphaned").await?;
    let kept = artifact(it, &json!({"pipeline_id": "pipe_1_x"})).await?;
    remove(it, &[format!("/tools/{id}")]).await?;
    let left = read(it, &path).await?;
    same("the tool", &left.body["created_by_tool_id"], &Value::Null)?;
    let own = path.trim_start_matches("/artifacts/");
    let clean = async |query: &str| {
        let path = format!("/maintenance/cleanup-orphaned-artifacts/?{query}");
        let reply = it.ask(Method::POST, &path).by_worker().send().await?;
        status(&reply, 200)?;
        let listed = list(&reply, "/artifacts")?.iter().any(|id| id == own);
        Ok::<_, String>((reply, listed))
    };
    let (dry, listed) = clean("dry_run=true&limit=1000").await?;
    demand!(listed && dry.body["deleted_count"] == 0, "a dry cleanup: {}", dry.body);
    status(&read(it, &path).await?, 200)?;
    let others = list(&dry, "/artifacts")?.len() - 1 + list(&dry, "/objects")?.len();
    if others > 0 {
        // They are not this pass's to take away.
        return remove(it, &[path.clone(), kept]).await;
    }
    let (done, listed) = clean("limit=1000").await?;
    demand!(listed, "a cleanup: {}", done.body);
    status(&read(it, &path).await?, 404)?;
    status(&read(it, &kept).await?, 200)?;
    remove(it, &[kept]).await
}
