//! The network between the nodes: each directed link on its own loses, repeats, delays and
//! thereby reorders, or is cut.
//!
//! A message meets its fate when it is sent. What is under way when a link is cut still arrives,
//! so old messages turn up in the middle of a partition.

use super::dice::{Dice, Ppm};
use crate::paxos::{Message, NodeId};
use std::fmt;

/// How a link behaves.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Weather {
    /// Chance that a message is lost.
    pub lose: Ppm,
    /// Chance that a message arrives twice.
    pub duplicate: Ppm,
    /// Shortest ordinary delay, in microseconds.
    pub delay_us_min: u64,
    /// Longest ordinary delay. Two messages within the spread may overtake each other.
    pub delay_us_max: u64,
    /// Chance that a message is very late.
    pub late: Ppm,
    /// How late at most, in microseconds.
    pub late_us_max: u64,
}

impl Weather {
    /// Nothing lost, nothing repeated, nothing late: 100 to 200 microseconds.
    pub const CALM: Weather =
        Weather { lose: 0, duplicate: 0, delay_us_min: 100, delay_us_max: 200, late: 0, late_us_max: 0 };

    fn delay_us(&self, dice: &mut Dice) -> u64 {
        if self.late > 0 && dice.chance(self.late) {
            return dice.within(self.delay_us_max..=self.late_us_max.max(self.delay_us_max));
        }
        dice.within(self.delay_us_min..=self.delay_us_max)
    }
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}-{}us, lose {}ppm, duplicate {}ppm, late {}ppm up to {}us",
            self.delay_us_min, self.delay_us_max, self.lose, self.duplicate, self.late, self.late_us_max
        )
    }
}

/// What becomes of one message: after how many microseconds each copy arrives.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Fate {
    Lost,
    Arrives(u64),
    ArrivesTwice(u64, u64),
}

/// What a [`Postman`] makes of a message, beyond the weather.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Carriage {
    /// It goes on after so many microseconds more, and perhaps a copy after so many.
    On(u64, Option<u64>),
    /// It is lost.
    Lost,
    /// It is kept until [`let_go`](super::World::let_go): links that stall lose nothing.
    Kept,
}

/// Somebody who stands on every link: told the time in microseconds, the sender, the receiver and
/// the message.
pub type Postman = Box<dyn FnMut(u64, NodeId, NodeId, &Message) -> Carriage>;

#[derive(Copy, Clone, Debug)]
struct Link {
    cut: bool,
    weather: Weather,
}

/// All directed links of a cluster.
#[derive(Debug)]
pub(crate) struct Network {
    nodes: usize,
    /// By sender, then receiver.
    links: Vec<Link>,
}

impl Network {
    pub(crate) fn new(nodes: usize, weather: Weather) -> Network {
        Network { nodes, links: vec![Link { cut: false, weather }; nodes * nodes] }
    }

    pub(crate) fn fate(&self, from: NodeId, to: NodeId, dice: &mut Dice) -> Fate {
        let Link { cut, weather } = self.links[self.index(from, to)];
        if cut || dice.chance(weather.lose) {
            return Fate::Lost;
        }
        let first = weather.delay_us(dice);
        match dice.chance(weather.duplicate) {
            true => Fate::ArrivesTwice(first, weather.delay_us(dice)),
            false => Fate::Arrives(first),
        }
    }

    /// Cuts exactly these links, and mends all others.
    pub(crate) fn cut(&mut self, links: &[(NodeId, NodeId)]) {
        self.links.iter_mut().for_each(|link| link.cut = false);
        for (from, to) in links {
            let index = self.index(*from, *to);
            self.links[index].cut = true;
        }
    }

    pub(crate) fn set_weather(&mut self, from: NodeId, to: NodeId, weather: Weather) {
        let index = self.index(from, to);
        self.links[index].weather = weather;
    }

    fn index(&self, from: NodeId, to: NodeId) -> usize {
        (usize::from(from.0) - 1) * self.nodes + usize::from(to.0) - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_one_way_and_replaces_the_cut_before() {
        let mut dice = Dice::new(1, "network");
        let mut network = Network::new(3, Weather::CALM);
        let (a, b) = (NodeId(1), NodeId(2));
        network.cut(&[(a, b)]);
        assert_eq!(network.fate(a, b, &mut dice), Fate::Lost);
        assert!(matches!(network.fate(b, a, &mut dice), Fate::Arrives(100..=200)));
        network.cut(&[(b, a)]);
        assert!(matches!(network.fate(a, b, &mut dice), Fate::Arrives(_)));
        assert_eq!(network.fate(b, a, &mut dice), Fate::Lost);
    }

    #[test]
    fn bad_weather_loses_repeats_and_delays() {
        let mut dice = Dice::new(2, "network");
        let weather =
            Weather { lose: 200_000, duplicate: 200_000, late: 200_000, late_us_max: 9_000, ..Weather::CALM };
        let network = Network::new(2, weather);
        let fates: Vec<Fate> = (0..200).map(|_| network.fate(NodeId(1), NodeId(2), &mut dice)).collect();
        assert!(fates.contains(&Fate::Lost));
        assert!(fates.iter().any(|fate| matches!(fate, Fate::ArrivesTwice(..))));
        assert!(fates.iter().any(|fate| matches!(fate, Fate::Arrives(us) if *us > 200)));
    }
}
