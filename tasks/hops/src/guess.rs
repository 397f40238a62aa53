//! A guess that takes one hop, whatever is asked for.

use haltbench_sdk::random::Stream;
use haltbench_sdk::task::Instance;
use haltbench_sdk::task::guess::Guess;

use crate::chain;

/// Answers as if one hop was asked for: an induction head.
pub struct OneHop {
    /// Token of the first letter of the alphabet.
    pub first: u32,
    /// Token of the answer without a hop.
    pub none: u32,
    /// Number of letters of the alphabet.
    pub alphabet: usize,
}

impl Guess for OneHop {
    fn name(&self) -> &'static str {
        "one-hop"
    }

    fn documentation(&self) -> &'static str {
        "The letter behind the last earlier occurrence, as if one hop was asked for; `<none>` without one."
    }

    fn tokens(&self, instance: &Instance, _: &mut Stream) -> Vec<u32> {
        let letter = |token: &u32| token.checked_sub(self.first).map(|letter| letter as usize);
        let is_letter = |letter: &usize| *letter < self.alphabet;
        let letters: Vec<usize> = instance.tokens.iter().filter_map(letter).filter(is_letter).collect();
        let hops = chain::hops(&letters, self.alphabet);
        let answers = hops.iter().map(|hop| hop.map_or(self.none, |place| self.first + letters[place] as u32));
        // The string ends with the last answer.
        answers.skip(letters.len() - instance.answers().count()).collect()
    }
}
