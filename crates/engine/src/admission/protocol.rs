//! What is asked of the Governor of an account, and what it answers.
//!
//! Both cross the wire as JSON while old and new code overlap during a deployment: a field that was
//! added later has a default, and a reply that older code does not know is only given to a request
//! that older code does not make.

use serde::{Deserialize, Serialize};

use super::Figures;
use crate::ids::ExecutionId;
use crate::money::MicroUsd;
use crate::plan::{BreakerPolicy, Gate};
use crate::time::{Millis, Timestamp};

/// What is asked of the Governor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Request {
    /// A place, and money, for an execution that is about to start. Answered with
    /// [`Reply::Granted`], [`Reply::Waits`], [`Reply::Refused`] or [`Reply::Exhausted`].
    Admit {
        /// The execution.
        id: ExecutionId,
        /// The most places of the account.
        limit: u32,
        /// Who has more goes first.
        #[serde(default)]
        priority: i64,
        /// Whether it waits in the line, and asks again, when no place is free.
        #[serde(default)]
        waits: bool,
        /// The money that it needs; `None` where the account has no limits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        funds: Option<Funds>,
    },
    /// The place of an execution that goes on: kept, or taken back. Answered with
    /// [`Reply::Granted`].
    Keep {
        /// The execution.
        id: ExecutionId,
        /// What its calls came to since the last report.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reports: Vec<Report>,
    },
    /// The place is free, and a place in the line is given up. Answered with [`Reply::Left`].
    Leave {
        /// The execution.
        id: ExecutionId,
        /// What its calls came to since the last report.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reports: Vec<Report>,
    },
    /// A permit for a call that is about to begin. Answered with [`Reply::Passed`] or
    /// [`Reply::Held`].
    Pass {
        /// The execution.
        id: ExecutionId,
        /// The step, element or compensation that the call is of.
        path: String,
        /// Whose gate it is.
        worker: String,
        /// What calls of the worker must pass.
        gate: Gate,
        /// Who has more goes first.
        #[serde(default)]
        priority: i64,
        /// When the permit runs out by itself: the attempt's deadline.
        until: Timestamp,
    },
    /// The call is over: its permit is free. Answered with [`Reply::Noted`].
    Return {
        /// The execution.
        id: ExecutionId,
        /// The path that the permit was given for.
        path: String,
        /// Whose gate it is.
        worker: String,
        /// What calls of the execution came to since the last report, this one included.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reports: Vec<Report>,
    },
    /// What calls of an execution came to. Answered with [`Reply::Noted`].
    Report {
        /// The execution.
        id: ExecutionId,
        /// What its calls came to since the last report.
        reports: Vec<Report>,
    },
    /// What executions have spent. Answered with [`Reply::Settled`].
    Settle {
        /// Each with its total.
        settlements: Vec<Settlement>,
    },
    /// More money for an execution that is resumed or reopened with a higher budget. Answered with
    /// [`Reply::Granted`] or [`Reply::Exhausted`].
    Raise {
        /// The execution.
        id: ExecutionId,
        /// What it may spend in all from now on: what it has spent is part of it.
        funds: Funds,
    },
    /// What the account has in hand; changes nothing. Answered with [`Reply::Figures`].
    Figures,
}

/// The money that an execution needs, and the limits that it must fit into.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Funds {
    /// What the execution may spend in all.
    pub reserve: MicroUsd,
    /// The most that the account's executions may spend in a day (UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_max: Option<MicroUsd>,
    /// The most that they may spend in a month (UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly_max: Option<MicroUsd>,
    /// How far a critical execution may overdraw the limits, all such executions of a day together;
    /// `None` for one that is not critical.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<MicroUsd>,
    /// The budget of the client's key, where it has one. A Governor that does not know of it passes
    /// it over: while old and new code overlap, the account's limits alone hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyFunds>,
}

/// What the executions of a key may spend. An emergency overdraws nothing of it: anybody who has
/// the key may call an execution critical.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFunds {
    /// Which budget: the id of the key, or of the first of its line where it was rotated.
    pub id: String,
    /// The most that its executions may spend in a day (UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_max: Option<MicroUsd>,
    /// The most that they may spend in a month (UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly_max: Option<MicroUsd>,
}

impl Funds {
    /// Whether anything limits what may be spent.
    pub fn is_limited(&self) -> bool {
        let of_key = self.key.as_ref().is_some_and(KeyFunds::is_limited);
        self.daily_max.is_some() || self.monthly_max.is_some() || of_key
    }
}

impl KeyFunds {
    /// Whether it limits anything.
    pub fn is_limited(&self) -> bool {
        self.daily_max.is_some() || self.monthly_max.is_some()
    }
}

/// What an execution has spent so far. Totals only grow: one that comes twice, late or after a
/// larger one changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// The execution.
    pub id: ExecutionId,
    /// What it has spent since it started.
    pub spent_total: MicroUsd,
    /// Whether it has ended: what it has not spent is free for others.
    pub ended: bool,
}

/// What the calls of one worker came to. A network fault, a timeout, a lost heartbeat and a status
/// of 5xx are failures. Other answers, 4xx among them, are successes: the worker is there. A 429 is
/// neither; with a `Retry-After` it closes the gate for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The worker.
    pub worker: String,
    /// When its breaker opens.
    #[serde(default)]
    pub breaker: BreakerPolicy,
    /// Calls that were no failures.
    #[serde(default)]
    pub succeeded: u32,
    /// Calls that failed.
    #[serde(default)]
    pub failed: u32,
    /// How many of the failed calls came after the last that did not fail.
    #[serde(default)]
    pub failed_last_in_row: u32,
    /// Until when the worker wants to be left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown_until: Option<Timestamp>,
}

/// What the Governor answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// The place, and the money, are the execution's.
    Granted {
        /// Workers whose breaker is not closed or that are cooling down: ask before each call.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        gates: Vec<String>,
    },
    /// All places are taken; it stands in the line.
    Waits {
        /// How many stand before it.
        position: u32,
        /// When to ask again. Who does not is dropped from the line.
        ask_again: Millis,
    },
    /// All places are taken.
    Refused {
        /// When it is worth asking again.
        retry_after: Millis,
        /// How many places are taken.
        taken: u32,
    },
    /// The money does not fit into a limit of the account, or of the key.
    Exhausted(Exhausted),
    /// The place is free.
    Left,
    /// The call may begin.
    Passed {
        /// When the permit runs out by itself.
        until: Timestamp,
    },
    /// The call must wait; it stands in the gate's line.
    Held {
        /// What it waits for.
        reason: HeldBy,
        /// When to ask again. Who does not is dropped from the line.
        ask_again: Millis,
    },
    /// The reports are taken, the permit is free.
    Noted {
        /// Workers whose breaker is not closed or that are cooling down: ask before each call.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        gates: Vec<String>,
    },
    /// The money is settled.
    Settled,
    /// What the account has in hand.
    Figures(Figures),
}

/// Which limit of the account, or of the key, leaves no room, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exhausted {
    /// The limit.
    pub period: Period,
    /// How much it is.
    pub max: MicroUsd,
    /// What was spent of it.
    pub spent: MicroUsd,
    /// What is reserved for executions that have not ended.
    pub reserved: MicroUsd,
    /// What would have had to be reserved.
    pub wanted: MicroUsd,
    /// When the period ends and the limit is whole again.
    pub renews_at: Timestamp,
    /// Whether it is the key's limit. Only one who sends [`Funds::key`] is answered so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_key: bool,
}

/// What a limit of money is counted over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// A day, UTC.
    Daily,
    /// A calendar month, UTC.
    Monthly,
}

impl Period {
    /// The word in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Monthly => "monthly",
        }
    }
}

/// What holds a call back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldBy {
    /// As many calls as may be are in progress.
    Concurrency,
    /// As many calls as may have begun within the minute.
    Rate,
    /// The worker wants to be left alone for a while.
    Cooldown,
    /// The breaker is open, or one call probes.
    Breaker,
}

impl HeldBy {
    /// The word in journals and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Concurrency => "concurrency",
            Self::Rate => "rate",
            Self::Cooldown => "cooldown",
            Self::Breaker => "breaker",
        }
    }
}
