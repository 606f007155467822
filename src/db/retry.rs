//! How a call of the database that may pass is made again.

use super::{DbError, DbErrorKind};

/// How often a call that met a transient error is made again, and after how long at most: half of
/// each delay is drawn, so that isolates that failed together do not return together.
const DELAYS_MS: [u64; 2] = [60, 240];

/// Makes a call, and makes it again where its error may pass. `pause` waits for a time in
/// milliseconds; `draw` gives a number from 0 to 1.
pub(super) async fn retrying<T>(
    mut call: impl AsyncFnMut() -> Result<T, DbError>,
    pause: impl AsyncFn(u64),
    draw: impl Fn() -> f64,
) -> Result<T, DbError> {
    let mut delays = DELAYS_MS.into_iter();
    loop {
        let error = match call().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let may_pass = error.kind() == DbErrorKind::Unavailable;
        let Some(delay_ms) = delays.next().filter(|_| may_pass) else {
            return Err(error);
        };
        pause((delay_ms as f64 * (0.5 + draw() / 2.0)) as u64).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// Calls until the answers are used up; gives the outcome and the pauses between.
    fn run(answers: &[Result<u8, DbErrorKind>], drawn: f64) -> (Result<u8, DbErrorKind>, Vec<u64>) {
        let mut answers = answers.iter();
        let pauses = RefCell::new(Vec::new());
        let call = async || {
            let answer = answers.next().expect("no more calls than answers");
            answer.map_err(|kind| DbError::new(kind, "tests.ANY", ""))
        };
        let future = retrying(call, async |ms| pauses.borrow_mut().push(ms), || drawn);
        let Poll::Ready(outcome) = pin!(future).poll(&mut Context::from_waker(Waker::noop()))
        else {
            panic!("nothing here waits");
        };
        (outcome.map_err(|error| error.kind()), pauses.take())
    }

    #[test]
    fn what_may_pass_is_tried_twice_again() {
        const AWAY: Result<u8, DbErrorKind> = Err(DbErrorKind::Unavailable);
        assert_eq!(run(&[Ok(1)], 0.0), (Ok(1), vec![]));
        assert_eq!(run(&[AWAY, Ok(1)], 0.0), (Ok(1), vec![30]));
        assert_eq!(run(&[AWAY, AWAY, Ok(1)], 1.0), (Ok(1), vec![60, 240]));
        assert_eq!(run(&[AWAY, AWAY, AWAY], 0.0), (AWAY, vec![30, 120]));
    }

    #[test]
    fn what_cannot_pass_is_not_tried_again() {
        for kind in [
            DbErrorKind::Overloaded,
            DbErrorKind::Constraint,
            DbErrorKind::Schema,
            DbErrorKind::Malformed,
            DbErrorKind::Refused,
        ] {
            assert_eq!(run(&[Err(kind)], 0.5), (Err(kind), vec![]));
        }
    }
}
