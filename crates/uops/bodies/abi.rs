//! How bodies meet the machine: operand types, holes, access to memory, and the state that wrappers pass on.

use core::mem::MaybeUninit;

/// A pointer to an object, or null.
pub type Object = *mut u8;

/// A general register's content in a wrapper.
pub type Word = MaybeUninit<i64>;
/// A float register's content in a wrapper.
pub type Double = MaybeUninit<f64>;

/// A general register whose content does not matter.
pub const NO_WORD: Word = Word::uninit();
/// A float register whose content does not matter.
pub const NO_DOUBLE: Double = Double::uninit();

/// Declares functions that wrappers jump to: r12 is the frame, then r13 r14 r15, rdi rsi rdx rcx, r8 r9 r11, rax, xmm0 to xmm7.
macro_rules! continuations {
    ($( $(#[$doc:meta])* $name:ident )*) => {
        unsafe extern "rust-preserve-none" { $( $(#[$doc])* pub fn $name(
            frame: *mut u8, r13: Word, r14: Word, r15: Word, rdi: Word, rsi: Word, rdx: Word, rcx: Word,
            r8: Word, r9: Word, r11: Word, rax: Word,
            x0: Double, x1: Double, x2: Double, x3: Double, x4: Double, x5: Double, x6: Double, x7: Double,
        ); )* }
    };
}
continuations! {
    /// The next stencil of the trace.
    hole_next
    /// The exit of the uop.
    hole_exit
}

unsafe extern "C" {
    /// Its address is the immediate operand, in 32 bits that are sign-extended.
    pub static hole_imm32: u8;
    /// Its address is the immediate operand, in 32 bits that are zero-extended.
    pub static hole_imm32u: u8;
    /// Its address is the immediate operand, in 8 bits.
    pub static hole_imm8: u8;
    /// Its address is the immediate operand, in 64 bits.
    pub static hole_imm64: u8;
    /// Its address is the multiplier, in 64 bits, and the shift, in 8 bits, by which to divide by the immediate operand.
    pub static hole_divisor_magic: u8;
    pub static hole_divisor_shift: u8;
    /// A constant beside the trace that holds the immediate operand.
    pub static hole_pool: f64;
    /// Addresses that the host gives.
    pub static hole_small_ints: u8;
    pub static hole_float_type: u8;
    pub static hole_float_free_list: u8;
    pub static hole_float_free_count: u8;
    /// Calls of it are removed by the build; they mark a block as cold.
    pub fn hole_cold_marker();
    /// The helper function that the immediate operand names.
    pub fn hole_helper();
    /// Functions of the runtime.
    pub fn hole_vectorcall();
    /// Thunks that change no value register: the argument is in r10 (or xmm15), the result in rax and rdx.
    pub fn hole_box_int_thunk();
    pub fn hole_box_float_thunk();
    pub fn hole_unbox_big_int_thunk();
    pub fn hole_dealloc_thunk();
}

/// The 32-bit immediate operand, sign-extended.
#[inline(always)]
pub fn imm32() -> i64 {
    (&raw const hole_imm32) as i64
}

/// The 32-bit immediate operand as an offset.
#[inline(always)]
pub fn offset() -> usize {
    (&raw const hole_imm32) as usize
}

/// A 64-bit word that the build or the run time fills in.
macro_rules! word64 {
    ($hole:ident) => {{
        let word: u64;
        // SAFETY: loads a constant.
        unsafe {
            core::arch::asm!("movabs {}, offset {}", out(reg) word, sym $crate::abi::$hole,
                options(pure, nomem, nostack, preserves_flags));
        }
        word
    }};
}
pub(crate) use word64;

/// The 64-bit immediate operand.
#[inline(always)]
pub fn imm64() -> u64 {
    word64!(hole_imm64)
}

/// The 32-bit immediate operand, sign-extended, in a register (where the instruction has no such operand).
#[inline(always)]
pub fn imm32_in_register() -> i64 {
    let word: i64;
    // SAFETY: loads a constant.
    unsafe {
        core::arch::asm!("movq ${}, {}", sym hole_imm32, out(reg) word,
            options(pure, nomem, nostack, preserves_flags, att_syntax));
    }
    word
}

/// Marks the rest of this path as cold: it goes to the cold area.
#[inline(always)]
pub fn cold() {
    core::intrinsics::cold_path();
    // SAFETY: the build removes the instruction.
    unsafe {
        core::arch::asm!("call {}", sym hole_cold_marker, options(nomem, nostack, preserves_flags))
    };
}

/// The same value, of which LLVM knows nothing.
#[inline(always)]
pub fn opaque(value: i64) -> i64 {
    let mut value = value;
    // SAFETY: does nothing.
    unsafe {
        core::arch::asm!("/* {} */", inout(reg) value, options(pure, nomem, nostack, preserves_flags))
    };
    value
}

/// Reads a field.
#[inline(always)]
pub unsafe fn load<T>(base: *mut u8, offset: usize) -> T {
    // SAFETY: the uop's meaning says that the field is there.
    unsafe { base.wrapping_add(offset).cast::<T>().read() }
}

/// Writes a field.
#[inline(always)]
pub unsafe fn store<T>(base: *mut u8, offset: usize, value: T) {
    // SAFETY: the uop's meaning says that the field is there.
    unsafe { base.wrapping_add(offset).cast::<T>().write(value) };
}

/// Returns `None` from the body unless the words are equal; LLVM does not learn that they are.
macro_rules! leave_unless_equal {
    ($a:expr, $b:expr) => {
        // SAFETY: compares and jumps.
        unsafe {
            core::arch::asm!("cmp {}, {}", "jne {}", in(reg) $a, in(reg) $b, label { core::intrinsics::cold_path(); return None },
                options(nomem, nostack))
        }
    };
}
pub(crate) use leave_unless_equal;

/// Returns `None` from the body if the word is 0; LLVM does not learn that it is.
macro_rules! leave_if_zero {
    ($a:expr) => {
        // SAFETY: compares and jumps.
        unsafe {
            core::arch::asm!("test {0}, {0}", "jz {1}", in(reg) $a, label { core::intrinsics::cold_path(); return None },
                options(nomem, nostack))
        }
    };
}
pub(crate) use leave_if_zero;

/// Loads a word of the activation.
macro_rules! load_activation {
    ($offset:expr) => {{
        let word: u64;
        // SAFETY: rsp points to the activation.
        unsafe {
            core::arch::asm!("mov {}, [rsp + {}]", out(reg) word, const $offset, options(readonly, nostack, preserves_flags));
        }
        word
    }};
}
pub(crate) use load_activation;
