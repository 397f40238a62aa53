//! The generator's samples and tables against exact laws: recursions, and enumeration of all shapes.

use std::collections::BTreeMap;

use haltbench_sdk::parameters::Value;
use haltbench_sdk::random::Stream;

use super::reference::Expression;
use super::{by_height, configured, draw, height};
use crate::law::Law;
use crate::single;

/// `law[h]`: probability of a height of at most h, from the generating function of the number of arguments.
fn heights(probability: f64, most: usize, largest: usize) -> Vec<f64> {
    let mut law = vec![1.0 - probability];
    for height in 0..largest {
        let powers: f64 = (2..=most).map(|count| law[height].powi(count as i32)).sum();
        law.push(1.0 - probability + probability * powers / (most - 1) as f64);
    }
    law
}

#[test]
fn heights_have_the_known_law() {
    // 3/4 + 1/16 (9/16 + 27/64 + 81/256 + 243/1024).
    assert!((heights(0.25, 5, 1)[1] - 0.846_130_371_093_75).abs() < 1e-15);
    for (probability, most, largest, longest) in
        [(0.25, 5, 2, 37), (0.3, 5, 2, 37), (0.25, 10, 2, 122), (0.6, 2, 5, 94)]
    {
        let (law, exact) = (Law::new(probability, most, largest, longest), heights(probability, most, largest));
        for height in 0..=largest {
            // No expression of this height is longer, so the table has them all.
            let total: f64 = (0..=longest).map(|tokens| law.probability(height, tokens)).sum();
            let expected = exact[height] - if height == 0 { 0.0 } else { exact[height - 1] };
            assert!((total - expected).abs() < 1e-13, "{probability} {most} {height}: {total}, not {expected}");
        }
    }
}

/// Every shape of a height and a number of tokens, with `d` for a digit, and its probability.
fn shapes(probability: f64, most: usize, height: usize, tokens: usize) -> BTreeMap<String, f64> {
    let all = lists(probability, most, 1, height, tokens);
    all.into_iter().filter(|(shape, _)| nesting(shape) == height).collect()
}

/// Every row of `count` shapes of at most this height and of these tokens in total.
fn lists(probability: f64, most: usize, count: usize, height: usize, tokens: usize) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    if count == 0 {
        if tokens == 0 {
            found.insert(String::new(), 1.0);
        }
        return found;
    }
    for first in 1..=tokens {
        let mut heads = BTreeMap::new();
        if first == 1 {
            heads.insert("d ".to_owned(), 1.0 - probability);
        }
        for arguments in (2..=most).filter(|_| height > 0 && first > 3) {
            for (inside, weight) in lists(probability, most, arguments, height - 1, first - 2) {
                heads.insert(format!("[ {inside}] "), weight * probability / (most - 1) as f64);
            }
        }
        let tails = lists(probability, most, count - 1, height, tokens - first);
        for (head, p) in &heads {
            for (tail, q) in &tails {
                found.insert(format!("{head}{tail}"), p * q);
            }
        }
    }
    found
}

fn nesting(shape: &str) -> usize {
    let (mut open, mut most) = (0, 0);
    for word in shape.split_whitespace() {
        match word.as_bytes()[0] {
            b'[' => open += 1,
            b']' => open -= 1,
            _ => {}
        }
        most = most.max(open);
    }
    most
}

#[test]
fn tables_have_the_probabilities_of_all_shapes() {
    for (probability, most) in [(0.25, 5), (0.3, 3)] {
        let law = Law::new(probability, most, 3, 14);
        for height in 0..=3 {
            for tokens in 0..=14 {
                let exact: f64 = shapes(probability, most, height, tokens).values().sum();
                let found = law.probability(height, tokens);
                assert!((found - exact).abs() < 1e-15, "{height} {tokens}: {found}, not {exact}");
            }
        }
    }
}

/// Given height and length, every shape is as likely as its probability says.
#[test]
fn shapes_are_drawn_by_their_probability() {
    let (count, by_height) = (30_000, height());
    for (height, tokens) in [(1, 6), (2, 8), (2, 12), (3, 12)] {
        let number = |name, value: usize| (name, Value::Integer(value as i64));
        let given = [
            number("minimum_length", tokens),
            number("maximum_length", tokens),
            number("minimum_depth", height),
            number("maximum_depth", height),
            number("largest_depth", height),
            by_height.clone(),
        ];
        let task = configured(&single::DECLARATION, &given).unwrap();
        let exact = shapes(0.3, 5, height, tokens);
        let total: f64 = exact.values().sum();
        let mut found: BTreeMap<String, u64> = BTreeMap::new();
        for seed in 0..count {
            let question = draw(&*task, height as u32, seed).question;
            let shape = |word: &str| if word.starts_with(['[', ']']) { word[..1].to_owned() } else { "d".to_owned() };
            let words: Vec<String> = question.split(' ').map(shape).collect();
            *found.entry(words.join(" ") + " ").or_default() += 1;
        }
        assert!(found.keys().all(|shape| exact.contains_key(shape)));
        for (shape, weight) in exact {
            let share = weight / total;
            let deviation = (share * (1.0 - share) / count as f64).sqrt();
            let share_found = found.get(&shape).copied().unwrap_or(0) as f64 / count as f64;
            assert!((share_found - share).abs() < 4.5 * deviation + 1e-9, "{shape}: {share_found}, not {share}");
        }
    }
}

/// Lists of digits have 2 to 5 arguments with probabilities in the ratios of 0.7.
#[test]
fn lengths_follow_the_law_of_the_sampler() {
    let (task, count) = (by_height(), 20_000);
    let mut found = [0.0; 4];
    for seed in 0..count {
        found[draw(&*task, 1, seed).question.split(' ').count() - 4] += 1.0 / count as f64;
    }
    let total: f64 = (2..=5).map(|arguments| 0.7_f64.powi(arguments)).sum();
    for (arguments, found) in (2..).zip(found) {
        let share = 0.7_f64.powi(arguments) / total;
        let deviation = (share * (1.0 - share) / count as f64).sqrt();
        assert!((found - share).abs() < 4.0 * deviation, "{arguments}: {found}, not {share}");
    }
}

#[test]
fn operators_and_digits_are_uniform() {
    let mut found: BTreeMap<String, f64> = BTreeMap::new();
    let task = by_height();
    for seed in 0..4000 {
        for word in draw(&*task, 4, seed).question.split(' ').filter(|word| *word != "]") {
            *found.entry(word.to_owned()).or_default() += 1.0;
        }
    }
    let (operators, digits): (Vec<_>, Vec<_>) = found.into_iter().partition(|(word, _)| word.starts_with('['));
    assert_eq!((operators.len(), digits.len()), (4, 10));
    for words in [operators, digits] {
        let (total, kinds) = (words.iter().map(|(_, count)| count).sum::<f64>(), words.len() as f64);
        for (word, count) in words {
            let deviation = (total * (kinds - 1.0)).sqrt() / kinds;
            assert!((count - total / kinds).abs() < 4.0 * deviation, "{word}: {count} of {total}");
        }
    }
}

#[test]
fn training_sizes_follow_the_chosen_law() {
    let exact = heights(0.25, 5, 2);
    let sampled = (exact[1] - exact[0]) / (exact[2] - exact[0]);
    for (law, share) in [("uniform", 0.5), ("sampler", sampled)] {
        let number = |name, value| (name, Value::Integer(value));
        let given = [
            number("maximum_depth", 2),
            number("largest_depth", 2),
            height(),
            ("operator_probability", Value::Real(0.25)),
            ("size_law", Value::Text(law.to_owned())),
        ];
        let task = configured(&single::DECLARATION, &given).unwrap();
        let mut stream = Stream::new(0, "test", &[]);
        let count = 20_000;
        let ones = (0..count).filter(|_| task.training_size(&mut stream) == 1).count() as f64 / count as f64;
        let deviation = (share * (1.0 - share) / count as f64).sqrt();
        assert!((ones - share).abs() < 4.0 * deviation, "{law}: {ones}, not {share}");
    }
}

/// Of the 2 x 16 x 1000 expressions of seven tokens and height 2 with two arguments, those of a dependency depth are
/// equally likely.
#[test]
fn expressions_of_a_dependency_depth_are_equally_likely() {
    let operators = ["[MIN", "[MAX", "[MED", "[SM"];
    let digits = || (0..1000).map(|digits| [digits / 100, digits / 10 % 10, digits % 10]);
    let mut exact: BTreeMap<(usize, String), f64> = BTreeMap::new();
    for (outer, inner) in operators.iter().flat_map(|outer| operators.map(|inner| (outer, inner))) {
        for [a, b, c] in digits() {
            for (question, kind) in [
                (format!("{outer} {a} {inner} {b} {c} ] ]"), "last"),
                (format!("{outer} {inner} {b} {c} ] {a} ]"), "first"),
            ] {
                let expression = Expression::read(&mut question.split(' ')).unwrap();
                let kind = format!("{outer} {inner} {kind} {}", expression.value());
                *exact.entry((expression.dependency(), kind)).or_default() += 1.0;
            }
        }
    }
    let number = |name, value| (name, Value::Integer(value));
    let given = [
        number("minimum_length", 7),
        number("maximum_length", 7),
        number("maximum_arguments", 2),
        number("maximum_depth", 2),
        number("largest_depth", 2),
    ];
    let task = configured(&single::DECLARATION, &given).unwrap();
    let count = 30_000;
    for depth in [1, 2] {
        let mut found: BTreeMap<String, f64> = BTreeMap::new();
        for seed in 0..count {
            let instance = draw(&*task, depth as u32, seed);
            let words: Vec<&str> = instance.question.split(' ').collect();
            let brackets: Vec<&str> = words.iter().copied().filter(|word| word.starts_with('[')).collect();
            let kind = if words[1] == brackets[1] { "first" } else { "last" };
            *found.entry(format!("{} {kind} {}", brackets.join(" "), instance.answer)).or_default() += 1.0;
        }
        let of_depth = exact.iter().filter(|((other, _), _)| *other == depth);
        let total: f64 = of_depth.clone().map(|(_, weight)| weight).sum();
        for ((_, kind), weight) in of_depth {
            let share = weight / total;
            let deviation = (share * (1.0 - share) / count as f64).sqrt();
            let found = found.remove(kind).unwrap_or(0.0) / count as f64;
            assert!((found - share).abs() < 5.0 * deviation + 1e-9, "{kind}: {found}, not {share}");
        }
        assert!(found.is_empty(), "{found:?}");
    }
}

/// What an expression of each size is like, by default and with equal lengths.
#[test]
fn sizes_are_dependency_depths() {
    let equal = [("minimum_length", 40), ("maximum_length", 40)].map(|(name, value)| (name, Value::Integer(value)));
    for given in [&[][..], &equal] {
        let task = configured(&single::DECLARATION, given).unwrap();
        for size in 1..=8 {
            for seed in 0..40 {
                let question = draw(&*task, size, seed).question;
                let expression = Expression::read(&mut question.split(' ')).unwrap();
                assert_eq!(expression.dependency(), size as usize, "{question}");
                assert!(expression.height() <= 8 && (given.is_empty() || question.split(' ').count() == 40));
            }
        }
    }
}
