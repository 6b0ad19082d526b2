//! Structures that are the same in 3.12 and 3.13.

use super::*;

/// `Include/internal/pycore_frame.h`.
pub(super) const FRAME: FrameLayout = FrameLayout {
    code: 0,
    previous: 8,
    function: 16,
    globals: 24,
    builtins: 32,
    locals: 40,
    frame_object: 48,
    instruction: 56,
    stack_top: 64,
    return_offset: 68,
    owner: 70,
    localsplus: 72,
};

/// `Include/cpython/funcobject.h`.
pub(super) const FUNCTION: FunctionLayout = FunctionLayout {
    globals: 16,
    builtins: 24,
    name: 32,
    qualname: 40,
    code: 48,
    defaults: 56,
    kwdefaults: 64,
    closure: 72,
    vectorcall: 128,
    version: 136,
};

/// `Include/cpython/object.h`.
pub(super) const TYPE_OBJECT: TypeObjectLayout = TypeObjectLayout {
    name: 24,
    basic_size: 32,
    item_size: 40,
    dealloc: 48,
    vectorcall_offset: 56,
    as_number: 96,
    as_sequence: 104,
    as_mapping: 112,
    call: 128,
    getattro: 144,
    setattro: 152,
    flags: 168,
    richcompare: 200,
    iter: 216,
    iternext: 224,
    base: 256,
    dict: 264,
    descr_get: 272,
    descr_set: 280,
    dict_offset: 288,
    init: 296,
    new: 312,
    mro: 344,
    version_tag: 384,
    vectorcall: 400,
    watched: 408,
    cached_keys: 880,
};

/// `Include/object.h`.
pub(super) const OBJECT: ObjectLayout = ObjectLayout {
    ref_count: 0,
    ob_type: 8,
    size: 16,
};

/// `Include/cpython/longintrepr.h`.
pub(super) const INT: IntLayout = IntLayout {
    tag: 16,
    digits: 24,
};

/// `Include/cpython/floatobject.h`.
pub(super) const FLOAT: FloatLayout = FloatLayout { value: 16 };

/// `Include/cpython/listobject.h`.
pub(super) const LIST: ListLayout = ListLayout {
    size: 16,
    items: 24,
    allocated: 32,
};

/// `Include/cpython/tupleobject.h`.
pub(super) const TUPLE: TupleLayout = TupleLayout {
    size: 16,
    items: 24,
};

/// `Include/cpython/bytesobject.h`.
pub(super) const BYTES: BytesLayout = BytesLayout { size: 16, data: 32 };

/// `Include/cpython/bytearrayobject.h`.
pub(super) const BYTEARRAY: ByteArrayLayout = ByteArrayLayout {
    size: 16,
    start: 40,
};

/// `Include/cpython/unicodeobject.h`.
pub(super) const STR: StrLayout = StrLayout {
    length: 16,
    hash: 24,
    state: 32,
    ascii_data: 40,
    compact_data: 56,
};

/// `Include/cpython/dictobject.h`.
pub(super) const DICT: DictLayout = DictLayout {
    used: 16,
    version: 24,
    keys: 32,
    values: 40,
};

/// `Include/internal/pycore_dict.h`.
pub(super) const DICT_KEYS: DictKeysLayout = DictKeysLayout {
    log2_size: 8,
    log2_index_bytes: 9,
    kind: 10,
    version: 12,
    usable: 16,
    entry_count: 24,
    indices: 32,
    unicode_entry_size: 16,
    general_entry_size: 24,
};

/// `Include/cpython/setobject.h`.
pub(super) const SET: SetLayout = SetLayout {
    fill: 16,
    used: 24,
    mask: 32,
    table: 40,
};

/// `Include/internal/pycore_range.h`.
pub(super) const RANGE_ITERATOR: RangeIteratorLayout = RangeIteratorLayout {
    start: 16,
    step: 24,
    remaining: 32,
};

/// `Include/internal/pycore_list.h, pycore_tuple.h`.
pub(super) const SEQUENCE_ITERATOR: SequenceIteratorLayout = SequenceIteratorLayout {
    index: 16,
    sequence: 24,
};

/// `Include/cpython/cellobject.h`.
pub(super) const CELL: CellLayout = CellLayout { content: 16 };

/// `Include/cpython/classobject.h`.
pub(super) const METHOD: MethodLayout = MethodLayout {
    function: 16,
    self_object: 24,
};

/// `Include/cpython/methodobject.h`.
pub(super) const BUILTIN_FUNCTION: BuiltinFunctionLayout = BuiltinFunctionLayout {
    definition: 16,
    self_object: 24,
    module: 32,
    vectorcall: 48,
};

/// `Include/cpython/descrobject.h`.
pub(super) const METHOD_DESCRIPTOR: MethodDescriptorLayout = MethodDescriptorLayout {
    owner: 16,
    name: 24,
    definition: 40,
    vectorcall: 48,
};

/// `Include/internal/pycore_moduleobject.h`.
pub(super) const MODULE: ModuleLayout = ModuleLayout { dict: 16 };

/// `Include/sliceobject.h`.
pub(super) const SLICE: SliceLayout = SliceLayout {
    start: 16,
    stop: 24,
    step: 32,
};

/// `Include/cpython/genobject.h`.
pub(super) const GENERATOR: GeneratorLayout = GeneratorLayout {
    exc_state: 40,
    state: 67,
    frame: 72,
};

/// `Include/internal/pycore_frame.h`.
pub(super) const FRAME_OBJECT: FrameObjectLayout = FrameObjectLayout {
    frame: 24,
    trace: 32,
};
