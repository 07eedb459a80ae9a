//! The C interface of `libchdb.so`, and the calls to the operating system that Rust's library has no safe form of.
//!
//! The only file of the crate with `unsafe`. What leaves it is safe: a [`Connection`] runs one statement at a time
//! because its methods take `&mut self`; an [`InsertStream`] borrows its connection, so nothing else can run on it
//! meanwhile; every handle is freed exactly once, by `Drop`; no pointer of the library outlives the call that got it.
//!
//! The library ships no header. The declarations here were written from its documentation and tried against the
//! version that `library` pins; another version is never loaded.

#![expect(unsafe_code, reason = "calls into a C library: this file is the wall around them")]

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    fs::File,
    io,
    marker::PhantomData,
    os::{
        fd::{AsFd as _, AsRawFd as _},
        unix::ffi::OsStrExt as _,
    },
    path::{Path, PathBuf},
    ptr::NonNull,
    slice,
    sync::Arc,
};

use libloading::Library;

use super::error::OpenError;

/// `chdb_connection`: what statements run on.
type RawConnection = *mut c_void;
/// `chdb_connection *`: what connecting returns and closing takes.
type RawConnectionSlot = *mut RawConnection;
/// `chdb_result *`
type RawResult = *mut c_void;
/// `chdb_insert_stream`
type RawInsertStream = *mut c_void;

/// `chdb_state` of a call that did what it was asked.
const SUCCESS: c_int = 0;

/// Declares the table of functions and how it is filled from the loaded library.
macro_rules! functions {
    ($($name:ident: fn($($argument:ty),*) $(-> $output:ty)?;)*) => {
        /// The functions in use, by their names without `chdb_`.
        struct Functions { $($name: unsafe extern "C" fn($($argument),*) $(-> $output)?,)* }

        impl Functions {
            /// Looks all of them up; the names of those missing are the error.
            fn load(library: &Library) -> Result<Self, libloading::Error> {
                Ok(Self {
                    $($name: {
                        // SAFETY: the pinned library exports this name with this signature, and it is never unloaded.
                        *unsafe { library.get(concat!("chdb_", stringify!($name)).as_bytes()) }?
                    },)*
                })
            }
        }
    };
}

functions! {
    version: fn() -> *const c_char;
    set_signal_handlers_enabled: fn(c_int);
    connect: fn(c_int, *mut *mut c_char) -> RawConnectionSlot;
    close_conn: fn(RawConnectionSlot);
    shutdown: fn() -> c_int;
    classify_query_n: fn(RawConnection, *const c_char, usize, *const c_char, usize, *mut RawAnalysis) -> c_int;
    query_with_params_n: fn(
        RawConnection, *const c_char, usize, *const c_char, usize,
        *const *const c_char, *const usize, *const *const c_char, *const usize, usize
    ) -> RawResult;
    stream_insert_with_params_n: fn(
        RawConnection, *const c_char, usize, *const c_char, usize,
        *const *const c_char, *const usize, *const *const c_char, *const usize, usize
    ) -> RawInsertStream;
    stream_append: fn(RawInsertStream, *const c_void, usize) -> c_int;
    stream_done: fn(RawInsertStream) -> RawResult;
    stream_insert_error: fn(RawInsertStream) -> *const c_char;
    destroy_insert_stream: fn(RawInsertStream);
    result_buffer: fn(RawResult) -> *mut c_char;
    result_length: fn(RawResult) -> usize;
    result_error: fn(RawResult) -> *const c_char;
    result_rows_read: fn(RawResult) -> u64;
    result_bytes_read: fn(RawResult) -> u64;
    result_storage_rows_read: fn(RawResult) -> u64;
    result_storage_bytes_read: fn(RawResult) -> u64;
    result_rows_written: fn(RawResult) -> u64;
    result_bytes_written: fn(RawResult) -> u64;
    destroy_query_result: fn(RawResult);
}

/// `chdb_query_analysis_v1`
#[repr(C)]
struct RawAnalysis {
    struct_size: u32,
    statement_count: u32,
    flags: u32,
    query_class: u32,
}

impl RawAnalysis {
    /// In bytes.
    const SIZE: u32 = 16;
}

const _: () = assert!(size_of::<RawAnalysis>() == 16, "the structure has no padding");

/// What the engine's own parser says of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Analysis {
    /// How many statements it holds; 0 when it does not parse.
    pub(super) statements: u32,
    /// What the most far-reaching of them does.
    pub(super) class: QueryClass,
}

/// What a statement does to what outlives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QueryClass {
    /// SELECT, SHOW, DESCRIBE, EXPLAIN, EXISTS, CHECK.
    ReadOnly,
    /// Everything else that parses.
    Other,
    /// The text does not parse.
    Unknown,
}

/// What a statement returned, copied out of the library.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    /// The formatted result.
    pub(super) data: Vec<u8>,
    /// What was read and written.
    pub(super) counts: Counts,
}

/// What a statement read and wrote. The engine counts rows read from storage only where a table was read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Rows read from tables.
    pub(super) read_rows: u64,
    /// Bytes read from tables.
    pub(super) read_bytes: u64,
    /// Rows written, those of views included.
    pub(super) written_rows: u64,
    /// Bytes written, those of views included.
    pub(super) written_bytes: u64,
    /// Rows of the result.
    pub(super) result_rows: u64,
    /// Bytes of the result.
    pub(super) result_bytes: u64,
}

/// Names and values of query parameters, `{name:Type}` in the text.
pub(super) type Parameters = [(String, String)];

/// The library opened on one data path. One per process: the library itself allows no second path.
pub(super) struct Database {
    functions: Arc<Functions>,
    path: PathBuf,
    /// Held open for as long as the engine runs: closing the last connection would shut it down.
    root: Option<Connection>,
    version: String,
}

impl Database {
    /// Loads the library and opens `path`, creating what is missing.
    pub(super) fn open(library: &Path, path: &Path) -> Result<Self, OpenError> {
        let load = |source| OpenError::Load { path: library.to_owned(), source };
        // SAFETY: the file's hash was checked against the pinned one, and running its initialisers is what it is for.
        let loaded = unsafe { Library::new(library) }.map_err(load)?;
        let functions = Arc::new(Functions::load(&loaded).map_err(load)?);
        // The engine leaves threads and destructors behind: unloading its code under them would be undefined.
        std::mem::forget(loaded);
        // SAFETY: takes no pointer; called before the first connection, as the documentation asks.
        unsafe { (functions.set_signal_handlers_enabled)(0) };
        // SAFETY: the library returns a pointer to its own constant string, terminated by a zero byte.
        let version = unsafe { text((functions.version)()) }.unwrap_or_default();
        let mut database = Self { functions, path: path.to_owned(), root: None, version };
        database.root = Some(database.connect()?);
        Ok(database)
    }

    /// The version of the chDB library, such as `26.7.3`.
    pub(super) fn library_version(&self) -> &str {
        &self.version
    }

    /// A new connection with the engine's default settings; about 0.2 ms.
    pub(super) fn connect(&self) -> Result<Connection, OpenError> {
        let refused = || OpenError::Refused { path: self.path.clone() };
        let mut option = b"--path=".to_vec();
        option.extend_from_slice(self.path.as_os_str().as_bytes());
        let path = CString::new(option).map_err(|_| refused())?;
        let mut arguments = [c"clickhouse".as_ptr().cast_mut(), path.as_ptr().cast_mut()];
        // SAFETY: `arguments` holds two terminated strings that live through the call; they are only read.
        let slot = unsafe { (self.functions.connect)(2, arguments.as_mut_ptr()) };
        let slot = NonNull::new(slot).ok_or_else(refused)?;
        Ok(Connection { functions: Arc::clone(&self.functions), slot })
    }

    /// Ends all of the engine's threads. Says whether it did: a connection still open prevents it.
    pub(super) fn shutdown(mut self) -> bool {
        self.root = None;
        // SAFETY: takes no pointer; the library serialises it with everything else and tolerates open connections.
        let state = unsafe { (self.functions.shutdown)() };
        state == SUCCESS
    }
}

/// A connection: settings, current database and temporary tables of its own; one statement at a time.
pub(super) struct Connection {
    functions: Arc<Functions>,
    slot: NonNull<RawConnection>,
}

// SAFETY: the library binds no connection to a thread; `&mut self` keeps calls on one connection apart.
unsafe impl Send for Connection {}
// SAFETY: through a shared reference nothing of it can be called.
unsafe impl Sync for Connection {}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: the slot came from `connect` and is closed once, here.
        unsafe { (self.functions.close_conn)(self.slot.as_ptr()) };
    }
}

impl Connection {
    /// The handle that statements run on.
    fn raw(&self) -> RawConnection {
        // SAFETY: the slot is valid until `close_conn`, which only `drop` calls.
        unsafe { *self.slot.as_ptr() }
    }

    /// Asks the engine's parser, under this connection's settings, what `sql` is, without running it.
    pub(super) fn analyse(&mut self, sql: &[u8]) -> Analysis {
        let mut analysis = RawAnalysis { struct_size: RawAnalysis::SIZE, statement_count: 0, flags: 0, query_class: 0 };
        // SAFETY: the text is read for its length only; a null database of length 0 is allowed; the structure is
        // ours, of the size that it states.
        let state = unsafe {
            (self.functions.classify_query_n)(
                self.raw(),
                sql.as_ptr().cast(),
                sql.len(),
                std::ptr::null(),
                0,
                &raw mut analysis,
            )
        };
        let class = match analysis.query_class {
            0 if state == SUCCESS => QueryClass::ReadOnly,
            1..=3 if state == SUCCESS => QueryClass::Other,
            _ => QueryClass::Unknown,
        };
        Analysis { statements: analysis.statement_count, class }
    }

    /// Runs `sql`; a result that names no format comes in `format`. The error is ClickHouse's own text.
    pub(super) fn execute(&mut self, sql: &[u8], format: &str, parameters: &Parameters) -> Result<Answer, String> {
        let lists = ParameterLists::new(parameters);
        // SAFETY: all pointers are valid for the lengths that go with them through the call, which copies.
        let result = unsafe {
            (self.functions.query_with_params_n)(
                self.raw(),
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
                lists.names.as_ptr(),
                lists.name_lengths.as_ptr(),
                lists.values.as_ptr(),
                lists.value_lengths.as_ptr(),
                lists.names.len(),
            )
        };
        take_answer(&self.functions, result)
    }

    /// Begins an INSERT whose rows follow, in `format`.
    pub(super) fn insert(
        &mut self,
        sql: &[u8],
        format: &str,
        parameters: &Parameters,
    ) -> Result<InsertStream<'_>, String> {
        let lists = ParameterLists::new(parameters);
        // SAFETY: as in `execute`; the handle that comes back is freed by `InsertStream`.
        let raw = unsafe {
            (self.functions.stream_insert_with_params_n)(
                self.raw(),
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
                lists.names.as_ptr(),
                lists.name_lengths.as_ptr(),
                lists.values.as_ptr(),
                lists.value_lengths.as_ptr(),
                lists.names.len(),
            )
        };
        let raw = NonNull::new(raw).ok_or_else(no_handle)?;
        let stream = InsertStream { functions: Arc::clone(&self.functions), raw, connection: PhantomData };
        match stream.error() {
            Some(error) => Err(error),
            None => Ok(stream),
        }
    }
}

/// An INSERT under way. Dropped before [`InsertStream::finish`], it is cancelled.
pub(super) struct InsertStream<'connection> {
    functions: Arc<Functions>,
    raw: NonNull<c_void>,
    /// The connection takes no other statement while the stream lives.
    connection: PhantomData<&'connection mut Connection>,
}

impl Drop for InsertStream<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle came from `insert` and is freed once, here; freeing cancels what was not finished.
        unsafe { (self.functions.destroy_insert_stream)(self.raw.as_ptr()) };
    }
}

impl InsertStream<'_> {
    /// Hands rows over; waits while the engine is busy with earlier ones.
    pub(super) fn append(&mut self, data: &[u8]) -> Result<(), String> {
        // SAFETY: the data is copied during the call.
        let state = unsafe { (self.functions.stream_append)(self.raw.as_ptr(), data.as_ptr().cast(), data.len()) };
        if state == SUCCESS { Ok(()) } else { Err(self.error().unwrap_or_else(no_handle)) }
    }

    /// Says that no more rows come, and waits until what came is stored.
    pub(super) fn finish(self) -> Result<Answer, String> {
        // SAFETY: the handle is live; the result is freed by `take_answer`.
        let result = unsafe { (self.functions.stream_done)(self.raw.as_ptr()) };
        let answer = take_answer(&self.functions, result);
        match self.error() {
            Some(error) => Err(error),
            None => answer,
        }
    }

    fn error(&self) -> Option<String> {
        // SAFETY: the text belongs to the handle, which is live, and is copied at once.
        unsafe { text((self.functions.stream_insert_error)(self.raw.as_ptr())) }
    }
}

/// Copies a result out of the library and frees it.
fn take_answer(functions: &Functions, result: RawResult) -> Result<Answer, String> {
    if result.is_null() {
        return Err(no_handle());
    }
    // SAFETY: the result is live until `destroy_query_result` below; texts and bytes are copied before that, and the
    // buffer is only read where its length is not 0.
    unsafe {
        let answer = if let Some(error) = text((functions.result_error)(result)) {
            Err(error)
        } else {
            let (buffer, length) = ((functions.result_buffer)(result), (functions.result_length)(result));
            let data = if buffer.is_null() || length == 0 {
                Vec::new()
            } else {
                slice::from_raw_parts(buffer.cast::<u8>(), length).to_vec()
            };
            let counts = Counts {
                read_rows: (functions.result_storage_rows_read)(result),
                read_bytes: (functions.result_storage_bytes_read)(result),
                written_rows: (functions.result_rows_written)(result),
                written_bytes: (functions.result_bytes_written)(result),
                result_rows: (functions.result_rows_read)(result),
                result_bytes: (functions.result_bytes_read)(result),
            };
            Ok(Answer { data, counts })
        };
        (functions.destroy_query_result)(result);
        answer
    }
}

/// The library gave no handle although its documentation says that it always does.
fn no_handle() -> String {
    "Code: 49. DB::Exception: The engine returned no result. (LOGICAL_ERROR)".to_owned()
}

/// A copy of a terminated text of the library; `None` for a null pointer or an empty text.
///
/// # Safety
/// `pointer` is null or points to a text that ends with a zero byte and stays valid through the call.
unsafe fn text(pointer: *const c_char) -> Option<String> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: promised by the caller.
    let text = unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned();
    (!text.is_empty()).then_some(text)
}

/// Query parameters as the library takes them: four lists of the same length.
struct ParameterLists<'parameters> {
    names: Vec<*const c_char>,
    name_lengths: Vec<usize>,
    values: Vec<*const c_char>,
    value_lengths: Vec<usize>,
    borrowed: PhantomData<&'parameters Parameters>,
}

impl<'parameters> ParameterLists<'parameters> {
    fn new(parameters: &'parameters Parameters) -> Self {
        Self {
            names: parameters.iter().map(|(name, _)| name.as_ptr().cast()).collect(),
            name_lengths: parameters.iter().map(|(name, _)| name.len()).collect(),
            values: parameters.iter().map(|(_, value)| value.as_ptr().cast()).collect(),
            value_lengths: parameters.iter().map(|(_, value)| value.len()).collect(),
            borrowed: PhantomData,
        }
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

/// Takes standard input away from the library, which would read an INSERT's data from it, and returns it.
pub(super) fn take_standard_input() -> io::Result<File> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let nothing = File::open("/dev/null")?;
    // SAFETY: both descriptors are open; what descriptor 0 was is still open under another number.
    if unsafe { libc::dup2(nothing.as_raw_fd(), libc::STDIN_FILENO) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(File::from(input))
}

/// Ends the process at once, running no destructors of the library: they would race its threads.
pub(super) fn leave(code: c_int) -> ! {
    // SAFETY: ends the process; nothing is run after it.
    unsafe { libc::_exit(code) }
}
