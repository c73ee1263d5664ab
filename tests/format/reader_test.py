#!/usr/bin/env python3
"""docs/format.md against the program: reader.py, written from the page, reads what pagevault wrote,
and pagevault reads what hand_made.py, written from the page, wrote.

    reader_test.py PATH_OF_PAGEVAULT [unittest options]        (or PAGEVAULT_BINARY)
"""
import contextlib
import hashlib
import io
import os
import pathlib
import random
import sqlite3
import stat
import struct
import subprocess
import sys
import tempfile
import unittest

import hand_made
import reader

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE.parent / "golden"
PAGEVAULT = ""  # Set by main.
SEED = 20
MIB = 1 << 20


def run(*command, expect=0):
    """Runs a program without any setting of ours; returns what it printed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PAGEVAULT_")}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    if done.returncode != expect:
        raise AssertionError(f"{command}: exit {done.returncode}, not {expect}\n"
                             f"{done.stdout.decode()}{done.stderr.decode()}")
    return done.stdout.decode()


def read_with(repository, credential, *command, expect=0):
    return run(sys.executable, str(HERE / "reader.py"), "--repo", repository, *credential,
               *command, expect=expect)


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def manifest(root):
    """name -> everything that a restore must give back."""
    found, links = {}, {}
    root = os.fsencode(root)
    paths = [root] + [os.path.join(folder, name) for folder, folders, files in os.walk(root)
                      for name in folders + files]
    for path in sorted(paths):
        info, name = os.lstat(path), os.path.relpath(path, root)
        content = None
        if stat.S_ISREG(info.st_mode):
            content = (info.st_size, digest_of(path))
        elif stat.S_ISLNK(info.st_mode):
            content = os.readlink(path)
        first = links.setdefault(info.st_ino, name)
        found[name] = (info.st_mode, info.st_uid, info.st_gid, info.st_mtime_ns, first, content)
    return found


def verify_finds_damage(repository, key_file):
    """Whether opening or verifying refuses something; in this process, for it is asked often."""
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        try:
            credential = reader.Credential.from_key_file(key_file)
            return not reader.Verify(reader.Repository(repository, credential)).run()
        except (reader.Damaged, reader.WrongCredential):
            return True


@contextlib.contextmanager
def flipped(path, position, mend_checksum=False):
    """One bit of a file is wrong for a while; its XXH3 fits again when asked for."""
    path = pathlib.Path(path)
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[position] ^= 1 << position % 8
    if mend_checksum:
        damaged[-8:] = struct.pack("<Q", reader.XXHASH.checksum(bytes(damaged[:-8])))
    path.write_bytes(damaged)
    try:
        yield
    finally:
        path.write_bytes(whole)


def objects_of(repository):
    return sorted(path for path in pathlib.Path(repository).rglob("*") if path.is_file())


class GoldenFiles(unittest.TestCase):
    """The golden files hold the bytes of the page, too."""

    @staticmethod
    def golden(name):
        lines = (GOLDEN / name).read_text(encoding="utf-8").splitlines()
        return bytes.fromhex("".join(line.split("#")[0] for line in lines))

    def test_both_slots_give_the_master_secret(self):
        passphrase = reader.Credential("passphrase", "correct horse b\u00e4ttery".encode())
        key = reader.Credential("key", hand_made.SECRET)
        for name, credential in (("slot_passphrase", passphrase), ("slot_key_file", key)):
            slot = reader.KeySlot(bytes([0x1D]) * 16, self.golden(f"keys/v1/{name}.txt"), name)
            self.assertEqual(slot.master(credential), hand_made.MASTER)

    def test_config_opens_with_both_ciphers(self):
        for cipher in ("aes256gcm", "xchacha20poly1305"):
            data = self.golden(f"objects/v1/config_{cipher}.txt")
            body = reader.open_sealed(reader.Keys(hand_made.MASTER), bytes(16), reader.CONFIG,
                                      reader.ZERO_ID, data, cipher)
            self.assertEqual(reader.Config(body).repository_id, bytes([0x77]) * 16)

    def test_a_span_node_and_a_directory_are_read_to_their_end(self):
        extents = reader.parse_span_node(self.golden("file_map/v1/span_node.txt"), "node")
        self.assertEqual([e.length for e in extents], [65_536, 4_096, 100])
        cursor = reader.Cursor(self.golden("file_map/v1/directory.txt"), "directory")
        self.assertEqual(cursor.u8(), 1)
        names = []
        while cursor.at < len(cursor.data):
            names.append(reader.Entry(cursor).name)
        self.assertEqual(names, [b"base", b"dev", b"link", b"tbl"])


    def test_database_records_are_read(self):
        cursor = reader.Cursor(self.golden("file_map/v1/directory_database.txt"), "directory")
        self.assertEqual(cursor.u8(), 1)
        app, plain = reader.Entry(cursor), reader.Entry(cursor)
        cursor.end()
        self.assertEqual(app.database, (2, 0, 300, 7, 5, 42, 0x0F055112))
        self.assertEqual(app.wal, [0x01020304, 0x05060708, 12, 0x090A0B0C, 0x0D0E0F10])
        self.assertEqual(app.pages_changed, 9)
        self.assertEqual(plain.database, (1, 1, 0, 0, 0, 0, 0))
        self.assertIsNone(plain.wal)


    def test_checksums_of_files_are_read(self):
        cursor = reader.Cursor(self.golden("file_map/v1/directory_checksum.txt"), "directory")
        self.assertEqual(cursor.u8(), 1)
        first, second = reader.Entry(cursor), reader.Entry(cursor)
        cursor.end()
        self.assertEqual(first.crc32c, reader.crc32c(b"123456789"))
        self.assertEqual((second.crc32c, second.database[0]), (0, 1))

    def test_postgres_records_are_read(self):
        record = reader.PostgresRecord(self.golden("objects/v1/postgres_record.txt"), "golden")
        self.assertEqual((record.system, record.blocks_changed), (0x0102030405060708, 44))
        self.assertEqual(record.versions, [17, 170_005, 798_677])
        self.assertEqual(record.geometry, [8_192, 131_072, 16 * reader.MIB])
        self.assertEqual(record.flags, 1 | 4 | 16)
        self.assertEqual(record.position, (2, 0x500000028, 0x600000000))
        self.assertEqual(record.ranges, [(2, 0x500800000, 0x600000000),
                                         (1, 0x500000028, 0x500800000)])
        self.assertEqual(record.tablespaces, [(16_394, b""), (16_395, b"/srv/fast")])
        self.assertEqual(record.doubts, [(1, b"base/5/16384", 3), (2, b"global/1260", 0)])
        self.assertEqual(record.doubts_more, 1)


class Strictness(unittest.TestCase):
    """What the page says must be refused, and no checksum or seal catches."""

    def refused(self, action, *arguments):
        self.assertRaises(reader.Damaged, action, *arguments)

    def test_a_varint_is_minimal_and_has_64_bits(self):
        for bad in ("8000", "ff00", "80" * 10 + "01", "ff" * 9 + "02", "80"):
            self.refused(reader.Cursor(bytes.fromhex(bad), "varint").varint)
        largest = reader.Cursor(bytes.fromhex("ff" * 9 + "01"), "varint")
        self.assertEqual(largest.varint(), (1 << 64) - 1)

    def test_fields_ascend_and_unknown_ones_count_by_their_high_bit(self):
        known = {0x8001: reader.Cursor.u8, 0x0002: reader.Cursor.u8}
        one = struct.pack("<HIB", 0x8001, 1, 7)
        ignored, optional = struct.pack("<HI", 0x7000, 0), struct.pack("<HIB", 2, 1, 5)
        values = reader.parse_fields(optional + ignored + one, "fields", known)
        self.assertEqual(values, {0x8001: 7, 0x0002: 5})
        for bad in (one + one, one + optional, optional, one + struct.pack("<HI", 0x8002, 0),
                    one[:-1], one + b"\0", struct.pack("<HIBB", 0x8001, 2, 7, 7)):
            self.refused(reader.parse_fields, bad, "fields", known)

    def test_names_of_entries_cannot_leave_their_directory(self):
        def entry(name):
            return hand_made.HandMade.entry(name, 4, 0o600, b"")

        self.assertEqual(reader.Entry(reader.Cursor(entry(b"..."), "entry")).name, b"...")
        for bad in (b"", b".", b"..", b"a/b", b"a\0b", b"n" * 256):
            self.refused(reader.Entry, reader.Cursor(entry(bad), "entry"))

    def test_database_records_are_whole_and_of_files(self):
        def field(tag, value):
            return struct.pack("<HI", tag, len(value)) + value

        def entry(*fields, kind=1):
            content = b"\0\0\0" if kind == 1 else b""
            made = hand_made.HandMade.entry(b"db", kind, 0o600, content, b"".join(fields))
            return reader.Entry(reader.Cursor(made, "entry"))

        wal_mode, rollback = (field(0x0010, bytes([mode]) + bytes(21)) for mode in (2, 1))
        wal, pages = field(0x0011, bytes(20)), field(0x0012, bytes(8))
        for good in ((), (wal_mode,), (rollback, pages), (wal_mode, wal, pages)):
            entry(*good)
        for bad in ((wal,), (pages,), (rollback, wal), (field(0x0010, bytes(22)),),
                    (field(0x0010, b"\1\2" + bytes(20)),), (field(0x0010, b"\1" + bytes(20)),),
                    (wal_mode, field(0x0011, bytes(19))), (wal_mode, field(0x0012, bytes(9)))):
            self.refused(entry, *bad)
        self.refused(lambda: entry(rollback, kind=4))

    def test_checksums_have_four_bytes_and_are_of_files(self):
        def entry(value, kind=1):
            extension = struct.pack("<HI", 0x0013, len(value)) + value
            content = b"\0\0\0" if kind == 1 else b""
            made = hand_made.HandMade.entry(b"f", kind, 0o600, content, extension)
            return reader.Entry(reader.Cursor(made, "entry"))

        self.assertEqual(entry(b"\1\0\0\0").crc32c, 1)
        for bad in (b"", bytes(3), bytes(5)):
            self.refused(entry, bad)
        self.refused(entry, bytes(4), 4)

    def test_postgres_records_are_whole_ordered_and_within_their_limits(self):
        varint, string = hand_made.varint, hand_made.string

        def record(**changed):
            values = {"x8001": bytes(8), "x8002": bytes(12), "x8003": bytes(12), "x8004": b"\0",
                      "x8005": bytes(20), "x8006": b"\0", "x8007": b"\0"}
            values = {k: v for k, v in (values | changed).items() if v is not None}
            return reader.PostgresRecord(hand_made.fields(**values), "record")

        def wal_range(timeline, start=0, end=0):
            return struct.pack("<IQQ", timeline, start, end)

        def tablespace(oid, location=b""):
            return struct.pack("<I", oid) + string(location)

        def doubt(kind=1, path=b"p"):
            return b"\1" + bytes([kind]) + string(path) + b"\0" + bytes(8)

        def spaces(count):
            return varint(count) + b"".join(tablespace(oid) for oid in range(count))

        for good in ({}, {"x8006": b"\2" + wal_range(2) + wal_range(1)}, {"x0009": doubt()},
                     {"x8007": spaces(65_536)}, {"x8004": b"\x1f"}, {"x7000": b"later"},
                     {"x8007": b"\1" + tablespace(1, b"l" * 1_023)}):
            record(**good)
        for bad in ({"x8001": None}, {"x8002": bytes(11)}, {"x8004": b"\x20"}, {"x8005": bytes(21)},
                    {"x8006": b"\2" + wal_range(1) + wal_range(2)}, {"x8006": b"\0\0"},
                    {"x8006": b"\2" + wal_range(1) * 2}, {"x8006": b"\1" + wal_range(1, 2, 1)},
                    {"x8007": b"\2" + tablespace(1) * 2}, {"x8007": spaces(65_537)},
                    {"x8007": b"\1" + tablespace(1, b"l" * 1_024)},
                    {"x8007": b"\1" + tablespace(1, b"a\0b")}, {"x8008": b""}, {"x0008": bytes(7)},
                    {"x0009": doubt(kind=0)}, {"x0009": doubt(kind=4)}, {"x0009": doubt(path=b"")},
                    {"x0009": doubt(path=b"p" * 1_024)}, {"x0009": doubt()[:-1]}):
            self.refused(lambda bad=bad: record(**bad))

    def test_maps_fit_their_length(self):
        node = hand_made.ZERO_ID
        for length, root in ((0, b"\1\0"), (5, b"\0"), (5, b"\2\2" + node * 2), (5, b"\2\0"),
                             (reader.SPAN + 1, b"\1\0"), (reader.SPAN + 1, b"\2\1" + node),
                             (5, b"\3\2" + node * 2), (5, b"\4")):
            self.refused(reader.Map, reader.Cursor(root, "map"), length, reader.DATA)

    def test_span_nodes_have_no_reserved_bits_and_no_empty_extents(self):
        for bad in ("010000", "01010100ff", "0100010000", "01000103", "02000100ff01",
                    "01000100ff01ff"):
            self.refused(reader.parse_span_node, bytes.fromhex(bad), "node")
        self.assertEqual(len(reader.parse_span_node(bytes.fromhex("01000100ff01"), "node")), 1)

    def test_zstd_frames_are_whole_single_and_of_the_plain_length(self):
        plain = bytes(1000)
        frame = hand_made.compress(plain)
        self.assertEqual(reader.ZSTD_LIBRARY.decode(frame, 1000), plain)
        for bad, length in ((frame, 999), (frame, 1001), (frame[:-1], 1000), (frame + b"\0", 1000),
                            (frame + frame, 2000), (b"\x04" + frame[1:], 1000)):
            self.refused(reader.ZSTD_LIBRARY.decode, bad, length)

    def test_crc32c_folds_to_what_the_table_gives(self):
        data = random.Random(SEED).randbytes(100_003)
        for length in (2_048, 2_049, 10_001, 100_003):
            crc = 0xFFFFFFFF
            for byte in data[:length]:
                crc = reader.crc32c.table[(crc ^ byte) & 0xFF] ^ crc >> 8
            self.assertEqual(reader.crc32c(data[:length]), crc ^ 0xFFFFFFFF)


class HandMadeRepository(unittest.TestCase):
    """Everything the format has, also what no writer writes."""

    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="pagevault-reader-"))
        cls.key_file = os.path.join(cls.folder, "key")
        hand_made.write_key_file(cls.key_file)
        cls.repositories = {}
        for cipher in (hand_made.AES256GCM, hand_made.XCHACHA20POLY1305):
            path = os.path.join(cls.folder, f"repository-{cipher}")
            cls.repositories[cipher] = hand_made.HandMade(path, cipher)
            cls.repositories[cipher].write()

    def expect_files(self, made, target):
        for name, plain in made.files.items():
            with open(os.path.join(os.fsencode(target), b"d", name), "rb") as file:
                self.assertEqual(file.read(), plain, name)

    def test_the_reader_restores_and_verifies_it(self):
        for cipher, made in self.repositories.items():
            target = os.path.join(self.folder, f"read-{cipher}")
            read_with(made.path, ("--key-file", self.key_file), "restore", "latest", target)
            self.expect_files(made, target)
            read_with(made.path, ("--key-file", self.key_file), "verify")

    def test_pagevault_restores_and_checks_it(self):
        for cipher, made in self.repositories.items():
            target = os.path.join(self.folder, f"pagevault-{cipher}")
            options = ("-r", made.path, "--key-file", self.key_file, "--no-cache")
            run(PAGEVAULT, *options, "check", "--read-data")
            run(PAGEVAULT, *options, "restore", "latest", "--target", target)
            self.expect_files(made, target)

    def test_every_flipped_bit_is_found_even_under_a_mended_checksum(self):
        made, places = self.repositories[hand_made.AES256GCM], random.Random(SEED)
        self.assertFalse(verify_finds_damage(made.path, self.key_file))
        kinds = set()
        for path in objects_of(made.path):
            kinds.add(path.relative_to(made.path).parts[0])
            size = path.stat().st_size
            positions = {0, 8, 10, 11, 12, 16, 48, 88, size - 9, size - 1,
                         *(places.randrange(size) for _ in range(15))}
            for position in sorted(p for p in positions if p < size):
                for mend in (False, True) if position < size - 8 else (False,):
                    with flipped(path, position, mend):
                        self.assertTrue(verify_finds_damage(made.path, self.key_file),
                                        f"{path}, byte {position}, checksum mended: {mend}")
        self.assertEqual(kinds, {"config", "keys", "packs", "index", "snapshots", "sessions"})

    def test_a_missing_object_is_found(self):
        made = self.repositories[hand_made.AES256GCM]
        for path in objects_of(made.path):
            if path.relative_to(made.path).parts[0] != "packs":
                continue
            aside = path.with_suffix(".aside")
            path.rename(aside)
            self.assertTrue(verify_finds_damage(made.path, self.key_file), path)
            aside.rename(path)


class Sources:
    """A small tree with what is difficult."""

    def __init__(self, folder):
        self.root, self.random = os.path.join(folder, "source"), random.Random(SEED)
        os.mkdir(self.root)
        self.database()
        self.contents()
        self.names()
        self.metadata()

    def path(self, name):
        return os.path.join(os.fsencode(self.root), os.fsencode(name))

    def write(self, name, data, mode="wb"):
        with open(self.path(name), mode) as file:
            file.write(data)

    def database(self):
        with contextlib.closing(sqlite3.connect(self.path("app.db"))) as database, database:
            database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, note BLOB)")
            database.executemany("INSERT INTO t (name, note) VALUES (?, ?)", (
                (f"customer {i}", self.random.randbytes(i % 200)) for i in range(10_000)))

    def contents(self):
        self.write("large", self.random.randbytes(66 * MIB) + bytes(3 * MIB) + b"end")
        self.write("empty", b"")
        with open(self.path("sparse"), "wb") as file:
            for position in (5 * MIB + 17, 70 * MIB, 150 * MIB):
                file.seek(position)
                file.write(self.random.randbytes(100_000))
            file.truncate(200 * MIB + 1)
        os.mkdir(self.path("many"))
        for number in range(3_000):
            self.write(f"many/{number}", b"%d\n" % number)

    def names(self):
        os.mkdir(self.path("no entries"))
        for name in (b"\xff\xfe not UTF-8", b"line\nfeed", b"-rf", b" ", b"n" * 255, "ä".encode()):
            self.write(name, name)
        os.symlink("app.db", self.path("link"))
        os.symlink(b"/nowhere/\xff", self.path("dangling"))
        os.link(self.path("app.db"), self.path("many/hard link"))
        os.mkfifo(self.path("fifo"))

    def metadata(self):
        os.chmod(self.path("empty"), 0o400)
        os.chmod(self.path("-rf"), 0o6711)
        os.chmod(self.path("no entries"), 0o1711)
        os.utime(self.path("large"), ns=(0, 1_234_567_890_987_654_321))
        os.utime(self.path("empty"), ns=(0, -1_500_000_001))
        os.utime(self.path("many"), ns=(0, 1))

    def change(self):
        with contextlib.closing(sqlite3.connect(self.path("app.db"))) as database, database:
            database.execute("UPDATE t SET name = 'changed' WHERE id % 100 = 0")
        with open(self.path("large"), "r+b") as file:
            file.seek(65 * MIB)
            file.write(b"changed")
        os.remove(self.path("many/17"))
        self.write("many/new", b"new")
        self.write("many/5", b"no longer five")
        os.chmod(self.path(" "), 0o604)


class RealRepositories(unittest.TestCase):
    """What pagevault writes, with a passphrase and with a key file."""

    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="pagevault-reader-"))
        password_file, key_file = (os.path.join(cls.folder, n) for n in ("password", "key"))
        with open(password_file, "w", encoding="utf-8") as file:
            file.write("correct horse bättery\nonly the first line counts\n")
        os.chmod(password_file, 0o600)
        cls.repositories = {
            os.path.join(cls.folder, "by-passphrase"): ("--password-file", password_file),
            os.path.join(cls.folder, "by-key-file"): ("--key-file", key_file)}
        sources = Sources(cls.folder)
        cls.source, cls.manifests = sources.root, []
        for repository, credential in cls.repositories.items():
            run(PAGEVAULT, "-r", repository, *credential, "--no-cache", "init")
        cls.backup()
        sources.change()
        cls.backup()

    @classmethod
    def backup(cls):
        for repository, credential in cls.repositories.items():
            run(PAGEVAULT, "-r", repository, *credential, "--no-cache",
                "backup", "files", cls.source)
        cls.manifests.append(manifest(cls.source))

    def test_both_snapshots_restore_byte_for_byte(self):
        for repository, credential in self.repositories.items():
            lines = read_with(repository, credential, "list").splitlines()
            self.assertEqual(len(lines), 2)
            for line, expected in zip(lines, self.manifests):
                with tempfile.TemporaryDirectory(dir=self.folder) as target:
                    restored = os.path.join(target, "r")
                    read_with(repository, credential, "restore", line.split()[0], restored)
                    restored += self.source
                    found = manifest(restored)
                    self.assertEqual(found.keys(), expected.keys())
                    for name, what in expected.items():
                        self.assertEqual(found[name], what, name)
                    self.assertLess(os.stat(f"{restored}/sparse").st_blocks * 512, 16 * MIB)
                    with contextlib.closing(sqlite3.connect(f"{restored}/app.db")) as database:
                        verdict = database.execute("PRAGMA integrity_check").fetchone()
                        self.assertEqual(verdict, ("ok",))

    def test_verify_finds_nothing_wrong(self):
        for repository, credential in self.repositories.items():
            printed = read_with(repository, credential, "verify")
            self.assertIn(" 2 snapshots,", printed)
            self.assertIn(" 0 foreign files", printed)

    def test_a_flipped_bit_in_any_object_is_found(self):
        repository, places = os.path.join(self.folder, "small"), random.Random(SEED)
        key_file = os.path.join(self.folder, "key")
        options = ("-r", repository, "--key-file", key_file, "--no-cache")
        run(PAGEVAULT, *options, "init")
        run(PAGEVAULT, *options, "backup", "files", f"{self.source}/app.db")
        self.assertFalse(verify_finds_damage(repository, key_file))
        objects = objects_of(repository)
        kinds = {path.relative_to(repository).parts[0] for path in objects}
        self.assertLessEqual({"config", "keys", "packs", "index", "snapshots"}, kinds)
        for path in objects:
            for position in (places.randrange(path.stat().st_size) for _ in range(5)):
                with flipped(path, position):
                    self.assertTrue(verify_finds_damage(repository, key_file),
                                    f"{path}, byte {position}")

    def test_other_credentials_and_other_places_are_named(self):
        repository = os.path.join(self.folder, "by-passphrase")
        wrong = os.path.join(self.folder, "wrong")
        with open(wrong, "w", encoding="ascii") as file:
            file.write("wrong\n")
        read_with(repository, ("--password-file", wrong), "list", expect=12)
        read_with(repository, self.repositories[os.path.join(self.folder, "by-key-file")],
                  "list", expect=12)
        read_with(self.folder, ("--password-file", wrong), "list", expect=10)


if __name__ == "__main__":
    PAGEVAULT = os.environ.get("PAGEVAULT_BINARY") or sys.argv.pop(1)
    unittest.main()
