//! Worked examples, computed by hand.

use haltbench_sdk::parameters::Value;
use haltbench_sdk::task::{Split, Supervision, TokenSize};

use super::{column, configured, draw, fixed, forms, hops, text};

const STRING: &str = "a b c a c b a b d c a b d b";

/// One letter for every place, `~` for none.
fn words(answers: &str) -> String {
    let word = |letter: char| if letter == '~' { "<none>".to_owned() } else { letter.to_string() };
    answers.chars().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn answers_known_questions() {
    let known = [(0, "abcacbabdcabdb"), (1, "~~~bacca~bbdcd"), (2, "~~~~b~ac~ca~bc"), (3, "~~~~~~ba~~c~cb")];
    for (asked, answers) in known {
        let (question, answer) = (format!("{asked} {STRING}"), words(answers));
        assert_eq!(hops().answer(&question).unwrap(), answer);
        assert_eq!(hops().check(&question, &answer).unwrap().reason, "");
        if asked > 0 {
            assert_eq!(fixed(asked, "every").answer(STRING).unwrap(), answer);
            let last = answer.rsplit(' ').next().unwrap();
            assert_eq!(fixed(asked, "last").answer(STRING).unwrap(), last);
            assert_eq!(fixed(asked, "last").check(STRING, last).unwrap().reason, "");
        }
    }
    assert_eq!(hops().answer("1 a b c a c b a").unwrap(), words("~~~bacc"));
}

#[test]
fn wrong_answers_are_told_what_was_expected() {
    let reason = |answer: &str| hops().check("1 a b a b", answer).unwrap().reason;
    assert_eq!(reason("<none> <none> b a"), "");
    assert_eq!(reason("<none> <none> a a"), "letter 3: expected b, found a");
    assert_eq!(reason("<none> <none> <none> a"), "letter 3: expected b, found <none>");
    assert_eq!(reason("<none> <none> b"), "letter 4: expected a, found the end");
    assert_eq!(reason("<none> <none> b a a"), "expected 4 answers and no more, found `a`");
    assert_eq!(reason("a <none> b a"), "letter 1: expected <none>, found a");
    let last = |answer: &str| fixed(1, "last").check("a b a b", answer).unwrap().reason;
    assert_eq!([last("a"), last("b")], ["", "letter 4: expected a, found b"]);
    assert_eq!(last("a a"), "expected 1 answer and no more, found `a`");
}

#[test]
fn sequences_are_laid_out_as_documented() {
    let task = hops();
    assert_eq!(task.spec().supervision, Supervision::AtToken);
    let vocabulary = "<bos> <pad> <none> a b c d <hops=0> <hops=1> <hops=2> <hops=3> <hops=4> <hops=5> <hops=6> <hops=7> \
                      <hops=8>";
    assert_eq!(task.spec().vocabulary.join(" "), vocabulary);
    assert_eq!(fixed(8, "last").spec().vocabulary, task.spec().vocabulary[..7]);
    for task in forms() {
        let instance = draw(&*task, 12, 1);
        let words = &task.spec().vocabulary;
        let is_printed = words.len() > 7;
        let letters: Vec<&str> = instance.question.split(' ').skip(usize::from(is_printed)).collect();
        let mut expected = vec!["<bos>".to_owned()];
        if is_printed {
            expected.push(format!("<hops={}>", instance.question.split(' ').next().unwrap()));
        }
        let length = instance.tokens.len();
        assert!([1 + usize::from(is_printed) + 12, 1 + usize::from(is_printed) + 128].contains(&length));
        expected.resize(length - 12, "<pad>".to_owned());
        assert_eq!(instance.text(words), format!("{} {}", expected.join(" "), letters.join(" ")));
        let answer: Vec<&str> = instance.answers().map(|token| words[token as usize].as_str()).collect();
        assert_eq!(answer.join(" "), instance.answer);
        assert!(instance.loss_mask[length - 1] && [1, 12].contains(&answer.len()));
        // Six letters name the problem; the last of them is graded. A single answer always is.
        let graded = if answer.len() == 1 { length - 1 } else { length - 7 };
        assert_eq!(instance.graded().next(), Some(graded));
    }
}

/// One seed gives the same string in every form.
#[test]
fn forms_share_strings() {
    let letters = |task: &dyn haltbench_sdk::task::Task| {
        let question = draw(task, 20, 3).question;
        question.trim_start_matches(|character: char| character.is_ascii_digit() || character == ' ').to_owned()
    };
    let strings: Vec<String> = forms().iter().map(|task| letters(&**task)).collect();
    assert!(strings.iter().all(|string| *string == strings[0]), "{strings:?}");
}

#[test]
fn targets_have_the_size_of_what_they_are_told_from() {
    let task = configured(&[("skip", text("20"))]).unwrap();
    for (size, letter, split) in
        [(32, 9, Split::InRange), (20, 20, Split::Embedded), (40, 32, Split::Embedded), (40, 33, Split::Beyond)]
    {
        let token = 1 + letter as usize;
        assert_eq!(task.token_size(size, &draw(&*task, size, 0), token), TokenSize { size: letter, split });
    }
    let padded = configured(&[("equal_length", Value::Flag(true))]).unwrap();
    let instance = draw(&*padded, 40, 0);
    assert_eq!(padded.token_size(40, &instance, 129), TokenSize { size: 40, split: Split::Beyond });
    assert_eq!(padded.token_size(40, &instance, 121), TokenSize { size: 32, split: Split::Embedded });
    assert_eq!(padded.token_size(40, &instance, 0).size, 0);
    let last = fixed(3, "last");
    assert_eq!(last.token_size(40, &draw(&*last, 40, 0), 40), TokenSize { size: 40, split: Split::Beyond });
}

#[test]
fn a_string_is_counted_from_its_first_letter() {
    let task = fixed(3, "every");
    let instance = draw(&*task, 30, 0);
    let [asked, place, size] = ["asked_hops", "place", "size"].map(|name| column(&*task, &instance, name));
    assert!(asked.iter().all(|asked| *asked == 3.0) && size.iter().all(|size| *size == 30.0));
    assert!(place[0].is_nan());
    assert_eq!(place[1..], (0..30).map(|place| place as f32).collect::<Vec<_>>());
}

#[test]
fn grids_follow_the_parameters() {
    let knob = hops().spec().size.clone().unwrap();
    assert_eq!((knob.minimum, knob.maximum, knob.training), (6, 128, (10..=32).collect::<Vec<_>>()));
    assert_eq!((knob.between, knob.beyond), (vec![], vec![40, 48, 64, 128]));
    // 26 * 25 = 650 and 3 * 2^8 = 768 starts.
    for (alphabet, smallest) in [(26, 2), (4, 6), (3, 9)] {
        let task = configured(&[("alphabet", Value::Integer(alphabet))]).unwrap();
        assert_eq!(task.spec().size.as_ref().unwrap().minimum, smallest);
    }
}

#[test]
fn parameters_that_do_not_fit_are_refused_by_name() {
    let refuse = |name, value| configured(&[(name, value)]).err().unwrap().to_string();
    assert_eq!(
        refuse("minimum_letters", Value::Integer(5)),
        "parameter `minimum_letters` of hops: expected at least 6, the smallest size with these parameters, found 5"
    );
    assert!(refuse("alphabet", Value::Integer(2)).contains("from 3 to 26"));
    assert!(refuse("maximum_hops", Value::Integer(0)).contains("from 1 to 1024"));
    assert!(refuse("hops", text("shown")).contains("one of printed, fixed"));
    assert!(refuse("answers", text("first")).contains("one of every, last"));
    assert!(refuse("skip", text("10")).contains("distinct sizes strictly between 10 and 32"));
}
