//! Days and months of UTC, counted from the Unix epoch: what a limit of money is counted over.

use crate::time::{Timestamp, days_from_civil};

const DAY_MS: i64 = 24 * 3600 * 1000;
/// Years, months and days repeat after 400 years.
const ERA_DAYS: i64 = 146_097;

/// The day of a moment; 1970-01-01 is 0.
pub fn day(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(DAY_MS)
}

/// The month of a day; January of the year 0 is 0.
pub fn month(day: i64) -> i64 {
    let (year, month, _) = civil_from_days(day);
    year * 12 + month - 1
}

/// When the day after `day` begins.
pub fn next_day(day: i64) -> Timestamp {
    Timestamp::from_millis((day + 1).saturating_mul(DAY_MS))
}

/// When the month after `month` begins.
pub fn next_month(month: i64) -> Timestamp {
    let next = month + 1;
    let first = days_from_civil(next.div_euclid(12), next.rem_euclid(12) + 1, 1);
    Timestamp::from_millis(first.saturating_mul(DAY_MS))
}

/// Year, month (1 to 12) and day of the month of a day. After Howard Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms", `civil_from_days`: the year is taken to begin in March, so that the
/// leap day is its last.
fn civil_from_days(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(ERA_DAYS);
    let of_era = shifted.rem_euclid(ERA_DAYS);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / (ERA_DAYS - 1)) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days_have_their_dates() {
        for (day, date) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (20_778, (2026, 11, 21)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(civil_from_days(day), date);
            assert_eq!(days_from_civil(date.0, date.1, date.2), day);
        }
    }

    #[test]
    fn every_day_of_five_hundred_years_follows_the_one_before() {
        let (mut year, mut month, mut of_month) = (1800, 1, 1);
        for day in days_from_civil(1800, 1, 1)..days_from_civil(2300, 1, 1) {
            assert_eq!(civil_from_days(day), (year, month, of_month));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + i64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            of_month += 1;
            if of_month > length {
                (month, of_month) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }

    #[test]
    fn a_day_and_a_month_end_where_the_next_begin() {
        let at = Timestamp::from_millis(1_795_267_534_000);
        assert_eq!(next_day(day(at)).as_millis(), 1_795_305_600_000, "2026-11-22");
        assert_eq!(next_month(month(day(at))).as_millis(), 1_796_083_200_000, "2026-12-01");
        let december = month(days_from_civil(2026, 12, 31));
        assert_eq!(next_month(december).as_millis(), days_from_civil(2027, 1, 1) * DAY_MS);
    }
}
