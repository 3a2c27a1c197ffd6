//! A story's file: blocks of commands, each followed by `----` and what is expected.
//!
//! Where subjects differ, a block has several parts, each under `---- SUBJECT`. A part ends
//! at an empty line. Lines that begin with `#` before a block's `----` are comments.

use std::path::{Path, PathBuf};

use super::StoryError;

/// What stands between commands and what is expected of them.
const RULE: &str = "----";

/// A story as it is written down.
#[derive(Clone, Debug)]
pub struct Story {
    /// Its file.
    pub path: PathBuf,
    /// Its blocks, in order.
    pub blocks: Vec<Block>,
}

/// Commands, and what is expected to happen from then until the next block.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// Its lines up to the rule as they are written, comments and empty lines included.
    pub text: Vec<String>,
    /// The commands, each with the number of its line.
    pub commands: Vec<(usize, String)>,
    /// What is expected: of a subject, or, without a name, of all others.
    pub expected: Vec<(Option<String>, String)>,
}

impl Block {
    /// What is expected of the subject of that name.
    pub fn expected_of(&self, subject: &str) -> Option<&str> {
        let named = |name: Option<&str>| {
            let part = self.expected.iter().find(|(of, _)| of.as_deref() == name);
            part.map(|(_, text)| text.as_str())
        };
        named(Some(subject)).or_else(|| named(None))
    }
}

impl Story {
    /// Reads a story.
    ///
    /// # Errors
    /// [`StoryError::Read`].
    pub fn read(path: &Path) -> Result<Self, StoryError> {
        let text = squall_core::fsutil::read_text(path).map_err(|source| StoryError::Read {
            path: path.to_path_buf(),
            source,
        })?;
        Ok(Self::parse(path, &text))
    }

    /// The story in `text`, which is that of the file `path`.
    pub fn parse(path: &Path, text: &str) -> Self {
        let mut blocks = Vec::new();
        let mut block = Block::default();
        let mut in_part = false;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_end();
            if let Some(of) = line.strip_prefix(RULE) {
                let of = of.trim();
                let of = (!of.is_empty()).then(|| of.to_owned());
                block.expected.push((of, String::new()));
                in_part = true;
                continue;
            }
            if in_part && !line.is_empty() {
                if let Some((_, expected)) = block.expected.last_mut() {
                    expected.push_str(line);
                    expected.push('\n');
                }
                continue;
            }
            if in_part {
                in_part = false;
                blocks.push(std::mem::take(&mut block));
                continue;
            }
            let command = line.trim();
            if !command.is_empty() && !command.starts_with('#') {
                block.commands.push((number + 1, command.to_owned()));
            }
            block.text.push(line.to_owned());
        }
        if in_part || !block.commands.is_empty() {
            blocks.push(block);
        }
        Self {
            path: path.to_path_buf(),
            blocks,
        }
    }

    /// The file with what the subjects made of each block, in place of what was expected:
    /// `outputs` has, for each subject by name, one text a block.
    pub fn rewritten(&self, outputs: &[(String, Vec<String>)]) -> String {
        let mut text = String::new();
        for (place, block) in self.blocks.iter().enumerate() {
            if place > 0 {
                text.push('\n');
            }
            for line in &block.text {
                text.push_str(line);
                text.push('\n');
            }
            let of = |(_, all): &(String, Vec<String>)| all[place].clone();
            let first = outputs.first().map(of).unwrap_or_default();
            if outputs.iter().map(of).all(|output| output == first) {
                text.push_str(&format!("{RULE}\n{first}"));
                continue;
            }
            for (name, all) in outputs {
                text.push_str(&format!("{RULE} {name}\n{}", all[place]));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_and_written_as_it_is() {
        let text = "# A comment.\ncluster\n----\n\ncampaign n1\nrun 20ms\n---- a\nx\n---- b\ny\n\n# End.\nheal\n----\nz\n";
        let story = Story::parse(Path::new("x.sim"), text);
        let blocks: Vec<_> = story.blocks.iter().map(|b| b.commands.clone()).collect();
        let command = |line: usize, text: &str| (line, text.to_owned());
        assert_eq!(
            blocks,
            [
                vec![command(2, "cluster")],
                vec![command(5, "campaign n1"), command(6, "run 20ms")],
                vec![command(13, "heal")],
            ]
        );
        assert_eq!(story.blocks[1].expected_of("b"), Some("y\n"));
        assert_eq!(story.blocks[2].expected_of("b"), Some("z\n"));
        assert_eq!(story.blocks[1].expected_of("c"), None);
        let of = |name: &str, middle: &str| {
            let outputs = ["", middle, "z\n"].map(str::to_owned);
            (name.to_owned(), outputs.to_vec())
        };
        assert_eq!(story.rewritten(&[of("a", "x\n"), of("b", "y\n")]), text);
    }
}
