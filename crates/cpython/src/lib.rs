//! All contact with the CPython interpreter.
