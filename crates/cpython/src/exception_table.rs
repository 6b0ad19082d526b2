//! `co_exceptiontable`: which handler an instruction has.
//!
//! Provenance: `Objects/exception_handling_notes.txt`, `get_exception_handler` in `Python/ceval.c`. Entries are four
//! varints (start, size, target, depth << 1 | lasti) of 6-bit groups, high group first, bit 6 = more follow, all in code
//! units; bit 7 marks the first byte of an entry.

/// One entry of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handler {
    /// First code unit covered.
    pub start: u32,
    /// First code unit after those covered.
    pub end: u32,
    /// Where the handler begins.
    pub target: u32,
    /// How many values stay on the stack.
    pub depth: u32,
    /// Whether the index of the raising instruction is pushed before the exception.
    pub push_lasti: bool,
}

impl Handler {
    /// The stack depth at the handler's first instruction.
    pub fn entry_depth(&self) -> u32 {
        self.depth + u32::from(self.push_lasti) + 1
    }
}

/// The entries of an exception table, in order; an `Err(())` item means the bytes are malformed, and ends the iteration.
#[derive(Clone, Debug)]
pub struct Handlers<'a> {
    rest: &'a [u8],
}

/// The bytes are not an exception table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

impl<'a> Handlers<'a> {
    /// Reads the bytes of `co_exceptiontable`.
    pub fn new(table: &'a [u8]) -> Self {
        Handlers { rest: table }
    }

    /// The handler of the instruction at this code unit. Malformed bytes have no handlers.
    pub fn find(table: &'a [u8], unit: u32) -> Option<Handler> {
        Handlers::new(table)
            .map_while(Result::ok)
            .find(|entry| entry.start <= unit && unit < entry.end)
    }

    fn varint(&mut self) -> Result<u32, Malformed> {
        let mut value: u32 = 0;
        loop {
            let (&byte, rest) = self.rest.split_first().ok_or(Malformed)?;
            self.rest = rest;
            if value >> 26 != 0 {
                return Err(Malformed);
            }
            value = value << 6 | u32::from(byte & 63);
            if byte & 64 == 0 {
                return Ok(value);
            }
        }
    }

    fn entry(&mut self) -> Result<Handler, Malformed> {
        let start = self.varint()?;
        let size = self.varint()?;
        let target = self.varint()?;
        let depth_lasti = self.varint()?;
        Ok(Handler {
            start,
            end: start.checked_add(size).ok_or(Malformed)?,
            target,
            depth: depth_lasti >> 1,
            push_lasti: depth_lasti & 1 == 1,
        })
    }
}

impl Iterator for Handlers<'_> {
    type Item = Result<Handler, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = self.entry();
        if entry.is_err() {
            self.rest = &[];
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_entries_and_multi_byte_numbers() {
        // start 2, size 70 (two groups: 1, 6), target 80 (1, 16), depth 1 with lasti.
        let table = [0x80 | 2, 64 | 1, 6, 64 | 1, 16, 3];
        let handler = Handler {
            start: 2,
            end: 72,
            target: 80,
            depth: 1,
            push_lasti: true,
        };
        assert_eq!(Handlers::new(&table).collect::<Vec<_>>(), [Ok(handler)]);
        assert_eq!(handler.entry_depth(), 3);
        assert_eq!(Handlers::find(&table, 71), Some(handler));
        assert_eq!(Handlers::find(&table, 72), None);
        assert_eq!(Handlers::find(&table, 1), None);
    }

    #[test]
    fn malformed_bytes_are_refused() {
        assert_eq!(
            Handlers::new(&[2, 64 | 1]).collect::<Vec<_>>(),
            [Err(Malformed)]
        );
        let overflow = [0xff; 32];
        assert_eq!(Handlers::new(&overflow).next(), Some(Err(Malformed)));
        assert_eq!(Handlers::find(&overflow, 3), None);
    }
}
