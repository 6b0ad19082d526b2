//! A plan as text, for tests and dumps.

use super::{BoxKind, Plan, Raw, Source};
use std::fmt::{self, Display, Formatter};

impl<V: Display> Display for Source<V> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Source::Value(value) => write!(f, "{value}"),
            Source::Constant(0) => f.write_str("null"),
            Source::Constant(bits) => write!(f, "{bits:#x}"),
            Source::Made(number) => write!(f, "#{number}"),
        }
    }
}

impl<V: Display> Display for Raw<V> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Raw::Value(value) => write!(f, "{value}"),
            Raw::Constant(bits) => write!(f, "{bits:#x}"),
            Raw::Plus(value, bits) => write!(f, "{value}{:+}", *bits as i64),
            Raw::Sum(a, b) => write!(f, "{a}+{b}"),
            Raw::Difference(a, b) => write!(f, "{a}-{b}"),
        }
    }
}

/// One line for each thing to do, in order.
impl<V: Display + Copy> Display for Plan<'_, V> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, make) in self.makes.iter().enumerate() {
            match make.made {
                BoxKind::Int => writeln!(f, "  make #{i} = int {}", make.from)?,
                BoxKind::Float => writeln!(f, "  make #{i} = float {}", make.from)?,
                BoxKind::Bool(table) => {
                    writeln!(f, "  make #{i} = bool {} of {table:#x}", make.from)?
                }
            }
        }
        for count in self.increfs {
            writeln!(f, "  incref {} {}", count.object, count.count)?;
        }
        for frame in self.frames {
            write!(f, "  {} ip={} top={}", frame.frame, frame.ip, frame.top)?;
            if frame.frame.0 > 0 {
                write!(
                    f,
                    " function={} code={:#x} return={}",
                    frame.function, frame.code, frame.return_ip
                )?;
            }
            writeln!(f)?;
            for write in self.writes(frame) {
                let old = if write.release_old {
                    ", release the old"
                } else {
                    ""
                };
                writeln!(f, "    {} = {}{old}", write.slot, write.value)?;
            }
        }
        for store in self.stores {
            writeln!(
                f,
                "  store {}+{} = {}",
                store.object, store.offset, store.value
            )?;
        }
        for count in self.decrefs {
            writeln!(f, "  decref {} {}", count.object, count.count)?;
        }
        if !self.owned.is_empty() {
            f.write_str("  owned")?;
            for (value, count) in self.owned {
                write!(f, " {value}*{count}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
