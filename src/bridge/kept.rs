//! The header sections that JavaScript keeps, so that they cross once.

use crate::header_section::RepeatedFields;

/// How many it keeps.
const PLACES: usize = 256;

/// How the fields of a header section that comes again cross.
#[derive(Debug, PartialEq)]
pub(super) enum Crossing {
    /// JavaScript has them at this place.
    Kept(u32),
    /// With the request, for JavaScript to keep at this place.
    Keep(u32),
    /// With the request.
    Once,
}

#[derive(Clone, Copy, Default)]
struct Place {
    /// Of the section that is kept there; 0 where there is none.
    number: u64,
    /// It has come, or crossed, since another one wanted its place.
    is_in_use: bool,
}

/// What JavaScript keeps, as far as this side has told it.
pub(super) struct KeptSections {
    places: [Place; PLACES],
}

impl Default for KeptSections {
    fn default() -> Self {
        Self {
            places: [Place::default(); PLACES],
        }
    }
}

impl KeptSections {
    /// How `fields` are to cross with the next request. Where more clients take turns than there are places, those
    /// that have one keep it: to keep costs more than to cross.
    pub(super) fn cross(&mut self, fields: &RepeatedFields) -> Crossing {
        let number = fields.number();
        let index = number as usize % PLACES;
        let place = &mut self.places[index];
        // No place is `NOT_KEPT`.
        let name = index as u32 + 1;
        if place.number == number {
            place.is_in_use = true;
            return Crossing::Kept(name);
        }
        if std::mem::take(&mut place.is_in_use) {
            return Crossing::Once;
        }
        *place = Place {
            number,
            is_in_use: true,
        };
        Crossing::Keep(name)
    }
}
