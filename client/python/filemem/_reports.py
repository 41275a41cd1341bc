# SPDX-License-Identifier: Apache-2.0
"""What the daemon tells about its memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

from ._library import CPool, CUsage, Kind, PoolState

_NEVER = (1 << 64) - 1


@dataclass(frozen=True)
class Usage:
    """Where the memory of a pool has gone, in bytes."""

    allocated: Mapping[Kind, int]
    """Ranges that somebody holds."""
    committed: Mapping[Kind, int]
    """Of these, what the kernel stores in RAM or swap."""
    reclaimable: int
    """Freed and not yet given back."""
    reclaimable_committed: int
    stray: int
    """Committed outside every range."""
    total: int
    """Stored for the pool's file."""
    swapped: int
    """Of the total, as far as the kernel tells."""
    age_ns: int | None
    """Of the committed numbers; None: never scanned."""
    exact: bool
    """Committed is what the last scan counted, not divided."""

    @classmethod
    def _from_c(cls, c: CUsage) -> Usage:
        return cls(
            allocated={kind: int(c.allocated[kind]) for kind in Kind},
            committed={kind: int(c.committed[kind]) for kind in Kind},
            reclaimable=c.reclaimable,
            reclaimable_committed=c.reclaimable_committed,
            stray=c.stray,
            total=c.total,
            swapped=c.swapped,
            age_ns=None if c.age_ns == _NEVER else c.age_ns,
            exact=c.exact,
        )


@dataclass(frozen=True)
class Pool:
    """A pool, sizes in bytes."""

    id: int
    name: str
    state: PoolState
    private: bool
    uid: int
    """Of a private pool: who made it."""
    capacity: int
    size: int
    page_size: int
    hugepage_size: int
    chunk_size: int
    exec: bool
    zero_verify: bool
    huge_advise: bool
    entries: int
    sessions: int
    metadata: int
    allocated: int
    committed: int
    leased: int
    """Of the allocated bytes: being prepared, not handed out yet."""

    @classmethod
    def _from_c(cls, c: CPool) -> Pool:
        return cls(
            id=c.id,
            name=c.name.decode(errors="replace"),
            state=PoolState(c.state),
            private=c.private_pool,
            uid=c.uid,
            capacity=c.capacity,
            size=c.size,
            page_size=c.page_size,
            hugepage_size=c.hugepage_size,
            chunk_size=c.chunk_size,
            exec=c.exec,
            zero_verify=c.zero_verify,
            huge_advise=c.huge_advise,
            entries=c.entries,
            sessions=c.sessions,
            metadata=c.metadata,
            allocated=c.allocated,
            committed=c.committed,
            leased=c.leased,
        )
