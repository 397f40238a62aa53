//! Grammar files, valid and invalid, and random grammars.

use std::fs;

use haltbench_sdk::parameters::Value;
use haltbench_sdk::random::Stream;

use super::{configured, instance, language};
use crate::random_grammar::{Shape, draw};
use crate::{notation, published};

#[test]
fn wrong_files_are_refused_with_the_line_and_the_reason() {
    let cases = [
        ("", "g: expected a line `terminals WORD ...`, found none"),
        ("terminals 1 2\n", "g: expected a line of terminals and at least one rule, found 2 terminals and 0 rules"),
        (
            "terminals 1\nS = 1 1\n",
            "g, line 2: expected `terminals WORD ...` or `SYMBOL -> SYMBOL ... | SYMBOL ...`, found `S = 1 1`",
        ),
        ("terminals 1 1\n", "g, line 1: expected distinct terminals, found `1` twice"),
        ("terminals 1\nterminals 2\n", "g, line 2: expected one line of terminals, found a second one"),
        ("terminals 1\nS -> 1 -> 1\n", "g, line 2: expected a symbol, found `->`"),
        ("terminals 1\n\n# more\nS -> 1\n", "g, line 4: expected alternatives of 2 to 6 symbols, found 1 in `S -> 1`"),
        ("terminals 1\nS -> 1 1 |\n", "g, line 2: expected alternatives of 2 to 6 symbols, found 0 in `S -> `"),
        ("terminals 1\nS -> 1 1 | 1 1\n", "g, line 2: expected distinct alternatives of `S`, found `1 1` twice"),
        (
            "terminals 1\nS -> 1 1\nS -> 1 1 1\n",
            "g, line 3: expected a symbol that is not yet defined, found `S`, which line 2 defines",
        ),
        ("terminals 1\n1 -> 1 1\n", "g, line 2: expected a non-terminal, found the terminal `1`"),
        (
            "terminals 1\nS -> Alpha Alpha\nAlphe -> 1 1\n",
            "g, line 2: expected defined symbols, found unknown symbol `Alpha`; did you mean `Alphe`?",
        ),
        ("terminals 1\nS -> A A\nA -> B 1\nB -> A A\n", "g, line 3: expected rules without a cycle, found A -> B -> A"),
        ("terminals 1\nS -> S 1\n", "g, line 2: expected rules without a cycle, found S -> S"),
        (
            "terminals 1\nS -> 1 1\nA -> 1 1\n",
            "g, line 3: expected symbols that are reachable from the root, found `A`, which no string contains",
        ),
        (
            "terminals 1 2\nS -> 1 1\n",
            "g: expected terminals that are reachable from the root, found `2`, which no string contains",
        ),
        (
            "terminals 1\nS -> A 1\nA -> 1 1\n",
            "g, line 3: expected every symbol at one level below the root, found `1` at levels 1 and 2",
        ),
        (
            "terminals 1 2\nS -> A 1\nA -> 2 2\n",
            "g: expected all terminals at one level, found `1` at level 1 and `2` at level 2",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(notation::read("g", text).unwrap_err().to_string(), message, "{text}");
    }
    assert!(published::grammar("cfg3d").unwrap_err().to_string().contains("did you mean `cfg3"));
    let error = configured(&[("grammar", Value::Text("cfg3d".into()))]).map(drop).unwrap_err().to_string();
    assert!(error.contains("found cfg3d; did you mean `cfg3"), "{error}");
}

#[test]
fn deep_and_long_grammars_are_refused() {
    let levels = 13;
    let mut text = String::from("terminals t\n");
    for level in 0..levels {
        let below = if level + 1 == levels { "t".to_owned() } else { format!("L{}", level + 1) };
        text.push_str(&format!("L{level} -> {below} {below}\n"));
    }
    assert_eq!(notation::read("g", &text).unwrap_err().to_string(), "g: expected at most 12 levels, found 13");
    // Twelve levels, two of them with six children instead of two.
    let lines = text.lines().filter(|line| !line.starts_with("L12"));
    let mut wide = lines.collect::<Vec<_>>().join("\n").replace("L12 L12", "t t");
    for (narrow, child) in [("L2 -> L3 L3", "L3"), ("L3 -> L4 L4", "L4")] {
        wide = wide.replace(narrow, &format!("{narrow} {}", [child; 4].join(" ")));
    }
    assert!(notation::read("g", &wide).unwrap_err().to_string().contains("strings of up to 36864"));
}

#[test]
fn the_notation_gives_back_what_it_wrote() {
    for name in published::NAMES {
        let grammar = language(name).grammar;
        assert_eq!(notation::read("g", &notation::write(&grammar)).unwrap(), grammar);
    }
}

#[test]
fn a_file_serves_as_a_parameter() {
    let path = std::env::temp_dir().join(format!("lano_{}.txt", std::process::id()));
    fs::write(&path, notation::write(&language("toy").grammar)).unwrap();
    let given = [("grammar", Value::Text("file".into())), ("grammar_file", Value::Text(path.display().to_string()))];
    let task = configured(&given).unwrap();
    assert_eq!(instance(&*task, 4).tokens, instance(&*super::lano("toy"), 4).tokens);
    fs::remove_file(path).unwrap();
}

#[test]
fn drawn_grammars_have_their_shape() {
    for seed in 0..50 {
        let distinct = seed % 2 == 0;
        let shape = Shape {
            depth: 3,
            symbols: 3,
            terminals: 3,
            alternatives: 2..=4,
            children: 2..=3,
            distinct_children: distinct,
            distinct_alternatives: true,
        };
        // Three symbols make only 12 words without repetition; 3 symbols with 4 alternatives use them all.
        let grammar = match draw(&shape, &mut Stream::new(seed, "shape", &[])) {
            Ok(grammar) => grammar,
            Err(error) => {
                assert!(distinct, "{error}");
                continue;
            }
        };
        assert_eq!((grammar.depth(), grammar.nonterminals(), grammar.terminals().len()), (3, 7, 3));
        for level in 0..3 {
            let symbols = (0..7).filter(|symbol| grammar.level(*symbol) == level);
            let words: Vec<_> = symbols.clone().flat_map(|symbol| grammar.alternatives(symbol)).collect();
            assert!(symbols.clone().all(|symbol| (2..=4).contains(&grammar.alternatives(symbol).len())));
            for (place, word) in words.iter().enumerate() {
                assert!((2..=3).contains(&word.len()) && !words[..place].contains(word));
                let repeats = (1..word.len()).any(|place| word[..place].contains(&word[place]));
                assert!(!(distinct && repeats));
            }
        }
        let again = draw(&shape, &mut Stream::new(seed, "shape", &[])).unwrap();
        assert_eq!(again, grammar);
    }
}

#[test]
fn impossible_shapes_are_refused() {
    let shape = Shape {
        depth: 2,
        symbols: 2,
        terminals: 16,
        alternatives: 1..=1,
        children: 2..=2,
        distinct_children: false,
        distinct_alternatives: true,
    };
    let error = draw(&shape, &mut Stream::new(0, "shape", &[])).unwrap_err().to_string();
    let expected = "sampled grammar: expected a shape that lets every symbol be reached: fewer `terminals`, or more \
                    `maximum_alternatives` or `maximum_children`, found none for level 1 in 1000 draws";
    assert_eq!(error, expected);
}
