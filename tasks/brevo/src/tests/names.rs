//! Names: what may be one, their order, and the law they are drawn from.

use haltbench_sdk::random::Stream;

use crate::draws::Draws;
use crate::names::{Name, Names};
use crate::text::Text;

fn written(names: &Names, name: &Name) -> String {
    let mut text = Text::with_capacity(1, 40);
    text.label(&names.label(name));
    text.finish().unwrap()
}

#[test]
fn names_are_read_as_they_are_written() {
    for names in [Names::new(4, 2, 4), Names::new(60, 1, 1), Names::new(3, 5, 7), Names::new(100, 1, 8)] {
        let drawn = names.draw(50, &mut Draws::new(&mut Stream::new(1, "names", &[])));
        let mut keys = std::collections::BTreeSet::new();
        for (_, name) in &drawn {
            let text = written(&names, name);
            assert_eq!(names.read(&text), Some(*name), "{text}");
            assert!(keys.last().is_none_or(|last| *last < names.key(name)), "{text} is out of order");
            keys.insert(names.key(name));
            assert!(!names.words()[usize::from(*name.symbols().last().unwrap())].ends_with('.'));
        }
    }
}

#[test]
fn names_are_ordered_by_their_tokens() {
    let names = Names::new(20, 1, 3);
    // Tokens that go on come before those that end.
    let ordered = ["2.1.1", "2.3", "2.20", "10.1", "1", "2", "10"];
    let keys: Vec<u64> = ordered.iter().map(|word| names.key(&names.read(word).unwrap())).collect();
    assert!(keys.is_sorted_by(|left, right| left < right), "{keys:?}");
    let numbers = Names::new(20, 1, 1);
    let key = |word: &str| numbers.key(&numbers.read(word).unwrap());
    assert!((1..20).all(|number| key(&number.to_string()) < key(&(number + 1).to_string())));
}

#[test]
fn there_are_as_many_names_as_counted() {
    assert_eq!(Names::new(4, 2, 4).count(), 336);
    assert_eq!(Names::new(60, 1, 1).count(), 60);
    assert_eq!(Names::new(3, 5, 7).count(), 243 + 729 + 2187);
    // All of them can be drawn at once.
    let names = Names::new(4, 2, 4);
    let drawn = names.draw(336, &mut Draws::new(&mut Stream::new(2, "names", &[])));
    assert_eq!(drawn.len(), 336);
}

/// 375 distinct names of one or two tokens over 50 numbers have 1.867 tokens on average: short ones run out.
#[test]
fn short_names_run_out() {
    let names = Names::new(50, 1, 2);
    let mut tokens = 0;
    for seed in 0..200 {
        let drawn = names.draw(375, &mut Draws::new(&mut Stream::new(seed, "names", &[])));
        tokens += drawn.iter().map(|(_, name)| name.symbols().len()).sum::<usize>();
    }
    let mean = tokens as f64 / (200.0 * 375.0);
    assert!((mean - 1.867).abs() < 0.001, "{mean}");
}
