"""The example, broken on purpose in the two ways that come first to mind."""

from raft import Raft


class SendBeforePersist(Raft):
    """Goes on, sends and counts, before what it has written is durable."""

    def sync(self, wait: bool = True, tell: bool = False) -> int:
        return super().sync(wait=False, tell=tell)


class ForgetVote(Raft):
    """Writes its term and not its vote."""

    def write_hard_state(self, term: int, vote: int) -> None:
        super().write_hard_state(term, 0)
