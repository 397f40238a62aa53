//! The groups against what group theory says about them.

use std::collections::BTreeMap;

use crate::group::{Group, Kind};

fn groups() -> [Group; 4] {
    Kind::ALL.map(Group::new)
}

#[test]
fn they_are_groups() {
    for group in groups() {
        let order = group.order();
        assert_eq!(order, if group.kind == Kind::S5 { 120 } else { 60 });
        for a in 0..order {
            assert_eq!((group.product(0, a), group.product(a, 0)), (a, a), "0 is the identity");
            let mut row: Vec<usize> = (0..order).map(|b| group.product(a, b)).collect();
            row.sort_unstable();
            assert_eq!(row, (0..order).collect::<Vec<_>>(), "every equation has one solution");
            for b in 0..order {
                for c in (0..order).step_by(7) {
                    let [left, right] = [group.product(group.product(a, b), c), group.product(a, group.product(b, c))];
                    assert_eq!(left, right);
                }
            }
        }
        for number in 0..order {
            assert_eq!(group.read(&group.words[number]), Some(number));
        }
    }
}

/// Number of elements of every order, which tell the four groups from all others of their orders.
#[test]
fn orders_of_elements_are_the_known_ones() {
    let count = |group: &Group| {
        let mut counts = BTreeMap::new();
        (0..group.order()).for_each(|number| *counts.entry(group.order_of(number)).or_insert(0) += 1);
        counts.into_iter().collect::<Vec<_>>()
    };
    let [z60, a4xz5, a5, s5] = groups();
    // Euler's totient of every divisor of 60.
    let cyclic =
        [(1, 1), (2, 1), (3, 2), (4, 2), (5, 4), (6, 2), (10, 4), (12, 4), (15, 8), (20, 8), (30, 8), (60, 16)];
    assert_eq!(count(&z60), cyclic);
    // A4 has 1, 3 and 8 elements of orders 1, 2 and 3, each with 1 and 4 residues of orders 1 and 5.
    assert_eq!(count(&a4xz5), [(1, 1), (2, 3), (3, 8), (5, 4), (10, 12), (15, 32)]);
    assert_eq!(count(&a5), [(1, 1), (2, 15), (3, 20), (5, 24)]);
    assert_eq!(count(&s5), [(1, 1), (2, 25), (3, 20), (4, 30), (5, 24), (6, 20)]);
}

/// The commutator subgroups are trivial, Klein's four-group, A5 and A5.
#[test]
fn reorderings_are_cosets_of_the_commutator_subgroup() {
    for (group, size) in groups().iter().zip([1, 4, 60, 60]) {
        let cosets = group.reorderings();
        for (element, coset) in cosets.iter().enumerate() {
            assert_eq!(coset.len(), size);
            assert!(coset.contains(&element));
            assert!(coset.iter().all(|other| cosets[*other].iter().all(|member| coset.contains(member))));
        }
        for a in 0..group.order() {
            for b in 0..group.order() {
                assert!(cosets[group.product(a, b)].contains(&group.product(b, a)));
            }
        }
    }
}
