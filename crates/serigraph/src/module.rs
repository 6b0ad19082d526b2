//! The extension module `_native`: what the Python package calls.

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr;

use serigraph_cpython::ffi::*;
use serigraph_uops::Reason;

use crate::engine;
use crate::options::{Options, Value};
use crate::stats::Reasons;

/// A Python exception is set.
struct Raised;

type Result<T> = std::result::Result<T, Raised>;

/// Sets an exception of this type with this text.
fn raise(exception: *mut PyObject, text: &str) -> Raised {
    let text = CString::new(text.replace('\0', "\\0")).unwrap_or_default();
    // SAFETY: the GIL is held (all callers are called by the interpreter); both are valid.
    unsafe { PyErr_SetString(exception, text.as_ptr()) };
    Raised
}

/// Raises RuntimeError.
fn runtime_error(text: &str) -> Raised {
    // SAFETY: a static object of the interpreter.
    raise(unsafe { PyExc_RuntimeError }, text)
}

/// A new reference, or the exception that kept the interpreter from making it.
fn made(object: *mut PyObject) -> Result<*mut PyObject> {
    if object.is_null() {
        Err(Raised)
    } else {
        Ok(object)
    }
}

/// The text of a str.
///
/// # Safety
/// A valid object; the GIL is held.
unsafe fn text_of(object: *mut PyObject) -> Result<String> {
    let mut size = 0;
    // SAFETY: the caller's object; the buffer belongs to it and is copied at once.
    unsafe {
        let data = PyUnicode_AsUTF8AndSize(object, &mut size);
        if data.is_null() {
            return Err(Raised);
        }
        Ok(
            String::from_utf8_lossy(std::slice::from_raw_parts(data.cast(), size as usize))
                .into_owned(),
        )
    }
}

/// The settings in a dict.
///
/// # Safety
/// A valid object; the GIL is held.
unsafe fn options_of(dict: *mut PyObject) -> Result<Options> {
    // SAFETY: the caller's object is checked to be a dict; keys and values are borrowed, and nothing here can change it.
    let pairs = unsafe {
        if PyDict_Check(dict) == 0 {
            return Err(raise(PyExc_TypeError, "enable() takes a dict of settings"));
        }
        let (mut at, mut key, mut value) = (0, ptr::null_mut(), ptr::null_mut());
        let mut pairs = Vec::new();
        while PyDict_Next(dict, &mut at, &mut key, &mut value) != 0 {
            let name = text_of(key)?;
            let value = if PyLong_Check(value) != 0 {
                let n = PyLong_AsLongLong(value);
                if n == -1 && !PyErr_Occurred().is_null() {
                    return Err(Raised);
                }
                Value::Int(n)
            } else {
                Value::Text(text_of(value)?)
            };
            pairs.push((name, value));
        }
        pairs
    };
    // SAFETY: a static object of the interpreter.
    Options::from_pairs(pairs).map_err(|e| raise(unsafe { PyExc_ValueError }, &e))
}

/// A Python object under construction.
enum Item<'a> {
    Count(u64),
    Number(f64),
    Text(&'a str),
}

/// Puts an item into a dict.
///
/// # Safety
/// A valid dict; the GIL is held.
unsafe fn put(dict: *mut PyObject, name: &str, item: Item<'_>) -> Result<()> {
    // SAFETY: the GIL is held; the new objects are owned here and released after use.
    unsafe {
        let object = made(match item {
            Item::Count(n) => PyLong_FromUnsignedLongLong(n),
            Item::Number(x) => PyFloat_FromDouble(x),
            Item::Text(text) => {
                PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as Py_ssize_t)
            }
        })?;
        put_owned(dict, name, object)
    }
}

/// Puts an object into a dict and releases it.
///
/// # Safety
/// A valid dict and an owned object; the GIL is held.
unsafe fn put_owned(dict: *mut PyObject, name: &str, object: *mut PyObject) -> Result<()> {
    let name = CString::new(name).unwrap_or_default();
    // SAFETY: as above.
    let status = unsafe { PyDict_SetItemString(dict, name.as_ptr(), object) };
    // SAFETY: the reference was the caller's, and given up to this function.
    unsafe { Py_DECREF(object) };
    if status < 0 { Err(Raised) } else { Ok(()) }
}

/// A dict of the counters that are not 0.
///
/// # Safety
/// The GIL is held.
unsafe fn reasons_dict(reasons: &[(Reason, u64)]) -> Result<*mut PyObject> {
    // SAFETY: the GIL is held.
    unsafe {
        let dict = made(PyDict_New())?;
        for &(reason, count) in reasons {
            if let Err(raised) = put(dict, reason.name(), Item::Count(count)) {
                Py_DECREF(dict);
                return Err(raised);
            }
        }
        Ok(dict)
    }
}

/// What `stats()` returns.
///
/// # Safety
/// The GIL is held.
unsafe fn stats_dict() -> Result<*mut PyObject> {
    let report = engine::report();
    // SAFETY: the GIL is held; `report` is a copy that nothing run here can change.
    unsafe {
        let dict = made(PyDict_New())?;
        match fill_stats(dict, &report) {
            Ok(()) => Ok(dict),
            Err(raised) => {
                Py_DECREF(dict);
                Err(raised)
            }
        }
    }
}

/// # Safety
/// A valid dict; the GIL is held.
unsafe fn fill_stats(dict: *mut PyObject, report: &engine::Report) -> Result<()> {
    let stats = &report.stats;
    // SAFETY: the GIL is held; owned objects are handed to the dict or list that is being filled.
    unsafe {
        for (name, count) in [
            ("root_traces", stats.root_traces),
            ("side_traces", stats.side_traces),
            ("recordings", stats.recordings),
            ("recorded_uops", stats.recorded_uops),
            ("code_bytes", stats.code_bytes),
            ("metadata_bytes", report.metadata_bytes),
            ("jump_events", stats.jump_events),
            ("entries", stats.entries),
        ] {
            put(dict, name, Item::Count(count))?;
        }
        for (name, nanoseconds) in [
            ("record_ms", stats.record_ns),
            ("optimise_ms", stats.optimise_ns),
            ("allocate_ms", stats.allocate_ns),
            ("emit_ms", stats.emit_ns),
            ("install_ms", stats.install_ns),
        ] {
            put(dict, name, Item::Number(nanoseconds as f64 / 1e6))?;
        }
        let groups: [(&str, &Reasons); 4] = [
            ("aborts", &stats.aborts),
            ("not_entered", &stats.not_entered),
            ("exits", &stats.exits),
            ("discarded", &stats.discarded),
        ];
        for (name, reasons) in groups {
            let counts: Vec<_> = reasons.iter().collect();
            put_owned(dict, name, reasons_dict(&counts)?)?;
        }
        let places = made(PyList_New(0))?;
        let mut status = Ok(());
        for abort in &stats.abort_places {
            status = append(places, |place| {
                put(place, "file", Item::Text(&abort.file))?;
                put(place, "line", Item::Count(abort.line.max(0) as u64))?;
                put(place, "reason", Item::Text(abort.reason.name()))?;
                put(place, "culprit", Item::Text(&abort.culprit))?;
                put(place, "count", Item::Count(abort.count))
            });
            if status.is_err() {
                break;
            }
        }
        put_owned(dict, "abort_places", places)?;
        status?;
        let traces = made(PyList_New(0))?;
        let mut status = Ok(());
        for trace in &report.traces {
            status = append(traces, |entry| {
                put(entry, "id", Item::Count(u64::from(trace.id)))?;
                put(entry, "kind", Item::Text(trace.kind))?;
                put(entry, "file", Item::Text(&trace.file))?;
                put(entry, "line", Item::Count(trace.line.max(0) as u64))?;
                put(entry, "uops", Item::Count(trace.uops))?;
                put(entry, "bytes", Item::Count(trace.bytes))?;
                put(entry, "metadata_bytes", Item::Count(trace.metadata_bytes))?;
                put(entry, "entered", Item::Count(trace.entered))?;
                put(entry, "left", Item::Count(trace.left))
            });
            if status.is_err() {
                break;
            }
        }
        put_owned(dict, "traces", traces)?;
        status
    }
}

/// Appends a new dict to a list.
///
/// # Safety
/// A valid list; the GIL is held.
unsafe fn append(
    list: *mut PyObject,
    fill: impl FnOnce(*mut PyObject) -> Result<()>,
) -> Result<()> {
    // SAFETY: the GIL is held; the dict is owned here until the list has its own reference.
    unsafe {
        let dict = made(PyDict_New())?;
        let mut result = fill(dict);
        if result.is_ok() && PyList_Append(list, dict) < 0 {
            result = Err(Raised);
        }
        Py_DECREF(dict);
        result
    }
}

fn none() -> *mut PyObject {
    // SAFETY: None is a static object; the GIL is held by every caller.
    unsafe { Py_NewRef(Py_None()) }
}

fn answer(result: Result<*mut PyObject>) -> *mut PyObject {
    result.unwrap_or(ptr::null_mut())
}

unsafe extern "C" fn enable(_module: *mut PyObject, options: *mut PyObject) -> *mut PyObject {
    // SAFETY: called by the interpreter with the GIL and a valid argument.
    answer(unsafe { options_of(options) }.and_then(|options| {
        engine::enable(options).map_err(|text| runtime_error(&text))?;
        Ok(none())
    }))
}

unsafe extern "C" fn disable(_module: *mut PyObject, _unused: *mut PyObject) -> *mut PyObject {
    engine::disable();
    none()
}

unsafe extern "C" fn is_enabled(_module: *mut PyObject, _unused: *mut PyObject) -> *mut PyObject {
    // SAFETY: called by the interpreter with the GIL.
    unsafe { PyBool_FromLong(c_int::from(engine::is_enabled()).into()) }
}

unsafe extern "C" fn stats(_module: *mut PyObject, _unused: *mut PyObject) -> *mut PyObject {
    // SAFETY: called by the interpreter with the GIL.
    answer(unsafe { stats_dict() })
}

unsafe extern "C" fn supported(_module: *mut PyObject, _unused: *mut PyObject) -> *mut PyObject {
    let (is_supported, text) = match engine::supported() {
        Ok(text) => (true, text),
        Err(text) => (false, text),
    };
    // SAFETY: called by the interpreter with the GIL; the tuple takes over both items.
    unsafe {
        let tuple = PyTuple_New(2);
        if tuple.is_null() {
            return tuple;
        }
        PyTuple_SetItem(tuple, 0, PyBool_FromLong(is_supported.into()));
        let text = PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as Py_ssize_t);
        if text.is_null() {
            Py_DECREF(tuple);
            return text;
        }
        PyTuple_SetItem(tuple, 1, text);
        tuple
    }
}

unsafe extern "C" fn dump(_module: *mut PyObject, args: *mut PyObject) -> *mut PyObject {
    let (mut id, mut stage): (c_int, *const c_char) = (0, ptr::null());
    // SAFETY: called by the interpreter with the GIL and a tuple; the format matches the two variables, and the text
    // lives as long as the arguments.
    unsafe {
        if PyArg_ParseTuple(args, c"is:dump".as_ptr(), &mut id, &mut stage) == 0 {
            return ptr::null_mut();
        }
        let stage = CStr::from_ptr(stage).to_string_lossy();
        match engine::dump(id as u32, &stage) {
            Ok(text) => PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as Py_ssize_t),
            Err(text) => {
                raise(PyExc_ValueError, &text);
                ptr::null_mut()
            }
        }
    }
}

/// A table entry of the module.
const fn method(
    name: &'static CStr,
    function: PyCFunction,
    flags: c_int,
    doc: &'static CStr,
) -> PyMethodDef {
    PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: PyMethodDefPointer {
            PyCFunction: function,
        },
        ml_flags: flags,
        ml_doc: doc.as_ptr(),
    }
}

/// Static tables that the interpreter reads and, under the GIL, writes.
#[repr(transparent)]
struct Table<T>(std::cell::UnsafeCell<T>);
// SAFETY: only the interpreter touches the content, and it holds the GIL.
unsafe impl<T> Sync for Table<T> {}

static METHODS: Table<[PyMethodDef; 7]> = Table(std::cell::UnsafeCell::new([
    method(
        c"enable",
        enable,
        METH_O,
        c"Switches Serigraph on with a dict of settings.",
    ),
    method(c"disable", disable, METH_NOARGS, c"Switches Serigraph off."),
    method(
        c"is_enabled",
        is_enabled,
        METH_NOARGS,
        c"Whether Serigraph is on.",
    ),
    method(
        c"stats",
        stats,
        METH_NOARGS,
        c"What was compiled, entered, left and aborted.",
    ),
    method(
        c"supported",
        supported,
        METH_NOARGS,
        c"Whether this interpreter is supported, and a text that says why.",
    ),
    method(
        c"dump",
        dump,
        METH_VARARGS,
        c"dump(trace, stage): one stage of a trace as text.",
    ),
    PyMethodDef::zeroed(),
]));

static MODULE: Table<PyModuleDef> = Table(std::cell::UnsafeCell::new(PyModuleDef {
    m_base: PyModuleDef_HEAD_INIT,
    m_name: c"_native".as_ptr(),
    m_doc: c"Serigraph's engine.".as_ptr(),
    m_size: -1,
    m_methods: METHODS.0.get().cast(),
    m_slots: ptr::null_mut(),
    m_traverse: None,
    m_clear: None,
    m_free: None,
}));

/// Called by the import system.
///
/// # Safety
/// By the interpreter only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInit__native() -> *mut PyObject {
    // SAFETY: the definition is static.
    unsafe { PyModule_Create2(MODULE.0.get(), PYTHON_ABI_VERSION) }
}
