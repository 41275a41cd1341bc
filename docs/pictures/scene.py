# SPDX-License-Identifier: Apache-2.0
"""A pool that somebody works in, always the same: for pictures. Says "ready", and stays until its
input ends. draw starts it."""
import random
import sys
import time

from filemem import Kind, Session

K = 1 << 10
M = 1 << 20

dice = random.Random(2018)
kept = []


def fill(reference, share):
    """Touches the first part of a range, as programs mostly do."""
    view = reference.view()
    length = int(len(view) * share) // (4 * K) * 4 * K
    view[:length] = b'\1' * length


def work(session, kind, lengths, steps, freed, shares):
    """Allocates, touches, and frees some of it again."""
    own = []
    for _ in range(steps):
        own.append(session.allocate(dice.choice(lengths), kind))
        fill(own[-1], dice.choice(shares))
        if dice.random() < freed:
            own.pop(dice.randrange(len(own))).release()
    kept.extend(own)


database, loader, browser = (Session(label=label) for label in ('database', 'loader', 'browser'))
shared = database.allocate(24 * M, Kind.PAGE_CACHE)
fill(shared, 1)
kept.append(shared)
kept.append(loader.incref(shared.range))
for _ in range(4):
    work(database, Kind.PAGE_CACHE, [256 * K, 1 * M], 14, 0.2, [1])
    work(browser, Kind.ANONYMOUS, [4 * K, 64 * K, 512 * K, 2 * M], 40, 0.45, [0, 0.3, 1, 1])
    work(loader, Kind.TMPFS, [2 * M, 4 * M], 3, 0.4, [0.5, 1])
    work(browser, Kind.MAPPED, [128 * K, 1 * M], 6, 0.3, [0.1, 0.8])
    work(loader, Kind.RAMDISKFS, [1 * M], 2, 0.3, [1])
    work(database, Kind.SYSTEM, [32 * K, 256 * K], 4, 0.3, [0.5, 1])
for _ in range(len(kept) // 4):
    kept.pop(dice.randrange(2, len(kept))).release()
while browser.usage().reclaimable:
    time.sleep(0.05)
forgotten = database.allocate(16 * M, Kind.ANONYMOUS)
fill(forgotten, 0.15)
kept.append(forgotten)
print('ready', flush=True)
sys.stdin.read()
