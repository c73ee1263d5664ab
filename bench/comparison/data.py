"""The data every tool is given: one SQLite file, and patches that change a share of its pages.

Rows are what applications keep: customers, orders, JSON events, texts, four indexes. Everything
follows from a seed. The changes are real UPDATEs of random rows made by SQLite; what they did to
the file is kept as a patch (page number, new content), so that each tool can be walked through
the same states quickly.
"""

import os
import random
import shutil
import sqlite3
import struct
import time

SEED = 20240229
PAGE = 4096
SHARES = (0.1, 1.0, 3.0)  # Per cent of the file's pages, one step after the other.
DATABASE = "shop.db"
BLOCK = 256 * PAGE

# Rows for one gigabyte.
CUSTOMERS, ORDERS, EVENTS, TEXTS = 425_000, 1_925_000, 2_220_000, 244_000
# The parts of the file that hold each table's rows: where a random page is likely to lie.
UPDATED = {"events": 0.55, "texts": 0.30, "orders": 0.15}

SCHEMA = """
PRAGMA page_size = 4096;
PRAGMA journal_mode = off;
PRAGMA synchronous = off;
PRAGMA cache_size = -400000;
CREATE TABLE customers(id INTEGER PRIMARY KEY, name TEXT, email TEXT, street TEXT, city TEXT,
                       created INTEGER);
CREATE TABLE orders(id INTEGER PRIMARY KEY, customer INTEGER, status TEXT, cents INTEGER,
                    created INTEGER, updated INTEGER, reference TEXT);
CREATE TABLE events(id INTEGER PRIMARY KEY, customer INTEGER, at INTEGER, updated INTEGER,
                    token TEXT, body TEXT);
CREATE TABLE texts(id INTEGER PRIMARY KEY, customer INTEGER, updated INTEGER, token TEXT,
                   title TEXT, body TEXT);
"""
INDEXES = """
CREATE UNIQUE INDEX customers_email ON customers(email);
CREATE INDEX orders_customer ON orders(customer, created);
CREATE INDEX events_customer ON events(customer, at);
CREATE INDEX texts_customer ON texts(customer);
"""
SYLLABLES = ("an ar be co da de el en er fa fe ga go ha he in ka la le li lo ma me mi mo na ne no "
             "or pa pe ra re ri ro sa se si so sta te ti to tra un va ve vi wa we").split()


def _vocabulary(rng):
    """5,000 invented words; the first are drawn far more often, as in any language."""
    words = ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(5000)]
    phrases = []
    for _ in range(30_000):
        picks = (words[int(5000 * rng.random() ** 3)] for _ in range(rng.randint(3, 7)))
        phrases.append(" ".join(picks))
    return words, phrases


def _rows(rng, scale):
    """Yields (table, iterator of rows)."""
    words, phrases = _vocabulary(rng)
    customers = max(1, int(CUSTOMERS * scale))
    start = 1_600_000_000
    hexa = lambda bits: f"{rng.getrandbits(bits):0{bits // 4}x}"  # noqa: E731
    pick = lambda pool: pool[int(len(pool) * rng.random())]  # noqa: E731
    yield "customers", (
        (i, f"{pick(words).title()} {pick(words).title()}", f"{pick(words)}.{i}@{pick(words)}.example",
         f"{pick(words).title()} street {i % 211}", pick(words).title(), start + i * 97)
        for i in range(1, customers + 1))
    yield "orders", (
        (i, 1 + int(customers * rng.random()), ("paid", "sent", "open", "back")[rng.getrandbits(2)],
         20_000_000 + rng.getrandbits(20), start + i * 31, start + i * 31 + rng.getrandbits(16),
         hexa(64).upper()) for i in range(1, int(ORDERS * scale) + 1))
    yield "events", (
        (i, 1 + int(customers * rng.random()), start + i * 23, start + i * 23, hexa(64),
         f'{{"kind":"{pick(words)}","session":"{hexa(96)}","path":"/{pick(words)}/{rng.getrandbits(17)}",'
         f'"ms":{rng.getrandbits(10)},"agent":"{pick(phrases)}","ok":true,"score":{rng.random():.9f}}}')
        for i in range(1, int(EVENTS * scale) + 1))
    yield "texts", (
        (i, 1 + int(customers * rng.random()), start + i * 211, hexa(64), pick(phrases).title(),
         ". ".join(pick(phrases) for _ in range(20 + rng.getrandbits(5))))
        for i in range(1, int(TEXTS * scale) + 1))


def _make_database(path, scale):
    rng = random.Random(SEED)
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript(SCHEMA)
    db.execute("BEGIN")
    for table, rows in _rows(rng, scale):
        columns = len(db.execute(f"SELECT * FROM pragma_table_info('{table}')").fetchall())
        db.executemany(f"INSERT INTO {table} VALUES({','.join('?' * columns)})", rows)
    db.execute("COMMIT")
    db.executescript(INDEXES)
    db.close()


def _update_rows(path, rng, count):
    """Updates `count` random rows in place: values of the same length, no indexed column."""
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript("PRAGMA journal_mode = off; PRAGMA synchronous = off; BEGIN")
    stamp = 1_800_000_000 + rng.getrandbits(20)
    for table, part in UPDATED.items():
        newest = db.execute(f"SELECT max(id) FROM {table}").fetchone()[0]
        column, value = ("cents", lambda: 20_000_000 + rng.getrandbits(20)) if table == "orders" \
            else ("token", lambda: f"{rng.getrandbits(64):016x}")
        db.executemany(f"UPDATE {table} SET updated = ?, {column} = ? WHERE id = ?",
                       ((stamp, value(), rng.randint(1, newest)) for _ in range(int(count * part))))
    db.execute("COMMIT")
    db.close()


def _write_patch(old_path, new_path, patch_path):
    """Writes the pages of new_path that differ from old_path; returns how many."""
    changed = 0
    with open(old_path, "rb") as old, open(new_path, "rb") as new, open(patch_path, "wb") as patch:
        offset = 0
        while block := new.read(BLOCK):
            before = old.read(BLOCK)
            for at in range(0, len(block) if block != before else 0, PAGE):
                page = block[at:at + PAGE]
                if page != before[at:at + PAGE]:
                    patch.write(struct.pack("<Q", (offset + at) // PAGE) + page)
                    changed += 1
            offset += len(block)
    return changed


def patch_path(folder, share):
    return os.path.join(folder, f"change-{share:g}.patch")


def make(folder, scale):
    """Makes the file and its patches in `folder` unless they are there."""
    if os.path.exists(os.path.join(folder, "complete")):
        return
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    base = os.path.join(folder, DATABASE)
    _make_database(base, scale)
    work, before = base + ".work", base + ".before"
    shutil.copyfile(base, work)
    pages = os.path.getsize(base) // PAGE
    for share in SHARES:
        shutil.copyfile(work, before)
        # A few of the rows share a page.
        _update_rows(work, random.Random(f"{SEED}-{share}"), round(pages * share / 100 * 1.01))
        changed = _write_patch(before, work, patch_path(folder, share))
        with open(patch_path(folder, share) + ".count", "w", encoding="ascii") as file:
            file.write(str(changed))
    os.unlink(work)
    os.unlink(before)
    with open(os.path.join(folder, "complete"), "w", encoding="ascii") as file:
        file.write("yes\n")


def changed_pages(folder, share):
    with open(patch_path(folder, share) + ".count", encoding="ascii") as file:
        return int(file.read())


class Source:
    """The folder the tools back up: the database, and a small file newer than it.

    The newer file is for Borg, which never trusts the metadata of the newest file of a backup.
    """

    def __init__(self, data_folder, folder):
        self.data_folder = data_folder
        self.folder = folder
        self.database = os.path.join(folder, DATABASE)
        os.makedirs(folder, exist_ok=True)

    def reset(self):
        shutil.copyfile(os.path.join(self.data_folder, DATABASE), self.database)
        self._settle()

    def change(self, share):
        with open(patch_path(self.data_folder, share), "rb") as patch, \
                open(self.database, "r+b") as file:
            while head := patch.read(8):
                file.seek(struct.unpack("<Q", head)[0] * PAGE)
                file.write(patch.read(PAGE))
        self._settle()

    def warm(self):
        """Every step starts with the source in the page cache and nothing left to write back."""
        os.sync()
        with open(self.database, "rb", buffering=0) as file:
            while file.read(BLOCK):
                pass

    def _settle(self):
        time.sleep(0.05)  # A later time stamp than the database's, on any file system's clock.
        with open(os.path.join(self.folder, "newest.txt"), "w", encoding="ascii") as file:
            file.write(f"{time.time_ns()}\n")
