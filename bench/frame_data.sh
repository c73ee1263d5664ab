#!/usr/bin/env bash
# Makes the files that docs/adr/0003-chunk-and-frame-sizes.md was measured on.
#   bench/frame_data.sh DIR [SCALE]      SCALE 1 = about 300 MB of SQLite, pgbench -s 20
# Leaves in DIR/sqlite and DIR/postgres:
#   base      the database
#   touched   base after 0.05 % random row updates: about 1 % of its pages
#   updated   base after 1 % random row updates
#   aged      base after more updates, deletes and inserts, and VACUUM (FULL)
# and of the SQLite ones a dump in SQL (.sql). Then: frame_sizes page DIR/postgres/{base,touched,updated,aged}
# Needs python3, sqlite3 3.35 or later, PostgreSQL 13 or later (PG_BIN to choose one). Run as root it
# runs the server as user postgres. Same seed, same rows.
set -euo pipefail

dir=${1:?usage: frame_data.sh DIR [SCALE]}
scale=${2:-1}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$dir/sqlite" "$dir/postgres"
chmod 755 "$dir" "$dir/postgres"
dir=$(cd "$dir" && pwd)

echo "sqlite: base, touched, updated, aged"
python3 "$here/frame_data_sqlite.py" "$dir/sqlite" "$scale"
for name in base touched updated aged; do sqlite3 "$dir/sqlite/$name.db" .dump >"$dir/sqlite/$name.sql"; done

pg_bin=${PG_BIN:-$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)}
pg_dir=$dir/postgres
socket=$(mktemp -d)
as_postgres=()
if [ "$(id -u)" = 0 ]; then
  as_postgres=(setpriv --reuid=postgres --regid=postgres --init-groups)
  chown postgres "$pg_dir" "$socket"
fi
pg() { (cd / && "${as_postgres[@]}" "$pg_bin/$1" "${@:2}"); }
sql() { pg psql -X -q -v ON_ERROR_STOP=1 -h "$socket" -d postgres -c "$1" >/dev/null; }
start() {
  pg pg_ctl -D "$1" -w -s -l "$pg_dir/server.log" start \
    -o "-c listen_addresses='' -k $socket -c max_wal_size=512MB -c fsync=off -c autovacuum=off"
}
stop() { pg pg_ctl -D "$1" -w -s -m fast stop; }
copy_to() {  # A stopped cluster.
  rm -rf "$pg_dir/$1"
  cp -a "$pg_dir/live" "$pg_dir/$1"
}

echo "postgres: base"
rm -rf "$pg_dir/live"
pg initdb -D "$pg_dir/live" -k -A trust -E UTF8 --locale=C >"$pg_dir/initdb.log"
start "$pg_dir/live"
trap 'stop "$pg_dir/live" || true; rm -rf "$socket"' EXIT
pg pgbench -i -q -s $((20 * scale)) -h "$socket" postgres 2>"$pg_dir/pgbench.log"
sql "SELECT setseed(0.42);
CREATE TABLE articles (id bigint PRIMARY KEY, author int, title text, body text, meta jsonb);
INSERT INTO articles
SELECT i, (random() * 5000)::int,
  (SELECT string_agg(w, ' ') FROM (SELECT (ARRAY['database','backup','index','vacuum','page','latency','query','plan',
     'cluster','replica','shard','commit','cache','thread','kernel','socket'])[1 + (random() * 15)::int] AS w
     FROM generate_series(1, 6 + i * 0)) t),
  (SELECT string_agg(w, ' ') FROM (SELECT (ARRAY['the','of','a','when','write','reads','block','that','table','row','because',
     'lock','after','before','snapshot','restore','never','always','user','order','price','ships','late','early','with',
     'Berlin','Paris','Lagos','Osaka','Lima','quick','slow'])[1 + (random() * 31)::int]
     || CASE WHEN random() < 0.1 THEN (random() * 9999)::int::text ELSE '' END AS w
     FROM generate_series(1, 40 + i % 60 + i * 0)) t),
  jsonb_build_object('ip', '10.' || (random() * 255)::int || '.' || (random() * 255)::int || '.7', 'session',
     md5(random()::text), 'views', (random() * 100000)::int, 'score', round(random()::numeric, 4), 'tags',
     jsonb_build_array('t' || (random() * 40)::int, 't' || (random() * 40)::int), 'created', now() - random() * interval '900 days')
FROM generate_series(1, 250000 * $scale) AS i;
CREATE INDEX ON articles (author); CREATE INDEX ON articles (title);"
sql "VACUUM ANALYZE"
stop "$pg_dir/live"
copy_to base

update() {  # Share of rows, seed, name of the copy.
  echo "postgres: $3"
  rm -rf "$pg_dir/live"
  cp -a "$pg_dir/base" "$pg_dir/live"
  start "$pg_dir/live"
  sql "SELECT setseed($2);
  UPDATE pgbench_accounts SET abalance = abalance + 17 WHERE random() < $1;
  UPDATE articles SET meta = jsonb_set(meta, '{views}', to_jsonb((random() * 100000)::int)) WHERE random() < $1;"
  sql "CHECKPOINT"
  stop "$pg_dir/live"
  copy_to "$3"
}
update 0.0005 0.1 touched
update 0.01 0.1 updated

echo "postgres: aged"
start "$pg_dir/live"
sql "SELECT setseed(0.2);
DELETE FROM articles WHERE random() < 0.05;
UPDATE articles SET body = body || ' edited' WHERE random() < 0.1;
UPDATE pgbench_accounts SET abalance = abalance - 5 WHERE random() < 0.1;"
sql "VACUUM FULL"
stop "$pg_dir/live"
copy_to aged
trap - EXIT
rm -rf "$socket" "$pg_dir/live"
du -sh "$dir"/sqlite/* "$pg_dir"/{base,touched,updated,aged}
