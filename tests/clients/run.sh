#!/usr/bin/env bash
# The official clients against the embedded engine, as its pipeline's user: see README.md.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
[ $# -ge 1 ] || { sed -n 2p "$0"; echo "usage: $0 http://USER:PASSWORD@HOST:PORT/DATABASE [curl python superset dbt javascript go jdbc rust]" >&2; exit 2; }
url="$1"
shift
[ $# -ge 1 ] || set -- curl python superset dbt javascript go jdbc
work="${CLIENTS_WORK:-${TMPDIR:-/tmp}/moose-clients}"
mkdir -p "$work"

# The parts of the address, as dbt wants them.
parts="${url#http://}"
login="${parts%%@*}" place="${parts#*@}"
export CLICKHOUSE_USER="${login%%:*}" CLICKHOUSE_PASSWORD="${login#*:}" CLICKHOUSE_DATABASE="${place#*/}"
place="${place%%/*}"
export CLICKHOUSE_HOST="${place%%:*}" CLICKHOUSE_PORT="${place##*:}"

# packages <name> <package==version…>: a Python environment of its own.
packages() {
    local environment="$work/$1"
    shift
    [ -x "$environment/bin/python" ] || python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet "$@"
}

run_curl() {
    local found
    found="$(curl -sS --fail-with-body "http://$place/" -u "$login" --data-binary 'SELECT 1 + 1')"
    [ "$found" = 2 ] && echo "1 passed, 0 failed"
}

run_python() {
    packages python clickhouse-connect==1.12.0
    "$work/python/bin/python" "$here/checks.py" "$url"
}

run_superset() {
    packages superset clickhouse-connect==1.12.0 'sqlalchemy>=2,<3'
    "$work/superset/bin/python" "$here/superset.py" "$url"
}

run_dbt() {
    packages dbt dbt-core==1.10.23 dbt-clickhouse==1.10.3
    rm -rf "$work/project"
    cp -r "$here/dbt" "$work/project"
    local command
    for command in debug seed run run test "docs generate"; do
        # shellcheck disable=SC2086 # words, not one
        DBT_SEND_ANONYMOUS_USAGE_STATS=false "$work/dbt/bin/dbt" --quiet $command --project-dir "$work/project" --profiles-dir "$work/project"
    done
    echo "6 passed, 0 failed"
}

run_javascript() {
    mkdir -p "$work/javascript"
    cp "$here/checks.mjs" "$work/javascript/"
    (cd "$work/javascript" && npm install --silent --no-audit --no-fund --ignore-scripts @clickhouse/client@1.23.1 && node checks.mjs "$url")
}

run_go() {
    (cd "$here/go" && go run . "$url")
}

run_jdbc() {
    rm -rf "$work/jdbc"
    cp -r "$here/jdbc" "$work/jdbc"
    (cd "$work/jdbc" && mvn --quiet --batch-mode compile dependency:build-classpath -Dmdep.outputFile=classpath &&
        java -cp "target/classes:$(cat classpath)" Checks "$url" 2>/dev/null)
}

# The integration tests of the crate itself. They want a `default` that may do everything, without a password.
run_rust() {
    mkdir -p "$work/rust"
    printf '[package]\nname = "fetched"\nversion = "0.0.0"\nedition = "2021"\n[lib]\npath = "lib.rs"\n[dependencies]\nclickhouse = "=0.15.1"\n' >"$work/rust/Cargo.toml"
    touch "$work/rust/lib.rs"
    local manifest
    manifest="$(cd "$work/rust" && cargo metadata --format-version 1 | grep -o '"manifest_path":"[^"]*/clickhouse-0.15.1/Cargo.toml"' | cut -d'"' -f4)"
    rm -rf "$work/rust/suite"
    cp -r "$(dirname "$manifest")" "$work/rust/suite"
    # The crate that these need is not published.
    sed -i '/^mod arrow;/d' "$work/rust/suite/tests/it/main.rs"
    sed -i "s/localhost:8123/$place/" "$work/rust/suite/tests/it/main.rs"
    (cd "$work/rust/suite" && rm -f rust-toolchain.toml && cargo test --test it \
        --features chrono,futures03,inserter,lz4,opentelemetry,rustls-tls-ring,rustls-tls-webpki-roots,test-util,time,uuid,zstd)
}

status=0
for client in "$@"; do
    echo "== $client"
    # On its own, or the first command that fails would not end it.
    "run_$client" &
    wait $! || { status=1; echo "FAILED: $client"; }
done
exit "$status"
