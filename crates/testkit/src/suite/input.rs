//! Input that does not fit: each with its status, its code, its words and the place of what is
//! wrong.

use reqwest::Method;
use serde_json::{Value, json};

use super::expect::{
    HEADER_INVALID, JSON_MALFORMED, MEDIA_TYPE, METHOD_NOT_ALLOWED, PIPELINE_NOT_FOUND,
    QUERY_INVALID, REQUEST_INVALID, TOPIC_MISSING, demand, fault, list, same, template_unknown,
    texts, violation,
};
use super::subject::REPORT;
use super::{Outcome, Phase, Subject, cases};

pub fn phase() -> Phase {
    Phase {
        title: "Bad input",
        cases: cases![
            "a missing topic is 400 Missing required field: topic" => topic_missing,
            "a topic has 1 to 500 characters" => topic_length,
            "malformed JSON is 400 with line and column" => malformed_json,
            "an empty body is 400" => empty_body,
            "a body that is no object is 422" => no_object,
            "a body of another type is 415" => media_type,
            "a start of an unknown template is 404 with its name" => unknown_template,
            "budget_limit: -1 is 422 with its place" => negative_budget,
            "urgency: \"yesterday\" is 422 and lists the words" => unknown_urgency,
            "every other label is checked too" => unknown_labels,
            "numbers beyond their limits are 422" => numbers,
            "an unknown field is 422" => unknown_field,
            "fields of the wrong type are 422" => wrong_types,
            "all violations are listed together" => all_together,
            "input is checked against the template's schema" => input_schema,
            "a wrong method is 405 with Allow" => wrong_method,
            "a malformed id names no execution" => malformed_ids,
            "a well-formed id that nobody has is not found" => unknown_id,
            "a query is checked like a body" => query,
            "an idempotency key with a space is 400" => bad_key,
        ],
    }
}

/// A request that does not fit and what is wrong with it, by place and code.
async fn refuse(it: &Subject, body: Value, violations: &[(&str, &str)]) -> Outcome {
    let reply = it.orchestrate().json(&body).send().await?;
    fault(&reply, REQUEST_INVALID).map_err(|found| format!("{body}: {found}"))?;
    for (pointer, code) in violations {
        violation(&reply, pointer, code)?;
    }
    same("the number of violations", list(&reply, "/violations")?.len(), violations.len())
}

async fn topic_missing(it: &Subject) -> Outcome {
    for body in [json!({}), json!({ "topic": null }), json!({ "urgency": "high" })] {
        let reply = it.orchestrate().json(&body).send().await?;
        fault(&reply, TOPIC_MISSING).map_err(|found| format!("{body}: {found}"))?;
        violation(&reply, "/topic", "required")?;
    }
    Ok(())
}

async fn topic_length(it: &Subject) -> Outcome {
    refuse(it, json!({ "topic": "" }), &[("/topic", "minLength")]).await?;
    refuse(it, json!({ "topic": "é".repeat(501) }), &[("/topic", "length")]).await?;
    refuse(it, json!({ "topic": " ".repeat(2001) }), &[("/topic", "maxLength")]).await?;
    refuse(it, json!({ "topic": " \t " }), &[("/topic", "length")]).await
}

async fn malformed_json(it: &Subject) -> Outcome {
    for (body, place) in [
        ("{invalid json}", "Line 1, column 2"),
        ("{\"topic\": \"x\",}", "Line 1, column 15"),
        ("{\n\"topic\":\n", "Line 3, column 0"),
        ("{\"topic\": \"x\"} trailing", "Line 1, column 16"),
    ] {
        let reply = it.orchestrate().body(body).send().await?;
        fault(&reply, JSON_MALFORMED).map_err(|found| format!("{body}: {found}"))?;
        let detail = reply.text("/detail");
        demand!(detail.starts_with(place), "{body}: {detail:?} instead of {place:?}");
    }
    Ok(())
}

async fn empty_body(it: &Subject) -> Outcome {
    fault(&it.orchestrate().body("").send().await?, JSON_MALFORMED)?;
    fault(&it.orchestrate().send().await?, JSON_MALFORMED)
}

async fn no_object(it: &Subject) -> Outcome {
    for body in [json!([]), json!("topic"), json!(1), Value::Null] {
        refuse(it, body, &[("", "type")]).await?;
    }
    Ok(())
}

async fn media_type(it: &Subject) -> Outcome {
    for media_type in
        ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"]
    {
        let reply = it.orchestrate().body_of_type(media_type, "{\"topic\":\"x\"}").send().await?;
        fault(&reply, MEDIA_TYPE).map_err(|found| format!("{media_type}: {found}"))?;
    }
    Ok(())
}

async fn unknown_template(it: &Subject) -> Outcome {
    for name in ["nonexistent", "no'; DROP TABLE pipeline_templates; --", "../help"] {
        let body = json!({ "topic": "x", "pipeline_template": name });
        template_unknown(&it.orchestrate().json(&body).send().await?, name)?;
    }
    Ok(())
}

async fn negative_budget(it: &Subject) -> Outcome {
    let reply = it.orchestrate().json(&json!({ "topic": "x", "budget_limit": -1 })).send().await?;
    fault(&reply, REQUEST_INVALID)?;
    violation(&reply, "/budget_limit", "minimum")?;
    let detail = "/budget_limit: -1 is less than the minimum of 0";
    same("detail", reply.text("/detail"), detail)
}

async fn unknown_urgency(it: &Subject) -> Outcome {
    let body = json!({ "topic": "x", "urgency": "yesterday" });
    let reply = it.orchestrate().json(&body).send().await?;
    fault(&reply, REQUEST_INVALID)?;
    violation(&reply, "/urgency", "enum")?;
    for word in ["low", "medium", "high", "critical"] {
        demand!(reply.text("/detail").contains(word), "{word}: {}", reply.text("/detail"));
    }
    Ok(())
}

async fn unknown_labels(it: &Subject) -> Outcome {
    for field in ["quality_level", "optimize_for", "output_format"] {
        let pointer = format!("/{field}");
        refuse(it, json!({ "topic": "x", field: "best" }), &[(&pointer, "enum")]).await?;
    }
    refuse(it, json!({ "topic": "x", "time_range": "soon" }), &[("/time_range", "pattern")]).await
}

async fn numbers(it: &Subject) -> Outcome {
    for (field, value, code) in [
        ("max_articles", json!(0), "minimum"),
        ("max_articles", json!(501), "maximum"),
        ("source_discovery_depth", json!(6), "maximum"),
        ("deadline_minutes", json!(0), "exclusiveMinimum"),
        ("deadline_minutes", json!(10_081), "maximum"),
        ("budget_limit", json!(1_000_001), "maximum"),
        ("max_articles", json!(1.5), "type"),
    ] {
        let pointer = format!("/{field}");
        refuse(it, json!({ "topic": "x", field: value }), &[(&pointer, code)]).await?;
    }
    Ok(())
}

async fn unknown_field(it: &Subject) -> Outcome {
    refuse(it, json!({ "topic": "x", "topics": [] }), &[("/topics", "unknown_field")]).await?;
    refuse(it, json!({ "topic": "x", "a/b~c": 1 }), &[("/a~1b~0c", "unknown_field")]).await
}

async fn wrong_types(it: &Subject) -> Outcome {
    for (field, value) in [
        ("topic", json!(7)),
        ("async", json!("yes")),
        ("use_cache", json!(1)),
        ("budget_limit", json!("1")),
        ("pipeline_template", json!({})),
    ] {
        let mut body = json!({ "topic": "x" });
        body[field] = value;
        refuse(it, body, &[(&format!("/{field}"), "type")]).await?;
    }
    Ok(())
}

async fn all_together(it: &Subject) -> Outcome {
    let body = json!({
        "topic": "", "budget_limit": -1, "urgency": "yesterday", "max_articles": 0, "extra": true,
        "input": { "report_type": "novel", "min_relevance": 2 }, "pipeline_template": REPORT,
    });
    let expected = [
        ("/topic", "minLength"),
        ("/budget_limit", "minimum"),
        ("/urgency", "enum"),
        ("/max_articles", "minimum"),
        ("/extra", "unknown_field"),
        ("/input/report_type", "enum"),
        ("/input/min_relevance", "maximum"),
    ];
    refuse(it, body, &expected).await
}

async fn input_schema(it: &Subject) -> Outcome {
    let request =
        |input: Value| json!({ "topic": "x", "pipeline_template": REPORT, "input": input });
    let novel = request(json!({ "report_type": "novel" }));
    refuse(it, novel, &[("/input/report_type", "enum")]).await?;
    refuse(it, request(json!([1])), &[("/input", "type")]).await
}

async fn wrong_method(it: &Subject) -> Outcome {
    for (method, path, allow) in [
        (Method::GET, "/orchestrate", "POST"),
        (Method::DELETE, "/orchestrate", "POST"),
        (Method::POST, "/help", "GET"),
        (Method::PUT, "/pipeline-history", "GET"),
        (Method::PATCH, "/templates", "GET"),
    ] {
        let reply = it.ask(method.clone(), path).by_client().send().await?;
        fault(&reply, METHOD_NOT_ALLOWED).map_err(|found| format!("{method} {path}: {found}"))?;
        let allowed: Vec<&str> =
            reply.header("allow").unwrap_or_default().split(',').map(str::trim).collect();
        demand!(allowed.contains(&allow), "{method} {path}: Allow is {allowed:?}");
        demand!(!allowed.contains(&method.as_str()), "{method} {path}: Allow is {allowed:?}");
    }
    Ok(())
}

async fn malformed_ids(it: &Subject) -> Outcome {
    let long = "x".repeat(2_000);
    for id in ["nonexistent", "pipe_1_short", "pipe_0_zz", "%FF", "1%20OR%201=1", &long] {
        let reply = it.get(&format!("/pipeline/{id}")).by_client().send().await?;
        fault(&reply, PIPELINE_NOT_FOUND)
            .map_err(|found| format!("{} chars {id:.20}: {found}", id.len()))?;
    }
    Ok(())
}

async fn unknown_id(it: &Subject) -> Outcome {
    let path = "/pipeline/pipe_1000000000000_00000000000000000000000000";
    fault(&it.get(path).by_client().send().await?, PIPELINE_NOT_FOUND)?;
    fault(&it.get(path).send().await?, PIPELINE_NOT_FOUND)
}

async fn query(it: &Subject) -> Outcome {
    let history = async |query: &str, expected: &[&str]| {
        let reply = it.get(&format!("/pipeline-history?{query}")).by_client().send().await?;
        fault(&reply, QUERY_INVALID).map_err(|found| format!("{query}: {found}"))?;
        let mut places = texts(list(&reply, "/violations")?, "pointer");
        places.sort_unstable();
        same(query, &places[..], expected)
    };
    history("limit=1000&status=done", &["/limit", "/status"]).await?;
    history("limit=0", &["/limit"]).await?;
    history("limit=ten", &["/limit"]).await?;
    history("statsu=failed", &["/statsu"]).await?;
    history("limit=1&limit=2", &["/limit"]).await?;
    history("from=yesterday&cursor=nonsense", &["/cursor", "/from"]).await
}

async fn bad_key(it: &Subject) -> Outcome {
    let long = "k".repeat(256);
    for key in ["two words", "", &long] {
        let ask = it.orchestrate().header("idempotency-key", key);
        let reply = ask.json(&it.basic_request()).send().await?;
        fault(&reply, HEADER_INVALID).map_err(|found| format!("{key:?}: {found}"))?;
        let detail = reply.text("/detail");
        demand!(detail.starts_with("Idempotency-Key: "), "detail is {detail:?}");
    }
    Ok(())
}
