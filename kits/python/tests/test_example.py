"""The example, in a small network of its own: nothing is lost here, and every disk is honest."""

from __future__ import annotations

from typing import Any

import pytest
from broken import ForgetVote, SendBeforePersist
from raft import Raft
from support import TICK, Driver, disk, step

HARD_STATE, ENTRY, SYNC, SEND, ROLE, COMMITTED, APPLY, REFUSE = 0, 1, 5, 6, 7, 8, 9, 11
LEADER = 3


class Cluster:
    """Carries out what nodes want, at once."""

    def __init__(self, nodes: int, replica_class: type[Raft] = Raft) -> None:
        self.driver = Driver(replica_class)
        self.nodes = range(1, nodes + 1)
        self.voters = [list(self.nodes), [], [], [], False]
        self.cut: set[int] = set()
        self.messages: list[tuple[int, int, bytes]] = []
        self.hard: dict[int, tuple[int, int]] = {}
        self.logs: dict[int, list[list[Any]]] = {node: [] for node in self.nodes}
        self.roles: dict[int, tuple[int, int]] = {}
        self.applied = dict.fromkeys(self.nodes, 0)
        self.refused: list[tuple[int, int]] = []
        for node in self.nodes:
            self.boot(node, 0)

    def boot(self, node: int, incarnation: int) -> None:
        term, vote = self.hard.get(node, (0, 0))
        kept = disk(incarnation=incarnation, term=term, vote=vote, entries=self.logs[node])
        self.applied[node] = 0
        self.carry_out(node, self.driver.ask([2, node, {**kept, "configuration": self.voters}]))

    def ask(self, node: int, given: Any) -> list[Any]:
        actions: list[Any] = self.driver.ask(step(node, given))
        self.carry_out(node, actions)
        return actions

    def carry_out(self, node: int, actions: list[Any]) -> None:
        unsynced = False
        for kind, *action in actions:
            if kind == HARD_STATE:
                self.hard[node] = (action[0], action[1])
            elif kind == ENTRY:
                index, term, entry_kind, data = action
                log = self.logs[node]
                assert 1 <= index <= len(log) + 1, "a hole"
                log[index - 1 :] = [[term, entry_kind, data]]
            elif kind == ROLE:
                assert not unsynced, "the role comes before the writes"
                self.roles[node] = (action[0], action[1])
            elif kind == SEND:
                assert not unsynced, "a message does not overtake what it tells of"
                if node not in self.cut and action[0] not in self.cut:
                    self.messages.append((node, action[0], action[5]))
            elif kind == COMMITTED:
                assert action[0] <= len(self.logs[node])
            elif kind == APPLY:
                assert not unsynced
                self.applied[node] = action[0]
            elif kind == REFUSE:
                self.refused.append((action[0], action[1]))
            unsynced = kind in (HARD_STATE, ENTRY) or (unsynced and kind != SYNC)

    def run(self, ticks: int) -> None:
        for _ in range(ticks):
            for node in self.nodes:
                self.ask(node, TICK)
                while self.messages:
                    sender, to, data = self.messages.pop(0)
                    self.ask(to, [1, sender, data, None])

    def leader(self) -> int:
        terms = {term: node for node, (role, term) in self.roles.items() if role == LEADER}
        return terms[max(terms)]

    def commands(self, node: int) -> list[bytes]:
        return [data for _, _, data in self.logs[node][: self.applied[node]] if data]


@pytest.mark.parametrize("nodes", [1, 2, 3, 4, 5])
def test_a_cluster_elects_a_leader_and_commits(nodes: int) -> None:
    cluster = Cluster(nodes)
    cluster.run(40)
    leader = cluster.leader()
    for number in range(20):
        cluster.ask(leader, [3, number + 1, b"command %d" % number])
    cluster.run(10)
    assert cluster.leader() == leader
    for node in cluster.nodes:
        assert cluster.commands(node) == [b"command %d" % number for number in range(20)]
    follower = leader % nodes + 1
    if follower != leader:
        cluster.ask(follower, [3, 99, b"not here"])
        assert cluster.refused == [(99, leader)]


def test_a_leader_that_was_cut_off_gives_up_what_was_not_committed() -> None:
    cluster = Cluster(3)
    cluster.run(40)
    old = cluster.leader()
    cluster.ask(old, [3, 1, b"first"])
    cluster.run(5)
    cluster.cut = {old}
    for number in range(30):
        cluster.ask(old, [3, 2 + number, b"lost %d" % number])
    cluster.run(60)
    new = cluster.leader()
    assert new != old
    for number in range(3):
        cluster.ask(new, [3, 50 + number, b"kept %d" % number])
    cluster.cut = set()
    cluster.run(20)
    for node in cluster.nodes:
        assert cluster.commands(node) == [b"first", b"kept 0", b"kept 1", b"kept 2"]


def test_a_node_that_was_down_catches_up_from_its_disk() -> None:
    cluster = Cluster(3)
    cluster.run(40)
    leader = cluster.leader()
    follower = leader % 3 + 1
    cluster.cut = {follower}
    for number in range(40):
        cluster.ask(leader, [3, number + 1, b"command %d" % number])
    cluster.run(1)
    cluster.driver.ask([4, follower])
    cluster.boot(follower, 1)
    assert cluster.applied[follower] == 0
    cluster.cut = set()
    cluster.run(40)
    assert cluster.commands(follower) == [b"command %d" % number for number in range(40)]


def test_a_vote_is_kept_over_a_restart() -> None:
    cluster = Cluster(3)
    cluster.hard[1] = (5, 2)
    cluster.boot(1, 1)
    request = Driver(Raft)
    request.ask([2, 3, disk(term=4)])
    sent: list[Any] = []
    while not sent:
        sent = [action for action in request.ask(step(3, TICK)) if action[0] == SEND]
    to_first = next(action for action in sent if action[1] == 1)
    answer = cluster.driver.ask(step(1, [1, 3, to_first[6], None]))
    assert answer == [], "it has voted for n2 in this term"


def test_the_broken_ones_are_broken_as_they_say() -> None:
    with pytest.raises(AssertionError, match="the role comes|a message does not"):
        hasty = Cluster(3, SendBeforePersist)
        # Here a sync that nobody waits for promises nothing.
        hasty.carry_out = lambda node, actions: Cluster.carry_out(  # type: ignore[method-assign]
            hasty, node, [action for action in actions if action != [SYNC, False, False]]
        )
        hasty.run(40)
    forgetful = Cluster(3, ForgetVote)
    forgetful.run(40)
    assert all(vote == 0 for _, vote in forgetful.hard.values())
