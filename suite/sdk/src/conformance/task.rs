//! Checks of a task: its declaration, its grids, its instances, and its answers against its checker.

mod parts;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::promise::Subject;
use crate::error::Error;
use crate::parameters::Parameters;
use crate::random::Stream;
use crate::task::guess::Guess;
use crate::task::{Instance, SizeKnob, Supervision, Task, TaskDeclaration, TaskSpec};

/// Instances drawn for each size.
const SEEDS: u64 = 50;

/// Vocabulary words tried as replacement of each corrupted word of an answer.
const REPLACEMENTS: usize = 4;

/// Words of an answer that are corrupted, at most.
const CORRUPTED: usize = 12;

/// A word that is in no vocabulary.
const FOREIGN: &str = "§";

/// Checks that a task with its default parameters keeps the promises of [`Task`].
///
/// The checker must refuse an answer with a word dropped, repeated or replaced, unless the result is the solver's
/// answer.
///
/// # Panics
/// With the name of the task and the promise that it breaks.
#[track_caller]
pub fn check_task(declaration: &'static TaskDeclaration) {
    let subject = Subject { kind: "task", name: declaration.name };
    subject.report(|| check_all(subject, declaration));
}

fn check_all(subject: Subject, declaration: &'static TaskDeclaration) {
    let texts = [
        ("summary", declaration.summary),
        ("documentation", declaration.documentation),
        ("reference", declaration.reference),
        ("licence", declaration.licence),
    ];
    subject.check_declaration(&texts, declaration.parameters);
    let resolved = Parameters::resolve(declaration.name, declaration.parameters, &BTreeMap::new());
    let parameters = subject.expect("its defaults resolve", resolved);
    let build = || subject.expect("it builds with its defaults", (declaration.build)(&parameters));
    let task = build();
    check_spec(subject, task.spec());
    // Reused for every draw, at larger and smaller sizes.
    let mut reused = Instance::default();
    let sizes = sizes(task.spec());
    for size in sizes.iter().copied() {
        // The second copy draws into a new instance each time, so a difference reveals state kept between draws.
        Trial { subject, task: &*task, copy: &*build(), size }.run(&mut reused);
    }
    parts::check(subject, &*task, &sizes);
    if let Some(knob) = &task.spec().size {
        check_refused_sizes(subject, &*task, knob);
    }
}

/// What every specification promises.
fn check_spec(subject: Subject, spec: &TaskSpec) {
    subject.demand("it has a vocabulary", !spec.vocabulary.is_empty(), || "no token".to_owned());
    for word in &spec.vocabulary {
        let plain = !word.is_empty() && !word.contains(char::is_whitespace);
        subject.demand("its tokens are words without spaces", plain, || format!("`{word}`"));
    }
    let columns = || {
        let complexities = spec.complexities.iter().map(|column| (column.name, column.documentation));
        complexities.chain(spec.features.iter().map(|column| (column.name, column.documentation)))
    };
    for (name, documentation) in columns() {
        let documented = !documentation.trim().is_empty();
        subject.demand("every column is documented", documented, || format!("nothing about `{name}`"));
    }
    all_differ(subject, "its complexities and features differ in name", columns().map(|(name, _)| name));
    all_differ(subject, "its tokens differ", spec.vocabulary.iter().map(String::as_str));
    let headlined = spec.complexities.iter().any(|column| column.name == spec.headline);
    subject.demand("its headline is one of its complexities", headlined, || format!("`{}`", spec.headline));
    if let Some(knob) = &spec.size {
        check_grids(subject, knob);
    }
}

fn all_differ<'a>(subject: Subject, promise: &str, names: impl Iterator<Item = &'a str>) {
    let mut seen = BTreeSet::new();
    for name in names {
        subject.demand(promise, seen.insert(name), || format!("`{name}` occurs twice"));
    }
}

/// Grids are ascending, within the knob's range, and on the right side of the training range.
fn check_grids(subject: Subject, knob: &SizeKnob) {
    let grids = [("training", &knob.training), ("between", &knob.between), ("beyond", &knob.beyond)];
    for (name, grid) in grids {
        let found = || format!("{name}: {grid:?}");
        subject.demand("its grids ascend", grid.is_sorted_by(|left, right| left < right), found);
        let inside = grid.iter().all(|size| (knob.minimum..=knob.maximum).contains(size));
        subject.demand("its grids lie inside its knob", inside, || {
            format!("{}, knob from {} to {}", found(), knob.minimum, knob.maximum)
        });
    }
    let (Some(first), Some(last)) = (knob.training.first(), knob.training.last()) else {
        subject.broken("it has sizes to train at", "none");
    };
    let between = knob.between.iter().all(|size| first < size && size < last && !knob.training.contains(size));
    subject.demand("sizes between are unseen and inside the training range", between, || format!("{:?}", knob.between));
    let beyond = knob.beyond.iter().all(|size| size < first || last < size);
    subject.demand("sizes beyond are outside the training range", beyond, || format!("{:?}", knob.beyond));
}

/// The ends of the grids; 0 for a task without a knob.
fn sizes(spec: &TaskSpec) -> BTreeSet<u32> {
    let Some(knob) = &spec.size else { return BTreeSet::from([0]) };
    let ends = [knob.training.first(), knob.training.last(), knob.between.first(), knob.beyond.last()];
    ends.into_iter().flatten().copied().chain([knob.minimum]).collect()
}

/// Sizes next to the knob's ends are refused with its range.
fn check_refused_sizes(subject: Subject, task: &dyn Task, knob: &SizeKnob) {
    for size in [knob.minimum.checked_sub(1), knob.maximum.checked_add(1)].into_iter().flatten() {
        let result = contained(subject, "sampling", || task.sample(size, &mut Stream::new(0, "conformance", &[])));
        let message = match result {
            Ok(_) => "an instance".to_owned(),
            Err(error) => error.to_string(),
        };
        let named = [knob.minimum, knob.maximum].iter().all(|end| message.contains(&end.to_string()));
        subject
            .demand("a size outside its knob is refused with the range", named, || format!("size {size}: {message}"));
    }
}

/// One task at one size.
struct Trial<'a> {
    subject: Subject,
    task: &'a dyn Task,
    copy: &'a dyn Task,
    size: u32,
}

impl Trial<'_> {
    fn run(&self, reused: &mut Instance) {
        let mut questions = BTreeSet::new();
        let training: Vec<Instance> = (SEEDS..SEEDS + 4).map(|seed| self.draw(self.task, seed)).collect();
        let guesses = self.task.guesses(&training);
        for seed in 0..SEEDS {
            let instance = self.draw(self.task, seed);
            // Undefined entries are NaN, which equals nothing: compare what is printed.
            let printed = format!("{instance:?}");
            let same = printed == format!("{:?}", self.draw(self.copy, seed));
            self.subject.demand("one key names one instance", same, || self.place(seed));
            self.draw_into(self.copy, seed, reused);
            let same = printed == format!("{reused:?}");
            self.subject.demand("nothing is left of the instance before", same, || self.place(seed));
            self.check_instance(&instance, seed);
            self.check_answers(&instance, seed);
            self.check_malformed(&instance, seed);
            self.check_guesses(&guesses, &instance, seed);
            questions.insert(instance.canonical().to_owned());
        }
        let vary = questions.len() > 1;
        self.subject.demand("its instances vary", vary, || format!("one in {SEEDS} draws of size {}", self.size));
    }

    fn draw(&self, task: &dyn Task, seed: u64) -> Instance {
        let mut instance = Instance::default();
        self.draw_into(task, seed, &mut instance);
        instance
    }

    fn draw_into(&self, task: &dyn Task, seed: u64, instance: &mut Instance) {
        let mut stream = Stream::new(seed, "conformance", &[u64::from(self.size)]);
        let drawn = contained(self.subject, "sampling", || task.draw(self.size, &mut stream, instance));
        self.subject.expect(&format!("it can be sampled at size {}", self.size), drawn);
    }

    fn place(&self, seed: u64) -> String {
        format!("size {}, seed {seed}", self.size)
    }

    fn check_instance(&self, instance: &Instance, seed: u64) {
        let (subject, spec) = (self.subject, self.task.spec());
        subject.expect(
            &format!("its instances are what they should be ({})", self.place(seed)),
            instance.validate(subject.name, spec),
        );
        let predicted = spec.supervision != Supervision::NextToken || instance.targets() == instance.tokens;
        subject.demand("a predicted token is its own target", predicted, || self.place(seed));
        let supervised = instance.loss_mask.contains(&true);
        subject.demand("at least one token is under the loss", supervised, || self.place(seed));
        let infinite = [&instance.complexities, &instance.features]
            .iter()
            .any(|columns| (0..columns.tokens()).any(|token| columns.row(token).iter().any(|x| x.is_infinite())));
        subject.demand("per-token numbers are finite or NaN", !infinite, || self.place(seed));
        for (place, column) in spec.complexities.iter().enumerate() {
            let mut values = instance.complexities.column(place).zip(&instance.loss_mask);
            let defined = values.any(|(value, loss)| *loss && !value.is_nan());
            let headline = column.name == spec.headline;
            subject.demand("its headline is defined on an answer token", defined || !headline, || {
                format!("`{}` at {}", column.name, self.place(seed))
            });
        }
    }

    /// The generator's and the solver's answers pass, corrupted ones do not.
    fn check_answers(&self, instance: &Instance, seed: u64) {
        let (subject, question) = (self.subject, instance.question.as_str());
        let at = |answer: &str| format!("question `{question}`, answer `{answer}` ({})", self.place(seed));
        self.demand_verdict("its checker accepts the generator's answer", question, &instance.answer, true);
        let solved = contained(subject, "answering", || self.task.answer(question));
        let solved = subject.expect(&format!("its solver answers {}", at("?")), solved);
        self.demand_verdict("its checker accepts the solver's answer", question, &solved, true);
        for corrupted in corruptions(instance, self.task.spec(), seed) {
            if !solved.split_whitespace().eq(corrupted.split_whitespace()) {
                self.demand_verdict("its checker refuses a corrupted answer", question, &corrupted, false);
            }
        }
    }

    fn demand_verdict(&self, promise: &str, question: &str, answer: &str, valid: bool) {
        let at = || format!("question `{question}`, answer `{answer}`");
        let verdict = contained(self.subject, "checking", || self.task.check(question, answer));
        let verdict = self.subject.expect(&format!("it checks {}", at()), verdict);
        self.subject.demand(promise, verdict.valid == valid, || format!("{}: {}", at(), verdict.reason));
        let reasoned = verdict.valid == verdict.reason.is_empty();
        self.subject.demand("a verdict has a reason exactly when it is wrong", reasoned, at);
    }

    /// Every guess has a token of the vocabulary for every target.
    fn check_guesses(&self, guesses: &[Box<dyn Guess + '_>], instance: &Instance, seed: u64) {
        let (subject, vocabulary) = (self.subject, self.task.spec().vocabulary.len() as u32);
        for guess in guesses {
            let at = || format!("`{}` at {}", guess.name(), self.place(seed));
            let tokens = || guess.tokens(instance, &mut Stream::new(seed, "conformance/guesses", &[]));
            let guessed = contained(subject, "guessing", tokens);
            let complete = guessed.len() == instance.answers().count();
            subject.demand("its guesses have every answer token", complete, at);
            let known = guessed.iter().all(|token| *token < vocabulary);
            subject.demand("its guesses are tokens of the vocabulary", known, at);
        }
    }

    /// A corrupted question gives [`Error::Malformed`] or an answer, never a panic; with a foreign word it gives the
    /// error.
    fn check_malformed(&self, instance: &Instance, seed: u64) {
        let shortened = instance.question.trim_end().rsplit_once(char::is_whitespace).map_or("", |(head, _)| head);
        let extended = format!("{} {FOREIGN}", instance.question);
        for (question, foreign) in [("", false), (FOREIGN, true), (shortened, false), (&extended, true)] {
            let answered = contained(self.subject, "answering", || self.task.answer(question));
            let checked = contained(self.subject, "checking", || self.task.check(question, &instance.answer));
            for error in [answered.err(), checked.err()] {
                let at = || format!("`{question}` ({}): {error:?}", self.place(seed));
                let located = matches!(error, Some(Error::Malformed { position: 1.., .. }));
                let promise = "a question that does not parse is malformed at a token";
                self.subject.demand(promise, located || (error.is_none() && !foreign), at);
            }
        }
    }
}

/// The answer with single words dropped, repeated, or replaced by words of the vocabulary.
fn corruptions(instance: &Instance, spec: &TaskSpec, seed: u64) -> Vec<String> {
    let words: Vec<&str> = instance.answer.split_whitespace().collect();
    let mut stream = Stream::new(seed, "conformance/corruptions", &[words.len() as u64]);
    let mut places: Vec<usize> = (0..words.len()).collect();
    stream.shuffle(&mut places);
    let mut corrupted = Vec::new();
    for place in places.into_iter().take(CORRUPTED) {
        let mut with =
            |middle: &[&str]| corrupted.push([&words[..place], middle, &words[place + 1..]].concat().join(" "));
        with(&[]);
        with(&[words[place], words[place]]);
        for _ in 0..REPLACEMENTS {
            let word = stream.choose(&spec.vocabulary).as_str();
            if word != words[place] {
                with(&[word]);
            }
        }
    }
    corrupted.retain(|text| !text.split_whitespace().eq(words.iter().copied()));
    corrupted
}

/// Result of `call`; a panic in it is a broken promise.
fn contained<T>(subject: Subject, doing: &str, call: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| subject.broken(&format!("{doing} never panics"), "a panic"))
}

#[cfg(test)]
mod tests {
    use super::check_task;
    use crate::error::{Error, Result};
    use crate::parameters::Parameters;
    use crate::random::Stream;
    use crate::task::{
        Columns, ComplexitySpec, Instance, SizeKnob, Split, Supervision, Task, TaskDeclaration, TaskSpec, TokenSize,
        Verdict, admit_size,
    };

    const SOUND: u8 = 0;
    const CREDULOUS: u8 = 1;
    const FORGETFUL: u8 = 2;
    const OVERLAPPING: u8 = 3;
    const PANICKING: u8 = 4;
    const UNMEASURED: u8 = 5;
    const LINGERING: u8 = 6;
    const LEAKING: u8 = 7;
    const UNGRADED: u8 = 8;
    const OVERSIZED: u8 = 9;
    const UNTRAINED: u8 = 10;

    /// Copies its bits; `FLAW` says which promise it breaks.
    struct Copying<const FLAW: u8>(TaskSpec);

    fn build<const FLAW: u8>(_: &Parameters) -> Result<Box<dyn Task>> {
        let beyond = if FLAW == OVERLAPPING { vec![4] } else { vec![8] };
        let knob = SizeKnob { name: "N", minimum: 2, maximum: 8, training: vec![3, 4], between: vec![], beyond };
        Ok(Box::new(Copying::<FLAW>(TaskSpec {
            vocabulary: ["0", "1", "="].map(str::to_owned).to_vec(),
            size: Some(knob),
            supervision: Supervision::NextToken,
            features: vec![],
            complexities: vec![ComplexitySpec { name: "place", documentation: "Bits before this one." }],
            headline: "place",
        })))
    }

    const fn copying<const FLAW: u8>() -> TaskDeclaration {
        TaskDeclaration {
            name: "copying",
            summary: "Copies bits",
            documentation: "Copies bits.",
            reference: "none",
            licence: "none",
            parameters: &[],
            build: build::<FLAW>,
        }
    }

    impl<const FLAW: u8> Task for Copying<FLAW> {
        fn spec(&self) -> &TaskSpec {
            &self.0
        }

        fn draw(&self, size: u32, stream: &mut Stream, instance: &mut Instance) -> Result<()> {
            if let Some(knob) = &self.0.size {
                admit_size("copying", knob, size)?;
            }
            let bits: Vec<u32> = (0..size).map(|_| stream.below(2) as u32).collect();
            let text = bits.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
            let answer = size as usize + 1;
            let length = answer + size as usize;
            let mut complexities = Columns::undefined(1, answer..length);
            if FLAW != UNMEASURED {
                (0..size as usize).for_each(|place| complexities.write(answer + place, 0, &[place as f32]));
            }
            *instance = Instance {
                tokens: [&bits[..], &[2], &bits].concat(),
                targets: None,
                // The leaking one asks for bits that it has not shown all of.
                loss_mask: (0..length).map(|index| index >= if FLAW == LEAKING { 1 } else { answer }).collect(),
                complexities,
                features: Columns::undefined(0, 0..length),
                question: text.clone(),
                answer: text.clone(),
                canonical: if FLAW == LINGERING { instance.canonical.take().or(Some(text)) } else { None },
                problem: None,
                graded_from: if FLAW == UNGRADED { length } else { 0 },
            };
            Ok(())
        }

        fn token_size(&self, size: u32, _: &Instance, _: usize) -> TokenSize {
            let split = self.0.size.as_ref().map_or(Split::InRange, |knob| knob.split(size));
            match FLAW {
                OVERSIZED => TokenSize { size: size + 1, split },
                UNTRAINED => TokenSize { size, split: Split::Beyond },
                _ => TokenSize { size, split },
            }
        }

        fn answer(&self, question: &str) -> Result<String> {
            for (index, word) in question.split_whitespace().enumerate() {
                assert!(FLAW != PANICKING || word.is_ascii());
                if !["0", "1"].contains(&word) {
                    let message = format!("expected a bit, found `{word}`");
                    return Err(Error::Malformed { text: "question", position: index + 1, message });
                }
            }
            Ok(if FLAW == FORGETFUL { question.chars().skip(2).collect() } else { question.to_owned() })
        }

        fn check(&self, question: &str, answer: &str) -> Result<Verdict> {
            self.answer(question)?;
            // The credulous one reads a repeated bit as one.
            let read = |text: &str| {
                let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
                if FLAW == CREDULOUS {
                    words.dedup();
                }
                words
            };
            Ok(if read(question) == read(answer) { Verdict::valid() } else { Verdict::wrong("bits differ") })
        }
    }

    #[test]
    fn passes_a_sound_task() {
        check_task(&const { copying::<SOUND>() });
    }

    #[test]
    #[should_panic(expected = "task `copying` breaks a promise: its checker refuses a corrupted answer")]
    fn finds_a_checker_that_accepts_repetitions() {
        check_task(&const { copying::<CREDULOUS>() });
    }

    #[test]
    #[should_panic(expected = "its checker accepts the solver's answer")]
    fn finds_a_solver_that_is_wrong() {
        check_task(&const { copying::<FORGETFUL>() });
    }

    #[test]
    #[should_panic(expected = "sizes beyond are outside the training range: [4]")]
    fn finds_grids_that_overlap() {
        check_task(&const { copying::<OVERLAPPING>() });
    }

    #[test]
    #[should_panic(expected = "answering never panics")]
    fn finds_a_panic() {
        check_task(&const { copying::<PANICKING>() });
    }

    #[test]
    #[should_panic(expected = "nothing is left of the instance before")]
    fn finds_what_is_left_of_another_instance() {
        check_task(&const { copying::<LINGERING>() });
    }

    #[test]
    #[should_panic(expected = "the context of a graded target determines the problem")]
    fn finds_a_target_whose_context_training_may_share() {
        check_task(&const { copying::<LEAKING>() });
    }

    #[test]
    #[should_panic(expected = "most instances have a target that is graded")]
    fn finds_that_nothing_is_graded() {
        check_task(&const { copying::<UNGRADED>() });
    }

    #[test]
    #[should_panic(expected = "no target is larger than its instance")]
    fn finds_a_target_that_is_too_large() {
        check_task(&const { copying::<OVERSIZED>() });
    }

    #[test]
    #[should_panic(expected = "targets of training are of a size trained on")]
    fn finds_training_that_is_called_beyond() {
        check_task(&const { copying::<UNTRAINED>() });
    }

    #[test]
    #[should_panic(expected = "its headline is defined on an answer token")]
    fn finds_a_headline_that_is_never_defined() {
        check_task(&const { copying::<UNMEASURED>() });
    }
}
