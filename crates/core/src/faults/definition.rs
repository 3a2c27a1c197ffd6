//! All that there is to say about one kind of fault. Each kind implements [`Definition`] in a file
//! of its own; [`What`](super::What) hands on to them, and everybody else asks `What`.

use super::FaultKind;
use super::story::Command;
use crate::engine::World;
use crate::ids::NodeId;
use crate::invariants::Verdict;
use crate::options::Feature;
use crate::plan::{Draw, Impossible, MAX_TIME_US, Plan, at_most, check};
use crate::replica::Subject;
use squall_world::network::MessageFault;

/// One kind of fault: its data are the type's fields.
pub(crate) trait Definition: Clone + Sized {
    /// One line that says what it does, for `squall list faults`.
    fn about(kind: FaultKind) -> &'static str;

    /// Which of the kinds that share the type this is.
    fn kind(&self) -> FaultKind;

    /// What it does, in words, for people who read a failure.
    fn words(&self) -> String;

    /// Its spans of time and its nodes, so that other plans can be made out of plans.
    fn parts(&mut self) -> Parts<'_>;

    /// What it leaves of what leases of leaders stand on.
    fn lease(&self) -> Lease;

    /// Makes sure that it can be run.
    ///
    /// # Errors
    /// The field that is wrong.
    fn validate(&self, limits: &Limits<'_>) -> Result<(), Impossible>;

    /// Draws one. What most kinds need is drawn already.
    fn draw(kind: FaultKind, draw: &mut Draw<'_>, plan: &Plan, drawn: Drawn) -> Self;

    /// Strikes.
    ///
    /// # Errors
    /// The violation that it leads to at once.
    fn strike<S: Subject>(
        &self,
        world: &mut World<'_, '_, S>,
        now_us: u64,
        number: usize,
    ) -> Verdict<Lasts>;

    /// Ends, where [`Lasts::ForUs`] said that it would.
    fn end<S: Subject>(&self, world: &mut World<'_, '_, S>, now_us: u64, number: usize) {
        let _ = (world, now_us);
        unreachable!("fault {number}, {}, has no end", self.words());
    }

    // ---- what most kinds leave as it is ----

    /// Whether the kind makes no sense with one node.
    fn needs_peers(kind: FaultKind) -> bool {
        let _ = kind;
        false
    }

    /// Whether a subject that supports these has what the kind is about.
    fn is_supported(kind: FaultKind, supports: &[Feature]) -> bool {
        let _ = (kind, supports);
        true
    }

    /// Whether this one needs the feature, in this plan.
    fn asks_for(&self, feature: Feature, plan: &Plan) -> bool {
        let _ = (feature, plan);
        false
    }

    /// What it does to the message that triggers it, which it then needs.
    fn on_message(&self) -> Option<MessageFault> {
        None
    }

    /// The node whose syncs it is best triggered by.
    fn at_syncs_of(&self) -> Option<NodeId> {
        None
    }

    /// Whether syncs that overwrite entries are a good time for it.
    fn at_overwrites(&self) -> bool {
        false
    }

    /// Whether it may just as well be about another node, or come at another time.
    fn is_free(&self) -> bool {
        true
    }

    /// The node that it takes away for good.
    fn takes_for_good(&self) -> Option<NodeId> {
        None
    }

    /// What it adds to the cost of a run.
    fn cost(&self) -> Cost {
        Cost::default()
    }

    /// The same fault, simpler in one thing each, beside shorter spans and fewer nodes.
    fn simpler(&self) -> Vec<Self> {
        Vec::new()
    }

    /// Takes out a node of the cluster; those after it move up. False when nothing is left of the
    /// fault.
    fn without(&mut self, out: NodeId) -> bool {
        let parts = self.parts();
        let mut stays = true;
        for node in parts.nodes {
            stays &= moves_up(node, out);
        }
        for list in parts.lists {
            list.nodes.retain_mut(|node| moves_up(node, out));
            stays &= list.may_be_empty || !list.nodes.is_empty();
        }
        stays
    }

    /// Fits it to a plan by putting nodes of the plan in place of those that it has not. False
    /// where the plan can have no such fault.
    fn fit(&mut self, plan: &Plan) -> bool {
        let count = plan.cluster.nodes();
        let parts = self.parts();
        let lists = parts
            .lists
            .into_iter()
            .flat_map(|list| list.nodes.iter_mut());
        for node in parts.nodes.into_iter().chain(lists) {
            node.0 = (node.0 - 1) % count + 1;
        }
        true
    }

    /// Draws `count` of the kind, and when each strikes.
    fn draw_some(
        kind: FaultKind,
        count: u64,
        draw: &mut Draw<'_>,
        plan: &Plan,
        so_far: &mut Vec<super::Fault>,
    ) where
        Self: Into<super::What>,
    {
        for _ in 0..count {
            if plan.nodes().len() == 1 && Self::needs_peers(kind) {
                continue;
            }
            let drawn = Drawn::new(draw, plan);
            let what = Self::draw(kind, draw, plan, drawn).into();
            draw.add(what, plan, so_far);
        }
    }

    /// The commands of stories that begin and end it.
    fn commands() -> &'static [Command] {
        &[]
    }

    /// The command that says the same, where there is one.
    fn command(&self) -> Option<String> {
        None
    }
}

/// Renames a node when `out` is taken out; false when it is the one.
pub(crate) fn moves_up(node: &mut NodeId, out: NodeId) -> bool {
    let stays = *node != out;
    if *node > out {
        node.0 -= 1;
    }
    stays
}

/// How long a fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// So long, in microseconds; then it must be ended.
    ForUs(u64),
    /// It is over at once, or sees to its end by itself.
    NoLonger,
}

/// The parts of a fault that can be changed for themselves.
#[derive(Debug, Default)]
pub struct Parts<'a> {
    /// How long it lasts, in microseconds.
    pub lasts_us: Option<&'a mut u64>,
    /// Its other spans of time, in microseconds.
    pub spans_us: Vec<&'a mut u64>,
    /// Nodes, each for itself.
    pub nodes: Vec<&'a mut NodeId>,
    /// Lists of nodes.
    pub lists: Vec<NodeList<'a>>,
}

/// A list of nodes in a fault.
#[derive(Debug)]
pub struct NodeList<'a> {
    /// The nodes.
    pub nodes: &'a mut Vec<NodeId>,
    /// Whether the fault is one without any.
    pub may_be_empty: bool,
}

impl<'a> NodeList<'a> {
    /// A list that must not be empty.
    pub(crate) fn some(nodes: &'a mut Vec<NodeId>) -> Self {
        Self {
            nodes,
            may_be_empty: false,
        }
    }

    /// A list that may be empty.
    pub(crate) fn any(nodes: &'a mut Vec<NodeId>) -> Self {
        Self {
            nodes,
            may_be_empty: true,
        }
    }
}

/// What a fault leaves of what leases of leaders stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Clocks and nodes run alike.
    pub keeps_time: bool,
    /// Besides, no message is held up, and no leader is kept from looking whom it hears.
    pub is_prompt: bool,
    /// A leader and its followers keep in touch, and no follower is freed of its leader.
    pub keeps_in_touch: bool,
}

/// What a fault adds to the cost of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// How much faster a clock runs, in parts per million.
    pub drift_ppm: i32,
    /// How late messages are at most, in microseconds.
    pub tail_us: u64,
    /// Every message on some links is looked at for it.
    pub on_links: bool,
    /// How often an operator asks for something.
    pub asks: u32,
}

/// What is drawn for every fault.
#[derive(Clone, Copy, Debug)]
pub struct Drawn {
    /// A node.
    pub node: NodeId,
    /// How long a fault may last, in microseconds.
    pub for_us: u64,
    /// The plan's election time-out, in microseconds.
    pub election_us: u64,
    /// The plan's time between two ticks, in microseconds.
    pub tick_us: u64,
}

impl Drawn {
    pub(crate) fn new(draw: &mut Draw<'_>, plan: &Plan) -> Self {
        let (election_us, tick_us) = (plan.election_us(), plan.cluster.tick_us);
        Self {
            node: draw.node(plan),
            for_us: draw.span(tick_us, election_us),
            election_us,
            tick_us,
        }
    }
}

/// What the parts of a fault must keep within.
pub(crate) struct Limits<'a> {
    pub(crate) plan: &'a Plan,
    /// The fault's place in the plan.
    pub(crate) number: usize,
    /// When it strikes.
    pub(crate) when: super::When,
}

impl Limits<'_> {
    /// The name of a field of the fault.
    pub(crate) fn field(&self, name: &str) -> String {
        format!("faults[{}].{name}", self.number)
    }

    /// A length of time.
    pub(crate) fn time(&self, name: &str, us: u64) -> Result<(), Impossible> {
        at_most(self.field(name), us, MAX_TIME_US)
    }

    /// A node of the cluster.
    pub(crate) fn node(&self, node: NodeId) -> Result<(), Impossible> {
        self.nodes("node", &[node])
    }

    /// At least one node, and all of the cluster.
    pub(crate) fn nodes(&self, name: &str, nodes: &[NodeId]) -> Result<(), Impossible> {
        self.plan.known_nodes(&self.field(name), nodes)
    }

    /// At least one link.
    pub(crate) fn links(&self, from: &[NodeId], to: &[NodeId]) -> Result<(), Impossible> {
        self.nodes("from", from)?;
        self.nodes("to", to)?;
        let any = from.iter().any(|from| to.iter().any(|to| from != to));
        check(
            any,
            self.field("to"),
            "a list with no link",
            "with a node that is not the only one of from",
        )
    }

    /// A message must trigger it.
    pub(crate) fn on_message(&self) -> Result<(), Impossible> {
        check(
            matches!(self.when, super::When::Message { .. }),
            self.field("when"),
            "not a message",
            "{\"message\": {from, to, kind, nth}}: this fault acts on the message that triggers it",
        )
    }
}

/// Fits two lists of nodes, which are links, to a plan: see [`Definition::fit`].
pub(crate) fn fit_links(from: &mut Vec<NodeId>, to: &mut Vec<NodeId>, plan: &Plan) -> bool {
    let count = plan.cluster.nodes();
    for list in [&mut *from, &mut *to] {
        fit_list(list, count);
    }
    if let ([one], [other]) = (&from[..], &to[..])
        && one == other
    {
        *to = vec![NodeId(one.0 % count + 1)];
    }
    count > 1
}

/// Fits a list of nodes to a cluster of `count`.
pub(crate) fn fit_list(nodes: &mut Vec<NodeId>, count: u8) {
    for node in nodes.iter_mut() {
        node.0 = (node.0 - 1) % count + 1;
    }
    nodes.sort();
    nodes.dedup();
}
