//! Where a dict has a key.

use serigraph_cpython::ffi;
use serigraph_cpython::layout;

use super::{bits, object, type_address, word};

/// The three bytes of the word at `dk_log2_size` that are fields: the sizes and the kind. The fourth is not used, and may be
/// anything.
pub const SHAPE: u32 = 0xff_ffff;

/// Where a key is in a dict whose keys are all strings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The table of keys.
    pub keys: u64,
    /// What the table says of how large it is and of what kind: bits of [`SHAPE`].
    pub shape: u32,
    /// The offset of the entry's key in the table; the value follows it.
    pub offset: u64,
    /// The value.
    pub value: u64,
}

/// Finds a key (an interned string) in an exact dict. `Ok(None)`: it is not there. `Err`: the dict has keys that are not
/// strings, or shares its keys with others: a lookup could run code, or the place of a value is not simple.
pub fn find_entry(dict: u64, key: u64) -> Result<Option<Entry>, ()> {
    const KIND_UNICODE: u8 = 1;
    let fields = &layout().dict_keys;
    if type_address(dict) != bits((&raw mut ffi::PyDict_Type).cast())
        || word(dict, layout().dict.values) != 0
    {
        return Err(());
    }
    let keys = word(dict, layout().dict.keys);
    let byte = |offset: usize| -> u8 {
        // SAFETY: a field of the dict's table of keys.
        unsafe { object(keys).byte_add(offset).cast::<u8>().read() }
    };
    if byte(fields.kind) != KIND_UNICODE
        || type_address(key) != bits((&raw mut ffi::PyUnicode_Type).cast())
    {
        return Err(());
    }
    // SAFETY: a dict and a string: the lookup compares strings only, and so runs no code and raises nothing.
    let value = bits(unsafe { ffi::PyDict_GetItemWithError(object(dict), object(key)) });
    if value == 0 {
        return Ok(None);
    }
    let entries = fields.indices as u64 + (1 << byte(fields.log2_index_bytes));
    let size = fields.unicode_entry_size as u64;
    let count = word(keys, fields.entry_count);
    let offset = (0..count)
        .map(|i| entries + i * size)
        .find(|&at| word(keys, at as usize) == key);
    let shape_offset = fields.log2_size;
    // SAFETY: the four bytes from `log2_size` on are fields of the table.
    let shape = SHAPE & unsafe { object(keys).byte_add(shape_offset).cast::<u32>().read() };
    match offset {
        Some(offset) if word(keys, offset as usize + 8) == value => Ok(Some(Entry {
            keys,
            shape,
            offset,
            value,
        })),
        // An equal key that is another object: the key was not interned.
        _ => Err(()),
    }
}

/// The value of a key in a dict, 0 if absent; `Err` as [`find_entry`].
pub fn find_value(dict: u64, key: u64) -> Result<u64, ()> {
    match find_entry(dict, key) {
        Ok(entry) => Ok(entry.map_or(0, |entry| entry.value)),
        Err(()) => Err(()),
    }
}
