//! Processor time, printed and never asserted: `cargo test -p haltbench_task_lano speed -- --ignored --nocapture`.

use std::fs;

use super::{derivation, instance, language, lano};

/// CPU seconds of this thread, as counted by the kernel, so that other programs do not matter.
fn seconds() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() * 1e-9
}

#[test]
#[ignore = "prints timings"]
fn speed() {
    for name in ["cfg3b", "cfg3f", "cfg3j", "cfg3k"] {
        let language = language(name);
        let strings: Vec<_> = (0..100).map(|seed| derivation(&language, seed).string).collect();
        let tokens: usize = strings.iter().map(Vec::len).sum();
        let mut parser = language.parser();
        let mut read = || {
            let start = seconds();
            for string in &strings {
                parser.restart();
                for terminal in string {
                    parser.advance(*terminal);
                }
            }
            (seconds() - start) * 1e6 / tokens as f64
        };
        let mut times: Vec<f64> = (0..5).map(|_| read()).collect();
        times.sort_unstable_by(f64::total_cmp);
        let task = lano(name);
        let start = seconds();
        let sampled: usize = (0..100).map(|seed| instance(&*task, seed).tokens.len()).sum();
        let instances = seconds() - start;
        println!(
            "{name}: parser {:.2} us a token (median of 5), instances with all columns {:.2} us a token, {:.0} a second",
            times[2],
            instances * 1e6 / sampled as f64,
            100.0 / instances,
        );
    }
}
