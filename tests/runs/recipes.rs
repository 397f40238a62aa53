//! Recipes: how models are trained, and how suites override it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use haltbench_sdk::candle_core::{Device, Tensor, safetensors};

use crate::program::{Workspace, assert_same, json, suite, until, work_of};

const SHORT: &[&str] = &["--set", "training.steps=6"];

/// The weights of a cell's model, by name.
fn weights(workspace: &Workspace, title: &str) -> BTreeMap<String, Tensor> {
    safetensors::load(workspace.model(title).join("weights.safetensors"), &Device::Cpu).unwrap().into_iter().collect()
}

fn is_same(left: &Tensor, right: &Tensor) -> bool {
    let bits = |tensor: &Tensor| -> Vec<u32> {
        tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
    };
    left.dims() == right.dims() && bits(left) == bits(right)
}

/// Names of the weights that differ.
fn moved(left: &BTreeMap<String, Tensor>, right: &BTreeMap<String, Tensor>) -> Vec<String> {
    assert_eq!(left.len(), right.len());
    left.iter().filter(|(name, tensor)| !is_same(tensor, &right[*name])).map(|(name, _)| name.clone()).collect()
}

#[test]
fn every_combination_that_is_one_trains_and_ends() {
    let mut recipes = vec![("random", "".to_owned()), ("random", "loss = \"last\", unroll = \"full\"".to_owned())];
    for weights in ["uniform", "linear", "geometric"] {
        recipes.push(("random", format!("loss = \"every-step\", unroll = \"full\", step_weights = \"{weights}\"")));
    }
    for (unroll, more) in [("uniform", ", backpropagate = 1"), ("poisson-lognormal", ", mean_depth = 2, sigma = 0.3")] {
        for per in ["batch", "sequence", "token"] {
            recipes.push(("random", format!("loss = \"last\", unroll = \"{unroll}\", per = \"{per}\"{more}")));
        }
    }
    for policy in ["anira-e", "anira-o"] {
        for loss in ["", "loss = \"every-step\", unroll = \"full\", ", "regulariser_warmup = 3, "] {
            for trains in ["all", "policy", "backbone"] {
                recipes.push((policy, format!("{loss}trains = \"{trains}\"")));
            }
        }
    }
    let table = |(number, (policy, recipe)): (usize, &(&str, String))| {
        format!("name = \"{policy}\"\nlabel = \"{number}\"\nrecipe = {{ {recipe} }}")
    };
    let mut tables: Vec<String> = recipes.iter().enumerate().map(table).collect();
    // The same by name, in stages, and starting from a sibling's weights.
    tables.push("name = \"random\"\nlabel = \"named\"\nrecipe = \"drawn\"".to_owned());
    tables.push(
        "name = \"anira-e\"\nlabel = \"staged\"\nstart = \"named\"\n\
         stages = [{ steps = 3, loss = \"last\", unroll = \"full\" }, { steps = 4, trains = \"policy\" }]"
            .to_owned(),
    );
    let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
    let text =
        suite(&tables) + "\n[recipe.drawn]\nloss = \"last\"\nunroll = \"poisson-lognormal\"\nper = \"sequence\"\n";
    let workspace = Workspace::new(&text);
    let count = recipes.len() + 2;
    let outcome = workspace.run(&[SHORT, &["--set", "evaluation.instances=8"]].concat()).well();
    outcome.says(&[&format!("{count} of {count} cells done, 0 failed; {count} models trained")]);
    let steps = |title: &str| json(&workspace.model(title).join("result.json"))["steps"].as_u64();
    assert_eq!((steps("0 0"), steps("staged 0")), (Some(6), Some(7)));
}

#[test]
fn what_is_not_trained_stays_as_it_is() {
    let base = "name = \"anira-e\"";
    let with =
        |label: &str, more: &str| format!("name = \"anira-e\"\nlabel = \"{label}\"\nstart = \"anira-e\"\n{more}");
    let tables = [
        base.to_owned(),
        with("decider", "recipe = { trains = \"policy\" }"),
        with("body", "recipe = { trains = \"backbone\" }"),
        with("nothing", "stages = [{ steps = 0 }]"),
        with("file", "stages = [{ steps = 0 }]").replace("start = \"anira-e\"", "start = \"start.safetensors\""),
    ];
    let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
    let workspace = Workspace::new(&suite(&tables[..4]));
    workspace.run(SHORT).well();
    fs::copy(
        workspace.model("anira-e 0").join("weights.safetensors"),
        workspace.suite().with_file_name("start.safetensors"),
    )
    .unwrap();
    fs::write(workspace.suite(), suite(&tables)).unwrap();
    workspace.run(SHORT).well().says(&["5 of 5 cells done, 0 failed; 1 model trained, 0 there already"]);
    let start = weights(&workspace, "anira-e 0");
    let is_of_policy = |name: &String| name.starts_with("decider.");
    let deciders = start.keys().filter(|name| is_of_policy(name)).count();
    assert!(deciders > 1 && deciders < start.len());
    let decider = moved(&weights(&workspace, "decider 0"), &start);
    assert!(!decider.is_empty() && decider.iter().all(is_of_policy), "{decider:?}");
    let body = moved(&weights(&workspace, "body 0"), &start);
    assert!(body.len() > 5 && !body.iter().any(is_of_policy), "{body:?}");
    for title in ["nothing 0", "file 0"] {
        assert_eq!(moved(&weights(&workspace, title), &start), [""; 0], "{title}");
        let accuracy = |title: &str| json(&workspace.cell(title).join("result.json"))["ledger"].clone();
        assert_eq!(accuracy(title), accuracy("anira-e 0"), "{title}");
    }
}

#[test]
fn a_gradient_through_at_least_d_steps_is_the_whole_gradient() {
    let recipe = |label: &str, steps: usize| {
        format!(
            "name = \"random\"\nlabel = \"{label}\"\nrecipe = {{ loss = \"last\", unroll = \"uniform\", per = \"token\", \
             backpropagate = {steps} }}"
        )
    };
    let tables = [("all", 0), ("one", 1), ("three", 3), ("nine", 9)].map(|(label, steps)| recipe(label, steps));
    let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
    let workspace = Workspace::new(&suite(&tables));
    workspace.run(SHORT).well();
    let all = weights(&workspace, "all 0");
    for title in ["three 0", "nine 0"] {
        assert_eq!(moved(&weights(&workspace, title), &all), [""; 0], "{title}");
        let metrics = |title: &str| fs::read(workspace.model(title).join("metrics.jsonl")).unwrap();
        assert_eq!(metrics(title), metrics("all 0"), "{title}");
    }
    assert!(!moved(&weights(&workspace, "one 0"), &all).is_empty());
}

#[test]
fn invariant_8_a_run_stopped_in_the_second_stage_goes_on_to_the_same_bytes() {
    let staged = "name = \"anira-e\"\nstages = [{ steps = 40, loss = \"last\", unroll = \"full\" }, \
                  { steps = 260, trains = \"policy\", regulariser_warmup = 100 }]";
    let whole = Workspace::new(&suite(&[staged]));
    whole.run(&[]).well();
    let expected = whole.files();
    let step = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok()?["step"].as_u64();
    let reached = |workspace: &Workspace| {
        let work = workspace.models().get("anira-e 0").into_iter().flat_map(|model| work_of(model)).next();
        let metrics = work.and_then(|work| fs::read_to_string(work.join("metrics.jsonl")).ok());
        metrics.and_then(|text| text.lines().filter_map(step).next_back()).unwrap_or(0)
    };
    for signal in ["INT", "KILL"] {
        let workspace = Workspace::new(&suite(&[staged]));
        let mut run = workspace.start(&[]);
        until("the second stage", || reached(&workspace) >= 60);
        run.signal_group(signal);
        until("the end of the run", || run.ended().is_some());
        assert!(!run.wait().success(), "{}", workspace.said());
        until("the end of its workers", || workspace.processes().is_empty());
        assert!(
            workspace.is_resumable("anira-e 0") && !workspace.model("anira-e 0").join("result.json").exists(),
            "{signal}"
        );
        workspace.run(&[]).well().says(&["; 1 model trained, 0 there already"]);
        let log = fs::read_to_string(workspace.model("anira-e 0").join("log.txt")).unwrap();
        assert!(!log.contains("started over"), "{log}");
        assert_same(&workspace.files(), &expected);
    }
}

/// Lines of a policy's table, or of another part of the suite, with the expected message.
const WRONG: &[(&str, &str)] = &[
    (
        "name = \"anira-e\"\nrecipe = { rule = \"mean\" }",
        "policy anira-e: recipe: `rule` is a knob, which acts in evaluation alone; write it beside the recipe",
    ),
    (
        "name = \"anira-e\"\nrecipe = { gamma = 0.1 }",
        "policy anira-e: recipe: `gamma` is a parameter of the policy; write it beside the recipe",
    ),
    ("name = \"anira-e\"\nrecipe = \"drawm\"", "unknown recipe of policy anira-e `drawm`; did you mean `drawn`?"),
    (
        "name = \"anira-e\"\nrecipe = { los = \"last\" }",
        "policy anira-e: recipe: unknown key `los`, expected one of loss, step_weights,",
    ),
    ("name = \"anira-e\"\nrecipe = { loss = \"lst\" }", "policy anira-e: recipe: unknown variant `lst`"),
    (
        "name = \"anira-e\"\nrecipe = { unroll = \"full\" }",
        "policy anira-e: recipe.loss: expected last, every-step or objective with unroll = \"full\", found halted",
    ),
    (
        "name = \"anira-e\"\nrecipe = { backpropagate = 2 }",
        "policy anira-e: recipe.backpropagate: expected 0 unless depths are drawn, found 2",
    ),
    (
        "name = \"random\"\nrecipe = { loss = \"last\", unroll = \"full\", trains = \"policy\" }",
        "policy random: recipe.trains: expected all or backbone where the policy takes no part in training, found policy",
    ),
    (
        "name = \"anira-o\"\nrecipe = { loss = \"last\", unroll = \"full\" }",
        "policy anira-o: recipe: expected one that trains its weights, with loss = \"halted\" and unroll = \"policy\", or \
         step_weights = \"policy\"; found loss at the last step, all D steps, which trains no decider.",
    ),
    (
        "name = \"anira-e\"\nlabel = \"other\"\nstart = \"anira-x\"",
        "policy anira-e: start: unknown policy of this suite, or .safetensors file, `anira-x`",
    ),
    ("name = \"anira-e\"\nstart = \"nowhere.safetensors\"", "nowhere.safetensors: cannot be read"),
    (
        "name = \"anira-e\"\nstart = \"anira-e\"",
        "policy anira-e: start: expected a policy that does not wait for anira-e, found anira-e, which does",
    ),
    (
        "name = \"anira-o\"\ngamma = 0.2\n[[policy]]\nname = \"anira-o\"",
        "policy anira-o: label: expected a label that no other policy has, found anira-o for the policies 2 and 3 of the \
         suite; give each a `label`",
    ),
    ("name = \"random\"\nrecipe = { loss = 3 }", "policy random: recipe.loss: expected a text, found 3"),
    ("name = \"random\"\n[recipe.idle]\nlosss = \"last\"", "recipe.idle: unknown key `losss`"),
    (
        "name = \"anira-o\"\nlabel = \"lent\"\nof = \"fixed\"",
        "policy anira-o: the recipe of the policy named by `of`: expected one that trains its weights",
    ),
    (
        "name = \"fixed\"\nlabel = \"deep\"\nmax_depth = 1000000",
        "policy fixed: max_depth: expected a whole number from 1 to 100000, found 1000000",
    ),
    (
        "name = \"fixed\"\nlabel = \"other\"\nhalted_keys_values = \"freeze\"",
        "halted_keys_values: expected one of freeze-state, latest-kv, skip, run-on, found freeze",
    ),
    ("name = \"anira-e\"\nstages = []", "policy anira-e: stages: expected at least one, found none"),
    (
        "name = \"anira-e\"\nstages = [{ steps = -1 }]",
        "policy anira-e: stages[0].steps: expected a whole number of at least 0, found -1",
    ),
    (
        "name = \"anira-e\"\nstages = [{ steps = 2 }, { loss = \"last\", unroll = \"full\" }]",
        "policy anira-e: stages: expected the policy to take part in the last one, found a recipe without it",
    ),
    (
        "name = \"token-role\"\nof = \"fixed\"\nrecipe = \"drawn\"",
        "policy token-role: recipe: expected none, because its model is that of the policy named by `of`",
    ),
    (
        "name = \"fixed\"\nlabel = \"deep\"\ndepth = 5\nof = \"fixed\"",
        "parameter `depth` of fixed: expected a whole number from 1 to max_depth = 3, found 5",
    ),
    (
        "name = \"fixed\"\nlabel = \"deep\"\ndepth = 5\nmax_depth = 5",
        "parameter `depth` of fixed: expected a whole number from 1 to recurrence.max_depth = 3, found 5",
    ),
    (
        "name = \"anira-e\"\nmax_depth = [2, 3]",
        "policy anira-e: max_depth: expected 3, for which it was trained, found 2: its weight decider.",
    ),
    (
        "name = \"fixed\"\nlabel = \"none\"\nmax_depth = []",
        "policy fixed: max_depth: expected at least one value, found []",
    ),
];

#[test]
fn a_wrong_recipe_is_named_before_anything_is_trained() {
    let drawn = "\n[recipe.drawn]\nloss = \"last\"\nunroll = \"uniform\"\n";
    for (table, message) in WRONG {
        let workspace = Workspace::new(&(suite(&["name = \"fixed\"\ndepth = 2", table]) + drawn));
        let outcome = workspace.run(&[]);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (2, ""), "{table}: {}", outcome.stderr);
        let said = &outcome.stderr;
        assert!(said.starts_with("error: ") && said.contains(message), "{table} lacks `{message}`: {said}");
        assert_eq!(said.lines().count(), 1, "{table}: {said}");
        assert!(!workspace.runs().exists(), "{table}: something was begun");
    }
    let workspace = Workspace::new(&suite(&["name = \"anira-e\""]));
    let outcome = workspace.run(&["--set", "evaluation.max_depth=[2, 3]"]);
    assert_eq!(outcome.status, 2, "{}", outcome.stderr);
    outcome.says(&["policy anira-e: max_depth: expected 3, for which it was trained, found 2"]);
    let outcome = workspace.run(&["--set", "task.recipe=drawn"]);
    assert_eq!(outcome.status, 2, "{}", outcome.stderr);
    outcome.says(&["task mano-stream: `recipe` is a key of policies"]);
}

/// More steps than in training are allowed for a policy whose weights do not depend on their number.
#[test]
fn a_fixed_depth_beyond_that_of_training_is_evaluated_on_the_model_that_it_names() {
    let deep = "name = \"fixed\"\nlabel = \"deep\"\ndepth = 5\nmax_depth = 5\nof = \"fixed\"";
    let workspace = Workspace::new(&suite(&["name = \"fixed\"\ndepth = 3", deep]));
    workspace.run(&[]).well().says(&["2 of 2 cells done, 0 failed; 1 model trained"]);
    let result = json(&workspace.cell("deep 0").join("result.json"));
    assert_eq!(result["max_depth"], 5);
    let ledger = |key: &str| result["ledger"][key].as_f64().unwrap();
    assert_eq!(ledger("token_steps_executed"), 5.0 * ledger("tokens"));
}

/// In the first of four warm-up steps a quarter of the regulariser counts, with the same weights and instances; after
/// the warm-up all of it counts.
#[test]
fn the_regulariser_rises_linearly_over_its_warm_up() {
    let warm = "name = \"anira-e\"\nlabel = \"warm\"\nrecipe = { regulariser_warmup = 4 }";
    let one = "name = \"anira-e\"\nlabel = \"one\"\nrecipe = { regulariser_warmup = 1 }";
    let workspace = Workspace::new(&suite(&["name = \"anira-e\"", warm, one]));
    workspace.run(SHORT).well();
    let first = |title: &str| -> serde_json::Value {
        let text = fs::read_to_string(workspace.model(title).join("metrics.jsonl")).unwrap();
        serde_json::from_str(text.lines().next().unwrap()).unwrap()
    };
    let number = |title: &str, key: &str| first(title)[key].as_f64().unwrap();
    let whole = number("anira-e 0", "regulariser");
    assert!(whole > 0.0);
    assert!((number("warm 0", "regulariser") - whole / 4.0).abs() < 1e-6 * whole);
    assert_eq!(number("one 0", "regulariser"), whole);
    assert_eq!(number("warm 0", "cross_entropy"), number("anira-e 0", "cross_entropy"));
}

/// A weight file that does not fit.
#[test]
fn a_start_that_does_not_fit_is_refused_and_names_the_weight() {
    let own = "name = \"fixed\"\ndepth = 2";
    let from = "name = \"fixed\"\nlabel = \"from\"\nstages = [{ steps = 1 }]\nstart = \"start.safetensors\"";
    let workspace = Workspace::new(&suite(&[own]));
    workspace.run(SHORT).well();
    let whole = weights(&workspace, "fixed 0");
    let file = workspace.suite().with_file_name("start.safetensors");
    fs::write(workspace.suite(), suite(&[own, from])).unwrap();
    let name = whole.keys().filter(|name| whole[*name].rank() == 2).min().unwrap().clone();
    let shape = format!("{:?}", whole[&name].dims());
    let mut cut = whole.clone();
    cut.insert(name.clone(), whole[&name].narrow(0, 0, 1).unwrap().contiguous().unwrap());
    let mut renamed = whole.clone();
    let tensor = renamed.remove(&name).unwrap();
    renamed.insert(format!("{name}x"), tensor);
    let found = format!("{:?}", cut[&name].dims());
    for (tensors, found) in [(cut, found), (renamed, format!("none; did you mean `{name}x`?"))] {
        safetensors::save(&tensors.into_iter().collect(), Path::new(&file)).unwrap();
        let outcome = workspace.run(SHORT);
        assert_eq!(outcome.status, 2, "{}", outcome.stderr);
        let said = format!("start.safetensors: weight {name}: expected the shape {shape}, found {found}");
        outcome.says(&["error: start: ", &said]);
        assert!(!outcome.stderr.contains("started"), "{}", outcome.stderr);
    }
    fs::write(&file, "no tensors").unwrap();
    let outcome = workspace.run(SHORT);
    assert_eq!(outcome.status, 4, "{}", outcome.stderr);
    outcome.says(&["start.safetensors: damaged: "]);
}
