/* Makes requests and takes answers apart, for the kit's own tests. It is written apart from the
 * kit, so that the two check each other. */
#ifndef FRAMES_H
#define FRAMES_H

#include "../squall_raft.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* A request while it is made. */
struct frame {
    uint8_t bytes[1 << 16];
    size_t len;
};

static inline void put_byte(struct frame *frame, unsigned byte) {
    CHECK(frame->len < sizeof frame->bytes);
    frame->bytes[frame->len++] = (uint8_t)byte;
}

/* The head of an item, always in its longest form but for small numbers: the kit reads any. */
static inline void put_item(struct frame *frame, unsigned major, uint64_t argument) {
    if (argument < 24) {
        put_byte(frame, major << 5 | (unsigned)argument);
        return;
    }
    put_byte(frame, major << 5 | 27);
    for (unsigned byte = 8; byte > 0; byte--) {
        put_byte(frame, (unsigned)(argument >> 8 * (byte - 1)) & 255);
    }
}

static inline void put_string(struct frame *frame, unsigned major, const void *base, size_t len) {
    put_item(frame, major, len);
    for (size_t at = 0; at < len; at++) {
        put_byte(frame, ((const uint8_t *)base)[at]);
    }
}

static inline struct frame *fresh(struct frame *frame) {
    frame->len = 0;
    return frame;
}

/* Adds items as the letters of `form` say: `[` and `{` are an array and a map of so many items (an
 * unsigned), `u` a number (uint64_t), `t` a text, `b` a byte string (a zero-ended string), `T`, `F`
 * and `N` are true, false and null, `s` is a set of nodes (squall_nodes). */
static inline void add(struct frame *frame, const char *form, ...) {
    va_list arguments;
    va_start(arguments, form);
    for (; *form != '\0'; form++) {
        const char *text;
        squall_nodes nodes;
        switch (*form) {
        case '[':
            put_item(frame, 4, va_arg(arguments, unsigned));
            break;
        case '{':
            put_item(frame, 5, va_arg(arguments, unsigned));
            break;
        case 'u':
            put_item(frame, 0, va_arg(arguments, uint64_t));
            break;
        case 't':
        case 'b':
            text = va_arg(arguments, const char *);
            put_string(frame, *form == 't' ? 3 : 2, text, strlen(text));
            break;
        case 's':
            nodes = va_arg(arguments, squall_nodes);
            put_item(frame, 4, squall_count(nodes));
            SQUALL_EACH(node, nodes) put_item(frame, 0, node);
            break;
        default:
            put_item(frame, 7, *form == 'F' ? 20 : *form == 'T' ? 21 : 22);
        }
    }
    va_end(arguments);
}

static inline void add_configuration(struct frame *frame, squall_nodes voters) {
    add(frame, "[s[[[F", 5u, voters, 0u, 0u, 0u);
}

static inline void add_hello(struct frame *frame) {
    add(fresh(frame), "[u{tutt", 2u, (uint64_t)0, 2u, "protocol", (uint64_t)1, "harness", "test");
}

/* The beginning of a run without options. */
static inline void add_reset(struct frame *frame, uint64_t seed, squall_nodes nodes) {
    add(fresh(frame), "[u{tuts", 2u, (uint64_t)1, 5u, "seed", seed, "nodes", nodes);
    add(frame, "t{tutut", "raft", 3u, "election_ticks", (uint64_t)10, "heartbeat_ticks",
        (uint64_t)2, "pre_vote");
    add(frame, "Ft{t[", "driver", 0u, "options", 0u);
}

/* What has been read of an answer. */
struct answer {
    const uint8_t *at, *end;
};

static inline uint64_t get(struct answer *answer, unsigned major) {
    CHECK(answer->at < answer->end);
    unsigned first = *answer->at++, info = first & 31;
    CHECK(first >> 5 == major);
    if (info < 24) {
        return info;
    }
    CHECK(info < 28);
    uint64_t value = 0;
    for (unsigned size = 1u << (info - 24); size > 0; size--) {
        CHECK(answer->at < answer->end);
        value = value << 8 | *answer->at++;
    }
    return value;
}

static inline struct squall_bytes get_string(struct answer *answer, unsigned major) {
    struct squall_bytes bytes;
    bytes.len = (size_t)get(answer, major);
    CHECK(bytes.len <= (size_t)(answer->end - answer->at));
    bytes.base = answer->at;
    answer->at += bytes.len;
    return bytes;
}

static inline bool get_bool(struct answer *answer) {
    return get(answer, 7) == 21;
}

/* An answer without its length, which is checked. */
static inline struct answer unframed(struct squall_bytes frame) {
    CHECK(frame.len > 4);
    size_t length = frame.base[0] | (size_t)frame.base[1] << 8 | (size_t)frame.base[2] << 16 |
                    (size_t)frame.base[3] << 24;
    CHECK(length == frame.len - 4);
    struct answer answer = {frame.base + 4, frame.base + frame.len};
    return answer;
}

#endif
