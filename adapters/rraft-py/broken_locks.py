"""The lock service, broken on purpose, one mistake a class."""

from __future__ import annotations

from squall_raft.machine import Answer, Command, Written

from locks import Grant, Lock, Locks


class LocksGrantedTwice(Locks):
    """Grants a lock that another holds."""

    class lock_class(Lock):
        def acquire(self, client: int, now_us: int, lease_us: int, *, waits: bool) -> Answer:
            if self.holder and self.holder.client != client:
                self.holder = None
            return super().acquire(client, now_us, lease_us, waits=waits)


class LocksWithoutEnd(Locks):
    """A lease does not end by time."""

    class lock_class(Lock):
        def expire(self, now_us: int) -> None:
            pass


class LocksEndedLate(Locks):
    """Whoever waits has the lock from when somebody next asks for it, not from when the lease before has run out."""

    class lock_class(Lock):
        def expire(self, now_us: int) -> None:
            while self.holder and self.holder.until_us <= now_us:
                self.pass_on(now_us)


class StaleTokensTaken(Locks):
    """What a lock protects is written whatever the token is."""

    class lock_class(Lock):
        def write(self, token: int) -> Answer:
            return Written()


class UnkeptRenewals(Locks):
    """A renewal is told, and the lease ends when it would have ended without."""

    class lock_class(Lock):
        def renew(self, client: int, token: int, now_us: int, lease_us: int) -> Answer:
            grant = self.held_with(client, token)
            if grant is None:
                return super().renew(client, token, now_us, lease_us)
            until_us = grant.until_us
            answer = super().renew(client, token, now_us, lease_us)
            grant.until_us = until_us
            return answer


class ForeignReleases(Locks):
    """Whoever knows the token, or guesses it, gives the lock back for its holder."""

    class lock_class(Lock):
        def held_with(self, client: int, token: int) -> Grant | None:
            return self.holder


class RetriesApplied(Locks):
    """A command that is sent again is carried out again."""

    def perform(self, command: Command) -> Answer:
        return self.perform_once(command)


class SnapshotsWithoutSessions(Locks):
    """A snapshot does not have what clients were told last."""

    def snapshot(self) -> bytes:
        sessions, self.sessions = self.sessions, {}
        try:
            return super().snapshot()
        finally:
            self.sessions = sessions


class SnapshotsWithoutTokens(Locks):
    """Tokens start again after a snapshot."""

    def restore(self, data: bytes) -> bool:
        is_one = super().restore(data)
        for lock in self.locks:
            lock.token = 0
        return is_one


class SnapshotsWithoutLines(Locks):
    """Whoever waits is forgotten with a snapshot."""

    def restore(self, data: bytes) -> bool:
        is_one = super().restore(data)
        for lock in self.locks:
            lock.line.clear()
        return is_one


class SnapshotsWithoutTime(Locks):
    """Time starts again after a snapshot."""

    def restore(self, data: bytes) -> bool:
        is_one = super().restore(data)
        self.time_us = 0
        return is_one


BROKEN: dict[str, type[Locks]] = {
    "granted-twice": LocksGrantedTwice,
    "without-end": LocksWithoutEnd,
    "ended-late": LocksEndedLate,
    "stale-tokens": StaleTokensTaken,
    "unkept-renewals": UnkeptRenewals,
    "foreign-releases": ForeignReleases,
    "retries": RetriesApplied,
    "snapshots-without-sessions": SnapshotsWithoutSessions,
    "snapshots-without-tokens": SnapshotsWithoutTokens,
    "snapshots-without-lines": SnapshotsWithoutLines,
    "snapshots-without-time": SnapshotsWithoutTime,
}
