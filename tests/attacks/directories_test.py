#!/usr/bin/env python3
"""Data directories and backups of somebody who means harm: whatever stands there ends verify, dump, restore and a node's
start with a sentence, within bounded time and memory, and nothing is followed, waited for or overwritten.

usage: directories_test.py [BUILD] [unittest's arguments]
"""

import glob
import os
import shutil
import socket
import struct
import sys
import unittest

from hostile import NOBODY, Place, build_of, raw_in, run

BUILD = build_of(sys.argv)
CONTINUO = os.path.join(BUILD, "continuo")
ORDER_NODE = os.path.join(BUILD, "examples", "order_fulfilment", "order-node")
HUGE = 100 << 30  # bytes, of a file without any
SENTENCES = (2, 3, 4, 6)  # exit codes that say what is wrong, see docs/operations.md


# -- what is done to a file -------------------------------------------------------------------------------------------


def a_fifo(path):
    os.remove(path)
    os.mkfifo(path)


def a_socket(path):
    os.remove(path)
    with socket.socket(socket.AF_UNIX) as one:
        where = os.getcwd()
        os.chdir(os.path.dirname(path))  # its address may have 107 bytes
        one.bind(os.path.basename(path))
        os.chdir(where)


def a_device(path):
    os.remove(path)
    os.mknod(path, 0o20666, os.makedev(1, 5))  # /dev/zero


def a_link(path):
    os.remove(path)
    os.symlink("/dev/zero", path)


def a_link_to_itself(path):
    os.rename(path, path + ".aside")
    os.symlink(path + ".aside", path)


def a_directory(path):
    os.remove(path)
    os.mkdir(path)


def nothing_in_it(path):
    os.truncate(path, 0)


def a_hole(path):
    with open(path, "r+b") as file:
        file.truncate(0)
        file.truncate(HUGE)


def a_hole_behind_it(path):
    os.truncate(path, HUGE)


def noise(path):
    size = min(os.path.getsize(path), 1 << 16)
    with open(path, "r+b") as file:
        file.write(bytes(i * 167 % 251 for i in range(size)))


def nobody_may_read_it(path):
    os.chmod(path, 0)


KINDS = [a_fifo, a_socket, a_link, a_link_to_itself, a_directory, nothing_in_it, a_hole, a_hole_behind_it, noise]
if os.geteuid() == 0:
    KINDS.append(a_device)
else:
    KINDS.append(nobody_may_read_it)


# -- what is done to a directory --------------------------------------------------------------------------------------


def deep(path):
    where = os.open(path, os.O_RDONLY)
    for _ in range(100):  # its path is longer than any system call takes
        os.mkdir("d" * 100, dir_fd=where)
        below = os.open("d" * 100, os.O_RDONLY, dir_fd=where)
        os.close(where)
        where = below
    os.close(where)


def names_that_steer_a_terminal(path):
    for name in ("\x1b]0;owned\x07.log", "two\nlines.log", "\u0085\u202e.log", "\x1b[2J.sst"):
        with open(os.path.join(path, name), "w"):
            pass


def a_fifo_that_steers_a_terminal(path):
    os.mkfifo(os.path.join(path, "\x1b[2J\r\n\u202e\u0085"))


def many_files(path):
    for number in range(2_000):
        with open(os.path.join(path, f"{number:06}.sst"), "w"):
            pass


def emptied(path):
    for name in os.listdir(path):
        where = os.path.join(path, name)
        shutil.rmtree(where) if os.path.isdir(where) else os.remove(where)


def a_link_in_its_place(path):
    os.rename(path, path + ".aside")
    os.symlink(path + ".aside", path)


def a_file_in_its_place(path):
    shutil.rmtree(path)
    with open(path, "w"):
        pass


def a_long_log_of_rocksdb(path):
    for name in ("000900.log", "000901.blob", "OPTIONS-000902", "MANIFEST-000903", "IDENTITY"):
        with open(os.path.join(path, name), "w") as file:
            file.truncate(HUGE)


DIRECTORIES = [deep, names_that_steer_a_terminal, a_fifo_that_steers_a_terminal, many_files, emptied,
               a_link_in_its_place, a_file_in_its_place, a_long_log_of_rocksdb]


# -- what is written into a file --------------------------------------------------------------------------------------


def edited(change):
    def edit(path):
        with open(path, "rb") as file:
            before = file.read()
        with open(path, "wb") as file:
            file.write(change(before))

    return edit


LISTS = {
    "no number of files": lambda text: b"\n".join(text.split(b"\n")[:2]) + b"\n",
    "more files than memory": lambda text: b"\n".join([*text.split(b"\n")[:2], b"4294967295"]) + b"\n",
    "a negative number of files": lambda text: b"\n".join([*text.split(b"\n")[:2], b"-1"]) + b"\n",
    "a line without an end": lambda text: text + b"x" * (8 << 20),
    "files above": lambda text: text.replace(b"private/1/", b"private/1/../../../"),
    "files from the root": lambda text: text.replace(b"private/1/", b"/etc/"),
    "files with NUL": lambda text: text.replace(b"private/1/", b"private/1/\0"),
    "a table above": lambda text: text.replace(b"shared_checksum/", b"shared_checksum/../shared_checksum/../../"),
    "sizes that no disk has": lambda text: text.replace(b"crc32 ", b"size 18446744073709551615 crc32 "),
    "checksums that are none": lambda text: text.replace(b"crc32 ", b"crc32 -"),
    "words instead of numbers": lambda text: b"when\nwhere\nwhy\n",
    "a newer form": lambda text: b"schema_version 99.1\n" + text,
    "steering": lambda text: text.replace(b"private/1/", b"private/1/\x1b[2J\x07\xc2\x85"),
}

CURRENTS = {
    "above": b"../../../../../etc/passwd\n",
    "from the root": b"/dev/zero\n",
    "nothing": b"\n",
    "no end": b"MANIFEST-000001",
    "steering": b"\x1b[2J\r\x07\n",
    "NUL": b"MANIFEST-\0\n",
    "another": b"MANIFEST-999999\n",
    "a table": b"000009.sst\n",
}


# CRC-32C (RFC 3720, appendix B.4), masked as RocksDB's logs and manifests have it.


def crc_table():
    table = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
        table.append(number)
    return table


CRC_TABLE = crc_table()


def masked_crc(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records_of(manifest):
    """Where the records begin, each behind its checksum, length and kind, and how long they are."""
    at = 0
    while at + 7 <= len(manifest):
        (length,) = struct.unpack_from("<H", manifest, at + 4)
        yield at, length
        at += 7 + length


def forged(manifest, at, length, place):
    """With another byte in a record, and the checksum of that."""
    made = bytearray(manifest)
    made[at + 7 + place] = 1
    struct.pack_into("<I", made, at, masked_crc(made[at + 6:at + 7 + length]))
    return bytes(made)


class Directories(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        place = Place()
        cls.addClassCleanup(place.__exit__)
        cls.folder = place.path
        cls.whole = os.path.join(cls.folder, "whole")
        cls.backup = os.path.join(cls.folder, "backup")
        cls.node(cls.whole, 6)
        cls.node(cls.whole, 10)  # the tables hold the first orders, the log the others
        made = run(CONTINUO, "journal", "backup", cls.whole, cls.backup)
        assert made.code == 0, made

    @classmethod
    def node(cls, data, orders):
        ended = run(ORDER_NODE, "--data", data, "--generate", orders, "--ledgers", os.path.join(cls.folder, "ledgers"))
        return ended

    def copy_of(self, what):
        to = os.path.join(self.folder, "attacked")
        shutil.rmtree(to, ignore_errors=True)
        if os.path.lexists(to):
            os.remove(to)
        shutil.copytree(what, to)
        return to

    def check_said(self, ended, codes):
        """It ended by itself, with one of these codes and a sentence, and nothing that a terminal would act on."""
        self.assertIn(ended.code, codes, ended)
        if ended.code != 0:
            self.assertGreater(len((ended.err + ended.out).strip()), 20, ended)
            self.assertNotIn(b"terminate called", ended.err, ended)
            self.assertNotIn(b"ssertion", ended.err, ended)
        self.assertEqual(raw_in(ended.err), set(), ended)

    def attack_data(self, data, codes=SENTENCES):
        """`verify` and `dump` change nothing, so the node sees what they saw. Each may find that it is whole."""
        for words in (["verify", data], ["dump", data], ["dump", data, "--history"], ["verify", data, "--json"]):
            with self.subTest(tool=words[0]):
                self.check_said(run(CONTINUO, "journal", *words), (0, *codes))
        with self.subTest(tool="start"):
            self.check_said(self.node(data, 11), (0, *codes))

    def attack_backup(self, backup, codes=SENTENCES):
        to = os.path.join(self.folder, "restored")
        shutil.rmtree(to, ignore_errors=True)
        restored = run(CONTINUO, "journal", "restore", backup, to)
        self.check_said(restored, (0, *codes))
        self.assertEqual(os.path.exists(to), restored.code == 0, restored)
        self.assertEqual(glob.glob(to + ".restoring-*"), [])
        if restored.code == 0:
            self.assertEqual(run(CONTINUO, "journal", "verify", to).code, 0)
        self.check_said(run(CONTINUO, "journal", "backup", self.whole, backup), (0, *codes))

    @staticmethod
    def files_of(directory):
        """One file of each kind that stands there."""
        found = {}
        for where, _, names in os.walk(directory):
            for name in sorted(names):
                kind = (os.path.relpath(where, directory), name.split("-")[0].lstrip("0123456789") or name)
                found[kind] = os.path.relpath(os.path.join(where, name), directory)
        return sorted(found.values())

    def test_files_of_a_data_directory(self):
        for name in self.files_of(self.whole):
            for kind in KINDS:
                with self.subTest(file=name, becomes=kind.__name__):
                    data = self.copy_of(self.whole)
                    kind(os.path.join(data, name))
                    self.attack_data(data)

    def test_files_of_a_backup(self):
        for name in self.files_of(self.backup):
            for kind in KINDS:
                with self.subTest(file=name, becomes=kind.__name__):
                    backup = self.copy_of(self.backup)
                    kind(os.path.join(backup, name))
                    self.attack_backup(backup)

    def test_directories(self):
        for name in ("", "journal", "journal/log", "journal/tables"):
            for kind in DIRECTORIES:
                with self.subTest(directory=name, becomes=kind.__name__):
                    data = self.copy_of(self.whole)
                    kind(os.path.join(data, name).rstrip("/"))
                    self.attack_data(data)
                    run("rm", "-rf", data, data + ".aside")

    def test_directories_of_a_backup(self):
        for name in ("", "meta", "private", "private/1", "shared_checksum"):
            for kind in DIRECTORIES:
                with self.subTest(directory=name, becomes=kind.__name__):
                    backup = self.copy_of(self.backup)
                    kind(os.path.join(backup, name).rstrip("/"))
                    self.attack_backup(backup)
                    run("rm", "-rf", backup, backup + ".aside")

    def test_lists_of_a_backup(self):
        secret = os.path.join(self.folder, "secret")
        with open(secret, "w") as file:
            file.write("nobody's business")
        for name, change in LISTS.items():
            with self.subTest(list=name):
                backup = self.copy_of(self.backup)
                (meta,) = glob.glob(os.path.join(backup, "meta", "*"))
                edited(change)(meta)
                self.attack_backup(backup)
        with open(secret) as file:
            self.assertEqual(file.read(), "nobody's business")

    def test_what_names_the_manifest(self):
        for name, text in CURRENTS.items():
            with self.subTest(current=name):
                data = self.copy_of(self.whole)
                edited(lambda _, text=text: text)(os.path.join(data, "journal", "tables", "CURRENT"))
                self.attack_data(data)

    def test_a_forged_manifest(self):
        """RocksDB believes one whose checksums are right, and ends the process where it makes no sense."""
        (path,) = glob.glob(os.path.join(self.whole, "journal", "tables", "MANIFEST-*"))
        with open(path, "rb") as file:
            manifest = file.read()
        survived = died = 0
        for at, length in records_of(manifest):
            self.assertEqual(struct.unpack_from("<I", manifest, at)[0], masked_crc(manifest[at + 6:at + 7 + length]))
            for place in range(length):
                with self.subTest(record=at, place=place):
                    data = self.copy_of(self.whole)
                    with open(os.path.join(data, os.path.relpath(path, self.whole)), "wb") as file:
                        file.write(forged(manifest, at, length, place))
                    ended = run(CONTINUO, "journal", ("verify", "dump")[place % 2], data)
                    self.assertIn(ended.code, (0, *SENTENCES), ended)
                    self.assertEqual(raw_in(ended.err), set(), ended)
                    if b"the process that read it was ended" in ended.err:
                        self.assertEqual(ended.code, 3, ended)
                        died += 1
                    else:
                        survived += 1
        self.assertGreater(died, 0)
        self.assertGreater(survived, 0)

    def test_a_starter_that_hears_of_no_child(self):
        """Who ignores SIGCHLD hands that on, and the kernel then tells nobody how a child ended."""
        empty = os.path.join(self.folder, "nothing")
        os.mkdir(empty)
        self.assertEqual(run(CONTINUO, "journal", "verify", empty).code, 2)
        self.assertEqual(run("bash", "-c", f"trap '' CHLD; exec {CONTINUO} journal verify {empty}").code, 2)

    def test_the_lock_of_somebody_else(self):
        """A second name of a file elsewhere in place of what a node empties and writes."""
        for name in ("LOCK", "running"):
            with self.subTest(file=name):
                data = self.copy_of(self.whole)
                mine = os.path.join(self.folder, "mine")
                with open(mine, "w") as file:
                    file.write("precious")
                if os.path.exists(os.path.join(data, name)):
                    os.remove(os.path.join(data, name))
                os.link(mine, os.path.join(data, name))
                self.check_said(self.node(data, 11), SENTENCES)
                with open(mine) as file:
                    self.assertEqual(file.read(), "precious")
                os.remove(mine)

    @unittest.skipIf(os.geteuid() != 0, "another user's files need root")
    def test_another_users_directory(self):
        os.chmod(self.folder, 0o755)
        data = self.copy_of(self.whole)
        run("chown", "-R", NOBODY, data)
        self.check_said(self.node(data, 11), SENTENCES)
        empty = os.path.join(self.folder, "empty")
        os.mkdir(empty)
        os.chown(empty, NOBODY, NOBODY)
        self.check_said(self.node(empty, 1), SENTENCES)
        self.assertEqual(os.listdir(empty), [])
        os.chown(empty, 0, 0)
        os.chmod(empty, 0o777)
        self.check_said(self.node(empty, 1), SENTENCES)
        self.assertEqual(os.listdir(empty), [])
        os.rmdir(empty)


if __name__ == "__main__":
    unittest.main(verbosity=2)
