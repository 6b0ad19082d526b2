//! The `serigraph` program: finds a supported interpreter and becomes it, with Serigraph switched
//! on inside before the first line of the user's program runs.
//!
//! The interpreter replaces this process (`execve`), so signals, the exit code, the standard streams
//! and the process id are the interpreter's own. What happens inside it is described in
//! `python/serigraph/_boot/sitecustomize.py`.

// Rust's own start-up would open /dev/null in place of closed standard streams, which Python shows
// to programs (`sys.stdin is None`). Without it the streams pass through as they are.
#![cfg_attr(not(test), no_main)]

mod args;
mod find;
mod launch;
mod probe;
mod pyenv;

use std::env;
use std::ffi::OsString;

/// Something that keeps the program from running, as a text for the user. The exit code is 2.
#[derive(Debug)]
struct Failure(String);

/// Entry point called by the C run time; see the note on `no_main` above.
#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn main(_argc: i32, _argv: *const *const u8) -> i32 {
    match run(env::args_os().skip(1).collect()) {
        Ok(()) => 0,
        Err(Failure(text)) => {
            eprintln!("serigraph: {text}");
            2
        }
    }
}

/// Does what the command line asks for. Returns only when no interpreter is started.
fn run(arguments: Vec<OsString>) -> Result<(), Failure> {
    match args::parse(arguments)? {
        args::Request::Help => print!("{}", args::HELP),
        args::Request::Interpreters(named) => find::list(named.as_deref())?,
        args::Request::Version => println!("serigraph {}", env!("CARGO_PKG_VERSION")),
        args::Request::Run(request) => {
            let interpreter = find::choose(request.python.as_deref(), launch::was_refused())?;
            launch::launch(&interpreter, &request)?;
        }
    }
    Ok(())
}
