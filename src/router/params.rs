//! Where the parameters of a match lie in its path.

use smallvec::SmallVec;

use super::path::CanonicalPath;

/// The values of a route's parameters, in the order of its pattern, as byte ranges of the
/// [`CanonicalPath`] that was looked up. Four or fewer take no allocation.
///
/// Names are not repeated here: [`parameter_names`](super::parameter_names) gives them, in the same
/// order, once for a pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(SmallVec<[(u32, u32); 4]>);

impl Params {
    /// How many parameters the route has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the route has no parameters.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first byte of each value and the byte after its last one.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u32, u32)> {
        self.0.iter().copied()
    }

    /// The value at `index`, or `None` where there is no such parameter, or where `path` is not
    /// the one that was looked up and has no such range.
    pub fn get<'p>(&self, index: usize, path: &'p CanonicalPath<'_>) -> Option<&'p str> {
        let &(start, end) = self.0.get(index)?;
        path.as_str().get(start as usize..end as usize)
    }

    pub(super) fn push(&mut self, start: usize, end: usize) {
        // `canonicalize` refuses paths whose offsets do not fit.
        self.0.push((start as u32, end as u32));
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }
}
