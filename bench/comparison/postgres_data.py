"""A PostgreSQL data directory, and one step of transactions. The server is stopped in both states.

Made by a real server: the newest installed below /usr/lib/postgresql. A part of it are pgbench's
tables, the rest documents in JSON with four indexes. It has page checksums, and has been in use and
vacuumed before the first backup. pg_wal is left out of both states, for all tools alike.
"""

import contextlib
import glob
import json
import os
import random
import shutil
import subprocess
import tempfile
import time

from comparison import patches, rows
from comparison.source import Source

SEED = 20240229
PAGE = 8192
# For one gigabyte.
PGBENCH_SCALE, DOCUMENTS, CUSTOMERS = 25, 900_000, 50_000
# Transactions of a step, per page of the directory: about 3 % of the pages change.
TRANSACTIONS_PER_PAGE = 0.0085

SETTINGS = {"listen_addresses": "''", "autovacuum": "off", "fsync": "off", "wal_level": "minimal",
            "max_wal_senders": "0", "wal_keep_size": "0", "max_wal_size": "1GB",
            "shared_buffers": "512MB"}

CREATE_TABLE = """
CREATE TABLE documents(id bigint PRIMARY KEY, customer int, at timestamptz, body jsonb, note text)
  WITH (fillfactor = 90);
CREATE INDEX documents_customer ON documents(customer);
CREATE INDEX documents_at ON documents(at);
CREATE INDEX documents_session ON documents((body->>'session'));
"""
# Beside pgbench's own transaction. Three of four change a document, one adds one.
CHANGE_SCRIPT = """
\\set id random(1, {documents})
\\set views random(1, 100000)
UPDATE documents SET body = body || jsonb_build_object('views', :views) WHERE id = :id;
"""
ADD_SCRIPT = """
\\set customer random(1, {customers})
\\set session random(1, 1000000000)
INSERT INTO documents SELECT max(id) + 1, :customer, max(at) + interval '7 seconds',
  jsonb_build_object('session', md5(':session'), 'ip', '10.1.7.1', 'views', 0, 'score', 0.5),
  'early order with quick price, before the snapshot ' || :session FROM documents;
"""


def programs():
    """Where the newest installed server's programs are, or None."""
    found = glob.glob("/usr/lib/postgresql/*/bin")
    return max(found, key=lambda path: int(path.split("/")[4])) if found else None


def version():
    return programs().split("/")[4]


class Server:
    """Runs on one data directory, as user postgres when we are root."""

    def __init__(self, folder):
        self.folder = folder
        self.data = os.path.join(folder, "live")
        self.socket = tempfile.mkdtemp(prefix="compare-")
        self.user = []
        if os.geteuid() == 0:
            self.user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
            shutil.chown(self.socket, "postgres")
            shutil.chown(folder, "postgres")

    def program(self, name, *arguments, given=subprocess.DEVNULL):
        command = [*self.user, os.path.join(programs(), name), *arguments]
        with open(os.path.join(self.folder, "server.log"), "a", encoding="utf-8") as log:
            subprocess.run(command, cwd="/", check=True, stdin=given, stdout=log, stderr=log)

    def sql(self, text, given=subprocess.DEVNULL):
        self.program("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.socket, "-d", "postgres",
                     "-c", text, given=given)

    def pgbench(self, *arguments):
        self.program("pgbench", "-h", self.socket, *arguments, "postgres")

    @contextlib.contextmanager
    def running(self):
        settings = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
        self.program("pg_ctl", "-D", self.data, "-w", "-s", "-l", os.path.join(self.data, "log"),
                     "-o", f"{settings} -k {self.socket}", "start")
        try:
            yield
            self.sql("CHECKPOINT")
        finally:
            self.program("pg_ctl", "-D", self.data, "-w", "-s", "-m", "fast", "stop")

    def remove(self):
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.rmtree(self.socket)


def _time(number):
    return time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime(rows.START + 7 * number))


def document_lines(names):
    """Rows of the table documents, as COPY takes them."""
    maker = rows.Rows(random.Random(SEED), random.Random(SEED), names["customers"])
    for number in range(1, names["documents"] + 1):
        note = ". ".join(maker.phrase() for _ in range(2 + maker.rng.getrandbits(3)))
        yield f"{number}\t{maker.customer()}\t{_time(number)}\t{maker.event_body()}\t{note}\n"


def _load_documents(server, names):
    server.sql(CREATE_TABLE)
    with tempfile.TemporaryFile("w+", encoding="ascii", dir=server.folder) as file:
        file.writelines(document_lines(names))
        file.seek(0)
        server.sql("COPY documents FROM STDIN", given=file)


def _transactions(server, seed, count, names):
    scripts = []
    for text, weight in ((CHANGE_SCRIPT, 3), (ADD_SCRIPT, 1)):
        path = os.path.join(server.socket, f"script-{weight}.sql")
        with open(path, "w", encoding="ascii") as file:
            file.write(text.format(**names))
        scripts += ["-f", f"{path}@{weight}"]
    server.pgbench("-n", f"--random-seed={seed}", "-t", str(count), "-b", "tpcb-like@4", *scripts)


def _copy_state(server, name):
    """A copy of the stopped server's directory, with an empty pg_wal."""
    target = os.path.join(server.folder, name)
    subprocess.run(["cp", "-a", server.data, target], check=True)
    for entry in os.scandir(os.path.join(target, "pg_wal")):
        if entry.is_file():
            os.unlink(entry.path)
    os.unlink(os.path.join(target, "log"))
    return target


def _pages(folder):
    return sum(os.path.getsize(os.path.join(folder, name)) for name in patches.names_below(folder)) // PAGE


def _make_states(server, folder, scale):
    names = {"documents": max(1, int(DOCUMENTS * scale)), "customers": max(1, int(CUSTOMERS * scale))}
    server.program("initdb", "-D", server.data, "-k", "-A", "trust", "-E", "UTF8", "--locale=C")
    with server.running():
        # Room in each page, so that updates stay in it, as in tables that have been in use.
        server.pgbench("-i", "-q", "-F", "90", "-s", str(max(1, round(PGBENCH_SCALE * scale))))
        _load_documents(server, names)
        count = int(_pages(server.data) * TRANSACTIONS_PER_PAGE)
        _transactions(server, SEED, count, names)
        server.sql("VACUUM ANALYZE")
    before = _copy_state(server, "base")
    with server.running():
        _transactions(server, SEED + 1, count, names)
    after = _copy_state(server, "after")
    changed = patches.write_folder(before, after, os.path.join(folder, "step"), PAGE)
    shutil.rmtree(after)
    return {"pages": _pages(before), "bytes": _pages(before) * PAGE, "changed_pages": changed,
            "transactions": count, "version": version()}


def make(folder, scale):
    """Makes the directory and the patch of its step in `folder` unless they are there."""
    if os.path.exists(os.path.join(folder, "step.json")):
        return
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    server = Server(folder)
    try:
        description = _make_states(server, folder, scale)
    finally:
        server.remove()
    with open(os.path.join(folder, "step.json"), "w", encoding="ascii") as file:
        json.dump(description, file)


def describe(folder):
    with open(os.path.join(folder, "step.json"), encoding="ascii") as file:
        return json.load(file)


class PostgresSource(Source):
    def __init__(self, data_folder, folder):
        super().__init__(folder)
        self.data_folder = data_folder
        self.data = os.path.join(folder, "pgdata")

    def reset(self):
        shutil.rmtree(self.data, ignore_errors=True)
        subprocess.run(["cp", "-a", os.path.join(self.data_folder, "base"), self.data], check=True)
        self.settle()

    def step(self):
        patches.apply_folder(os.path.join(self.data_folder, "step"), self.data)
        self.settle()
