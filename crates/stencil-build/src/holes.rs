//! Turns relocations into holes. A relocation that is not known here is an error of the build.

use crate::code::Inst;
use crate::error::BuildError;
use crate::object_file::{Relocation, Symbol};

/// How a hole is written; see `Width` of `serigraph-stencil`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Width {
    Relative32,
    Absolute8,
    Signed32,
    Unsigned32,
    Absolute64,
}

/// What is written; see `HoleValue` of `serigraph-stencil`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    Immediate,
    DivisorMagic,
    DivisorShift,
    Exit,
    Hot(usize),
    Cold(usize),
    Helper,
    /// The name of a `CallTarget`.
    Call(&'static str),
    /// The name of a `DataSymbol`.
    Data(&'static str),
    Constant([u8; 16]),
    Pool,
}

/// A hole of a section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hole {
    pub offset: usize,
    pub width: Width,
    pub value: Value,
    pub addend: i64,
}

// Relocation types of the x86-64 System V ABI.
const R_X86_64_64: u32 = 1;
const R_X86_64_PC32: u32 = 2;
const R_X86_64_PLT32: u32 = 4;
const R_X86_64_32: u32 = 10;
const R_X86_64_32S: u32 = 11;
const R_X86_64_8: u32 = 14;

/// The hole for a relocation of an instruction that begins at `start`.
pub fn of_relocation(
    relocation: &Relocation,
    inst: &Inst,
    start: usize,
) -> Result<Hole, BuildError> {
    let relative = [R_X86_64_PC32, R_X86_64_PLT32];
    let absolute64 = (Width::Absolute64, &[R_X86_64_64][..]);
    let unknown = |text: String| Err(BuildError::new(format!("`{}`: {text}", inst.decoded)));
    let (value, (width, kinds)) = match &relocation.symbol {
        Symbol::Constant(bytes) => (Value::Constant(*bytes), (Width::Relative32, &relative[..])),
        Symbol::Named(name) => match name.as_str() {
            "hole_imm8" => (Value::Immediate, (Width::Absolute8, &[R_X86_64_8][..])),
            "hole_imm32" => (Value::Immediate, (Width::Signed32, &[R_X86_64_32S][..])),
            "hole_imm32u" => (Value::Immediate, (Width::Unsigned32, &[R_X86_64_32][..])),
            "hole_imm64" => (Value::Immediate, absolute64),
            "hole_divisor_magic" => (Value::DivisorMagic, absolute64),
            "hole_divisor_shift" => (Value::DivisorShift, (Width::Absolute8, &[R_X86_64_8][..])),
            "hole_pool" => (Value::Pool, (Width::Relative32, &relative[..])),
            "hole_helper" => (Value::Helper, (Width::Relative32, &relative[..])),
            "hole_small_ints" => (Value::Data("SmallInts"), absolute64),
            "hole_float_type" => (Value::Data("FloatType"), absolute64),
            "hole_float_free_list" => (Value::Data("FloatFreeList"), absolute64),
            "hole_float_free_count" => (Value::Data("FloatFreeCount"), absolute64),
            name => {
                let target = match name {
                    "hole_box_int_thunk" => "BoxIntThunk",
                    "hole_vectorcall" => "Vectorcall",
                    "hole_box_float_thunk" => "BoxFloatThunk",
                    "hole_unbox_big_int_thunk" => "UnboxBigIntThunk",
                    "hole_dealloc_thunk" => "DeallocThunk",
                    _ => return unknown(format!("{name} is no known hole")),
                };
                (Value::Call(target), (Width::Relative32, &relative[..]))
            }
        },
    };
    if !kinds.contains(&relocation.kind) {
        return unknown(format!(
            "relocation type {} does not suit {:?}",
            relocation.kind, relocation.symbol
        ));
    }
    // The distance counts from the end of the instruction, which the addend takes for the end of the hole.
    if width == Width::Relative32
        && (relocation.addend != -4 || relocation.offset + 4 != inst.bytes.len())
    {
        return unknown("something follows a relative hole".to_string());
    }
    Ok(Hole {
        offset: start + relocation.offset,
        width,
        value,
        addend: relocation.addend,
    })
}
