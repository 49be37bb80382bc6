//! The routes laid out for searching.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::RouteId;
use super::method::{Method, MethodSet};
use super::params::Params;
use super::segment::segment_end;
use super::table::{NodeId, Slots, Table};
use super::tree::{self, ROOT, Tree};

/// What a search reads of a node, within one cache line.
#[derive(Default)]
#[repr(align(64))]
struct Node {
    /// The literal children. A single one's text may be of several segments.
    literals: Slots,
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

/// Where a search goes on if what it tried first comes to nothing.
struct Branch {
    node: u32,
    /// Where the segment begins.
    start: u32,
    /// How many parameters there were.
    params: u32,
    next: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Literal,
    Parameter,
    CatchAll,
}

pub(super) struct Index {
    nodes: Vec<Node>,
    table: Table,
    /// The nodes of routes that are literal throughout, by their path without its first slash: no
    /// other pattern comes before such a route.
    literal_routes: Slots,
    /// Bit n: whether one of these paths is n bytes long, or for the highest bit that long or longer.
    literal_lengths: u64,
    /// No route matches a path of more segments.
    depth: u32,
}

impl Index {
    /// How many segments a path can have that a route matches.
    #[inline]
    pub(super) fn depth(&self) -> u32 {
        self.depth
    }

    /// Searches the nodes that match `path`, which has no empty segment: literal before parameter
    /// before catch-all, from the first segment on, until one has the method.
    ///
    /// A node is entered at most once, as it has one parent and stands for one place in the path;
    /// so however often the search turns back, it takes no more steps than there are nodes, each as
    /// long as a segment.
    ///
    /// # Errors
    ///
    /// The methods of all the nodes that match, none of which is the one asked for.
    #[inline]
    pub(super) fn find(
        &self,
        method: Option<Method>,
        path: &str,
        params: &mut Params,
    ) -> Result<RouteId, MethodSet> {
        let path = path.as_bytes();
        let end = if path.ends_with(b"/") {
            path.len() - 1
        } else {
            path.len()
        };
        if let Some(id) = self.literal_route(method, path, end) {
            return Ok(id);
        }
        let mut methods = MethodSet::EMPTY;
        let mut branches: SmallVec<[Branch; 4]> = SmallVec::new();
        let mut node = 0;
        let mut start = 1;
        let mut kind = Kind::Literal;
        loop {
            let current = &self.nodes[node as usize];
            if start > end {
                if let Some(id) = current.route(method) {
                    return Ok(id);
                }
                methods = methods.union(current.methods);
            } else {
                let branch = |next| Branch {
                    node,
                    start: start as u32,
                    params: params.len() as u32,
                    next,
                };
                if kind == Kind::Literal
                    && let Some((child, stop)) = self.table.step(current.literals, path, start, end)
                {
                    if current.parameter.is_some() || current.catch_all.is_some() {
                        branches.push(branch(Kind::Parameter));
                    }
                    node = child.get();
                    start = stop + 1;
                    continue;
                }
                if kind <= Kind::Parameter
                    && let Some(child) = current.parameter
                {
                    if current.catch_all.is_some() {
                        branches.push(branch(Kind::CatchAll));
                    }
                    let stop = segment_end(path, start, end);
                    params.push(start, stop);
                    node = child.get();
                    start = stop + 1;
                    kind = Kind::Literal;
                    continue;
                }
                if let Some(child) = current.catch_all {
                    params.push(start, end);
                    node = child.get();
                    start = end + 1;
                    kind = Kind::Literal;
                    continue;
                }
            }
            let Some(branch) = branches.pop() else {
                return Err(methods);
            };
            node = branch.node;
            start = branch.start as usize;
            kind = branch.next;
            params.truncate(branch.params as usize);
        }
    }

    /// The route whose pattern is `path` itself, up to `end`.
    #[inline]
    fn literal_route(&self, method: Option<Method>, path: &[u8], end: usize) -> Option<RouteId> {
        if self.literal_lengths & length_bit(end) == 0 {
            return None;
        }
        let node = self.table.get(self.literal_routes, path.get(1..end)?)?;
        self.nodes[node.get() as usize].route(method)
    }
}

#[inline]
fn length_bit(len: usize) -> u64 {
    1 << len.min(63)
}

/// What is still to be laid out: a node of the tree, and its path if that is literal throughout.
struct Pending {
    source: tree::NodeIndex,
    path: Option<String>,
    depth: u32,
}

impl From<&Tree> for Index {
    fn from(tree: &Tree) -> Self {
        let mut nodes = vec![Node::default()];
        let mut table = Table::default();
        let mut literal_routes = Vec::new();
        let mut literal_lengths = 0;
        let mut pending = VecDeque::from([Pending {
            source: ROOT,
            path: Some(String::new()),
            depth: 0,
        }]);
        let mut deepest = 0;
        let mut at = 0;
        while let Some(Pending {
            source,
            path,
            depth,
        }) = pending.pop_front()
        {
            let source = &tree.nodes[source];
            deepest = deepest.max(depth);
            let mut add = |source, path, depth| {
                let id = u32::try_from(nodes.len()).ok().and_then(NodeId::new);
                nodes.push(Node::default());
                pending.push_back(Pending {
                    source,
                    path,
                    depth,
                });
                id.expect("more nodes than 32 bits can count do not fit in memory")
            };
            let mut literals = Vec::new();
            for (text, child) in literal_children(tree, source) {
                let path = path.as_ref().map(|path| format!("{path}/{text}"));
                let segments = 1 + text.matches('/').count() as u32;
                literals.push((text, add(child, path, depth + segments)));
            }
            let parameter = source
                .parameter
                .as_ref()
                .map(|wildcard| add(wildcard.node, None, depth + 1));
            let catch_all = source
                .catch_all
                .as_ref()
                .map(|wildcard| add(wildcard.node, None, u32::MAX));
            if let (Some(path), Some(id)) = (path, NodeId::new(at))
                && !source.routes.is_empty()
            {
                literal_lengths |= length_bit(path.len());
                literal_routes.push((path[1..].to_owned(), id));
            }
            let (methods, routes) = routes(source);
            let literals = table.add(literals);
            nodes[at as usize] = Node {
                literals,
                parameter,
                catch_all,
                methods,
                routes,
            };
            at += 1;
        }
        Self {
            nodes,
            literal_routes: table.add(literal_routes),
            table,
            literal_lengths,
            depth: deepest,
        }
    }
}

/// A node's own routes, with `HEAD` where `GET` answers it.
fn routes(source: &tree::Node) -> (MethodSet, [RouteId; Method::ALL.len()]) {
    let mut methods = MethodSet::EMPTY;
    let mut routes = [RouteId::default(); Method::ALL.len()];
    let get = source
        .routes
        .get(&Method::Get)
        .map(|get| (&Method::Head, get));
    for (&method, route) in get.into_iter().chain(&source.routes) {
        methods = methods.with(method);
        routes[method as usize] = route.id;
    }
    (methods, routes)
}

/// The literal children of a node, and the texts that lead to them. An only child's leads on to the
/// first node where there is a choice or a route.
fn literal_children(tree: &Tree, node: &tree::Node) -> Vec<(String, tree::NodeIndex)> {
    let children = node
        .literals
        .iter()
        .map(|(text, &child)| (text.to_string(), child));
    let mut children: Vec<(String, tree::NodeIndex)> = children.collect();
    if let [(text, child)] = &mut children[..] {
        while let Some((segment, next)) = tree.nodes[*child].only_way() {
            text.push('/');
            text.push_str(segment);
            *child = next;
        }
    }
    children
}
