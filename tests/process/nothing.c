/* A replica that does nothing, for what the protocol itself costs: kits/speed.py measures it. With
 * -DIDLE it says that its ticks do nothing, so that they are counted and not sent. */
#include "squall_raft.h"

static int only_node;

static void say(struct squall_out *out) {
#ifdef IDLE
    squall_idle(out, 1000000);
#else
    (void)out;
#endif
}

static void *boot(void *context, const struct squall_run *run, const struct squall_boot *boot,
                  struct squall_out *out) {
    (void)context, (void)run, (void)boot;
    say(out);
    return &only_node;
}

static void kill(void *node) {
    (void)node;
}

static void tick(void *node, struct squall_out *out) {
    (void)node;
    say(out);
}

static void deliver(void *node, uint32_t from, struct squall_bytes data,
                    const struct squall_snapshot *snapshot, struct squall_out *out) {
    (void)node, (void)from, (void)data, (void)snapshot;
    say(out);
}

static void propose(void *node, uint64_t request, struct squall_bytes data,
                    struct squall_out *out) {
    (void)node, (void)data;
    squall_refuse(out, request, 0);
    say(out);
}

int main(void) {
    const struct squall_adapter adapter = {
        .name = "nothing",
        .about = "does nothing",
        .boot = boot,
        .kill = kill,
        .tick = tick,
        .deliver = deliver,
        .propose = propose,
    };
    return squall_serve(&adapter);
}
