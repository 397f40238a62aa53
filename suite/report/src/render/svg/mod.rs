//! Pictures: of a leaderboard, per board accuracy and depth by level of complexity, and accuracy against cost; of an
//! analysis, its charts.

mod axis;
mod charts;
mod frame;
mod marks;
mod panels;
mod series;
mod xml;

use frame::Frame;
use panels::{FRONTIER, Panel};
use series::Points;
use xml::{Anchor, Drawing, Font, LABEL, SMALL, TITLE, escaped, number};

use haltbench_engine::store::GuessResult;

use crate::analyses::Analysis;
use crate::board::{Board, Leaderboard, find};
use crate::render::document::counted;
use crate::render::number::{Unit, value};

const WIDTH: f64 = 1080.0;
const MARGIN: f64 = 20.0;
const INNER: f64 = WIDTH - 2.0 * MARGIN;
/// Space between boards.
const BETWEEN: f64 = 28.0;
const LEGEND_LINE: f64 = 21.0;
const SAMPLE: f64 = 32.0;
const NOTE_LINE: f64 = 15.0;

pub(super) fn write(leaderboard: &Leaderboard) -> String {
    let mut drawing = Drawing::default();
    let mut bottom = MARGIN;
    if leaderboard.boards.is_empty() {
        drawing.text((MARGIN, bottom + 16.0), Anchor::Start, TITLE, &format!("{}: no boards", leaderboard.suite));
        bottom += 24.0;
    }
    for (place, board) in leaderboard.boards.iter().enumerate() {
        if place > 0 {
            bottom += BETWEEN;
        }
        bottom = draw(&mut drawing, leaderboard, board, bottom);
    }
    let names: Vec<&str> = leaderboard.boards.iter().map(|board| board.name.as_str()).collect();
    page(&format!("Leaderboard {}: {}", leaderboard.suite, names.join(", ")), &drawing, bottom)
}

/// The charts of an analysis.
pub(super) fn write_charts(analysis: &Analysis) -> String {
    let mut drawing = Drawing::default();
    let mut bottom = MARGIN;
    for (place, findings) in analysis.boards.iter().enumerate() {
        if place > 0 {
            bottom += BETWEEN;
        }
        let title = format!("{}, {}: {}", analysis.suite, analysis.analysis, findings.board);
        bottom = charts::draw(&mut drawing, &title, findings, bottom);
    }
    page(&format!("{} of {}", analysis.analysis, analysis.suite), &drawing, bottom)
}

/// A page with this title, as high as the drawing.
fn page(title: &str, drawing: &Drawing, bottom: f64) -> String {
    let (width, height) = (number(WIDTH), number((bottom + MARGIN).ceil()));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" font-family=\"sans-serif\">\n\
         <title>{}</title>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n{}</svg>\n",
        escaped(title),
        drawing.0
    )
}

/// Draws a board below `top` and returns where it ends.
fn draw(drawing: &mut Drawing, leaderboard: &Leaderboard, board: &Board, top: f64) -> f64 {
    let complexity = board.complexity.as_deref().unwrap_or("complexity");
    let points = series::points(board, complexity);
    drawing.text((MARGIN, top + 16.0), Anchor::Start, TITLE, &TITLE.shortened(&board.name, INNER));
    let subtitle = LABEL.shortened(&subtitle(leaderboard, board), INNER);
    drawing.text((MARGIN, top + 36.0), Anchor::Start, Font { colour: xml::SOFT, ..LABEL }, &subtitle);
    let legend_top = top + 50.0;
    // The panels determine whether there is a frontier, and the legend its own height.
    let (places, legend_height) = legend_places(&points);
    let width = INNER / 3.0;
    let panel = |place: usize, title, below| Panel {
        frame: Frame { left: MARGIN + width * place as f64, top: legend_top + legend_height + 12.0, width },
        title,
        below,
    };
    let deepest = board.settings.max_depth as f64;
    let accuracy = panel(0, "Accuracy: answer tokens right, %", complexity);
    accuracy.by_level(drawing, &points, |series| &series.accuracy, (0.0, 100.0), &[]);
    let depth = panel(1, "Depth: mean steps of answer tokens", complexity);
    depth.by_level(drawing, &points, |series| &series.depth, (0.0, deepest), &[1.0]);
    let cost = panel(2, "Accuracy, %, against cost", "executed FLOPs per token, % of dense");
    let frontier = cost.by_cost(drawing, &points);
    legend(drawing, &points, &places, legend_top, frontier);
    let mut bottom = cost.frame.top + frame::HEIGHT + 15.0;
    for line in notes(board, &points).iter().flat_map(|note| SMALL.wrapped(note, INNER)) {
        drawing.text((MARGIN, bottom), Anchor::Start, SMALL, &line);
        bottom += NOTE_LINE;
    }
    bottom - NOTE_LINE
}

fn subtitle(leaderboard: &Leaderboard, board: &Board) -> String {
    let settings = &board.settings;
    format!(
        "suite {} · D = {} · {} ({}) · {} · {}",
        leaderboard.suite,
        settings.max_depth,
        counted(board.seeds.len(), "seed"),
        board.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
        counted(settings.training_steps as usize, "training step"),
        settings.device,
    )
}

const FRONTIER_LABEL: &str = "frontier: mixtures of fixed depths";

/// Positions of the legend's entries relative to its top left corner, the frontier's last, and the legend's height.
fn legend_places(points: &Points) -> (Vec<(f64, f64)>, f64) {
    let (mut x, mut y) = (0.0, 0.0);
    let mut places = Vec::new();
    for label in points.series.iter().map(|series| series.label.as_str()).chain([FRONTIER_LABEL]) {
        let width = SAMPLE + LABEL.width(label).min(INNER - SAMPLE) + 14.0;
        if x > 0.0 && x + width > INNER {
            (x, y) = (0.0, y + LEGEND_LINE);
        }
        places.push((x, y));
        x += width;
    }
    (places, y + LEGEND_LINE)
}

fn legend(drawing: &mut Drawing, points: &Points, places: &[(f64, f64)], top: f64, frontier: bool) {
    let at = |(x, y): (f64, f64)| (MARGIN + x, top + y + LEGEND_LINE / 2.0);
    let ends = |(x, y): (f64, f64)| [(x, y), (x + SAMPLE - 7.0, y)];
    let text = |drawing: &mut Drawing, (x, y): (f64, f64), label: &str| {
        drawing.text((x + SAMPLE, y + 4.0), Anchor::Start, LABEL, &LABEL.shortened(label, INNER - SAMPLE));
    };
    for (series, place) in points.series.iter().zip(places.iter().copied().map(at)) {
        series.mark.line(drawing, &ends(place));
        series.mark.shape(drawing, (place.0 + (SAMPLE - 7.0) / 2.0, place.1), 4.4, "");
        text(drawing, place, &series.label);
    }
    if let Some(place) = places.last().copied().map(at).filter(|_| frontier) {
        drawing.path(&ends(place), FRONTIER, 1.6, "");
        text(drawing, place, FRONTIER_LABEL);
    }
}

/// Notes that the picture needs.
fn notes(board: &Board, points: &Points) -> Vec<String> {
    let mut notes = vec![format!(
        "Sizes trained on; policies stand side by side at a level. Bars are intervals: {}.",
        board.intervals
    )];
    let guess = |guess: &GuessResult| {
        let accuracy = value(find(&guess.metrics, "token_accuracy", Some("in_range")), Unit::Percent)?;
        Some(format!("{} {accuracy}", guess.name))
    };
    let guesses: Vec<String> = board.guesses.iter().filter_map(guess).collect();
    if !guesses.is_empty() {
        notes.push(format!(
            "Guesses that do not solve the task have so many answer tokens right, in %: {}.",
            guesses.join(", ")
        ));
    }
    if board.rows.iter().any(|row| !row.is_complete() && !row.seeds_done.is_empty()) {
        notes.push("* incomplete: the numbers are of the seeds that are done.".to_owned());
    }
    if !board.warnings.is_empty() {
        let plural = if board.warnings.len() == 1 { "" } else { "s" };
        notes.push(format!("Warning{plural}: {}.", board.warnings.join(". ")));
    }
    notes.extend(points.notes.iter().cloned());
    notes
}
