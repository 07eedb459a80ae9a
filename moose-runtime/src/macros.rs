//! `run!` and `app!`: the program's `main`, with the name of its package and the declarations that its build script
//! saw.

/// The whole of `main`: reads the command line and the configuration, and runs the pipelines that are linked into the
/// program.
///
/// ```no_run
/// mod pipelines {
///     // The declarations.
/// }
///
/// fn main() -> std::process::ExitCode {
/// # /*
///     moose_runtime::run!()
/// # */
/// # moose_runtime::run!(no build script)
/// }
/// ```
///
/// It needs a `build.rs` that calls `moose_runtime::build::migrations()`; a package without one says
/// `run!(no build script)`.
#[cfg(feature = "runtime")]
#[macro_export]
macro_rules! run {
    ($($arguments:tt)*) => {
        $crate::__private::main($crate::__program!($($arguments)*))
    };
}

/// The application as a value, for programs with a `main` of their own.
///
/// Takes the same arguments as [`run!`].
#[cfg(feature = "runtime")]
#[macro_export]
macro_rules! app {
    ($($arguments:tt)*) => {
        $crate::__private::App::new($crate::__program!($($arguments)*))
    };
}

/// The [`Program`](crate::declare::Program) in which the macro is called. Also compiled without the runtime, for the
/// tests of its messages.
#[doc(hidden)]
#[macro_export]
macro_rules! __program {
    () => {
        $crate::__program!(@ ::core::option::Option::Some(::core::include_str!(::core::env!(
            "MOOSE_SCHEMA",
            "this package has no build.rs that calls `moose_runtime::build::migrations()`: add one, or say `no build script` \
             between the parentheses"
        ))))
    };
    (no build script) => {
        $crate::__program!(@ ::core::option::Option::None)
    };
    (@ $schema:expr) => {
        $crate::__private::Program {
            name: ::core::env!("CARGO_PKG_NAME"),
            version: ::core::env!("CARGO_PKG_VERSION"),
            schema: $schema,
        }
    };
    ($($other:tt)*) => {
        ::core::compile_error!("expected nothing, or `no build script`")
    };
}
