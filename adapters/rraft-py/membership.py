"""What a change makes of a configuration (dissertation, chapter 4), and changes in the library's terms.

The library does not look at what is wrong with a change, except that it refuses what only a joint configuration
allows, or forbids. So the driver proposes what fits, and compares what comes of it with what was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import rraft
from squall_raft import Becomes, Configuration, Transition

#: The changes that an entry may hold, by the entry's kind.
SIMPLE, WHOLE = 1, 2

_TYPES = {
    Becomes.VOTER: rraft.ConfChangeType.AddNode,
    Becomes.LEARNER: rraft.ConfChangeType.AddLearnerNode,
    Becomes.NOTHING: rraft.ConfChangeType.RemoveNode,
}
_BECOMES = {hash(number): becomes for becomes, number in _TYPES.items()}
_AUTO = hash(rraft.ConfChangeTransition.Auto)
_IMPLICIT = hash(rraft.ConfChangeTransition.Implicit)


class Change(NamedTuple):
    """A change of the configuration, as it is asked for."""

    #: Pairs of a node and what it becomes.
    steps: Sequence[tuple[int, int]]
    transition: int


class Misfit(NamedTuple):
    """A change does not fit the configuration."""

    #: Because that is joint, or because it is not.
    is_of_jointness: bool


_OF_JOINTNESS, _OTHERWISE = Misfit(True), Misfit(False)


def after(configuration: Configuration, change: Change) -> Configuration | Misfit:
    """What `configuration` becomes by `change`."""
    is_joint = bool(configuration.outgoing)
    if change.transition == Transition.LEAVE:
        if change.steps:
            return _OTHERWISE
        return _left(configuration) if is_joint else _OF_JOINTNESS
    if is_joint:
        return _OF_JOINTNESS
    if change.transition == Transition.SIMPLE:
        next_one = _stepped(configuration, change.steps)
        moved = set(next_one.voters) ^ set(configuration.voters)
        if not next_one.voters or len(moved) > 1:
            return _OTHERWISE
        return next_one._replace(learners_next=())
    joint = configuration._replace(outgoing=configuration.voters)
    next_one = _stepped(joint, change.steps)
    if not next_one.voters:
        return _OTHERWISE
    return next_one._replace(auto_leave=change.transition == Transition.JOINT)


def _stepped(configuration: Configuration, steps: Sequence[tuple[int, int]]) -> Configuration:
    voters, learners, learners_next = (
        set(nodes)
        for nodes in (
            configuration.voters,
            configuration.learners,
            configuration.learners_next,
        )
    )
    for node, becomes in steps:
        for nodes in (voters, learners, learners_next):
            nodes.discard(node)
        if becomes == Becomes.VOTER:
            voters.add(node)
        elif becomes == Becomes.LEARNER:
            # A voter that the outgoing majority still needs learns later.
            (learners_next if node in configuration.outgoing else learners).add(node)
    return configuration._replace(
        voters=tuple(sorted(voters)),
        learners=tuple(sorted(learners)),
        learners_next=tuple(sorted(learners_next)),
    )


def _left(configuration: Configuration) -> Configuration:
    learners = configuration.learners + configuration.learners_next
    return Configuration(configuration.voters, learners=tuple(sorted(learners)))


def propose(raw: Any, change: Change) -> None:
    """Asks the library for `change`. Raises `rraft.RaftError` where it declines."""
    # The first interface of the library, where it will do.
    if change.transition == Transition.SIMPLE and len(change.steps) == 1:
        ((node, becomes),) = change.steps
        if node % 2 == 1:
            simple = rraft.ConfChange.default()
            one = simple.make_ref()
            one.set_change_type(_TYPES[Becomes(becomes)])
            one.set_node_id(node)
            raw.propose_conf_change(b"", simple)
            return
    whole = rraft.ConfChangeV2.default()
    it = whole.make_ref()
    steps = []
    for node, becomes in change.steps:
        single = rraft.ConfChangeSingle.default()
        step = single.make_ref()
        step.set_change_type(_TYPES[Becomes(becomes)])
        step.set_node_id(node)
        steps.append(single)
    it.set_changes(steps)
    if change.transition == Transition.JOINT:
        it.set_transition(rraft.ConfChangeTransition.Implicit)
    elif change.transition == Transition.JOINT_EXPLICIT:
        it.set_transition(rraft.ConfChangeTransition.Explicit)
    else:
        it.set_transition(rraft.ConfChangeTransition.Auto)
    raw.propose_conf_change_v2(b"", whole)


def read(kind: int, data: bytes) -> tuple[Change, Any]:
    """The change that an entry holds: as it was asked for, and as the library has it."""
    if kind == SIMPLE:
        simple = rraft.ConfChange.decode(data)
        return Change([_step(simple.make_ref())], Transition.SIMPLE), simple
    whole = rraft.ConfChangeV2.decode(data)
    it = whole.make_ref()
    steps = [_step(step) for step in it.get_changes()]
    transition = hash(it.get_transition())
    # Several steps at once are a joint change, none at all leaves one.
    if transition == _AUTO and len(steps) < 2:
        return Change(steps, Transition.SIMPLE if steps else Transition.LEAVE), whole
    if transition in (_AUTO, _IMPLICIT):
        return Change(steps, Transition.JOINT), whole
    return Change(steps, Transition.JOINT_EXPLICIT), whole


def _step(single: Any) -> tuple[int, int]:
    return single.get_node_id(), _BECOMES[hash(single.get_change_type())]


def apply(raw: Any, kind: int, change: Any) -> Any:
    """The library enters the configuration after `change`, and says which that is. Raises `rraft.RaftError` where
    the change does not fit."""
    if kind == SIMPLE:
        return raw.apply_conf_change(change)
    return raw.apply_conf_change_v2(change)
