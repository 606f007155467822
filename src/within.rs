//! A limit of time for whatever is waited for.

use std::future::Future;
use std::time::Duration;

use engine::time::Millis;
use futures::future::{Either, select};
use worker::Delay;

/// What the work comes to; `None` when it takes longer, and is given up.
pub async fn within<T>(limit: Millis, work: impl Future<Output = T>) -> Option<T> {
    let delay = Box::pin(Delay::from(Duration::from_millis(limit.get())));
    match select(Box::pin(work), delay).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}
