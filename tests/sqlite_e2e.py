#!/usr/bin/env python3
"""SQLite databases in use, end to end: the real program beside real writers.

Usage: sqlite_e2e.py PAGEVAULT [-k NAME_PART] [unittest arguments]

What a snapshot must be is what SQLite itself says a transaction sees: Connection.serialize(). A
database is never opened as a plain file here while this process has a connection to it: closing it
would drop the connection's locks (F8.11).
"""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import unittest

from cli_e2e import (DAMAGE, FATAL, INCOMPLETE, OK, SEED, USAGE, WRONG_KEY, Vault, random_bytes,
                     read, write)

ROWS = 20_000


class Databases(Vault):
    def path(self, name="app.db"):
        return os.path.join(self.source, name)

    def open(self, name="app.db", mode="wal"):
        """A writer that never makes a checkpoint by itself."""
        db = sqlite3.connect(self.path(name), isolation_level=None)
        self.addCleanup(db.close)
        db.execute(f"PRAGMA journal_mode={mode}")
        db.execute("PRAGMA wal_autocheckpoint=0")
        return db

    def filled(self, name="app.db", mode="wal", rows=ROWS):
        db = self.open(name, mode)
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT)")
        db.execute("BEGIN")
        db.executemany("INSERT INTO t VALUES(?, ?)",
                       ((i, random_bytes(60, SEED + i).hex()) for i in range(1, rows + 1)))
        db.execute("COMMIT")
        return db

    def backup_databases(self, *words, **options):
        return self.summary("backup", "sqlite", *words, **options)

    def image(self, snapshot="latest", name="app.db"):
        target = self.restore(snapshot)
        return read(os.path.join(target, self.path(name).lstrip("/")))

    def expected(self, name="app.db"):
        """What a transaction sees. By a connection of its own: the writer's cache still has freed
        pages as they were."""
        with contextlib.closing(sqlite3.connect(self.path(name))) as reader:
            return reader.serialize()

    @contextlib.contextmanager
    def opened_again(self, name="app.db"):
        """The newest snapshot's database, opened and found sound."""
        path = os.path.join(self.restore(), self.path(name).lstrip("/"))
        with contextlib.closing(sqlite3.connect(path)) as db:
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            yield db

    def least_read(self, change):
        """Bytes read and stored by the cheaper of two backups, each after `change`. Once in thirty
        rounds a backup looks at what it trusts."""
        found = []
        for _ in range(2):
            change()
            step = self.backup_databases(self.path())
            found.append((step["bytes_read"], step["data_added_packed"]))
        return min(found)


class Snapshots(Databases):
    def test_what_is_only_in_the_log_is_in_the_snapshot(self):
        self.init()
        db = self.filled()
        db.execute("UPDATE t SET body = 'new' WHERE id % 100 = 0")
        self.backup_databases(self.path())
        image = self.image()
        self.assertEqual(image, db.serialize())
        self.assertGreater(len(image), os.stat(self.path()).st_size, "the file has it already")

    def test_a_step_reads_and_stores_what_the_log_says(self):
        self.init()
        db = self.filled()
        db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        self.backup_databases(self.path())
        read_bytes, stored = self.least_read(
            lambda: db.execute("UPDATE t SET body = body || 'x' WHERE id = 7"))
        self.assertLess(read_bytes, 300_000)
        self.assertLess(stored, 3_000)
        self.assertEqual(self.image(), self.expected())
        self.assertEqual(self.least_read(lambda: None)[0], 0)
        self.assertEqual(self.image(), self.expected())

    def test_diff_names_the_tables_and_indexes_that_changed(self):
        self.init()
        db = self.filled(rows=3000)
        db.execute("CREATE TABLE log(line TEXT)")
        db.execute("CREATE INDEX log_line ON log(line)")
        db.execute("CREATE TABLE gone AS SELECT * FROM t LIMIT 500")
        self.backup_databases(self.path())
        db.execute("INSERT INTO log SELECT body FROM t LIMIT 1000")
        db.execute("DROP TABLE gone")
        self.backup_databases(self.path())
        out, _ = self.run_it("diff", "latest~1", "latest")
        lines = out.decode().splitlines()
        at = lines.index(f"M    {self.path()}")
        told = {line.split(":")[0].strip(): line for line in lines[at + 1:] if line[:7].isspace()}
        self.assertEqual(set(told), {"table log", "index log_line of log", "table gone",
                                     "free pages", "schema"})
        self.assertRegex(told["table gone"], r": \d+ -> 0 pages, 0 changed$")
        change = next(c for c in self.json_lines("diff", "latest~1", "latest")
                      if c.get("path") == self.path())
        database = change["database"]
        self.assertTrue(database["complete"])
        self.assertEqual(database["page_size"], 4096)
        log = next(o for o in database["owners"] if o.get("name") == "log")
        pages = db.execute("SELECT count(*) FROM dbstat WHERE name = 'log'").fetchone()[0]
        self.assertEqual((log["type"], log["pages_before"], log["pages_after"]),
                         ("table", 1, pages))
        out, _ = self.run_it("diff", "latest~1", "latest", "--paths-only")
        self.assertNotIn(b"table log", out)

    def test_growth_and_shrinking_between_snapshots_come_back_byte_for_byte(self):
        self.init()
        db = self.filled(rows=3000)
        db.execute("PRAGMA auto_vacuum=incremental")
        db.execute("VACUUM")
        for statement in ("INSERT INTO t(body) SELECT body || body FROM t",
                          "DELETE FROM t WHERE id > 2000", "PRAGMA incremental_vacuum",
                          "PRAGMA wal_checkpoint(TRUNCATE)", "UPDATE t SET body = 'z'", "VACUUM"):
            db.execute(statement).fetchall()
            self.backup_databases(self.path())
            self.assertTrue(self.image() == self.expected(), statement)
        self.run_it("check", "--read-data")

    def test_rollback_journal_databases_are_read_and_unchanged_ones_are_not(self):
        self.init()
        for mode in ("delete", "truncate", "persist"):
            with self.subTest(mode=mode):
                db = self.filled(f"{mode}.db", mode, rows=2000)
                path = self.path(f"{mode}.db")
                self.backup_databases(path)
                self.assertEqual(self.image(name=f"{mode}.db"), db.serialize())
                unchanged = [self.backup_databases(path)["bytes_read"] for _ in range(2)]
                self.assertEqual(min(unchanged), 0)
                db.execute("UPDATE t SET body = 'y' WHERE id = 5")
                self.assertGreater(self.backup_databases(path)["bytes_read"], 0)
                self.assertEqual(self.image(name=f"{mode}.db"), db.serialize())

    def test_every_page_size_comes_back(self):
        self.init()
        for size in (512, 1024, 4096, 16384, 65536):
            with self.subTest(size=size):
                name = f"{size}.db"
                db = sqlite3.connect(self.path(name), isolation_level=None)
                self.addCleanup(db.close)
                db.execute(f"PRAGMA page_size={size}")
                db.execute("PRAGMA journal_mode=wal")
                db.execute("CREATE TABLE t(x)")
                db.execute("INSERT INTO t VALUES(randomblob(300000))")
                self.backup_databases(self.path(name))
                self.assertEqual(self.image(name=name), db.serialize())

    def test_nothing_is_written_to_the_database_and_no_checkpoint_is_made(self):
        self.init()
        db = self.filled(rows=3000)
        names = ["app.db", "app.db-wal"]
        before = [os.stat(self.path(n)) for n in names]
        self.backup_databases(self.path())
        for name, was in zip(names, before):
            now = os.stat(self.path(name))
            self.assertEqual((now.st_size, now.st_mtime_ns), (was.st_size, was.st_mtime_ns), name)
        busy, log, done = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        self.assertEqual((busy, log), (0, done))

    # covers F8.10
    def test_snapshots_beside_a_writer_are_whole_transactions(self):
        self.init()
        db = self.open()
        for table in "ab":  # Of 400 rows, however long the writer has time.
            db.execute(f"CREATE TABLE {table}(slot INTEGER PRIMARY KEY, n INTEGER, pad BLOB)")
        db.close()
        writer = subprocess.Popen([sys.executable, "-c", WRITER, self.path()],
                                  stdout=subprocess.PIPE)
        self.addCleanup(writer.stdout.close)
        self.addCleanup(writer.wait)
        self.addCleanup(writer.kill)
        self.assertEqual(writer.stdout.readline(), b"writing\n")
        last = 0
        for _ in range(15):
            self.backup_databases(self.path())
            with self.opened_again() as copy:
                a, b = (copy.execute(f"SELECT max(n), sum(n) FROM {t}").fetchone() for t in "ab")
                self.assertEqual(a, b)
                self.assertGreaterEqual(a[0] or 0, last)
                last = a[0] or 0
        self.assertIsNone(writer.poll(), "the writer was disturbed")
        self.assertGreater(last, 0)


class Many(Databases):
    def test_several_databases_are_one_snapshot(self):
        self.init()
        one, two = self.filled("one.db", rows=500), self.filled("two.db", rows=700)
        done = self.backup_databases(self.path("one.db"), self.path("two.db"))
        self.assertEqual(done["files_new"], 2)
        self.assertEqual(self.image(name="one.db"), one.serialize())
        self.assertEqual(self.image(name="two.db"), two.serialize())

    def test_a_pattern_takes_in_what_is_new_and_keeps_its_line_of_snapshots(self):
        self.init()
        self.filled("t1.db", rows=500)
        pattern = self.path("*.db")
        self.backup_databases("--glob", pattern)
        self.filled("t2.db", rows=600)
        step = self.backup_databases("--glob", pattern)
        self.assertEqual((step["files_new"], step["files_unmodified"]), (1, 1))
        found = self.document("snapshots")
        self.assertEqual([s["paths"] for s in found], [[pattern], [pattern]])
        self.run_it("backup", "sqlite", "--glob", self.path("*.none"), expect=USAGE)

    def test_together_is_one_instant(self):
        self.init()
        writer = subprocess.Popen([sys.executable, "-c", PAIR_WRITER, self.path("a.db"),
                                   self.path("b.db")], stdout=subprocess.PIPE)
        self.addCleanup(writer.stdout.close)
        self.addCleanup(writer.wait)
        self.addCleanup(writer.kill)
        self.assertEqual(writer.stdout.readline(), b"writing\n")
        for _ in range(8):
            self.backup_databases(self.path("a.db"), self.path("b.db"), "--together")
            counts = []
            for name in ("a.db", "b.db"):
                with self.opened_again(name) as copy:
                    counts.append(copy.execute("SELECT max(n) FROM t").fetchone()[0])
            # It writes to a, then to b: at any instant a is equal or one ahead.
            self.assertIn(counts[0] - counts[1], (0, 1), counts)


class Refusals(Databases):
    # covers F6.6
    def test_what_is_no_database_is_refused_or_stored_as_a_file(self):
        self.init()
        write(self.path("fake.db"), b"not a database at all" * 1000)
        _, err = self.run_it("backup", "sqlite", self.path("fake.db"), expect=FATAL)
        self.assertIn(b"fake.db", err)
        self.assertIn(b"not a SQLite database", err)
        self.backup_databases(self.path("fake.db"), "--as-file")
        self.assertEqual(self.image(name="fake.db"), b"not a database at all" * 1000)

    def test_one_bad_database_does_not_keep_the_others_from_being_saved(self):
        self.init()
        db = self.filled("good.db", rows=500)
        write(self.path("bad.db"), random_bytes(5000, SEED))
        self.run_it("backup", "sqlite", self.path("good.db"), self.path("bad.db"),
                    self.path("missing.db"), expect=INCOMPLETE)
        self.assertEqual(self.image(name="good.db"), db.serialize())

    # covers F8.10
    def test_a_hot_journal_is_refused_with_what_to_do_and_is_not_lost(self):
        self.init()
        self.filled("crashed.db", "delete", rows=3000).close()
        path = self.path("crashed.db")
        crash = subprocess.run([sys.executable, "-c", CRASHING_WRITER, path], check=False)
        self.assertEqual(crash.returncode, -signal.SIGKILL)
        journal = read(path + "-journal")
        _, err = self.run_it("backup", "sqlite", path, expect=FATAL)
        self.assertIn(b"journal", err)
        self.assertEqual(read(path + "-journal"), journal)
        with contextlib.closing(sqlite3.connect(path)) as db:
            self.assertEqual(db.execute("SELECT count(*) FROM t").fetchone(), (3000,))
        self.backup_databases(path)

    def test_a_link_leads_to_the_database_and_its_log(self):
        self.init()
        db = self.filled(rows=500)
        link = os.path.join(self.work, "link.db")
        os.symlink(self.path(), link)
        self.backup_databases(link)
        self.assertEqual(self.image(), db.serialize())


class Watching(Databases):
    def watch(self, *words, **env):
        """A running watch. Its lines are waited for, never slept for."""
        watch = subprocess.Popen(self.command("watch", *words), env=self.environment(**env),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for clean in (watch.stdout.close, watch.stderr.close, watch.wait, watch.kill):
            self.addCleanup(clean)
        return watch

    def snapshot_line(self, watch):
        line = watch.stdout.readline()
        self.assertTrue(line, "it ended")
        found = json.loads(line)
        self.assertEqual(found["message_type"], "snapshot")
        return found

    def end(self, watch, sign=signal.SIGTERM):
        watch.send_signal(sign)
        out, err = watch.communicate(timeout=60)
        self.assertEqual((watch.returncode, out), (OK, b""), err)
        return err

    # covers F1.4
    def test_each_change_is_a_snapshot_and_a_line_and_sigterm_ends_it(self):
        self.init()
        db = self.filled(rows=2000)
        watch = self.watch(self.path(), "--every", "1s", "--tag", "w")
        first = self.snapshot_line(watch)
        self.assertEqual((first["databases"], first["incomplete"]), (1, False))
        self.assertNotIn("pages_changed", first)
        for _ in range(3):
            db.execute("UPDATE t SET body = body || 'x' WHERE id = 7")
            # A look amid a commit takes it for two changes: then there is one more, of no page.
            pages = 0
            while pages == 0:
                pages = self.snapshot_line(watch)["pages_changed"]
            self.assertIn(pages, (1, 2))
        self.assertEqual(db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone(), (0, 0, 0),
                         "a transaction is open between snapshots")
        self.snapshot_line(watch)
        watch.send_signal(signal.SIGTERM)
        _, err = watch.communicate(timeout=60)
        self.assertEqual((watch.returncode, err), (OK, b""))
        found = self.document("snapshots")
        self.assertGreaterEqual(len(found), 5)
        self.assertEqual(found[-1]["tags"], ["w"])
        self.assertEqual(self.image(), self.expected())
        self.run_it("check", "--read-data")

    def test_it_sleeps_until_a_signal_however_long_the_interval(self):
        self.init()
        self.filled(rows=10)
        for sign in (signal.SIGTERM, signal.SIGINT):
            watch = self.watch(self.path(), "--every", "1000h")
            self.snapshot_line(watch)
            self.assertEqual(self.end(watch, sign), b"")

    def test_an_outage_is_told_once_and_survived(self):
        self.init()
        db = self.filled(rows=100)
        watch = self.watch(self.path(), "--every", "1s")
        self.snapshot_line(watch)
        away = self.repo + ".away"
        os.rename(self.repo, away)
        db.execute("UPDATE t SET body = 'during the outage' WHERE id = 7")
        self.assertIn(b"no snapshots can be taken", watch.stderr.readline())
        os.rename(away, self.repo)
        self.snapshot_line(watch)
        self.assertEqual(self.end(watch), b"warning: snapshots are taken again\n")
        self.assertEqual(self.image(), self.expected())

    def test_a_repository_that_comes_later_is_waited_for(self):
        self.init()
        self.filled(rows=100)
        os.rename(self.repo, self.repo + ".away")
        watch = self.watch(self.path(), "--every", "1s")
        self.assertIn(b"no snapshots can be taken", watch.stderr.readline())
        os.rename(self.repo + ".away", self.repo)
        self.snapshot_line(watch)
        self.end(watch)

    def test_another_repository_in_its_place_is_left_alone(self):
        self.init()
        db = self.filled(rows=100)
        watch = self.watch(self.path(), "--every", "1s")
        self.snapshot_line(watch)
        os.rename(self.repo, self.repo + ".away")
        self.init()
        before = self.repository_files()
        db.execute("UPDATE t SET body = 'x'")
        self.assertIn(b"another repository", watch.stderr.readline())
        self.end(watch)
        self.assertEqual(self.repository_files(), before)

    def test_a_database_that_vanishes_and_returns_is_told_and_saved(self):
        self.init()
        self.filled("one.db", rows=100)
        two = self.filled("two.db", "delete", rows=100)
        watch = self.watch(self.path("one.db"), self.path("two.db"), "--every", "1s")
        self.assertEqual(self.snapshot_line(watch)["databases"], 2)
        two.close()
        os.rename(self.path("two.db"), self.path("two.away"))
        self.assertIn(b"two.db", watch.stderr.readline())
        self.assertTrue(self.snapshot_line(watch)["incomplete"])
        os.rename(self.path("two.away"), self.path("two.db"))
        self.assertFalse(self.snapshot_line(watch)["incomplete"])
        self.assertIn(b"two.db: is saved again", watch.stderr.readline())
        self.end(watch)

    def test_the_passphrase_is_asked_for_once(self):
        self.init()
        new = os.path.join(self.work, "password")
        write(new, "a passphrase\n")
        os.chmod(new, 0o600)
        self.run_it("key", "add", "--new-password-file", new)
        db = self.filled(rows=100)
        asked = os.path.join(self.work, "asked")
        command = f"echo asked >>{asked}; cat {new}"
        watch = subprocess.Popen(
            self.command("watch", self.path(), "--every", "1s", key=False),
            env=self.environment(PAGEVAULT_PASSWORD_COMMAND=command), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        for clean in (watch.stdout.close, watch.stderr.close, watch.wait, watch.kill):
            self.addCleanup(clean)
        self.snapshot_line(watch)
        db.execute("UPDATE t SET body = 'x'")
        self.snapshot_line(watch)
        self.end(watch)
        self.assertEqual(read(asked), b"asked\n")

    def test_what_waiting_does_not_heal_ends_it_at_the_start(self):
        self.init()
        self.filled(rows=10)
        self.run_it("watch", self.path("missing.db"), expect=FATAL)
        self.run_it("watch", expect=USAGE)
        self.run_it("watch", self.path(), "--every", "10", expect=USAGE)
        self.run_it("watch", self.path(), "--keep-within", "7d", expect=USAGE)
        other = os.path.join(self.work, "other.key")
        self.run_it("-r", self.repo + "2", "--key-file", other, "init", key=False, repo=False)
        self.run_it("--key-file", other, "watch", self.path(), key=False, expect=WRONG_KEY)


class Restores(Databases):
    """Over a database that was in use, with what it left beside."""

    def setUp(self):
        super().setUp()
        self.init()

    def leave_old_database(self):
        """A database in WAL mode whose writer was killed: its last transactions are in the log."""
        path = self.path()
        crash = subprocess.run([sys.executable, "-c", KILLED_WITH_LOG, path], check=False)
        self.assertEqual(crash.returncode, -signal.SIGKILL)
        self.assertGreater(os.stat(path + "-wal").st_size, 0)
        self.assertTrue(os.path.exists(path + "-shm"))

    def snapshot_of_filled(self, mode="wal", rows=3000):
        """The image in the snapshot; nobody has the database open any more."""
        db = self.filled(rows=rows, mode=mode)
        self.backup_databases(self.path())
        image = self.expected()
        db.close()
        return image

    def restore_in_place(self, *words, **options):
        return self.summary("restore", f"latest:{self.source}", "--target", self.source, *words,
                            **options)

    def beside(self):
        return sorted(n for n in os.listdir(self.source) if n != "app.db")

    def expect_image(self, image):
        self.assertEqual(self.beside(), [])
        self.assertTrue(read(self.path()) == image)
        with contextlib.closing(sqlite3.connect(self.path())) as db:
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            self.assertEqual(db.execute("SELECT count(*) FROM t").fetchone(), (3000,))

    # covers F8.10
    def test_an_old_log_is_not_applied_to_the_restored_database(self):
        image = self.snapshot_of_filled()
        for words in ([], ["--delta"], ["--overwrite", "if-changed"],
                      ["--delta", "--overwrite", "if-changed"]):
            with self.subTest(words=words):
                self.leave_old_database()
                self.restore_in_place(*words)
                self.expect_image(image)

    # covers F8.10
    def test_a_hot_journal_is_not_rolled_back_into_the_restored_database(self):
        image = self.snapshot_of_filled("delete")
        for words in ([], ["--delta"]):
            with self.subTest(words=words):
                crash = subprocess.run([sys.executable, "-c", CRASHING_WRITER, self.path()],
                                       check=False)
                self.assertEqual(crash.returncode, -signal.SIGKILL)
                self.assertEqual(self.beside(), ["app.db-journal"])
                self.restore_in_place(*words)
                self.expect_image(image)

    # covers F8.11
    def test_a_database_in_use_is_refused_and_its_users_notice_nothing(self):
        image = self.snapshot_of_filled()
        user = self.open()
        user.execute("DELETE FROM t WHERE id > 10")
        for words in ([], ["--delta"], ["--overwrite", "if-changed"]):
            _, err = self.run_it("restore", f"latest:{self.source}", "--target", self.source,
                                 *words, expect=FATAL)
            self.assertIn(b"app.db: the database is in use; stop the application", err)
            self.assertEqual(self.beside(), ["app.db-shm", "app.db-wal"])
            self.assertEqual(user.execute("SELECT count(*) FROM t").fetchone(), (10,))
            user.execute("UPDATE t SET body = body || 'x'")
        kept = self.restore_in_place("--overwrite", "never")
        self.assertEqual(kept["files_skipped"], 1)
        user.close()
        self.restore_in_place()
        self.expect_image(image)

    # covers F8.11
    def test_a_transaction_with_a_rollback_journal_is_in_use_whether_it_reads_or_writes(self):
        image = self.snapshot_of_filled("delete")
        user = sqlite3.connect(self.path(), isolation_level=None)
        self.addCleanup(user.close)
        for begin in ("BEGIN", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"):
            user.execute(begin)
            user.execute("SELECT count(*) FROM t").fetchone()
            for words in ([], ["--delta"]):
                _, err = self.run_it("restore", f"latest:{self.source}", "--target", self.source,
                                     *words, expect=FATAL)
                self.assertIn(b"in use", err)
            user.execute("COMMIT")
        user.close()
        self.restore_in_place()
        self.expect_image(image)

    def test_never_keeps_a_database_and_writes_none_beside_an_old_log(self):
        self.snapshot_of_filled()
        self.leave_old_database()
        before = {n: read(self.path(n)) for n in ["app.db", *self.beside()]}
        self.restore_in_place("--overwrite", "never")
        self.assertEqual({n: read(self.path(n)) for n in before}, before)
        os.unlink(self.path())
        _, err = self.run_it("restore", f"latest:{self.source}", "--target", self.source,
                             "--overwrite", "never", expect=FATAL)
        self.assertIn(b"log or journal", err)
        self.assertFalse(os.path.exists(self.path()))

    def test_delta_writes_only_what_differs(self):
        image = self.snapshot_of_filled()
        with contextlib.closing(sqlite3.connect(self.path(), isolation_level=None)) as db:
            db.execute("UPDATE t SET body = 'changed' WHERE id = 1500")
        done = self.restore_in_place("--delta", "--verify")
        self.assertLess(done["bytes_written"], len(image) / 2)
        self.assertEqual((done["databases_checked"], done["databases_unsound"]), (1, 0))
        self.expect_image(image)

    # covers F8.12
    def test_verify_tells_of_damage_that_was_backed_up_and_restores_it_exactly(self):
        self.snapshot_of_filled()
        damage(self.path(), page=9)
        damaged = read(self.path())
        self.backup_databases(self.path())
        target = os.path.join(self.work, "damaged")
        words = ["restore", f"latest:{self.source}", "--target", target]
        self.run_it(*words)
        out, err = self.run_it(*words, "--verify", expect=DAMAGE)
        self.assertIn(b"app.db: restored bytes are those of the snapshot (ids match), but SQLite "
                      b"reports: ", err)
        self.assertIn(b"sound: 0", out)
        self.assertNotIn(b"pv-damaged", err)
        self.assertTrue(read(os.path.join(target, "app.db")) == damaged)
        self.assertEqual(os.listdir(target), ["app.db"])
        self.run_it("restore", f"latest~1:{self.source}", "--target", target, "--verify")
        done = self.summary(*words, "--verify", expect=DAMAGE)
        self.assertEqual((done["databases_unsound"], done["damaged"], done["failed"]), (1, 0, 0))

    # covers F8.12
    def test_verify_tells_of_rows_that_refer_to_nothing(self):
        with contextlib.closing(sqlite3.connect(self.path(), isolation_level=None)) as db:
            db.execute("CREATE TABLE a(id INTEGER PRIMARY KEY)")
            db.execute("CREATE TABLE b(a REFERENCES a(id))")
            db.execute("INSERT INTO b VALUES(7)")
        self.backup_databases(self.path())
        _, err = self.run_it("restore", "latest", "--target", os.path.join(self.work, "out"),
                             "--verify", expect=DAMAGE)
        self.assertIn(b"refers to nothing in a", err)


class Dumps(Databases):
    def test_sql_makes_the_same_database_again(self):
        self.init()
        db = self.filled(rows=3000)
        db.execute("PRAGMA user_version=7")
        db.execute("CREATE INDEX by_body ON t(body)")
        db.execute("INSERT INTO t VALUES(-1, x'00ff00'), (-2, NULL), (-3, 'it''s; ' || char(10))")
        self.backup_databases(self.path())
        db.execute("DELETE FROM t")
        sql, _ = self.run_it("dump", "--sql", "latest", self.path())
        copy = os.path.join(self.work, "new.db")
        subprocess.run(["sqlite3", "-bail", copy], input=sql, check=True,
                       stdout=subprocess.DEVNULL)
        bytes_of, _ = self.run_it("dump", "latest", self.path())
        saved = os.path.join(self.work, "saved.db")
        write(saved, bytes_of)
        with contextlib.closing(sqlite3.connect(copy)) as new, \
                contextlib.closing(sqlite3.connect(saved)) as old:
            self.assertEqual(list(new.iterdump()), list(old.iterdump()))
            self.assertEqual(new.execute("SELECT count(*) FROM t").fetchone(), (3003,))
            self.assertEqual(new.execute("PRAGMA user_version").fetchone(), (7,))

    def test_large_databases_wait_in_the_temporary_folder_and_leave_nothing_there(self):
        self.init()
        db = self.open()
        db.execute("CREATE TABLE t(x)")
        db.execute("INSERT INTO t VALUES(zeroblob(70000000))")
        self.backup_databases(self.path())
        folder = os.path.join(self.work, "temporary")
        _, err = self.run_it("dump", "--sql", "latest", self.path(), env={"TMPDIR": folder},
                             expect=FATAL)
        self.assertIn(folder.encode(), err)
        os.mkdir(folder)
        sql, _ = self.run_it("dump", "--sql", "latest", self.path(), env={"TMPDIR": folder})
        self.assertGreater(len(sql), 140_000_000)
        self.assertEqual(os.listdir(folder), [])

    # covers F6.6
    def test_what_is_no_database_gives_no_sql(self):
        self.init()
        write(self.path("notes"), b"plain text " * 1000)
        self.backup()
        out, err = self.run_it("dump", "--sql", "latest", self.path("notes"), expect=FATAL)
        self.assertEqual(out, b"")
        self.assertIn(b"notes", err)
        self.run_it("dump", "--sql", "latest", self.source, expect=FATAL)


class Listings(Databases):
    def test_a_database_that_changed_in_its_log_alone_counts_as_changed(self):
        self.init()
        db = self.filled(rows=500)
        db.execute("PRAGMA wal_autocheckpoint=0")
        self.backup_databases(self.path())
        before = os.stat(self.path())
        db.execute("UPDATE t SET body = 'x' WHERE id = 5")
        self.assertEqual(os.stat(self.path()).st_mtime_ns, before.st_mtime_ns)
        for changed in (1, 0):
            step = self.backup_databases(self.path())
            self.assertEqual((step["files_new"], step["files_changed"], step["files_unmodified"]),
                             (0, changed, 1 - changed))

    def test_ls_and_snapshots_tell_pages_and_versions(self):
        self.init()
        db = self.filled(rows=3000)
        db.execute("PRAGMA application_id=1234")
        db.execute("PRAGMA user_version=7")
        self.backup_databases(self.path())
        db.execute("UPDATE t SET body = 'x' WHERE id = 5")
        self.backup_databases(self.path())
        pages, = db.execute("PRAGMA page_count").fetchone()
        cookie, = db.execute("PRAGMA schema_version").fetchone()
        found = self.document("ls", "latest", self.path())[0]["database"]
        changed = found.pop("pages_changed")
        self.assertIn(changed, range(1, 4))
        self.assertEqual(found, {"stored_as_file": False, "page_size": 4096, "pages": pages,
                                 "journal_mode": "wal", "schema_cookie": cookie,
                                 "user_version": 7, "application_id": 1234})
        out, _ = self.run_it("ls", "-l", "latest", self.path())
        self.assertIn(f" ({pages} pages of 4096, {changed} changed, wal, schema {cookie}, "
                      "user version 7, application id 0x000004d2)", out.decode())
        first, second = (s["databases"] for s in self.document("snapshots"))
        self.assertEqual(first, {"count": 1, "pages": pages})
        self.assertEqual(second, {"count": 1, "pages": pages, "pages_changed": changed})
        self.assertNotIn(b"Pages", self.run_it("snapshots")[0])
        out, _ = self.run_it("snapshots", "-v")
        self.assertIn(f"{pages} ({changed} changed)".encode(), out)

    def test_files_are_listed_as_ever(self):
        self.init()
        write(self.path("plain"), b"text")
        write(self.path("bad.db"), b"no database " * 100)
        self.backup()
        self.backup_databases(self.path("bad.db"), "--as-file")
        self.assertNotIn("database", self.document("ls", "latest~1", self.path("plain"))[0])
        found = self.document("ls", "latest", self.path("bad.db"))[0]
        self.assertEqual(found["database"], {"stored_as_file": True})
        files, databases = self.document("snapshots")
        self.assertNotIn("databases", files)
        self.assertEqual(databases["databases"]["count"], 0)


def damage(path, page):
    with open(path, "r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)


KILLED_WITH_LOG = """
import os, signal, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA journal_mode=wal")
db.execute("PRAGMA wal_autocheckpoint=0")
db.execute("UPDATE t SET body = 'old' WHERE id % 3 = 0")
db.execute("CREATE TABLE IF NOT EXISTS old(x)")
os.kill(os.getpid(), signal.SIGKILL)
"""

WRITER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
db.execute("PRAGMA synchronous=OFF")
print("writing", flush=True)
n = 0
while True:
    n += 1
    db.execute("BEGIN IMMEDIATE")
    db.execute("REPLACE INTO a VALUES(?, ?, randomblob(500))", (n % 400, n))
    db.execute("REPLACE INTO b VALUES(?, ?, randomblob(900))", (n % 400, n))
    db.execute("COMMIT")
    if n % 500 == 0: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
"""

PAIR_WRITER = """
import sqlite3, sys, time
def opened(path):
    db = sqlite3.connect(path, isolation_level=None, timeout=30)
    db.execute("PRAGMA journal_mode=wal")
    db.execute("PRAGMA synchronous=OFF")
    db.execute("CREATE TABLE t(n INTEGER)")
    db.execute("INSERT INTO t VALUES(0)")
    return db
a, b = opened(sys.argv[1]), opened(sys.argv[2])
print("writing", flush=True)
n = 0
while True:
    n += 1
    for db in (a, b): db.execute("INSERT INTO t VALUES(?)", (n,))
    time.sleep(0.002)
"""

CRASHING_WRITER = """
import os, signal, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA cache_size=5")
db.execute("PRAGMA cache_spill=5")
db.execute("BEGIN IMMEDIATE")
db.execute("UPDATE t SET body = 'lost'")
os.kill(os.getpid(), signal.SIGKILL)
"""

if __name__ == "__main__":
    unittest.main(verbosity=1)
