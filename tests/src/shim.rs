//! The shim that stands between the embedded engine and a part's rename (`tests/shim/rename.c`, which says what it
//! obeys): built here, and loaded into whatever process gets its path as `LD_PRELOAD`.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::OnceLock,
};

/// Part of this program, so that what is built is what was compiled with it.
const SOURCE: &str = include_str!("../shim/rename.c");

/// The shim as a library, built into `directory` once per process.
///
/// # Panics
/// When it can't be built; the message says what to do.
pub fn rename(directory: &str) -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build(Path::new(directory)))
}

fn build(directory: &Path) -> PathBuf {
    let (library, new) = (directory.join("rename.so"), directory.join(format!("rename.so.{}", process::id())));
    let compiler = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-x", "c", "-", "-ldl", "-o"])
        .arg(&new)
        .stdin(Stdio::piped())
        .spawn();
    let mut compiler = match compiler {
        Ok(compiler) => compiler,
        Err(error) => panic!(
            "`cc`, which these tests build a few lines of C with, can't be started ({error}): install a C compiler, \
             for example the package gcc or clang"
        ),
    };
    let mut input = compiler.stdin.take().expect("its input is a pipe");
    input.write_all(SOURCE.as_bytes()).expect("the compiler reads the shim");
    drop(input);
    let status = compiler.wait().expect("the compiler ends");
    assert!(status.success(), "the shim does not compile ({status}); what is wrong stands above");
    // Over what another test process may be using: that one keeps its own.
    fs::rename(&new, &library).expect("the shim comes to its place");
    library
}
