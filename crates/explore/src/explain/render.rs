//! Moments in words: one short sentence each, in which the node of its line is the subject.

use squall_core::engine::{Happened, Trigger, Wrote};
use squall_core::ids::{ClientName, Index, NodeId, Role, Term, node_list};
use squall_core::invariants::Property;
use squall_core::plan::{Plan, What};
use squall_core::replica::{Claim, MessageKind, Observation, ReplyOutcome, SyncResult};

use super::step_graph::{Moment, Moments};
use super::topic::Topic;

/// How a moment is told.
pub struct Telling<'a> {
    pub plan: &'a Plan,
    /// What the violation is about, where there is one.
    pub topic: Option<&'a Topic>,
    /// With all that its message says.
    pub in_full: bool,
}

/// What a moment says; empty when it says nothing that matters.
pub fn sentence(moments: &Moments, place: usize, telling: &Telling<'_>) -> String {
    let moment = &moments.all[place];
    let done = effects(moment, telling);
    // Who counted the votes is no news where someone is elected.
    let mut parts: Vec<String> = beginning(moments, moment, telling).into_iter().collect();
    parts.extend(done);
    parts.join(", ")
}

fn is_elected(moment: &Moment) -> bool {
    let leads = |event: &Happened| matches!(event, Happened::Observed(Observation::Role { role, .. }) if *role == Role::Leader);
    moment.events.iter().any(leads)
}

/// What it began with, where that says something.
fn beginning(moments: &Moments, moment: &Moment, telling: &Telling<'_>) -> Option<String> {
    match moment.trigger.as_ref()? {
        Trigger::Message { from, label, .. } => {
            let has_entries = matches!(label.kind, MessageKind::Append | MessageKind::Snapshot);
            let granted = match label.kind {
                MessageKind::VoteReply | MessageKind::PreVoteReply => {
                    matches!(label.claim, Claim::Voted { .. })
                }
                _ => true,
            };
            let what = label.kind.words();
            let mut text = match (label.kind, label.claim) {
                _ if telling.in_full && has_entries => moment.heard.clone(),
                (MessageKind::VoteReply, _) if granted && is_elected(moment) => return None,
                (MessageKind::VoteReply, _) if granted => format!("receives {from}'s vote"),
                (MessageKind::VoteReply, _) => format!("is refused {from}'s vote"),
                (MessageKind::AppendReply, Claim::Appended { index }) => {
                    format!("hears that {from}'s log matches up to {index}")
                }
                (MessageKind::AppendReply, _) => format!("hears that {from} rejects the append"),
                (MessageKind::Vote | MessageKind::PreVote, _) => {
                    let log = moment.cause.map(|cause| moments.all[cause].log);
                    let log = log.map_or(String::new(), |log| format!(", whose log {log}"));
                    format!("receives a {what} from {from}{log}")
                }
                (MessageKind::HeartbeatReply, _) => {
                    format!("receives {from}'s reply to a heartbeat")
                }
                _ => format!("receives {from}'s {what}"),
            };
            let sent = moment.cause.map(|cause| &moments.all[cause]);
            let patience_us = telling.plan.election_us();
            let late = sent.filter(|sent| moment.time_us > sent.time_us + patience_us);
            if let Some(sent) = late {
                text.push_str(&format!(", sent in step {}", sent.step));
            }
            Some(text)
        }
        Trigger::Synced(SyncResult::Failed) => Some("is told that a sync failed".to_owned()),
        Trigger::Client {
            client,
            operation: Some(operation),
            attempt,
            words,
            ..
        } => {
            let again = if *attempt > 0 { " again" } else { "" };
            let client = ClientName(*client);
            let what = words.clone().unwrap_or_else(|| operation.to_string());
            Some(format!("is asked by {client}{again} to {what}"))
        }
        Trigger::Admin(admin) => Some(format!("is asked by an operator {admin}")),
        Trigger::Tick
        | Trigger::Synced(SyncResult::Done)
        | Trigger::Client { .. }
        | Trigger::Transport => None,
    }
}

/// What came of it.
fn effects(moment: &Moment, telling: &Telling<'_>) -> Vec<String> {
    let plan = telling.plan;
    let mut said = Said {
        replaced: moment.replaced,
        ..Said::default()
    };
    let role = |wanted: Role| {
        moment.events.iter().find_map(|event| match event {
            Happened::Observed(Observation::Role { role, term }) if *role == wanted => Some(*term),
            _ => None,
        })
    };
    let (stands, leads) = (role(Role::Candidate), role(Role::Leader));
    // Who is elected may write before it says so, or after.
    let is_election = |event: &&Happened| matches!(event, Happened::Observed(Observation::Role { role, .. }) if *role == Role::Leader);
    let first = moment.events.iter().filter(is_election);
    let rest = moment.events.iter().filter(|event| !is_election(event));
    for event in first.chain(rest) {
        match event {
            Happened::Wrote(Wrote::Entry {
                index,
                term,
                changes,
                ..
            }) => said.entry(*index, *term, *changes),
            Happened::Wrote(Wrote::HardState(hard))
                if hard.vote.is_some() && (stands.is_some() || leads.is_some()) => {}
            Happened::Wrote(Wrote::HardState(hard)) => match hard.vote {
                Some(vote) if Some(vote) == moment.node => {
                    said.add(format!("writes term {} and a vote for itself", hard.term));
                }
                Some(vote) => said.add(format!("votes for {vote} in term {}", hard.term)),
                None => said.add(format!("writes term {} and no vote", hard.term)),
            },
            Happened::Wrote(Wrote::LogReset { next }) => {
                said.add(format!("empties its log, which begins at {next} now"));
            }
            Happened::Wrote(Wrote::LogCompact { through }) => {
                said.add(format!("drops its log up to {through}"));
            }
            Happened::Wrote(Wrote::Snapshot { index, term }) => {
                said.add(format!("writes a snapshot at {index} of term {term}"));
            }
            Happened::Wrote(Wrote::Commit { .. }) => {}
            Happened::Observed(seen) => observed(&mut said, moment, seen, telling),
            Happened::Answered { reply, words } => {
                let answer = reply.outcome.answer().map(|answer| answer.to_string());
                let told = words.clone().or(answer).unwrap_or_default();
                let what = match reply.outcome {
                    ReplyOutcome::Applied { index, .. } => format!("{told} (entry {index})"),
                    ReplyOutcome::Read { index, .. } => format!("{told} (read at {index})"),
                    ReplyOutcome::Refused { .. } => "not here".to_owned(),
                };
                said.add(format!("tells {}: {what}", ClientName(reply.client)));
            }
            Happened::Lost { label } if label.kind == MessageKind::Snapshot => {
                said.add(format!("its snapshot to {} is lost", label.to));
            }
            Happened::Struck(number) => {
                if let Some(fault) = plan.faults.get(*number) {
                    said.add(match fault.when {
                        squall_core::plan::When::AtUs(_) => fault.what.to_string(),
                        when => format!("{when}: {}", fault.what),
                    });
                }
            }
            Happened::Down(forgotten) => {
                let lost = forgotten.to_string();
                said.add(match (forgotten.whole_disk, lost.is_empty()) {
                    (true, true) => "goes down, and gets an empty disk".to_owned(),
                    (true, false) => format!("goes down, and gets an empty disk, without {lost}"),
                    (false, true) => "crashes; its disk keeps all that it wrote".to_owned(),
                    (false, false) => format!("crashes; its disk loses {lost}"),
                });
            }
            Happened::Healed => said.add("the storm ends".to_owned()),
            _ => {}
        }
    }
    said.flush();
    for words in &moment.words {
        said.add(words.clone());
    }
    said.parts
}

fn observed(said: &mut Said, moment: &Moment, seen: &Observation, telling: &Telling<'_>) {
    let applies = telling.topic.is_some_and(|topic| {
        matches!(
            topic.property,
            Property::StateMachineSafety | Property::ExactlyOnce
        )
    });
    match seen {
        Observation::Role {
            role: Role::Leader,
            term,
        } => {
            let mut voters: Vec<NodeId> = moment.votes.iter().map(|(voter, _)| *voter).collect();
            voters.extend(moment.node);
            voters.sort();
            let longer = |log: &super::step_graph::LogEnd| {
                (log.term, log.index) > (moment.log.term, moment.log.index) && log.term > 0
            };
            let mut text = format!(
                "becomes leader of term {term}, elected by {}",
                node_list(&voters)
            );
            if telling.plan.changes_membership()
                && let Some(configuration) = &moment.configuration
            {
                text.push_str(&format!(" of {configuration}"));
            }
            for (voter, log) in moment.votes.iter().filter(|(_, log)| longer(log)) {
                text.push_str(&format!(
                    ", though {voter}'s log {log} and its own {}",
                    moment.log
                ));
            }
            said.add(text);
        }
        Observation::Role {
            role: Role::Candidate,
            term,
        } => said.add(format!("stands for election in term {term}")),
        Observation::Role {
            role: Role::PreCandidate,
            ..
        } => said.add("asks for pre-votes".to_owned()),
        Observation::Role { .. } if moment.steps_down => said.add("steps down".to_owned()),
        Observation::Role { .. } => {}
        Observation::Committed { index } => said.add(format!("knows that {index} is committed")),
        Observation::Applied { index, .. } if applies => said.applies(*index),
        Observation::Applied { .. } => {}
        Observation::Installed { index, .. } => {
            said.add(format!("installs the snapshot at {index}"));
        }
        Observation::SnapshotTaken { index } => said.add(format!("takes a snapshot at {index}")),
        Observation::Configured {
            index,
            configuration,
        } => said.add(format!(
            "adopts the configuration of entry {index}: {configuration}"
        )),
        Observation::Started {
            term,
            vote,
            last,
            commit,
            ..
        } => {
            let vote = vote.map_or("no vote".to_owned(), |vote| format!("vote {vote}"));
            let again = if moment.before.is_some() { "re" } else { "" };
            said.add(format!(
                "{again}starts with term {term}, {vote}, log up to {last}, commit {commit}"
            ));
        }
        Observation::ReadConfirmed { .. } => {}
        Observation::Transfer { to: Some(to) } => {
            said.add(format!("hands leadership over to {to}"));
        }
        Observation::Transfer { to: None } => {}
        Observation::Broke(_) => {}
        Observation::Did(event) => said.add(match event {
            squall_core::replica::LibraryEvent::DroppedProposal => "drops a proposal".to_owned(),
            squall_core::replica::LibraryEvent::DeclinedChange => "declines the change".to_owned(),
            squall_core::replica::LibraryEvent::SkippedChange => "skips the change".to_owned(),
            squall_core::replica::LibraryEvent::SnapshotAsked => "asks for a snapshot".to_owned(),
            _ => return,
        }),
    }
}

/// Parts of a sentence; entries that follow one another are one part.
#[derive(Default)]
struct Said {
    parts: Vec<String>,
    written: Vec<(Index, Term)>,
    applied: Vec<Index>,
    /// The first entry that was cut off, until it has been told.
    replaced: Option<(Index, Term)>,
}

impl Said {
    fn add(&mut self, part: String) {
        self.flush();
        self.parts.push(part);
    }

    fn entry(&mut self, index: Index, term: Term, changes: bool) {
        let goes_on = |(last, same): &(Index, Term)| *last + 1 == index && *same == term;
        if changes || !self.written.last().is_some_and(goes_on) {
            self.flush();
        }
        self.written.push((index, term));
        if changes {
            self.flush();
            if let Some(part) = self.parts.last_mut() {
                part.push_str(", a configuration change");
            }
        }
    }

    fn applies(&mut self, index: Index) {
        if self.applied.is_empty() {
            self.flush();
        }
        self.applied.push(index);
    }

    fn flush(&mut self) {
        let run = std::mem::take(&mut self.written);
        if let (Some((first, term)), Some((last, _))) = (run.first(), run.last()) {
            let mut part = match first == last {
                true => format!("writes entry {first} of term {term}"),
                false => format!("writes entries {first} to {last} of term {term}"),
            };
            let replaced = self
                .replaced
                .take_if(|(index, _)| (first..=last).contains(&&*index));
            if let Some((index, old)) = replaced {
                part.push_str(&format!(" in place of its own entry {index} of term {old}"));
            }
            self.parts.push(part);
        }
        let run = std::mem::take(&mut self.applied);
        if let (Some(first), Some(last)) = (run.first(), run.last()) {
            self.parts.push(match first == last {
                true => format!("applies {first}"),
                false => format!("applies {first} to {last}"),
            });
        }
    }
}

/// Whether what the fault does is told where it is done: as a node goes down, or is asked.
pub fn is_told_by_node(plan: &Plan, number: usize) -> bool {
    let fault = plan.faults.get(number);
    let told = |what: &What| {
        matches!(
            what,
            What::Crash(_) | What::LoseDisk(_) | What::Change(_) | What::Ask(_)
        )
    };
    fault.is_some_and(|fault| told(&fault.what))
}
