//! The tree as the tidy test reads it. Owns which files are ours and what in them is code; holds no
//! rule itself.

use std::fs;
use std::path::Path;

use crate::house::root;

/// A text file of the project.
pub struct SourceFile {
    /// Where it is, from the root, with forward slashes.
    pub path: String,
    /// What it says.
    pub text: String,
}

const NOT_OURS: [&str; 8] = [
    ".git",
    ".wrangler",
    "backups",
    "build",
    "node_modules",
    "reports",
    "target",
    "package-lock.json",
];
const TEXTS: [&str; 9] = ["css", "html", "js", "md", "mjs", "rs", "sh", "sql", "toml"];

/// Every text file that people write, in the order of their paths.
pub fn files() -> Vec<SourceFile> {
    let mut found = Vec::new();
    collect(&root(), &root(), &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

impl SourceFile {
    /// Whether it is a file of Rust.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it lies under one of these folders or is one of these files.
    pub fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| match place.strip_suffix('/') {
            Some(_) => self.path.starts_with(place),
            None => self.path == *place,
        })
    }

    /// Whether all of it is tests.
    pub fn is_test(&self) -> bool {
        self.path.split('/').any(|part| part == "tests" || part == "tests.rs")
    }

    /// The lines that are neither comments nor tests (which stand last), with their numbers.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        lines
            .take_while(|(_, line)| *line != "#[cfg(test)]")
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// Whether `text` has `word` as a whole: no letter, digit or underscore touches it.
pub fn has_word(text: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(inside) && !after.is_some_and(inside)
    })
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<SourceFile>) {
    let entries = fs::read_dir(folder).expect("a folder of the repository can be listed");
    for entry in entries {
        let path = entry.expect("an entry of a folder can be read").path();
        let name = path.file_name().expect("an entry has a name").to_string_lossy().into_owned();
        if NOT_OURS.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, found);
        } else if path.extension().is_some_and(|ext| TEXTS.iter().any(|known| ext == *known)) {
            let inside = path.strip_prefix(root).expect("the walk began at the root");
            found.push(SourceFile {
                path: inside.to_string_lossy().replace('\\', "/"),
                text: fs::read_to_string(&path).expect("a source file is UTF-8"),
            });
        }
    }
}
