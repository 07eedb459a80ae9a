"""What programs do with clickhouse-connect. One argument: http://USER:PASSWORD@HOST:PORT/DATABASE."""

import sys
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_connect.driver.external import ExternalData

server = urlsplit(sys.argv[1])
options = {
    "host": server.hostname, "port": server.port, "username": unquote(server.username), "password": unquote(server.password),
    "database": server.path.strip("/"),
}
client = clickhouse_connect.get_client(**options)
client.command("CREATE OR REPLACE TABLE python_checks (id UInt64, name String, at DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY id")
client.insert("python_checks", [[1, "Ada", 0], [2, "Grace", 0]], column_names=["id", "name", "at"])


def session():
    with clickhouse_connect.get_client(**options, session_id="python-checks") as own:
        own.command("CREATE TEMPORARY TABLE mine AS SELECT 7 AS x")
        return own.command("SELECT x FROM mine")


def streamed():
    with client.query_row_block_stream("SELECT number FROM numbers(300000)") as blocks:
        return sum(len(block) for block in blocks)


def refused():
    try:
        client.query("SELECT nonsense")
    except DatabaseError as error:
        return "code: 47" in str(error).lower()
    return False


external = ExternalData(file_name="ids.csv", fmt="CSV", structure="id UInt64", data=b"2\n")
checks = {
    "rows": lambda: client.query("SELECT id, name FROM python_checks ORDER BY id").result_rows == [(1, "Ada"), (2, "Grace")],
    "parameters": lambda: client.query("SELECT name FROM python_checks WHERE id = {id:UInt64}", {"id": 2}).first_row == ("Grace",),
    "a session": lambda: session() == 7,
    "external data": lambda: client.query("SELECT name FROM python_checks WHERE id IN ids", external_data=external).first_row == ("Grace",),
    "a stream": lambda: streamed() == 300000,
    "an error with its code": refused,
    "a summary": lambda: client.command("SELECT count() FROM python_checks") == 2,
}
failed = [name for name, check in checks.items() if not check()]
client.command("DROP TABLE python_checks")
for name in failed:
    print("FAILED", name)
print(f"{len(checks) - len(failed)} passed, {len(failed)} failed")
sys.exit(bool(failed))
