//! The built-in types that the recorder knows.

use serigraph_cpython::ffi;
use serigraph_cpython::refs::type_of;
use serigraph_cpython::{api, layout};

use super::bits;

macro_rules! types {
    ($( $(#[$doc:meta])* $name:ident = $address:expr; )*) => {
        /// The addresses of the built-in types that the recorder knows.
        #[derive(Clone, Copy, Debug)]
        pub struct Types { $( $(#[$doc])* pub $name: u64, )* }

        impl Types {
            /// Of the running interpreter. The GIL must be held.
            pub fn new() -> Types {
                Types { $( $name: bits($address), )* }
            }
            /// Whether it is one of them: a type whose instances cannot change their type.
            pub fn is_known(&self, type_address: u64) -> bool {
                $( type_address == self.$name )||*
            }
        }
    };
}

types! {
    /// `int`.
    int = (&raw mut ffi::PyLong_Type).cast();
    /// `float`.
    float = (&raw mut ffi::PyFloat_Type).cast();
    /// `bool`.
    bool = (&raw mut ffi::PyBool_Type).cast();
    /// `complex`.
    complex = (&raw mut ffi::PyComplex_Type).cast();
    /// `str`.
    str = (&raw mut ffi::PyUnicode_Type).cast();
    /// `bytes`.
    bytes = (&raw mut ffi::PyBytes_Type).cast();
    /// The type of `None`.
    // SAFETY: `None` is a live object.
    none = unsafe { type_of(ffi::Py_None()) };
    /// `list`.
    list = (&raw mut ffi::PyList_Type).cast();
    /// `tuple`.
    tuple = (&raw mut ffi::PyTuple_Type).cast();
    /// `dict`.
    dict = (&raw mut ffi::PyDict_Type).cast();
    /// `set`.
    set = (&raw mut ffi::PySet_Type).cast();
    /// `frozenset`.
    frozenset = (&raw mut ffi::PyFrozenSet_Type).cast();
    /// `slice`.
    slice = (&raw mut ffi::PySlice_Type).cast();
    /// `range`.
    range = (&raw mut ffi::PyRange_Type).cast();
    /// `range_iterator`.
    range_iterator = api().range_iterator_type;
    /// `list_iterator`.
    list_iterator = api().list_iterator_type;
    /// `tuple_iterator`.
    tuple_iterator = api().tuple_iterator_type;
    /// `function`.
    function = api().function_type;
    /// `method`.
    method = api().method_type;
    /// `cell`.
    cell = api().cell_type;
    /// `code`.
    code = api().code_type;
    /// `builtin_function_or_method`.
    builtin = (&raw mut ffi::PyCFunction_Type).cast();
    /// `method_descriptor`.
    method_descriptor = (&raw mut ffi::PyMethodDescr_Type).cast();
}

impl Types {
    /// Whether the death of an object of this exact type runs no code and can be seen by nobody.
    pub fn is_plain(&self, t: u64) -> bool {
        t == self.int
            || t == self.float
            || t == self.bool
            || t == self.str
            || t == self.none
            || t == self.range
            || t == self.range_iterator
            || t == self.bytes
            || t == self.complex
    }
    /// Whether the length of an object of this exact type is its truth value, in a 64-bit field at this offset.
    pub fn length_offset(&self, t: u64) -> Option<u64> {
        if t == self.str {
            Some(layout().str.length as u64)
        } else if t == self.dict {
            Some(layout().dict.used as u64)
        } else if t == self.set || t == self.frozenset {
            Some(layout().set.used as u64)
        } else if t == self.bytes {
            Some(layout().bytes.size as u64)
        } else {
            None
        }
    }
}

impl Default for Types {
    fn default() -> Types {
        Types::new()
    }
}
