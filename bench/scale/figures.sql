-- The figures of the data set, counted from its rows by SQL alone: what projections and folds would have
-- made of them. Five minutes for the last three days, hours for the last 92.
BEGIN;
INSERT INTO execution_rollups (
  account_id, grain, bucket, template_name, execution_strategy,
  completed, partial, failed, cancelled, cache_hits, cost_micro_usd, quality_sum_bp,
  quality_count, timed, duration_ms, d00, d01, d02, d03, d04, d05, d06, d07, d08, d09, d10, d11,
  d12, d13, d14, d15, d16, d17, d18, d19, d20, d21, d22, d23, d24, d25, d26, d27, d28, d29, d30,
  d31, d32, d33, d34, d35, d36, d37, d38, d39, d40, d41, d42, d43, d44, d45, d46, d47, d48, d49,
  d50, d51)
SELECT account_id, 'five_minutes', strftime('%Y-%m-%dT%H:%M:00.000Z', unixepoch(completed_at) / 300 * 300, 'unixepoch'), template_name, execution_strategy,
  sum(status = 'completed'), sum(status = 'partial'), sum(status = 'failed'),
  sum(status = 'cancelled'), sum(cache_hit), sum(total_cost_micro_usd),
  sum(CAST(round(final_quality_score * 10000) AS INTEGER)), count(final_quality_score),
  sum(status IN ('completed', 'partial')),
  sum(iif(status IN ('completed', 'partial'), total_execution_time_ms, 0)),
  sum(timed AND ms < 10), sum(timed AND ms >= 10 AND ms < 12),
  sum(timed AND ms >= 12 AND ms < 16), sum(timed AND ms >= 16 AND ms < 20),
  sum(timed AND ms >= 20 AND ms < 24), sum(timed AND ms >= 24 AND ms < 31),
  sum(timed AND ms >= 31 AND ms < 38), sum(timed AND ms >= 38 AND ms < 48),
  sum(timed AND ms >= 48 AND ms < 60), sum(timed AND ms >= 60 AND ms < 75),
  sum(timed AND ms >= 75 AND ms < 93), sum(timed AND ms >= 93 AND ms < 116),
  sum(timed AND ms >= 116 AND ms < 146), sum(timed AND ms >= 146 AND ms < 182),
  sum(timed AND ms >= 182 AND ms < 227), sum(timed AND ms >= 227 AND ms < 284),
  sum(timed AND ms >= 284 AND ms < 355), sum(timed AND ms >= 355 AND ms < 444),
  sum(timed AND ms >= 444 AND ms < 555), sum(timed AND ms >= 555 AND ms < 694),
  sum(timed AND ms >= 694 AND ms < 867), sum(timed AND ms >= 867 AND ms < 1084),
  sum(timed AND ms >= 1084 AND ms < 1355), sum(timed AND ms >= 1355 AND ms < 1694),
  sum(timed AND ms >= 1694 AND ms < 2118), sum(timed AND ms >= 2118 AND ms < 2647),
  sum(timed AND ms >= 2647 AND ms < 3309), sum(timed AND ms >= 3309 AND ms < 4136),
  sum(timed AND ms >= 4136 AND ms < 5170), sum(timed AND ms >= 5170 AND ms < 6462),
  sum(timed AND ms >= 6462 AND ms < 8078), sum(timed AND ms >= 8078 AND ms < 10097),
  sum(timed AND ms >= 10097 AND ms < 12622), sum(timed AND ms >= 12622 AND ms < 15777),
  sum(timed AND ms >= 15777 AND ms < 19722), sum(timed AND ms >= 19722 AND ms < 24652),
  sum(timed AND ms >= 24652 AND ms < 30815), sum(timed AND ms >= 30815 AND ms < 38519),
  sum(timed AND ms >= 38519 AND ms < 48148), sum(timed AND ms >= 48148 AND ms < 60185),
  sum(timed AND ms >= 60185 AND ms < 75232), sum(timed AND ms >= 75232 AND ms < 94040),
  sum(timed AND ms >= 94040 AND ms < 117549), sum(timed AND ms >= 117549 AND ms < 146937),
  sum(timed AND ms >= 146937 AND ms < 183671), sum(timed AND ms >= 183671 AND ms < 229589),
  sum(timed AND ms >= 229589 AND ms < 286986), sum(timed AND ms >= 286986 AND ms < 358732),
  sum(timed AND ms >= 358732 AND ms < 448416), sum(timed AND ms >= 448416 AND ms < 560519),
  sum(timed AND ms >= 560519 AND ms < 700649), sum(timed AND ms >= 700649)
FROM (SELECT *, status IN ('completed', 'partial') AS timed, total_execution_time_ms AS ms FROM pipeline_executions)
WHERE status IN ('completed', 'partial', 'failed', 'cancelled')
  AND completed_at >= strftime('%Y-%m-%dT%H:%M:%fZ', :now_s - 3 * 86400, 'unixepoch')
GROUP BY 1, 3, 4, 5;

INSERT INTO execution_rollups (
  account_id, grain, bucket, template_name, execution_strategy,
  completed, partial, failed, cancelled, cache_hits, cost_micro_usd, quality_sum_bp,
  quality_count, timed, duration_ms, d00, d01, d02, d03, d04, d05, d06, d07, d08, d09, d10, d11,
  d12, d13, d14, d15, d16, d17, d18, d19, d20, d21, d22, d23, d24, d25, d26, d27, d28, d29, d30,
  d31, d32, d33, d34, d35, d36, d37, d38, d39, d40, d41, d42, d43, d44, d45, d46, d47, d48, d49,
  d50, d51)
SELECT account_id, 'hour', substr(completed_at, 1, 13) || ':00:00.000Z', template_name, execution_strategy,
  sum(status = 'completed'), sum(status = 'partial'), sum(status = 'failed'),
  sum(status = 'cancelled'), sum(cache_hit), sum(total_cost_micro_usd),
  sum(CAST(round(final_quality_score * 10000) AS INTEGER)), count(final_quality_score),
  sum(status IN ('completed', 'partial')),
  sum(iif(status IN ('completed', 'partial'), total_execution_time_ms, 0)),
  sum(timed AND ms < 10), sum(timed AND ms >= 10 AND ms < 12),
  sum(timed AND ms >= 12 AND ms < 16), sum(timed AND ms >= 16 AND ms < 20),
  sum(timed AND ms >= 20 AND ms < 24), sum(timed AND ms >= 24 AND ms < 31),
  sum(timed AND ms >= 31 AND ms < 38), sum(timed AND ms >= 38 AND ms < 48),
  sum(timed AND ms >= 48 AND ms < 60), sum(timed AND ms >= 60 AND ms < 75),
  sum(timed AND ms >= 75 AND ms < 93), sum(timed AND ms >= 93 AND ms < 116),
  sum(timed AND ms >= 116 AND ms < 146), sum(timed AND ms >= 146 AND ms < 182),
  sum(timed AND ms >= 182 AND ms < 227), sum(timed AND ms >= 227 AND ms < 284),
  sum(timed AND ms >= 284 AND ms < 355), sum(timed AND ms >= 355 AND ms < 444),
  sum(timed AND ms >= 444 AND ms < 555), sum(timed AND ms >= 555 AND ms < 694),
  sum(timed AND ms >= 694 AND ms < 867), sum(timed AND ms >= 867 AND ms < 1084),
  sum(timed AND ms >= 1084 AND ms < 1355), sum(timed AND ms >= 1355 AND ms < 1694),
  sum(timed AND ms >= 1694 AND ms < 2118), sum(timed AND ms >= 2118 AND ms < 2647),
  sum(timed AND ms >= 2647 AND ms < 3309), sum(timed AND ms >= 3309 AND ms < 4136),
  sum(timed AND ms >= 4136 AND ms < 5170), sum(timed AND ms >= 5170 AND ms < 6462),
  sum(timed AND ms >= 6462 AND ms < 8078), sum(timed AND ms >= 8078 AND ms < 10097),
  sum(timed AND ms >= 10097 AND ms < 12622), sum(timed AND ms >= 12622 AND ms < 15777),
  sum(timed AND ms >= 15777 AND ms < 19722), sum(timed AND ms >= 19722 AND ms < 24652),
  sum(timed AND ms >= 24652 AND ms < 30815), sum(timed AND ms >= 30815 AND ms < 38519),
  sum(timed AND ms >= 38519 AND ms < 48148), sum(timed AND ms >= 48148 AND ms < 60185),
  sum(timed AND ms >= 60185 AND ms < 75232), sum(timed AND ms >= 75232 AND ms < 94040),
  sum(timed AND ms >= 94040 AND ms < 117549), sum(timed AND ms >= 117549 AND ms < 146937),
  sum(timed AND ms >= 146937 AND ms < 183671), sum(timed AND ms >= 183671 AND ms < 229589),
  sum(timed AND ms >= 229589 AND ms < 286986), sum(timed AND ms >= 286986 AND ms < 358732),
  sum(timed AND ms >= 358732 AND ms < 448416), sum(timed AND ms >= 448416 AND ms < 560519),
  sum(timed AND ms >= 560519 AND ms < 700649), sum(timed AND ms >= 700649)
FROM (SELECT *, status IN ('completed', 'partial') AS timed, total_execution_time_ms AS ms FROM pipeline_executions)
WHERE status IN ('completed', 'partial', 'failed', 'cancelled')
GROUP BY 1, 3, 4, 5;

INSERT INTO execution_rollups (
  account_id, grain, bucket, template_name, execution_strategy,
  completed, partial, failed, cancelled, cache_hits, cost_micro_usd, quality_sum_bp,
  quality_count, timed, duration_ms, d00, d01, d02, d03, d04, d05, d06, d07, d08, d09, d10, d11,
  d12, d13, d14, d15, d16, d17, d18, d19, d20, d21, d22, d23, d24, d25, d26, d27, d28, d29, d30,
  d31, d32, d33, d34, d35, d36, d37, d38, d39, d40, d41, d42, d43, d44, d45, d46, d47, d48, d49,
  d50, d51)
SELECT account_id, 'day', substr(bucket, 1, 10) || 'T00:00:00.000Z', template_name, execution_strategy,
  sum(completed), sum(partial), sum(failed), sum(cancelled), sum(cache_hits),
  sum(cost_micro_usd), sum(quality_sum_bp), sum(quality_count), sum(timed), sum(duration_ms),
  sum(d00), sum(d01), sum(d02), sum(d03), sum(d04), sum(d05), sum(d06), sum(d07), sum(d08),
  sum(d09), sum(d10), sum(d11), sum(d12), sum(d13), sum(d14), sum(d15), sum(d16), sum(d17),
  sum(d18), sum(d19), sum(d20), sum(d21), sum(d22), sum(d23), sum(d24), sum(d25), sum(d26),
  sum(d27), sum(d28), sum(d29), sum(d30), sum(d31), sum(d32), sum(d33), sum(d34), sum(d35),
  sum(d36), sum(d37), sum(d38), sum(d39), sum(d40), sum(d41), sum(d42), sum(d43), sum(d44),
  sum(d45), sum(d46), sum(d47), sum(d48), sum(d49), sum(d50), sum(d51)
FROM execution_rollups WHERE grain = 'hour'
GROUP BY 1, 3, 4, 5;

INSERT INTO execution_rollups (
  account_id, grain, bucket, template_name, execution_strategy,
  completed, partial, failed, cancelled, cache_hits, cost_micro_usd, quality_sum_bp,
  quality_count, timed, duration_ms, d00, d01, d02, d03, d04, d05, d06, d07, d08, d09, d10, d11,
  d12, d13, d14, d15, d16, d17, d18, d19, d20, d21, d22, d23, d24, d25, d26, d27, d28, d29, d30,
  d31, d32, d33, d34, d35, d36, d37, d38, d39, d40, d41, d42, d43, d44, d45, d46, d47, d48, d49,
  d50, d51)
SELECT account_id, 'all', '1970-01-01T00:00:00.000Z', template_name, execution_strategy,
  sum(completed), sum(partial), sum(failed), sum(cancelled), sum(cache_hits),
  sum(cost_micro_usd), sum(quality_sum_bp), sum(quality_count), sum(timed), sum(duration_ms),
  sum(d00), sum(d01), sum(d02), sum(d03), sum(d04), sum(d05), sum(d06), sum(d07), sum(d08),
  sum(d09), sum(d10), sum(d11), sum(d12), sum(d13), sum(d14), sum(d15), sum(d16), sum(d17),
  sum(d18), sum(d19), sum(d20), sum(d21), sum(d22), sum(d23), sum(d24), sum(d25), sum(d26),
  sum(d27), sum(d28), sum(d29), sum(d30), sum(d31), sum(d32), sum(d33), sum(d34), sum(d35),
  sum(d36), sum(d37), sum(d38), sum(d39), sum(d40), sum(d41), sum(d42), sum(d43), sum(d44),
  sum(d45), sum(d46), sum(d47), sum(d48), sum(d49), sum(d50), sum(d51)
FROM execution_rollups WHERE grain = 'day'
GROUP BY 1, 3, 4, 5;

INSERT INTO step_rollups (
  account_id, grain, bucket, worker_name, template_name, step_name,
  succeeded, failed, skipped, cancelled, compensated, attempts, failed_attempts, retried,
  cache_hits, cost_micro_usd, timed, duration_ms, d00, d01, d02, d03, d04, d05, d06, d07, d08,
  d09, d10, d11, d12, d13, d14, d15, d16, d17, d18, d19, d20, d21, d22, d23, d24, d25, d26, d27,
  d28, d29, d30, d31, d32, d33, d34, d35, d36, d37, d38, d39, d40, d41, d42, d43, d44, d45, d46,
  d47, d48, d49, d50, d51)
SELECT account_id, 'five_minutes', strftime('%Y-%m-%dT%H:%M:00.000Z', unixepoch(completed_at) / 300 * 300, 'unixepoch'), worker_name, template_name, step_name,
  sum(status = 'succeeded'), sum(status = 'failed'), 0, 0, 0, sum(attempts),
  sum(failed_attempts), sum(attempts > 1), sum(cache_hit), sum(cost_micro_usd), sum(timed),
  sum(iif(timed, ms, 0)), sum(timed AND ms < 10), sum(timed AND ms >= 10 AND ms < 12),
  sum(timed AND ms >= 12 AND ms < 16), sum(timed AND ms >= 16 AND ms < 20),
  sum(timed AND ms >= 20 AND ms < 24), sum(timed AND ms >= 24 AND ms < 31),
  sum(timed AND ms >= 31 AND ms < 38), sum(timed AND ms >= 38 AND ms < 48),
  sum(timed AND ms >= 48 AND ms < 60), sum(timed AND ms >= 60 AND ms < 75),
  sum(timed AND ms >= 75 AND ms < 93), sum(timed AND ms >= 93 AND ms < 116),
  sum(timed AND ms >= 116 AND ms < 146), sum(timed AND ms >= 146 AND ms < 182),
  sum(timed AND ms >= 182 AND ms < 227), sum(timed AND ms >= 227 AND ms < 284),
  sum(timed AND ms >= 284 AND ms < 355), sum(timed AND ms >= 355 AND ms < 444),
  sum(timed AND ms >= 444 AND ms < 555), sum(timed AND ms >= 555 AND ms < 694),
  sum(timed AND ms >= 694 AND ms < 867), sum(timed AND ms >= 867 AND ms < 1084),
  sum(timed AND ms >= 1084 AND ms < 1355), sum(timed AND ms >= 1355 AND ms < 1694),
  sum(timed AND ms >= 1694 AND ms < 2118), sum(timed AND ms >= 2118 AND ms < 2647),
  sum(timed AND ms >= 2647 AND ms < 3309), sum(timed AND ms >= 3309 AND ms < 4136),
  sum(timed AND ms >= 4136 AND ms < 5170), sum(timed AND ms >= 5170 AND ms < 6462),
  sum(timed AND ms >= 6462 AND ms < 8078), sum(timed AND ms >= 8078 AND ms < 10097),
  sum(timed AND ms >= 10097 AND ms < 12622), sum(timed AND ms >= 12622 AND ms < 15777),
  sum(timed AND ms >= 15777 AND ms < 19722), sum(timed AND ms >= 19722 AND ms < 24652),
  sum(timed AND ms >= 24652 AND ms < 30815), sum(timed AND ms >= 30815 AND ms < 38519),
  sum(timed AND ms >= 38519 AND ms < 48148), sum(timed AND ms >= 48148 AND ms < 60185),
  sum(timed AND ms >= 60185 AND ms < 75232), sum(timed AND ms >= 75232 AND ms < 94040),
  sum(timed AND ms >= 94040 AND ms < 117549), sum(timed AND ms >= 117549 AND ms < 146937),
  sum(timed AND ms >= 146937 AND ms < 183671), sum(timed AND ms >= 183671 AND ms < 229589),
  sum(timed AND ms >= 229589 AND ms < 286986), sum(timed AND ms >= 286986 AND ms < 358732),
  sum(timed AND ms >= 358732 AND ms < 448416), sum(timed AND ms >= 448416 AND ms < 560519),
  sum(timed AND ms >= 560519 AND ms < 700649), sum(timed AND ms >= 700649)
FROM (
  SELECT s.*, e.account_id, e.template_name, s.status = 'succeeded' AND s.cache_hit = 0 AS timed,
    s.execution_time_ms AS ms
  FROM pipeline_executions AS e JOIN worker_execution_results AS s USING (pipeline_id))
WHERE true
  AND completed_at >= strftime('%Y-%m-%dT%H:%M:%fZ', :now_s - 3 * 86400, 'unixepoch')
GROUP BY 1, 3, 4, 5, 6;

INSERT INTO step_rollups (
  account_id, grain, bucket, worker_name, template_name, step_name,
  succeeded, failed, skipped, cancelled, compensated, attempts, failed_attempts, retried,
  cache_hits, cost_micro_usd, timed, duration_ms, d00, d01, d02, d03, d04, d05, d06, d07, d08,
  d09, d10, d11, d12, d13, d14, d15, d16, d17, d18, d19, d20, d21, d22, d23, d24, d25, d26, d27,
  d28, d29, d30, d31, d32, d33, d34, d35, d36, d37, d38, d39, d40, d41, d42, d43, d44, d45, d46,
  d47, d48, d49, d50, d51)
SELECT account_id, 'hour', substr(completed_at, 1, 13) || ':00:00.000Z', worker_name, template_name, step_name,
  sum(status = 'succeeded'), sum(status = 'failed'), 0, 0, 0, sum(attempts),
  sum(failed_attempts), sum(attempts > 1), sum(cache_hit), sum(cost_micro_usd), sum(timed),
  sum(iif(timed, ms, 0)), sum(timed AND ms < 10), sum(timed AND ms >= 10 AND ms < 12),
  sum(timed AND ms >= 12 AND ms < 16), sum(timed AND ms >= 16 AND ms < 20),
  sum(timed AND ms >= 20 AND ms < 24), sum(timed AND ms >= 24 AND ms < 31),
  sum(timed AND ms >= 31 AND ms < 38), sum(timed AND ms >= 38 AND ms < 48),
  sum(timed AND ms >= 48 AND ms < 60), sum(timed AND ms >= 60 AND ms < 75),
  sum(timed AND ms >= 75 AND ms < 93), sum(timed AND ms >= 93 AND ms < 116),
  sum(timed AND ms >= 116 AND ms < 146), sum(timed AND ms >= 146 AND ms < 182),
  sum(timed AND ms >= 182 AND ms < 227), sum(timed AND ms >= 227 AND ms < 284),
  sum(timed AND ms >= 284 AND ms < 355), sum(timed AND ms >= 355 AND ms < 444),
  sum(timed AND ms >= 444 AND ms < 555), sum(timed AND ms >= 555 AND ms < 694),
  sum(timed AND ms >= 694 AND ms < 867), sum(timed AND ms >= 867 AND ms < 1084),
  sum(timed AND ms >= 1084 AND ms < 1355), sum(timed AND ms >= 1355 AND ms < 1694),
  sum(timed AND ms >= 1694 AND ms < 2118), sum(timed AND ms >= 2118 AND ms < 2647),
  sum(timed AND ms >= 2647 AND ms < 3309), sum(timed AND ms >= 3309 AND ms < 4136),
  sum(timed AND ms >= 4136 AND ms < 5170), sum(timed AND ms >= 5170 AND ms < 6462),
  sum(timed AND ms >= 6462 AND ms < 8078), sum(timed AND ms >= 8078 AND ms < 10097),
  sum(timed AND ms >= 10097 AND ms < 12622), sum(timed AND ms >= 12622 AND ms < 15777),
  sum(timed AND ms >= 15777 AND ms < 19722), sum(timed AND ms >= 19722 AND ms < 24652),
  sum(timed AND ms >= 24652 AND ms < 30815), sum(timed AND ms >= 30815 AND ms < 38519),
  sum(timed AND ms >= 38519 AND ms < 48148), sum(timed AND ms >= 48148 AND ms < 60185),
  sum(timed AND ms >= 60185 AND ms < 75232), sum(timed AND ms >= 75232 AND ms < 94040),
  sum(timed AND ms >= 94040 AND ms < 117549), sum(timed AND ms >= 117549 AND ms < 146937),
  sum(timed AND ms >= 146937 AND ms < 183671), sum(timed AND ms >= 183671 AND ms < 229589),
  sum(timed AND ms >= 229589 AND ms < 286986), sum(timed AND ms >= 286986 AND ms < 358732),
  sum(timed AND ms >= 358732 AND ms < 448416), sum(timed AND ms >= 448416 AND ms < 560519),
  sum(timed AND ms >= 560519 AND ms < 700649), sum(timed AND ms >= 700649)
FROM (
  SELECT s.*, e.account_id, e.template_name, s.status = 'succeeded' AND s.cache_hit = 0 AS timed,
    s.execution_time_ms AS ms
  FROM pipeline_executions AS e JOIN worker_execution_results AS s USING (pipeline_id))
WHERE true
GROUP BY 1, 3, 4, 5, 6;

INSERT INTO step_rollups (
  account_id, grain, bucket, worker_name, template_name, step_name,
  succeeded, failed, skipped, cancelled, compensated, attempts, failed_attempts, retried,
  cache_hits, cost_micro_usd, timed, duration_ms, d00, d01, d02, d03, d04, d05, d06, d07, d08,
  d09, d10, d11, d12, d13, d14, d15, d16, d17, d18, d19, d20, d21, d22, d23, d24, d25, d26, d27,
  d28, d29, d30, d31, d32, d33, d34, d35, d36, d37, d38, d39, d40, d41, d42, d43, d44, d45, d46,
  d47, d48, d49, d50, d51)
SELECT account_id, 'day', substr(bucket, 1, 10) || 'T00:00:00.000Z', worker_name, template_name, step_name,
  sum(succeeded), sum(failed), sum(skipped), sum(cancelled), sum(compensated), sum(attempts),
  sum(failed_attempts), sum(retried), sum(cache_hits), sum(cost_micro_usd), sum(timed),
  sum(duration_ms), sum(d00), sum(d01), sum(d02), sum(d03), sum(d04), sum(d05), sum(d06),
  sum(d07), sum(d08), sum(d09), sum(d10), sum(d11), sum(d12), sum(d13), sum(d14), sum(d15),
  sum(d16), sum(d17), sum(d18), sum(d19), sum(d20), sum(d21), sum(d22), sum(d23), sum(d24),
  sum(d25), sum(d26), sum(d27), sum(d28), sum(d29), sum(d30), sum(d31), sum(d32), sum(d33),
  sum(d34), sum(d35), sum(d36), sum(d37), sum(d38), sum(d39), sum(d40), sum(d41), sum(d42),
  sum(d43), sum(d44), sum(d45), sum(d46), sum(d47), sum(d48), sum(d49), sum(d50), sum(d51)
FROM step_rollups WHERE grain = 'hour'
GROUP BY 1, 3, 4, 5, 6;

INSERT INTO step_rollups (
  account_id, grain, bucket, worker_name, template_name, step_name,
  succeeded, failed, skipped, cancelled, compensated, attempts, failed_attempts, retried,
  cache_hits, cost_micro_usd, timed, duration_ms, d00, d01, d02, d03, d04, d05, d06, d07, d08,
  d09, d10, d11, d12, d13, d14, d15, d16, d17, d18, d19, d20, d21, d22, d23, d24, d25, d26, d27,
  d28, d29, d30, d31, d32, d33, d34, d35, d36, d37, d38, d39, d40, d41, d42, d43, d44, d45, d46,
  d47, d48, d49, d50, d51)
SELECT account_id, 'all', '1970-01-01T00:00:00.000Z', worker_name, template_name, step_name,
  sum(succeeded), sum(failed), sum(skipped), sum(cancelled), sum(compensated), sum(attempts),
  sum(failed_attempts), sum(retried), sum(cache_hits), sum(cost_micro_usd), sum(timed),
  sum(duration_ms), sum(d00), sum(d01), sum(d02), sum(d03), sum(d04), sum(d05), sum(d06),
  sum(d07), sum(d08), sum(d09), sum(d10), sum(d11), sum(d12), sum(d13), sum(d14), sum(d15),
  sum(d16), sum(d17), sum(d18), sum(d19), sum(d20), sum(d21), sum(d22), sum(d23), sum(d24),
  sum(d25), sum(d26), sum(d27), sum(d28), sum(d29), sum(d30), sum(d31), sum(d32), sum(d33),
  sum(d34), sum(d35), sum(d36), sum(d37), sum(d38), sum(d39), sum(d40), sum(d41), sum(d42),
  sum(d43), sum(d44), sum(d45), sum(d46), sum(d47), sum(d48), sum(d49), sum(d50), sum(d51)
FROM step_rollups WHERE grain = 'day'
GROUP BY 1, 3, 4, 5, 6;
COMMIT;
PRAGMA optimize;
