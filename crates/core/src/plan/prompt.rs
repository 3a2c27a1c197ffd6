//! Whether a plan lets a leader answer in time what it is asked, as long as nothing goes wrong.

use super::{Fault, Plan, What};
use crate::faults::Ask;
use crate::operator::{Admin, Setting};

impl Plan {
    /// Whether a leader that is in touch with a quorum can answer a client within some election
    /// time-outs: messages and syncs are prompt where no fault strikes, and no setting holds
    /// entries, commits or applications up.
    pub fn lets_answer(&self) -> bool {
        let prompt_us = self.prompt_us();
        let traffic = &self.network;
        let driver = &self.driver;
        let waits = [
            traffic.delay_max_us,
            self.disk.sync_max_us,
            driver.apply_lag_us,
            driver.fetch_us,
            driver.snapshot_install_us,
            driver.snapshot_build_us,
        ];
        // Who waits for its disk may sync once for each request.
        let all_us = self.disk.sync_max_us * u64::from(self.workload.clients);
        waits.iter().all(|wait_us| *wait_us <= prompt_us)
            && all_us <= self.election_us()
            && (traffic.tail_ppm, traffic.reorder_ppm) == (0, 0)
            && self.schedule.is_none()
            && !self.raft.group_commit
            && !self.faults.iter().any(holds_up)
    }
}

/// Whether the fault changes a setting to one that holds up what clients ask for.
fn holds_up(fault: &Fault) -> bool {
    match &fault.what {
        What::Ask(Ask { admin, .. }) => matches!(
            admin,
            Admin::Set(Setting::MaxInflight(0) | Setting::GroupCommit(true))
        ),
        _ => false,
    }
}
