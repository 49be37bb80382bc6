//! The routes as a tree: a node for each segment of a pattern. Here they are inserted and checked;
//! [`Index`](super::index::Index) is what searches them.

use std::collections::BTreeMap;

use super::RouteId;
use super::error::InsertError;
use super::method::Method;
use super::pattern::{self, Segment};

/// A node's place in [`Tree::nodes`].
pub(super) type NodeIndex = usize;

/// The root's place.
pub(super) const ROOT: NodeIndex = 0;

#[derive(Default)]
pub(super) struct Node {
    /// The children by segment.
    pub(super) literals: BTreeMap<Box<str>, NodeIndex>,
    pub(super) parameter: Option<Wildcard>,
    pub(super) catch_all: Option<Wildcard>,
    pub(super) routes: BTreeMap<Method, Route>,
}

impl Node {
    /// The only child, if it is a literal one, of a node that has no route.
    pub(super) fn only_way(&self) -> Option<(&str, NodeIndex)> {
        let mut literals = self.literals.iter();
        match (
            literals.next(),
            literals.next(),
            &self.parameter,
            &self.catch_all,
        ) {
            (Some((text, &child)), None, None, None) if self.routes.is_empty() => {
                Some((text, child))
            }
            _ => None,
        }
    }
}

/// A child for a parameter or a catch-all.
pub(super) struct Wildcard {
    pub(super) node: NodeIndex,
    name: Box<str>,
    /// The pattern that named it.
    pattern: Box<str>,
}

pub(super) struct Route {
    pub(super) id: RouteId,
    pattern: Box<str>,
}

pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
}

impl Tree {
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![Node::default()],
        }
    }

    pub(super) fn insert(
        &mut self,
        method: Method,
        pattern: &str,
        id: RouteId,
    ) -> Result<(), InsertError> {
        let segments = pattern::parse(pattern)?;
        // Nothing is added before it is known that all of it can be.
        if let Some(with) = self.conflict(method, &segments) {
            return Err(InsertError::Conflict {
                pattern: pattern.to_owned(),
                with: with.to_owned(),
            });
        }
        let mut node = ROOT;
        for &segment in &segments {
            node = self.child_or_new(node, segment, pattern);
        }
        self.nodes[node].routes.insert(
            method,
            Route {
                id,
                pattern: pattern.into(),
            },
        );
        Ok(())
    }

    /// The pattern of the earlier route that a new one cannot be told apart from.
    fn conflict(&self, method: Method, segments: &[Segment<'_>]) -> Option<&str> {
        let mut node = &self.nodes[ROOT];
        for segment in segments {
            let child = match *segment {
                Segment::Literal(text) => *node.literals.get(text)?,
                Segment::Parameter(name) | Segment::CatchAll(name) => {
                    let wildcard = match segment {
                        Segment::CatchAll(_) => node.catch_all.as_ref()?,
                        _ => node.parameter.as_ref()?,
                    };
                    if *wildcard.name != *name {
                        return Some(&wildcard.pattern);
                    }
                    wildcard.node
                }
            };
            node = &self.nodes[child];
        }
        node.routes.get(&method).map(|route| &*route.pattern)
    }

    fn child_or_new(
        &mut self,
        parent: NodeIndex,
        segment: Segment<'_>,
        pattern: &str,
    ) -> NodeIndex {
        let new = self.nodes.len();
        let wildcard = |name: &str| Wildcard {
            node: new,
            name: name.into(),
            pattern: pattern.into(),
        };
        let parent = &mut self.nodes[parent];
        let child = match segment {
            Segment::Literal(text) => *parent.literals.entry(text.into()).or_insert(new),
            Segment::Parameter(name) => parent.parameter.get_or_insert_with(|| wildcard(name)).node,
            Segment::CatchAll(name) => parent.catch_all.get_or_insert_with(|| wildcard(name)).node,
        };
        if child == new {
            self.nodes.push(Node::default());
        }
        child
    }
}
