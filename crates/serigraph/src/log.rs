//! What the engine does, as it does it, for people: `SERIGRAPH_LOG=LEVEL[:PATH]`.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

/// How much a line matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Level {
    /// Something is wrong with Serigraph.
    Error = 1,
    /// Something was given up.
    Warn = 2,
    /// A trace was made or thrown away.
    Info = 3,
    /// Recordings, exits that get hot, invalidations.
    Debug = 4,
    /// Every entry and exit.
    Trace = 5,
}

impl Level {
    /// The level of that name.
    pub fn from_name(name: &str) -> Option<Level> {
        Some(match name {
            "error" => Level::Error,
            "warn" => Level::Warn,
            "info" => Level::Info,
            "debug" => Level::Debug,
            "trace" => Level::Trace,
            _ => return None,
        })
    }
}

static LEVEL: AtomicU8 = AtomicU8::new(0);
static FILE: Mutex<Option<File>> = Mutex::new(None);

/// Starts logging at this level, to this file (`None`: stderr). `None` as level stops it.
pub fn start(level: Option<Level>, file: Option<File>) {
    LEVEL.store(level.map_or(0, |l| l as u8), Ordering::Relaxed);
    if let Ok(mut current) = FILE.lock() {
        *current = file;
    }
}

/// Whether lines of this level are wanted.
#[inline]
pub fn wanted(level: Level) -> bool {
    level as u8 <= LEVEL.load(Ordering::Relaxed)
}

/// Writes one line. A log that cannot be written is no reason to stop the program.
pub fn line(args: fmt::Arguments<'_>) {
    let text = format!("serigraph: {args}\n");
    let Ok(mut file) = FILE.lock() else { return };
    let written = match file.as_mut() {
        Some(file) => file.write_all(text.as_bytes()),
        None => std::io::stderr().write_all(text.as_bytes()),
    };
    drop(written);
}

/// Logs a line at a level; the arguments are only formatted when it is wanted.
#[macro_export]
macro_rules! log {
    ($level:ident, $($arg:tt)*) => {
        if $crate::log::wanted($crate::log::Level::$level) {
            $crate::log::line(format_args!($($arg)*));
        }
    };
}
