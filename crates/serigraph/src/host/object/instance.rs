//! The attributes that an instance keeps itself.

use serigraph_cpython::ffi::{self, PyObject};
use serigraph_cpython::version::Minor;
use serigraph_cpython::{layout, minor};

use super::{object, word};

/// The word before an instance that says where its attributes are.
fn managed_word(o: u64) -> u64 {
    // SAFETY: the managed word is in front of an instance of a class with a managed dict.
    unsafe {
        object(o)
            .byte_sub(layout().instance.dict_or_values_before)
            .cast::<u64>()
            .read()
    }
}

/// Whether an instance keeps its attributes itself: no dict object does.
pub fn has_values(o: u64) -> bool {
    match minor() {
        Minor::V312 => managed_word(o) & 1 == 1,
        // SAFETY: an instance of a class whose instances have inline values: the flag is a byte in it.
        Minor::V313 => unsafe {
            object(o)
                .byte_add(layout().instance.inline_values_valid)
                .cast::<u8>()
                .read()
                != 0
        },
    }
}

/// Whether an instance of a class with a managed dict has a dict object.
pub fn has_dict_object(o: u64) -> bool {
    managed_word(o) != 0
}

/// The address from which `first_value` counts.
fn values_base(o: u64) -> u64 {
    match minor() {
        Minor::V312 => managed_word(o) + 1,
        Minor::V313 => o,
    }
}

/// An attribute that an instance keeps itself; 0 if it is not set.
pub fn instance_value(o: u64, index: u64) -> u64 {
    word(
        values_base(o),
        layout().instance.first_value + 8 * index as usize,
    )
}

/// Sets an attribute that an instance keeps itself and that has no value. False: it is not that simple.
pub(in super::super) fn add_value(o: u64, index: usize, value: u64) -> bool {
    if !has_values(o)
        || (minor() == Minor::V313 && has_dict_object(o))
        || instance_value(o, index as u64) != 0
    {
        return false;
    }
    // SAFETY: the instance's attributes, with the order in which they were set: before them in 3.12, behind them in 3.13.
    unsafe {
        let values = object(values_base(o)).cast::<u8>();
        match minor() {
            Minor::V312 => {
                let count = values.sub(2);
                let size = *count + 1;
                *count.sub(size.into()) = index as u8;
                *count = size;
            }
            Minor::V313 => {
                let head = values.add(layout().instance.inline_values);
                let (capacity, size) = (*head, *head.add(1));
                let order = values.add(layout().instance.first_value + 8 * capacity as usize);
                *order.add(size.into()) = index as u8;
                *head.add(1) = size + 1;
            }
        }
        values
            .add(layout().instance.first_value + 8 * index)
            .cast::<*mut PyObject>()
            .write(ffi::Py_NewRef(object(value)));
    }
    true
}
