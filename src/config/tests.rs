//! Reading the configuration: what is taken, what is named as bad, and what each environment says.

use super::*;

fn config(pairs: &[(&str, &str)]) -> Config {
    Config::read(|name| {
        pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn each_environment_has_its_own_limits() {
    for (word, budget_usd, concurrent, execution_s, shards) in [
        ("local", 0.5, 5, 120, 8),
        ("development", 0.5, 5, 120, 8),
        ("staging", 1.0, 10, 300, 32),
        ("production", 2.0, 10, 300, 256),
        ("enterprise", 5.0, 25, 600, 256),
    ] {
        let config = config(&[("ENVIRONMENT", word)]);
        assert_eq!(config.environment.as_str(), word);
        assert_eq!(config.budget_default.as_usd(), budget_usd);
        assert_eq!(config.concurrent_executions_max, concurrent);
        assert_eq!(config.execution_max, Millis::from_secs(execution_s));
        assert_eq!(config.journal_shards, shards);
        assert_eq!(config.invalid, [""; 0]);
    }
}

#[test]
fn each_environment_says_what_is_watched_and_how_long_executions_are_kept() {
    for (word, insights, alerting, retention_days) in [
        ("local", true, true, 0),
        ("development", false, false, 14),
        ("staging", true, false, 30),
        ("production", true, true, 90),
        ("enterprise", true, true, 365),
    ] {
        let config = config(&[("ENVIRONMENT", word)]);
        let found = (config.insights_enabled, config.alerting_enabled, config.retention_days);
        assert_eq!(found, (insights, alerting, retention_days), "{word}");
    }
    assert_eq!(config(&[("RETENTION_DAYS", "-1")]).invalid, ["RETENTION_DAYS"]);
}

#[test]
fn rates_are_those_of_the_environment_and_zero_is_none() {
    assert_eq!(config(&[]).rates, Rates::default(), "the local stack limits nobody");
    let rates = config(&[("ENVIRONMENT", "enterprise"), ("RATE_PER_MINUTE_WORKERS", "0")]).rates;
    let expected =
        Rates { anonymous: Some(60), keys: Some(1_200), bootstrap: Some(6_000), workers: None };
    assert_eq!(rates, expected);
    let bad = config(&[("RATE_PER_MINUTE_KEYS", "many")]);
    assert_eq!(bad.invalid, ["RATE_PER_MINUTE_KEYS"]);
}

#[test]
fn a_variable_goes_before_the_environment() {
    let config = config(&[
        ("ENVIRONMENT", "production"),
        ("DEFAULT_BUDGET_LIMIT_USD", "3.25"),
        ("MAX_CONCURRENT_PIPELINES", "64"),
        ("PIPELINE_CACHE_TTL_SECONDS", "0"),
        ("FEED_FETCHER_URL", "https://feeds.example.com"),
        ("PUBLIC_BASE_URL", "https://api.example.com/"),
    ]);
    assert_eq!(config.budget_default.as_usd(), 3.25);
    assert_eq!(config.concurrent_executions_max, 64);
    assert_eq!(config.result_cache_ttl_s, 0);
    assert_eq!(config.worker_urls["feed_fetcher"], "https://feeds.example.com");
    assert_eq!(config.public_base_url.as_deref(), Some("https://api.example.com"));
}

#[test]
fn bad_values_are_all_named_and_replaced_by_defaults() {
    let config = config(&[
        ("ENVIRONMENT", "moon"),
        ("LOG_LEVEL", "loud"),
        ("MAX_PIPELINE_TIME_SECONDS", "-3"),
        ("DEFAULT_BUDGET_LIMIT_USD", "much"),
        ("JOURNAL_SHARDS", "0"),
        ("ALLOWED_ORIGINS", "https://a.example/path"),
        ("ALLOW_LOCAL_WORKER_URLS", "perhaps"),
        ("REPORT_BUILDER_URL", "not a url"),
        ("PUBLIC_BASE_URL", "api.example.com"),
    ]);
    let mut invalid = config.invalid.clone();
    invalid.sort_unstable();
    assert_eq!(
        invalid,
        [
            "ALLOWED_ORIGINS",
            "ALLOW_LOCAL_WORKER_URLS",
            "DEFAULT_BUDGET_LIMIT_USD",
            "ENVIRONMENT",
            "JOURNAL_SHARDS",
            "LOG_LEVEL",
            "MAX_PIPELINE_TIME_SECONDS",
            "PUBLIC_BASE_URL",
            "REPORT_BUILDER_URL",
        ]
    );
    assert_eq!(config.journal_shards, 8);
}

#[test]
fn an_attempt_fits_in_the_longest_lifetime_of_a_driver() {
    let short = config(&[("DRIVER_QUEUE_SECONDS", "20"), ("ATTEMPT_TIMEOUT_SECONDS", "20")]);
    assert_eq!(short.invalid, ["ATTEMPT_TIMEOUT_SECONDS"]);
    assert_eq!(short.attempt_timeout, Millis::from_secs(18));
    let fits = config(&[("DRIVER_QUEUE_SECONDS", "20"), ("ATTEMPT_TIMEOUT_SECONDS", "18")]);
    assert!(fits.invalid.is_empty());
}

/// Every block of variables in wrangler.toml, the local one first.
fn deployed() -> Vec<Vec<(&'static str, &'static str)>> {
    let blocks = include_str!("../../wrangler.toml").split("\n[");
    let vars = blocks.filter(|b| b.starts_with("vars]") || b.contains(".vars]"));
    let pair = |line: &'static str| {
        let (name, value) = line.split_once(" = ")?;
        Some((name, value.trim_matches('"')))
    };
    vars.map(|block| block.lines().skip(1).filter_map(pair).collect()).collect()
}

#[test]
fn what_is_deployed_is_valid_and_says_what_the_code_says() {
    let words: Vec<&str> = deployed()
        .iter()
        .map(|vars| {
            let deployed = config(vars);
            let word = deployed.environment.as_str();
            assert_eq!(deployed.invalid, [""; 0], "{word}");
            let bare = config(&[("ENVIRONMENT", word)]);
            assert_eq!(deployed.budget_default, bare.budget_default, "{word}");
            assert_eq!(deployed.budget_emergency, bare.budget_emergency, "{word}");
            assert_eq!(deployed.execution_max, bare.execution_max, "{word}");
            assert_eq!(deployed.admission_queue, bare.admission_queue, "{word}");
            assert_eq!(deployed.attempt_timeout, bare.attempt_timeout, "{word}");
            assert_eq!(deployed.journal_shards, bare.journal_shards, "{word}");
            assert_eq!(deployed.result_cache_ttl_s, bare.result_cache_ttl_s, "{word}");
            assert_eq!(deployed.insights_enabled, bare.insights_enabled, "{word}");
            assert_eq!(deployed.alerting_enabled, bare.alerting_enabled, "{word}");
            assert_eq!(deployed.retention_days, bare.retention_days, "{word}");
            assert_eq!(deployed.queue_drives_inline, bare.queue_drives_inline, "{word}");
            let concurrent = bare.concurrent_executions_max;
            assert_eq!(deployed.concurrent_executions_max, concurrent, "{word}");
            word
        })
        .collect();
    assert_eq!(words, ["local", "development", "staging", "production", "enterprise"]);
}

#[test]
fn an_empty_secret_is_none_and_a_secret_is_never_shown() {
    let config = config(&[(CLIENT_API_KEY, ""), (WORKER_SHARED_SECRET, "hush")]);
    assert!(config.secrets.client_api_key.is_none());
    assert_eq!(config.secrets.worker_shared_secret.as_ref().unwrap().reveal(), "hush");
    assert!(!format!("{config:?}").contains("hush"));
}
