//! Checks of functions, types, instances and generators, on the same samples as [`super::objects`].

use std::ffi::{CStr, c_int, c_void};

use super::objects::{field, pointer};
use super::samples::Samples;
use super::{CheckError, attribute, holds, int_attribute, same};
use crate::ffi::{self, PyObject};
use crate::layout::Layout;
use crate::memory::read;
use crate::runtime::Runtime;
use crate::version::Minor;

/// Everything.
pub(super) fn run(runtime: &Runtime, samples: &Samples) -> Result<(), CheckError> {
    let layout = &runtime.layout;
    functions(layout, runtime, samples)?;
    types(layout, runtime, samples)?;
    instances(layout, samples)?;
    generators(layout, samples)
}

fn functions(layout: &Layout, runtime: &Runtime, samples: &Samples) -> Result<(), CheckError> {
    let function = samples.get(c"inner")?;
    let function = function.as_ptr();
    let fields = &layout.function;
    same(
        "the type of functions",
        runtime.api.function_type,
        pointer(function, layout.object.ob_type),
    )?;
    for (name, offset, check) in [
        (c"__globals__", fields.globals, "function.globals"),
        (c"__builtins__", fields.builtins, "function.builtins"),
        (c"__name__", fields.name, "function.name"),
        (c"__qualname__", fields.qualname, "function.qualname"),
        (c"__code__", fields.code, "function.code"),
        (c"__defaults__", fields.defaults, "function.defaults"),
        (c"__kwdefaults__", fields.kwdefaults, "function.kwdefaults"),
    ] {
        same(
            check,
            attribute(check, function, name)?.as_ptr(),
            pointer(function, offset),
        )?;
    }
    let inner = samples.get(c"closure")?;
    let inner = inner.as_ptr();
    let closure = attribute("function.closure", inner, c"__closure__")?;
    same(
        "function.closure",
        closure.as_ptr(),
        pointer(inner, fields.closure),
    )?;
    let cell = pointer(closure.as_ptr(), layout.tuple.items);
    same(
        "the type of cells",
        runtime.api.cell_type,
        pointer(cell, layout.object.ob_type),
    )?;
    let content = attribute("cell.content", cell, c"cell_contents")?;
    same(
        "cell.content",
        content.as_ptr(),
        pointer(cell, layout.cell.content),
    )?;
    // SAFETY: a valid object.
    let entry = unsafe { (runtime.api.vectorcall_of)(function) };
    same(
        "function.vectorcall",
        entry.addr(),
        field::<usize>(function, fields.vectorcall),
    )?;
    let code = pointer(function, fields.code);
    same(
        "function.version",
        field::<u32>(code, layout.code.version),
        field::<u32>(function, fields.version),
    )?;
    holds(
        "function.version",
        "a version",
        field::<u32>(function, fields.version) != 0,
    )?;

    let method = samples.get(c"method")?;
    let method = method.as_ptr();
    same(
        "the type of bound methods",
        runtime.api.method_type,
        pointer(method, layout.object.ob_type),
    )?;
    for (name, offset) in [
        (c"__func__", layout.method.function),
        (c"__self__", layout.method.self_object),
    ] {
        same(
            "method",
            attribute("method", method, name)?.as_ptr(),
            pointer(method, offset),
        )?;
    }
    builtins(layout, runtime, samples)
}

fn builtins(layout: &Layout, runtime: &Runtime, samples: &Samples) -> Result<(), CheckError> {
    let sys = samples.get(c"sys")?;
    let dict = attribute("module.dict", sys.as_ptr(), c"__dict__")?;
    same(
        "module.dict",
        dict.as_ptr(),
        pointer(sys.as_ptr(), layout.module.dict),
    )?;
    let intern = attribute("builtin_function", sys.as_ptr(), c"intern")?;
    let fields = &layout.builtin_function;
    same(
        "builtin_function.self_object",
        sys.as_ptr(),
        pointer(intern.as_ptr(), fields.self_object),
    )?;
    let module = attribute("builtin_function.module", intern.as_ptr(), c"__module__")?;
    same(
        "builtin_function.module",
        module.as_ptr(),
        pointer(intern.as_ptr(), fields.module),
    )?;
    same(
        "builtin_function.definition",
        "intern",
        definition_name(pointer(intern.as_ptr(), fields.definition)),
    )?;
    // SAFETY: a valid object.
    let entry = unsafe { (runtime.api.vectorcall_of)(intern.as_ptr()) };
    let found = field::<usize>(intern.as_ptr(), fields.vectorcall);
    same("builtin_function.vectorcall", entry.addr(), found)?;
    let append = samples.get(c"append")?;
    let append = append.as_ptr();
    let fields = &layout.method_descriptor;
    let list_type = &raw mut ffi::PyList_Type as *mut PyObject;
    same(
        "method_descriptor.owner",
        list_type,
        pointer(append, fields.owner),
    )?;
    let name = attribute("method_descriptor.name", append, c"__name__")?;
    same(
        "method_descriptor.name",
        name.as_ptr(),
        pointer(append, fields.name),
    )?;
    same(
        "method_descriptor.definition",
        "append",
        definition_name(pointer(append, fields.definition)),
    )?;
    // SAFETY: a valid object.
    let entry = unsafe { (runtime.api.vectorcall_of)(append) };
    let found = field::<usize>(append, fields.vectorcall);
    same("method_descriptor.vectorcall", entry.addr(), found)
}

/// The name in a `PyMethodDef`, its first field.
fn definition_name<'a>(definition: *mut PyObject) -> &'a str {
    let name: *const std::ffi::c_char = field(definition, 0);
    // SAFETY: method definitions are static and begin with a terminated name.
    unsafe { CStr::from_ptr(name) }.to_str().unwrap_or("?")
}

unsafe extern "C" fn ignore_type(_: *mut PyObject) -> c_int {
    0
}

fn types(layout: &Layout, runtime: &Runtime, samples: &Samples) -> Result<(), CheckError> {
    let class = samples.get(c"C")?;
    let class = class.as_ptr();
    let fields = &layout.type_object;
    // SAFETY: `C` is a class, which lives while these calls are made; the watcher is taken away again.
    unsafe {
        let flags = ffi::PyType_GetFlags(class.cast());
        same(
            "type_object.flags",
            flags,
            field::<u64>(class, fields.flags),
        )?;
        let tagged = (runtime.api.type_assign_version)(class);
        holds(
            "type_object.version_tag",
            "a version",
            tagged == 1 && field::<u32>(class, fields.version_tag) != 0,
        )?;
        let watcher = (runtime.api.type_add_watcher)(ignore_type);
        if watcher >= 0 {
            let watched = (runtime.api.type_watch)(watcher, class);
            let found: u8 = field(class, fields.watched);
            (runtime.api.type_unwatch)(watcher, class);
            (runtime.api.type_clear_watcher)(watcher);
            same(
                "type_object.watched",
                (0, 1_u8 << watcher),
                (watched, found),
            )?;
            same(
                "type_object.watched",
                0_u8,
                field::<u8>(class, fields.watched),
            )?;
        } else {
            ffi::PyErr_Clear();
        }
        slots(layout)?;
    }
    same(
        "type_object.name",
        "C",
        definition_name_at(class, fields.name),
    )?;
    same(
        "type_object.basic_size",
        int_attribute("type", class, c"__basicsize__")?,
        field::<i64>(class, fields.basic_size),
    )?;
    let tuple_type = &raw mut ffi::PyTuple_Type as *mut PyObject;
    same(
        "type_object.item_size",
        8,
        field::<i64>(tuple_type, fields.item_size),
    )?;
    same(
        "type_object.base",
        attribute("type", class, c"__base__")?.as_ptr(),
        pointer(class, fields.base),
    )?;
    same(
        "type_object.mro",
        attribute("type", class, c"__mro__")?.as_ptr(),
        pointer(class, fields.mro),
    )?;
    let dict = pointer(class, fields.dict);
    same(
        "type_object.dict",
        &raw mut ffi::PyDict_Type as *mut PyObject,
        pointer(dict, layout.object.ob_type),
    )?;
    same(
        "type_object.dict_offset",
        int_attribute("type", class, c"__dictoffset__")?,
        field::<i64>(class, fields.dict_offset),
    )?;
    let vectorcall_offset: i64 = field(runtime.api.function_type, fields.vectorcall_offset);
    same(
        "type_object.vectorcall_offset",
        layout.function.vectorcall as i64,
        vectorcall_offset,
    )?;
    holds(
        "type_object.vectorcall",
        "an entry of `list`",
        field::<usize>(
            &raw mut ffi::PyList_Type as *mut PyObject,
            fields.vectorcall,
        ) != 0,
    )
}

fn definition_name_at<'a>(of: *mut PyObject, offset: usize) -> &'a str {
    // SAFETY: a type's name is a terminated string that lives as long as the type, which the caller holds.
    unsafe { CStr::from_ptr(field::<*const std::ffi::c_char>(of, offset)) }
        .to_str()
        .unwrap_or("?")
}

/// Compares slots of static types with `PyType_GetSlot`.
///
/// # Safety
/// The GIL is held.
unsafe fn slots(layout: &Layout) -> Result<(), CheckError> {
    let fields = &layout.type_object;
    let float = &raw mut ffi::PyFloat_Type;
    let function = &raw mut ffi::PyType_Type;
    let list = &raw mut ffi::PyList_Type;
    let iterator = &raw mut ffi::PyEnum_Type;
    let property = &raw mut ffi::PyProperty_Type;
    for (check, of, offset, slot) in [
        (
            "type_object.dealloc",
            float,
            fields.dealloc,
            ffi::Py_tp_dealloc,
        ),
        ("type_object.call", function, fields.call, ffi::Py_tp_call),
        (
            "type_object.getattro",
            function,
            fields.getattro,
            ffi::Py_tp_getattro,
        ),
        (
            "type_object.setattro",
            function,
            fields.setattro,
            ffi::Py_tp_setattro,
        ),
        (
            "type_object.richcompare",
            float,
            fields.richcompare,
            ffi::Py_tp_richcompare,
        ),
        ("type_object.iter", list, fields.iter, ffi::Py_tp_iter),
        (
            "type_object.iternext",
            iterator,
            fields.iternext,
            ffi::Py_tp_iternext,
        ),
        (
            "type_object.descr_get",
            property,
            fields.descr_get,
            ffi::Py_tp_descr_get,
        ),
        (
            "type_object.descr_set",
            property,
            fields.descr_set,
            ffi::Py_tp_descr_set,
        ),
        ("type_object.init", list, fields.init, ffi::Py_tp_init),
        ("type_object.new", float, fields.new, ffi::Py_tp_new),
    ] {
        // SAFETY: static types and slot numbers of the C API.
        let expected = unsafe { ffi::PyType_GetSlot(of, slot) };
        holds(check, "a slot that is filled", !expected.is_null())?;
        same(check, expected, field::<*mut c_void>(of.cast(), offset))?;
    }
    for (check, of, table, slot) in [
        (
            "type_object.as_number",
            float,
            fields.as_number,
            ffi::Py_nb_add,
        ),
        (
            "type_object.as_sequence",
            list,
            fields.as_sequence,
            ffi::Py_sq_length,
        ),
        (
            "type_object.as_mapping",
            list,
            fields.as_mapping,
            ffi::Py_mp_length,
        ),
    ] {
        // SAFETY: as above; each of these slots is the first of its table.
        let expected = unsafe { ffi::PyType_GetSlot(of, slot) };
        same(
            check,
            expected,
            field::<*mut c_void>(pointer(of.cast(), table), 0),
        )?;
    }
    Ok(())
}

fn instances(layout: &Layout, samples: &Samples) -> Result<(), CheckError> {
    let instance = samples.get(c"instance")?;
    let instance = instance.as_ptr();
    let class = samples.get(c"C")?;
    let keys = pointer(class.as_ptr(), layout.type_object.cached_keys);
    same(
        "type_object.cached_keys",
        2_u8,
        field::<u8>(keys, layout.dict_keys.kind),
    )?;
    same(
        "type_object.cached_keys",
        2,
        field::<isize>(keys, layout.dict_keys.entry_count),
    )?;
    let fields = &layout.instance;
    // SAFETY: the word before the object's header is part of the allocation of an instance with a managed dict.
    let managed: usize =
        unsafe { read(instance.cast::<u8>().sub(fields.dict_or_values_before), 0) };
    let values = match layout.minor {
        Minor::V312 => {
            holds("instance.dict_or_values", "tagged values", managed & 1 == 1)?;
            std::ptr::with_exposed_provenance_mut(managed + 1)
        }
        Minor::V313 => {
            same("instance.dict_or_values", 0, managed)?;
            same(
                "instance.inline_values_valid",
                1_u8,
                field::<u8>(instance, fields.inline_values_valid),
            )?;
            same(
                "instance.inline_values (size)",
                2_u8,
                field::<u8>(instance, fields.inline_values + 1),
            )?;
            instance
        }
    };
    for (n, name) in [c"first", c"second"].into_iter().enumerate() {
        let expected = attribute("instance", instance, name)?;
        same(
            "instance.first_value",
            expected.as_ptr(),
            pointer(values, fields.first_value + n * 8),
        )?;
    }
    Ok(())
}

fn generators(layout: &Layout, samples: &Samples) -> Result<(), CheckError> {
    let fields = &layout.generator;
    let (created, suspended) = match layout.minor {
        Minor::V312 => (-2_i8, -1_i8),
        Minor::V313 => (-3, -2),
    };
    for (name, state) in [(c"created", created), (c"suspended", suspended)] {
        let generator = samples.get(name)?;
        let generator = generator.as_ptr();
        same(
            "generator.state",
            state,
            field::<i8>(generator, fields.state),
        )?;
        let code = attribute("generator", generator, c"gi_code")?;
        same(
            "generator.frame",
            code.as_ptr(),
            pointer(generator, fields.frame + layout.frame.code),
        )?;
        same(
            "frame.owner of a generator",
            1_u8,
            field::<u8>(generator, fields.frame + layout.frame.owner),
        )?;
        same(
            "generator.exc_state",
            std::ptr::null_mut(),
            pointer(generator, fields.exc_state),
        )?;
    }
    Ok(())
}
