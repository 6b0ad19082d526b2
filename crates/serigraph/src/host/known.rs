//! THE list of C functions that a trace calls without the precautions for unknown code, and when they deserve that: they look
//! at no frame, do not release the GIL and run no Python code, given arguments of the types said here.

use std::sync::OnceLock;

use serigraph_cpython::refs::decref;
use serigraph_cpython::{api, ffi};

use super::helpers::Helper;
use super::object::{Types, is_immutable_class, is_plain_class};
use super::{bits, object};

/// What a known function does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    /// `len`.
    Len,
    /// `abs`.
    Abs,
    /// `min` of two numbers.
    Min,
    /// `max` of two numbers.
    Max,
    /// `float`.
    Float,
    /// `int`.
    Int,
    /// `bool`.
    Bool,
    /// `math.sqrt`.
    Sqrt,
    /// A function of one double that is defined everywhere but at infinities.
    Float1(Helper),
    /// `math.log` of one positive number.
    Log,
    /// `list.append`.
    ListAppend,
    /// `isinstance`.
    IsInstance,
    /// `range`.
    Range,
    /// Called as it is when all arguments are exact ints, floats, bools, strings or `None`.
    Leaf,
}

type Table = Vec<(u64, Known)>;

static TABLE: OnceLock<Table> = OnceLock::new();

/// Functions of `math`, once the program has imported it.
static MATH: OnceLock<Table> = OnceLock::new();

/// `array.array`, once the program has imported it; 0: it is not what it should be.
static ARRAY: OnceLock<u64> = OnceLock::new();

fn attribute(owner: u64, name: &std::ffi::CStr) -> u64 {
    // SAFETY: a live object (a module or type) and a terminated name; the functions listed below live as long as their
    // module or type, of which a reference is kept; an error is cleared.
    unsafe {
        let result = ffi::PyObject_GetAttrString(object(owner), name.as_ptr());
        if result.is_null() {
            ffi::PyErr_Clear();
        }
        bits(result)
    }
}

fn module(name: &std::ffi::CStr) -> u64 {
    // SAFETY: a terminated name; an error is cleared.
    unsafe {
        let result = ffi::PyImport_ImportModule(name.as_ptr());
        if result.is_null() {
            ffi::PyErr_Clear();
        }
        bits(result)
    }
}

/// Makes the list, once, before the first recording. References to the functions are kept for ever, so their addresses are
/// nobody else's. The GIL must be held and no exception pending. Imports nothing: the program would see it in `sys.modules`.
pub fn prepare(types: &Types) {
    TABLE.get_or_init(|| build(types));
    if MATH.get().is_none()
        && let Some(math) = loaded(c"math")
    {
        MATH.get_or_init(|| build_math(math));
    }
    if ARRAY.get().is_none()
        && let Some(array) = loaded(c"array")
    {
        ARRAY.get_or_init(|| {
            let found = attribute(array, c"array");
            // A program can put anything there, but not with these names and immutable.
            let is_it = found != 0
                && is_plain_class(found)
                && is_immutable_class(found)
                && is_text(attribute(found, c"__module__"), c"array")
                && is_text(attribute(found, c"__name__"), c"array");
            if is_it { found } else { 0 }
        });
    }
}

fn is_text(o: u64, text: &std::ffi::CStr) -> bool {
    // SAFETY: a live object, and a terminated text.
    unsafe {
        o != 0
            && ffi::PyUnicode_CheckExact(object(o)) != 0
            && ffi::PyUnicode_CompareWithASCIIString(object(o), text.as_ptr()) == 0
    }
}

/// `array.array`, once the program has imported it.
pub fn array_type() -> Option<u64> {
    ARRAY.get().copied().filter(|&array| array != 0)
}

/// A module that the program has imported. The reference is kept for ever.
fn loaded(name: &std::ffi::CStr) -> Option<u64> {
    // SAFETY: the GIL is held (see `prepare`); the references are borrowed from a dict that nothing here changes, and the
    // one that is kept is counted.
    unsafe {
        let module = ffi::PyDict_GetItemString(ffi::PyImport_GetModuleDict(), name.as_ptr());
        if module.is_null() || ffi::PyModule_CheckExact(module) == 0 {
            return None;
        }
        ffi::Py_INCREF(module);
        Some(bits(module))
    }
}

fn build(types: &Types) -> Table {
    let mut table = vec![
        (types.float, Known::Float),
        (types.int, Known::Int),
        (types.bool, Known::Bool),
        (types.range, Known::Range),
    ];
    let builtins = module(c"builtins");
    if builtins != 0 {
        for (name, known) in [
            (c"len", Known::Len),
            (c"abs", Known::Abs),
            (c"min", Known::Min),
            (c"max", Known::Max),
            (c"isinstance", Known::IsInstance),
            (c"ord", Known::Leaf),
            (c"chr", Known::Leaf),
            (c"divmod", Known::Leaf),
            (c"round", Known::Leaf),
            (c"hex", Known::Leaf),
            (c"bin", Known::Leaf),
        ] {
            table.push((attribute(builtins, name), known));
        }
    }
    table.push((attribute(types.list, c"append"), Known::ListAppend));
    sorted(table)
}

fn build_math(math: u64) -> Table {
    sorted(
        [
            (c"sqrt", Known::Sqrt),
            (c"sin", Known::Float1(Helper::Sin)),
            (c"cos", Known::Float1(Helper::Cos)),
            (c"tan", Known::Float1(Helper::Tan)),
            (c"atan", Known::Float1(Helper::Atan)),
            (c"log", Known::Log),
            (c"exp", Known::Leaf),
            (c"atan2", Known::Leaf),
            (c"pow", Known::Leaf),
            (c"fabs", Known::Leaf),
            (c"fmod", Known::Leaf),
            (c"floor", Known::Leaf),
            (c"ceil", Known::Leaf),
            (c"trunc", Known::Leaf),
            (c"hypot", Known::Leaf),
            (c"isqrt", Known::Leaf),
            (c"gcd", Known::Leaf),
            (c"isnan", Known::Leaf),
            (c"isinf", Known::Leaf),
            (c"asin", Known::Leaf),
            (c"acos", Known::Leaf),
            (c"sinh", Known::Leaf),
            (c"cosh", Known::Leaf),
            (c"tanh", Known::Leaf),
            (c"log2", Known::Leaf),
            (c"log10", Known::Leaf),
        ]
        .map(|(name, known)| (attribute(math, name), known))
        .to_vec(),
    )
}

/// Ready for the search by address, without what an interpreter does not have.
fn sorted(mut table: Table) -> Table {
    table.retain(|&(address, _)| address != 0);
    table.sort_unstable_by_key(|&(address, _)| address);
    table
}

/// Whether an iterator of this exact type runs no other code: those of strings, bytes, dicts and sets.
pub fn is_plain_iterator(type_address: u64) -> bool {
    static TYPES: OnceLock<Vec<u64>> = OnceLock::new();
    TYPES
        .get_or_init(|| {
            // SAFETY: makes empty containers and their iterators, and releases them; the types are static. Nothing here
            // can fail but for memory, and an error is cleared.
            unsafe {
                let containers = [
                    ffi::PyUnicode_FromStringAndSize(std::ptr::null(), 0),
                    ffi::PyBytes_FromStringAndSize(std::ptr::null(), 0),
                    ffi::PyDict_New(),
                    ffi::PySet_New(std::ptr::null_mut()),
                ];
                let mut types = Vec::new();
                for container in containers {
                    if container.is_null() {
                        continue;
                    }
                    let iterator = ffi::PyObject_GetIter(container);
                    if !iterator.is_null() {
                        types.push(super::object::type_address(bits(iterator)));
                        decref(iterator);
                    }
                    decref(container);
                }
                ffi::PyErr_Clear();
                types
            }
        })
        .contains(&type_address)
}

/// What a callable does, if it is known.
pub fn of(callable: u64) -> Option<Known> {
    [&TABLE, &MATH].into_iter().find_map(|table| {
        let table = table.get()?;
        let at = table.binary_search_by_key(&callable, |&(address, _)| address);
        Some(table[at.ok()?].1)
    })
}

/// Whether a reference to an object is kept for ever, since it is on the list.
pub fn is_kept(o: u64) -> bool {
    of(o).is_some() || array_type() == Some(o)
}

/// The entry that all Python functions have unless somebody has set another: seen in one that is made for it.
/// Nothing is run for it: a signal's handler would run there, too, and what it raises would be lost.
pub fn function_entry() -> Option<u64> {
    static ENTRY: OnceLock<Option<u64>> = OnceLock::new();
    *ENTRY.get_or_init(|| {
        // SAFETY: terminated source text; every object made here is released; an error is cleared.
        unsafe {
            let globals = ffi::PyDict_New();
            let code =
                ffi::Py_CompileString(c"0".as_ptr(), c"<serigraph>".as_ptr(), ffi::Py_eval_input);
            let function = if globals.is_null() || code.is_null() {
                std::ptr::null_mut()
            } else {
                let arguments = [code, globals];
                ffi::PyObject_Vectorcall(
                    api().function_type,
                    arguments.as_ptr(),
                    arguments.len(),
                    std::ptr::null_mut(),
                )
            };
            let entry = (!function.is_null())
                .then(|| super::object::Function::of(bits(function)).vectorcall);
            for o in [function, code, globals] {
                if !o.is_null() {
                    decref(o);
                }
            }
            if entry.is_none() {
                ffi::PyErr_Clear();
            }
            entry
        }
    })
}
