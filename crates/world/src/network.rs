//! A network of directed links. Routing a message yields when it arrives, how
//! often, or why never; the network holds no message, no queue and no clock.
//! Knows nothing of Raft, plans or disks: nodes are positions counted from 0.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::rng::Choices;

/// How a link treats messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkOptions {
    /// Shortest delay, in microseconds.
    pub delay_min_us: u64,
    /// Longest ordinary delay, in microseconds; no shorter than `delay_min_us`.
    pub delay_max_us: u64,
    /// Messages in a million that are delayed far longer: by up to `tail_max_us` more, small tails
    /// being likelier.
    pub tail_ppm: u32,
    /// The longest such extra delay, in microseconds.
    pub tail_max_us: u64,
    /// Messages in a million that are lost.
    pub loss_ppm: u32,
    /// Messages in a million that arrive twice, the second time up to eight ordinary delays later.
    pub duplicate_ppm: u32,
    /// Messages in a million that may be reordered: later ones on the same link arrive before
    /// them.
    pub reorder_ppm: u32,
    /// Messages on their way on one link at a time; what comes on top is lost.
    pub capacity: u32,
}

impl Default for LinkOptions {
    /// A calm local network.
    fn default() -> Self {
        Self {
            delay_min_us: 200,
            delay_max_us: 1_000,
            tail_ppm: 0,
            tail_max_us: 0,
            loss_ppm: 0,
            duplicate_ppm: 0,
            reorder_ppm: 0,
            capacity: 1_024,
        }
    }
}

impl LinkOptions {
    /// How many ordinary delays there are, in whole microseconds, where nothing but one of them
    /// befalls a message; else 0.
    fn calm_delays(&self) -> u64 {
        let chances = [
            self.loss_ppm,
            self.tail_ppm,
            self.reorder_ppm,
            self.duplicate_ppm,
        ];
        match chances.iter().all(|ppm| *ppm == 0) {
            true => (self.delay_max_us - self.delay_min_us).saturating_add(1),
            false => 0,
        }
    }

    /// This traffic with `trouble` on top: chances add up, delays are the longer ones.
    fn with(self, trouble: &LinkDegradation) -> Self {
        let add = |a: u32, b: u32| a.saturating_add(b).min(crate::rng::PPM);
        Self {
            loss_ppm: add(self.loss_ppm, trouble.loss_ppm),
            duplicate_ppm: add(self.duplicate_ppm, trouble.duplicate_ppm),
            reorder_ppm: add(self.reorder_ppm, trouble.reorder_ppm),
            tail_ppm: add(self.tail_ppm, trouble.tail_ppm),
            tail_max_us: self.tail_max_us.max(trouble.tail_max_us),
            ..self
        }
    }
}

/// Trouble on some links for some time, on top of their ordinary traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkDegradation {
    /// More messages in a million that are lost.
    pub loss_ppm: u32,
    /// More messages in a million that arrive twice.
    pub duplicate_ppm: u32,
    /// More messages in a million that may be reordered.
    pub reorder_ppm: u32,
    /// More messages in a million with a long delay.
    pub tail_ppm: u32,
    /// The longest such delay, in microseconds.
    pub tail_max_us: u64,
}

/// What becomes of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    Arrives {
        /// When, in microseconds since the start.
        at_us: u64,
        /// When a second copy of it arrives, if one does.
        again_at_us: Option<u64>,
        /// Whether later messages may arrive before it.
        reorderable: bool,
        /// How much longer than an ordinary delay chance has made it take, in microseconds.
        late_us: u64,
    },
    /// It never arrives.
    Lost(Lost),
}

/// Why a message is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The link is cut.
    Cut,
    /// The link is full.
    Full,
    /// By chance.
    Chance,
    /// Nothing connects the two nodes, where they talk over connections: see [`crate::streams`]. No
    /// fate of a message on the network itself.
    Unconnected,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cut => "the link is cut",
            Self::Full => "the link is full",
            Self::Chance => "by chance",
            Self::Unconnected => "nothing connects them",
        })
    }
}

/// What is done to one message on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageFault {
    /// It is lost.
    Lose,
    /// It arrives a second time.
    Duplicate {
        /// How much later, in microseconds.
        after_us: u64,
    },
    /// It is late, and later ones arrive before it.
    Delay {
        /// How late, in microseconds.
        by_us: u64,
    },
}

#[derive(Clone, Debug)]
struct Link {
    traffic: LinkOptions,
    /// How many ordinary delays there are to choose from, where nothing but one of them befalls
    /// what is sent on it: it is neither cut, stalled, held nor slow, no message holds up any
    /// link, and its traffic has no chances. Else 0.
    calm_delays: u64,
    cuts: u32,
    /// How much longer every message takes, in microseconds.
    held_us: u64,
    stalled_until_us: u64,
    /// When the last message that keeps its place arrives.
    last_due_us: u64,
    in_flight: u32,
}

/// Trouble that is going on.
#[derive(Clone, Debug)]
struct Active {
    id: u64,
    links: Vec<(usize, usize)>,
    trouble: LinkDegradation,
}

/// All links between `n` nodes.
#[derive(Clone, Debug)]
pub struct Network {
    ordinary: LinkOptions,
    /// Of every node to every other, at [`Network::place`].
    links: Vec<Link>,
    /// How many bits of a link's place say where it leads to.
    bits: u32,
    slow_us: Vec<u64>,
    troubles: Vec<Active>,
    /// Messages that links have been asked to carry.
    routed: u64,
    /// Links that become slower with the nth message, the last first: nth, link and by how much
    /// from then on.
    demotions: Vec<(u64, usize, u64)>,
}

impl Network {
    /// A network of `nodes` nodes whose links all carry `ordinary` traffic.
    pub fn new(nodes: usize, ordinary: LinkOptions) -> Self {
        let link = Link {
            traffic: ordinary,
            calm_delays: ordinary.calm_delays(),
            cuts: 0,
            held_us: 0,
            stalled_until_us: 0,
            last_due_us: 0,
            in_flight: 0,
        };
        let width = nodes.next_power_of_two();
        Self {
            ordinary,
            links: vec![link; nodes * width],
            bits: width.trailing_zeros(),
            slow_us: vec![0; nodes],
            troubles: Vec::new(),
            routed: 0,
            demotions: Vec::new(),
        }
    }

    /// Every message on the link takes `by_us` longer.
    pub fn hold(&mut self, from: usize, to: usize, by_us: u64) {
        self.link(from, to).held_us = by_us;
        self.weigh();
    }

    /// As [`Network::hold`], from the `nth` message on, counted from 1 over all links.
    pub fn hold_from(&mut self, nth: u64, from: usize, to: usize, by_us: u64) {
        let place = self.demotions.partition_point(|(other, ..)| *other > nth);
        let link = self.place(from, to);
        self.demotions.insert(place, (nth, link, by_us));
        self.weigh();
    }

    #[cold]
    fn demote(&mut self) {
        while let Some((_, link, by_us)) = self.demotions.pop_if(|(nth, ..)| *nth <= self.routed) {
            self.links[link].held_us = by_us;
        }
        if self.demotions.is_empty() {
            self.weigh();
        }
    }

    /// Where in `links` a link lies: found without a multiplication, for it is asked twice for each
    /// message.
    #[inline]
    fn place(&self, from: usize, to: usize) -> usize {
        from.wrapping_shl(self.bits) | to
    }

    #[inline]
    fn link(&mut self, from: usize, to: usize) -> &mut Link {
        let place = self.place(from, to);
        &mut self.links[place]
    }

    /// When a message sent at `now_us` arrives, where nothing but an ordinary delay can befall it;
    /// none where more can, and then [`Network::route`] decides. Nothing is drawn in that case.
    #[inline(always)]
    pub fn route_calmly(
        &mut self,
        now_us: u64,
        from: usize,
        to: usize,
        choices: &mut Choices,
    ) -> Option<u64> {
        let link = self.link(from, to);
        let traffic = &link.traffic;
        if link.calm_delays == 0 || link.in_flight >= traffic.capacity {
            return None;
        }
        let ordinary_us = traffic.delay_min_us + choices.below(link.calm_delays);
        let at_us = (now_us + ordinary_us).max(link.last_due_us);
        link.last_due_us = at_us;
        link.in_flight += 1;
        Some(at_us)
    }

    /// Decides what becomes of a message sent at `now_us`.
    pub fn route(&mut self, now_us: u64, from: usize, to: usize, choices: &mut Choices) -> Fate {
        self.routed += 1;
        if !self.demotions.is_empty() {
            self.demote();
        }
        let slow_us = self.slow_us[from] + self.slow_us[to];
        let link = self.link(from, to);
        let traffic = &link.traffic;
        if link.cuts > 0 {
            return Fate::Lost(Lost::Cut);
        }
        if link.in_flight >= traffic.capacity {
            return Fate::Lost(Lost::Full);
        }

        if choices.chance_ppm(traffic.loss_ppm) {
            return Fate::Lost(Lost::Chance);
        }
        let ordinary_us = choices.between(traffic.delay_min_us, traffic.delay_max_us);
        let mut at_us = now_us + ordinary_us + slow_us + link.held_us;
        let mut late_us = 0;
        if choices.chance_ppm(traffic.tail_ppm) {
            late_us = choices.skewed(0, traffic.tail_max_us);
            at_us += late_us;
        }
        at_us = at_us.max(link.stalled_until_us);
        let reorderable = choices.chance_ppm(traffic.reorder_ppm);
        if reorderable {
            let extra_us = choices.between(0, 4 * traffic.delay_max_us);
            late_us += extra_us;
            at_us += extra_us;
        } else {
            at_us = at_us.max(link.last_due_us);
            link.last_due_us = at_us;
        }
        link.in_flight += 1;
        let again_at_us = choices.chance_ppm(traffic.duplicate_ppm).then(|| {
            link.in_flight += 1;
            at_us + choices.between(1, 8 * traffic.delay_max_us.max(1))
        });
        Fate::Arrives {
            at_us,
            again_at_us,
            reorderable,
            late_us,
        }
    }

    /// One more copy of a message is put on its way past [`Network::route`], whatever the link's
    /// state.
    pub fn add_in_flight(&mut self, from: usize, to: usize) {
        self.link(from, to).in_flight += 1;
    }

    /// A message that was on its way has arrived, or will not.
    #[inline]
    pub fn arrived(&mut self, from: usize, to: usize) {
        self.link(from, to).in_flight -= 1;
    }

    /// Cuts the link one way, until as many [`Network::mend`] have come. What is on its way still
    /// arrives.
    pub fn cut(&mut self, from: usize, to: usize) {
        self.link(from, to).cuts += 1;
        self.weigh();
    }

    /// Takes one [`Network::cut`] back.
    pub fn mend(&mut self, from: usize, to: usize) {
        let link = self.link(from, to);
        link.cuts = link.cuts.saturating_sub(1);
        self.weigh();
    }

    /// Whether the link is cut that way.
    pub fn is_cut(&self, from: usize, to: usize) -> bool {
        self.links[self.place(from, to)].cuts > 0
    }

    /// When a message sent on the link at `now_us` arrives at the earliest, where it does not
    /// overtake those before it.
    pub fn free_at_us(&self, now_us: u64, from: usize, to: usize) -> u64 {
        let link = &self.links[self.place(from, to)];
        now_us.max(link.last_due_us).max(link.stalled_until_us)
    }

    /// Holds back what is sent on the link until `until_us`, when it arrives in one burst.
    pub fn stall(&mut self, from: usize, to: usize, until_us: u64) {
        let link = self.link(from, to);
        link.stalled_until_us = link.stalled_until_us.max(until_us);
        self.weigh();
    }

    /// Every message to and from `node` takes `extra_us` longer, on top of earlier calls.
    pub fn slow_down(&mut self, node: usize, extra_us: u64) {
        self.slow_us[node] += extra_us;
        self.weigh();
    }

    /// Takes one [`Network::slow_down`] back.
    pub fn speed_up(&mut self, node: usize, extra_us: u64) {
        self.slow_us[node] = self.slow_us[node].saturating_sub(extra_us);
        self.weigh();
    }

    /// Puts `trouble`, known from then on by `id`, on `links`.
    pub fn trouble(&mut self, id: u64, links: Vec<(usize, usize)>, trouble: LinkDegradation) {
        self.troubles.push(Active { id, links, trouble });
        self.refresh();
    }

    /// Ends the trouble `id`.
    pub fn end_trouble(&mut self, id: u64) {
        self.troubles.retain(|active| active.id != id);
        self.refresh();
    }

    /// Ends all cuts, stalls, holds, slowness and trouble, and sets ordinary traffic to
    /// `ordinary`. What is on its way no longer holds up what is sent after it.
    pub fn heal(&mut self, ordinary: LinkOptions) {
        self.ordinary = ordinary;
        self.troubles.clear();
        self.slow_us.fill(0);
        self.demotions.clear();
        for link in &mut self.links {
            link.cuts = 0;
            link.held_us = 0;
            link.stalled_until_us = 0;
            link.last_due_us = 0;
        }
        self.refresh();
    }

    fn refresh(&mut self) {
        let ordinary = self.ordinary;
        self.links
            .iter_mut()
            .for_each(|link| link.traffic = ordinary);
        for Active { links, trouble, .. } in &self.troubles {
            for (from, to) in links {
                let link = &mut self.links[from.wrapping_shl(self.bits) | to];
                link.traffic = link.traffic.with(trouble);
            }
        }
        self.weigh();
    }

    /// Finds out which links are calm now.
    fn weigh(&mut self) {
        // Each message counts as long as one of them may hold up a link.
        let is_settled = self.demotions.is_empty();
        let width = 1 << self.bits;
        for (place, link) in self.links.iter_mut().enumerate() {
            // Links to nowhere have their place, too.
            let to_us = self.slow_us.get(place % width).unwrap_or(&0);
            let slow_us = self.slow_us[place / width] + to_us;
            let is_open = link.cuts == 0 && link.stalled_until_us == 0 && slow_us == 0;
            let is_open = is_open && link.held_us == 0 && is_settled;
            link.calm_delays = match is_open {
                true => link.traffic.calm_delays(),
                false => 0,
            };
        }
    }
}

#[cfg(test)]
mod tests;
