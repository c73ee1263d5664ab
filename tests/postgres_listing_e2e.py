#!/usr/bin/env python3
"""What lists and diffs say of PostgreSQL snapshots, compared with the server and with the files.

Usage: postgres_listing_e2e.py PAGEVAULT [-k NAME_PART] [unittest arguments]
"""

import json
import os
import struct
import subprocess
import unittest

from cli_e2e import DAMAGE, FATAL, INCOMPLETE, USAGE
from postgres import basebackup
from postgres_vault import PostgresVault

BLOCK = 8192
FILL = """
CREATE SCHEMA sales;
CREATE TABLE sales.orders(id int PRIMARY KEY, status text, body text) WITH (fillfactor = 60);
INSERT INTO sales.orders SELECT i, 'open', md5(i::text) FROM generate_series(1, 8000) i;
CREATE INDEX ON sales.orders(status);
CREATE TABLE quiet(id int, body text);
INSERT INTO quiet SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 2000) i;
CREATE TABLE "odd \x1b name"(a int);
INSERT INTO "odd \x1b name" VALUES (1);
CREATE TABLE gone AS SELECT i FROM generate_series(1, 1000) i;
CREATE TABLE rewritten AS SELECT i FROM generate_series(1, 4000) i;
VACUUM (FREEZE, ANALYZE);
"""
WORK = """
UPDATE sales.orders SET status = 'done' WHERE id % 1000 = 1;
DROP TABLE gone;
DELETE FROM rewritten WHERE i % 2 = 0;
VACUUM FULL rewritten;
CREATE TABLE made AS SELECT i FROM generate_series(1, 500) i;
"""


def pages(path):
    with open(path, "rb") as file:
        content = file.read()
    return [content[i:i + BLOCK] for i in range(0, len(content), BLOCK)]


def changed_pages(before, after):
    """Of the file after: pages that were not there before or held other bytes."""
    old = pages(before) if before else []
    new = pages(after)
    return sum(1 for i, page in enumerate(new) if i >= len(old) or old[i] != page)


class Listings(PostgresVault):
    def two_steps(self):
        """Two snapshots, the second of an incremental where the server has them."""
        self.init()
        cluster = self.cluster()
        cluster.psql(FILL)
        self.path = cluster.value("SELECT pg_relation_filepath('sales.orders')")
        first = basebackup.take(cluster, self.place("first"))
        self.backup_postgres(first)
        cluster.psql(WORK)
        parent = first if self.version >= 17 else None
        self.second = basebackup.take(cluster, self.place("second"), parent=parent)
        self.backup_postgres(self.second)
        return cluster

    def test_snapshots_show_the_server_and_where_the_wal_begins_and_ends(self):
        cluster = self.two_steps()
        first, second = self.document("snapshots")
        system = cluster.value("SELECT system_identifier FROM pg_control_system()")
        version = cluster.value("SHOW server_version_num")
        for snapshot in (first, second):
            found = snapshot["postgres"]
            self.assertEqual(found["system_identifier"], system)
            self.assertEqual(found["timeline"], 1)
            self.assertIn(found["server_version"],
                          (version[:2], f"{version[:2]}.{int(version[2:])}"))
            self.assertTrue(found["wal_included"])
            self.assertEqual(found["doubts"], 0)
        found = second["postgres"]
        self.assertEqual(found["start_lsn"], basebackup.start_lsn(self.second))
        self.assertRegex(found["end_lsn"], r"^[0-9A-F]+/[0-9A-F]+$")
        self.assertFalse(first["postgres"]["incremental"])
        self.assertNotIn("bytes_changed", first["postgres"])
        self.assertEqual(found["incremental"], self.version >= 17)
        if self.version >= 17:
            self.assertEqual(found["bytes_changed"], BLOCK * self.blocks_in_incrementals())
        plain, _ = self.run_it("snapshots")
        heading, _, line, *_ = plain.decode().splitlines()
        self.assertIn("PostgreSQL", heading)
        self.assertIn(f"{found['server_version']}, full", line)
        self.assertNotIn(system.encode(), plain)
        detailed, _ = self.run_it("snapshots", "-v")
        for word in (system, found["start_lsn"], found["end_lsn"], "Timeline"):
            self.assertIn(word, detailed.decode())

    def blocks_in_incrementals(self):
        total = 0
        for folder, _, files in os.walk(self.second):
            for name in files:
                if name.startswith("INCREMENTAL."):
                    with open(os.path.join(folder, name), "rb") as file:
                        total += struct.unpack("<III", file.read(12))[1]
        return total

    def test_snapshots_with_doubts_are_marked(self):
        self.init()
        cluster = self.cluster()
        cluster.psql(FILL)
        backup = basebackup.take(cluster, self.place("first"),
                                 options=["--manifest-checksums=NONE"])
        damaged = os.path.join(backup, cluster.value("SELECT pg_relation_filepath('quiet')"))
        with open(damaged, "r+b") as file:
            file.seek(BLOCK + 4000)
            file.write(b"damage")
        self.run_it("backup", "postgres", backup, expect=DAMAGE)
        self.run_it("backup", "postgres", backup, "--accept-damaged", expect=INCOMPLETE)
        found = self.document("snapshots")[0]["postgres"]
        self.assertEqual(found["doubts"], 1)
        self.assertEqual(found["doubtful"][0]["kind"], "damaged_pages")
        self.assertEqual(found["doubtful"][0]["pages"], 1)
        self.assertIn(b"postgres (part, doubts)", self.run_it("snapshots")[0])
        self.assertIn(b"did not have their checksum", self.run_it("snapshots", "-v")[1])

    def test_ls_names_the_relation_of_each_file(self):
        cluster = self.two_steps()
        folder = os.path.dirname(self.path)
        listed = {entry["path"]: entry.get("relation")
                  for entry in self.document("ls", "latest", f"/{folder}")}
        rows = cluster.rows("SELECT pg_relation_filepath(c.oid), n.nspname, c.relname "
                            "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                            "WHERE pg_relation_filepath(c.oid) LIKE 'base/%'")
        for path, schema, name in rows:
            relation = listed[f"/{path}"]
            self.assertEqual((relation["database"], relation["schema"], relation["name"],
                              relation["fork"], relation["segment"]),
                             ("postgres", schema, name, "main", 0))
        self.assertEqual(listed[f"/{self.path}_fsm"]["fork"], "fsm")
        self.assertIsNone(listed[f"/{folder}/PG_VERSION"])
        text = self.run_it("ls", "latest", f"/{folder}", "-l")[0].decode()
        self.assertIn(f"/{self.path} (postgres.sales.orders, table)\n", text)
        self.assertIn(f"/{self.path}_vm (postgres.sales.orders, table, visibility map)\n", text)
        self.assertIn("(postgres.public.odd \\x1b name, table)", text)
        self.assertNotIn("\x1b", text)
        shared = self.run_it("ls", "latest", "/global", "-l")[0].decode()
        self.assertIn("(pg_catalog.pg_authid, table)", shared)
        plain = self.run_it("ls", "latest", f"/{folder}")[0].decode()
        self.assertNotIn("orders", plain)

    def test_ls_relations_are_what_the_server_says_of_their_sizes(self):
        cluster = self.two_steps()
        cluster.stop()  # Hint bits that reading sets may add a page to a map.
        listed = self.document("ls", "latest", "--relations")
        cluster.start()
        sizes = {row["name"]: row for row in listed
                 if row.get("schema") in ("sales", "public") and row["database"] == "postgres"}
        for name in ("orders", "quiet", "rewritten", "made", "orders_pkey", "orders_status_idx"):
            schema = "sales" if name.startswith("orders") else "public"
            main = int(cluster.value(f"SELECT pg_relation_size('{schema}.{name}')"))
            self.assertEqual(sizes[name]["size_main"], main, name)
        self.assertNotIn("gone", sizes)
        totals = [row["size"] for row in listed]
        self.assertEqual(totals, sorted(totals, reverse=True))
        text = self.run_it("ls", "latest", "--relations")[0].decode()
        self.assertRegex(text, r"\n +[\d.]+ \w+ +[\d.]+ \w+ +[\d.]+ \w+ +table +postgres\.sales\.orders\n")
        self.assertRegex(text, r"TOAST of \w+\.\w+")
        self.run_it("ls", "latest", "/base", "--relations", expect=USAGE)

    def test_relations_are_refused_for_files(self):
        self.init()
        self.fill_source()
        self.backup()
        error = self.run_it("ls", "latest", "--relations", expect=FATAL)[1]
        self.assertIn(b"PostgreSQL cluster", error)

    def test_diff_counts_the_pages_that_changed_by_relation(self):
        self.two_steps()
        before = self.restore_cluster("latest~1")
        after = self.restore_cluster("latest")
        told = self.json_lines("diff", "latest~1", "latest")
        relations = {row["name"]: row for row in told
                     if row["message_type"] == "relation" and "name" in row
                     and row.get("database") == "postgres"}
        changes = {row["path"]: row for row in told if row["message_type"] == "change"}
        expected = changed_pages(os.path.join(before, self.path), os.path.join(after, self.path))
        self.assertGreater(expected, 4)
        self.assertEqual(relations["orders"]["pages_changed"], expected)
        self.assertEqual(changes[f"/{self.path}"]["pages"]["changed"], expected)
        self.assertEqual(changes[f"/{self.path}"]["relation"]["name"], "orders")
        self.assertNotIn("quiet", relations)
        self.assertEqual(relations["gone"]["bytes_after"], 0)
        self.assertEqual(relations["gone"]["pages_changed"], 0)
        self.assertEqual(relations["made"]["bytes_before"], 0)
        self.assertGreater(relations["made"]["pages_changed"], 0)
        # Of its two files one is gone and one is new.
        self.assertGreaterEqual(relations["rewritten"]["files"], 2)
        self.assertLess(relations["rewritten"]["bytes_after"],
                        relations["rewritten"]["bytes_before"])
        for path, change in changes.items():
            if "pages" in change and change["modifier"] == "M":
                self.assertEqual(change["pages"]["changed"],
                                 changed_pages(before + path, after + path), path)

    def test_diff_says_it_in_words(self):
        self.two_steps()
        text = self.run_it("diff", "latest~1", "latest")[0].decode()
        self.assertRegex(text, rf"M    /{self.path} \(postgres\.sales\.orders, table: \d+ of \d+ pages changed\)")
        self.assertRegex(text, r"\n +\d+ +\d+ +(\S+ \w+|-) +\d+ +table +postgres\.sales\.orders\n")
        self.assertRegex(text, r"\n-    /base/\d+/\d+ \(postgres\.public\.gone, table: 0 of 0 pages changed\)\n")
        bare = self.run_it("diff", "latest~1", "latest", "--paths-only")[0].decode()
        self.assertNotIn("orders", bare)

    def test_damage_in_the_catalogs_costs_names_and_nothing_else(self):
        self.two_steps()
        paths = [entry["path"] for entry in self.document("ls", "latest", "-R")]
        without_names = 0
        for path in self.repository_files():
            if "pack" not in path:
                continue
            full = os.path.join(self.repo, path)
            os.rename(full, full + ".away")
            done = subprocess.run(self.command("ls", "latest", "-R", "--json"), check=False,
                                  capture_output=True, env=self.environment())
            os.rename(full + ".away", full)
            if done.returncode == 0 and b"names of relations" in done.stderr:
                without_names += 1
                self.assertEqual([entry["path"] for entry in json.loads(done.stdout)], paths)
        self.assertGreater(without_names, 0, "no pack has a catalog")


if __name__ == "__main__":
    unittest.main()
