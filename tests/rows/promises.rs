//! That the registry is whole: no row missing, none without a proof or a reason, and every test that
//! is named is there.

use crate::registry::rows;

/// All files of sources and tests, as name and text.
fn files() -> Vec<(String, String)> {
    let mut folders = vec![
        crate::common::root().join("src"),
        crate::common::root().join("tests"),
    ];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") {
                files.push((name, std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    files
}

/// The whole list, for a person: what is promised, and what is still lacking.
#[test]
#[ignore = "prints the list of faults"]
fn list() {
    println!("| row | fault | reaction, ms | held to it by | lacking |");
    println!("|---|---|---|---|---|");
    for row in rows() {
        let struck = (!row.strikes.is_empty()).then_some("measured in motion");
        let tests = (!row.tests.is_empty()).then_some("tests");
        let held: Vec<&str> = struck.into_iter().chain(tests).collect();
        let (fault, reaction) = (row.fault, row.reaction);
        let lacking = row.lacking.unwrap_or_default();
        println!(
            "| {} | {fault} | {reaction} | {} | {lacking} |",
            row.number,
            held.join(", ")
        );
    }
}

#[test]
fn no_number_is_missing() {
    let numbers: Vec<u8> = rows().iter().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=52).collect::<Vec<u8>>());
}

#[test]
fn every_row_is_struck_or_tested_or_says_why_not() {
    for row in rows() {
        let held = !row.strikes.is_empty() || !row.tests.is_empty();
        assert!(held || row.lacking.is_some(), "row {}", row.number);
    }
}

#[test]
fn every_test_that_a_row_names_is_there_and_runs() {
    let files = files();
    for row in rows() {
        for test in row.tests {
            let (file, name) = test.split_once("::").unwrap();
            let there = files.iter().any(|(called, text)| {
                let test = text.find(&format!("#[test]\nfn {name}()"));
                let nested = text.find(&format!("#[test]\n    fn {name}()"));
                called == file && (test.is_some() || nested.is_some())
            });
            assert!(there, "row {}: there is no test {test}", row.number);
        }
    }
}
