"""The example, broken on purpose in the two ways that come first to mind."""

from raft import Raft


class SendBeforePersist(Raft):
    """Sends, and counts, what it has written before it is durable."""

    name = "python-raft-send-before-persist"

    def sync(self, wait: bool = True, tell: bool = False) -> int:
        return super().sync(wait=False, tell=tell)


class ForgetVote(Raft):
    """Writes its term and not its vote."""

    name = "python-raft-forget-vote"

    def write_hard_state(self, term: int, vote: int) -> None:
        super().write_hard_state(term, 0)
