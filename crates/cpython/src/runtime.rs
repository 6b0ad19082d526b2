//! What is known of the running interpreter, found once.

use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::dynamic::{Api, MissingSymbol};
use crate::ffi;
use crate::layout::Layout;
use crate::layout::check::{self, CheckError};
use crate::version::{self, Minor, Unsupported, Version};

/// The running interpreter.
#[derive(Debug)]
pub struct Runtime {
    /// Which one it is.
    pub version: Version,
    /// Its functions outside the stable ABI.
    pub api: Api,
    /// Where its fields are.
    pub layout: Layout,
    /// The free list of floats, if the start-up check has proved where it is.
    pub float_free_list: Option<FloatFreeList>,
}

/// Offsets inside `PyInterpreterState` of the free list of floats, proved at start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FloatFreeList {
    /// The first free float, linked through `ob_type`.
    pub head: usize,
    /// i32: how many there are.
    pub count: usize,
}

/// Why Serigraph cannot attach to this interpreter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StartError {
    /// Not a supported version or build.
    Unsupported(Unsupported),
    /// A symbol is missing.
    MissingSymbol(MissingSymbol),
    /// Not called in the main interpreter.
    Subinterpreter,
    /// A structure is not laid out as expected.
    Layout(CheckError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Unsupported(error) => error.fmt(f),
            StartError::MissingSymbol(error) => error.fmt(f),
            StartError::Subinterpreter => {
                write!(
                    f,
                    "Serigraph can be started in the main interpreter only, this is a subinterpreter"
                )
            }
            StartError::Layout(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

static RUNTIME: AtomicPtr<Runtime> = AtomicPtr::new(ptr::null_mut());

/// Finds out which interpreter this is and proves its layout. The GIL must be held, in the main interpreter. The first
/// success stays for the life of the process; after a failure it can be tried again.
///
/// # Errors
/// What was found, and what is supported or expected. Nothing has been changed then.
pub fn start() -> Result<&'static Runtime, StartError> {
    if let Some(runtime) = get() {
        return Ok(runtime);
    }
    let version = version::detect().map_err(StartError::Unsupported)?;
    let api = Api::load(version).map_err(StartError::MissingSymbol)?;
    // SAFETY: the GIL is held.
    if unsafe { ffi::PyInterpreterState_Get().cast::<u8>() != (api.main_interpreter)() } {
        return Err(StartError::Subinterpreter);
    }
    let mut candidate = Runtime {
        version,
        api,
        layout: Layout::expected(version.minor),
        float_free_list: None,
    };
    check::run(&mut candidate).map_err(StartError::Layout)?;
    // Under the GIL nobody else is here; the value is needed for as long as the process lives.
    RUNTIME.store(Box::into_raw(Box::new(candidate)), Ordering::Release);
    Ok(runtime())
}

fn get() -> Option<&'static Runtime> {
    // SAFETY: null, or a leaked box that is never changed again.
    unsafe { RUNTIME.load(Ordering::Acquire).as_ref() }
}

/// Whether [`start`] has succeeded.
pub fn is_started() -> bool {
    get().is_some()
}

/// The running interpreter.
///
/// # Panics
/// If [`start`] has not succeeded: a fault of the caller, not of the program.
#[inline]
pub fn runtime() -> &'static Runtime {
    get().expect("serigraph_cpython::start has succeeded")
}

/// The layout of the running interpreter. Panics as [`runtime`].
#[inline]
pub fn layout() -> &'static Layout {
    &runtime().layout
}

/// The resolved functions of the running interpreter. Panics as [`runtime`].
#[inline]
pub fn api() -> &'static Api {
    &runtime().api
}

/// The running minor version. Panics as [`runtime`].
#[inline]
pub fn minor() -> Minor {
    runtime().version.minor
}
