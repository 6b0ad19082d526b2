//! What can go wrong while code is made. Nothing here is fatal: the program goes on without the trace.

use rustix::io::Errno;
use serigraph_uops::Uop;

/// Why code was not made, published, linked or freed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CodeError {
    /// The system refused address space.
    Reserve(Errno),
    /// The system refused to make pages writable; nothing has changed.
    Unseal(Errno),
    /// The system refused to make pages executable. No code of this memory may be entered any more.
    Seal(Errno),
    /// An earlier [`CodeError::Seal`] has made this memory unusable.
    Unusable,
    /// The limit on code memory leaves no room for this many bytes.
    Full(usize),
    /// The immediate operand of a uop does not fit its hole.
    Immediate(Uop, u64),
    /// The host's table has no helper of that number.
    Helper(u64),
    /// A uop that can leave the trace was given no exit.
    NoExit(Uop),
    /// A register of the wrong class, or none, was given for an operand.
    Operand(Uop),
    /// There is no spill slot of that number.
    SpillSlot(u32),
    /// A jump to a label that was never bound.
    UnboundLabel,
    /// A jump target is more than 2 GiB away.
    Distance,
    /// The uop has no stencil.
    NoStencil(Uop),
}

impl core::fmt::Display for CodeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            CodeError::Reserve(errno) => write!(
                f,
                "the system refused to reserve address space for code: {errno}"
            ),
            CodeError::Unseal(errno) => {
                write!(f, "the system refused to make code pages writable: {errno}")
            }
            CodeError::Seal(errno) => write!(
                f,
                "the system refused to make code pages executable: {errno}"
            ),
            CodeError::Unusable => f.write_str(
                "the code memory is unusable since the system refused a protection change",
            ),
            CodeError::Full(bytes) => write!(
                f,
                "no room for {bytes} bytes within the limit on code memory"
            ),
            CodeError::Immediate(uop, value) => {
                write!(
                    f,
                    "the immediate operand {value:#x} of {} does not fit its hole",
                    uop.name()
                )
            }
            CodeError::Helper(number) => write!(f, "there is no helper number {number}"),
            CodeError::NoExit(uop) => write!(
                f,
                "{} can leave the trace but was given no exit",
                uop.name()
            ),
            CodeError::Operand(uop) => write!(
                f,
                "an operand of {} was given a register of the wrong class",
                uop.name()
            ),
            CodeError::SpillSlot(slot) => write!(f, "there is no spill slot number {slot}"),
            CodeError::UnboundLabel => f.write_str("a jump goes to a label that was never bound"),
            CodeError::Distance => f.write_str("a jump target is more than 2 GiB away"),
            CodeError::NoStencil(uop) => write!(f, "{} has no stencil", uop.name()),
        }
    }
}

impl std::error::Error for CodeError {}
