//! Something becomes of a message while it is on its way.

use serde::{Deserialize, Serialize};

use super::FaultKind;
use super::definition::{Definition, Drawn, Lasts, Lease, Limits, Parts};
use super::story::{Command, Stage, Words, Wrong, kind_word, needed_time, time_words};
use crate::engine::World;
use crate::ids::NodeId;
use crate::invariants::Verdict;
use crate::plan::{Draw, Impossible, Plan, check};
use crate::replica::{MessageKind, Subject};
use crate::text::seconds;

/// One of the messages on their way on a link is intercepted. Nothing happens where there is none.
///
/// Other faults of messages decide as a message is sent what becomes of it. This one finds it in
/// the network when the fault strikes, and so changes nothing that happened before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intercept {
    /// The sender of the message.
    pub from: NodeId,
    /// Its receiver.
    pub to: NodeId,
    /// Its kind.
    pub kind: MessageKind,
    /// Which of those of that kind on their way on that link: counted from 1, in the order in
    /// which they are to arrive.
    pub nth: u32,
    /// What becomes of it.
    pub then: OnItsWay,
}

/// What becomes of a message that is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnItsWay {
    /// It arrives at once, ahead of those before it.
    Arrives,
    /// It is lost.
    IsLost,
    /// It arrives so much later than it was to, in microseconds, and later ones arrive before it.
    IsLate(u64),
    /// It arrives as it was to, and again so much later, in microseconds.
    ComesAgain(u64),
}

impl Definition for Intercept {
    fn about(_: FaultKind) -> &'static str {
        "a message that is on its way arrives at once, is lost, is late or comes twice"
    }

    fn kind(&self) -> FaultKind {
        FaultKind::Intercept
    }

    fn words(&self) -> String {
        let Self {
            from,
            to,
            kind,
            nth,
            then,
        } = self;
        let kind = kind.words();
        let which = match nth {
            1 => format!("the next {kind}"),
            nth => format!("{kind} no. {nth}"),
        };
        let then = match then {
            OnItsWay::Arrives => "arrives at once".to_owned(),
            OnItsWay::IsLost => "is lost".to_owned(),
            OnItsWay::IsLate(by_us) => format!("is {} late", seconds(*by_us)),
            OnItsWay::ComesAgain(after_us) => format!("arrives again {} later", seconds(*after_us)),
        };
        format!("{which} on its way from {from} to {to} {then}")
    }

    fn parts(&mut self) -> Parts<'_> {
        let spans_us = match &mut self.then {
            OnItsWay::IsLate(us) | OnItsWay::ComesAgain(us) => vec![us],
            OnItsWay::Arrives | OnItsWay::IsLost => Vec::new(),
        };
        Parts {
            spans_us,
            nodes: vec![&mut self.from, &mut self.to],
            ..Parts::default()
        }
    }

    fn lease(&self) -> Lease {
        Lease {
            keeps_time: true,
            is_prompt: matches!(self.then, OnItsWay::Arrives | OnItsWay::IsLost),
            keeps_in_touch: matches!(self.then, OnItsWay::Arrives | OnItsWay::ComesAgain(_)),
        }
    }

    fn validate(&self, limits: &Limits<'_>) -> Result<(), Impossible> {
        limits.links(&[self.from], &[self.to])?;
        check(
            self.nth >= 1,
            limits.field("nth"),
            self.nth,
            "at least 1: messages on their way are counted from there",
        )?;
        match self.then {
            OnItsWay::Arrives | OnItsWay::IsLost => Ok(()),
            OnItsWay::IsLate(us) | OnItsWay::ComesAgain(us) => limits.time("then", us),
        }
    }

    fn draw(_: FaultKind, draw: &mut Draw<'_>, plan: &Plan, drawn: Drawn) -> Self {
        let mut others = plan.nodes();
        others.retain(|other| *other != drawn.node);
        let to = *draw.choices.pick(&others);
        let kind = *draw.choices.pick(&MessageKind::ALL);
        let us = draw.lateness(drawn.election_us);
        let all = [
            OnItsWay::Arrives,
            OnItsWay::IsLost,
            OnItsWay::IsLate(us),
            OnItsWay::ComesAgain(us),
        ];
        Self {
            from: drawn.node,
            to,
            kind,
            nth: 1,
            then: *draw.choices.pick(&all),
        }
    }

    fn needs_peers(_: FaultKind) -> bool {
        true
    }

    fn fit(&mut self, plan: &Plan) -> bool {
        let count = plan.cluster.nodes();
        for node in [&mut self.from, &mut self.to] {
            node.0 = (node.0 - 1) % count + 1;
        }
        if self.from == self.to {
            self.to = NodeId(self.from.0 % count + 1);
        }
        count > 1
    }

    fn strike<S: Subject>(
        &self,
        world: &mut World<'_, '_, S>,
        now_us: u64,
        _: usize,
    ) -> Verdict<Lasts> {
        world.intercept(now_us, self)?;
        Ok(Lasts::NoLonger)
    }

    fn commands() -> &'static [Command] {
        &[
            Command {
                name: "deliver",
                usage: "deliver KIND NODE -> NODE [nth=N], e.g. deliver append n1 -> n2",
                about: "a message that is on its way on that link arrives now: the next of that kind, or the nth",
                act: deliver,
            },
            Command {
                name: "drop",
                usage: "drop KIND NODE -> NODE [nth=N]",
                about: "a message that is on its way on that link is lost",
                act: drop_it,
            },
            Command {
                name: "postpone",
                usage: "postpone KIND NODE -> NODE [nth=N] by=TIME",
                about: "a message that is on its way on that link arrives so much later, and later ones before it",
                act: postpone,
            },
            Command {
                name: "double",
                usage: "double KIND NODE -> NODE [nth=N] after=TIME",
                about: "a message that is on its way on that link arrives a second time",
                act: double,
            },
        ]
    }

    fn command(&self) -> Option<String> {
        let (name, span) = match self.then {
            OnItsWay::Arrives => ("deliver", String::new()),
            OnItsWay::IsLost => ("drop", String::new()),
            OnItsWay::IsLate(us) => ("postpone", format!(" by={}", time_words(us))),
            OnItsWay::ComesAgain(us) => ("double", format!(" after={}", time_words(us))),
        };
        Some(format!("{name} {}{span}", self.message_words()))
    }
}

impl Intercept {
    /// The message, as commands of stories name it: `append n1 -> n2 nth=2`.
    pub fn message_words(&self) -> String {
        let kind = kind_word(self.kind);
        let nth = match self.nth {
            1 => String::new(),
            nth => format!(" nth={nth}"),
        };
        format!("{kind} {} -> {}{nth}", self.from, self.to)
    }
}

/// The message that a command names, and what its time is.
fn read(
    words: &mut Words<'_>,
    then: impl FnOnce(&mut Words<'_>) -> Result<OnItsWay, Wrong>,
) -> Result<Intercept, Wrong> {
    let kind = words.kind()?;
    let (from, to) = words.link()?;
    let nth = match words.option("nth") {
        Some(word) => super::story::number(word, "nth")?,
        None => 1,
    };
    Ok(Intercept {
        from,
        to,
        kind,
        nth,
        then: then(words)?,
    })
}

fn deliver(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    stage.strikes(read(words, |_| Ok(OnItsWay::Arrives))?.into());
    Ok(())
}

fn drop_it(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    stage.strikes(read(words, |_| Ok(OnItsWay::IsLost))?.into());
    Ok(())
}

fn postpone(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let late = |words: &mut Words<'_>| needed_time(words, "by").map(OnItsWay::IsLate);
    stage.strikes(read(words, late)?.into());
    Ok(())
}

fn double(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let again = |words: &mut Words<'_>| needed_time(words, "after").map(OnItsWay::ComesAgain);
    stage.strikes(read(words, again)?.into());
    Ok(())
}
