//! The rules of the house, as functions over a tree of files.
//!
//! Each rule returns what breaks it, one line a breach. The tree is a map in memory, so that each rule can be tried
//! on a tree that breaks it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

mod code;
mod rules;

pub use rules::{RULES, Rule};

/// The files of a repository: path with `/`, and text.
#[derive(Debug, Default, Clone)]
pub struct Tree {
    files: BTreeMap<String, String>,
    /// Paths of those that are not UTF-8.
    others: Vec<String>,
}

/// Folders that hold nothing that was written here.
const SKIPPED: [&str; 5] = ["target", "artefacts", "artifacts", ".git", "corpus"];

impl Tree {
    /// Reads a repository from the disk.
    pub fn read(root: &Path) -> io::Result<Tree> {
        let mut tree = Tree::default();
        tree.read_folder(root, "")?;
        Ok(tree)
    }

    /// A tree made up for a test.
    pub fn of(files: &[(&str, &str)]) -> Tree {
        let files = files.iter().map(|(p, t)| ((*p).to_owned(), (*t).to_owned())).collect();
        Tree { files, others: Vec::new() }
    }

    /// The same tree with one file more, or another text of it.
    pub fn with(mut self, path: &str, text: &str) -> Tree {
        self.files.insert(path.to_owned(), text.to_owned());
        self
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let kind = entry.file_type()?;
            if SKIPPED.contains(&name.as_str()) {
                continue;
            }
            if kind.is_dir() {
                self.read_folder(&entry.path(), &format!("{path}/"))?;
            } else if kind.is_file() {
                match String::from_utf8(fs::read(entry.path())?) {
                    Ok(text) => drop(self.files.insert(path, text)),
                    Err(_) => self.others.push(path),
                }
            }
        }
        Ok(())
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(p, t)| (p.as_str(), t.as_str()))
    }

    fn get(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Rust sources.
    fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter().filter(|(path, _)| path.ends_with(".rs"))
    }

    /// Manifests of crates: the folder with a trailing `/`, and the manifest read.
    fn crates(&self) -> impl Iterator<Item = (&str, toml::Table)> {
        self.iter().filter_map(|(path, text)| {
            let folder = path.strip_suffix("Cargo.toml")?;
            let manifest: toml::Table = text.parse().ok()?;
            manifest.contains_key("package").then_some((folder, manifest))
        })
    }
}
