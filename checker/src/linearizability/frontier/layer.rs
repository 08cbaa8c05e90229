//! From all configurations found for one event to the few that are worth keeping.

use super::condition::Condition;
use super::config::{Config, DEAD, Used};
use super::mask::Mask;
use super::open::Open;
use crate::linearizability::condition::holds;

/// Up to this many are compared each with each.
const SMALL: usize = 6;

/// Above this many a group is no longer searched for covered ones: that is quadratic.
const GROUP_MAX: usize = 4096;

/// What is kept between calls, so that small layers allocate nothing.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    order: Vec<(u64, i64, u32)>,
}

/// Drops every configuration that another one covers (R7).
///
/// `parents` are carried along when there are any.
pub(super) fn antichain<const W: usize>(
    layer: &mut Vec<Config<W>>,
    mut parents: Option<&mut Vec<u32>>,
    open: &Open<W>,
    optional: Mask<W>,
    used: &Used,
    scratch: &mut Scratch,
) {
    if layer.len() <= SMALL {
        let mut place = 0;
        while place < layer.len() {
            let config = layer[place];
            let others = layer.iter().enumerate().filter(|(other, _)| *other != place);
            if others.into_iter().any(|(_, other)| other.covers(&config, open, optional, used)) {
                layer.swap_remove(place);
                if let Some(parents) = &mut parents {
                    parents.swap_remove(place);
                }
            } else {
                place += 1;
            }
        }
        return;
    }
    // What covers another has the same compare-and-sets placed and a greater strength, so the strong
    // come first and each is held against the kept ones of its group.
    let bound = open.cas.without(optional);
    let order = &mut scratch.order;
    order.clear();
    order.extend(layer.iter().enumerate().map(|(index, config)| {
        let group =
            if bound.is_empty() || !holds(Condition::CoverCas) { 0 } else { (config.done & bound).hash(0) };
        (group, -strength(config, open, used), index as u32)
    }));
    order.sort_unstable();
    let mut kept: Vec<Config<W>> = Vec::with_capacity(layer.len().min(64));
    let mut kept_parents = Vec::new();
    let (mut group, mut group_start) = (None, 0);
    for &(of, _, index) in order.iter() {
        if group != Some(of) {
            (group, group_start) = (Some(of), kept.len());
        }
        let config = &layer[index as usize];
        let first = group_start.max(kept.len().saturating_sub(GROUP_MAX));
        if kept[first..].iter().any(|other| other.covers(config, open, optional, used)) {
            continue;
        }
        kept.push(*config);
        if let Some(parents) = &parents {
            kept_parents.push(parents[index as usize]);
        }
    }
    std::mem::swap(layer, &mut kept);
    if let Some(parents) = &mut parents {
        std::mem::swap(*parents, &mut kept_parents);
    }
}

/// Grows with every step up in the order of covering.
fn strength<const W: usize>(config: &Config<W>, open: &Open<W>, used: &Used) -> i64 {
    let updates = open.writes | open.cas;
    let live = i64::from(config.state != DEAD) << 40;
    let done = config.done & open.all;
    let reads = i64::from(done.without(updates).count());
    let spent = i64::from((done & updates).count()) + i64::from(config.fresh.count());
    live + reads - spent + i64::from(config.known) - i64::from(used.total(config.used))
}

/// Keeps the most promising ones. Whether any were dropped.
pub(super) fn cut<const W: usize>(
    layer: &mut Vec<Config<W>>,
    parents: Option<&mut Vec<u32>>,
    width: usize,
    open: &Open<W>,
    used: &Used,
    scratch: &mut Scratch,
) -> bool {
    if layer.len() <= width {
        return false;
    }
    let order = &mut scratch.order;
    order.clear();
    order.extend(
        layer.iter().enumerate().map(|(index, config)| {
            (u64::from(used.total(config.used)), -promise(config, open), index as u32)
        }),
    );
    order.select_nth_unstable(width);
    order.truncate(width);
    // In the order they were in, which says nothing but is the same every time.
    order.sort_unstable_by_key(|(.., index)| *index);
    for (place, (.., index)) in order.iter().enumerate() {
        layer[place] = layer[*index as usize];
    }
    layer.truncate(width);
    if let Some(parents) = parents {
        for (place, (.., index)) in order.iter().enumerate() {
            parents[place] = parents[*index as usize];
        }
        parents.truncate(width);
    }
    true
}

fn promise<const W: usize>(config: &Config<W>, open: &Open<W>) -> i64 {
    let done = config.done & open.all;
    let reads = i64::from(done.without(open.writes | open.cas).count());
    let writes = i64::from((done & open.writes).count());
    let cas = i64::from((done & open.cas).count());
    2 * reads + 2 * cas - writes - i64::from(config.fresh.count()) + i64::from(config.state != DEAD)
}
