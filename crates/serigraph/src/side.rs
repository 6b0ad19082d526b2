//! A hot side exit: recording goes on from there, and the exit is linked to the trace that comes of it.

use std::rc::Rc;

use serigraph_cpython::code::CodeRef;
use serigraph_cpython::frame::FramePtr;
use serigraph_cpython::threads::Thread;
use serigraph_stencil::Activation;

use crate::executor::Compiled;

/// Whether a side trace may be recorded here and now.
pub fn may_record(_t: Thread, _c: CodeRef, _x: &Rc<Compiled>, _i: u32) -> bool { false }
/// Records.
pub unsafe fn record(_t: Thread, _f: FramePtr, _c: CodeRef, _x: &Rc<Compiled>, _i: u32, _a: &Activation) -> bool { false }
