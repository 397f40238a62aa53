//! The task `hops`: a string, and at its letters where a number of hops leads.

use haltbench_sdk::Result;
use haltbench_sdk::parameters::Parameters;
use haltbench_sdk::random::{Draws, Stream};
use haltbench_sdk::task::guess::{self, Guess};
use haltbench_sdk::task::{Instance, Supervision, Task, TaskDeclaration, TaskSpec, TokenSize, Verdict, admit_size};
use haltbench_sdk::text::{Label, Text};

use crate::chain::{self, Walk};
use crate::columns::{COMPLEXITIES, Chains, FEATURES, fill};
use crate::guess::OneHop;
use crate::question::{NONE, word};
use crate::settings::{NAME, PARAMETERS, Settings};
use crate::{check, solve};

const MARKERS: [&str; 3] = ["<bos>", "<pad>", NONE];
const BOS: u32 = 0;
const PAD: u32 = 1;
const NO_LETTER: u32 = 2;

/// Declaration of the task.
pub const DECLARATION: TaskDeclaration = TaskDeclaration {
    name: NAME,
    summary: "Induction over k hops in a string of N letters: k times to the letter behind the last occurrence",
    documentation: "\
Follows a chain of induction heads: k-hop induction.

One hop leads from a letter to the place behind the last earlier occurrence of the same letter. The answer at a letter is \
the letter where k hops from it lead, or `<none>` if a letter on the way has no earlier occurrence; with 0 hops it is the \
letter itself.

The sequence is `<bos>`, the number of hops as one token such as `<hops=3>`, then a string of N letters in which no two \
neighbours are equal, all such strings equally likely. Every letter has an answer, read at that letter's own position; with \
`answers = \"last\"` only the last one has. With `hops = \"printed\"`, k is uniform from 0 to K, as in the generator of \
Sanford et al.; with `hops = \"fixed\"` it is K everywhere and not printed, so no token tells how many hops there are.

A hop goes back by a geometric number of letters, with 4 letters 3 on average, and hops are independent: after i letters \
the number of possible ones is Binomial(i - 1, 1 / (alphabet - 1)). A letter near the start therefore has fewer hops to take than \
are asked for, and `hops` counts those that are taken. A model may follow the chain or double its function, so compare \
depth with `parallel` as well. Answers follow from the string: their entropy is 0.

`<none>` is easy where k is large, so report accuracies by `defined`, and per number of hops.

Every string has letters of many difficulties, and strings of one size are equally long for all k. With `equal_length`, \
`<pad>` tokens before the string make sequences of all sizes equally long, and put the last letter always at the same \
position.

The size of an answer is the number of letters up to its own. In a string longer than those trained on, only letters after \
the largest trained size are beyond training; the others are embedded. With `answers = \"last\"` it is N.

What is held out: where every letter has an answer, starts of strings, as few letters as make 500 different ones, 6 with 4 \
letters; earlier letters are not graded, because training sees all contexts there. Otherwise whole strings. In both cases \
a string is held out for all numbers of hops.

A question is the number of hops, if it is printed, and the letters, as in `1 a b c a c b a`; the answer lists the letter of \
every answer, `<none> <none> <none> b a c c`.",
    reference: "Sanford, Hsu and Telgarsky, Transformers, Parallel Computation, and Logarithmic Depth, arXiv 2402.09268, \
                section 4; Saunshi et al., Reasoning with Latent Thoughts, arXiv 2502.17416, section 2.1",
    licence: "generated; no restriction",
    parameters: PARAMETERS,
    build,
};

struct KHops {
    settings: Settings,
    spec: TaskSpec,
    /// Labels of the vocabulary.
    labels: Vec<Label>,
}

fn build(parameters: &Parameters) -> Result<Box<dyn Task>> {
    let settings = Settings::new(parameters)?;
    let letters = (0..settings.alphabet).map(|letter| word(letter).to_string());
    let mut vocabulary: Vec<String> = MARKERS.map(str::to_owned).into_iter().chain(letters).collect();
    if settings.is_printed {
        // Last, so that every other word has the same token without them.
        vocabulary.extend((0..=settings.maximum_hops).map(|hops| format!("<hops={hops}>")));
    }
    let spec = TaskSpec {
        vocabulary,
        size: Some(settings.knob.clone()),
        supervision: Supervision::AtToken,
        features: FEATURES.to_vec(),
        complexities: COMPLEXITIES.to_vec(),
        headline: "hops",
    };
    let labels = spec.vocabulary.iter().map(|word| Label::of(word)).collect();
    Ok(Box::new(KHops { settings, spec, labels }))
}

impl Task for KHops {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn draw(&self, size: u32, stream: &mut Stream, instance: &mut Instance) -> Result<()> {
        let Settings { alphabet, maximum_hops, is_printed, knob, .. } = &self.settings;
        admit_size(NAME, knob, size)?;
        let mut draws = Draws::new(stream);
        // The string first, so that it is the same whether the number of hops is printed or fixed.
        let letters = chain::draw(size as usize, *alphabet, &mut draws);
        let asked = if *is_printed { draws.below(maximum_hops + 1) } else { *maximum_hops };
        self.write(&letters, asked, instance);
        Ok(())
    }

    fn token_size(&self, size: u32, instance: &Instance, token: usize) -> TokenSize {
        let knob = &self.settings.knob;
        if !self.settings.is_every_answered {
            return TokenSize { size, split: knob.split(size) };
        }
        // The string is at the end of the sequence.
        let after = instance.tokens.len().saturating_sub(token + 1) as u32;
        let own = size.saturating_sub(after);
        // Training has letters at every place up to its largest size, skipped sizes included.
        knob.part(size, own)
    }

    fn answer(&self, question: &str) -> Result<String> {
        solve::answer(question, &self.settings)
    }

    fn check(&self, question: &str, answer: &str) -> Result<Verdict> {
        check::check(question, answer, &self.settings)
    }

    fn guesses(&self, training: &[Instance]) -> Vec<Box<dyn Guess + '_>> {
        let mut guesses = guess::trivial(training);
        guesses.push(Box::new(OneHop {
            first: MARKERS.len() as u32,
            none: NO_LETTER,
            alphabet: self.settings.alphabet,
        }));
        guesses
    }
}

impl KHops {
    fn write(&self, letters: &[usize], asked: usize, instance: &mut Instance) {
        let Settings { alphabet, is_printed, is_every_answered, .. } = self.settings;
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
        let hops = chain::hops(letters, alphabet);
        let walks: Vec<Walk> = (0..letters.len()).map(|place| Walk::from(place, asked, &hops)).collect();
        let token = |letter: usize| MARKERS.len() as u32 + letter as u32;
        let target = |walk: &Walk| if walk.hops == asked { token(letters[walk.end]) } else { NO_LETTER };
        tokens.clear();
        tokens.push(BOS);
        if is_printed {
            tokens.push(token(alphabet + asked));
        }
        let pads = self.settings.length.map_or(0, |length| length - letters.len());
        let start = self.settings.before() + pads;
        tokens.resize(start, PAD);
        tokens.extend(letters.iter().map(|letter| token(*letter)));
        let answered = if is_every_answered { start } else { tokens.len() - 1 };
        let targets = targets.get_or_insert_default();
        targets.clear();
        targets.extend_from_slice(&tokens[..answered]);
        targets.extend(walks[answered - start..].iter().map(target));
        loss_mask.clear();
        loss_mask.resize(answered, false);
        loss_mask.resize(tokens.len(), true);
        let chains = Chains { letters, alphabet, asked, hops: &hops, walks: &walks };
        fill(&chains, [start, answered], [complexities, features]);
        let labels = |tokens: &[u32]| tokens.iter().map(|token| self.labels[*token as usize]).collect::<Vec<Label>>();
        let mut text = Text::over(question, letters.len() + 2);
        if is_printed {
            text.number(asked as u32);
        }
        text.labels(labels(&tokens[start..]).iter());
        *question = text.finish();
        let mut text = Text::over(answer, 2 * letters.len());
        text.labels(labels(&targets[answered..]).iter());
        *answer = text.finish();
        let canonical = canonical.get_or_insert_default();
        let mut text = Text::over(canonical, letters.len() + 3);
        text.labels(labels(&tokens[start..]).iter());
        text.text("? ");
        text.number(asked as u32);
        *canonical = text.finish();
        // Letters have one character and a space each.
        let named = if is_every_answered { self.settings.start } else { letters.len() };
        *problem = Some(2 * named);
        *graded_from = if is_every_answered { start + named - 1 } else { 0 };
    }
}
