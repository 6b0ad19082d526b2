//! Run time: stencils, code memory, copy and patch.
