/* The C kit: see squall_raft.h. This file decodes requests, calls the adapter, encodes answers, and
 * moves frames between two descriptors. Whoever sends requests is not trusted to form them well:
 * each length is checked against what is left of the frame before anything is read. */
#define _POSIX_C_SOURCE 200809L

#include "squall_raft.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The major types of CBOR (RFC 8949, section 3.1) that the protocol has, and tags. */
enum { MAJOR_UINT = 0, MAJOR_NEGATIVE = 1, MAJOR_BYTES = 2, MAJOR_TEXT = 3, MAJOR_ARRAY = 4 };
enum { MAJOR_MAP = 5, MAJOR_TAG = 6, MAJOR_SIMPLE = 7 };
enum { SIMPLE_FALSE = 20, SIMPLE_TRUE = 21, SIMPLE_NULL = 22 };
/* Items that a request may nest. The protocol's own nest less deep; what is unknown may not
 * exhaust the stack. */
enum { MAX_DEPTH = 32 };
/* A frame's length, and the longest head of an item, before the body of an answer. */
enum { LENGTH_SIZE = 4, HEAD_MAX = 9, BODY = LENGTH_SIZE + HEAD_MAX };

/* ---- Decoding -------------------------------------------------------------------------------- */

/* What is left of a request. After the first error nothing is, and `error` says what it was. */
struct reader {
    const uint8_t *at, *end;
    const char *error;
};

static void fail(struct reader *in, const char *error) {
    if (in->error == NULL) {
        in->error = error;
    }
    in->at = in->end;
}

static size_t left(const struct reader *in) {
    return (size_t)(in->end - in->at);
}

/* Reads the head of an item. After an error it is that of a null. */
static uint8_t read_head(struct reader *in, uint64_t *argument) {
    *argument = SIMPLE_NULL;
    if (left(in) == 0) {
        fail(in, "the request ends too early");
        return MAJOR_SIMPLE;
    }
    uint8_t first = *in->at++;
    uint8_t major = first >> 5, info = first & 31;
    if (info < 24) {
        *argument = info;
    } else if (info < 28 && major != MAJOR_SIMPLE) {
        size_t size = (size_t)1 << (info - 24);
        if (left(in) < size) {
            fail(in, "the request ends too early");
            return MAJOR_SIMPLE;
        }
        uint64_t value = 0;
        for (size_t byte = 0; byte < size; byte++) {
            value = value << 8 | *in->at++;
        }
        *argument = value;
    } else {
        fail(in, "an item of CBOR that the protocol has not");
        return MAJOR_SIMPLE;
    }
    bool simple = *argument >= SIMPLE_FALSE && *argument <= SIMPLE_NULL;
    if (major == MAJOR_TAG || (major == MAJOR_SIMPLE && !simple)) {
        fail(in, "an item of CBOR that the protocol has not");
        *argument = SIMPLE_NULL;
        return MAJOR_SIMPLE;
    }
    return major;
}

static uint64_t read_expected(struct reader *in, uint8_t major, const char *error) {
    uint64_t argument;
    if (read_head(in, &argument) != major || in->error != NULL) {
        fail(in, error);
        return 0;
    }
    return argument;
}

static uint64_t read_uint(struct reader *in) {
    return read_expected(in, MAJOR_UINT, "a number is missing");
}

static uint64_t read_at_most(struct reader *in, uint64_t most, const char *error) {
    uint64_t value = read_uint(in);
    if (value > most) {
        fail(in, error);
        return 0;
    }
    return value;
}

static uint32_t read_node_or_nobody(struct reader *in) {
    return (uint32_t)read_at_most(in, SQUALL_MAX_NODE, "a node's number is above 31");
}

static uint32_t read_node(struct reader *in) {
    uint32_t node = read_node_or_nobody(in);
    if (node == 0 && in->error == NULL) {
        fail(in, "a node's number is 0");
    }
    return node;
}

static bool read_bool(struct reader *in) {
    uint64_t value = read_expected(in, MAJOR_SIMPLE, "a boolean is missing");
    if (value == SIMPLE_NULL) {
        fail(in, "a boolean is missing");
    }
    return value == SIMPLE_TRUE;
}

/* Skips a null, if one comes next. */
static bool read_null(struct reader *in) {
    bool null = left(in) > 0 && *in->at == (MAJOR_SIMPLE << 5 | SIMPLE_NULL);
    if (null) {
        in->at++;
    }
    return null;
}

/* Reads how many items an array has. Each takes a byte at least, which bounds every loop. */
static uint64_t read_array(struct reader *in) {
    uint64_t count = read_expected(in, MAJOR_ARRAY, "an array is missing");
    if (count > left(in)) {
        fail(in, "an array is longer than the request");
        return 0;
    }
    return count;
}

static void read_tuple(struct reader *in, uint64_t size) {
    if (read_array(in) != size) {
        fail(in, "an array has another length than it should");
    }
}

static uint64_t read_map(struct reader *in) {
    uint64_t count = read_expected(in, MAJOR_MAP, "a map is missing");
    if (count > left(in) / 2) {
        fail(in, "a map is longer than the request");
        return 0;
    }
    return count;
}

static struct squall_bytes read_span(struct reader *in, uint64_t size) {
    struct squall_bytes bytes = {in->at, (size_t)size};
    if (size > left(in)) {
        fail(in, "a string is longer than the request");
        bytes.base = in->at;
        bytes.len = 0;
        return bytes;
    }
    in->at += bytes.len;
    return bytes;
}

static struct squall_bytes read_bytes(struct reader *in) {
    return read_span(in, read_expected(in, MAJOR_BYTES, "a byte string is missing"));
}

/* How long the character of UTF-8 at `at` is; 0 where there is none (RFC 3629, section 4). */
static size_t utf8_length(const uint8_t *at, size_t size) {
    uint8_t first = at[0];
    size_t length = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (length == 0 || first > 0xF4 || length > size) {
        return 0;
    }
    for (size_t byte = 1; byte < length; byte++) {
        if ((at[byte] & 0xC0) != 0x80) {
            return 0;
        }
    }
    /* Too long a form, a half of a pair, or above U+10FFFF. */
    bool bad = (first == 0xE0 && at[1] < 0xA0) || (first == 0xED && at[1] > 0x9F) ||
               (first == 0xF0 && at[1] < 0x90) || (first == 0xF4 && at[1] > 0x8F);
    return bad ? 0 : length;
}

static struct squall_bytes read_text_of(struct reader *in, uint64_t size) {
    struct squall_bytes text = read_span(in, size);
    for (size_t at = 0; at < text.len;) {
        size_t length = utf8_length(text.base + at, text.len - at);
        if (length == 0) {
            fail(in, "a text is not UTF-8");
            break;
        }
        at += length;
    }
    return text;
}

static struct squall_bytes read_text(struct reader *in) {
    return read_text_of(in, read_expected(in, MAJOR_TEXT, "a text is missing"));
}

static bool is(struct squall_bytes text, const char *word) {
    return text.len == strlen(word) && memcmp(text.base, word, text.len) == 0;
}

/* Where a number below 0 may stand: in settings alone. */
enum negatives { NO_NEGATIVES, NEGATIVES };

/* Reads an item of any kind and forgets it. */
static void skip(struct reader *in, unsigned depth, enum negatives negatives) {
    uint64_t argument;
    uint8_t major = read_head(in, &argument);
    if (depth == 0) {
        fail(in, "items are nested too deeply");
    }
    switch (major) {
    case MAJOR_NEGATIVE:
        if (negatives == NO_NEGATIVES) {
            fail(in, "an item of CBOR that the protocol has not");
        }
        break;
    case MAJOR_BYTES:
        read_span(in, argument);
        break;
    case MAJOR_TEXT:
        read_text_of(in, argument);
        break;
    case MAJOR_ARRAY:
    case MAJOR_MAP:
        if (argument > left(in)) {
            fail(in, "an array or a map is longer than the request");
        }
        for (uint64_t item = 0; item < argument && in->error == NULL; item++) {
            if (major == MAJOR_MAP) {
                read_text(in);
            }
            skip(in, depth - 1, negatives);
        }
        break;
    default:
        break;
    }
}

/* Reads settings, or one, to be read again. */
static struct squall_bytes skipped(struct reader *in) {
    const uint8_t *from = in->at;
    skip(in, MAX_DEPTH, NEGATIVES);
    struct squall_bytes item = {from, in->error == NULL ? (size_t)(in->at - from) : 0};
    return item;
}

static squall_nodes read_nodes(struct reader *in) {
    squall_nodes nodes = 0;
    for (uint64_t count = read_array(in); count > 0 && in->error == NULL; count--) {
        nodes |= squall_one(read_node(in));
    }
    return nodes & ~squall_one(0);
}

static struct squall_configuration read_configuration(struct reader *in) {
    struct squall_configuration configuration;
    read_tuple(in, 5);
    configuration.voters = read_nodes(in);
    configuration.outgoing = read_nodes(in);
    configuration.learners = read_nodes(in);
    configuration.learners_next = read_nodes(in);
    configuration.auto_leave = read_bool(in);
    return configuration;
}

static struct squall_snapshot read_snapshot(struct reader *in) {
    struct squall_snapshot snapshot;
    read_tuple(in, 3);
    snapshot.index = read_uint(in);
    snapshot.term = read_uint(in);
    snapshot.configuration = read_configuration(in);
    return snapshot;
}

static struct squall_entry read_entry(struct reader *in, uint64_t index) {
    struct squall_entry entry;
    read_tuple(in, 3);
    entry.index = index;
    entry.term = read_uint(in);
    entry.kind = (uint8_t)read_at_most(in, UINT8_MAX, "an entry's kind is above 255");
    entry.data = read_bytes(in);
    return entry;
}

/* Looks over the entries once; the adapter reads them again, one by one. */
static struct squall_entries read_entries(struct reader *in) {
    struct squall_entries entries = {read_array(in), 0, {in->at, 0}};
    for (uint64_t entry = 0; entry < entries.left && in->error == NULL; entry++) {
        read_entry(in, 0);
    }
    entries.rest.len = (size_t)(in->at - entries.rest.base);
    return entries;
}

bool squall_next_entry(struct squall_entries *entries, struct squall_entry *entry) {
    if (entries->left == 0) {
        return false;
    }
    const uint8_t *end = entries->rest.base + entries->rest.len;
    struct reader in = {entries->rest.base, end, NULL};
    *entry = read_entry(&in, entries->next_index);
    entries->left--;
    entries->next_index++;
    entries->rest.base = in.at;
    entries->rest.len = left(&in);
    return true;
}

static struct squall_setting read_setting(struct reader *in) {
    struct squall_setting setting = {SQUALL_OTHER, 0, {in->at, 0}};
    struct squall_bytes item = skipped(in);
    struct reader again = {item.base, item.base + item.len, in->error};
    uint64_t argument;
    switch (read_head(&again, &argument)) {
    case MAJOR_UINT:
        setting.type = SQUALL_NUMBER;
        setting.number = argument;
        break;
    case MAJOR_TEXT:
        setting.type = SQUALL_TEXT;
        setting.text.base = again.at;
        setting.text.len = left(&again);
        break;
    case MAJOR_ARRAY:
        setting.type = SQUALL_LIST;
        setting.number = argument;
        setting.text.base = again.at;
        setting.text.len = left(&again);
        break;
    case MAJOR_SIMPLE:
        setting.type = argument == SIMPLE_NULL ? SQUALL_NULL : SQUALL_BOOL;
        setting.number = argument == SIMPLE_TRUE;
        break;
    default:
        break;
    }
    return setting;
}

bool squall_find_setting(const struct squall_settings *settings, const char *name,
                         struct squall_setting *setting) {
    struct squall_bytes encoded = settings->encoded;
    if (encoded.len == 0) {
        return false;
    }
    struct reader in = {encoded.base, encoded.base + encoded.len, NULL};
    for (uint64_t count = read_map(&in); count > 0 && in.error == NULL; count--) {
        struct squall_bytes key = read_text(&in);
        *setting = read_setting(&in);
        if (is(key, name)) {
            return true;
        }
    }
    return false;
}

uint64_t squall_number(const struct squall_settings *settings, const char *name,
                       uint64_t otherwise) {
    struct squall_setting setting;
    bool found = squall_find_setting(settings, name, &setting);
    bool number = found && (setting.type == SQUALL_NUMBER || setting.type == SQUALL_BOOL);
    return number ? setting.number : otherwise;
}

bool squall_next_number(struct squall_setting *list, int64_t *number) {
    if (list->type != SQUALL_LIST || list->number == 0) {
        return false;
    }
    struct reader in = {list->text.base, list->text.base + list->text.len, NULL};
    uint64_t argument;
    uint8_t major = read_head(&in, &argument);
    if (major > MAJOR_NEGATIVE || argument > INT64_MAX) {
        return false;
    }
    *number = major == MAJOR_NEGATIVE ? -1 - (int64_t)argument : (int64_t)argument;
    list->number--;
    list->text.base = in.at;
    list->text.len = left(&in);
    return true;
}

unsigned squall_count(squall_nodes nodes) {
    unsigned count = 0;
    for (; nodes != 0; nodes &= nodes - 1) {
        count++;
    }
    return count;
}

uint32_t squall_next(squall_nodes nodes, uint32_t node) {
    do {
        node++;
    } while (node <= SQUALL_MAX_NODE && !squall_has(nodes, node));
    return node <= SQUALL_MAX_NODE ? node : 0;
}

/* ---- Encoding -------------------------------------------------------------------------------- */

static _Noreturn void give_up(const char *why) {
    fprintf(stderr, "squall_raft: %s\n", why);
    abort();
}

static void *grown(void *base, size_t *capacity, size_t needed) {
    if (needed <= *capacity) {
        return base;
    }
    size_t size = *capacity == 0 ? 65536 : *capacity;
    while (size < needed) {
        size *= 2;
    }
    void *larger = realloc(base, size);
    if (larger == NULL) {
        give_up("out of memory");
    }
    *capacity = size;
    return larger;
}

static uint8_t *room(struct squall_out *out, size_t size) {
    if (size > SQUALL_MAX_FRAME || out->len + size > SQUALL_MAX_FRAME + LENGTH_SIZE) {
        give_up("an answer is longer than a frame may be");
    }
    out->base = grown(out->base, &out->capacity, out->len + size);
    uint8_t *at = out->base + out->len;
    out->len += size;
    return at;
}

static size_t encode_head(uint8_t head[HEAD_MAX], uint8_t major, uint64_t argument) {
    uint8_t info = argument < 24            ? (uint8_t)argument
                   : argument <= UINT8_MAX  ? 24
                   : argument <= UINT16_MAX ? 25
                   : argument <= UINT32_MAX ? 26
                                            : 27;
    head[0] = (uint8_t)(major << 5 | info);
    size_t size = info < 24 ? 0 : (size_t)1 << (info - 24);
    for (size_t byte = size; byte > 0; byte--) {
        head[byte] = (uint8_t)argument;
        argument >>= 8;
    }
    return 1 + size;
}

static void put(struct squall_out *out, uint8_t major, uint64_t argument) {
    uint8_t head[HEAD_MAX];
    size_t size = encode_head(head, major, argument);
    memcpy(room(out, size), head, size);
}

static void put_uint(struct squall_out *out, uint64_t value) {
    put(out, MAJOR_UINT, value);
}

static void put_bool(struct squall_out *out, bool value) {
    put(out, MAJOR_SIMPLE, value ? SIMPLE_TRUE : SIMPLE_FALSE);
}

static void put_raw(struct squall_out *out, struct squall_bytes bytes) {
    if (bytes.len > 0) {
        memcpy(room(out, bytes.len), bytes.base, bytes.len);
    }
}

static void put_bytes(struct squall_out *out, struct squall_bytes bytes) {
    put(out, MAJOR_BYTES, bytes.len);
    put_raw(out, bytes);
}

/* What is not UTF-8 becomes question marks: a library prints what it likes. */
static void make_text(uint8_t *text, size_t size) {
    for (size_t at = 0; at < size;) {
        size_t length = utf8_length(text + at, size - at);
        if (length == 0) {
            text[at] = '?';
            length = 1;
        }
        at += length;
    }
}

static void put_text(struct squall_out *out, const char *text) {
    size_t size = strlen(text);
    put(out, MAJOR_TEXT, size);
    uint8_t *at = room(out, size);
    memcpy(at, text, size);
    make_text(at, size);
}

static void put_nodes(struct squall_out *out, squall_nodes nodes) {
    put(out, MAJOR_ARRAY, squall_count(nodes & ~squall_one(0)));
    SQUALL_EACH(node, nodes) {
        put_uint(out, node);
    }
}

/* Begins an action of so many items, its number among them. */
static void begin(struct squall_out *out, uint64_t action, uint64_t items) {
    out->actions++;
    put(out, MAJOR_ARRAY, items);
    put_uint(out, action);
}

static void put_action(struct squall_out *out, uint64_t action, uint64_t value) {
    begin(out, action, 2);
    put_uint(out, value);
}

static void put_words(struct squall_out *out, uint64_t action, const char *text) {
    begin(out, action, 2);
    put_text(out, text);
}

void squall_write_hard_state(struct squall_out *out, uint64_t term, uint32_t vote) {
    begin(out, 0, 3);
    put_uint(out, term);
    put_uint(out, vote);
}

void squall_write_entry(struct squall_out *out, const struct squall_entry *entry) {
    begin(out, 1, 5);
    put_uint(out, entry->index);
    put_uint(out, entry->term);
    put_uint(out, entry->kind);
    put_bytes(out, entry->data);
}

void squall_write_commit(struct squall_out *out, uint64_t index) {
    put_action(out, 2, index);
}

void squall_reset_log(struct squall_out *out, uint64_t next) {
    put_action(out, 3, next);
}

void squall_compact(struct squall_out *out, uint64_t through) {
    put_action(out, 4, through);
}

uint64_t squall_sync(struct squall_out *out, unsigned flags) {
    begin(out, 5, 3);
    put_bool(out, (flags & SQUALL_WAIT) != 0);
    put_bool(out, (flags & SQUALL_TELL) != 0);
    return ++out->node->syncs;
}

void squall_send(struct squall_out *out, const struct squall_message *message) {
    begin(out, 6, 8);
    put_uint(out, message->to);
    put_uint(out, (uint64_t)message->kind);
    put_uint(out, message->term);
    put_uint(out, (uint64_t)message->claim);
    put_uint(out, message->value);
    put(out, MAJOR_BYTES, message->data.len + message->rest.len);
    put_raw(out, message->data);
    put_raw(out, message->rest);
    put_bool(out, message->snapshot);
}

void squall_report_role(struct squall_out *out, enum squall_role role, uint64_t term) {
    struct squall_node *node = out->node;
    if (node->role == (uint64_t)role && node->term == term) {
        return;
    }
    node->role = (uint64_t)role;
    node->term = term;
    begin(out, 7, 3);
    put_uint(out, node->role);
    put_uint(out, term);
}

void squall_report_committed(struct squall_out *out, uint64_t index) {
    if (out->node->committed != index) {
        out->node->committed = index;
        put_action(out, 8, index);
    }
}

void squall_apply(struct squall_out *out, uint64_t through, bool more) {
    begin(out, 9, 3);
    put_uint(out, through);
    put_bool(out, more);
}

void squall_report_configuration(struct squall_out *out, uint64_t index,
                                 const struct squall_configuration *configuration) {
    begin(out, 10, 3);
    put_uint(out, index);
    put(out, MAJOR_ARRAY, 5);
    put_nodes(out, configuration->voters);
    put_nodes(out, configuration->outgoing);
    put_nodes(out, configuration->learners);
    put_nodes(out, configuration->learners_next);
    put_bool(out, configuration->auto_leave);
}

void squall_refuse(struct squall_out *out, uint64_t request, uint32_t leader) {
    begin(out, 11, 3);
    put_uint(out, request);
    put_uint(out, leader);
}

void squall_confirm_read(struct squall_out *out, uint64_t request, uint64_t index) {
    begin(out, 12, 3);
    put_uint(out, request);
    put_uint(out, index);
}

void squall_report_transfer(struct squall_out *out, uint32_t to) {
    put_action(out, 13, to);
}

void squall_did(struct squall_out *out, uint64_t event) {
    put_action(out, 14, event);
}

static void put_broke(struct squall_out *out, uint64_t way, uint64_t what, uint64_t term) {
    begin(out, 15, 4);
    put_uint(out, way);
    put_uint(out, what);
    put_uint(out, term);
}

void squall_stood_without_vote(struct squall_out *out, enum squall_role role, uint64_t term) {
    put_broke(out, 0, (uint64_t)role, term);
}

void squall_handed_over_to_no_voter(struct squall_out *out, uint32_t to, uint64_t term) {
    put_broke(out, 1, to, term);
}

void squall_save_snapshot(struct squall_out *out, uint64_t index) {
    put_action(out, 16, index);
}

void squall_install_snapshot(struct squall_out *out, uint64_t index) {
    put_action(out, 17, index);
}

void squall_want_snapshot(struct squall_out *out) {
    begin(out, 18, 1);
}

void squall_halt(struct squall_out *out, const char *text) {
    put_words(out, 19, text);
}

void squall_note(struct squall_out *out, const char *text) {
    put_words(out, 20, text);
}

void squall_idle(struct squall_out *out, uint64_t ticks) {
    put_action(out, 21, ticks);
}

void squall_failed(struct squall_out *out, const char *text) {
    put_words(out, 22, text);
}

void squall_failed_at(struct squall_out *out, const char *text, const char *file, unsigned line) {
    const char *slash = strrchr(file, '/');
    begin(out, 22, 4);
    put_text(out, text);
    put_text(out, slash == NULL ? file : slash + 1);
    put_uint(out, line);
}

void squall_print(struct squall_out *out, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size > 0) {
        /* vsnprintf ends with a zero, for which there has to be room. */
        char *at = (char *)room(out, (size_t)size + 1);
        vsnprintf(at, (size_t)size + 1, format, again);
        out->len--;
    }
    va_end(again);
}

/* Makes a frame of the body, whose head goes in front of it. */
static struct squall_bytes finished(struct squall_out *out, const uint8_t *head, size_t size) {
    size_t length = out->len - BODY + size;
    if (length > SQUALL_MAX_FRAME) {
        give_up("an answer is longer than a frame may be");
    }
    uint8_t *frame = out->base + BODY - size - LENGTH_SIZE;
    for (size_t byte = 0; byte < LENGTH_SIZE; byte++) {
        frame[byte] = (uint8_t)(length >> (8 * byte));
    }
    memcpy(frame + LENGTH_SIZE, head, size);
    struct squall_bytes answer = {frame, LENGTH_SIZE + length};
    return answer;
}

static void start_answer(struct squall_out *out, struct squall_node *node) {
    out->base = grown(out->base, &out->capacity, BODY);
    out->len = BODY;
    out->actions = 0;
    out->node = node;
}

static struct squall_bytes finished_actions(struct squall_out *out) {
    uint8_t head[HEAD_MAX];
    size_t size = encode_head(head, MAJOR_ARRAY, out->actions);
    return finished(out, head, size);
}

/* ---- Requests -------------------------------------------------------------------------------- */

static void put_list(struct squall_out *out, const char *const *words) {
    uint64_t count = 0;
    while (words != NULL && words[count] != NULL) {
        count++;
    }
    put(out, MAJOR_ARRAY, count);
    for (uint64_t word = 0; word < count; word++) {
        put_text(out, words[word]);
    }
}

static uint64_t count_options(const struct squall_option *options) {
    uint64_t count = 0;
    while (options != NULL && options[count].name != NULL) {
        count++;
    }
    return count;
}

static void put_options(struct squall_out *out, const struct squall_option *options) {
    uint64_t count = count_options(options);
    if (count > SQUALL_MAX_OPTIONS) {
        give_up("an adapter has at most 64 options");
    }
    put(out, MAJOR_ARRAY, count);
    for (uint64_t option = 0; option < count; option++) {
        put(out, MAJOR_MAP, 3);
        put_text(out, "name");
        put_text(out, options[option].name);
        put_text(out, "about");
        put_text(out, options[option].about);
        put_text(out, "percent");
        put_uint(out, options[option].percent);
    }
}

static void put_known_issues(struct squall_out *out, const struct squall_known_issue *issues) {
    uint64_t count = 0;
    while (issues != NULL && issues[count].name != NULL) {
        count++;
    }
    put(out, MAJOR_ARRAY, count);
    for (uint64_t issue = 0; issue < count; issue++) {
        put(out, MAJOR_MAP, 5);
        put_text(out, "name");
        put_text(out, issues[issue].name);
        put_text(out, "about");
        put_text(out, issues[issue].about);
        put_text(out, "breaks");
        put_list(out, issues[issue].breaks);
        put_text(out, "triggers");
        put_list(out, issues[issue].triggers);
        put_text(out, "hazards");
        put_list(out, issues[issue].hazards);
    }
}

static struct squall_bytes greet(struct squall_server *server, struct reader *in) {
    const struct squall_adapter *adapter = server->adapter;
    struct squall_out *out = &server->out;
    bool knows_protocol = false;
    for (uint64_t count = read_map(in); count > 0 && in->error == NULL; count--) {
        if (is(read_text(in), "protocol")) {
            knows_protocol = read_uint(in) == SQUALL_PROTOCOL;
        } else {
            skip(in, MAX_DEPTH, NO_NEGATIVES);
        }
    }
    if (!knows_protocol) {
        fail(in, "Squall speaks another version of the protocol than this kit, which speaks 1");
    }
    server->greeted = true;
    put_uint(out, 0);
    put(out, MAJOR_MAP, 8);
    put_text(out, "protocol");
    put_uint(out, SQUALL_PROTOCOL);
    put_text(out, "name");
    put_text(out, adapter->name);
    put_text(out, "about");
    put_text(out, adapter->about);
    put_text(out, "supports");
    put_list(out, adapter->supports);
    put_text(out, "batch");
    put_uint(out, adapter->batch == 0 ? 1 : adapter->batch);
    put_text(out, "waiting");
    put_bool(out, adapter->waiting != NULL);
    put_text(out, "options");
    put_options(out, adapter->options);
    put_text(out, "known_issues");
    put_known_issues(out, adapter->known_issues);
    uint8_t pair = MAJOR_ARRAY << 5 | 2;
    return finished(out, &pair, 1);
}

static void kill_node(struct squall_server *server, uint32_t node) {
    void *running = server->nodes[node].node;
    if (running != NULL) {
        server->nodes[node].node = NULL;
        server->adapter->kill(running);
    }
}

static void kill_all(struct squall_server *server) {
    for (uint32_t node = 1; node <= SQUALL_MAX_NODE; node++) {
        kill_node(server, node);
    }
}

static uint64_t read_options(struct reader *in, const struct squall_option *options) {
    uint64_t on = 0, known = count_options(options);
    for (uint64_t count = read_array(in); count > 0 && in->error == NULL; count--) {
        struct squall_bytes name = read_text(in);
        uint64_t option = 0;
        while (option < known && !is(name, options[option].name)) {
            option++;
        }
        if (option == known) {
            fail(in, "reset: an option that the adapter has not");
            break;
        }
        on |= (uint64_t)1 << option;
    }
    return on;
}

/* Notes that a key has come. A second time is an error, as is one that never comes. */
static void see(struct reader *in, unsigned *seen, unsigned key) {
    if ((*seen & 1u << key) != 0) {
        fail(in, "a key comes twice in a map");
    }
    *seen |= 1u << key;
}

static void reset(struct squall_server *server, struct reader *in) {
    struct squall_run run = {0};
    unsigned seen = 0;
    for (uint64_t count = read_map(in); count > 0 && in->error == NULL; count--) {
        struct squall_bytes key = read_text(in);
        if (is(key, "seed")) {
            see(in, &seen, 0);
            run.seed = read_uint(in);
        } else if (is(key, "nodes")) {
            see(in, &seen, 1);
            run.nodes = read_nodes(in);
        } else if (is(key, "raft")) {
            see(in, &seen, 2);
            run.raft.encoded = skipped(in);
        } else if (is(key, "driver")) {
            see(in, &seen, 3);
            run.driver.encoded = skipped(in);
        } else if (is(key, "options")) {
            see(in, &seen, 4);
            run.options = read_options(in, server->adapter->options);
        } else {
            skip(in, MAX_DEPTH, NO_NEGATIVES);
        }
    }
    run.election_ticks = squall_number(&run.raft, "election_ticks", 10);
    run.heartbeat_ticks = squall_number(&run.raft, "heartbeat_ticks", 2);
    run.pre_vote = squall_number(&run.raft, "pre_vote", 0) != 0;
    if (seen != 31 || run.election_ticks == 0 || run.heartbeat_ticks == 0) {
        fail(in, "reset: a key is missing, or a time-out is 0");
    }
    if (in->error != NULL) {
        return;
    }
    kill_all(server);
    server->run = run;
    server->running = true;
    if (server->adapter->reset != NULL) {
        server->adapter->reset(server->adapter->context, &server->run);
    }
    server->run.raft.encoded.len = 0;
    server->run.driver.encoded.len = 0;
}

static void read_boot_key(struct reader *in, struct squall_bytes key, struct squall_boot *boot,
                          unsigned *seen) {
    static const char *const numbers[] = {"incarnation", "seed",  "term",
                                          "commit",      "first", "before"};
    uint64_t *const fields[] = {&boot->incarnation, &boot->seed,  &boot->term,
                                &boot->commit,      &boot->first, &boot->before};
    for (unsigned number = 0; number < 6; number++) {
        if (is(key, numbers[number])) {
            see(in, seen, number);
            *fields[number] = read_uint(in);
            return;
        }
    }
    if (is(key, "vote")) {
        see(in, seen, 6);
        boot->vote = read_node_or_nobody(in);
    } else if (is(key, "configuration")) {
        see(in, seen, 7);
        boot->configuration = read_configuration(in);
    } else if (is(key, "snapshot")) {
        see(in, seen, 8);
        boot->has_snapshot = !read_null(in);
        if (boot->has_snapshot) {
            boot->snapshot = read_snapshot(in);
        }
    } else if (is(key, "entries")) {
        see(in, seen, 9);
        boot->entries = read_entries(in);
    } else {
        skip(in, MAX_DEPTH, NO_NEGATIVES);
    }
}

static void boot_node(struct squall_server *server, uint32_t id, struct reader *in) {
    struct squall_boot boot = {0};
    unsigned seen = 0;
    boot.node = id;
    for (uint64_t count = read_map(in); count > 0 && in->error == NULL; count--) {
        struct squall_bytes key = read_text(in);
        read_boot_key(in, key, &boot, &seen);
    }
    if (seen != 1023) {
        fail(in, "boot: a key is missing");
    }
    if (boot.first == 0 || boot.entries.left > UINT64_MAX - boot.first) {
        fail(in, "boot: the log begins at 0, or has no end");
    }
    if (in->error != NULL) {
        return;
    }
    boot.entries.next_index = boot.first;
    kill_node(server, id);
    struct squall_node *node = &server->nodes[id];
    uint64_t applied = boot.has_snapshot ? boot.snapshot.index : 0;
    node->syncs = 0;
    node->role = SQUALL_FOLLOWER;
    node->term = boot.term;
    node->committed = boot.commit > applied ? boot.commit : applied;
    const struct squall_adapter *adapter = server->adapter;
    node->node = adapter->boot(adapter->context, &server->run, &boot, &server->out);
    if (node->node == NULL) {
        squall_failed(&server->out, "the node could not start");
    }
}

static void read_change(struct reader *in, struct squall_change *change) {
    squall_nodes seen = 0;
    uint64_t count = read_array(in);
    change->n_steps = 0;
    for (; count > 0 && in->error == NULL; count--) {
        struct squall_change_step step;
        read_tuple(in, 2);
        step.node = read_node(in);
        step.becomes = (enum squall_member)read_at_most(in, SQUALL_NOBODY, "no such member");
        if (squall_has(seen, step.node)) {
            fail(in, "change: two steps for one node");
        }
        if (in->error == NULL) {
            seen |= squall_one(step.node);
            change->steps[change->n_steps++] = step;
        }
    }
    change->transition =
        (enum squall_transition)read_at_most(in, SQUALL_LEAVE, "no such transition");
}

/* Each input's items, its number among them. */
static const uint8_t input_items[] = {1, 4, 3, 3, 2, 3, 2, 1, 1, 1, 3, 2, 3, 3, 2, 2, 2};

/* Whether the adapter has a function for the input; if not, Squall should not have sent it. */
static bool handled(struct reader *in, bool has) {
    if (!has) {
        fail(in, "an input that the adapter has no function for");
    }
    return in->error == NULL;
}

static void take_admin(const struct squall_adapter *to, void *node, uint64_t input,
                       struct reader *in, struct squall_out *out) {
    uint32_t peer;
    switch (input) {
    case 5: {
        struct squall_change change;
        read_change(in, &change);
        if (handled(in, to->change != NULL)) {
            to->change(node, &change, out);
        }
        break;
    }
    case 6:
        peer = read_node(in);
        if (handled(in, to->transfer != NULL)) {
            to->transfer(node, peer, out);
        }
        break;
    case 7:
        if (handled(in, to->campaign != NULL)) {
            to->campaign(node, out);
        }
        break;
    case 8:
        if (handled(in, to->request_snapshot != NULL)) {
            to->request_snapshot(node, out);
        }
        break;
    case 9:
        if (handled(in, to->ping != NULL)) {
            to->ping(node, out);
        }
        break;
    default: {
        struct squall_bytes name = read_text(in);
        struct squall_setting value = read_setting(in);
        if (handled(in, to->set != NULL)) {
            to->set(node, name, &value, out);
        }
        break;
    }
    }
}

static void take_input(const struct squall_adapter *to, void *node, struct reader *in,
                       struct squall_out *out) {
    uint64_t items = read_array(in);
    uint64_t input = read_at_most(in, sizeof input_items - 1, "no such input");
    if (items != input_items[input]) {
        fail(in, "an input has more, or fewer, items than it should");
    }
    switch (in->error == NULL ? input : UINT64_MAX) {
    case 0:
        to->tick(node, out);
        break;
    case 1: {
        uint32_t from = read_node(in);
        struct squall_bytes data = read_bytes(in);
        struct squall_snapshot snapshot;
        bool with_snapshot = !read_null(in);
        if (with_snapshot) {
            snapshot = read_snapshot(in);
        }
        if (in->error == NULL) {
            to->deliver(node, from, data, with_snapshot ? &snapshot : NULL, out);
        }
        break;
    }
    case 2: {
        uint64_t number = read_uint(in);
        bool ok = read_bool(in);
        /* What was mended at boot is of no concern to who waits for no sync. */
        if (handled(in, to->synced != NULL || number == 0) && to->synced != NULL) {
            to->synced(node, number, ok, out);
        }
        break;
    }
    case 3: {
        uint64_t request = read_uint(in);
        struct squall_bytes data = read_bytes(in);
        if (in->error == NULL) {
            to->propose(node, request, data, out);
        }
        break;
    }
    case 4: {
        uint64_t request = read_uint(in);
        if (handled(in, to->read != NULL)) {
            to->read(node, request, out);
        }
        break;
    }
    case 11: {
        uint32_t peer = read_node(in);
        if (to->unreachable != NULL && in->error == NULL) {
            to->unreachable(node, peer, out);
        }
        break;
    }
    case 12: {
        uint32_t peer = read_node(in);
        bool delivered = read_bool(in);
        if (to->snapshot_sent != NULL && in->error == NULL) {
            to->snapshot_sent(node, peer, delivered, out);
        }
        break;
    }
    case 13: {
        uint64_t through = read_uint(in);
        struct squall_snapshot snapshot = read_snapshot(in);
        if (handled(in, to->compacted != NULL)) {
            to->compacted(node, through, &snapshot, out);
        }
        break;
    }
    case 14: {
        uint64_t count = read_uint(in);
        if (handled(in, to->waiting != NULL)) {
            to->waiting(node, count, out);
        }
        break;
    }
    case 15: {
        uint32_t peer = read_node(in);
        if (to->connected != NULL && in->error == NULL) {
            to->connected(node, peer, out);
        }
        break;
    }
    case 16: {
        uint32_t peer = read_node(in);
        if (to->disconnected != NULL && in->error == NULL) {
            to->disconnected(node, peer, out);
        }
        break;
    }
    case UINT64_MAX:
        break;
    default:
        take_admin(to, node, input, in, out);
    }
}

static void step(struct squall_server *server, uint32_t id, struct reader *in) {
    const struct squall_adapter *to = server->adapter;
    struct squall_out *out = &server->out;
    uint64_t now_us = read_uint(in);
    uint64_t idle_ticks = read_uint(in);
    uint64_t inputs = read_array(in);
    void *node = server->nodes[id].node;
    if (node == NULL || inputs == 0) {
        fail(in, "step: the node does not run, or there is no input");
    }
    if (in->error != NULL) {
        return;
    }
    if (to->begin != NULL) {
        to->begin(node, now_us, out);
    }
    if (idle_ticks > 0 && to->idle != NULL) {
        to->idle(node, idle_ticks, out);
    } else {
        for (; idle_ticks > 0; idle_ticks--) {
            to->tick(node, out);
        }
    }
    for (; inputs > 0 && in->error == NULL; inputs--) {
        take_input(to, node, in, out);
    }
    if (to->end != NULL && in->error == NULL) {
        to->end(node, out);
    }
}

/* Puts a message into words, or answers with null. */
static struct squall_bytes describe(struct squall_server *server, struct squall_bytes data) {
    const struct squall_adapter *adapter = server->adapter;
    struct squall_out *out = &server->out;
    uint8_t head[HEAD_MAX] = {MAJOR_SIMPLE << 5 | SIMPLE_NULL};
    size_t size = 1;
    if (adapter->describe != NULL) {
        adapter->describe(adapter->context, data, out);
    }
    if (out->len > BODY) {
        make_text(out->base + BODY, out->len - BODY);
        size = encode_head(head, MAJOR_TEXT, out->len - BODY);
    }
    return finished(out, head, size);
}

/* How many items each request has, its number among them. */
static const uint8_t request_items[] = {2, 2, 3, 5, 2, 2};

bool squall_answer(struct squall_server *server, struct squall_bytes request,
                   struct squall_bytes *answer) {
    struct reader in = {request.base, request.base + request.len, NULL};
    uint64_t items = read_array(&in);
    uint64_t number = read_at_most(&in, sizeof request_items - 1, "no such request");
    if (items != request_items[number]) {
        fail(&in, "a request has more, or fewer, items than it should");
    }
    if (server->greeted == (number == 0)) {
        fail(&in, "hello comes first, and once");
    }
    uint32_t node = number >= 2 && number <= 4 ? read_node(&in) : 0;
    if (node != 0 && (!server->running || !squall_has(server->run.nodes, node))) {
        fail(&in, "a node that the run has not");
    }
    start_answer(&server->out, &server->nodes[node]);
    if (in.error == NULL) {
        switch (number) {
        case 0:
            *answer = greet(server, &in);
            break;
        case 1:
            reset(server, &in);
            break;
        case 2:
            boot_node(server, node, &in);
            break;
        case 3:
            step(server, node, &in);
            break;
        case 4:
            kill_node(server, node);
            break;
        default: {
            struct squall_bytes data = read_bytes(&in);
            if (in.error == NULL) {
                *answer = describe(server, data);
            }
        }
        }
    }
    if (in.error == NULL && left(&in) > 0) {
        fail(&in, "something follows the request in its frame");
    }
    if (in.error == NULL && number >= 1 && number <= 4) {
        *answer = finished_actions(&server->out);
    }
    server->error = in.error;
    return in.error == NULL;
}

/* ---- The loop -------------------------------------------------------------------------------- */

void squall_server_init(struct squall_server *server, const struct squall_adapter *adapter) {
    memset(server, 0, sizeof *server);
    server->adapter = adapter;
}

void squall_server_free(struct squall_server *server) {
    kill_all(server);
    free(server->out.base);
    squall_server_init(server, server->adapter);
}

/* What has been read of standard input and not yet been answered. */
struct input {
    int descriptor;
    uint8_t *base;
    size_t from, to, capacity;
};

/* Reads until so many bytes are there; returns false when the input ends before. */
static bool fill(struct input *input, size_t size) {
    if (input->from > 0 && input->to - input->from < size) {
        memmove(input->base, input->base + input->from, input->to - input->from);
        input->to -= input->from;
        input->from = 0;
    }
    input->base = grown(input->base, &input->capacity, size);
    while (input->to - input->from < size) {
        uint8_t *at = input->base + input->to;
        ssize_t got = read(input->descriptor, at, input->capacity - input->to);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return false;
        }
        input->to += got < 0 ? 0 : (size_t)got;
    }
    return true;
}

static bool write_all(int descriptor, struct squall_bytes bytes) {
    while (bytes.len > 0) {
        ssize_t written = write(descriptor, bytes.base, bytes.len);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        size_t size = written < 0 ? 0 : (size_t)written;
        bytes.base += size;
        bytes.len -= size;
    }
    return true;
}

/* Answers requests until the input ends; returns what is wrong, or NULL. */
static const char *run(struct squall_server *server, struct input *input, int output) {
    while (fill(input, LENGTH_SIZE)) {
        const uint8_t *at = input->base + input->from;
        size_t length = at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
        if (length == 0 || length > SQUALL_MAX_FRAME) {
            return "a frame has 1 byte to 16 MiB";
        }
        if (!fill(input, LENGTH_SIZE + length)) {
            return "the input ends within a frame";
        }
        struct squall_bytes request = {input->base + input->from + LENGTH_SIZE, length};
        struct squall_bytes answer;
        if (!squall_answer(server, request, &answer)) {
            return server->error;
        }
        input->from += LENGTH_SIZE + length;
        if (!write_all(output, answer)) {
            return "the answer could not be written";
        }
    }
    return input->to > input->from ? "the input ends within a frame's length" : NULL;
}

int squall_serve(const struct squall_adapter *adapter) {
    fflush(stdout);
    int output = dup(STDOUT_FILENO);
    if (output < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        perror("squall_raft: standard output");
        return 2;
    }
    struct squall_server server;
    struct input input = {STDIN_FILENO, NULL, 0, 0, 0};
    squall_server_init(&server, adapter);
    const char *error = run(&server, &input, output);
    if (error != NULL) {
        fprintf(stderr, "squall_raft: %s\n", error);
    }
    squall_server_free(&server);
    free(input.base);
    close(output);
    return error == NULL ? 0 : 2;
}

/* ---- Randomness ------------------------------------------------------------------------------ */

static uint64_t rotated(uint64_t word, unsigned bits) {
    return word << bits | word >> (64 - bits);
}

uint64_t squall_mix(uint64_t hash, uint64_t value) {
    uint64_t product = (rotated(hash, 23) ^ value) * 0x9E3779B97F4A7C15u;
    return rotated(product, 29) + 0xD1B54A32D192ED03u;
}

uint64_t squall_finish(uint64_t hash) {
    hash ^= hash >> 33;
    hash *= 0xFF51AFD7ED558CCDu;
    hash ^= hash >> 33;
    hash *= 0xC4CEB9FE1A85EC53u;
    return hash ^ hash >> 33;
}

void squall_random_init(struct squall_random *random, const struct squall_boot *boot) {
    random->key = squall_mix(boot->seed, (uint64_t)boot->node << 32 | boot->incarnation);
    random->draws = 0;
}

uint64_t squall_draw(struct squall_random *random) {
    return squall_finish(squall_mix(random->key, ++random->draws));
}

void squall_election_timer_init(struct squall_election_timer *timer, const struct squall_run *run,
                                const struct squall_boot *boot) {
    squall_random_init(&timer->random, boot);
    timer->election_ticks = run->election_ticks;
    timer->heartbeat_ticks = run->heartbeat_ticks;
    timer->left = 0;
}

uint64_t squall_draw_election_ticks(struct squall_election_timer *timer) {
    return timer->election_ticks + squall_draw(&timer->random) % timer->election_ticks;
}

void squall_election_timer_set(struct squall_election_timer *timer, enum squall_role role) {
    bool leads = role == SQUALL_LEADER;
    timer->left = leads ? timer->heartbeat_ticks : squall_draw_election_ticks(timer);
}

bool squall_election_timer_tick(struct squall_election_timer *timer) {
    return timer->left > 0 && --timer->left == 0;
}
