//! The committed header is what cbindgen makes of this crate, and every export is guarded.

use std::path::Path;

#[test]
fn the_committed_header_is_fresh() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let header = root.join("../../include/fws.h");
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml");
    let mut fresh = Vec::new();
    cbindgen::generate_with_config(root, config).expect("the crate can be parsed").write(&mut fresh);
    if std::env::var_os("FWS_WRITE_HEADER").is_some() {
        std::fs::write(&header, &fresh).expect("include/ can be written");
        return;
    }
    let committed = std::fs::read(&header).expect("include/fws.h");
    assert!(committed == fresh, "include/fws.h is not what crates/ffi says: run `make header` and commit it");
}

#[test]
fn every_export_runs_inside_the_guard() {
    let mut exports = 0;
    let mut paths = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(std::fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry").path()));
            continue;
        }
        let source = std::fs::read_to_string(&path).expect("UTF-8");
        for function in source.split("#[unsafe(no_mangle)]").skip(1) {
            exports += 1;
            let body = function.split_once("{\n").expect("a body").1;
            // Nothing but comments stands before the guard.
            let first = body.lines().map(str::trim).find(|line| !line.starts_with("//")).expect("a statement");
            assert!(first.starts_with("guard("), "{}: {}", path.display(), function.lines().nth(1).unwrap_or_default());
        }
    }
    assert!(exports > 30, "{exports} exports were found");
}
