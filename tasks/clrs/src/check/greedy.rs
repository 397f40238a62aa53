//! Checks of greedy selections. Elements with equal keys may be considered in any order.

/// Groups of equal keys, ascending.
fn groups(keys: &[f64]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by(|left, right| keys[*left].total_cmp(&keys[*right]));
    order.chunk_by(|left, right| keys[*left] == keys[*right]).map(<[usize]>::to_vec).collect()
}

fn mask(given: &[i64]) -> Result<Vec<bool>, String> {
    let wrong = given.iter().find(|entry| !(0..=1).contains(*entry));
    wrong.map_or(Ok(()), |entry| Err(format!("expected 0 or 1, found {entry}")))?;
    Ok(given.iter().map(|entry| *entry == 1).collect())
}

/// Whenever an activity that starts after the selected ones finishes, one activity with this finish is selected. An
/// activity without duration is compatible with any selected before it, so all of these are selected.
pub fn activities(starts: &[f64], finishes: &[f64], given: &[i64]) -> Result<(), String> {
    let selected = mask(given)?;
    let mut free_from = f64::NEG_INFINITY;
    for group in groups(finishes) {
        let finish = finishes[group[0]];
        let fits = |activity: &usize| starts[*activity] >= free_from;
        if let Some(late) = group.iter().find(|activity| selected[**activity] && !fits(activity)) {
            return Err(format!("activity {late} starts at {} before {free_from}", starts[*late]));
        }
        let chosen = |activity: &&usize| selected[**activity];
        let lasting = group.iter().filter(chosen).filter(|activity| starts[**activity] < finish).count();
        if lasting > 1 {
            return Err(format!("{lasting} activities that finish at {finish} are selected"));
        }
        let missing = |activity: &&usize| fits(activity) && !selected[**activity];
        let instant = |activity: &&usize| starts[**activity] >= finish;
        let none = !group.iter().any(|activity| selected[*activity]);
        if let Some(activity) = group.iter().filter(missing).find(|activity| none || instant(activity)) {
            return Err(format!("activity {activity} is compatible and not selected"));
        }
        if !none {
            free_from = finish;
        }
    }
    Ok(())
}

/// A task is selected exactly if fewer tasks of larger weight are selected than its deadline allows; the first task
/// always is.
pub fn tasks(deadlines: &[f64], weights: &[f64], given: &[i64]) -> Result<(), String> {
    let selected = mask(given)?;
    let mut taken = 0.0;
    for group in groups(weights).into_iter().rev() {
        // Among equal weights, selected tasks can be ordered by deadline, with the others after them.
        let mut chosen: Vec<usize> = group.iter().copied().filter(|task| selected[*task]).collect();
        chosen.sort_by(|left, right| deadlines[*left].total_cmp(&deadlines[*right]));
        for task in chosen {
            if taken > 0.0 && taken >= deadlines[task] {
                return Err(format!("task {task} is selected after {taken} others, past its deadline"));
            }
            taken += 1.0;
        }
        for task in group {
            if !selected[task] && (taken == 0.0 || taken < deadlines[task]) {
                return Err(format!("task {task} meets its deadline after {taken} others and is not selected"));
            }
        }
    }
    Ok(())
}
