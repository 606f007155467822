-- A data set of :executions executions of five steps each, which ended within the last :days days
-- before the Unix second :now_s. Two fifths are the account `default`'s, the others belong to 19
-- accounts. What is drawn depends on a row's number only: each time it is the same set.
PRAGMA synchronous = OFF;
PRAGMA cache_size = -400000;
PRAGMA foreign_keys = OFF;

BEGIN;
INSERT INTO accounts (id, name)
WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 19)
SELECT 'account_' || n, 'Account ' || n FROM n WHERE true
ON CONFLICT DO NOTHING;

INSERT INTO pipeline_executions (
  pipeline_id, account_id, template_name, template_revision, topic, status, execution_strategy,
  optimize_for, request, result, total_cost_micro_usd, sources_discovered, articles_processed,
  final_quality_score, cache_hit, total_execution_time_ms, waiting_reason, budget_micro_usd,
  journal_seq, created_at, started_at, completed_at, updated_at)
WITH RECURSIVE
  n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < :executions),
  drawn AS (
    SELECT n,
      (n * 2654435761 + 97) % 4294967291 AS a,
      (n * 40503 + 7919) % 2147483629 AS b,
      (:now_s - :days * 86400) * 1000 + n * :days * 86400000 / (:executions + 1) AS at_ms
    FROM n),
  made AS (
    SELECT *,
      CASE WHEN a % 2000 = 7 THEN 'paused' WHEN a % 100 < 90 THEN 'completed'
        WHEN a % 100 < 94 THEN 'partial' WHEN a % 100 < 98 THEN 'failed' ELSE 'cancelled' END
        AS status,
      iif(b % 5 < 2, 'default', 'account_' || (1 + b % 19)) AS account_id,
      CASE b / 8 % 6 WHEN 0 THEN 'rss_intelligence_pipeline' WHEN 1 THEN 'basic_research_pipeline'
        ELSE 'template_' || (b / 8 % 6) END AS template_name,
      a / 128 % 4 AS strategy, a / 16 % 6 = 0 AS cache_hit,
      50 + a / 64 % 1000 * (1 + b % 40) AS duration_ms
    FROM drawn)
SELECT printf('pipe_%d_00%024d', at_ms, n), account_id, template_name, 1,
  'Topic ' || (b % 5000) || ' about ' || iif(n % 50000 = 1, 'archaeopteryx', 'rivers'), status,
  CASE strategy WHEN 0 THEN 'speed_optimized' WHEN 1 THEN 'cost_optimized'
    WHEN 2 THEN 'quality_optimized' ELSE 'balanced' END,
  CASE strategy WHEN 0 THEN 'speed' WHEN 1 THEN 'cost' WHEN 2 THEN 'quality' ELSE 'balanced' END,
  json_object('topic', 'Topic ' || (b % 5000), 'urgency', 'medium', 'use_cache', json('true')),
  json_object('summary', 'What is known of topic ' || (b % 5000)),
  iif(cache_hit, 0, b % 9000), a % 20, a % 150, round(0.5 + a % 5000 / 10000.0, 4), cache_hit,
  duration_ms,
  iif(status = 'paused', 'step `report_generation` waits for a higher budget', NULL), 10000, 7,
  strftime('%Y-%m-%dT%H:%M:%fZ', at_ms / 1000.0, 'unixepoch'),
  strftime('%Y-%m-%dT%H:%M:%fZ', at_ms / 1000.0, 'unixepoch'),
  iif(status = 'paused', NULL,
    strftime('%Y-%m-%dT%H:%M:%fZ', (at_ms + duration_ms) / 1000.0, 'unixepoch')),
  strftime('%Y-%m-%dT%H:%M:%fZ', (at_ms + duration_ms) / 1000.0, 'unixepoch')
FROM made;

-- Each step takes a fifth of its execution's time, one after the other.
INSERT INTO worker_execution_results (
  pipeline_id, step_name, step_order, worker_name, status, success, attempts, failed_attempts,
  execution_time_ms, cost_micro_usd, cache_hit, communication_method, data, started_at,
  completed_at)
WITH steps (step_order, step_name, worker_name) AS (VALUES
  (1, 'content_classification', 'content_classifier'), (2, 'feed_fetching', 'feed_fetcher'),
  (3, 'report_generation', 'report_builder'), (4, 'source_curation', 'rss_librarian'),
  (5, 'topic_research', 'topic_researcher'))
SELECT e.pipeline_id, s.step_name, s.step_order, s.worker_name,
  iif(e.status IN ('failed', 'paused') AND s.step_order = 5, 'failed', 'succeeded'),
  e.status NOT IN ('failed', 'paused') OR s.step_order < 5,
  iif(e.cache_hit, 0, 1 + (e.id % 17 = s.step_order)), e.id % 17 = s.step_order,
  e.total_execution_time_ms / 5, e.total_cost_micro_usd / 5, e.cache_hit, 'service_binding',
  '{"v":{"articles":[]}}',
  strftime('%Y-%m-%dT%H:%M:%fZ', e.started_at,
    '+' || (e.total_execution_time_ms * (s.step_order - 1) / 5 / 1000.0) || ' seconds'),
  strftime('%Y-%m-%dT%H:%M:%fZ', e.started_at,
    '+' || (e.total_execution_time_ms * s.step_order / 5 / 1000.0) || ' seconds')
FROM pipeline_executions AS e CROSS JOIN steps AS s;

INSERT INTO cost_tracking (day, account_id, worker_name, calls, failures, cost_micro_usd)
SELECT substr(s.completed_at, 1, 10), e.account_id, s.worker_name, sum(s.attempts),
  sum(s.failed_attempts), sum(s.cost_micro_usd)
FROM pipeline_executions AS e JOIN worker_execution_results AS s USING (pipeline_id)
GROUP BY 1, 2, 3
ON CONFLICT DO NOTHING;
COMMIT;
