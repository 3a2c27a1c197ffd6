//! What a process answers, out of CBOR: `docs/protocol` has each action. Nothing is believed that
//! cannot be: a node, a role, a kind of message are ones that there are. Knows nothing of requests.

use bytes::Bytes;
use minicbor::Decoder;
use minicbor::data::Type;

use squall_core::configuration::Configuration;
use squall_core::ids::{Index, NodeId, NodeSet, Role, Term};
use squall_core::replica::{BrokenPromise, Claim, Label, LibraryEvent, MessageKind};
use squall_core::service::Answer;
use squall_core::storage::EntryKind;

/// Why an answer is none.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Nonsense(pub(crate) String);

impl From<minicbor::decode::Error> for Nonsense {
    fn from(error: minicbor::decode::Error) -> Self {
        Self(error.to_string())
    }
}

type Read<T> = Result<T, Nonsense>;

/// What a node wants done.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    HardState {
        term: Term,
        vote: Option<NodeId>,
    },
    Entry {
        index: Index,
        term: Term,
        kind: EntryKind,
        data: Bytes,
    },
    Commit(Index),
    ResetLog {
        next: Index,
    },
    Compact {
        through: Index,
    },
    Sync {
        wait: bool,
        tell: bool,
    },
    Send {
        label: Label,
        data: Bytes,
        with_snapshot: bool,
    },
    Role {
        role: Role,
        term: Term,
    },
    Committed(Index),
    Apply {
        through: Index,
        more: bool,
    },
    Configured {
        index: Index,
        configuration: Configuration,
    },
    Refuse {
        request: u64,
        leader: Option<NodeId>,
    },
    ReadConfirmed {
        request: u64,
        index: Index,
    },
    Transfer(Option<NodeId>),
    Did(LibraryEvent),
    Broke(BrokenPromise),
    SaveSnapshot(Index),
    InstallSnapshot(Index),
    WantSnapshot,
    Halt(String),
    Note(String),
    Idle(u64),
    Failed {
        text: String,
        place: Option<(String, u32)>,
    },
}

impl Action {
    /// The highest id of a node that it names; 0 where it names none.
    pub(crate) fn highest_node(&self) -> u8 {
        let id = |node: &Option<NodeId>| node.map_or(0, |node| node.0);
        match self {
            Action::HardState { vote, .. } => id(vote),
            Action::Send { label, .. } => match label.claim {
                Claim::Voted { candidate } => candidate.0.max(label.to.0),
                Claim::Nothing | Claim::Appended { .. } => label.to.0,
            },
            Action::Configured { configuration, .. } => {
                let named = configuration.members().with(configuration.learners_next);
                named.iter().map(|node| node.0).max().unwrap_or(0)
            }
            Action::Refuse { leader, .. } => id(leader),
            Action::Transfer(to) => id(to),
            Action::Broke(BrokenPromise::HandedOverToNoVoter { to, .. }) => to.0,
            _ => 0,
        }
    }
}

/// What a process says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Welcome {
    pub(crate) protocol: u64,
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) supports: Vec<String>,
    pub(crate) batch: u64,
    pub(crate) machine: bool,
    pub(crate) waiting: bool,
    pub(crate) options: Vec<OwnOption>,
    pub(crate) known_issues: Vec<OwnIssue>,
}

/// An option of the adapter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnOption {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) percent: Option<u8>,
}

/// A known defect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnIssue {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) breaks: Vec<String>,
    pub(crate) triggers: Vec<String>,
    pub(crate) hazards: Vec<String>,
}

/// The actions in a frame, into `actions`.
pub(crate) fn actions(content: &[u8], actions: &mut Vec<Action>) -> Read<()> {
    let mut cbor = Decoder::new(content);
    for number in 0..array(&mut cbor)? {
        let read = action(&mut cbor);
        actions.push(read.map_err(|error| Nonsense(format!("action {}: {error}", number + 1)))?);
    }
    end(&cbor, content)
}

/// What a state machine answers to a command.
pub(crate) fn answer(content: &[u8]) -> Read<Answer> {
    let mut cbor = Decoder::new(content);
    let length = array(&mut cbor)?;
    let code = cbor.u64()?;
    let legal = match code {
        0..=2 | 7 | 10 => 2,
        3 => 4,
        4..=6 | 8 | 9 => 1,
        other => return Err(Nonsense(format!("there is no answer {other}"))),
    };
    if length != legal {
        return Err(Nonsense(format!(
            "the answer {code} has {legal} items, and this one has {length}"
        )));
    }
    let answer = match code {
        0 => Answer::Value {
            value: value(&mut cbor)?,
        },
        1 => Answer::Done {
            version: cbor.u64()?,
        },
        2 => Answer::Differs {
            value: value(&mut cbor)?,
        },
        3 => Answer::Granted {
            token: cbor.u64()?,
            since_us: cbor.u64()?,
            until_us: cbor.u64()?,
        },
        4 => Answer::Waiting,
        5 => Answer::Held,
        6 => Answer::NotHeld,
        7 => Answer::Released { at_us: cbor.u64()? },
        8 => Answer::Written,
        9 => Answer::Stale,
        _ => Answer::Revoked {
            renewals: cbor.u32()?,
        },
    };
    end(&cbor, content)?;
    Ok(answer)
}

fn value(cbor: &mut Decoder<'_>) -> Read<Option<u64>> {
    if cbor.datatype()? == Type::Null {
        cbor.null()?;
        return Ok(None);
    }
    Ok(Some(cbor.u64()?))
}

/// A state machine as bytes.
pub(crate) fn bytes(content: &[u8]) -> Read<Bytes> {
    let mut cbor = Decoder::new(content);
    let bytes = data(&mut cbor)?;
    end(&cbor, content)?;
    Ok(bytes)
}

/// Whether something was done.
pub(crate) fn done(content: &[u8]) -> Read<bool> {
    let mut cbor = Decoder::new(content);
    let done = cbor.bool()?;
    end(&cbor, content)?;
    Ok(done)
}

/// What the process says has failed, where it answers so in place of what it was asked for.
pub(crate) fn failure(content: &[u8]) -> Option<Action> {
    let mut actions = Vec::new();
    self::actions(content, &mut actions).ok()?;
    let failed = actions.pop()?;
    matches!(failed, Action::Failed { .. }).then_some(failed)
}

/// A message in words, where the process has some.
pub(crate) fn words(content: &[u8]) -> Read<Option<String>> {
    let mut cbor = Decoder::new(content);
    let words = match cbor.datatype()? {
        Type::Null => {
            cbor.null()?;
            None
        }
        _ => Some(cbor.str()?.to_owned()),
    };
    end(&cbor, content)?;
    Ok(words)
}

/// What a process answers to hello.
pub(crate) fn welcome(content: &[u8]) -> Read<Welcome> {
    let mut cbor = Decoder::new(content);
    is_array_of(&mut cbor, 2)?;
    if cbor.u8()? != 0 {
        return Err(Nonsense("hello is answered with [0, {...}]".to_owned()));
    }
    let mut welcome = Welcome {
        batch: 1,
        ..Welcome::default()
    };
    fields(&mut cbor, |cbor, key| {
        match key {
            "protocol" => welcome.protocol = cbor.u64()?,
            "name" => welcome.name = text(cbor)?,
            "about" => welcome.about = text(cbor)?,
            "supports" => welcome.supports = texts(cbor)?,
            "batch" => welcome.batch = cbor.u64()?,
            "waiting" => welcome.waiting = cbor.bool()?,
            "machine" => welcome.machine = cbor.bool()?,
            "options" => welcome.options = list(cbor, option)?,
            "known_issues" => welcome.known_issues = list(cbor, issue)?,
            _ => cbor.skip()?,
        }
        Ok(())
    })?;
    end(&cbor, content)?;
    Ok(welcome)
}

fn option(cbor: &mut Decoder<'_>) -> Read<OwnOption> {
    let mut option = OwnOption::default();
    fields(cbor, |cbor, key| {
        match key {
            "name" => option.name = text(cbor)?,
            "about" => option.about = text(cbor)?,
            "percent" => option.percent = Some(cbor.u8()?),
            _ => cbor.skip()?,
        }
        Ok(())
    })?;
    Ok(option)
}

fn issue(cbor: &mut Decoder<'_>) -> Read<OwnIssue> {
    let mut issue = OwnIssue::default();
    fields(cbor, |cbor, key| {
        match key {
            "name" => issue.name = text(cbor)?,
            "about" => issue.about = text(cbor)?,
            "breaks" => issue.breaks = texts(cbor)?,
            "triggers" => issue.triggers = texts(cbor)?,
            "hazards" => issue.hazards = texts(cbor)?,
            _ => cbor.skip()?,
        }
        Ok(())
    })?;
    Ok(issue)
}

fn action(cbor: &mut Decoder<'_>) -> Read<Action> {
    let length = array(cbor)?;
    if length == 0 {
        return Err(Nonsense("an empty array".to_owned()));
    }
    let code = cbor.u8()?;
    let has = |legal: u64| match length == legal {
        true => Ok(()),
        false => Err(Nonsense(format!(
            "{code} has {legal} items, and this one has {length}"
        ))),
    };
    Ok(match code {
        0 => {
            has(3)?;
            Action::HardState {
                term: term(cbor)?,
                vote: nobody(cbor)?,
            }
        }
        1 => {
            has(5)?;
            Action::Entry {
                index: index(cbor)?,
                term: term(cbor)?,
                kind: match cbor.u8()? {
                    0 => EntryKind::Normal,
                    format => EntryKind::Configuration(format),
                },
                data: data(cbor)?,
            }
        }
        2 => {
            has(2)?;
            Action::Commit(index(cbor)?)
        }
        3 => {
            has(2)?;
            Action::ResetLog { next: index(cbor)? }
        }
        4 => {
            has(2)?;
            Action::Compact {
                through: index(cbor)?,
            }
        }
        5 => {
            has(3)?;
            Action::Sync {
                wait: cbor.bool()?,
                tell: cbor.bool()?,
            }
        }
        6 => {
            has(8)?;
            send(cbor)?
        }
        7 => {
            has(3)?;
            Action::Role {
                role: role(cbor.u64()?)?,
                term: term(cbor)?,
            }
        }
        8 => {
            has(2)?;
            Action::Committed(index(cbor)?)
        }
        9 => {
            has(3)?;
            Action::Apply {
                through: index(cbor)?,
                more: cbor.bool()?,
            }
        }
        10 => {
            has(3)?;
            Action::Configured {
                index: index(cbor)?,
                configuration: configuration(cbor)?,
            }
        }
        11 => {
            has(3)?;
            Action::Refuse {
                request: cbor.u64()?,
                leader: nobody(cbor)?,
            }
        }
        12 => {
            has(3)?;
            Action::ReadConfirmed {
                request: cbor.u64()?,
                index: index(cbor)?,
            }
        }
        13 => {
            has(2)?;
            Action::Transfer(nobody(cbor)?)
        }
        14 => {
            has(2)?;
            Action::Did(event(cbor.u64()?)?)
        }
        15 => {
            has(4)?;
            broke(cbor)?
        }
        16 => {
            has(2)?;
            Action::SaveSnapshot(index(cbor)?)
        }
        17 => {
            has(2)?;
            Action::InstallSnapshot(index(cbor)?)
        }
        18 => {
            has(1)?;
            Action::WantSnapshot
        }
        19 => {
            has(2)?;
            Action::Halt(text(cbor)?)
        }
        20 => {
            has(2)?;
            Action::Note(text(cbor)?)
        }
        21 => {
            has(2)?;
            Action::Idle(cbor.u64()?)
        }
        22 => {
            let text = text(cbor)?;
            let place = match length {
                2 => None,
                _ => {
                    has(4)?;
                    Some((self::text(cbor)?, cbor.u32()?))
                }
            };
            Action::Failed { text, place }
        }
        other => return Err(Nonsense(format!("there is no action {other}"))),
    })
}

fn send(cbor: &mut Decoder<'_>) -> Read<Action> {
    let to = node(cbor)?;
    let number = cbor.u64()?;
    let kinds = MessageKind::ALL;
    let kind = usize::try_from(number)
        .ok()
        .and_then(|number| kinds.iter().find(|kind| **kind as usize == number))
        .ok_or_else(|| Nonsense(format!("there is no kind of message {number}")))?;
    let term = term(cbor)?;
    let (claim, value) = (cbor.u64()?, cbor.u64()?);
    let claim = match claim {
        0 => Claim::Nothing,
        1 => Claim::Appended {
            index: checked(value)?,
        },
        2 => Claim::Voted {
            candidate: checked_node(value)?,
        },
        other => return Err(Nonsense(format!("there is no claim {other}"))),
    };
    Ok(Action::Send {
        label: Label {
            to,
            kind: *kind,
            term,
            claim,
        },
        data: data(cbor)?,
        with_snapshot: cbor.bool()?,
    })
}

fn broke(cbor: &mut Decoder<'_>) -> Read<Action> {
    let (way, what, term) = (cbor.u64()?, cbor.u64()?, term(cbor)?);
    Ok(Action::Broke(match way {
        0 => BrokenPromise::StoodWithoutVote {
            role: role(what)?,
            term,
        },
        1 => BrokenPromise::HandedOverToNoVoter {
            to: checked_node(what)?,
            term,
        },
        other => return Err(Nonsense(format!("there is no promise {other}"))),
    }))
}

fn role(number: u64) -> Read<Role> {
    Ok(match number {
        0 => Role::Follower,
        1 => Role::PreCandidate,
        2 => Role::Candidate,
        3 => Role::Leader,
        other => return Err(Nonsense(format!("there is no role {other}"))),
    })
}

fn event(number: u64) -> Read<LibraryEvent> {
    let all = [
        LibraryEvent::DroppedProposal,
        LibraryEvent::DeclinedChange,
        LibraryEvent::SkippedChange,
        LibraryEvent::FetchBegun,
        LibraryEvent::FetchDone,
        LibraryEvent::SnapshotWanted,
        LibraryEvent::SnapshotAsked,
        LibraryEvent::SettingChanged,
        LibraryEvent::Pinged,
        LibraryEvent::Campaigned,
        LibraryEvent::ForwardedRead,
        LibraryEvent::ForwardedCommand,
        LibraryEvent::ChangedOtherwise,
    ];
    all.into_iter()
        .find(|event| *event as u64 == number)
        .ok_or_else(|| Nonsense(format!("there is no event {number}")))
}

/// Indices and terms above this are nonsense, and arithmetic below it does not overflow.
const LAST: u64 = 1 << 62;

fn checked(number: u64) -> Read<u64> {
    match number <= LAST {
        true => Ok(number),
        false => Err(Nonsense(format!("{number} is above 2^62"))),
    }
}

fn index(cbor: &mut Decoder<'_>) -> Read<Index> {
    checked(cbor.u64()?)
}

fn term(cbor: &mut Decoder<'_>) -> Read<Term> {
    checked(cbor.u64()?)
}

fn checked_node(number: u64) -> Read<NodeId> {
    match u8::try_from(number) {
        Ok(id @ 1..=NodeSet::LAST) => Ok(NodeId(id)),
        _ => Err(Nonsense(format!("there is no node {number}"))),
    }
}

fn node(cbor: &mut Decoder<'_>) -> Read<NodeId> {
    checked_node(cbor.u64()?)
}

fn nobody(cbor: &mut Decoder<'_>) -> Read<Option<NodeId>> {
    match cbor.u64()? {
        0 => Ok(None),
        number => checked_node(number).map(Some),
    }
}

fn configuration(cbor: &mut Decoder<'_>) -> Read<Configuration> {
    is_array_of(cbor, 5)?;
    Ok(Configuration {
        voters: nodes(cbor)?,
        outgoing: nodes(cbor)?,
        learners: nodes(cbor)?,
        learners_next: nodes(cbor)?,
        auto_leave: cbor.bool()?,
    })
}

fn nodes(cbor: &mut Decoder<'_>) -> Read<NodeSet> {
    let mut set = NodeSet::default();
    for _ in 0..array(cbor)? {
        set.add(node(cbor)?);
    }
    Ok(set)
}

fn data(cbor: &mut Decoder<'_>) -> Read<Bytes> {
    Ok(Bytes::copy_from_slice(cbor.bytes()?))
}

fn text(cbor: &mut Decoder<'_>) -> Read<String> {
    Ok(cbor.str()?.to_owned())
}

fn texts(cbor: &mut Decoder<'_>) -> Read<Vec<String>> {
    list(cbor, text)
}

fn list<T>(
    cbor: &mut Decoder<'_>,
    mut one: impl FnMut(&mut Decoder<'_>) -> Read<T>,
) -> Read<Vec<T>> {
    let mut all = Vec::new();
    for _ in 0..array(cbor)? {
        all.push(one(cbor)?);
    }
    Ok(all)
}

/// The fields of a map.
fn fields(
    cbor: &mut Decoder<'_>,
    mut field: impl FnMut(&mut Decoder<'_>, &str) -> Read<()>,
) -> Read<()> {
    let Some(count) = cbor.map()? else {
        return Err(Nonsense("a map of indefinite length".to_owned()));
    };
    for _ in 0..count {
        let key = cbor.str()?;
        let read = field(cbor, key);
        read.map_err(|error| Nonsense(format!("{key}: {error}")))?;
    }
    Ok(())
}

/// How many items an array has.
fn array(cbor: &mut Decoder<'_>) -> Read<u64> {
    cbor.array()?
        .ok_or_else(|| Nonsense("an array of indefinite length".to_owned()))
}

fn is_array_of(cbor: &mut Decoder<'_>, legal: u64) -> Read<()> {
    match array(cbor)? {
        length if length == legal => Ok(()),
        length => Err(Nonsense(format!(
            "an array of {length} items, where {legal} are due"
        ))),
    }
}

fn end(cbor: &Decoder<'_>, content: &[u8]) -> Read<()> {
    match content.len() - cbor.position() {
        0 => Ok(()),
        rest => Err(Nonsense(format!("{rest} bytes behind the item"))),
    }
}
