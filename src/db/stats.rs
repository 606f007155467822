//! Counts for administrators, each from an index or a small table.

use serde::Deserialize;

use super::{Database, DbError, Statement, statements};

statements! { "stats":
    /// Executions of the account ?1 that have not ended, by status.
    UNFINISHED_OF = "SELECT status, count(*) AS count
      FROM pipeline_executions INDEXED BY pipeline_executions_by_status
      WHERE account_id = ?1 AND status IN ('pending', 'running', 'waiting', 'paused')
        AND status <> 'completed'
      GROUP BY status";

    /// Executions of all accounts that have not ended, by status.
    UNFINISHED = "SELECT s.value AS status, coalesce(sum((
        SELECT count(*) FROM pipeline_executions AS e INDEXED BY pipeline_executions_by_status
        WHERE e.account_id = a.id AND e.status = s.value AND e.status <> 'completed')), 0) AS count
      FROM json_each('[\"pending\",\"running\",\"waiting\",\"paused\"]') AS s
      CROSS JOIN accounts AS a
      GROUP BY s.value";

    /// What is registered, issued, wrong and archived; ?1 is the account, NULL for all, ?2 now.
    COUNTS = "SELECT
        (SELECT count(*) FROM worker_registry) AS workers,
        (SELECT count(*) FROM worker_registry WHERE is_active = 1) AS workers_active,
        (SELECT count(*) FROM worker_registry
          WHERE is_active = 1 AND health_status = 'healthy') AS workers_healthy,
        (SELECT count(*) FROM worker_registry
          WHERE is_active = 1 AND health_status = 'degraded') AS workers_degraded,
        (SELECT count(*) FROM worker_registry
          WHERE is_active = 1 AND health_status = 'unhealthy') AS workers_unhealthy,
        (SELECT count(*) FROM pipeline_templates) AS templates,
        (SELECT count(*) FROM pipeline_templates WHERE is_active = 1) AS templates_active,
        (SELECT count(*) FROM template_revisions) AS revisions,
        (SELECT count(*) FROM api_keys WHERE (?1 IS NULL OR account_id = ?1)
          AND revoked_at IS NOT NULL) AS keys_revoked,
        (SELECT count(*) FROM api_keys WHERE (?1 IS NULL OR account_id = ?1)
          AND revoked_at IS NULL AND expires_at <= ?2) AS keys_expired,
        (SELECT count(*) FROM api_keys WHERE (?1 IS NULL OR account_id = ?1)
          AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)) AS keys_active,
        (SELECT count(*) FROM performance_alerts WHERE status IN ('open', 'acknowledged')
          AND (?1 IS NULL OR account_id = ?1)) AS alerts_unresolved,
        (SELECT coalesce(sum(executions), 0) FROM archived_accounts
          WHERE ?1 IS NULL OR account_id = ?1) AS archived,
        (SELECT count(*) FROM archive_objects) AS archive_objects,
        (SELECT coalesce(sum(bytes), 0) FROM archive_objects) AS archive_bytes";

    /// Accounts after ?2 that have a limit of money; ?1 is the only one wanted, NULL for all.
    BUDGETED = "SELECT id, daily_budget_micro_usd, monthly_budget_micro_usd FROM accounts
      WHERE (?1 IS NULL OR id = ?1) AND id > ?2
        AND (daily_budget_micro_usd IS NOT NULL OR monthly_budget_micro_usd IS NOT NULL)
      ORDER BY id LIMIT ?3";
}

/// How many executions stand so.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OfStatus {
    /// The status.
    pub status: String,
    /// How many.
    pub count: u64,
}

/// What is registered, issued, wrong and archived.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Counts {
    /// Registered workers.
    pub workers: u64,
    /// Those that may be asked.
    pub workers_active: u64,
    /// Active ones that were found well.
    pub workers_healthy: u64,
    /// Active ones that were found slow or unwell.
    pub workers_degraded: u64,
    /// Active ones that did not answer as they should.
    pub workers_unhealthy: u64,
    /// Templates.
    pub templates: u64,
    /// Those that can be started.
    pub templates_active: u64,
    /// Revisions.
    pub revisions: u64,
    /// Keys that were revoked.
    pub keys_revoked: u64,
    /// Keys whose time is over.
    pub keys_expired: u64,
    /// Keys that are good.
    pub keys_active: u64,
    /// Alerts that are not resolved.
    pub alerts_unresolved: u64,
    /// Archived executions.
    pub archived: u64,
    /// Objects of the archive.
    pub archive_objects: u64,
    /// Their bytes.
    pub archive_bytes: u64,
}

/// An account with a limit of money.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Budgeted {
    /// The account.
    pub id: String,
    /// The limit of a day.
    pub daily_budget_micro_usd: Option<u64>,
    /// The limit of a month.
    pub monthly_budget_micro_usd: Option<u64>,
}

/// The statement of executions that have not ended; its rows are [`OfStatus`].
pub fn unfinished(account: Option<&str>) -> Statement {
    match account {
        Some(account) => UNFINISHED_OF.with(account),
        None => UNFINISHED.statement(),
    }
}

/// The statement of all other counts; its row is [`Counts`].
pub fn counts(account: Option<&str>, now: engine::time::Timestamp) -> Statement {
    COUNTS.with(account).with(now)
}

/// Accounts after `after` that have a limit of money.
pub async fn budgeted(
    db: &impl Database,
    account: Option<&str>,
    after: &str,
    limit: u32,
) -> Result<Vec<Budgeted>, DbError> {
    db.query(BUDGETED.with(account).with(after).with(limit)).await?.decode()
}
