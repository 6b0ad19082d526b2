//! Checks of plain objects: each is made through the C API and read back at the expected offsets.

use super::samples::Samples;
use super::{CheckError, attribute, classes, holds, int_attribute, object, same};
use crate::ffi::{self, PyObject};
use crate::layout::Layout;
use crate::memory::read;
use crate::runtime::Runtime;

pub(super) fn field<T: Copy>(of: *mut PyObject, offset: usize) -> T {
    // SAFETY: the checks read fields of live objects at offsets inside them; every bit pattern is a valid integer or pointer.
    unsafe { read(of.cast(), offset) }
}

pub(super) fn pointer(of: *mut PyObject, offset: usize) -> *mut PyObject {
    field(of, offset)
}

/// Everything.
pub(super) fn run(runtime: &Runtime, samples: &Samples) -> Result<(), CheckError> {
    let layout = &runtime.layout;
    numbers(layout)?;
    sequences(layout, samples)?;
    strings(layout, samples)?;
    dicts(layout, samples)?;
    iterators(layout, runtime, samples)?;
    classes::run(runtime, samples)
}

fn numbers(layout: &Layout) -> Result<(), CheckError> {
    // SAFETY: constructors of the C API; results are checked.
    unsafe {
        let float = object("float", ffi::PyFloat_FromDouble(1.5))?;
        same(
            "object.ob_type",
            &raw mut ffi::PyFloat_Type as *mut PyObject,
            pointer(float.as_ptr(), layout.object.ob_type),
        )?;
        same(
            "object.ref_count",
            1,
            field::<i64>(float.as_ptr(), layout.object.ref_count),
        )?;
        same(
            "float.value",
            1.5,
            field::<f64>(float.as_ptr(), layout.float.value),
        )?;
        for (value, tag, digits) in [
            (5_i64, 1_u64 << 3, [5, 0]),
            (0, 1, [0, 0]),
            (-1000, 1 << 3 | 2, [1000, 0]),
            ((7 << 30) + 9, 2 << 3, [9, 7]),
        ] {
            let int = object("int", ffi::PyLong_FromLongLong(value))?;
            same("int.tag", tag, field::<u64>(int.as_ptr(), layout.int.tag))?;
            same(
                "int.digits",
                digits[0],
                field::<u32>(int.as_ptr(), layout.int.digits),
            )?;
            if digits[1] != 0 {
                same(
                    "int.digits",
                    digits[1],
                    field::<u32>(int.as_ptr(), layout.int.digits + 4),
                )?;
            }
        }
        same(
            "immortal objects",
            u32::MAX,
            field::<u32>(ffi::Py_None(), layout.object.ref_count),
        )
    }
}

fn sequences(layout: &Layout, samples: &Samples) -> Result<(), CheckError> {
    // SAFETY: constructors of the C API; results are checked.
    unsafe {
        let list = object("list", ffi::PyList_New(0))?;
        let tuple = object("tuple", ffi::PyTuple_New(2))?;
        for value in [ffi::Py_None(), ffi::Py_True()] {
            same("list", 0, ffi::PyList_Append(list.as_ptr(), value))?;
        }
        ffi::PyTuple_SetItem(tuple.as_ptr(), 1, ffi::Py_True());
        same(
            "list.size",
            2,
            field::<isize>(list.as_ptr(), layout.list.size),
        )?;
        let items: *mut PyObject = pointer(list.as_ptr(), layout.list.items);
        same("list.items", ffi::Py_True(), pointer(items, 8))?;
        let allocated: isize = field(list.as_ptr(), layout.list.allocated);
        holds("list.allocated", "2 to 8", (2..=8).contains(&allocated))?;
        same(
            "tuple.size",
            2,
            field::<isize>(tuple.as_ptr(), layout.tuple.size),
        )?;
        same(
            "tuple.items",
            ffi::Py_True(),
            pointer(tuple.as_ptr(), layout.tuple.items + 8),
        )?;
        let bytes = object(
            "bytes",
            ffi::PyBytes_FromStringAndSize(c"hello".as_ptr(), 5),
        )?;
        same(
            "bytes.size",
            5,
            field::<isize>(bytes.as_ptr(), layout.bytes.size),
        )?;
        same(
            "bytes.data",
            *b"hello",
            field::<[u8; 5]>(bytes.as_ptr(), layout.bytes.data),
        )?;
    }
    let array = samples.get(c"array")?;
    same(
        "bytearray.size",
        4,
        field::<isize>(array.as_ptr(), layout.bytearray.size),
    )?;
    same(
        "bytearray.start",
        *b"xyzw",
        field::<[u8; 4]>(pointer(array.as_ptr(), layout.bytearray.start), 0),
    )?;
    let slice = samples.get(c"slices")?;
    for (name, offset, value) in [
        (c"start", layout.slice.start, 1),
        (c"stop", layout.slice.stop, 2),
        (c"step", layout.slice.step, 3),
    ] {
        same(
            "slice",
            value,
            int_attribute("slice", slice.as_ptr(), name)?,
        )?;
        same(
            "slice",
            attribute("slice", slice.as_ptr(), name)?.as_ptr(),
            pointer(slice.as_ptr(), offset),
        )?;
    }
    Ok(())
}

fn strings(layout: &Layout, samples: &Samples) -> Result<(), CheckError> {
    let text = samples.get(c"text")?;
    let text = text.as_ptr();
    same("str.length", 3, field::<isize>(text, layout.str.length))?;
    // SAFETY: a valid object that has a hash.
    let hash = unsafe { ffi::PyObject_Hash(text) };
    same("str.hash", hash, field::<isize>(text, layout.str.hash))?;
    same(
        "str.ascii_data",
        *b"abc\0",
        field::<[u8; 4]>(text, layout.str.ascii_data),
    )?;
    let state = |of| field::<u32>(of, layout.str.state) >> 2 & 0b1_1111;
    same("str.state of ASCII text", 0b1_1001, state(text))?;
    let accent = samples.get(c"accent")?;
    same(
        "str.state of Latin-1 text",
        0b0_1001,
        state(accent.as_ptr()),
    )?;
    same(
        "str.compact_data",
        0xe9,
        field::<u8>(accent.as_ptr(), layout.str.compact_data),
    )?;
    let wide = samples.get(c"wide")?;
    same("str.state of wide text", 0b0_1010, state(wide.as_ptr()))?;
    same(
        "str.compact_data of wide text",
        0x20ac,
        field::<u16>(wide.as_ptr(), layout.str.compact_data),
    )
}

fn dicts(layout: &Layout, samples: &Samples) -> Result<(), CheckError> {
    let text = samples.get(c"text")?;
    let keys_layout = &layout.dict_keys;
    for (name, kind, value_at) in [(c"dictionary", 1_u8, 8), (c"general", 0, 16)] {
        let dict = samples.get(name)?;
        let dict = dict.as_ptr();
        same("dict.used", 1, field::<isize>(dict, layout.dict.used))?;
        same(
            "dict.values",
            std::ptr::null_mut(),
            pointer(dict, layout.dict.values),
        )?;
        let keys = pointer(dict, layout.dict.keys);
        same("dict_keys.kind", kind, field::<u8>(keys, keys_layout.kind))?;
        same(
            "dict_keys.entry_count",
            1,
            field::<isize>(keys, keys_layout.entry_count),
        )?;
        let log2_index_bytes: u8 = field(keys, keys_layout.log2_index_bytes);
        same(
            "dict_keys.log2_size",
            3,
            field::<u8>(keys, keys_layout.log2_size),
        )?;
        same("dict_keys.log2_index_bytes", 3, log2_index_bytes)?;
        let entry = keys_layout.indices + (1 << log2_index_bytes);
        same(
            "the first dict entry",
            text.as_ptr(),
            pointer(keys, entry + value_at),
        )?;
        let version: u64 = field(dict, layout.dict.version);
        let usable: isize = field(keys, keys_layout.usable);
        // SAFETY: valid objects; `text` is hashable.
        unsafe { ffi::PyDict_SetItem(dict, text.as_ptr(), text.as_ptr()) };
        same(
            "dict_keys.usable",
            usable - 1,
            field::<isize>(keys, keys_layout.usable),
        )?;
        holds(
            "dict.version",
            "a change with each store",
            version != field::<u64>(dict, layout.dict.version),
        )?;
        let size = if kind == 1 {
            keys_layout.unicode_entry_size
        } else {
            keys_layout.general_entry_size
        };
        same(
            "the second dict entry",
            text.as_ptr(),
            pointer(keys, entry + size + value_at),
        )?;
    }
    let set = samples.get(c"mixed")?;
    let set = set.as_ptr();
    same("set.fill", 1, field::<isize>(set, layout.set.fill))?;
    same("set.used", 1, field::<isize>(set, layout.set.used))?;
    let mask: isize = field(set, layout.set.mask);
    same("set.mask", 7, mask)?;
    // SAFETY: a valid object that has a hash.
    let hash = unsafe { ffi::PyObject_Hash(text.as_ptr()) };
    let table = pointer(set, layout.set.table);
    let entry = (hash & mask) as usize * 16;
    same(
        "set.table",
        (text.as_ptr(), hash),
        (pointer(table, entry), field::<isize>(table, entry + 8)),
    )
}

fn iterators(layout: &Layout, runtime: &Runtime, samples: &Samples) -> Result<(), CheckError> {
    let range = samples.get(c"ranges")?;
    let range = range.as_ptr();
    same(
        "the type of range iterators",
        runtime.api.range_iterator_type,
        pointer(range, layout.object.ob_type),
    )?;
    let fields = &layout.range_iterator;
    same("range_iterator.start", 7, field::<i64>(range, fields.start))?;
    same("range_iterator.step", 4, field::<i64>(range, fields.step))?;
    same(
        "range_iterator.remaining",
        6,
        field::<i64>(range, fields.remaining),
    )?;
    let list = samples.get(c"lists")?;
    let items = samples.get(c"items")?;
    let fields = &layout.sequence_iterator;
    same(
        "the type of list iterators",
        runtime.api.list_iterator_type,
        pointer(list.as_ptr(), layout.object.ob_type),
    )?;
    same(
        "list_iterator.index",
        1,
        field::<isize>(list.as_ptr(), fields.index),
    )?;
    same(
        "list_iterator.sequence",
        items.as_ptr(),
        pointer(list.as_ptr(), fields.sequence),
    )?;
    same(
        "list_iterator.sequence when exhausted",
        std::ptr::null_mut(),
        pointer(samples.get(c"done")?.as_ptr(), fields.sequence),
    )?;
    let tuple = samples.get(c"tuples")?;
    same(
        "the type of tuple iterators",
        runtime.api.tuple_iterator_type,
        pointer(tuple.as_ptr(), layout.object.ob_type),
    )?;
    same(
        "tuple_iterator.index",
        1,
        field::<isize>(tuple.as_ptr(), fields.index),
    )?;
    let sequence = pointer(tuple.as_ptr(), fields.sequence);
    let tuple_type = &raw mut ffi::PyTuple_Type as *mut PyObject;
    same(
        "tuple_iterator.sequence",
        tuple_type,
        pointer(sequence, layout.object.ob_type),
    )
}
