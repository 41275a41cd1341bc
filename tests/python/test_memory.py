# SPDX-License-Identifier: Apache-2.0
"""References, views, and how long they are good for."""

from __future__ import annotations

import errno
import gc
import pickle
import resource
import subprocess
import sys
import threading

import numpy
import pytest
from conftest import Daemon, await_true, held

import filemem

MIB = 1 << 20


def test_memory_is_zero_and_can_be_written(session: filemem.Session) -> None:
    with session.allocate(MIB) as memory:
        assert len(memory) == memory.range.length == MIB
        view = memory.view()
        assert view.nbytes == MIB and view.format == "B" and not view.readonly
        assert not any(view)
        view[-4:] = b"last"
        assert memory.view()[-4:] == b"last"
        assert memory.view(read_only=True).readonly
    assert memory.released


@pytest.mark.parametrize("mode", filemem.Mode)
def test_modes(session: filemem.Session, mode: filemem.Mode) -> None:
    memory = session.allocate(MIB, filemem.Kind.TMPFS, mode)
    committed = session.update_usage().committed[filemem.Kind.TMPFS]
    assert committed == (0 if mode is filemem.Mode.LAZY else MIB)
    memory.release()


def test_lengths_are_whole_pages(session: filemem.Session) -> None:
    page = session.page_size
    assert [session.round_up(n) for n in (0, 1, page, page + 1)] == [page, page, page, 2 * page]
    for length in (0, 1, page + 1):
        with pytest.raises(filemem.FilememError) as caught:
            session.allocate(length)
        assert caught.value.errno == errno.EINVAL


def test_numpy_uses_the_memory_itself(session: filemem.Session) -> None:
    memory = session.allocate(MIB)
    numbers = numpy.frombuffer(memory.view(), dtype=numpy.float64)
    numbers[:] = numpy.arange(len(numbers))
    again = numpy.frombuffer(memory.view(), dtype=numpy.float64)
    assert again.__array_interface__["data"] == numbers.__array_interface__["data"]
    again[7] = 42.0
    assert numbers[7] == 42.0
    fixed = numpy.frombuffer(memory.view(read_only=True), dtype=numpy.float64)
    assert fixed[7] == 42.0
    with pytest.raises(ValueError):
        fixed[7] = 1.0


def test_release_gives_the_memory_back(session: filemem.Session, watch: filemem.Session) -> None:
    memory = session.allocate(MIB)
    memory.view()[0] = 1
    assert held(watch) == MIB
    memory.release()
    session.ping()
    assert held(watch) == 0
    memory.release()
    with pytest.raises(ValueError, match="released"):
        memory.view()
    with pytest.raises(ValueError, match="released"):
        memory.decommit()
    with pytest.raises(ValueError, match="released"):
        memory.incref()
    assert session.lost_errors == 0


def test_references_that_are_garbage_are_given_up(session: filemem.Session) -> None:
    session.allocate(MIB)
    cycle: list[object] = [session.allocate(MIB)]
    cycle.append(cycle)
    assert held(session) == MIB
    del cycle
    gc.collect()
    assert held(session) == 0


def test_a_view_keeps_the_memory_after_the_release(session: filemem.Session, watch: filemem.Session) -> None:
    memory = session.allocate(MIB)
    numbers = numpy.frombuffer(memory.view(), dtype=numpy.uint8)[100:200]
    numbers[:] = 9
    memory.release()
    del memory
    gc.collect()
    assert held(watch) == MIB
    other = session.allocate(MIB)
    other.view()[:] = b"\xff" * MIB
    assert (numbers == 9).all()
    del numbers
    session.ping()
    assert held(watch) == MIB
    other.release()


def test_a_view_keeps_the_memory_after_the_session(daemon: Daemon, watch: filemem.Session) -> None:
    with filemem.Session(daemon.socket) as session:
        memory = session.allocate(MIB)
        forgotten = session.allocate(MIB)
        forgotten.view()[0] = 1
        numbers = numpy.frombuffer(memory.view(), dtype=numpy.uint8)
        numbers[:] = 9
    del session, memory
    gc.collect()
    assert (numbers == 9).all()
    assert held(watch) == 2 * MIB  # the session goes on, with all that it has
    part = numbers[-1:]
    del numbers
    assert part[0] == 9
    del part
    await_true(lambda: held(watch) == 0)
    assert forgotten.released


def test_a_reference_more(session: filemem.Session, watch: filemem.Session) -> None:
    first = session.allocate(MIB)
    second = first.incref()
    assert second.range == first.range and second.session is session
    first.release()
    session.ping()
    assert held(watch) == MIB
    second.view()[0] = 1
    third = watch.incref(second.range)
    second.release()
    session.ping()
    assert held(watch) == MIB
    assert third.view()[0] == 1
    third.release()


def test_decommit_zeroes(session: filemem.Session, watch: filemem.Session) -> None:
    memory = session.allocate(MIB)
    view = memory.view()
    view[:] = b"\1" * MIB
    memory.decommit()
    assert not any(view)
    view[0] = 1
    other = watch.incref(memory.range)
    with pytest.raises(filemem.FilememError) as caught:
        memory.decommit()
    assert caught.value.errno == errno.EBUSY
    assert view[0] == 1
    memory.decommit(shared=True)
    assert view[0] == 0
    other.release()


def test_a_session_that_may_only_read(daemon: Daemon, session: filemem.Session) -> None:
    memory = session.allocate(MIB)
    memory.view()[:4] = b"look"
    with filemem.Session(daemon.socket, read_only=True) as reader:
        assert reader.read_only
        view = reader.view(memory.range)
        assert view.readonly and view[:4] == b"look"
        with pytest.raises(TypeError):
            view[0] = 1
        with pytest.raises(filemem.FilememError) as caught:
            reader.allocate(4096)
        assert caught.value.errno == errno.EACCES
        with pytest.raises(filemem.FilememError) as caught:
            reader.incref(memory.range)
        assert caught.value.errno == errno.EACCES
        memory.view()[:4] = b"more"
        assert view[:4] == b"more"


def test_ranges_are_values(session: filemem.Session) -> None:
    memory = session.allocate(MIB)
    range = memory.range
    assert filemem.Range.from_bytes(range.to_bytes()) == range
    assert pickle.loads(pickle.dumps(range)) == range
    assert len({range, pickle.loads(pickle.dumps(range))}) == 1
    for wrong in (b"", range.to_bytes()[:-1], range.to_bytes() + b"\0"):
        with pytest.raises(ValueError):
            filemem.Range.from_bytes(wrong)


def test_a_range_of_another_pool_is_refused(daemon: Daemon, session: filemem.Session) -> None:
    with filemem.Session(daemon.socket, private=True) as private:
        memory = private.allocate(MIB)
        session.allocate(MIB)
        with pytest.raises(ValueError, match="pool"):
            session.incref(memory.range)
        with pytest.raises(ValueError, match="pool"):
            session.view(memory.range)


def test_wrong_ranges(session: filemem.Session) -> None:
    for start, end in ((0, 0), (4096, 0), (1, 4097), (0, (1 << 64) - 4096), (1 << 63, (1 << 63) + 4096)):
        with pytest.raises(filemem.FilememError) as caught:
            session.incref(filemem.Range(start, end))
        assert caught.value.errno == errno.EINVAL
        with pytest.raises(filemem.FilememError) as caught:
            session.view(filemem.Range(start, end))
        assert caught.value.errno == errno.EINVAL


def test_threads_share_a_session(session: filemem.Session) -> None:
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for i in range(50):
                with session.allocate(MIB) as memory:
                    view = memory.view()
                    view[:8] = bytes([number]) * 8
                    extra = memory.incref()
                    assert bytes(view[:8]) == bytes([number]) * 8
                    del extra
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert session.lost_errors == 0


def test_closing_while_other_threads_are_in_calls(daemon: Daemon) -> None:
    for _ in range(20):
        session = filemem.Session(daemon.socket)
        started = threading.Barrier(5)
        errors: list[BaseException] = []

        def work() -> None:
            started.wait()
            try:
                while True:
                    session.allocate(4096).view()[0] = 1
            except ValueError:
                pass  # was closed
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        started.wait()
        session.close()
        for thread in threads:
            thread.join()
        assert errors == []


def test_without_a_window_a_range_is_in_pieces(daemon: Daemon) -> None:
    """A process that may not reserve address space."""
    program = f"""
import errno, resource, filemem
room = 1 << 30
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + room, used + room))
session = filemem.Session({daemon.socket!r})
assert session.capacity > room
memory = session.allocate(40 << 20)
try:
    memory.view()
    raise AssertionError("contiguous")
except filemem.FilememError as error:
    assert error.errno == errno.ERANGE
views = memory.views()
assert len(views) > 1 and sum(map(len, views)) == len(memory)
for view in views:
    view[-1] = 1
session.close()
memory.release()
assert [view[-1] for view in views] == [1] * len(views)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_with_a_window_there_is_one_piece(session: filemem.Session) -> None:
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY
    memory = session.allocate(40 * MIB)
    [view] = memory.views()
    assert view.nbytes == 40 * MIB


def test_views_at_the_end_of_the_interpreter(daemon: Daemon) -> None:
    """Whatever is left then does no harm."""
    program = f"""
import threading, time, filemem
session = filemem.Session({daemon.socket!r})
memory = session.allocate(1 << 20)
view = memory.view()
cycle = [view, session]
cycle.append(cycle)
def touch():
    while True:
        view[0] = (view[0] + 1) % 256
threading.Thread(target=touch, daemon=True).start()
time.sleep(0.01)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
