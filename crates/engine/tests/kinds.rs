//! What holds for executions of every kind of step and join, whatever is answered, asked, lost or
//! late, in any order.

mod mixed;
mod required;

use mixed::moves::moves;
use mixed::plans::case;
use mixed::watch::Watch;
use proptest::prelude::*;
use proptest::test_runner::Config;

proptest! {
    #![proptest_config(Config { cases: 512, failure_persistence: None, ..Config::default() })]

    #[test]
    fn executions_of_every_kind_keep_the_rules_and_end(case in case(), moves in moves()) {
        let mut watch = Watch::begin(&case);
        for one in &moves {
            one.make(&mut watch);
        }
        watch.check_replay();
        watch.drive_to_the_end();
        watch.check_replay();
    }
}
