"""One server and its data directory."""

import os
import shutil

from postgres.installation import Failed

SETTINGS = {
    # What a test does decides what happens, not clocks.
    "autovacuum": "off", "checkpoint_timeout": "1h", "max_wal_size": "4GB", "bgwriter_lru_maxpages": "0",
    "fsync": "off", "listen_addresses": "''", "shared_buffers": "32MB", "max_wal_senders": "10",
    "wal_level": "replica", "hot_standby": "on", "log_min_messages": "warning",
    "max_prepared_transactions": "4", "allow_in_place_tablespaces": "on",
}
# text per relation: name, rows, one hash over the sorted hashes of the rows.
HASH_QUERY = r"""
SELECT format('SELECT %L, count(*), md5(coalesce(string_agg(h, '''' ORDER BY h), '''')) '
              'FROM (SELECT md5(t::text) AS h FROM ONLY %s t) x', c.oid::regclass, c.oid::regclass)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'm') AND (c.relkind <> 'm' OR c.relispopulated)
    AND c.relpersistence = 'p'
    AND n.nspname !~ '^(pg_|information_schema)' ORDER BY c.oid::regclass::text
\gexec
"""


class Cluster:
    """A server of `installation` over `data`, a folder below `scratch`. Stopped until start()."""

    def __init__(self, installation, scratch, name, data=None):
        self.installation = installation
        self.scratch = scratch
        self.name = name
        self.data = data or os.path.join(scratch, name)
        self.socket = os.path.join(scratch, f"{name}.socket")
        self.log = os.path.join(self.socket, "log")
        self.settings = dict(SETTINGS)
        if installation.version >= 17:
            self.settings["summarize_wal"] = "on"
        self.running = False

    def run(self, program, *arguments, **options):
        return self.installation.run(self.scratch, program, *arguments, **options)

    def folder(self, name):
        """A folder below scratch that is the server's, for tablespaces and backups."""
        path = os.path.join(self.scratch, name)
        os.makedirs(path, mode=0o700, exist_ok=True)
        os.chown(path, self.installation.uid, self.installation.gid)
        return path

    def init(self, checksums=True, wal_segment_mb=1, options=()):
        """Small WAL segments: each backup fills two with zeros."""
        self.folder(self.name)
        # From 18 on a cluster has page checksums unless it is told not to.
        without = ["--no-data-checksums"] if self.installation.version >= 18 else []
        self.run("initdb", "-D", self.data, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync",
                 f"--wal-segsize={wal_segment_mb}", *(["-k"] if checksums else without), *options)
        return self

    def control(self, *arguments):
        """pg_ctl; a failure shows what the server had to say."""
        try:
            self.run("pg_ctl", "-D", self.data, "-s", *arguments)
        except Failed as error:
            raise Failed(f"{error}\n{self.log_tail()}") from None

    def start(self, wait=True, **settings):
        """Settings given here hold for this start alone."""
        self.folder(f"{self.name}.socket")
        words = " ".join(f"-c {name}={value}" for name, value in {**self.settings, **settings}.items())
        self.control("-w" if wait else "-W", "-t", "120", "-l", self.log,
                     "-o", f"{words} -k {self.socket}", "start")
        self.running = True
        return self

    def stop(self, mode="fast"):
        if self.running:
            self.running = False
            self.control("-w", "-m", mode, "stop")

    def restart(self, mode="fast", **settings):
        """With mode immediate: a crash, and recovery from it."""
        self.stop(mode)
        self.start(**settings)

    def promote(self):
        self.control("-w", "-t", "120", "promote")

    def remove(self):
        self.stop("immediate")
        shutil.rmtree(self.data, ignore_errors=True)

    def log_tail(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                return file.read()[-3000:]
        except FileNotFoundError:
            return "no log"

    def conninfo(self, database="postgres"):
        return f"host={self.socket} user=postgres dbname={database}"

    def psql(self, text, database="postgres", check=True):
        """What the statements print: rows in lines, columns separated by bars."""
        given = text.encode() if isinstance(text, str) else text
        done = self.run("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.socket,
                        "-d", database, given=given, check=check)
        return done.stdout.decode().rstrip("\n") if check else done

    def rows(self, text, database="postgres"):
        out = self.psql(text, database)
        return [line.split("|") for line in out.splitlines()]

    def value(self, text, database="postgres"):
        return self.psql(text, database)

    def pgbench(self, *arguments, database="postgres"):
        return self.run("pgbench", "-h", self.socket, *arguments, database)

    def databases(self):
        return [name for (name,) in self.rows(
            "SELECT datname FROM pg_database WHERE datallowconn AND datname <> 'template1' ORDER BY 1")]

    def tablespaces(self):
        """oid -> place, of those that are links."""
        found = self.rows("SELECT oid, pg_tablespace_location(oid) FROM pg_tablespace "
                          "WHERE spcname !~ '^pg_'")
        return {oid: place for oid, place in found if place.startswith("/")}

    def row_hashes(self):
        """(database, relation) -> (rows, hash), of all relations that a crash does not empty."""
        return {(database, name): (int(count), digest) for database in self.databases()
                for name, count, digest in self.rows(HASH_QUERY, database)}

    def check_indexes(self):
        """Every table and index page by pg_amcheck, every heap row found in its indexes."""
        unique = ["--checkunique"] if self.installation.version >= 17 else []
        self.run("pg_amcheck", "-h", self.socket, "--all", "--heapallindexed", "--install-missing",
                 "--parent-check", "--rootdescend", *unique)

    def truncated_forks(self, since, until):
        """(database, relfilenode, fork) of the forks that a vacuum shortened in that range of WAL:
        those whose blocks an incremental backup may get wrong (D1, D2 of docs)."""
        return {tuple(row) for row in self.rows(f"""
            SELECT DISTINCT c.reldatabase, c.relfilenode, c.relforknumber
              FROM pg_available_wal_summaries() s,
                   pg_wal_summary_contents(s.tli, s.start_lsn, s.end_lsn) c
              WHERE s.end_lsn > '{since}' AND s.start_lsn < '{until}'
                AND c.is_limit_block AND c.relblocknumber > 0 AND c.relforknumber IN (0, 2)""")}
