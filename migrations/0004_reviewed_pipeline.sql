-- A template that waits for a person: `reviewed_intelligence_pipeline`. It is added where there is
-- none of this name, and its steps where it has none, so what an operator edited stays as it is.

-- Its review may take three days, during which it holds no place and costs nothing. What a person
-- has decided is decided for that one execution: no result of it is served to another.
INSERT INTO pipeline_templates (
  name, display_name, description, category, allow_parallel, failure_tolerance, input_schema,
  output_mapping, cache_ttl_seconds, estimated_cost_usd, estimated_time_ms
) VALUES (
  'reviewed_intelligence_pipeline', 'Reviewed intelligence pipeline',
  'As the RSS intelligence pipeline, but a person approves the classified articles before the '
    || 'report is written.',
  'rss_intelligence', 1, 'partial',
  '{"type":"object","properties":{
     "report_type":{"enum":["executive","detailed","brief"]},
     "report_format":{"enum":["html","markdown","both"]},
     "min_relevance":{"type":"number","minimum":0,"maximum":1}}}',
  '{"report":"=has(data.report) ? data.report : null",
    "summary":"=has(data.summary) ? data.summary : null",
    "key_findings":"=has(data.key_findings) ? data.key_findings : []",
    "artifact":"=has(data.artifact) ? data.artifact : null",
    "insights":"=has(data.insights) ? data.insights : null",
    "angles":"=has(data.angles) ? data.angles : []",
    "sources":"=has(data.sources) ? data.sources : []",
    "review":"=has(data.review) ? data.review : null"}',
  0, 0.0, 15000
)
ON CONFLICT DO NOTHING;

INSERT INTO pipeline_steps (
  template_name, step_order, step_name, kind, worker_name, endpoint, depends_on_steps, condition,
  input_mapping, output_mapping, is_optional, timeout_ms, config
)
WITH steps (
  step_order, step_name, kind, worker_name, endpoint, depends_on_steps, condition, input_mapping,
  output_mapping, is_optional, timeout_ms, config
) AS (VALUES
  (1, 'topic_research', 'worker', 'topic_researcher', '/research', '[]', NULL,
   '{"topic":"$.topic","depth":"=request.source_discovery_depth",
     "min_quality":"=request.min_quality"}',
   '{"researched_sources":"$.sources","angles":"$.angles"}', 0, 20000, NULL),
  (1, 'source_curation', 'worker', 'rss_librarian', '/sources', '[]', NULL,
   '{"topic":"$.topic","max_feeds":20}',
   '{"curated_sources":"$.sources"}', 1, 20000, NULL),
  (2, 'merge_sources', 'transform', NULL, NULL, '["topic_research","source_curation"]', NULL,
   '{"sources":"=distinct_by(concat('
     || 'has(data.researched_sources) ? data.researched_sources : [], '
     || 'has(data.curated_sources) ? data.curated_sources : []), ''url'')"}',
   NULL, 0, NULL, NULL),
  (3, 'feed_fetching', 'worker', 'feed_fetcher', '/fetch', '["merge_sources"]',
   '{"sources_available": "> 0"}',
   '{"feed_urls":"=take(data.sources, 20).map(source, source.url)",
     "max_articles":"=request.max_articles"}',
   '{"articles":"$.articles","feeds":"$.feeds"}', 0, 20000, NULL),
  (4, 'content_classification', 'worker', 'content_classifier', '/analyze', '["feed_fetching"]',
   '{"articles_available": "> 0"}',
   '{"topic":"$.topic","articles":"=data.articles",
     "min_relevance":"=has(data.min_relevance) ? data.min_relevance : 0.1"}',
   '{"analyzed_articles":"$.analyzed_articles","insights":"$.insights",
     "quality_score":"$.quality_score"}', 0, 20000, NULL),
  (5, 'review', 'wait', NULL, NULL, '["content_classification"]',
   '{"analyzed_articles_available": "> 0"}', NULL, '{"review":"$"}', 0, NULL,
   '{"approval":true,"timeout_ms":259200000}'),
  (6, 'report_generation', 'worker', 'report_builder', '/generate', '["review"]',
   '{"analyzed_articles_available": "> 0"}',
   '{"topic":"$.topic","articles":"=data.analyzed_articles","insights":"=data.insights",
     "angles":"=has(data.angles) ? data.angles : []",
     "report_type":"=has(data.report_type) ? data.report_type : ''executive''",
     "format":"=has(data.report_format) ? data.report_format : ''both''"}',
   '{"report":"$.report","summary":"$.summary","key_findings":"$.key_findings",
     "artifact":"$.artifact"}', 0, 20000, NULL)
)
SELECT 'reviewed_intelligence_pipeline', steps.* FROM steps
WHERE EXISTS (SELECT 1 FROM pipeline_templates WHERE name = 'reviewed_intelligence_pipeline')
  AND NOT EXISTS (
    SELECT 1 FROM pipeline_steps WHERE template_name = 'reviewed_intelligence_pipeline');

INSERT INTO schema_version (version, name) VALUES (4, '0004_reviewed_pipeline')
ON CONFLICT DO NOTHING;
