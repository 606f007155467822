//! Looks at the sources that are due, one read of each for everybody who listens, and one more for
//! those who are behind.

use std::rc::Rc;

use engine::ids::ExecutionId;
use engine::shard::Phase;
use engine::time::Millis;

use super::hub::Page;
use super::limits::{JOURNAL_AGAIN_MAX, LOOK_AGAIN_MAX, READS_MAX, ROWS_AT_ONCE};
use super::pace::LOOK_LIMIT;
use super::place::Place;
use super::refusal::Refusal;
use super::sources::{self, Told};
use super::topic::{Item, Source};
use super::{Inner, failed};
use crate::clock::now;
use crate::error::ApiError;
use crate::request::RequestContext;
use crate::within::within;

/// How long one read may take.
const READ_LIMIT: Millis = Millis::from_secs(8);

/// What a look at a source came to.
struct Looked {
    found: bool,
    more: bool,
    longest: Millis,
}

const NOTHING: Looked = Looked { found: false, more: false, longest: LOOK_AGAIN_MAX };

impl Inner {
    /// Looks while the event that asked for it goes on, or after it.
    pub(super) fn look_soon(self: &Rc<Self>) {
        let inner = Rc::clone(self);
        self.state.wait_until(async move {
            inner.look().await;
            if let Err(error) = inner.keep_alarm().await {
                failed("live.alarm_failed", &error.to_string());
            }
        });
    }

    /// Looks until nothing is due. Who comes while another looks leaves it to that one.
    pub(super) async fn look(self: &Rc<Self>) {
        let busy = self.looking_since.get().is_some_and(|it| now().since(it) < LOOK_LIMIT);
        if busy {
            return;
        }
        self.looking_since.set(Some(now()));
        let context = self.context();
        for _ in 0..READS_MAX {
            let due = self.with(|room| Ok(room.hub.due(now())));
            let due = due.unwrap_or_default();
            if due.is_empty() {
                break;
            }
            for source in due {
                self.looking_since.set(Some(now()));
                if let Err(error) = self.look_at(&context, &source).await {
                    failed("live.storage_failed", &error.to_string());
                }
            }
        }
        self.looking_since.set(None);
    }

    async fn look_at(
        self: &Rc<Self>,
        context: &RequestContext,
        source: &Source,
    ) -> worker::Result<()> {
        let account = self.with(|room| {
            room.hub.begin_look(source, now());
            Ok(room.account.clone())
        })?;
        let work = async {
            match source {
                Source::Events | Source::AgentLogs => self.rows(context, &account, source).await,
                Source::Journal(id) => self.journal(context, &account, source, id).await,
            }
        };
        let looked = match within(READ_LIMIT, work).await {
            Some(looked) => looked?,
            None => Err(ApiError::DatabaseUnavailable { cause: "no answer in time".to_owned() }),
        };
        let Looked { found, more, longest } = looked.unwrap_or_else(|error| {
            let cause = error.cause().unwrap_or_else(|| error.code().as_str());
            failed("live.look_failed", cause);
            NOTHING
        });
        self.with(|room| {
            match more {
                true => room.hub.stir_source(source, now()),
                false => room.hub.looked(source, found, longest, now()),
            }
            Ok(())
        })
    }

    async fn rows(
        &self,
        context: &RequestContext,
        account: &str,
        source: &Source,
    ) -> worker::Result<Result<Looked, ApiError>> {
        let asked = self.with(|room| Ok(room.hub.asked(source)))?;
        if !asked.is_empty() {
            let newest = match source {
                Source::AgentLogs => sources::newest_log(context, account).await,
                Source::Events | Source::Journal(_) => {
                    sources::newest_event(context, account).await
                }
            };
            let newest = match newest {
                Ok(newest) => newest,
                Err(error) => return Ok(Err(error)),
            };
            self.with(|room| {
                let outs = room.hub.place(&asked, newest);
                room.perform(outs)
            })?;
        }
        let Some(head) = self.with(|room| Ok(room.hub.head(source)))? else {
            self.with(|room| room.keep())?;
            return Ok(Ok(NOTHING));
        };
        let (mut found, mut more) = (!asked.is_empty(), false);
        let mut through = head;
        for behind in [false, true] {
            let from = match (behind, self.with(|room| Ok(room.hub.tail(source)))?) {
                (false, _) => head,
                (true, Some(tail)) if tail < head => tail,
                (true, _) => break,
            };
            let items = match read(context, account, source, from).await {
                Ok(items) => items,
                Err(error) => return Ok(Err(error)),
            };
            let last = items.last().map_or(from, |item| item.place);
            let full = items.len() >= ROWS_AT_ONCE as usize;
            through = if full { last } else { last.max(through) };
            found |= !items.is_empty();
            more |= full;
            let page = Page { from, through, items };
            self.give(source, &page)?;
        }
        Ok(Ok(Looked { found, more, longest: LOOK_AGAIN_MAX }))
    }

    async fn journal(
        &self,
        context: &RequestContext,
        account: &str,
        source: &Source,
        id: &ExecutionId,
    ) -> worker::Result<Result<Looked, ApiError>> {
        let (asked, from) =
            self.with(|room| Ok((room.hub.asked(source), room.hub.reads_from(source))))?;
        let Some(from) = from else { return Ok(Ok(NOTHING)) };
        let told = match sources::journal_from(context, account, id, from).await {
            Ok(told) => told,
            Err(error) if error.code().status().is_server_error() => return Ok(Err(error)),
            Err(error) => return self.gone(source, &error).map(Ok),
        };
        let Told { items, end, phase } = told;
        self.with(|room| {
            let outs = room.hub.place(&asked, end);
            room.perform(outs)
        })?;
        let found = items.iter().any(|item| item.place > from);
        self.give(source, &Page { from, through: end, items })?;
        if phase == Phase::Ended {
            self.over(source, end, "ended")?;
        }
        let longest = if phase == Phase::Active { JOURNAL_AGAIN_MAX } else { LOOK_AGAIN_MAX };
        Ok(Ok(Looked { found, more: false, longest }))
    }

    /// There is no such journal: who asked for it is told why, who followed it that it is over.
    fn gone(&self, source: &Source, error: &ApiError) -> worker::Result<Looked> {
        self.with(|room| {
            for (id, name) in room.hub.asked(source) {
                let told = room.hub.refuse(&id, &name, &Refusal::of(error));
                room.store.forget(&id, &name)?;
                room.perform(vec![told])?;
            }
            Ok(())
        })?;
        self.over(source, Place::START, "gone")?;
        Ok(NOTHING)
    }

    /// Ends the subscriptions of a source that stand at its end.
    fn over(&self, source: &Source, end: Place, reason: &str) -> worker::Result<()> {
        self.with(|room| {
            for (id, name) in room.hub.at_end(source, end) {
                room.store.forget(&id, &name)?;
                if let Ok(told) = room.hub.unsubscribe(&id, &name, reason) {
                    room.perform(vec![told])?;
                }
            }
            room.keep()
        })
    }

    fn give(&self, source: &Source, page: &Page) -> worker::Result<()> {
        self.with(|room| {
            let outs = room.hub.deliver(source, page, now());
            room.perform(outs)?;
            room.keep()
        })
    }
}

async fn read(
    context: &RequestContext,
    account: &str,
    source: &Source,
    from: Place,
) -> Result<Vec<Item>, ApiError> {
    match source {
        Source::AgentLogs => sources::logs_after(context, account, from).await,
        Source::Events | Source::Journal(_) => sources::events_after(context, account, from).await,
    }
}
