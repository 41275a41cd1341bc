# SPDX-License-Identifier: Apache-2.0
"""What systemd does for filememd, for tests without root and without systemd.

Socket activation, notifications, the descriptor store over a restart, and the watchdog's clock. It
does what systemd 252 was seen to do: the store is handed over newest first, what does not fit into
it is dropped and nobody told, and the same name twice is two entries. It does not drop connections
whose peer has hung up, as systemd does of what was stored without FDPOLL=0.
"""
import array
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time


class FakeSystemd:
    """Runs argv as a service whose socket is at `path`."""

    def __init__(self, argv, path, store_max=512, watchdog_usec=0, name="listen"):
        self.argv, self.store_max, self.watchdog_usec = argv, store_max, watchdog_usec
        self.name = name
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(path)
        self.listener.listen(128)
        self.folder = tempfile.mkdtemp()
        self.notify_path = self.folder + "/notify"
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.notify.bind(self.notify_path)
        self.store = []  # (descriptor, name, poll), newest first
        self.messages = []  # (pid, {key: value}) in the order in which they came
        self.arrived = threading.Condition()
        self.heard_at = 0.0
        self.process = None
        threading.Thread(target=self._listen, daemon=True).start()

    # ---- the service ----------------------------------------------------------------------------

    def start(self, stderr=None):
        with self.arrived:
            self.messages = []
            store = list(self.store)
        descriptors = [self.listener.fileno()] + [entry[0] for entry in store]
        names = [self.name] + [entry[1] for entry in store]
        environment = dict(
            os.environ,
            NOTIFY_SOCKET=self.notify_path,
            LISTEN_FDS=str(len(descriptors)),
            LISTEN_FDNAMES=":".join(names),
        )
        environment.pop("WATCHDOG_USEC", None)
        if self.watchdog_usec:
            environment["WATCHDOG_USEC"] = str(self.watchdog_usec)

        def place():
            # First all out of the way of the numbers from 3 on, then each to its own.
            away = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 512) for fd in descriptors]
            for i, fd in enumerate(away):
                os.dup2(fd, 3 + i, inheritable=True)

        # The environment has to hold the process' own number: a shell knows it, and becomes it.
        wrap = ["/bin/sh", "-c", 'LISTEN_PID=$$ WATCHDOG_PID=$$ exec "$@"', "sh"]
        self.process = subprocess.Popen(
            wrap + self.argv, env=environment, preexec_fn=place, close_fds=False, stderr=stderr
        )
        self.heard_at = time.monotonic()
        return self

    def kill(self, number, timeout=60):
        """Returns what Popen calls the exit code: -N for signal N."""
        self.process.send_signal(number)
        return self.process.wait(timeout)

    def watchdog_expired(self):
        return self.watchdog_usec and time.monotonic() - self.heard_at > self.watchdog_usec / 1e6

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.listener.close()
        with self.arrived:
            for entry in self.store:
                os.close(entry[0])
            self.store = []
        shutil.rmtree(self.folder)

    # ---- what it has said -----------------------------------------------------------------------

    def wait(self, wanted, timeout=60):
        """Waits until wanted(messages since the start) is true, and returns that."""
        end = time.monotonic() + timeout
        with self.arrived:
            while True:
                found = wanted([message for _, message in self.messages])
                if found:
                    return found
                if not self.arrived.wait(end - time.monotonic()):
                    said = [message for _, message in self.messages]
                    raise AssertionError("not within %g s; it said %r" % (timeout, said))

    def wait_for(self, key, value=None, after=0, timeout=60):
        """The first message with the key, and the value if one is said, of those from `after` on.
        Returns its index."""

        def wanted(messages):
            for i, message in enumerate(messages[after:], after):
                if key in message and value in (None, message[key]):
                    return [i]
            return None

        return self.wait(wanted, timeout)[0]

    def wait_ready(self, timeout=60):
        self.wait_for("READY", "1", timeout=timeout)
        return self

    def count(self, key):
        with self.arrived:
            return sum(key in message for _, message in self.messages)

    def message(self, index):
        with self.arrived:
            return self.messages[index][1]

    def names(self):
        with self.arrived:
            return [entry[1] for entry in self.store]

    # ---- hearing it -----------------------------------------------------------------------------

    def _listen(self):
        while True:
            data, ancillary, _, _ = self.notify.recvmsg(4096, 8192)
            descriptors, pid = array.array("i"), None
            for _, kind, body in ancillary:
                if kind == socket.SCM_RIGHTS:
                    descriptors.frombytes(body[: len(body) // 4 * 4])
                elif kind == socket.SCM_CREDENTIALS:
                    pid = int.from_bytes(body[:4], sys.byteorder)
            lines = data.decode().splitlines()
            message = dict(line.split("=", 1) for line in lines if "=" in line)
            with self.arrived:
                for fd in self._keep(message, list(descriptors)):
                    os.close(fd)  # BARRIER=1: that it is closed is the answer
                if "WATCHDOG" in message or message.get("READY") == "1":
                    self.heard_at = time.monotonic()
                self.messages.append((pid, message))
                self.arrived.notify_all()

    def _keep(self, message, descriptors):
        """Returns the descriptors that are not stored."""
        name = message.get("FDNAME", "stored")
        if message.get("FDSTOREREMOVE") == "1":
            gone = [entry for entry in self.store if entry[1] == name]
            self.store = [entry for entry in self.store if entry[1] != name]
            return descriptors + [entry[0] for entry in gone]
        if message.get("FDSTORE") != "1":
            return descriptors
        room = max(0, self.store_max - len(self.store))
        for fd in descriptors[:room]:
            self.store.insert(0, (fd, name, message.get("FDPOLL") != "0"))
        return descriptors[room:]
