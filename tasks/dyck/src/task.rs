//! The task `dyck`: a word of brackets, with the depth at every bracket or the kind at every closing one.

use haltbench_sdk::Result;
use haltbench_sdk::parameters::Parameters;
use haltbench_sdk::random::{Draws, Stream};
use haltbench_sdk::task::guess::{self, Guess};
use haltbench_sdk::task::{Instance, Supervision, Task, TaskDeclaration, TaskSpec, TokenSize, Verdict, admit_size};
use haltbench_sdk::text::{Label, Text};

use crate::brackets::{Bracket, Word};
use crate::columns::{BRACKETS, COMPLEXITIES, FEATURES, fill};
use crate::guess::{nearest_opening, random_possible_depth};
use crate::question::{CLOSING, FILLER, closing, opening};
use crate::settings::{NAME, PARAMETERS, Settings};
use crate::{check, solve};

const MARKERS: [&str; 3] = ["<bos>", FILLER, CLOSING];
const BOS: u32 = 0;
const FILL: u32 = 1;
const CLOSE: u32 = 2;
const FIRST_OPENING: u32 = 3;

/// Declaration of the task.
pub const DECLARATION: TaskDeclaration = TaskDeclaration {
    name: NAME,
    summary: "Depth after every bracket of a word of N pairs, or kind of every closing one",
    documentation: "\
Follows brackets that match: Dyck-(k, m), words of k kinds of brackets with at most m open at the same time.

The sequence is `<bos>`, then 2N brackets. With one kind, the default, the target at every bracket is the number of brackets \
open after it: Dyck-1 with depth. With several, opening brackets are printed with their kind, as `(2`, closing ones as `)`, \
and the target at every closing bracket is the kind that it closes, `)2`. Targets are read at the bracket's own position. \
Language models of Dyck words are judged by the same choice, the kind of a bracket given that it closes. There, most tokens \
cannot be predicted, because any bracket may open; here every answer follows from the word, so its entropy is 0.

With one kind, a model may add up `brackets` steps of a counter, or match pairs. With several it has to find the opening \
bracket, `distance` brackets back and under a stack of `depth`; matching takes `parallel` rounds if each doubles the \
distance that it covers. Within a word, distances differ from 1 to 2N - 1.

All words of N pairs with at most m open brackets are equally likely, or, with `law = \"walk\"`, as likely as in the process of Hewitt et al., \
given that the word ends after 2N brackets: it opens or closes with equal probability, but at depth 0 it opens and at depth m \
it closes. Kinds are uniform. Words of one size are equally long, whatever their depths. With `equal_length`, words of all \
sizes are: the brackets are at random places among `.` tokens, which are no brackets and have no answer, and count for no \
distance. m is the same at all sizes, so every depth occurs in training.

The size of an answer is the number of pairs that the brackets up to its own make, rounded up. In a word longer than those \
trained on, only brackets after the largest trained size are beyond training; the others are embedded.

What is held out: starts of words, the fewest brackets, an even number, that no more than one in 200 words has in common, 12 \
by default, so that no context in which an answer is graded occurs in training. Earlier brackets are not graded.

A question is the brackets, as in `( ( ) )`, answered by `1 2 1 0`, or `(1 (2 ) )`, answered by `)2 )1`.",
    reference: "Hewitt et al., RNNs can generate bounded hierarchical languages with optimal memory, arXiv 2010.07515, \
                section 2; one kind with depths is Haltbench's own",
    licence: "generated; no restriction",
    parameters: PARAMETERS,
    build,
};

struct Dyck {
    settings: Settings,
    spec: TaskSpec,
    /// Labels of the vocabulary.
    labels: Vec<Label>,
    /// Token of the first answer: depth 0, or the first kind.
    first_answer: u32,
}

fn build(parameters: &Parameters) -> Result<Box<dyn Task>> {
    let settings = Settings::new(parameters)?;
    let kinds = settings.kinds;
    let mut vocabulary: Vec<String> = MARKERS.map(str::to_owned).into();
    vocabulary.extend((0..kinds).map(|kind| opening(kind, kinds)));
    let first_answer = vocabulary.len() as u32;
    match kinds {
        1 => vocabulary.extend((0..=settings.law.depth).map(|depth| depth.to_string())),
        _ => vocabulary.extend((0..kinds).map(closing)),
    }
    let spec = TaskSpec {
        vocabulary,
        size: Some(settings.knob.clone()),
        supervision: Supervision::AtToken,
        features: FEATURES.to_vec(),
        complexities: COMPLEXITIES.to_vec(),
        headline: "distance",
    };
    let labels = spec.vocabulary.iter().map(|word| Label::of(word)).collect();
    Ok(Box::new(Dyck { settings, spec, labels, first_answer }))
}

impl Task for Dyck {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn draw(&self, size: u32, stream: &mut Stream, instance: &mut Instance) -> Result<()> {
        admit_size(NAME, &self.settings.knob, size)?;
        let word = Word::draw(size as usize, &self.settings, &mut Draws::new(stream));
        self.write(&word, instance);
        Ok(())
    }

    /// Training has brackets at every place up to its largest size, skipped sizes included.
    fn token_size(&self, size: u32, instance: &Instance, token: usize) -> TokenSize {
        // Undefined, which counts as 0, where nothing is answered.
        self.settings.knob.part(size, (instance.complexities.get(BRACKETS, token) as u32).div_ceil(2))
    }

    fn answer(&self, question: &str) -> Result<String> {
        solve::answer(question, &self.settings)
    }

    fn check(&self, question: &str, answer: &str) -> Result<Verdict> {
        check::check(question, answer, &self.settings)
    }

    fn guesses(&self, training: &[Instance]) -> Vec<Box<dyn Guess + '_>> {
        let mut guesses = guess::trivial(training);
        guesses.push(match self.settings.kinds {
            1 => Box::new(random_possible_depth(self.first_answer, self.settings.law.depth)),
            kinds => Box::new(nearest_opening([FIRST_OPENING, self.first_answer], kinds)),
        });
        guesses
    }
}

impl Dyck {
    fn write(&self, word: &Word, instance: &mut Instance) {
        let Settings { kinds, start, .. } = self.settings;
        let Instance {
            tokens,
            targets,
            loss_mask,
            complexities,
            features,
            question,
            answer,
            canonical,
            problem,
            graded_from,
        } = instance;
        let token = |bracket: &Bracket| if bracket.is_opening { FIRST_OPENING + bracket.kind as u32 } else { CLOSE };
        let target =
            |bracket: &Bracket| self.first_answer + if kinds == 1 { bracket.depth } else { bracket.kind } as u32;
        let is_answered = |bracket: &Bracket| kinds == 1 || !bracket.is_opening;
        tokens.clear();
        tokens.push(BOS);
        tokens.resize(word.length + 1, FILL);
        for (bracket, place) in word.brackets.iter().zip(&word.places) {
            tokens[place + 1] = token(bracket);
        }
        let targets = targets.get_or_insert_default();
        targets.clone_from(tokens);
        loss_mask.clear();
        loss_mask.resize(tokens.len(), false);
        let mut answers = Vec::with_capacity(word.brackets.len());
        for (bracket, place) in word.brackets.iter().zip(&word.places).filter(|(bracket, _)| is_answered(bracket)) {
            targets[place + 1] = target(bracket);
            loss_mask[place + 1] = true;
            answers.push(target(bracket));
        }
        fill(word, |number| is_answered(&word.brackets[number]), [complexities, features]);
        self.render(&tokens[1..], question);
        self.render(&answers, answer);
        *graded_from = word.places[start - 1] + 1;
        // The first brackets without what stands between them, then the question.
        let canonical = canonical.get_or_insert_default();
        let mut text = Text::over(canonical, start + tokens.len() + 1);
        let labels = |tokens: &[u32]| tokens.iter().map(|token| self.labels[*token as usize]).collect::<Vec<Label>>();
        let named: Vec<u32> = word.brackets[..start].iter().map(token).collect();
        text.labels(labels(&named).iter());
        text.text(": ");
        text.labels(labels(&tokens[1..]).iter());
        *canonical = text.finish();
        *problem = canonical.find(':');
    }

    /// Replaces `words` by the words of `tokens`.
    fn render(&self, tokens: &[u32], words: &mut String) {
        let mut text = Text::over(words, tokens.len());
        text.labels(tokens.iter().map(|token| &self.labels[*token as usize]));
        *words = text.finish();
    }
}
