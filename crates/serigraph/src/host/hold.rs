//! What a trace may hold references to.
//!
//! The cycle collector does not see what a trace holds. So a trace must not hold what could lead back to the code object that it
//! was made of: a function, say, whose globals have the function of that code. It holds strings and numbers; anything else it
//! names is held by others, who tell when they let go of it.

use serigraph_cpython::ffi;
use serigraph_cpython::layout;

use super::known;
use super::object::{self, Types, immortal, type_address, word};
use super::{bits, object as pointer};

/// Whether an object refers to nothing but numbers, strings and the like, or is never freed anyway.
pub fn is_data(o: u64) -> bool {
    const DEEPEST: u32 = 8;
    is_data_within(o, &Types::new(), DEEPEST)
}

fn is_data_within(o: u64, types: &Types, depth: u32) -> bool {
    let exact = type_address(o);
    if immortal(o) || types.is_plain(exact) || known::is_kept(o) {
        return true;
    }
    if exact == types.tuple {
        let mut items = (0..object::size(o) as usize).map(|i| object::tuple_item(o, i));
        return depth > 0 && items.all(|item| is_data_within(item, types, depth - 1));
    }
    if exact == types.method_descriptor || exact == wrapper_descriptor() {
        // Refers to its type.
        return immortal(word(o, layout().method_descriptor.owner));
    }
    if exact == types.builtin {
        // SAFETY: a function of C.
        let own = bits(unsafe { ffi::PyCFunction_GetSelf(pointer(o)) });
        return own == 0 || immortal(own);
    }
    false
}

fn wrapper_descriptor() -> u64 {
    bits((&raw mut ffi::PyWrapperDescr_Type).cast())
}

/// Whether an object is a class.
pub fn is_class(o: u64) -> bool {
    const TYPE_SUBCLASS: u64 = 1 << 31;
    word(type_address(o), layout().type_object.flags) & TYPE_SUBCLASS != 0
}

/// The dict of a class that may die: it is cleared before the class dies, since such a class is among its own bases and so dies by
/// the collector. 0: there is no such dict.
pub fn class_dict(class: u64) -> u64 {
    let fields = &layout().type_object;
    let mro = word(class, fields.mro);
    if mro == 0 || object::size(mro) == 0 || object::tuple_item(mro, 0) != class {
        return 0;
    }
    word(class, fields.dict)
}

/// The dict of the class, or of the base of it, that has this value under a name. `Ok(0)`: it is a static type, which does not
/// change. `Err`: that cannot be said.
pub fn class_holder(class: u64, name: u64, value: u64) -> Result<u64, ()> {
    let fields = &layout().type_object;
    let mro = word(class, fields.mro);
    if mro == 0 {
        return Err(());
    }
    for i in 0..object::size(mro) as usize {
        let dict = word(object::tuple_item(mro, i), fields.dict);
        if dict == 0 {
            continue;
        }
        let found = object::find_value(dict, name)?;
        if found != 0 {
            return Ok(if found == value { dict } else { 0 });
        }
    }
    Ok(0)
}
