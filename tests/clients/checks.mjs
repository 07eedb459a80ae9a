// What programs do with @clickhouse/client. One argument: http://USER:PASSWORD@HOST:PORT/DATABASE.
import { createClient } from "@clickhouse/client";

const url = new URL(process.argv[2]);
const options = {
  url: url.origin, username: decodeURIComponent(url.username), password: decodeURIComponent(url.password),
  database: url.pathname.slice(1), max_open_connections: 5,
};
const client = createClient(options);
const table = `javascript_${Date.now()}`;
const rows = async (query, more = {}) => (await client.query({ query, format: "JSONEachRow", ...more })).json();
const same = (got, want) => {
  if (JSON.stringify(got) !== JSON.stringify(want)) throw new Error(`got ${JSON.stringify(got)}, not ${JSON.stringify(want)}`);
};

const checks = {
  ping: async () => same((await client.ping()).success, true),
  query: async () => same(await rows("SELECT 1 AS a"), [{ a: 1 }]),
  parameters: async () => same(await rows("SELECT {a:UInt8} AS a, {b:Array(String)} AS b", { query_params: { a: 7, b: ["it's"] } }), [{ a: 7, b: ["it's"] }]),
  "a table": () => client.command({ query: `CREATE TABLE ${table} (id UInt64, name String) ENGINE = MergeTree ORDER BY id` }),
  insert: async () => {
    await client.insert({ table, values: [{ id: 1, name: "one" }], format: "JSONEachRow" });
    same(await rows(`SELECT name FROM ${table}`), [{ name: "one" }]);
  },
  "compression both ways": async () => {
    const compressing = createClient({ ...options, compression: { request: true, response: true } });
    await compressing.insert({ table, values: [{ id: 2, name: "two" }], format: "JSONEachRow" });
    same(await (await compressing.query({ query: `SELECT count() AS c FROM ${table}`, format: "JSONEachRow" })).json(), [{ c: 2 }]);
    await compressing.close();
  },
  "a stream of rows": async () => {
    const answer = await client.query({ query: "SELECT number FROM numbers(100000)", format: "JSONEachRow" });
    let count = 0;
    for await (const block of answer.stream()) count += block.length;
    same(count, 100000);
  },
  "an error with its code": async () => same(await client.query({ query: "SELECT nonsense" }).catch((error) => error.code), "47"),
  "a session": async () => {
    const session = createClient({ ...options, session_id: table });
    await session.command({ query: "CREATE TEMPORARY TABLE mine AS SELECT 7 AS x" });
    same(await (await session.query({ query: "SELECT x FROM mine", format: "JSONEachRow" })).json(), [{ x: 7 }]);
    await session.close();
  },
  "a query that is given up": async () => {
    const abort = new AbortController();
    const query = "SELECT sleepEachRow(0.1) FROM numbers(100) SETTINGS max_block_size = 1, cancel_http_readonly_queries_on_client_close = 1";
    setTimeout(() => abort.abort(), 300);
    await client.query({ query, abort_signal: abort.signal }).then((answer) => answer.text()).catch(() => {});
  },
  "the table's end": () => client.command({ query: `DROP TABLE ${table}` }),
};

let passed = 0, failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    passed++;
  } catch (error) {
    failed++;
    console.log(`FAILED ${name}: ${error.message}`);
  }
}
await client.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
