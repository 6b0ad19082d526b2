//! The bytecode validator on crafted code objects: any bytes, any exception table, any stack size. It refuses, or every
//! instruction it lists is inside the code and every jump goes to one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serigraph_cpython::Minor;
use serigraph_cpython::bytecode::{CodeParts, ValidatedCode};

fuzz_target!(|input: (bool, u8, u8, u8, Vec<u8>, &[u8], &[u8])| {
    let (old, stack_size, consts, names, kinds, exception_table, code) = input;
    let parts = CodeParts {
        minor: if old { Minor::V312 } else { Minor::V313 },
        code,
        exception_table,
        stack_size: u32::from(stack_size),
        consts: u32::from(consts),
        names: u32::from(names),
        kinds: &kinds,
    };
    let Ok(validated) = ValidatedCode::new(&parts) else {
        return;
    };
    let units = (code.len() / 2) as u32;
    let mut end = 0;
    for (index, instruction) in validated.instructions().iter().enumerate() {
        assert!(instruction.next > end && instruction.next <= units);
        end = instruction.next;
        if let Some(depth) = validated.depth(index) {
            assert!(depth <= u32::from(stack_size));
        }
    }
    for &header in validated.headers() {
        assert!(validated.at(header).is_some());
    }
});
