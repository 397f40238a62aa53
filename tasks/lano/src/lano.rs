//! The task `lano`: strings of a levelled grammar, every token predicted.

use haltbench_sdk::parameters::Parameters;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::generation::{Generation, PredictedString, StringColumns, StringMeasure};
use haltbench_sdk::task::guess::{self, Guess};
use haltbench_sdk::task::{Instance, Supervision, Task, TaskDeclaration, TaskSpec, Verdict};
use haltbench_sdk::{Error, Result};

use crate::columns::{COMPLEXITIES, Measured, Place, features, measure, of_any};
use crate::derivation::Derivation;
use crate::evaluation::{Judge, Judged, of_generated, of_teacher_forced};
use crate::grammar::Terminal;
use crate::guesses::{most_probable, random_possible};
use crate::judge::Judgement;
use crate::language::Language;
use crate::settings::{PARAMETERS, grammar};
use crate::{check, judge, start, words};

const NAME: &str = "lano";
const MARKERS: [&str; 2] = ["<bos>", "<eos>"];
const BOS: u32 = 0;
const EOS: u32 = 1;

/// Declaration of `lano`.
pub const DECLARATION: TaskDeclaration = TaskDeclaration {
    name: NAME,
    summary: "Strings of a levelled probabilistic grammar (cfg3b), every token predicted; no size",
    documentation: "\
Strings of a levelled probabilistic context-free grammar.

The sequence is `<bos>`, the string, `<eos>`; every token after `<bos>` is under the loss. All derivation trees of a \
levelled grammar have the same height: the children of a symbol are one level below it. Alternatives of a symbol are \
equally likely and independent. There is no size: a string is as long as its derivation happens to be.

Next tokens are drawn, not computed, so no model predicts all of them: compare the loss with the mean of `surprisal`. \
With cfg3b the most frequent token alone is right at 33 % of all places, a random one of those that are possible at \
68 %, the most probable one at 75 %, which no model can expect to exceed.

What is held out: starts of strings. A string's first k terminals name its problem, where k is the smallest number such \
that no k terminals begin more than one in 200 strings, at most the length of the shortest string: 14 with cfg3b. \
Predictions are graded from the token after these on, because training sees all contexts before. Of a string of k \
terminals only `<eos>` is graded. Generated and teacher-forced measures are of whole strings.

Besides tokens, strings are judged that a model generates at temperature 1: the share that is of the language, and the \
exact Kullback-Leibler divergence of the model from the grammar for each token, along its own strings and along those \
of the evaluation (teacher-forced).

`expansion`, `convergence`, `additions` and `multiplications` are the paper's proxies. They come from a prefix parser \
that reads the string token by token and keeps, for every start i and symbol X, the probability that X yields exactly \
the tokens since i (inside) and that its yield starts with them (prefix). They stand at the token that is read; the \
features that end in `_before` are the same numbers for the token before, which is known when the steps are spent. \
`closes`, `opens` and the `lookback`s are those of the derivation that the string was drawn with.

A grammar file has one line `terminals WORD ...` and one line `SYMBOL -> SYMBOL ... | SYMBOL ...` for every other \
symbol, the root first; `#` starts a comment. Alternatives have 2 to 6 symbols. Every symbol must be reachable from \
the root, at one level, without a cycle.

A question is a string, `1 2 1 1`, of the language or not. The answer is `valid` with the natural logarithm of the \
string's probability, `valid -2.079442`, or `invalid` with the first token at which no string of the language \
continues like this, `invalid 4`; one past the end if the string breaks off. Questions of generated instances are valid.",
    reference: "The paper's LANO (section 5 and table 1); Physics of Language Models, arXiv 2305.13673 and \
                2512.17351; Nowak and Cotterell, ACL 2023",
    licence: "generated; the grammars cfg3b, cfg3f, cfg3j and cfg3k are published under Apache-2.0",
    parameters: PARAMETERS,
    build,
};

struct Lano {
    language: Language,
    /// Number of terminals that determine the problem of a string.
    start: usize,
    /// The token of every outcome: the terminals, then the end.
    outcomes: Vec<usize>,
    spec: TaskSpec,
}

fn build(parameters: &Parameters) -> Result<Box<dyn Task>> {
    let language = Language::new(grammar(NAME, parameters)?);
    let terminals = language.grammar.terminals().iter().map(String::as_str);
    let spec = TaskSpec {
        vocabulary: MARKERS.into_iter().chain(terminals).map(str::to_owned).collect(),
        size: None,
        supervision: Supervision::NextToken,
        features: features(language.grammar.depth()),
        complexities: COMPLEXITIES.to_vec(),
        headline: "expansion",
    };
    let terminals = MARKERS.len()..MARKERS.len() + language.end();
    let outcomes = terminals.chain([EOS as usize]).collect();
    Ok(Box::new(Lano { start: start::length(&language), outcomes, language, spec }))
}

impl Task for Lano {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn draw(&self, size: u32, stream: &mut Stream, instance: &mut Instance) -> Result<()> {
        if size != 0 {
            return Err(Error::invalid(format!("size of {NAME}"), "none or 0, it has no size", size));
        }
        *instance = self.instance(&Derivation::draw(&self.language.grammar, stream));
        Ok(())
    }

    fn answer(&self, question: &str) -> Result<String> {
        judge::answer(&self.language, question).map(Judgement::write)
    }

    fn check(&self, question: &str, answer: &str) -> Result<Verdict> {
        check::judgement(&self.language.grammar, question, answer)
    }

    fn guesses(&self, training: &[Instance]) -> Vec<Box<dyn Guess + '_>> {
        let mut guesses = guess::trivial(training);
        guesses.push(Box::new(random_possible(&self.language, &self.outcomes)));
        guesses.push(Box::new(most_probable(&self.language, &self.outcomes)));
        guesses
    }

    fn generation(&self) -> Option<&dyn Generation> {
        Some(self)
    }
}

impl Generation for Lano {
    fn prompt(&self) -> Vec<u32> {
        vec![BOS]
    }

    fn end(&self) -> u32 {
        EOS
    }

    fn longest(&self) -> usize {
        self.language.grammar.extreme_lengths().1
    }

    fn columns(&self, tokens: &[u32]) -> StringColumns {
        let start = self.prompt().len();
        // A string ends at the first token that is not a terminal.
        let after = tokens.get(start..).unwrap_or_default();
        let terminals = after.iter().map_while(|token| token.checked_sub(MARKERS.len() as u32));
        let string: Vec<Terminal> = terminals.map(|terminal| terminal as Terminal).collect();
        let is_ended = after.get(string.len()) == Some(&EOS);
        let place = Place { start, tokens: tokens.len(), is_ended };
        let Measured { complexities, features, .. } = of_any(&self.language, &string, place);
        StringColumns { complexities, features }
    }

    fn generated(&self, strings: &[PredictedString]) -> Result<Vec<StringMeasure>> {
        Ok(of_generated(&self.judge(strings)?))
    }

    fn teacher_forced(&self, strings: &[PredictedString]) -> Result<Vec<StringMeasure>> {
        let judged = self.judge(strings)?;
        match judged.iter().position(|string| !string.is_valid) {
            Some(place) => {
                let operand = format!("string {place} to compare on");
                Err(Error::invalid(operand, "a string of the language", "another"))
            }
            None => Ok(of_teacher_forced(&judged)),
        }
    }
}

impl Lano {
    fn judge(&self, strings: &[PredictedString]) -> Result<Vec<Judged>> {
        let mut judge = Judge::new(&self.language, &self.outcomes);
        strings.iter().map(|string| judge.follow(string)).collect()
    }

    fn instance(&self, derivation: &Derivation) -> Instance {
        let (grammar, string) = (&self.language.grammar, &derivation.string);
        let mut tokens = Vec::with_capacity(string.len() + 2);
        tokens.push(BOS);
        tokens.extend(string.iter().map(|terminal| MARKERS.len() as u32 + u32::from(*terminal)));
        tokens.push(EOS);
        let Measured { complexities, features, ln_probability } = measure(&self.language, derivation);
        let question = words::write(grammar, string);
        let start = self.start.min(string.len());
        Instance {
            targets: None,
            loss_mask: (0..tokens.len()).map(|token| token > 0).collect(),
            complexities,
            features,
            answer: Judgement::Valid { ln_probability }.write(),
            canonical: None,
            problem: Some(words::write(grammar, &string[..start]).len()),
            // The first target with the whole start in its context.
            graded_from: start + 1,
            question,
            tokens,
        }
    }
}
