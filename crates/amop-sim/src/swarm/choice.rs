//! Whether the choice among subscribers is fair, which no single message can show.
//!
//! Every subscriber is as likely as any other, wherever it is attached. If nodes were chosen instead,
//! those at a crowded node would get less than their share. So the unicasts that went to a crowded
//! node are counted over many worlds, beside how many should have.

/// How often the most crowded node of a topic was chosen, and how often it should have been.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Choices {
    count: u32,
    chosen: f64,
    expected: f64,
    variance: f64,
}

impl Choices {
    /// Adds those of another world.
    pub fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.chosen += other.chosen;
        self.expected += other.expected;
        self.variance += other.variance;
    }

    /// Adds one unicast to a topic that has so many of its subscribers at the most crowded node.
    pub(super) fn note(&mut self, crowd: usize, subscribers: usize, is_chosen: bool) {
        let count = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        let share = count(crowd) / count(subscribers);
        self.count += 1;
        self.chosen += if is_chosen { 1.0 } else { 0.0 };
        self.expected += share;
        self.variance += share * (1.0 - share);
    }

    /// Whether it is not just chance: six standard deviations off, of many unicasts.
    #[must_use]
    pub fn is_unfair(&self) -> bool {
        self.count >= COUNT_MIN
            && (self.chosen - self.expected).abs() > DEVIATIONS_MAX * self.variance.sqrt()
    }
}

/// Fewer say nothing.
const COUNT_MIN: u32 = 200;

/// Chance is farther off once in 500 million runs.
const DEVIATIONS_MAX: f64 = 6.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_of_nodes_instead_of_subscribers_is_unfair() {
        let noted = |chosen: fn(usize) -> bool| {
            let mut choices = Choices::default();
            (0..1000).for_each(|n| choices.note(3, 4, chosen(n)));
            choices
        };
        assert!(!noted(|n| n % 4 != 0).is_unfair());
        assert!(!noted(|n| n % 40 > 10).is_unfair(), "as chance has it");
        assert!(noted(|n| n % 2 == 0).is_unfair());
        assert!(noted(|_| true).is_unfair());
        let mut few = Choices::default();
        (0..50).for_each(|_| few.note(3, 4, false));
        assert!(!few.is_unfair());
    }
}
