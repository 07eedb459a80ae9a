"""What Superset does through SQLAlchemy: databases, tables, columns, queries. One argument: http://USER:PASSWORD@HOST:PORT/DATABASE."""

import sys

import sqlalchemy
from sqlalchemy import text

engine = sqlalchemy.create_engine(sys.argv[1].replace("http://", "clickhousedb+connect://", 1))
with engine.begin() as connection:
    connection.execute(text("CREATE OR REPLACE TABLE superset_checks (id UInt64, name LowCardinality(String), at DateTime64(3)) ENGINE = MergeTree ORDER BY id"))
    connection.execute(text("INSERT INTO superset_checks VALUES (1, 'Ada', '2024-01-15 10:30:00'), (2, 'Grace', '2024-01-16 10:30:00')"))
    inspected = sqlalchemy.inspect(engine)
    schema = engine.url.database
    checks = {
        "databases": schema in inspected.get_schema_names(),
        "tables": "superset_checks" in inspected.get_table_names(schema=schema),
        "columns": [column["name"] for column in inspected.get_columns("superset_checks", schema=schema)] == ["id", "name", "at"],
        "reflected": len(sqlalchemy.Table("superset_checks", sqlalchemy.MetaData(schema=schema), autoload_with=engine).columns) == 3,
        "grouped by time": connection.execute(text("SELECT toStartOfDay(at) AS day, count() FROM superset_checks GROUP BY day ORDER BY day")).fetchall()[1][1] == 1,
        "a parameter": connection.execute(text("SELECT name FROM superset_checks WHERE id = :id"), {"id": 2}).scalar() == "Grace",
    }
    connection.execute(text("DROP TABLE superset_checks"))
failed = [name for name, held in checks.items() if not held]
for name in failed:
    print("FAILED", name)
print(f"{len(checks) - len(failed)} passed, {len(failed)} failed")
sys.exit(bool(failed))
