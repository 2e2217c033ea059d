//! The programs of the real cluster: where they come from, and that they are there before the tests begin.
//!
//! A person who has the binaries names their folders: `KUBEBUILDER_ASSETS` (etcd, kube-apiserver) and
//! `SERIN_TEST_TOOLS` (everything, the folder `manifests` included). What is not found there is built once from
//! the pins in `tests/cluster/pins` and kept in two places under a hash of those pins: `target/cluster-tools`,
//! and the user's cache folder (`$XDG_CACHE_HOME/serin-test-tools`, hard links), so that the next fresh clone on
//! the machine need not build again. Nothing here skips: what is missing is an error of one line.

mod build;
mod pins;

use crate::Outcome;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The programs by name, as `pins::PROGRAMS` lists them.
const KUBEBUILDER: [&str; 2] = ["etcd", "kube-apiserver"];
const MARKER: &str = ".complete";

/// Paths of all programs and manifests, each of which exists.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    paths: BTreeMap<&'static str, PathBuf>,
}

impl Tools {
    /// Finds the programs, building what nobody has named and nobody has built yet. Needs the network only then.
    pub(crate) fn ensure() -> Outcome<Self> {
        let mut paths = BTreeMap::new();
        for name in pins::names() {
            if let Some(path) = named_by_environment(name) {
                paths.insert(name, path);
            }
        }
        if paths.len() < pins::names().count() {
            let built = built()?;
            for name in pins::names() {
                paths.entry(name).or_insert_with(|| built.join(name));
            }
        }
        Ok(Self { paths })
    }

    /// The path of a program or of the folder `manifests`; panics on a name that is not pinned.
    pub(crate) fn path(&self, name: &str) -> &Path {
        &self.paths[name]
    }
}

fn named_by_environment(name: &str) -> Option<PathBuf> {
    let assets = KUBEBUILDER
        .contains(&name)
        .then(|| std::env::var_os("KUBEBUILDER_ASSETS"))
        .flatten();
    [assets, std::env::var_os("SERIN_TEST_TOOLS")]
        .into_iter()
        .flatten()
        .map(|folder| Path::new(&folder).join(name))
        .find(|path| path.exists())
}

/// `target/`, wherever cargo put it.
pub(crate) fn target() -> &'static Path {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tmp.parent().unwrap_or(tmp)
}

/// The folder with the built programs: `target/cluster-tools/<hash>`.
fn built() -> Outcome<PathBuf> {
    let hash = pins::hash();
    let local = target().join("cluster-tools");
    let done = local.join(&hash);
    if done.join(MARKER).exists() {
        return Ok(done);
    }
    fs::create_dir_all(&local)?;
    let shared = cache_folder().filter(|folder| fs::create_dir_all(folder).is_ok());
    let root = shared.as_deref().unwrap_or(&local);
    // Two runs at a time must not build twice; the lock ends with the process that holds it.
    let lock = File::create(root.join("lock"))?;
    lock.lock()?;
    let source = root.join(&hash);
    if !source.join(MARKER).exists() {
        let partial = root.join(format!("{hash}.partial"));
        build::all(&partial)?;
        fs::write(partial.join(MARKER), "")?;
        fs::rename(&partial, &source)?;
    }
    if source != done && !done.join(MARKER).exists() {
        let partial = local.join(format!("{hash}.{}", std::process::id()));
        link_tree(&source, &partial)?;
        let _ = fs::remove_dir_all(&done);
        fs::rename(&partial, &done)?;
    }
    Ok(done)
}

fn cache_folder() -> Option<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))?;
    Some(base.join("serin-test-tools"))
}

/// Hard links where the file system allows, copies elsewhere.
fn link_tree(from: &Path, to: &Path) -> Outcome {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            link_tree(&entry.path(), &target)?;
        } else if fs::hard_link(entry.path(), &target).is_err() {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
