//! A plan as a story's commands make it up, one after the other.

use std::collections::BTreeMap;

use squall_core::engine::{Happened, Line, Observer};
use squall_core::ids::NodeId;
use squall_core::options::{DriverOptions, RaftOptions};
use squall_core::plan::{
    Asked, ClockOptions, Cluster, DiskOptions, Fault, Heal, Plan, Try, VERSION, What, When,
    Workload,
};
use squall_core::registry::RegisteredSubject;
use squall_core::replica::MessageKind;
use squall_world::network::LinkOptions;

use squall_core::faults::story::{Stage, Wrong};

/// Election time-outs that a story's cluster has to converge.
const PATIENCE_ELECTIONS: u64 = 400;

/// What a block is told, and from when on.
#[derive(Clone, Copy, Debug)]
pub enum Mark {
    /// What happens from then on.
    Since { block: usize, at_us: u64 },
    /// How the nodes stand then.
    Show { block: usize, at_us: u64 },
    /// What happens after the storm.
    Heal { block: usize, at_us: u64 },
}

impl Mark {
    /// Whose it is.
    pub fn block(&self) -> usize {
        let (Mark::Since { block, .. } | Mark::Show { block, .. } | Mark::Heal { block, .. }) =
            self;
        *block
    }

    /// When it begins.
    pub fn time_us(&self) -> u64 {
        let (Mark::Since { at_us, .. } | Mark::Show { at_us, .. } | Mark::Heal { at_us, .. }) =
            self;
        *at_us
    }
}

/// The plan so far.
pub struct Draft<'a> {
    pub plan: Plan,
    /// The time at which the next command acts.
    pub now_us: u64,
    /// Which block the next command is in.
    pub block: usize,
    /// The subjects that the story is for; empty for all that have what it needs.
    pub subjects: Vec<String>,
    subject: &'a RegisteredSubject,
    marks: Vec<Mark>,
    /// Faults whose end has not been told yet, by their place in the plan.
    open: Vec<usize>,
    /// The newest operation of each client, by its place in the script.
    newest: BTreeMap<u32, usize>,
    begun: bool,
    healed: bool,
}

/// The cluster that stories begin with: nothing in it is left to chance but election time-outs,
/// and these are so long that a story can call its elections itself.
pub fn base(voters: u8, learners: u8, spares: u8) -> Plan {
    let nodes = usize::from(voters) + usize::from(learners) + usize::from(spares);
    let set_up = u64::from(spares > 0);
    Plan {
        version: VERSION,
        seed: 0,
        subject: String::new(),
        command: None,
        profile: "story".to_owned(),
        cluster: Cluster {
            voters,
            learners,
            spares,
            tick_us: 10_000,
            first_term: set_up,
            first_index: set_up,
            clocks: vec![ClockOptions::default(); nodes],
        },
        raft: RaftOptions {
            election_ticks: 100,
            heartbeat_ticks: 10,
            ..RaftOptions::default()
        },
        driver: DriverOptions::default(),
        network: LinkOptions {
            delay_min_us: 1_000,
            delay_max_us: 1_000,
            ..LinkOptions::default()
        },
        streams: false,
        disk: DiskOptions {
            sync_min_us: 100,
            sync_max_us: 100,
        },
        workload: Workload {
            clients: 8,
            think_min_us: 5_000,
            think_max_us: 20_000,
            timeout_us: 200_000,
            padding_max_bytes: 0,
            retries: 0,
            crash_percent: 0,
            reads_percent: 0,
            locks_percent: 0,
            lease_us: 500_000,
            fresh_lease_reads: true,
            leases_by_leader: false,
            settings_stay: false,
            priorities_stay: false,
        },
        schedule: None,
        script: Some(Vec::new()),
        faults: Vec::new(),
        heal_us: 0,
        heal: Heal::Everyone,
        end_us: 0,
    }
}

impl<'a> Draft<'a> {
    pub fn new(subject: &'a RegisteredSubject) -> Self {
        Self {
            plan: base(3, 0, 0),
            now_us: 0,
            block: 0,
            subjects: Vec::new(),
            subject,
            marks: Vec::new(),
            open: Vec::new(),
            newest: BTreeMap::new(),
            begun: false,
            healed: false,
        }
    }

    /// Whether a command of that name may come now.
    pub fn may_go_on(&mut self, name: &str) -> Result<(), String> {
        if self.healed {
            return Err("nothing may follow heal, which ends a story".to_owned());
        }
        let sets_up = matches!(name, "cluster" | "set" | "subjects");
        if sets_up && self.begun {
            return Err(format!("{name} must come before everything that happens"));
        }
        self.begun |= !sets_up;
        if !sets_up
            && self
                .marks
                .last()
                .is_none_or(|mark| mark.block() != self.block)
        {
            self.mark();
        }
        Ok(())
    }

    /// Whether it has come to its end.
    pub fn is_healed(&self) -> bool {
        self.healed
    }

    /// Whether something happens in it.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// The plan as far as it is told: the storm goes on for one more microsecond, and so does all
    /// that no command has ended. Beside it, the places of the faults that no command has ended.
    pub fn so_far(&self) -> (Plan, Vec<usize>) {
        let (plan, _) = self.finished(self.now_us.saturating_add(1));
        (plan, self.open.clone())
    }

    fn mark(&mut self) {
        let (block, at_us) = (self.block, self.now_us);
        self.marks.push(Mark::Since { block, at_us });
    }

    /// How the nodes stand is told, then what happens from here on.
    pub fn show(&mut self) {
        let (block, at_us) = (self.block, self.now_us);
        self.marks.push(Mark::Show { block, at_us });
        self.mark();
    }

    /// The storm ends.
    pub fn heal(&mut self) {
        let (block, at_us) = (self.block, self.now_us);
        self.marks.push(Mark::Heal { block, at_us });
        self.healed = true;
    }

    /// How many messages of that kind have been sent on that link by now: carries out what there
    /// is.
    fn sent_so_far(&self, from: NodeId, to: NodeId, kind: MessageKind) -> Result<u32, Wrong> {
        let (plan, _) = self.finished(self.now_us);
        plan.validate_told()
            .map_err(|impossible| impossible.to_string())?;
        let mut sent = 0;
        let mut count = |line: Line| {
            let label = match line.event {
                Happened::Sent {
                    label, copy: false, ..
                }
                | Happened::Lost { label } => label,
                _ => return,
            };
            let is_it = (line.node, label.to, label.kind) == (Some(from), to, kind);
            sent += u32::from(is_it && line.time_us < self.now_us);
        };
        let watch = Observer {
            lines: Some(&mut count),
            ..Observer::default()
        };
        self.subject.runner.run(&plan, watch);
        Ok(sent)
    }

    /// A client asks a node for something, now.
    pub fn asks(&mut self, asked: Asked) {
        if let Some(script) = &mut self.plan.script {
            self.newest.insert(asked.client, script.len());
            script.push(asked);
        }
    }

    /// A client asks again, now, for what it asked for last.
    pub fn asks_again(&mut self, client: u32, node: NodeId) -> Result<(), Wrong> {
        let at_us = self.now_us;
        let place = self.newest.get(&client);
        let script = self.plan.script.as_mut();
        match script
            .zip(place)
            .and_then(|(all, place)| all.get_mut(*place))
        {
            Some(asked) => {
                asked.tries.push(Try { at_us, node });
                Ok(())
            }
            None => Err(format!("client {client} has asked for nothing yet")),
        }
    }

    /// The plan, and what to tell of it.
    pub fn finish(self) -> (Plan, Vec<Mark>) {
        self.finished(self.now_us)
    }

    fn finished(&self, heal_us: u64) -> (Plan, Vec<Mark>) {
        let mut plan = self.plan.clone();
        for place in &self.open {
            end(&mut plan.faults[*place], heal_us);
        }
        plan.subject = self.subject.name.clone();
        plan.command.clone_from(&self.subject.command);
        plan.heal_us = heal_us;
        // What is too much for a plan is told when the plan is made sure of.
        let election_us = u64::from(plan.raft.election_ticks).saturating_mul(plan.cluster.tick_us);
        let patience_us = election_us.max(1).saturating_mul(PATIENCE_ELECTIONS);
        plan.end_us = heal_us.saturating_add(patience_us);
        (plan, self.marks.clone())
    }
}

impl Stage for Draft<'_> {
    fn strikes(&mut self, what: What) {
        let when = When::AtUs(self.now_us);
        self.plan.faults.push(Fault { when, what });
    }

    fn begins(&mut self, for_us: Option<u64>, mut what: What) {
        if for_us.is_none() {
            self.open.push(self.plan.faults.len());
        }
        if let Some(lasts_us) = what.lasts_us() {
            *lasts_us = for_us.unwrap_or(u64::MAX);
        }
        self.strikes(what);
    }

    fn ends(&mut self, is_it: &dyn Fn(&What) -> bool) -> usize {
        let mut ended = 0;
        let now_us = self.now_us;
        let faults = &mut self.plan.faults;
        self.open.retain(|place| {
            let fault = &mut faults[*place];
            let is_over = is_it(&fault.what);
            if is_over {
                end(fault, now_us);
                ended += 1;
            }
            !is_over
        });
        ended
    }

    fn next_message(
        &mut self,
        (from, to): (NodeId, NodeId),
        kind: MessageKind,
        what: What,
    ) -> Result<(), Wrong> {
        let is_named = |fault: &Fault| match fault.when {
            When::Message {
                from: other_from,
                to: other_to,
                kind: other,
                nth,
            } if (other_from, other_to, other) == (from, to, kind) => Some(nth),
            _ => None,
        };
        // The one after those that are spoken for already.
        let taken = self.plan.faults.iter().filter_map(is_named).max();
        let sent = self.sent_so_far(from, to, kind)?;
        let nth = taken.unwrap_or(0).max(sent) + 1;
        let when = When::Message {
            from,
            to,
            kind,
            nth,
        };
        self.plan.faults.push(Fault { when, what });
        Ok(())
    }
}

/// The fault, which strikes at a time, ends then.
fn end(fault: &mut Fault, now_us: u64) {
    if let (When::AtUs(at_us), Some(lasts_us)) = (fault.when, fault.what.lasts_us()) {
        *lasts_us = (now_us - at_us).max(1);
    }
}
