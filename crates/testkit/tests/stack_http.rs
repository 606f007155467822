//! The HTTP suite against a stack of this test's own, as `./test.sh --url` passes it against any.

use testkit::stack::{Stack, StateDir, wanted};
use testkit::suite::{self, Paint, Subject};

#[tokio::test(flavor = "multi_thread")]
async fn the_local_stack_passes_the_suite() {
    if !wanted() {
        return;
    }
    let state = StateDir::new("http");
    let stack = Stack::start(&state, &[]);
    let tally = suite::pass(&Subject::new(stack.client()), None, Paint::Plain).await;
    println!("\n{} passed, {} failed", tally.passed, tally.failed);
    let cases: usize = suite::phases().iter().map(|phase| phase.cases.len()).sum();
    assert_eq!((tally.passed, tally.failed), (cases, 0));
}
