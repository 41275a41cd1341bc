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
 * docs/sandboxing.md lists them. It calls malloc() in filemem_open() only. Of memory it takes what
 * it needs for a session when the first call is made, and maps it: that can be -ENOMEM, whatever
 * the call, and be tried again. From then on a single thread needs no more.
 *
 * Sizes. Offsets and lengths are bytes; ranges are half-open [start, end) and page aligned.
 *
 * Structures. Those with options begin with their size. Those that the library fills in grow at
 * their ends: what fills them, f(), is here an f_sized() with the size of one as its last argument.
 * Of more than the library knows the rest is 0; less than there was at first is -EINVAL. What has
 * no headers calls f_sized().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FILEMEM_API    __attribute__((visibility("default")))
#define FILEMEM_INLINE static inline

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

/* ---- mapping --------------------------------------------------------------------------------- */

/* A part of a range that is contiguous in this process. */
struct filemem_block {
        void *address;
        size_t length;
};

/*
 * Where a range is in this process. The pool's file is mapped in chunks of 16 MiB on first use,
 * into one window of address space (reserved then, too), so that a range is contiguous whatever
 * chunks it spans, and calling again costs next to nothing. The range need not be held; touch it
 * only while it is.
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

#ifdef __cplusplus
}
#endif

#include <filemem/queue.h>
#include <filemem/reports.h>

#endif
