//! What the programs around agents log.

use std::marker::PhantomData;

use api_types::agents::SystemLog;

use super::page::{List, along, search};
use super::records::Records;
use crate::db::{Param, Statement, statements};

macro_rules! columns {
    () => {
        "system_logs.seq, system_logs.id, system_logs.file_path, system_logs.adw_id,
        system_logs.adw_step, system_logs.level, system_logs.message,
        system_logs.summary, system_logs.metadata, system_logs.timestamp,
        system_logs.created_at"
    };
}

macro_rules! filters {
    () => {
        "(?7 IS NULL OR system_logs.level = ?7) AND
        (?8 IS NULL OR system_logs.file_path = ?8) AND
        (?9 IS NULL OR system_logs.adw_id = ?9) AND
        (?10 IS NULL OR system_logs.adw_step = ?10)"
    };
}

macro_rules! list {
    ($index:literal, $lead:literal) => {
        along!(columns!(), "system_logs", $index, $lead, filters!(), "timestamp", "seq")
    };
}

statements! { "system_logs":
    /// A page in the order of time.
    BY_TIME = list!("system_logs_by_time", "true");

    /// A page of one piece of developer work.
    BY_ADW_ID = list!("system_logs_by_adw", "adw_id = ?9");

    /// A page of one file.
    BY_FILE_PATH = list!("system_logs_by_file", "file_path = ?8");

    /// A page of one level.
    BY_LEVEL = list!("system_logs_by_level", "level = ?7");

    /// A page of those in which words stand.
    BY_WORDS = search!(columns!(), "system_logs", "system_logs_text", "?11", filters!());

    /// One of them.
    BY_ID = concat!(
      "SELECT ", columns!(), " FROM system_logs INDEXED BY system_logs_by_id
      WHERE account_id = ?2 AND id = ?1");

    /// New ones, from an array of documents: what is there already under its id stays as it is.
    APPEND = "INSERT INTO system_logs (
        account_id, id, file_path, adw_id, adw_step, level, message, summary,
        metadata, timestamp)
      SELECT ?2, e.value ->> 'id', e.value ->> 'file_path', e.value ->> 'adw_id', e.value ->>
        'adw_step', e.value ->> 'level', e.value ->> 'message', e.value ->> 'summary',
        coalesce(nullif(e.value -> 'metadata', 'null'), '{}'), e.value ->> 'timestamp'
      FROM json_each(?1) AS e
      WHERE true
      ORDER BY e.key
      ON CONFLICT DO NOTHING RETURNING seq";

    /// Adds a summary to one that has none.
    SUMMARISE = "UPDATE system_logs SET summary = ?3
      WHERE id = ?1 AND account_id = ?2 AND summary IS NULL";

    /// The last errors.
    ERRORS = concat!(
      "SELECT ", columns!(), " FROM system_logs INDEXED BY system_logs_errors
      WHERE account_id = ?1 AND level = 'ERROR' ORDER BY timestamp DESC, seq DESC LIMIT ?2");
}

/// What the systems around agents logged.
pub const RECORDS: Records<Filter, SystemLog> = Records {
    list: List {
        by_time: BY_TIME,
        by_filter: &[(2, BY_ADW_ID), (1, BY_FILE_PATH), (0, BY_LEVEL)],
        by_words: Some(BY_WORDS),
        numbered: true,
    },
    by_id: BY_ID,
    append: APPEND,
    summarise: SUMMARISE,
    rows: PhantomData,
};

/// Which are meant; what is `None` filters nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only at this level.
    pub level: Option<String>,
    /// Only of this file.
    pub file_path: Option<String>,
    /// Only of this piece of developer work.
    pub adw_id: Option<String>,
    /// Only of this step of it.
    pub adw_step: Option<String>,
}

impl super::records::Filter for Filter {
    fn params(&self) -> Vec<Param> {
        vec![
            self.level.as_deref().into(),
            self.file_path.as_deref().into(),
            self.adw_id.as_deref().into(),
            self.adw_step.as_deref().into(),
        ]
    }
}

/// The statement of the last errors.
pub(super) fn errors_statement(account: &str, limit: u32) -> Statement {
    ERRORS.with(account).with(limit)
}
