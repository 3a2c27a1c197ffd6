//! What it takes to bring the server of `../before` here, and what that gives: the storm, the
//! checks and replay.

use std::path::Path;

fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Lines of `after` that are not in `before`, in order: those beside a longest common subsequence.
fn changed(before: &[String], after: &[String]) -> usize {
    let mut common = vec![vec![0; after.len() + 1]; before.len() + 1];
    for (i, old) in before.iter().enumerate().rev() {
        for (j, new) in after.iter().enumerate().rev() {
            common[i][j] = match old == new {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    after.len() - common[0][0]
}

#[test]
fn fewer_than_fifty_lines_are_new_or_changed() {
    let after = Path::new(env!("CARGO_MANIFEST_DIR"));
    let before = after.with_file_name("before");
    let files = ["Cargo.toml", "src/main.rs", "src/node.rs"];
    let counts = files.map(|file| changed(&lines(&before.join(file)), &lines(&after.join(file))));
    println!("{files:?}: {counts:?}");
    let all: usize = counts.iter().sum();
    assert!((20..50).contains(&all), "{all}");
    // There is nothing beside them.
    for folder in [&before, after] {
        assert_eq!(std::fs::read_dir(folder.join("src")).unwrap().count(), 2);
    }
}

#[cfg(madsim)]
mod simulated {
    use std::process::{Command, Output};

    /// How the program ends, and what it says.
    fn kv(words: &[&str]) -> (Option<i32>, String) {
        let out: Output = Command::new(env!("CARGO_BIN_EXE_kv-after"))
            .args(words)
            .output()
            .unwrap();
        let text = [out.stdout, out.stderr].map(|text| String::from_utf8(text).unwrap());
        (out.status.code(), text.concat())
    }

    /// Sweeps with the profile for servers, and writes what fails to a folder of the test's own.
    fn sweep(folder: &str, words: &[&str]) -> (Option<i32>, String) {
        let out = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
        let out = [
            "sweep",
            "--profile",
            "servers",
            "--out",
            out.to_str().unwrap(),
        ];
        kv(&[&out[..], words].concat())
    }

    #[test]
    fn the_server_stands_the_storm() {
        let (code, text) = sweep("stands", &["--seeds", "100"]);
        assert_eq!(code, Some(0), "{text}");
    }

    #[test]
    fn a_server_that_does_not_sync_is_found_out_and_its_plan_replays() {
        let (code, text) = sweep("does-not-sync", &["--subject", "kv-no-sync"]);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("VIOLATION ack-before-durable"), "{text}");
        let repeat = text
            .lines()
            .find_map(|line| line.strip_prefix("reproduce  "));
        let words: Vec<&str> = repeat.unwrap().split(' ').skip(1).collect();
        let (code, again) = kv(&words);
        assert_eq!(code, Some(1), "{again}");
        assert!(again.contains("VIOLATION ack-before-durable"), "{again}");
    }
}
