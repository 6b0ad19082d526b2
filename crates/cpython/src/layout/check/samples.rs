//! The objects that the checks look at: one of each kind, in a namespace of their own.
//!
//! What only running code can give comes from a short script; everything else is made through the C API, which costs a program that
//! starts a small part of what compiling the text for it would.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use super::{CheckError, object};
use crate::ffi::{self, PyObject};
use crate::refs::Owned;
use crate::runtime::Runtime;

const CHECK: &str = "the objects to look at";

/// `outer` calls `inner`, which calls the probe of [`super::running`] with both functions.
const SCRIPT: &CStr = c"
def inner(probe, outer, marker, /, unused=0, *, only=1):
    'two constants'
    local = marker
    try:
        return probe(inner, outer, local, 3.25)
    except KeyError:
        pass
def outer(probe, marker):
    return inner(probe, outer, marker)
closure = (lambda a: lambda: a)(1)
def generator():
    yield
";

/// The namespace.
pub(super) struct Samples(Owned);

impl Samples {
    /// Makes them all.
    pub(super) fn make(runtime: &Runtime) -> Result<Samples, CheckError> {
        // SAFETY: a constructor of the C API; the result is checked.
        let samples = Samples(object(CHECK, unsafe { ffi::PyDict_New() })?);
        samples.run_script()?;
        samples.add_numbers_and_sequences()?;
        samples.add_texts_and_tables()?;
        samples.add_iterators()?;
        samples.add_classes(runtime)?;
        Ok(samples)
    }

    /// One of them.
    pub(super) fn get(&self, name: &CStr) -> Result<Owned, CheckError> {
        // SAFETY: a lookup in a dict; the result is borrowed and gets its own reference.
        let found = unsafe {
            Owned::from_borrowed(ffi::PyDict_GetItemString(self.0.as_ptr(), name.as_ptr()))
        };
        found.ok_or_else(|| CheckError {
            check: CHECK,
            expected: format!("{name:?}"),
            found: String::from("nothing"),
        })
    }

    fn set(&self, name: &CStr, value: &Owned) -> Result<(), CheckError> {
        // SAFETY: a dict, a terminated name and a valid object.
        done(unsafe { ffi::PyDict_SetItemString(self.0.as_ptr(), name.as_ptr(), value.as_ptr()) })
    }

    /// Adds what a call has just returned, which is checked.
    fn add(&self, name: &CStr, value: *mut PyObject) -> Result<Owned, CheckError> {
        let value = object(CHECK, value)?;
        self.set(name, &value)?;
        Ok(value)
    }

    fn run_script(&self) -> Result<(), CheckError> {
        let namespace = self.0.as_ptr();
        // SAFETY: plain calls of the C API with valid arguments; each result is checked.
        unsafe {
            let builtins = ffi::PyEval_GetBuiltins();
            if builtins.is_null() {
                return object(CHECK, ptr::null_mut()).map(drop);
            }
            let name = c"__builtins__";
            done(ffi::PyDict_SetItemString(
                namespace,
                name.as_ptr(),
                builtins,
            ))?;
            let file = c"<serigraph checks>";
            let code = ffi::Py_CompileString(SCRIPT.as_ptr(), file.as_ptr(), ffi::Py_file_input);
            let code = object(CHECK, code)?;
            object(
                CHECK,
                ffi::PyEval_EvalCode(code.as_ptr(), namespace, namespace),
            )?;
        }
        for name in [c"created", c"suspended"] {
            let function = self.get(c"generator")?;
            // SAFETY: a callable.
            self.add(name, unsafe { ffi::PyObject_CallNoArgs(function.as_ptr()) })?;
        }
        next(&self.get(c"suspended")?).map(drop)
    }

    fn add_numbers_and_sequences(&self) -> Result<(), CheckError> {
        // SAFETY: constructors of the C API; every result is checked.
        unsafe {
            let [one, two, three] = [small(1)?, small(2)?, small(3)?];
            self.add(
                c"slices",
                ffi::PySlice_New(one.as_ptr(), two.as_ptr(), three.as_ptr()),
            )?;
            let bytes = c"xyzw";
            self.add(
                c"array",
                ffi::PyByteArray_FromStringAndSize(bytes.as_ptr(), 4),
            )?;
            let items = self.add(c"items", ffi::PyList_New(0))?;
            done(ffi::PyList_Append(items.as_ptr(), one.as_ptr()))?;
            done(ffi::PyList_Append(items.as_ptr(), two.as_ptr()))
        }
    }

    fn add_texts_and_tables(&self) -> Result<(), CheckError> {
        // SAFETY: constructors of the C API; every result is checked.
        unsafe {
            let text = self.add(c"text", ffi::PyUnicode_FromString(c"abc".as_ptr()))?;
            self.add(c"accent", ffi::PyUnicode_FromString(c"\u{e9}".as_ptr()))?;
            self.add(c"wide", ffi::PyUnicode_FromString(c"\u{20ac}".as_ptr()))?;
            let dictionary = self.add(c"dictionary", ffi::PyDict_New())?;
            let key = c"key";
            done(ffi::PyDict_SetItemString(
                dictionary.as_ptr(),
                key.as_ptr(),
                text.as_ptr(),
            ))?;
            let general = self.add(c"general", ffi::PyDict_New())?;
            let one = small(1)?;
            done(ffi::PyDict_SetItem(
                general.as_ptr(),
                one.as_ptr(),
                text.as_ptr(),
            ))?;
            let mixed = self.add(c"mixed", ffi::PySet_New(ptr::null_mut()))?;
            done(ffi::PySet_Add(mixed.as_ptr(), text.as_ptr()))
        }
    }

    fn add_iterators(&self) -> Result<(), CheckError> {
        // SAFETY: constructors of the C API with arguments that match their formats; every result is checked.
        unsafe {
            let range = (&raw mut ffi::PyRange_Type).cast();
            let (start, stop, step): (c_int, c_int, c_int) = (3, 30, 4);
            let format = c"iii";
            let range = object(
                CHECK,
                ffi::PyObject_CallFunction(range, format.as_ptr(), start, stop, step),
            )?;
            let tuple = object(CHECK, ffi::PyTuple_Pack(2, ffi::Py_None(), ffi::Py_None()))?;
            let empty = object(CHECK, ffi::PyList_New(0))?;
            for (name, of) in [
                (c"ranges", &range),
                (c"lists", &self.get(c"items")?),
                (c"tuples", &tuple),
                (c"done", &empty),
            ] {
                let iterator = self.add(name, ffi::PyObject_GetIter(of.as_ptr()))?;
                next(&iterator)?;
            }
        }
        Ok(())
    }

    fn add_classes(&self, runtime: &Runtime) -> Result<(), CheckError> {
        // SAFETY: calls of the C API with valid arguments; every result is checked.
        unsafe {
            let (metaclass, format, name) = (&raw mut ffi::PyType_Type, c"s(){}", c"C");
            let class = self.add(
                c"C",
                ffi::PyObject_CallFunction(metaclass.cast(), format.as_ptr(), name.as_ptr()),
            )?;
            let instance = self.add(c"instance", ffi::PyObject_CallNoArgs(class.as_ptr()))?;
            for (name, value) in [(c"first", small(1)?), (c"second", small(2)?)] {
                done(ffi::PyObject_SetAttrString(
                    instance.as_ptr(),
                    name.as_ptr(),
                    value.as_ptr(),
                ))?;
            }
            let function = self.get(c"outer")?;
            let bound = ffi::PyObject_CallFunctionObjArgs(
                runtime.api.method_type,
                function.as_ptr(),
                instance.as_ptr(),
                ptr::null_mut::<PyObject>(),
            );
            self.add(c"method", bound)?;
            let list = (&raw mut ffi::PyList_Type).cast();
            self.add(
                c"append",
                ffi::PyObject_GetAttrString(list, c"append".as_ptr()),
            )?;
            let sys: *const c_char = c"sys".as_ptr();
            let sys = ffi::PyDict_GetItemString(ffi::PyImport_GetModuleDict(), sys);
            let sys = Owned::from_borrowed(sys).ok_or_else(|| CheckError {
                check: CHECK,
                expected: String::from("the module sys"),
                found: String::from("nothing"),
            })?;
            self.set(c"sys", &sys)
        }
    }
}

impl Drop for Samples {
    /// The functions and their namespace hold each other. Left to the collector, the suspended generator would be closed in the
    /// middle of the program, before the eyes of its tracer.
    fn drop(&mut self) {
        // SAFETY: a dict that nobody else knows.
        unsafe { ffi::PyDict_Clear(self.0.as_ptr()) };
    }
}

/// A status of the C API that is 0 where all went well.
fn done(status: c_int) -> Result<(), CheckError> {
    if status == 0 {
        return Ok(());
    }
    object(CHECK, ptr::null_mut()).map(drop)
}

fn small(value: i64) -> Result<Owned, CheckError> {
    // SAFETY: a constructor of the C API.
    object(CHECK, unsafe { ffi::PyLong_FromLongLong(value) })
}

/// The next item of an iterator; none at its end.
fn next(iterator: &Owned) -> Result<Option<Owned>, CheckError> {
    // SAFETY: an iterator; the result is owned, or null, at the end without an exception.
    unsafe {
        let item = Owned::from_raw(ffi::PyIter_Next(iterator.as_ptr()));
        if item.is_none() && !ffi::PyErr_Occurred().is_null() {
            return object(CHECK, ptr::null_mut()).map(Some);
        }
        Ok(item)
    }
}
