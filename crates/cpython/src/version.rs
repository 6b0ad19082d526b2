//! Which interpreter this process runs, and whether it is one that Serigraph knows.

use std::fmt;

use crate::dynamic;
use crate::ffi;

/// A supported minor version.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[repr(u8)]
pub enum Minor {
    /// CPython 3.12.
    V312 = 0,
    /// CPython 3.13.
    V313 = 1,
}

impl Minor {
    /// The supported minor versions.
    pub const ALL: [Minor; 2] = [Minor::V312, Minor::V313];

    /// 12 or 13.
    pub fn number(self) -> u8 {
        match self {
            Minor::V312 => 12,
            Minor::V313 => 13,
        }
    }
}

/// A supported interpreter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Version {
    /// The minor version, which decides layouts and bytecode.
    pub minor: Minor,
    /// The patch release.
    pub micro: u8,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CPython 3.{}.{}", self.minor.number(), self.micro)
    }
}

/// The interpreter is not one that Serigraph supports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unsupported {
    /// What is running.
    pub found: String,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Serigraph supports release builds (with the GIL, not debug) of CPython 3.12 and 3.13 on 64-bit x86 Linux; this is {}",
            self.found
        )
    }
}

impl std::error::Error for Unsupported {}

/// What the running interpreter says about itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Facts {
    /// `sys.implementation.name`.
    pub implementation: String,
    /// `Py_Version`: major, minor, micro and release level, a byte each but the last two, which share one.
    pub hex: u32,
    /// `sys.abiflags`: `d` is a debug build, `t` a free-threaded one.
    pub abi_flags: String,
}

impl Facts {
    /// The supported version these facts describe.
    pub fn supported(&self) -> Result<Version, Unsupported> {
        let [major, minor, micro, release] = self.hex.to_be_bytes();
        let minor_version = match (major, minor) {
            (3, 12) => Some(Minor::V312),
            (3, 13) => Some(Minor::V313),
            _ => None,
        };
        let is_final = release >> 4 == 0xf;
        let platform = cfg!(all(target_os = "linux", target_arch = "x86_64"));
        match minor_version {
            Some(minor)
                if self.implementation == "cpython"
                    && self.abi_flags.is_empty()
                    && is_final
                    && platform =>
            {
                Ok(Version { minor, micro })
            }
            _ => Err(Unsupported {
                found: self.describe(),
            }),
        }
    }

    fn describe(&self) -> String {
        let [major, minor, micro, release] = self.hex.to_be_bytes();
        let name = if self.implementation == "cpython" {
            "CPython"
        } else {
            &self.implementation
        };
        let mut text = format!("{name} {major}.{minor}.{micro}");
        if release >> 4 != 0xf {
            text.push_str(", a pre-release");
        }
        if self.abi_flags.contains('d') {
            text.push_str(", a debug build");
        }
        if self.abi_flags.contains('t') {
            text.push_str(", a free-threaded build");
        }
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            text.push_str(&format!(
                ", on {} {}",
                std::env::consts::OS,
                std::env::consts::ARCH
            ));
        }
        text
    }
}

/// Asks the running interpreter what it is. The GIL must be held.
pub fn detect() -> Result<Version, Unsupported> {
    facts().supported()
}

fn facts() -> Facts {
    // `Py_Version` is data of the stable ABI since 3.11; what lacks it is older.
    let hex = match dynamic::symbol(c"Py_Version") {
        // SAFETY: `Py_Version` is an unsigned long wherever the symbol exists.
        Some(address) => unsafe { *address.cast::<std::ffi::c_ulong>().as_ptr() as u32 },
        None => 0x030a_00f0,
    };
    // SAFETY: the GIL is held; `PySys_GetObject` returns a borrowed reference or null and sets no exception.
    let abi_flags = unsafe { text_of(ffi::PySys_GetObject(c"abiflags".as_ptr())) };
    // SAFETY: as above; the attribute, if there is one, is a new reference that is released here.
    let implementation = unsafe {
        let implementation = ffi::PySys_GetObject(c"implementation".as_ptr());
        if implementation.is_null() {
            None
        } else {
            let name = ffi::PyObject_GetAttrString(implementation, c"name".as_ptr());
            let text = text_of(name);
            ffi::Py_XDECREF(name);
            ffi::PyErr_Clear();
            text
        }
    };
    Facts {
        implementation: implementation.unwrap_or_else(|| String::from("an unknown Python")),
        hex,
        abi_flags: abi_flags.unwrap_or_default(),
    }
}

/// # Safety
/// `object` is null or a valid object, and the GIL is held.
unsafe fn text_of(object: *mut ffi::PyObject) -> Option<String> {
    if object.is_null() {
        return None;
    }
    let mut length = 0;
    // SAFETY: by the caller's promise; the bytes stay valid while the object lives, and are copied at once.
    unsafe {
        let bytes = ffi::PyUnicode_AsUTF8AndSize(object, &mut length);
        if bytes.is_null() {
            ffi::PyErr_Clear();
            return None;
        }
        let bytes = std::slice::from_raw_parts(bytes.cast::<u8>(), length as usize);
        Some(String::from_utf8_lossy(bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(hex: u32, abi_flags: &str) -> Facts {
        Facts {
            implementation: String::from("cpython"),
            hex,
            abi_flags: String::from(abi_flags),
        }
    }

    #[test]
    fn release_builds_of_both_versions_are_supported() {
        assert_eq!(
            facts(0x030c_01f0, "").supported(),
            Ok(Version {
                minor: Minor::V312,
                micro: 1
            })
        );
        assert_eq!(
            facts(0x030d_05f0, "").supported().map(|v| v.to_string()),
            Ok(String::from("CPython 3.13.5"))
        );
    }

    #[test]
    fn others_are_refused_and_named() {
        for (hex, flags, name) in [
            (0x030b_07f0, "", "this is CPython 3.11.7"),
            (0x030e_00f0, "", "this is CPython 3.14.0"),
            (0x030d_00c1, "", "this is CPython 3.13.0, a pre-release"),
            (0x030d_00f0, "d", "this is CPython 3.13.0, a debug build"),
            (
                0x030d_00f0,
                "t",
                "this is CPython 3.13.0, a free-threaded build",
            ),
        ] {
            let error = facts(hex, flags)
                .supported()
                .expect_err("not supported")
                .to_string();
            assert!(error.ends_with(name), "{error}");
            assert!(error.contains("3.12 and 3.13"), "{error}");
        }
        let pypy = Facts {
            implementation: String::from("pypy"),
            ..facts(0x030c_01f0, "")
        };
        assert!(
            pypy.supported()
                .expect_err("not supported")
                .found
                .starts_with("pypy")
        );
    }
}
