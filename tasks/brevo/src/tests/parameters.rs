//! Parameters, grids and refusals.

use haltbench_sdk::parameters::Value;
use haltbench_sdk::random::Stream;

use super::{canonical, configured, draw, released, spelled, text};

#[test]
fn grids_follow_the_parameters() {
    let knob = canonical().spec().size.clone().unwrap();
    assert_eq!((knob.minimum, knob.maximum, knob.training), (3, 60, (3..=30).collect::<Vec<_>>()));
    assert_eq!((knob.between, knob.beyond), (vec![], vec![38, 45, 60]));
    let given = [("maximum_nodes", Value::Integer(8)), ("skip", text("7, 4")), ("largest_nodes", Value::Integer(12))];
    let knob = configured(&given).unwrap().spec().size.clone().unwrap();
    assert_eq!((knob.training, knob.between, knob.beyond), (vec![3, 5, 6, 8], vec![4, 7], vec![10, 12]));
    let knob = released(30).spec().size.clone().unwrap();
    assert_eq!((knob.maximum, knob.beyond, released(30).spec().vocabulary.len()), (30, vec![], 34));
    assert_eq!(spelled("any").spec().size.clone().unwrap().maximum, 100);
}

#[test]
fn spare_names_are_used_at_every_size() {
    let mut used = std::collections::BTreeSet::new();
    for seed in 0..400 {
        used.extend(draw(&*canonical(), 5, seed).tokens);
    }
    assert_eq!(used.len(), 64);
}

#[test]
fn sizes_outside_the_knob_are_refused_with_the_range() {
    let refuse = |size| canonical().sample(size, &mut Stream::new(0, "test", &[])).unwrap_err().to_string();
    assert_eq!(refuse(2), "size of brevo: expected N from 3 to 60, found 2");
    assert_eq!(refuse(61), "size of brevo: expected N from 3 to 60, found 61");
}

#[test]
fn parameters_that_do_not_fit_are_refused_by_name() {
    let refuse = |given: &[(&str, Value)]| configured(given).err().unwrap().to_string();
    let number = |name, value| (name, Value::Integer(value));
    assert_eq!(
        refuse(&[number("vocabulary", 59)]),
        "parameter `vocabulary` of brevo: expected enough for 60 to 100000 names of 1 to 1 tokens, found 59, which makes 59"
    );
    assert_eq!(
        refuse(&[number("vocabulary", 3), number("longest_name", 3), number("shortest_name", 2)]),
        "parameter `vocabulary` of brevo: expected enough for 60 to 100000 names of 2 to 3 tokens, found 3, which makes 36"
    );
    let message = refuse(&[number("vocabulary", 400), number("longest_name", 2)]);
    assert!(message.ends_with("60 to 100000 names of 1 to 2 tokens, found 400, which makes 160400"), "{message}");
    assert!(refuse(&[number("minimum_nodes", 31)]).contains("at least minimum_nodes, which is 31, found 30"));
    assert!(refuse(&[number("largest_nodes", 29)]).contains("at least maximum_nodes, which is 30, found 29"));
    assert!(refuse(&[number("shortest_name", 2)]).contains("at least shortest_name, which is 2, found 1"));
    assert!(refuse(&[number("minimum_nodes", 2)]).contains("from 3 to 1024"));
    for word in ["3", "30", "4,,5", "x", "4,4", "31"] {
        let message = refuse(&[("skip", text(word))]);
        assert!(message.contains("distinct sizes strictly between 3 and 30"), "{message}");
    }
    let message = refuse(&[("order", text("cannonical"))]);
    assert!(message.ends_with("one of canonical, any, found cannonical; did you mean `canonical`?"), "{message}");
    assert_eq!(
        refuse(&[("pair", text("first"))]),
        "parameter `pair` of brevo: expected `none` with order = canonical, where every question has one answer, \
         found `first`"
    );
}

#[test]
fn the_largest_sizes_of_all_can_be_drawn() {
    let task = configured(&[("maximum_nodes", Value::Integer(1024))]).unwrap();
    let instance = draw(&*task, 1024, 0);
    assert!(task.check(&instance.question, &instance.answer).unwrap().valid);
    // All names of one to eight tokens over two letters, where only few are short.
    let names = [("longest_name", Value::Integer(8)), ("vocabulary", Value::Integer(2))];
    let sizes = [("maximum_nodes", Value::Integer(255))];
    let instance = draw(&*configured(&[&names[..], &sizes].concat()).unwrap(), 255, 0);
    assert!(instance.tokens.len() > 255);
}
