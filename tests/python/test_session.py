# SPDX-License-Identifier: Apache-2.0
"""Opening, questions, errors, ending."""

from __future__ import annotations

import errno
import gc
import os
import pickle
import signal
import socket
import subprocess
import sys

import pytest
from conftest import Daemon, await_true, count_fds, held

import filemem


def test_a_session_has_constants(session: filemem.Session) -> None:
    assert session.page_size == os.sysconf("SC_PAGESIZE")
    assert session.capacity % session.page_size == 0 and session.capacity > 0
    assert session.id > 0
    assert not session.read_only
    assert os.fstat(session.fileno()).st_size == session.capacity
    session.ping()
    assert session.lost_errors == 0


def test_no_daemon_is_an_os_error_with_a_sentence() -> None:
    with pytest.raises(filemem.FilememError) as caught:
        filemem.Session("/nonexistent/filemem.sock")
    assert isinstance(caught.value, OSError)
    assert caught.value.errno == errno.ENOENT
    assert "/nonexistent/filemem.sock: no daemon runs there" in caught.value.strerror


def test_the_daemons_sentence_is_in_the_error(daemon: Daemon, session: filemem.Session) -> None:
    with pytest.raises(filemem.FilememError, match="pool") as caught:
        filemem.Session(daemon.socket, pool="nowhere")
    assert caught.value.errno == errno.ENOENT
    with pytest.raises(filemem.FilememError) as caught:
        session.incref(filemem.Range(1 << 30, (1 << 30) + session.page_size))
    assert caught.value.errno == errno.ENOENT
    assert caught.value.strerror not in ("", os.strerror(errno.ENOENT))


def test_the_environment_says_where(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILEMEM_SOCKET", daemon.socket)
    with filemem.Session() as session:
        session.ping()
        peer = session.open_peer()
        inherited = os.dup(peer.fileno())
        peer.close()
    os.set_inheritable(inherited, True)
    monkeypatch.setenv("FILEMEM_FD", str(inherited))
    with filemem.Session() as session:
        session.ping()


def test_wrong_arguments_do_not_reach_c(daemon: Daemon, session: filemem.Session) -> None:
    with pytest.raises(ValueError, match="null"):
        filemem.Session(daemon.socket + "\0")
    with pytest.raises(ValueError, match="null"):
        filemem.Session(daemon.socket, label="a\0b")
    with pytest.raises(ValueError, match="both"):
        filemem.Session(daemon.socket, fd=3)
    with pytest.raises(ValueError, match="descriptor"):
        filemem.Session(fd=(1 << 32) + 1)
    for length in (-4096, 1 << 64, (1 << 64) + 4096):
        with pytest.raises(ValueError, match="length"):
            session.allocate(length)
    with pytest.raises(ValueError):
        session.allocate(4096, kind=6)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        filemem.Range(-4096, 4096)
    with pytest.raises(TypeError):
        session.allocate("much")  # type: ignore[arg-type]
    assert held(session) == 0


def test_a_descriptor_that_is_no_session_is_refused_and_closed() -> None:
    before = count_fds()
    one, other = socket.socketpair()
    with pytest.raises(filemem.FilememError) as caught:
        filemem.Session(fd=one)
    assert caught.value.errno == errno.ENOTSOCK
    other.close()
    assert count_fds() == before
    with pytest.raises(filemem.FilememError) as caught:
        filemem.Session(fd=-1)
    assert caught.value.errno == errno.EBADF


def test_a_closed_session_says_so(daemon: Daemon) -> None:
    session = filemem.Session(daemon.socket)
    memory = session.allocate(session.page_size)
    assert "Session" in repr(session) and not session.closed
    session.close()
    session.close()
    assert session.closed and memory.released
    assert "closed" in repr(session) and "released" in repr(memory)
    with pytest.raises(ValueError, match="closed"):
        session.ping()
    with pytest.raises(ValueError, match="closed"):
        memory.view()
    with pytest.raises(ValueError, match="closed"):
        with session:
            pass
    memory.release()


def test_a_session_that_is_garbage_ends(daemon: Daemon, watch: filemem.Session) -> None:
    before = count_fds()
    session = filemem.Session(daemon.socket)
    memory = session.allocate(1 << 20)
    cycle: list[object] = [session, memory]
    cycle.append(cycle)
    assert held(watch) == 1 << 20
    del session, memory, cycle
    gc.collect()
    assert count_fds() == before
    await_true(lambda: held(watch) == 0)


def test_usage_is_by_kind(session: filemem.Session) -> None:
    memory = session.allocate(1 << 20, filemem.Kind.PAGE_CACHE)
    memory.view()[: 1 << 19] = b"x" * (1 << 19)
    usage = session.update_usage()
    assert usage.allocated[filemem.Kind.PAGE_CACHE] == 1 << 20
    assert usage.allocated[filemem.Kind.ANONYMOUS] == 0
    assert session.total_usage() >= 1 << 19
    assert session.total_size() >= memory.range.end
    assert usage.total >= 1 << 19
    assert session.usage("default").allocated == usage.allocated


def test_pools_are_listed(session: filemem.Session, daemon: Daemon) -> None:
    with filemem.Session(daemon.socket, private=True) as private:
        own = private.pool()
        assert own.private and own.uid == os.geteuid()
        pools = session.pools()
        assert [pool.id for pool in pools] == sorted(pool.id for pool in pools)
        default = next(pool for pool in pools if pool.name == "default")
        assert default.capacity == session.capacity
        assert default.state == filemem.PoolState.OPEN and not default.private
        assert default == session.pool() or default.id == session.pool("default").id
        assert own.id in [pool.id for pool in pools]
    with pytest.raises(filemem.FilememError):
        session.pool("nowhere")


def test_more_pools_than_come_at_once_are_listed(daemon: Daemon) -> None:
    sessions = [filemem.Session(daemon.socket, private=True) for _ in range(40)]
    wanted = {session.pool().id for session in sessions}
    assert wanted <= {pool.id for pool in sessions[0].pools()}
    for session in sessions:
        session.close()


def test_a_session_without_a_pool_only_asks(daemon: Daemon) -> None:
    with filemem.Session(daemon.socket, no_pool=True) as session:
        assert session.pools()
        assert session.usage("default").exact in (True, False)
        with pytest.raises(filemem.FilememError) as caught:
            session.allocate(4096)
        assert caught.value.errno == errno.EACCES
        with pytest.raises(filemem.FilememError):
            session.fileno()


def test_what_was_released_can_be_fenced(daemon: Daemon) -> None:
    code = (
        "import ctypes, sys, filemem\n"
        "session = filemem.Session(sys.argv[1], fence_released=True)\n"
        "memory = session.allocate(4096)\n"
        "address = ctypes.addressof(ctypes.c_char.from_buffer(memory.view()))\n"
        "memory.release()\n"
        "print('released', flush=True)\n"
        "ctypes.memset(address, 1, 1)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, daemon.socket], stdout=subprocess.PIPE, check=False)
    assert done.stdout == b"released\n"
    assert done.returncode in (-signal.SIGSEGV, 1)  # a sanitizer takes the signal and exits with 1


def test_what_belongs_to_this_process_is_not_pickled(session: filemem.Session) -> None:
    with pytest.raises(TypeError, match="open_peer"):
        pickle.dumps(session)
    with pytest.raises(TypeError, match="range"):
        pickle.dumps(session.allocate(session.page_size))


def test_the_daemon_goes(own_daemon: Daemon) -> None:
    with filemem.Session(own_daemon.socket) as session:
        memory = session.allocate(1 << 20)
        view = memory.view()
        view[:5] = b"still"
        own_daemon.kill()
        with pytest.raises(filemem.FilememError) as caught:
            session.ping()
        assert caught.value.errno == errno.ECONNRESET
        assert view[:5].tobytes() == b"still"
        memory.release()
