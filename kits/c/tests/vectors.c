/* The kit held against docs/protocol/vectors.json: what each request becomes, and that each action
 * and each answer has the bytes of its vector. vectors.py makes the table. */
#include "recorder.h"

struct vector {
    const char *kind, *about, *hex;
    /* The node that a request is about; 0: none. */
    uint32_t node;
    /* Whether the kit takes such a request; what the recorder is to say of it. */
    bool is_taken;
    const char *said;
};

static const struct vector vectors[] = {
#include "vectors.inc"
};

enum { VECTORS = sizeof vectors / sizeof *vectors };

static struct frame frame;

static void unhex(const char *hex) {
    fresh(&frame);
    for (; *hex != '\0'; hex += 2) {
        char pair[3] = {hex[0], hex[1], '\0'};
        put_byte(&frame, (unsigned)strtoul(pair, NULL, 16));
    }
}

static void wrong(const struct vector *vector, const char *what) {
    fprintf(stderr, "%s: %s: %s\n", vector->kind, vector->about, what);
    abort();
}

/* The recorder, with the option that vectors know. */
static struct squall_adapter adapter(void) {
    static const struct squall_option options[] = {{"compare-lengths", "the option", 100},
                                                   {NULL, NULL, 0}};
    struct squall_adapter its = recorder;
    its.options = options;
    its.known_issues = NULL;
    return its;
}

static struct squall_bytes ask(const struct vector *vector, struct squall_server *server) {
    struct squall_bytes request = {frame.bytes, frame.len}, answer;
    if (!squall_answer(server, request, &answer)) {
        wrong(vector, server->error);
    }
    return answer;
}

/* A server in a run of all nodes, in which `node` runs, if it is one. */
static void set_up(const struct vector *vector, struct squall_server *server, uint32_t node) {
    add_hello(&frame);
    ask(vector, server);
    add_reset(&frame, 7, ~squall_one(0));
    ask(vector, server);
    if (node != 0) {
        add(fresh(&frame), "[uu{tututut", 3u, (uint64_t)2, (uint64_t)node, 10u, "incarnation",
            (uint64_t)0, "seed", (uint64_t)5, "term", (uint64_t)0, "vote");
        add(&frame, "utut", (uint64_t)0, "commit", (uint64_t)0, "configuration");
        add_configuration(&frame, squall_one(1) | squall_one(2));
        add(&frame, "tNtutut[", "snapshot", "first", (uint64_t)1, "before", (uint64_t)0, "entries",
            0u);
        ask(vector, server);
    }
    words_len = 0;
}

static void take_request(const struct vector *vector) {
    struct squall_adapter its = adapter();
    struct squall_server server;
    squall_server_init(&server, &its);
    if (strcmp(vector->about, "hello") != 0) {
        /* All requests about a node but boot are about one that runs. */
        bool boots = strncmp(vector->about, "boot", 4) == 0;
        set_up(vector, &server, boots ? 0 : vector->node);
    }
    unhex(vector->hex);
    if (!vector->is_taken) {
        struct squall_bytes request = {frame.bytes, frame.len}, answer;
        CHECK(!squall_answer(&server, request, &answer));
        CHECK(strcmp(server.error, "no such request") == 0);
        squall_server_free(&server);
        return;
    }
    ask(vector, &server);
    words[words_len] = '\0';
    if (strcmp(words, vector->said) != 0) {
        fprintf(stderr, "got      %s\nexpected %s\n", words, vector->said);
        wrong(vector, "is something else to the kit");
    }
    squall_server_free(&server);
}

/* Does what the action of that name is about; returns whether there is one. */
static bool act(const char *about, struct squall_out *out) {
    static const uint8_t zeros[256] = {0};
    const squall_nodes three = squall_one(1) | squall_one(2) | squall_one(3);
    const struct squall_configuration simple = {three, 0, 0, 0, false};
    const struct squall_configuration joint = {squall_one(1) | squall_one(2) | squall_one(4), three,
                                               squall_one(5), squall_one(3), true};
    const struct squall_bytes none = {NULL, 0};
#define BYTES(text) {(const uint8_t *)(text), sizeof(text) - 1}
#define WHEN(name, ...)                                                                            \
    if (strcmp(about, name) == 0) {                                                                \
        __VA_ARGS__;                                                                               \
        return true;                                                                               \
    }
#define ENTRY(...)                                                                                 \
    const struct squall_entry entry = {__VA_ARGS__};                                               \
    squall_write_entry(out, &entry)
#define SEND(...)                                                                                  \
    const struct squall_message message = {__VA_ARGS__};                                           \
    squall_send(out, &message)
    WHEN("hard state", squall_write_hard_state(out, 3, 2))
    WHEN("hard state without a vote", squall_write_hard_state(out, 255, 0))
    WHEN("entry", ENTRY(24, 3, 0, BYTES("set x")))
    WHEN("entry of a change of the configuration", ENTRY(256, 65535, 1, BYTES("\n")))
    WHEN("entry without data", ENTRY(1, 1, 0, none))
    WHEN("commit", squall_write_commit(out, 23))
    WHEN("reset log", squall_reset_log(out, 18))
    WHEN("compact", squall_compact(out, UINT32_MAX))
    WHEN("sync", squall_sync(out, 0))
    WHEN("sync, tell", squall_sync(out, SQUALL_TELL))
    WHEN("sync, wait", squall_sync(out, SQUALL_WAIT))
    WHEN("sync, wait, tell", squall_sync(out, SQUALL_WAIT | SQUALL_TELL))
    WHEN("send, which promises nothing",
         SEND(2, SQUALL_APPEND, 3, SQUALL_NOTHING, 0, BYTES("\0\1"), none, false))
    WHEN("send, an append reply that promises a log",
         SEND(1, SQUALL_APPEND_REPLY, 3, SQUALL_APPENDED, (uint64_t)1 << 32, none, BYTES("\1"),
              false))
    WHEN("send, a vote that promises itself",
         SEND(31, SQUALL_VOTE_REPLY, 1000, SQUALL_VOTED, 31, {zeros, 20}, {zeros, 4}, false))
    WHEN("send, with a snapshot", SEND(3, SQUALL_SNAPSHOT, 3, SQUALL_NOTHING, 0, none, none, true))
    WHEN("send of 256 bytes",
         SEND(2, SQUALL_FORWARD, 3, SQUALL_NOTHING, 0, {zeros, 256}, none, false))
    WHEN("role follower", squall_report_role(out, SQUALL_FOLLOWER, 3))
    WHEN("role pre-candidate", squall_report_role(out, SQUALL_PRE_CANDIDATE, 3))
    WHEN("role candidate", squall_report_role(out, SQUALL_CANDIDATE, 4))
    WHEN("role leader", squall_report_role(out, SQUALL_LEADER, 4))
    WHEN("committed", squall_report_committed(out, 100))
    WHEN("apply", squall_apply(out, 100, false))
    WHEN("apply, and more follows", squall_apply(out, 100, true))
    WHEN("configured", squall_report_configuration(out, 7, &simple))
    WHEN("configured, joint", squall_report_configuration(out, 7, &joint))
    WHEN("refuse", squall_refuse(out, 5, 0))
    WHEN("refuse, and name a leader", squall_refuse(out, 65536, 3))
    WHEN("read confirmed", squall_confirm_read(out, 5, 100))
    WHEN("transfer", squall_report_transfer(out, 2))
    WHEN("transfer, no longer", squall_report_transfer(out, 0))
    WHEN("did", squall_did(out, 12))
    WHEN("broke, stood without a vote", squall_stood_without_vote(out, SQUALL_CANDIDATE, 4))
    WHEN("broke, handed over to no voter", squall_handed_over_to_no_voter(out, 5, 4))
    WHEN("save snapshot", squall_save_snapshot(out, 17))
    WHEN("install snapshot", squall_install_snapshot(out, 17))
    WHEN("want snapshot", squall_want_snapshot(out))
    WHEN("halt", squall_halt(out, "the disk is full"))
    WHEN("note", squall_note(out, "became leader \xe2\x80\x93 term 4"))
    WHEN("idle", squall_idle(out, 9))
    WHEN("failed", squall_failed(out, "assertion failed"))
    WHEN("failed, and where", squall_failed_at(out, "KeyError: 3", "a/raft.py", 57))
    WHEN("no actions", (void)out)
    if (strcmp(about, "a step with several actions") == 0) {
        squall_report_role(out, SQUALL_CANDIDATE, 4);
        squall_write_hard_state(out, 4, 1);
        squall_sync(out, SQUALL_WAIT);
        for (uint32_t peer = 2; peer <= 3; peer++) {
            SEND(peer, SQUALL_VOTE, 4, SQUALL_VOTED, 1, BYTES("\4"), none, false);
        }
        return true;
    }
    return false;
}

static const struct vector *acting;

static void act_on_tick(void *node, struct squall_out *out) {
    (void)node;
    if (!act(acting->about, out)) {
        wrong(acting, "nothing here says how that is done");
    }
}

static void same(const struct vector *vector, struct squall_bytes got) {
    struct answer answer = unframed(got);
    size_t size = (size_t)(answer.end - answer.at);
    unhex(vector->hex);
    if (size != frame.len || memcmp(answer.at, frame.bytes, size) != 0) {
        fprintf(stderr, "got      ");
        for (; answer.at < answer.end; answer.at++) {
            fprintf(stderr, "%02x", *answer.at);
        }
        fprintf(stderr, "\nexpected %s\n", vector->hex);
        wrong(vector, "has other bytes");
    }
}

/* A node that does this when its clock ticks. */
static void make_actions(const struct vector *vector) {
    struct squall_adapter its = adapter();
    struct squall_server server;
    its.tick = act_on_tick;
    acting = vector;
    squall_server_init(&server, &its);
    set_up(vector, &server, 1);
    add(fresh(&frame), "[uuuu[[u", 5u, (uint64_t)3, (uint64_t)1, (uint64_t)0, (uint64_t)0, 1u, 1u,
        (uint64_t)0);
    same(vector, ask(vector, &server));
    squall_server_free(&server);
}

static void say_words(void *context, struct squall_bytes data, struct squall_out *out) {
    (void)context;
    squall_print(out, "%.*s", (int)data.len, (const char *)data.base);
}

static void put_into_words(const struct vector *vector, const char *text) {
    struct squall_adapter its = adapter();
    struct squall_server server;
    its.describe = say_words;
    squall_server_init(&server, &its);
    set_up(vector, &server, 0);
    add(fresh(&frame), "[ub", 2u, (uint64_t)5, text);
    same(vector, ask(vector, &server));
    squall_server_free(&server);
}

/* Answers that come in other words: of hello, which unit.c takes apart, and of what the kit has
 * not. */
static bool is_elsewhere(const char *about) {
    static const char *const others[] = {"welcome,", "told,", "a state machine as bytes",
                                         "it was "};
    for (size_t other = 0; other < sizeof others / sizeof *others; other++) {
        if (strncmp(about, others[other], strlen(others[other])) == 0) {
            return true;
        }
    }
    return false;
}

int main(void) {
    unsigned requests = 0, actions = 0;
    for (size_t at = 0; at < VECTORS; at++) {
        const struct vector *vector = &vectors[at];
        if (strcmp(vector->kind, "request") == 0) {
            take_request(vector);
            requests++;
        } else if (strcmp(vector->about, "a message in words") == 0) {
            put_into_words(vector, "append of term 3 \xe2\x86\x92 \"n2\"");
        } else if (strcmp(vector->about, "no words for a message") == 0) {
            put_into_words(vector, "");
        } else if (strcmp(vector->kind, "action") == 0 || !is_elsewhere(vector->about)) {
            make_actions(vector);
            actions++;
        }
    }
    printf("vectors: %u requests, %u actions\n", requests, actions);
    CHECK(requests > 50 && actions > 35);
    return 0;
}
