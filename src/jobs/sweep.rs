//! The cron's part: jobs whose request was cut off between their row and its answer. Those whose
//! execution began are seen from then on; the others never were, and go.

use engine::time::{Millis, Timestamp};
use serde_json::json;

use super::make::{begun, has_begun};
use crate::clock::now;
use crate::db::jobs::{self, Job};
use crate::db::{D1, iso};
use crate::driver::Site;
use crate::error::ApiError;
use crate::log::{self, Level};

/// Younger ones may be on their way.
const CUT_OFF_AFTER: Millis = Millis::from_secs(60);
/// Older ones are not: no request lives so long.
const LOST_AFTER: Millis = Millis::from_secs(600);
/// The most that one sweep looks at.
const JOBS_MAX: u32 = 50;

/// Looks at jobs that were cut off. What fails is tried again by the next sweep.
pub async fn sweep_if_due(site: &Site) {
    let swept = swept(site).await;
    let fields = match swept {
        Ok((0, 0)) => return,
        Ok((begun, lost)) => json!({ "event": "jobs.swept", "begun": begun, "lost": lost }),
        Err(error) => {
            let error = error.cause().unwrap_or(error.code().as_str()).to_owned();
            json!({ "event": "jobs.sweep_failed", "error": error })
        }
    };
    log::write(Level::Warn, fields);
}

async fn swept(site: &Site) -> Result<(u32, u32), ApiError> {
    let database = D1::new(site.bindings.database()?);
    let at = now();
    let (mut seen, mut lost) = (0, 0);
    for job in jobs::cut_off(&database, before(at, CUT_OFF_AFTER), JOBS_MAX).await? {
        if has_begun(site, &job).await? {
            begun(&database, &job.id).await?;
            seen += 1;
        } else if is_lost(&job, at) {
            jobs::forget(&database, &job.id).await?;
            lost += 1;
        }
    }
    Ok((seen, lost))
}

fn is_lost(job: &Job, at: Timestamp) -> bool {
    job.created_at < iso(before(at, LOST_AFTER))
}

fn before(at: Timestamp, length: Millis) -> Timestamp {
    Timestamp::from_millis(at.as_millis().saturating_sub_unsigned(length.get()))
}
