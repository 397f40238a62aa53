//! The numbers of a result follow from its tokens, and its evaluation contains nothing from training.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;

use haltbench_engine::data::{Part, evaluation_instances, instance, sizes, training_batch};
use haltbench_engine::plan::CellPlan;
use haltbench_engine::plugins;
use haltbench_sdk::task::Instance;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::Value;

use crate::program::{POLICIES, Workspace, json, suite};

/// One row of tokens.parquet or generated.parquet, by column.
type Row = BTreeMap<String, Field>;

fn rows(file: &Path) -> Vec<Row> {
    let reader = SerializedFileReader::new(File::open(file).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| row.unwrap().into_columns().into_iter().collect()).collect()
}

fn number(row: &Row, column: &str) -> f64 {
    match &row[column] {
        Field::Long(value) => *value as f64,
        Field::Int(value) => f64::from(*value),
        Field::Float(value) => f64::from(*value),
        Field::Double(value) => *value,
        other => panic!("{column}: {other}"),
    }
}

fn holds(row: &Row, column: &str) -> bool {
    matches!(row[column], Field::Bool(true))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The value of a measure of a result, by name, split and level.
fn measure(result: &Value, name: &str, split: &str, level: Option<f64>) -> (f64, usize) {
    let metrics = result["metrics"].as_array().unwrap();
    let wanted = |row: &&Value| {
        row["metric"] == name && row["split"] == split && row["population"] == "all" && row["level"].as_f64() == level
    };
    let found: Vec<&Value> = metrics.iter().filter(wanted).collect();
    assert_eq!(found.len(), 1, "{name} {split} {level:?}: {found:?}");
    (found[0]["value"].as_f64().unwrap(), found[0]["count"].as_u64().unwrap() as usize)
}

/// Splits, hardest last.
const SPLITS: [&str; 4] = ["in_range", "embedded", "between", "beyond"];

#[test]
fn the_numbers_of_a_result_are_those_of_its_tokens() {
    let workspace = Workspace::new(&suite(POLICIES));
    workspace.run(&[]).well();
    for (title, cell) in workspace.cells() {
        let (rows, result) = (rows(&cell.join("tokens.parquet")), json(&cell.join("result.json")));
        let same = |name: &str, split: &str, level: Option<f64>, values: &[f64]| {
            let (found, count) = measure(&result, name, split, level);
            assert_eq!(count, values.len(), "{title}: {name} {split} {level:?}");
            let expected = mean(values);
            assert!(
                (found - expected).abs() < 1e-12,
                "{title}: {name} {split} {level:?}: {found}, expected {expected}"
            );
        };
        // A token has the split of its own size, a sequence the hardest split of its tokens.
        let split_of = |row: &Row| SPLITS.iter().position(|split| row["split"] == Field::Str((*split).to_owned()));
        let mut hardest: BTreeMap<u64, usize> = BTreeMap::new();
        for row in &rows {
            let own = hardest.entry(number(row, "instance") as u64).or_default();
            *own = split_of(row).unwrap().max(*own);
        }
        let mut splits = BTreeSet::new();
        for (place, split) in SPLITS.into_iter().enumerate().filter(|(_, split)| *split != "between") {
            let answers: Vec<&Row> =
                rows.iter().filter(|row| split_of(row) == Some(place) && holds(row, "is_answer")).collect();
            let all: Vec<&Row> =
                rows.iter().filter(|row| hardest[&(number(row, "instance") as u64)] == place).collect();
            splits.insert(answers.len());
            let column =
                |rows: &[&Row], value: &dyn Fn(&Row) -> f64| rows.iter().map(|row| value(row)).collect::<Vec<_>>();
            let right = |row: &Row| f64::from(u8::from(row["predicted"] == row["target"]));
            let depth = |row: &Row| number(row, "depth");
            same("token_accuracy", split, None, &column(&answers, &right));
            same("answer_depth", split, None, &column(&answers, &depth));
            if split != "embedded" {
                same("depth", split, None, &column(&all, &depth));
                same("flops", split, None, &column(&all, &|row| number(row, "flops")));
            }
            same("saturation", split, None, &column(&answers, &|row| f64::from(u8::from(depth(row) == 3.0))));
            let mut exact: BTreeMap<u64, f64> = BTreeMap::new();
            let mut levels: BTreeMap<u64, Vec<&Row>> = BTreeMap::new();
            for row in all.iter().filter(|row| holds(row, "is_answer")) {
                let exact = exact.entry(number(row, "instance") as u64).or_insert(1.0);
                *exact = exact.min(right(row));
            }
            for row in &answers {
                assert_eq!(holds(row, "correct"), right(row) == 1.0, "{title}: {row:?}");
                levels.entry(number(row, "complexity_height") as u64).or_default().push(row);
            }
            if split != "embedded" {
                same("exact_match", split, None, &exact.into_values().collect::<Vec<_>>());
            }
            assert!(levels.len() >= 2, "{title}: {split}");
            for (level, rows) in levels {
                same("token_accuracy_by_level", split, Some(level as f64), &column(&rows, &right));
                same("answer_depth_by_level", split, Some(level as f64), &column(&rows, &depth));
            }
        }
        assert!(splits.iter().all(|rows| *rows > 30), "{title}: {splits:?}");
        assert!(rows.iter().all(|row| (1.0..=3.0).contains(&number(row, "depth"))), "{title}");
        let executed: f64 = rows.iter().map(|row| number(row, "depth")).sum();
        assert_eq!(result["ledger"]["token_steps_executed"].as_f64(), Some(executed), "{title}");
        assert_eq!(result["ledger"]["tokens"].as_u64(), Some(rows.len() as u64), "{title}");
        let paid = |column: &str| rows.iter().map(|row| number(row, column)).sum::<f64>();
        let ledger = |key: &str| result["ledger"][key].as_f64().unwrap();
        assert_eq!(paid("flops"), ledger("flops") + ledger("decision_flops"), "{title}");
        assert_eq!(paid("dense_flops"), ledger("dense_flops"), "{title}");
    }
}

#[test]
fn training_and_evaluation_share_no_instance() {
    let workspace = Workspace::new(&suite(&POLICIES[..1]));
    workspace.run(&[]).well();
    let cell = workspace.cell("fixed 0");
    let plan: CellPlan = toml::from_str(&fs::read_to_string(cell.join("plan.toml")).unwrap()).unwrap();
    let (catalogue, _) = plugins::catalogue(&[]).unwrap();
    let name = &plan.model.task.name;
    let task = (catalogue.task(name).unwrap().build)(&plan.model.task.parameters).unwrap();

    let mut trained = BTreeSet::new();
    let mut batch = vec![Instance::default(); plan.model.training.batch];
    for step in 0..plan.model.training.steps {
        training_batch(task.as_ref(), name, plan.model.seed, step, &mut batch).unwrap();
        trained.extend(batch.iter().map(|instance| instance.canonical().to_owned()));
    }
    let evaluated = evaluation_instances(task.as_ref(), name, &plan.evaluation, &|| None).unwrap();
    let shared: Vec<&str> = evaluated.iter().map(|entry| entry.instance.canonical()).collect();
    let shared: Vec<&str> = shared.into_iter().filter(|canonical| trained.contains(*canonical)).collect();
    assert!(trained.len() > 100 && evaluated.len() > 50, "{} and {}", trained.len(), evaluated.len());
    assert!(shared.is_empty(), "trained on what is evaluated: {shared:?}");

    // There are so few expressions that a split without held-out problems would share some.
    let (_, size) = sizes(task.as_ref(), &plan.evaluation)[0];
    let drawn = (0..60).map(|index| instance(task.as_ref(), name, (1, size, index), Part::Any).unwrap());
    assert!(drawn.filter(|drawn| trained.contains(drawn.canonical())).count() > 0, "the comparison has no power");

    // The file holds the evaluation that was compared.
    let rows = rows(&cell.join("tokens.parquet"));
    let distinct: BTreeSet<u64> = rows.iter().map(|row| number(row, "instance") as u64).collect();
    assert_eq!(distinct, evaluated.iter().map(|entry| entry.id).collect());
    let named: BTreeMap<u64, _> = evaluated.iter().map(|entry| (entry.id, entry)).collect();
    for row in &rows {
        let instance = named[&(number(row, "instance") as u64)];
        assert_eq!(instance.size, number(row, "size") as u32);
        assert_eq!(instance.instance.targets()[number(row, "position") as usize], number(row, "target") as u32);
    }
}

/// Ranks from 1 on; equal values share their mean.
fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let below = values.iter().filter(|other| *other < value).count() as f64;
        let equal = values.iter().filter(|other| *other == value).count() as f64;
        below + (equal + 1.0) / 2.0
    };
    values.iter().map(rank).collect()
}

fn spearman(left: &[f64], right: &[f64]) -> f64 {
    let centred = |values: &[f64]| {
        let ranks = ranks(values);
        let middle = mean(&ranks);
        ranks.into_iter().map(|rank| rank - middle).collect::<Vec<f64>>()
    };
    let (left, right) = (centred(left), centred(right));
    let dot = |left: &[f64], right: &[f64]| left.iter().zip(right).map(|(left, right)| left * right).sum::<f64>();
    dot(&left, &right) / (dot(&left, &left) * dot(&right, &right)).sqrt()
}

/// Correlations along generated strings, with the depths that they use.
const GENERATED: [(&str, &str); 4] = [
    ("generated_spearman", "depth"),
    ("generated_spearman_at_token", "depth_at_token"),
    ("generated_spearman_expected", "expected_depth"),
    ("generated_spearman_expected_at_token", "expected_depth_at_token"),
];

/// In a task that is a language, the model's strings are recorded with their depths and complexities.
#[test]
fn depths_along_strings_of_the_model_are_measured() {
    let mut suite = suite(&POLICIES[1..3]);
    let (start, end) = (suite.find("[task]").unwrap(), suite.find("[backbone]").unwrap());
    suite.replace_range(start..end, "[task]\nname = \"lano\"\ngrammar = \"toy\"\n\n");
    let workspace = Workspace::new(&suite.replace("batch = 16\n\n[[", "batch = 16\ngenerated_strings = 40\n\n[["));
    workspace.run(&[]).well();
    let mut most = 0;
    for (title, cell) in workspace.cells() {
        let (rows, result) = (rows(&cell.join("generated.parquet")), json(&cell.join("result.json")));
        assert!(result["files"]["generated.parquet"].is_string());
        let instances: BTreeSet<u64> = rows.iter().map(|row| number(row, "instance") as u64).collect();
        assert_eq!(instances.len(), 40, "{title}");
        let mut measured = 0;
        for metric in result["metrics"].as_array().unwrap() {
            let name = metric["metric"].as_str().unwrap();
            let Some((_, depth)) = GENERATED.iter().find(|(known, _)| *known == name) else { continue };
            let column = format!("complexity_{}", metric["complexity"].as_str().unwrap());
            let is_there =
                |row: &&Row| holds(row, "is_answer") && row[&column] != Field::Null && row[*depth] != Field::Null;
            let (complexities, depths): (Vec<f64>, Vec<f64>) =
                rows.iter().filter(is_there).map(|row| (number(row, &column), number(row, depth))).unzip();
            if let Some(found) = metric["value"].as_f64() {
                let expected = spearman(&complexities, &depths);
                assert!((found - expected).abs() < 1e-9, "{title} {column}: {found}, expected {expected}");
                measured += 1;
            } else {
                assert!(metric["reason"].is_string(), "{title} {column}");
            }
        }
        most = most.max(measured);
    }
    assert!(most >= 12, "depths are equal everywhere");
}
