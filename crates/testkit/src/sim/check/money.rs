//! What an execution has spent and keeps back, counted from its events.

use std::collections::BTreeMap;

use engine::ids::Fence;

use super::Checked;

/// What an attempt in flight keeps back.
#[derive(Debug)]
struct Held {
    path: String,
    reserved: u64,
    /// What the attempt itself is expected to cost.
    price: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Money {
    /// The highest limit that there ever was.
    pub budget: Option<u64>,
    /// Whether somebody let another execution of the family spend more.
    pub lax: bool,
    pub spent: u64,
    in_flight: BTreeMap<Fence, Held>,
    /// What was counted for attempts whose answer may still come.
    unanswered: BTreeMap<Fence, u64>,
}

impl Money {
    pub fn raise(&mut self, budget: Option<u64>) {
        self.budget = self.budget.max(budget);
    }

    pub fn begin(&mut self, fence: Fence, path: &str, reserved: u64, undo_price: u64) {
        let price = reserved.saturating_sub(undo_price);
        self.in_flight.insert(fence, Held { path: path.to_owned(), reserved, price });
    }

    pub fn is_in_flight(&self, fence: Fence) -> bool {
        self.in_flight.contains_key(&fence)
    }

    /// Paths with an attempt in flight.
    pub fn paths(&self) -> impl Iterator<Item = (Fence, &String)> {
        self.in_flight.iter().map(|(fence, held)| (*fence, &held.path))
    }

    pub fn price(&self, fence: Fence) -> u64 {
        self.in_flight.get(&fence).map_or(0, |held| held.price)
    }

    /// An attempt comes to its end; `open` when its answer may still come.
    pub fn end(&mut self, path: &str, fence: Fence, cost: u64, open: bool) -> Checked {
        let held = self.in_flight.remove(&fence).filter(|held| held.path == path);
        if held.is_none() {
            return Err(format!("`{path}`: no attempt under {fence} is in flight"));
        }
        self.spent += cost;
        if open {
            self.unanswered.insert(fence, cost);
        }
        Ok(())
    }

    /// Attempts at these paths are given up: they may have cost what they were expected to.
    pub fn give_up(&mut self, which: impl Fn(&str) -> bool) {
        let gone: Vec<Fence> =
            self.paths().filter(|(_, path)| which(path)).map(|(fence, _)| fence).collect();
        for fence in gone {
            let price = self.price(fence);
            self.in_flight.remove(&fence);
            self.spent += price;
            self.unanswered.insert(fence, price);
        }
    }

    /// An answer came when nobody waited for it.
    pub fn late(&mut self, path: &str, fence: Fence, cost: Option<u64>) -> Checked {
        let Some(counted) = self.unanswered.remove(&fence) else {
            return Err(format!("`{path}`: nobody waited for the answer under {fence}"));
        };
        self.spent = self.spent - counted + cost.unwrap_or(counted);
        Ok(())
    }

    /// Workers charge at most their estimate, so nothing may lead beyond a budget.
    pub fn within(&self, kept: u64) -> Checked {
        let reserved: u64 = self.in_flight.values().map(|held| held.reserved).sum();
        let bound = self.spent + reserved + kept;
        match self.budget {
            Some(budget) if bound > budget && !self.lax => Err(format!(
                "{} are spent, {reserved} in flight and {kept} kept, of a budget of {budget}",
                self.spent
            )),
            _ => Ok(()),
        }
    }
}
