//! What the faults of a plan do to machines, and when each is over.

use squall_core::faults;
use std::sync::Arc;

use super::Server;
use super::runner::{Due, World, lock};
use squall_core::counters::Counter;
use squall_core::engine::Weight;
use squall_core::ids::{NodeId, Role, node_list};
use squall_core::plan::What;
use squall_world::journal_disk::Loss;

/// Whether servers have nothing that the fault could act on, so that it is left out.
pub(super) fn is_left_out(what: &What) -> bool {
    match what {
        What::Rot(_)
        | What::Jump(_)
        | What::Change(_)
        | What::ReplaceDisk(_)
        | What::LoseDisk(_)
        | What::Intercept(_)
        | What::Ask(_) => true,
        What::Crash(_)
        | What::Pause(_)
        | What::Cut(_)
        | What::Split(_)
        | What::IsolateLeader(_)
        | What::Trouble(_)
        | What::Burst(_)
        | What::SlowNode(_)
        | What::LoseMessage(_)
        | What::DuplicateMessage(_)
        | What::DelayMessage(_)
        | What::SlowDisk(_)
        | What::FailSync(_)
        | What::FullDisk(_)
        | What::Drift(_) => false,
    }
}

impl<S: Server> World<S> {
    pub(super) fn strike(&mut self, number: usize) {
        if self.healed {
            return;
        }
        let plan = Arc::clone(&self.plan);
        let servers = self.machines.len();
        let hit = |event| lock(&self.stage).counters.hit(event);
        let for_us = match &plan.faults[number].what {
            What::Crash(faults::Crash {
                node,
                loss,
                down_us,
            }) => {
                return self.crash(*node, (*loss).into(), *down_us);
            }
            What::Pause(faults::Pause { node, for_us }) => {
                hit(Counter::Pause);
                self.say(format!("{node} is paused"));
                let at = node.position();
                *self.paused.entry(at).or_default() += 1;
                self.runtime.pause(self.machines[at]);
                *for_us
            }
            What::Cut(faults::Cut { from, to, for_us }) => {
                self.say(format!(
                    "nothing gets from {} to {}",
                    node_list(from),
                    node_list(to)
                ));
                let (from, to): (Vec<usize>, Vec<usize>) = (positions(from), positions(to));
                let cut = self.links.cut(number, &from, &to);
                self.count_cuts(&cut);
                *for_us
            }
            What::Burst(faults::Burst { from, to, for_us }) => {
                hit(Counter::LinkHeldBack);
                self.say(format!(
                    "what goes from {} to {} is held back",
                    node_list(from),
                    node_list(to)
                ));
                let (from, to): (Vec<usize>, Vec<usize>) = (positions(from), positions(to));
                let until_us = self.now_us() + for_us;
                self.links.hold_back(number, &from, &to, until_us);
                *for_us
            }
            What::Trouble(faults::Trouble {
                from,
                to,
                trouble,
                for_us,
            }) => {
                hit(Counter::NetworkTrouble);
                self.say(plan.faults[number].what.to_string());
                self.links
                    .trouble(number, &positions(from), &positions(to), *trouble);
                *for_us
            }
            What::SlowNode(faults::SlowNode {
                node,
                extra_us,
                for_us,
            }) => {
                hit(Counter::NodeSlow);
                self.say(plan.faults[number].what.to_string());
                self.links.slow_down(node.position(), *extra_us);
                *for_us
            }
            What::Split(faults::Split { side, for_us }) => {
                self.say(format!("{} are cut off from the others", node_list(side)));
                let side = positions(side);
                let others: Vec<usize> = (0..servers).collect();
                let cut = self.links.cut_off(number, &side, &others);
                self.count_cuts(&cut);
                *for_us
            }
            What::IsolateLeader(faults::IsolateLeader { for_us, bridges }) => {
                let Some(leader) = lock(&self.stage).leader() else {
                    return;
                };
                self.say(format!("{leader}, which leads, is cut off from the others"));
                let hears = |at: &usize| bridges.iter().any(|id| id.position() == *at);
                let others: Vec<usize> = (0..servers).filter(|at| !hears(at)).collect();
                let cut = self.links.cut_off(number, &[leader.position()], &others);
                self.count_cuts(&cut);
                *for_us
            }
            What::SlowDisk(faults::SlowDisk {
                node,
                sync_us,
                for_us,
            }) => {
                hit(Counter::DiskSlow);
                self.say(format!("{node}'s disk becomes slow"));
                self.disks
                    .slow_down(self.machines[node.position()], *sync_us);
                *for_us
            }
            What::FailSync(faults::FailSync { node }) => {
                self.say(format!("{node}'s next sync is to fail"));
                lock(&self.stage).failing[node.position()] += 1;
                return;
            }
            What::FullDisk(faults::FullDisk { node, for_us }) => {
                hit(Counter::DiskFull);
                self.say(format!("{node}'s disk is full"));
                self.disks.fill_up(self.machines[node.position()]);
                *for_us
            }
            What::Drift(faults::Drift { node, ppm, for_us }) => {
                hit(Counter::ClockDrifted);
                self.say(plan.faults[number].what.to_string());
                self.clocks.set_drift(self.machines[node.position()], *ppm);
                *for_us
            }
            What::LoseMessage(_)
            | What::DuplicateMessage(_)
            | What::DelayMessage(_)
            | What::Rot(_)
            | What::Jump(_)
            | What::Change(_)
            | What::ReplaceDisk(_)
            | What::LoseDisk(_)
            | What::Intercept(_)
            | What::Ask(_) => return,
        };
        let over_us = self.now_us() + for_us;
        self.at(over_us, Due::Over(number));
    }

    pub(super) fn over(&mut self, number: usize) {
        self.links.over(number);
        match &self.plan.faults[number].what {
            What::Pause(faults::Pause { node, .. }) => {
                let at = node.position();
                let paused = self.paused.entry(at).or_default();
                *paused = paused.saturating_sub(1);
                if *paused == 0 {
                    self.runtime.resume(self.machines[at]);
                }
            }
            What::SlowDisk(faults::SlowDisk { node, sync_us, .. }) => self
                .disks
                .speed_up(self.machines[node.position()], *sync_us),
            What::FullDisk(faults::FullDisk { node, .. }) => {
                self.disks.free_up(self.machines[node.position()])
            }
            What::Drift(faults::Drift { node, .. }) => {
                let at = node.position();
                let drift_ppm = self.plan.cluster.clocks[at].drift_ppm;
                self.clocks.set_drift(self.machines[at], drift_ppm);
            }
            What::Trouble(_) => self.links.end_trouble(number),
            What::SlowNode(faults::SlowNode { node, extra_us, .. }) => {
                self.links.speed_up(node.position(), *extra_us);
            }
            // Links know what these cut, and what they hold back.
            What::Cut(_) | What::Split(_) | What::IsolateLeader(_) | What::Burst(_) => {}
            // These have no end, or one of their own.
            What::Crash(_)
            | What::FailSync(_)
            | What::LoseMessage(_)
            | What::DuplicateMessage(_)
            | What::DelayMessage(_)
            | What::Rot(_)
            | What::Jump(_)
            | What::Change(_)
            | What::ReplaceDisk(_)
            | What::LoseDisk(_)
            | What::Intercept(_)
            | What::Ask(_) => {}
        }
    }

    /// Counts links that are cut, and of them those of a leader.
    fn count_cuts(&self, cut: &[(usize, usize)]) {
        let mut stage = lock(&self.stage);
        for (from, to) in cut {
            stage.counters.hit(Counter::LinkCut);
            if [from, to]
                .iter()
                .any(|at| stage.views[**at].role == Role::Leader)
            {
                stage.counters.hit(Counter::LeaderCutOff);
            }
        }
    }

    /// The machine loses power, and starts again later.
    pub(super) fn crash(&mut self, node: NodeId, loss: Loss, down_us: u64) {
        let at = node.position();
        if !lock(&self.stage).views[at].up {
            return;
        }
        let machine = self.machines[at];
        self.disks.set_loss(machine, loss);
        self.runtime.kill(machine);
        let report = self.disks.last_crash(machine);
        let mut stage = lock(&self.stage);
        stage.say(Some(node), Weight::Notable, || {
            format!(
                "loses power: of its unsynced writes {} survive, {} are lost, {} torn",
                report.kept, report.lost, report.torn
            )
        });
        stage.counters.add(Counter::WriteLost, report.lost);
        stage.counters.add(Counter::WriteTorn, report.torn);
        stage.crashed(node);
        drop(stage);
        // A machine that starts anew does not stand still.
        self.paused.remove(&at);
        let start_us = self.now_us() + down_us;
        self.at(start_us, Due::Start(node));
    }
}

fn positions(nodes: &[NodeId]) -> Vec<usize> {
    nodes.iter().map(|node| node.position()).collect()
}
