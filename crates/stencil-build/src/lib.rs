//! Build time: turns the uop bodies into stencils.
