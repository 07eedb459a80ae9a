#!/usr/bin/env bash
# The official clients against the embedded engine, as its pipeline's user: see README.md.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
[ $# -ge 1 ] || { sed -n 2p "$0"; echo "usage: $0 http://USER:PASSWORD@HOST:PORT/DATABASE [curl python superset dbt javascript go jdbc rust python-suite javascript-suite rust-suite]" >&2; exit 2; }
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

# suite <name> <runner> <results>: what the client's own suite found, beside what is known to fail.
suite() {
    [ -s "$3" ] || { echo "the suite wrote no results: see $work/$1.log" >&2; return 1; }
    python3 "$here/suite.py" "$2" "$3" "$here/known/$1" || { echo "see $work/$1.log" >&2; return 1; }
}

# checkout <name> <variable> <a file in it>: the client's repository, copied.
checkout() {
    local from="${!2:-}"
    [ -n "$from" ] || { echo "$1: set $2 to a checkout of the client's repository: see $here/README.md" >&2; return 1; }
    [ -e "$from/$3" ] || { echo "$1: $2 is $from, where there is no $3: see $here/README.md" >&2; return 1; }
    rm -rf "$work/$1"
    mkdir -p "$work/$1"
    (cd "$from" && tar -c --exclude=./.git --exclude=node_modules --exclude=./target .) | tar -x -C "$work/$1"
}

# The integration tests of clickhouse-connect, with the client that they belong to.
run_python-suite() {
    checkout python-suite PYTHON_SUITE_CHECKOUT tests/integration_tests/conftest.py
    packages python-suite-packages "$work/python-suite" aiohttp==3.14.5 sqlalchemy==2.1.9 alembic==1.20.1 numpy==2.4.6 pandas==3.0.6 polars==2.1.0 \
        pyarrow==26.0.1 pytest==9.2.0 pytest-asyncio==1.5.0 pytest-mock==3.17.0 pytest-dotenv==0.5.2 pytest-xdist==3.8.0 'pyjwt[crypto]==2.10.1'
    # Below the packages' own directory it is what was installed that is tested, with its compiled parts.
    rm -rf "$work/python-suite/clickhouse_connect" "$work/python-suite.xml"
    (cd "$work/python-suite" &&
        CLICKHOUSE_CONNECT_TEST_HOST="$CLICKHOUSE_HOST" CLICKHOUSE_CONNECT_TEST_PORT="$CLICKHOUSE_PORT" \
            timeout 1800 "$work/python-suite-packages/bin/python" -m pytest -q -o log_cli=false --junit-xml="$work/python-suite.xml" \
            tests/integration_tests) >"$work/python-suite.log" 2>&1 || true
    suite python-suite pytest "$work/python-suite.xml"
}

# The integration tests of @clickhouse/client.
run_javascript-suite() {
    checkout javascript-suite JAVASCRIPT_SUITE_CHECKOUT packages/client-node/vitest.config.ts
    local client="$work/javascript-suite/packages/client"
    # Where the tests, and a client that is told nothing, look for the server. Every server has this setting off.
    sed -i "s#http://127.0.0.1:8123#http://$place/?ch_implicit_select=0#" "$client-common/__tests__/utils/client.ts"
    sed -i "s#http://localhost:8123#http://$place/?ch_implicit_select=0#" "$client-common/src/config.ts"
    rm -f "$work/javascript-suite.json"
    # With `CI` a test that fails is tried again, as its makers do: several hold their server to milliseconds.
    (cd "$work/javascript-suite" && npm ci --silent --no-audit --no-fund --ignore-scripts &&
        (cd node_modules/parquet-wasm && npm pkg delete type) && # As the script that was ignored does.
        cd packages/client-node && CI=1 TEST_MODE=integration timeout 1800 npx vitest run --testTimeout=30000 --hookTimeout=30000 \
        --reporter=default --reporter=json --outputFile="$work/javascript-suite.json") >"$work/javascript-suite.log" 2>&1 || true
    suite javascript-suite vitest "$work/javascript-suite.json"
}

# crate_suite <name>: the integration tests of the crate that lies in `$work/<name>`.
crate_suite() {
    sed -i "s/localhost:8123/$place/" "$work/$1/tests/it/main.rs"
    # What was compiled of other crates is kept.
    (cd "$work/$1" && rm -f rust-toolchain.toml && CARGO_TARGET_DIR="$work/rust-target" cargo test --test it \
        --features chrono,futures03,inserter,lz4,opentelemetry,rustls-tls-ring,rustls-tls-webpki-roots,test-util,time,uuid,zstd) >"$work/$1.log" 2>&1 || true
    suite "$1" cargo "$work/$1.log"
}

# Those of the crate as published.
run_rust() {
    mkdir -p "$work/rust-fetched"
    printf '[package]\nname = "fetched"\nversion = "0.0.0"\nedition = "2021"\n[lib]\npath = "lib.rs"\n[dependencies]\nclickhouse = "=0.15.1"\n' >"$work/rust-fetched/Cargo.toml"
    touch "$work/rust-fetched/lib.rs"
    local manifest
    manifest="$(cd "$work/rust-fetched" && cargo metadata --format-version 1 | grep -o '"manifest_path":"[^"]*/clickhouse-0.15.1/Cargo.toml"' | cut -d'"' -f4)"
    rm -rf "$work/rust"
    cp -r "$(dirname "$manifest")" "$work/rust"
    # The crate that these need is not published.
    sed -i '/^mod arrow;/d' "$work/rust/tests/it/main.rs"
    crate_suite rust
}

# Those of the crate's repository.
run_rust-suite() {
    checkout rust-suite RUST_SUITE_CHECKOUT tests/it/main.rs
    crate_suite rust-suite
}

status=0
for client in "$@"; do
    echo "== $client"
    # On its own, or the first command that fails would not end it.
    "run_$client" &
    wait $! || { status=1; echo "FAILED: $client"; }
done
exit "$status"
