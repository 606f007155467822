//! Numbers sources in the order in which a report first cites them.

/// The sources cited so far.
#[derive(Debug, Default)]
pub struct Citations {
    places: Vec<usize>,
}

impl Citations {
    /// The number of a source, from 1.
    pub fn cite(&mut self, place: usize) -> usize {
        match self.places.iter().position(|known| *known == place) {
            Some(index) => index + 1,
            None => {
                self.places.push(place);
                self.places.len()
            }
        }
    }

    /// The numbers of several sources, ascending.
    pub fn cite_all(&mut self, places: &[usize]) -> Vec<usize> {
        let mut numbers: Vec<usize> = places.iter().map(|place| self.cite(*place)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    pub fn places(&self) -> &[usize] {
        &self.places
    }

    pub fn into_places(self) -> Vec<usize> {
        self.places
    }
}

#[cfg(test)]
mod tests {
    use super::Citations;

    #[test]
    fn numbers_follow_the_first_mention() {
        let mut citations = Citations::default();
        assert_eq!((citations.cite(7), citations.cite(3), citations.cite(7)), (1, 2, 1));
        assert_eq!(citations.cite_all(&[9, 7, 9]), [1, 3]);
        assert_eq!(citations.into_places(), [7, 3, 9]);
    }
}
