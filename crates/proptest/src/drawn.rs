//! A sweep over what a strategy draws: each seed is a value of its own, and what a value that fails
//! shrinks to is found by its parts.

use proptest::strategy::{Strategy as _, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::Plans;
use squall_core::own::Own;
use squall_core::plan::{Plan, PlanSpace, Profile};
use squall_explore::strategy;

/// The plans of a strategy, one for each seed.
#[derive(Clone)]
pub struct Drawn {
    /// The plans.
    pub plans: Plans,
    /// What the subject declares of its own.
    pub own: Own,
    /// Which of its known issues stay in plans.
    pub profile: Profile,
}

impl Drawn {
    /// The value of that seed, with all that it may shrink to.
    fn tree(&self, seed: u64) -> impl ValueTree<Value = Plan> + use<> {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), random);
        let tree = self.plans.new_tree(&mut runner);
        tree.expect("the strategies of plans reject nothing")
    }

    /// A plan's run goes by the seed that it is of, and so do the subject's own options.
    fn seeded(&self, plan: Plan, seed: u64) -> Plan {
        let plan = Plan { seed, ..plan };
        let space = PlanSpace {
            subject: &plan.subject.clone(),
            command: None,
            supports: squall_core::options::Feature::ALL,
            own: self.own,
            profile: &self.profile,
        };
        space.with_own_options(plan)
    }

    /// The plan of that seed, or a simpler one that `fails` too: what proptest finds by the plan's
    /// parts. `fails` is asked at most `most` times, and the plan of the seed does fail.
    pub fn minimum(&self, seed: u64, most: usize, fails: impl Fn(&Plan) -> bool) -> Plan {
        let mut tree = self.tree(seed);
        let mut minimum = self.seeded(tree.current(), seed);
        let mut goes_on = tree.simplify();
        for _ in 0..most {
            if !goes_on {
                break;
            }
            let plan = self.seeded(tree.current(), seed);
            goes_on = match fails(&plan) {
                true => {
                    minimum = plan;
                    tree.simplify()
                }
                false => tree.complicate(),
            };
        }
        minimum
    }
}

impl strategy::Strategy for Drawn {
    fn plan(&self, seed: u64) -> Plan {
        self.seeded(self.tree(seed).current(), seed)
    }
}
