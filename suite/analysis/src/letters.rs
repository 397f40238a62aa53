//! Compact letter display: which items cannot be distinguished.

/// The letters of items, where `different[i][j]` says whether i and j can be distinguished: two items share a letter if
/// and only if they cannot. An item may have several letters, and similarity is not transitive: a may be like b and b
/// like c although a differs from c.
///
/// A letter is a maximal set without a different pair (Piepho, Journal of Computational and Graphical Statistics 13
/// (2004) 456-466, whose insert-and-absorb gives the same sets). Sets are lettered in the order of their members.
pub fn letters(different: &[Vec<bool>]) -> Vec<String> {
    let columns = columns(different);
    let of_item =
        |item: usize| columns.iter().zip(0..).filter(|(set, _)| set.contains(&item)).map(|(_, k)| letter(k)).collect();
    (0..different.len()).map(of_item).collect()
}

/// All maximal sets without a different pair, each ascending, in the order of their members.
pub fn columns(different: &[Vec<bool>]) -> Vec<Vec<usize>> {
    let mut columns = Vec::new();
    extend(different, &[], (0..different.len()).collect(), Vec::new(), &mut columns);
    columns.sort();
    columns
}

/// Bron and Kerbosch's enumeration of maximal cliques with a pivot (Communications of the ACM 16 (1973) 575-577): `set`
/// can grow by any of `candidates`, and is not maximal if one of `seen` could join it.
fn extend(
    different: &[Vec<bool>],
    set: &[usize],
    mut candidates: Vec<usize>,
    mut seen: Vec<usize>,
    found: &mut Vec<Vec<usize>>,
) {
    let alike = |a: usize, b: usize| a != b && !different[a][b];
    let friends = |item: usize| candidates.iter().filter(|&&other| alike(item, other)).count();
    let Some(pivot) = candidates.iter().chain(&seen).copied().max_by_key(|&item| friends(item)) else {
        if !set.is_empty() {
            let mut maximal = set.to_vec();
            maximal.sort_unstable();
            found.push(maximal);
        }
        return;
    };
    let branches: Vec<usize> = candidates.iter().copied().filter(|&item| !alike(pivot, item)).collect();
    for item in branches {
        let keep = |items: &[usize]| items.iter().copied().filter(|&other| alike(item, other)).collect();
        let grown = [set, &[item]].concat();
        extend(different, &grown, keep(&candidates), keep(&seen), found);
        candidates.retain(|&other| other != item);
        seen.push(item);
    }
}

/// a to z, then A to Z, then (53) and so on.
fn letter(place: usize) -> String {
    let small = ('a'..='z').chain('A'..='Z').nth(place);
    small.map_or_else(|| format!("({})", place + 1), String::from)
}
