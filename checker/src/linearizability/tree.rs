//! Two trees over a row of places: the least of a range, and how often each place is covered.

use super::partition::NEVER;

/// A row of numbers, of which the least of any range is found quickly.
pub(crate) struct Least {
    size: usize,
    /// A heap of places: `size..` are the numbers, each other node is the least of its two children.
    nodes: Vec<u32>,
}

impl Least {
    pub(crate) fn new(numbers: Vec<u32>) -> Self {
        let size = numbers.len().next_power_of_two();
        let mut nodes = vec![NEVER; size];
        nodes.extend(&numbers);
        nodes.resize(2 * size, NEVER);
        for node in (1..size).rev() {
            nodes[node] = nodes[2 * node].min(nodes[2 * node + 1]);
        }
        Self { size, nodes }
    }

    pub(crate) fn get(&self, place: usize) -> u32 {
        self.nodes[self.size + place]
    }

    pub(crate) fn set(&mut self, place: usize, number: u32) {
        let mut node = self.size + place;
        self.nodes[node] = number;
        while node > 1 {
            node /= 2;
            self.nodes[node] = self.nodes[2 * node].min(self.nodes[2 * node + 1]);
        }
    }

    /// The least number of a range and a place where it is; none if there are only [`NEVER`]s.
    pub(crate) fn least(&self, from: usize, to: usize) -> Option<(usize, u32)> {
        let (mut low, mut high) = (from + self.size, to + self.size);
        let mut best = 0;
        let mut least = NEVER;
        while low < high {
            for node in
                [(low % 2 == 1).then_some(low), (high % 2 == 1).then_some(high - 1)].into_iter().flatten()
            {
                if self.nodes[node] < least {
                    (best, least) = (node, self.nodes[node]);
                }
            }
            (low, high) = (low.div_ceil(2), high / 2);
        }
        if least == NEVER {
            return None;
        }
        while best < self.size {
            best = if self.nodes[2 * best] == least { 2 * best } else { 2 * best + 1 };
        }
        Some((best - self.size, least))
    }
}

/// How often each of a row of places is covered, less and less often.
pub(crate) struct Coverage {
    size: usize,
    /// What to add for everything below a node.
    added: Vec<i32>,
    /// The least below a node, with what is added there; places that were found free count as covered
    /// for ever, so that each is found once.
    least: Vec<i32>,
}

/// More than anything can be covered.
const FOUND: i32 = i32::MAX / 2;

impl Coverage {
    /// Places `0..places`, covered by these spans (the end is not covered).
    pub(crate) fn new(places: usize, spans: &[(usize, usize)]) -> Self {
        let size = places.next_power_of_two();
        let mut counts = vec![0; places + 1];
        for (from, to) in spans {
            counts[*from] += 1;
            counts[*to] -= 1;
        }
        let mut least = vec![FOUND; 2 * size];
        let mut count = 0;
        for place in 0..places {
            count += counts[place];
            least[size + place] = count;
        }
        for node in (1..size).rev() {
            least[node] = least[2 * node].min(least[2 * node + 1]);
        }
        Self { size, added: vec![0; 2 * size], least }
    }

    /// Takes one span away.
    pub(crate) fn remove(&mut self, from: usize, to: usize) {
        self.add(1, 0, self.size, from, to, -1);
    }

    /// The first run of covered places within a range that holds whole runs; the rest of the range goes
    /// to `rest`. Free places are not looked at again.
    pub(crate) fn first_run(
        &mut self,
        from: usize,
        to: usize,
        rest: &mut Vec<(usize, usize)>,
    ) -> Option<(usize, usize)> {
        let mut begin = from;
        while begin < to {
            let free = self.first_free(begin, to);
            match free {
                Some(place) if place == begin => {
                    self.add(1, 0, self.size, place, place + 1, FOUND);
                    begin += 1;
                }
                Some(place) => {
                    self.add(1, 0, self.size, place, place + 1, FOUND);
                    if place + 1 < to {
                        rest.push((place + 1, to));
                    }
                    return Some((begin, place));
                }
                None => return Some((begin, to)),
            }
        }
        None
    }

    /// The first place of the range that nothing covers and that was not found before.
    fn first_free(&self, from: usize, to: usize) -> Option<usize> {
        self.free_below(1, 0, self.size, from, to, 0)
    }

    fn free_below(
        &self,
        node: usize,
        low: usize,
        high: usize,
        from: usize,
        to: usize,
        above: i32,
    ) -> Option<usize> {
        if high <= from || to <= low || self.least[node] + above > 0 {
            return None;
        }
        if high - low == 1 {
            return Some(low);
        }
        let (middle, above) = (low.midpoint(high), above + self.added[node]);
        self.free_below(2 * node, low, middle, from, to, above)
            .or_else(|| self.free_below(2 * node + 1, middle, high, from, to, above))
    }

    fn add(&mut self, node: usize, low: usize, high: usize, from: usize, to: usize, by: i32) {
        if high <= from || to <= low {
            return;
        }
        if from <= low && high <= to {
            self.least[node] += by;
            self.added[node] += by;
            return;
        }
        let middle = low.midpoint(high);
        self.add(2 * node, low, middle, from, to, by);
        self.add(2 * node + 1, middle, high, from, to, by);
        self.least[node] = self.least[2 * node].min(self.least[2 * node + 1]) + self.added[node];
    }
}
