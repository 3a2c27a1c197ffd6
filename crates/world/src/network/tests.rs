use super::*;

fn choices() -> Choices {
    Choices::labelled(5, "net test", 0)
}

fn arrivals(network: &mut Network, count: u64, choices: &mut Choices) -> Vec<u64> {
    (0..count)
        .filter_map(|at| match network.route(at * 10, 0, 1, choices) {
            Fate::Arrives { at_us, .. } => Some(at_us),
            Fate::Lost(_) => None,
        })
        .collect()
}

#[test]
fn a_calm_link_delivers_everything_in_order() {
    let mut network = Network::new(2, LinkOptions::default());
    let times = arrivals(&mut network, 500, &mut choices());
    assert_eq!(times.len(), 500);
    assert!(times.is_sorted());
}

#[test]
fn a_cut_is_one_way_and_counts() {
    let mut network = Network::new(2, LinkOptions::default());
    network.cut(0, 1);
    network.cut(0, 1);
    network.mend(0, 1);
    let choices = &mut choices();
    assert_eq!(network.route(0, 0, 1, choices), Fate::Lost(Lost::Cut));
    assert!(matches!(
        network.route(0, 1, 0, choices),
        Fate::Arrives { .. }
    ));
    network.mend(0, 1);
    assert!(matches!(
        network.route(0, 0, 1, choices),
        Fate::Arrives { .. }
    ));
}

#[test]
fn a_full_link_loses_what_comes_on_top_until_something_arrives() {
    let mut network = Network::new(
        2,
        LinkOptions {
            capacity: 2,
            ..LinkOptions::default()
        },
    );
    let choices = &mut choices();
    assert_eq!(arrivals(&mut network, 3, choices).len(), 2);
    assert_eq!(network.route(0, 0, 1, choices), Fate::Lost(Lost::Full));
    network.arrived(0, 1);
    assert!(matches!(
        network.route(0, 0, 1, choices),
        Fate::Arrives { .. }
    ));
}

#[test]
fn a_stalled_link_delivers_in_one_burst() {
    let mut network = Network::new(2, LinkOptions::default());
    network.stall(0, 1, 50_000);
    let times = arrivals(&mut network, 5, &mut choices());
    assert_eq!(times, vec![50_000; 5]);
}

#[test]
fn trouble_raises_the_rates_of_its_links_until_it_ends() {
    let mut network = Network::new(3, LinkOptions::default());
    let trouble = LinkDegradation {
        loss_ppm: 500_000,
        duplicate_ppm: 500_000,
        reorder_ppm: 500_000,
        tail_ppm: 500_000,
        tail_max_us: 100_000,
    };
    network.trouble(1, vec![(0, 1)], trouble);
    let choices = &mut choices();
    let mut seen = [0; 4];
    for now_us in 0..200 {
        match network.route(now_us, 0, 1, choices) {
            Fate::Lost(_) => seen[0] += 1,
            Fate::Arrives {
                at_us,
                again_at_us,
                reorderable,
                ..
            } => {
                seen[1] += u32::from(again_at_us.is_some());
                seen[2] += u32::from(reorderable);
                seen[3] += u32::from(at_us > now_us + 10_000);
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 10), "{seen:?}");
    assert!(matches!(
        network.route(0, 0, 2, choices),
        Fate::Arrives { .. }
    ));
    network.end_trouble(1);
    assert!((0..200).all(|now| network.route(now, 0, 1, choices) != Fate::Lost(Lost::Chance)));
}

/// A change to a network.
type Change = fn(&mut Network);

#[test]
fn the_short_way_is_open_on_calm_links_only_and_leads_to_the_same() {
    let tail = LinkDegradation {
        tail_ppm: 1,
        ..LinkDegradation::default()
    };
    let changes: [(Change, Change); 3] = [
        (|network| network.cut(0, 1), |network| network.mend(0, 1)),
        (
            |network| network.slow_down(1, 9),
            |network| network.speed_up(1, 9),
        ),
        (
            |network| network.stall(0, 1, 50),
            |network| network.heal(LinkOptions::default()),
        ),
    ];
    let mut network = Network::new(3, LinkOptions::default());
    let (mut short, mut long) = (choices(), choices());
    for (change, back) in changes {
        change(&mut network);
        assert_eq!(network.route_calmly(0, 0, 1, &mut short), None);
        back(&mut network);
        let at_us = network.clone().route_calmly(0, 0, 1, &mut short);
        let Fate::Arrives { at_us: by_long, .. } = network.route(0, 0, 1, &mut long) else {
            panic!("a calm link delivers");
        };
        assert_eq!(at_us, Some(by_long));
    }
    network.trouble(1, vec![(0, 1)], tail);
    assert_eq!(network.route_calmly(0, 0, 1, &mut short), None);
    assert!(network.route_calmly(0, 0, 2, &mut short).is_some());
    network.end_trouble(1);
    assert!(network.route_calmly(0, 0, 1, &mut short).is_some());
}

#[test]
fn a_held_link_is_slower_until_it_heals_and_may_become_so_with_a_message() {
    let mut network = Network::new(2, LinkOptions::default());
    network.hold(0, 1, 70_000);
    network.hold_from(3, 1, 0, 90_000);
    let choices = &mut choices();
    let mut takes_us =
        |network: &mut Network, from: usize| match network.route(0, from, 1 - from, choices) {
            Fate::Arrives { at_us, .. } => at_us,
            Fate::Lost(_) => panic!("a calm link delivers"),
        };
    assert!(takes_us(&mut network, 0) > 70_000);
    assert!(takes_us(&mut network, 1) < 2_000);
    // The short way in counts no messages.
    let calm = Choices::labelled(6, "net test", 0);
    assert_eq!(network.route_calmly(0, 1, 0, &mut calm.clone()), None);
    assert!(takes_us(&mut network, 1) > 90_000);
    assert_eq!(network.route_calmly(0, 1, 0, &mut calm.clone()), None);
    network.heal(LinkOptions::default());
    assert!(takes_us(&mut network, 0) < 2_000);
    assert!(takes_us(&mut network, 1) < 2_000);
}

#[test]
fn slowness_of_either_end_delays() {
    let mut network = Network::new(2, LinkOptions::default());
    network.slow_down(1, 70_000);
    assert!(arrivals(&mut network, 1, &mut choices())[0] > 70_000);
    network.heal(LinkOptions::default());
    let Fate::Arrives { at_us, .. } = network.route(90_000, 1, 0, &mut choices()) else {
        panic!("a healed network delivers");
    };
    assert!(at_us < 92_000);
}

#[test]
fn a_healed_link_is_not_held_up_by_what_is_on_its_way() {
    let mut network = Network::new(2, LinkOptions::default());
    network.stall(0, 1, 500_000);
    assert_eq!(arrivals(&mut network, 1, &mut choices()), [500_000]);
    network.heal(LinkOptions::default());
    assert!(arrivals(&mut network, 1, &mut choices())[0] < 2_000);
}
