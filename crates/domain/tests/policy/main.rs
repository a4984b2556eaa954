//! Access policies, case by case: `effects`, `actions`, `resources` and `conditions` are tables,
//! `documents` holds what is refused with which words, `properties` what holds for any policy.

mod actions;
mod conditions;
mod documents;
mod effects;
mod properties;
mod resources;
mod table;

#[test]
fn the_tables_are_not_cut_short() {
    let rows = [
        actions::MATCHING.len(),
        conditions::OPERATORS.len(),
        conditions::COMBINED.len(),
        effects::CASES.len(),
        resources::MATCHING.len(),
        resources::OPERATION_LEVEL.len(),
    ];
    assert!(rows.iter().sum::<usize>() >= 250, "{rows:?}");
}
