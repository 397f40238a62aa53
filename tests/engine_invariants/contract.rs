//! A policy that breaks its contract gives an error that names it: no panic and no result.

use std::collections::BTreeMap;

use haltbench_engine::recurrence::{Execution, Noise, evaluate};
use haltbench_engine::{Error as EngineError, training};
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::setup::{LENGTHS, Setup, Subject, device};

const FAULT: [ParameterSpec; 1] = [ParameterSpec::text("fault", "", "what it does wrong")];

static EARLY: PolicyDeclaration = PolicyDeclaration {
    parameters: &FAULT,
    ..PolicyDeclaration::new("faulty-early", PolicyKind::Early, |context| Ok(Policy::early(Faulty::new(context)?)))
};
static ONLINE: PolicyDeclaration = PolicyDeclaration {
    parameters: &FAULT,
    ..PolicyDeclaration::new("faulty-online", PolicyKind::Online, |context| Ok(Policy::online(Faulty::new(context)?)))
};
static SOFT: PolicyDeclaration = PolicyDeclaration {
    parameters: &FAULT,
    ..PolicyDeclaration::new("faulty-soft", PolicyKind::Soft, |context| Ok(Policy::soft(Faulty::new(context)?)))
};
static SELECT: PolicyDeclaration = PolicyDeclaration {
    parameters: &FAULT,
    ..PolicyDeclaration::new("faulty-select", PolicyKind::Select, |context| Ok(Policy::select(Faulty::new(context)?)))
};
static UNDECIDED: PolicyDeclaration =
    PolicyDeclaration { name: "undecided", recipe: Recipe::EVERY_STEP, ..ONLINE_LIKE };
static IMPOSTOR: PolicyDeclaration = PolicyDeclaration { name: "impostor", kind: PolicyKind::Early, ..ONLINE_LIKE };
const ONLINE_LIKE: PolicyDeclaration = PolicyDeclaration {
    parameters: &FAULT,
    ..PolicyDeclaration::new("", PolicyKind::Online, |context| Ok(Policy::online(Faulty::new(context)?)))
};

/// Well-behaved except for its fault, which it shows at every step but the first.
struct Faulty(String);

impl Faulty {
    fn new(context: &PolicyContext) -> Result<Self> {
        Ok(Self(context.parameters.text("fault")?.to_owned()))
    }

    fn is(&self, fault: &str) -> bool {
        self.0 == fault
    }

    /// `value` for every row, or the wrong shape or a NaN if this is the fault.
    fn column(&self, view: &View, value: f64) -> Result<Tensor> {
        let rows = view.rows().len();
        let (value, shape) = match self.0.as_str() {
            "too wide" => (value, vec![rows, 1]),
            "too short" => (value, vec![rows - 1]),
            "nan" => (f64::NAN, vec![rows]),
            "infinite" => (f64::INFINITY, vec![rows]),
            "minus infinite" => (f64::NEG_INFINITY, vec![rows]),
            _ => (value, vec![rows]),
        };
        Ok(Tensor::full(value, shape, view.states().device())?.to_dtype(view.states().dtype())?)
    }

    fn flags(&self, view: &View, value: bool) -> Vec<bool> {
        let rows = view.rows().len();
        vec![value; if self.is("few flags") { rows - 1 } else { rows + usize::from(self.is("many flags")) }]
    }

    fn peek(&self, view: &View) -> Result<()> {
        if self.is("peeks") {
            view.privileged()?;
        }
        Ok(())
    }

    fn costs(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        let rows = record.depths.len();
        let shape = if self.is("wide cost") { vec![rows, 1] } else { vec![rows + usize::from(self.is("long cost"))] };
        Ok(Some(Tensor::zeros(shape, DType::F64, &device())?))
    }
}

impl EarlyPolicy for Faulty {
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        self.peek(view)?;
        let (rows, most) = (view.rows().len(), view.max_depth());
        let logits = |rows: usize, columns: usize, value: f64| {
            let logits = Tensor::full(value, (rows, columns), view.states().device())?;
            Ok(EarlyDecision::Logits(logits.to_dtype(view.states().dtype())?))
        };
        match self.0.as_str() {
            "too wide" => logits(rows, most + 1, 0.0),
            "too short" => logits(rows - 1, most, 0.0),
            "nan" => logits(rows, most, f64::NAN),
            "infinite" => logits(rows, most, f64::INFINITY),
            "minus infinite" => logits(rows, most, f64::NEG_INFINITY),
            "depth 0" => Ok(EarlyDecision::Depths((0..rows as u32).map(|row| row % 2).collect())),
            "depth D + 1" => Ok(EarlyDecision::Depths(vec![most as u32 + 1; rows])),
            "few flags" => Ok(EarlyDecision::Depths(vec![1; rows - 1])),
            "many flags" => Ok(EarlyDecision::Depths(vec![1; rows + 1])),
            _ => logits(rows, most, 0.0),
        }
    }

    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        self.costs(record)
    }

    fn decision_flops(&self, _: usize) -> f64 {
        1.0
    }
}

impl OnlinePolicy for Faulty {
    fn observe(&self, view: &View, _: &mut RowMemory) -> Result<OnlineDecision> {
        self.peek(view)?;
        if ["few flags", "many flags", "no distribution"].contains(&self.0.as_str()) {
            return Ok(OnlineDecision::Halt(self.flags(view, false)));
        }
        if ["few scores", "many flags beside scores", "scores that are NaN"].contains(&self.0.as_str()) {
            let rows = view.rows().len();
            let scores = vec![f64::NAN; rows - usize::from(self.is("few scores"))];
            let halts = vec![false; rows + usize::from(self.is("many flags beside scores"))];
            return Ok(OnlineDecision::Scored { scores, halts });
        }
        Ok(OnlineDecision::HazardLogits(self.column(view, -1.0)?))
    }

    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        self.costs(record)
    }

    fn decision_flops(&self, _: usize) -> f64 {
        1.0
    }
}

impl SoftPolicy for Faulty {
    /// All weight on the second step.
    fn weigh(&self, view: &View, _: &mut RowMemory) -> Result<SoftDecision> {
        self.peek(view)?;
        let due = match (self.0.as_str(), view.step()) {
            ("stops at once", 0) | ("stops at once", _) => 1.0,
            ("little weight", 2) => 0.9,
            ("much weight", 2) => 1.1,
            ("negative weight", 1) => -0.5,
            ("negative weight", 2) => 1.5,
            (_, 2) => 1.0,
            _ => 0.0,
        };
        let (rows, width) = view.states().dims2()?;
        let carry = |rows: usize, width: usize| {
            Tensor::zeros((rows, width), view.states().dtype(), view.states().device()).map(Some)
        };
        let carry = match self.0.as_str() {
            "wide carry" => carry(rows, width + 1)?,
            "short carry" => carry(rows - 1, width)?,
            _ => None,
        };
        let running = self.flags(view, view.step() < 2 && !self.is("stops at once"));
        Ok(SoftDecision { carry, ..SoftDecision::new(self.column(view, due)?, running) })
    }

    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        self.costs(record)
    }

    fn decision_flops(&self, _: usize) -> f64 {
        1.0
    }
}

impl SelectPolicy for Faulty {
    fn select(&self, view: &View, _: &mut RowMemory) -> Result<Selection> {
        self.peek(view)?;
        let gate = Some(self.column(view, 0.5)?);
        Ok(Selection { gate, ..Selection::new(self.flags(view, true)) })
    }

    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        self.costs(record)
    }

    fn decision_flops(&self, _: usize) -> f64 {
        1.0
    }
}

/// Where a fault shows up.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shows {
    Everywhere,
    InTraining,
}

#[track_caller]
fn named<T>(result: haltbench_engine::Result<T>, subject: &Subject, expected: &str, what: &str) {
    let error = result.err().unwrap_or_else(|| panic!("{what}: no error"));
    let text = error.to_string();
    match &error {
        EngineError::Contract(Error::Contract { plugin, message }) => {
            assert_eq!(plugin, subject.declaration.name, "{what}: {text}");
            assert!(message.contains(expected), "{what}: {text}");
        }
        _ => panic!("{what}: {text}"),
    }
}

fn check((declaration, fault, expected, shows): (&'static PolicyDeclaration, &str, &str, Shows)) {
    let subject = Subject::new(declaration, &[("fault", Value::Text(fault.to_owned()))]);
    for (option, halted) in HaltedKeysValues::ALL {
        let setup = Setup { halted, ..Setup::PLAIN };
        let model = subject.model(&setup);
        let (batch, privileged) = setup.pack_for(&model, &setup.sequences(&LENGTHS));
        let what = format!("{} {fault} under {option}", declaration.name);
        for execution in [Execution::Compacted, Execution::Dense] {
            let result = evaluate(&model, &batch, execution, Some(&privileged));
            match shows {
                Shows::Everywhere => named(result, &subject, expected, &what),
                Shows::InTraining => assert!(result.is_ok(), "{what}"),
            }
        }
        // Training under run-on has another reason for an error if a token halts.
        if halted != HaltedKeysValues::RunOn {
            named(training::loss(&model, &batch, &Noise::Seeded(1), Some(&privileged)), &subject, expected, &what);
        }
    }
}

#[test]
fn invariant_9_a_broken_contract_is_an_error_that_names_the_policy() {
    use Shows::{Everywhere, InTraining};
    let early = [
        ("too wide", "logits have the shape [20, 6], expected [20, 5]"),
        ("too short", "logits have the shape [19, 5], expected [20, 5]"),
        ("nan", "logits"),
        ("infinite", "logits"),
        ("minus infinite", "logits"),
        ("depth 0", "depth 0 is outside 1..=5"),
        ("depth D + 1", "depth 6 is outside 1..=5"),
        ("few flags", "19 depths for 20 rows"),
        ("many flags", "21 depths for 20 rows"),
    ];
    let online = [
        ("too wide", "hazards have the shape [20, 1], expected [20]"),
        ("too short", "hazards have the shape [19], expected [20]"),
        ("nan", "hazards"),
        ("infinite", "hazards"),
        ("minus infinite", "hazards"),
        ("few flags", "19 flags for 20 rows"),
        ("many flags", "21 flags for 20 rows"),
        ("few scores", "19 scores for 20 rows"),
        ("many flags beside scores", "21 flags for 20 rows"),
    ];
    let soft = [
        ("too wide", "weights have the shape [20, 1], expected [20]"),
        ("too short", "weights have the shape [19], expected [20]"),
        ("nan", "weights"),
        ("infinite", "weights"),
        ("few flags", "19 flags for 20 rows"),
        ("many flags", "21 flags for 20 rows"),
        ("little weight", "the weights of row 0 sum to 0.9, not to 1"),
        ("much weight", "the weights of row 0 sum to 1.1, not to 1"),
        ("negative weight", "negative"),
        ("stops at once", "row 0 stops before its first step"),
        ("wide carry", "carried states have the shape [20, 17], expected [20, 16]"),
        ("short carry", "carried states have the shape [19, 16], expected [20, 16]"),
    ];
    let select = [
        ("too wide", "gates have the shape [20, 1], expected [20]"),
        ("too short", "gates have the shape [19], expected [20]"),
        ("nan", "gates"),
        ("infinite", "gates"),
        ("few flags", "19 choices for 20 rows"),
        ("many flags", "21 choices for 20 rows"),
    ];
    let of = |declaration: &'static PolicyDeclaration, faults: &[(&'static str, &'static str)]| {
        let cases = faults.iter().map(|(fault, expected)| (declaration, *fault, *expected, Everywhere));
        cases
            .chain([
                (declaration, "peeks", "reads complexities without declaring uses_labels", Everywhere),
                (declaration, "wide cost", "objective's tokens have the shape [20, 1]", InTraining),
                (declaration, "long cost", "objective's tokens have the shape [21]", InTraining),
            ])
            .collect::<Vec<_>>()
    };
    let cases = [of(&EARLY, &early), of(&ONLINE, &online), of(&SOFT, &soft), of(&SELECT, &select)];
    cases.concat().into_iter().for_each(check);
    let undecided = "is trained at every step but gives no distribution over depths";
    check((&UNDECIDED, "no distribution", undecided, InTraining));
}

/// The same policies without a fault give results, so the fault causes the error.
#[test]
fn without_a_fault_nothing_is_refused() {
    for declaration in [&EARLY, &ONLINE, &SOFT, &SELECT] {
        let subject = Subject::new(declaration, &[]);
        let setup = Setup::PLAIN;
        let (batch, _) = setup.pack(&setup.sequences(&LENGTHS));
        let model = subject.model(&setup);
        evaluate(&model, &batch, Execution::Compacted, None).unwrap();
        training::loss(&model, &batch, &Noise::Seeded(1), None).unwrap();
    }
    let subject = Subject::new(&ONLINE, &[("fault", Value::Text("scores that are NaN".to_owned()))]);
    let (batch, _) = Setup::PLAIN.pack(&Setup::PLAIN.sequences(&LENGTHS));
    let found = evaluate(&subject.model(&Setup::PLAIN), &batch, Execution::Compacted, None).unwrap();
    assert!(found.depths.iter().all(|depth| *depth == 5), "a score that is no number halts nothing by itself");
}

#[test]
fn invariant_9_a_policy_of_another_kind_than_declared_is_refused() {
    let subject = Subject { declaration: &IMPOSTOR, given: BTreeMap::new(), varies: false };
    named(subject.fresh(&Setup::PLAIN), &subject, "declares early and builds online", "impostor");
}
