//! How configurations came about, kept only when somebody wants the order.

/// The last operation placed on the way to a configuration, by its place among all.
pub(super) type Link = u32;

/// Operations placed, each with the one before it.
pub(super) struct Links {
    /// (link before, operation); none unless they are kept.
    before: Option<Vec<(Link, u32)>>,
}

impl Links {
    /// Nothing placed yet.
    pub(super) const ROOT: Link = u32::MAX;

    pub(super) fn new(kept: bool) -> Self {
        Self { before: kept.then(Vec::new) }
    }

    /// One more operation placed.
    pub(super) fn add(&mut self, before: Link, number: u32) -> Link {
        match &mut self.before {
            Some(links) => {
                links.push((before, number));
                links.len() as Link - 1
            }
            None => Self::ROOT,
        }
    }

    /// All operations that lead to here, in order.
    pub(super) fn order(&self, mut link: Link) -> Vec<usize> {
        let mut order = Vec::new();
        if let Some(links) = &self.before {
            while link != Self::ROOT {
                let (before, number) = links[link as usize];
                order.push(number as usize);
                link = before;
            }
        }
        order.reverse();
        order
    }

    pub(super) fn bytes(&self) -> usize {
        self.before.as_ref().map_or(0, |links| links.capacity() * size_of::<(Link, u32)>())
    }
}
