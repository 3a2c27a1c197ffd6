/* An adapter that puts each call into words, and reads all that comes with it. */
#ifndef RECORDER_H
#define RECORDER_H

#include "frames.h"

static char words[1 << 16];
static size_t words_len;

#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
static void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(words + words_len, sizeof words - words_len, format, arguments);
    va_end(arguments);
    /* A long request does not fit: what is said of it ends there. */
    size_t space = sizeof words - words_len - 1;
    words_len += size < 0 ? 0 : (size_t)size < space ? (size_t)size : space;
}

static void say_bytes(struct squall_bytes bytes) {
    for (size_t at = 0; at < bytes.len; at++) {
        bool plain = bytes.base[at] >= ' ' && bytes.base[at] < 127;
        say(plain ? "%c" : "\\x%02x", (unsigned)bytes.base[at]);
    }
}

static void say_nodes(squall_nodes nodes) {
    SQUALL_EACH(node, nodes) say("%s%u", node == squall_next(nodes, 0) ? "" : ",", node);
}

static void say_configuration(const struct squall_configuration *configuration) {
    say_nodes(configuration->voters);
    say("/");
    say_nodes(configuration->outgoing);
    say("/");
    say_nodes(configuration->learners);
    say("/");
    say_nodes(configuration->learners_next);
    say("/%d", configuration->auto_leave);
}

static void say_snapshot(const struct squall_snapshot *snapshot) {
    if (snapshot == NULL) {
        say("none");
        return;
    }
    say("%llu of %llu ", (unsigned long long)snapshot->index, (unsigned long long)snapshot->term);
    say_configuration(&snapshot->configuration);
}

static void say_setting(const struct squall_setting *setting) {
    struct squall_setting list = *setting;
    int64_t number;
    say("%d:%llu:", (int)setting->type, (unsigned long long)setting->number);
    if (setting->type == SQUALL_TEXT) {
        say_bytes(setting->text);
    }
    while (squall_next_number(&list, &number)) {
        say("%lld;", (long long)number);
    }
}

static void record_reset(void *context, const struct squall_run *run) {
    struct squall_setting setting;
    (void)context;
    say("reset %llu of ", (unsigned long long)run->seed);
    say_nodes(run->nodes);
    say(" options %llx ticks %llu %llu pre-vote %d", (unsigned long long)run->options,
        (unsigned long long)run->election_ticks, (unsigned long long)run->heartbeat_ticks,
        run->pre_vote);
    if (squall_find_setting(&run->raft, "priorities", &setting)) {
        say(" priorities ");
        say_setting(&setting);
    }
    if (squall_find_setting(&run->driver, "persistence", &setting)) {
        say(" persistence ");
        say_setting(&setting);
    }
    say("\n");
}

static void *record_boot(void *context, const struct squall_run *run,
                         const struct squall_boot *boot, struct squall_out *out) {
    struct squall_entries entries = boot->entries;
    struct squall_entry entry;
    (void)context;
    (void)out;
    say("boot %u.%llu of seed %llu %llu: term %llu vote %u commit %llu ", boot->node,
        (unsigned long long)boot->incarnation, (unsigned long long)boot->seed,
        (unsigned long long)run->seed, (unsigned long long)boot->term, boot->vote,
        (unsigned long long)boot->commit);
    say_configuration(&boot->configuration);
    say(" snapshot ");
    say_snapshot(boot->has_snapshot ? &boot->snapshot : NULL);
    say(" log from %llu after %llu", (unsigned long long)boot->first,
        (unsigned long long)boot->before);
    while (squall_next_entry(&entries, &entry)) {
        say(" %llu:%llu:%u:", (unsigned long long)entry.index, (unsigned long long)entry.term,
            (unsigned)entry.kind);
        say_bytes(entry.data);
    }
    say("\n");
    uint32_t *node = malloc(sizeof *node);
    CHECK(node != NULL);
    *node = boot->node;
    /* Node 31 never starts. */
    if (boot->node == SQUALL_MAX_NODE) {
        free(node);
        return NULL;
    }
    return node;
}

static void record_kill(void *node) {
    say("kill %u\n", *(uint32_t *)node);
    free(node);
}

static void record_begin(void *node, uint64_t now_us, struct squall_out *out) {
    (void)out;
    say("%u at %llu:", *(uint32_t *)node, (unsigned long long)now_us);
}

static void record_end(void *node, struct squall_out *out) {
    (void)node;
    (void)out;
    say("\n");
}

static void record_tick(void *node, struct squall_out *out) {
    (void)node;
    (void)out;
    say(" tick");
}

static void record_deliver(void *node, uint32_t from, struct squall_bytes data,
                           const struct squall_snapshot *snapshot, struct squall_out *out) {
    (void)node;
    (void)out;
    say(" deliver %u ", from);
    say_bytes(data);
    say(" snapshot ");
    say_snapshot(snapshot);
}

static void record_propose(void *node, uint64_t request, struct squall_bytes data,
                           struct squall_out *out) {
    (void)node;
    squall_refuse(out, request, 1);
    say(" propose %llu ", (unsigned long long)request);
    say_bytes(data);
}

static void record_synced(void *node, uint64_t number, bool ok, struct squall_out *out) {
    (void)node;
    (void)out;
    say(" synced %llu %d", (unsigned long long)number, ok);
}

static void record_read(void *node, uint64_t request, struct squall_out *out) {
    (void)node;
    squall_confirm_read(out, request, 9);
    say(" read %llu", (unsigned long long)request);
}

static void record_change(void *node, const struct squall_change *change, struct squall_out *out) {
    (void)node;
    (void)out;
    say(" change %d", (int)change->transition);
    for (unsigned step = 0; step < change->n_steps; step++) {
        say(" %u:%d", change->steps[step].node, (int)change->steps[step].becomes);
    }
}

static void record_transfer(void *node, uint32_t to, struct squall_out *out) {
    (void)node;
    (void)out;
    say(" transfer %u", to);
}

static void record_campaign(void *node, struct squall_out *out) {
    (void)node;
    (void)out;
    say(" campaign");
}

static void record_request_snapshot(void *node, struct squall_out *out) {
    (void)node;
    (void)out;
    say(" request snapshot");
}

static void record_ping(void *node, struct squall_out *out) {
    (void)node;
    (void)out;
    say(" ping");
}

static void record_set(void *node, struct squall_bytes name, const struct squall_setting *value,
                       struct squall_out *out) {
    (void)node;
    (void)out;
    say(" set ");
    say_bytes(name);
    say(" ");
    say_setting(value);
}

static void record_unreachable(void *node, uint32_t peer, struct squall_out *out) {
    (void)node;
    (void)out;
    say(" unreachable %u", peer);
}

static void record_snapshot_sent(void *node, uint32_t peer, bool delivered,
                                 struct squall_out *out) {
    (void)node;
    (void)out;
    say(" snapshot sent %u %d", peer, delivered);
}

static void record_compacted(void *node, uint64_t through, const struct squall_snapshot *snapshot,
                             struct squall_out *out) {
    (void)node;
    (void)out;
    say(" compacted %llu snapshot ", (unsigned long long)through);
    say_snapshot(snapshot);
}

static void record_waiting(void *node, uint64_t count, struct squall_out *out) {
    (void)node;
    (void)out;
    say(" waiting %llu", (unsigned long long)count);
}

static void record_connected(void *node, uint32_t peer, struct squall_out *out) {
    (void)node;
    (void)out;
    say(" connected %u", peer);
}

static void record_disconnected(void *node, uint32_t peer, struct squall_out *out) {
    (void)node;
    (void)out;
    say(" disconnected %u", peer);
}

static void record_describe(void *context, struct squall_bytes data, struct squall_out *out) {
    (void)context;
    for (size_t at = 0; at < data.len; at++) {
        squall_print(out, "%c", (int)data.base[at]);
    }
}

static const char *const features[] = {"snapshots", "ReadIndex", NULL};
static const struct squall_option recorder_options[] = {
    {"first-one", "the first", 30}, {"second-one", "the second", 0}, {NULL, NULL, 0}};
static const char *const broken[] = {"no-panic", NULL};
static const char *const triggered[] = {"first-one", NULL};
static const struct squall_known_issue issues[] = {
    {"issue", "what it is", broken, triggered, NULL}, {NULL, NULL, NULL, NULL, NULL}};

static const struct squall_adapter recorder = {
    "recorder",       "puts calls into words", features,        recorder_options,
    issues,           4,                       NULL,            record_reset,
    record_boot,      record_kill,             record_begin,    record_end,
    NULL,             record_tick,             record_deliver,  record_propose,
    record_synced,    record_read,             record_change,   record_transfer,
    record_campaign,  record_request_snapshot, record_ping,     record_set,
    record_unreachable, record_snapshot_sent,  record_compacted, record_waiting,
    record_connected, record_disconnected,     record_describe};

#endif
