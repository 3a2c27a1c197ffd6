from __future__ import annotations

import pytest

from squall_raft import Configuration, Disk, ElectionTimer, RaftSettings, Role, Settings
from squall_raft.timer import finish, mix


def timer(seed: int, node: int, incarnation: int, election_ticks: int) -> ElectionTimer:
    disk = Disk(incarnation, seed, 0, 0, 0, Configuration(()), None, 1, 0, [])
    raft = RaftSettings(election_ticks=election_ticks, heartbeat_ticks=2)
    return ElectionTimer(node, disk, Settings(raft=raft))


# The numbers are those of `squall_world::hash`.
def test_hashes_are_those_of_squall() -> None:
    assert mix(0, 0) == 15111065706836454659
    assert mix(1, 2) == 17498711304246444057
    assert mix(2**64 - 1, 2**64 - 2) == 116699645263600698
    assert [finish(0), finish(1)] == [0, 12994781566227106604]
    assert finish(2**64 - 1) == 7256831767414464289


# The numbers are those of `ElectionTimer` in Squall's own adapters.
@pytest.mark.parametrize(
    ("seed", "node", "incarnation", "election_ticks", "draws"),
    [
        (0, 1, 0, 10, [15, 10, 14, 12, 11, 10, 15, 18]),
        (42, 3, 2, 10, [18, 18, 11, 15, 12, 18, 10, 10]),
        (2**64 - 1, 31, 7, 7, [9, 8, 10, 9, 8, 10, 11, 10]),
    ],
)
def test_draws_are_those_of_squall(
    seed: int, node: int, incarnation: int, election_ticks: int, draws: list[int]
) -> None:
    one = timer(seed, node, incarnation, election_ticks)
    assert [one.draw_election_ticks() for _ in draws] == draws
    another = timer(seed, node, incarnation, election_ticks)
    for draw in draws:
        another.set(Role.FOLLOWER)
        assert another.left == draw


def test_a_wait_is_over_once() -> None:
    one = timer(0, 1, 0, 10)
    assert not one.tick()
    one.set(Role.CANDIDATE)
    assert [one.tick() for _ in range(16)] == [False] * 14 + [True, False]
    one.set(Role.LEADER)
    assert [one.tick() for _ in range(3)] == [False, True, False]


def test_ticks_may_pass_at_once() -> None:
    one = timer(0, 1, 0, 10)
    one.set(Role.FOLLOWER)
    assert not one.tick(14)
    assert one.left == 1
    one.set(Role.LEADER)
    assert one.tick(5)
    assert one.left == 0
