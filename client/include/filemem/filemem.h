// SPDX-License-Identifier: Apache-2.0
#ifndef FILEMEM_FILEMEM_H
#define FILEMEM_FILEMEM_H

/*
 * libfilemem: memory from filememd, the memory server of this host.
 *
 *         struct filemem_range range;
 *         filemem_session *session;
 *         void *address;
 *
 *         filemem_open(NULL, NULL, &session);
 *         filemem_allocate(session, 1 << 20, FILEMEM_ANONYMOUS, &range);
 *         filemem_map(session, range, PROT_READ | PROT_WRITE, &address);
 *         ... tell other processes the range; they filemem_incref() it and map it too ...
 *         filemem_decref(session, range);
 *         filemem_close(session);
 *
 * A session is one connection to the daemon and belongs to one pool, which is one memfd. A range is
 * a part of that pool's file. What a session holds is released when it ends, however it ends.
 *
 * Results. Every function that can fail returns 0 (or what it says) or a negative errno, and writes
 * its outputs only when it succeeds. filemem_last_error() has the daemon's own sentence.
 *
 *   -EINVAL       wrong argument: zero or unaligned length, empty or unaligned range, unknown kind
 *   -ENOENT       (part of) the range is not allocated
 *   -EACCES       (part of) the range is not held by this session; mapping for exec; changing
 *                 something in a session that may only read
 *   -EPERM        the rules of a pool do not let this user do it
 *   -EBUSY        the range has other holders (decommit)
 *   -ENOMEM       the pool, the daemon or this process is full
 *   -EDQUOT       a limit was reached
 *   -EOVERFLOW    a reference count would overflow
 *   -ENOSYS       the daemon is older than the operation
 *   -EPROTO       the daemon said something that makes no sense, or found that we did
 *   -ECHILD       this is a child of the process that opened the session, see below
 *   -ECONNRESET   the daemon is gone, and the session with it; mappings stay readable
 *   -ETIMEDOUT    filemem_set_timeout()
 *
 * What can be seen to be wrong here is refused here; the daemon checks everything again. A NULL
 * where an object or an output belongs is -EINVAL.
 *
 * Threads. Everything is thread safe but filemem_close(), which has to be the last call. A thread
 * that waits for an answer does not block the others. No call is a cancellation point while it
 * talks with the daemon.
 *
 * fork(). In the child every call returns -ECHILD, and filemem_close() frees without disturbing the
 * parent. Mappings stay usable in both. A child that wants memory of its own opens its own session.
 *
 * Signals. The library installs no handlers, and EINTR never surfaces.
 *
 * A daemon that is started again. Run as a service it keeps memory and sessions meanwhile: calls
 * take longer, and nothing else happens. What was under way is sent again and takes effect once.
 * Else the session ends.
 *
 * System calls. After filemem_open() the library makes few, for a process that filters its own:
 * docs/sandboxing.md lists them. It calls malloc() in filemem_open() only.
 *
 * Sizes. Offsets and lengths are bytes; ranges are half-open [start, end) and page aligned.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FILEMEM_API __attribute__((visibility("default")))

/* The socket of a daemon that runs as a service. */
#define FILEMEM_SOCKET_DEFAULT "/run/filemem/filemem.sock"

typedef struct filemem_session filemem_session;

struct filemem_range {
        uint64_t start;
        uint64_t end;
};

/* What a range is for. The daemon accounts by kind and treats all alike. */
enum filemem_kind {
        FILEMEM_SYSTEM,
        FILEMEM_ANONYMOUS,
        FILEMEM_PAGE_CACHE,
        FILEMEM_TMPFS,
        FILEMEM_RAMDISKFS,
        FILEMEM_MAPPED,
        FILEMEM_KINDS,
};

/* "System", "Anonymous", ...; NULL for a value that is no kind. Static storage. */
FILEMEM_API const char *filemem_kind_name(enum filemem_kind kind);

/* ---- timeouts ---------------------------------------------------------------------------------
 */

#define FILEMEM_NO_TIMEOUT UINT64_MAX

/*
 * How long each call of this thread waits for the daemon, in nanoseconds, on whatever session; at
 * first, and with FILEMEM_NO_TIMEOUT, as long as it takes. A call that would wait longer returns
 * -ETIMEDOUT. Returns what it was before, so that it can be put back after one call:
 *
 *         uint64_t before = filemem_set_timeout(20 * 1000 * 1000);
 *         r = filemem_allocate(session, length, FILEMEM_ANONYMOUS, &range);
 *         filemem_set_timeout(before);
 *
 * The daemon may still do what it was asked. What it gave is given back then: an allocation, the
 * reference of filemem_incref(), a peer. All else may have been done or not.
 */
FILEMEM_API uint64_t filemem_set_timeout(uint64_t nanoseconds);

/* ---- opening and closing --------------------------------------------------------------------- */

struct filemem_options {
        size_t size;       /* sizeof(struct filemem_options), so that it can grow */
        const char *pool;  /* NULL: the default pool */
        const char *label; /* shown to operators, at most 64 bytes of printable UTF-8; NULL: none */
        bool read_only;    /* see the memory and change nothing: the kernel enforces it */
        bool private_pool; /* a new pool of one's own, which ends with its last session; others get
                              into it by filemem_open_peer() alone. With no `pool` */
        bool no_pool;      /* in none: for questions and administration. With no `pool` */
        bool fence_released; /* for finding mistakes: see filemem_decref() */
};

/*
 * Opens a session. socket: NULL means the session that is inherited as the descriptor $FILEMEM_FD
 * if that is set, else $FILEMEM_SOCKET, else FILEMEM_SOCKET_DEFAULT for root, else
 * $XDG_RUNTIME_DIR/filemem/filemem.sock if that exists, else FILEMEM_SOCKET_DEFAULT. options may be
 * NULL.
 *
 * Returns 0; the errno of connect(2), of which -ENOENT and -ECONNREFUSED mean that no daemon runs
 * there; -EPROTO if it is no filememd or speaks no protocol version of ours; -ECONNRESET if it ends
 * meanwhile and is not there again within 5 s; -ENOENT for an unknown pool; -EPERM for one that
 * this user may not join; -EINVAL for a wrong label; -EBADF if $FILEMEM_FD is no such descriptor,
 * -EBUSY if it was opened before (it serves once, and is marked close-on-exec then); -EMFILE if
 * this process has no descriptor left, for a session takes two; -ENOSYS if the daemon is too old
 * for what is asked; -ENOMEM. The sentence for a failed open is in filemem_open_error().
 */
FILEMEM_API int filemem_open(
        const char *socket, const struct filemem_options *options, filemem_session **ret);

/*
 * The same on a socket that somebody got from filemem_open_peer() and handed on: no path, no name
 * and no uid are needed. fd: taken over, also when it fails. In the options `pool` is best left
 * out: a peer is in its pool already, and -EACCES says that it joins no other.
 */
FILEMEM_API int filemem_open_fd(
        int fd, const struct filemem_options *options, filemem_session **ret);

struct filemem_peer_options {
        size_t size; /* sizeof(struct filemem_peer_options) */
        bool read_only;
        const char *label;   /* until whoever opens it gives one; NULL: none */
        uint64_t max_bytes;  /* at most so many held; 0: as any session */
        uint64_t max_ranges; /* the same of ranges; with one of these two it can open no peers */
};

/*
 * Makes a session in the same pool for somebody else: a socket to hand to a child (as a descriptor
 * that it inherits, named in $FILEMEM_FD) or to send over one's own. It is close-on-exec. The
 * session lasts until the last copy of the socket is closed, whatever becomes of this one, and
 * counts as one of this user. What may only read can open only what may only read. options may be
 * NULL. Returns also -EMFILE, -EACCES, and -EDQUOT for a limit of peers or sessions.
 */
FILEMEM_API int filemem_open_peer(
        filemem_session *session, const struct filemem_peer_options *options, int *ret_fd);

/*
 * One line about why the last filemem_open() of this thread failed. Never NULL; valid until this
 * thread opens again.
 */
FILEMEM_API const char *filemem_open_error(void);

/*
 * Ends the session: unmaps what filemem_map() mapped, releases what the session holds, frees. No
 * other thread may be in a call. NULL is fine. Returns NULL.
 */
FILEMEM_API filemem_session *filemem_close(filemem_session *session);

/*
 * The sentence that came with the last refusal of a call of this thread on this session; "" if
 * there was none. Valid until this thread's next call on any session.
 */
FILEMEM_API const char *filemem_last_error(const filemem_session *session);

/*
 * What to print about a call of this thread that returned `error`: the sentence, of the last
 * refusal on this session or, for NULL, of the last failed filemem_open(); where there is none,
 * what strerror(3) says in English. Never NULL; valid as the sentence.
 */
FILEMEM_API const char *filemem_strerror(const filemem_session *session, int error);

/* ---- memory ---------------------------------------------------------------------------------- */

/*
 * Allocates length bytes (a positive multiple of filemem_page_size()). From 2 MiB up they start at
 * a multiple of 2 MiB. They read as zeros, cost nothing until touched, and have one reference, held
 * by this session.
 */
FILEMEM_API int filemem_allocate(filemem_session *session, uint64_t length, enum filemem_kind kind,
        struct filemem_range *ret);

/* What an allocation gets at once. */
enum filemem_mode {
        /* Nothing: filemem_allocate(). Where memory is short when a page is touched, that is a
         * SIGBUS, or somebody is killed. */
        FILEMEM_LAZY,
        /*
         * The daemon has the kernel store all pages, which the daemon's cgroup pays for, and keeps
         * the host and itself from running out: -ENOMEM before anything has to be killed.
         */
        FILEMEM_COMMIT,
        /*
         * The range is mapped as by filemem_map() and its pages are touched, which this process
         * pays for (MADV_POPULATE_WRITE, Linux 5.14, else -ENOSYS): -ENOMEM where the kernel has
         * none. A cgroup at its limit kills nevertheless: nobody asks before.
         */
        FILEMEM_POPULATE,
};

/*
 * filemem_allocate(), and its pages with it. When that fails nothing is allocated. Large ranges
 * take their time: a gigabyte up to a second. -ENOSYS if the daemon is older than the modes.
 *
 * In a pool with huge_advise ranges of 2 MiB and more get huge pages, as far as there are any: what
 * the daemon has committed is mapped and collapsed (MADV_COLLAPSE, Linux 6.1), which costs that
 * much time again, and then this process pays for it.
 */
FILEMEM_API int filemem_allocate_mode(filemem_session *session, uint64_t length,
        enum filemem_kind kind, enum filemem_mode mode, struct filemem_range *ret);

/*
 * Takes one more reference on every page of a range that somebody holds, which need not be this
 * session: so a process keeps what another one told it of.
 */
FILEMEM_API int filemem_incref(filemem_session *session, struct filemem_range range);

/*
 * Gives up one reference of this session on every page. When nobody holds a page any more it goes
 * back to the kernel and may become somebody else's: do not touch it then. Mappings stay (they
 * belong to chunks, not to ranges), so a stray write is not caught: it may be lost, or change what
 * somebody else has there by then. What filemem_map_into() mapped is the caller's to unmap.
 *
 * With `fence_released` in the options, or $FILEMEM_FENCE set to anything, what this session has
 * given up its last reference on is fenced in the window (MADV_GUARD_INSTALL): a touch is a SIGSEGV
 * at the culprit, until the range is allocated, referenced or mapped again. It costs a system call
 * a release and a byte a page. With a kernel that cannot (before Linux 6.15 for shared memory), or
 * without a window, filemem_open() is -ENOSYS with that option, and the environment is ignored.
 */
FILEMEM_API int filemem_decref(filemem_session *session, struct filemem_range range);

/*
 * The same without waiting for the answer. Returns 0 as soon as it is sent; it waits only where the
 * daemon is far behind. A refusal is counted in filemem_lost_errors(), and the last one's sentence
 * kept there.
 */
FILEMEM_API int filemem_release(filemem_session *session, struct filemem_range range);

/*
 * How many filemem_release() were refused so far, as far as the daemon has told; 0 in a forked
 * child. Of the last one: *ret_error (may be NULL) is its negative errno or 0, and its sentence is
 * copied to ret_text (may be NULL) of size bytes.
 */
FILEMEM_API uint64_t filemem_lost_errors(
        filemem_session *session, int *ret_error, char *ret_text, size_t size);

/* Also if others hold part of the range: they lose the contents too. */
#define FILEMEM_DECOMMIT_SHARED 1u

/*
 * Gives the memory of a range that this session holds back to the kernel and keeps the range: it
 * reads as zeros and costs nothing until touched again.
 */
FILEMEM_API int filemem_decommit(
        filemem_session *session, struct filemem_range range, unsigned flags);

/* ---- queues -----------------------------------------------------------------------------------
 */

/*
 * Many operations under way at once, for throughput, and for programs that must not wait.
 *
 * filemem_submit() collects operations into messages to the daemon; one is sent when it is full
 * (256 operations) and by filemem_flush(). The daemon does them in that order. What became of each
 * is told once, in a completion: by a call of `done`, or if that is NULL by filemem_next(). Only
 * FILEMEM_DO_RELEASE has none.
 *
 *         static void done(const struct filemem_completion *completion) { ... }
 *
 *         struct filemem_operation operation = {
 *                 .code = FILEMEM_DO_ALLOCATE, .length = 4096, .kind = FILEMEM_ANONYMOUS,
 *                 .done = done, .data = mine,
 *         };
 *         filemem_queue_open(session, NULL, &queue);
 *         for (...)
 *                 filemem_submit(queue, &operation, 1);
 *         filemem_wait(queue, 0);
 *
 * In an event loop (poll, libevent, GLib): watch filemem_queue_fd() for reading, and call
 * filemem_dispatch() whenever it is readable, and once at the end of each turn in which something
 * was submitted: it sends, receives, and calls back, and never waits.
 *
 * Threads. Any number of threads may use a queue, and the session's other calls beside it.
 * Callbacks run in a thread that is in filemem_wait(), filemem_dispatch() or filemem_next() of that
 * queue, with no lock held; they may do everything but wait for their own queue and close it.
 * A session may have several queues, such as one for each event loop.
 */
typedef struct filemem_queue filemem_queue;

enum filemem_code {
        FILEMEM_DO_PING,
        FILEMEM_DO_ALLOCATE, /* length, kind, mode: FILEMEM_LAZY or FILEMEM_COMMIT, which gets huge
                                pages only as the kernel likes */
        FILEMEM_DO_INCREF,   /* range, as the following */
        FILEMEM_DO_DECREF,
        FILEMEM_DO_RELEASE,  /* a decref without completion, as filemem_release() */
        FILEMEM_DO_DECOMMIT, /* flags */
        FILEMEM_DO_USAGE,
        FILEMEM_DO_UPDATE_USAGE,
};

struct filemem_completion {
        int result; /* 0 or a negative errno, as of the call of that name */
        enum filemem_code code;
        struct filemem_range range;        /* that was allocated, or of the operation */
        const char *text;                  /* the daemon's sentence of a refusal, else "" */
        const struct filemem_usage *usage; /* that was asked for, else NULL */
        void *data;                        /* of the operation */
};

/* What the completion points to is valid until it returns. */
typedef void filemem_completed(const struct filemem_completion *completion);

/* What a code does not use is not looked at. */
struct filemem_operation {
        enum filemem_code code;
        unsigned flags; /* FILEMEM_DECOMMIT_SHARED; 0 for all else */
        struct filemem_range range;
        uint64_t length;
        enum filemem_kind kind;
        enum filemem_mode mode;
        filemem_completed *done;
        void *data;
        uint64_t reserved[2]; /* 0 */
};

/*
 * `count` releases more were refused, of whatever call or queue of the session; the last one with
 * that error and sentence. filemem_lost_errors() counts the same.
 */
typedef void filemem_lost(void *data, uint64_t count, int error, const char *text);

struct filemem_queue_options {
        size_t size;        /* sizeof(struct filemem_queue_options) */
        filemem_lost *lost; /* NULL: nobody is told. Called as `done` is */
        void *data;         /* for it */
};

/* options may be NULL. Returns also -ENOMEM. */
FILEMEM_API int filemem_queue_open(
        filemem_session *session, const struct filemem_queue_options *options, filemem_queue **ret);

/*
 * Sends what is not sent yet, and frees. No other thread may be in a call of the queue. What is
 * under way has no completion; what it gives, as what filemem_next() has not told, is given back.
 * To be called before filemem_close(). NULL is fine. Returns NULL.
 */
FILEMEM_API filemem_queue *filemem_queue_close(filemem_queue *queue);

/*
 * Adds operations, all of them or, with an error, none. Never waits: where the daemon is far behind
 * what is submitted is kept in memory, some 100 bytes an operation. Use filemem_wait() to keep less
 * under way. Returns also -EINVAL as the call of that name would, -ENOMEM, and -ECONNRESET after
 * the end of the session.
 */
FILEMEM_API int filemem_submit(
        filemem_queue *queue, const struct filemem_operation *operations, size_t count);

/*
 * Sends what was submitted, as far as there is room; the rest goes as soon as somebody is in
 * filemem_wait(), filemem_dispatch() or another call that waits. Returns 0, or -ECONNRESET.
 */
FILEMEM_API int filemem_flush(filemem_queue *queue);

/*
 * Flushes, and waits until at most `left` operations are under way, calling back as completions
 * come. left 0: until there are none. Returns 0; -ETIMEDOUT after filemem_set_timeout(), and the
 * operations go on; or -ECONNRESET when the session has ended, after all completions have said so.
 */
FILEMEM_API int filemem_wait(filemem_queue *queue, size_t left);

/*
 * Flushes, takes in what has come, and calls back, without waiting. Returns how many operations
 * were completed, or -ECONNRESET when the session has ended and there is nothing more to tell.
 */
FILEMEM_API int filemem_dispatch(filemem_queue *queue);

/*
 * The next completion of an operation without `done`. Dispatches if there is none. Returns 1 with
 * it; 0 if there is none now; or -ECONNRESET. What it points to is valid until the next
 * filemem_next() of this queue.
 */
FILEMEM_API int filemem_next(filemem_queue *queue, struct filemem_completion *ret);

/* How many operations were submitted and not completed yet, without releases. */
FILEMEM_API size_t filemem_under_way(filemem_queue *queue);

/*
 * A descriptor that is readable when filemem_dispatch() has something to do: an epoll instance,
 * made by the first call, of the queue, close-on-exec. It may wake for nothing when other threads
 * use the session too. Returns it, or a negative errno such as -EMFILE.
 */
FILEMEM_API int filemem_queue_fd(filemem_queue *queue);

/* ---- mapping --------------------------------------------------------------------------------- */

/* A part of a range that is contiguous in this process. */
struct filemem_block {
        void *address;
        size_t length;
};

/*
 * Where a range is in this process. The pool's file is mapped in chunks of 16 MiB on first use,
 * into one window of address space, so that a range is contiguous whatever chunks it spans, and
 * calling again costs next to nothing. The range need not be held; touch it only while it is.
 *
 * protection: of PROT_READ and PROT_WRITE, what the caller will do. Chunks are mapped for both, or
 * for reading in a session that may only read: then PROT_WRITE is -EACCES. PROT_EXEC is always.
 *
 * Where the pool says so (huge_advise), huge pages are asked for (MADV_HUGEPAGE) in the parts of
 * the range that this session has allocated, or taken a reference on, as ranges of 2 MiB and more,
 * until it gives a reference up. All else is mapped with MADV_NOHUGEPAGE. Without a window there
 * are none.
 *
 * Returns -EINVAL if the range is empty, unaligned or beyond the pool, -ENOMEM if the kernel has no
 * more address space, and -ERANGE where this process could not reserve a window (RLIMIT_AS) and the
 * range spans chunks: then filemem_map_blocks() serves.
 */
FILEMEM_API int filemem_map(
        filemem_session *session, struct filemem_range range, int protection, void **ret);

/*
 * The same as a list of blocks, lowest first: one block where there is a window, else one for each
 * chunk. Writes at most `count` and returns how many the whole range has (so count 0 asks), or a
 * negative errno.
 */
FILEMEM_API int filemem_map_blocks(filemem_session *session, struct filemem_range range,
        int protection, struct filemem_block *blocks, size_t count);

/* Exactly at `address`, over what is there (MAP_FIXED). */
#define FILEMEM_MAP_FIXED 1u
/* Commit the pages now (MADV_POPULATE_WRITE): -ENOMEM instead of SIGBUS later. */
#define FILEMEM_MAP_PRECOMMIT 2u

/*
 * A mapping of its own, at an address and with a protection of the caller's choice (PROT_EXEC too,
 * if the pool allows: the first time the daemon is asked). It is the caller's: munmap(2) it.
 * address: a hint, or with FILEMEM_MAP_FIXED binding. PRECOMMIT needs PROT_WRITE; when it fails
 * nothing is mapped there any more, and pages that were committed before the failure stay so.
 * Returns also -EINVAL, -EACCES, -ENOMEM, or -ENOSYS for PRECOMMIT before Linux 5.14.
 */
FILEMEM_API int filemem_map_into(filemem_session *session, struct filemem_range range,
        void *address, int protection, unsigned flags, void **ret);

/*
 * The memfd, borrowed: open as long as the session, for reading only if the session is. -ECHILD in
 * a forked child, -EACCES in a session without a pool.
 */
FILEMEM_API int filemem_fd(const filemem_session *session);

/* ---- questions ------------------------------------------------------------------------------- */

/* Constants of the session; these cannot fail. 0 for NULL. */
FILEMEM_API size_t filemem_page_size(const filemem_session *session);
FILEMEM_API uint64_t filemem_capacity(const filemem_session *session);

/* The identity of the session, as in filemem_sessions(). */
FILEMEM_API uint64_t filemem_session_id(const filemem_session *session);

/* Whether it may only read: it asked for that, or whoever opened it as a peer did. false for NULL.
 */
FILEMEM_API bool filemem_is_read_only(const filemem_session *session);

/* Asks the daemon for nothing but an answer. */
FILEMEM_API int filemem_ping(filemem_session *session);

/* Bytes; see docs/architecture.md, Accounting. */
struct filemem_usage {
        uint64_t allocated[FILEMEM_KINDS]; /* held ranges */
        uint64_t committed[FILEMEM_KINDS]; /* of these, stored by the kernel in RAM or swap */
        uint64_t reclaimable;              /* freed and not yet given back */
        uint64_t reclaimable_committed;
        uint64_t stray;   /* committed outside every range */
        uint64_t total;   /* stored for the pool's file */
        uint64_t swapped; /* of the total, as far as the kernel tells */
        uint64_t age_ns;  /* of the committed numbers; UINT64_MAX: never scanned */
        bool exact;       /* committed is what the last scan counted, not divided */
};

/* What the daemon knows, at the cost of one message. */
FILEMEM_API int filemem_usage(filemem_session *session, struct filemem_usage *ret);

/* The same after the daemon has asked the kernel. If it is asked too often it answers from before,
 * and age_ns says so. */
FILEMEM_API int filemem_update_usage(filemem_session *session, struct filemem_usage *ret);

/*
 * The same of another pool that this user may join or administers (else -EPERM); NULL is the own
 * one. A peer may ask for its own only.
 */
FILEMEM_API int filemem_usage_of(
        filemem_session *session, const char *pool, struct filemem_usage *ret);
FILEMEM_API int filemem_update_usage_of(
        filemem_session *session, const char *pool, struct filemem_usage *ret);

/* Committed bytes of the whole pool, asked of the kernel by this process (fstat): no message. */
FILEMEM_API int filemem_total_usage(filemem_session *session, uint64_t *ret);

/* Bytes of the pool's file in use so far: all ranges lie below. */
FILEMEM_API int filemem_total_size(filemem_session *session, uint64_t *ret);

enum filemem_pool_state {
        FILEMEM_POOL_OPEN,
        FILEMEM_POOL_DRAINING, /* gone from the configuration: who is in it goes on, nobody joins */
        FILEMEM_POOL_DESTROYED, /* its sessions are being ended */
};

struct filemem_pool {
        char name[65];
        uint64_t capacity;
        uint64_t size;
        uint64_t page_size;
        uint64_t hugepage_size;
        uint64_t chunk_size;
        bool exec;
        bool zero_verify; /* ranges are looked at, and punched, before they are handed out */
        bool huge_advise; /* there are huge pages under ranges of 2 MiB and more; see filemem_map()
                           */
        uint64_t entries; /* of the usage tree */
        uint64_t sessions;
        uint64_t metadata; /* bytes of daemon memory for tree and holdings */
        uint64_t id;       /* never used again by this daemon */
        enum filemem_pool_state state;
        bool private_pool;
        uint32_t uid;       /* of a private pool: who made it */
        uint64_t allocated; /* bytes that somebody holds */
        uint64_t committed; /* of these, stored by the kernel, as far as known */
        uint64_t leased;    /* of the allocated: being prepared, not handed out yet */
};

FILEMEM_API int filemem_pool_info(filemem_session *session, struct filemem_pool *ret);
FILEMEM_API int filemem_pool_info_of(
        filemem_session *session, const char *pool, struct filemem_pool *ret);

/*
 * The pools that this user may ask about, by ascending id, those above `after`. Writes at most
 * `count` (not 0), returns how many; 0 means that there are no more. Go on with the last one's id.
 */
FILEMEM_API int filemem_pools(
        filemem_session *session, uint64_t after, struct filemem_pool *pools, size_t count);

struct filemem_status {
        char version[32];
        uint32_t pid;
        uint64_t uptime_ns;
        uint32_t pools;
        uint64_t sessions;
        uint64_t sessions_total;
        uint64_t requests;
        uint64_t operations;
        uint64_t refusals;
        uint64_t protocol_errors;
        char accounting[16]; /* how committed pages are counted: "cachestat" or "seek" */
        uint64_t scans;
        uint64_t reclaimed; /* bytes */
        uint64_t punches;
        uint64_t punch_failures;
        uint32_t max_message;
        uint32_t max_operations;
};

FILEMEM_API int filemem_status(filemem_session *session, struct filemem_status *ret);

/* How much of something there may be, and is. */
#define FILEMEM_UNLIMITED UINT64_MAX

struct filemem_limit_use {
        bool counted; /* or there is no such limit for these; what follows is 0 then */
        uint64_t used;
        uint64_t maximum; /* FILEMEM_UNLIMITED: no limit */
};

/* What each limit means says filememd.conf(5). Bytes, or a count. */
struct filemem_limit {
        char name[16]; /* bytes, committed, ranges, sessions, peers, replies, requests */
        struct filemem_limit_use session; /* this one */
        struct filemem_limit_use user;    /* all of its user */
        struct filemem_limit_use pool;    /* all in its pool, or in the one asked for */
        struct filemem_limit_use total;   /* all */
};

/* Fills at most `count` of them. Returns how many there are; a later daemon may have more. */
FILEMEM_API int filemem_limits(
        filemem_session *session, struct filemem_limit *limits, size_t count);
FILEMEM_API int filemem_limits_of(
        filemem_session *session, const char *pool, struct filemem_limit *limits, size_t count);

struct filemem_session_info {
        uint64_t session;
        int32_t pid;
        uint32_t uid;
        uint32_t gid;
        char label[65];
        char pool[65];
        uint64_t age_ns;
        uint64_t held;     /* bytes */
        uint64_t holdings; /* ranges */
        uint64_t requests;
        bool read_only;
        uint64_t parent;  /* of a peer, whose process is not known: the session that opened it; or 0
                           */
        uint64_t idle_ns; /* since something came from it */
        uint64_t operations;
        uint64_t refusals;  /* of these */
        uint64_t allocated; /* bytes that it was given so far */
        uint64_t released;  /* bytes of references that it gave up */
        uint64_t queued;    /* bytes of replies that it has not taken */
        bool waiting;       /* a request of it is under way */
};

/*
 * Sessions with an identity above `after`, in order: all of them for an administrator, those in its
 * pools for an administrator of pools, and those of the same user; for a peer itself alone. Writes
 * at most `count` (not 0), returns how many; 0 means that there are no more. Go on with the last
 * one's identity.
 */
FILEMEM_API int filemem_sessions(
        filemem_session *session, uint64_t after, struct filemem_session_info *infos, size_t count);

/* A part of what a session holds, of one kind and with the same references. */
struct filemem_holding {
        struct filemem_range range;
        enum filemem_kind kind;
        uint32_t count;     /* references of the session; UINT32_MAX: being prepared for it */
        uint32_t refs;      /* of all sessions */
        uint64_t committed; /* bytes; the same for each that holds the range */
        bool estimated;
};

/*
 * What a session holds, from the offset `from` on: of this user, or of any for an administrator
 * (else -EPERM); -ENOENT if there is none of that identity. Writes at most `count` (not 0), returns
 * how many; 0 means that there are no more. Go on with the end of the last one. It may change in
 * between.
 */
FILEMEM_API int filemem_holdings(filemem_session *session, uint64_t id, uint64_t from,
        struct filemem_holding *holdings, size_t count);

struct filemem_holder {
        uint64_t session;
        uint64_t held; /* bytes of the range that it holds */
        uint32_t most; /* the most references that it has on a page of it */
        bool more;     /* it has so many ranges there that the daemon did not look at all */
};

/*
 * Which sessions hold (part of) a range of a pool, NULL for the own one: those with an identity
 * above `after`, in order. Writes at most `count` (not 0), returns how many; 0 means that there are
 * no more. Go on with the last one's identity. *hidden (may be NULL) grows by how many there are
 * that this user may not see.
 */
FILEMEM_API int filemem_holders(filemem_session *session, const char *pool,
        struct filemem_range range, uint64_t after, struct filemem_holder *holders, size_t count,
        uint64_t *hidden);

/* An operation of a session that is through. */
struct filemem_event {
        uint64_t age_ns;
        uint64_t session;
        char operation[24];         /* "allocate", "decref", ... as in the protocol */
        struct filemem_range range; /* start 0 for an allocation that was refused; or empty */
        enum filemem_kind kind;     /* of an allocation */
        int error;                  /* 0 or a negative errno */
};

struct filemem_trace_options {
        size_t size;      /* sizeof(struct filemem_trace_options) */
        const char *pool; /* of sessions in this pool; NULL: in any, or none */
        uint64_t session; /* of this one; 0: of any */
        uint32_t sample;  /* one of so many; 0: all */
};

/*
 * What sessions have done since the last call with the same options; the first one begins and
 * returns 0. Of all sessions for an administrator, for one of the pool that is named those that are
 * in it, else those of the same user; never this one's own. Writes at most `count` (not 0), returns
 * how many. The daemon keeps some thousand events; *ret_lost (may be NULL) is how many there was no
 * room for, so ask several times a second. It ends with the session, and begins anew when it was
 * not asked for 10 s. options may be NULL. -EDQUOT: there are too many who watch.
 */
FILEMEM_API int filemem_trace(filemem_session *session, const struct filemem_trace_options *options,
        struct filemem_event *events, size_t count, uint64_t *ret_lost);

struct filemem_entry {
        struct filemem_range range;
        enum filemem_kind kind;
        uint32_t refs;      /* 0: freed, not yet given back; UINT32_MAX: being prepared */
        uint64_t committed; /* bytes */
        bool estimated;
};

/*
 * The usage tree of the pool, page by page: the entries that end above `from`. Writes at most
 * `count` (not 0), returns how many; 0 means that there are no more. Go on with the end of the last
 * one. The tree may change in between.
 */
FILEMEM_API int filemem_dump(
        filemem_session *session, uint64_t from, struct filemem_entry *entries, size_t count);
FILEMEM_API int filemem_dump_of(filemem_session *session, const char *pool, uint64_t from,
        struct filemem_entry *entries, size_t count);

/* ---- administration -------------------------------------------------------------------------- */

/* For administrators, else -EPERM: root, the daemon's user, the group that is configured for it. */

/*
 * Ends a pool: nobody joins it any more, its sessions have their requests answered and are ended,
 * and its memory is given back. Returns when that has begun. Also for the pool's own
 * administrators.
 */
FILEMEM_API int filemem_destroy_pool(filemem_session *session, const char *pool);

/* Ends a session. Also one of the same user, and for administrators of its pool. */
FILEMEM_API int filemem_kick_session(filemem_session *session, uint64_t id);

/*
 * Has the daemon give back to the kernel all that is freed in a pool (NULL: the own one), and all
 * stray pages, and waits until that is done. *ret (may be NULL) is how many bytes it gave back
 * meanwhile. Also for the pool's own administrators, and in a private pool for its user. -EIO if
 * the kernel refused some of it: the daemon goes on trying.
 */
FILEMEM_API int filemem_trim(filemem_session *session, const char *pool, uint64_t *ret);

/* Has the daemon read its configuration again. -EINVAL if that has an error: nothing changed. */
FILEMEM_API int filemem_reload(filemem_session *session);

#ifdef __cplusplus
}
#endif

#endif
