#!/usr/bin/env bash
# Makes what an upgrade begins with, by the code of an earlier commit and by nothing of this one: a data
# directory and a PostgreSQL database of the same story, with a fleet. Called from the project's folder:
#   test/upgrade/make-fixture.sh COMMIT TARGET_FOLDER
# Needs the packages of this checkout, PostgreSQL 15 (pg_ctl runs as the user postgres where root calls
# this), curl, brotli by way of Node. What it leaves is committed, and is not made again.
set -euo pipefail
commit=$1
target=$(realpath "$2")
work=$(mktemp -d)
chmod 755 "$work"
mkdir "$work/old"
git archive "$commit" | tar -x -C "$work/old"
ln -s "$PWD/node_modules" "$work/old/node_modules"
export PATH=$PWD/node_modules/.bin:$PATH
# Of this fixture alone. LOG_LEVEL keeps the events that are waited for.
export SECRET_KEY=ZXhhbXBsZSBzZWNyZXQgb2YgdGhlIGZpeHR1cmUhISE=
cd "$work/old"
countersign() { node src/cli.ts "$@"; }

story() { # into which folder; DATA_DIR or DATABASE_URL say on which database
  mkdir -p "$1"
  PORT=0 node src/cli.ts serve >"$1/log" &
  server=$!
  until grep -q '"listening"' "$1/log"; do sleep 0.5; done
  url=$(sed -n 's/.*"listening","url":"\([^"]*\)".*/\1/p' "$1/log")
  countersign simulate --url "$url" --devices 20 >"$1/simulated"
  countersign clients create --name idp --scope access.evaluate --scope admin.read --scope admin.write \
    --json >"$1/client.json"
  countersign devices list --json >"$1/devices.json"
  ask() { node -p "const d = JSON.parse(require('fs').readFileSync('$1/$2')); $3"; }
  trusted=$(ask "$1" devices.json "d.filter(({ verdict }) => verdict === 'trusted').map(({ id, device_id }) => id ?? device_id).slice(0, 3).join(' ')")
  read -r first second third <<<"$trusted"
  id=$(ask "$1" client.json d.client_id)
  secret=$(ask "$1" client.json d.client_secret)
  curl -sf -u "$id:$secret" -X PATCH "$url/v1/devices/$first" -H 'content-type: application/json' \
    -d '{"owner": "Ada", "labels": ["lab", "pilot"]}' >/dev/null
  countersign devices quarantine "$second" --reason lost
  countersign rollout allow --device "$third" --for 90d --reason travelling
  countersign policy export --dir "$1/exported"
  node -e "
    const fs = require('fs'), file = '$1/exported/policy.json'
    const document = JSON.parse(fs.readFileSync(file))
    document.description = 'applied before the upgrade'
    fs.writeFileSync('$1/applied.json', JSON.stringify(document))
    document.clauses.push({ id: 'svn_two', require: 'attestation.enclaveSvn >= 2', severity: 'report',
      texts: { en: { title: 'Old agent', repair: 'Update it.' } } })
    fs.writeFileSync('$1/following.json', JSON.stringify(document))"
  countersign policy apply "$1/applied.json" --reason 'first change' --yes
  countersign rollout start "$1/following.json" --reason 'second change' --stages 5,100 --bake 30d
  sleep 3
  countersign rollout list --json >"$1/rollouts.json"
  kill -TERM "$server"
  wait "$server"
  node -e "
    const fs = require('fs')
    const read = (name) => JSON.parse(fs.readFileSync('$1/' + name))
    const client = read('client.json')
    fs.writeFileSync('$1/facts.json', JSON.stringify({
      commit: '$commit', secretKey: process.env.SECRET_KEY,
      clientId: client.client_id, clientSecret: client.client_secret,
      labelled: '$first', quarantined: '$second', allowed: '$third',
      devices: read('devices.json').length,
      rolloutId: (read('rollouts.json')[0] ?? {}).rollout_id ?? (read('rollouts.json')[0] ?? {}).id,
    }, null, 2) + '\n')"
}

echo '— embedded'
DATA_DIR=$work/data story "$work/embedded"
tar --format=ustar --sort=name --owner=0 --group=0 -cf "$work/data.tar" -C "$work/data" store
node -e "
  const { brotliCompressSync, constants } = require('zlib'), fs = require('fs')
  const params = { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_QUALITY]: 9 }
  fs.writeFileSync('$target/data.tar.br', brotliCompressSync(fs.readFileSync('$work/data.tar'), { params }))"
cp "$work/embedded/facts.json" "$target/data.json"

echo '— PostgreSQL'
binaries=$(pg_config --bindir 2>/dev/null || ls -d /usr/lib/postgresql/*/bin | tail -1)
as() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
mkdir -m 777 "$work/cluster"
as "$binaries/initdb" -D "$work/cluster/data" -U postgres --auth=trust --encoding=UTF8 --locale=C >/dev/null
port=$((20000 + RANDOM % 10000))
as "$binaries/pg_ctl" -D "$work/cluster/data" -w -l "$work/cluster/log" \
  -o "-p $port -c unix_socket_directories= -c listen_addresses=127.0.0.1 -c fsync=off" start >/dev/null
export DATABASE_URL=postgres://postgres@127.0.0.1:$port/postgres
countersign migrate >/dev/null
story "$work/server"
"$binaries/pg_dump" --no-owner --no-privileges "$DATABASE_URL" | gzip -9n >"$target/postgres.sql.gz"
cp "$work/server/facts.json" "$target/postgres.json"
as "$binaries/pg_ctl" -D "$work/cluster/data" -m fast stop >/dev/null
rm -rf "$work"
ls -l "$target"
