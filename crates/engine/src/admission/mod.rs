//! Admission: what the executions of one account may do together: how many are driven at the same
//! time ([`Places`]), what they may spend ([`Ledger`]), and which calls of which workers may begin
//! ([`Gates`]).
//!
//! Money is kept in a [`Store`] and survives everything. Places and gates live in memory: a restart
//! of the Governor forgets them, and each says how far that may exceed its limit. It must not know
//! what an execution is made of.

mod breaker;
mod calendar;
mod figures;
mod gates;
mod ledger;
mod limits;
mod line;
pub mod memory;
mod places;
pub mod protocol;

#[cfg(test)]
mod tests;

use crate::ids::ExecutionId;
use crate::time::Timestamp;
pub use figures::{Circuit, Figures, GateFigures, Money};
pub use gates::{Asker, COOLDOWN_MAX, Gates, PERMIT_MAX, PERMIT_MIN, RATE_WINDOW};
pub use ledger::{Change, Ledger, Row, SETTLED_KEPT, Store, Totals, UNSURE_MAX};
pub use line::{LINE_MAX, SILENCE_MAX};
pub use places::{PLACE_LEASE, Places};
pub use protocol::{
    Exhausted, Funds, HeldBy, KeyFunds, Period, Reply, Report, Request, Settlement,
};

/// What one account's Governor decides.
#[derive(Debug)]
pub struct Admission<S> {
    places: Places,
    gates: Gates,
    ledger: Ledger<S>,
}

impl<S: Store> Admission<S> {
    /// The account whose money `store` holds.
    pub fn load(store: S) -> Result<Self, S::Error> {
        let ledger = Ledger::load(store)?;
        Ok(Self { places: Places::default(), gates: Gates::default(), ledger })
    }

    /// Answers a request. After an error the account must be loaded anew.
    pub fn handle(&mut self, now: Timestamp, request: Request) -> Result<Reply, S::Error> {
        match request {
            Request::Admit { id, limit, priority, waits, funds } => {
                let line = Standing { limit, priority, waits };
                return self.admit(now, &id, line, funds.as_ref());
            }
            Request::Keep { id, reports } => {
                self.gates.note(now, &id, &reports);
                self.ledger.heard_of(now, &id)?;
                self.places.grant(now, id);
                return Ok(self.granted(now));
            }
            Request::Leave { id, reports } => {
                self.gates.note(now, &id, &reports);
                self.ledger.heard_of(now, &id)?;
                self.places.leave(now, &id);
                return Ok(Reply::Left);
            }
            Request::Pass { id, path, worker, gate, priority, until } => {
                let asker = Asker { id, path };
                return Ok(match self.gates.pass(now, &asker, &worker, &gate, priority, until) {
                    gates::Asked::Passed(until) => Reply::Passed { until },
                    gates::Asked::Held(reason, ask_again) => Reply::Held { reason, ask_again },
                });
            }
            Request::Return { id, path, worker, reports } => {
                self.gates.note(now, &id, &reports);
                self.gates.give_back(now, &Asker { id, path }, &worker);
            }
            Request::Report { id, reports } => self.gates.note(now, &id, &reports),
            Request::Settle { settlements } => {
                self.ledger.settle(now, &settlements)?;
                return Ok(Reply::Settled);
            }
            Request::Raise { id, funds } => {
                return Ok(match self.ledger.reserve(now, &id, &funds)? {
                    Ok(()) => self.granted(now),
                    Err(exhausted) => Reply::Exhausted(exhausted),
                });
            }
            Request::Figures => return Ok(Reply::Figures(self.figures(now))),
        }
        Ok(Reply::Noted { gates: self.gates.not_open(now) })
    }

    /// How many places are taken.
    pub fn taken(&self) -> usize {
        self.places.taken()
    }

    /// What was spent and is reserved.
    pub fn totals(&self) -> Totals {
        self.ledger.totals()
    }

    /// What the executions of a key have spent and hold.
    pub fn key_totals(&self, now: Timestamp, key: &str) -> Result<Totals, S::Error> {
        self.ledger.key_totals(now, key)
    }

    /// What the account has in hand.
    pub fn figures(&self, now: Timestamp) -> Figures {
        let (places, waiting) = self.places.figures(now);
        let Totals { day: _, spent_day, spent_month, held } = self.ledger.standing(now);
        let money = Money { spent_day, spent_month, held };
        Figures { places, waiting, money, gates: self.gates.figures(now) }
    }

    /// Where the money is kept.
    pub fn store(&self) -> &S {
        self.ledger.store()
    }

    /// Gives the store back.
    pub fn into_store(self) -> S {
        self.ledger.into_store()
    }

    /// Money is looked at first, so that nobody waits for a place in vain, and reserved last, so
    /// that one that waits holds none.
    fn admit(
        &mut self,
        now: Timestamp,
        id: &ExecutionId,
        line: Standing,
        funds: Option<&Funds>,
    ) -> Result<Reply, S::Error> {
        if let Some(funds) = funds
            && let Err(exhausted) = self.ledger.fits(now, id, funds)?
        {
            self.places.leave_line(id);
            return Ok(Reply::Exhausted(exhausted));
        }
        let Standing { limit, priority, waits } = line;
        match self.places.admit(now, id, limit, priority, waits) {
            places::Asked::Granted => {}
            places::Asked::Waits { position, ask_again } => {
                return Ok(Reply::Waits { position, ask_again });
            }
            places::Asked::Refused { retry_after, taken } => {
                return Ok(Reply::Refused { retry_after, taken });
            }
        }
        if let Some(funds) = funds
            && let Err(exhausted) = self.ledger.reserve(now, id, funds)?
        {
            self.places.leave(now, id);
            return Ok(Reply::Exhausted(exhausted));
        }
        Ok(self.granted(now))
    }

    fn granted(&self, now: Timestamp) -> Reply {
        Reply::Granted { gates: self.gates.not_open(now) }
    }
}

/// How an execution stands for a place.
struct Standing {
    limit: u32,
    priority: i64,
    waits: bool,
}
