//! The text form: no text makes the parser or the verifier panic, and what they accept comes back the same when it is printed.
//! A corpus to begin with: the files `crates/trace/tests/**/*.trace`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serigraph_trace::parse::parse;
use serigraph_trace::verify::verify;

fuzz_target!(|text: &str| {
    if let Ok(trace) = parse(text)
        && verify(&trace).is_ok()
    {
        let printed = trace.to_string();
        let again = parse(&printed).expect("what is printed can be read");
        assert_eq!(again.to_string(), printed);
    }
});
