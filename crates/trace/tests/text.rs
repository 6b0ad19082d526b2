//! The text form: exact both ways, and errors that name their place.

use serigraph_trace::ir::{Inst, SnapshotId, Trace, ValueId};
use serigraph_trace::parse::parse;
use serigraph_uops::{Exit, Immediate, Kind, Uop};

/// The print of what was read.
fn again(text: &str) -> String {
    parse(text)
        .unwrap_or_else(|e| panic!("{e}\n{text}"))
        .to_string()
}

const EVERYTHING: &str = "\
trace side tree 4 locals 3 top 4
entry 1=v2, 2=v1 stale
owned v1 1, v0 2
inherited 3=v0
  v0: int = param
  v1: object = param
  v2: object = sunk box_int v0
  v3: object = load_slot 0
  guard_type v3, 0x1000 @s0
  v5: float = const_float -1.5
  v6: float = const_float inf
  v7: float = const_float bits 0x7ff8000000000001
  v8: int = const_int -9223372036854775808
  loop
  v10: float = phi v5
  v11: int = phi v8
  v12: int = int_add_imm v11, -1 @s0
  store_slot v3, v1, 2
  v14: object = vectorcall v3, 2 @s1
end loop v7, v12
params v10 float 2, v3 object 1 type 0x1000, v1 object 0, v11 int 1, v11 bool 2, v8 field 4+16, v0 invariant
slice v3, v4
synced 1, 2
f1: caller f0 function v3 code 0x2000 return 12
f2: caller f1 function v1 code 0x3000 return 7
s0: [f0 ip=10 top=4 1=v2 3=v1]
s1: [f0 ip=10 top=4] [f1 ip=3 top=2 0=v3] [f2 ip=0 top=0] store v3+16=v12, v1+24=v8 reason poll
";

#[test]
fn everything_comes_back_as_it_was() {
    assert_eq!(again(EVERYTHING), EVERYTHING);
    let trace = parse(EVERYTHING).unwrap();
    assert_eq!(parse(&trace.to_string()).unwrap(), trace);
}

#[test]
fn other_ends() {
    for end in [
        "end link 3",
        "end link 3 v0, v0",
        "end exit s0",
        "end exit -",
        "end loop",
    ] {
        let text = format!("trace root locals 1 top 1\n  v0: object = load_slot 0\n{end}\n");
        assert_eq!(again(&text), text);
    }
}

#[test]
fn every_uop_comes_back() {
    for &uop in Uop::ALL {
        let info = uop.info();
        for imm in [
            0,
            1,
            -1_i64 as u64,
            i32::MIN as i64 as u64,
            f64::MIN_POSITIVE.to_bits(),
            f64::NAN.to_bits(),
        ] {
            let fits = match info.immediate {
                Immediate::None => imm == 0,
                Immediate::Int32 | Immediate::Offset => i32::try_from(imm as i64).is_ok(),
                _ => true,
            };
            if !fits {
                continue;
            }
            let mut trace = Trace::new(2, 3);
            let args: Vec<ValueId> = (0..info.inputs.len() as u32).map(ValueId).collect();
            let snapshot = if info.exit == Exit::Never {
                SnapshotId::NONE
            } else {
                SnapshotId(0)
            };
            let mut inst = Inst::new(uop, &args, imm, snapshot);
            inst.sunk = imm == 1;
            if matches!(uop, Uop::Phi | Uop::Param) && imm == 0 {
                inst.kind = Kind::Float;
            }
            let value = trace.push(inst);
            if uop == Uop::LoopStart {
                trace.loop_start = Some(value);
            }
            assert_eq!(parse(&trace.to_string()).unwrap(), trace, "{trace}");
        }
    }
}

#[test]
fn names_need_not_be_consecutive() {
    let text = "trace root locals 1 top 1\n v10: object = load_slot 0 # the first\n\n v7: int = unbox_int v10 @s0\nend exit s0\ns0: [f0 ip=1 top=1 0=v10]";
    assert_eq!(
        again(text),
        "trace root locals 1 top 1\n  v0: object = load_slot 0\n  v1: int = unbox_int v0 @s0\nend exit s0\ns0: [f0 ip=1 top=1 0=v0]\n"
    );
}

#[test]
fn errors_name_line_and_column() {
    let head = "trace root locals 1 top 1\n";
    let cases = [
        ("", "line 1, column 1: the trace has no `trace` line"),
        (
            "  v0: int = const_int 1",
            "line 1, column 3: a trace begins with `trace root` or `trace side`",
        ),
        ("trace loop", "line 1, column 7: expected `root` or `side`"),
        (
            "trace root tree x",
            "line 1, column 17: expected a number that fits 32 bits",
        ),
        (
            "trace root",
            "line 1, column 1: the trace has no `end` line",
        ),
        (
            &format!("{head}  v0: int = const_imt 1"),
            "line 2, column 13: there is no uop `const_imt`",
        ),
        (
            &format!("{head}  const_int 1"),
            "line 2, column 3: const_int has a result, which needs a name",
        ),
        (
            &format!("{head}  v1: int = set_ip 1"),
            "line 2, column 3: set_ip has no result",
        ),
        (
            &format!("{head}  v1: long = const_int 1"),
            "line 2, column 7: expected `int`, `float` or `object`",
        ),
        (
            &format!("{head}  v1: int = int_add v0 v0 @s0"),
            "line 2, column 24: expected `,`",
        ),
        (
            &format!("{head}  v1: int = int_add_imm v0, 4294967296"),
            "line 2, column 29: expected an integer that fits 32 bits",
        ),
        (
            &format!("{head}  v1: int = int_invert x"),
            "line 2, column 24: expected a value (`v` and a number)",
        ),
        (
            &format!("{head}  v1: int = const_int 1 2"),
            "line 2, column 25: expected the end of the line",
        ),
        (
            &format!("{head}  v1: int = const_int 1\n v1: int = const_int 2"),
            "line 3, column 2: v1 is defined twice",
        ),
        (
            &format!("{head}end nowhere"),
            "line 2, column 5: expected `loop`, `link`, `enter` or `exit`",
        ),
        (
            &format!("{head}end loop\n  loop"),
            "line 3, column 3: an instruction after the end of the trace",
        ),
        (
            &format!("{head}end loop\ns1: [f0 ip=1 top=1]"),
            "line 3, column 1: snapshots are numbered in order: expected s0",
        ),
        (
            &format!("{head}end loop\ns0: [f0 ip=1 top=1] reason bored"),
            "line 3, column 28: there is no reason `bored`",
        ),
        (
            &format!("{head}end loop\ns0: [f0 ip=1 top=1 1=v0"),
            "line 3, column 24: expected a number that fits 32 bits",
        ),
        (
            &format!("{head}end loop\nf2: caller f0"),
            "line 3, column 1: inlined frames are numbered in order: expected f1",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(parse(text).expect_err(text).to_string(), message, "{text}");
    }
}
