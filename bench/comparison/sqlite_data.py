"""One SQLite file, and the steps it takes: rows updated at random, and new rows.

SQLite itself makes the changes; what they did to the file is kept as a patch, so that each tool can
be walked through the same states quickly. Two walks begin at the same file: steps of 0.1, 1 and
3 % of its pages, and a chain of many steps of 1 %.
"""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys

from comparison import patches, rows
from comparison.source import Source

SEED = 20240229
PAGE = 4096
SHARES = (0.1, 1.0, 3.0)  # Per cent of the file's pages, one step after the other.
CHAIN_SHARE = 1.0
DATABASE = "shop.db"
COPY = "copy.db"

# Of all rows, so many are new after a step that changes 3 % of the pages. They belong to a tenth of
# the customers, the active ones: each changes a page of each index. Updates change the other pages.
INSERTED_SHARE = 0.001
ACTIVE_SHARE = 0.1
UPDATED = {"events": 0.55, "texts": 0.30, "orders": 0.15}  # What is updated, by table.


def _connect(path, cache_kib):
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript(f"PRAGMA page_size = {PAGE}; PRAGMA journal_mode = off; "
                     f"PRAGMA synchronous = off; PRAGMA cache_size = -{cache_kib}")
    return db


def _insert(db, maker, table, first, count):
    columns = len(db.execute(f"SELECT * FROM pragma_table_info('{table}')").fetchall())
    db.executemany(f"INSERT INTO {table} VALUES({','.join('?' * columns)})",
                   (maker.row(table, i) for i in range(first, first + count)))


def _rows(rng, customers):
    return rows.Rows(rng, random.Random(SEED), customers)


def _make_database(path, scale):
    counts = {table: max(1, int(count * scale)) for table, count in rows.ROWS.items()}
    # The indexes are there from the first row on, so their pages are as full as use leaves them.
    db = _connect(path, cache_kib=int(min(2_000_000, 400_000 * max(1, scale))))
    db.executescript(rows.SCHEMA)
    maker = _rows(random.Random(SEED), counts["customers"])
    db.execute("BEGIN")
    for table, count in counts.items():
        _insert(db, maker, table, 1, count)
    db.execute("COMMIT")
    db.close()


def updates(maker, newest):
    """By table: the statement, and a function that makes its arguments for one random row."""
    rng = maker.rng
    stamp = lambda: 1_800_000_000 + rng.getrandbits(20)  # noqa: E731
    anyone = lambda table: rng.randint(1, newest[table])  # noqa: E731
    return {
        "events": ("UPDATE events SET updated = ?, token = ?, body = ? WHERE id = ?",
                   lambda: (stamp(), maker.hexadecimal(64), maker.event_body(), anyone("events"))),
        "texts": ("UPDATE texts SET updated = ?, token = ?, body = body || '. ' || ? WHERE id = ?",
                  lambda: (stamp(), maker.hexadecimal(64), maker.phrase(), anyone("texts"))),
        "orders": ("UPDATE orders SET updated = ?, status = ?, cents = ? WHERE id = ?",
                   lambda: (stamp(), maker.status(), maker.cents(), anyone("orders"))),
    }


def change_maker(db, seed):
    """Makes rows of the active customers; beside it the newest id of each table."""
    newest = {table: db.execute(f"SELECT max(id) FROM {table}").fetchone()[0]
              for table in rows.ROWS}
    return _rows(random.Random(seed), int(newest["customers"] * ACTIVE_SHARE)), newest


def advance(db, seed, share, pages, changed_pages):
    """Inserts and updates rows: `share` per cent of the `pages`; `changed_pages` counts those so far."""
    maker, newest = change_maker(db, seed)
    db.execute("BEGIN")
    for table, last in newest.items():
        _insert(db, maker, table, last + 1, round(last * INSERTED_SHARE * share / 3))
    db.execute("COMMIT")
    count = max(0, pages * share / 100 - changed_pages())
    db.execute("BEGIN")
    for table, (statement, arguments) in updates(maker, newest).items():
        # A few of the rows share a page.
        db.executemany(statement, (arguments() for _ in range(round(count * UPDATED[table] * 1.02))))
    db.execute("COMMIT")


def _advance(before, path, seed, share):
    """Changes `path`, as yet equal to `before`."""
    db = _connect(path, cache_kib=400_000)
    advance(db, seed, share, os.path.getsize(before) / PAGE,
            lambda: patches.write(before, path, os.devnull, PAGE))
    db.close()


def _step_patch(folder, share):
    return os.path.join(folder, f"step-{share:g}.patch")


def _chain_patch(folder, number):
    return os.path.join(folder, "chain", f"{number:04}.patch")


def make(folder, scale):
    """Makes the file and the patches of its steps in `folder` unless they are there."""
    if os.path.exists(os.path.join(folder, "steps.json")):
        return
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    base = os.path.join(folder, DATABASE)
    _make_database(base, scale)
    work, before = base + ".work", base + ".before"
    shutil.copyfile(base, work)
    shutil.copyfile(base, before)
    changed = {}
    for share in SHARES:
        _advance(before, work, f"{SEED}-{share}", share)
        changed[f"{share:g}"] = patches.write(before, work, _step_patch(folder, share), PAGE)
        patches.apply(_step_patch(folder, share), before)
    os.unlink(work)
    os.unlink(before)
    with open(os.path.join(folder, "steps.json"), "w", encoding="ascii") as file:
        json.dump(changed, file)


def make_chain(folder, length):
    """Makes those of the chain's patches that are missing; the file must be there."""
    if os.path.exists(_chain_patch(folder, length)):
        return
    os.makedirs(os.path.join(folder, "chain"), exist_ok=True)
    work, before = (os.path.join(folder, "chain", name) for name in ("work", "before"))
    shutil.copyfile(os.path.join(folder, DATABASE), work)
    done = 0
    while os.path.exists(_chain_patch(folder, done + 1)):
        done += 1
        patches.apply(_chain_patch(folder, done), work)
    shutil.copyfile(work, before)
    for number in range(done + 1, length + 1):
        _advance(before, work, f"{SEED}-chain-{number}", CHAIN_SHARE)
        patches.write(before, work, _chain_patch(folder, number) + ".new", PAGE)
        os.rename(_chain_patch(folder, number) + ".new", _chain_patch(folder, number))
        patches.apply(_chain_patch(folder, number), before)
    os.unlink(work)
    os.unlink(before)


def describe(folder):
    size = os.path.getsize(os.path.join(folder, DATABASE))
    with open(os.path.join(folder, "steps.json"), encoding="ascii") as file:
        return {"bytes": size, "pages": size // PAGE, "seed": SEED, "changed_pages": json.load(file)}


class SqliteSource(Source):
    def __init__(self, data_folder, folder):
        super().__init__(folder)
        self.data_folder = data_folder
        self.database = os.path.join(folder, DATABASE)

    def reset(self):
        for name in self.names():
            os.unlink(os.path.join(self.folder, name))
        shutil.copyfile(os.path.join(self.data_folder, DATABASE), self.database)
        self.settle()

    def step(self, share):
        patches.apply(_step_patch(self.data_folder, share), self.database)
        self.settle()

    def chain_step(self, number):
        patches.apply(_chain_patch(self.data_folder, number), self.database)
        self.settle()

    def vacuum(self):
        # In a process of its own, as its memory must not be counted for the tools (measure.run).
        script = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('VACUUM')"
        subprocess.run([sys.executable, "-c", script, self.database], check=True)
        self.settle()

    def copy_name(self):
        shutil.copyfile(self.database, os.path.join(self.folder, COPY))
        self.settle()

    def remove_copy(self):
        os.unlink(os.path.join(self.folder, COPY))
