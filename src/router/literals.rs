//! The literal children of a node, found by their segment.

use super::tree::NodeId;

/// Up to this many children are compared one by one: hashing the segment would cost more.
const SCANNED: usize = 4;

/// A segment by its length and its outer sixteen bytes, which overlap in a shorter one. Two
/// segments of up to sixteen bytes are equal exactly where their keys are.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    head: u64,
    tail: u64,
    len: u32,
}

impl Key {
    #[inline]
    fn new(segment: &[u8]) -> Self {
        let (head, tail) =
            if let (Some(head), Some(tail)) = (segment.first_chunk(), segment.last_chunk()) {
                (u64::from_le_bytes(*head), u64::from_le_bytes(*tail))
            } else if let (Some(head), Some(tail)) = (segment.first_chunk(), segment.last_chunk()) {
                (
                    u64::from(u32::from_le_bytes(*head)),
                    u64::from(u32::from_le_bytes(*tail)),
                )
            } else {
                let byte = |at: usize| segment.get(at).copied().map_or(0, u64::from);
                (byte(0) | byte(1) << 8 | byte(2) << 16, 0)
            };
        Self {
            head,
            tail,
            len: segment.len() as u32,
        }
    }

    fn is_whole(self) -> bool {
        self.len <= 16
    }

    /// A hash of the whole segment. Its keys come from the developer, not from the client, so it
    /// need not resist chosen ones.
    #[inline]
    fn hash(self, segment: &[u8]) -> usize {
        let mut hash = fold(self.head ^ u64::from(self.len), self.tail);
        if !self.is_whole() {
            for chunk in segment[8..segment.len() - 8].chunks(8) {
                hash = fold(hash, Self::new(chunk).head);
            }
        }
        hash as usize
    }
}

/// Multiplies into 128 bits and folds them, which lets every bit of both reach every bit.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0x9e37_79b9_7f4a_7c15) * u128::from(b ^ 0xd1b5_4a32_d192_ed03);
    product as u64 ^ (product >> 64) as u64
}

#[derive(Clone, Copy)]
struct Slot {
    key: Key,
    child: Option<NodeId>,
}

const VACANT: Slot = Slot {
    key: Key {
        head: 0,
        tail: 0,
        len: 0,
    },
    child: None,
};

/// A map from segments to children: a list while it is small, then an open-addressed hash table
/// that is at most half full.
#[derive(Default)]
pub(super) struct Literals {
    slots: Box<[Slot]>,
    len: u32,
}

impl Literals {
    /// The child of `segment`. `label` gives a child's own segment, which is read only where
    /// `segment` has more than sixteen bytes.
    #[inline]
    pub(super) fn get<'l>(
        &self,
        segment: &[u8],
        label: impl Fn(NodeId) -> &'l [u8],
    ) -> Option<NodeId> {
        if self.slots.is_empty() {
            return None;
        }
        let key = Key::new(segment);
        let is_match = |slot: &Slot| {
            slot.key == key
                && (key.is_whole() || slot.child.is_some_and(|child| label(child) == segment))
        };
        if self.slots.len() <= SCANNED {
            return self.slots.iter().find(|slot| is_match(slot))?.child;
        }
        let mask = self.slots.len() - 1;
        let mut index = key.hash(segment) & mask;
        loop {
            let slot = &self.slots[index];
            slot.child?;
            if is_match(slot) {
                return slot.child;
            }
            index = (index + 1) & mask;
        }
    }

    /// Adds a segment that has no child yet. `label` is that of [`get`](Self::get).
    pub(super) fn insert<'l>(
        &mut self,
        segment: &[u8],
        child: NodeId,
        label: impl Fn(NodeId) -> &'l [u8],
    ) {
        let slot = Slot {
            key: Key::new(segment),
            child: Some(child),
        };
        self.len += 1;
        let len = self.len as usize;
        if len <= SCANNED {
            let mut slots = std::mem::take(&mut self.slots).into_vec();
            slots.push(slot);
            self.slots = slots.into();
            return;
        }
        if len * 2 > self.slots.len() {
            let capacity = (len * 4).next_power_of_two();
            let former = std::mem::replace(&mut self.slots, vec![VACANT; capacity].into());
            for slot in former {
                if let Some(child) = slot.child {
                    self.place(slot, label(child));
                }
            }
        }
        self.place(slot, segment);
    }

    fn place(&mut self, slot: Slot, segment: &[u8]) {
        let mask = self.slots.len() - 1;
        let mut index = slot.key.hash(segment) & mask;
        while self.slots[index].child.is_some() {
            index = (index + 1) & mask;
        }
        self.slots[index] = slot;
    }
}
