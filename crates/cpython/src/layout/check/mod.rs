//! Proving a layout on live objects before anything relies on it.

mod classes;
mod objects;
mod running;
mod samples;
mod state;

use std::fmt::{self, Debug};

use crate::ffi::{self, PyObject};
use crate::refs::Owned;
use crate::runtime::Runtime;

/// A structure of this interpreter is not laid out as expected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckError {
    /// What was checked.
    pub check: &'static str,
    /// What it should have been.
    pub expected: String,
    /// What it was.
    pub found: String,
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the memory layout of this interpreter is not the one Serigraph knows (an unusual build?): check '{}' expected {}, found {}",
            self.check, self.expected, self.found
        )
    }
}

impl std::error::Error for CheckError {}

/// Runs every check, and completes what the start finds by experiment.
pub fn run(candidate: &mut Runtime) -> Result<(), CheckError> {
    state::debug_offsets(candidate)?;
    {
        let samples = samples::Samples::make(candidate)?;
        objects::run(candidate, &samples)?;
        running::run(candidate, &samples)?;
    }
    state::threads(candidate)?;
    state::eval_breaker(candidate)?;
    candidate.layout.interpreter.eval_frame = state::find_frame_evaluator(candidate)?;
    candidate.float_free_list = state::find_float_free_list(candidate);
    Ok(())
}

/// The heart of every check.
fn same<T: PartialEq + Debug>(
    check: &'static str,
    expected: T,
    found: T,
) -> Result<(), CheckError> {
    if expected == found {
        return Ok(());
    }
    Err(CheckError {
        check,
        expected: format!("{expected:x?}"),
        found: format!("{found:x?}"),
    })
}

fn holds(check: &'static str, expected: &str, condition: bool) -> Result<(), CheckError> {
    if condition {
        return Ok(());
    }
    Err(CheckError {
        check,
        expected: String::from(expected),
        found: String::from("something else"),
    })
}

/// Takes over a new reference; null is a failed check.
fn object(check: &'static str, object: *mut PyObject) -> Result<Owned, CheckError> {
    // SAFETY: the callers pass what a C-API call has just returned.
    unsafe { Owned::from_raw(object) }.ok_or_else(|| {
        // SAFETY: the GIL is held; the exception of the failed call is not for the program.
        unsafe { ffi::PyErr_Clear() };
        CheckError {
            check,
            expected: String::from("an object"),
            found: String::from("an exception"),
        }
    })
}

/// An attribute.
fn attribute(
    check: &'static str,
    of: *mut PyObject,
    name: &std::ffi::CStr,
) -> Result<Owned, CheckError> {
    // SAFETY: `of` is a valid object.
    object(check, unsafe {
        ffi::PyObject_GetAttrString(of, name.as_ptr())
    })
}

/// An attribute that is an int.
fn int_attribute(
    check: &'static str,
    of: *mut PyObject,
    name: &std::ffi::CStr,
) -> Result<i64, CheckError> {
    let value = attribute(check, of, name)?;
    // SAFETY: a valid object; a failed conversion leaves an exception that is cleared.
    unsafe {
        let number = ffi::PyLong_AsLongLong(value.as_ptr());
        if number == -1 {
            ffi::PyErr_Clear();
        }
        Ok(number)
    }
}
