#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every kind of line in daemon/base/log_events.h is used, and explained wherever people look.

    log_documented.py SOURCE_FOLDER
"""
import pathlib
import re
import sys
import unittest

source = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else sys.exit(__doc__))


def read(name):
    return (source / name).read_text(encoding="utf-8")


kinds = re.findall(r"X\((\w+), (\w+), (\w+),\s+\"([^\"]*)\"\)", read("daemon/base/log_events.h"))


class Documented(unittest.TestCase):
    def test_header_is_understood(self):
        self.assertEqual(len(kinds), read("daemon/base/log_events.h").count("        X("))
        self.assertGreater(len(kinds), 20)

    def test_ids_are_ids_and_no_two_are_the_same(self):
        ids = [kind[3] for kind in kinds]
        for identity in ids:
            self.assertRegex(identity, r"^[0-9a-f]{32}$")
        self.assertEqual(len(ids), len(set(ids)))

    def test_every_kind_is_used(self):
        code = "".join(path.read_text(encoding="utf-8") for path in source.glob("daemon/**/*.c"))
        for name, *_ in kinds:
            self.assertRegex(code, r"\bLOG_%s\b" % name)

    def test_operations_page_has_all_and_no_other(self):
        rows = re.findall(
            r"^\| `(\w+)`( \*)?<br>`([0-9a-f]+)` \| [^|]+ \| [^|]+ \|$",
            read("docs/operations.md"),
            re.MULTILINE,
        )
        wanted = [(name, " *" if cause == "CLIENT" else "", i) for name, _, cause, i in kinds]
        self.assertCountEqual(rows, wanted)

    def test_man_page_has_all_and_no_other(self):
        page = read("docs/man/filememd.8")
        part = page[page.index(".SH LOGGING") : page.index(".SH FILES")]
        titles = {"ERROR": "Errors", "WARNING": "Warnings", "INFO": "Information"}
        titles["DEBUG"] = "Debugging"
        found, title = [], None
        for line in part.splitlines():
            if line.startswith(".SS "):
                title = line[4:]
            entry = re.fullmatch(r"\.BR ([A-Z_]+)( \" \*\")?", line)
            if entry and title:
                found.append((entry[1], title, bool(entry[2])))
        wanted = [(name, titles[level], cause == "CLIENT") for name, level, cause, _ in kinds]
        self.assertCountEqual(found, wanted)

    def test_catalog_has_all_and_no_other(self):
        entries = re.split(r"^-- ", read("systemd/filemem.catalog"), flags=re.MULTILINE)[1:]
        self.assertCountEqual([entry.split()[0] for entry in entries], [kind[3] for kind in kinds])
        for entry in entries:
            header, _, text = entry.partition("\n\n")
            self.assertRegex(header, r"\nSubject: \w.*\nDefined-By: filemem\n")
            self.assertGreater(len(text.strip()), 20, entry)
            for field in re.findall(r"@(\w+)@", entry):
                self.assertIn(field, ("FILEMEM_POOL", "FILEMEM_UID", "FILEMEM_SESSION"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
