//! What the optimiser knows about the host: the addresses of the types it has rules for, and the constants.

/// Addresses of types and singletons, and what the host can say about constant objects.
#[derive(Clone, Copy, Debug)]
pub struct HostTypes {
    /// `int`.
    pub int: u64,
    /// `float`.
    pub float: u64,
    /// `bool`.
    pub bool_: u64,
    /// The type of `None`.
    pub none_type: u64,
    /// `str`.
    pub str_: u64,
    /// `list`.
    pub list: u64,
    /// `tuple`.
    pub tuple: u64,
    /// `range`.
    pub range: u64,
    /// The iterator of a range.
    pub range_iterator: u64,
    /// The iterator of a list.
    pub list_iterator: u64,
    /// The iterator of a tuple.
    pub tuple_iterator: u64,
    /// `None`.
    pub none: u64,
    /// `True`.
    pub true_: u64,
    /// `False`.
    pub false_: u64,
    /// The table {False, True}: the immediate of `box_bool`.
    pub bool_table: u64,
    /// The type of a constant object.
    pub type_of: fn(u64) -> u64,
    /// The value of a constant int, if it fits 64 bits.
    pub int_value: fn(u64) -> Option<i64>,
    /// The value of a constant float.
    pub float_value: fn(u64) -> f64,
    /// The interpreter's own object for a small int (-5 to 256).
    pub small_int: fn(i64) -> Option<u64>,
    /// Whether the object is immortal, so that its references need not be counted.
    pub is_immortal: fn(u64) -> bool,
}

impl HostTypes {
    /// Whether the death of an object of this type runs no code that could look: `decref_plain` will do, and a stale slot may
    /// keep one.
    pub fn is_plain(&self, type_address: u64) -> bool {
        type_address != 0
            && (self.is_number(type_address)
                || type_address == self.none_type
                || type_address == self.str_
                || type_address == self.range
                || type_address == self.range_iterator)
    }
    /// Whether objects of this type have a raw value: int, float, bool.
    pub fn is_number(&self, type_address: u64) -> bool {
        type_address != 0
            && (type_address == self.int
                || type_address == self.float
                || type_address == self.bool_)
    }
    /// Whether every object of this type is immortal.
    pub fn is_immortal_type(&self, type_address: u64) -> bool {
        type_address != 0 && (type_address == self.bool_ || type_address == self.none_type)
    }
    /// Whether an object of this type can never change its type (`__class__`), whatever code runs.
    pub fn is_fixed(&self, type_address: u64) -> bool {
        self.is_plain(type_address)
            || [
                self.list,
                self.tuple,
                self.list_iterator,
                self.tuple_iterator,
            ]
            .contains(&type_address)
    }
}
