//! Simpler numbers, for whoever makes a plan simpler.

/// Smaller numbers than `number`, no smaller than `least`, the best first: the least, then far
/// smaller ones, then rounder ones. Taken again and again they close in on the smallest that will
/// do.
pub fn smaller(number: u64, least: u64) -> Vec<u64> {
    if number <= least {
        return Vec::new();
    }
    let above = number - least;
    let mut all = vec![least];
    all.extend([above / 8, above / 2, above - above / 4].map(|part| least + part));
    let mut unit = 1;
    while unit <= number / 10 {
        unit *= 10;
    }
    // Rounded down to one digit, to two, ...
    while unit > 1 {
        all.push(number / unit * unit);
        unit /= 10;
    }
    all.push(number - 1);
    let mut found = Vec::new();
    for one in all {
        if (least..number).contains(&one) && !found.contains(&one) {
            found.push(one);
        }
    }
    // What is only a little less and no rounder is not worth a run.
    let rounder = |one: u64| zeros(one) > zeros(number);
    found.retain(|one| number - one >= number / 8 || rounder(*one));
    found
}

/// How many zeros a number ends in.
fn zeros(mut number: u64) -> u32 {
    let mut count = 0;
    while number > 0 && number.is_multiple_of(10) {
        number /= 10;
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::smaller;

    #[test]
    fn the_least_comes_first_and_all_are_smaller() {
        assert!(smaller(5, 5).is_empty());
        assert_eq!(smaller(2, 1), [1]);
        assert_eq!(smaller(123_456, 0)[..3], [0, 15_432, 61_728]);
        assert!(smaller(123_456, 0).contains(&120_000));
        assert!(smaller(40, 10).iter().all(|one| (10..40).contains(one)));
    }

    #[test]
    fn taken_again_and_again_it_ends_near_the_smallest_that_will_do() {
        for least in [1, 7, 999, 54_321] {
            let mut number = 1_000_000_u64;
            while let Some(less) = smaller(number, 0).into_iter().find(|one| *one >= least) {
                number = less;
            }
            assert!(
                number >= least && number <= least + least / 6 + 1,
                "{least}: {number}"
            );
        }
    }
}
