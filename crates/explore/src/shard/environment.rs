//! Which shard a task is, as engines tell their tasks: Slurm's job arrays, Kubernetes' indexed
//! Jobs, and the parallel jobs of GitLab and of others that use its names.

use std::fmt;

use super::{MOST_SHARDS, Shard};

/// Variables of the environment that say which task of how many this one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `SLURM_ARRAY_TASK_ID`, from `_MIN` to `_MAX` by `_STEP`.
    Slurm,
    /// `JOB_COMPLETION_INDEX`, from 0. How many there are the user must say.
    Kubernetes,
    /// `CI_NODE_INDEX`, from 1 to `CI_NODE_TOTAL`.
    CiNode,
}

impl Source {
    const ALL: [Source; 3] = [Source::Slurm, Source::Kubernetes, Source::CiNode];

    /// The variable that says which task it is.
    pub fn variable(self) -> &'static str {
        match self {
            Source::Slurm => "SLURM_ARRAY_TASK_ID",
            Source::Kubernetes => "JOB_COMPLETION_INDEX",
            Source::CiNode => "CI_NODE_INDEX",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.variable())
    }
}

/// What an engine says of a task: its place, from 0, and of how many, where it says that.
struct Told {
    place: u64,
    count: Option<u64>,
}

/// The shard that the environment names, and the variable that it comes from. `variable` reads one
/// of the environment; `count` is how many shards there are, where the user says so.
///
/// # Errors
/// One line: when no variable says it, when two contradict one another, or when the number of
/// shards is not known or another one.
pub fn from_environment(
    variable: impl Fn(&str) -> Option<String>,
    count: Option<u64>,
) -> Result<(Shard, Source), String> {
    let mut found: Option<(Shard, Source)> = None;
    for source in Source::ALL {
        let Some(told) = told(source, &variable)? else {
            continue;
        };
        let count = match (told.count, count) {
            (Some(told), Some(said)) if told != said => {
                return Err(format!(
                    "{source} is that of a task of {told}, and --shards says {said}; say which shard this is: --shard I/{said}"
                ));
            }
            (told, said) => told.or(said).ok_or_else(|| {
                format!(
                    "{source} does not say how many tasks there are; legal: --shards N beside it"
                )
            })?,
        };
        let shard = Shard::new(told.place.saturating_add(1), count).map_err(|_| {
            format!(
                "{source} says task {} from 0 of {count}; legal: 1 to {MOST_SHARDS} tasks, and each below their number",
                told.place
            )
        })?;
        match found {
            Some((other, by)) if other != shard => {
                return Err(format!(
                    "{by} says shard {other}, and {source} says shard {shard}; say which it is: --shard I/N"
                ));
            }
            Some(_) => {}
            None => found = Some((shard, source)),
        }
    }
    found.ok_or_else(|| {
        let names = Source::ALL.map(Source::variable).join(", ");
        format!(
            "--shard without I/N takes the shard from the environment, which has none of {names}"
        )
    })
}

/// What the variables of one engine say; nothing where they are not there.
fn told(
    source: Source,
    variable: &impl Fn(&str) -> Option<String>,
) -> Result<Option<Told>, String> {
    let number = |name: &str| match variable(name) {
        None => Ok(None),
        Some(text) => match text.parse::<u64>() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(format!("{name} is \"{text}\"; legal: a number from 0")),
        },
    };
    let Some(task) = number(source.variable())? else {
        return Ok(None);
    };
    let told = match source {
        Source::Kubernetes => Told {
            place: task,
            count: None,
        },
        Source::CiNode => Told {
            place: task.checked_sub(1).ok_or_else(|| {
                "CI_NODE_INDEX is 0; legal: 1 to CI_NODE_TOTAL, or say --shard I/N".to_owned()
            })?,
            count: number("CI_NODE_TOTAL")?,
        },
        Source::Slurm => {
            let [min, max, step, tasks] = ["MIN", "MAX", "STEP", "COUNT"]
                .map(|name| number(&format!("SLURM_ARRAY_TASK_{name}")));
            let (Some(min), Some(max)) = (min?, max?) else {
                return Ok(Some(Told {
                    place: task,
                    count: None,
                }));
            };
            let (step, tasks) = (step?.unwrap_or(1).max(1), tasks?);
            let count = (max.saturating_sub(min) / step).saturating_add(1);
            let is_a_row = (min..=max).contains(&task) && (task - min) % step == 0;
            // A list such as 1,3,7 is no row, and nor is a row of which one task is run again.
            if !is_a_row || tasks.is_some_and(|tasks| tasks != count) {
                return Err(format!(
                    "SLURM_ARRAY_TASK_ID is {task}, in an array that is no row from {min} to {max} by {step}; say which shard this is: --shard I/N"
                ));
            }
            Told {
                place: (task - min) / step,
                count: Some(count),
            }
        }
    };
    Ok(Some(told))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)], count: Option<u64>) -> Result<String, String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        from_environment(variable, count).map(|(shard, source)| format!("{shard} of {source}"))
    }

    #[test]
    fn each_engine_says_it_in_its_own_way() {
        let slurm = |id: &'static str, min, max, step, count| {
            [
                ("SLURM_ARRAY_TASK_ID", id),
                ("SLURM_ARRAY_TASK_MIN", min),
                ("SLURM_ARRAY_TASK_MAX", max),
                ("SLURM_ARRAY_TASK_STEP", step),
                ("SLURM_ARRAY_TASK_COUNT", count),
            ]
        };
        let row = of(&slurm("7", "0", "15", "1", "16"), None);
        assert_eq!(row.unwrap(), "8/16 of SLURM_ARRAY_TASK_ID");
        let by_five = of(&slurm("11", "1", "16", "5", "4"), Some(4));
        assert_eq!(by_five.unwrap(), "3/4 of SLURM_ARRAY_TASK_ID");
        let list = of(&slurm("3", "1", "7", "1", "3"), None).unwrap_err();
        assert!(list.contains("no row from 1 to 7 by 1"), "{list}");
        let again = of(&slurm("3", "3", "3", "1", "1"), Some(16)).unwrap_err();
        assert!(again.contains("--shard I/16"), "{again}");

        let kubernetes = [("JOB_COMPLETION_INDEX", "0")];
        let shard = of(&kubernetes, Some(5));
        assert_eq!(shard.unwrap(), "1/5 of JOB_COMPLETION_INDEX");
        let no_count = of(&kubernetes, None).unwrap_err();
        assert!(no_count.contains("--shards N"), "{no_count}");
        let beyond = of(&[("JOB_COMPLETION_INDEX", "5")], Some(5)).unwrap_err();
        assert!(beyond.contains("task 5 from 0 of 5"), "{beyond}");

        let most = "18446744073709551615";
        let beyond = of(&[("JOB_COMPLETION_INDEX", most)], Some(5)).unwrap_err();
        assert!(beyond.contains("legal: 1 to 1000000 tasks"), "{beyond}");
        let endless = of(&slurm("0", "0", most, "1", most), None).unwrap_err();
        assert!(endless.contains("legal: 1 to 1000000 tasks"), "{endless}");

        let gitlab = [("CI_NODE_INDEX", "2"), ("CI_NODE_TOTAL", "8")];
        assert_eq!(of(&gitlab, None).unwrap(), "2/8 of CI_NODE_INDEX");
    }

    #[test]
    fn what_contradicts_itself_or_says_nothing_is_refused() {
        let none = of(&[], None).unwrap_err();
        assert!(none.contains("has none of SLURM_ARRAY_TASK_ID, "), "{none}");
        let two = [
            ("JOB_COMPLETION_INDEX", "0"),
            ("CI_NODE_INDEX", "2"),
            ("CI_NODE_TOTAL", "8"),
        ];
        let two = of(&two, Some(8)).unwrap_err();
        assert!(
            two.contains("says shard 1/8, and CI_NODE_INDEX says shard 2/8"),
            "{two}"
        );
        let odd = of(&[("JOB_COMPLETION_INDEX", "a")], Some(8)).unwrap_err();
        assert!(odd.contains("JOB_COMPLETION_INDEX is \"a\""), "{odd}");
        let zero = of(&[("CI_NODE_INDEX", "0"), ("CI_NODE_TOTAL", "8")], None).unwrap_err();
        assert!(zero.contains("CI_NODE_INDEX is 0"), "{zero}");
    }
}
