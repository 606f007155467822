//! The artifacts that tools made for executions. They are recorded with the projection that first
//! sees the record in which their step succeeded, and never again: what a person removes later
//! stays removed.

use serde_json::Value;

use super::{Database, DbError, Statement, statements};

statements! { "execution_artifacts":
    /// ?1 is a JSON array of artifacts, keyed by column, each with the number of the record that
    /// brought it. A tool that is gone is left out.
    RECORD = "INSERT INTO artifacts (artifact_id, account_id, file_name, mime_type,
        storage_pointer, size_bytes, created_by_tool_id, pipeline_id, step)
      SELECT n.value ->> 'artifact_id', a.id, n.value ->> 'file_name', n.value ->> 'mime_type',
        n.value ->> 'storage_pointer', n.value ->> 'size_bytes',
        (SELECT t.tool_id FROM tools AS t WHERE t.tool_id = n.value ->> 'tool_id'),
        n.value ->> 'pipeline_id', n.value ->> 'step'
      FROM json_each(?1) AS n
      JOIN accounts AS a ON a.id = n.value ->> 'account_id'
      WHERE NOT EXISTS (
        SELECT 1 FROM pipeline_executions AS e
        WHERE e.pipeline_id = n.value ->> 'pipeline_id'
          AND e.journal_seq >= n.value ->> 'record_seq')
      ON CONFLICT (artifact_id) DO NOTHING";
}

/// The statement that records artifacts; it must come before their execution's row is written.
pub fn record(artifacts: &Value) -> Statement {
    RECORD.with(artifacts)
}

/// Records artifacts at once. The projection finds them there.
pub async fn record_now(db: &impl Database, artifacts: &Value) -> Result<(), DbError> {
    db.query(record(artifacts)).await?;
    Ok(())
}
