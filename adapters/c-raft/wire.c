/* `raft_io`'s network: libraft's messages as bytes, and what Squall is told of them. Numbers are 64
 * bits, in the machine's order: both ends are one process. A snapshot travels beside the message
 * that announces it. */
#include "node.h"

#include <stdlib.h>
#include <string.h>

enum { TYPE, TERM, FIRST, SECOND, THIRD, COUNT, WORDS };

void wire_agree(struct node *node) {
    raft_index end = node->hears.end;
    if (node->hears.term == 0 || node->hears.term != node->raft.current_term ||
        (end > 0 && disk_term_of(node, end) != node->hears.end_term)) {
        return;
    }
    bool known = node->agreed_term == node->hears.term && node->agreed_with == node->hears.from;
    node->agreed = known && node->agreed > end ? node->agreed : end;
    node->agreed_term = node->hears.term;
    node->agreed_with = node->hears.from;
}

static struct squall_message label_of(struct node *node, const struct raft_message *message,
                                      uint64_t head[WORDS]) {
    struct squall_message label = {0};
    label.to = (uint32_t)message->server_id;
    switch (message->type) {
    case RAFT_IO_APPEND_ENTRIES: {
        const struct raft_append_entries *append = &message->append_entries;
        label.kind = SQUALL_APPEND;
        head[TERM] = append->term;
        head[FIRST] = append->prev_log_index;
        head[SECOND] = append->prev_log_term;
        head[THIRD] = append->leader_commit;
        head[COUNT] = append->n_entries;
        break;
    }
    case RAFT_IO_APPEND_ENTRIES_RESULT: {
        const struct raft_append_entries_result *result = &message->append_entries_result;
        wire_agree(node);
        raft_index agreed = node->agreed < result->last_log_index ? node->agreed
                                                                  : result->last_log_index;
        label.kind = SQUALL_APPEND_REPLY;
        head[TERM] = result->term;
        head[FIRST] = result->rejected;
        head[SECOND] = result->last_log_index;
        /* libraft says how long the log is. What it can answer for is what this leader has sent. */
        if (result->rejected == 0 && node->agreed_term == result->term &&
            node->agreed_with == message->server_id && agreed > 1) {
            label.claim = SQUALL_APPENDED;
            label.value = squall_index(agreed);
        }
        break;
    }
    case RAFT_IO_REQUEST_VOTE: {
        const struct raft_request_vote *vote = &message->request_vote;
        label.kind = vote->pre_vote ? SQUALL_PRE_VOTE : SQUALL_VOTE;
        label.claim = vote->pre_vote ? SQUALL_NOTHING : SQUALL_VOTED;
        label.value = vote->pre_vote ? 0 : vote->candidate_id;
        head[TERM] = vote->term;
        head[FIRST] = vote->last_log_index;
        head[SECOND] = vote->last_log_term;
        head[THIRD] = (vote->disrupt_leader ? 1u : 0u) | (vote->pre_vote ? 2u : 0u);
        break;
    }
    case RAFT_IO_REQUEST_VOTE_RESULT: {
        const struct raft_request_vote_result *result = &message->request_vote_result;
        bool vote = result->pre_vote != raft_tribool_true;
        label.kind = vote ? SQUALL_VOTE_REPLY : SQUALL_PRE_VOTE_REPLY;
        label.claim = vote && result->vote_granted ? SQUALL_VOTED : SQUALL_NOTHING;
        label.value = label.claim == SQUALL_VOTED ? label.to : 0;
        head[TERM] = result->term;
        if (!vote && !result->vote_granted && !node->settings.keep_term_back &&
            node->raft.current_term > result->term) {
            head[TERM] = node->raft.current_term;
        }
        head[FIRST] = result->vote_granted;
        head[SECOND] = (uint64_t)result->pre_vote;
        break;
    }
    case RAFT_IO_INSTALL_SNAPSHOT:
        label.kind = SQUALL_SNAPSHOT;
        label.snapshot = true;
        head[TERM] = message->install_snapshot.term;
        head[FIRST] = message->install_snapshot.conf_index;
        break;
    default:
        label.kind = SQUALL_TIMEOUT_NOW;
        head[TERM] = message->timeout_now.term;
        head[FIRST] = message->timeout_now.last_log_index;
        head[SECOND] = message->timeout_now.last_log_term;
    }
    /* A pre-vote carries a term that nobody is in yet, and so may its answer. */
    bool pre_vote = label.kind == SQUALL_PRE_VOTE || label.kind == SQUALL_PRE_VOTE_REPLY;
    label.term = pre_vote ? 0 : head[TERM];
    return label;
}

static size_t size_of(const struct raft_append_entries *append) {
    size_t size = 0;
    for (unsigned at = 0; at < append->n_entries; at++) {
        size += 3 * sizeof(uint64_t) + append->entries[at].buf.len;
    }
    return size;
}

static void put_entries(const struct raft_append_entries *append, uint8_t *to) {
    for (unsigned at = 0; at < append->n_entries; at++) {
        const struct raft_entry *entry = &append->entries[at];
        const uint64_t words[] = {entry->term, entry->type, entry->buf.len};
        memcpy(to, words, sizeof words);
        memcpy(to + sizeof words, entry->buf.base, entry->buf.len);
        to += sizeof words + entry->buf.len;
    }
}

int wire_send(struct raft_io *io, struct raft_io_send *req, const struct raft_message *message,
              raft_io_send_cb cb) {
    struct node *node = io->impl;
    uint64_t head[WORDS] = {message->type};
    if (node->out == NULL) {
        return RAFT_CANCELED;
    }
    bool append = message->type == RAFT_IO_APPEND_ENTRIES;
    if (append && !node->settings.heartbeat_first && !node_has_entry_of_term(node)) {
        return RAFT_NOCONNECTION;
    }
    if (node->late && message->type == RAFT_IO_APPEND_ENTRIES_RESULT) {
        if (!node->settings.late_answers) {
            return RAFT_NOCONNECTION;
        }
        /* Nobody, or what stands where a leader's number would. libuv's backend copies the address,
         * which is none. */
        if (message->server_id == 0 || message->server_id > SQUALL_MAX_NODE) {
            squall_failed(node->out, "libraft answers an append to a server that there is not");
            return RAFT_NOCONNECTION;
        }
    }
    struct squall_message label = label_of(node, message, head);
    size_t size = append ? size_of(&message->append_entries) : 0;
    uint8_t *entries = malloc(size + 1);
    if (append) {
        put_entries(&message->append_entries, entries);
    }
    label.data.base = (const uint8_t *)head;
    label.data.len = sizeof head;
    label.rest.base = entries;
    label.rest.len = size;
    disk_settle(node);
#ifndef SEND_BEFORE_SYNC
    disk_flush(node);
#endif
    squall_send(node->out, &label);
    free(entries);
    struct sent *sent = malloc(sizeof *sent);
    req->cb = cb;
    sent->next = NULL;
    sent->send = req;
    *node->last_sent = sent;
    node->last_sent = &sent->next;
    return 0;
}

/* The entries are in one piece of memory, as from libraft's own network. */
static bool get_entries(struct squall_bytes data, struct raft_append_entries *append) {
    size_t n = append->n_entries;
    if (n == 0) {
        append->entries = NULL;
        return true;
    }
    uint8_t *batch = raft_malloc(data.len);
    append->entries = raft_calloc(n, sizeof *append->entries);
    memcpy(batch, data.base, data.len);
    for (size_t at = 0, left = data.len; at < n; at++) {
        struct raft_entry *entry = &append->entries[at];
        uint64_t words[3];
        if (left < sizeof words) {
            return false;
        }
        memcpy(words, batch + (data.len - left), sizeof words);
        left -= sizeof words;
        entry->term = words[0];
        entry->type = (unsigned short)words[1];
        entry->buf.base = batch + (data.len - left);
        entry->buf.len = (size_t)words[2];
        entry->batch = batch;
        if (left < entry->buf.len) {
            return false;
        }
        left -= entry->buf.len;
    }
    return true;
}

bool wire_decode(struct squall_bytes data, raft_id from, struct raft_message *message) {
    uint64_t head[WORDS];
    if (data.len < sizeof head) {
        return false;
    }
    memcpy(head, data.base, sizeof head);
    data.base += sizeof head;
    data.len -= sizeof head;
    memset(message, 0, sizeof *message);
    message->type = (unsigned short)head[TYPE];
    message->server_id = from;
    message->server_address = address_of(from);
    switch (head[TYPE]) {
    case RAFT_IO_APPEND_ENTRIES:
        message->append_entries.term = head[TERM];
        message->append_entries.prev_log_index = head[FIRST];
        message->append_entries.prev_log_term = head[SECOND];
        message->append_entries.leader_commit = head[THIRD];
        message->append_entries.n_entries = (unsigned)head[COUNT];
        return get_entries(data, &message->append_entries);
    case RAFT_IO_APPEND_ENTRIES_RESULT:
        message->append_entries_result.term = head[TERM];
        message->append_entries_result.rejected = head[FIRST];
        message->append_entries_result.last_log_index = head[SECOND];
        return true;
    case RAFT_IO_REQUEST_VOTE:
        message->request_vote.term = head[TERM];
        message->request_vote.candidate_id = from;
        message->request_vote.last_log_index = head[FIRST];
        message->request_vote.last_log_term = head[SECOND];
        message->request_vote.disrupt_leader = (head[THIRD] & 1) != 0;
        message->request_vote.pre_vote = (head[THIRD] & 2) != 0;
        return true;
    case RAFT_IO_REQUEST_VOTE_RESULT:
        message->request_vote_result.term = head[TERM];
        message->request_vote_result.vote_granted = head[FIRST] != 0;
        message->request_vote_result.pre_vote = (raft_tribool)head[SECOND];
        return true;
    case RAFT_IO_INSTALL_SNAPSHOT:
        message->install_snapshot.term = head[TERM];
        message->install_snapshot.conf_index = head[FIRST];
        return true;
    case RAFT_IO_TIMEOUT_NOW:
        message->timeout_now.term = head[TERM];
        message->timeout_now.last_log_index = head[FIRST];
        message->timeout_now.last_log_term = head[SECOND];
        return true;
    default:
        return false;
    }
}

void wire_describe(struct squall_bytes data, struct squall_out *out) {
    static const char *const formats[] = {
        "?",
        "AppendEntries term %llu after %llu of %llu, commit %llu, %llu entries",
        "AppendEntriesResult term %llu rejected %llu last %llu",
        "RequestVote term %llu last %llu of %llu, flags %llu",
        "RequestVoteResult term %llu granted %llu pre-vote %llu",
        "InstallSnapshot term %llu",
        "TimeoutNow term %llu last %llu of %llu"};
    unsigned long long words[WORDS];
    uint64_t head[WORDS];
    if (data.len < sizeof head) {
        return;
    }
    memcpy(head, data.base, sizeof head);
    for (size_t word = 0; word < WORDS; word++) {
        words[word] = head[word];
    }
    const char *format = formats[head[TYPE] <= RAFT_IO_TIMEOUT_NOW ? head[TYPE] : 0];
    char text[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof text, format, words[TERM], words[FIRST], words[SECOND], words[THIRD],
             words[COUNT]);
#pragma GCC diagnostic pop
    squall_print(out, "%s (in libraft's numbers)", text);
}
