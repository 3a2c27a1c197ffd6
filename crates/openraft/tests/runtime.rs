//! openraft's own suite for runtimes.

use openraft_rt::testing::Suite;
use squall_openraft::runtime::NodeRuntime;

#[test]
fn the_runtime_is_what_openraft_takes_for_one() {
    Suite::<NodeRuntime>::test_all();
}
