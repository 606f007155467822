-- The templates of the benchmark, and the two workers that their steps call: `inside` is bound to
-- the orchestrator and answers within the same runtime, `outside` is reached by :url. Both answer
-- with what they were asked, which is the next step's input.

INSERT INTO worker_registry (
  worker_name, display_name, service_binding, base_url, endpoints, estimated_cost_usd, timeout_ms)
VALUES
  ('inside', 'Echo over a service binding', 'TOPIC_RESEARCHER', NULL, '["/echo"]', 0, 20000),
  ('outside', 'Echo by URL', NULL, ':url', '["/echo"]', 0, 20000);

INSERT INTO pipeline_templates (name, display_name, description, input_schema)
SELECT value, value, 'A template of the benchmark', '{"type":"object"}'
FROM json_each('["five","fan","five_by_url","hundred","thousand"]');

INSERT INTO pipeline_steps (
  template_name, step_order, step_name, worker_name, depends_on_steps, input_mapping,
  output_mapping)
SELECT
  template.value, n.value, 's' || n.value, iif(template.key = 0, 'inside', 'outside'),
  iif(n.value = 1, '[]', json_array('s' || (n.value - 1))),
  '{"run":"$.run","step":' || n.value || ',"data":"$.data"}', '{"data":"$.data"}'
FROM json_each('["five","five_by_url"]') AS template, json_each('[1,2,3,4,5]') AS n;

INSERT INTO pipeline_steps (
  template_name, step_order, step_name, worker_name, depends_on_steps, input_mapping,
  output_mapping)
SELECT
  'fan', n.value, 's' || n.value, 'inside',
  CASE n.value WHEN 1 THEN '[]' WHEN 5 THEN '["s2","s3","s4"]' ELSE '["s1"]' END,
  '{"run":"$.run","step":' || n.value || ',"data":"$.data"}',
  iif(n.value IN (1, 2, 5), '{"data":"$.data"}', '{"step_' || n.value || '":"$.data"}')
FROM json_each('[1,2,3,4,5]') AS n;

INSERT INTO pipeline_steps (
  template_name, step_order, step_name, kind, worker_name, depends_on_steps, input_mapping, config)
VALUES
  ('hundred', 1, 'numbers', 'transform', NULL, '[]',
    '{"numbers":"=flatten([0,10,20,30,40,50,60,70,80,90].map(a, [0,1,2,3,4,5,6,7,8,9].map(b, a + b)))"}',
    NULL),
  ('hundred', 2, 'each', 'map', 'inside', '["numbers"]', '{"n":"=item"}', '{"items":"$.numbers"}');

WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000)
INSERT INTO pipeline_steps (
  template_name, step_order, step_name, worker_name, depends_on_steps, input_mapping,
  output_mapping)
SELECT
  'thousand', n, 's' || n, 'inside', iif(n = 1, '[]', json_array('s' || (n - 1))),
  '{"run":"$.run","step":' || n || ',"data":"$.data"}', '{"data":"$.data"}'
FROM n;
