#!/usr/bin/env python3
"""Names of relation files read from catalogs without a server, compared with what the server says.

Usage: postgres_catalog_e2e.py LIST_RELATIONS [-k NAME_PART] [unittest arguments]

The server is stopped while the files are read, and asked afterwards: asking sets hint bits, and what
was committed has to be found without them, too.
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

from postgres.cluster import Cluster
from postgres.installation import Installation
from postgres.workload import Workload

PROGRAM = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "list_relations"
BLOCK_BYTES = 8192
SEED = 20261127

# Path of the main fork's first segment, then what it is.
RELATIONS = """
SELECT pg_relation_filepath(c.oid), CASE WHEN c.relisshared THEN '' ELSE current_database() END,
       n.nspname, c.relname, c.relkind, coalesce(o.nspname || '.' || t.relname, '')
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_class t ON t.reltoastrelid = c.oid
    LEFT JOIN pg_namespace o ON o.oid = t.relnamespace
  WHERE pg_relation_filepath(c.oid) IS NOT NULL"""


def split_rows(text):
    return [tuple(line.split("|")) for line in text.splitlines()]


def main_path(path):
    """Without fork and segment."""
    return re.sub(r"(_fsm|_vm|_init)?(\.\d+)?$", "", path)


class Catalogs(unittest.TestCase):
    version = 17

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pv-catalog-")
        self.addCleanup(folder.cleanup)
        self.scratch = folder.name
        os.chmod(self.scratch, 0o755)
        installation = Installation(self.version)
        self.addCleanup(installation.forget, self.scratch)
        self.cluster = Cluster(installation, self.scratch, "main").init()
        self.addCleanup(self.cluster.stop, "immediate")

    def named(self):
        """path -> what it is, of all files that have a name, and the other paths."""
        out = subprocess.run([PROGRAM, str(self.version), str(BLOCK_BYTES), self.cluster.data],
                             capture_output=True, check=False)
        self.assertEqual(out.returncode, 0, out.stderr.decode())
        rows = [line.split("\t") for line in out.stdout.decode().splitlines()]
        return ({row[0]: tuple(row[1:]) for row in rows if len(row) > 1},
                {row[0] for row in rows if len(row) == 1})

    def answers(self):
        """The same of the server; it accepts connections to template0 for it."""
        self.cluster.psql("ALTER DATABASE template0 ALLOW_CONNECTIONS true")
        out = {}
        for (name,) in self.cluster.rows("SELECT datname FROM pg_database"):
            for path, *what in split_rows(self.cluster.psql(RELATIONS, name)):
                out[path] = tuple(what)
        self.cluster.psql("ALTER DATABASE template0 ALLOW_CONNECTIONS false")
        return out

    def check_names(self):
        """Stops, reads, starts, asks."""
        self.cluster.stop()
        named, nameless = self.named()
        self.cluster.start()
        answers = self.answers()
        wrong = {path: (what, answers.get(main_path(path))) for path, what in named.items()
                 if answers.get(main_path(path)) != what}
        self.assertEqual(wrong, {})
        self.assertEqual({path: answers[main_path(path)] for path in nameless
                          if main_path(path) in answers}, {})
        self.assertEqual({path for path in answers if path not in named}, set())
        return named

    def test_every_file_has_the_name_that_the_server_gives_it(self):
        server = self.cluster.start(autovacuum="off")
        server.psql("CREATE DATABASE app")
        server.psql("CREATE DATABASE old_name")
        server.psql("CREATE DATABASE gone")
        server.psql(f"CREATE TABLESPACE fast LOCATION '{server.folder('fast')}'")
        server.psql("CREATE DATABASE elsewhere TABLESPACE fast")
        server.psql("CREATE TABLE here(a int) TABLESPACE pg_default; CREATE TABLE there(a text)",
                    "elsewhere")
        server.psql("DROP DATABASE gone")
        server.psql("ALTER DATABASE old_name RENAME TO \"new \"\"name\"\", é\"")
        server.psql(MANY_THINGS, "app")
        server.psql("CHECKPOINT")
        # Replacing pg_class moves what the relation maps say.
        for table in ("pg_class", "pg_proc", "pg_database", "pg_namespace", "pg_authid"):
            server.psql(f"VACUUM FULL {table}", "app")
        server.psql(LAST_THINGS, "app")
        named = self.check_names()
        names = {what[1:3] for what in named.values() if what[0] == "app"}
        self.assertLessEqual({("sales", "renamed"), ("sales", "parts_1"), ("Odd \"name\".", "t"),
                              ("public", "n" * 63), ("sales", "last")}, names)
        self.assertFalse({("sales", "before"), ("sales", "dropped"), ("sales", "undone"),
                          ("sales", "parts"), ("sales", "undone_name")} & names)
        self.assertIn("sales.renamed", {what[4] for what in named.values() if what[3] == "t"})
        self.assertEqual(self.check_names(), named, "hint bits say another thing")

    def test_random_work_leaves_names_that_are_right(self):
        workload = Workload(self.cluster.start(), SEED).begin()
        for _ in range(3):
            workload.step(25)
            # The server hides what is prepared, and we show it.
            for name, database in self.cluster.rows("SELECT gid, database FROM pg_prepared_xacts"):
                self.cluster.psql(f"COMMIT PREPARED '{name}'", database)
            self.check_names()

    def test_what_is_in_progress_has_its_older_or_newer_name_in_a_copy(self):
        server = self.cluster.start()
        server.psql("CREATE TABLE t(a int); CREATE TABLE quiet(a int)")
        server.psql("BEGIN; ALTER TABLE t RENAME TO u; CREATE TABLE made(a int); "
                    "PREPARE TRANSACTION 'open'")
        path = server.value("SELECT pg_relation_filepath('t')")
        quiet = server.value("SELECT pg_relation_filepath('quiet')")
        server.psql("CHECKPOINT")
        named, _ = self.named()
        self.assertEqual(named[path], ("postgres", "public", "u", "r", ""))
        self.assertEqual(named[quiet], ("postgres", "public", "quiet", "r", ""))
        self.assertIn(("postgres", "public", "made", "r", ""), named.values())
        server.psql("ROLLBACK PREPARED 'open'")
        self.assertEqual(self.check_names()[path], ("postgres", "public", "t", "r", ""))


class CatalogsOf15(Catalogs):
    version = 15


MANY_THINGS = """
CREATE SCHEMA sales;
CREATE SCHEMA "Odd ""name"".";
CREATE TABLE "Odd ""name"".".t(a int primary key, b text);
CREATE TABLE "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"(a int);
CREATE TABLE sales.before(a serial primary key, b text, c jsonb);
CREATE INDEX ON sales.before USING gin (c);
INSERT INTO sales.before(b, c) SELECT repeat(md5(i::text), 9), '{}' FROM generate_series(1, 500) i;
ALTER TABLE sales.before RENAME TO renamed;
CREATE TABLE sales.dropped(a int);
INSERT INTO sales.dropped SELECT generate_series(1, 1000);
DROP TABLE sales.dropped;
BEGIN; CREATE TABLE sales.undone(a int); ALTER TABLE sales.renamed RENAME TO undone_name; ROLLBACK;
CREATE TABLE sales.parts(a int, b text) PARTITION BY RANGE (a);
CREATE INDEX ON sales.parts(b);
CREATE TABLE sales.parts_1 PARTITION OF sales.parts FOR VALUES FROM (0) TO (100);
CREATE TABLE sales.parts_2 PARTITION OF sales.parts FOR VALUES FROM (100) TO (200) TABLESPACE fast;
CREATE MATERIALIZED VIEW sales.view AS SELECT a FROM sales.renamed;
CREATE UNLOGGED TABLE sales.unlogged(a int, b text);
CREATE TABLE sales.moved(a int, b text);
ALTER TABLE sales.moved SET TABLESPACE fast;
CREATE TABLE sales.emptied AS SELECT generate_series(1, 100000) a;
TRUNCATE sales.emptied;
CREATE TABLE sales.shared(a int);
BEGIN; LOCK TABLE sales.shared; SELECT 1 FROM pg_class WHERE relname = 'shared' FOR UPDATE; COMMIT;
BEGIN; SAVEPOINT s; CREATE TABLE sales.sub_undone(a int); ROLLBACK TO s;
CREATE TABLE sales.sub_made(a int); SAVEPOINT t; ALTER TABLE sales.sub_made RENAME TO sub_renamed;
RELEASE t; COMMIT;
DO $$ BEGIN
  FOR i IN 1..400 LOOP EXECUTE format('CREATE TABLE sales.many_%s(a int, b text)', i); END LOOP;
  FOR i IN 1..400 BY 3 LOOP EXECUTE format('DROP TABLE sales.many_%s', i); END LOOP;
END $$;
VACUUM FULL sales.renamed;
CLUSTER sales.renamed USING before_pkey;
"""
# Of transactions whose rows nobody looks at before the server stops.
LAST_THINGS = """
CREATE TABLE sales.last_name(a int);
ALTER TABLE sales.last_name RENAME TO last;
TRUNCATE sales.many_2, sales.many_3;
BEGIN; ALTER TABLE sales.many_2 RENAME TO undone_again; ROLLBACK;
DROP TABLE sales.many_5;
"""

if __name__ == "__main__":
    unittest.main()
