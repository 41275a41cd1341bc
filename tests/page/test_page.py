# SPDX-License-Identifier: Apache-2.0
"""The page of filemem-exporter in a real browser, beside a real daemon with real sessions."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from typing import Iterator

import pytest

import filemem
from browser import Browser

MIB = 1 << 20
HOSTILE = "<img src=x onerror=alert(1)>"


class World:
    """A daemon, an exporter, a browser, and sessions that hold something."""

    def __init__(self, folder: str) -> None:
        self.socket = os.path.join(folder, "filemem.sock")
        self.config = os.path.join(folder, "filememd.conf")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write("[pool default]\ncapacity = 256M\njoin = *\n[pool second]\ncapacity = 64M\njoin = *\n")
        self.start_daemon()
        self.exporter = subprocess.Popen(
            [os.environ["FILEMEM_EXPORTER"], "--socket", self.socket, "--listen", "127.0.0.1:0"],
            stderr=subprocess.PIPE, text=True)
        assert self.exporter.stderr
        found = re.match(r"http://127\.0\.0\.1:\d+/", self.exporter.stderr.readline())
        assert found
        self.url = found.group(0)
        self.fill()
        self.browser = Browser()

    def start_daemon(self) -> None:
        self.daemon = subprocess.Popen(
            [os.environ["FILEMEM_DAEMON"], "--foreground", "--socket", self.socket, "--config", self.config],
            stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while True:
            try:
                filemem.Session(self.socket, no_pool=True).close()
                return
            except filemem.FilememError:
                assert time.monotonic() < deadline
                time.sleep(0.02)

    def fill(self) -> None:
        self.held: list[object] = []
        for i, (label, kind) in enumerate([("renderer", filemem.Kind.ANONYMOUS), ("page cache", filemem.Kind.PAGE_CACHE),
                                           (HOSTILE, filemem.Kind.TMPFS), ("decoder of films", filemem.Kind.MAPPED)]):
            session = filemem.Session(self.socket, label=label)
            self.held.append(session)
            for part in range(6):
                reference = session.allocate((i + 1) * (part + 1) * 64 * 1024, kind)
                if part % 3 == 0:
                    session.view(reference.range)[:] = bytes(reference.range.end - reference.range.start)
                if part != 4:
                    self.held.append(reference)
        self.held.append(filemem.Session(self.socket, pool="second", label="in the second"))

    def close(self) -> None:
        self.browser.close()
        self.exporter.send_signal(signal.SIGTERM)
        assert self.exporter.wait(30) == 0
        assert self.exporter.stderr
        self.exporter.stderr.close()
        self.held.clear()
        self.daemon.terminate()
        self.daemon.wait(30)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="filemem-page.") as folder:
        world = World(folder)
        yield world
        world.close()


@pytest.fixture
def page(world: World) -> Browser:
    browser = world.browser
    browser.events.clear()
    browser.resize(1280, 900)
    browser.prefer("light")
    browser.open(world.url)
    browser.wait("document.querySelectorAll('#sessions tbody tr').length >= 5 && document.querySelector('#gaps').textContent")
    return browser


def keep_picture(page: Browser, name: str) -> None:
    """Where somebody wants to look at it."""
    folder = os.environ.get("FILEMEM_PICTURES")
    if folder:
        page.take_picture(os.path.join(folder, name + ".png"))


def labels(page: Browser) -> list[str]:
    return list(page.run("[...document.querySelectorAll('#sessions tbody th')].map(e => e.textContent)"))


def test_it_shows_what_there_is(page: Browser) -> None:
    assert page.run("document.querySelector('#state').textContent") == "up"
    assert labels(page)[:2] == ["decoder of films", HOSTILE]
    assert page.run("[...document.querySelectorAll('#pools tbody th')].map(e => e.textContent)") == ["default", "second"]
    assert page.run("document.querySelectorAll('#durations tbody tr').length") >= 3
    keep_picture(page, "light")


def test_texts_of_others_are_only_text(page: Browser) -> None:
    assert HOSTILE in labels(page)
    assert page.run("document.images.length") == 0


def test_it_loads_nothing_from_elsewhere_and_nothing_complains(page: Browser, world: World) -> None:
    time.sleep(2.5)
    assert page.complaints() == []
    elsewhere = [a for a in page.addresses() if not a.startswith(world.url) and not a.startswith("data:")]
    assert elsewhere == []


def test_it_goes_on_by_itself(page: Browser, world: World) -> None:
    before = page.run("document.querySelector('#totals').textContent")
    with filemem.Session(world.socket, label="newcomer") as session, session.allocate(40 * MIB, filemem.Kind.RAMDISKFS):
        page.wait("[...document.querySelectorAll('#sessions tbody th')][0].textContent === 'newcomer'")
        assert page.run("document.querySelector('#totals').textContent") != before
    page.wait("![...document.querySelectorAll('#sessions tbody th')].some(e => e.textContent === 'newcomer')")


def test_it_can_be_paused(page: Browser) -> None:
    page.run("document.querySelector('#pause').click()")
    assert page.run("document.querySelector('#pause').getAttribute('aria-pressed')") == "true"
    time.sleep(1.2)
    before = page.run("last.totals.now")
    time.sleep(1.5)
    assert page.run("last.totals.now") == before
    page.run("document.querySelector('#pause').click()")
    page.wait(f"last.totals.now > {before}")


def test_all_of_it_is_reached_by_the_keyboard(page: Browser) -> None:
    seen: list[str] = []
    for _ in range(14):
        page.press("Tab")
        seen.append(page.run("document.activeElement.id || document.activeElement.textContent"))
    assert seen[:4] == ["pause", "pool", "map", "Session"]
    assert "Idle" in seen


def test_sessions_are_sorted_by_a_key(page: Browser) -> None:
    page.run("document.querySelector('#sessions thead button').focus()")
    page.press("Enter")
    names = labels(page)
    assert page.run("document.querySelector('#sessions thead th').getAttribute('aria-sort')") == "ascending"
    assert names.index("decoder of films") < names.index("page cache") < names.index("renderer")
    page.press("Enter")
    names = labels(page)
    assert page.run("document.querySelector('#sessions thead th').getAttribute('aria-sort')") == "descending"
    assert names.index("renderer") < names.index("page cache")
    assert page.run("document.activeElement.textContent") == "Session"


def test_the_map_is_walked_and_tells_where_one_is(page: Browser) -> None:
    page.run("document.querySelector('#map').focus()")
    first = page.run("document.querySelector('#cell').textContent")
    assert first.startswith("0 B to ") and "held" in first
    page.press("ArrowRight")
    assert page.run("document.querySelector('#cell').textContent") != first
    page.press("End")
    assert page.run("cursor") == page.run("map.cells.length - 1")
    page.press("Home")
    assert page.run("document.querySelector('#cell').textContent") == first


def test_another_pool_has_another_map(page: Browser) -> None:
    page.run("const s = document.querySelector('#pool'); s.value = 'second'; s.dispatchEvent(new Event('change'))")
    page.wait("map && map.pool === 'second'")
    assert page.run("map.cells.every(c => c[1] === 0)")


def test_who_cannot_see_is_told(page: Browser) -> None:
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    named = {(n.get("role", {}).get("value"), n.get("name", {}).get("value", "")) for n in tree if not n.get("ignored")}
    roles = {role for role, _ in named}
    assert {"heading", "table", "status", "button", "combobox", "columnheader", "rowheader"} <= roles
    assert ("heading", "Sessions") in named and ("button", "Pause") in named
    assert any(role == "application" and "Arrow keys" in name for role, name in named)
    assert any(role in ("image", "img") and "committed" in name for role, name in named)
    assert page.run("[...document.querySelectorAll('button,select,canvas')].every(e => e.textContent || e.labels?.length || e.ariaLabel)")


CONTRAST = """
(() => {
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map(v => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
    return .2126 * r + .7152 * g + .0722 * b; };
  const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!c.endsWith(', 0)')) return c; } return 'rgb(255, 255, 255)'; };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let worst = 21;
  for (let n; (n = walker.nextNode());) {
    const e = n.parentElement;
    if (!n.textContent.trim() || !e.offsetParent || e.closest('script')) continue;
    const a = light(getComputedStyle(e).color), b = light(ground(e));
    worst = Math.min(worst, (Math.max(a, b) + .05) / (Math.min(a, b) + .05));
  }
  return worst;
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_ground(page: Browser, scheme: str) -> None:
    page.prefer(scheme)
    assert page.run("matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")
    assert page.run(CONTRAST) >= 4.5
    keep_picture(page, scheme)


@pytest.mark.parametrize("width", [320, 390, 768])
def test_nothing_is_wider_than_a_phone(page: Browser, width: int) -> None:
    page.resize(width, 844, 2, True)
    page.wait(f"innerWidth === {width}")
    time.sleep(1.2)
    assert page.run("document.documentElement.scrollWidth") <= width
    assert page.run("[...document.querySelectorAll('button,select')].every(e => !e.offsetParent || e.getBoundingClientRect().height >= 24)")
    keep_picture(page, f"phone-{width}")


def test_a_daemon_that_went_away_is_told_and_comes_back(page: Browser, world: World) -> None:
    world.daemon.kill()
    world.daemon.wait()
    page.wait("document.querySelector('#state').textContent === 'down' && !document.querySelector('#banner').hidden")
    keep_picture(page, "down")
    world.held.clear()
    world.start_daemon()
    page.wait("document.querySelector('#state').textContent === 'up' && document.querySelector('#banner').hidden")
    assert page.complaints() == []
