/* The C kit for replica processes: a Raft written in C, or in C++, under Squall's storm.
 *
 * An adapter fills in a table of functions, `struct squall_adapter`, and calls `squall_serve` from
 * `main`. The kit reads requests from standard input, calls the functions, and writes to standard
 * output what these ask for through the functions that begin with `squall_` and take a
 * `struct squall_out`. README.md says how to begin; docs/protocol/README.md is the protocol.
 *
 * The kit knows no Raft and keeps no log. It decodes, encodes, and checks that what comes in has
 * the form that the protocol gives it. It allocates two buffers, for input and for output, which
 * grow to the largest frame that passes through them, and nothing else.
 */
#ifndef SQUALL_RAFT_H
#define SQUALL_RAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the protocol that this kit speaks. */
#define SQUALL_PROTOCOL 1
/* Nodes are numbered from 1 to this; 0 is nobody. */
#define SQUALL_MAX_NODE 31
/* The longest frame in either direction, without its length, in bytes. */
#define SQUALL_MAX_FRAME ((size_t)16 << 20)
/* An adapter has at most so many options of its own. */
#define SQUALL_MAX_OPTIONS 64

/* ---- What comes from Squall ----------------------------------------------------------------- */

/* Bytes of a request. They are the kit's, and are gone when the function that got them returns. */
struct squall_bytes {
    const uint8_t *base;
    size_t len;
};

/* A set of nodes: bit `n` is node `n`. Bit 0 is never set. */
typedef uint32_t squall_nodes;

static inline bool squall_has(squall_nodes nodes, unsigned node) {
    return node <= SQUALL_MAX_NODE && (nodes >> node & 1u) != 0;
}

static inline squall_nodes squall_one(unsigned node) {
    return (squall_nodes)1 << node;
}

/* How many nodes are in the set. */
unsigned squall_count(squall_nodes nodes);

/* Whether `present` has more than half of `nodes`. */
static inline bool squall_majority(squall_nodes nodes, squall_nodes present) {
    return squall_count(nodes & present) > squall_count(nodes) / 2;
}

/* The first node of the set after `node`; 0 where there is none. */
uint32_t squall_next(squall_nodes nodes, uint32_t node);

/* A loop over the nodes of a set, in their order. */
#define SQUALL_EACH(node, nodes) \
    for (uint32_t node = squall_next(nodes, 0); node != 0; node = squall_next(nodes, node))

/* Who votes and who learns. Outside a joint configuration `outgoing` is empty. */
struct squall_configuration {
    squall_nodes voters, outgoing, learners, learners_next;
    bool auto_leave;
};

struct squall_snapshot {
    uint64_t index, term;
    struct squall_configuration configuration;
};

struct squall_entry {
    uint64_t index, term;
    /* 0: a command, or nothing where `data` is empty. Others are the adapter's own changes of the
     * configuration. */
    uint8_t kind;
    struct squall_bytes data;
};

/* The entries that a node's log kept. They are read one by one; a copy of this struct begins where
 * the original stood. */
struct squall_entries {
    uint64_t left;
    uint64_t next_index;
    struct squall_bytes rest;
};

/* Reads the next entry; returns false where there is none. */
bool squall_next_entry(struct squall_entries *entries, struct squall_entry *entry);

enum squall_setting_type {
    SQUALL_NULL,
    SQUALL_BOOL,
    SQUALL_NUMBER,
    SQUALL_TEXT,
    SQUALL_LIST,
    /* Something that this kit has no type for, as a number below 0. */
    SQUALL_OTHER
};

struct squall_setting {
    enum squall_setting_type type;
    /* A boolean as 0 or 1; a number; how many numbers are in a list. */
    uint64_t number;
    /* A text, without a zero at its end; the encoded numbers of a list. */
    struct squall_bytes text;
};

/* Settings by name, as the plan file has them. */
struct squall_settings {
    struct squall_bytes encoded;
};

/* Looks a setting up; returns false where it is not given. */
bool squall_find_setting(const struct squall_settings *settings, const char *name,
                         struct squall_setting *setting);

/* A setting that is a number or a boolean (0 or 1), or `otherwise`. */
uint64_t squall_number(const struct squall_settings *settings, const char *name,
                       uint64_t otherwise);

/* Reads and removes the first number of a list; returns false where there is none. */
bool squall_next_number(struct squall_setting *list, int64_t *number);

/* A run, as `reset` has it. The kit keeps it for the whole run, except `raft` and `driver`, which
 * are empty once `reset` has returned. */
struct squall_run {
    /* For what the adapter draws at random. Nodes get a seed of their own when they boot. */
    uint64_t seed;
    /* All nodes that may run. */
    squall_nodes nodes;
    /* Bit `n` is on where the adapter's option `n` is. */
    uint64_t options;
    /* From `raft`: ticks without word from a leader before an election, from once to twice as
     * many; ticks between heartbeats; whether to ask before a term is raised. */
    uint64_t election_ticks, heartbeat_ticks;
    bool pre_vote;
    struct squall_settings raft, driver;
};

/* What a node's disk kept. */
struct squall_boot {
    uint32_t node;
    /* 0 for the first start, one more for each restart. */
    uint64_t incarnation;
    /* Of all that the node may draw at random; the same for all incarnations. */
    uint64_t seed;
    uint64_t term;
    uint32_t vote;
    uint64_t commit;
    /* That of the snapshot, or the cluster's first; without voters on a node that joins later,
     * which must not elect itself. */
    struct squall_configuration configuration;
    /* The newest snapshot, where there is one. */
    bool has_snapshot;
    struct squall_snapshot snapshot;
    /* The index of the log's first entry, or of the next; the term of the entry before that. */
    uint64_t first, before;
    struct squall_entries entries;
};

enum squall_member { SQUALL_VOTER, SQUALL_LEARNER, SQUALL_NOBODY };
enum squall_transition {
    SQUALL_SIMPLE,
    SQUALL_JOINT,
    SQUALL_JOINT_EXPLICIT,
    SQUALL_LEAVE
};

struct squall_change_step {
    uint32_t node;
    enum squall_member becomes;
};

/* A change of the configuration that an operator asks for: a step for a node at most. */
struct squall_change {
    enum squall_transition transition;
    unsigned n_steps;
    struct squall_change_step steps[SQUALL_MAX_NODE];
};

/* ---- The adapter ---------------------------------------------------------------------------- */

struct squall_out;

/* An option of the adapter's own, which plans draw. */
struct squall_option {
    const char *name;
    const char *about;
    /* On in so many plans of a hundred. */
    unsigned percent;
};

/* A defect that is known, which plans avoid. The lists end with NULL. */
struct squall_known_issue {
    const char *name;
    const char *about;
    /* Properties, as `squall list checks` has them. */
    const char *const *breaks;
    /* Options that are taken out of plans, unless the issue is wanted. */
    const char *const *triggers;
    /* Conditions that plans keep clear of, as the protocol has them; may be NULL. */
    const char *const *hazards;
};

/* Functions may be NULL where the protocol does not send what they are for: see the features in
 * `supports`. `boot`, `kill`, `tick`, `deliver` and `propose` are always needed. */
struct squall_adapter {
    /* One word, lower case, with hyphens; and one line. */
    const char *name;
    const char *about;
    /* Ends with NULL; may be NULL. */
    const char *const *supports;
    /* Both end with one whose name is NULL; may be NULL. */
    const struct squall_option *options;
    const struct squall_known_issue *known_issues;
    /* How many inputs may come in one step; 0 is 1. */
    unsigned batch;
    /* Handed to `reset`, `boot` and `describe`. */
    void *context;

    /* A new run begins. All nodes have been killed. May be NULL. */
    void (*reset)(void *context, const struct squall_run *run);
    /* A node starts. What it returns is handed to the other functions as `node`, and is given back
     * to `kill`. NULL: it could not start, which counts as `squall_failed`. */
    void *(*boot)(void *context, const struct squall_run *run, const struct squall_boot *boot,
                  struct squall_out *out);
    /* The node is gone, whatever it was doing: free what it has. */
    void (*kill)(void *node);
    /* Before and after the inputs of each step; may be NULL. `now_us` is the node's own idea of
     * the time, which may jump back. */
    void (*begin)(void *node, uint64_t now_us, struct squall_out *out);
    void (*end)(void *node, struct squall_out *out);
    /* So many ticks passed while the node had said that they do nothing. Where this is NULL, `tick`
     * is called so often. */
    void (*idle)(void *node, uint64_t ticks, struct squall_out *out);

    void (*tick)(void *node, struct squall_out *out);
    /* `snapshot` is NULL where none came with the message. */
    void (*deliver)(void *node, uint32_t from, struct squall_bytes data,
                    const struct squall_snapshot *snapshot, struct squall_out *out);
    void (*propose)(void *node, uint64_t request, struct squall_bytes data,
                    struct squall_out *out);
    void (*synced)(void *node, uint64_t number, bool ok, struct squall_out *out);
    void (*read)(void *node, uint64_t request, struct squall_out *out);
    void (*change)(void *node, const struct squall_change *change, struct squall_out *out);
    void (*transfer)(void *node, uint32_t to, struct squall_out *out);
    void (*campaign)(void *node, struct squall_out *out);
    void (*request_snapshot)(void *node, struct squall_out *out);
    void (*ping)(void *node, struct squall_out *out);
    void (*set)(void *node, struct squall_bytes name, const struct squall_setting *value,
                struct squall_out *out);
    /* These two are news that many libraries have no use for; NULL ignores them. */
    void (*unreachable)(void *node, uint32_t peer, struct squall_out *out);
    void (*snapshot_sent)(void *node, uint32_t peer, bool delivered, struct squall_out *out);
    void (*compacted)(void *node, uint64_t through, const struct squall_snapshot *snapshot,
                      struct squall_out *out);
    /* So many inputs wait behind those of this step, whose first this is. The answer to hello asks
     * for it where this is not NULL. Then `synced` is also called, with number 0, when what Squall
     * mended on the disk before `boot` is durable, if that was something. */
    void (*waiting)(void *node, uint64_t count, struct squall_out *out);
    /* A connection to this peer stands; it is over. Both come with the feature `streams`, and NULL
     * ignores them. */
    void (*connected)(void *node, uint32_t peer, struct squall_out *out);
    void (*disconnected)(void *node, uint32_t peer, struct squall_out *out);

    /* Puts a message into words by `squall_print`, for traces. May be NULL. */
    void (*describe)(void *context, struct squall_bytes data, struct squall_out *out);
};

/* Serves requests from standard input until it ends, and returns what `main` is to return: 0, or 2
 * when a request had not the form that the protocol gives it, which standard error then names.
 * From the call on, descriptor 1 is standard error: what a library prints does not end up among
 * the frames. */
int squall_serve(const struct squall_adapter *adapter);

/* ---- What a node wants done: docs/protocol/README.md has the rules --------------------------- */

void squall_write_hard_state(struct squall_out *out, uint64_t term, uint32_t vote);
/* Takes the place of the entry at this index, and of all after it. */
void squall_write_entry(struct squall_out *out, const struct squall_entry *entry);
void squall_write_commit(struct squall_out *out, uint64_t index);
void squall_reset_log(struct squall_out *out, uint64_t next);
void squall_compact(struct squall_out *out, uint64_t through);

/* With SQUALL_WAIT, all that follows is done when the writes so far are durable, and the node gets
 * no input before; with SQUALL_TELL, `synced` is called then. */
enum squall_sync_flags { SQUALL_WAIT = 1, SQUALL_TELL = 2 };
/* Returns the sync's number, as `synced` has it. */
uint64_t squall_sync(struct squall_out *out, unsigned flags);

enum squall_kind {
    SQUALL_APPEND,
    SQUALL_APPEND_REPLY,
    SQUALL_HEARTBEAT,
    SQUALL_HEARTBEAT_REPLY,
    SQUALL_VOTE,
    SQUALL_VOTE_REPLY,
    SQUALL_PRE_VOTE,
    SQUALL_PRE_VOTE_REPLY,
    SQUALL_SNAPSHOT,
    SQUALL_TIMEOUT_NOW,
    SQUALL_FORWARD
};

enum squall_claim {
    /* Nothing but the term. */
    SQUALL_NOTHING,
    /* The log is durable up to `value`, and is the receiver's log up to there. */
    SQUALL_APPENDED,
    /* The vote of this term is for candidate `value`. */
    SQUALL_VOTED
};

struct squall_message {
    uint32_t to;
    enum squall_kind kind;
    /* The sender's; 0 where the message carries none, or one that the sender has not entered. */
    uint64_t term;
    enum squall_claim claim;
    uint64_t value;
    /* The library's message, which Squall does not look into: `data`, and `rest` right after it. */
    struct squall_bytes data, rest;
    /* The node's newest durable snapshot goes along. */
    bool snapshot;
};

void squall_send(struct squall_out *out, const struct squall_message *message);

enum squall_role { SQUALL_FOLLOWER, SQUALL_PRE_CANDIDATE, SQUALL_CANDIDATE, SQUALL_LEADER };

/* These two report what is new: the kit remembers what was reported last, and drops the rest. */
void squall_report_role(struct squall_out *out, enum squall_role role, uint64_t term);
void squall_report_committed(struct squall_out *out, uint64_t index);
/* `more`: more of the same batch follows. */
void squall_apply(struct squall_out *out, uint64_t through, bool more);
void squall_report_configuration(struct squall_out *out, uint64_t index,
                                 const struct squall_configuration *configuration);
void squall_refuse(struct squall_out *out, uint64_t request, uint32_t leader);
void squall_confirm_read(struct squall_out *out, uint64_t request, uint64_t index);
/* Leadership is being handed over to this node; 0: no longer. */
void squall_report_transfer(struct squall_out *out, uint32_t to);
void squall_did(struct squall_out *out, uint64_t event);
void squall_stood_without_vote(struct squall_out *out, enum squall_role role, uint64_t term);
void squall_handed_over_to_no_voter(struct squall_out *out, uint32_t to, uint64_t term);
void squall_save_snapshot(struct squall_out *out, uint64_t index);
void squall_install_snapshot(struct squall_out *out, uint64_t index);
void squall_want_snapshot(struct squall_out *out);
/* The node cannot go on, and wants to be restarted. The texts of an adapter are to be few. */
void squall_halt(struct squall_out *out, const char *text);
/* A line of the library's log, for traces. */
void squall_note(struct squall_out *out, const char *text);
void squall_idle(struct squall_out *out, uint64_t ticks);
/* The library's code, or the adapter's, failed: a violation of `no-panic`. */
void squall_failed(struct squall_out *out, const char *text);
/* The same, there: two failures of one line are taken for the same. */
void squall_failed_at(struct squall_out *out, const char *text, const char *file, unsigned line);

/* Adds to the words of `describe`, as `printf` does. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void squall_print(struct squall_out *out, const char *format, ...);

/* ---- Randomness ------------------------------------------------------------------------------ */

/* Squall's hashes over 64-bit words: what `squall_draw` and the timer are made of. */
uint64_t squall_mix(uint64_t hash, uint64_t value);
uint64_t squall_finish(uint64_t hash);

/* Random numbers of one incarnation of a node: the same for the same seed, node, incarnation and
 * count of draws, and for nothing else. */
struct squall_random {
    uint64_t key, draws;
};

void squall_random_init(struct squall_random *random, const struct squall_boot *boot);
uint64_t squall_draw(struct squall_random *random);

/* A timer counted in ticks: one wait for a leader's next heartbeat, a longer, random one for any
 * other node's next election, from one to two times `election_ticks`. Squall's own adapters draw
 * the same numbers. */
struct squall_election_timer {
    struct squall_random random;
    uint64_t election_ticks, heartbeat_ticks;
    /* Ticks left; 0 when it is not set. */
    uint64_t left;
};

void squall_election_timer_init(struct squall_election_timer *timer, const struct squall_run *run,
                                const struct squall_boot *boot);
/* Sets it anew for a node in this role, whatever was left. */
void squall_election_timer_set(struct squall_election_timer *timer, enum squall_role role);
/* How many ticks the next election waits, for a library that counts them itself. */
uint64_t squall_draw_election_ticks(struct squall_election_timer *timer);
/* A tick has passed. Returns whether the wait is over; it is over once. */
bool squall_election_timer_tick(struct squall_election_timer *timer);

/* ---- The loop, taken apart ------------------------------------------------------------------- */

/* What the kit remembers of a node. */
struct squall_node {
    void *node;
    uint64_t syncs, role, term, committed;
};

/* The output buffer, and where an answer goes while it is made. */
struct squall_out {
    uint8_t *base;
    size_t len, capacity;
    uint64_t actions;
    struct squall_node *node;
};

/* A server between two requests. The fields are the kit's. */
struct squall_server {
    const struct squall_adapter *adapter;
    bool greeted, running;
    struct squall_run run;
    struct squall_node nodes[SQUALL_MAX_NODE + 1];
    struct squall_out out;
    /* What is wrong with the request that was refused; NULL before. */
    const char *error;
};

void squall_server_init(struct squall_server *server, const struct squall_adapter *adapter);
/* Kills all nodes and frees the output buffer. */
void squall_server_free(struct squall_server *server);

/* Answers one request, a frame without its length: `*answer` is a whole frame, with its length, in
 * the server's buffer until the next call. Returns false when the request is malformed; the server
 * is of no use then, and `error` says why. For tests, and for transports of one's own. */
bool squall_answer(struct squall_server *server, struct squall_bytes request,
                   struct squall_bytes *answer);

#ifdef __cplusplus
}
#endif

#endif
