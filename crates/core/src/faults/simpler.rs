//! The same fault, simpler: what shrinkers try.

use super::{Fault, What, When, smaller};

impl Fault {
    /// The same fault, simpler in one thing each: earlier, shorter, on fewer nodes, milder.
    pub fn simpler(&self) -> Vec<Fault> {
        let whats = simpler_what(&self.what).into_iter().map(|what| Fault {
            what,
            ..self.clone()
        });
        let whens = simpler_when(self.when).into_iter().map(|when| Fault {
            when,
            ..self.clone()
        });
        whats.chain(whens).collect()
    }
}

fn simpler_when(when: When) -> Vec<When> {
    let nths = |nth: u32| {
        let all = smaller(nth.into(), 1).into_iter();
        // Of ordinals the one before is worth a try too.
        let all = all.chain((nth > 1).then(|| u64::from(nth) - 1));
        all.map(|nth| nth as u32)
    };
    match when {
        When::AtUs(at_us) => smaller(at_us, 0).into_iter().map(When::AtUs).collect(),
        When::Sync { node, nth } => nths(nth).map(|nth| When::Sync { node, nth }).collect(),
        When::Overwrite { node, nth } => {
            nths(nth).map(|nth| When::Overwrite { node, nth }).collect()
        }
        When::Milestone {
            node,
            milestone,
            nth,
        } => nths(nth)
            .map(|nth| When::Milestone {
                node,
                milestone,
                nth,
            })
            .collect(),
        When::Message {
            from,
            to,
            kind,
            nth,
        } => nths(nth)
            .map(|nth| When::Message {
                from,
                to,
                kind,
                nth,
            })
            .collect(),
    }
}

fn simpler_what(what: &What) -> Vec<What> {
    let mut all = what.simpler();
    let count = what.clone().spans().len();
    for place in 0..count {
        let now = *what.clone().spans()[place];
        for less in smaller(now, 0) {
            let mut what = what.clone();
            *what.spans()[place] = less;
            all.push(what);
        }
    }
    let count = what.clone().parts().lists.len();
    for place in 0..count {
        let mut parts = what.clone();
        let list = &parts.parts().lists[place];
        let (nodes, may_be_empty) = (list.nodes.len(), list.may_be_empty);
        for out in (0..nodes).filter(|_| nodes > 1 || may_be_empty) {
            let mut what = what.clone();
            what.parts().lists[place].nodes.remove(out);
            all.push(what);
        }
    }
    all
}
