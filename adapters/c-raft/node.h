/* One node: an instance of libraft, and what its I/O callbacks keep for it.
 *
 * libraft counts from an entry that Squall's log does not have: number 1 is the founding
 * configuration, which `raft_bootstrap` writes on every founder alike. Its entry n + 1 is Squall's
 * entry n, and messages carry libraft's numbers. */
#ifndef NODE_H
#define NODE_H

#include "squall_raft.h"

#include <raft.h>

/* Squall's index of an entry of libraft's, and back. */
static inline uint64_t squall_index(raft_index index) {
    return index == 0 ? 0 : index - 1;
}

static inline raft_index libraft_index(uint64_t index) {
    return index + 1;
}

/* libraft counts milliseconds: so many pass with each tick. */
enum { TICK_MS = 100 };

/* The kind of an entry that changes the configuration. */
enum { KIND_CONFIGURATION = 1 };

/* A disk request of libraft's that waits for the sync that covers it. */
struct request {
    struct request *next;
    /* The sync's number; 0 until it is asked for. */
    uint64_t sync;
    /* The node's term when it was made. */
    raft_term term;
    /* One of them is set. */
    struct raft_io_append *append;
    struct raft_io_snapshot_put *put;
};

/* A message that has been handed over: libraft is told so when its call is over. */
struct sent {
    struct sent *next;
    struct raft_io_send *send;
};

/* A snapshot that libraft wants to read: it gets it when its call is over. */
struct got {
    struct got *next;
    struct raft_io_snapshot_get *get;
};

/* What the adapter reads of a plan. */
struct settings {
    uint64_t election_ticks, heartbeat_ticks, keep_entries;
    unsigned snapshot_threshold;
    bool pre_vote, asynchronous;
    /* What triggers known defects: see adapter.c. */
    bool heartbeat_first, count_early, snapshot_over_append, keep_term_back, late_answers;
    bool first_entries;
};

struct node {
    struct raft raft;
    struct raft_io io;
    struct raft_fsm fsm;
    struct settings settings;
    struct squall_random random;
    uint32_t id;
    uint64_t ticks;
    raft_io_tick_cb tick;
    raft_io_recv_cb recv;
    /* Where actions go; NULL while the node is being killed. */
    struct squall_out *out;

    /* What the disk had when the node started. It is gone once `load` has read it. */
    const struct squall_boot *boot;
    /* Term and vote as libraft has set them, and whether that is yet to be written, or synced. */
    raft_term term;
    raft_id vote;
    bool hard_unwritten, hard_unsynced;
    /* Requests, oldest first, and whether the one that is being completed is of an earlier term. */
    struct request *requests, **last_request;
    bool late;
    struct sent *sent, **last_sent;
    struct got *got, **last_got;
    /* The request for a snapshot of the node's own that is under way. */
    struct raft_io_snapshot_put *own_put;
    /* Where libraft's next append goes. */
    raft_index next_append;
    /* The terms of the entries in the log, as written, in libraft's numbers: the log holds
     * `first` to `last`. The entry before has the term `before`. */
    raft_term *terms, before;
    raft_index first, last;
    size_t room;
    /* The append that is being taken in: who sent it, and the last entry that it speaks of. */
    struct {
        raft_id from;
        raft_term term, end_term;
        raft_index end;
    } hears;
    /* Up to where the log is that of the leader of this term. */
    raft_term agreed_term;
    raft_id agreed_with;
    raft_index agreed;
    /* The newest snapshot, in libraft's numbers. */
    bool has_snapshot;
    struct squall_snapshot snapshot;
    /* The snapshot that came with the message at hand. */
    const struct squall_snapshot *arrived;

    /* What has been dealt with: a term that began with an entry, what is applied, the
     * configuration in force. */
    raft_term led;
    raft_index applied;
    /* The snapshot of its own that Squall has been asked for; 0 where there is none. */
    raft_index wanted;
    struct raft_transfer transfer;
};

/* The voters and others of a configuration of libraft's. */
struct squall_configuration configuration_of(const struct raft_configuration *from);
/* Fills in one of libraft's, which the caller closes. */
int fill_configuration(const struct squall_configuration *from, struct raft_configuration *to);
/* A server's address: the text stays. */
const char *address_of(raft_id id);

/* disk.c: `raft_io`'s disk. */
void disk_init(struct node *node);
void disk_free(struct node *node);
/* Reports the role, and writes term and vote, if they are new: before entries are written, and
 * before messages leave. */
void disk_settle(struct node *node);
/* Asks for the sync that what has been written needs. */
void disk_flush(struct node *node);
/* Completes the requests that this sync covers. */
void disk_synced(struct node *node, uint64_t number);
/* Gives all requests back as the node goes down, so that libraft frees what they have. */
void disk_cancel(struct node *node);
/* Hands over a snapshot that libraft wants to read, or fails. */
void disk_got(struct node *node, int status);
/* This is the newest snapshot on the disk, in Squall's numbers. */
void disk_compacted(struct node *node, const struct squall_snapshot *snapshot);
/* The term of a written entry; 0 where there is none. */
raft_term disk_term_of(const struct node *node, raft_index index);

/* wire.c: `raft_io`'s network. */
int wire_send(struct raft_io *io, struct raft_io_send *req, const struct raft_message *message,
              raft_io_send_cb cb);
/* The append at hand has been taken in, if the log ends as it says. */
void wire_agree(struct node *node);
/* Makes a message of bytes, in memory of libraft's, which it takes over. */
bool wire_decode(struct squall_bytes data, raft_id from, struct raft_message *message);
void wire_describe(struct squall_bytes data, struct squall_out *out);

/* node.c: life of a node, and its calls. */
void *node_boot(void *context, const struct squall_run *run, const struct squall_boot *boot,
                struct squall_out *out);
void node_kill(void *node);
/* Whether the log ends with an entry of the node's term. */
bool node_has_entry_of_term(const struct node *node);
/* What follows each call of libraft. */
void node_settle(struct node *node);

#endif
