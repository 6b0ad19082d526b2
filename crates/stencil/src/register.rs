//! The registers a trace may keep values in, and the ones stencils use for themselves.
//!
//! `r12` holds the running frame, `rsp` the [activation](crate::Activation), `rbp` the frame pointer of the entry shim. Values live
//! in the registers named here. All others (rax, rcx, rdx, rsi, rdi, r10, xmm8-15) are scratch: any stencil may overwrite them.

/// The class of a register: what it can hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Class {
    /// Integers and object pointers.
    Gp,
    /// Doubles.
    Fp,
}

/// A value register for integers and pointers: 0..=3 are r13, r14, r15, rbx and survive C calls; 4..=6 are r8, r9, r11 and do not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct Gp(u8);

/// A value register for doubles: xmm0 to xmm7. None survives a C call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct Fp(u8);

impl Gp {
    /// How many there are.
    pub const COUNT: usize = 7;
    /// How many of them, the first ones, survive C calls.
    pub const CALLEE_SAVED: usize = 4;
    /// The register of that index (0..7).
    #[inline]
    pub const fn new(index: u8) -> Gp {
        assert!((index as usize) < Gp::COUNT);
        Gp(index)
    }
    /// Its index.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
    /// Whether its value survives a C call.
    #[inline]
    pub const fn survives_calls(self) -> bool {
        self.index() < Gp::CALLEE_SAVED
    }
    /// Its name in assembly.
    pub const fn name(self) -> &'static str {
        ["r13", "r14", "r15", "rbx", "r8", "r9", "r11"][self.index()]
    }
}

impl Fp {
    /// How many there are.
    pub const COUNT: usize = 8;
    /// The register of that index (0..8).
    #[inline]
    pub const fn new(index: u8) -> Fp {
        assert!((index as usize) < Fp::COUNT);
        Fp(index)
    }
    /// Its index.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
    /// Its name in assembly.
    pub const fn name(self) -> &'static str {
        [
            "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
        ][self.index()]
    }
}

/// A value register of either class, or none, in one byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Register(u8);

/// The number of each register in instruction encodings, by [`Register`].
const HARDWARE: [u8; 16] = [13, 14, 15, 3, 8, 9, 11, 0, 0, 1, 2, 3, 4, 5, 6, 7];

/// The class of each register, by [`Register`].
const CLASS: [Option<Class>; 16] = {
    let mut classes = [Some(Class::Gp); 16];
    classes[Register::NONE.0 as usize] = None;
    let mut fp = 8;
    while fp < 16 {
        classes[fp] = Some(Class::Fp);
        fp += 1;
    }
    classes
};

impl Register {
    /// No register: the operand does not exist or is not used.
    pub const NONE: Register = Register(7);
    /// The general registers are numbers 0 to 6, the float registers 8 to 15; any other number is none.
    #[inline]
    pub const fn numbered(number: u8) -> Register {
        if number < 16 {
            Register(number)
        } else {
            Register::NONE
        }
    }
    /// The general register, if it is one.
    #[inline]
    pub const fn gp(self) -> Option<Gp> {
        if self.0 < 7 { Some(Gp(self.0)) } else { None }
    }
    /// The float register, if it is one.
    #[inline]
    pub const fn fp(self) -> Option<Fp> {
        if self.0 >= 8 {
            Some(Fp(self.0 - 8))
        } else {
            None
        }
    }
    /// Whether it is a register of this class; for `None`, whether it is none.
    #[inline]
    pub const fn is(self, class: Option<Class>) -> bool {
        // Options are compared by branches, numbers are not.
        const fn number(class: Option<Class>) -> u8 {
            match class {
                Some(class) => class as u8,
                None => 2,
            }
        }
        number(self.class()) == number(class)
    }
    /// Its class; `None` for no register.
    #[inline]
    pub const fn class(self) -> Option<Class> {
        CLASS[(self.0 & 15) as usize]
    }
    /// Its number in instruction encodings (0 for no register).
    #[inline]
    pub const fn hardware(self) -> u8 {
        HARDWARE[(self.0 & 15) as usize]
    }
}

impl From<Gp> for Register {
    #[inline]
    fn from(register: Gp) -> Register {
        Register(register.0)
    }
}

impl From<Fp> for Register {
    #[inline]
    fn from(register: Fp) -> Register {
        Register(register.0 + 8)
    }
}
