#!/usr/bin/env python3
"""A pipeline of examples/quickstart under everything at once: nothing grows, and every event becomes one row.

    soak.py PROGRAM DATA_DIRECTORY [MINUTES]

Starts the program with free ports, and sends 200 events a second through its door while others use the engine: readers,
some of whom leave midway, one who makes and drops tables and views, one whose statements are killed, one who never
reads. Prints memory, open files and threads each minute. Ends with 1 if a row is missing or twice, if the engine was
started anew, or if somebody got an answer that is no answer.
"""
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

RATE, TOGETHER = 200, 20  # Events a second, and in one request.
READERS = 4
LONG = "SELECT number, repeat('x', 100) FROM numbers(1000000000) FORMAT TSV"
SELECTS = [
    "SELECT count() FROM events WHERE id LIKE '%{n}'",
    "SELECT eventType, count(), uniq(userId) FROM events GROUP BY eventType ORDER BY ALL",
    "SELECT toStartOfMinute(timestamp) AS minute, count() + {n} FROM events GROUP BY minute ORDER BY minute FORMAT JSON",
    "SELECT * FROM events ORDER BY id DESC LIMIT {n} FORMAT Native",
    "SELECT name, total_rows + {n} FROM system.tables WHERE database = 'moose'",
    "SELECT sum(cityHash64(number, {n})) FROM numbers(3000000)",
    "SELECT nothing_{n} FROM events",
]


class Soak:
    def __init__(self, program, directory):
        listen = {f"MOOSE_{port}__LISTEN": "127.0.0.1:0" for port in ["HTTP", "MANAGEMENT", "ENGINE"]}
        os.makedirs(directory, exist_ok=True)
        self.parent = subprocess.Popen(
            [program, "dev"], env=dict(os.environ, MOOSE_DATA_DIR=directory, **listen), start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=open(os.path.join(directory, "soak.log"), "wb"), stderr=subprocess.STDOUT)
        addresses = os.path.join(directory, "addresses.json")
        while not os.path.exists(addresses):
            if self.parent.poll() is not None:
                raise SystemExit(f"the program did not start: see {directory}/soak.log")
            time.sleep(0.1)
        with open(addresses, encoding="utf-8") as file:
            told = json.load(file)
        self.door = told["http"]
        self.engine = told["engine"].removeprefix("http://").rstrip("/")
        self.logins = {"moose": told["access"]["moose"], "readonly": told["access"]["readonly"]}
        self.child = self.engine_process()
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.counts, self.wrong = {}, []
        self.accepted, self.doubtful = 0, 0

    def engine_process(self):
        with open(f"/proc/{self.parent.pid}/task/{self.parent.pid}/children", encoding="ascii") as file:
            children = file.read().split()
        for task in os.listdir(f"/proc/{self.parent.pid}/task"):
            with open(f"/proc/{self.parent.pid}/task/{task}/children", encoding="ascii") as file:
                children += file.read().split()
        return int(children[0]) if children else None

    def count(self, what):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def amiss(self, who, what):
        self.count(f"{who}: amiss")
        with self.lock:
            self.wrong.append(f"{time.strftime('%H:%M:%S')} {who}: {what}")

    def ask(self, statement, user="moose", leave=False, **settings):
        """Status, code of the error and text; or nothing if it is left midway."""
        connection = http.client.HTTPConnection(self.engine, timeout=60)
        headers = {"X-ClickHouse-User": user, "X-ClickHouse-Key": self.logins[user]}
        query = urllib.parse.urlencode({"database": "moose", "max_execution_time": "20", **settings})
        try:
            if leave and random.random() < 0.5:  # A GET is cancelled, a POST ends when nothing can be written.
                connection.request("GET", f"/?{query}&query={urllib.parse.quote(statement)}", headers=headers)
            else:
                connection.request("POST", f"/?{query}", statement.encode(), headers)
            answer = connection.getresponse()
            if leave:
                answer.read(random.randrange(1, 1 << 20))
                return None
            text = answer.read().decode(errors="replace")
            return answer.status, answer.headers.get("X-ClickHouse-Exception-Code", "0"), text
        finally:
            connection.close()

    def must(self, statement, **settings):
        status, code, text = self.ask(statement, **settings)
        if status != 200:
            raise ValueError(f"`{statement}`: {status}, code {code}: {text[:300]}")
        return text

    def writer(self):
        connection, number, begun = None, 0, time.monotonic()
        while not self.over.is_set():
            events = [{"id": f"e{number + n}", "userId": f"u{n}", "timestamp": "2026-01-01T00:00:00Z",
                       "eventType": random.choice(["click", "view", "buy"])} for n in range(TOGETHER)]
            number += TOGETHER
            try:
                connection = connection or http.client.HTTPConnection(self.door, timeout=30)
                connection.request("POST", "/ingest/events", json.dumps(events), {"Content-Type": "application/json"})
                answer = connection.getresponse()
                text = answer.read().decode()
                if answer.status == 200:
                    self.accepted += json.loads(text)["accepted"]
                else:
                    self.amiss("writer", f"{answer.status} {text}")
            except (OSError, http.client.HTTPException) as error:
                self.doubtful += TOGETHER
                self.amiss("writer", repr(error))
                connection = None
            behind = time.monotonic() - begun - number / RATE
            if behind < 0:
                time.sleep(-behind)
            elif behind > 5:  # Whatever stood still: the rate is not made up for.
                begun += behind

    def reader(self):
        user = random.choice(["moose", "readonly"])
        if random.random() < 0.2:
            self.ask(LONG, user, leave=True)
            self.count("SELECTs left midway")
        else:
            statement = random.choice(SELECTS).format(n=random.randrange(1, 1000))
            status, code, text = self.ask(statement, user)
            self.count("SELECTs answered")
            if (status, code) != ((404, "47") if "nothing_" in statement else (200, "0")):
                self.amiss("reader", f"`{statement}`: {status}, code {code}: {text[:300]}")
        self.over.wait(0.2)

    def maker(self):
        name = f"soak_{random.randrange(1 << 32)}"
        self.must(f"CREATE TABLE {name} (n UInt64) ENGINE = MergeTree ORDER BY n")
        self.must(f"CREATE MATERIALIZED VIEW {name}_view ENGINE = SummingMergeTree ORDER BY tens AS SELECT n % 10 AS tens, count() AS rows FROM {name} GROUP BY tens")
        self.must(f"INSERT INTO {name} SELECT number FROM numbers(1000)")
        self.must(f"ALTER TABLE {name} ADD COLUMN text String")
        found = self.must(f"SELECT sum(rows) FROM {name}_view").strip()
        if found != "1000":
            self.amiss("maker", f"{found} rows behind the view, not 1000")
        self.must(f"DROP VIEW {name}_view SYNC")
        self.must(f"DROP TABLE {name} SYNC")
        self.count("tables and views made and dropped")
        self.over.wait(0.2)

    def killer(self):
        name = f"victim-{random.randrange(1 << 32)}"
        seen = []

        def suffer():
            try:
                seen.append(self.ask("SELECT sum(sleepEachRow(0.1)) FROM numbers(150) SETTINGS max_block_size = 1", query_id=name))
            except (OSError, http.client.HTTPException) as error:
                seen.append(("no answer", repr(error), ""))

        victim = threading.Thread(target=suffer)
        victim.start()
        self.over.wait(0.8)
        self.must(f"KILL QUERY WHERE query_id = '{name}' SYNC")
        victim.join()
        if seen[0][1] == "394":
            self.count("statements killed")
        else:
            self.amiss("killer", f"the victim got {seen[0]}")
        self.over.wait(0.2)

    def idler(self):
        """One who never reads, until the engine gives its statement up. What it never read keeps the connection half open."""
        name = f"idler-{random.randrange(1 << 32)}"
        host, port = self.engine.split(":")
        with socket.create_connection((host, int(port))) as connection:
            query = urllib.parse.urlencode({"user": "moose", "password": self.logins["moose"], "query_id": name, "query": LONG})
            connection.sendall(f"GET /?{query} HTTP/1.1\r\nHost: engine\r\n\r\n".encode())
            begun = time.monotonic()
            while not self.over.wait(2):
                if self.must(f"SELECT count() FROM system.processes WHERE query_id = '{name}'").strip() == "0":
                    self.count("readers who never read let go")
                    return
                if time.monotonic() - begun > 120:
                    return self.amiss("idler", "kept for two minutes")

    def loop(self, part):
        while not self.over.is_set():
            try:
                part()
            except (OSError, ValueError, http.client.HTTPException) as error:
                self.amiss(part.__name__, repr(error))
                self.over.wait(1)

    def sample(self, since):
        figures = [f"{(time.monotonic() - since) / 60:5.1f} min"]
        for name, process in [("pipeline", self.parent.pid), ("engine", self.child)]:
            with open(f"/proc/{process}/status", encoding="ascii") as file:
                state = dict(line.split(":", 1) for line in file)
            figures.append(f"{name}: {int(state['VmRSS'].split()[0]) // 1024} MiB, {len(os.listdir(f'/proc/{process}/fd'))} files, {state['Threads'].strip()} threads")
        print(*figures, f"{self.accepted} accepted", sep="; ", flush=True)

    def run(self, minutes):
        begun = time.monotonic()
        parts = [self.maker, self.killer, self.idler] + [self.reader] * READERS
        threads = [threading.Thread(target=self.writer)] + [threading.Thread(target=self.loop, args=(part,)) for part in parts]
        for thread in threads:
            thread.start()
        try:
            for _ in range(minutes):
                self.sample(begun)
                time.sleep(60)
            self.sample(begun)
        except OSError as error:
            self.amiss("engine", f"its process is gone: {error}")
        finally:
            self.over.set()
        for thread in threads:
            thread.join()
        if self.engine_process() != self.child:
            self.amiss("engine", "was started anew")
        deadline = time.monotonic() + 30
        while True:
            rows, distinct = map(int, self.must("SELECT count(), uniqExact(id) FROM events").split())
            if rows >= self.accepted or time.monotonic() > deadline:
                break
            time.sleep(0.5)
        print(f"{self.accepted} accepted, {self.doubtful} without an answer; {rows} rows, {distinct} distinct")
        if rows != distinct or not self.accepted <= rows <= self.accepted + self.doubtful:
            self.amiss("rows", "not one for each event")

    def stop(self):
        begun = time.monotonic()
        self.parent.send_signal(signal.SIGINT)
        try:
            status = self.parent.wait(60)
        except subprocess.TimeoutExpired:
            self.parent.kill()
            status = "none within 60 s"
        if status != 0:
            self.amiss("pipeline", f"status at the end: {status}")
        print(f"stopped in {time.monotonic() - begun:.1f} s")


def main():
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    soak = Soak(sys.argv[1], os.path.abspath(sys.argv[2]))
    try:
        soak.run(int(sys.argv[3]) if len(sys.argv) > 3 else 60)
    finally:
        soak.stop()
    for what, number in sorted(soak.counts.items()):
        print(f"{what}: {number}")
    print(*soak.wrong[:50], sep="\n")
    raise SystemExit(1 if soak.wrong else 0)


if __name__ == "__main__":
    main()
