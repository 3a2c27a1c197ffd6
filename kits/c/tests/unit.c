/* Tests of the kit by itself: what each request becomes, what each action becomes, what is refused,
 * and that the timer draws the numbers of Squall's own. */
#include "recorder.h"

static struct frame frame;

static struct answer ask(struct squall_server *server) {
    struct squall_bytes request = {frame.bytes, frame.len}, answer;
    if (!squall_answer(server, request, &answer)) {
        fprintf(stderr, "refused: %s\n", server->error);
        abort();
    }
    return unframed(answer);
}

/* A server in the middle of a run of nodes 1, 2 and 31, of which 1 runs. */
static void set_up_with(struct squall_server *server, const struct squall_adapter *adapter) {
    squall_server_init(server, adapter);
    add_hello(&frame);
    ask(server);
    add_reset(&frame, 7, squall_one(1) | squall_one(2) | squall_one(31));
    ask(server);
    add(fresh(&frame), "[uu{tututut", 3u, (uint64_t)2, (uint64_t)1, 10u, "incarnation",
        (uint64_t)0, "seed", (uint64_t)5, "term", (uint64_t)0, "vote");
    add(&frame, "utut", (uint64_t)0, "commit", (uint64_t)0, "configuration");
    add_configuration(&frame, squall_one(1) | squall_one(2));
    add(&frame, "tNtutut[", "snapshot", "first", (uint64_t)1, "before", (uint64_t)0, "entries", 0u);
    ask(server);
    words_len = 0;
}

static void set_up(struct squall_server *server) {
    set_up_with(server, &recorder);
}

static void expect(const char *expected) {
    words[words_len] = '\0';
    if (strcmp(words, expected) != 0) {
        fprintf(stderr, "got      %s\nexpected %s\n", words, expected);
        abort();
    }
    words_len = 0;
}

static void hello_is_answered_with_the_table(void) {
    static const char *const expected[] = {
        "name",  "recorder", "about", "puts calls into words", "supports", NULL,
        "batch", NULL,       "waiting"};
    struct squall_server server;
    squall_server_init(&server, &recorder);
    add_hello(&frame);
    struct answer answer = ask(&server);
    CHECK(get(&answer, 4) == 2 && get(&answer, 0) == 0 && get(&answer, 5) == 8);
    CHECK(get_string(&answer, 3).len == strlen("protocol") && get(&answer, 0) == 1);
    for (size_t text = 0; text < 9; text++) {
        if (expected[text] != NULL) {
            struct squall_bytes got = get_string(&answer, 3);
            CHECK(got.len == strlen(expected[text]));
            CHECK(memcmp(got.base, expected[text], got.len) == 0);
        } else if (text == 5) {
            CHECK(get(&answer, 4) == 2);
            get_string(&answer, 3);
            get_string(&answer, 3);
        } else {
            CHECK(get(&answer, 0) == 4);
        }
    }
    CHECK(get_bool(&answer));
    get_string(&answer, 3);
    CHECK(get(&answer, 4) == 2);
    for (unsigned option = 0; option < 2; option++) {
        CHECK(get(&answer, 5) == 3);
        for (unsigned text = 0; text < 5; text++) {
            get_string(&answer, 3);
        }
        CHECK(get(&answer, 0) == recorder_options[option].percent);
    }
    get_string(&answer, 3);
    CHECK(get(&answer, 4) == 1 && get(&answer, 5) == 5);
    for (unsigned text = 0; text < 5; text++) {
        get_string(&answer, 3);
    }
    CHECK(get(&answer, 4) == 1);
    get_string(&answer, 3);
    get_string(&answer, 3);
    CHECK(get(&answer, 4) == 1);
    get_string(&answer, 3);
    get_string(&answer, 3);
    CHECK(get(&answer, 4) == 0);
    CHECK(answer.at == answer.end);
    squall_server_free(&server);
}

static void reset_kills_and_hands_settings_over(void) {
    struct squall_server server;
    set_up(&server);
    add(fresh(&frame), "[u{tuts", 2u, (uint64_t)1, 6u, "seed", UINT64_MAX, "nodes",
        squall_one(3) | squall_one(4));
    add(&frame, "t{tTtut[u", "raft", 3u, "pre_vote", "election_ticks", (uint64_t)300, "priorities",
        2u, (uint64_t)6);
    put_item(&frame, 1, 4);
    add(&frame, "t{ttt[t", "driver", 1u, "persistence", "synchronous", "options", 1u,
        "second-one");
    add(&frame, "t[N[Tb", "later", 2u, 2u, "?");
    struct answer answer = ask(&server);
    CHECK(get(&answer, 4) == 0 && answer.at == answer.end);
    expect("kill 1\nreset 18446744073709551615 of 3,4 options 2 ticks 300 2 pre-vote 1 priorities "
           "4:2:6;-5; persistence 3:0:synchronous\n");
    CHECK(server.run.raft.encoded.len == 0 && server.run.driver.encoded.len == 0);
    squall_server_free(&server);
}

static void boot_has_what_the_disk_kept(void) {
    struct squall_server server;
    set_up(&server);
    add(fresh(&frame), "[uu{t[", 3u, (uint64_t)2, (uint64_t)2, 10u, "snapshot", 3u);
    add(&frame, "uu[ssssT", (uint64_t)6, (uint64_t)3, 5u, squall_one(1), squall_one(2),
        squall_one(3) | squall_one(4), squall_one(31));
    add(&frame, "t[[uub[uub", "entries", 2u, 3u, (uint64_t)3, (uint64_t)0, "abc", 3u, (uint64_t)4,
        (uint64_t)255, "");
    add(&frame, "tututututututut", "incarnation", (uint64_t)3, "seed", UINT64_MAX, "term",
        (uint64_t)4, "vote", (uint64_t)2, "commit", (uint64_t)7, "first", (uint64_t)7, "before",
        (uint64_t)3, "configuration");
    add_configuration(&frame, squall_one(1));
    ask(&server);
    expect("boot 2.3 of seed 18446744073709551615 7: term 4 vote 2 commit 7 1////0 snapshot 6 of 3 "
           "1/2/3,4/31/1 log from 7 after 3 7:3:0:abc 8:4:255:\n");
    CHECK(server.nodes[2].committed == 7 && server.nodes[2].term == 4);
    squall_server_free(&server);
    expect("kill 1\nkill 2\n");
}

static void begin_step(unsigned inputs, uint64_t idle_ticks) {
    add(fresh(&frame), "[uuuu[", 5u, (uint64_t)3, (uint64_t)1, (uint64_t)99, idle_ticks, inputs);
}

static void add_snapshot(void) {
    add(&frame, "[uu", 3u, (uint64_t)8, (uint64_t)2);
    add_configuration(&frame, squall_one(1));
}

static void each_input_reaches_its_function(void) {
    struct squall_server server;
    set_up(&server);
    begin_step(9, 2);
    add(&frame, "[u[uubN", 1u, (uint64_t)0, 4u, (uint64_t)1, (uint64_t)2, "hi");
    add(&frame, "[uub", 4u, (uint64_t)1, (uint64_t)2, "with");
    add_snapshot();
    add(&frame, "[uuT[uub[uu", 3u, (uint64_t)2, (uint64_t)5, 3u, (uint64_t)3, (uint64_t)11, "x", 2u,
        (uint64_t)4, (uint64_t)12);
    add(&frame, "[u[[uu[uuu[uu[u", 3u, (uint64_t)5, 2u, 2u, (uint64_t)4, (uint64_t)0, 2u,
        (uint64_t)31, (uint64_t)2, (uint64_t)2, 2u, (uint64_t)6, (uint64_t)3, 1u, (uint64_t)7);
    struct answer answer = ask(&server);
    CHECK(get(&answer, 4) == 2);
    expect("1 at 99: tick tick tick deliver 2 hi snapshot none deliver 2 with snapshot 8 of 2 "
           "1////0 synced 5 1 propose 11 x read 12 change 2 4:0 31:2 transfer 3 campaign\n");
    begin_step(6, 0);
    add(&frame, "[u[u[utu", 1u, (uint64_t)8, 1u, (uint64_t)9, 3u, (uint64_t)10, "name",
        (uint64_t)70000);
    add(&frame, "[uu[uuF[uu", 2u, (uint64_t)11, (uint64_t)2, 3u, (uint64_t)12, (uint64_t)2, 3u,
        (uint64_t)13, (uint64_t)7);
    add_snapshot();
    ask(&server);
    expect("1 at 99: request snapshot ping set name 2:70000: unreachable 2 snapshot sent 2 0 "
           "compacted 7 snapshot 8 of 2 1////0\n");
    begin_step(4, 1);
    add(&frame, "[uu[uuT[uu[uu", 2u, (uint64_t)14, (uint64_t)70000, 3u, (uint64_t)2, (uint64_t)0,
        2u, (uint64_t)15, (uint64_t)2, 2u, (uint64_t)16, (uint64_t)31);
    ask(&server);
    expect("1 at 99: tick waiting 70000 synced 0 1 connected 2 disconnected 31\n");
    add(fresh(&frame), "[uu", 2u, (uint64_t)4, (uint64_t)1);
    ask(&server);
    expect("kill 1\n");
    squall_server_free(&server);
}

/* An adapter that has what is needed, and no more. */
static void what_nobody_asked_for_is_refused_and_news_are_left(void) {
    struct squall_adapter least = {0};
    struct squall_server server;
    struct squall_bytes request = {frame.bytes, 0}, bytes;
    least.name = recorder.name;
    least.about = recorder.about;
    least.boot = recorder.boot;
    least.kill = recorder.kill;
    least.tick = recorder.tick;
    least.deliver = recorder.deliver;
    least.propose = recorder.propose;
    squall_server_init(&server, &least);
    add_hello(&frame);
    request.len = frame.len;
    CHECK(squall_answer(&server, request, &bytes));
    static const char no[] = "waiting\xf4";
    size_t at = 0, size = sizeof no - 1;
    while (at + size <= bytes.len && memcmp(bytes.base + at, no, size) != 0) {
        at++;
    }
    CHECK(at + size <= bytes.len);
    squall_server_free(&server);
    set_up_with(&server, &least);
    begin_step(5, 0);
    add(&frame, "[uu[uuT[uu[uu[uuT", 2u, (uint64_t)11, (uint64_t)2, 3u, (uint64_t)12, (uint64_t)2,
        2u, (uint64_t)15, (uint64_t)2, 2u, (uint64_t)16, (uint64_t)2, 3u, (uint64_t)2, (uint64_t)0);
    ask(&server);
    CHECK(words_len == 0);
    begin_step(1, 0);
    add(&frame, "[uu", 2u, (uint64_t)14, (uint64_t)1);
    request.len = frame.len;
    CHECK(!squall_answer(&server, request, &bytes));
    CHECK(strstr(server.error, "no function for") != NULL);
    squall_server_free(&server);
}

static void a_node_that_cannot_start_has_failed(void) {
    struct squall_server server;
    set_up(&server);
    add(fresh(&frame), "[uu{tututut", 3u, (uint64_t)2, (uint64_t)31, 10u, "incarnation",
        (uint64_t)0, "seed", (uint64_t)5, "term", (uint64_t)0, "vote");
    add(&frame, "utut", (uint64_t)0, "commit", (uint64_t)0, "configuration");
    add_configuration(&frame, squall_one(1));
    add(&frame, "tNtutut[", "snapshot", "first", (uint64_t)1, "before", (uint64_t)0, "entries", 0u);
    struct answer answer = ask(&server);
    CHECK(get(&answer, 4) == 1 && get(&answer, 4) == 2 && get(&answer, 0) == 22);
    squall_server_free(&server);
}

static void messages_are_put_into_words(void) {
    struct squall_server server;
    set_up(&server);
    add(fresh(&frame), "[ub", 2u, (uint64_t)5, "vote \xff");
    struct answer answer = ask(&server);
    struct squall_bytes text = get_string(&answer, 3);
    CHECK(text.len == 6 && memcmp(text.base, "vote ?", 6) == 0 && answer.at == answer.end);
    add(fresh(&frame), "[ub", 2u, (uint64_t)5, "");
    answer = ask(&server);
    CHECK(get(&answer, 7) == 22 && answer.at == answer.end);
    squall_server_free(&server);
}

/* What the actions below are to be, byte by byte: RFC 8949 in hand, not the kit. */
static const char *const action_bytes[] = {
    "83001a0001000002", "85011901000301426162", "820217", "82031818", "82041bffffffffffffffff",
    "8305f5f4", "8305f4f5", "880602050302024378797af5", "83070309", "820804", "830904f5",
    "830a0485820102810381181f80f5", "830b0500", "830c0506", "820d03", "820e07", "840f000203",
    "840f010203", "821008", "821108", "8112", "82136168", "821463c3a43f", "821504", "82166166",
    "8416616663622e63181e"};

static void do_everything(struct squall_out *out) {
    const struct squall_configuration joint = {squall_one(1) | squall_one(2), squall_one(3),
                                               squall_one(31), 0, true};
    const struct squall_entry entry = {256, 3, 1, {(const uint8_t *)"ab", 2}};
    const struct squall_message message = {2,    SQUALL_VOTE_REPLY,
                                           3,    SQUALL_VOTED,
                                           2,    {(const uint8_t *)"x", 1},
                                           {(const uint8_t *)"yz", 2}, true};
    squall_write_hard_state(out, 65536, 2);
    squall_write_entry(out, &entry);
    squall_write_commit(out, 23);
    squall_reset_log(out, 24);
    squall_compact(out, UINT64_MAX);
    CHECK(squall_sync(out, SQUALL_WAIT) == 1);
    CHECK(squall_sync(out, SQUALL_TELL) == 2);
    squall_send(out, &message);
    squall_report_role(out, SQUALL_LEADER, 9);
    squall_report_role(out, SQUALL_LEADER, 9);
    squall_report_committed(out, 4);
    squall_report_committed(out, 4);
    squall_apply(out, 4, true);
    squall_report_configuration(out, 4, &joint);
    squall_refuse(out, 5, 0);
    squall_confirm_read(out, 5, 6);
    squall_report_transfer(out, 3);
    squall_did(out, 7);
    squall_stood_without_vote(out, SQUALL_CANDIDATE, 3);
    squall_handed_over_to_no_voter(out, 2, 3);
    squall_save_snapshot(out, 8);
    squall_install_snapshot(out, 8);
    squall_want_snapshot(out);
    squall_halt(out, "h");
    squall_note(out, "\xc3\xa4\xc3");
    squall_idle(out, 4);
    squall_failed(out, "f");
    squall_failed_at(out, "f", "a/b.c", 30);
}

static void actions_become_bytes(void) {
    struct squall_server server;
    set_up(&server);
    struct squall_out *out = &server.out;
    out->len = 13;
    out->actions = 0;
    out->node = &server.nodes[1];
    do_everything(out);
    size_t at = 13, count = sizeof action_bytes / sizeof *action_bytes;
    CHECK(out->actions == count);
    for (size_t action = 0; action < count; action++) {
        for (const char *hex = action_bytes[action]; *hex != '\0'; hex += 2) {
            char pair[3] = {hex[0], hex[1], '\0'};
            if (at >= out->len || out->base[at] != strtoul(pair, NULL, 16)) {
                fprintf(stderr, "action %zu is not %s\n", action, action_bytes[action]);
                abort();
            }
            at++;
        }
    }
    CHECK(at == out->len);
    squall_server_free(&server);
}

static void refused(const char *hex, const char *error) {
    struct squall_server server;
    struct squall_bytes request, answer;
    set_up(&server);
    /* A copy of its own size, so that reading past its end is noticed. */
    uint8_t *exact = malloc(strlen(hex) / 2 + 1);
    CHECK(exact != NULL);
    request.base = exact;
    request.len = 0;
    for (; *hex != '\0'; hex += 2) {
        char pair[3] = {hex[0], hex[1], '\0'};
        exact[request.len++] = (uint8_t)strtoul(pair, NULL, 16);
    }
    uint8_t *tight = realloc(exact, request.len == 0 ? 1 : request.len);
    CHECK(tight != NULL);
    request.base = tight;
    bool taken = squall_answer(&server, request, &answer);
    if (taken || strstr(server.error, error) == NULL) {
        fprintf(stderr, "%s, expected %s\n", taken ? "taken" : server.error, error);
        abort();
    }
    free(tight);
    squall_server_free(&server);
}

static void malformed_requests_are_refused(void) {
    refused("", "too early");
    refused("00", "an array is missing");
    refused("9f", "has not");
    refused("82", "longer than the request");
    refused("9b00000000ffffffff", "longer than the request");
    refused("82054000", "follows the request");
    refused("83054000", "more, or fewer");
    refused("820640", "no such request");
    refused("8200a16870726f746f636f6c01", "hello comes first");
    refused("820403", "a node that the run has not");
    refused("820400", "a node's number is 0");
    refused("82041820", "above 31");
    refused("82056161", "a byte string is missing");
    refused("8205436161", "longer than the request");
    refused("82055bffffffffffffffff00", "longer than the request");
    refused("8205f93c00", "has not");
    refused("8205c240", "has not");
    refused("820520", "byte string is missing");
    refused("820301", "more, or fewer");
    refused("850301000080", "no input");
    refused("8503020000818100", "does not run");
    refused("8503010000818111", "no such input");
    refused("850301000081820000", "more, or fewer, items");
    refused("850301000082818100", "a number is missing");
    refused("8503010020818100", "number is missing");
    refused("850301000081830200f6", "boolean is missing");
    refused("85030100008183058282010082010200", "two steps");
    refused("85030100008183058182010300", "no such member");
    refused("85030100008183058004", "no such transition");
    refused("850301000081830a62c32800", "not UTF-8");
    refused("850301000081830a63eda08000", "not UTF-8");
    refused("830201a0", "a key is missing");
    refused("830201a2647465726d01647465726d01", "comes twice");
    refused("8201a0", "a key is missing");
    refused("8201a1676f7074696f6e73816161", "option that the adapter has not");
    refused("8201a1616120", "has not");
    refused("8201a10000", "a text is missing");
    /* Forty arrays, one in another. */
    refused("8201a16161"
            "81818181818181818181818181818181818181818181818181818181818181818181818181818100",
            "too deeply");
}

static void the_timer_draws_as_squall_does(void) {
    static const struct {
        uint64_t seed;
        uint32_t node;
        uint64_t incarnation, ticks, expected[6], then;
    } draws[] = {
        {0, 1, 0, 10, {15, 10, 14, 12, 11, 10}, 0xaaf33c7ba380a3f5u},
        {0xDEADBEEF01234567u, 3, 2, 10, {14, 12, 16, 15, 17, 18}, 0x642269d0bd1ad877u},
        {UINT64_MAX, 31, 4000000000u, 17, {26, 18, 17, 31, 26, 29}, 0x24dc2b371a3c7643u}};
    for (size_t draw = 0; draw < 3; draw++) {
        struct squall_run run = {0};
        struct squall_boot boot = {0};
        struct squall_election_timer timer;
        run.election_ticks = draws[draw].ticks;
        run.heartbeat_ticks = 3;
        boot.seed = draws[draw].seed;
        boot.node = draws[draw].node;
        boot.incarnation = draws[draw].incarnation;
        squall_election_timer_init(&timer, &run, &boot);
        CHECK(!squall_election_timer_tick(&timer));
        for (size_t wait = 0; wait < 6; wait++) {
            squall_election_timer_set(&timer, wait % 2 == 0 ? SQUALL_FOLLOWER : SQUALL_CANDIDATE);
            uint64_t ticks = 1;
            while (!squall_election_timer_tick(&timer)) {
                ticks++;
            }
            CHECK(ticks == draws[draw].expected[wait]);
            CHECK(!squall_election_timer_tick(&timer));
        }
        squall_election_timer_set(&timer, SQUALL_LEADER);
        CHECK(!squall_election_timer_tick(&timer) && !squall_election_timer_tick(&timer));
        CHECK(squall_election_timer_tick(&timer));
        CHECK(squall_draw(&timer.random) == draws[draw].then);
    }
}

int main(void) {
    hello_is_answered_with_the_table();
    reset_kills_and_hands_settings_over();
    boot_has_what_the_disk_kept();
    each_input_reaches_its_function();
    what_nobody_asked_for_is_refused_and_news_are_left();
    a_node_that_cannot_start_has_failed();
    messages_are_put_into_words();
    actions_become_bytes();
    malformed_requests_are_refused();
    the_timer_draws_as_squall_does();
    puts("unit: all pass");
    return 0;
}
