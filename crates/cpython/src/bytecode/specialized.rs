//! The specialised and instrumented forms the interpreter writes over instructions as a program runs: hints, nothing more.
//!
//! Provenance: `_PyOpcode_Deopt` in `Include/internal/pycore_opcode.h` (3.12.1) and
//! `Include/internal/pycore_opcode_metadata.h` (3.13.0), numbers as in [`super::opcode`].

use super::BadCode;
use super::opcode::{Opcode, number};
use crate::version::Minor;

/// Each line: `Variant "name in 3.13" "name in 3.12" [number in 3.12, in 3.13] base;`
macro_rules! specialized {
    ($( $variant:ident $name313:literal $name312:literal [$n312:tt $n313:tt] $base:ident; )*) => {
        /// A form the interpreter has specialised an instruction to. Named as in 3.13 (3.12's `CALL_NO_KW_LEN` is [`Specialized::CallLen`]).
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr(u8)]
        pub enum Specialized { $( #[doc = $name313] $variant ),* }

        impl Specialized {
            /// Every specialised form.
            pub const ALL: &'static [Specialized] = &[ $( Specialized::$variant ),* ];
            const NAMES: &'static [[&'static str; 2]] = &[ $( [$name312, $name313] ),* ];
            const NUMBERS: &'static [[Option<u8>; 2]] = &[ $( [number!($n312), number!($n313)] ),* ];
            const BASES: &'static [Opcode] = &[ $( Opcode::$base ),* ];
        }
    };
}

specialized! {
    BinaryOpAddFloat "BINARY_OP_ADD_FLOAT" "BINARY_OP_ADD_FLOAT" [6 150] BinaryOp;
    BinaryOpAddInt "BINARY_OP_ADD_INT" "BINARY_OP_ADD_INT" [7 151] BinaryOp;
    BinaryOpAddUnicode "BINARY_OP_ADD_UNICODE" "BINARY_OP_ADD_UNICODE" [8 152] BinaryOp;
    BinaryOpInplaceAddUnicode "BINARY_OP_INPLACE_ADD_UNICODE" "BINARY_OP_INPLACE_ADD_UNICODE" [10 3] BinaryOp;
    BinaryOpMultiplyFloat "BINARY_OP_MULTIPLY_FLOAT" "BINARY_OP_MULTIPLY_FLOAT" [13 153] BinaryOp;
    BinaryOpMultiplyInt "BINARY_OP_MULTIPLY_INT" "BINARY_OP_MULTIPLY_INT" [14 154] BinaryOp;
    BinaryOpSubtractFloat "BINARY_OP_SUBTRACT_FLOAT" "BINARY_OP_SUBTRACT_FLOAT" [16 155] BinaryOp;
    BinaryOpSubtractInt "BINARY_OP_SUBTRACT_INT" "BINARY_OP_SUBTRACT_INT" [18 156] BinaryOp;
    BinarySubscrDict "BINARY_SUBSCR_DICT" "BINARY_SUBSCR_DICT" [19 157] BinarySubscr;
    BinarySubscrGetitem "BINARY_SUBSCR_GETITEM" "BINARY_SUBSCR_GETITEM" [20 158] BinarySubscr;
    BinarySubscrListInt "BINARY_SUBSCR_LIST_INT" "BINARY_SUBSCR_LIST_INT" [21 159] BinarySubscr;
    BinarySubscrStrInt "BINARY_SUBSCR_STR_INT" "BINARY_SUBSCR_STR_INT" [_ 160] BinarySubscr;
    BinarySubscrTupleInt "BINARY_SUBSCR_TUPLE_INT" "BINARY_SUBSCR_TUPLE_INT" [22 161] BinarySubscr;
    CallAllocAndEnterInit "CALL_ALLOC_AND_ENTER_INIT" "CALL_ALLOC_AND_ENTER_INIT" [_ 162] Call;
    CallBoundMethodExactArgs "CALL_BOUND_METHOD_EXACT_ARGS" "CALL_BOUND_METHOD_EXACT_ARGS" [28 163] Call;
    CallBoundMethodGeneral "CALL_BOUND_METHOD_GENERAL" "CALL_BOUND_METHOD_GENERAL" [_ 164] Call;
    CallBuiltinClass "CALL_BUILTIN_CLASS" "CALL_BUILTIN_CLASS" [29 165] Call;
    CallBuiltinFast "CALL_BUILTIN_FAST" "CALL_NO_KW_BUILTIN_FAST" [39 166] Call;
    CallBuiltinFastWithKeywords "CALL_BUILTIN_FAST_WITH_KEYWORDS" "CALL_BUILTIN_FAST_WITH_KEYWORDS" [34 167] Call;
    CallBuiltinO "CALL_BUILTIN_O" "CALL_NO_KW_BUILTIN_O" [40 168] Call;
    CallIsinstance "CALL_ISINSTANCE" "CALL_NO_KW_ISINSTANCE" [41 169] Call;
    CallLen "CALL_LEN" "CALL_NO_KW_LEN" [42 170] Call;
    CallListAppend "CALL_LIST_APPEND" "CALL_NO_KW_LIST_APPEND" [43 171] Call;
    CallMethodDescriptorFast "CALL_METHOD_DESCRIPTOR_FAST" "CALL_NO_KW_METHOD_DESCRIPTOR_FAST" [44 172] Call;
    CallMethodDescriptorFastWithKeywords "CALL_METHOD_DESCRIPTOR_FAST_WITH_KEYWORDS" "CALL_METHOD_DESCRIPTOR_FAST_WITH_KEYWORDS" [38 173] Call;
    CallMethodDescriptorNoargs "CALL_METHOD_DESCRIPTOR_NOARGS" "CALL_NO_KW_METHOD_DESCRIPTOR_NOARGS" [45 174] Call;
    CallMethodDescriptorO "CALL_METHOD_DESCRIPTOR_O" "CALL_NO_KW_METHOD_DESCRIPTOR_O" [46 175] Call;
    CallNonPyGeneral "CALL_NON_PY_GENERAL" "CALL_NON_PY_GENERAL" [_ 176] Call;
    CallPyExactArgs "CALL_PY_EXACT_ARGS" "CALL_PY_EXACT_ARGS" [23 177] Call;
    CallPyGeneral "CALL_PY_GENERAL" "CALL_PY_GENERAL" [_ 178] Call;
    CallPyWithDefaults "CALL_PY_WITH_DEFAULTS" "CALL_PY_WITH_DEFAULTS" [24 _] Call;
    CallStr1 "CALL_STR_1" "CALL_NO_KW_STR_1" [47 179] Call;
    CallTuple1 "CALL_TUPLE_1" "CALL_NO_KW_TUPLE_1" [48 180] Call;
    CallType1 "CALL_TYPE_1" "CALL_NO_KW_TYPE_1" [56 181] Call;
    CompareOpFloat "COMPARE_OP_FLOAT" "COMPARE_OP_FLOAT" [57 182] CompareOp;
    CompareOpInt "COMPARE_OP_INT" "COMPARE_OP_INT" [58 183] CompareOp;
    CompareOpStr "COMPARE_OP_STR" "COMPARE_OP_STR" [59 184] CompareOp;
    ContainsOpDict "CONTAINS_OP_DICT" "CONTAINS_OP_DICT" [_ 185] ContainsOp;
    ContainsOpSet "CONTAINS_OP_SET" "CONTAINS_OP_SET" [_ 186] ContainsOp;
    ForIterGen "FOR_ITER_GEN" "FOR_ITER_GEN" [65 187] ForIter;
    ForIterList "FOR_ITER_LIST" "FOR_ITER_LIST" [62 188] ForIter;
    ForIterRange "FOR_ITER_RANGE" "FOR_ITER_RANGE" [64 189] ForIter;
    ForIterTuple "FOR_ITER_TUPLE" "FOR_ITER_TUPLE" [63 190] ForIter;
    LoadAttrClass "LOAD_ATTR_CLASS" "LOAD_ATTR_CLASS" [70 191] LoadAttr;
    LoadAttrGetattributeOverridden "LOAD_ATTR_GETATTRIBUTE_OVERRIDDEN" "LOAD_ATTR_GETATTRIBUTE_OVERRIDDEN" [72 192] LoadAttr;
    LoadAttrInstanceValue "LOAD_ATTR_INSTANCE_VALUE" "LOAD_ATTR_INSTANCE_VALUE" [73 193] LoadAttr;
    LoadAttrMethodLazyDict "LOAD_ATTR_METHOD_LAZY_DICT" "LOAD_ATTR_METHOD_LAZY_DICT" [80 194] LoadAttr;
    LoadAttrMethodNoDict "LOAD_ATTR_METHOD_NO_DICT" "LOAD_ATTR_METHOD_NO_DICT" [81 195] LoadAttr;
    LoadAttrMethodWithValues "LOAD_ATTR_METHOD_WITH_VALUES" "LOAD_ATTR_METHOD_WITH_VALUES" [82 196] LoadAttr;
    LoadAttrModule "LOAD_ATTR_MODULE" "LOAD_ATTR_MODULE" [76 197] LoadAttr;
    LoadAttrNondescriptorNoDict "LOAD_ATTR_NONDESCRIPTOR_NO_DICT" "LOAD_ATTR_NONDESCRIPTOR_NO_DICT" [_ 198] LoadAttr;
    LoadAttrNondescriptorWithValues "LOAD_ATTR_NONDESCRIPTOR_WITH_VALUES" "LOAD_ATTR_NONDESCRIPTOR_WITH_VALUES" [_ 199] LoadAttr;
    LoadAttrProperty "LOAD_ATTR_PROPERTY" "LOAD_ATTR_PROPERTY" [77 200] LoadAttr;
    LoadAttrSlot "LOAD_ATTR_SLOT" "LOAD_ATTR_SLOT" [78 201] LoadAttr;
    LoadAttrWithHint "LOAD_ATTR_WITH_HINT" "LOAD_ATTR_WITH_HINT" [79 202] LoadAttr;
    LoadConstAndLoadFast "LOAD_CONST__LOAD_FAST" "LOAD_CONST__LOAD_FAST" [84 _] LoadConst;
    LoadFastAndLoadConst "LOAD_FAST__LOAD_CONST" "LOAD_FAST__LOAD_CONST" [86 _] LoadFast;
    LoadFastAndLoadFast "LOAD_FAST__LOAD_FAST" "LOAD_FAST__LOAD_FAST" [88 _] LoadFast;
    LoadGlobalBuiltin "LOAD_GLOBAL_BUILTIN" "LOAD_GLOBAL_BUILTIN" [111 203] LoadGlobal;
    LoadGlobalModule "LOAD_GLOBAL_MODULE" "LOAD_GLOBAL_MODULE" [112 204] LoadGlobal;
    LoadSuperAttrAttr "LOAD_SUPER_ATTR_ATTR" "LOAD_SUPER_ATTR_ATTR" [66 205] LoadSuperAttr;
    LoadSuperAttrMethod "LOAD_SUPER_ATTR_METHOD" "LOAD_SUPER_ATTR_METHOD" [67 206] LoadSuperAttr;
    ResumeCheck "RESUME_CHECK" "RESUME_CHECK" [_ 207] Resume;
    SendGen "SEND_GEN" "SEND_GEN" [168 208] Send;
    StoreAttrInstanceValue "STORE_ATTR_INSTANCE_VALUE" "STORE_ATTR_INSTANCE_VALUE" [113 209] StoreAttr;
    StoreAttrSlot "STORE_ATTR_SLOT" "STORE_ATTR_SLOT" [148 210] StoreAttr;
    StoreAttrWithHint "STORE_ATTR_WITH_HINT" "STORE_ATTR_WITH_HINT" [153 211] StoreAttr;
    StoreFastAndLoadFast "STORE_FAST__LOAD_FAST" "STORE_FAST__LOAD_FAST" [154 _] StoreFast;
    StoreFastAndStoreFast "STORE_FAST__STORE_FAST" "STORE_FAST__STORE_FAST" [158 _] StoreFast;
    StoreSubscrDict "STORE_SUBSCR_DICT" "STORE_SUBSCR_DICT" [159 212] StoreSubscr;
    StoreSubscrListInt "STORE_SUBSCR_LIST_INT" "STORE_SUBSCR_LIST_INT" [160 213] StoreSubscr;
    ToBoolAlwaysTrue "TO_BOOL_ALWAYS_TRUE" "TO_BOOL_ALWAYS_TRUE" [_ 214] ToBool;
    ToBoolBool "TO_BOOL_BOOL" "TO_BOOL_BOOL" [_ 215] ToBool;
    ToBoolInt "TO_BOOL_INT" "TO_BOOL_INT" [_ 216] ToBool;
    ToBoolList "TO_BOOL_LIST" "TO_BOOL_LIST" [_ 217] ToBool;
    ToBoolNone "TO_BOOL_NONE" "TO_BOOL_NONE" [_ 218] ToBool;
    ToBoolStr "TO_BOOL_STR" "TO_BOOL_STR" [_ 219] ToBool;
    UnpackSequenceList "UNPACK_SEQUENCE_LIST" "UNPACK_SEQUENCE_LIST" [161 220] UnpackSequence;
    UnpackSequenceTuple "UNPACK_SEQUENCE_TUPLE" "UNPACK_SEQUENCE_TUPLE" [166 221] UnpackSequence;
    UnpackSequenceTwoTuple "UNPACK_SEQUENCE_TWO_TUPLE" "UNPACK_SEQUENCE_TWO_TUPLE" [167 222] UnpackSequence;
}

macro_rules! base {
    (_) => {
        None
    };
    ($base:ident) => {
        Some(Opcode::$base)
    };
}

macro_rules! instrumented {
    ($( $name:literal [$n312:tt $n313:tt] $base:tt; )*) => {
        const INSTRUMENTED: &[Instrumented] = &[ $( Instrumented { name: $name, numbers: [number!($n312), number!($n313)], base: base!($base) } ),* ];
    };
}

/// One instrumented form.
struct Instrumented {
    name: &'static str,
    numbers: [Option<u8>; 2],
    base: Option<Opcode>,
}

instrumented! {
    "INSTRUMENTED_CALL" [241 244] Call;
    "INSTRUMENTED_CALL_FUNCTION_EX" [244 246] CallFunctionEx;
    "INSTRUMENTED_CALL_KW" [_ 245] CallKw;
    "INSTRUMENTED_END_FOR" [251 237] EndFor;
    "INSTRUMENTED_END_SEND" [252 238] EndSend;
    "INSTRUMENTED_FOR_ITER" [248 243] ForIter;
    "INSTRUMENTED_INSTRUCTION" [253 247] _;
    "INSTRUMENTED_JUMP_BACKWARD" [246 249] JumpBackward;
    "INSTRUMENTED_JUMP_FORWARD" [245 248] JumpForward;
    "INSTRUMENTED_LINE" [254 254] _;
    "INSTRUMENTED_LOAD_SUPER_ATTR" [237 242] LoadSuperAttr;
    "INSTRUMENTED_POP_JUMP_IF_FALSE" [249 251] PopJumpIfFalse;
    "INSTRUMENTED_POP_JUMP_IF_NONE" [238 252] PopJumpIfNone;
    "INSTRUMENTED_POP_JUMP_IF_NOT_NONE" [239 253] PopJumpIfNotNone;
    "INSTRUMENTED_POP_JUMP_IF_TRUE" [250 250] PopJumpIfTrue;
    "INSTRUMENTED_RESUME" [240 236] Resume;
    "INSTRUMENTED_RETURN_CONST" [247 240] ReturnConst;
    "INSTRUMENTED_RETURN_VALUE" [242 239] ReturnValue;
    "INSTRUMENTED_YIELD_VALUE" [243 241] YieldValue;
}

/// What the byte in the running code array is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Adaptive {
    /// A generic instruction.
    Base(Opcode),
    /// A specialised form.
    Specialized(Specialized),
    /// An instrumented form; the opcode below it, or `None` for `INSTRUMENTED_LINE` and `INSTRUMENTED_INSTRUCTION`, which hide it.
    Instrumented(Option<Opcode>),
}

const fn table(minor: Minor) -> [Option<Adaptive>; 256] {
    let mut table = [None; 256];
    let version = minor as usize;
    let mut i = 0;
    while i < Specialized::ALL.len() {
        if let Some(number) = Specialized::NUMBERS[i][version] {
            assert!(table[number as usize].is_none(), "one number, two forms");
            table[number as usize] = Some(Adaptive::Specialized(Specialized::ALL[i]));
        }
        i += 1;
    }
    let mut i = 0;
    while i < INSTRUMENTED.len() {
        if let Some(number) = INSTRUMENTED[i].numbers[version] {
            assert!(table[number as usize].is_none(), "one number, two forms");
            table[number as usize] = Some(Adaptive::Instrumented(INSTRUMENTED[i].base));
        }
        i += 1;
    }
    table
}

static BY_NUMBER: [[Option<Adaptive>; 256]; 2] = [table(Minor::V312), table(Minor::V313)];

impl Adaptive {
    /// What this byte of the running code array means.
    pub fn from_number(minor: Minor, number: u8) -> Option<Adaptive> {
        BY_NUMBER[minor as usize][number as usize]
            .or_else(|| Opcode::from_number(minor, number).map(Adaptive::Base))
    }

    /// The generic opcode, where the byte alone tells it.
    pub fn base(self) -> Option<Opcode> {
        match self {
            Adaptive::Base(opcode) => Some(opcode),
            Adaptive::Specialized(specialized) => Some(specialized.base()),
            Adaptive::Instrumented(base) => base,
        }
    }
}

impl Specialized {
    /// The generic opcode this is a form of.
    pub const fn base(self) -> Opcode {
        Self::BASES[self as usize]
    }

    /// The name this form has in that version.
    pub fn name(self, minor: Minor) -> &'static str {
        Self::NAMES[self as usize][minor as usize]
    }

    /// The number this form has in that version, if it exists there.
    pub fn number(self, minor: Minor) -> Option<u8> {
        Self::NUMBERS[self as usize][minor as usize]
    }
}

/// Whether the interpreter has specialised forms of an opcode in a version, and counts in its first cache when to try them.
pub fn is_specialised(minor: Minor, opcode: Opcode) -> bool {
    opcode.caches(minor) > 0
        && Specialized::ALL
            .iter()
            .any(|form| form.base() == opcode && form.number(minor).is_some())
}

/// Names and numbers of the instrumented forms of a version, for comparing with the interpreter.
pub fn instrumented_numbers(minor: Minor) -> impl Iterator<Item = (&'static str, u8)> {
    INSTRUMENTED
        .iter()
        .filter_map(move |form| form.numbers[minor as usize].map(|number| (form.name, number)))
}

/// The number of the instrumented form of an opcode in a version, if it has one.
pub fn instrumented_number(minor: Minor, opcode: Opcode) -> Option<u8> {
    INSTRUMENTED
        .iter()
        .find(|form| form.base == Some(opcode))
        .and_then(|form| form.numbers[minor as usize])
}

/// For each byte of the running code array: how many units its instruction takes, and [`BACK_EDGE`] if it is a back edge. What is not
/// known, or hidden by a tool's LINE or INSTRUCTION events, takes one.
static STEPS: [[u8; 256]; 2] = [steps(Minor::V312), steps(Minor::V313)];

const BACK_EDGE: u8 = 0x80;

const fn steps(minor: Minor) -> [u8; 256] {
    let forms = table(minor);
    let mut steps = [1; 256];
    let mut number = 0;
    while number < 256 {
        let base = match forms[number] {
            Some(Adaptive::Base(opcode)) => Some(opcode),
            Some(Adaptive::Specialized(form)) => Some(form.base()),
            Some(Adaptive::Instrumented(base)) => base,
            None => Opcode::from_number(minor, number as u8),
        };
        if let Some(opcode) = base {
            steps[number] += opcode.caches(minor) as u8;
            if matches!(opcode, Opcode::JumpBackward) {
                steps[number] |= BACK_EDGE;
            }
        }
        number += 1;
    }
    steps
}

/// The bytes in the running code array that are back edges: plain and instrumented.
static BACK_EDGES: [[u8; 2]; 2] = [back_edges(Minor::V312), back_edges(Minor::V313)];

const fn back_edges(minor: Minor) -> [u8; 2] {
    let steps = steps(minor);
    let mut found = [0; 2];
    let mut count = 0;
    let mut number = 0;
    while number < 256 {
        if steps[number] & BACK_EDGE != 0 {
            found[count] = number as u8;
            count += 1;
        }
        number += 1;
    }
    assert!(count == 2, "a back edge has two forms");
    found
}

/// Whether there is a back edge among these units of running code, as [`next_back_edge`] finds it.
pub fn has_back_edge(minor: Minor, units: &[u16]) -> bool {
    // Most code has none. That is seen soonest by looking for the opcodes everywhere, also in caches.
    let [plain, instrumented] = BACK_EDGES[minor as usize];
    let is_one = |&unit: &u16| unit as u8 == plain || unit as u8 == instrumented;
    let mut blocks = units.chunks(64);
    blocks.any(|block| block.iter().fold(false, |found, unit| found | is_one(unit)))
        && next_back_edge(minor, units, 0).is_some()
}

/// The first back edge among these units of running code, from the instruction at `from` on. What is hidden by other tools'
/// events is taken for a single unit: a cache may then pass for an instruction, so that too much is found, never too little by
/// more than the hidden jump itself.
#[inline]
pub fn next_back_edge(minor: Minor, units: &[u16], from: usize) -> Option<usize> {
    let steps = &STEPS[minor as usize];
    let mut at = from;
    while let Some(&unit) = units.get(at) {
        let step = steps[usize::from(unit as u8)];
        if step & BACK_EDGE != 0 {
            return Some(at);
        }
        at += usize::from(step);
    }
    None
}

/// Whether the interpreter can make `co_code` of these units of running code: it clears the caches of each instruction without
/// looking whether they are there, and follows what an opcode of its own says, which a crafted code object may have anywhere.
pub(crate) fn check_units(minor: Minor, units: &[u16]) -> Result<(), BadCode> {
    let steps = &STEPS[minor as usize];
    let mut at = 0;
    while let Some(&unit) = units.get(at) {
        let (start, number) = (at as u32, unit as u8);
        match Adaptive::from_number(minor, number) {
            None => {
                return Err(BadCode::UnknownOpcode {
                    unit: start,
                    number,
                });
            }
            Some(Adaptive::Instrumented(None)) => return Err(BadCode::Hidden { unit: start }),
            Some(_) => at += usize::from(steps[usize::from(number)] & !BACK_EDGE),
        }
        if at > units.len() {
            return Err(BadCode::Truncated { unit: start });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_edges_are_found_wherever_they_are_and_caches_are_not() {
        for minor in [Minor::V312, Minor::V313] {
            let nop = u16::from(Opcode::Nop.number(minor).expect("it exists"));
            for number in BACK_EDGES[minor as usize].map(u16::from) {
                for length in [1, 63, 64, 65, 200] {
                    let plain = vec![nop | number << 8; length];
                    assert!(!has_back_edge(minor, &plain), "an argument");
                    for at in 0..length {
                        let mut units = plain.clone();
                        units[at] = number | 0x300;
                        assert!(has_back_edge(minor, &units));
                        assert_eq!(next_back_edge(minor, &units, 0), Some(at));
                        assert_eq!(next_back_edge(minor, &units, at + 1), None);
                    }
                }
                let compare = Opcode::CompareOp;
                let opcode = u16::from(compare.number(minor).expect("it exists"));
                assert!(compare.caches(minor) > 0);
                assert!(!has_back_edge(minor, &[opcode, number]), "a cache");
            }
        }
    }
}
