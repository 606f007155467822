//! Owns the price of tokens. Integer arithmetic; a fraction of a micro-dollar counts as a whole
//! one.

use crate::money;
use crate::reply::Usage;

const TOKENS_PER_MTOK: u128 = 1_000_000;

/// Micro-USD for a million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    input: u64,
    output: u64,
    known: bool,
}

impl Prices {
    /// From the texts of `LLM_INPUT_USD_PER_MTOK` and `LLM_OUTPUT_USD_PER_MTOK`. Without both, or
    /// with one that is no amount, prices count as unknown and costs as estimated.
    pub fn read(input: Option<&str>, output: Option<&str>) -> Prices {
        let amounts = [input, output].map(|text| text.and_then(money::micro_usd_of_decimal));
        Prices {
            input: amounts[0].unwrap_or(0),
            output: amounts[1].unwrap_or(0),
            known: amounts.iter().all(Option::is_some),
        }
    }

    /// The price of a usage; marks the usage as estimated where prices are unknown.
    pub fn charge(&self, usage: &mut Usage) -> u64 {
        usage.estimated |= !self.known;
        let total = u128::from(usage.input_tokens) * u128::from(self.input)
            + u128::from(usage.output_tokens) * u128::from(self.output);
        u64::try_from(total.div_ceil(TOKENS_PER_MTOK)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input_tokens: u64, output_tokens: u64) -> Usage {
        Usage { input_tokens, output_tokens, calls: 1, ..Usage::default() }
    }

    #[test]
    fn tokens_cost_their_price_rounded_up() {
        let prices = Prices::read(Some("0.15"), Some("0.60"));
        let mut used = usage(1000, 500);
        assert_eq!(prices.charge(&mut used), 450);
        assert!(!used.estimated);
        assert_eq!(prices.charge(&mut usage(1, 0)), 1);
        assert_eq!(prices.charge(&mut usage(0, 0)), 0);
        assert_eq!(prices.charge(&mut usage(u64::MAX, 0)), 2_767_011_611_056_432_743);
    }

    #[test]
    fn unknown_prices_are_zero_and_estimated() {
        for prices in [
            Prices::read(None, None),
            Prices::read(Some("cheap"), Some("0.6")),
            Prices::read(None, Some("0")),
        ] {
            let mut used = usage(1_000_000, 0);
            assert_eq!(prices.charge(&mut used), 0);
            assert!(used.estimated);
        }
    }

    #[test]
    fn a_model_that_is_free_is_not_estimated() {
        let mut used = usage(10, 10);
        assert_eq!(Prices::read(Some("0"), Some("0")).charge(&mut used), 0);
        assert!(!used.estimated);
    }
}
