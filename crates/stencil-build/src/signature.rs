//! What stencils there are, their operands, and the registers their operands are compiled with.

use serigraph_uops::{Exit, Immediate, Kind, Uop};

/// The class of an operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    Gp,
    Fp,
}

/// A uop may have several stencils.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// The one that always does.
    General,
    /// For an immediate operand of at most 31 bits.
    Small,
    /// For the result in the register of the first input, which it restores before it leaves.
    Tied,
}

/// One stencil to make.
#[derive(Clone, Debug)]
pub struct Signature {
    /// The name of the body, and of the stencil.
    pub name: String,
    /// The kinds of the inputs.
    pub inputs: Vec<Kind>,
    /// The kind of the result.
    pub output: Option<Kind>,
    /// It can leave the trace.
    pub has_exit: bool,
    /// The result's register may be written before the exit is taken; otherwise it is passed to the exit unchanged.
    pub result_before_exit: bool,
    /// It calls C on its main path.
    pub calls: bool,
    /// It is given the frame.
    pub frame: bool,
    /// The immediate operand.
    pub immediate: Immediate,
    /// The uop it belongs to; `None` for machine stencils.
    pub uop: Option<Uop>,
    /// Which of the uop's stencils it is.
    pub form: Form,
}

/// A register, as a class and its number in instruction encodings.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Reg {
    Gp(u8),
    Fp(u8),
}

/// The operand number of the result.
pub const OUTPUT: usize = 3;

/// The general registers that may hold values: r13, r14, r15, rbx, r8, r9, r11.
pub const GP_VALUES: [u8; 7] = [13, 14, 15, 3, 8, 9, 11];
/// The float registers that may hold values.
pub const FP_VALUES: [u8; 8] = [0, 1, 2, 3, 4, 5, 6, 7];
/// The general registers that stencils may overwrite: rax, rcx, rdx, rsi, rdi, r10.
pub const GP_SCRATCH: [u8; 6] = [0, 1, 2, 6, 7, 10];
/// The frame.
pub const FRAME: u8 = 12;

/// Where inputs are compiled to be: registers above 7, so that every instruction has a REX prefix to patch; and float registers that no
/// argument of a C function is passed in, so that none is in its place by chance.
const GP_INPUTS: [u8; 3] = [13, 14, 15];
const FP_INPUTS: [u8; 2] = [3, 4];
const GP_OUTPUT: u8 = 8;
const FP_OUTPUT: u8 = 2;

/// Machine stencils: name, input, result, immediate. The order is that of the constants in `stencils.rs`.
const MACHINE: [(&str, Option<Kind>, Option<Kind>, Immediate); 18] = {
    use Immediate::{Float64, Int32, None as N, Word64};
    const INT: Option<Kind> = Some(Kind::Int);
    const FLOAT: Option<Kind> = Some(Kind::Float);
    [
        ("move_gp", INT, INT, N),
        ("move_fp", FLOAT, FLOAT, N),
        ("save_gp", INT, None, N),
        ("restore_gp", None, INT, N),
        ("save_fp", FLOAT, None, N),
        ("restore_fp", None, FLOAT, N),
        ("spill_gp", INT, None, Int32),
        ("reload_gp", None, INT, Int32),
        ("spill_fp", FLOAT, None, Int32),
        ("reload_fp", None, FLOAT, Int32),
        ("spill_saved", None, None, Int32),
        ("reload_saved", None, None, Int32),
        ("const_zero", None, INT, N),
        ("const_u32", None, INT, Int32),
        ("const_i32", None, INT, Int32),
        ("const_64", None, INT, Word64),
        ("const_fp_zero", None, FLOAT, N),
        ("const_fp", None, FLOAT, Float64),
    ]
};

/// Uops that would need more instructions, or more registers than LLVM finds, to keep the result's register as it was at the exit.
const RESULT_BEFORE_EXIT: [Uop; 9] = [
    Uop::IntAdd,
    Uop::IntSub,
    Uop::IntMul,
    Uop::IntAddImm,
    Uop::IntMulImm,
    Uop::IntNeg,
    Uop::IntFloorDiv,
    Uop::BoxInt,
    Uop::BoxFloat,
];

/// Uops with a pointer operand that have a second body for small pointers.
const SMALL: [Uop; 3] = [Uop::GuardType, Uop::GuardIs, Uop::GuardIsNot];

/// Uops that can be undone, with a second body that works in place.
const TIED: [Uop; 4] = [Uop::IntAdd, Uop::IntSub, Uop::IntAddImm, Uop::IntNeg];

/// Tied uops whose inputs can change places.
pub const COMMUTATIVE: [Uop; 1] = [Uop::IntAdd];

/// All stencils, in the order of the table: uops, machine stencils, second bodies.
pub fn all() -> Vec<Signature> {
    let of_uop = |&uop: &Uop| {
        let info = uop.info();
        Signature {
            name: info.name.to_string(),
            inputs: info.inputs.to_vec(),
            output: info.output,
            has_exit: info.exit != Exit::Never,
            result_before_exit: RESULT_BEFORE_EXIT.contains(&uop),
            calls: info.calls,
            frame: info.immediate == Immediate::Slot
                || matches!(uop, Uop::SetIp | Uop::GuardNoFrameObject | Uop::PopFrames),
            immediate: info.immediate,
            uop: Some(uop),
            form: Form::General,
        }
    };
    let mut signatures: Vec<Signature> = Uop::ALL
        .iter()
        .filter(|uop| uop.info().has_stencil)
        .map(of_uop)
        .collect();
    signatures.extend(
        MACHINE
            .iter()
            .map(|&(name, input, output, immediate)| Signature {
                name: name.to_string(),
                inputs: input.into_iter().collect(),
                output,
                has_exit: false,
                result_before_exit: false,
                calls: false,
                frame: false,
                immediate,
                uop: None,
                form: Form::General,
            }),
    );
    signatures.extend(SMALL.iter().map(|uop| {
        let signature = of_uop(uop);
        Signature {
            name: format!("{}_small", signature.name),
            form: Form::Small,
            ..signature
        }
    }));
    signatures.extend(TIED.iter().map(|uop| {
        let signature = of_uop(uop);
        Signature {
            name: format!("{}_tied", signature.name),
            output: None,
            form: Form::Tied,
            ..signature
        }
    }));
    signatures
}

/// The class of registers that a kind lives in.
pub fn class(kind: Kind) -> Class {
    match kind {
        Kind::Int | Kind::Object => Class::Gp,
        Kind::Float => Class::Fp,
    }
}

impl Signature {
    /// The registers the operands are compiled with: inputs at 0 to 2, the result at [`OUTPUT`].
    pub fn canonical(&self) -> [Option<Reg>; 4] {
        let mut operands = [None; 4];
        let (mut gp, mut fp) = (GP_INPUTS.iter(), FP_INPUTS.iter());
        for (operand, &kind) in operands.iter_mut().zip(&self.inputs) {
            *operand = match class(kind) {
                Class::Gp => gp.next().map(|&n| Reg::Gp(n)),
                Class::Fp => fp.next().map(|&n| Reg::Fp(n)),
            };
        }
        operands[OUTPUT] = self.output.map(|kind| match class(kind) {
            Class::Gp => Reg::Gp(GP_OUTPUT),
            Class::Fp => Reg::Fp(FP_OUTPUT),
        });
        operands
    }
}
