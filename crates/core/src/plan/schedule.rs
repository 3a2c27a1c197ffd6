//! Priorities of links: whose messages go first. In the manner of PCT (Burckhardt et al.,
//! "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs", ASPLOS 2010), with
//! links for threads and messages for their steps: every link has a priority of its own,
//! and at a few messages of the run one link falls behind all others.
//!
//! Time goes on in a simulated cluster, so a message of a low priority cannot wait until nothing
//! else is on its way: it waits one step for each link that goes before its own.

use serde::{Deserialize, Serialize};

use super::Plan;
use super::validate::{Impossible, MAX_TIME_US, at_most, check};
use crate::ids::NodeId;
use crate::text::seconds;

/// Links that a plan may list, and times that one may fall behind.
const MOST: usize = 1_000;

/// Whose messages go first, until the storm ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// How much longer a message takes than one on the link before, in microseconds.
    pub step_us: u64,
    /// Links, the first priority first. Those that are not listed have the first one too.
    pub links: Vec<Link>,
    /// Links that fall behind all others in the course of the run.
    pub demotions: Vec<Demotion>,
}

/// A link, one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Who sends.
    pub from: NodeId,
    /// Who receives.
    pub to: NodeId,
}

/// A link falls behind all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Demotion {
    /// As soon as so many messages have been sent on all links together, counted from 1.
    pub nth: u64,
    /// Which link.
    pub link: Link,
}

impl Schedule {
    /// How much longer messages take on each link that does not go first, in microseconds.
    pub fn delays(&self) -> impl Iterator<Item = (Link, u64)> + '_ {
        let ranks = (0..).map(|rank: u64| rank * self.step_us);
        self.links.iter().copied().zip(ranks)
    }

    /// Each demotion, and how much longer messages take on its link from then on, in microseconds.
    pub fn falls(&self) -> impl Iterator<Item = (Demotion, u64)> + '_ {
        let ranks = (self.links.len() as u64..).map(|rank| rank * self.step_us);
        self.demotions.iter().copied().zip(ranks)
    }
}

impl Plan {
    pub(super) fn validate_schedule(&self) -> Result<(), Impossible> {
        let Some(schedule) = &self.schedule else {
            return Ok(());
        };
        for (name, count) in [
            ("links", schedule.links.len()),
            ("demotions", schedule.demotions.len()),
        ] {
            check(
                count <= MOST,
                format!("schedule.{name}"),
                format!("a list of {count}"),
                format!("a list of at most {MOST}"),
            )?;
        }
        let ranks = (schedule.links.len() + schedule.demotions.len()).max(1) as u64;
        at_most("schedule.step_us", schedule.step_us, MAX_TIME_US / ranks)?;
        let demoted = schedule.demotions.iter().map(|demotion| demotion.link);
        for link in schedule.links.iter().copied().chain(demoted) {
            self.known_nodes("schedule.links", &[link.from, link.to])?;
            check(
                link.from != link.to,
                "schedule.links.to",
                link.to.0,
                "another node than from",
            )?;
        }
        let mut distinct = schedule.links.clone();
        distinct.sort();
        distinct.dedup();
        check(
            distinct.len() == schedule.links.len(),
            "schedule.links",
            "a list that names a link twice",
            "a list of different links",
        )?;
        for demotion in &schedule.demotions {
            check(
                demotion.nth >= 1,
                "schedule.demotions.nth",
                demotion.nth,
                "at least 1",
            )?;
        }
        Ok(())
    }
}

impl std::fmt::Display for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.from, self.to)
    }
}

impl std::fmt::Display for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let links: Vec<String> = self.links.iter().map(Link::to_string).collect();
        write!(
            f,
            "links by priority, each {} slower than the one before: {}",
            seconds(self.step_us),
            match links.is_empty() {
                true => "none".to_owned(),
                false => links.join(", "),
            }
        )?;
        for Demotion { nth, link } in &self.demotions {
            write!(f, "; at message no. {nth} {link} falls behind all")?;
        }
        Ok(())
    }
}
