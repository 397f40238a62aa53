//! What each format writes.

mod fake;

use std::collections::BTreeMap;

use fake::{Fake, finish, suite};
use haltbench_analysis::Bootstrap;
use haltbench_engine::store::{RunFolder, Status};
use haltbench_report::{Criterion, Format, Leaderboard, Options, leaderboard};

/// Two finished fixed depths, two finished policies, an oracle, and one that failed in a seed; its label needs quotes.
fn example() -> Leaderboard {
    let mut quoted = Fake::opposer();
    quoted.label = "opposer(a=1,\"b\")";
    let policies =
        [Fake::fixed_1(), Fake::fixed_3(), Fake::follower(), Fake { timed: None, ..Fake::opposer() }, Fake::oracle(), quoted];
    let suite = suite(&policies, &[0, 1]);
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::new(folder.path(), &suite.name);
    finish(&run, &suite, &policies);
    let (failed, _) = suite.cells.iter().find(|(_, plan)| plan.label.contains('"') && plan.seed == 1).unwrap();
    run.cell(failed).set_status(&Status::failed("killed by\nsignal 9, \"why\"")).unwrap();
    let options = Options { sort: Criterion::Accuracy, bootstrap: Bootstrap { resamples: 200, seed: 0 } };
    let first = leaderboard(&suite, &run, options).unwrap();
    assert_eq!(first, leaderboard(&suite, &run, options).unwrap(), "one run folder, one leaderboard");
    first
}

/// RFC 4180.
fn parse(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut letters = text.chars().peekable();
    let mut quoted = false;
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => field.extend(letters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            letter => field.push(letter),
        }
    }
    assert!(field.is_empty() && record.is_empty() && !quoted);
    records
}

#[test]
fn csv_is_read_back_as_it_was() {
    let leaderboard = example();
    let mut records = parse(&Format::Csv.write(&leaderboard)).into_iter();
    let header = records.next().unwrap();
    assert_eq!(
        header.join(" "),
        "board policy metric split complexity level value low high method count reason"
    );
    let rows: Vec<BTreeMap<String, String>> = records
        .map(|record| {
            assert_eq!(record.len(), header.len());
            header.iter().cloned().zip(record).collect()
        })
        .collect();
    let number = |text: &str| (!text.is_empty()).then(|| text.parse::<f64>().unwrap());
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let board = &leaderboard.boards[0];
    for row in &board.rows {
        let own: Vec<_> = rows.iter().filter(|record| record["policy"] == row.policy).collect();
        let (standing, measures) = own.split_at(3);
        assert_eq!(number(&standing[0]["low"]), row.place.rank_low.map(|rank| rank as f64));
        assert_eq!(text(&standing[0]["reason"]), row.place.reason);
        assert_eq!(number(&standing[2]["value"]), Some(row.seeds_done.len() as f64));
        assert_eq!(measures.len(), row.metrics.len());
        for (record, metric) in measures.iter().zip(&row.metrics) {
            assert_eq!(record["board"], "mano / anira");
            assert_eq!((&record["metric"], text(&record["split"])), (&metric.metric, metric.split.clone()));
            assert_eq!((number(&record["level"]), number(&record["value"])), (metric.level, metric.value));
            assert_eq!((number(&record["low"]), number(&record["high"])), (metric.low, metric.high));
            assert_eq!((text(&record["method"]), text(&record["reason"])), (metric.method.clone(), metric.reason.clone()));
            assert_eq!(record["count"], metric.count.to_string());
            // Null or a number, and a reason wherever it is null.
            assert!(metric.value.is_some() || metric.reason.is_some(), "{metric:?}");
        }
    }
    let labels: Vec<&str> = rows.iter().map(|record| record["policy"].as_str()).collect();
    assert!(labels.contains(&"opposer(a=1,\"b\")"));
}

#[test]
fn json_is_the_leaderboard_with_its_schema() {
    let leaderboard = example();
    let text = Format::Json.write(&leaderboard);
    assert!(text.starts_with("{\n  \"schema\": 1,\n  \"suite\": \"fake\"") && text.ends_with("}\n"));
    assert_eq!(serde_json::from_str::<Leaderboard>(&text).unwrap(), leaderboard);
    let schema = serde_json::to_value(haltbench_report::schema()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let required: Vec<&str> = schema["required"].as_array().unwrap().iter().filter_map(|name| name.as_str()).collect();
    assert!(required.contains(&"boards") && required.iter().all(|name| value.get(name).is_some()));
}

#[test]
fn markdown_has_tables_of_equal_rows() {
    let text = Format::Markdown.write(&example());
    assert!(text.starts_with("## fake: mano / anira\n\n- Task: mano (modulus=5)\n"), "{text}");
    assert!(text.contains("> **Warning:** 2 seeds: "));
    assert!(text.contains("| rank | tie | policy | seeds |"));
    assert!(text.contains("killed by signal 9, \"why\""));
    for table in text.split("\n\n").filter(|block| block.starts_with('|')) {
        let columns: Vec<usize> = table.lines().map(|line| line.matches(" | ").count()).collect();
        assert!(columns.iter().all(|count| *count == columns[0]), "{table}");
    }
}

#[test]
fn tables_fit_120_columns_whatever_the_labels() {
    let policies: Vec<Fake> = ["a-policy-whose-name-is-longer-than-anybody-needs(gamma=0.125,rule=median)", "b", "c"]
        .into_iter()
        .map(|label| Fake { label, ..Fake::opposer() })
        .chain([Fake::fixed_1(), Fake::fixed_3(), Fake::follower(), Fake::oracle()])
        .collect();
    let suite = suite(&policies, &[0, 1, 2]);
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::new(folder.path(), &suite.name);
    finish(&run, &suite, &policies);
    let options = Options { bootstrap: Bootstrap { resamples: 100, seed: 0 }, ..Options::default() };
    let text = Format::Table.write(&leaderboard(&suite, &run, options).unwrap());
    let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(longest <= 120, "{longest}\n{text}");
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn table() {
    let text = Format::Table.write(&example());
    assert_eq!(text, EXPECTED, "\n{text}");
}

const EXPECTED: &str = "";
