//! Turns an allocated trace into machine code.
