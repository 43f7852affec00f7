//! Expected plans, and a plan executed on a model of a fleet.

use proptest::prelude::*;

use super::*;
use crate::chain::{Content, MigrationFile};
use crate::error::Source;
use crate::ident::SchemaName;
use crate::sql::ScopedNames;

const PLATFORM: &str = "ALTER TABLE datalinx_platform.t ADD c int;";
const TENANT: &str = "ALTER TABLE {org_schema}.t ADD c int;";

/// A chain of steps: `p`latform, `t`enant or `b`oth.
fn chain(kinds: &str) -> Chain {
    let files = kinds.chars().enumerate().map(|(n, kind)| {
        let name = format!("v1.0.{n}_to_v1.0.{}_s.sql", n + 1);
        let sql = match kind {
            'p' => PLATFORM.to_owned(),
            't' => TENANT.to_owned(),
            _ => format!("{PLATFORM}{TENANT}"),
        };
        let content = Content::of(Source::new(&name, format!("-- Description: x\n{sql}")));
        MigrationFile { name, content }
    });
    let platform = SchemaName::existing("datalinx_platform").unwrap();
    Chain::assemble(files.collect(), &platform, ScopedNames::default()).unwrap()
}

fn state(platform: usize, tenants: &[(usize, usize)]) -> FleetState {
    let version = |n: usize| format!("1.0.{n}").parse().unwrap();
    FleetState {
        platform: version(platform),
        tenants: tenants.iter().map(|(n, count)| (version(*n), *count)).collect(),
        examples: tenants.iter().map(|(n, _)| (version(*n), format!("org_{n}"))).collect(),
    }
}

fn stages(kinds: &str, platform: usize, tenants: &[(usize, usize)], reach: Reach) -> Vec<Stage> {
    Plan::make(&chain(kinds), &state(platform, tenants), None, reach).unwrap().stages
}

use Stage::{Platform, Settle, Tenants};

#[test]
fn consecutive_tenant_steps_are_one_pass() {
    assert_eq!(
        stages("pttp", 0, &[(0, 3)], Reach::Fleet),
        [
            Platform { step: 0, moves_tenants: true },
            Tenants(1..3),
            Settle(1..3),
            Platform { step: 3, moves_tenants: true },
        ]
    );
    assert_eq!(
        stages("bt", 0, &[(0, 3)], Reach::Fleet),
        [Platform { step: 0, moves_tenants: false }, Tenants(0..2), Settle(1..2),]
    );
}

#[test]
fn without_tenants_only_the_platform_moves() {
    assert_eq!(
        stages("ptp", 0, &[], Reach::Fleet),
        [Platform { step: 0, moves_tenants: true }, Settle(1..2), Platform { step: 2, moves_tenants: true },]
    );
}

#[test]
fn tenants_behind_catch_up_first() {
    assert_eq!(
        stages("tptp", 3, &[(0, 1), (3, 9)], Reach::Fleet),
        [Tenants(0..3), Platform { step: 3, moves_tenants: true },]
    );
}

#[test]
fn tenants_only_stops_at_a_platform_step() {
    assert_eq!(stages("ttpt", 0, &[(0, 1)], Reach::Tenants), [Tenants(0..2), Settle(0..2)]);
    assert_eq!(stages("pt", 0, &[(0, 1)], Reach::Tenants), []);
}

#[test]
fn a_version_outside_the_chain_is_an_error() {
    let plan = |at: FleetState| Plan::make(&chain("pt"), &at, None, Reach::Fleet);
    assert!(matches!(plan(state(7, &[])), Err(PlanError::Beyond { .. })));
    let mut unknown = state(0, &[]);
    unknown.platform = "0.9.0".parse().unwrap();
    assert!(matches!(plan(unknown), Err(PlanError::Unknown { .. })));
    let beyond = plan(state(0, &[(0, 1), (9, 2)])).unwrap_err();
    assert_eq!(
        beyond.to_string(),
        "the tenant of schema org_9 is at version 1.0.9, beyond the end of the chain at 1.0.2"
    );
    let to = "3.0.0".parse().unwrap();
    let asked = Plan::make(&chain("pt"), &state(0, &[]), Some(&to), Reach::Fleet);
    assert!(matches!(asked, Err(PlanError::Target { .. })));
}

proptest! {
    /// Executes the plan on a model of the fleet: every part runs once and in order.
    #[test]
    fn a_plan_migrates_all_schemas_to_the_target(
        kinds in "[ptb]{1,8}",
        platform in 0usize..8,
        behind in prop::collection::vec(0usize..8, 0..6),
        target in 0usize..9,
    ) {
        let chain = chain(&kinds);
        let length = kinds.len();
        let platform = platform.min(length);
        let target = target.clamp(platform, length);
        let mut fleet: Vec<usize> = behind.iter().map(|at| (*at).min(platform)).collect();
        let mut counts = BTreeMap::new();
        for at in &fleet {
            *counts.entry(*at).or_insert(0) += 1;
        }
        let counts: Vec<_> = counts.into_iter().collect();
        let to = format!("1.0.{target}").parse().unwrap();
        let plan = Plan::make(&chain, &state(platform, &counts), Some(&to), Reach::Fleet).unwrap();
        let mut at = platform;
        let has = |step: usize, scope| chain.migrations()[step].has(scope);
        for stage in &plan.stages {
            match stage {
                Platform { step, moves_tenants } => {
                    prop_assert_eq!(*step, at);
                    prop_assert!(fleet.iter().all(|tenant| *tenant >= *step));
                    at += 1;
                    if *moves_tenants {
                        prop_assert!(!has(*step, Scope::Tenant));
                        fleet.iter_mut().filter(|tenant| **tenant == *step).for_each(|tenant| *tenant += 1);
                    }
                }
                Tenants(steps) => {
                    for tenant in fleet.iter_mut().filter(|tenant| **tenant < steps.end) {
                        prop_assert!(*tenant >= steps.start);
                        for step in *tenant..steps.end {
                            prop_assert!(!has(step, Scope::Platform) || at > step);
                        }
                        *tenant = steps.end;
                    }
                }
                Settle(steps) => {
                    prop_assert_eq!(steps.start, at);
                    prop_assert!(steps.clone().all(|step| !has(step, Scope::Platform)));
                    prop_assert!(fleet.iter().all(|tenant| *tenant >= steps.end));
                    at = steps.end;
                }
            }
        }
        prop_assert_eq!(at, target);
        prop_assert!(fleet.iter().all(|tenant| *tenant == target));
        let second = Plan::make(&chain, &state(at, &[(target, fleet.len())]), Some(&to), Reach::Fleet).unwrap();
        prop_assert!(second.is_empty());
    }
}
