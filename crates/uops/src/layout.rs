//! Where things lie in memory: the offsets that are the same in CPython 3.12 and 3.13, and the offsets of the activation.
//!
//! Shared by the stencil bodies (which include this file), the evaluator, and the start-up check of `serigraph-cpython`,
//! which refuses to attach to an interpreter whose objects are laid out otherwise. All are for release builds with a GIL on
//! x86-64 Linux.

// --- Every object: `struct _object`, Include/object.h.

/// `ob_refcnt`. An object is immortal if the low 32 bits are negative as an `i32`.
pub const OBJECT_REFCOUNT: usize = 0;
/// `ob_type`.
pub const OBJECT_TYPE: usize = 8;
/// `ob_size` of a variable-size object: `PyVarObject`, Include/object.h.
pub const VAR_SIZE: usize = 16;

// --- Numbers.

/// `ob_fval`: `PyFloatObject`, Include/cpython/floatobject.h.
pub const FLOAT_VALUE: usize = 16;
/// `long_value.lv_tag`: `_PyLongValue`, Include/cpython/longintrepr.h: digit count << 3 | sign (0 positive, 1 zero, 2 negative).
pub const INT_TAG: usize = 16;
/// `long_value.ob_digit`: 30-bit digits in `u32`s.
pub const INT_DIGITS: usize = 24;
/// An int is compact (at most one digit) if its tag is below this: `_PyLong_IsCompact`, Include/cpython/longintrepr.h.
pub const INT_COMPACT_LIMIT: u64 = 2 << 3;
/// The bits of the tag that hold the sign; a compact value is `(1 - sign) * digit`.
pub const INT_SIGN_MASK: u64 = 3;
/// `sizeof(PyLongObject)`, the stride of the table of small ints (`_PyRuntime.static_objects.singletons.small_ints`).
pub const SMALL_INT_STRIDE: usize = 32;
/// The least small int: `_PY_NSMALLNEGINTS`, Include/internal/pycore_global_objects.h (3.12), pycore_runtime_structs (3.13).
pub const SMALL_INT_MIN: i64 = -5;
/// The number of small ints, from -5 to 256.
pub const SMALL_INT_COUNT: u64 = 262;

// --- Sequences.

/// `ob_item`: `PyListObject`, Include/cpython/listobject.h.
pub const LIST_ITEMS: usize = 24;
/// `ob_item[0]`: `PyTupleObject`, Include/cpython/tupleobject.h.
pub const TUPLE_ITEMS: usize = 24;

// --- Iterators.

/// `start`: `_PyRangeIterObject`, Include/internal/pycore_range.h.
pub const RANGE_ITER_START: usize = 16;
/// `step` of a range iterator.
pub const RANGE_ITER_STEP: usize = 24;
/// `len` of a range iterator: how many items are left.
pub const RANGE_ITER_LENGTH: usize = 32;
/// `it_index` of a list or tuple iterator: `_PyListIterObject`, Include/internal/pycore_list.h; `_PyTupleIterObject`, pycore_tuple.h.
pub const SEQUENCE_ITER_INDEX: usize = 16;
/// `it_seq` of a list or tuple iterator; null when exhausted.
pub const SEQUENCE_ITER_SEQUENCE: usize = 24;

// --- Frames: `_PyInterpreterFrame`, Include/internal/pycore_frame.h.

/// `previous`: the frame that called this one.
pub const FRAME_PREVIOUS: usize = 8;
/// `frame_obj`: the frame object, if somebody has asked for one, or null.
pub const FRAME_OBJECT: usize = 48;
/// `prev_instr` (3.12) or `instr_ptr` (3.13).
pub const FRAME_INSTRUCTION: usize = 56;
/// `localsplus[0]`.
pub const FRAME_LOCALS: usize = 72;
/// The distance between two slots of a frame.
pub const SLOT_SIZE: usize = 8;
/// The words of a frame before its slots.
pub const FRAME_HEAD_WORDS: usize = FRAME_LOCALS / 8;
/// The words of the image that `push_frame` copies: the head, and the first word of the activation's room for frames where it goes.
pub const FRAME_IMAGE_WORDS: usize = FRAME_HEAD_WORDS + 1;

// --- Calls.

/// `PY_VECTORCALL_ARGUMENTS_OFFSET`, Include/cpython/abstract.h: the callee may use the word before the arguments.
pub const VECTORCALL_ARGUMENTS_OFFSET: u64 = 1 << 63;

// --- The activation (`serigraph_stencil::Activation`): what `rsp` points to while a trace runs.

/// The address of the word that `poll_word32` looks at. First of all, since short offsets make short instructions.
pub const ACTIVATION_POLL32_WORD: usize = 0;
/// What that word is expected to hold (low 32 bits).
pub const ACTIVATION_POLL32_EXPECTED: usize = ACTIVATION_POLL32_WORD + 8;
/// The address of the word that `poll_word64` looks at.
pub const ACTIVATION_POLL64_WORD: usize = ACTIVATION_POLL32_EXPECTED + 8;
/// What that word is expected to hold.
pub const ACTIVATION_POLL64_EXPECTED: usize = ACTIVATION_POLL64_WORD + 8;
/// Outgoing arguments. Index 0 is the word before the arguments of a vectorcall.
pub const ACTIVATION_ARGS: usize = ACTIVATION_POLL64_EXPECTED + 8;
/// How many outgoing arguments there is room for.
pub const ARGS: usize = 32;
/// The address of the running frame.
pub const ACTIVATION_FRAME: usize = ACTIVATION_ARGS + 8 * ARGS;
/// The host's pointer.
pub const ACTIVATION_USER: usize = ACTIVATION_FRAME + 8;
/// The function that the trace leaves to.
pub const ACTIVATION_HANDLER: usize = ACTIVATION_USER + 8;
/// The number of the exit that was taken.
pub const ACTIVATION_EXIT: usize = ACTIVATION_HANDLER + 8;
/// The general value registers at the exit, in the order of their indices (the last word is padding).
pub const ACTIVATION_GP: usize = ACTIVATION_EXIT + 8;
/// The float value registers at the exit, in order.
pub const ACTIVATION_FP: usize = ACTIVATION_GP + 8 * 8;
/// Spill slots.
pub const ACTIVATION_SPILLS: usize = ACTIVATION_FP + 8 * 8;
/// How many spill slots there are.
pub const SPILL_SLOTS: usize = 200;
/// The address of the thread's word that says which frame is the current one.
pub const ACTIVATION_CURRENT_FRAME: usize = ACTIVATION_SPILLS + 8 * SPILL_SLOTS;
/// The address of the thread's 32-bit count of Python calls that may still be nested.
pub const ACTIVATION_RECURSION: usize = ACTIVATION_CURRENT_FRAME + 8;
/// Room for the frames of inlined functions.
pub const ACTIVATION_FRAMES: usize = ACTIVATION_RECURSION + 8;
/// How many words of room there are.
pub const FRAME_WORDS: usize = 384;
/// The size of the activation: a multiple of 16.
pub const ACTIVATION_SIZE: usize = ACTIVATION_FRAMES + 8 * FRAME_WORDS;
const _: () = assert!(ACTIVATION_SIZE.is_multiple_of(16));
