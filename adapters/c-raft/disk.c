/* `raft_io`'s disk, on Squall's: what is written, in which order, and when libraft is told.
 *
 * - `set_term` and `set_vote` promise libraft that term and vote are durable when they return. Here
 *   they are written, and what tells others of them waits for a sync: nothing leaves the node, and
 *   nothing comes to it, before it is over, so nobody can see the difference.
 * - `append` writes, and its callback is called when the sync is over. With synchronous
 *   persistence the node waits for it before all else; with asynchronous persistence it goes on, as
 *   libraft's own libuv backend does.
 * - `truncate` is always followed by an `append` at the same index, whose first entry takes the
 *   place of what is to go.
 */
#include "node.h"

#include <stdlib.h>
#include <string.h>

raft_term disk_term_of(const struct node *node, raft_index index) {
    if (index + 1 == node->first) {
        return node->before;
    }
    bool held = index >= node->first && index <= node->last;
    return held ? node->terms[index - node->first] : 0;
}

static void note_term(struct node *node, raft_index index, raft_term term) {
    size_t place = (size_t)(index - node->first);
    if (place >= node->room) {
        node->room = place < 64 ? 64 : place * 2;
        node->terms = realloc(node->terms, node->room * sizeof *node->terms);
    }
    node->terms[place] = term;
    node->last = index;
}

/* What a server has before it gets its first entry. */
static int nothing(struct raft_snapshot **snapshot, raft_index *start, struct raft_entry **entries,
                   size_t *n) {
    *snapshot = NULL;
    *start = 1;
    *entries = NULL;
    *n = 0;
    return 0;
}

static struct raft_buffer copy_of(struct squall_bytes data) {
    struct raft_buffer copy = {raft_malloc(data.len == 0 ? 1 : data.len), data.len};
    if (data.len > 0) {
        memcpy(copy.base, data.base, data.len);
    }
    return copy;
}

/* A snapshot without contents: those stay with Squall. */
static struct raft_snapshot *make_snapshot(const struct squall_snapshot *from) {
    struct raft_snapshot *snapshot = raft_calloc(1, sizeof *snapshot);
    snapshot->index = from->index;
    snapshot->term = from->term;
    fill_configuration(&from->configuration, &snapshot->configuration);
    snapshot->configuration_index = 1;
    snapshot->bufs = raft_malloc(sizeof *snapshot->bufs);
    snapshot->bufs[0].base = raft_malloc(1);
    snapshot->bufs[0].len = 1;
    snapshot->n_bufs = 1;
    return snapshot;
}

static void load_entry(const struct squall_entry *from, struct raft_entry *to) {
    static const uint8_t barrier[8];
    struct squall_bytes data = from->data;
    to->term = from->term;
    to->type = from->kind == KIND_CONFIGURATION ? RAFT_CHANGE
               : data.len > 0                   ? RAFT_COMMAND
                                                : RAFT_BARRIER;
    if (to->type == RAFT_BARRIER) {
        data.base = barrier;
        data.len = sizeof barrier;
    }
    to->buf = copy_of(data);
    to->batch = NULL;
}

static int load(struct raft_io *io, raft_term *term, raft_id *vote,
                struct raft_snapshot **snapshot, raft_index *start_index,
                struct raft_entry **entries, size_t *n_entries) {
    struct node *node = io->impl;
    const struct squall_boot *boot = node->boot;
    struct squall_entries rest = boot->entries;
    struct squall_entry entry;
    *term = node->term;
    *vote = node->vote;
    if (boot->configuration.voters == 0 && !boot->has_snapshot) {
        return nothing(snapshot, start_index, entries, n_entries);
    }
    /* The founding configuration comes first, where no snapshot stands for it. */
    size_t founding = boot->has_snapshot ? 0 : 1, n = founding + (size_t)rest.left;
    *snapshot = boot->has_snapshot ? make_snapshot(&node->snapshot) : NULL;
    *entries = raft_calloc(n == 0 ? 1 : n, sizeof **entries);
    if (founding == 1) {
        struct raft_configuration configuration;
        fill_configuration(&boot->configuration, &configuration);
        (*entries)[0].term = 1;
        (*entries)[0].type = RAFT_CHANGE;
        raft_configuration_encode(&configuration, &(*entries)[0].buf);
        raft_configuration_close(&configuration);
        note_term(node, 1, 1);
    }
    for (size_t at = founding; squall_next_entry(&rest, &entry); at++) {
        load_entry(&entry, &(*entries)[at]);
        note_term(node, libraft_index(entry.index), entry.term);
    }
    *start_index = node->first;
    *n_entries = n;
    node->next_append = node->last + 1;
    return 0;
}

static int set_term(struct raft_io *io, raft_term term) {
    struct node *node = io->impl;
    node->term = term;
    node->vote = 0;
    node->hard_unwritten = true;
    return 0;
}

static int set_vote(struct raft_io *io, raft_id vote) {
    struct node *node = io->impl;
#ifdef VOTE_NOT_WRITTEN
    vote = 0;
#endif
    node->vote = vote;
    node->hard_unwritten = true;
    return 0;
}

void disk_settle(struct node *node) {
    static const enum squall_role roles[] = {SQUALL_FOLLOWER, SQUALL_FOLLOWER, SQUALL_CANDIDATE,
                                             SQUALL_LEADER};
    const struct raft *raft = &node->raft;
    enum squall_role role = roles[raft->state];
    if (raft->state == RAFT_CANDIDATE && raft->candidate_state.in_pre_vote) {
        role = SQUALL_PRE_CANDIDATE;
    }
    if (raft->state != RAFT_UNAVAILABLE) {
        squall_report_role(node->out, role, raft->current_term);
    }
    if (node->hard_unwritten) {
        squall_write_hard_state(node->out, node->term, (uint32_t)node->vote);
        node->hard_unwritten = false;
        node->hard_unsynced = true;
    }
}

static void add_request(struct node *node, struct request request) {
    struct request *added = malloc(sizeof *added);
    *added = request;
    added->next = NULL;
    added->term = node->raft.current_term;
    *node->last_request = added;
    node->last_request = &added->next;
}

/* Takes the oldest request out and tells libraft how it went. */
static void complete_first(struct node *node, int status) {
    struct request *request = node->requests;
    node->requests = request->next;
    if (node->requests == NULL) {
        node->last_request = &node->requests;
    }
    node->late = request->term != node->raft.current_term;
    if (request->append != NULL) {
        request->append->cb(request->append, status);
    } else {
        request->put->cb(request->put, status);
    }
    node->late = false;
    free(request);
}

static int append(struct raft_io *io, struct raft_io_append *req,
                  const struct raft_entry entries[], unsigned n, raft_io_append_cb cb) {
    struct node *node = io->impl;
    raft_index index = node->next_append;
    if (node->out == NULL) {
        return RAFT_CANCELED;
    }
    disk_settle(node);
    for (unsigned at = 0; at < n; at++, index++) {
        struct squall_entry entry = {squall_index(index), entries[at].term, 0, {NULL, 0}};
        bool written = index <= node->last;
        if (entries[at].type != RAFT_BARRIER) {
            entry.data.base = entries[at].buf.base;
            entry.data.len = entries[at].buf.len;
        }
        entry.kind = entries[at].type == RAFT_CHANGE ? KIND_CONFIGURATION : 0;
#ifndef KEEP_CONFLICTS
        written = false;
#endif
        /* The founding configuration is on no disk: see node.h. */
        if (index > 1 && !written) {
            squall_write_entry(node->out, &entry);
        }
        note_term(node, index, entries[at].term);
    }
    node->next_append = index;
    req->cb = cb;
    add_request(node, (struct request){.append = req});
    return 0;
}

static int truncate_log(struct raft_io *io, raft_index index) {
    struct node *node = io->impl;
    node->next_append = index;
    return 0;
}

/* Whether the log's last entry is the first of the term that the node leads. */
static bool begins_term(const struct node *node) {
    bool leads = node->raft.state == RAFT_LEADER && !node->settings.count_early;
    raft_term term = node->raft.current_term;
    return leads && disk_term_of(node, node->last) == term &&
           disk_term_of(node, node->last - 1) != term;
}

void disk_flush(struct node *node) {
    bool tell = false, wait = node->hard_unsynced;
    for (struct request *request = node->requests; request != NULL; request = request->next) {
        tell |= request->sync == 0;
    }
    wait |= tell && (!node->settings.asynchronous || begins_term(node));
    if (!tell && !wait) {
        return;
    }
    unsigned flags = (wait ? SQUALL_WAIT : 0u) | (tell ? SQUALL_TELL : 0u);
    uint64_t number = squall_sync(node->out, flags);
    for (struct request *request = node->requests; request != NULL; request = request->next) {
        if (request->sync == 0) {
            request->sync = number;
        }
    }
    node->hard_unsynced = false;
#ifdef ACK_BEFORE_SYNC
    disk_synced(node, number);
#endif
}

void disk_synced(struct node *node, uint64_t number) {
    while (node->requests != NULL && node->requests->sync != 0 && node->requests->sync <= number) {
        complete_first(node, 0);
    }
}

/* Nothing comes of it: the node is unavailable by now. A failure would make libraft cut its log,
 * request by request, at places that it may not have. */
void disk_cancel(struct node *node) {
    while (node->requests != NULL) {
        complete_first(node, 0);
    }
}

/* A snapshot: a leader's, which takes the place of the log, or one of the node's own, which Squall
 * takes. libraft takes none of its own while either is under way. */
static int snapshot_put(struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *req,
                        const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb cb) {
    struct node *node = io->impl;
    (void)trailing;
    if (node->out == NULL) {
        return RAFT_CANCELED;
    }
    req->cb = cb;
    if (snapshot == &node->raft.snapshot.pending) {
        node->own_put = req;
        return 0;
    }
    disk_settle(node);
    squall_save_snapshot(node->out, squall_index(snapshot->index));
    squall_sync(node->out, SQUALL_WAIT);
    squall_reset_log(node->out, squall_index(snapshot->index) + 1);
    node->has_snapshot = true;
    node->snapshot = *node->arrived;
    node->snapshot.index = snapshot->index;
    node->before = snapshot->term;
    node->first = snapshot->index + 1;
    node->last = snapshot->index;
    node->next_append = node->first;
    /* The node waits for this one in any case: libraft has given its log up. */
    node->hard_unsynced = true;
    add_request(node, (struct request){.put = req});
    return 0;
}

static int snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *req,
                        raft_io_snapshot_get_cb cb) {
    struct node *node = io->impl;
    if (node->out == NULL || !node->has_snapshot) {
        return RAFT_NOTFOUND;
    }
    req->cb = cb;
    struct got *got = malloc(sizeof *got);
    got->next = NULL;
    got->get = req;
    *node->last_got = got;
    node->last_got = &got->next;
    return 0;
}

void disk_got(struct node *node, int status) {
    struct got *got = node->got;
    node->got = got->next;
    if (node->got == NULL) {
        node->last_got = &node->got;
    }
    got->get->cb(got->get, status == 0 ? make_snapshot(&node->snapshot) : NULL, status);
    free(got);
}

void disk_compacted(struct node *node, const struct squall_snapshot *snapshot) {
    node->has_snapshot = true;
    node->snapshot = *snapshot;
    node->snapshot.index = libraft_index(snapshot->index);
}

void disk_init(struct node *node) {
    const struct squall_boot *boot = node->boot;
    node->io.load = load;
    node->io.set_term = set_term;
    node->io.set_vote = set_vote;
    node->io.append = append;
    node->io.truncate = truncate_log;
    node->io.snapshot_put = snapshot_put;
    node->io.snapshot_get = snapshot_get;
    node->last_request = &node->requests;
    node->last_got = &node->got;
    node->term = boot->term;
    node->vote = boot->vote;
    if (boot->has_snapshot) {
        disk_compacted(node, &boot->snapshot);
    }
    /* Without a snapshot the log begins with the founding configuration. */
    node->first = boot->has_snapshot ? libraft_index(boot->first) : 1;
    node->last = node->first - 1;
    node->before = boot->has_snapshot ? boot->before : 0;
    node->next_append = node->first;
}

void disk_free(struct node *node) {
    free(node->terms);
}
