//! Typed readers of single variables. What cannot be read is noted by name.

use std::ops::RangeInclusive;
use std::str::FromStr;

use engine::money::MicroUsd;
use url::Url;

pub(super) struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    invalid: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup, invalid: Vec::new() }
    }

    /// The variables that had a value that cannot be used.
    pub(super) fn invalid(self) -> Vec<&'static str> {
        self.invalid
    }

    /// The text, where there is one: an empty variable counts as absent.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|text| !text.is_empty())
    }

    /// What `parse` makes of the text.
    pub(super) fn choice<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let value = parse(text.trim());
        if value.is_none() {
            self.invalid.push(name);
        }
        value
    }

    /// A whole number within `range`.
    pub(super) fn whole<T: FromStr + PartialOrd>(
        &mut self,
        name: &'static str,
        range: RangeInclusive<T>,
    ) -> Option<T> {
        self.choice(name, |text| text.parse().ok().filter(|number| range.contains(number)))
    }

    /// So many a minute; 0 is as many as one likes.
    pub(super) fn rate(&mut self, name: &'static str, default: Option<u32>) -> Option<u32> {
        let found = self.whole(name, 0..=1_000_000);
        found.map_or(default, |rate| Some(rate).filter(|rate| *rate > 0))
    }

    /// An amount of dollars.
    pub(super) fn usd(&mut self, name: &'static str) -> Option<MicroUsd> {
        self.choice(name, |text| text.parse().ok().and_then(MicroUsd::from_usd))
    }

    /// `true` or `false`.
    pub(super) fn yes_or_no(&mut self, name: &'static str) -> Option<bool> {
        self.choice(name, |text| text.parse().ok())
    }

    /// A base URL, without a slash at its end.
    pub(super) fn url(&mut self, name: &'static str) -> Option<String> {
        self.choice(name, |text| {
            let url = Url::parse(text).ok()?;
            let fits = matches!(url.scheme(), "http" | "https") && url.has_host();
            fits.then(|| text.trim_end_matches('/').to_owned())
        })
    }
}
