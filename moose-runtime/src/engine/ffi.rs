//! The C interface of `libchdb.so`, and the system calls that Rust's library has no safe form of.
//!
//! The only file of the crate with `unsafe`. Of the library two functions are called: the one that runs ClickHouse's
//! own `clickhouse local` with a command line, and the one that stops it from handling our signals. It ships no header:
//! the declarations were written from its source and tested against the version that `library` pins; another is never
//! loaded.

#![expect(unsafe_code, reason = "calls into a C library: this file is the wall around them")]

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    fs::File,
    io,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
    path::Path,
    ptr,
};

use libloading::Library;

use super::error::OpenError;

/// `chdb_result *`
type RawResult = *mut c_void;

/// ClickHouse, loaded and not started.
pub(super) struct ClickHouse {
    run: unsafe extern "C" fn(c_int, *mut *mut c_char) -> RawResult,
    error: unsafe extern "C" fn(RawResult) -> *const c_char,
}

impl ClickHouse {
    /// Loads the library.
    pub(super) fn load(path: &Path) -> Result<Self, OpenError> {
        let load = |source| OpenError::Load { path: path.to_owned(), source };
        let lacks =
            |source: libloading::Error| OpenError::Incapable { path: path.to_owned(), reason: source.to_string() };
        // SAFETY: the file's hash was checked against the pinned one, and running its initialisers is what it is for.
        let library = unsafe { Library::new(path) }.map_err(load)?;
        // SAFETY: the pinned library exports these names with these signatures, and it is never unloaded.
        let clickhouse = unsafe {
            let signals: unsafe extern "C" fn(c_int) =
                *library.get(b"chdb_set_signal_handlers_enabled").map_err(lacks)?;
            let clickhouse = Self {
                run: *library.get(b"chdb_query_cmdline").map_err(lacks)?,
                error: *library.get(b"chdb_result_error").map_err(lacks)?,
            };
            // Called before anything else, as its documentation asks.
            signals(0);
            clickhouse
        };
        // It leaves threads and destructors behind: unloading its code under them would be undefined.
        std::mem::forget(library);
        Ok(clickhouse)
    }

    /// Runs `clickhouse local` with these arguments to its end. The error is ClickHouse's message.
    pub(super) fn run(&self, arguments: &[String]) -> Result<(), String> {
        let words = ["clickhouse"].into_iter().chain(arguments.iter().map(String::as_str));
        let words = words.map(CString::new).collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
        let mut pointers: Vec<*mut c_char> = words.iter().map(|word| word.as_ptr().cast_mut()).collect();
        let count = c_int::try_from(pointers.len()).map_err(|error| error.to_string())?;
        // In the form that `main` gets them.
        pointers.push(ptr::null_mut());
        // SAFETY: `count` terminated strings and a null pointer, which live through the call.
        let result = unsafe { (self.run)(count, pointers.as_mut_ptr()) };
        if result.is_null() {
            return Err("it ended without a result".to_owned());
        }
        // SAFETY: the result is live, and never freed: the process ends. Its text ends with a zero byte or is null.
        let error = unsafe {
            let text = (self.error)(result);
            if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into_owned() }
        };
        if error.is_empty() { Ok(()) } else { Err(error) }
    }
}

/// Asks the system to send SIGTERM to this process when the thread that started it ends. Linux only; elsewhere the
/// end of standard input is the only sign.
pub(super) fn end_with_parent() {
    #[cfg(target_os = "linux")]
    // SAFETY: this option of prctl takes a signal number and touches no memory of ours.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
    }
}

/// Takes standard input away from the library, and replaces it by a terminal on which nobody types. Returns the former
/// standard input, and the terminal's other end.
pub(super) fn replace_standard_input() -> io::Result<(File, OwnedFd)> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let (mut other_end, mut terminal) = (-1, -1);
    let (name, settings, size) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    // SAFETY: both numbers are written to, and what is null is not.
    if unsafe { libc::openpty(&raw mut other_end, &raw mut terminal, name, settings, size) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: both were opened above and are nobody else's.
    let (other_end, terminal) = unsafe { (OwnedFd::from_raw_fd(other_end), OwnedFd::from_raw_fd(terminal)) };
    become_standard(&terminal, libc::STDIN_FILENO)?;
    Ok((File::from(input), other_end))
}

/// Discards what the library writes to standard output. Returns the former standard output.
pub(super) fn replace_standard_output() -> io::Result<File> {
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    let nowhere = OwnedFd::from(File::options().write(true).open("/dev/null")?);
    become_standard(&nowhere, libc::STDOUT_FILENO)?;
    Ok(File::from(output))
}

fn become_standard(descriptor: &OwnedFd, number: c_int) -> io::Result<()> {
    // SAFETY: the descriptor is open; what the other number was is still open under another one.
    if unsafe { libc::dup2(descriptor.as_raw_fd(), number) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Blocks signals in this thread, and in those that it will start: other threads get them. Faults of the thread itself
/// are not affected.
pub(super) fn leave_signals_to_other_threads() -> io::Result<()> {
    const FAULTS: [c_int; 7] =
        [libc::SIGABRT, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGSEGV, libc::SIGSYS, libc::SIGTRAP];
    let mut signals = std::mem::MaybeUninit::uninit();
    // SAFETY: the set is filled before it is changed and read.
    let failed = unsafe {
        libc::sigfillset(signals.as_mut_ptr());
        for signal in FAULTS {
            libc::sigdelset(signals.as_mut_ptr(), signal);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, signals.as_ptr(), ptr::null_mut())
    };
    if failed == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(failed)) }
}

/// Runs `act` on the open descriptor of that number, wherever it came from. If it is closed meanwhile, or reused for
/// another file, `act` must notice.
pub(super) fn with_descriptor<T>(number: i32, act: impl FnOnce(BorrowedFd<'_>) -> T) -> T {
    // SAFETY: borrowed for the length of the call. If it is closed meanwhile, system calls on it fail; no memory hangs on it.
    act(unsafe { BorrowedFd::borrow_raw(number) })
}

/// Ends the process at once, running no destructors of the library: they would race its threads.
pub(super) fn leave(code: c_int) -> ! {
    // SAFETY: ends the process; nothing is run after it.
    unsafe { libc::_exit(code) }
}
