#!/usr/bin/env python3
"""PostgreSQL clusters, end to end: the real program beside real servers.

Usage: postgres_e2e.py PAGEVAULT [-k NAME_PART] [unittest arguments]

What a snapshot must be is what pg_combinebackup makes of the same base backups, pair by pair, page by
page; and a restored one passes pg_verifybackup, starts, has the rows of the source and sound indexes.
"""

import contextlib
import os
import re
import shutil
import socket
import struct
import subprocess
import unittest

from cli_e2e import DAMAGE, FATAL, INCOMPLETE, OK, read, write
from postgres import acceptance, basebackup, failover, trees
from postgres_vault import PostgresVault

WRONG_PARENT = 21
BLOCK = 8192
FILL = """
CREATE TABLE orders(id int PRIMARY KEY, status text, body text);
INSERT INTO orders SELECT i, 'open', md5(i::text) FROM generate_series(1, 5000) i;
CREATE INDEX ON orders(status);
CREATE TABLE notes(id int, body text);
INSERT INTO notes SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 2000) i;
VACUUM (FREEZE, ANALYZE);
"""


def queue_table(name):
    """Five rows to a page, every page frozen: later work touches the pages it must, no others."""
    return f"""
        CREATE TABLE {name}(id int, pad text) WITH (fillfactor = 50);
        INSERT INTO {name} SELECT i, repeat('x', 700) FROM generate_series(1, 3000) i;
        VACUUM (FREEZE) {name};"""


def shortened(name):
    """Of 600 pages, vacuum gives back 360."""
    return f"DELETE FROM {name} WHERE id > 1200; VACUUM {name};"


def regrown(name):
    return f"INSERT INTO {name} SELECT i + 10000, repeat('y', 700) FROM generate_series(1, 1800) i;"


def copied(name):
    """The table grows by many pages at once; the last ones stay zero, and are not logged."""
    lines = "".join(f"{20000 + i}\t{'z' * 700}\n" for i in range(1200))
    return f"COPY {name} FROM STDIN;\n{lines}\\.\n"


class Clusters(PostgresVault):
    def filled(self, text=FILL, **options):
        cluster = self.cluster(**options)
        cluster.psql(text)
        return cluster

    def chain(self, cluster):
        return basebackup.Chain(cluster, self.place("chain"))

    def step(self, chain, text="", *words, **options):
        """Work, the next base backup, a snapshot of it that equals the oracle; returns the summary."""
        if text:
            chain.cluster.psql(text)
        chain.take(**options)
        done = self.backup_postgres(chain.given, *words)
        cluster = options.get("cluster", chain.cluster)
        self.last_target = self.restore_cluster(tablespaces=cluster.tablespaces())
        self.assert_same_tree(self.last_target, chain.state)
        return done["postgres"]

    def accept(self, cluster, rows=None):
        self.assert_accepted(cluster, self.last_target, rows or cluster.row_hashes())


class Shapes(Clusters):
    """Section 9, item 1 of the reference: how a base backup may come."""

    def check_shape(self, cluster, name, words=(), **options):
        folder = basebackup.take(cluster, self.place(name), **options)
        self.told = self.backup_postgres(folder, *words)["postgres"]
        plain = folder if not options.get("tar") else basebackup.unpack(folder, self.place(f"{name}-plain"))
        target = self.restore_cluster(tablespaces=cluster.tablespaces())
        self.assert_same_tree(target, plain)
        return target

    def with_tablespaces(self):
        cluster = self.filled()
        cluster.psql(f"CREATE TABLESPACE far LOCATION '{cluster.folder('far away')}'")
        cluster.psql("CREATE TABLESPACE near LOCATION ''")
        cluster.psql("CREATE TABLE f TABLESPACE far AS SELECT 1 AS i; "
                     "CREATE TABLE n TABLESPACE near AS SELECT 2 AS i")
        return cluster

    def test_plain_directories_and_tars_of_every_compression_come_back(self):
        self.init()
        cluster = self.with_tablespaces()
        rows = cluster.row_hashes()
        shapes = {"plain": {}, "tar": {"tar": True}}
        for where in ("client", "server"):
            for method in ("gzip", "lz4", "zstd"):
                shapes[f"{where}-{method}"] = {"tar": True, "options": (f"-Z{where}-{method}",)}
        for name, options in shapes.items():
            with self.subTest(shape=name):
                target = self.check_shape(cluster, name, **options)
                self.assert_accepted(cluster, target, rows)

    def test_one_tar_on_standard_input_comes_back_and_so_does_its_increment(self):
        self.init()
        cluster = self.filled()
        chain = self.chain(cluster)
        for number in range(2):
            parent = self.place(f"plain-{number - 1}") if number else None
            tar = basebackup.take_to_stdout(cluster, self.place(f"{number}.tar"), parent)
            with open(tar, "rb") as file:
                done = self.backup_postgres("-", stdin=file.read())
            self.assertEqual(done["postgres"]["incremental"], number == 1)
            plain = basebackup.unpack(tar, self.place(f"plain-{number}"))
            self.installation.own(plain)
            if number:
                plain = basebackup.combine(cluster, self.place("plain-0"), plain, self.place("state"))
            target = self.restore_cluster()
            self.assert_same_tree(target, plain)
            self.assert_accepted(cluster, target, cluster.row_hashes())
            cluster.psql("UPDATE orders SET status = 'paid' WHERE id % 40 = 0")
        self.assertEqual(chain.count, 0)

    def test_wal_may_be_streamed_fetched_or_left_out(self):
        self.init()
        cluster = self.filled()
        rows = cluster.row_hashes()
        for wal in ("stream", "fetch", "none"):
            for tar in (False, True):
                with self.subTest(wal=wal, tar=tar):
                    target = self.check_shape(cluster, f"{wal}-{tar}", wal=wal, tar=tar)
                    if wal != "none":
                        self.assert_accepted(cluster, target, rows)
                    self.assertEqual(self.told["wal_included"], wal != "none")

    def test_manifests_with_every_checksum_with_none_and_with_encoded_names_are_taken(self):
        self.init()
        cluster = self.filled()
        rows = cluster.row_hashes()
        for algorithm in ("NONE", "CRC32C", "SHA224", "SHA256", "SHA384", "SHA512"):
            with self.subTest(algorithm=algorithm):
                target = self.check_shape(cluster, algorithm,
                                          options=(f"--manifest-checksums={algorithm}",
                                                   "--manifest-force-encode"))
                self.assert_accepted(cluster, target, rows)

    def test_a_backup_without_a_manifest_is_taken_only_when_asked_for(self):
        self.init()
        cluster = self.filled()
        folder = basebackup.take(cluster, self.place("bare"), options=("--no-manifest",))
        _, err = self.run_it("backup", "postgres", folder, expect=DAMAGE)
        self.assertIn(b"backup_manifest", err)
        self.check_shape(cluster, "bare-2", words=("--without-manifest",), options=("--no-manifest",))

    def test_names_and_file_kinds_of_all_sorts_come_back(self):
        """Item 2: and what looks like an incremental file but is none."""
        self.init()
        cluster = self.filled()
        odd = (b"empty", b"caf\xe9.txt", b"with space", b"quote\"s'", b"back\\slash", b"%s%n", b"new\nline",
               b"x" * 99, b"INCREMENTAL.x", b"base/INCREMENTAL.16384")
        for name in odd:
            path = os.path.join(os.fsencode(cluster.data), name)
            write(path, b"" if name == b"empty" else b"content of " + name)
            os.chmod(path, 0o600)  # pg_combinebackup makes it so.
        os.mkdir(os.path.join(cluster.data, "empty folder"), 0o700)
        os.symlink("/etc/hostname", os.path.join(cluster.data, "link"))
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.path.join(cluster.data, "socket"))
        self.installation.own(cluster.data)
        chain = self.chain(cluster)
        for text in ("", "UPDATE orders SET status = 'sent' WHERE id < 50"):
            self.step(chain, text)
            self.accept(cluster)
        for path in trees.entries(self.last_target):
            self.assertNotRegex(path, r"^(link|socket)$")

    def test_a_cluster_with_group_access_keeps_it(self):
        self.init()
        cluster = self.filled(options=("--allow-group-access",))
        chain = self.chain(cluster)
        self.step(chain)
        self.step(chain, "UPDATE orders SET status = 'sent' WHERE id < 50")
        self.assertEqual(os.stat(self.last_target).st_mode & 0o777, 0o750)
        self.accept(cluster)

    def test_wal_segments_of_one_and_of_64_megabytes_are_read(self):
        self.init()
        for size in (1, 64):
            cluster = self.cluster(f"wal-{size}", wal_segment_mb=size)
            cluster.psql(FILL)
            target = self.check_shape(cluster, f"backup-{size}")
            self.assert_accepted(cluster, target, cluster.row_hashes())


class OlderServer(Clusters):
    version = 15

    def test_full_backups_of_postgresql_15_with_their_older_manifest_come_back(self):
        self.init()
        cluster = self.filled()
        rows = cluster.row_hashes()
        for tar in (False, True):
            folder = basebackup.take(cluster, self.place(f"backup-{tar}"), tar=tar)
            self.backup_postgres(folder)
            plain = basebackup.unpack(folder, self.place("plain")) if tar else folder
            target = self.restore_cluster()
            self.assert_same_tree(target, plain)
            self.assert_accepted(cluster, target, rows)

    def test_straight_from_the_server_every_backup_is_full_and_says_why(self):
        self.init()
        cluster = self.filled()
        for _ in range(2):
            told = self.backup_postgres("--connect", cluster.conninfo())["postgres"]
            self.assertFalse(told["incremental"])
            self.assertTrue(told["why_full"])
            self.assert_accepted(cluster, self.restore_cluster(), cluster.row_hashes())
            cluster.psql("UPDATE orders SET status = 'paid' WHERE id % 40 = 0")


class Damage(Clusters):
    """Item 3: what must not become a snapshot."""

    def taken(self):
        self.init()
        cluster = self.filled()
        return basebackup.take(cluster, self.place("backup"))

    def refused(self, folder, expect=DAMAGE, *words):
        _, err = self.run_it("backup", "postgres", folder, *words, expect=expect)
        self.assertEqual(self.run_it("snapshots", "--json")[0].count(b'"id"'), 0)
        return err.decode(errors="replace")

    def test_an_unfinished_backup_is_refused(self):
        folder = self.taken()
        os.rename(os.path.join(folder, "backup_manifest"), os.path.join(folder, "backup_manifest.tmp"))
        self.assertIn("backup_manifest", self.refused(folder))

    def test_a_manifest_that_was_changed_is_refused(self):
        folder = self.taken()
        path = os.path.join(folder, "backup_manifest")
        write(path, read(path).replace(b'"Size": 3,', b'"Size": 4,', 1))
        self.assertIn("backup_manifest", self.refused(folder))

    def test_a_file_that_is_not_what_the_manifest_says_is_refused_and_named(self):
        folder = self.taken()
        write(os.path.join(folder, "PG_VERSION"), "17\r")
        self.assertIn("PG_VERSION", self.refused(folder))

    def test_a_file_missing_and_a_file_too_many_are_refused_and_named(self):
        folder = self.taken()
        os.rename(os.path.join(folder, "pg_hba.conf"), os.path.join(folder, "pg_hba.config"))
        told = self.refused(folder)
        self.assertIn("pg_hba.conf:", told)
        self.assertIn("pg_hba.config", told)

    def test_tars_cut_anywhere_are_refused(self):
        self.init()
        cluster = self.filled()
        whole = read(basebackup.take_to_stdout(cluster, self.place("whole.tar")))
        for cut in (0, 511, 512, 700, 100_000, len(whole) // 2 // 512 * 512, len(whole) // 2 + 77,
                    len(whole) - 1024 - 512 * 5):
            with self.subTest(cut=cut):
                done = subprocess.run(self.command("backup", "postgres", "-"), input=whole[:cut],
                                      env=self.environment(), capture_output=True, check=False)
                self.assertIn(done.returncode, (DAMAGE, FATAL), done.stderr[-500:])
        self.assertEqual(self.run_it("snapshots", "--json")[0].count(b'"id"'), 0)

    def damaged_cluster(self):
        """A page of orders whose checksum does not match, on the server's disk."""
        self.init()
        cluster = self.filled()
        path = os.path.join(cluster.data, cluster.value("SELECT pg_relation_filepath('orders')"))
        cluster.stop()
        with open(path, "r+b") as file:
            file.seek(7 * BLOCK + 5000)
            file.write(b"damage")
        cluster.start()
        return cluster, os.path.relpath(path, cluster.data)

    def test_a_page_damaged_at_the_source_is_named_and_taken_only_when_asked_for(self):
        cluster, path = self.damaged_cluster()
        folder = basebackup.take(cluster, self.place("backup"), options=("--no-verify-checksums",))
        told = self.refused(folder)
        self.assertIn(path, told)
        self.assertRegex(told, r"\b7\b")
        done = self.backup_postgres(folder, "--accept-damaged", expect=INCOMPLETE)
        self.assertEqual(done["postgres"]["doubts"], [path])
        self.assert_same_tree(self.restore_cluster(), folder)

    def test_straight_from_the_server_a_damaged_page_is_refused_too(self):
        cluster, path = self.damaged_cluster()
        _, err = self.run_it("backup", "postgres", "--connect", cluster.conninfo(), expect=DAMAGE)
        self.assertIn(path, err.decode())

    def test_damage_of_the_parent_stays_marked_until_the_file_comes_whole(self):
        cluster, path = self.damaged_cluster()
        full = basebackup.take(cluster, self.place("full"), options=("--no-verify-checksums",))
        self.backup_postgres(full, "--accept-damaged", expect=INCOMPLETE)
        step = basebackup.take(cluster, self.place("step"), full, options=("--no-verify-checksums",))
        self.assertEqual(self.backup_postgres(step)["postgres"]["doubts"], [path])
        cluster.psql("TRUNCATE orders")
        last = basebackup.take(cluster, self.place("last"), step, options=("--no-verify-checksums",))
        self.assertEqual(self.backup_postgres(last)["postgres"]["doubts"], [])


class Increments(Clusters):
    def test_a_step_costs_what_changed(self):
        self.init()
        cluster = self.filled()
        cluster.psql("CREATE TABLE bulk AS SELECT i, md5(i::text) AS m FROM generate_series(1, 200000) i; "
                     "VACUUM (FREEZE) bulk")
        chain = self.chain(cluster)
        self.step(chain)
        told = self.step(chain, "UPDATE bulk SET m = 'changed' WHERE i IN (7, 100000)")
        self.assertTrue(told["incremental"])
        self.assertLess(told["blocks_changed"], 60)
        self.assertGreater(told["files_taken_over"], 500)
        self.assertLess(told["repository_bytes_read"], 8_000_000)
        self.accept(cluster)

    def test_nothing_changed_many_changed_and_nearly_all_changed(self):
        """Item 5: no block; one; a header of exactly one page, and of two; more than 90 % come whole."""
        self.init()
        cluster = self.filled("CREATE TABLE wide(id int, pad text) WITH (fillfactor = 10);"
                              "INSERT INTO wide SELECT i, repeat('x', 400) FROM generate_series(1, 3000) i;"
                              "VACUUM (FREEZE) wide; CHECKPOINT;")
        # Its pages have one row each and room for another version.
        self.assertEqual(cluster.value("SELECT pg_relation_size('wide') / 8192"), "3000")
        chain = self.chain(cluster)
        self.step(chain)
        for rows, listed in ((0, 0), (1, 1), (2045, 2045), (2046, 2046), (2700, 2700), (2701, None)):
            with self.subTest(rows=rows):
                cluster.psql(f"UPDATE wide SET pad = repeat('{rows % 7}', 400) WHERE id <= {rows}; "
                             "CHECKPOINT")
                self.step(chain)
                self.assertEqual(self.listed_blocks(cluster, chain, "wide"), listed)
        self.accept(cluster)

    def listed_blocks(self, cluster, chain, table):
        """How many the INCREMENTAL file of the newest backup lists; None when it came whole."""
        folder, name = os.path.split(cluster.value(f"SELECT pg_relation_filepath('{table}')"))
        path = os.path.join(chain.newest, folder, f"INCREMENTAL.{name}")
        return struct.unpack("<III", read(path)[:12])[1] if os.path.exists(path) else None

    def test_files_that_come_go_empty_and_fill(self):
        self.init()
        cluster = self.filled()
        chain = self.chain(cluster)
        self.step(chain, "CREATE TABLE dropped AS SELECT 1; CREATE TABLE empty(i int); "
                         "CREATE TABLE emptied AS SELECT 1 AS i")
        self.step(chain, "DROP TABLE dropped; INSERT INTO empty VALUES (1); TRUNCATE emptied")
        self.step(chain, "DELETE FROM empty; VACUUM empty; INSERT INTO emptied VALUES (2)")
        self.step(chain, "TRUNCATE empty, emptied")
        self.accept(cluster)

    def test_all_forks_persistences_and_index_methods(self):
        """Item 6."""
        self.init()
        cluster = self.filled("""
            CREATE UNLOGGED TABLE scratch(i int PRIMARY KEY, s bigserial);
            INSERT INTO scratch SELECT generate_series(1, 1000);
            CREATE TABLE kinds(id int PRIMARY KEY, k int, doc jsonb, pt point, r int4range, big text);
            ALTER TABLE kinds ALTER big SET STORAGE EXTERNAL;
            INSERT INTO kinds SELECT i, i % 50, jsonb_build_object('a', i), point(i, -i), int4range(i, i + 5),
              CASE WHEN i % 50 = 0 THEN repeat(md5(i::text), 300) END FROM generate_series(1, 2000) i;
            CREATE INDEX ON kinds USING hash(k); CREATE INDEX ON kinds USING gin(doc);
            CREATE INDEX ON kinds USING gist(r); CREATE INDEX ON kinds USING spgist(pt);
            CREATE INDEX ON kinds USING brin(id);
            CREATE MATERIALIZED VIEW seen AS SELECT k, count(*) FROM kinds GROUP BY k;
            VACUUM (FREEZE) kinds;""")
        chain = self.chain(cluster)
        self.step(chain)
        for text in ("UPDATE kinds SET k = k + 1, doc = doc || '{\"b\": 1}' WHERE id % 7 = 0",
                     "VACUUM kinds; REFRESH MATERIALIZED VIEW seen",
                     "ALTER TABLE scratch SET LOGGED; INSERT INTO scratch VALUES (5000)",
                     "ALTER TABLE scratch SET UNLOGGED; CREATE TEMP TABLE t AS SELECT 1",
                     "UPDATE kinds SET big = repeat('n', 9000) WHERE id % 100 = 0; DROP TABLE scratch"):
            self.step(chain, text)
        self.accept(cluster)

    def test_rewrites_and_moves(self):
        """Item 9: other files under the same name, and mapped catalogs."""
        self.init()
        cluster = self.filled()
        cluster.psql(f"CREATE TABLESPACE far LOCATION '{cluster.folder('far')}'")
        chain = self.chain(cluster)
        self.step(chain)
        for text in ("TRUNCATE notes", "VACUUM FULL orders", "CLUSTER orders USING orders_pkey",
                     "REINDEX TABLE orders", "ALTER TABLE orders ALTER id TYPE bigint",
                     "ALTER TABLE orders SET TABLESPACE far", "VACUUM FULL pg_class; VACUUM FULL pg_proc",
                     "ALTER TABLE orders SET TABLESPACE pg_default; DROP TABLESPACE far"):
            with self.subTest(text=text):
                self.step(chain, text)
        self.accept(cluster)

    def test_databases_created_dropped_and_moved(self):
        """Item 10: their files are copied without blocks in the WAL."""
        self.init()
        cluster = self.filled()
        cluster.psql(f"CREATE TABLESPACE far LOCATION '{cluster.folder('far')}'")
        chain = self.chain(cluster)
        self.step(chain)
        for strategy in ("file_copy", "wal_log"):
            self.step(chain, f"CREATE DATABASE a STRATEGY {strategy};\n")
            cluster.psql("CREATE TABLE t AS SELECT generate_series(1, 500) i", "a")
            self.step(chain, f"CREATE DATABASE b TEMPLATE a STRATEGY {strategy};\n"
                             "ALTER DATABASE a SET TABLESPACE far;\n")
            self.step(chain, "DROP DATABASE a;\nALTER DATABASE b RENAME TO a;\n")
            self.step(chain, "DROP DATABASE a;\nCREATE DATABASE a OID = 30000;\n")
            self.step(chain, "DROP DATABASE a;\nCREATE DATABASE a OID = 30000 STRATEGY file_copy;\n")
            self.step(chain, "DROP DATABASE a;\n")
        self.accept(cluster)

    def test_a_crash_and_a_failed_copy_in_between(self):
        """Item 11."""
        self.init()
        cluster = self.filled(queue_table("q"))
        chain = self.chain(cluster)
        self.step(chain)
        self.step(chain, f"BEGIN; {copied('q')} ROLLBACK;")
        cluster.psql("UPDATE q SET pad = 'lost or not' WHERE id = 3")
        cluster.restart("immediate")
        self.step(chain, "INSERT INTO q VALUES (1, 'after')")
        self.accept(cluster)

    def test_a_chain_of_many_and_several_of_one_full(self):
        """Item 12: and the increments of the one full are each right, whatever came in between."""
        self.init()
        cluster = self.filled()
        chain = self.chain(cluster)
        self.step(chain)
        first = basebackup.take(cluster, self.place("first"))
        self.backup_postgres(first)
        for number in range(10):
            self.step(chain, f"UPDATE orders SET status = 'n{number}' WHERE id % 100 = {number}",
                      full=number == 0)
        self.accept(cluster)
        for number in range(2):
            cluster.psql(f"UPDATE notes SET body = 'x' WHERE id % 100 = {number}")
            step = basebackup.take(cluster, self.place(f"differential-{number}"), first)
            self.backup_postgres(step)
            target = self.restore_cluster()
            self.assert_same_tree(target, basebackup.combine(cluster, first, step,
                                                             self.place(f"combined-{number}")))
        self.assert_accepted(cluster, target, cluster.row_hashes())

    def test_the_servers_manifest_comes_back_for_the_next_increment(self):
        self.init()
        cluster = self.filled()
        full = basebackup.take(cluster, self.place("full"))
        self.backup_postgres(full)
        manifest, _ = self.run_it("dump", "latest", "backup_manifest.original")
        self.assertEqual(manifest, read(os.path.join(full, "backup_manifest")))
        target = self.restore_cluster()
        for name, source in (("original", manifest), ("generated", read(f"{target}/backup_manifest"))):
            cluster.psql("UPDATE orders SET status = 'paid' WHERE id % 40 = 0")
            path = os.path.join(cluster.folder("manifests"), name)
            write(path, source)
            self.installation.own(self.place("manifests"))
            step = basebackup.take(cluster, self.place(name), path)
            self.assertTrue(self.backup_postgres(step)["postgres"]["incremental"])
            self.assert_same_tree(self.restore_cluster(),
                                  basebackup.combine(cluster, full, step, self.place(f"{name}-state")))

    def test_a_parent_that_is_not_here_is_named_and_nothing_is_made(self):
        self.init()
        cluster = self.filled()
        full = basebackup.take(cluster, self.place("full"))
        other = basebackup.take(cluster, self.place("other"))
        step = basebackup.take(cluster, self.place("step"), full)
        _, err = self.run_it("backup", "postgres", step, expect=WRONG_PARENT)
        self.assertIn(basebackup.label(step)["INCREMENTAL FROM LSN"], err.decode())
        self.backup_postgres(other)
        self.assertEqual(self.run_it("backup", "postgres", step, expect=WRONG_PARENT)[0], b"")
        self.backup_postgres(full)
        self.backup_postgres(step)

    def test_another_cluster_is_never_a_parent(self):
        self.init()
        one = self.filled()
        other = self.cluster("other")
        self.backup_postgres(basebackup.take(other, self.place("foreign")))
        full = basebackup.take(one, self.place("full"))
        step = basebackup.take(one, self.place("step"), full)
        _, err = self.run_it("backup", "postgres", step, expect=WRONG_PARENT)
        self.assertIn(basebackup.label(step)["INCREMENTAL FROM LSN"], err.decode())

    def test_work_during_the_base_backup_is_tolerated(self):
        """Item 13: pages newer than the start may be torn; replay repairs them."""
        self.init()
        cluster = self.filled()
        cluster.pgbench("-i", "-q", "-s", "2")
        chain = self.chain(cluster)
        for _ in range(3):
            worker = subprocess.Popen(
                self.installation.command(self.work, "pgbench", "-h", cluster.socket, "-n", "-c", "2", "-T",
                                          "60", "postgres"),
                env=self.installation.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                self.step(chain)
                self.step(chain, "DROP TABLE IF EXISTS passing; CREATE TABLE passing AS "
                                 "SELECT generate_series(1, 3000)")
            finally:
                cluster.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                             "WHERE application_name = 'pgbench'")
                worker.wait(timeout=60)
        self.step(chain)
        self.accept(cluster)

    def test_checksums_turned_on_between_backups_need_a_full_one(self):
        """Item 14: pg_checksums rewrites every page without WAL."""
        self.init()
        cluster = self.filled(checksums=False)
        chain = self.chain(cluster)
        self.step(chain)
        cluster.stop()
        cluster.run("pg_checksums", "--enable", "-D", cluster.data)
        cluster.start()
        step = basebackup.take(cluster, self.place("step"), chain.newest)
        _, err = self.run_it("backup", "postgres", step, expect=WRONG_PARENT)
        self.assertIn("checksum", err.decode())
        self.step(chain, full=True)
        self.accept(cluster)

    def test_hint_bits_without_checksums_do_not_matter(self):
        self.init()
        cluster = self.filled(checksums=False)
        chain = self.chain(cluster)
        for number in range(3):
            self.step(chain, f"DELETE FROM orders WHERE id % 100 = {number}; SELECT count(*) FROM orders")
        self.accept(cluster)


class ManySegments(Clusters):
    def test_relations_of_more_than_a_gigabyte(self):
        """Item 7: a change in the second segment only, growth into it, truncation across the border."""
        self.init()
        cluster = self.cluster(wal_segment_mb=16)
        cluster.psql("""
            CREATE TABLE huge(id int, pad text) WITH (fillfactor = 10);
            INSERT INTO huge SELECT i, repeat('x', 500) FROM generate_series(1, 131060) i;
            VACUUM (FREEZE) huge;""")
        chain = self.chain(cluster)
        self.step(chain)
        grow = "INSERT INTO huge SELECT i, repeat('y', 500) FROM generate_series(131061, 131300) i;"
        for text in (grow, "UPDATE huge SET pad = 'z' WHERE ctid >= '(131200,0)'",
                     "DELETE FROM huge WHERE ctid >= '(124000,0)'; VACUUM (TRUNCATE) huge;", "",
                     "INSERT INTO huge SELECT i, repeat('v', 500) FROM generate_series(1, 9000) i;"):
            self.step(chain, text)
        path = cluster.value("SELECT pg_relation_filepath('huge')")
        self.assertGreater(os.path.getsize(f"{self.last_target}/{path}.1"), 0)
        self.accept(cluster)


class Tablespaces(Clusters):
    """Item 15."""

    def test_odd_places_empty_ones_and_those_that_come_and_go(self):
        self.init()
        cluster = self.filled()
        chain = self.chain(cluster)
        for name, place in (("spaces", "with two  spaces"), ("slash", "back\\slash"), ("empty", "empty")):
            cluster.psql(f"CREATE TABLESPACE {name} LOCATION '{cluster.folder(place)}'")
        cluster.psql("CREATE TABLESPACE near LOCATION ''")
        cluster.psql("CREATE TABLE a TABLESPACE spaces AS SELECT 1 AS i; "
                     "CREATE TABLE b TABLESPACE slash AS SELECT 2 AS i; "
                     "CREATE TABLE c TABLESPACE near AS SELECT 3 AS i;")
        self.step(chain)
        self.step(chain, f"CREATE TABLESPACE late LOCATION '{cluster.folder('late')}';\n"
                         "ALTER TABLE a SET TABLESPACE late;\nDROP TABLESPACE spaces;\n", tar=True)
        self.step(chain, "DROP TABLE c;\nDROP TABLESPACE near;\nUPDATE b SET i = 5")
        self.accept(cluster)

    def test_a_restore_never_touches_the_live_tablespace(self):
        """From tars, whose tablespace_map names it; on the host where the server runs."""
        self.init()
        cluster = self.filled()
        place = cluster.folder("live")
        cluster.psql(f"CREATE TABLESPACE far LOCATION '{place}'")
        cluster.psql("CREATE TABLE t TABLESPACE far AS SELECT generate_series(1, 1000) i; CHECKPOINT")
        rows = cluster.row_hashes()
        for tar in (False, True):
            with self.subTest(tar=tar):
                self.backup_postgres(basebackup.take(cluster, self.place(f"backup-{tar}"), tar=tar))
                before = trees.digests(place)
                target = self.restore_cluster(tablespaces=cluster.tablespaces())
                self.assert_accepted(cluster, target, rows)
                for oid in cluster.tablespaces():
                    self.assertEqual(os.readlink(f"{target}/pg_tblspc/{oid}"),
                                     basebackup.tablespace_folder(target, oid))
                self.assertEqual(trees.digests(place), before)

    def test_a_restore_without_a_place_for_a_tablespace_is_refused(self):
        self.init()
        cluster = self.filled()
        cluster.psql(f"CREATE TABLESPACE far LOCATION '{cluster.folder('live')}'")
        self.backup_postgres(basebackup.take(cluster, self.place("backup")))
        done = subprocess.run(self.command("restore", "latest", "--target", self.place("out")),
                              env=self.environment(), capture_output=True, check=False)
        self.assertNotEqual(done.returncode, OK)
        self.assertIn(b"--tablespace-map", done.stderr)


class ServerDefects(Clusters):
    """Item 8: what servers and tools are known to get wrong. Section 0 of the reference."""

    def lost_rows(self, cluster, target):
        """Relations whose rows are not the source's."""
        self.installation.own(target)
        restored = acceptance.started(cluster, target, os.path.basename(target))
        try:
            return acceptance.row_differences(restored.row_hashes(), cluster.row_hashes())
        finally:
            restored.stop("immediate")

    def test_d3_whole_chains_inherit_truncated_blocks_and_snapshots_do_not(self):
        self.init()
        cluster = self.filled(queue_table("q"))
        chain = self.chain(cluster)
        self.step(chain)
        folders = [basebackup.copy(chain.newest, self.place("kept-0"))]
        for text in (shortened("q"), copied("q")):
            self.step(chain, text)
            folders.append(basebackup.copy(chain.newest, self.place(f"kept-{len(folders)}")))
        for folder in folders:
            self.installation.own(folder)
        in_one_go = cluster.folder("in-one-go")
        cluster.run("pg_combinebackup", "-o", in_one_go, *folders)
        self.assertNotEqual(self.lost_rows(cluster, in_one_go), [],
                            "pg_combinebackup of a whole chain is right by now")
        self.accept(cluster)

    def test_d2_truncated_and_copied_again_is_told_when_the_summaries_are_at_hand(self):
        self.init()
        cluster = self.filled(queue_table("q"))
        path = cluster.value("SELECT pg_relation_filepath('q')")
        chain = self.chain(cluster)
        summaries = os.path.join(cluster.data, "pg_wal/summaries")
        self.assertEqual(self.step(chain)["doubts"], [])
        told = self.step(chain, shortened("q") + copied("q"), "--wal-summaries", summaries)
        self.assertNotEqual(self.lost_rows(cluster, self.last_target), [], "the server is right by now")
        self.assertIn(path, told["doubts"])

    def test_d1_many_summaries_are_told_too(self):
        """Truncated, a checkpoint, grown again: newer servers get it right, the risk is told anyway."""
        self.init()
        tables = [f"q{i}" for i in range(6)]
        cluster = self.filled("".join(map(queue_table, tables)))
        chain = self.chain(cluster)
        self.step(chain)
        for table in tables:
            cluster.psql(f"{shortened(table)} CHECKPOINT; {regrown(table)} CHECKPOINT;")
        told = self.step(chain, "", "--wal-summaries", os.path.join(cluster.data, "pg_wal/summaries"))
        for table in tables:
            self.assertIn(cluster.value(f"SELECT pg_relation_filepath('{table}')"), told["doubts"])

    def test_straight_from_the_server_the_rows_are_right_whatever_it_would_send(self):
        self.init()
        tables = [f"q{i}" for i in range(4)]
        cluster = self.filled("".join(map(queue_table, tables)))
        self.backup_postgres("--connect", cluster.conninfo())
        for work in (lambda t: f"{shortened(t)} {copied(t)}",
                     lambda t: f"{shortened(t)} CHECKPOINT; {regrown(t)} CHECKPOINT;",
                     shortened, copied):
            for table in tables:
                cluster.psql(work(table))
            self.backup_postgres("--connect", cluster.conninfo())
            self.assert_accepted(cluster, self.restore_cluster(), cluster.row_hashes())

    def test_on_both_sides_of_a_promotion(self):
        self.init()
        cluster = self.filled(queue_table("q") + queue_table("r"))
        chain = self.chain(cluster)
        self.step(chain)
        follower = failover.standby(cluster, chain.state, "follower")
        self.clusters.append(follower)
        cluster.psql(shortened("q") + shortened("r"))
        failover.take_over(cluster, follower)
        follower.psql(regrown("q") + copied("r"))
        told = self.step(chain, "", "--wal-summaries", os.path.join(follower.data, "pg_wal/summaries"),
                         cluster=follower)
        self.assertIn(follower.value("SELECT pg_relation_filepath('r')"), told["doubts"])


class StraightFromTheServer(Clusters):
    def connected(self, cluster, *words, **options):
        return self.backup_postgres("--connect", cluster.conninfo(), *words, **options)["postgres"]

    def test_the_first_is_full_the_next_are_increments_and_all_are_right(self):
        self.init()
        cluster = self.filled()
        self.assertFalse(self.connected(cluster)["incremental"])
        for number in range(3):
            cluster.psql(f"UPDATE orders SET status = 'n{number}' WHERE id % 100 = {number}")
            self.assertTrue(self.connected(cluster)["incremental"])
            self.assert_accepted(cluster, self.restore_cluster(), cluster.row_hashes())
        self.assertFalse(self.connected(cluster, "--full")["incremental"])
        self.assert_accepted(cluster, self.restore_cluster("latest~1"), cluster.row_hashes())

    def test_tablespaces_databases_and_compression_by_the_server(self):
        self.init()
        cluster = self.filled()
        cluster.psql(f"CREATE TABLESPACE far LOCATION '{cluster.folder('far')}'")
        cluster.psql("CREATE TABLESPACE near LOCATION ''")
        cluster.psql("CREATE TABLE t TABLESPACE far AS SELECT generate_series(1, 1000) i; "
                     "CREATE TABLE n TABLESPACE near AS SELECT generate_series(1, 1000) i;")
        for method in ("none", "gzip", "lz4", "zstd"):
            self.connected(cluster, "--server-compression", method)
            target = self.restore_cluster(tablespaces=cluster.tablespaces())
            self.assert_accepted(cluster, target, cluster.row_hashes())
            cluster.psql("UPDATE t SET i = i + 1 WHERE i % 50 = 0; INSERT INTO n VALUES (1)")

    def test_increments_of_file_backups_and_of_server_backups_mix(self):
        self.init()
        cluster = self.filled()
        full = basebackup.take(cluster, self.place("full"))
        self.backup_postgres(full)
        cluster.psql("UPDATE orders SET status = 'a' WHERE id % 40 = 0")
        self.assertTrue(self.connected(cluster)["incremental"])
        cluster.psql("UPDATE orders SET status = 'b' WHERE id % 40 = 1")
        manifest = os.path.join(cluster.folder("manifests"), "m")
        write(manifest, self.run_it("dump", "latest", "backup_manifest.original")[0])
        self.installation.own(self.place("manifests"))
        self.backup_postgres(basebackup.take(cluster, self.place("step"), manifest))
        self.assert_accepted(cluster, self.restore_cluster(), cluster.row_hashes())

    def test_summaries_that_are_off_or_gone_make_a_full_backup_that_says_why(self):
        self.init()
        cluster = self.filled()
        self.connected(cluster)
        cluster.restart(summarize_wal="off")
        told = self.connected(cluster)
        self.assertFalse(told["incremental"])
        self.assertIn("summar", told["why_full"])
        cluster.restart()
        for name in os.listdir(f"{cluster.data}/pg_wal/summaries"):
            os.unlink(f"{cluster.data}/pg_wal/summaries/{name}")
        cluster.psql("UPDATE orders SET status = 'a' WHERE id % 40 = 0; CHECKPOINT")
        told = self.connected(cluster)
        self.assert_accepted(cluster, self.restore_cluster(), cluster.row_hashes())

    def test_a_restored_server_starts_anew_with_a_full_backup(self):
        """Item 16: its summaries are gone."""
        self.init()
        cluster = self.filled()
        self.connected(cluster)
        target = self.restore_cluster()
        self.installation.own(target)
        cluster.stop()
        restored = acceptance.started(cluster, target, "restored", summarize_wal="on")
        self.clusters.append(restored)
        restored.psql("UPDATE orders SET status = 'new'")
        self.connected(restored)
        self.assert_accepted(restored, self.restore_cluster(), restored.row_hashes())

    def test_a_role_that_may_not_is_told_what_to_grant(self):
        self.init()
        cluster = self.filled("CREATE ROLE nobody LOGIN")
        _, err = self.run_it("backup", "postgres", "--connect", f"host={cluster.socket} user=nobody dbname=postgres",
                             expect=FATAL)
        self.assertRegex(err.decode(), r"(?i)replication")


class Restores(Clusters):
    """Items 16 and 17."""

    def test_a_restored_cluster_recovers_to_a_timeline_of_its_own(self):
        self.init()
        cluster = self.filled()
        self.backup_postgres(basebackup.take(cluster, self.place("backup")))
        target = self.place("target")
        self.run_it("restore", "latest", "--target", target)
        self.assertTrue(os.path.exists(f"{target}/recovery.signal"))
        self.installation.own(target)
        restored = acceptance.started(cluster, target, "restored")
        self.clusters.append(restored)
        self.assertEqual(restored.row_hashes(), cluster.row_hashes())
        self.assertEqual(restored.value("SELECT timeline_id FROM pg_control_checkpoint()"), "2")

    def test_settings_for_recovery_arrive_as_they_were_given(self):
        self.init()
        cluster = self.filled()
        self.backup_postgres(basebackup.take(cluster, self.place("backup")))
        target, command = self.place("target"), "false '%f' \"a\\b\" # ''"
        self.run_it("restore", "latest", "--target", target,
                    "--recovery-option", f"restore_command={command}",
                    "--recovery-option", "recovery_target_action=promote")
        self.installation.own(target)
        restored = acceptance.started(cluster, target, "restored")
        self.clusters.append(restored)
        self.assertEqual(restored.value("SHOW restore_command"), command)
        self.assertEqual(restored.value("SELECT pg_is_in_recovery()"), "f")
        self.assertEqual(restored.row_hashes(), cluster.row_hashes())

    def test_the_same_input_gives_the_same_output(self):
        self.init()
        cluster = self.filled()
        chain = self.chain(cluster)
        self.step(chain)
        chain.cluster.psql("UPDATE orders SET status = 'a' WHERE id % 40 = 0")
        chain.take()
        found = []
        for _ in range(2):
            self.backup_postgres(chain.given)
            found.append(trees.digests(self.restore_cluster(), ignore=()))
        self.assertEqual(found[0], found[1])

    def test_only_what_differs_is_written_over_an_old_data_directory(self):
        self.init()
        cluster = self.filled()
        chain = self.chain(cluster)
        self.step(chain)
        old = self.last_target
        self.step(chain, "UPDATE orders SET status = 'a' WHERE id % 40 = 0; DROP TABLE notes")
        self.run_it("restore", "latest", "--target", old, "--no-recovery-signal", "--delta")
        self.assert_same_tree(old, chain.state)
        self.assert_accepted(cluster, old, cluster.row_hashes())

    def test_tablespaces_are_used_again_over_their_own_data_directory_only(self):
        self.init()
        cluster = self.filled()
        place = cluster.folder("live")
        cluster.psql(f"CREATE TABLESPACE far LOCATION '{place}'")
        cluster.psql("CREATE TABLE t TABLESPACE far AS SELECT generate_series(1, 1000) i; CHECKPOINT")
        rows = cluster.row_hashes()
        self.backup_postgres(basebackup.take(cluster, self.place("backup")))
        target = self.restore_cluster(tablespaces=cluster.tablespaces())
        first = self.mapped(cluster, target)
        self.assert_accepted(cluster, target, rows)
        self.run_it("restore", "latest", "--target", target, "--delta", *first)
        live = [f"--tablespace-map={oid}={place}" for oid in cluster.tablespaces()]
        before = trees.digests(place)
        self.run_it("restore", "latest", "--target", target, "--delta", *live, expect=FATAL)
        self.assertEqual(trees.digests(place), before)
        self.run_it("restore", "latest", "--target", target, "--delta", "--no-recovery-signal", *first)
        self.assert_accepted(cluster, target, rows)

    @staticmethod
    def mapped(cluster, target):
        return [f"--tablespace-map={oid}={basebackup.tablespace_folder(target, oid)}"
                for oid in cluster.tablespaces()]

    def test_an_archive_unpacks_to_a_cluster_that_starts(self):
        self.init()
        cluster = self.filled()
        cluster.psql(f"CREATE TABLESPACE far LOCATION '{cluster.folder('live')}'")
        cluster.psql("CREATE TABLE t TABLESPACE far AS SELECT generate_series(1, 1000) i; CHECKPOINT")
        rows = cluster.row_hashes()
        self.backup_postgres(basebackup.take(cluster, self.place("backup")))
        target = self.place("unpacked")
        os.mkdir(target, mode=0o700)
        archive, _ = self.run_it("dump", "latest", "--tar")
        subprocess.run(["tar", "-x", "-p", "-C", target], input=archive, check=True)
        self.assertFalse(os.path.exists(f"{target}/backup_manifest.original"))
        self.assert_accepted(cluster, target, rows)

    def test_files_of_a_table_and_of_a_database_are_restored_as_files(self):
        self.init()
        cluster = self.filled()
        backup = basebackup.take(cluster, self.place("backup"))
        self.backup_postgres(backup)
        path = cluster.value("SELECT pg_relation_filepath('orders')")
        target = self.place("file")
        self.run_it("restore", "latest", "--target", target, "--include", f"/{path}")
        self.assertEqual(os.listdir(target), ["base"])
        with open(f"{target}/{path}", "rb") as one, open(f"{backup}/{path}", "rb") as other:
            self.assertEqual(one.read(), other.read())
        database = os.path.dirname(path)
        self.run_it("restore", f"latest:/{database}", "--target", self.place("database"))
        self.assertEqual(sorted(os.listdir(self.place("database"))),
                         sorted(os.listdir(f"{backup}/{database}")))

    def test_a_restore_killed_anywhere_does_not_start_and_is_completed_by_the_next(self):
        self.init()
        cluster = self.filled()
        backup = basebackup.take(cluster, self.place("backup"))
        self.backup_postgres(backup)
        rows = cluster.row_hashes()
        target, killed = self.place("killed"), 0
        for attempt in range(20):
            words = ("--delta",) if os.path.exists(target) else ()
            program = subprocess.Popen(
                self.command("restore", "latest", "--target", target, "--no-recovery-signal", *words),
                env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                program.wait(0.05 + 0.02 * attempt)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
                killed += 1
                if os.path.exists(f"{target}/global/pg_control"):
                    with contextlib.suppress(FileNotFoundError):
                        os.remove(f"{target}/.pv-restore-unfinished")
                    self.assert_same_tree(target, backup)
        self.assertGreater(killed, 0)
        self.run_it("restore", "latest", "--target", target, "--no-recovery-signal", "--delta")
        self.assertFalse(os.path.exists(f"{target}/.pv-restore-unfinished"))
        self.assert_accepted(cluster, target, rows)

    def test_a_data_directory_in_use_is_never_written_over(self):
        self.init()
        cluster = self.filled()
        self.backup_postgres(basebackup.take(cluster, self.place("backup")))
        before = cluster.row_hashes()
        done = subprocess.run(self.command("restore", "latest", "--target", cluster.data, "--delta"),
                              env=self.environment(), capture_output=True, check=False)
        self.assertNotEqual(done.returncode, OK)
        self.assertRegex(done.stderr.decode(), r"running|postmaster")
        cluster.restart()
        self.assertEqual(cluster.row_hashes(), before)

    def test_checksums_of_all_restored_pages_hold(self):
        self.init()
        cluster = self.filled()
        chain = self.chain(cluster)
        self.step(chain)
        self.step(chain, "UPDATE orders SET status = 'a' WHERE id % 40 = 0")
        self.installation.own(self.last_target)
        restored = acceptance.started(cluster, self.last_target, "restored")
        restored.stop()
        cluster.run("pg_checksums", "--check", "-D", self.last_target)


class Oracle(Clusters):
    """That the oracle itself can be trusted."""

    def test_pairwise_pg_combinebackup_equals_the_live_files_of_a_quiet_server(self):
        cluster = self.filled(FILL + queue_table("q"))
        chain = self.chain(cluster)
        chain.take()
        for text in ("UPDATE orders SET status = 'a' WHERE id % 40 = 0; VACUUM FULL notes", shortened("q"),
                     copied("q"), "DROP TABLE notes; CREATE TABLE other AS SELECT 1"):
            cluster.psql(text)
            chain.take()
        cluster.stop()
        compared = 0
        for path in trees.entries(chain.state):
            if re.fullmatch(r"base/\d+/\d+(_vm|_init)?(\.\d+)?", path):
                self.assertEqual(read(f"{chain.state}/{path}"), read(f"{cluster.data}/{path}"), path)
                compared += 1
        self.assertGreater(compared, 500)

    def test_the_comparison_of_trees_sees_every_kind_of_difference(self):
        one = self.place("one")
        write(f"{one}/base/5/16384", os.urandom(3 * BLOCK))
        write(f"{one}/backup_manifest", "a")
        os.mkdir(f"{one}/pg_tblspc")
        two = basebackup.copy(one, self.place("two"))
        write(f"{two}/backup_manifest", "b")
        self.assertEqual(trees.differences(one, two), [])
        changes = {"page": lambda: self.flip(f"{two}/base/5/16384", 2 * BLOCK),
                   "length": lambda: write(f"{two}/base/5/16384", read(f"{one}/base/5/16384") + bytes(BLOCK)),
                   "mode": lambda: os.chmod(f"{two}/base/5", 0o700),
                   "more": lambda: os.mkdir(f"{two}/base/6"),
                   "less": lambda: os.unlink(f"{two}/base/5/16384")}
        for name, change in changes.items():
            change()
            self.assertEqual(len(trees.differences(one, two)), 1, name)
            shutil.rmtree(two)
            basebackup.copy(one, two)

    def flip(self, path, at):
        content = bytearray(read(path))
        content[at] ^= 1
        write(path, content)


if __name__ == "__main__":
    unittest.main(verbosity=1)
