//! The output of each format.

#![allow(clippy::unwrap_used)]

mod fake;

use std::collections::BTreeMap;

use fake::{Fake, fail, finish, suite};
use haltbench_engine::store::RunFolder;
use haltbench_report::{Criterion, Format, Leaderboard, Options, leaderboard};
use haltbench_sdk::policy::Role;

/// Two finished fixed depths, two finished policies, an oracle, and a policy that failed with one seed; its label needs
/// quotes.
fn example() -> Leaderboard {
    ranked_by(Criterion::Accuracy)
}

fn ranked_by(sort: Criterion) -> Leaderboard {
    let mut quoted = Fake::opposer();
    quoted.label = "opposer(a=1,\"b\")";
    let policies = [
        Fake::fixed_1(),
        Fake::fixed_3(),
        Fake::follower(),
        Fake { timed: &[], ..Fake::opposer() },
        Fake::oracle(),
        quoted,
    ];
    let suite = suite(&policies, &[0, 1]);
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::new(folder.path(), &suite.name);
    finish(&run, &suite, &policies);
    let failed = &suite.cells.iter().find(|cell| cell.label.contains('"') && cell.plan.model.seed == 1).unwrap().id;
    fail(&run, failed, "killed by\nsignal 9, \"why\"");
    let options = Options { sort, ..Options::default() };
    let first = leaderboard(&suite, &run, options).unwrap();
    assert_eq!(first, leaderboard(&suite, &run, options).unwrap(), "one run folder, one leaderboard");
    first
}

/// Parses CSV according to RFC 4180.
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
    assert_eq!(header.join(" "), "board policy metric split complexity level value low high method count reason text");
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
        assert_eq!(text(&standing[1]["text"]), row.place.letters);
        assert_eq!(number(&standing[2]["value"]), Some(row.seeds_done.len() as f64));
        let (measures, pairs) = measures.split_at(row.metrics.len());
        let own = || board.differences.iter().filter(|pair| pair.first == row.policy);
        assert_eq!(pairs.len(), own().count());
        for (record, pair) in pairs.iter().zip(own()) {
            assert_eq!((&record["metric"], &record["text"]), (&"difference".to_owned(), &pair.second));
            assert_eq!((number(&record["value"]), number(&record["low"])), (pair.difference, pair.low));
        }
        for (record, metric) in measures.iter().zip(&row.metrics) {
            assert_eq!(record["board"], "mano / anira");
            assert_eq!((&record["metric"], text(&record["split"])), (&metric.metric, metric.split.clone()));
            assert_eq!((number(&record["level"]), number(&record["value"])), (metric.level, metric.value));
            assert_eq!((number(&record["low"]), number(&record["high"])), (metric.low, metric.high));
            assert_eq!(
                (text(&record["method"]), text(&record["reason"])),
                (metric.method.clone(), metric.reason.clone())
            );
            assert_eq!(record["count"], metric.count.to_string());
            // A number or null, with a reason if it is null.
            assert!(metric.value.is_some() || metric.reason.is_some(), "{metric:?}");
        }
    }
    let guesses: Vec<_> = rows.iter().filter(|record| record["policy"] == "guess:most-frequent").collect();
    assert_eq!(guesses.len(), 3);
    assert_eq!((guesses[2]["split"].as_str(), guesses[2]["value"].as_str()), ("beyond", "0.5"));
    let labels: Vec<&str> = rows.iter().map(|record| record["policy"].as_str()).collect();
    assert!(labels.contains(&"opposer(a=1,\"b\")"));
}

/// Removes the last digits, which this JSON reader may get wrong.
fn rounded(mut leaderboard: Leaderboard) -> Leaderboard {
    let round = |number: &mut Option<f64>| *number = number.map(|number| (number * 1e9).round());
    for pair in leaderboard.boards.iter_mut().flat_map(|board| &mut board.differences) {
        [&mut pair.difference, &mut pair.low, &mut pair.high].into_iter().for_each(round);
    }
    for metric in leaderboard.boards.iter_mut().flat_map(|board| &mut board.rows).flat_map(|row| &mut row.metrics) {
        [&mut metric.value, &mut metric.low, &mut metric.high].into_iter().for_each(round);
    }
    leaderboard
}

#[test]
fn json_is_the_leaderboard_with_its_schema() {
    let leaderboard = example();
    let text = Format::Json.write(&leaderboard);
    assert!(text.starts_with("{\n  \"schema\": 7,\n  \"suite\": \"fake\"") && text.ends_with("}\n"));
    let again: Leaderboard = serde_json::from_str(&text).unwrap();
    assert_eq!(rounded(again), rounded(leaderboard));
    let schema = serde_json::to_value(haltbench_report::schema()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let required: Vec<&str> = schema["required"].as_array().unwrap().iter().filter_map(|name| name.as_str()).collect();
    assert!(required.contains(&"boards") && required.iter().all(|name| value.get(name).is_some()));
}

#[test]
fn generated_strings_have_a_table_where_a_task_judges_them() {
    let policies = [Fake { valid: Some(0.25), ..Fake::follower() }, Fake { valid: Some(0.5), ..Fake::opposer() }];
    let suite = suite(&policies, &[0, 1]);
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::new(folder.path(), &suite.name);
    finish(&run, &suite, &policies);
    let options = Options::default();
    let leaderboard = leaderboard(&suite, &run, options).unwrap();
    let row = leaderboard.boards[0].rows.iter().find(|row| row.policy == "follower").unwrap();
    // A quarter of the strings with seed 0, half of them with seed 1.
    assert_eq!(row.metric("generated_valid", Some("in_range")).unwrap().value, Some(0.375));
    let missing = row.metric("teacher_forced_divergence", Some("in_range")).unwrap();
    assert_eq!((missing.value, missing.reason.as_deref()), (None, Some("a value is infinite or not a number")));
    let text = Format::Markdown.write(&leaderboard);
    assert!(text.contains("| policy | valid % | KL, own | KL | cross-entropy |"), "{text}");
    assert!(text.contains("| follower | 37.5 ["), "{text}");
    // Each mean over seeds belongs to one complexity and one kind of sizes.
    let of = |complexity: &str| {
        let rows = row.metrics.iter().filter(|metric| metric.metric == "generated_spearman");
        rows.filter(|metric| metric.complexity.as_deref() == Some(complexity)).map(|metric| metric.value).collect()
    };
    let [height, width]: [Vec<Option<f64>>; 2] = ["height", "width"].map(of);
    assert_eq!((height, width), (vec![Some(0.1875)], vec![Some(-0.375)]));
    assert_eq!(row.metric("generated_accepted", Some("beyond")).unwrap().value, Some(0.09375));
    assert!(
        text.contains("| accepted % |") && text.contains("; accepted: answers that the model writes itself"),
        "{text}"
    );
    assert!(Format::Csv.write(&leaderboard).contains("follower,generated_valid,in_range,,,0.375"));
    assert!(!Format::Table.write(&example()).contains("Strings:"));
    assert!(Format::Svg.write(&leaderboard).contains("in %: most-frequent 40.0."));
}

#[test]
fn markdown_has_tables_of_equal_rows() {
    let text = Format::Markdown.write(&example());
    assert!(text.starts_with("## fake: mano / anira\n\n- Task: mano (modulus=5)\n"), "{text}");
    assert!(text.contains("> **Warning:** the interval of accuracy is wider than 5 points for "));
    assert!(text.contains("| rank | letters | policy | seeds |"));
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
    let options = Options::default();
    let text = Format::Table.write(&leaderboard(&suite, &run, options).unwrap());
    let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(longest <= 120, "{longest}\n{text}");
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn bounds_and_cues_are_explained() {
    let depth = |height: u32| height.min(2);
    let cue = Fake { role: Role::Cue, of: Some("follower"), ..Fake::new("cue(size)", depth, |height, _| height == 1) };
    let text_of = |policies: &[Fake]| {
        let suite = suite(policies, &[0, 1]);
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::new(folder.path(), &suite.name);
        finish(&run, &suite, policies);
        Format::Markdown.write(&leaderboard(&suite, &run, Options::default()).unwrap())
    };
    let text = text_of(&[Fake::fixed_1(), Fake::fixed_3(), Fake::follower(), cue]);
    assert!(text.contains("| follower | +2.6 ["), "{text}");
    assert!(text.contains(" above cue(size)\n"), "{text}");
    let text = text_of(&[Fake::fixed_3(), Fake::follower()]);
    assert!(text.contains("| follower | ≥ -40.0 ["), "{text}");
    let note = "cheaper than every fixed depth: above the cheapest one; above mixtures with the best guess, -12.5";
    assert!(text.contains(note), "{text}");
}

/// The measure that orders rows is next to their ranks.
#[test]
fn what_ranks_is_in_the_first_table() {
    for (sort, column) in
        [(Criterion::Flops, "FLOPs"), (Criterion::Beyond, "beyond %"), (Criterion::AdaptGain, "adapt-gain")]
    {
        let text = Format::Table.write(&ranked_by(sort));
        let title = format!("Ranks by {}; accuracy at sizes trained on", sort.name());
        let heads: Vec<&str> = text.lines().skip_while(|line| !line.starts_with(&title)).skip(2).take(1).collect();
        let columns: Vec<&str> = heads[0].split("  ").map(str::trim).filter(|word| !word.is_empty()).collect();
        assert_eq!(columns, ["rank", "letters", "policy", "seeds", column, "tokens %", "sequences %"], "{text}");
    }
}

#[test]
fn table() {
    let mut leaderboard = example();
    // The id is a hash of settings that do not affect tables.
    leaderboard.boards[0].missing[0].cell = "0123456789abcdef".to_owned();
    let text = Format::Table.write(&leaderboard);
    assert_eq!(text, EXPECTED, "\n{text}");
}

const EXPECTED: &str = r#"fake: mano / anira
Task: mano (modulus=5)
Backbone: anira
Run: D = 4, halted keys and values freeze-state, 500 training steps, up to 2 instances per size, cpu, 2 seeds (0, 1)
Intervals: 95 %, two-way random effects of seeds and of the problems that they share.
Order: accuracy (share of answer tokens that are right, in range), more is better. Ranks and letters are of simultaneous
  95 % intervals of all paired differences: two policies share a letter if and only if they cannot be told apart.
Warning: the interval of accuracy is wider than 5 points for fixed(depth=3) (60 points), follower (29 points), opposer
  (29 points) and 2 others: more seeds would narrow it
Warning: fixed depths 2 and 4 are missing: adapt-gain may be flattered

Accuracy at sizes trained on (in range): answer tokens and whole sequences
────────────────────────────────────────────────────────────────────────────────────
 rank   letters   policy              seeds             tokens %        sequences %
════════════════════════════════════════════════════════════════════════════════════
 1      a         fixed(depth=3)      2/2        100 [39.8, 100]    100 [39.8, 100]
 2-4    b         follower            2/2      60.0 [45.3, 74.7]    0.0 [0.0, 60.2]
 2-4    b         opposer             2/2      60.0 [45.3, 74.7]    0.0 [0.0, 60.2]
 2-4    b         fixed(depth=1)      2/2      40.0 [25.3, 54.7]    0.0 [0.0, 60.2]
 –¹               oracle              2/2        100 [39.8, 100]    100 [39.8, 100]
 –²               opposer(a=1,"b")*   1/2     60.0 [45.3, 74.7]°   0.0 [0.0, 60.2]°
────────────────────────────────────────────────────────────────────────────────────

Accuracy elsewhere, answer tokens; embedded: answers of a trained size inside larger instances; between and beyond: of
  sizes that were not trained on
───────────────────────────────────────────────────────────
 policy                    embedded %             beyond %
═══════════════════════════════════════════════════════════
 fixed(depth=3)       100 [15.8, 100]     50.0 [7.9, 92.1]
 follower             100 [15.8, 100]    75.0 [11.9, 96.0]
 opposer              100 [15.8, 100]    75.0 [11.9, 96.0]
 fixed(depth=1)       100 [15.8, 100]      0.0 [0.0, 84.2]
 oracle               100 [15.8, 100]      100 [15.8, 100]
 opposer(a=1,"b")*   100 [15.8, 100]°   75.0 [11.9, 96.0]°
───────────────────────────────────────────────────────────

Whole sequences elsewhere: those with an answer of a size that was not trained on
──────────────────────────────────────
 policy                      beyond %
══════════════════════════════════════
 fixed(depth=3)       0.0 [0.0, 84.2]
 follower             0.0 [0.0, 84.2]
 opposer              0.0 [0.0, 84.2]
 fixed(depth=1)       0.0 [0.0, 84.2]
 oracle               100 [15.8, 100]
 opposer(a=1,"b")*   0.0 [0.0, 84.2]°
──────────────────────────────────────

Guesses: answers on the same instances that do not solve the task, unranked
────────────────────────────────────────────────────────────────
 guess           tokens %   sequences %   embedded %   beyond %
════════════════════════════════════════════════════════════════
 most-frequent       40.0           0.0           –³       50.0
────────────────────────────────────────────────────────────────

Depth in range: mean steps of answer tokens and of all tokens; trained: at the end of training, where depths may be
  sampled
─────────────────────────────────────────────────────────────────────────────────────────────────────
 policy                         answers    answers, trained           all tokens        all, trained
═════════════════════════════════════════════════════════════════════════════════════════════════════
 fixed(depth=3)       3.00 [3.00, 3.00]   2.05 [1.41, 2.69]    3.00 [3.00, 3.00]   1.50 [1.50, 1.50]
 follower             1.80 [1.36, 2.24]   2.05 [1.41, 2.69]    1.57 [1.20, 1.95]   1.50 [1.50, 1.50]
 opposer              2.20 [1.76, 2.64]   2.05 [1.41, 2.69]    1.86 [1.63, 2.08]   1.50 [1.50, 1.50]
 fixed(depth=1)       1.00 [1.00, 1.00]   2.05 [1.41, 2.69]    1.00 [1.00, 1.00]   1.50 [1.50, 1.50]
 oracle               1.80 [1.36, 2.24]   2.05 [1.41, 2.69]    1.57 [1.20, 1.95]   1.50 [1.50, 1.50]
 opposer(a=1,"b")*   2.20 [1.76, 2.64]°               2.00°   1.86 [1.63, 2.08]°               1.50°
─────────────────────────────────────────────────────────────────────────────────────────────────────

Cost in range: executed FLOPs per token with decisions; share of all D steps without decisions; time of these by the
  policy's own
─────────────────────────────────────────────────────────────────────────────────────────────
 policy              kind                 FLOPs           of dense %                   speed
═════════════════════════════════════════════════════════════════════════════════════════════
 fixed(depth=3)      early, fixed-depth     310    75.6 [75.6, 75.6]    1.50× [1.50×, 1.50×]
 follower            early                  168    41.0 [31.9, 50.2]    1.50× [1.50×, 1.50×]
 opposer             online                 198    48.2 [42.6, 53.7]                      –⁴
 fixed(depth=1)      early, fixed-depth     110    26.8 [26.8, 26.8]    1.50× [1.50×, 1.50×]
 oracle              early, oracle          167    40.8 [31.6, 49.9]    1.50× [1.50×, 1.50×]
 opposer(a=1,"b")*   online                198°   48.2 [42.6, 53.7]°   1.50× [1.46×, 1.54×]°
─────────────────────────────────────────────────────────────────────────────────────────────

Gain in range, in points of accuracy at the same FLOPs: above mixtures of fixed depths; above those whose prompts take
  one step; above the best surface cue of the policy's depths
───────────────────────────────────────────────────────────────────────────────
 policy                        adapt-gain          answers alone   beyond cues
═══════════════════════════════════════════════════════════════════════════════
 fixed(depth=3)                        –⁵   +60.0 [+45.3, +74.7]            –⁶
 follower             +2.6 [-11.3, +16.4]    +20.0 [-9.4, +49.4]            –⁷
 opposer              -6.3 [-36.1, +23.5]    +20.0 [-9.4, +49.4]            –⁷
 fixed(depth=1)                        –⁵                     –⁵            –⁶
 oracle              +42.9 [+42.1, +43.6]   +60.0 [+45.3, +74.7]            –⁶
 opposer(a=1,"b")*   -6.3 [-36.1, +23.5]°   +20.0 [-9.4, +49.4]°            –⁷
───────────────────────────────────────────────────────────────────────────────

Alignment in range: Spearman's ρ of depth and height; without its lowest level; within a size; with size and position
  taken out
────────────────────────────────────────────────────────────────────────────────────────────────────
 policy                                 ρ         ρ above lowest          ρ within size   ρ partial
════════════════════════════════════════════════════════════════════════════════════════════════════
 fixed(depth=3)                        –⁸                     –⁸                     –⁸          –⁸
 follower              1.00 [-0.20, 1.00]     1.00 [-0.20, 1.00]     1.00 [-0.20, 1.00]          –⁸
 opposer              -1.00 [-1.00, 0.20]    -1.00 [-1.00, 0.20]    -1.00 [-1.00, 0.20]          –⁸
 fixed(depth=1)                        –⁸                     –⁸                     –⁸          –⁸
 oracle                1.00 [-0.20, 1.00]     1.00 [-0.20, 1.00]     1.00 [-0.20, 1.00]          –⁸
 opposer(a=1,"b")*   -1.00 [-1.00, 0.20]°   -1.00 [-1.00, 0.20]°   -1.00 [-1.00, 0.20]°          –⁸
────────────────────────────────────────────────────────────────────────────────────────────────────

Further alignment in range: with static features and the last tokens read taken out; of steps where the token itself is
  read; of the mean of the policy's distribution over depths
─────────────────────────────────────────────────────────────────
 policy                   ρ beyond static             ρ at token
═════════════════════════════════════════════════════════════════
 fixed(depth=3)                        –⁸                     –⁸
 follower              1.00 [-0.20, 1.00]     1.00 [-0.20, 1.00]
 opposer              -1.00 [-1.00, 0.20]    -1.00 [-1.00, 0.20]
 fixed(depth=1)                        –⁸                     –⁸
 oracle                1.00 [-0.20, 1.00]     1.00 [-0.20, 1.00]
 opposer(a=1,"b")*   -1.00 [-1.00, 0.20]°   -1.00 [-1.00, 0.20]°
─────────────────────────────────────────────────────────────────

By height: tokens right % · depth, answer tokens in range
────────────────────────────────────────────────────────────────────────────────────────────────────────────────
 height   tokens   fixed(depth=3)      follower       opposer   fixed(depth=1)       oracle   opposer(a=1,"b")*
════════════════════════════════════════════════════════════════════════════════════════════════════════════════
      1        8       100 · 3.00    100 · 1.00    100 · 3.00       100 · 1.00   100 · 1.00         100 · 3.00°
      2        8       100 · 3.00   50.0 · 2.00   50.0 · 2.00       0.0 · 1.00   100 · 2.00        50.0 · 2.00°
      3        4       100 · 3.00    0.0 · 3.00    0.0 · 1.00       0.0 · 1.00   100 · 3.00         0.0 · 1.00°
────────────────────────────────────────────────────────────────────────────────────────────────────────────────

Increments by height: depth of the level minus that of the level below, answer tokens in range; each interval by itself
────────────────────────────────────────────────────────────────────────────────────────────────────────────────
 height   problems               follower                opposer                 oracle       opposer(a=1,"b")*
════════════════════════════════════════════════════════════════════════════════════════════════════════════════
      2          4   +1.00 [+1.00, +1.00]   -1.00 [-1.00, -1.00]   +1.00 [+1.00, +1.00]   -1.00 [-1.00, -1.00]°
      3          4   +1.00 [+1.00, +1.00]   -1.00 [-1.00, -1.00]   +1.00 [+1.00, +1.00]   -1.00 [-1.00, -1.00]°
────────────────────────────────────────────────────────────────────────────────────────────────────────────────

By size of the token's own problem (✓ trained on): tokens right % · depth, answer tokens of all splits
──────────────────────────────────────────────────────────────────────────────────────────────────────────────
 size   tokens   fixed(depth=3)      follower       opposer   fixed(depth=1)       oracle   opposer(a=1,"b")*
══════════════════════════════════════════════════════════════════════════════════════════════════════════════
  2 ✓       12       100 · 3.00   66.7 · 1.33   66.7 · 2.67      66.7 · 1.00   100 · 1.33        66.7 · 2.67°
  3 ✓       12       100 · 3.00   66.7 · 2.00   66.7 · 2.00      33.3 · 1.00   100 · 2.00        66.7 · 2.00°
    5       16      50.0 · 3.00   75.0 · 3.25   75.0 · 1.25       0.0 · 1.00   100 · 3.25        75.0 · 1.25°
──────────────────────────────────────────────────────────────────────────────────────────────────────────────

* incomplete: the numbers are of the seeds that are done
° 1 seed: the interval is over problems, and training is not in it
Taken out for ρ beyond static: the last 2 tokens read; static features: odd; not of all answers, and left in: rare
¹ unranked: oracles read what a policy cannot know
² unranked: seed 1 is missing
³ it was not measured
⁴ some of its seeds were not timed
⁵ the frontier is made of fixed depths
⁶ it is not a policy under test
⁷ the board has no surface cue of it
⁸ one of the two is constant, or nothing is left of it

Missing cells
  opposer(a=1,"b"), seed 1 (0123456789abcdef): failed: killed by signal 9, "why"
"#;
