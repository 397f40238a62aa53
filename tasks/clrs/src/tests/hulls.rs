//! Hulls of points in a line or at one place: the checker accepts what some order of equal angles leads the scan to.

use std::collections::BTreeSet;

use haltbench_sdk::random::Stream;

use super::clrs;

fn accepts(points: &[(i64, i64)], marked: &[bool]) -> bool {
    let list = |of: &dyn Fn(&(i64, i64)) -> i64| {
        points.iter().map(|point| of(point).to_string()).collect::<Vec<_>>().join(" ")
    };
    let question =
        format!("graham_scan:\nx: [{}], y: [{}]\nin_hull:\n", list(&|point| point.0), list(&|point| point.1));
    let answer: Vec<&str> = marked.iter().map(|marked| if *marked { "1" } else { "0" }).collect();
    clrs().check(&question, &format!("[{}]", answer.join(" "))).unwrap().valid
}

fn parsed(marks: &str) -> Vec<bool> {
    marks.chars().map(|mark| mark == '1').collect()
}

#[test]
fn every_order_of_equal_angles_counts() {
    let square = [(0, 0), (2, 0), (2, 2), (0, 2)];
    let with = |point| [&square[..], &[point]].concat();
    for (points, right, wrong) in [
        // A corner twice: either copy.
        (with((0, 2)), &["11110", "11101"][..], &["11111", "11100"][..]),
        // The middle of the first and of the last side: as their ends are sorted.
        (with((1, 0)), &["11110", "11111"], &["10111", "11101"]),
        (with((0, 1)), &["11110", "11111"], &["11101", "01111"]),
        // Seen from the lowest point at an angle of its own.
        (with((2, 1)), &["11110"], &["11111"]),
        (with((1, 1)), &["11110"], &["11111", "11011"]),
    ] {
        right.iter().for_each(|marks| assert!(accepts(&points, &parsed(marks)), "{points:?} {marks}"));
        wrong.iter().for_each(|marks| assert!(!accepts(&points, &parsed(marks)), "{points:?} {marks}"));
    }
}

fn turn(a: (i64, i64), b: (i64, i64), c: (i64, i64)) -> i64 {
    (b.0 - a.0) * (c.1 - a.1) - (b.1 - a.1) * (c.0 - a.0)
}

/// The scan of points in this order; `None` if it pops the lowest point.
fn scan(points: &[(i64, i64)], order: &[usize]) -> Option<Vec<bool>> {
    let mut stack: Vec<usize> = Vec::new();
    for (rank, point) in order.iter().enumerate() {
        let is_kept = |stack: &[usize]| match stack {
            [.., from, middle] => Some(turn(points[*from], points[*middle], points[*point]) > 0),
            _ => None,
        };
        if rank > 2 {
            while !is_kept(&stack)? {
                stack.pop();
            }
        }
        stack.push(*point);
    }
    Some((0..points.len()).map(|point| stack.contains(&point)).collect())
}

fn permutations(items: &[usize]) -> Vec<Vec<usize>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let first = |place: usize| {
        let mut rest = items.to_vec();
        let item = rest.remove(place);
        permutations(&rest).into_iter().map(move |rest| [&[item][..], &rest].concat())
    };
    (0..items.len()).flat_map(first).collect()
}

#[test]
fn exactly_the_ends_of_all_orders_are_accepted() {
    let mut stream = Stream::new(3, "hulls", &[]);
    for _ in 0..60 {
        let count = 3 + stream.below(4) as usize;
        let points: Vec<(i64, i64)> = (0..count).map(|_| (stream.below(3) as i64, stream.below(3) as i64)).collect();
        let lowest = (0..count).min_by_key(|point| (points[*point].1, points[*point].0, *point)).unwrap();
        let angle = |point: &usize| {
            let (x, y) = (points[*point].0 - points[lowest].0, points[*point].1 - points[lowest].1);
            (y as f64).atan2(x as f64)
        };
        let others: Vec<usize> = (0..count).filter(|point| *point != lowest).collect();
        let sorted = |order: &Vec<usize>| order.windows(2).all(|pair| angle(&pair[0]) <= angle(&pair[1]));
        let ends: BTreeSet<Vec<bool>> = permutations(&others)
            .into_iter()
            .filter(sorted)
            .filter_map(|order| scan(&points, &[&[lowest][..], &order].concat()))
            .collect();
        for code in 0..1 << count {
            let marked: Vec<bool> = (0..count).map(|point| code >> point & 1 == 1).collect();
            assert_eq!(accepts(&points, &marked), ends.contains(&marked), "{points:?} {marked:?}");
        }
    }
}

/// Dozens of points in a line: the search is cut off, and what the solver finds is accepted.
#[test]
fn many_points_in_a_line_take_no_time() {
    let started = std::time::Instant::now();
    let mut points: Vec<(i64, i64)> = (0..60).map(|place| (place % 20, place / 20 * 7)).collect();
    points.extend((0..60).map(|place| (place % 5, 14)));
    for marks in [vec![true; points.len()], vec![false; points.len()]] {
        assert!(!accepts(&points, &marks));
    }
    let list = |of: &dyn Fn(&(i64, i64)) -> i64| {
        points.iter().map(|point| of(point).to_string()).collect::<Vec<_>>().join(" ")
    };
    let question =
        format!("graham_scan:\nx: [{}], y: [{}]\nin_hull:\n", list(&|point| point.0), list(&|point| point.1));
    if let Ok(answer) = clrs().answer(&question) {
        assert!(clrs().check(&question, &answer).unwrap().valid);
    }
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
