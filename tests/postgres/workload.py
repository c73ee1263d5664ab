"""Random work on a cluster: everything that changes files in another way. All follows from a seed.

What there is to work on is read from the catalogs, so that an action never has to know what the ones
before it did.
"""

import random

from postgres import failover

ROWS_MAX = 6000  # In one table: a workload stays below a hundred megabytes.
TABLES_MAX = 12

MAKE_FUNCTION = """
CREATE OR REPLACE FUNCTION make_rows(t regclass, first bigint, count int, seed int) RETURNS void
LANGUAGE plpgsql AS $$ BEGIN
  EXECUTE format('INSERT INTO %s (id, k, body, doc, pt, span) SELECT i, h & 1023,
      CASE WHEN h & 63 = 0 THEN (SELECT string_agg(md5(i::text || j || $3), '''')
                                   FROM generate_series(1, 150) j)
           ELSE repeat(md5(i::text || $3), 1 + (h & 3)) END,
      jsonb_build_object(''k'', h & 15, ''s'', md5(h::text)), point(h & 255, h >> 20),
      int4range(h & 255, (h & 255) + 9)
    FROM (SELECT i, hashint8(i + $3) AS h FROM generate_series($1, $1 + $2 - 1) i) x', t)
  USING first, count, seed; END $$;
"""
INDEXES = ("btree (k)", "btree (body text_pattern_ops) WHERE length(body) < 200", "hash (k)", "gin (doc)",
           "gist (pt)", "spgist (pt)", "brin (id) WITH (pages_per_range = 4)", "gist (span)",
           "btree (k, id) INCLUDE (pt)")
# How often each action is drawn.
WEIGHTS = {
    "create_table": 4, "insert": 8, "copy": 4, "aborted_copy": 1, "update": 8, "update_in_place": 4,
    "delete": 4, "shorten": 4, "refill": 2, "truncate": 1, "vacuum": 3, "freeze": 1, "vacuum_full": 1,
    "vacuum_catalog": 1, "cluster": 1, "reindex": 1, "index": 2, "drop_index": 1, "drop_table": 1,
    "rewrite": 1, "set_logged": 2, "materialize": 1, "large_object": 1, "sequence": 1,
    "temporary": 1, "create_tablespace": 2, "move_table": 2, "drop_tablespace": 1,
    "create_database": 2, "drop_database": 1, "move_database": 1, "checkpoint": 3, "switch_wal": 1,
    "crash": 1, "prepared": 1,
}


class Workload:
    """Acts on `cluster`, until fail_over() on that and then on a promoted standby of it."""

    def __init__(self, cluster, seed):
        self.cluster = cluster
        self.clusters = [cluster]
        self.followed = False  # By a standby on the same machine.
        self.rng = random.Random(seed)
        self.count = 0  # Names and contents: no two actions use the same number.
        self.done = []

    def begin(self):
        # In template1, so that databases made later have it.
        for database in ("template1", "postgres"):
            self.cluster.psql(MAKE_FUNCTION, database)
        for _ in range(4):
            self.act("create_table")
        return self

    def step(self, actions):
        """So many actions; returns their names."""
        names = self.rng.choices(list(WEIGHTS), weights=list(WEIGHTS.values()), k=actions)
        return [self.act(name) for name in names]

    def fail_over(self, state, actions):
        """To a standby made from the combined backup `state`, after so many actions on the primary."""
        follower = failover.standby(self.cluster, state, f"standby-{self.count}")
        self.clusters.append(follower)
        self.followed = True
        names = self.step(actions)
        failover.take_over(self.cluster, follower)
        self.followed = False
        self.cluster = follower
        return [*names, "fail over"]

    def stop(self):
        for cluster in self.clusters:
            cluster.stop("immediate")

    def act(self, name):
        self.count += 1
        done = getattr(self, f"_{name}")()
        self.done.append(name if done is None else f"{name} {done}")
        return self.done[-1]

    # What there is.

    def _database(self):
        return self.rng.choice(self.cluster.databases())

    def _tables(self, database, where="true"):
        return [name for (name,) in self.cluster.rows(
            "SELECT relname FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace "
            f"AND relname LIKE 't%' AND ({where}) ORDER BY 1", database)]

    def _table(self, where="true"):
        """(database, table); makes a table where there is none of the kind."""
        database = self._database()
        tables = self._tables(database, where)
        return (database, self.rng.choice(tables)) if tables else (database, self._made_table(database))

    def _tablespaces(self):
        return [name for (name,) in self.cluster.rows(
            "SELECT spcname FROM pg_tablespace WHERE spcname LIKE 'space%' ORDER BY 1")]

    def _extra_databases(self):
        return [name for name in self.cluster.databases() if name != "postgres"]

    # Rows.

    def _made_table(self, database):
        rng, name = self.rng, f"t{self.count}"
        spaces = self._tablespaces()
        space = f"TABLESPACE {rng.choice(spaces)}" if spaces and rng.random() < 0.4 else ""
        unlogged = "UNLOGGED" if rng.random() < 0.15 else ""
        self.cluster.psql(f"""
            CREATE {unlogged} TABLE {name}(id bigint PRIMARY KEY, k int, body text, doc jsonb, pt point,
              span int4range, serial bigserial) WITH (fillfactor = {rng.choice((40, 80, 100))}) {space};
            ALTER TABLE {name} ALTER body SET STORAGE {rng.choice(("external", "extended", "main"))};
            SELECT make_rows('{name}', 1, {rng.randrange(1, ROWS_MAX // 2)}, {self.count});""", database)
        for index in rng.sample(INDEXES, rng.randrange(0, 4)):
            self._create_index(database, name, index)
        return name

    def _create_index(self, database, table, definition):
        method, rest = definition.split(" ", 1)
        self.cluster.psql(f"CREATE INDEX ON {table} USING {method} {rest}", database)

    def _create_table(self):
        database = self._database()
        if len(self._tables(database)) < TABLES_MAX:
            self._made_table(database)

    def _insert(self):
        database, table = self._table()
        self.cluster.psql(f"""
            SELECT make_rows('{table}', coalesce(max(id), 0) + 1, {self.rng.randrange(1, 1500)}, {self.count})
              FROM {table} HAVING count(*) < {ROWS_MAX}""", database)

    def _copied_lines(self, first):
        count = self.rng.randrange(200, 4000)
        return "".join(f"{first + i}\t{i % 97}\tcopied {first + i} {self.count}\n" for i in range(count))

    def _copy_into(self, end):
        """Many rows at once: the relation grows by zero pages that are not logged (D2)."""
        database, table = self._table()
        first = int(self.cluster.value(f"SELECT coalesce(max(id), 0) + 1 FROM {table}", database))
        self.cluster.psql(f"BEGIN;\nCOPY {table}(id, k, body) FROM STDIN;\n{self._copied_lines(first)}\\.\n"
                          f"{end};\n", database)

    def _copy(self):
        self._copy_into("COMMIT")

    def _aborted_copy(self):
        self._copy_into("ROLLBACK")

    def _update(self):
        database, table = self._table()
        step = self.rng.choice((3, 20, 100))
        self.cluster.psql(f"UPDATE {table} SET k = k + 1, body = 'changed {self.count} ' || left(body, 3000) "
                          f"WHERE id % {step} = {self.rng.randrange(step)}", database)

    def _update_in_place(self):
        database, table = self._table()
        self.cluster.psql(f"UPDATE {table} SET span = NULL WHERE id % 50 = {self.rng.randrange(50)}", database)

    def _delete(self):
        database, table = self._table()
        self.cluster.psql(f"DELETE FROM {table} WHERE id % 5 = {self.rng.randrange(5)}", database)

    def _shorten(self):
        """Vacuum truncates the free tail."""
        database, table = self._table()
        share = self.rng.choice((0.1, 0.5, 0.9))
        self.cluster.psql(f"DELETE FROM {table} WHERE id > (SELECT max(id) * {share} FROM {table});\n"
                          f"VACUUM {table};", database)

    def _refill(self):
        """D1 of one table: truncated, a checkpoint, grown again; in another summary file."""
        database, table = self._table()
        self.cluster.psql(f"""
            DELETE FROM {table} WHERE id > (SELECT max(id) * 0.3 FROM {table});
            VACUUM {table};
            {"CHECKPOINT;" if self.rng.random() < 0.5 else ""}
            SELECT make_rows('{table}', coalesce(max(id), 0) + 1, 1500, {self.count}) FROM {table};""",
            database)

    def _truncate(self):
        database, table = self._table()
        self.cluster.psql(f"TRUNCATE {table}", database)

    # Maintenance.

    def _vacuum(self):
        database, table = self._table()
        self.cluster.psql(f"VACUUM (ANALYZE) {table}", database)

    def _freeze(self):
        database, table = self._table()
        self.cluster.psql(f"VACUUM (FREEZE) {table}", database)

    def _vacuum_full(self):
        database, table = self._table()
        self.cluster.psql(f"VACUUM FULL {table}", database)

    def _vacuum_catalog(self):
        """Mapped catalogs get other files: pg_filenode.map changes, its size and CRC do not."""
        catalog = self.rng.choice(("pg_class", "pg_attribute", "pg_proc", "pg_database", "pg_depend"))
        self.cluster.psql(f"VACUUM FULL {catalog}", self._database())

    def _cluster(self):
        database, table = self._table("EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid "
                                      "AND i.indisprimary)")
        self.cluster.psql(f"CLUSTER {table} USING {table}_pkey", database)

    def _reindex(self):
        database, table = self._table()
        self.cluster.psql(f"REINDEX TABLE {table}", database)

    def _index(self):
        database, table = self._table()
        if int(self.cluster.value(f"SELECT count(*) FROM pg_index WHERE indrelid = '{table}'::regclass",
                                  database)) < 6:
            self._create_index(database, table, self.rng.choice(INDEXES))

    def _drop_index(self):
        database, table = self._table()
        names = self.cluster.rows(f"SELECT indexrelid::regclass FROM pg_index WHERE NOT indisprimary "
                                  f"AND indrelid = '{table}'::regclass ORDER BY 1", database)
        if names:
            self.cluster.psql(f"DROP INDEX {self.rng.choice(names)[0]}", database)

    def _drop_table(self):
        database, table = self._table()
        self.cluster.psql(f"DROP TABLE {table} CASCADE", database)

    def _rewrite(self):
        database, table = self._table()
        kind = self.cluster.value("SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attname = 'k' "
                                  f"AND attrelid = '{table}'::regclass", database)
        other = "bigint" if kind == "integer" else "int"
        self.cluster.psql(f"DROP MATERIALIZED VIEW IF EXISTS of_{table};\n"
                          f"ALTER TABLE {table} ALTER k TYPE {other}", database)

    def _set_logged(self):
        """Makes and removes _init forks."""
        database, table = self._table()
        kind = self.cluster.value(f"SELECT relpersistence FROM pg_class WHERE oid = '{table}'::regclass",
                                  database)
        self.cluster.psql(f"ALTER TABLE {table} SET {'LOGGED' if kind == 'u' else 'UNLOGGED'}", database)

    def _materialize(self):
        database, table = self._table("relpersistence = 'p'")
        self.cluster.psql(f"CREATE MATERIALIZED VIEW IF NOT EXISTS of_{table} AS SELECT id, k FROM {table};\n"
                          f"REFRESH MATERIALIZED VIEW of_{table};", database)

    def _large_object(self):
        self.cluster.psql(f"SELECT lo_from_bytea(0, decode(repeat(md5('{self.count}'), 900), 'hex'))",
                          self._database())

    def _sequence(self):
        self.cluster.psql(f"CREATE SEQUENCE s{self.count}; SELECT nextval('s{self.count}')",
                          self._database())

    def _temporary(self):
        self.cluster.psql("CREATE TEMP TABLE x AS SELECT * FROM generate_series(1, 2000) i; "
                          "SELECT count(*) FROM x", self._database())

    def _prepared(self):
        """A file in pg_twophase, or the transaction of the one that is there is ended."""
        found = self.cluster.rows("SELECT gid, database FROM pg_prepared_xacts ORDER BY 1")
        if found:
            self.cluster.psql(f"COMMIT PREPARED '{found[0][0]}'", found[0][1])
            return
        self.cluster.psql(f"BEGIN; CREATE SEQUENCE prepared_{self.count}; "
                          f"PREPARE TRANSACTION 'p{self.count}'")

    # Tablespaces and databases.

    def _create_tablespace(self):
        if len(self._tablespaces()) >= 3:
            return
        # A standby would use the primary's place.
        in_place = self.followed or self.rng.random() < 0.3
        place = "" if in_place else self.cluster.folder(f"space {self.count}")
        self.cluster.psql(f"CREATE TABLESPACE space{self.count} LOCATION '{place}'")

    def _move_table(self):
        database, table = self._table()
        spaces = ["pg_default", *self._tablespaces()]
        self.cluster.psql(f"ALTER TABLE {table} SET TABLESPACE {self.rng.choice(spaces)}", database)

    def _drop_tablespace(self):
        empty = [name for (name,) in self.cluster.rows(
            "SELECT spcname FROM pg_tablespace t WHERE spcname LIKE 'space%' "
            "AND NOT EXISTS (SELECT 1 FROM pg_tablespace_databases(t.oid)) ORDER BY 1")]
        if empty:
            self.cluster.psql(f"DROP TABLESPACE {self.rng.choice(empty)}")

    def _create_database(self):
        if len(self._extra_databases()) >= 2:
            return
        template = self.rng.choice(["template1", *self._extra_databases()])
        strategy = self.rng.choice(("file_copy", "wal_log"))
        # Tables of another template keep their tablespaces, of which none may be the new default.
        space = ""
        if template == "template1":
            space = f"TABLESPACE {self.rng.choice(['pg_default', *self._tablespaces()])}"
        self.cluster.psql(f"CREATE DATABASE d{self.count} TEMPLATE {template} STRATEGY {strategy} {space}",
                          "template1")

    def _drop_database(self):
        names = self._extra_databases()
        if names:
            self.cluster.psql(f"DROP DATABASE {self.rng.choice(names)}")

    def _move_database(self):
        """Copies files without logging blocks."""
        for name in self._extra_databases():
            if self.cluster.value("SELECT count(*) FROM pg_class WHERE reltablespace <> 0 "
                                  "AND NOT relisshared", name) == "0":
                spaces = ["pg_default", *self._tablespaces()]
                self.cluster.psql(f"ALTER DATABASE {name} SET TABLESPACE {self.rng.choice(spaces)}")
                return

    # The server.

    def _checkpoint(self):
        self.cluster.psql("CHECKPOINT")

    def _switch_wal(self):
        self.cluster.psql("SELECT pg_switch_wal()")

    def _crash(self):
        self.cluster.restart("immediate")

