/* canonical/raft, libraft, as a replica process: the table, and the settings of a run. */
#include "node.h"

#include <stdlib.h>
#include <string.h>

static struct settings settings;

/* By default the adapter keeps clear of the defects that FINDINGS.md describes. */
enum option {
    HEARTBEAT_FIRST,
    COUNT_EARLY,
    SNAPSHOT_OVER_APPEND,
    KEEP_TERM_BACK,
    LATE_ANSWERS,
    FIRST_ENTRIES
};
static const struct squall_option options[] = {
    {"heartbeat-first",
     "the heartbeat that a new leader sends before it has an entry of its term is sent; otherwise "
     "it is lost, and the entry goes out in its place",
     50},
    {"count-early",
     "with asynchronous persistence, a new leader takes answers in before the first entry of its "
     "term is durable",
     50},
    {"snapshot-over-append",
     "a snapshot that comes while entries are being written is handed over; otherwise it is lost",
     50},
    {"keep-term-back",
     "a refused pre-vote carries the term that was asked for; otherwise the adapter puts the term "
     "of the node in its place, if that is higher",
     50},
    {"late-answers",
     "an append whose entries are durable is answered though the term has changed meanwhile; "
     "otherwise its answer is lost",
     50},
    {"first-entries",
     "an append that begins with the first entry is handed over whole; otherwise without what the "
     "node's snapshot stands for",
     50},
    {NULL, NULL, 0}};

static const char *const breaks[] = {"durable-commit", "leader-completeness",
                                     "state-machine-safety", "linearizability",
                                     "log-matching",   "leader-append-only",
                                     "monotonic",      NULL};
static const char *const breaks_promise[] = {"ack-before-durable", "durable-commit", NULL};
static const char *const heartbeat_first[] = {"heartbeat-first", NULL};
static const char *const count_early[] = {"count-early", NULL};
static const char *const snapshot_over_append[] = {"snapshot-over-append", NULL};
static const char *const breaks_progress[] = {"liveness", NULL};
static const char *const keep_term_back[] = {"keep-term-back", NULL};
static const char *const breaks_all[] = {"no-panic",         "durable-commit",
                                         "leader-completeness", "state-machine-safety",
                                         "linearizability",  NULL};
static const char *const late_answers[] = {"late-answers", NULL};
static const char *const first_entries[] = {"first-entries", NULL};
static const struct squall_known_issue known_issues[] = {
    {"matched-by-length",
     "a heartbeat is answered with the length of the log, which may not be the leader's", breaks,
     heartbeat_first, NULL},
    {"old-terms-counted", "a leader commits entries of earlier terms by counting them", breaks,
     count_early, NULL},
    {"snapshot-acknowledges-entries",
     "a snapshot's answer promises entries that are still being written", breaks_promise,
     snapshot_over_append, NULL},
    {"pre-vote-hides-the-term",
     "whoever has the longest log never learns that others are in a later term, and is not elected",
     breaks_progress, keep_term_back, NULL},
    {"answers-to-another-leader",
     "an append is answered to whoever leads by then, or to nobody, as if it had sent it",
     breaks_all, late_answers, NULL},
    {"first-entries-appended-again",
     "entries from the first on are put behind a log that begins later, which then is freed twice",
     breaks_all, first_entries, NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static const char *const supports[] = {"pre-vote", "leadership transfer", "snapshots",
                                       "asynchronous persistence", NULL};

static void reset(void *context, const struct squall_run *run) {
    struct squall_setting persistence;
    static const char asynchronous[] = "asynchronous";
    struct settings *to = context;
    to->election_ticks = run->election_ticks;
    to->heartbeat_ticks = run->heartbeat_ticks;
    to->pre_vote = run->pre_vote;
    to->keep_entries = squall_number(&run->driver, "keep_entries", 16);
    /* Squall takes snapshots by the size of the log, libraft by the number of its entries. */
    to->snapshot_threshold = 64;
    to->heartbeat_first = (run->options >> HEARTBEAT_FIRST & 1) != 0;
    to->count_early = (run->options >> COUNT_EARLY & 1) != 0;
    to->keep_term_back = (run->options >> KEEP_TERM_BACK & 1) != 0;
    to->late_answers = (run->options >> LATE_ANSWERS & 1) != 0;
    to->first_entries = (run->options >> FIRST_ENTRIES & 1) != 0;
    to->snapshot_over_append = (run->options >> SNAPSHOT_OVER_APPEND & 1) != 0;
    to->asynchronous = squall_find_setting(&run->driver, "persistence", &persistence) &&
                       persistence.text.len == strlen(asynchronous) &&
                       memcmp(persistence.text.base, asynchronous, persistence.text.len) == 0;
}

static void begin(void *node, uint64_t now_us, struct squall_out *out) {
    (void)now_us;
    ((struct node *)node)->out = out;
}

static void end(void *node, struct squall_out *out) {
    (void)out;
    node_settle(node);
}

/* libraft's backend calls it once in a heartbeat's time. */
static void tick(void *ticking, struct squall_out *out) {
    struct node *node = ticking;
    (void)out;
    node->ticks++;
    if (node->ticks % node->settings.heartbeat_ticks == 0) {
        node->tick(&node->io);
    }
}

/* Takes out of an append what the node's snapshot stands for: it is committed. */
static void skip_covered(const struct squall_snapshot *snapshot,
                         struct raft_append_entries *append) {
    unsigned n = append->n_entries;
    unsigned covered = snapshot->index < n ? (unsigned)snapshot->index : n;
    append->prev_log_index = covered;
    append->prev_log_term = append->entries[covered - 1].term;
    append->n_entries = n - covered;
    if (append->n_entries == 0) {
        raft_free(append->entries[0].batch);
        raft_free(append->entries);
        append->entries = NULL;
        return;
    }
    memmove(append->entries, append->entries + covered,
            append->n_entries * sizeof *append->entries);
}

static void deliver(void *receiving, uint32_t from, struct squall_bytes data,
                    const struct squall_snapshot *snapshot, struct squall_out *out) {
    struct node *node = receiving;
    struct raft_message message;
    struct squall_snapshot arrived;
    if (!wire_decode(data, from, &message)) {
        squall_failed(out, "a message that libraft has not sent");
        return;
    }
    if (message.type == RAFT_IO_APPEND_ENTRIES) {
        struct raft_append_entries *append = &message.append_entries;
        unsigned n = append->n_entries;
        if (append->prev_log_index == 0 && n > 0 && node->has_snapshot &&
            !node->settings.first_entries) {
            skip_covered(&node->snapshot, append);
            n = append->n_entries;
        }
        node->hears.from = from;
        node->hears.term = append->term;
        node->hears.end = append->prev_log_index + n;
        node->hears.end_term = n > 0 ? append->entries[n - 1].term : append->prev_log_term;
    }
    if (message.type == RAFT_IO_INSTALL_SNAPSHOT && node->requests != NULL &&
        !node->settings.snapshot_over_append) {
        return;
    }
    /* The snapshot that came is the sender's newest, whatever it meant to send. */
    if (message.type == RAFT_IO_INSTALL_SNAPSHOT) {
        struct raft_install_snapshot *install = &message.install_snapshot;
        arrived = *snapshot;
        node->arrived = &arrived;
        install->last_index = libraft_index(arrived.index);
        install->last_term = arrived.term;
        install->data.base = raft_malloc(1);
        install->data.len = 1;
        fill_configuration(&arrived.configuration, &install->conf);
    }
    node->recv(&node->io, &message);
    wire_agree(node);
    node->hears.term = 0;
    node->arrived = NULL;
}

static void free_apply(struct raft_apply *req, int status, void *result) {
    (void)status;
    (void)result;
    free(req);
}

static void propose(void *proposing, uint64_t request, struct squall_bytes data,
                    struct squall_out *out) {
    struct node *node = proposing;
    struct raft_apply *req = malloc(sizeof *req);
    struct raft_buffer command = {raft_malloc(data.len == 0 ? 1 : data.len), data.len};
    memcpy(command.base, data.base, data.len);
    if (raft_apply(&node->raft, req, &command, 1, free_apply) != 0) {
        raft_id leader;
        const char *address;
        raft_free(command.base);
        free(req);
        raft_leader(&node->raft, &leader, &address);
        squall_refuse(out, request, leader == node->id ? 0 : (uint32_t)leader);
    }
}

static void synced(void *node, uint64_t number, bool ok, struct squall_out *out) {
    if (!ok) {
        squall_halt(out, "a sync failed");
        return;
    }
    disk_synced(node, number);
}

static void compacted(void *compacting, uint64_t through, const struct squall_snapshot *snapshot,
                      struct squall_out *out) {
    struct node *node = compacting;
    struct raft_io_snapshot_put *put = node->own_put;
    (void)through;
    (void)out;
    disk_compacted(node, snapshot);
    if (put != NULL) {
        bool covers = node->snapshot.index >= node->raft.snapshot.pending.index;
        node->own_put = NULL;
        /* One that was begun before: libraft asks again when it next applies something. */
        put->cb(put, covers ? 0 : RAFT_BUSY);
    }
}

static void transferred(struct raft_transfer *req) {
    struct node *node = req->data;
    if (node->out != NULL) {
        squall_report_transfer(node->out, 0);
    }
}

static void transfer(void *leading, uint32_t to, struct squall_out *out) {
    struct node *node = leading;
    node->transfer.data = node;
    if (raft_transfer(&node->raft, &node->transfer, to, transferred) == 0) {
        squall_report_transfer(out, to);
    }
}

static void describe(void *context, struct squall_bytes data, struct squall_out *out) {
    (void)context;
    wire_describe(data, out);
}

int main(void) {
    static const struct squall_adapter adapter = {
        .name = "c-raft",
        .about = "libraft 0.15.0 (canonical/raft), in C",
        .supports = supports,
        .options = options,
        .known_issues = known_issues,
        .context = &settings,
        .reset = reset,
        .boot = node_boot,
        .kill = node_kill,
        .begin = begin,
        .end = end,
        .tick = tick,
        .deliver = deliver,
        .propose = propose,
        .synced = synced,
        .compacted = compacted,
        .transfer = transfer,
        .describe = describe};
    return squall_serve(&adapter);
}
