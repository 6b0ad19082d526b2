//! Where the fields of the interpreter's structures are, per version.
//!
//! The tables were read off the headers named at each structure (compiled against 3.12.1 and 3.13.0) and are never
//! trusted: [`check`] proves every field that is used on live objects before anything is attached. Within a minor version
//! the small structures are stable; fields deep inside `PyInterpreterState` move with patch releases and build options, and
//! are looked for when they are not where the table says.

pub mod check;
mod common;
mod v312;
mod v313;

use crate::version::Minor;

/// All offsets, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The version this is the layout of.
    pub minor: Minor,
    /// `_PyInterpreterFrame`.
    pub frame: FrameLayout,
    /// `PyThreadState`.
    pub thread: ThreadLayout,
    /// `PyInterpreterState`.
    pub interpreter: InterpreterLayout,
    /// `PyCodeObject`.
    pub code: CodeLayout,
    /// `_PyCoMonitoringData`.
    pub code_monitoring: CodeMonitoringLayout,
    /// `PyFunctionObject`.
    pub function: FunctionLayout,
    /// `PyTypeObject` and `PyHeapTypeObject`.
    pub type_object: TypeObjectLayout,
    /// instances of classes with a managed dict.
    pub instance: InstanceLayout,
    /// `PyObject`.
    pub object: ObjectLayout,
    /// `PyLongObject`.
    pub int: IntLayout,
    /// `PyFloatObject`.
    pub float: FloatLayout,
    /// `PyListObject`.
    pub list: ListLayout,
    /// `PyTupleObject`.
    pub tuple: TupleLayout,
    /// `PyBytesObject`.
    pub bytes: BytesLayout,
    /// `PyByteArrayObject`.
    pub bytearray: ByteArrayLayout,
    /// `PyASCIIObject`, `PyCompactUnicodeObject`.
    pub str: StrLayout,
    /// `PyDictObject`.
    pub dict: DictLayout,
    /// `PyDictKeysObject`.
    pub dict_keys: DictKeysLayout,
    /// `PySetObject`.
    pub set: SetLayout,
    /// `_PyRangeIterObject`.
    pub range_iterator: RangeIteratorLayout,
    /// `_PyListIterObject`, `_PyTupleIterObject`.
    pub sequence_iterator: SequenceIteratorLayout,
    /// `PyCellObject`.
    pub cell: CellLayout,
    /// `PyMethodObject`.
    pub method: MethodLayout,
    /// `PyCFunctionObject`.
    pub builtin_function: BuiltinFunctionLayout,
    /// `PyMethodDescrObject`.
    pub method_descriptor: MethodDescriptorLayout,
    /// `PyModuleObject`.
    pub module: ModuleLayout,
    /// `PySliceObject`.
    pub slice: SliceLayout,
    /// `PyGenObject`.
    pub generator: GeneratorLayout,
    /// `PyFrameObject`.
    pub frame_object: FrameObjectLayout,
}

/// Fields of `_PyInterpreterFrame` (`Include/internal/pycore_frame.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameLayout {
    /// The code object (`f_code`; 3.13 `f_executable`).
    pub code: usize,
    /// The frame below.
    pub previous: usize,
    /// The function (`f_funcobj`).
    pub function: usize,
    /// `f_globals`, borrowed.
    pub globals: usize,
    /// `f_builtins`, borrowed.
    pub builtins: usize,
    /// `f_locals`, null in optimised functions.
    pub locals: usize,
    /// `frame_obj`, null until somebody asks for it.
    pub frame_object: usize,
    /// `prev_instr` (3.12) or `instr_ptr` (3.13).
    pub instruction: usize,
    /// `stacktop`, i32: number of slots in use, or -1 while the interpreter keeps it in a register.
    pub stack_top: usize,
    /// `return_offset`, u16.
    pub return_offset: usize,
    /// `owner`, u8: 0 thread, 1 generator, 2 frame object, 3 C stack.
    pub owner: usize,
    /// The first slot.
    pub localsplus: usize,
}

/// Fields of `PyThreadState` (`Include/cpython/pystate.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadLayout {
    /// u64 `eval_breaker` (3.13); 0 in 3.12, where it is in the interpreter state.
    pub eval_breaker: usize,
    /// The next thread of the interpreter.
    pub next: usize,
    /// `interp`.
    pub interpreter: usize,
    /// i32.
    pub py_recursion_remaining: usize,
    /// i32.
    pub py_recursion_limit: usize,
    /// i32.
    pub c_recursion_remaining: usize,
    /// i32: above 0 while a trace or monitoring callback runs.
    pub tracing: usize,
    /// i32: the event being delivered, or -1.
    pub what_event: usize,
    /// Pointer to the current frame: `cframe`, whose first field it is (3.12), or `current_frame` itself (3.13).
    pub frame_holder: usize,
    /// `c_profilefunc`.
    pub c_profile_function: usize,
    /// `c_tracefunc`.
    pub c_trace_function: usize,
    /// The pending exception.
    pub current_exception: usize,
    /// The innermost handled-exception record; its first field is the exception.
    pub exc_info: usize,
    /// u64.
    pub thread_id: usize,
    /// The current chunk of the data stack.
    pub datastack_chunk: usize,
    /// First free word of the data stack.
    pub datastack_top: usize,
    /// End of the data stack chunk.
    pub datastack_limit: usize,
}

/// Fields of `PyInterpreterState` (`Include/internal/pycore_interp.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterpreterLayout {
    /// i32 `ceval.eval_breaker` (3.12); 0 in 3.13, where it is in the thread state.
    pub eval_breaker: usize,
    /// u64 `monitoring_version` (3.12); 0 in 3.13, where it is part of the thread's eval breaker.
    pub monitoring_version: usize,
    /// `threads.head`.
    pub threads: usize,
    /// `monitors`: a byte of tool bits for each event (15), global events.
    pub monitors: usize,
    /// `monitoring_tool_names`: 8 objects.
    pub monitoring_tool_names: usize,
    /// `eval_frame`: who runs the frames (PEP 523); null for the interpreter itself.
    pub eval_frame: usize,
    /// Head of the free list of floats, linked through `ob_type`.
    pub float_free_list: usize,
    /// i32, length of that list.
    pub float_free_count: usize,
    /// i32, allocations since the last collection of the young generation.
    pub gc_count: usize,
}

/// Fields of `PyCodeObject` (`Include/cpython/code.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeLayout {
    /// `co_consts`, a tuple.
    pub consts: usize,
    /// `co_names`, a tuple.
    pub names: usize,
    /// `co_exceptiontable`, bytes.
    pub exception_table: usize,
    /// i32.
    pub flags: usize,
    /// i32.
    pub arg_count: usize,
    /// i32.
    pub posonly_arg_count: usize,
    /// i32.
    pub kwonly_arg_count: usize,
    /// i32.
    pub stack_size: usize,
    /// i32.
    pub first_line: usize,
    /// i32.
    pub nlocalsplus: usize,
    /// i32, in words.
    pub frame_size: usize,
    /// i32.
    pub nlocals: usize,
    /// u32.
    pub version: usize,
    /// Tuple.
    pub localsplus_names: usize,
    /// Bytes.
    pub localsplus_kinds: usize,
    /// Str.
    pub filename: usize,
    /// Str.
    pub name: usize,
    /// Str.
    pub qualname: usize,
    /// u64, `_co_instrumentation_version`.
    pub instrumentation_version: usize,
    /// `_co_monitoring`, null until the code is instrumented.
    pub monitoring: usize,
    /// i32, `_co_firsttraceable`: index of the `RESUME` that starts the function.
    pub first_traceable: usize,
    /// The running code units, `co_code_adaptive`.
    pub adaptive: usize,
}

/// Fields of `_PyCoMonitoringData` (`Include/cpython/code.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeMonitoringLayout {
    /// u8 of tool bits for each event, `active_monitors`.
    pub active: usize,
    /// How many events that array has.
    pub active_count: usize,
}

/// Fields of `PyFunctionObject` (`Include/cpython/funcobject.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionLayout {
    /// `func_globals`.
    pub globals: usize,
    /// `func_builtins`.
    pub builtins: usize,
    /// `func_name`.
    pub name: usize,
    /// `func_qualname`.
    pub qualname: usize,
    /// `func_code`.
    pub code: usize,
    /// `func_defaults`, tuple or null.
    pub defaults: usize,
    /// `func_kwdefaults`, dict or null.
    pub kwdefaults: usize,
    /// `func_closure`, tuple or null.
    pub closure: usize,
    /// The entry.
    pub vectorcall: usize,
    /// u32, `func_version`.
    pub version: usize,
}

/// Fields of `PyTypeObject` and `PyHeapTypeObject` (`Include/cpython/object.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeObjectLayout {
    /// `tp_name`.
    pub name: usize,
    /// `tp_basicsize`.
    pub basic_size: usize,
    /// `tp_itemsize`.
    pub item_size: usize,
    /// `tp_dealloc`.
    pub dealloc: usize,
    /// `tp_vectorcall_offset`.
    pub vectorcall_offset: usize,
    /// `tp_as_number`.
    pub as_number: usize,
    /// `tp_as_sequence`.
    pub as_sequence: usize,
    /// `tp_as_mapping`.
    pub as_mapping: usize,
    /// `tp_call`.
    pub call: usize,
    /// `tp_getattro`.
    pub getattro: usize,
    /// `tp_setattro`.
    pub setattro: usize,
    /// u64, `tp_flags`.
    pub flags: usize,
    /// `tp_richcompare`.
    pub richcompare: usize,
    /// `tp_iter`.
    pub iter: usize,
    /// `tp_iternext`.
    pub iternext: usize,
    /// `tp_base`.
    pub base: usize,
    /// `tp_dict`; null for static builtin types, whose dict is kept by the interpreter.
    pub dict: usize,
    /// `tp_descr_get`.
    pub descr_get: usize,
    /// `tp_descr_set`.
    pub descr_set: usize,
    /// `tp_dictoffset`.
    pub dict_offset: usize,
    /// `tp_init`.
    pub init: usize,
    /// `tp_new`.
    pub new: usize,
    /// `tp_mro`, a tuple.
    pub mro: usize,
    /// u32, `tp_version_tag`; 0 = none.
    pub version_tag: usize,
    /// `tp_vectorcall`.
    pub vectorcall: usize,
    /// u8, bits of type watchers.
    pub watched: usize,
    /// `ht_cached_keys`: the shared keys of instances (heap types only).
    pub cached_keys: usize,
}

/// Fields of instances of classes with a managed dict (`Include/internal/pycore_object.h, pycore_dict.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceLayout {
    /// bytes BEFORE the object of the managed word: 3.12 `values + 1` (odd) or the dict or null; 3.13 the dict or null.
    pub dict_or_values_before: usize,
    /// 3.13: where the inline `PyDictValues` begin (capacity, size, embedded, valid: u8 each); 0 in 3.12, which has none.
    pub inline_values: usize,
    /// 3.13: u8, not 0 while the inline values are the instance's attributes; 0 in 3.12.
    pub inline_values_valid: usize,
    /// The first attribute: from the object (3.13), from the values pointer (3.12).
    pub first_value: usize,
}

/// Fields of `PyObject` (`Include/object.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectLayout {
    /// i64; the low 32 bits all set means immortal.
    pub ref_count: usize,
    /// `ob_type`.
    pub ob_type: usize,
    /// `ob_size` of variable-size objects.
    pub size: usize,
}

/// Fields of `PyLongObject` (`Include/cpython/longintrepr.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntLayout {
    /// u64 `lv_tag`: digits << 3 | sign (0 positive, 1 zero, 2 negative).
    pub tag: usize,
    /// u32 each, 30 bits used.
    pub digits: usize,
}

/// Fields of `PyFloatObject` (`Include/cpython/floatobject.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FloatLayout {
    /// f64.
    pub value: usize,
}

/// Fields of `PyListObject` (`Include/cpython/listobject.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListLayout {
    /// Length.
    pub size: usize,
    /// `ob_item`, pointer to the items.
    pub items: usize,
    /// Capacity.
    pub allocated: usize,
}

/// Fields of `PyTupleObject` (`Include/cpython/tupleobject.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TupleLayout {
    /// Length.
    pub size: usize,
    /// The first item.
    pub items: usize,
}

/// Fields of `PyBytesObject` (`Include/cpython/bytesobject.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BytesLayout {
    /// Length.
    pub size: usize,
    /// The first byte.
    pub data: usize,
}

/// Fields of `PyByteArrayObject` (`Include/cpython/bytearrayobject.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByteArrayLayout {
    /// Length.
    pub size: usize,
    /// `ob_start`, pointer to the first byte.
    pub start: usize,
}

/// Fields of `PyASCIIObject`, `PyCompactUnicodeObject` (`Include/cpython/unicodeobject.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrLayout {
    /// In code points.
    pub length: usize,
    /// -1 = not computed yet.
    pub hash: usize,
    /// x.
    pub state: usize,
    /// The text of a compact ASCII string.
    pub ascii_data: usize,
    /// The text of other compact strings.
    pub compact_data: usize,
}

/// Fields of `PyDictObject` (`Include/cpython/dictobject.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DictLayout {
    /// Length.
    pub used: usize,
    /// u64, changes with every store; low bits are watcher bits.
    pub version: usize,
    /// `ma_keys`.
    pub keys: usize,
    /// `ma_values`, not null in a dict with shared keys.
    pub values: usize,
}

/// Fields of `PyDictKeysObject` (`Include/internal/pycore_dict.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DictKeysLayout {
    /// u8.
    pub log2_size: usize,
    /// u8.
    pub log2_index_bytes: usize,
    /// u8: 0 general, 1 unicode, 2 split.
    pub kind: usize,
    /// u32, 0 = none.
    pub version: usize,
    /// isize.
    pub usable: usize,
    /// isize, entries used.
    pub entry_count: usize,
    /// The index table; the entries follow it.
    pub indices: usize,
    /// Bytes of a {key, value} entry.
    pub unicode_entry_size: usize,
    /// Bytes of a {hash, key, value} entry.
    pub general_entry_size: usize,
}

/// Fields of `PySetObject` (`Include/cpython/setobject.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetLayout {
    /// Used and dummy entries.
    pub fill: usize,
    /// Length.
    pub used: usize,
    /// Table size - 1.
    pub mask: usize,
    /// Pointer to {key, hash} entries of 16 bytes.
    pub table: usize,
}

/// Fields of `_PyRangeIterObject` (`Include/internal/pycore_range.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeIteratorLayout {
    /// i64, the next value.
    pub start: usize,
    /// i64.
    pub step: usize,
    /// i64, how many are left.
    pub remaining: usize,
}

/// Fields of `_PyListIterObject`, `_PyTupleIterObject` (`Include/internal/pycore_list.h, pycore_tuple.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceIteratorLayout {
    /// isize, the next index.
    pub index: usize,
    /// The list or tuple; null when exhausted.
    pub sequence: usize,
}

/// Fields of `PyCellObject` (`Include/cpython/cellobject.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellLayout {
    /// `ob_ref`, null when empty.
    pub content: usize,
}

/// Fields of `PyMethodObject` (`Include/cpython/classobject.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodLayout {
    /// `im_func`.
    pub function: usize,
    /// `im_self`.
    pub self_object: usize,
}

/// Fields of `PyCFunctionObject` (`Include/cpython/methodobject.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltinFunctionLayout {
    /// `m_ml`, a `PyMethodDef`.
    pub definition: usize,
    /// `m_self`.
    pub self_object: usize,
    /// `m_module`.
    pub module: usize,
    /// The entry.
    pub vectorcall: usize,
}

/// Fields of `PyMethodDescrObject` (`Include/cpython/descrobject.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodDescriptorLayout {
    /// `d_common.d_type`.
    pub owner: usize,
    /// `d_common.d_name`.
    pub name: usize,
    /// `d_method`, a `PyMethodDef`; in slot descriptors `d_member`, a `PyMemberDef`.
    pub definition: usize,
    /// The entry.
    pub vectorcall: usize,
}

/// Fields of `PyModuleObject` (`Include/internal/pycore_moduleobject.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleLayout {
    /// `md_dict`.
    pub dict: usize,
}

/// Fields of `PySliceObject` (`Include/sliceobject.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceLayout {
    /// First field.
    pub start: usize,
    /// Second field.
    pub stop: usize,
    /// Third field.
    pub step: usize,
}

/// Fields of `PyGenObject` (`Include/cpython/genobject.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratorLayout {
    /// `gi_exc_state`.
    pub exc_state: usize,
    /// i8, `gi_frame_state`: created -2 and suspended -1 in 3.12; created -3, suspended -2, suspended in `yield from` -1 in 3.13;
    /// both: executing 0, completed 1, cleared 4.
    pub state: usize,
    /// The embedded `_PyInterpreterFrame`.
    pub frame: usize,
}

/// Fields of `PyFrameObject` (`Include/internal/pycore_frame.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameObjectLayout {
    /// `f_frame`.
    pub frame: usize,
    /// `f_trace`, null or the local trace function.
    pub trace: usize,
}

impl Layout {
    /// The table of a version, as its headers say.
    pub fn expected(minor: Minor) -> Layout {
        match minor {
            Minor::V312 => v312::LAYOUT,
            Minor::V313 => v313::LAYOUT,
        }
    }
}
