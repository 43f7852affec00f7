//! Places tables in columns, the referenced ones to the left of those that reference them, and routes the references between them
//! (Sugiyama's method). References to the same table share their way. The same input gives the same output on each machine.

use std::collections::{BTreeMap, HashMap};

/// The space between two columns, in which references change their height.
pub(super) const GUTTER: f64 = 96.0;
/// The space between two tables of a column.
const GAP: f64 = 30.0;
/// The height of a reference that passes a column.
const LANE: f64 = 14.0;
/// The wanted ratio of width to height.
const ASPECT: f64 = 1.5;
/// The number of passes that order the columns.
const SWEEPS: usize = 12;

/// A table to place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) cluster: usize,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// A reference from one table to another, each with the height of its end below the table's top.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) from_y: f64,
    pub(super) to: usize,
    pub(super) to_y: f64,
    /// Only references with the same one share a way.
    pub(super) bundle: usize,
}

/// The end of a reference at a table, and whether it leaves to the right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct End {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) right: bool,
}

/// A routed reference.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) from: End,
    pub(super) to: End,
    /// The straight parts between both ends: from and to these points.
    pub(super) lanes: Vec<[(f64, f64); 2]>,
}

/// Placed tables and routes.
#[derive(Debug, Default)]
pub(super) struct Placed {
    /// The left upper corner of each table.
    pub(super) corners: Vec<(f64, f64)>,
    /// The left and right border of each cluster.
    pub(super) clusters: Vec<(f64, f64)>,
    pub(super) routes: Vec<Route>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// What stands in a column.
#[derive(Debug, Clone)]
struct Item {
    /// The table; `None` for passing references.
    node: Option<usize>,
    height: f64,
    /// The middle.
    y: f64,
    /// The items of the neighbouring columns, by column and index.
    neighbours: Vec<(usize, usize)>,
}

/// Places the tables.
pub(super) fn place(nodes: &[Node], edges: &[Edge], clusters: usize) -> Placed {
    let columns = assign(nodes, edges, clusters);
    let count = columns.iter().map(|column| column + 1).max().unwrap_or_default();
    let mut items: Vec<Vec<Item>> = vec![Vec::new(); count];
    let mut of_node = Vec::new();
    for (node, column) in columns.iter().enumerate() {
        of_node.push((*column, items[*column].len()));
        let height = nodes[node].height;
        items[*column].push(Item { node: Some(node), height, y: 0.0, neighbours: Vec::new() });
    }
    let chains = add_lanes(edges, &of_node, &mut items);
    order(&mut items);
    let mut placed = Placed { corners: vec![(0.0, 0.0); nodes.len()], ..Placed::default() };
    let mut borders = Vec::new();
    let mut x = 0.0;
    for column in &items {
        let width = column.iter().filter_map(|item| Some(nodes[item.node?].width)).fold(120.0, f64::max);
        borders.push((x, x + width));
        for item in column {
            if let Some(node) = item.node {
                // Against the right border, so that references to it are short.
                placed.corners[node] = (x + width - nodes[node].width, item.y - item.height / 2.0);
            }
        }
        x += width + GUTTER;
    }
    placed.width = (x - GUTTER).max(0.0);
    let bottoms = items.iter().flatten().map(|item| item.y + item.height / 2.0);
    placed.height = bottoms.fold(0.0, f64::max);
    placed.clusters = (0..clusters)
        .map(|cluster| {
            let own =
                (0..nodes.len()).filter(|node| nodes[*node].cluster == cluster).map(|node| columns[node]);
            let (first, last) = own.fold((count, 0), |(first, last), at| (first.min(at), last.max(at)));
            borders.get(first).zip(borders.get(last)).map_or((0.0, 0.0), |(first, last)| (first.0, last.1))
        })
        .collect();
    let route = |(edge, chain): (&Edge, &Vec<(usize, usize)>)| {
        let (from, to) = (columns[edge.from], columns[edge.to]);
        let end = |node: usize, y: f64, right: bool| {
            let (x, top) = placed.corners[node];
            End { x: if right { x + nodes[node].width } else { x }, y: top + y, right }
        };
        let lanes = chain.iter().map(|(column, at)| {
            let (left, right) = borders[*column];
            let y = items[*column][*at].y;
            if from > to { [(right, y), (left, y)] } else { [(left, y), (right, y)] }
        });
        Route {
            from: end(edge.from, edge.from_y, from <= to),
            to: end(edge.to, edge.to_y, from >= to),
            lanes: lanes.collect(),
        }
    };
    placed.routes = edges.iter().zip(&chains).map(route).collect();
    placed
}

/// The column of each table. A cluster's columns are next to each other; in it, a table is to the right of those that it references,
/// unless they reference each other, in the first column that is not too high.
fn assign(nodes: &[Node], edges: &[Edge], clusters: usize) -> Vec<usize> {
    let area: f64 = nodes.iter().map(|node| (node.width + GUTTER) * (node.height + GAP)).sum();
    let highest = nodes.iter().map(|node| node.height).fold(0.0, f64::max);
    let limit = (area / ASPECT).sqrt().max(highest);
    let mut referenced: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for edge in edges.iter().filter(|edge| nodes[edge.from].cluster == nodes[edge.to].cluster) {
        if edge.from != edge.to {
            referenced[edge.from].push(edge.to);
        }
    }
    let levels = levels(&referenced);
    let mut columns: Vec<Option<usize>> = vec![None; nodes.len()];
    let mut begin = 0;
    for cluster in 0..clusters {
        let mut own: Vec<usize> = (0..nodes.len()).filter(|node| nodes[*node].cluster == cluster).collect();
        own.sort_by_key(|node| (levels[*node], *node));
        let mut heights: Vec<f64> = Vec::new();
        for node in own {
            let least = referenced[node].iter().filter_map(|other| Some(columns[*other]? + 1 - begin)).max();
            let least = least.unwrap_or_default();
            let height = nodes[node].height + GAP;
            let fits =
                |at: &usize| heights.get(*at).is_none_or(|used| *used == 0.0 || used + height <= limit);
            // A further column is empty, and fits.
            let at = (least..=heights.len().max(least)).find(fits).unwrap_or(least);
            if heights.len() <= at {
                heights.resize(at + 1, 0.0);
            }
            heights[at] += height;
            columns[node] = Some(begin + at);
        }
        begin += heights.len();
    }
    columns.into_iter().map(Option::unwrap_or_default).collect()
}

/// The length of the longest chain of references from each table. A reference that closes a circle does not count.
fn levels(referenced: &[Vec<usize>]) -> Vec<usize> {
    let mut levels: Vec<Option<usize>> = vec![None; referenced.len()];
    for start in 0..referenced.len() {
        // Depth-first without recursion: the table, and which of its references comes next.
        let mut path = if levels[start].is_none() { vec![(start, 0)] } else { Vec::new() };
        while let Some((node, next)) = path.pop() {
            if let Some(other) = referenced[node].get(next) {
                path.push((node, next + 1));
                let is_open = path.iter().any(|(open, _)| open == other);
                if levels[*other].is_none() && !is_open {
                    path.push((*other, 0));
                }
            } else {
                let below = referenced[node].iter().filter_map(|other| levels[*other]).max();
                levels[node] = Some(below.map_or(0, |level| level + 1));
            }
        }
    }
    levels.into_iter().map(Option::unwrap_or_default).collect()
}

/// Adds an item to each column that a reference passes. Returns these of each reference, in the direction of the reference.
fn add_lanes(
    edges: &[Edge],
    of_node: &[(usize, usize)],
    items: &mut [Vec<Item>],
) -> Vec<Vec<(usize, usize)>> {
    let mut shared: HashMap<(usize, usize, usize, bool), usize> = HashMap::new();
    let mut chains = Vec::new();
    for edge in edges {
        let (from, to) = (of_node[edge.from], of_node[edge.to]);
        let mut between: Vec<usize> = (from.0.min(to.0) + 1..from.0.max(to.0)).collect();
        if from.0 > to.0 {
            between.reverse();
        }
        let mut chain = Vec::new();
        for column in between {
            let key = (edge.to, edge.bundle, column, from.0 > to.0);
            let at = *shared.entry(key).or_insert_with(|| {
                items[column].push(Item { node: None, height: LANE, y: 0.0, neighbours: Vec::new() });
                items[column].len() - 1
            });
            chain.push((column, at));
        }
        if from.0 != to.0 {
            let whole: Vec<_> = [from].into_iter().chain(chain.iter().copied()).chain([to]).collect();
            for pair in whole.windows(2) {
                items[pair[0].0][pair[0].1].neighbours.push(pair[1]);
                items[pair[1].0][pair[1].1].neighbours.push(pair[0]);
            }
        }
        chains.push(chain);
    }
    chains
}

/// Orders each column by the heights of its items' neighbours, from left to right and back.
fn order(items: &mut [Vec<Item>]) {
    let total = |column: &[Item]| column.iter().map(|item| item.height + GAP).sum::<f64>() - GAP;
    let highest = items.iter().map(|column| total(column)).fold(0.0, f64::max);
    for column in items.iter_mut() {
        stack(column, highest);
    }
    for sweep in 0..SWEEPS {
        let columns: Vec<usize> = match sweep % 2 {
            0 => (0..items.len()).collect(),
            _ => (0..items.len()).rev().collect(),
        };
        for at in columns {
            let heights: BTreeMap<usize, f64> = (0..items[at].len())
                .filter_map(|index| {
                    let neighbours = &items[at][index].neighbours;
                    // In the last passes both sides count.
                    let sides = neighbours
                        .iter()
                        .filter(|(column, _)| sweep + 4 >= SWEEPS || (*column < at) == (sweep % 2 == 0));
                    let (sum, count) = sides.fold((0.0, 0.0), |(sum, count), (column, other)| {
                        (sum + items[*column][*other].y, count + 1.0)
                    });
                    (count > 0.0).then_some((index, sum / count))
                })
                .collect();
            for (index, y) in heights {
                items[at][index].y = y;
            }
            stack(&mut items[at], highest);
        }
    }
}

/// Moves the items of a column apart, as little as possible, in the order of their heights (isotonic regression).
fn stack(column: &mut [Item], highest: f64) {
    let mut sorted: Vec<usize> = (0..column.len()).collect();
    sorted.sort_by(|one, other| column[*one].y.total_cmp(&column[*other].y).then(one.cmp(other)));
    let mut offsets = Vec::new();
    let mut used = 0.0;
    for at in &sorted {
        offsets.push(used + column[*at].height / 2.0);
        used += column[*at].height + GAP;
    }
    // Blocks of items that touch: their mean height, and their number.
    let mut blocks: Vec<(f64, f64)> = Vec::new();
    for (at, offset) in sorted.iter().zip(&offsets) {
        blocks.push((column[*at].y - offset, 1.0));
        while let [.., (before, many), (mean, count)] = blocks[..]
            && before > mean
        {
            blocks.truncate(blocks.len() - 2);
            blocks.push(((before * many + mean * count) / (many + count), many + count));
        }
    }
    let room = (highest - (used - GAP)).max(0.0);
    let mut places = sorted.iter().zip(&offsets);
    for (mean, count) in blocks {
        let mut left = count;
        while left > 0.0 {
            if let Some((at, offset)) = places.next() {
                column[*at].y = mean.clamp(0.0, room) + offset;
            }
            left -= 1.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(cluster: usize) -> Node {
        Node { cluster, width: 100.0, height: 80.0 }
    }

    fn edge(from: usize, to: usize) -> Edge {
        Edge { from, from_y: 10.0, to, to_y: 10.0, bundle: 0 }
    }

    #[test]
    fn tables_do_not_overlap_and_references_point_left() {
        let nodes: Vec<Node> = (0..60).map(|at| node(at / 20)).collect();
        let edges: Vec<Edge> = (1..60).map(|at| edge(at, at / 3)).chain([edge(5, 5), edge(0, 9)]).collect();
        let placed = place(&nodes, &edges, 3);
        for one in 0..60 {
            let (x, y) = placed.corners[one];
            assert!(x >= 0.0 && y >= -0.1 && x + 100.0 <= placed.width && y + 80.0 <= placed.height + 0.1);
            for other in 0..one {
                let (left, top) = placed.corners[other];
                assert!((x - left).abs() >= 100.0 || (y - top).abs() >= 80.0, "{one} {other}");
            }
        }
        assert!(placed.clusters.windows(2).all(|pair| pair[0].1 < pair[1].0));
        // The way of the reference from one cluster to the first passes no table.
        for lane in placed.routes.iter().flat_map(|route| &route.lanes) {
            let middle = f64::midpoint(lane[0].0, lane[1].0);
            let passes = |(x, y): &(f64, f64)| {
                *x < middle && middle < x + 100.0 && *y < lane[0].1 && lane[0].1 < y + 80.0
            };
            assert!(!placed.corners.iter().any(passes));
        }
    }

    #[test]
    fn circles_and_nothing_are_placed() {
        assert_eq!(place(&[], &[], 0).corners, []);
        let placed = place(&[node(0), node(0), node(0)], &[edge(0, 1), edge(1, 2), edge(2, 0)], 1);
        assert_eq!(placed.routes.len(), 3);
    }
}
