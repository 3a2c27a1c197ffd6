//! What faults do to the links between servers. [`NetworkSim`] has every word of a plan. The
//! runtime's own network, for servers whose sockets are not ours to choose, has cuts, and one range
//! of delays and one rate of loss for all links.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ::madsim::net::NetSim;
use ::madsim::task::NodeId as Machine;

use crate::shim::NetworkSim;
use squall_core::engine::hold_links;
use squall_core::plan::Plan;
use squall_world::network::{LinkDegradation, LinkOptions};

/// The links of one run. Machines are positions: servers first, then clients.
pub(super) struct Links {
    ours: Arc<NetworkSim>,
    runtimes: Arc<NetSim>,
    machines: Vec<Machine>,
    /// Who carries what is sent.
    pub(super) carrier: Option<Machine>,
    /// How many faults clog each link of the runtime's network.
    clogs: BTreeMap<(usize, usize), u32>,
    /// Links that each fault has cut, and those that it holds back.
    cut_by: BTreeMap<usize, Vec<(usize, usize)>>,
    held_by: BTreeMap<usize, Vec<(usize, usize)>>,
}

impl Links {
    pub(super) fn of_this_runtime() -> Self {
        Self {
            ours: NetworkSim::current(),
            runtimes: NetSim::current(),
            machines: Vec::new(),
            carrier: None,
            clogs: BTreeMap::new(),
            cut_by: BTreeMap::new(),
            held_by: BTreeMap::new(),
        }
    }

    /// Lays them, as the plan has them in ordinary times.
    pub(super) fn lay(&mut self, plan: &Plan, hosts: &[(Machine, IpAddr)]) {
        self.machines = hosts.iter().map(|(machine, _)| *machine).collect();
        self.carrier = Some(self.ours.lay(hosts, plan.network));
        self.ours.steer(|network| hold_links(plan, network));
        self.set_runtimes(plan.network);
    }

    fn set_runtimes(&self, traffic: LinkOptions) {
        self.runtimes.update_config(|config| {
            let us = Duration::from_micros;
            let most_us = traffic.delay_max_us.max(traffic.delay_min_us + 1);
            config.send_latency = us(traffic.delay_min_us)..us(most_us);
            config.packet_loss_rate = f64::from(traffic.loss_ppm) / 1e6;
        });
    }

    /// How many messages went over the runtime's own network.
    pub(super) fn on_runtimes(&self) -> u64 {
        self.runtimes.stat().msg_count
    }

    fn clog(&mut self, (from, to): (usize, usize)) {
        *self.clogs.entry((from, to)).or_default() += 1;
        self.runtimes
            .clog_link(self.machines[from], self.machines[to]);
    }

    fn unclog(&mut self, (from, to): (usize, usize)) {
        let clogs = self.clogs.entry((from, to)).or_default();
        *clogs = clogs.saturating_sub(1);
        if *clogs == 0 {
            self.runtimes
                .unclog_link(self.machines[from], self.machines[to]);
        }
    }

    /// Fault `number` cuts these links, one way. Returns them.
    pub(super) fn cut(
        &mut self,
        number: usize,
        from: &[usize],
        to: &[usize],
    ) -> Vec<(usize, usize)> {
        let cut: Vec<_> = links(from, to).collect();
        for (from, to) in &cut {
            self.ours.steer(|network| network.cut(*from, *to));
            self.clog((*from, *to));
        }
        self.cut_by.entry(number).or_default().extend(&cut);
        cut
    }

    /// Fault `number` cuts `side` off from all of `machines` that are not of it, both ways. Returns
    /// the links.
    pub(super) fn cut_off(
        &mut self,
        number: usize,
        side: &[usize],
        machines: &[usize],
    ) -> Vec<(usize, usize)> {
        let is_other = |at: &usize| !side.contains(at);
        let others: Vec<usize> = machines.iter().copied().filter(is_other).collect();
        let mut cut = self.cut(number, side, &others);
        cut.extend(self.cut(number, &others, side));
        cut
    }

    /// Fault `number` holds back what goes over these links until `until_us`.
    pub(super) fn hold_back(&mut self, number: usize, from: &[usize], to: &[usize], until_us: u64) {
        for (from, to) in links(from, to) {
            self.ours.steer(|network| network.stall(from, to, until_us));
            self.clog((from, to));
            self.held_by.entry(number).or_default().push((from, to));
        }
    }

    /// Fault `number` brings trouble to these links.
    pub(super) fn trouble(
        &self,
        number: usize,
        from: &[usize],
        to: &[usize],
        trouble: LinkDegradation,
    ) {
        let links = links(from, to).collect();
        self.ours
            .steer(|network| network.trouble(number as u64, links, trouble));
    }

    /// What is sent to and from this machine takes longer.
    pub(super) fn slow_down(&self, at: usize, extra_us: u64) {
        self.ours.steer(|network| network.slow_down(at, extra_us));
    }

    /// Fault `number` is over: what it cut is mended, and what it held back goes on.
    pub(super) fn over(&mut self, number: usize) {
        for (from, to) in self.cut_by.remove(&number).unwrap_or_default() {
            self.ours.steer(|network| network.mend(from, to));
            self.unclog((from, to));
        }
        for link in self.held_by.remove(&number).unwrap_or_default() {
            self.unclog(link);
        }
    }

    /// The trouble of fault `number` is over.
    pub(super) fn end_trouble(&self, number: usize) {
        self.ours
            .steer(|network| network.end_trouble(number as u64));
    }

    /// What is sent to and from this machine takes its ordinary time again.
    pub(super) fn speed_up(&self, at: usize, extra_us: u64) {
        self.ours.steer(|network| network.speed_up(at, extra_us));
    }

    /// The storm is over.
    pub(super) fn heal(&self, plan: &Plan) {
        let prompt_us = plan.prompt_us();
        let traffic = LinkOptions {
            delay_min_us: plan.network.delay_min_us.min(prompt_us),
            delay_max_us: plan.network.delay_max_us.min(prompt_us),
            ..LinkOptions::default()
        };
        self.ours.heal(traffic, prompt_us);
        self.set_runtimes(traffic);
    }
}

fn links<'a>(from: &'a [usize], to: &'a [usize]) -> impl Iterator<Item = (usize, usize)> + 'a {
    let each = |from: &'a usize| to.iter().map(move |to| (*from, *to));
    from.iter().flat_map(each).filter(|(from, to)| from != to)
}
