#!/usr/bin/env python3
"""A node of rraft-py, the Python binding of tikv's raft-rs, under Squall.

It does what raft-rs documents, in the order of Squall's own driver for raft-rs, where that waits for each of its syncs:

- term and vote first, then entries, then the commit index, then a sync if the library says that one is due;
- `messages()` leave at once, `persisted_messages()` when what the same ready writes is durable;
- committed entries are applied at once, but for a change of the configuration, which waits until the ready that
  brought it is acknowledged;
- a leader's snapshot is durable before the log that it replaces is given up.

So a plan runs here and there alike, to the last digest. The binding hands out references to what the library owns: a
reference is valid as long as its owner is alive and has not been moved from. All references here are either to the
node's own library, which lives as long as the node, or to a value that the same function holds.
"""

from __future__ import annotations

import functools
import os
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

# Squall's traces show what a node does. The library's own log would cost more than the library: read once, when the
# first node starts.
os.environ["RUST_LOG"] = "off"

import rraft
from squall_raft import (
    BrokenPromise,
    Disk,
    ElectionTimer,
    KnownIssue,
    LibraryEvent,
    Replica,
    Role,
    Snapshot,
    serve,
)

import membership
import messages
from membership import Change
from reads import Reads
from store import Readable, Store

_LOGGER = rraft.default_logger()
#: By the library's number, which is what its roles hash to.
_ROLES = {
    hash(rraft.StateRole.Follower): Role.FOLLOWER,
    hash(rraft.StateRole.PreCandidate): Role.PRE_CANDIDATE,
    hash(rraft.StateRole.Candidate): Role.CANDIDATE,
    hash(rraft.StateRole.Leader): Role.LEADER,
}
_LEADER = hash(rraft.StateRole.Leader)
_NOBODY = 0
_NO_INDEX = 0

_Input = TypeVar("_Input", bound=Callable[..., None])


def _driven(told: _Input) -> _Input:
    """What goes with every input: before it, what has come due meanwhile; after it, all that the
    library then wants."""

    @functools.wraps(told)
    def method(node: RraftNode, *inputs: Any) -> None:
        if node.store.wanted:
            node.look_after()
        told(node, *inputs)
        node.go_on()

    return cast(_Input, method)


class RraftNode(Replica):
    """One node of rraft-py 0.2.27."""

    name = "rraft-py"
    about = "rraft-py 0.2.27, the Python binding of tikv's raft 0.7.0"
    supports = (
        "pre-vote",
        "check-quorum",
        "priorities",
        "flow control",
        "message size",
        "batching",
        "limit of uncommitted entries",
        "group commit",
        "snapshots",
        "simple membership changes",
        "joint consensus",
        "explicit leave",
        "learners",
        "demotion",
        "leadership transfer",
        "campaign on request",
        "ReadIndex",
        "forwarding",
        "lease reads",
        "requests for snapshots",
        "settings at run time",
        "first term above 0",
    )

    wants_waiting = True

    known_issues = (
        KnownIssue(
            "pre-vote-with-priorities-at-term-zero",
            "pre_vote with unequal priorities in a cluster that starts at term 0",
            ("no-panic",),
            hazards=("pre-vote-with-priorities-at-term-zero",),
        ),
        KnownIssue(
            "priorities-with-bare-quorum",
            "unequal priorities where only a bare majority is left",
            ("liveness",),
            hazards=("priorities-with-bare-quorum",),
        ),
        KnownIssue(
            "lone-voter-with-peers",
            "a single voter, beside nodes that learn or have yet to join, tells them of a term that is not durable",
            ("ack-before-durable",),
            hazards=("lone-voter-with-peers",),
        ),
        KnownIssue(
            "sole-voter-with-unsaved-entries",
            "a change may leave one voter, with entries on their way to its disk",
            ("no-panic",),
            hazards=("sole-voter-with-unsaved-entries",),
        ),
        KnownIssue(
            "mixed-check-quorum",
            "check-quorum is on at some nodes and off at others for good",
            ("liveness",),
            hazards=("mixed-check-quorum",),
        ),
        KnownIssue(
            "lease-reads-of-a-cut-off-leader",
            "reads by lease where a leader may lose touch with its followers",
            ("linearizability",),
            hazards=("lease-reads-of-a-cut-off-leader",),
        ),
    )

    def boot(self, disk: Disk) -> None:
        settings = self.settings.raft
        self.store = Store(disk)
        config = self._config(0 if disk.snapshot is None else disk.snapshot.index)
        self._owner = rraft.RawNode(config, rraft.Storage(Readable(self.store)), _LOGGER)
        self.raw = self._owner.make_ref()
        self.raft = self.raw.get_raft()
        self.log = self.raft.get_raft_log()
        self.reads = Reads(self.id, disk.incarnation)
        #: Committed entries that are not applied yet, oldest first.
        self.backlog: deque[Any] = deque()
        #: A leader's snapshot that the state machine has not got yet.
        self.to_install: Snapshot | None = None
        self._shown_role = hash(self.raft.get_state()), self.raft.get_term()
        self._shown_transferee: int | None = None
        self._shown_commit = self.log.get_committed()
        self._timer = ElectionTimer(self.id, disk, self.settings)
        self._timeout = self._timer.draw_election_ticks()
        self._waits_as = hash(rraft.StateRole.Follower), 0
        if settings.group_commit:
            self.raft.enable_group_commit(True)
            self._assign_groups()

    def _config(self, applied: int) -> Any:
        settings = self.settings.raft
        config = rraft.Config.default()
        it = config.make_ref()
        it.set_id(self.id)
        it.set_election_tick(settings.election_ticks)
        it.set_heartbeat_tick(settings.heartbeat_ticks)
        it.set_applied(applied)
        it.set_max_size_per_msg(settings.max_size_per_message)
        it.set_max_inflight_msgs(settings.max_inflight_messages)
        it.set_check_quorum(settings.check_quorum)
        it.set_pre_vote(settings.pre_vote)
        it.set_skip_bcast_commit(settings.skip_broadcast_commit)
        it.set_batch_append(settings.batch_append)
        if self.id <= len(settings.priorities):
            it.set_priority(settings.priorities[self.id - 1])
        it.set_max_committed_size_per_ready(settings.max_committed_size_per_ready)
        it.set_max_uncommitted_size(settings.max_uncommitted_size or rraft.NO_LIMIT)
        options = rraft.ReadOnlyOption
        it.set_read_only_option(options.LeaseBased if settings.lease_reads else options.Safe)
        return config

    # ---- what happens to the node

    @_driven
    def tick(self) -> None:
        # The library draws its time-outs from a generator of the thread's, and looks at them in
        # `tick` alone.
        waits_as = hash(self.raft.get_state()), self.raft.get_term()
        if waits_as != self._waits_as:
            self._waits_as = waits_as
            self._timeout = self._timer.draw_election_ticks()
        self.raft.set_randomized_election_timeout(self._timeout)
        if self.raw.tick() and waits_as[0] != _LEADER:
            self._timeout = self._timer.draw_election_ticks()

    @_driven
    def deliver(self, sender: int, data: bytes, snapshot: Snapshot | None) -> None:
        _message, it = messages.receive(data, snapshot)
        term, own_term = it.get_term(), self.raft.get_term()
        if term > own_term:
            self._forget_snapshot_request()
        elif term < own_term:
            self._see_earlier_term(it)
        try:
            self.raw.step(it)
        except rraft.RaftError:
            # This is how the library says that it ignores the message.
            pass

    @_driven
    def propose(self, request: int, data: bytes) -> None:
        leads = self._leads()
        try:
            self.raw.propose(b"", data)
        except rraft.RaftError:
            if leads and self.raft.get_lead_transferee() is None:
                self.report_event(LibraryEvent.DROPPED_PROPOSAL)
            self.refuse(request, self.raft.get_leader_id())
        else:
            if not leads:
                self.report_event(LibraryEvent.FORWARDED_COMMAND)

    @_driven
    def read(self, request: int) -> None:
        if self.raft.get_leader_id() == _NOBODY:
            self.refuse(request, _NOBODY)
            return
        leads = self._leads()
        if not leads:
            self.report_event(LibraryEvent.FORWARDED_READ)
        name = self.reads.begin(request, self.raft.get_term() if leads else None)
        if leads:
            name = self.reads.name_at_leader(self.raft, _NOBODY, name)
        before = self._reads_and_messages()
        self.raw.read_index(name)
        drops = leads and before == self._reads_and_messages()
        if drops and not self.raft.commit_to_current_term():
            # It says nothing, and will not: it does not know yet what is committed.
            self.reads.forget(request)
            self.refuse(request, self.raft.get_leader_id())

    def _reads_and_messages(self) -> tuple[int, int, int]:
        raft = self.raft
        return raft.pending_read_count(), raft.ready_read_count(), len(raft.get_msgs())

    @_driven
    def unreachable(self, peer: int) -> None:
        self.raw.report_unreachable(peer)

    @_driven
    def snapshot_sent(self, peer: int, delivered: bool) -> None:
        statuses = rraft.SnapshotStatus
        self.raw.report_snapshot(peer, statuses.Finish if delivered else statuses.Failure)

    def compacted(self, through: int, snapshot: Snapshot) -> None:
        self.store.keep(snapshot)
        self.store.compact(through)
        # A snapshot that a peer wants is taken with the next input.
        if not self._lets_next_input_come():
            self.go_on()

    # ---- what operators ask for

    @_driven
    def change(self, changes: Sequence[tuple[int, int]], transition: int) -> None:
        change = Change(changes, transition)
        fits = membership.after(self.store.configuration, change)
        try:
            # What is wrong with jointness, the library says.
            if isinstance(fits, membership.Misfit) and not fits.is_of_jointness:
                self.report_event(LibraryEvent.DECLINED_CHANGE)
            else:
                membership.propose(self.raw, change)
        except rraft.RaftError:
            self.report_event(LibraryEvent.DECLINED_CHANGE)

    @_driven
    def transfer(self, to: int) -> None:
        self.raw.transfer_leader(to)

    @_driven
    def campaign(self) -> None:
        if self.raft.promotable():
            try:
                self.raw.campaign()
            except rraft.RaftError:
                pass
            self.report_event(LibraryEvent.CAMPAIGNED)

    @_driven
    def request_snapshot(self) -> None:
        # A follower with entries that are not known to be committed would lose them.
        if self.log.get_committed() == self.log.last_index():
            try:
                self.raw.request_snapshot()
                self.report_event(LibraryEvent.SNAPSHOT_ASKED)
            except rraft.RaftError:
                pass

    @_driven
    def ping(self) -> None:
        self.raw.ping()
        if self._leads():
            self.report_event(LibraryEvent.PINGED)

    @_driven
    def change_setting(self, name: str, value: Any) -> None:
        raft = self.raft
        if name == "batch_append":
            # Now and then, for it promises to change nothing.
            raft.maybe_free_inflight_buffers()
            self.raw.set_batch_append(value)
        elif name == "skip_broadcast_commit":
            self.raw.skip_bcast_commit(value)
        elif name == "check_quorum":
            raft.set_check_quorum(value)
        elif name == "priority":
            self.raw.set_priority(value)
        elif name == "max_inflight_messages":
            for peer in self._members():
                raft.adjust_max_inflight_msgs(peer, value)
        elif name == "max_committed_size_per_ready":
            raft.set_max_committed_size_per_ready(value)
        elif name == "group_commit":
            raft.enable_group_commit(value)
            self._assign_groups()
        else:
            raise ValueError(f"there is no setting {name}")
        self.report_event(LibraryEvent.SETTING_CHANGED)

    # ---- what the library wants

    def go_on(self) -> None:
        """Something has been told to the library: does what it wants, up to the next sync. The
        next input, if one waits, comes before the next ready."""
        self._show_role()
        while self.raw.has_ready():
            if self._handle_ready():
                return
            self.look_after()
            if self._lets_next_input_come():
                return
        self._show_commit()

    def _lets_next_input_come(self) -> bool:
        """Whether the next input comes before the next ready. What made the library send something
        meanwhile, as a change of the configuration that was applied, counts as an input."""
        return self.waiting > 0 and not self.raft.get_msgs()

    def synced(self, number: int, ok: bool) -> None:
        """A ready is durable, and what it had to wait with is done."""
        self.look_after()
        if not self._lets_next_input_come():
            self.go_on()

    def look_after(self) -> None:
        """Does what has come due beside the library."""
        if self.to_install is not None:
            self._install(self.to_install)
        while self.backlog:
            entry = self.backlog.popleft()
            self._apply([entry])
        if self.store.wanted:
            self.store.wanted = False
            self.want_snapshot()

    def _handle_ready(self) -> bool:
        """Whether the node goes on when its disk has synced."""
        owner = self.raw.ready()
        ready = owner.make_ref()
        held = ready.take_messages()
        if not (self.settings.driver.send_after_sync and ready.must_sync()):
            self._send(held)
            held = []
        for state in ready.take_read_states():
            self._confirm(state)
        snapshot = messages.squall_snapshot(ready.snapshot())
        if snapshot is not None:
            self._take_snapshot(ready, snapshot, held)
            return True
        self._write(ready)
        self._show_commit()
        committed = ready.take_committed_entries()
        if committed:
            if self._must_wait(committed):
                # Done as soon as the ready is acknowledged.
                self.backlog.extend(committed)
            else:
                self._apply(committed)
        must_sync: bool = ready.must_sync()
        if must_sync:
            # What follows is done when it is over, and no input comes before.
            self.sync(tell=True)
        self._send(held)
        self._finish(ready)
        return must_sync

    def _write(self, ready: Any) -> None:
        """Writes a ready's hard state and entries, for the disk and for what the library reads."""
        store = self.store
        hard = ready.hs()
        if hard is not None:
            term, vote, commit = hard.get_term(), hard.get_vote(), hard.get_commit()
            if (term, vote) != (store.term, store.vote):
                self.write_hard_state(term, vote)
                store.term, store.vote = term, vote
        for entry in ready.take_entries():
            it = entry.make_ref()
            index, term = it.get_index(), it.get_term()
            self.write_entry(index, term, it.get_data(), hash(it.get_entry_type()))
            store.place(index, term, entry, it.compute_size())
        if hard is not None and commit != store.commit:
            self.write_commit(commit)
            store.commit = commit

    def _finish(self, ready: Any) -> None:
        """A ready is durable, as far as it has to be."""
        self._send(ready.take_persisted_messages())
        owner = self.raw.advance_append(ready)
        light = owner.make_ref()
        commit = light.commit_index()
        if commit is not None:
            self.write_commit(commit)
            self.store.commit = commit
        self._send(light.take_messages())
        self._show_commit()
        committed = light.take_committed_entries()
        if committed and self.backlog:
            self.backlog.extend(committed)
        elif committed:
            self._apply(committed)

    def _send(self, made: Sequence[Any]) -> None:
        for message in made:
            messages.send(self, message)

    def _take_snapshot(self, ready: Any, snapshot: Snapshot, held: Sequence[Any]) -> None:
        """A leader's snapshot has come: it is durable before the log is given up for it."""
        self.save_snapshot(snapshot.index)
        self.sync()
        self.reset_log(snapshot.index + 1)
        self.store.restore(snapshot)
        # The library knows the members anew, and none of their groups.
        self._assign_groups()
        self._write(ready)
        self._show_commit()
        # What was committed before and not applied is in the snapshot.
        self.backlog.clear()
        self.to_install = snapshot
        self.sync(tell=True)
        self._send(held)
        self._finish(ready)

    def _install(self, snapshot: Snapshot) -> None:
        self.to_install = None
        self.install_snapshot(snapshot.index)
        self.report_configuration(snapshot.index, snapshot.configuration)
        self.raw.advance_apply_to(snapshot.index)
        self._show_role()

    # ---- what is committed

    def _must_wait(self, committed: Sequence[Any]) -> bool:
        """Whether entries must wait until their ready is acknowledged: when a change is applied, a
        leader may append the entry that leaves a joint configuration, and the library holds that
        against a ready that it has handed out before."""
        return self.store.configuration.auto_leave or any(
            hash(entry.make_ref().get_entry_type()) for entry in committed
        )

    def _apply(self, committed: Sequence[Any]) -> None:
        last = committed[-1].make_ref().get_index()
        for entry in committed:
            it = entry.make_ref()
            kind = hash(it.get_entry_type())
            if kind:
                index = it.get_index()
                if index > committed[0].make_ref().get_index():
                    self.apply(index - 1, more=True)
                self._apply_change(index, kind, it.get_data())
                if index < last:
                    self.apply(index, more=True)
        self.apply(last)
        self.raw.advance_apply_to(last)

    def _apply_change(self, index: int, kind: int, data: bytes) -> None:
        """A change of the configuration takes effect when it is applied. One that does not fit is
        skipped, by every node alike."""
        # What is committed so far was committed by the configuration before.
        self._show_commit()
        asked, change = membership.read(kind, data)
        expected = membership.after(self.store.configuration, asked)
        try:
            conf_state = membership.apply(self.raw, kind, change)
        except rraft.RaftError:
            # Where jointness is wrong, a leader refuses.
            if not isinstance(expected, membership.Misfit) or expected.is_of_jointness:
                self.report_event(LibraryEvent.CHANGED_OTHERWISE)
            self.report_event(LibraryEvent.SKIPPED_CHANGE)
            return
        configuration = messages.configuration_of(conf_state)
        if isinstance(expected, membership.Misfit):
            is_otherwise = expected.is_of_jointness
        else:
            is_otherwise = configuration != expected
        if is_otherwise:
            self.report_event(LibraryEvent.CHANGED_OTHERWISE)
        self.store.configuration = configuration
        self.report_configuration(index, configuration)
        if self.id not in configuration.voters + configuration.outgoing:
            # A leader that is removed would go on.
            self.raft.become_follower(self.raft.get_term(), _NOBODY)
        # Not before: a leader may commit by this, and must not when it is removed.
        self._assign_groups()
        self._show_role()

    def _confirm(self, state: Any) -> None:
        it = state.make_ref()
        request = self.reads.confirm(bytes(it.get_request_ctx()))
        if request is not None:
            self.confirm_read(request, it.get_index())

    # ---- what the library leaves to its user

    def _see_earlier_term(self, it: Any) -> None:
        """A message of an earlier term has come, or of none, as what is passed on has."""
        if hash(it.get_msg_type()) == messages.READ_INDEX:
            asked = it.get_entries()
            if asked and self._leads():
                name = bytes(asked[0].get_data())
                named = self.reads.name_at_leader(self.raft, it.get_from(), name)
                asked[0].set_data(named)
        else:
            self._answer_earlier_term(it)

    def _answer_earlier_term(self, it: Any) -> None:
        """Who leads or stands in an earlier term must hear of the later one (Raft paper, figures 2
        and 13). The library says nothing, and leaves it to this node's next vote request to tell.
        Where that does not go to the sender, the driver answers."""
        raft, peer, number = self.raft, it.get_from(), hash(it.get_msg_type())
        if self._tells_by_itself(peer):
            return
        answers = raft.get_check_quorum() or raft.get_pre_vote()
        if number in (messages.APPEND, messages.HEARTBEAT, messages.SNAPSHOT):
            if answers and number != messages.SNAPSHOT:
                return
            kind, rejects = rraft.MessageType.MsgAppendResponse, False
        elif number == messages.REQUEST_VOTE:
            kind, rejects = rraft.MessageType.MsgRequestVoteResponse, True
        else:
            return
        answer = rraft.Message.default()
        to_fill = answer.make_ref()
        to_fill.set_msg_type(kind)
        to_fill.set_reject(rejects)
        to_fill.set_from(self.id)
        to_fill.set_to(peer)
        to_fill.set_term(raft.get_term())
        raft.set_msgs([*raft.take_msgs(), answer])

    def _tells_by_itself(self, peer: int) -> bool:
        """Whether `peer` hears of this node's term without being answered: a leader speaks to all
        members, and who may stand for election asks the voters."""
        members = self.raft.prs()
        if self._leads():
            return members.get(peer) is not None
        return self.raft.promotable() and members.conf_voters().contains(peer)

    def _forget_snapshot_request(self) -> None:
        """A follower that waits for the snapshot that it asked for takes no entries, and a leader
        of a new term may need just this follower to commit anything, a snapshot's entries
        included."""
        if self.raft.get_pending_request_snapshot() != _NO_INDEX:
            self.raft.set_pending_request_snapshot(_NO_INDEX)

    def _assign_groups(self) -> None:
        """With group commit, puts odd and even nodes into a group each; nodes that join come into
        none by themselves."""
        if self.raft.group_commit():
            self.raft.clear_commit_group()
            groups = [(member, member % 2 + 1) for member in self._members()]
            self.raft.assign_commit_groups(groups)

    def _members(self) -> list[int]:
        configuration = self.store.configuration
        members = configuration.voters + configuration.outgoing + configuration.learners
        return sorted(set(members))

    # ---- what Squall is shown

    def _leads(self) -> bool:
        return hash(self.raft.get_state()) == _LEADER

    def _show_role(self) -> None:
        raft = self.raft
        role = hash(raft.get_state()), raft.get_term()
        transferee = raft.get_lead_transferee()
        if role == self._shown_role and transferee == self._shown_transferee:
            return
        self._show_broken_promises(role, transferee)
        if transferee != self._shown_transferee:
            self._shown_transferee = transferee
            self.report_transfer(transferee or _NOBODY)
        if role != self._shown_role:
            self._shown_role = role
            self.report_role(_ROLES[role[0]], role[1])
        # The library has forgotten the reads that it took as a leader.
        leads = role[1] if role[0] == _LEADER else None
        for request in self.reads.take_of_other_terms(leads):
            self.refuse(request, raft.get_leader_id())

    def _show_broken_promises(self, role: tuple[int, int], transferee: int | None) -> None:
        """The library promises beyond Raft that only voters stand, and that leadership goes to
        voters alone. It alone knows who votes by the configuration that it decides by."""
        voters = self.raft.prs().conf_voters()
        shown, now = _ROLES[self._shown_role[0]], _ROLES[role[0]]
        if shown == Role.FOLLOWER and now != Role.FOLLOWER and not voters.contains(self.id):
            self.report_broken_promise(BrokenPromise.STOOD_WITHOUT_VOTE, now, role[1])
        if transferee is None or transferee == self._shown_transferee:
            return
        if not voters.contains(transferee):
            handed = BrokenPromise.HANDED_OVER_TO_NO_VOTER
            self.report_broken_promise(handed, transferee, role[1])

    def _show_commit(self) -> None:
        index = self.log.get_committed()
        if index != self._shown_commit:
            self._shown_commit = index
            self.report_committed(index)

    @classmethod
    def describe(cls, data: bytes) -> str | None:
        return messages.describe(data)


if __name__ == "__main__":
    serve(RraftNode)
