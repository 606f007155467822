//! A row of the journal's SQLite, read from left to right into what the engine knows.

use engine::ids::{Epoch, ExecutionId, InboxSeq, Seq};
use engine::shard::{ExecutionRow, Phase};
use engine::time::Timestamp;
use worker::SqlStorageValue as Sql;

/// The values of a row, taken from left to right.
pub(super) struct Row(std::vec::IntoIter<Sql>);

impl Row {
    pub(super) fn new(values: Vec<Sql>) -> Self {
        Self(values.into_iter())
    }

    /// A row of the statements `ROW` and `OPEN`.
    pub(super) fn execution(mut self) -> worker::Result<ExecutionRow> {
        Ok(ExecutionRow {
            id: self.id()?,
            account: self.text()?,
            parent: self.parent()?,
            started_at: self.moment()?,
            epoch: Epoch(self.unsigned()?),
            phase: self.phase()?,
            wake_at: self.integer()?.map(Timestamp::from_millis),
            seq: Seq(self.unsigned()?),
            inbox: InboxSeq(self.unsigned()?),
            inbox_seen: InboxSeq(self.unsigned()?),
            projected: Seq(self.unsigned()?),
        })
    }

    fn parent(&mut self) -> worker::Result<Option<ExecutionId>> {
        match self.0.next() {
            Some(Sql::Null) => Ok(None),
            Some(Sql::String(id)) => {
                let id = id.parse().map_err(|_| "a parent's id of the journal is malformed")?;
                Ok(Some(id))
            }
            _ => Err("a parent of the journal is no text".into()),
        }
    }

    fn integer(&mut self) -> worker::Result<Option<i64>> {
        match self.0.next() {
            Some(Sql::Integer(value)) => Ok(Some(value)),
            Some(Sql::Float(value)) => Ok(Some(value as i64)),
            Some(Sql::Null) => Ok(None),
            _ => Err("a column of the journal is no number".into()),
        }
    }

    pub(super) fn unsigned(&mut self) -> worker::Result<u64> {
        let value = self.integer()?.and_then(|value| u64::try_from(value).ok());
        value.ok_or_else(|| "a number of the journal is missing or negative".into())
    }

    pub(super) fn moment(&mut self) -> worker::Result<Timestamp> {
        let value = self.integer()?.map(Timestamp::from_millis);
        value.ok_or_else(|| "a moment of the journal is missing".into())
    }

    pub(super) fn text(&mut self) -> worker::Result<String> {
        match self.0.next() {
            Some(Sql::String(value)) => Ok(value),
            _ => Err("a column of the journal is no text".into()),
        }
    }

    pub(super) fn id(&mut self) -> worker::Result<ExecutionId> {
        self.text()?.parse().map_err(|_| "an id of the journal is malformed".into())
    }

    fn phase(&mut self) -> worker::Result<Phase> {
        match self.text()?.as_str() {
            "active" => Ok(Phase::Active),
            "parked" => Ok(Phase::Parked),
            "ended" => Ok(Phase::Ended),
            _ => Err("a phase of the journal is unknown".into()),
        }
    }
}
