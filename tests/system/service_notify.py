#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the daemon tells systemd, and when: the real daemon under an imitation of systemd.

    service_notify.py BUILD_FOLDER
"""
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "support"))
from fake_systemd import FakeSystemd  # noqa: E402

build = sys.argv.pop(1) if len(sys.argv) > 1 else sys.exit(__doc__)


class Notify(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.socket = self.folder.name + "/filemem.sock"
        self.config = self.folder.name + "/filememd.conf"
        self.write_config("[pool default]\ncapacity = 1G\n")

    def write_config(self, text):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)

    def launch(self, **options):
        argv = [build + "/daemon/filememd", "--config", self.config]
        systemd = FakeSystemd(argv, self.socket, **options)
        self.addCleanup(systemd.close)
        with open(self.folder.name + "/log", "a", encoding="utf-8") as log:
            return systemd.start(stderr=log)

    def log(self):
        with open(self.folder.name + "/log", encoding="utf-8") as file:
            return file.read()

    def ctl(self, *words):
        argv = [build + "/client/cli/filememctl", "--socket", self.socket, *words]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)

    def test_ready_is_said_once_with_numbers_when_it_serves(self):
        systemd = self.launch().wait_ready()
        ready = systemd.message(systemd.wait_for("READY"))
        self.assertRegex(ready["STATUS"], r"^0 sessions in 1 pool; 0 MiB held, 0 MiB stored; 0 oper")
        self.assertEqual(self.ctl("ping").returncode, 0)
        self.assertEqual(systemd.count("READY"), 1)

    def test_ready_is_not_said_with_a_mistake_in_the_configuration(self):
        self.write_config("what = ever\n")
        systemd = self.launch()
        self.assertEqual(systemd.process.wait(60), 1)
        self.assertEqual(systemd.count("READY"), 0)

    def test_status_is_refreshed_and_not_at_each_event(self):
        systemd = self.launch().wait_ready()
        begun = time.monotonic()
        for _ in range(20):
            self.assertEqual(self.ctl("ping").returncode, 0)

        def requests(message):
            return int(message.get("STATUS", "0").split("; ")[-1].split()[0])

        systemd.wait(lambda messages: max(requests(message) for message in messages) >= 20)
        self.assertLessEqual(systemd.count("STATUS"), 2 + (time.monotonic() - begun) / 5)

    def test_watchdog_is_pinged_several_times_in_its_time(self):
        systemd = self.launch(watchdog_usec=1000000).wait_ready()
        systemd.wait(lambda messages: sum("WATCHDOG" in m for m in messages) >= 6)
        self.assertFalse(systemd.watchdog_expired())

    def test_without_a_watchdog_none_is_pinged(self):
        systemd = self.launch().wait_ready()
        systemd.wait_for("STATUS", after=1)
        self.assertEqual(systemd.count("WATCHDOG"), 0)

    def test_stopped_daemon_does_not_ping(self):
        systemd = self.launch(watchdog_usec=500000).wait_ready()
        systemd.process.send_signal(signal.SIGSTOP)
        end = time.monotonic() + 10
        while not systemd.watchdog_expired():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)
        self.assertEqual(systemd.kill(signal.SIGKILL), -9)

    def test_reload_is_said_from_its_begin_to_its_end(self):
        systemd = self.launch().wait_ready()
        for text, line in (
            ("[pool more]\ncapacity = 1G\n", "was read again"),
            ("what = ever\n", "was not read again"),
        ):
            begun = len(systemd.messages)
            self.write_config(text)
            systemd.process.send_signal(signal.SIGHUP)
            reloading = systemd.wait_for("RELOADING", "1", after=begun)
            self.assertGreater(int(systemd.message(reloading)["MONOTONIC_USEC"]), 0)
            systemd.wait_for("READY", "1", after=reloading)
            self.assertIn(line, self.log())

    def test_client_cannot_flood_the_log_and_what_is_left_out_is_said(self):
        self.launch().wait_ready()
        begun = time.monotonic()
        for _ in range(300):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
                client.connect(self.socket)
                client.send(b"what is this")
                self.assertGreater(len(client.recv(65536)), 0)  # Goodbye
        # Ten lines in ten seconds, and that is what it took, where the machine has nothing else to do.
        most = 10 * (1 + int((time.monotonic() - begun) / 10))
        left_out = r"left out (\d+) more lines of the kind SESSION_ENDED, which user %d" % os.getuid()
        end = time.monotonic() + 60
        while True:
            written = self.log().count("ended session")
            if written + sum(int(number) for number in re.findall(left_out, self.log())) == 300:
                break
            self.assertLess(time.monotonic(), end, self.log())
            time.sleep(0.2)
        self.assertGreaterEqual(written, 10)
        self.assertLessEqual(written, most)

    def test_stopping_is_said_before_the_end(self):
        systemd = self.launch().wait_ready()
        self.assertEqual(systemd.kill(signal.SIGTERM), 0)
        systemd.wait_for("STOPPING", "1")

    def test_started_again_it_serves_at_the_same_socket(self):
        systemd = self.launch().wait_ready()
        self.assertEqual(self.ctl("ping").returncode, 0)
        self.assertEqual(systemd.kill(signal.SIGKILL), -9)
        waiting = subprocess.Popen(
            [build + "/client/cli/filememctl", "--socket", self.socket, "ping"],
            stdout=subprocess.DEVNULL,
        )
        systemd.start().wait_ready()
        self.assertEqual(waiting.wait(60), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
