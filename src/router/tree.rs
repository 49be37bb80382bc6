//! The search tree: a node for each segment of a pattern.

use std::collections::HashMap;
use std::num::NonZeroU32;

use smallvec::SmallVec;

use super::RouteId;
use super::error::InsertError;
use super::literals::Literals;
use super::method::{Method, MethodSet};
use super::params::Params;
use super::pattern::{self, Segment};

/// A node's place in the tree. The root is nobody's child, so `None` costs nothing.
pub(super) type NodeId = NonZeroU32;

/// What a search reads, in one cache line.
#[derive(Default)]
#[repr(align(64))]
struct Node {
    literals: Literals,
    parameter: Option<NodeId>,
    catch_all: Option<NodeId>,
    /// The methods that `routes` holds, `HEAD` included where `GET` answers it.
    methods: MethodSet,
    routes: [RouteId; Method::ALL.len()],
}

impl Node {
    #[inline]
    fn route(&self, method: Option<Method>) -> Option<RouteId> {
        let method = method?;
        self.methods
            .contains(method)
            .then(|| self.routes[method as usize])
    }
}

/// What only insertion reads: where a node comes from.
#[derive(Default)]
struct Origin {
    /// The literal segment, or the name of the parameter or catch-all.
    label: Box<str>,
    /// The pattern that brought the node about.
    pattern: Box<str>,
    /// The patterns of its own routes, where they were inserted; not that of a borrowed `HEAD`.
    routes: HashMap<Method, Box<str>>,
}

/// What a search comes to.
pub(super) enum Found {
    Route(RouteId, Params),
    /// No matching node has the method; together they have these.
    Methods(MethodSet),
}

/// Where a search goes on if what it tried first comes to nothing.
struct Branch {
    node: usize,
    /// The first byte of the node's segment, and the byte after its last one.
    start: usize,
    stop: usize,
    params: usize,
    wildcard: Wildcard,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wildcard {
    Parameter,
    CatchAll,
}

pub(super) struct Tree {
    nodes: Vec<Node>,
    origins: Vec<Origin>,
}

impl Tree {
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![Node::default()],
            origins: vec![Origin::default()],
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
        let mut node = 0;
        for &segment in &segments {
            node = match self.child(node, segment) {
                Some(child) => child.get() as usize,
                None => self.add_child(node, segment, pattern),
            };
        }
        self.origins[node].routes.insert(method, pattern.into());
        let has_head = self.origins[node].routes.contains_key(&Method::Head);
        let node = &mut self.nodes[node];
        node.methods = node.methods.with(method);
        node.routes[method as usize] = id;
        if method == Method::Get && !has_head {
            node.methods = node.methods.with(Method::Head);
            node.routes[Method::Head as usize] = id;
        }
        Ok(())
    }

    /// The pattern of the earlier route that a new one cannot be told apart from.
    fn conflict(&self, method: Method, segments: &[Segment<'_>]) -> Option<&str> {
        let mut node = 0;
        for &segment in segments {
            let child = self.child(node, segment)?.get() as usize;
            let origin = &self.origins[child];
            if segment.text() != &*origin.label {
                return Some(&origin.pattern);
            }
            node = child;
        }
        self.origins[node]
            .routes
            .get(&method)
            .map(|pattern| &**pattern)
    }

    /// The child for a segment of the same kind, whatever the name of a parameter or catch-all.
    fn child(&self, node: usize, segment: Segment<'_>) -> Option<NodeId> {
        let node = &self.nodes[node];
        match segment {
            Segment::Literal(text) => node
                .literals
                .get(text.as_bytes(), |child| self.label(child)),
            Segment::Parameter(_) => node.parameter,
            Segment::CatchAll(_) => node.catch_all,
        }
    }

    fn add_child(&mut self, parent: usize, segment: Segment<'_>, pattern: &str) -> usize {
        let index = self.nodes.len();
        let child = u32::try_from(index).ok().and_then(NodeId::new);
        let child = child.expect("more nodes than 32 bits count do not fit in memory");
        self.nodes.push(Node::default());
        self.origins.push(Origin {
            label: segment.text().into(),
            pattern: pattern.into(),
            routes: HashMap::new(),
        });
        let origins = &self.origins;
        let label = |child: NodeId| origins[child.get() as usize].label.as_bytes();
        let parent = &mut self.nodes[parent];
        match segment {
            Segment::Literal(text) => parent.literals.insert(text.as_bytes(), child, label),
            Segment::Parameter(_) => parent.parameter = Some(child),
            Segment::CatchAll(_) => parent.catch_all = Some(child),
        }
        index
    }

    fn label(&self, node: NodeId) -> &[u8] {
        self.origins[node.get() as usize].label.as_bytes()
    }

    /// Searches the nodes that match `path`, which has no empty segment: literal before parameter
    /// before catch-all, from the first segment on, until one has the method.
    ///
    /// A node is entered at most once, as it has one parent and stands for one place in the path;
    /// so however often the search turns back, it takes no more steps than there are nodes.
    pub(super) fn find(&self, method: Option<Method>, path: &str) -> Found {
        let path = path.as_bytes();
        let end = if path.ends_with(b"/") {
            path.len() - 1
        } else {
            path.len()
        };
        let mut params = Params::default();
        let mut methods = MethodSet::EMPTY;
        let mut branches: SmallVec<[Branch; 4]> = SmallVec::new();
        let mut node = 0;
        let mut start = 1;
        loop {
            let current = &self.nodes[node];
            let mut next = None;
            if start > end {
                if let Some(id) = current.route(method) {
                    return Found::Route(id, params);
                }
                methods = methods.union(current.methods);
            } else {
                let stop = segment_end(path, start, end);
                let branch = |wildcard| Branch {
                    node,
                    start,
                    stop,
                    params: params.len(),
                    wildcard,
                };
                let literal = current
                    .literals
                    .get(&path[start..stop], |child| self.label(child));
                if let Some(child) = literal {
                    if current.parameter.is_some() {
                        branches.push(branch(Wildcard::Parameter));
                    } else if current.catch_all.is_some() {
                        branches.push(branch(Wildcard::CatchAll));
                    }
                    node = child.get() as usize;
                    start = stop + 1;
                    continue;
                }
                if current.parameter.is_some() {
                    next = Some(branch(Wildcard::Parameter));
                } else if current.catch_all.is_some() {
                    next = Some(branch(Wildcard::CatchAll));
                }
            }
            let Some(branch) = next.or_else(|| branches.pop()) else {
                return Found::Methods(methods);
            };
            params.truncate(branch.params);
            let parent = &self.nodes[branch.node];
            let (child, stop) = match branch.wildcard {
                Wildcard::Parameter => {
                    if parent.catch_all.is_some() {
                        branches.push(Branch {
                            wildcard: Wildcard::CatchAll,
                            ..branch
                        });
                    }
                    (parent.parameter, branch.stop)
                }
                Wildcard::CatchAll => (parent.catch_all, end),
            };
            if let Some(child) = child {
                params.push(branch.start, stop);
                node = child.get() as usize;
                start = stop + 1;
            }
        }
    }
}

/// The end of the segment that begins at `start`.
#[inline]
fn segment_end(path: &[u8], start: usize, end: usize) -> usize {
    path[start..end]
        .iter()
        .position(|&byte| byte == b'/')
        .map_or(end, |len| start + len)
}
