//! The fuzz targets on every input in `fuzz/corpus`: the seeds of the fuzzer, and what it found.

use std::{
    fs,
    path::{Path, PathBuf},
};

#[path = "../../fuzz/src/targets/mod.rs"]
mod targets;

use self::targets::TARGETS;

/// The paths in a folder.
fn list(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn every_target_passes_its_corpus() {
    let folders = list(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus"));
    let names: Vec<_> =
        folders.iter().map(|folder| folder.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, TARGETS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (folder, (name, target)) in folders.iter().zip(TARGETS) {
        let inputs = list(folder);
        assert!(!inputs.is_empty(), "{name}");
        for input in inputs {
            // Shown if the target panics.
            println!("{}", input.display());
            target(&fs::read(input).unwrap());
        }
    }
}
