//! The checker: the hops form a forest in which every place hangs below the one that it leads to. It visits the trees
//! from their roots and keeps the path from the root, so the place that lies k hops away is the k-th before the last.

use haltbench_sdk::Result;
use haltbench_sdk::error::shorten;
use haltbench_sdk::task::Verdict;

use crate::question::{self, NONE, Question, word};
use crate::settings::Settings;

/// Checks the answers to a question.
///
/// # Errors
/// [`Error::Malformed`](haltbench_sdk::Error::Malformed) if the question does not parse.
pub fn check(question: &str, answer: &str, settings: &Settings) -> Result<Verdict> {
    let question = question::read(question, settings)?;
    let found = letters_at_ends(&question, settings.alphabet);
    let first = if settings.is_every_answered { 0 } else { found.len() - 1 };
    Ok(match compare(&found[first..], first, answer) {
        Ok(()) => Verdict::valid(),
        Err(reason) => Verdict::wrong(reason),
    })
}

/// The letter that lies the hops asked for away from every place.
fn letters_at_ends(question: &Question, alphabet: usize) -> Vec<Option<usize>> {
    let letters = &question.letters;
    let mut below: Vec<Vec<usize>> = vec![Vec::new(); letters.len()];
    let mut roots = Vec::new();
    for letter in 0..alphabet {
        let places: Vec<usize> = (0..letters.len()).filter(|place| letters[*place] == letter).collect();
        roots.extend(places.first());
        // The letter before the later place differs, so the place behind the earlier one comes first.
        places.windows(2).for_each(|pair| below[pair[0] + 1].push(pair[1]));
    }
    let mut ends = vec![None; letters.len()];
    let mut path = Vec::new();
    let mut waiting: Vec<(usize, usize)> = roots.into_iter().map(|root| (root, 0)).collect();
    while let Some((place, depth)) = waiting.pop() {
        path.truncate(depth);
        path.push(place);
        ends[place] = depth.checked_sub(question.asked).map(|above| letters[path[above]]);
        waiting.extend(below[place].iter().map(|next| (*next, depth + 1)));
    }
    ends
}

/// Whether `answer` lists exactly the `expected` letters of the places from `first` on.
fn compare(expected: &[Option<usize>], first: usize, answer: &str) -> Result<(), String> {
    let mut words = answer.split_whitespace();
    for (number, letter) in (first + 1..).zip(expected) {
        let expected = letter.map_or(NONE.to_owned(), |letter| word(letter).to_string());
        match words.next() {
            None => return Err(format!("letter {number}: expected {expected}, found the end")),
            Some(found) if found != expected => {
                return Err(format!("letter {number}: expected {expected}, found {}", shorten(found)));
            }
            Some(_) => {}
        }
    }
    match words.next() {
        Some(word) => {
            let count = expected.len();
            let answers = if count == 1 { "answer" } else { "answers" };
            Err(format!("expected {count} {answers} and no more, found `{}`", shorten(word)))
        }
        None => Ok(()),
    }
}
