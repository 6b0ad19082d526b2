//! What the register allocator asks about the stencils, answered from their table.

use serigraph_stencil::{SPILL_SLOTS, StencilTable};
use serigraph_trace::regalloc::Target;
use serigraph_uops::Uop;

/// How many spill slots the allocator may use: all but the last, which is the scratch slot of moves.
pub const MAX_SLOTS: u16 = SPILL_SLOTS as u16 - 1;

/// The constraints of a table of stencils.
#[derive(Clone, Copy, Debug)]
pub struct StencilTarget {
    table: &'static StencilTable,
}

impl StencilTarget {
    /// Those of this table.
    pub fn new(table: &'static StencilTable) -> StencilTarget {
        StencilTarget { table }
    }
}

impl Target for StencilTarget {
    #[inline]
    fn may_alias(&self, uop: Uop, input: usize) -> bool {
        self.table.constraints(uop).output_may_alias >> input & 1 != 0
    }
    #[inline]
    fn clobbers(&self, uop: Uop) -> bool {
        self.table.constraints(uop).clobbers_caller_saved
    }
    #[inline]
    fn reads(&self, uop: Uop, input: usize) -> bool {
        self.table.constraints(uop).inputs[input].is_some()
    }
    #[inline]
    fn restores(&self, uop: Uop, input: usize) -> bool {
        self.table.constraints(uop).restores >> input & 1 != 0
    }
    #[inline]
    fn writes_before_exit(&self, uop: Uop) -> bool {
        self.table.constraints(uop).output_before_exit
    }
}
