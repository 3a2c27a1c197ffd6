/* Feeds a server requests that were changed at random, byte by byte: it may take them or refuse
 * them, and neither crashes, nor reads what it should not, which the sanitizers watch, nor answers
 * with anything but one whole item of CBOR. The numbers are drawn from a fixed seed.
 *
 *     fuzz [rounds]
 */
#include "recorder.h"

static uint64_t state = 0x5EED;

static uint64_t draw(uint64_t below) {
    state = squall_mix(state, 1);
    return squall_finish(state) % below;
}

/* Reads one item, whatever it is. */
static void walk(struct answer *answer) {
    CHECK(answer->at < answer->end);
    unsigned major = *answer->at >> 5;
    uint64_t argument = get(answer, major);
    if (major == 2 || major == 3) {
        CHECK(argument <= (uint64_t)(answer->end - answer->at));
        answer->at += argument;
    }
    for (uint64_t item = 0; (major == 4 || major == 5) && item < argument; item++) {
        walk(answer);
        if (major == 5) {
            walk(answer);
        }
    }
}

/* A change may make of two ticks that did nothing a number that no loop gets through. */
static void take_idle_ticks(void *node, uint64_t ticks, struct squall_out *out) {
    (void)node;
    (void)out;
    say(" idle for %llu", (unsigned long long)ticks);
}

enum { REQUESTS = 9 };
static struct frame requests[REQUESTS];

static void add_snapshot(struct frame *frame) {
    add(frame, "[uu", 3u, (uint64_t)8, (uint64_t)2);
    add_configuration(frame, squall_one(1) | squall_one(5));
}

static void add_boot(struct frame *frame, uint64_t node, bool with_snapshot) {
    add(fresh(frame), "[uu{tututut", 3u, (uint64_t)2, node, 10u, "incarnation", (uint64_t)1, "seed",
        (uint64_t)5, "term", (uint64_t)2, "vote");
    add(frame, "utut", (uint64_t)1, "commit", (uint64_t)0, "configuration");
    add_configuration(frame, squall_one(1) | squall_one(2));
    add(frame, "t", "snapshot");
    if (with_snapshot) {
        add_snapshot(frame);
    } else {
        add(frame, "N");
    }
    add(frame, "tutut[", "first", (uint64_t)9, "before", (uint64_t)2, "entries", 3u);
    add(frame, "[uub[uub[uub", 3u, (uint64_t)2, (uint64_t)0, "one", 3u, (uint64_t)2, (uint64_t)1,
        "", 3u, (uint64_t)2, (uint64_t)0, "three");
}

static void make_requests(void) {
    add_hello(&requests[0]);
    add_reset(&requests[1], 7, squall_one(1) | squall_one(2));
    add_boot(&requests[2], 1, false);
    add_boot(&requests[3], 2, true);
    add(fresh(&requests[4]), "[uuuu[", 5u, (uint64_t)3, (uint64_t)1, (uint64_t)9, (uint64_t)3, 5u);
    add(&requests[4], "[uu", 2u, (uint64_t)14, (uint64_t)3);
    add(&requests[4], "[u[uubN[uub", 1u, (uint64_t)0, 4u, (uint64_t)1, (uint64_t)2, "data", 3u,
        (uint64_t)3, (uint64_t)9, "propose");
    add(&requests[4], "[uub", 4u, (uint64_t)1, (uint64_t)2, "more");
    add_snapshot(&requests[4]);
    add(fresh(&requests[5]), "[uuuu[", 5u, (uint64_t)3, (uint64_t)2, (uint64_t)9, (uint64_t)0, 6u);
    add(&requests[5], "[uu[uu", 2u, (uint64_t)15, (uint64_t)1, 2u, (uint64_t)16, (uint64_t)1);
    add(&requests[5], "[u[[uu[uuu[utT[uuF", 3u, (uint64_t)5, 2u, 2u, (uint64_t)4, (uint64_t)0, 2u,
        (uint64_t)3, (uint64_t)2, (uint64_t)1, 3u, (uint64_t)10, "check_quorum", 3u, (uint64_t)2,
        (uint64_t)1);
    add(&requests[5], "[uu", 3u, (uint64_t)13, (uint64_t)8);
    add_snapshot(&requests[5]);
    add(fresh(&requests[6]), "[ub", 2u, (uint64_t)5, "describe me");
    add(fresh(&requests[7]), "[uuuu[", 5u, (uint64_t)3, (uint64_t)1, (uint64_t)9, (uint64_t)0, 1u);
    add(&requests[7], "[ut[uut", 3u, (uint64_t)10, "priorities", 2u, (uint64_t)6, (uint64_t)7, "");
    requests[7].len--;
    add(fresh(&requests[8]), "[uu", 2u, (uint64_t)4, (uint64_t)1);
}

static size_t mutate(uint8_t *bytes, size_t len, size_t room) {
    static const uint8_t interesting[] = {0x00, 0x1b, 0x3b, 0x5b, 0x7b, 0x80, 0x9b, 0x9f, 0xbb,
                                          0xbf, 0xc0, 0xf4, 0xf6, 0xf8, 0xfb, 0xff};
    size_t at = len == 0 ? 0 : (size_t)draw(len);
    switch (draw(5)) {
    case 0:
        bytes[at] = (uint8_t)draw(256);
        return len;
    case 1:
        bytes[at] = interesting[draw(sizeof interesting)];
        return len;
    case 2:
        return at;
    case 3:
        memmove(bytes + at, bytes + at + 1, len - at - (len > 0));
        return len - (len > 0);
    default:
        if (len == room) {
            return len;
        }
        memmove(bytes + at + 1, bytes + at, len - at);
        bytes[at] = interesting[draw(sizeof interesting)];
        return len + 1;
    }
}

/* Asks with a copy of the request that has its own size, so that reading past its end is noticed.
 * Returns whether it was taken. */
static bool ask(struct squall_server *server, const uint8_t *bytes, size_t len) {
    uint8_t *tight = malloc(len == 0 ? 1 : len);
    CHECK(tight != NULL);
    memcpy(tight, bytes, len);
    struct squall_bytes request = {tight, len}, frame;
    bool taken = squall_answer(server, request, &frame);
    if (taken) {
        struct answer answer = unframed(frame);
        walk(&answer);
        CHECK(answer.at == answer.end);
    } else {
        CHECK(server->error != NULL);
    }
    free(tight);
    return taken;
}

int main(int arguments, char **argument) {
    unsigned long rounds = arguments > 1 ? strtoul(argument[1], NULL, 10) : 200000;
    unsigned long taken = 0, refused = 0;
    struct squall_adapter adapter = recorder;
    adapter.idle = take_idle_ticks;
    make_requests();
    for (unsigned long round = 0; round < rounds; round++) {
        struct squall_server server;
        uint64_t changed = draw(REQUESTS);
        squall_server_init(&server, &adapter);
        for (uint64_t request = 0; request < REQUESTS; request++) {
            uint8_t bytes[1024];
            size_t len = requests[request].len;
            CHECK(len < sizeof bytes);
            memcpy(bytes, requests[request].bytes, len);
            for (uint64_t times = request == changed ? 1 + draw(4) : 0; times > 0; times--) {
                len = mutate(bytes, len, sizeof bytes);
            }
            words_len = 0;
            if (!ask(&server, bytes, len)) {
                refused++;
                break;
            }
            taken += request == changed;
        }
        squall_server_free(&server);
    }
    printf("fuzz: %lu rounds, %lu changed requests taken, %lu refused\n", rounds, taken, refused);
    /* Else nothing was tested. */
    CHECK(rounds < 1000 || (taken > rounds / 50 && refused > rounds / 50));
    return 0;
}
