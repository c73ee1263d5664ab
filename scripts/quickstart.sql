-- The quickstart's database, about 200 MB: rows as an application writes them.
PRAGMA journal_mode = off;
PRAGMA synchronous = off;
PRAGMA cache_size = -200000;

CREATE TABLE words(id INTEGER PRIMARY KEY, word TEXT);
INSERT INTO words(word) SELECT value FROM json_each('["account","again","arrive","autumn","balance",
  "basket","bright","button","cancel","carrier","change","colour","confirm","counter","coupon",
  "credit","customer","deliver","desk","discount","double","early","empty","evening","express",
  "failed","family","filter","final","forest","garden","gift","green","harbour","holiday","invoice",
  "island","kitchen","label","ladder","late","letter","market","member","message","minute","mobile",
  "morning","number","office","order","packet","paper","partner","payment","pending","pickup",
  "plan","poster","premium","question","quick","receipt","refund","region","repeat","return","river",
  "sample","season","second","shelf","signal","silver","single","station","stock","street","summer",
  "table","ticket","today","total","travel","update","value","village","voucher","window","winter"]');

CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT, email TEXT, city TEXT, created INTEGER,
                   note TEXT);
INSERT INTO users
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
  SELECT i, a.word || ' ' || b.word, a.word || i || '@' || b.word || '.example', c.word,
         1700000000 + i * 60, b.word || ' ' || c.word || ' ' || hex(randomblob(8))
  FROM n
  CROSS JOIN words a ON a.id = 1 + abs(random()) % 90
  CROSS JOIN words b ON b.id = 1 + abs(random()) % 90
  CROSS JOIN words c ON c.id = 1 + abs(random()) % 90;

CREATE TABLE orders(id INTEGER PRIMARY KEY, user_id INTEGER, status TEXT, cents INTEGER,
                    created INTEGER, reference TEXT);
INSERT INTO orders
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 350000)
  SELECT i, 1 + abs(random()) % 60000, 'paid', 100 + abs(random()) % 50000,
         1700000000 + i * 11, hex(randomblob(10))
  FROM n;

CREATE TABLE events(id INTEGER PRIMARY KEY, user_id INTEGER, at INTEGER, kind TEXT, body TEXT);
INSERT INTO events
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 790000)
  SELECT i, 1 + abs(random()) % 60000, 1700000000 + i * 7, a.word || '.' || b.word,
         json_object('session', hex(randomblob(8)), 'page', '/' || b.word || '/' || c.word,
                     'ms', abs(random()) % 900, 'agent', 'Mozilla/5.0 (X11; Linux x86_64)',
                     'text', c.word || ' ' || a.word || ' ' || d.word || ' ' || b.word)
  FROM n
  CROSS JOIN words a ON a.id = 1 + abs(random()) % 90
  CROSS JOIN words b ON b.id = 1 + abs(random()) % 90
  CROSS JOIN words c ON c.id = 1 + abs(random()) % 90
  CROSS JOIN words d ON d.id = 1 + abs(random()) % 90;

CREATE UNIQUE INDEX users_email ON users(email);
CREATE INDEX orders_user ON orders(user_id, created);
CREATE INDEX events_user ON events(user_id, at);
CREATE INDEX events_kind ON events(kind);
