//! `for ... in range(...)`: the call and `GET_ITER` are one instruction, so that the range itself is never made.

use serigraph_cpython::bytecode::Opcode;
use serigraph_trace::ir::ValueId;
use serigraph_uops::Uop;

use super::call::Call;
use super::{Recorder, Stop};
use crate::host::helpers::Helper;

impl Recorder<'_> {
    /// A call of `range` with ints, if the loop over it is next; false: nothing has been done. Nobody sees the range between the two.
    pub(super) fn call_range(&mut self, call: &Call) -> Result<bool, Stop> {
        let units = &self.frames[self.innermost()].units;
        let Some(&get_iter) = units
            .at(self.instruction.next)
            .filter(|next| next.opcode == Opcode::GetIter)
        else {
            return Ok(false);
        };
        let Some([start, stop, step]) = self.range_arguments(&call.args)? else {
            return Ok(false);
        };
        let Some(length) = self.attempt(Uop::RangeLength, &[start, stop, step], 0)? else {
            return Ok(false);
        };
        let kinds = self.release_list(call.operands)?;
        let iterator = self.emit(
            Uop::MakeRangeIterator,
            &[start, step, length],
            Helper::RangeIterator.number(),
        )?;
        let exact_type = self.types.range_iterator;
        let fact = self.fact_mut(iterator);
        (fact.not_null, fact.exact_type) = (true, exact_type);
        self.pop_release(&kinds)?;
        self.push(iterator);
        self.instruction = get_iter;
        self.next()?;
        Ok(true)
    }

    /// Start, stop and step, raw, if all arguments are ints that fit.
    fn range_arguments(&mut self, args: &[ValueId]) -> Result<Option<[ValueId; 3]>, Stop> {
        if args.len() > 3 || !args.iter().all(|&arg| self.is_int(arg)) {
            return Ok(None);
        }
        let mut raw = Vec::with_capacity(3);
        for &arg in args {
            match self.raw_int(arg)? {
                Some(value) => raw.push(value),
                None => return Ok(None),
            }
        }
        Ok(Some(match raw[..] {
            [stop] => [self.const_int(0)?, stop, self.const_int(1)?],
            [start, stop] => [start, stop, self.const_int(1)?],
            [start, stop, step] => [start, stop, step],
            _ => return Ok(None),
        }))
    }
}
