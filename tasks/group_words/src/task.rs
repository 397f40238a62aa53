//! The task `group-words`: a word, with the product of all elements up to each as the target at that element.

use haltbench_sdk::Result;
use haltbench_sdk::parameters::Parameters;
use haltbench_sdk::random::{Draws, Stream};
use haltbench_sdk::task::guess::{self, Guess};
use haltbench_sdk::task::{Instance, Supervision, Task, TaskDeclaration, TaskSpec, TokenSize, Verdict, admit_size};
use haltbench_sdk::text::{Label, Text};

use crate::columns::{COMPLEXITIES, FEATURES, SEQUENTIAL, fill};
use crate::group::Kind;
use crate::guess::random_reordered;
use crate::settings::{NAME, PARAMETERS, Settings};
use crate::word::Word;
use crate::{check, solve};

const MARKERS: [&str; 1] = ["<bos>"];
const BOS: u32 = 0;

/// Declaration of the task.
pub const DECLARATION: TaskDeclaration = TaskDeclaration {
    name: NAME,
    summary: "Running product of N elements of a group (Z60, A4 x Z5, A5 or S5), supervised at every element",
    documentation: "\
Multiplies elements of a finite group from left to right: a word problem, or state tracking.

The sequence is `<bos>`, then N elements, all elements of the group equally likely. At every element the target is the \
product of all elements up to this one, read at that element's own position. Products are not shown, so the product of \
t elements depends on all t of them.

Permutations are written as the images of 0, 1, 2, ...; an element g takes the product s to the composition s∘g, which \
maps i to s(g(i)). `z60` has residues modulo 60, which are added; `a4xz5` has even permutations of four points with a \
residue modulo 5, as in `1203.4`.

The groups of order 60 are a control: under one seed, `z60`, `a4xz5` and `a5` give the same tokens and hold out the same \
problems, because elements are drawn and split by number, the identity first. Only the targets differ. Whatever can be \
counted in the prompt is therefore the same in all three, while the problem is not: a sum modulo 60 and any word problem \
of a solvable group are in ACC0, the word problem of `a5` or `s5` is complete for NC1 (Barrington, 1989). If a model spends \
other depths on `a5` than on `z60`, no cue in the prompt explains it.

A model may multiply one element after the other, `sequential` products in a chain, or halves of the word at once, in \
`parallel` rounds; compare depth with both. All products are equally likely, and they follow from the elements, so the \
entropy of an answer is 0. With `equal_length`, every sequence has `largest_elements` elements, of which N differ from the \
identity, and these stand anywhere: neither length nor position tells how many elements are multiplied, only their count.

The size of an answer is the number of its elements. In a word longer than those trained on, products of more elements \
are beyond training; the others are embedded.

What is held out: starts of words, the first two elements that are not padding, so that no context in which an answer is \
graded occurs in training. Products of the same two elements later in a word cannot be held out: a model needs them all. \
The first element is its own product and is not graded.

The guess `random-reordered` knows the elements but not their order: it is right once in 4 answers of `a4xz5`, once in 60 \
of `s5`, where it knows the sign, and once in 60 of `a5`, where it knows nothing. In `z60` it would be the answer.

A question is the elements, as in `10234 02134 12340` of `s5`; the answer lists the products, `10234 12034 20341`.",
    reference: "Merrill, Petty and Sabharwal, The Illusion of State in State-Space Models, arXiv 2404.08819; \
                Barrington, Journal of Computer and System Sciences 38, 1989",
    licence: "generated; no restriction",
    parameters: PARAMETERS,
    build,
};

struct GroupWords {
    settings: Settings,
    spec: TaskSpec,
    /// Labels of the vocabulary.
    labels: Vec<Label>,
}

fn build(parameters: &Parameters) -> Result<Box<dyn Task>> {
    let settings = Settings::new(parameters)?;
    let words = settings.group.words.iter().cloned();
    let spec = TaskSpec {
        vocabulary: MARKERS.map(str::to_owned).into_iter().chain(words).collect(),
        size: Some(settings.knob.clone()),
        supervision: Supervision::AtToken,
        features: FEATURES.to_vec(),
        complexities: COMPLEXITIES.to_vec(),
        headline: "sequential",
    };
    let labels = spec.vocabulary.iter().map(|word| Label::of(word)).collect();
    Ok(Box::new(GroupWords { settings, spec, labels }))
}

impl Task for GroupWords {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn draw(&self, size: u32, stream: &mut Stream, instance: &mut Instance) -> Result<()> {
        let Settings { group, knob, length } = &self.settings;
        admit_size(NAME, knob, size)?;
        let word = Word::draw(size as usize, *length, group.order(), &mut Draws::new(stream));
        self.write(&word, instance);
        Ok(())
    }

    /// Training has products of every number of elements up to its largest size, skipped sizes included.
    fn token_size(&self, size: u32, instance: &Instance, token: usize) -> TokenSize {
        // Undefined, which counts as 0, before the first element.
        self.settings.knob.part(size, instance.complexities.get(SEQUENTIAL, token) as u32)
    }

    fn answer(&self, question: &str) -> Result<String> {
        solve::answer(question, &self.settings.group)
    }

    fn check(&self, question: &str, answer: &str) -> Result<Verdict> {
        check::check(question, answer, &self.settings.group)
    }

    fn guesses(&self, training: &[Instance]) -> Vec<Box<dyn Guess + '_>> {
        let mut guesses = guess::trivial(training);
        // Order is of no account in a commutative group: the guess would be the answer.
        if self.settings.group.kind != Kind::Z60 {
            guesses.push(Box::new(random_reordered(MARKERS.len() as u32, self.settings.group.reorderings())));
        }
        guesses
    }
}

impl GroupWords {
    fn write(&self, word: &Word, instance: &mut Instance) {
        let group = &self.settings.group;
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
        let token = |element: &usize| MARKERS.len() as u32 + *element as u32;
        let mut product = 0;
        let running = word.elements.iter().map(|element| {
            product = group.product(product, *element);
            product
        });
        let products: Vec<usize> = running.collect();
        tokens.clear();
        tokens.push(BOS);
        tokens.extend(word.elements.iter().map(token));
        let targets = targets.get_or_insert_default();
        targets.clear();
        targets.push(BOS);
        targets.extend(products.iter().map(token));
        loss_mask.clear();
        loss_mask.push(false);
        loss_mask.resize(tokens.len(), true);
        fill(group, word, &products, [complexities, features]);
        self.render(&tokens[1..], question);
        self.render(&targets[1..], answer);
        *graded_from = word.start();
        // Numbers instead of words, so that groups of one order hold out the same problems.
        let canonical = canonical.get_or_insert_default();
        let mut text = Text::over(canonical, tokens.len() + 3);
        let mut counted = 0;
        for (element, count) in word.elements.iter().zip(&word.counts).take(word.start()) {
            if *count > counted {
                text.number(*element as u32);
            }
            counted = *count;
        }
        text.text(": ");
        word.elements.iter().for_each(|element| text.number(*element as u32));
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
