/* Life of a node, and each call of libraft with what follows it: what libraft did is reported, what
 * it waits for is completed, and the disk is synced. */
#include "node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *address_of(raft_id id) {
    static char addresses[SQUALL_MAX_NODE + 1][16];
    snprintf(addresses[id], sizeof addresses[id], "n%u", (unsigned)id);
    return addresses[id];
}

int fill_configuration(const struct squall_configuration *from, struct raft_configuration *to) {
    int failed = 0;
    raft_configuration_init(to);
    SQUALL_EACH(id, from->voters | from->learners) {
        int role = squall_has(from->voters, id) ? RAFT_VOTER : RAFT_STANDBY;
        failed |= raft_configuration_add(to, id, address_of(id), role);
    }
    return failed;
}

/* ---- What libraft is given ------------------------------------------------------------------- */

static int init(struct raft_io *io, raft_id id, const char *address) {
    (void)io;
    (void)id;
    (void)address;
    return 0;
}

static int start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick, raft_io_recv_cb recv) {
    struct node *node = io->impl;
    (void)msecs;
    node->tick = tick;
    node->recv = recv;
    return 0;
}

static void complete_sends(struct node *node, int status) {
    while (node->sent != NULL) {
        struct sent *sent = node->sent;
        node->sent = sent->next;
        if (node->sent == NULL) {
            node->last_sent = &node->sent;
        }
        /* The request of a TimeoutNow has no callback. */
        if (sent->send->cb != NULL) {
            sent->send->cb(sent->send, status);
        }
        free(sent);
    }
}

static void close_io(struct raft_io *io, raft_io_close_cb cb) {
    struct node *node = io->impl;
    disk_cancel(node);
    if (node->own_put != NULL) {
        node->own_put->cb(node->own_put, RAFT_CANCELED);
    }
    while (node->got != NULL) {
        disk_got(node, RAFT_CANCELED);
    }
    complete_sends(node, RAFT_CANCELED);
    cb(io);
}

static raft_time now(struct raft_io *io) {
    struct node *node = io->impl;
    return node->ticks * TICK_MS;
}

static int draw(struct raft_io *io, int min, int max) {
    struct node *node = io->impl;
    return min + (int)(squall_draw(&node->random) % (uint64_t)(max - min));
}

/* Squall applies what it wrote, as soon as it is told how far. */
static int apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result) {
    (void)fsm;
    (void)buf;
    *result = NULL;
    return 0;
}

static int snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs) {
    (void)fsm;
    *bufs = raft_malloc(sizeof **bufs);
    (*bufs)[0].base = raft_malloc(1);
    (*bufs)[0].len = 1;
    *n_bufs = 1;
    return 0;
}

static int restore(struct raft_fsm *fsm, struct raft_buffer *buf) {
    struct node *node = fsm->data;
    raft_free(buf->base);
    node->applied = node->snapshot.index;
    /* As the node starts, Squall has done so. */
    if (node->boot == NULL) {
        uint64_t index = squall_index(node->snapshot.index);
        squall_install_snapshot(node->out, index);
        squall_report_configuration(node->out, index, &node->snapshot.configuration);
        node->agreed = node->snapshot.index;
        node->agreed_term = node->raft.current_term;
        node->agreed_with = node->raft.follower_state.current_leader.id;
    }
    return 0;
}

/* ---- What follows a call --------------------------------------------------------------------- */

bool node_has_entry_of_term(const struct node *node) {
    return disk_term_of(node, node->last) == node->raft.current_term;
}

static void free_barrier(struct raft_barrier *req, int status) {
    (void)status;
    free(req);
}

/* A leader begins its term with an entry, before which it can commit nothing (Raft paper, section
 * 8). Later versions of libraft add it by themselves. */
static void begin_term(struct node *node) {
    const struct raft *raft = &node->raft;
    if (raft->state != RAFT_LEADER || node->led == raft->current_term) {
        return;
    }
    node->led = raft->current_term;
    if (!node_has_entry_of_term(node)) {
        struct raft_barrier *barrier = malloc(sizeof *barrier);
        if (raft_barrier(&node->raft, barrier, free_barrier) != 0) {
            free(barrier);
        }
    }
}

static void want_snapshot(struct node *node) {
    const struct raft *raft = &node->raft;
    struct raft_io_snapshot_put *put = node->own_put;
    if (put == NULL) {
        return;
    }
    if (node->has_snapshot && node->snapshot.index >= raft->snapshot.pending.index) {
        node->own_put = NULL;
        put->cb(put, 0);
        return;
    }
    squall_want_snapshot(node->out);
}

void node_settle(struct node *node) {
    const struct raft *raft = &node->raft;
    do {
        disk_settle(node);
        begin_term(node);
        while (node->got != NULL) {
            disk_got(node, 0);
        }
        complete_sends(node, 0);
    } while (node->got != NULL || node->sent != NULL);
    disk_settle(node);
    disk_flush(node);
    if (raft->state == RAFT_UNAVAILABLE) {
        squall_note(node->out, raft_errmsg(&node->raft));
        squall_halt(node->out, "libraft has given itself up");
        return;
    }
    squall_report_committed(node->out, squall_index(raft->commit_index));
    if (raft->last_applied > node->applied) {
        node->applied = raft->last_applied;
        squall_apply(node->out, squall_index(node->applied), false);
    }
    raft_index wanted = node->own_put == NULL ? 0 : raft->snapshot.pending.index;
    if (wanted != node->wanted) {
        node->wanted = wanted;
        want_snapshot(node);
    }
}

/* ---- Life ------------------------------------------------------------------------------------ */

/* What `raft_bootstrap` does on a disk that has nothing yet. */
static void bootstrap(struct node *node, const struct squall_boot *boot) {
    if (boot->term == 0 && boot->configuration.voters != 0) {
        node->term = 1;
        node->hard_unwritten = true;
    }
}

void *node_boot(void *context, const struct squall_run *run, const struct squall_boot *boot,
                struct squall_out *out) {
    struct node *node = calloc(1, sizeof *node);
    (void)run;
    node->settings = *(const struct settings *)context;
    node->id = boot->node;
    node->boot = boot;
    node->out = out;
    node->last_sent = &node->sent;
    squall_random_init(&node->random, boot);
    node->io.version = 1;
    node->io.impl = node;
    node->io.init = init;
    node->io.close = close_io;
    node->io.start = start;
    node->io.send = wire_send;
    node->io.time = now;
    node->io.random = draw;
    node->fsm.version = 1;
    node->fsm.data = node;
    node->fsm.apply = apply;
    node->fsm.snapshot = snapshot;
    node->fsm.restore = restore;
    disk_init(node);
    bootstrap(node, boot);
    if (raft_init(&node->raft, &node->io, &node->fsm, node->id, address_of(node->id)) != 0) {
        disk_free(node);
        free(node);
        return NULL;
    }
    raft_set_election_timeout(&node->raft, (unsigned)node->settings.election_ticks * TICK_MS);
    raft_set_heartbeat_timeout(&node->raft, (unsigned)node->settings.heartbeat_ticks * TICK_MS);
    raft_set_install_snapshot_timeout(&node->raft,
                                      (unsigned)node->settings.election_ticks * TICK_MS * 4);
    raft_set_pre_vote(&node->raft, node->settings.pre_vote);
    raft_set_snapshot_threshold(&node->raft, node->settings.snapshot_threshold);
    raft_set_snapshot_trailing(&node->raft, (unsigned)node->settings.keep_entries);
    int failed = raft_start(&node->raft);
    node->boot = NULL;
    if (failed != 0) {
        squall_failed(out, raft_errmsg(&node->raft));
    }
    /* The founding configuration is applied on every founder. */
    node->applied = node->applied == 0 ? 1 : node->applied;
    node_settle(node);
    return node;
}

void node_kill(void *killed) {
    struct node *node = killed;
    node->out = NULL;
    raft_close(&node->raft, NULL);
    disk_free(node);
    free(node);
}
