//! Dependencies as a graph: an order in which every step comes after what it needs, or the cycle
//! that forbids one; and for each step the set of all that it depends on.

use std::collections::{BTreeMap, BTreeSet};

use super::StepIndex;

/// A set of steps of one plan, one bit for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepSet(Vec<u64>);

impl StepSet {
    /// Whether `index` is in the set.
    pub fn contains(&self, index: StepIndex) -> bool {
        let (word, bit) = (index.position() / 64, index.position() % 64);
        self.0.get(word).is_some_and(|bits| bits >> bit & 1 == 1)
    }

    pub(crate) fn insert(&mut self, index: StepIndex) {
        let (word, bit) = (index.position() / 64, index.position() % 64);
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << bit;
    }

    pub(super) fn extend(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine |= theirs;
        }
    }
}

/// Orders nodes so that each comes after what it needs; among those that are free, the one with
/// the lowest `priority` first (Kahn's algorithm). `needs[n]` are the nodes that `n` depends on.
/// Where that cannot be, the nodes of one cycle, in its order.
pub(super) fn order(needs: &[Vec<usize>], priority: &[i64]) -> Result<Vec<usize>, Vec<usize>> {
    let mut missing: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut dependents: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (node, needed) in needs.iter().enumerate() {
        for need in needed {
            dependents.entry(*need).or_default().push(node);
        }
    }
    let mut free: BTreeSet<(i64, usize)> =
        (0..needs.len()).filter(|n| missing[*n] == 0).map(|n| (priority[n], n)).collect();
    let mut ordered = Vec::with_capacity(needs.len());
    while let Some((_, node)) = free.pop_first() {
        ordered.push(node);
        for dependent in dependents.get(&node).into_iter().flatten() {
            missing[*dependent] -= 1;
            if missing[*dependent] == 0 {
                free.insert((priority[*dependent], *dependent));
            }
        }
    }
    if ordered.len() == needs.len() { Ok(ordered) } else { Err(cycle(needs, &missing)) }
}

/// Walks back from any node that is still missing something until a node comes again.
fn cycle(needs: &[Vec<usize>], missing: &[usize]) -> Vec<usize> {
    let stuck = |n: &usize| missing[*n] > 0;
    let mut node = (0..needs.len()).find(stuck).expect("some node is stuck when a cycle exists");
    let mut path = Vec::new();
    while !path.contains(&node) {
        path.push(node);
        let next = needs[node].iter().copied().find(stuck);
        node = next.expect("a stuck node needs another stuck node");
    }
    let start = path.iter().position(|n| *n == node).expect("the node closed the cycle");
    path.drain(..start);
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_come_first_and_priority_breaks_ties() {
        let needs = [vec![2], vec![], vec![], vec![0, 1]];
        assert_eq!(order(&needs, &[1, 9, 5, 0]), Ok(vec![2, 0, 1, 3]));
    }

    #[test]
    fn a_cycle_is_named_without_what_leads_to_it() {
        let needs = [vec![], vec![0, 3], vec![1], vec![2], vec![3]];
        let mut found = order(&needs, &[0; 5]).expect_err("1, 2 and 3 need each other");
        found.sort_unstable();
        assert_eq!(found, [1, 2, 3]);
    }

    #[test]
    fn sets_hold_what_was_put_in() {
        let mut set = StepSet::default();
        set.insert(StepIndex(70));
        let mut other = StepSet::default();
        other.insert(StepIndex(1));
        other.extend(&set);
        assert!(other.contains(StepIndex(70)) && other.contains(StepIndex(1)));
        assert!(!other.contains(StepIndex(2)) && !other.contains(StepIndex(700)));
    }
}
