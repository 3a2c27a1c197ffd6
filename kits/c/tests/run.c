/* Runs three nodes of a process that speaks frames through a script that a number decides: messages
 * are lost and overtake each other, nodes crash and lose what they had not synced. It checks that
 * terms have one leader, that nodes apply the same entries, that commands get applied, and that the
 * same number makes the same run. It is no storm: `squall sweep` is.
 *
 *     run RUNS COMMAND
 */
#define _POSIX_C_SOURCE 200809L
#include "frames.h"

#include <sys/wait.h>
#include <unistd.h>

enum { NODES = 3, LOG = 512, QUEUE = 256, EVENTS = 1200 };

struct stored {
    uint64_t term, len;
    uint8_t kind, data[64];
};

struct disk {
    uint64_t term, vote, last;
    struct stored log[LOG];
};

struct letter {
    uint32_t from, to;
    size_t len;
    uint8_t data[4096];
};

static struct disk written[NODES + 1], durable[NODES + 1];
static struct letter queue[QUEUE];
static size_t queued;
static struct stored applied[LOG];
static uint64_t applied_to, applied_by[NODES + 1], incarnation[NODES + 1], syncs[NODES + 1];
static uint32_t leader_of[4096];
static uint64_t state, digest;
static int to_child, from_child;
static struct frame frame;

static uint64_t draw(uint64_t below) {
    state = squall_mix(state, 1);
    return squall_finish(state) % below;
}

static void transfer(int descriptor, uint8_t *bytes, size_t len, bool out) {
    while (len > 0) {
        ssize_t moved = out ? write(descriptor, bytes, len) : read(descriptor, bytes, len);
        CHECK(moved > 0);
        bytes += moved;
        len -= (size_t)moved;
    }
}

/* Sends the request and reads the answer to it. */
static struct answer ask(void) {
    static uint8_t bytes[1 << 20];
    uint8_t length[4];
    for (unsigned byte = 0; byte < 4; byte++) {
        length[byte] = (uint8_t)(frame.len >> 8 * byte);
    }
    transfer(to_child, length, 4, true);
    transfer(to_child, frame.bytes, frame.len, true);
    transfer(from_child, bytes, 4, false);
    size_t len = bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 24;
    CHECK(len > 0 && len <= sizeof bytes - 4);
    transfer(from_child, bytes + 4, len, false);
    for (size_t byte = 0; byte < len; byte++) {
        digest = squall_mix(digest, bytes[4 + byte]);
    }
    struct squall_bytes whole = {bytes, len + 4};
    return unframed(whole);
}

static void store(uint32_t node, struct answer *answer) {
    struct disk *disk = &written[node];
    uint64_t index = get(answer, 0);
    CHECK(index >= 1 && index <= disk->last + 1 && index < LOG);
    struct stored *entry = &disk->log[index];
    disk->last = index;
    entry->term = get(answer, 0);
    entry->kind = (uint8_t)get(answer, 0);
    struct squall_bytes data = get_string(answer, 2);
    CHECK(data.len <= sizeof entry->data);
    memset(entry->data, 0, sizeof entry->data);
    entry->len = data.len;
    memcpy(entry->data, data.base, data.len);
}

static void take_message(uint32_t node, struct answer *answer) {
    uint32_t to = (uint32_t)get(answer, 0);
    get(answer, 0);
    CHECK(get(answer, 0) <= durable[node].term);
    uint64_t claim = get(answer, 0), value = get(answer, 0);
    struct squall_bytes data = get_string(answer, 2);
    CHECK(!get_bool(answer));
    CHECK(claim != SQUALL_APPENDED || value <= durable[node].last);
    CHECK(claim != SQUALL_VOTED || value == durable[node].vote);
    struct letter *letter = &queue[queued];
    CHECK(to >= 1 && to <= NODES && to != node && data.len <= sizeof letter->data);
    if (queued == QUEUE || draw(20) == 0) {
        return;
    }
    letter->from = node;
    letter->to = to;
    letter->len = data.len;
    memcpy(letter->data, data.base, data.len);
    queued++;
}

static void apply(uint32_t node, uint64_t through) {
    CHECK(through <= written[node].last && through >= applied_by[node]);
    for (uint64_t index = applied_by[node] + 1; index <= through; index++) {
        struct stored *entry = &written[node].log[index];
        if (index > applied_to) {
            applied[index] = *entry;
            applied_to = index;
        }
        CHECK(applied[index].term == entry->term && applied[index].len == entry->len);
        CHECK(memcmp(applied[index].data, entry->data, sizeof entry->data) == 0);
    }
    applied_by[node] = through;
}

static void carry_out(uint32_t node, struct answer answer) {
    uint64_t told[8], tells = 0;
    for (uint64_t actions = get(&answer, 4); actions > 0; actions--) {
        uint64_t items = get(&answer, 4), action = get(&answer, 0), role;
        switch (action) {
        case 0:
            written[node].term = get(&answer, 0);
            written[node].vote = get(&answer, 0);
            break;
        case 1:
            store(node, &answer);
            break;
        case 5:
            get_bool(&answer);
            durable[node] = written[node];
            syncs[node]++;
            if (get_bool(&answer)) {
                CHECK(tells < 8);
                told[tells++] = syncs[node];
            }
            break;
        case 6:
            take_message(node, &answer);
            break;
        case 7:
            role = get(&answer, 0);
            uint64_t term = get(&answer, 0);
            CHECK(term < 4096);
            if (role == SQUALL_LEADER) {
                CHECK(leader_of[term] == 0 || leader_of[term] == node);
                leader_of[term] = node;
            }
            break;
        case 9:
            apply(node, get(&answer, 0));
            get_bool(&answer);
            break;
        default:
            /* What failed, and what this script has not. */
            CHECK(action == 8 || action == 11 || action == 20);
            for (; items > 1; items--) {
                if (action == 20) {
                    get_string(&answer, 3);
                } else {
                    get(&answer, 0);
                }
            }
        }
    }
    CHECK(answer.at == answer.end);
    for (uint64_t tell = 0; tell < tells; tell++) {
        add(fresh(&frame), "[uuuu[[uuT", 5u, (uint64_t)3, (uint64_t)node, (uint64_t)0, (uint64_t)0,
            1u, 3u, (uint64_t)2, told[tell]);
        carry_out(node, ask());
    }
}

static void boot(uint32_t node) {
    struct disk *disk = &durable[node];
    written[node] = *disk;
    applied_by[node] = 0;
    syncs[node] = 0;
    add(fresh(&frame), "[uu{tututut", 3u, (uint64_t)2, (uint64_t)node, 10u, "incarnation",
        incarnation[node]++, "seed", (uint64_t)77, "term", disk->term, "vote");
    add(&frame, "utut", disk->vote, "commit", (uint64_t)0, "configuration");
    add_configuration(&frame, squall_one(1) | squall_one(2) | squall_one(3));
    add(&frame, "tNtutut[", "snapshot", "first", (uint64_t)1, "before", (uint64_t)0, "entries",
        (unsigned)disk->last);
    for (uint64_t index = 1; index <= disk->last; index++) {
        struct stored *entry = &disk->log[index];
        add(&frame, "[uu", 3u, entry->term, (uint64_t)entry->kind);
        put_string(&frame, 2, entry->data, entry->len);
    }
    carry_out(node, ask());
}

static void crash(uint32_t node) {
    add(fresh(&frame), "[uu", 2u, (uint64_t)4, (uint64_t)node);
    carry_out(node, ask());
    boot(node);
}

static void begin_step(uint32_t node, uint64_t now) {
    add(fresh(&frame), "[uuuu[", 5u, (uint64_t)3, (uint64_t)node, now, (uint64_t)0, 1u);
}

static void deliver(uint64_t now) {
    size_t which = (size_t)draw(queued);
    static struct letter letter;
    letter = queue[which];
    queue[which] = queue[--queued];
    begin_step(letter.to, now);
    add(&frame, "[uu", 4u, (uint64_t)1, (uint64_t)letter.from);
    put_string(&frame, 2, letter.data, letter.len);
    add(&frame, "N");
    carry_out(letter.to, ask());
}

static void act(uint64_t event) {
    uint32_t node = 1 + (uint32_t)draw(NODES);
    if (queued > 0 && draw(4) != 0) {
        deliver(event * 1000);
        return;
    }
    if (event < EVENTS / 2 && draw(60) == 0) {
        crash(node);
        return;
    }
    begin_step(node, event * 1000);
    if (draw(6) == 0) {
        char command[] = {'c', (char)('a' + event % 26), '\0'};
        add(&frame, "[uub", 3u, (uint64_t)3, event, command);
    } else {
        add(&frame, "[u", 1u, (uint64_t)0);
    }
    carry_out(node, ask());
}

/* Returns a hash of all that the process answered. */
static uint64_t run(uint64_t seed) {
    memset(written, 0, sizeof written);
    memset(durable, 0, sizeof durable);
    memset(leader_of, 0, sizeof leader_of);
    memset(incarnation, 0, sizeof incarnation);
    queued = 0;
    applied_to = 0;
    state = seed;
    digest = 0;
    add_reset(&frame, seed, squall_one(1) | squall_one(2) | squall_one(3));
    carry_out(1, ask());
    for (uint32_t node = 1; node <= NODES; node++) {
        boot(node);
    }
    for (uint64_t event = 0; event < EVENTS; event++) {
        act(event);
    }
    CHECK(applied_to > 2);
    return digest;
}

int main(int arguments, char **argument) {
    int down[2], up[2], status;
    CHECK(arguments >= 3 && pipe(down) == 0 && pipe(up) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(dup2(down[0], STDIN_FILENO) >= 0 && dup2(up[1], STDOUT_FILENO) >= 0);
        close(down[0]), close(down[1]), close(up[0]), close(up[1]);
        execvp(argument[2], argument + 2);
        _exit(127);
    }
    close(down[0]);
    close(up[1]);
    to_child = down[1];
    from_child = up[0];
    add_hello(&frame);
    ask();
    uint64_t runs = strtoull(argument[1], NULL, 10), entries = 0;
    for (uint64_t seed = 1; seed <= runs; seed++) {
        uint64_t first = run(seed);
        CHECK(seed % 10 != 0 || run(seed) == first);
        entries += applied_to;
    }
    close(to_child);
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    printf("run: %llu runs, %llu entries applied\n", (unsigned long long)runs,
           (unsigned long long)entries);
    return 0;
}
