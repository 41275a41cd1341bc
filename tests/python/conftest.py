# SPDX-License-Identifier: Apache-2.0
"""The real daemon, and sessions with it."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest

import filemem

PATIENCE = 30.0


class Daemon:
    """filememd in a folder of its own. Named by environment, because whoever runs the tests knows where it is."""

    def __init__(self, folder: str) -> None:
        self.socket = os.path.join(folder, "filemem.sock")
        self.log = Path(folder, "log")
        program = os.environ["FILEMEM_DAEMON"]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([program, "--foreground", "--socket", self.socket], stderr=log)
        await_true(self.answers)

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            filemem.Session(self.socket, no_pool=True).close()
        except filemem.FilememError:
            return False
        return True

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0, self.log.read_text()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)


def await_true(question: Callable[[], bool]) -> None:
    """Waits until it is so: other processes take their time."""
    deadline = time.monotonic() + PATIENCE
    while not question():
        assert time.monotonic() < deadline, "that takes too long"
        time.sleep(0.005)


def count_fds() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture(scope="session")
def daemon() -> Iterator[Daemon]:
    with tempfile.TemporaryDirectory(prefix="filemem-python.") as folder:
        daemon = Daemon(folder)
        yield daemon
        daemon.stop()


@pytest.fixture
def own_daemon() -> Iterator[Daemon]:
    """One that the test may kill."""
    with tempfile.TemporaryDirectory(prefix="filemem-python.") as folder:
        daemon = Daemon(folder)
        yield daemon
        if daemon.process.poll() is None:
            daemon.stop()


@pytest.fixture
def watch(daemon: Daemon) -> Iterator[filemem.Session]:
    """Somebody else, who looks at the same pool."""
    with filemem.Session(daemon.socket) as watch:
        yield watch


@pytest.fixture
def session(daemon: Daemon) -> Iterator[filemem.Session]:
    """Afterwards there are as many descriptors as before, and nobody holds memory."""
    gc.collect()
    before = count_fds()
    session = filemem.Session(daemon.socket, label="python")
    yield session
    session.close()
    gc.collect()
    await_true(lambda: count_fds() == before)
    with filemem.Session(daemon.socket) as other:
        await_true(lambda: held(other) == 0)


def held(session: filemem.Session) -> int:
    """Bytes of the pool that anybody holds."""
    return sum(session.usage().allocated.values())
