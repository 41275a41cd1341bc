# SPDX-License-Identifier: Apache-2.0
"""Memory from filememd, the memory server of this host.

    import filemem, numpy

    with filemem.Session() as session:
        memory = session.allocate(1 << 20)
        numbers = numpy.frombuffer(memory.view(), dtype=numpy.float64)  # no copy
        numbers[:] = 1
        queue.put(memory.range)                  # another process: session.incref(queue.get())

A *session* is one connection to the daemon and is in one pool, which is one memfd. A *range* is a part
of that pool's file: a plain value that can be sent to anybody. A *reference* keeps the memory of a range;
when nobody has one any more the memory goes back to the kernel.

Lifetimes. A reference is given up by Reference.release(), at the end of its `with` block, or when it is
garbage; a session ends in the same three ways. A view keeps both until it is gone itself, with all that
was made from it, such as numpy arrays: no order of things leads to a view of memory that is not there.

Processes. After os.fork() the child's calls fail with ECHILD, its views stay good, and its end disturbs
nobody. So a child opens a session of its own, or is given a peer; see Session.open_peer().

Threads. All may be used by any thread; a thread that waits for the daemon has let go of the interpreter.

Errors are FilememError, with the daemon's own sentence.

The package is made of libfilemem.so.0 and ctypes. It is looked for at $FILEMEM_LIBRARY if that is set, else
where the package was installed with it, else where the system's loader looks.
"""

from ._library import FilememError, Kind, Mode, PoolState
from ._range import Range, Reference
from ._reports import Pool, Usage
from ._session import Session

__all__ = [
    "FilememError",
    "Kind",
    "Mode",
    "Pool",
    "PoolState",
    "Range",
    "Reference",
    "Session",
    "Usage",
]
