//! Binary operators of Python classes: the method is followed inside.
//!
//! Only where it is plain which method that is, and that nothing else is asked when it gives `NotImplemented`: the operands are of one
//! ordinary class, or one is, and the other is a number or some other object of a built-in type. The operands stay on the
//! caller's stack meanwhile, as they do when the interpreter calls the method from C.

use std::ffi::CStr;

use serigraph_trace::ir::{InlinedKind, ValueId};

use super::frame::Release;
use super::{Recorder, Stop};
use crate::host::object;

/// The operators by oparg: the method, the reflected one, that of the operator in place, and the names in texts of exceptions.
type Row = (
    &'static CStr,
    &'static CStr,
    &'static CStr,
    [&'static str; 2],
);
const OPERATORS: [Row; 13] = [
    (c"__add__", c"__radd__", c"__iadd__", ["+", "+="]),
    (c"__and__", c"__rand__", c"__iand__", ["&", "&="]),
    (
        c"__floordiv__",
        c"__rfloordiv__",
        c"__ifloordiv__",
        ["//", "//="],
    ),
    (c"__lshift__", c"__rlshift__", c"__ilshift__", ["<<", "<<="]),
    (c"__matmul__", c"__rmatmul__", c"__imatmul__", ["@", "@="]),
    (c"__mul__", c"__rmul__", c"__imul__", ["*", "*="]),
    (c"__mod__", c"__rmod__", c"__imod__", ["%", "%="]),
    (c"__or__", c"__ror__", c"__ior__", ["|", "|="]),
    (c"__pow__", c"__rpow__", c"__ipow__", ["** or pow()", "**="]),
    (c"__rshift__", c"__rrshift__", c"__irshift__", [">>", ">>="]),
    (c"__sub__", c"__rsub__", c"__isub__", ["-", "-="]),
    (
        c"__truediv__",
        c"__rtruediv__",
        c"__itruediv__",
        ["/", "/="],
    ),
    (c"__xor__", c"__rxor__", c"__ixor__", ["^", "^="]),
];

/// How texts of exceptions call the operator of a `BINARY_OP`.
pub fn operator_name(oparg: u32) -> &'static str {
    let count = OPERATORS.len() as u32;
    OPERATORS
        .get((oparg % count) as usize)
        .map_or("?", |row| row.3[(oparg / count) as usize & 1])
}

impl Recorder<'_> {
    /// Follows the method of a class inside; false: nothing has been done.
    pub(super) fn operator_method(
        &mut self,
        oparg: u32,
        a: ValueId,
        b: ValueId,
    ) -> Result<bool, Stop> {
        let count = OPERATORS.len() as u32;
        let Some(&(plain, reflected, in_place, _)) = OPERATORS.get((oparg % count) as usize) else {
            return Ok(false);
        };
        let (class_a, class_b) = (self.type_of(a), self.type_of(b));
        let numbers = [self.types.int, self.types.float];
        // Whose method, and which; the other operand.
        let (own, other, class, name) = if !self.types.is_known(class_a) {
            if class_b != class_a && !numbers.contains(&class_b) {
                return Ok(false);
            }
            (a, b, class_a, plain)
        } else {
            if self.types.is_known(class_b) || !numbers.contains(&class_a) {
                return Ok(false);
            }
            (b, a, class_b, reflected)
        };
        let Some((version, _)) = object::simple_class(class) else {
            return Ok(false);
        };
        let method = object::lookup_name(class, name);
        if method == 0
            || object::type_address(method) != self.types.function
            || (oparg >= count && object::lookup_name(class_a, in_place) != 0)
            || !self.is_followed(method, 2)
        {
            return Ok(false);
        }
        self.depend_on_special(class, name)?;
        self.guard_class(own, class, version)?;
        if class_a == class_b {
            self.guard_class(other, class, version)?;
        } else {
            let exact = self.type_of(other);
            self.guard_type(other, exact)?;
        }
        self.follow_special(method, &[own, other], InlinedKind::Operator)
    }

    /// How to release the operands of an instruction whose method has returned: no guard may come now.
    pub(super) fn special_releases(&mut self, operands: u32) -> Result<Vec<Release>, Stop> {
        let frame = self.innermost();
        let first = self.frames[frame].top - operands;
        let last = first + operands - 1;
        (0..operands)
            .rev()
            .map(|below| {
                let value = self.peek(below)?;
                let fact = *self.fact(value);
                let is_plain = self.types.is_plain(fact.exact_type)
                    || fact.is_held()
                    || self.is_held(value, (frame, first, last), 3);
                Ok(match (fact.immortal, is_plain) {
                    (true, _) => Release::Nothing,
                    (false, true) => Release::Plain,
                    (false, false) => Release::Escaping,
                })
            })
            .collect()
    }
}
