//! Interpreter functions and data that are outside the stable ABI, resolved with dlsym at start into one checked table.
//!
//! The extension is built once for all versions, so it may not have undefined symbols that one of them lacks.

use std::ffi::{CStr, c_int, c_uint, c_void};
use std::fmt;
use std::ptr::NonNull;

use crate::ffi::{PyObject, PyThreadState};
use crate::version::{Minor, Version};

/// Looks a symbol up among everything that is loaded in the process.
pub(crate) fn symbol(name: &CStr) -> Option<NonNull<c_void>> {
    // SAFETY: dlsym takes any terminated name; RTLD_DEFAULT searches the program and the libraries loaded globally, which
    // is where the interpreter is, whether it is linked in or in libpython.
    NonNull::new(unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) })
}

/// The interpreter lacks a symbol that Serigraph needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MissingSymbol {
    /// Its name.
    pub name: &'static str,
}

impl fmt::Display for MissingSymbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "this interpreter does not export {}, which Serigraph needs",
            self.name
        )
    }
}

impl std::error::Error for MissingSymbol {}

/// A callback of `PyCode_AddWatcher`: event, code.
pub type CodeWatcher = unsafe extern "C" fn(c_int, *mut PyObject) -> c_int;
/// A callback of `PyDict_AddWatcher`: event, dict, key, new value.
pub type DictWatcher =
    unsafe extern "C" fn(c_int, *mut PyObject, *mut PyObject, *mut PyObject) -> c_int;
/// A callback of `PyFunction_AddWatcher`: event, function, new value.
pub type FunctionWatcher = unsafe extern "C" fn(c_int, *mut PyObject, *mut PyObject) -> c_int;
/// A callback of `PyType_AddWatcher`: type.
pub type TypeWatcher = unsafe extern "C" fn(*mut PyObject) -> c_int;
/// A callback of `PyUnstable_GC_VisitObjects`: object, argument; 0 stops.
pub type HeapVisitor = unsafe extern "C" fn(*mut PyObject, *mut c_void) -> c_int;

macro_rules! lookup {
    ($name:literal) => {{
        const NAME: &CStr = match CStr::from_bytes_with_nul(concat!($name, "\0").as_bytes()) {
            Ok(name) => name,
            Err(_) => panic!("a symbol name has no null byte"),
        };
        symbol(NAME).ok_or(MissingSymbol { name: $name })
    }};
}

macro_rules! api {
    ( functions { $( $(#[$fdoc:meta])* $fname:ident = $fsymbol:literal : fn($($arg:ty),*) $(-> $ret:ty)?; )* }
      only_in_313 { $( $(#[$odoc:meta])* $oname:ident = $osymbol:literal : fn($($oarg:ty),*) $(-> $oret:ty)?; )* }
      data { $( $(#[$ddoc:meta])* $dname:ident = $dsymbol:literal; )* } ) => {
        /// Functions and data of the interpreter that are resolved at start.
        #[derive(Clone, Copy, Debug)]
        pub struct Api {
            $( $(#[$fdoc])* pub $fname: unsafe extern "C" fn($($arg),*) $(-> $ret)?, )*
            $( $(#[$odoc])* pub $oname: Option<unsafe extern "C" fn($($oarg),*) $(-> $oret)?>, )*
            $( $(#[$ddoc])* pub $dname: *mut PyObject, )*
            /// The running thread's state (`PyThreadState_GetUnchecked`, in 3.12 `_PyThreadState_UncheckedGet`).
            pub thread_state: unsafe extern "C" fn() -> *mut PyThreadState,
            /// `_PyRuntime`, where 3.13 begins its table of offsets for debuggers.
            pub runtime: *const u8,
        }

        impl Api {
            /// Resolves everything, or names the first symbol that is missing.
            pub fn load(version: Version) -> Result<Api, MissingSymbol> {
                let is_313 = version.minor == Minor::V313;
                let thread_state = match version.minor {
                    Minor::V312 => lookup!("_PyThreadState_UncheckedGet")?,
                    Minor::V313 => lookup!("PyThreadState_GetUnchecked")?,
                };
                Ok(Api {
                    $( $fname: {
                        let address = lookup!($fsymbol)?;
                        // SAFETY: the symbol is a function of this C signature in both versions (see its line in the table).
                        unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($arg),*) $(-> $ret)?>(address.as_ptr()) }
                    }, )*
                    $( $oname: if is_313 {
                        let address = lookup!($osymbol)?;
                        // SAFETY: the symbol is a function of this C signature in 3.13 (see its line in the table).
                        Some(unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($oarg),*) $(-> $oret)?>(address.as_ptr()) })
                    } else {
                        None
                    }, )*
                    $( $dname: lookup!($dsymbol)?.as_ptr().cast(), )*
                    // SAFETY: both names are functions that take nothing and return the thread state.
                    thread_state: unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> *mut PyThreadState>(thread_state.as_ptr()) },
                    runtime: lookup!("_PyRuntime")?.as_ptr().cast(),
                })
            }
        }
    };
}

api! {
    functions {
        /// Runs a frame (`Include/internal/pycore_ceval.h`; exported for `PyInterpreterState.eval_frame`).
        eval_frame = "_PyEval_EvalFrameDefault": fn(*mut PyThreadState, *mut u8, c_int) -> *mut PyObject;
        /// What runs the frames of an interpreter: `eval_frame`, unless PEP 523 was made use of (`Include/internal/pycore_interp.h`;
        /// exported for those who do).
        frame_evaluator = "_PyInterpreterState_GetEvalFrameFunc": fn(*mut u8) -> *const c_void;
        /// Makes another function run the frames of an interpreter (as above).
        set_frame_evaluator = "_PyInterpreterState_SetEvalFrameFunc": fn(*mut u8, *const c_void);
        /// New reference to the pending exception, which is cleared (stable ABI since 3.12; dlsym so that 3.11 can load the
        /// extension and be refused by name).
        get_raised = "PyErr_GetRaisedException": fn() -> *mut PyObject;
        /// Sets the pending exception; takes the reference.
        set_raised = "PyErr_SetRaisedException": fn(*mut PyObject);
        /// De-specialised, de-instrumented bytecode, new reference (`Include/cpython/code.h`).
        code_bytes = "PyCode_GetCode": fn(*mut PyObject) -> *mut PyObject;
        /// Fills a structure with the allocator of arenas and of data stack chunks (`Include/cpython/objimpl.h`).
        arena_allocator = "PyObject_GetArenaAllocator": fn(*mut c_void);
        /// Line of a byte offset, or -1 (`Include/cpython/code.h`).
        code_line = "PyCode_Addr2Line": fn(*mut PyObject, c_int) -> c_int;
        /// `Include/cpython/code.h`.
        code_add_watcher = "PyCode_AddWatcher": fn(CodeWatcher) -> c_int;
        /// `Include/cpython/code.h`.
        code_clear_watcher = "PyCode_ClearWatcher": fn(c_int) -> c_int;
        /// `Include/cpython/dictobject.h`.
        dict_add_watcher = "PyDict_AddWatcher": fn(DictWatcher) -> c_int;
        /// `Include/cpython/dictobject.h`.
        dict_clear_watcher = "PyDict_ClearWatcher": fn(c_int) -> c_int;
        /// `Include/cpython/dictobject.h`.
        dict_watch = "PyDict_Watch": fn(c_int, *mut PyObject) -> c_int;
        /// `Include/cpython/dictobject.h`.
        dict_unwatch = "PyDict_Unwatch": fn(c_int, *mut PyObject) -> c_int;
        /// `Include/cpython/funcobject.h`.
        function_add_watcher = "PyFunction_AddWatcher": fn(FunctionWatcher) -> c_int;
        /// `Include/cpython/funcobject.h`.
        function_clear_watcher = "PyFunction_ClearWatcher": fn(c_int) -> c_int;
        /// `Include/cpython/funcobject.h`.
        function_set_vectorcall = "PyFunction_SetVectorcall": fn(*mut PyObject, *mut c_void);
        /// `Include/cpython/object.h`.
        type_add_watcher = "PyType_AddWatcher": fn(TypeWatcher) -> c_int;
        /// `Include/cpython/object.h`.
        type_clear_watcher = "PyType_ClearWatcher": fn(c_int) -> c_int;
        /// `Include/cpython/object.h`.
        type_watch = "PyType_Watch": fn(c_int, *mut PyObject) -> c_int;
        /// `Include/cpython/object.h`.
        type_unwatch = "PyType_Unwatch": fn(c_int, *mut PyObject) -> c_int;
        /// Gives a type a version tag; 0 if it cannot (`Include/cpython/object.h`).
        type_assign_version = "PyUnstable_Type_AssignVersionTag": fn(*mut PyObject) -> c_int;
        /// Borrowed reference from a type's MRO, or null without an exception (`Include/cpython/object.h`).
        type_lookup = "_PyType_Lookup": fn(*mut PyObject, *mut PyObject) -> *mut PyObject;
        /// Calls a visitor on every object the collector knows (`Include/cpython/objimpl.h`).
        visit_heap = "PyUnstable_GC_VisitObjects": fn(HeapVisitor, *mut c_void);
        /// Slot in `co_extra` (`Include/cpython/ceval.h`).
        request_code_extra = "PyUnstable_Eval_RequestCodeExtraIndex": fn(Option<unsafe extern "C" fn(*mut c_void)>) -> isize;
        /// `Include/cpython/code.h`.
        code_get_extra = "PyUnstable_Code_GetExtra": fn(*mut PyObject, isize, *mut *mut c_void) -> c_int;
        /// `Include/cpython/code.h`.
        code_set_extra = "PyUnstable_Code_SetExtra": fn(*mut PyObject, isize, *mut c_void) -> c_int;
        /// The vectorcall entry of an object, or null (`Include/cpython/abstract.h`).
        vectorcall_of = "PyVectorcall_Function": fn(*mut PyObject) -> *mut c_void;
        /// `tp_call` of types with vectorcall (`Include/cpython/abstract.h`; stable ABI since 3.12).
        vectorcall_call = "PyVectorcall_Call": fn(*mut PyObject, *mut PyObject, *mut PyObject) -> *mut PyObject;
        /// The main interpreter (`Include/cpython/pystate.h`).
        main_interpreter = "PyInterpreterState_Main": fn() -> *mut u8;
        /// 1 if the running thread holds the GIL (`Include/cpython/pystate.h`).
        gil_check = "PyGILState_Check": fn() -> c_int;
        /// Switches tracing off for a thread (`Include/cpython/pystate.h`).
        enter_tracing = "PyThreadState_EnterTracing": fn(*mut PyThreadState);
        /// Undoes [`Api::enter_tracing`].
        leave_tracing = "PyThreadState_LeaveTracing": fn(*mut PyThreadState);
        /// The exception being handled, new reference or null (`Include/cpython/pyerrors.h`; stable ABI since 3.11).
        get_handled = "PyErr_GetHandledException": fn() -> *mut PyObject;
        /// Sets the exception being handled; does not take the reference.
        set_handled = "PyErr_SetHandledException": fn(*mut PyObject);
        /// New function: code, globals (`Include/cpython/funcobject.h`).
        function_new = "PyFunction_New": fn(*mut PyObject, *mut PyObject) -> *mut PyObject;
        /// New cell (`Include/cpython/cellobject.h`).
        cell_new = "PyCell_New": fn(*mut PyObject) -> *mut PyObject;
        /// New bound method: function, self (`Include/cpython/classobject.h`).
        method_new = "PyMethod_New": fn(*mut PyObject, *mut PyObject) -> *mut PyObject;
    }
    only_in_313 {
        /// Gives a function its version back (`Include/internal/pycore_function.h`).
        function_set_version = "_PyFunction_SetVersion": fn(*mut PyObject, c_uint);
        /// Handles what the eval breaker asks for (`Include/internal/pycore_ceval.h`).
        handle_pending = "_Py_HandlePending": fn(*mut PyThreadState) -> c_int;
    }
    data {
        /// The type of range iterators (`Include/rangeobject.h`).
        range_iterator_type = "PyRangeIter_Type";
        /// The type of list iterators (`Include/listobject.h`).
        list_iterator_type = "PyListIter_Type";
        /// The type of tuple iterators (`Include/tupleobject.h`).
        tuple_iterator_type = "PyTupleIter_Type";
        /// The type of Python functions (`Include/cpython/funcobject.h`).
        function_type = "PyFunction_Type";
        /// The type of bound methods (`Include/cpython/classobject.h`).
        method_type = "PyMethod_Type";
        /// The type of cells (`Include/cpython/cellobject.h`).
        cell_type = "PyCell_Type";
        /// The type of code objects (`Include/cpython/code.h`).
        code_type = "PyCode_Type";
        /// The type of frame objects.
        frame_type = "PyFrame_Type";
        /// The type of generators (`Include/cpython/genobject.h`).
        generator_type = "PyGen_Type";
        /// The type of coroutines (`Include/cpython/genobject.h`).
        coroutine_type = "PyCoro_Type";
        /// The type of asynchronous generators (`Include/cpython/genobject.h`).
        async_generator_type = "PyAsyncGen_Type";
    }
}

// SAFETY: a table of addresses of functions and static objects, which never change.
unsafe impl Send for Api {}
// SAFETY: as above.
unsafe impl Sync for Api {}
