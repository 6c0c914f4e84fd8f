//! Which files an input is: a file, those of a folder, or those that a pattern names.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;
use ignore::overrides::{Override, OverrideBuilder};

use super::TableFormat;
use crate::cli::failure::Failure;
use crate::cli::message;

/// Extensions of documents: files whose whole content is one text.
const MARKDOWN: &[&str] = &["md", "markdown", "mdx", "qmd", "rmd"];
const PLAIN: &[&str] = &["txt", "text", "rst", "adoc", "asciidoc", "org"];

/// Kinds of files that a note names where a folder has more.
const NAMED: usize = 5;

/// A file to read.
#[derive(Clone, Debug)]
pub struct Input {
    pub path: PathBuf,
    /// The format that its name says, or the folder that it is in.
    pub format: Option<TableFormat>,
}

/// The files of an input, in order.
#[derive(Clone, Debug)]
pub struct Inputs(pub Vec<Input>);

impl Inputs {
    /// The files that these paths name. `asked` is the format that they were said to have.
    pub fn find(given: &[PathBuf], asked: Option<TableFormat>) -> Result<Inputs, Failure> {
        let mut inputs = Vec::new();
        for path in given {
            let pattern = path.to_str().filter(|_| !path.exists()).and_then(Pattern::of);
            match pattern {
                _ if path == Path::new("-") && given.len() > 1 => {
                    let reason = "--input -: standard input cannot be one of several inputs";
                    return Err(Failure::Usage(reason.into()));
                }
                _ if path.is_dir() => inputs.extend(folder(path, asked)?),
                Some(pattern) => inputs.extend(pattern.matching()?),
                _ => inputs.push(Input { path: path.clone(), format: format_of(path) }),
            }
        }
        Ok(Inputs(inputs))
    }

    /// Whether all of them are regular files, which can be read twice.
    pub fn are_files(&self) -> bool {
        self.0.iter().all(|input| input.path.is_file())
    }

    /// Bytes of all of them, where they are known.
    pub fn bytes(&self) -> Option<u64> {
        let bytes = |input: &Input| {
            let found = std::fs::metadata(&input.path).ok()?;
            Some(found.len()).filter(|_| found.is_file())
        };
        self.0.iter().map(bytes).sum()
    }

    /// What messages call them.
    pub fn name(&self) -> String {
        match &self.0[..] {
            [input] => input.path.display().to_string(),
            inputs => message::counted(inputs.len() as u64, "file"),
        }
    }
}

/// The format that a file's name says.
fn format_of(path: &Path) -> Option<TableFormat> {
    match extension(path) {
        Some(found) if MARKDOWN.contains(&found.as_str()) => Some(TableFormat::Document),
        _ => TableFormat::of(path),
    }
}

fn extension(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_ascii_lowercase())
}

/// The documents of a folder, or its tables if it has no documents.
fn folder(folder: &Path, asked: Option<TableFormat>) -> Result<Vec<Input>, Failure> {
    let (mut documents, mut tables, mut others) = (Vec::new(), Vec::new(), BTreeMap::new());
    for path in walk(WalkBuilder::new(folder))? {
        let extension = extension(&path).unwrap_or_default();
        let is_document = [MARKDOWN, PLAIN].concat().contains(&extension.as_str());
        let format = if is_document { Some(TableFormat::Document) } else { format_of(&path) };
        match format {
            Some(TableFormat::Document) => documents.push(Input { path, format }),
            Some(_) => tables.push(Input { path, format }),
            None => *others.entry(extension).or_insert(0) += 1,
        }
    }
    match asked {
        None | Some(TableFormat::Document) => {}
        Some(TableFormat::Lines) => {
            tables = std::mem::take(&mut documents);
            tables.retain(|input| TableFormat::of(&input.path) == Some(TableFormat::Lines));
        }
        Some(asked) => {
            documents.clear();
            tables.retain(|input| input.format == Some(asked));
        }
    }
    let (read, left) = if documents.is_empty() { (tables, documents) } else { (documents, tables) };
    if read.is_empty() {
        return Err(Failure::Failed(format!(
            "{}: no file in it is a document (.md, .txt, ...) or a table (.jsonl, .csv, .parquet, ...) that can be \
             read; hidden files and those that .gitignore names are left out",
            folder.display()
        )));
    }
    left.iter().filter_map(|input| extension(&input.path)).for_each(|extension| {
        *others.entry(extension).or_insert(0) += 1;
    });
    note_of_others(folder, &read, others);
    Ok(read)
}

/// Says what of a folder is not read.
fn note_of_others(folder: &Path, read: &[Input], others: BTreeMap<String, u64>) {
    let count: u64 = others.values().sum();
    if count == 0 {
        return;
    }
    let mut kinds: Vec<(String, u64)> = others.into_iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let name = |(extension, count): &(String, u64)| match extension.as_str() {
        "" => format!("{count} without an extension"),
        extension => format!("{count} .{extension}"),
    };
    let more = if kinds.len() > NAMED { ", ..." } else { "" };
    let kinds: Vec<String> = kinds.iter().take(NAMED).map(name).collect();
    message::note(format_args!(
        "{}: {} read, {count} of other kinds left out ({}{more})",
        folder.display(),
        message::counted(read.len() as u64, "file"),
        kinds.join(", ")
    ));
}

/// A name with wildcards, as a shell would take it.
struct Pattern<'a> {
    name: &'a str,
    /// The folder before the first part that has wildcards.
    base: PathBuf,
    only: Override,
}

impl Pattern<'_> {
    /// None for a name without wildcards, and for one that only looks like having them.
    fn of(name: &str) -> Option<Pattern<'_>> {
        let is_wild = |part: &&str| part.contains(['*', '?', '[']);
        let parts: Vec<&str> = name.split('/').collect();
        let plain = parts.iter().position(is_wild)?;
        let base = match plain {
            0 => ".".to_owned(),
            1 if parts[0].is_empty() => "/".to_owned(),
            _ => parts[..plain].join("/"),
        };
        let mut only = OverrideBuilder::new(&base);
        // Anchored: a pattern without a folder names files of this one.
        only.add(&format!("/{}", parts[plain..].join("/"))).ok()?;
        Some(Pattern { name, base: base.into(), only: only.build().ok()? })
    }

    /// The files of this name, but for those in folders that .gitignore names.
    fn matching(self) -> Result<Vec<Input>, Failure> {
        let mut builder = WalkBuilder::new(self.base);
        builder.overrides(self.only);
        let mut files = walk(builder)?;
        // What is asked for by a pattern would not be hidden.
        let is_hidden = |path: &Path| path.file_name().is_some_and(starts_with_dot);
        files.retain(|path| {
            !is_hidden(path) || self.name.contains("/.") || self.name.starts_with('.')
        });
        if files.is_empty() {
            return Err(Failure::Failed(format!("--input {}: no file has such a name", self.name)));
        }
        let input = |path: PathBuf| Input { format: format_of(&path), path };
        Ok(files.into_iter().map(input).collect())
    }
}

fn starts_with_dot(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// The files below a folder in the order of their paths, without hidden ones and those that .gitignore names.
fn walk(mut builder: WalkBuilder) -> Result<Vec<PathBuf>, Failure> {
    // What a person's own configuration of git ignores must not change what is read.
    builder.require_git(false).git_global(false).sort_by_file_path(|a, b| a.cmp(b));
    let mut files = Vec::new();
    for entry in builder.build() {
        let entry = entry.map_err(|error| Failure::Failed(format!("--input: {error}")))?;
        if let Some(error) = entry.error() {
            message::warning(error);
        }
        // A link is what it points to, unless that is a folder.
        if entry.path().is_file() {
            let path = entry.into_path();
            files.push(path.strip_prefix("./").map_or(path.clone(), Path::to_owned));
        }
    }
    Ok(files)
}
