//! Maps from texts to nodes, all in one allocation.

use std::num::NonZeroU32;

use super::segment::{Key, segment_end};

/// A node's place in the index. The root is nobody's child, so `None` costs nothing.
pub(super) type NodeId = NonZeroU32;

/// One map's slots: its only text, or a hash table, open-addressed and no more than half full. There is
/// no list for few texts: which of them it is would be a branch that cannot be predicted.
#[derive(Clone, Copy, Default)]
pub(super) struct Slots {
    first: u32,
    count: u32,
    /// Which first bytes the texts have, by their lowest six bits: most that is not there is told from
    /// that alone.
    initials: u64,
}

impl Slots {
    #[inline]
    fn may_begin_with(self, byte: u8) -> bool {
        self.initials >> (byte & 63) & 1 != 0
    }
}

/// A text and its node; none in a vacant slot of a hash table.
#[derive(Clone, Copy, Default)]
struct Slot {
    key: Key,
    node: Option<NodeId>,
    /// Where the whole text begins in [`Table::texts`].
    text: u32,
}

#[derive(Default)]
pub(super) struct Table {
    slots: Vec<Slot>,
    texts: Vec<u8>,
}

impl Table {
    /// Adds a map of texts that differ from each other.
    pub(super) fn add(&mut self, entries: Vec<(String, NodeId)>) -> Slots {
        let first = self.slots.len();
        let count = match entries.len() {
            len @ 0..=1 => len,
            len => (2 * len).next_power_of_two(),
        };
        self.slots.resize(first + count, Slot::default());
        let mut initials = 0;
        for (text, node) in entries {
            let text = text.as_bytes();
            initials |= text.first().map_or(0, |byte| 1 << (byte & 63));
            let key = Key::new(text);
            let slots = &mut self.slots[first..];
            let mut at = key.hash(text) & (count - 1);
            while slots[at].node.is_some() {
                at = (at + 1) & (count - 1);
            }
            slots[at] = Slot {
                key,
                node: Some(node),
                text: self.texts.len() as u32,
            };
            self.texts.extend_from_slice(text);
        }
        Slots {
            first: first as u32,
            count: count as u32,
            initials,
        }
    }

    /// The node of a map's `text`.
    #[inline]
    pub(super) fn get(&self, map: Slots, text: &[u8]) -> Option<NodeId> {
        self.search(self.slots(map), text)
    }

    /// The node for the segments of `path` from `start` on, and where they end: one segment, or those
    /// of a map's only text. `end` is where the last segment of the path ends.
    #[inline]
    pub(super) fn step(
        &self,
        map: Slots,
        path: &[u8],
        start: usize,
        end: usize,
    ) -> Option<(NodeId, usize)> {
        if !map.may_begin_with(*path.get(start)?) {
            return None;
        }
        match self.slots(map) {
            [only] => {
                let stop = start + only.key.len();
                if stop != end && path.get(stop) != Some(&b'/') {
                    return None;
                }
                let text = path.get(start..stop)?;
                let node = only.node?;
                self.is_match(only, Key::new(text), text)
                    .then_some((node, stop))
            }
            slots => {
                let stop = segment_end(path, start, end);
                Some((self.search(slots, path.get(start..stop)?)?, stop))
            }
        }
    }

    #[inline]
    fn search(&self, slots: &[Slot], text: &[u8]) -> Option<NodeId> {
        let key = Key::new(text);
        if let [only] = slots {
            return only.node.filter(|_| self.is_match(only, key, text));
        }
        let mut at = key.hash(text);
        loop {
            let slot = slots.get(at & slots.len().wrapping_sub(1))?;
            slot.node?;
            if self.is_match(slot, key, text) {
                return slot.node;
            }
            at += 1;
        }
    }

    #[inline]
    fn slots(&self, map: Slots) -> &[Slot] {
        &self.slots[map.first as usize..][..map.count as usize]
    }

    #[inline]
    fn is_match(&self, slot: &Slot, key: Key, text: &[u8]) -> bool {
        slot.key == key && (key.is_whole() || self.texts[slot.text as usize..].starts_with(text))
    }
}
