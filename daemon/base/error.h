// SPDX-License-Identifier: Apache-2.0
#pragma once

/*
 * How an error travels.
 *
 * A function that can fail returns int:
 *
 *   0         it worked;
 *   negative  a negative errno: nobody expects it here. It is forwarded, never matched, and reaches
 *             the client as EIO or ENOMEM with the errno's own text;
 *   positive  an enum outcome: a documented refusal that the caller has to expect, and that a
 * client gets with its own status and its own sentence.
 *
 * Outputs (ret_...) are written only when 0 is returned. A request is validated whole before
 * anything is changed, so that every refusal leaves the daemon as it was.
 *
 * What ends what:
 *
 *   an operation   any outcome or errno of it: it has its own status in the reply, the others of
 * the same request are done all the same; a request      an empty batch, more than 256 operations:
 * nothing of it is done; a session      what shows that the other side does not speak the protocol:
 * a message that is too large or cannot be decoded, one before Hello, a second Hello, a descriptor
 * where none belongs, another major version. It gets a Goodbye and is closed, its holdings are
 * released. Out of memory for a session's own state ends it too; the daemon     a broken invariant
 * (base/check.h) and nothing else. Failing to start is not starting: one line and exit code 1.
 */

/* name, errno, the sentence that the client gets */
#define OUTCOME_TABLE(X)                                                                           \
        X(OUTCOME_LENGTH_ZERO, EINVAL, "length is zero: ask for at least one page")                \
        X(OUTCOME_LENGTH_UNALIGNED, EINVAL, "length is not a multiple of the page size")           \
        X(OUTCOME_KIND_UNKNOWN, EINVAL, "unknown kind: use 0 to 5")                                \
        X(OUTCOME_MODE_UNKNOWN, EINVAL, "unknown mode: use 0 (lazy) or 1 (commit)")                \
        X(OUTCOME_RANGE_EMPTY, EINVAL, "range is empty or its end lies before its start")          \
        X(OUTCOME_RANGE_UNALIGNED, EINVAL, "range does not start and end at a page boundary")      \
        X(OUTCOME_RANGE_BEYOND, EINVAL, "range ends beyond the capacity of the pool")              \
        X(OUTCOME_NOT_ALLOCATED, ENOENT, "part of the range is not allocated")                     \
        X(OUTCOME_NOT_HELD, EACCES, "part of the range is not held by this session")               \
        X(OUTCOME_SHARED, EBUSY, "part of the range has other holders: ask for a shared decommit") \
        X(OUTCOME_REFS_OVERFLOW, EOVERFLOW, "part of the range has too many references")           \
        X(OUTCOME_POOL_FULL, ENOMEM, "no gap of that length is left in the pool")                  \
        X(OUTCOME_OVER_BUDGET, ENOMEM,                                                             \
                "to commit that much would leave the host or the daemon too little memory")        \
        X(OUTCOME_NO_MEMORY, ENOMEM, "the kernel has no memory for all pages of the range")        \
        X(OUTCOME_TRIM_FAILED, EIO,                                                                \
                "not all could be given back yet: the daemon goes on trying, the log says why")    \
        X(OUTCOME_OPERATION_UNKNOWN, ENOSYS, "this daemon does not know the operation")            \
        X(OUTCOME_BATCH_EMPTY, EINVAL, "request has no operation")                                 \
        X(OUTCOME_BATCH_TOO_LONG, EINVAL, "request has more than 256 operations")                  \
        X(OUTCOME_PAGE_NO_ROOM, EMSGSIZE,                                                          \
                "the reply is full: ask for this in a request of its own")                         \
        X(OUTCOME_LABEL_BAD, EINVAL, "label is longer than 64 bytes or not printable UTF-8")       \
        X(OUTCOME_POOL_UNKNOWN, ENOENT, "there is no pool of that name")                           \
        X(OUTCOME_POOL_CLOSED, ENOENT, "the pool is being closed")                                 \
        X(OUTCOME_POOL_DENIED, EPERM, "the rules of the pool do not let this user join like that") \
        X(OUTCOME_POOL_NONE, EACCES, "this session is in no pool")                                 \
        X(OUTCOME_POOL_DESTROYED, ENOENT, "the pool was destroyed by an administrator")            \
        X(OUTCOME_HELLO_CONTRADICTS, EINVAL, "Hello asks for things that exclude each other")      \
        X(OUTCOME_READ_ONLY, EACCES, "this session may only read")                                 \
        X(OUTCOME_PEER_POOL, EACCES, "a peer session is in its pool already and joins no other")   \
        X(OUTCOME_PEER_UNHEARD, EINVAL, "a peer comes with the reply: it cannot be left out")      \
        X(OUTCOME_PEER_SECOND, EMSGSIZE,                                                           \
                "a reply carries one descriptor: ask for this in a request of its own")            \
        X(OUTCOME_NOT_ADMIN, EPERM, "only an administrator may do this")                           \
        X(OUTCOME_SESSION_UNKNOWN, ENOENT, "there is no such session")                             \
        X(OUTCOME_TRACE_MANY, EDQUOT,                                                              \
                "too many traces are under way: end one of them, or wait for it")                  \
        X(OUTCOME_SESSION_DENIED, EPERM,                                                           \
                "the session is another user's: ask as that user or as an administrator")          \
        X(OUTCOME_SESSION_KICKED, EPERM, "the session was ended by an administrator")              \
        X(OUTCOME_CONFIG_BAD, EINVAL, "the configuration has an error: the log says which")        \
        X(OUTCOME_VERSION, EPROTO, "unsupported major version of the protocol")                    \
        X(OUTCOME_MESSAGE_EMPTY, EPROTO, "message has neither a Hello nor a Request")              \
        X(OUTCOME_MESSAGE_TOO_LARGE, EPROTO, "message is larger than 64 KiB")                      \
        X(OUTCOME_MESSAGE_MALFORMED, EPROTO, "message cannot be decoded")                          \
        X(OUTCOME_HELLO_MISSING, EPROTO, "the first message of a session has to be Hello")         \
        X(OUTCOME_HELLO_TWICE, EPROTO, "Hello was said already")                                   \
        X(OUTCOME_DESCRIPTOR_UNWANTED, EPROTO, "a file descriptor came where none belongs")        \
        X(OUTCOME_DAEMON_FULL, ENOMEM, "the daemon is out of memory or file descriptors")          \
        X(OUTCOME_STORE_FULL, ENOMEM,                                                              \
                "there is no room to keep the session while the daemon is started again")          \
        X(OUTCOME_HELLO_LATE, EPROTO, "Hello did not come in time")                                \
        X(OUTCOME_POOL_DAMAGED, EIO,                                                               \
                "the journal of the pool was damaged: nothing is allocated or decommitted in it")  \
        X(OUTCOME_RANGE_DIVIDED, EDQUOT,                                                           \
                "the range consists of more than 16384 ranges: do it in parts")                    \
        X(OUTCOME_STATISTICS_PEER, EPERM, "a peer session sees no statistics")                     \
        X(OUTCOME_STATISTICS_UNHEARD, EINVAL,                                                      \
                "statistics come with the reply: it cannot be left out")                           \
        X(OUTCOME_STATISTICS_FULL, EDQUOT, "too many users watch the statistics: ask again later") \
        X(OUTCOME_LIMIT_BYTES, EDQUOT, "limit of bytes reached")                                   \
        X(OUTCOME_LIMIT_COMMITTED, EDQUOT, "limit of committed bytes reached")                     \
        X(OUTCOME_LIMIT_RANGES, EDQUOT, "limit of ranges reached")                                 \
        X(OUTCOME_LIMIT_SESSIONS, EDQUOT, "limit of sessions reached")                             \
        X(OUTCOME_LIMIT_PEERS, EDQUOT, "limit of peers reached")                                   \
        X(OUTCOME_LIMIT_REPLIES, EDQUOT, "limit of bytes of unread replies reached")               \
        X(OUTCOME_LIMIT_REQUESTS, EDQUOT, "limit of requests under way reached")

enum outcome {
        OUTCOME_OK = 0,
#define X(name, number, text) name,
        OUTCOME_TABLE(X)
#undef X
                OUTCOME_COUNT,
};

/*
 * The errno, positive, that stands for a result: 0 for 0, that of the table for an outcome, and for
 * an unexpected negative errno ENOMEM where it is that, else EIO: what went wrong inside the daemon
 * is no status of the protocol.
 */
int error_status(int result);

/* The sentence for a result, for people; never NULL, static storage. "" for 0. */
const char *error_text(int result);
