#!/usr/bin/env python3
"""Makes base.db, touched.db, updated.db and aged.db for docs/adr/0003 (see frame_data.sh).

Users, orders and JSON events with the indexes an application would have. Seeded.
"""
import json
import random
import shutil
import sqlite3
import sys

WORDS = """alpha account address amber anchor april autumn basket beacon border bottle branch bridge
bright budget camera candle canyon carbon castle cherry circle client copper corner cotton coupon
credit crystal daily danger decade delta desert dinner dragon driver eagle early eastern editor
engine escape fabric family farmer father feather figure filter finger flower forest frozen future
galaxy garden gentle global golden grocery guitar hammer harbor hidden history hollow hunter icon
island jacket jungle kernel kitchen ladder laptop lemon letter liquid lively machine magnet marble
market meadow member memory mirror modern morning mountain museum narrow nature needle north notice
number object ocean office orange orchid origin packet palace panel paper parcel pencil pepper
planet pocket poetry prairie quarter quiet rabbit radio random record refund river rocket saddle
salmon sample screen secret shadow signal silver simple single sister socket spring square station
summer sunset supply switch table target temple ticket timber travel tunnel urgent valley velvet
vendor violet vision voyage walnut window winter wonder yellow zebra""".split()
CITIES = "Berlin Paris Lagos Osaka Lima Oslo Quito Turin Perth Cairo Seoul Porto Split Basel".split()
STATUS = "new paid packed shipped delivered returned".split()
KINDS = "page_view add_to_cart checkout login search error".split()


def text(rng, low, high):
    return " ".join(rng.choices(WORDS, k=rng.randint(low, high)))


def user(rng, number):
    name = rng.choice(WORDS).title() + " " + rng.choice(WORDS).title()
    mail = f"{name.replace(' ', '.').lower()}{rng.randint(1, 9999)}@example{rng.randint(1, 40)}.com"
    return (number, name, mail, rng.choice(CITIES), f"{rng.randint(1, 300)} {rng.choice(WORDS).title()} Street",
            1_600_000_000 + rng.randint(0, 90_000_000), rng.randbytes(16).hex())


def order(rng, number, users):
    return (number, rng.randint(1, users), rng.choice(STATUS), rng.randint(199, 99_999), rng.choice(CITIES),
            1_650_000_000 + number * 7 + rng.randint(0, 500), text(rng, 4, 16))


def event(rng, number, users):
    body = {"kind": rng.choice(KINDS), "user": rng.randint(1, users), "session": rng.randbytes(12).hex(),
            "url": f"/{rng.choice(WORDS)}/{rng.choice(WORDS)}?q={rng.choice(WORDS)}&p={rng.randint(1, 50)}",
            "ms": rng.randint(3, 4000), "agent": f"Mozilla/5.0 (X11; Linux x86_64; rv:{rng.randint(90, 130)}.0)",
            "cart": [{"sku": rng.randint(10_000, 99_999), "qty": rng.randint(1, 5), "price": round(rng.random() * 200, 2)}
                     for _ in range(rng.randint(0, 3))]}
    return (number, 1_650_000_000_000 + number * 911 + rng.randint(0, 900), json.dumps(body))


def make_base(path, scale):
    rng = random.Random(20_240_501)
    users, orders, events = 200_000 * scale, 960_000 * scale, 480_000 * scale
    db = sqlite3.connect(path)
    db.executescript("""
        PRAGMA page_size=4096; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-200000;
        CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT, mail TEXT, city TEXT, street TEXT, joined INT, token TEXT);
        CREATE TABLE orders(id INTEGER PRIMARY KEY, user_id INT, status TEXT, cents INT, city TEXT, at INT, note TEXT);
        CREATE TABLE events(id INTEGER PRIMARY KEY, at_ms INT, body TEXT);
        CREATE INDEX orders_user ON orders(user_id, at);
        CREATE INDEX orders_status ON orders(status, at);
        CREATE INDEX events_at ON events(at_ms);
    """)
    db.executemany("INSERT INTO users VALUES(?,?,?,?,?,?,?)", (user(rng, n) for n in range(1, users + 1)))
    # Tables grow side by side in a real application, so their pages interleave.
    step = 1000
    for low in range(0, orders, 2 * step):
        db.executemany("INSERT INTO orders VALUES(?,?,?,?,?,?,?)",
                       (order(rng, n, users) for n in range(low + 1, low + 2 * step + 1)))
        db.executemany("INSERT INTO events VALUES(?,?,?)",
                       (event(rng, n, users) for n in range(low // 2 + 1, low // 2 + step + 1)))
    db.execute("CREATE UNIQUE INDEX users_mail ON users(mail, id)")
    db.commit()
    db.close()
    return users, orders, events


def update(path, users, orders, events, share, seed):
    rng = random.Random(seed)
    db = sqlite3.connect(path)
    db.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-200000;")
    db.executemany("UPDATE users SET city=?, token=? WHERE id=?",
                   ((rng.choice(CITIES), rng.randbytes(16).hex(), rng.randint(1, users)) for _ in range(int(users * share))))
    db.executemany("UPDATE orders SET cents=?, city=? WHERE id=?",
                   ((rng.randint(199, 99_999), rng.choice(CITIES), rng.randint(1, orders)) for _ in range(int(orders * share))))
    db.executemany("UPDATE events SET body=? WHERE id=?",
                   ((event(rng, n, users)[2], n) for n in (rng.randint(1, events) for _ in range(int(events * share)))))
    db.commit()
    return db, rng


def main():
    folder, scale = sys.argv[1], int(sys.argv[2])
    base, touched, updated, aged = (f"{folder}/{name}.db" for name in ("base", "touched", "updated", "aged"))
    open(base, "w").close()
    counts = make_base(base, scale)
    shutil.copyfile(base, touched)
    update(touched, *counts, 0.0005, 6)[0].close()
    shutil.copyfile(base, updated)
    update(updated, *counts, 0.01, 7)[0].close()
    shutil.copyfile(base, aged)
    db, rng = update(aged, *counts, 0.05, 8)
    db.execute("DELETE FROM orders WHERE id % 20 = 3")
    db.executemany("INSERT INTO events VALUES(?,?,?)",
                   (event(rng, n, counts[0]) for n in range(counts[2] + 1, counts[2] * 21 // 20)))
    db.commit()
    db.execute("VACUUM")
    db.close()


main()
