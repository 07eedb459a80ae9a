//! The engines under test, and an HTTP client that hides nothing: it shows a body that was broken off.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::LazyLock,
    thread,
    time::{Duration, Instant},
};

/// Nothing here takes longer on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// The program with an engine in it, `examples/engine_host.rs`.
pub(crate) fn host_program() -> PathBuf {
    let test = env::current_exe().unwrap();
    let program = test.parent().unwrap().parent().unwrap().join("examples").join("engine_host");
    assert!(program.exists(), "{} is missing: cargo build --example engine_host", program.display());
    program
}

/// A process with an engine, and where that listens.
pub(crate) struct Host {
    pub(crate) process: Child,
    pub(crate) address: SocketAddr,
    pub(crate) path: PathBuf,
    input: Option<ChildStdin>,
}

impl Host {
    /// Starts a parent with an engine on `path` and waits until it answers.
    pub(crate) fn start(path: &Path) -> Self {
        Self::try_start(path).unwrap_or_else(|said| panic!("the engine did not start: {said}"))
    }

    /// The same with the users of a plain server: whoever comes is `default` and may do everything.
    pub(crate) fn plain(path: &Path) -> Self {
        Self::start_as("plain", path).unwrap_or_else(|said| panic!("the engine did not start: {said}"))
    }

    /// The error is what it said.
    pub(crate) fn try_start(path: &Path) -> Result<Self, String> {
        Self::start_as("host", path)
    }

    fn start_as(what: &str, path: &Path) -> Result<Self, String> {
        let mut process = Command::new(host_program())
            .arg(what)
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if let Ok(address) = line.trim().parse() {
            return Ok(Self { process, address, path: path.to_owned(), input });
        }
        let mut said = String::new();
        process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        process.wait().unwrap();
        Err(said)
    }

    /// The process of the engine itself, as its lock file says.
    pub(crate) fn engine_pid(&self) -> u32 {
        fs::read_to_string(self.path.join("moose-engine.lock")).unwrap().trim().parse().unwrap()
    }

    /// Ends it in order; says whether it did.
    pub(crate) fn stop(mut self) -> bool {
        drop(self.input.take());
        self.process.wait().unwrap().success()
    }
}

/// The engine that most tests share. It ends when this process does: its input is then closed.
pub(crate) static SHARED: LazyLock<Host> = LazyLock::new(|| {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for entry in fs::read_dir(base).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let owner = name.strip_prefix("engine-").filter(|pid| !Path::new("/proc").join(pid).exists());
        if owner.is_some() {
            fs::remove_dir_all(entry.path()).unwrap();
        }
    }
    Host::start(&base.join(format!("engine-{}", std::process::id())))
});

/// A response, as far as it came.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its end.
    pub(crate) whole: bool,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Percent-encodes what stands in an address.
pub(crate) fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02x}"))
}

/// Sends a request and reads what comes.
pub(crate) fn send(address: SocketAddr, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
    let mut stream = open(address, method, target, headers, body.len());
    // An engine that answers early may not take it all.
    let _ = stream.write_all(body);
    read(stream)
}

/// Sends the head of a request whose body will have `length` bytes.
pub(crate) fn open(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    length: usize,
) -> TcpStream {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    if method != "GET" {
        head.extend(["Content-Length: ", &length.to_string(), "\r\n"]);
    }
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    stream
}

/// Reads a response to the end of the connection.
pub(crate) fn read(stream: TcpStream) -> Response {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).unwrap_or_else(|| panic!("no status line: {line:?}")).parse().unwrap();
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let mut response = Response { status, headers, body: Vec::new(), whole: false };
    if response.header("transfer-encoding") == Some("chunked") {
        read_chunks(&mut reader, &mut response);
    } else {
        let length: usize = response.header("content-length").map_or(0, |length| length.parse().unwrap());
        reader.read_to_end(&mut response.body).unwrap();
        response.whole = response.body.len() == length;
    }
    response
}

fn read_chunks(reader: &mut impl std::io::BufRead, response: &mut Response) {
    let mut line = String::new();
    loop {
        line.clear();
        // Broken off: the connection ends where a chunk should begin, or within one.
        if !matches!(reader.read_line(&mut line), Ok(length) if length > 0) {
            return;
        }
        let length = usize::from_str_radix(line.trim_end(), 16).unwrap();
        if length == 0 {
            response.whole = true;
            return;
        }
        let start = response.body.len();
        response.body.resize(start + length, 0);
        let mut end = [0; 2];
        if reader.read_exact(&mut response.body[start..]).and_then(|()| reader.read_exact(&mut end)).is_err() {
            return;
        }
    }
}

/// The pipeline's user, with the password that `examples/engine_host.rs` sets.
pub(crate) const PIPELINE: [(&str, &str); 2] =
    [("X-ClickHouse-User", "moose"), ("X-ClickHouse-Key", "password-of-the-tests")];

/// The password of the user that only reads.
pub(crate) fn reading() -> String {
    let text = fs::read(SHARED.path.join("access.json")).unwrap();
    let access: serde_json::Value = serde_json::from_slice(&text).unwrap();
    access["readonly"].as_str().unwrap().to_owned()
}

/// The result of a statement that works, without its last line end.
pub(crate) fn ask(sql: &str) -> String {
    ask_at(SHARED.address, sql)
}

/// The same, of another engine.
pub(crate) fn ask_at(address: SocketAddr, sql: &str) -> String {
    ask_as(address, &PIPELINE, sql)
}

/// The same, as whoever the headers say.
pub(crate) fn ask_as(address: SocketAddr, headers: &[(&str, &str)], sql: &str) -> String {
    let response = send(address, "POST", "/", headers, sql.as_bytes());
    assert_eq!(response.status, 200, "{sql}: {}", response.text());
    response.text().trim_end_matches('\n').to_owned()
}

/// Waits until `condition` holds.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < DEADLINE, "still not so: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a process is there and not only a remainder.
pub(crate) fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Sends a signal by its name.
pub(crate) fn signal(pid: u32, name: &str) {
    assert!(Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().unwrap().success());
}
