#!/usr/bin/env python3
"""End to end: the real program on real files.

Usage: cli_e2e.py PAGEVAULT [-k NAME_PART] [unittest arguments]

Each test has a folder of its own and drives the binary as a user would. Names of tests are
sentences. The program is run with a clean environment.
"""

import json
import os
import pty
import random
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "pagevault"
SEED = 20261120

OK, FATAL, USAGE, INCOMPLETE = 0, 1, 2, 3
NO_REPOSITORY, WRONG_KEY, DAMAGE, INTERRUPTED = 10, 12, 20, 130
NOBODY = 65534


def random_bytes(count, seed):
    return random.Random(seed).randbytes(count)


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content if isinstance(content, (bytes, bytearray)) else content.encode())


def read(path):
    with open(path, "rb") as file:
        return file.read()


def try_xattr(path, name, value):
    try:
        os.setxattr(path, name, value)
    except OSError:
        pass  # A file system without attributes: then there is nothing to compare.


def describe(path):
    """What must survive a round trip, as a value to compare."""
    info = os.lstat(path)
    out = [stat.S_IFMT(info.st_mode), stat.S_IMODE(info.st_mode), info.st_mtime_ns]
    if os.geteuid() == 0:
        out += [info.st_uid, info.st_gid]
    if stat.S_ISLNK(info.st_mode):
        return [*out[:1], os.readlink(path)]
    if stat.S_ISREG(info.st_mode):
        out += [info.st_size, read(path)]
    try:
        out.append({n: os.getxattr(path, n) for n in os.listxattr(path) if n.startswith("user.")})
    except OSError:
        pass
    return out


def tree(root):
    """Relative path (bytes) -> description, for everything below root."""
    root = os.fsencode(root)
    out = {}
    for folder, names, files in os.walk(root):
        for name in names + files:
            path = os.path.join(folder, name)
            out[os.path.relpath(path, root)] = describe(path)
    return out


def blocks(path):
    return os.stat(path).st_blocks * 512


class Vault(unittest.TestCase):
    """A repository, a source and the words to use them."""

    longMessage = True
    maxDiff = 4000

    def setUp(self):
        self.work = tempfile.mkdtemp(prefix="pagevault-e2e-")
        os.chmod(self.work, 0o755)
        self.addCleanup(self.remove_work)
        self.source = os.path.join(self.work, "source")
        self.repo = os.path.join(self.work, "vault")
        self.key = os.path.join(self.work, "vault.key")
        self.restored = 0
        os.mkdir(self.source)

    def remove_work(self):
        subprocess.run(["chmod", "-R", "u+rwX", self.work], check=False)
        shutil.rmtree(self.work, ignore_errors=True)

    def environment(self, **extra):
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.work, "TZ": "UTC",
               "PAGEVAULT_CACHE_DIR": os.path.join(self.work, "cache")}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                env[name] = os.environ[name]
        env.update(extra)
        return env

    def command(self, *words, key=True, repo=True):
        out = [PROGRAM]
        if repo:
            out += ["-r", self.repo]
        if key:
            out += ["--key-file", self.key]
        return out + [os.fsdecode(w) for w in words]

    def run_it(self, *words, expect=OK, key=True, repo=True, env=None, stdin=b"", prefix=(),
               cwd=None):
        """Runs pagevault; returns (stdout, stderr) as bytes after comparing the exit code."""
        done = subprocess.run([*prefix, *self.command(*words, key=key, repo=repo)], input=stdin,
                              env=self.environment(**(env or {})), capture_output=True,
                              check=False, timeout=120, cwd=cwd, start_new_session=True)
        self.assertEqual(done.returncode, expect,
                         f"{words}\nstdout: {done.stdout[-1500:]!r}\nstderr: {done.stderr[-1500:]!r}")
        return done.stdout, done.stderr

    def json_lines(self, *words, **options):
        out, _ = self.run_it(*words, "--json", **options)
        return [json.loads(line) for line in out.splitlines()]

    def summary(self, *words, **options):
        found = [d for d in self.json_lines(*words, **options) if d["message_type"] == "summary"]
        self.assertEqual(len(found), 1)
        return found[0]

    def document(self, *words, **options):
        return json.loads(self.run_it(*words, "--json", **options)[0])

    def init(self):
        self.run_it("init")

    def backup(self, *words, **options):
        return self.summary("backup", "files", self.source, *words, **options)

    def restore(self, snapshot="latest", *words, **options):
        self.restored += 1
        target = os.path.join(self.work, f"restored-{self.restored}")
        self.run_it("restore", snapshot, "--target", target, *words, **options)
        return target

    def restored_source(self, target):
        return os.path.join(target, self.source.lstrip("/"))

    def repository_files(self):
        found = {}
        for folder, _, names in os.walk(self.repo):
            for name in names:
                path = os.path.join(folder, name)
                found[os.path.relpath(path, self.repo)] = os.stat(path).st_size
        return found

    def fill_source(self):
        write(f"{self.source}/a.txt", "alpha\n")
        write(f"{self.source}/dir/b.bin", random_bytes(3_000_000, SEED))
        write(f"{self.source}/dir/deeper/c.txt", "gamma\n" * 1000)
        write(f"{self.source}/empty", "")


class FirstSteps(Vault):
    def test_init_prints_id_and_advice_and_makes_a_private_key_file(self):
        out, _ = self.run_it("init")
        self.assertRegex(out, rb"created repository [0-9a-f]{32}")
        for word in (b"key add", b"key export", b"lost", b"delet"):
            self.assertIn(word, out)
        self.assertEqual(stat.S_IMODE(os.stat(self.key).st_mode), 0o600)
        self.assertRegex(read(self.key), rb"^pagevault-key-1:[0-9a-f]{64}:[0-9a-f]{8}\n$")

    def test_init_leaves_an_existing_repository_and_key_alone(self):
        self.init()
        before, key = self.repository_files(), read(self.key)
        self.run_it("init", expect=FATAL)
        self.assertEqual(self.repository_files(), before)
        self.assertEqual(read(self.key), key)
        other = os.path.join(self.work, "other.key")
        self.run_it("--key-file", other, "init", key=False, expect=FATAL)
        self.assertFalse(os.path.exists(other))

    def test_backup_change_backup_restore_each(self):
        self.fill_source()
        self.init()
        first = self.backup()
        self.assertEqual(first["files_new"], 4)
        before = tree(self.source)
        write(f"{self.source}/a.txt", "alpha, changed\n")
        write(f"{self.source}/new.txt", "new")
        os.remove(f"{self.source}/empty")
        second = self.backup()
        self.assertEqual((second["files_new"], second["files_changed"], second["files_unmodified"]),
                         (1, 1, 2))
        self.assertEqual(second["parent"], first["snapshot_id"])
        self.assertLess(second["data_added"], 10_000)
        self.assertEqual(tree(self.restored_source(self.restore("latest"))), tree(self.source))
        self.assertEqual(tree(self.restored_source(self.restore("latest~1"))), before)
        self.assertEqual(tree(self.restored_source(self.restore(first["snapshot_id"][:8]))), before)
        self.run_it("check", "--read-data")

    def test_human_output_says_what_was_done(self):
        self.fill_source()
        self.init()
        out, _ = self.run_it("backup", "files", self.source)
        for part in (rb"files: 4 new, 0 changed, 0 unmodified", rb"source: 2\.9 MiB",
                     rb"added to the repository: ", rb"snapshot [0-9a-f]{8} saved"):
            self.assertRegex(out, part)
        out, _ = self.run_it("snapshots")
        self.assertIn(b"1 snapshot", out)
        self.assertIn(os.fsencode(self.source), out)
        out, err = self.run_it("backup", "files", self.source, "-q")
        self.assertEqual((out, err), (b"", b""))
        _, err = self.run_it("snapshots", "-v")
        self.assertIn(b"repository:", err)
        _, err = self.run_it("ls", "latest", "-v")
        for word in (b"i/o:", b"cache:", b"index:"):
            self.assertIn(word, err)

    def test_relative_paths_and_several_sources(self):
        self.fill_source()
        self.init()
        self.run_it("backup", "files", "dir/../dir", "./a.txt", cwd=self.source)
        snapshot = self.document("snapshots")[0]
        self.assertEqual(sorted(snapshot["paths"]),
                         [f"{self.source}/a.txt", f"{self.source}/dir"])

    def test_excludes_leave_out_names_and_paths(self):
        self.fill_source()
        write(f"{self.source}/x.tmp", "x")
        write(f"{self.work}/patterns", "# comment\n\n*.bin\n")
        self.init()
        self.run_it("backup", "files", self.source, "--exclude", "*.tmp",
                    "--exclude", f"{self.source}/dir/deeper", "--exclude-file",
                    f"{self.work}/patterns")
        left = set(tree(self.restored_source(self.restore())))
        self.assertEqual(left, {b"a.txt", b"empty", b"dir"})

    def test_dry_run_writes_nothing(self):
        self.fill_source()
        self.init()
        before = self.repository_files()
        summary = self.backup("-n")
        self.assertTrue(summary["dry_run"])
        self.assertNotIn("snapshot_id", summary)
        self.assertEqual(self.repository_files(), before)
        self.assertEqual(self.document("snapshots"), [])

    def test_force_and_paranoid_read_everything_and_store_nothing(self):
        self.fill_source()
        self.init()
        size = self.backup()["total_bytes_processed"]
        os.utime(f"{self.source}/a.txt", (1, 1))
        for flag in ("--force", "--paranoid"):
            again = self.backup(flag)
            self.assertGreaterEqual(again["bytes_read"], size, flag)
            self.assertLess(again["data_added"], 20_000, flag)


class Looking(Vault):
    def test_snapshots_are_filtered_by_host_tag_path_and_count(self):
        self.fill_source()
        self.init()
        self.backup("--tag", "daily", "--host", "one")
        self.backup("--tag", "daily", "--tag", "x", "--host", "two")
        self.run_it("backup", "files", f"{self.source}/dir", "--host", "two")
        count = lambda *w: len(self.document("snapshots", *w))
        self.assertEqual(count(), 3)
        self.assertEqual(count("--host", "two"), 2)
        self.assertEqual(count("--tag", "daily", "--tag", "x"), 1)
        self.assertEqual(count("--path", f"{self.source}/dir"), 1)
        self.assertEqual(count("--latest", "2"), 2)
        newest = self.document("snapshots", "--latest", "1")[0]
        self.assertEqual(newest["paths"], [f"{self.source}/dir"])
        self.assertRegex(newest["time"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_ls_lists_a_folder_or_all_below(self):
        self.fill_source()
        self.init()
        self.backup()
        out, _ = self.run_it("ls", "latest", self.source)
        self.assertEqual(out.decode().splitlines(),
                         [f"{self.source}/{n}" for n in ("a.txt", "dir", "empty")])
        out, _ = self.run_it("ls", "-R", "latest", f"{self.source}/dir")
        self.assertEqual(out.decode().splitlines(),
                         [f"{self.source}/dir/{n}" for n in ("b.bin", "deeper", "deeper/c.txt")])
        out, _ = self.run_it("ls", "-l", "latest", f"{self.source}/a.txt")
        self.assertRegex(out, rb"^-rw\S{7} .* 6 20\d\d-.*a\.txt\n$")
        entries = self.document("ls", "-R", "latest")
        self.assertEqual({e["type"] for e in entries}, {"dir", "file"})
        self.run_it("ls", "latest", "/no/such/folder", expect=FATAL)
        self.run_it("ls", "ffffffff", expect=FATAL)

    def test_find_names_snapshot_and_path(self):
        self.fill_source()
        self.init()
        self.backup()
        os.remove(f"{self.source}/a.txt")
        self.backup()
        out, _ = self.run_it("find", "a.txt")
        self.assertEqual(out.count(b"a.txt"), 1)
        self.assertEqual(len(self.document("find", "*.TXT", "-i")), 3)
        self.assertEqual(len(self.document("find", "*", "--type", "dir", "--snapshot", "latest")),
                         len(f"{self.source}/dir/deeper".strip("/").split("/")))
        self.assertEqual(self.document("find", "nothing*"), [])

    def test_diff_shows_each_kind_of_change(self):
        self.fill_source()
        self.init()
        self.backup()
        write(f"{self.source}/new", "n")
        os.remove(f"{self.source}/empty")
        write(f"{self.source}/a.txt", "other")
        os.chmod(f"{self.source}/dir/b.bin", 0o600)
        self.backup()
        out, _ = self.run_it("diff", "latest~1", "latest")
        for line in (f"+    {self.source}/new", f"-    {self.source}/empty",
                     f"M    {self.source}/a.txt", f"m    {self.source}/dir/b.bin"):
            self.assertIn(line, out.decode().splitlines())
        lines = self.json_lines("diff", "latest~1", "latest")
        self.assertEqual(lines[-1]["message_type"], "summary")
        self.assertEqual((lines[-1]["added"], lines[-1]["removed"], lines[-1]["changed_content"]),
                         (1, 1, 1))

    def test_dump_gives_the_bytes_and_stops_at_a_closed_pipe(self):
        self.fill_source()
        self.init()
        self.backup()
        out, _ = self.run_it("dump", "latest", f"{self.source}/dir/b.bin")
        self.assertEqual(out, read(f"{self.source}/dir/b.bin"))
        self.run_it("dump", "latest", f"{self.source}/dir", expect=FATAL)
        self.run_it("dump", "latest", "/nothing", expect=FATAL)
        program = subprocess.Popen(self.command("dump", "latest", f"{self.source}/dir/b.bin"),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=self.environment())
        program.stdout.read(10)
        program.stdout.close()
        self.assertEqual(program.wait(60), FATAL)
        self.assertIn(b"standard output", program.stderr.read())
        program.stderr.close()

    def test_dump_gives_the_whole_snapshot_as_tar(self):
        self.fill_source()
        os.symlink("a.txt", f"{self.source}/link")
        os.mkfifo(f"{self.source}/fifo")
        self.init()
        self.backup()
        archive, err = self.run_it("dump", "latest", "--tar")
        self.assertIn(b"fifo: left out", err)
        unpacked = os.path.join(self.work, "unpacked")
        os.mkdir(unpacked)
        subprocess.run(["tar", "-x", "-C", unpacked], input=archive, check=True)
        for name in ("a.txt", "dir/b.bin"):
            self.assertEqual(read(f"{self.restored_source(unpacked)}/{name}"),
                             read(f"{self.source}/{name}"))
        self.assertEqual(os.readlink(f"{self.restored_source(unpacked)}/link"), "a.txt")
        self.run_it("dump", "latest", "--tar", f"{self.source}/a.txt", expect=USAGE)
        self.run_it("dump", "latest", "--tar", "--sql", expect=USAGE)
        self.run_it("dump", "latest", expect=USAGE)

    def test_settings_of_clusters_are_refused_for_other_snapshots(self):
        self.fill_source()
        self.init()
        self.backup()
        target = os.path.join(self.work, "out")
        for words in (("--no-recovery-signal",), ("--tablespace-map", "all=/x"),
                      ("--recovery-option", "restore_command=false")):
            self.run_it("restore", "latest", "--target", target, *words, expect=FATAL)
        self.run_it("restore", "latest", "--target", target, "--tablespace-map", "x", expect=USAGE)
        self.assertFalse(os.path.exists(target))

    def test_stats_count_what_is_there(self):
        self.fill_source()
        self.init()
        self.backup()
        stats = self.document("stats")
        self.assertEqual(stats["snapshots"], 1)
        self.assertGreater(stats["source_bytes"], 3_000_000)
        self.assertLessEqual(stats["pack_bytes"], sum(self.repository_files().values()))
        self.assertIn(b"deduplication", self.run_it("stats")[0])

    def test_output_that_cannot_be_written_is_an_error(self):
        self.init()
        with open("/dev/full", "wb") as full:
            done = subprocess.run(self.command("stats"), stdout=full, stderr=subprocess.PIPE,
                                  env=self.environment(), check=False)
        self.assertEqual(done.returncode, FATAL)
        self.assertIn(b"standard output", done.stderr)


class Restoring(Vault):
    def make_odd_source(self):
        source = os.fsencode(self.source)
        self.fill_source()
        os.symlink("a.txt", f"{self.source}/link")
        os.symlink("/no/where", f"{self.source}/dangling")
        os.link(f"{self.source}/a.txt", f"{self.source}/dir/hard")
        os.chmod(f"{self.source}/a.txt", 0o640)
        try_xattr(f"{self.source}/a.txt", "user.color", b"blue\x00\xff")
        for name in (b"new\nline", b"caf\xc3\xa9", b"bad\xff\xfeutf8", b" space ", b"-dash",
                     b"\x1b[31mred", b"back\\slash", b"*"):
            with open(source + b"/" + name, "wb") as file:
                file.write(name)
        with open(f"{self.source}/sparse", "wb") as file:
            file.seek(40 << 20)
            file.write(b"end")
            file.truncate(64 << 20)
        os.mkfifo(f"{self.source}/fifo", 0o644)
        os.mkdir(f"{self.source}/dir/empty-dir", 0o750)
        os.utime(f"{self.source}/dir", ns=(10**18, 1_234_567_890_123_456_789))

    # covers F8.3
    def test_odd_files_come_back_as_they_were(self):
        self.make_odd_source()
        self.init()
        self.backup()
        restored = self.restored_source(self.restore())
        self.assertEqual(tree(restored), tree(self.source))
        self.assertEqual(os.stat(f"{restored}/a.txt").st_ino,
                         os.stat(f"{restored}/dir/hard").st_ino)
        self.assertLess(blocks(f"{restored}/sparse"), 4 << 20)

    # covers F6.7, S17
    def test_odd_names_are_escaped_and_whole_in_json(self):
        self.make_odd_source()
        self.init()
        self.backup()
        out, _ = self.run_it("ls", "latest", self.source)
        for part in (rb"new\nline", rb"bad\xff\xfeutf8", rb"\x1b[31mred", rb"back\\slash"):
            self.assertIn(part, out)
        self.assertNotIn(b"\x1b", out)
        raw, _ = self.run_it("ls", "latest", self.source, "--json")
        self.assertTrue(raw.isascii())
        hexes = [bytes.fromhex(e["path_hex"]) for e in json.loads(raw) if "path_hex" in e]
        self.assertEqual(hexes, [os.fsencode(self.source) + b"/bad\xff\xfeutf8"])
        out, _ = self.run_it("dump", "latest", os.fsencode(self.source) + b"/bad\xff\xfeutf8")
        self.assertEqual(out, b"bad\xff\xfeutf8")

    def test_a_part_goes_straight_into_the_target(self):
        self.fill_source()
        self.init()
        self.backup()
        target = self.restore(f"latest:{self.source}/dir")
        self.assertEqual(tree(target), tree(f"{self.source}/dir"))
        target = self.restore(f"latest:{self.source}/a.txt")
        self.assertEqual(os.listdir(target), ["a.txt"])

    def test_include_exclude_dry_run_and_verify(self):
        self.fill_source()
        self.init()
        self.backup()
        restored = self.restored_source(self.restore("latest", "--include", "*.txt", "--verify"))
        self.assertEqual({n for n, d in tree(restored).items() if d[0] == stat.S_IFREG},
                         {b"a.txt", b"dir/deeper/c.txt"})
        restored = self.restored_source(self.restore("latest", "--exclude", "*.bin"))
        self.assertNotIn(b"dir/b.bin", tree(restored))
        target = os.path.join(self.work, "dry")
        out, _ = self.run_it("restore", "latest", "--target", target, "--dry-run")
        self.assertIn(b"b.bin", out)
        self.assertFalse(os.path.exists(os.path.join(target, "source")))

    def test_overwrite_never_keeps_and_always_replaces(self):
        self.fill_source()
        self.init()
        self.backup()
        target = self.restore()
        victim = f"{self.restored_source(target)}/a.txt"
        write(victim, "mine")
        self.run_it("restore", "latest", "--target", target, "--overwrite", "never")
        self.assertEqual(read(victim), b"mine")
        self.run_it("restore", "latest", "--target", target, "--overwrite", "if-changed")
        self.assertEqual(read(victim), b"alpha\n")
        write(victim, "mine")
        self.run_it("restore", "latest", "--target", target)
        self.assertEqual(tree(self.restored_source(target)), tree(self.source))

    # covers S14, F6.2
    def test_delta_writes_only_what_differs(self):
        self.fill_source()
        write(f"{self.source}/big", random_bytes(8_000_000, SEED + 2))
        os.chmod(f"{self.source}/big", 0o640)
        self.init()
        self.backup()
        target = self.restore()
        big = f"{self.restored_source(target)}/big"
        inode = os.stat(big).st_ino
        with open(big, "r+b") as file:
            file.seek(3_000_000)
            file.write(b"changed")
            file.seek(9_000_000)
            file.write(b"longer")
        os.chmod(big, 0o400)
        words = ("restore", "latest", "--target", target, "--delta")
        out, _ = self.run_it(*words, "--dry-run")
        self.assertIn(b"/big", out)
        self.assertNotIn(b"a.txt", out)
        self.assertEqual(os.stat(big).st_size, 9_000_006)
        done = self.summary(*words)
        self.assertEqual(os.stat(big).st_ino, inode)
        self.assertEqual(tree(self.restored_source(target)), tree(self.source))
        self.assertGreater(done["bytes_compared"], 8_000_000)
        self.assertLessEqual(done["bytes_written"], 256 << 10)
        again = self.summary(*words, "--verify")
        self.assertEqual((again["bytes_fetched"], again["bytes_written"]), (0, 0))
        self.assertEqual(tree(self.restored_source(target)), tree(self.source))
        out, _ = self.run_it(*words)
        self.assertIn(b"compared: ", out)
        self.run_it(*words, "--overwrite", "if-changed")
        self.run_it(*words, "--overwrite", "never", expect=USAGE)
        # A name that leads elsewhere is replaced, what it leads to is not touched.
        write(f"{self.work}/outside", "outside")
        os.remove(big)
        os.symlink(f"{self.work}/outside", big)
        self.run_it(*words)
        self.assertEqual(read(f"{self.work}/outside"), b"outside")
        self.assertEqual(tree(self.restored_source(target)), tree(self.source))

    def test_a_stream_comes_back(self):
        self.init()
        data = random_bytes(5_000_000, SEED + 1)
        self.run_it("backup", "stdin", "--name", "dump.sql", "--tag", "pipe", stdin=data)
        self.assertEqual(self.run_it("dump", "latest", "/dump.sql")[0], data)
        self.assertEqual(self.document("snapshots")[0]["kind"], "stream")
        again = self.summary("backup", "stdin", "--name", "dump.sql", stdin=data)
        self.assertLess(again["data_added"], 20_000)
        self.run_it("backup", "stdin", expect=USAGE)
        self.run_it("backup", "stdin", "--name", "a/b", expect=USAGE)


class Keys(Vault):
    def test_add_list_remove(self):
        self.init()
        second = os.path.join(self.work, "second.key")
        self.run_it("key", "add", "--new-key-file", second, "--label", "spare")
        self.assertEqual(stat.S_IMODE(os.stat(second).st_mode), 0o600)
        keys = self.document("key", "list")
        self.assertEqual(sorted(k["current"] for k in keys), [False, True])
        mine = next(k["id"] for k in keys if k["current"])
        self.run_it("key", "remove", mine, expect=FATAL)
        self.run_it("--key-file", second, "key", "remove", mine[:8], key=False)
        self.run_it("snapshots", expect=WRONG_KEY)
        self.run_it("--key-file", second, "snapshots", key=False)
        _, err = self.run_it("--key-file", second, "key", "remove",
                             next(k["id"] for k in keys if not k["current"]), key=False,
                             expect=FATAL)
        self.assertIn(b"hint:", err)

    def test_a_paper_key_opens_when_all_is_lost(self):
        self.fill_source()
        self.init()
        self.backup()
        paper = os.path.join(self.work, "paper")
        self.run_it("key", "export", "--output", paper)
        self.assertEqual(stat.S_IMODE(os.stat(paper).st_mode), 0o600)
        self.run_it("key", "export", "--output", paper, expect=FATAL)
        self.assertEqual(self.run_it("key", "export", "--output", "-")[0], read(paper))
        os.remove(self.key)
        for name in os.listdir(f"{self.repo}/keys"):
            os.remove(f"{self.repo}/keys/{name}")
        text = read(paper)
        write(paper, text[:30] + b" \n" + text[30:])
        self.run_it("key", "import", paper, "--new-key-file", self.key, key=False)
        self.assertEqual(tree(self.restored_source(self.restore())), tree(self.source))
        write(paper, text[:25] + (b"0" if text[25:26] != b"0" else b"1") + text[26:])
        self.run_it("key", "import", paper, "--new-key-file", self.key, key=False,
                    expect=WRONG_KEY)

    def test_the_paper_key_of_another_repository_is_the_wrong_key(self):
        self.init()
        paper = os.path.join(self.work, "paper")
        self.run_it("key", "export", "--output", paper)
        self.repo = os.path.join(self.work, "other")
        self.run_it("init")
        self.run_it("key", "import", paper, "--new-key-file", self.key, key=False,
                    expect=WRONG_KEY)

    def test_passphrases_from_file_command_and_environment(self):
        password = os.path.join(self.work, "password")
        write(password, "correct horse\nsecond line\n")
        os.chmod(password, 0o600)
        self.run_it("--password-file", password, "init", key=False)
        self.run_it("--password-command", "echo correct horse", "snapshots", key=False)
        self.run_it("snapshots", key=False, env={"PAGEVAULT_PASSWORD": "correct horse"})
        self.run_it("snapshots", key=False, env={"PAGEVAULT_PASSWORD_FILE": password})
        self.run_it("snapshots", key=False,
                    env={"PAGEVAULT_PASSWORD_COMMAND": f"cat {password}"})
        self.run_it("--password-command", "exit 3", "snapshots", key=False, expect=USAGE)
        _, err = self.run_it("--password-command", "echo correct horse", "snapshots",
                             expect=USAGE)
        self.assertIn(b"--key-file", err)
        os.chmod(password, 0o644)
        _, err = self.run_it("--password-file", password, "snapshots", key=False)
        self.assertIn(b"chmod 600", err)

    # covers F7.1
    def test_a_wrong_passphrase_is_code_12_within_a_second_or_so_and_writes_nothing(self):
        self.run_it("init", key=False, env={"PAGEVAULT_PASSWORD": "right"})
        before = self.repository_files()
        begun = time.monotonic()
        for words in (("snapshots",), ("backup", "files", self.source), ("check",)):
            _, err = self.run_it(*words, key=False, env={"PAGEVAULT_PASSWORD": "wrong-secret"},
                                 expect=WRONG_KEY)
            self.assertIn(b"hint:", err)
            self.assertNotIn(b"wrong-secret", err)
        self.assertLess(time.monotonic() - begun, 30)  # Argon2id on a busy machine.
        self.assertEqual(self.repository_files(), before)
        self.assertFalse(os.path.exists(os.path.join(self.work, "cache")))

    def test_without_key_and_terminal_the_options_are_named(self):
        self.init()
        _, err = self.run_it("snapshots", key=False, expect=USAGE)
        for word in (b"--key-file", b"--password-file", b"PAGEVAULT_PASSWORD_COMMAND"):
            self.assertIn(word, err)

    def talk(self, words, answers):
        """Runs with a terminal of its own; types each answer when asked. -> (code, screen)."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(PROGRAM, self.command(*words, key=False), self.environment())
        screen, end = b"", time.monotonic() + 60
        try:
            while time.monotonic() < end:
                screen += os.read(terminal, 4096)
                if answers and screen.endswith(b": "):
                    # Typed only once the echo is off: asking twice in a row flushes typeahead.
                    os.write(terminal, answers.pop(0) + b"\n")
                    screen += b"<typed>"
        except OSError:
            pass  # The other end closed.
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), screen

    def test_the_prompt_asks_twice_hides_what_is_typed_and_can_be_left(self):
        code, screen = self.talk(["init"], [b"top secret", b"top secret"])
        self.assertEqual(code, OK, screen)
        self.assertNotIn(b"top secret", screen)
        code, screen = self.talk(["snapshots"], [b"top secret"])
        self.assertEqual(code, OK, screen)
        self.assertEqual(self.talk(["snapshots"], [b"other"])[0], WRONG_KEY)
        self.assertEqual(self.talk(["key", "add"], [b"top secret", b"one", b"two"])[0], USAGE)
        self.assertEqual(self.talk(["snapshots"], [b"\x03"])[0], INTERRUPTED)


class Refusals(Vault):
    # covers F2.5
    def test_an_empty_mount_point_is_no_repository_and_stays_empty(self):
        os.mkdir(self.repo)
        self.fill_source()
        write(self.key, b"x")
        for words in (("backup", "files", self.source), ("snapshots",), ("check",),
                      ("restore", "latest", "--target", f"{self.work}/t"), ("repair", "index"),
                      ("key", "list"), ("key", "add"), ("stats",)):
            _, err = self.run_it(*words, expect=NO_REPOSITORY)
            self.assertIn(b"hint:", err)
        self.assertEqual(os.listdir(self.repo), [])
        os.rmdir(self.repo)
        self.run_it("snapshots", expect=NO_REPOSITORY)
        self.assertFalse(os.path.exists(self.repo))
        write(self.repo, "a file")
        self.run_it("snapshots", expect=NO_REPOSITORY)

    def test_wrong_use_is_code_2_with_the_nearest_match(self):
        _, err = self.run_it("snapshot", expect=USAGE)
        self.assertIn(b"did you mean 'snapshots'", err)
        _, err = self.run_it("backup", "files", "/x", "--exlude", "y", expect=USAGE)
        self.assertIn(b"did you mean --exclude", err)
        self.run_it("restore", "latest", expect=USAGE)
        self.run_it(expect=USAGE)
        self.run_it("check", "--read-data-subset=0%", expect=USAGE)
        self.run_it("stats", repo=False, expect=USAGE)
        self.run_it("stats", env={"PAGEVAULT_COMPRESSION": "ultra"}, expect=USAGE)

    def test_help_is_there_for_every_command_without_a_repository(self):
        out, _ = self.run_it("--help", key=False, repo=False)
        names = re.findall(rb"^  ([a-z]+(?: [a-z]+)?)  ", out, re.M)
        self.assertGreaterEqual(len(names), 17)
        for name in names:
            page, _ = self.run_it(*name.decode().split(), "--help", key=False, repo=False)
            for part in (b"Usage: pagevault " + name, b"Examples:", b"Exit codes:"):
                self.assertIn(part, page)
        self.assertRegex(self.run_it("--version", key=False, repo=False)[0], rb"^pagevault \d")

    def test_errors_are_json_when_asked(self):
        _, err = self.run_it("snapshots", "--json", expect=NO_REPOSITORY)
        last = json.loads(err.splitlines()[-1])
        self.assertEqual((last["message_type"], last["code"]), ("exit_error", NO_REPOSITORY))
        _, err = self.run_it("snapshots", "--json", "--bad", expect=USAGE)
        self.assertEqual(json.loads(err.splitlines()[-1])["code"], USAGE)

    def test_an_unreadable_key_file_is_named(self):
        self.init()
        _, err = self.run_it("--key-file", f"{self.work}/none", "snapshots", key=False,
                             expect=FATAL)
        self.assertIn(b"none", err)
        write(f"{self.work}/bad", "not-a-key-1234")
        _, err = self.run_it("--key-file", f"{self.work}/bad", "snapshots", key=False,
                             expect=WRONG_KEY)
        self.assertNotIn(b"not-a-key", err)
        os.chmod(self.key, 0o644)
        _, err = self.run_it("snapshots")
        self.assertIn(b"chmod 600", err)

    # covers F8.1, F8.2
    def test_unreadable_sources_are_named_and_the_rest_is_saved(self):
        self.fill_source()
        write(f"{self.source}/secret", "s")
        os.chmod(f"{self.source}/secret", 0)
        write(f"{self.source}/dir/locked/x", "x")
        os.chmod(f"{self.source}/dir/locked", 0)
        prefix = ()
        if os.geteuid() == 0:
            prefix = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
            os.chown(self.work, NOBODY, NOBODY)
        self.run_it("init", prefix=prefix)
        out, err = self.run_it("backup", "files", self.source, "--json", prefix=prefix,
                               expect=INCOMPLETE)
        items = {json.loads(line)["item"] for line in err.splitlines()
                 if json.loads(line)["message_type"] == "error"}
        self.assertEqual(items, {f"{self.source}/secret", f"{self.source}/dir/locked"})
        self.assertTrue(json.loads(out.splitlines()[-1])["incomplete"])
        restored = self.restored_source(self.restore(prefix=prefix))
        self.assertEqual(read(f"{restored}/dir/b.bin"), read(f"{self.source}/dir/b.bin"))
        self.run_it("check", "--read-data", prefix=prefix)

    def test_a_source_that_is_gone_is_incomplete_and_none_at_all_is_an_error(self):
        self.fill_source()
        self.init()
        gone = f"{self.work}/gone"
        _, err = self.run_it("backup", "files", self.source, gone, expect=INCOMPLETE)
        self.assertIn(os.fsencode(gone), err)
        self.run_it("backup", "files", gone, expect=FATAL)
        self.assertEqual(len(self.document("snapshots")), 1)

    # covers F2.1, F2.5
    def test_a_repository_that_may_only_be_read_still_restores(self):
        self.fill_source()
        prefix = ()
        if os.geteuid() == 0:
            prefix = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
            subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", self.work], check=True)
        self.run_it("init", prefix=prefix)
        self.run_it("backup", "files", self.source, prefix=prefix)
        subprocess.run(["chmod", "-R", "a-w", self.repo], check=True)
        self.run_it("backup", "files", self.source, prefix=prefix, expect=FATAL)
        self.assertEqual(tree(self.restored_source(self.restore(prefix=prefix)))[b"dir/b.bin"][-2],
                         read(f"{self.source}/dir/b.bin"))
        self.run_it("check", "--read-data", prefix=prefix)


class Damage(Vault):
    def largest_pack(self):
        sizes = {n: s for n, s in self.repository_files().items() if n.startswith("packs/")}
        return os.path.join(self.repo, max(sizes, key=sizes.get))

    # covers F5.1
    def test_a_flipped_bit_is_found_named_and_leaves_other_files_alone(self):
        self.fill_source()
        self.init()
        self.backup()
        pack = self.largest_pack()
        content = bytearray(read(pack))
        content[len(content) // 2] ^= 4
        os.chmod(pack, 0o600)
        write(pack, bytes(content))
        _, err = self.run_it("check", "--read-data", expect=DAMAGE)
        self.assertIn(os.path.basename(pack).encode(), err)
        findings = [json.loads(line) for line in
                    self.run_it("check", "--read-data", "--json", expect=DAMAGE)[0].splitlines()]
        self.assertGreater(findings[-1]["num_errors"], 0)
        target = tempfile.mkdtemp(dir=self.work)
        _, err = self.run_it("restore", "latest", "--target", target, expect=DAMAGE)
        self.assertIn(b"b.bin", err)
        restored = tree(self.restored_source(target))
        self.assertEqual(restored[b"a.txt"], tree(self.source)[b"a.txt"])
        self.assertNotIn(b"dir/b.bin", restored)
        self.run_it("dump", "latest", f"{self.source}/dir/b.bin", expect=DAMAGE)

    # covers F5.4
    def test_a_missing_pack_is_found_and_healed_by_the_next_backup(self):
        self.fill_source()
        self.init()
        self.backup()
        os.remove(self.largest_pack())
        self.run_it("check", expect=DAMAGE)
        self.backup("--force")
        self.assertEqual(tree(self.restored_source(self.restore())), tree(self.source))

    # covers F5.8, I9
    def test_lost_index_objects_and_caches_are_rebuilt(self):
        self.fill_source()
        self.init()
        self.backup()
        shutil.rmtree(f"{self.work}/cache")
        self.assertEqual(tree(self.restored_source(self.restore())), tree(self.source))
        for name in os.listdir(f"{self.repo}/index"):
            os.remove(f"{self.repo}/index/{name}")
        self.run_it("check", expect=DAMAGE)
        self.run_it("repair", "index")
        self.run_it("check", "--read-data")
        self.assertEqual(tree(self.restored_source(self.restore())), tree(self.source))
        self.run_it("repair", "index")

    def test_the_cache_is_not_needed(self):
        self.fill_source()
        self.init()
        self.run_it("backup", "files", self.source, "--no-cache")
        self.run_it("check", "--read-data", "--no-cache")
        self.assertFalse(os.path.exists(f"{self.work}/cache"))

    def test_a_damaged_config_is_code_20(self):
        self.init()
        config = f"{self.repo}/config"
        os.chmod(config, 0o600)
        content = bytearray(read(config))
        content[-1] ^= 1
        write(config, bytes(content))
        self.run_it("snapshots", expect=DAMAGE)


class AtOnce(Vault):
    # covers F4.1
    def test_four_writers_at_once_all_succeed(self):
        self.init()
        sources = []
        for number in range(4):
            source = os.path.join(self.work, f"source-{number}")
            write(f"{source}/shared", random_bytes(2_000_000, SEED))
            write(f"{source}/own", random_bytes(1_000_000, SEED + 10 + number))
            sources.append(source)
        running = [subprocess.Popen(self.command("backup", "files", s, "--host", f"h{n}"),
                                    env=self.environment(), stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE) for n, s in enumerate(sources)]
        for program in running:
            _, err = program.communicate(timeout=120)
            self.assertEqual(program.returncode, OK, err)
        self.run_it("check", "--read-data")
        for snapshot in self.document("snapshots"):
            source = snapshot["paths"][0]
            target = self.restore(snapshot["id"])
            self.assertEqual(tree(target + source), tree(source))

    # covers F1.4, I12
    def test_an_interrupted_backup_is_code_130_and_the_next_one_works(self):
        self.init()
        program = subprocess.Popen(self.command("backup", "stdin", "--name", "slow"),
                                   env=self.environment(), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        program.stdin.write(random_bytes(1_000_000, SEED))
        program.stdin.flush()
        self.wait_until_session_is_announced()
        program.send_signal(signal.SIGTERM)
        _, err = program.communicate(timeout=60)
        self.assertEqual(program.returncode, INTERRUPTED, err)
        self.assertEqual(self.document("snapshots"), [])
        self.run_it("backup", "stdin", "--name", "fast", stdin=b"done")
        self.run_it("check", "--read-data")

    def wait_until_session_is_announced(self):
        end = time.monotonic() + 60
        while not os.listdir(f"{self.repo}/sessions"):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)  # Nothing reports the event: look again.

    # covers S11
    def test_the_process_cannot_be_dumped_and_hides_its_password(self):
        self.run_it("init", key=False, env={"PAGEVAULT_PASSWORD": "right"})
        program = subprocess.Popen(self.command("backup", "stdin", "--name", "x", key=False),
                                   env=self.environment(PAGEVAULT_PASSWORD="right"),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        try:
            self.wait_until_session_is_announced()
            with open(f"/proc/{program.pid}/limits", encoding="ascii") as limits:
                self.assertRegex(limits.read(), r"Max core file size\s+0\s+0")
            if os.geteuid() == 0:
                self.assertNotIn(b"PASSWORD=right", read(f"/proc/{program.pid}/environ"))
        finally:
            program.communicate(b"x", timeout=60)
        self.assertEqual(program.returncode, OK)


if __name__ == "__main__":
    unittest.main(verbosity=2)
