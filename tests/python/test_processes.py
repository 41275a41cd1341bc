# SPDX-License-Identifier: Apache-2.0
"""Memory between processes: peers, ranges that are sent, fork."""

from __future__ import annotations

import errno
import gc
import multiprocessing
import os
import socket
import subprocess
import sys
from multiprocessing.connection import Connection
from typing import Any, Callable

import pytest
from conftest import Daemon, await_true, held

import filemem

MIB = 1 << 20


def double(peer: socket.socket, tasks: Connection) -> None:
    """A worker: doubles the bytes of each range, and sends back one of its own with the sum."""
    with filemem.Session(fd=peer, label="worker") as session:
        received: filemem.Range
        for received in iter(tasks.recv, None):
            with session.incref(received) as memory:
                view = memory.view()
                view[:100] = bytes(2 * byte for byte in view[:100])
                result = session.allocate(session.page_size)
                result.view()[:2] = sum(view[:100]).to_bytes(2, "little")
            tasks.send(result.range)
            assert tasks.recv() == "taken"
            result.release()


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_workers_of_multiprocessing(session: filemem.Session, method: str) -> None:
    context: Any = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    peer = session.open_peer(label="for a worker")
    worker = context.Process(target=double, args=(peer, theirs))
    worker.start()
    peer.close()
    theirs.close()
    memory = session.allocate(MIB)
    view = memory.view()
    for byte in (1, 5):
        view[:100] = bytes([byte]) * 100
        ours.send(memory.range)
        with session.incref(ours.recv()) as result:
            ours.send("taken")
            assert view[:100].tobytes() == bytes([2 * byte]) * 100
            assert int.from_bytes(result.view()[:2], "little") == 200 * byte
    ours.send(None)
    worker.join(60)
    assert worker.exitcode == 0
    ours.close()
    if method == "forkserver":  # it is a process that stays, with pipes of ours
        from multiprocessing import forkserver, resource_tracker

        forkserver._forkserver._stop()  # type: ignore[attr-defined]
        resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]
    if method == "spawn":
        from multiprocessing import resource_tracker

        resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]


def test_a_program_inherits_a_session(session: filemem.Session) -> None:
    memory = session.allocate(MIB)
    memory.view()[:5] = b"hello"
    program = f"""
import sys, filemem
with filemem.Session() as session:
    with session.incref(filemem.Range.from_bytes(bytes.fromhex({memory.range.to_bytes().hex()!r}))) as memory:
        memory.view()[:5] = bytes(memory.view()[:5]).upper()
"""
    with session.open_peer() as peer:
        fd = peer.fileno()
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "FILEMEM_FD": str(fd)}, pass_fds=[fd], check=True
        )
    assert memory.view()[:5] == b"hello".upper()


def test_a_peer_that_may_only_read(session: filemem.Session) -> None:
    memory = session.allocate(MIB)
    memory.view()[0] = 7
    with filemem.Session(fd=session.open_peer(read_only=True)) as reader:
        assert reader.read_only
        assert reader.view(memory.range)[0] == 7
        with pytest.raises(filemem.FilememError) as caught:
            filemem.Session(fd=reader.open_peer(read_only=False))
        assert caught.value.errno in (errno.EACCES, errno.EPERM)


def test_a_peer_has_its_limits(session: filemem.Session) -> None:
    with filemem.Session(fd=session.open_peer(max_bytes=MIB)) as peer:
        with peer.allocate(MIB):
            with pytest.raises(filemem.FilememError) as caught:
                peer.allocate(peer.page_size)
            assert caught.value.errno == errno.EDQUOT
    with pytest.raises(ValueError):
        session.open_peer(max_bytes=-1)


def test_a_private_pool_lives_in_its_peer(daemon: Daemon) -> None:
    with filemem.Session(daemon.socket, private=True) as session:
        peer = session.open_peer()
        pool = session.pool().id
    with filemem.Session(fd=peer) as last:
        assert last.pool().id == pool
        last.allocate(MIB).view()[0] = 1


def in_child(work: Callable[[], None]) -> None:
    """Forks; the child says by its exit code whether all was well."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_forked_child_cannot_call_and_disturbs_nothing(daemon: Daemon, watch: filemem.Session) -> None:
    session: filemem.Session | None = filemem.Session(daemon.socket)
    assert session is not None
    memory: filemem.Reference | None = session.allocate(MIB)
    assert memory is not None
    view: memoryview | None = memory.view()
    assert view is not None

    def child() -> None:
        nonlocal session, memory, view
        assert session is not None and memory is not None and view is not None
        allocate = session.allocate
        calls: list[Callable[[], object]] = [session.ping, session.usage, memory.decommit, session.open_peer]
        calls.append(lambda: allocate(4096))
        for call in calls:
            with pytest.raises(filemem.FilememError) as caught:
                call()
            assert caught.value.errno == errno.ECHILD
            del caught
        del allocate, calls, call
        view[0] = 8
        memory.release()
        memory = view = None
        session.close()
        session = None
        gc.collect()

    in_child(child)
    assert view[0] == 8
    session.ping()
    assert held(watch) == MIB
    memory.release()
    del view, memory
    session.ping()
    assert held(watch) == 0
    assert session.lost_errors == 0
    session.close()


def test_the_end_of_a_process_releases_all(daemon: Daemon, watch: filemem.Session) -> None:
    def child() -> None:
        memory = filemem.Session(daemon.socket).allocate(MIB)
        memory.view()[0] = 1
        os.kill(os.getpid(), 9)

    with pytest.raises(AssertionError):
        in_child(child)
    await_true(lambda: held(watch) == 0)
