/* A whole Raft on the C kit: elections, replication and persistence (Raft paper, figure 2), without
 * snapshots and changes of the configuration. Built with -DSEND_BEFORE_PERSIST or -DFORGET_VOTE it
 * is broken in the way that the name says, and `squall sweep` finds out. */
#include "squall_raft.h"
#include <stdlib.h>
#include <string.h>

/* `kind` is a `squall_kind`. `index` and `log_term` are of the entry before the one that an append
 * brings (none where `entry`, its term, is 0), or of the end of a candidate's log; in replies,
 * `index` is how far a log agrees with its leader's, or may agree where it does not. */
struct message { uint64_t kind, term, index, log_term, commit, entry, yes; };
struct entry { uint64_t term; struct squall_bytes data; };
struct raft {
    uint32_t id, vote, leader;
    squall_nodes peers, voters, votes;
    uint64_t term, commit, last, next[SQUALL_MAX_NODE + 1], match[SQUALL_MAX_NODE + 1];
    struct entry *log; /* From 1 to `last`; number 0 has term 0 and nothing in it. */
    struct squall_election_timer timer;
    enum squall_role role;
    bool unsynced;
    struct squall_out *out; /* Where the actions of this step go; NULL before the first. */
};
static const struct squall_bytes nothing = {NULL, 0};

static void persist(struct raft *raft) {
    if (raft->unsynced) squall_sync(raft->out, SQUALL_WAIT);
    raft->unsynced = false;
}

/* What a message promises is durable before it leaves. */
static void post(struct raft *raft, uint32_t to, struct message head, struct squall_bytes data) {
    struct squall_message label = {to, (enum squall_kind)head.kind, head.term, SQUALL_NOTHING, 0,
                                   {(const uint8_t *)&head, sizeof head}, data, false};
    bool appended = head.kind == SQUALL_APPEND_REPLY;
    if (head.yes) label.claim = appended ? SQUALL_APPENDED : SQUALL_VOTED;
    if (head.yes) label.value = appended ? head.index : raft->vote;
#ifndef SEND_BEFORE_PERSIST
    persist(raft);
#endif
    squall_send(raft->out, &label);
}

static void enter(struct raft *raft, uint64_t term, enum squall_role role, uint32_t vote) {
    bool write = term != raft->term || vote != raft->vote;
    if (role != raft->role) squall_election_timer_set(&raft->timer, role);
    if (term != raft->term) raft->leader = 0;
    raft->term = term, raft->role = role, raft->vote = vote;
    squall_report_role(raft->out, role, term);
#ifdef FORGET_VOTE
    vote = 0;
#endif
    if (write) squall_write_hard_state(raft->out, term, vote), raft->unsynced = true;
}

static void append(struct raft *raft, uint64_t term, struct squall_bytes data) {
    uint8_t *copy = malloc(data.len + 1);
    if (data.len > 0) memcpy(copy, data.base, data.len);
    raft->log = realloc(raft->log, (raft->last + 2) * sizeof *raft->log);
    raft->log[++raft->last] = (struct entry){term, {copy, data.len}};
    if (raft->out == NULL) return; /* It comes from the disk. */
    squall_write_entry(raft->out, &(struct squall_entry){raft->last, term, 0, data});
    raft->unsynced = true;
}

static void cut(struct raft *raft, uint64_t last) {
    for (; raft->last > last; raft->last--) free((void *)raft->log[raft->last].data.base);
}

static void commit(struct raft *raft, uint64_t index) {
    if (index <= raft->commit) return;
    persist(raft);
    squall_report_committed(raft->out, raft->commit = index);
    squall_apply(raft->out, index, false);
}

/* A majority commits an entry of the leader's own term, and with it all that come before. */
static void count(struct raft *raft) {
    for (uint64_t at = raft->last; at > raft->commit && raft->log[at].term == raft->term; at--) {
        squall_nodes have = squall_one(raft->id);
        SQUALL_EACH(peer, raft->peers) if (raft->match[peer] >= at) have |= squall_one(peer);
        if (squall_majority(raft->voters, have)) commit(raft, at);
    }
}

static void replicate(struct raft *raft, squall_nodes to) {
    SQUALL_EACH(peer, to) {
        uint64_t before = raft->next[peer] - 1, term = raft->log[before].term;
        struct entry next = before < raft->last ? raft->log[before + 1] : raft->log[0];
        post(raft, peer, (struct message){SQUALL_APPEND, raft->term, before, term, raft->commit,
                                          next.term, false}, next.data);
    }
    count(raft);
}

static void elected_by(struct raft *raft, uint32_t voter) {
    raft->votes |= squall_one(voter);
    if (!squall_majority(raft->voters, raft->votes)) return;
    enter(raft, raft->term, SQUALL_LEADER, raft->vote);
    SQUALL_EACH(peer, raft->peers) raft->next[peer] = raft->last + 1, raft->match[peer] = 0;
    append(raft, raft->term, nothing);
    replicate(raft, raft->peers);
}

static void tick(void *node, struct squall_out *out) {
    struct raft *raft = node;
    if (!squall_election_timer_tick(&raft->timer)) return;
    squall_election_timer_set(&raft->timer, raft->role);
    if (raft->role == SQUALL_LEADER) {
        replicate(raft, raft->peers);
        return;
    }
    enter(raft, raft->term + 1, SQUALL_CANDIDATE, raft->id);
    raft->votes = 0;
    struct message ask = {SQUALL_VOTE, raft->term, raft->last, raft->log[raft->last].term, 0, 0, 1};
    SQUALL_EACH(peer, raft->peers) post(raft, peer, ask, nothing);
    elected_by(raft, raft->id);
}

static void take_append(struct raft *raft, uint32_t from, struct message in,
                        struct squall_bytes data) {
    uint64_t at = in.index, may = at == 0 || at > raft->last ? raft->last : at - 1;
    struct message reply = {SQUALL_APPEND_REPLY, raft->term, may, 0, 0, 0, false};
    if (in.term == raft->term) {
        enter(raft, raft->term, SQUALL_FOLLOWER, raft->vote);
        squall_election_timer_set(&raft->timer, raft->role);
        raft->leader = from;
        reply.yes = at <= raft->last && raft->log[at].term == in.log_term;
    }
    if (reply.yes && in.entry != 0 && (++at > raft->last || raft->log[at].term != in.entry))
        cut(raft, at - 1), append(raft, in.entry, data);
    if (reply.yes) reply.index = at;
    post(raft, from, reply, nothing);
    if (reply.yes) commit(raft, in.commit < at ? in.commit : at);
}

static void take_vote(struct raft *raft, uint32_t from, struct message in) {
    uint64_t log_term = raft->log[raft->last].term;
    bool newer = in.log_term != log_term ? in.log_term > log_term : in.index >= raft->last;
    bool yes = newer && in.term == raft->term && (raft->vote == 0 || raft->vote == from);
    if (yes) enter(raft, raft->term, raft->role, from);
    if (yes) squall_election_timer_set(&raft->timer, raft->role);
    post(raft, from, (struct message){SQUALL_VOTE_REPLY, raft->term, 0, 0, 0, 0, yes}, nothing);
}

static void deliver(void *node, uint32_t from, struct squall_bytes data,
                    const struct squall_snapshot *snapshot, struct squall_out *out) {
    struct raft *raft = node;
    struct message in;
    memcpy(&in, data.base, sizeof in);
    data.base += sizeof in, data.len -= sizeof in;
    if (in.term > raft->term) enter(raft, in.term, SQUALL_FOLLOWER, 0);
    enum squall_role role = in.term == raft->term ? raft->role : SQUALL_FOLLOWER;
    if (in.kind == SQUALL_APPEND) take_append(raft, from, in, data);
    else if (in.kind == SQUALL_VOTE) take_vote(raft, from, in);
    else if (in.kind == SQUALL_VOTE_REPLY && role == SQUALL_CANDIDATE && in.yes)
        elected_by(raft, from);
    else if (in.kind == SQUALL_APPEND_REPLY && role == SQUALL_LEADER) {
        if (in.yes && in.index > raft->match[from]) raft->match[from] = in.index;
        uint64_t *next = &raft->next[from], before = *next;
        *next = (in.index > raft->match[from] ? in.index : raft->match[from]) + 1;
        replicate(raft, *next != before && *next <= raft->last ? squall_one(from) : 0);
    }
}

static void propose(void *node, uint64_t request, struct squall_bytes data,
                    struct squall_out *out) {
    struct raft *raft = node;
    if (raft->role != SQUALL_LEADER) squall_refuse(out, request, raft->leader);
    else append(raft, raft->term, data), replicate(raft, raft->peers);
}

static void begin(void *to, uint64_t at, struct squall_out *out) { ((struct raft *)to)->out = out; }
static void end(void *node, struct squall_out *out) { persist(node); }
static void stop(void *node) { cut(node, 0), free(((struct raft *)node)->log), free(node); }

static void *boot(void *context, const struct squall_run *run, const struct squall_boot *disk,
                  struct squall_out *out) {
    struct raft *raft = calloc(1, sizeof *raft);
    struct squall_entries entries = disk->entries;
    raft->id = disk->node, raft->term = disk->term, raft->voters = disk->configuration.voters;
    raft->peers = raft->voters & ~squall_one(raft->id);
    raft->vote = disk->vote;
    raft->log = calloc(1, sizeof *raft->log);
    for (struct squall_entry e; squall_next_entry(&entries, &e);) append(raft, e.term, e.data);
    squall_election_timer_init(&raft->timer, run, disk);
    squall_election_timer_set(&raft->timer, raft->role);
    return raft;
}

int main(void) {
    return squall_serve(&(struct squall_adapter){
        .name = "example", .about = "a small Raft in C", .boot = boot, .kill = stop,
        .begin = begin, .tick = tick, .deliver = deliver, .propose = propose, .end = end});
}
