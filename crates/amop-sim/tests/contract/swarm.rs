//! Random worlds under random faults: `cargo xtask sim` runs thousands of them, this a few.

use std::ops::Range;

use amop_sim::swarm::{Plan, Swarm, kept_seeds, run_seed};

#[test]
fn the_contract_holds_whatever_fails_and_all_is_well_once_it_is_quiet() {
    for seed in SEEDS {
        let verdict = run_seed(seed);
        let replay = format!("cargo xtask sim --seed {seed} --story");
        assert!(verdict.violations.is_empty(), "{:#?}\n{replay}", verdict.violations);
    }
}

#[test]
fn the_same_seed_gives_the_same_trace_whether_or_not_it_is_told() {
    for seed in 0..2 {
        let mut told = Swarm::new(&Plan::draw(seed));
        told.run();
        assert_eq!(run_seed(seed).trace_hash, told.verdict().trace_hash);
        assert!(told.story("").contains("Heartbeat"));
    }
    assert_ne!(run_seed(0).trace_hash, run_seed(1).trace_hash);
}

#[test]
fn every_kept_seed_says_why_it_is_kept() {
    assert!(kept_seeds().all(|(_, why)| !why.trim().is_empty()));
}

const SEEDS: Range<u64> = 0..12;
