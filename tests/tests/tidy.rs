//! The rules of the house hold in the house.

use std::path::Path;

use kaname_tests::tidy::{RULES, Tree};

#[test]
fn the_house_keeps_its_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let tree = Tree::read(&root).unwrap();
    let breaches: Vec<String> = RULES
        .iter()
        .flat_map(|rule| (rule.check)(&tree).into_iter().map(|breach| format!("{}: {breach}", rule.name)))
        .collect();
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}
