from squall_raft import Disk, ElectionTimer, Entry, MessageKind, Replica, Role, cbor, serve


class Raft(Replica):
    """A small Raft: elections, replication, persistence. Section numbers are the Raft paper's."""

    def boot(self, disk: Disk) -> None:
        self.term, self.vote = self.saved = disk.term, disk.vote
        self.log = [Entry(0, 0, b""), *disk.entries]  # An entry's place is its index.
        self.role, self.leader, self.commit, self.written = Role.FOLLOWER, 0, 0, len(self.log)
        self.voters = disk.configuration.voters
        self.timer = ElectionTimer(self.id, disk, self.settings)
        self.timer.set(self.role)

    def tick(self) -> None:
        if self.timer.tick():
            self.timer.set(self.role)
            self.replicate(*self.voters) if self.role == Role.LEADER else self.stand()

    def propose(self, request: int, data: bytes) -> None:
        if self.role != Role.LEADER:
            return self.refuse(request, self.leader)
        self.log.append(Entry(self.term, 0, data))
        self.replicate(*self.voters)
        self.on_append_reply(self.id, True, len(self.log) - 1)

    def deliver(self, sender: int, data: bytes, snapshot: object) -> None:
        kind, term, *body = cbor.decode(data)
        if term > self.term:
            self.become(Role.FOLLOWER, term)
        if term == self.term:  # Who is behind hears of it when this node stands, or leads.
            getattr(self, "on_" + MessageKind(kind).name.lower())(sender, *body)
        self.persist()

    def become(self, role: Role, term: int, leader: int = 0) -> None:
        self.report_role(role, term)  # Before what this changes is written.
        if term > self.term:
            self.term, self.vote = term, 0
        if role != self.role:
            self.timer.set(role)
        self.role, self.leader = role, leader

    def persist(self) -> None:
        """Writes what is new. Whatever the node wants afterwards waits until the disk has it."""
        hard_state, entries = (self.term, self.vote), range(self.written, len(self.log))
        if hard_state != self.saved:
            self.write_hard_state(*hard_state)
        for index in entries:
            self.write_entry(index, self.log[index].term, self.log[index].data)
        if entries or hard_state != self.saved:
            self.sync(wait=True)
        self.saved, self.written = hard_state, len(self.log)

    def tell(self, to: int, kind: MessageKind, *body: cbor.Item, **promise: cbor.Item) -> None:
        self.persist()
        if to != self.id:
            self.send(to, kind, self.term, cbor.encode([kind, self.term, *body]), **promise)

    def stand(self) -> None:  # 5.2
        self.become(Role.CANDIDATE, self.term + 1)
        self.vote, self.votes, last = self.id, set[int](), len(self.log) - 1
        for node in self.voters:
            self.tell(node, MessageKind.VOTE, self.log[last].term, last, voted_for=self.id)
        self.on_vote_reply(self.id)

    def on_vote(self, sender: int, last_term: int, last: int) -> None:  # 5.4.1
        if self.vote in (0, sender) and (last_term, last) >= (self.log[-1].term, len(self.log) - 1):
            self.vote = sender
            self.timer.set(self.role)
            self.tell(sender, MessageKind.VOTE_REPLY, voted_for=sender)

    def on_vote_reply(self, sender: int) -> None:
        if self.role == Role.CANDIDATE:
            self.votes.add(sender)
            if 2 * len(self.votes) > len(self.voters):
                self.become(Role.LEADER, self.term)
                self.next = dict.fromkeys(self.voters, len(self.log))
                self.match = dict.fromkeys(self.voters, 0)
                self.propose(0, b"")  # Commits what earlier terms have left: 5.4.2, 8.

    def replicate(self, *nodes: int) -> None:
        for node in nodes:
            prev = self.next[node] - 1
            term, new = self.log[prev].term, self.log[prev + 1 : prev + 9]
            self.next[node] += len(new)
            self.tell(node, MessageKind.APPEND, prev, term, self.commit, *new)

    def on_append(self, sender: int, prev: int, term: int, commit: int, *new: Entry) -> None:  # 5.3
        self.become(Role.FOLLOWER, self.term, leader=sender)
        self.timer.set(self.role)
        if prev >= len(self.log) or self.log[prev].term != term:
            return self.tell(sender, MessageKind.APPEND_REPLY, False, min(prev, len(self.log)) - 1)
        for at, entry in enumerate(new, prev + 1):
            if at >= len(self.log) or self.log[at].term != entry[0]:  # What matches stays.
                self.log[at:], self.written = [Entry(*entry) for entry in new[at - prev - 1 :]], at
                break
        end = prev + len(new)
        self.tell(sender, MessageKind.APPEND_REPLY, True, end, appended=end)
        self.advance(min(commit, end))

    def on_append_reply(self, sender: int, matches: bool, index: int) -> None:
        if self.role == Role.LEADER:
            self.match[sender] = max(self.match[sender], index if matches else 0)
            self.next[sender] = max(self.next[sender] if matches else 0, index + 1)
            if self.next[sender] < len(self.log):
                self.replicate(sender)
            agreed = sorted(self.match.values())[(len(self.voters) - 1) // 2]
            if self.log[agreed].term == self.term:  # 5.4.2
                self.advance(agreed)

    def advance(self, commit: int) -> None:
        self.commit = max(self.commit, commit)
        self.report_committed(self.commit)
        self.apply(self.commit)


if __name__ == "__main__":
    serve(Raft)
