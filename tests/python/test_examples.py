# SPDX-License-Identifier: Apache-2.0
"""The examples in C, each with its real task, run as people run them."""

from __future__ import annotations

import os
import random
import socket
import struct
import subprocess
from pathlib import Path
from typing import Iterator

import pytest
from conftest import Daemon, await_true, held

import filemem

EXAMPLES = Path(os.environ["FILEMEM_EXAMPLES"])


def run(daemon: Daemon, name: str, *arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "FILEMEM_SOCKET": daemon.socket}
    environment.pop("LD_PRELOAD", None)  # they are linked with what they need
    return subprocess.run([str(EXAMPLES / name), *arguments], env=environment, input=data, capture_output=True)


@pytest.fixture(autouse=True)
def nothing_is_left(daemon: Daemon, watch: filemem.Session) -> Iterator[None]:
    yield
    await_true(lambda: held(watch) == 0)
    await_true(lambda: not any(pool.private for pool in watch.pools()))


def test_each_is_a_page_or_three() -> None:
    sources = list(Path(os.environ["FILEMEM_EXAMPLE_SOURCES"]).glob("*.c"))
    assert len(sources) >= 4
    for source in sources:
        assert len(source.read_text().splitlines()) < 150, source


# ---- search -----------------------------------------------------------------------------------------


def lines(count: int) -> bytes:
    words = [b"needle", b"hay", b"straw", b"needles and hay needle", b""]
    chosen = random.Random(1).choices(words, k=count)
    return b"\n".join(chosen)


@pytest.mark.parametrize("consumers", ["1", "3", "8"])
@pytest.mark.parametrize("count", [1, 5, 200_000, 2_000_000])
def test_search_counts_as_grep_does(daemon: Daemon, count: int, consumers: str) -> None:
    data = lines(count)
    found = run(daemon, "filemem-search", "needle", consumers, data=data)
    expected = subprocess.run(["grep", "-cF", "needle"], input=data, capture_output=True).stdout
    assert (found.returncode, found.stdout, found.stderr) == (0, expected, b"")


def test_search_in_nothing(daemon: Daemon) -> None:
    assert run(daemon, "filemem-search", "needle").stdout == b"0\n"


def test_search_refuses_what_it_cannot_do(daemon: Daemon) -> None:
    assert run(daemon, "filemem-search").returncode == 2
    assert run(daemon, "filemem-search", "x", "9").returncode == 2
    long = run(daemon, "filemem-search", "x", data=b"a" * (3 << 20))
    assert long.returncode == 1 and b"a line is too long" in long.stderr


# ---- bodies -----------------------------------------------------------------------------------------


@pytest.fixture
def server(daemon: Daemon, tmp_path: Path) -> Iterator[str]:
    path = str(tmp_path / "bodies.sock")
    environment = {**os.environ, "FILEMEM_SOCKET": daemon.socket}
    environment.pop("LD_PRELOAD", None)
    process = subprocess.Popen([str(EXAMPLES / "filemem-bodies"), "serve", path], env=environment)
    await_true(lambda: os.path.exists(path) and process.poll() is None)
    yield path
    assert process.poll() is None
    process.kill()
    process.wait()


def count(daemon: Daemon, server: str, path: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "FILEMEM_SOCKET": daemon.socket}
    environment.pop("LD_PRELOAD", None)
    with open(path, "rb") as body:
        command = [str(EXAMPLES / "filemem-bodies"), "count", server]
        return subprocess.Popen(command, env=environment, stdin=body, stdout=subprocess.PIPE)


def test_bodies_of_many_clients(daemon: Daemon, server: str, tmp_path: Path) -> None:
    clients = []
    for i in range(12):
        path = tmp_path / str(i)
        path.write_bytes(b"line\n" * (i * 50_000) + b"rest")
        clients.append(count(daemon, server, path))
    for i, client in enumerate(clients):
        assert client.communicate()[0] == b"%d\n" % (i * 50_000)
        assert client.returncode == 0


def test_bodies_refuses_what_cannot_be(daemon: Daemon, server: str, tmp_path: Path, watch: filemem.Session) -> None:
    memory = watch.allocate(4096)
    memory.view()[:] = b"\n" * 4096
    start, end = memory.range.start, memory.range.end
    for request in [(0, 0, 0), (start, end, 4097), (end, start, 1), (start + 1, end, 1), (1 << 40, (1 << 40) + 4096, 1)]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            await_true(lambda: client.connect_ex(server) == 0)
            client.send(struct.pack("QQQ", *request))
            assert client.recv(8) == b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.connect(server)
        client.send(b"half")
        assert client.recv(8) == b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.connect(server)
        for length in (4096, 7):
            client.send(struct.pack("QQQ", start, end, length))
            assert struct.unpack("Q", client.recv(8)) == (length,)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.connect(server)
        client.send(struct.pack("QQQ", start, end, 4096))  # and does not wait
    memory.release()


# ---- thumbnail --------------------------------------------------------------------------------------


def image(width: int, height: int, pixels: bytes) -> bytes:
    return b"P5\n%d %d\n255\n" % (width, height) + pixels


@pytest.mark.parametrize("width,height", [(4, 4), (43, 21), (1000, 700)])
def test_thumbnail(daemon: Daemon, width: int, height: int) -> None:
    pixels = random.Random(2).randbytes(width * height)
    small = bytearray()
    for y in range(height // 4):
        for x in range(width // 4):
            cells = [pixels[(4 * y + i // 4) * width + 4 * x + i % 4] for i in range(16)]
            small.append(sum(cells) // 16)
    done = run(daemon, "filemem-thumbnail", data=image(width, height, pixels))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == image(width // 4, height // 4, bytes(small))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"P5",
        b"GIF89a" + b"\0" * 1000,
        image(4, 4, b"\0" * 15),
        image(4, 4, b"\0" * 17),
        image(3, 3, b"\0" * 9),
        image(1 << 16, 1 << 16, b"\0" * 16),
        b"P5 4294967297 4294967297 255\n\0",
        b"P5 -1 -1 255\n\0",
        b"P5 0 0 255\n",
    ],
)
def test_thumbnail_of_what_is_none(daemon: Daemon, data: bytes) -> None:
    done = run(daemon, "filemem-thumbnail", data=data)
    assert done.returncode == 1 and done.stdout == b"" and b"filemem-thumbnail: sandbox: " in done.stderr


# ---- cache ------------------------------------------------------------------------------------------


def bsd_sum(data: bytes) -> int:
    total = 0
    for byte in data:
        total = ((total >> 1) + ((total & 1) << 15) + byte) & 0xFFFF
    return total


@pytest.mark.skipif(not (EXAMPLES / "filemem-cache").exists(), reason="was built without jemalloc, so there are no heaps")
@pytest.mark.parametrize("limit", [1 << 20, 60_000])
def test_cache(daemon: Daemon, tmp_path: Path, limit: int) -> None:
    names = []
    expected = []
    for i, length in enumerate([1, 0, 4096, 5000, 20_000, 17, 16_384, 12_345, 8192, 3]):
        path = tmp_path / str(i)
        data = random.Random(i).randbytes(length)
        path.write_bytes(data)
        names.append(str(path))
        expected.append(f"{bsd_sum(data):05} {length} {path}")
    done = run(daemon, "filemem-cache", str(limit), *names)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.decode().splitlines()) == sorted(4 * expected)
    if limit == 1 << 20:
        assert done.stderr == b"10 files read\n"


def test_cache_refuses(daemon: Daemon, tmp_path: Path) -> None:
    if not (EXAMPLES / "filemem-cache").exists():
        pytest.skip("was built without jemalloc, so there are no heaps")
    assert run(daemon, "filemem-cache", "1").returncode == 1
    gone = run(daemon, "filemem-cache", "1000", "/nonexistent")
    assert gone.returncode == 1 and b"/nonexistent: does not go into the cache" in gone.stderr
    large = tmp_path / "large"
    large.write_bytes(b"x" * 1001)
    assert run(daemon, "filemem-cache", "1000", str(large)).returncode == 1
