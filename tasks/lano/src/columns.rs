//! Complexities and features of every token.

use haltbench_sdk::task::{Columns, ComplexitySpec, FeatureKind, FeatureSpec};

use crate::derivation::Derivation;
use crate::grammar::{DEEPEST, Terminal};
use crate::language::Language;
use crate::parser::Work;

/// Names and meanings of the complexities.
pub const COMPLEXITIES: [ComplexitySpec; 6] = [
    ComplexitySpec {
        name: "expansion",
        documentation: "Parse-space expansion: chart items, inside and prefix, that become non-zero when the prefix \
                        parser reads the token.",
    },
    ComplexitySpec {
        name: "convergence",
        documentation: "Parse convergence: by how much reading the token lowers the number of live hypotheses \
                        (level, symbol, start) of the prefix parser; from the second token on.",
    },
    ComplexitySpec {
        name: "additions",
        documentation: "Additions of two numbers other than zero that reading the token costs the prefix parser.",
    },
    ComplexitySpec {
        name: "multiplications",
        documentation: "Multiplications of two numbers other than zero that reading the token costs the prefix parser.",
    },
    ComplexitySpec {
        name: "boundary",
        documentation: "Non-terminals whose span ends at the token before: levels to be resolved before it is known \
                        what may come next.",
    },
    ComplexitySpec {
        name: "entropy",
        documentation: "Entropy in nats of the exact distribution that the token is drawn from; a control, since \
                        depth should not rise with what cannot be known.",
    },
];

const fn feature(name: &'static str, kind: FeatureKind, documentation: &'static str) -> FeatureSpec {
    FeatureSpec { name, kind, documentation }
}

/// Features that do not depend on the depth.
const FEATURES: [FeatureSpec; 13] = [
    feature("position", FeatureKind::Static, "Place of the token in the sequence; `<bos>` is 0."),
    feature("previous", FeatureKind::Static, "Place in the vocabulary of the terminal before the token."),
    feature("second_previous", FeatureKind::Static, "Place in the vocabulary of the terminal before that."),
    feature("run", FeatureKind::Static, "Length of the run of equal terminals that ends before the token."),
    feature("closes", FeatureKind::State, "Non-terminals whose span ends at the token."),
    feature("opens", FeatureKind::State, "Non-terminals whose span starts at the token."),
    feature(
        "lookback",
        FeatureKind::State,
        "Tokens back to the start of the innermost constituent that holds the token and began before it.",
    ),
    feature("surprisal", FeatureKind::State, "-ln of the token's exact probability, in nats."),
    feature("live", FeatureKind::State, "Live hypotheses of the prefix parser before the token."),
    feature("expansion_before", FeatureKind::State, "The parser's expansion at the token before."),
    feature("convergence_before", FeatureKind::State, "The parser's convergence at the token before."),
    feature("additions_before", FeatureKind::State, "The parser's additions at the token before."),
    feature("multiplications_before", FeatureKind::State, "The parser's multiplications at the token before."),
];

/// Distance to the start of the token's constituent at each level.
const LOOKBACKS: [FeatureSpec; DEEPEST - 1] = {
    const NAMES: [&str; DEEPEST - 1] = [
        "lookback_1",
        "lookback_2",
        "lookback_3",
        "lookback_4",
        "lookback_5",
        "lookback_6",
        "lookback_7",
        "lookback_8",
        "lookback_9",
        "lookback_10",
        "lookback_11",
    ];
    let documentation = "Tokens back to the start of the constituent of this level that holds the token.";
    let mut lookbacks = [feature("", FeatureKind::State, documentation); DEEPEST - 1];
    let mut place = 0;
    while place < NAMES.len() {
        lookbacks[place].name = NAMES[place];
        place += 1;
    }
    lookbacks
};

/// The features of a grammar of this depth.
pub fn features(depth: usize) -> Vec<FeatureSpec> {
    FEATURES.iter().chain(&LOOKBACKS[..depth - 1]).copied().collect()
}

/// The columns of an instance and its probability.
pub struct Measured {
    /// One column per complexity.
    pub complexities: Columns,
    /// One column per feature.
    pub features: Columns,
    /// Natural logarithm of the string's probability.
    pub ln_probability: f64,
}

/// Fills all columns of an instance: complexities, then features. Token 0 is `<bos>`, the last one `<eos>`.
pub fn measure(language: &Language, derivation: &Derivation) -> Measured {
    let (string, depth) = (&derivation.string, language.grammar.depth());
    let place = Place { start: 1, tokens: string.len() + 2, is_ended: true };
    let mut measured = of_any(language, string, place);
    let Measured { complexities, features, .. } = &mut measured;
    for index in 0..=string.len() {
        let token = index + place.start;
        let boundary = index.checked_sub(1).map_or(0.0, |last| derivation.closes[last] as f32);
        complexities.write(token, 4, &[boundary]);
        if index == string.len() {
            break;
        }
        let lookback = derivation.lookback(index).map_or(f32::NAN, |distance| distance as f32);
        features.write(token, 4, &[derivation.closes[index] as f32, derivation.opens(index) as f32, lookback]);
        for level in 1..depth {
            let distance = (index - derivation.start(index, level)) as f32;
            features.write(token, FEATURES.len() + level - 1, &[distance]);
        }
    }
    measured
}

/// The paper's four proxies for a token that costs `work`, after a token that cost `before`, if there is one.
fn proxies(work: Work, before: Option<Work>) -> [f32; 4] {
    let convergence = before.map_or(f32::NAN, |before| before.live as f32 - work.live as f32);
    [work.expansion as f32, convergence, work.additions as f32, work.multiplications as f32]
}

/// The place of a string in its sequence.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Token index of its first terminal.
    pub start: usize,
    /// Number of tokens of the sequence.
    pub tokens: usize,
    /// Whether the end token follows it.
    pub is_ended: bool,
}

/// The columns of any string's tokens, in the language or not, without the columns that need a derivation. Columns that
/// depend on the distribution of the next token end with the longest valid prefix.
pub fn of_any(language: &Language, string: &[Terminal], place: Place) -> Measured {
    let Place { start, tokens, is_ended } = place;
    let mut complexities = Columns::undefined(COMPLEXITIES.len(), 0..tokens);
    let mut features = Columns::undefined(FEATURES.len() + language.grammar.depth() - 1, 0..tokens);
    (0..tokens).for_each(|token| features.write(token, 0, &[token as f32]));
    let mut parser = language.parser();
    let mut distribution = vec![0.0; language.outcomes()];
    let (mut before, mut convergence_before) = (Work::default(), f32::NAN);
    let mut run = 0;
    for (index, token) in (start..tokens).enumerate() {
        let terminal = string.get(index).copied();
        if parser.is_prefix() {
            parser.next_token(&mut distribution);
            complexities.write(token, 5, &[entropy(&distribution) as f32]);
            let outcome = terminal.map(usize::from).or(is_ended.then_some(language.end()));
            if let Some(probability) = outcome.map(|outcome| distribution[outcome]).filter(|p| *p > 0.0) {
                // A subtraction, because a change of sign would give -0 for a certain token.
                features.write(token, 7, &[(0.0 - probability.ln()) as f32]);
            }
        }
        let back = |tokens: usize| index.checked_sub(tokens).map_or(f32::NAN, |place| f32::from(string[place]));
        features.write(token, 1, &[back(1), back(2), run as f32]);
        let (live, expansion) = (before.live as f32, before.expansion as f32);
        let (additions, multiplications) = (before.additions as f32, before.multiplications as f32);
        features.write(token, 8, &[live, expansion, convergence_before, additions, multiplications]);
        let Some(terminal) = terminal else { break };
        run = if index > 0 && string[index - 1] == terminal { run + 1 } else { 1 };
        let work = parser.advance(terminal);
        let costs = proxies(work, (index > 0).then_some(before));
        complexities.write(token, 0, &costs);
        (before, convergence_before) = (work, costs[1]);
    }
    Measured { complexities, features, ln_probability: parser.ln_string() }
}

/// Entropy in nats.
fn entropy(distribution: &[f64]) -> f64 {
    // Adding 0 turns the -0 of a certain outcome into 0.
    -distribution.iter().filter(|probability| **probability > 0.0).map(|p| p * p.ln()).sum::<f64>() + 0.0
}
