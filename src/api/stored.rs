//! Executions whose journals are retired: as the database has them, or the archive.

use engine::ids::ExecutionId;

use crate::archive::{self, Storage};
use crate::db::executions;
use crate::db::projection::{Facts, Projected};
use crate::error::ApiError;
use crate::request::RequestContext;

/// The execution as it was last projected, whatever account it belongs to.
pub async fn find(
    context: &RequestContext,
    id: &ExecutionId,
) -> Result<Option<Projected>, ApiError> {
    let database = context.database()?;
    if let Some((execution, steps)) = executions::by_pipeline_id(&database, id.as_str()).await? {
        return Ok(Some(Projected {
            execution,
            steps,
            facts: Facts::default(),
            artifacts: Vec::new(),
            tasks: Vec::new(),
        }));
    }
    let storage = Storage::new(context.bindings(), context.config().journal_shards);
    Ok(archive::find(&database, &storage, id.as_str()).await?)
}
