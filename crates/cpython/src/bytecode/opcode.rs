//! Every opcode a code object can hold, in both versions, after de-specialising and de-instrumenting.
//!
//! Provenance: `Include/opcode.h` and `Include/internal/pycore_opcode.h` (`_PyOpcode_Caches`) of 3.12.1;
//! `Include/opcode_ids.h` and `Include/internal/pycore_opcode_metadata.h` (`_PyOpcode_Caches`) of 3.13.0. The numbers are
//! fixed for a minor version (they are part of the `.pyc` magic number); `tests/live.rs` compares them with the running
//! interpreter's `opcode` module.

use crate::version::Minor;

macro_rules! number {
    (_) => {
        None
    };
    ($n:literal) => {
        Some($n)
    };
}
pub(super) use number;

/// Each line: `Variant "NAME" [number in 3.12, number in 3.13] [cache units in 3.12, in 3.13];`, `_` where a version has none.
macro_rules! opcodes {
    ($( $variant:ident $name:literal [$n312:tt $n313:tt] [$c312:literal $c313:literal]; )*) => {
        /// An instruction of either version, independent of its number there.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Opcode { $( #[doc = $name] $variant ),* }

        impl Opcode {
            /// Every opcode.
            pub const ALL: &'static [Opcode] = &[ $( Opcode::$variant ),* ];
            const NAMES: &'static [&'static str] = &[ $( $name ),* ];
            const NUMBERS: &'static [[Option<u8>; 2]] = &[ $( [number!($n312), number!($n313)] ),* ];
            const CACHES: &'static [[u8; 2]] = &[ $( [$c312, $c313] ),* ];
        }
    };
}

opcodes! {
    BeforeAsyncWith "BEFORE_ASYNC_WITH" [52 1] [0 0];
    BeforeWith "BEFORE_WITH" [53 2] [0 0];
    BinaryOp "BINARY_OP" [122 45] [1 1];
    BinarySlice "BINARY_SLICE" [26 4] [0 0];
    BinarySubscr "BINARY_SUBSCR" [25 5] [1 1];
    BuildConstKeyMap "BUILD_CONST_KEY_MAP" [156 46] [0 0];
    BuildList "BUILD_LIST" [103 47] [0 0];
    BuildMap "BUILD_MAP" [105 48] [0 0];
    BuildSet "BUILD_SET" [104 49] [0 0];
    BuildSlice "BUILD_SLICE" [133 50] [0 0];
    BuildString "BUILD_STRING" [157 51] [0 0];
    BuildTuple "BUILD_TUPLE" [102 52] [0 0];
    Cache "CACHE" [0 0] [0 0];
    Call "CALL" [171 53] [3 3];
    CallFunctionEx "CALL_FUNCTION_EX" [142 54] [0 0];
    CallIntrinsic1 "CALL_INTRINSIC_1" [173 55] [0 0];
    CallIntrinsic2 "CALL_INTRINSIC_2" [174 56] [0 0];
    CallKw "CALL_KW" [_ 57] [0 0];
    CheckEgMatch "CHECK_EG_MATCH" [37 6] [0 0];
    CheckExcMatch "CHECK_EXC_MATCH" [36 7] [0 0];
    CleanupThrow "CLEANUP_THROW" [55 8] [0 0];
    CompareOp "COMPARE_OP" [107 58] [1 1];
    ContainsOp "CONTAINS_OP" [118 59] [0 1];
    ConvertValue "CONVERT_VALUE" [_ 60] [0 0];
    Copy "COPY" [120 61] [0 0];
    CopyFreeVars "COPY_FREE_VARS" [149 62] [0 0];
    DeleteAttr "DELETE_ATTR" [96 63] [0 0];
    DeleteDeref "DELETE_DEREF" [139 64] [0 0];
    DeleteFast "DELETE_FAST" [126 65] [0 0];
    DeleteGlobal "DELETE_GLOBAL" [98 66] [0 0];
    DeleteName "DELETE_NAME" [91 67] [0 0];
    DeleteSubscr "DELETE_SUBSCR" [61 9] [0 0];
    DictMerge "DICT_MERGE" [164 68] [0 0];
    DictUpdate "DICT_UPDATE" [165 69] [0 0];
    EndAsyncFor "END_ASYNC_FOR" [54 10] [0 0];
    EndFor "END_FOR" [4 11] [0 0];
    EndSend "END_SEND" [5 12] [0 0];
    ExitInitCheck "EXIT_INIT_CHECK" [_ 13] [0 0];
    ExtendedArg "EXTENDED_ARG" [144 71] [0 0];
    FormatSimple "FORMAT_SIMPLE" [_ 14] [0 0];
    FormatValue "FORMAT_VALUE" [155 _] [0 0];
    FormatWithSpec "FORMAT_WITH_SPEC" [_ 15] [0 0];
    ForIter "FOR_ITER" [93 72] [1 1];
    GetAiter "GET_AITER" [50 16] [0 0];
    GetAnext "GET_ANEXT" [51 18] [0 0];
    GetAwaitable "GET_AWAITABLE" [131 73] [0 0];
    GetIter "GET_ITER" [68 19] [0 0];
    GetLen "GET_LEN" [30 20] [0 0];
    GetYieldFromIter "GET_YIELD_FROM_ITER" [69 21] [0 0];
    ImportFrom "IMPORT_FROM" [109 74] [0 0];
    ImportName "IMPORT_NAME" [108 75] [0 0];
    InterpreterExit "INTERPRETER_EXIT" [3 22] [0 0];
    IsOp "IS_OP" [117 76] [0 0];
    JumpBackward "JUMP_BACKWARD" [140 77] [0 1];
    JumpBackwardNoInterrupt "JUMP_BACKWARD_NO_INTERRUPT" [134 78] [0 0];
    JumpForward "JUMP_FORWARD" [110 79] [0 0];
    KwNames "KW_NAMES" [172 _] [0 0];
    ListAppend "LIST_APPEND" [145 80] [0 0];
    ListExtend "LIST_EXTEND" [162 81] [0 0];
    LoadAssertionError "LOAD_ASSERTION_ERROR" [74 23] [0 0];
    LoadAttr "LOAD_ATTR" [106 82] [9 9];
    LoadBuildClass "LOAD_BUILD_CLASS" [71 24] [0 0];
    LoadClosure "LOAD_CLOSURE" [136 _] [0 0];
    LoadConst "LOAD_CONST" [100 83] [0 0];
    LoadDeref "LOAD_DEREF" [137 84] [0 0];
    LoadFast "LOAD_FAST" [124 85] [0 0];
    LoadFastAndClear "LOAD_FAST_AND_CLEAR" [143 86] [0 0];
    LoadFastCheck "LOAD_FAST_CHECK" [127 87] [0 0];
    LoadFastLoadFast "LOAD_FAST_LOAD_FAST" [_ 88] [0 0];
    LoadFromDictOrDeref "LOAD_FROM_DICT_OR_DEREF" [176 89] [0 0];
    LoadFromDictOrGlobals "LOAD_FROM_DICT_OR_GLOBALS" [175 90] [0 0];
    LoadGlobal "LOAD_GLOBAL" [116 91] [4 4];
    LoadLocals "LOAD_LOCALS" [87 25] [0 0];
    LoadName "LOAD_NAME" [101 92] [0 0];
    LoadSuperAttr "LOAD_SUPER_ATTR" [141 93] [1 1];
    MakeCell "MAKE_CELL" [135 94] [0 0];
    MakeFunction "MAKE_FUNCTION" [132 26] [0 0];
    MapAdd "MAP_ADD" [147 95] [0 0];
    MatchClass "MATCH_CLASS" [152 96] [0 0];
    MatchKeys "MATCH_KEYS" [33 27] [0 0];
    MatchMapping "MATCH_MAPPING" [31 28] [0 0];
    MatchSequence "MATCH_SEQUENCE" [32 29] [0 0];
    Nop "NOP" [9 30] [0 0];
    PopExcept "POP_EXCEPT" [89 31] [0 0];
    PopJumpIfFalse "POP_JUMP_IF_FALSE" [114 97] [0 1];
    PopJumpIfNone "POP_JUMP_IF_NONE" [129 98] [0 1];
    PopJumpIfNotNone "POP_JUMP_IF_NOT_NONE" [128 99] [0 1];
    PopJumpIfTrue "POP_JUMP_IF_TRUE" [115 100] [0 1];
    PopTop "POP_TOP" [1 32] [0 0];
    PushExcInfo "PUSH_EXC_INFO" [35 33] [0 0];
    PushNull "PUSH_NULL" [2 34] [0 0];
    RaiseVarargs "RAISE_VARARGS" [130 101] [0 0];
    Reraise "RERAISE" [119 102] [0 0];
    Resume "RESUME" [151 149] [0 0];
    ReturnConst "RETURN_CONST" [121 103] [0 0];
    ReturnGenerator "RETURN_GENERATOR" [75 35] [0 0];
    ReturnValue "RETURN_VALUE" [83 36] [0 0];
    Send "SEND" [123 104] [1 1];
    SetupAnnotations "SETUP_ANNOTATIONS" [85 37] [0 0];
    SetAdd "SET_ADD" [146 105] [0 0];
    SetFunctionAttribute "SET_FUNCTION_ATTRIBUTE" [_ 106] [0 0];
    SetUpdate "SET_UPDATE" [163 107] [0 0];
    StoreAttr "STORE_ATTR" [95 108] [4 4];
    StoreDeref "STORE_DEREF" [138 109] [0 0];
    StoreFast "STORE_FAST" [125 110] [0 0];
    StoreFastLoadFast "STORE_FAST_LOAD_FAST" [_ 111] [0 0];
    StoreFastStoreFast "STORE_FAST_STORE_FAST" [_ 112] [0 0];
    StoreGlobal "STORE_GLOBAL" [97 113] [0 0];
    StoreName "STORE_NAME" [90 114] [0 0];
    StoreSlice "STORE_SLICE" [27 38] [0 0];
    StoreSubscr "STORE_SUBSCR" [60 39] [1 1];
    Swap "SWAP" [99 115] [0 0];
    ToBool "TO_BOOL" [_ 40] [0 3];
    UnaryInvert "UNARY_INVERT" [15 41] [0 0];
    UnaryNegative "UNARY_NEGATIVE" [11 42] [0 0];
    UnaryNot "UNARY_NOT" [12 43] [0 0];
    UnpackEx "UNPACK_EX" [94 116] [0 0];
    UnpackSequence "UNPACK_SEQUENCE" [92 117] [1 1];
    WithExceptStart "WITH_EXCEPT_START" [49 44] [0 0];
    YieldValue "YIELD_VALUE" [150 118] [0 0];
}

const fn by_number(minor: Minor) -> [Option<Opcode>; 256] {
    let mut table = [None; 256];
    let mut i = 0;
    while i < Opcode::ALL.len() {
        if let Some(number) = Opcode::NUMBERS[i][minor as usize] {
            assert!(table[number as usize].is_none(), "one number, two opcodes");
            table[number as usize] = Some(Opcode::ALL[i]);
        }
        i += 1;
    }
    table
}

static BY_NUMBER: [[Option<Opcode>; 256]; 2] = [by_number(Minor::V312), by_number(Minor::V313)];

impl Opcode {
    /// The opcode that has this number in `co_code` (de-specialised, de-instrumented bytes).
    #[inline]
    pub const fn from_number(minor: Minor, number: u8) -> Option<Opcode> {
        BY_NUMBER[minor as usize][number as usize]
    }

    /// The number of this opcode, if the version has it.
    pub fn number(self, minor: Minor) -> Option<u8> {
        Self::NUMBERS[self as usize][minor as usize]
    }

    /// The name `dis` prints.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// How many inline cache units follow the instruction.
    #[inline]
    pub const fn caches(self, minor: Minor) -> u32 {
        Self::CACHES[self as usize][minor as usize] as u32
    }

    /// How this opcode moves the instruction pointer by its oparg, if it does.
    #[inline]
    pub fn jump(self) -> Jump {
        match self {
            Opcode::JumpForward
            | Opcode::PopJumpIfFalse
            | Opcode::PopJumpIfTrue
            | Opcode::PopJumpIfNone
            | Opcode::PopJumpIfNotNone
            | Opcode::ForIter
            | Opcode::Send => Jump::Forward,
            Opcode::JumpBackward | Opcode::JumpBackwardNoInterrupt => Jump::Backward,
            _ => Jump::None,
        }
    }

    /// Whether control never reaches the instruction after this one.
    #[inline]
    pub fn ends_flow(self) -> bool {
        matches!(
            self,
            Opcode::JumpForward
                | Opcode::JumpBackward
                | Opcode::JumpBackwardNoInterrupt
                | Opcode::ReturnValue
                | Opcode::ReturnConst
                | Opcode::RaiseVarargs
                | Opcode::Reraise
                | Opcode::InterpreterExit
        )
    }

    /// Which table the oparg of this opcode is an index into.
    #[inline]
    pub fn operand(self, minor: Minor) -> Operand {
        match self {
            Opcode::LoadConst | Opcode::ReturnConst | Opcode::KwNames => Operand::Const,
            Opcode::LoadFast
            | Opcode::LoadFastAndClear
            | Opcode::LoadFastCheck
            | Opcode::StoreFast
            | Opcode::DeleteFast
            | Opcode::MakeCell
            | Opcode::LoadClosure => Operand::Local,
            Opcode::LoadFastLoadFast | Opcode::StoreFastLoadFast | Opcode::StoreFastStoreFast => {
                Operand::TwoLocals
            }
            Opcode::LoadDeref
            | Opcode::StoreDeref
            | Opcode::DeleteDeref
            | Opcode::LoadFromDictOrDeref => Operand::Cell,
            Opcode::StoreName
            | Opcode::DeleteName
            | Opcode::StoreAttr
            | Opcode::DeleteAttr
            | Opcode::StoreGlobal
            | Opcode::DeleteGlobal
            | Opcode::LoadName
            | Opcode::ImportName
            | Opcode::ImportFrom
            | Opcode::LoadFromDictOrGlobals => Operand::Name { shift: 0 },
            Opcode::LoadAttr | Opcode::LoadGlobal => Operand::Name { shift: 1 },
            Opcode::LoadSuperAttr => Operand::Name { shift: 2 },
            Opcode::CompareOp => Operand::Compare {
                shift: if minor == Minor::V312 { 4 } else { 5 },
            },
            Opcode::BinaryOp => Operand::Binary,
            _ => Operand::Other,
        }
    }
}

/// The direction of a relative jump; the distance is the oparg, in code units from the next instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Jump {
    /// The opcode does not jump.
    None,
    /// To `next + oparg`.
    Forward,
    /// To `next - oparg`.
    Backward,
}

/// What an oparg is an index of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operand {
    /// `co_consts`.
    Const,
    /// A slot of `localsplus`.
    Local,
    /// Two slots of `localsplus`: `oparg >> 4` and `oparg & 15`.
    TwoLocals,
    /// A slot of `localsplus` that holds a cell.
    Cell,
    /// `co_names`, after shifting out flag bits.
    Name {
        /// Number of flag bits below the index.
        shift: u32,
    },
    /// A comparison operator (0..6 as `Py_LT`..`Py_GE`) after shifting out flag bits.
    Compare {
        /// Number of flag bits below the operator.
        shift: u32,
    },
    /// A binary operator, `NB_ADD`..`NB_INPLACE_XOR`.
    Binary,
    /// A count, flags, or nothing.
    Other,
}
