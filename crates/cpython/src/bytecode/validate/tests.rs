use super::*;

/// Assembles `NAME oparg` lines for a version; prefixes and caches are added, `raw N` is a byte pair of its own.
fn assemble(minor: Minor, text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, oparg) = line.split_once(' ').unwrap_or((line, "0"));
        let oparg: u32 = oparg.parse().expect("a number");
        if name == "raw" {
            bytes.extend([oparg as u8, 0]);
            continue;
        }
        let opcode = *Opcode::ALL
            .iter()
            .find(|opcode| opcode.name() == name)
            .expect("an opcode");
        let number = |opcode: Opcode| opcode.number(minor).expect("in this version");
        for shift in [24, 16, 8] {
            if oparg >> shift != 0 {
                bytes.extend([number(Opcode::ExtendedArg), (oparg >> shift) as u8]);
            }
        }
        bytes.extend([number(opcode), oparg as u8]);
        bytes.extend(vec![0; opcode.caches(minor) as usize * 2]);
    }
    bytes
}

fn validate_with(
    minor: Minor,
    text: &str,
    stack_size: u32,
    exception_table: &[u8],
) -> Result<ValidatedCode, BadCode> {
    let code = assemble(minor, text);
    let kinds = [0x20, 0x20, 0x40];
    ValidatedCode::new(&CodeParts {
        minor,
        code: &code,
        exception_table,
        stack_size,
        consts: 300,
        names: 2,
        kinds: &kinds,
    })
}

fn validate(minor: Minor, text: &str) -> Result<ValidatedCode, BadCode> {
    validate_with(minor, text, 4, &[])
}

const LOOP_312: &str = "
    RESUME 0
    LOAD_FAST 0
    GET_ITER
    FOR_ITER 4
    STORE_FAST 1
    JUMP_BACKWARD 4
    raw 9
    raw 9
    END_FOR
    RETURN_CONST 0";

#[test]
fn it_is_known_where_no_loop_follows_any_more() {
    let code = validate(Minor::V312, LOOP_312).expect("valid");
    let at = |opcode: Opcode| {
        let mut instructions = code.instructions().iter();
        instructions
            .find(|i| i.opcode == opcode)
            .map(|i| i.start)
            .expect("it is there")
    };
    let goes_on = [Opcode::Resume, Opcode::ForIter, Opcode::JumpBackward];
    assert!(
        goes_on
            .map(at)
            .iter()
            .all(|&unit| code.comes_to_back_edge(unit))
    );
    let ends = [Opcode::EndFor, Opcode::ReturnConst];
    assert!(
        !ends
            .map(at)
            .iter()
            .any(|&unit| code.comes_to_back_edge(unit))
    );
    assert!(code.leads_out_of_loops(at(Opcode::ForIter)));
    assert!(!code.leads_out_of_loops(at(Opcode::GetIter)));
    assert!(!code.leads_out_of_loops(u32::MAX));
}

#[test]
fn a_loop_has_a_header_and_depths() {
    let code = validate(Minor::V312, LOOP_312).expect("valid");
    assert_eq!(code.headers(), [3]);
    let depths: Vec<_> = code
        .instructions()
        .iter()
        .map(|i| (i.opcode.name(), code.depth_at(i.start)))
        .collect();
    let expected = [
        ("RESUME", Some(0)),
        ("LOAD_FAST", Some(0)),
        ("GET_ITER", Some(1)),
        ("FOR_ITER", Some(1)),
        ("STORE_FAST", Some(2)),
        ("JUMP_BACKWARD", Some(1)),
        ("NOP", None),
        ("NOP", None),
        ("END_FOR", Some(2)),
        ("RETURN_CONST", Some(0)),
    ];
    assert_eq!(depths, expected);
    assert_eq!(code.at(4), None, "a cache is not an instruction");
}

#[test]
fn extended_arguments_are_one_instruction() {
    let code = validate(Minor::V313, "RESUME 0\nLOAD_CONST 258\nRETURN_VALUE").expect("valid");
    let load = code.instructions()[1];
    assert_eq!(
        (load.opcode, load.oparg, load.start, load.op_at, load.next),
        (Opcode::LoadConst, 258, 1, 2, 3)
    );
    assert_eq!(code.at(1), Some(&load));
    assert_eq!(code.at(2), Some(&load));
}

#[test]
fn handlers_are_entered_at_their_depth() {
    // Units 1..3 are covered, the handler at unit 3 starts with lasti and the exception on the stack.
    let text = "RESUME 0\nLOAD_CONST 0\nRETURN_VALUE\nPOP_TOP\nPOP_TOP\nRETURN_CONST 0";
    let code = validate_with(Minor::V313, text, 4, &[0x80 | 1, 2, 3, 1]).expect("valid");
    assert_eq!(code.depth_at(3), Some(2));
    let error = validate_with(Minor::V313, text, 4, &[0x80 | 1, 2, 40, 1])
        .expect_err("handler out of the code");
    assert_eq!(error, BadCode::Target { unit: 1 });
    assert_eq!(
        validate_with(Minor::V313, text, 4, &[0x80 | 1, 2]).expect_err("cut off"),
        BadCode::ExceptionTable
    );
}

#[test]
fn crafted_code_is_refused() {
    let wrong = [
        ("RETURN_VALUE", BadCode::Depth { unit: 0 }),
        ("LOAD_CONST 0\nPOP_TOP", BadCode::FallsOff),
        (
            "LOAD_CONST 300\nRETURN_VALUE",
            BadCode::Oparg {
                unit: 1,
                opcode: Opcode::LoadConst,
            },
        ),
        (
            "LOAD_FAST 3\nRETURN_VALUE",
            BadCode::Oparg {
                unit: 0,
                opcode: Opcode::LoadFast,
            },
        ),
        (
            "LOAD_DEREF 0\nRETURN_VALUE",
            BadCode::Oparg {
                unit: 0,
                opcode: Opcode::LoadDeref,
            },
        ),
        (
            "LOAD_GLOBAL 4\nRETURN_VALUE",
            BadCode::Oparg {
                unit: 0,
                opcode: Opcode::LoadGlobal,
            },
        ),
        (
            "JUMP_FORWARD 7\nRETURN_CONST 0",
            BadCode::Target { unit: 0 },
        ),
        (
            "JUMP_BACKWARD 9\nRETURN_CONST 0",
            BadCode::Target { unit: 0 },
        ),
        // Into the caches of LOAD_GLOBAL.
        (
            "JUMP_FORWARD 2\nLOAD_GLOBAL 0\nRETURN_VALUE",
            BadCode::Target { unit: 0 },
        ),
        // Behind a prefix.
        (
            "JUMP_FORWARD 1\nLOAD_CONST 258\nRETURN_VALUE",
            BadCode::Target { unit: 0 },
        ),
        (
            "LOAD_CONST 0\nJUMP_BACKWARD 2",
            BadCode::DepthMismatch { unit: 0 },
        ),
        (
            "RESUME 0\nBUILD_LIST 4294967295\nRETURN_VALUE",
            BadCode::Oparg {
                unit: 4,
                opcode: Opcode::BuildList,
            },
        ),
        (
            "RESUME 0\nCOPY 0\nRETURN_VALUE",
            BadCode::Oparg {
                unit: 1,
                opcode: Opcode::Copy,
            },
        ),
        (
            "raw 255",
            BadCode::UnknownOpcode {
                unit: 0,
                number: 255,
            },
        ),
        (
            "raw 17",
            BadCode::UnknownOpcode {
                unit: 0,
                number: 17,
            },
        ),
        ("raw 0", BadCode::UnknownOpcode { unit: 0, number: 0 }),
    ];
    for (text, expected) in wrong {
        assert_eq!(validate(Minor::V312, text).err(), Some(expected), "{text}");
    }
    let five = "LOAD_CONST 0\n".repeat(5) + "RETURN_VALUE";
    assert_eq!(
        validate(Minor::V313, &five).expect_err("too deep"),
        BadCode::Depth { unit: 4 }
    );
}

#[test]
fn cut_off_code_is_refused() {
    for minor in Minor::ALL {
        let extended = Opcode::ExtendedArg.number(minor).expect("in both");
        let global = Opcode::LoadGlobal.number(minor).expect("in both");
        let parts = |code: &[u8]| {
            ValidatedCode::new(&CodeParts {
                minor,
                code,
                exception_table: &[],
                stack_size: 4,
                consts: 1,
                names: 1,
                kinds: &[],
            })
        };
        assert_eq!(
            parts(&[extended, 1]).expect_err("prefix"),
            BadCode::Truncated { unit: 1 }
        );
        assert_eq!(
            parts(&[global, 0, 0, 0]).expect_err("caches"),
            BadCode::Truncated { unit: 0 }
        );
        assert_eq!(parts(&[]).expect_err("empty"), BadCode::Length);
        assert_eq!(parts(&[global]).expect_err("odd"), BadCode::Length);
        let many = [extended, 1].repeat(5);
        assert!(matches!(
            parts(&many).expect_err("five prefixes"),
            BadCode::Oparg { .. } | BadCode::Truncated { .. }
        ));
    }
}

#[test]
fn any_bytes_are_answered() {
    // A small generator of bytes: no panic, no endless loop, whatever they are.
    let mut state: u64 = 7;
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..24)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (state >> 40) as u8
            })
            .collect();
        for minor in Minor::ALL {
            let (code, exception_table) = bytes.split_at(16);
            let parts = CodeParts {
                minor,
                code,
                exception_table,
                stack_size: 8,
                consts: 128,
                names: 128,
                kinds: &[0x40; 64],
            };
            if let Ok(valid) = ValidatedCode::new(&parts) {
                assert!(
                    valid
                        .instructions()
                        .iter()
                        .all(|i| i.next as usize <= code.len() / 2)
                );
            }
        }
    }
}
