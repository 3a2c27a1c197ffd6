//! An operator asks for something else: several kinds, which share their data.

use serde::{Deserialize, Serialize};

use super::FaultKind;
use super::definition::{Cost, Definition, Drawn, Lasts, Lease, Limits, Parts, moves_up};
use super::story::{Command, Stage, Words, Wrong};
use crate::engine::World;
use crate::ids::NodeId;
use crate::invariants::Verdict;
use crate::operator::{Admin, Setting};
use crate::options::Feature;
use crate::plan::{Draw, Impossible, Plan, check};
use crate::replica::Subject;

/// An operator asks a node for something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Which node; none for whoever leads.
    pub node: Option<NodeId>,
    /// For what.
    pub admin: Admin,
}

impl Definition for Ask {
    fn about(kind: FaultKind) -> &'static str {
        match kind {
            FaultKind::Transfer => "an operator moves leadership to some node, whatever its state",
            FaultKind::Campaign => "an operator makes a node stand for election",
            FaultKind::RequestSnapshot => "a follower is made to ask its leader for a snapshot",
            FaultKind::Ping => "a leader is made to send heartbeats",
            FaultKind::Set => "a setting of a running node is changed",
            other => unreachable!("{other:?} is asked of nobody"),
        }
    }

    fn kind(&self) -> FaultKind {
        match self.admin {
            Admin::Change(_) => FaultKind::Change,
            Admin::TransferLeader { .. } => FaultKind::Transfer,
            Admin::Campaign => FaultKind::Campaign,
            Admin::RequestSnapshot => FaultKind::RequestSnapshot,
            Admin::Ping => FaultKind::Ping,
            Admin::Set(_) => FaultKind::Set,
        }
    }

    fn words(&self) -> String {
        let admin = &self.admin;
        match self.node {
            Some(node) => format!("an operator asks {node} {admin}"),
            None => format!("an operator asks the leader {admin}"),
        }
    }

    fn parts(&mut self) -> Parts<'_> {
        let asked = self.node.iter_mut();
        let nodes = match &mut self.admin {
            Admin::TransferLeader { to } => asked.chain([to]).collect(),
            Admin::Change(_)
            | Admin::Campaign
            | Admin::RequestSnapshot
            | Admin::Ping
            | Admin::Set(_) => asked.collect(),
        };
        Parts {
            nodes,
            ..Parts::default()
        }
    }

    fn lease(&self) -> Lease {
        Lease {
            keeps_time: true,
            is_prompt: match &self.admin {
                Admin::Campaign | Admin::RequestSnapshot | Admin::Ping => true,
                Admin::Set(setting) => !matches!(setting, Setting::CheckQuorum(false)),
                // Each request to hand over puts the look off.
                Admin::TransferLeader { .. } | Admin::Change(_) => false,
            },
            keeps_in_touch: match &self.admin {
                // Both lead to an election that asks no follower whether it is still bound.
                Admin::TransferLeader { .. } | Admin::Campaign => false,
                Admin::Change(_) | Admin::RequestSnapshot | Admin::Ping | Admin::Set(_) => true,
            },
        }
    }

    fn validate(&self, limits: &Limits<'_>) -> Result<(), Impossible> {
        if let Some(node) = self.node {
            limits.node(node)?;
        }
        match &self.admin {
            Admin::TransferLeader { to } => limits.node(*to),
            Admin::Change(_) => check(
                false,
                limits.field("what"),
                "ask for a change",
                "{\"change\": ...}, which has retries",
            ),
            Admin::Set(Setting::MaxInflight(cap)) => check(
                *cap <= 65_536,
                limits.field("max-inflight"),
                cap,
                "0 to 65536",
            ),
            Admin::Campaign | Admin::RequestSnapshot | Admin::Ping | Admin::Set(_) => Ok(()),
        }
    }

    fn draw(kind: FaultKind, draw: &mut Draw<'_>, plan: &Plan, drawn: Drawn) -> Self {
        let node = drawn.node;
        let (node, admin) = match kind {
            FaultKind::Transfer => (None, Admin::TransferLeader { to: node }),
            FaultKind::Campaign => (Some(node), Admin::Campaign),
            FaultKind::RequestSnapshot => (Some(node), Admin::RequestSnapshot),
            FaultKind::Ping => (None, Admin::Ping),
            FaultKind::Set => (Some(node), Admin::Set(draw.setting(plan))),
            other => unreachable!("{other:?} is asked of nobody"),
        };
        Self { node, admin }
    }

    fn needs_peers(kind: FaultKind) -> bool {
        matches!(kind, FaultKind::Transfer | FaultKind::RequestSnapshot)
    }

    fn is_supported(kind: FaultKind, supports: &[Feature]) -> bool {
        let feature = match kind {
            FaultKind::Transfer => Feature::Transfer,
            FaultKind::Campaign => Feature::Campaign,
            FaultKind::RequestSnapshot => Feature::RequestSnapshot,
            FaultKind::Set | FaultKind::Ping => Feature::Settings,
            _ => return true,
        };
        supports.contains(&feature)
    }

    fn asks_for(&self, feature: Feature, _: &Plan) -> bool {
        match self.admin {
            Admin::Change(_) => feature == Feature::SimpleChange,
            Admin::TransferLeader { .. } => feature == Feature::Transfer,
            Admin::Campaign => feature == Feature::Campaign,
            Admin::RequestSnapshot => feature == Feature::RequestSnapshot,
            Admin::Ping | Admin::Set(_) => feature == Feature::Settings,
        }
    }

    fn is_free(&self) -> bool {
        matches!(
            self.admin,
            Admin::TransferLeader { .. } | Admin::Campaign | Admin::Ping
        )
    }

    fn cost(&self) -> Cost {
        Cost {
            asks: 1,
            ..Cost::default()
        }
    }

    fn simpler(&self) -> Vec<Self> {
        match self {
            Self {
                node: Some(_),
                admin: admin @ Admin::TransferLeader { .. },
            } => vec![Self {
                node: None,
                admin: admin.clone(),
            }],
            _ => Vec::new(),
        }
    }

    fn without(&mut self, out: NodeId) -> bool {
        let stays = match &mut self.admin {
            Admin::TransferLeader { to } => moves_up(to, out),
            Admin::Change(change) => {
                change
                    .steps
                    .retain_mut(|step| moves_up(&mut step.node, out));
                !change.steps.is_empty()
            }
            Admin::Campaign | Admin::RequestSnapshot | Admin::Ping | Admin::Set(_) => true,
        };
        let asked = self.node.as_mut();
        stays & asked.is_none_or(|node| moves_up(node, out))
    }

    fn fit(&mut self, plan: &Plan) -> bool {
        let count = plan.cluster.nodes();
        for node in self.parts().nodes {
            node.0 = (node.0 - 1) % count + 1;
        }
        // Where all are equal, they stay so.
        let ranks = matches!(self.admin, Admin::Set(Setting::Priority(_)));
        !ranks || !plan.raft.priorities.is_empty()
    }

    fn strike<S: Subject>(
        &self,
        world: &mut World<'_, '_, S>,
        now_us: u64,
        _: usize,
    ) -> Verdict<Lasts> {
        world.ask(now_us, self.node, self.admin.clone())?;
        Ok(Lasts::NoLonger)
    }

    fn commands() -> &'static [Command] {
        &[
            Command {
                name: "campaign",
                usage: "campaign NODE",
                about: "an operator asks the node to stand for election; without it, a node stands when its time-out is over, which the seed draws",
                act: campaign,
            },
            Command {
                name: "transfer",
                usage: "transfer NODE -> NODE",
                about: "an operator asks the first to hand its leadership to the second",
                act: transfer,
            },
            Command {
                name: "ask",
                usage: "ask NODE JSON, an operator's request as in a plan file, e.g. ask n2 \"request-snapshot\"",
                about: "an operator asks the node for something else",
                act: ask,
            },
        ]
    }

    fn command(&self) -> Option<String> {
        let node = self.node?;
        Some(match &self.admin {
            Admin::Campaign => format!("campaign {node}"),
            Admin::TransferLeader { to } => format!("transfer {node} -> {to}"),
            admin => {
                let json = serde_json::to_string(admin).expect("a request is plain data");
                format!("ask {node} {json}")
            }
        })
    }
}

fn campaign(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let node = Some(words.node()?);
    let admin = Admin::Campaign;
    stage.strikes(Ask { node, admin }.into());
    Ok(())
}

fn transfer(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let (from, to) = words.link()?;
    let (node, admin) = (Some(from), Admin::TransferLeader { to });
    stage.strikes(Ask { node, admin }.into());
    Ok(())
}

fn ask(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let node = Some(words.node()?);
    let text = words.rest();
    let admin = serde_json::from_str(text)
        .map_err(|error| format!("\"{text}\" is no request of an operator: {error}"))?;
    stage.strikes(Ask { node, admin }.into());
    Ok(())
}
