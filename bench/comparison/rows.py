"""Rows as applications keep them: customers, orders, JSON events, texts. All follows from a seed."""

# Rows of the SQLite file, for one gigabyte.
ROWS = {"customers": 420_000, "orders": 1_900_000, "events": 2_190_000, "texts": 241_000}

SCHEMA = """
CREATE TABLE customers(id INTEGER PRIMARY KEY, name TEXT, email TEXT, street TEXT, city TEXT,
                       created INTEGER);
CREATE TABLE orders(id INTEGER PRIMARY KEY, customer INTEGER, status TEXT, cents INTEGER,
                    created INTEGER, updated INTEGER, reference TEXT);
CREATE TABLE events(id INTEGER PRIMARY KEY, customer INTEGER, at INTEGER, updated INTEGER,
                    token TEXT, body TEXT);
CREATE TABLE texts(id INTEGER PRIMARY KEY, customer INTEGER, updated INTEGER, token TEXT,
                   title TEXT, body TEXT);
CREATE UNIQUE INDEX customers_email ON customers(email);
CREATE INDEX orders_customer ON orders(customer, created);
CREATE INDEX events_customer ON events(customer, at);
CREATE INDEX texts_customer ON texts(customer);
"""
START = 1_600_000_000
SYLLABLES = ("an ar be co da de el en er fa fe ga go ha he in ka la le li lo ma me mi mo na ne no "
             "or pa pe ra re ri ro sa se si so sta te ti to tra un va ve vi wa we").split()


class Rows:
    """Makes the row with a given id of each table; random parts come from `rng`.

    The rows belong to the first `customers` customers.
    """

    def __init__(self, rng, vocabulary_rng, customers):
        self.rng = rng
        self.customers = customers
        # Invented words; the first are drawn far more often, as in any language.
        self.words = ["".join(vocabulary_rng.choices(SYLLABLES, k=vocabulary_rng.randint(1, 4)))
                      for _ in range(5000)]
        draw = lambda: self.words[int(5000 * vocabulary_rng.random() ** 3)]  # noqa: E731
        self.phrases = [" ".join(draw() for _ in range(vocabulary_rng.randint(3, 7)))
                        for _ in range(30_000)]

    def row(self, table, number):
        return getattr(self, f"_{table}")(number)

    def word(self):
        return self.words[int(5000 * self.rng.random())]

    def phrase(self):
        return self.phrases[int(30_000 * self.rng.random())]

    def hexadecimal(self, bits):
        return f"{self.rng.getrandbits(bits):0{bits // 4}x}"

    def customer(self):
        return 1 + int(self.customers * self.rng.random())

    def status(self):
        return ("paid", "sent", "open", "back")[self.rng.getrandbits(2)]

    def cents(self):
        return 20_000_000 + self.rng.getrandbits(20)

    def event_body(self):
        rng = self.rng
        return (f'{{"kind":"{self.word()}","session":"{self.hexadecimal(96)}",'
                f'"path":"/{self.word()}/{rng.getrandbits(17)}","ms":{rng.getrandbits(10)},'
                f'"agent":"{self.phrase()}","ok":true,"score":{rng.random():.9f}}}')

    def _customers(self, i):
        word = self.word
        return (i, f"{word().title()} {word().title()}", f"{word()}.{i}@{word()}.example",
                f"{word().title()} street {i % 211}", word().title(), START + i * 97)

    def _orders(self, i):
        created = START + i * 31
        return (i, self.customer(), self.status(), self.cents(), created,
                created + self.rng.getrandbits(16), self.hexadecimal(64).upper())

    def _events(self, i):
        at = START + i * 23
        return (i, self.customer(), at, at, self.hexadecimal(64), self.event_body())

    def _texts(self, i):
        body = ". ".join(self.phrase() for _ in range(20 + self.rng.getrandbits(5)))
        return (i, self.customer(), START + i * 211, self.hexadecimal(64), self.phrase().title(), body)
