//! Each kind of alert: it fires, does not fire, has too few samples, is over.

use super::*;

fn subject(kind: Kind, subject_type: &'static str) -> Subject {
    let account = (subject_type != "worker").then(|| "acme".to_owned());
    Subject { account, kind, subject_type, subject: "x".to_owned() }
}

fn reading(kind: Kind, metric: Metric, now: (f64, u64), before: (f64, u64)) -> Reading {
    let subject_type = match metric {
        Metric::FailureShare => "worker",
        Metric::HourlyCostUsd | Metric::PlacesShare => "account",
        Metric::SuccessRate | Metric::P95Ms | Metric::MeanCostUsd | Metric::Quality => "template",
    };
    Reading {
        subject: subject(kind, subject_type),
        metric,
        observed: (now.1 > 0).then_some(now.0),
        samples: now.1,
        baseline: (before.1 > 0).then_some(before.0),
        baseline_samples: before.1,
    }
}

fn opened(reading: &Reading) -> Option<Finding> {
    match decide(std::slice::from_ref(reading), &[]).as_slice() {
        [] => None,
        [Decision::Open(subject, finding)] => {
            assert_eq!(*subject, reading.subject);
            Some(finding.clone())
        }
        other => panic!("{other:?}"),
    }
}

fn standing(reading: &Reading) -> Standing {
    let evidence = opened(reading).expect("it fires").evidence;
    Standing { id: "a1".to_owned(), subject: reading.subject.clone(), evidence }
}

/// A kind and its metric; what fires, what is critical, what lies between, what is well.
type Case = (Kind, Metric, [f64; 4], f64);

const ENOUGH: u64 = 40;
const CASES: [Case; 7] = [
    (Kind::Degradation, Metric::SuccessRate, [0.85, 0.4, 0.93, 0.97], 0.99),
    (Kind::Degradation, Metric::P95Ms, [3_100.0, 6_500.0, 2_700.0, 2_100.0], 2_000.0),
    (Kind::CostSpike, Metric::MeanCostUsd, [0.16, 0.4, 0.14, 0.11], 0.1),
    (Kind::CostSpike, Metric::HourlyCostUsd, [3.5, 12.0, 2.5, 1.2], 1.0),
    (Kind::WorkerFailure, Metric::FailureShare, [0.6, 0.95, 0.4, 0.1], 0.0),
    (Kind::QualityDrop, Metric::Quality, [0.6, 0.4, 0.7, 0.78], 0.8),
    (Kind::Capacity, Metric::PlacesShare, [0.9, 1.0, 0.8, 0.2], 0.0),
];

#[test]
fn every_kind_fires_and_says_how_bad_it_is() {
    for (kind, metric, [fires, critical, _, _], before) in CASES {
        let at = |now| reading(kind, metric, (now, ENOUGH), (before, ENOUGH));
        let finding = opened(&at(fires)).unwrap_or_else(|| panic!("{metric:?}"));
        assert_eq!((finding.severity, finding.observed), (Severity::Warning, fires));
        assert!(finding.message.contains(" x is "), "{}", finding.message);
        let finding = opened(&at(critical)).unwrap();
        assert_eq!(finding.severity, Severity::Critical, "{metric:?}");
    }
    assert_eq!(Kind::ALL.len(), 5);
    assert!(Kind::ALL.iter().all(|kind| CASES.iter().any(|case| case.0 == *kind)));
}

#[test]
fn what_is_well_or_nearly_so_does_not_fire() {
    for (kind, metric, [_, _, between, well], before) in CASES {
        for now in [between, well, before] {
            let reading = reading(kind, metric, (now, ENOUGH), (before, ENOUGH));
            assert_eq!(opened(&reading), None, "{metric:?} {now}");
        }
    }
}

#[test]
fn too_few_samples_never_fire() {
    for (kind, metric, [_, critical, _, _], before) in CASES {
        let few = if metric == Metric::PlacesShare { 1 } else { 3 };
        let now = reading(kind, metric, (critical, few), (before, ENOUGH));
        assert_eq!(opened(&now), None, "{metric:?}: three executions");
        let nothing = reading(kind, metric, (critical, 0), (before, ENOUGH));
        assert_eq!(opened(&nothing), None, "{metric:?}: none");
        let new = reading(kind, metric, (critical, ENOUGH), (before, 3));
        let absolute = matches!(metric, Metric::FailureShare | Metric::PlacesShare);
        assert_eq!(opened(&new).is_some(), absolute, "{metric:?}: nothing to compare with");
    }
}

#[test]
fn an_alert_lasts_while_it_is_bad_and_is_opened_once() {
    for (kind, metric, [fires, critical, _, _], before) in CASES {
        let alert = standing(&reading(kind, metric, (fires, ENOUGH), (before, ENOUGH)));
        let again = reading(kind, metric, (critical, ENOUGH), (before, ENOUGH));
        let decisions = decide(&[again], std::slice::from_ref(&alert));
        let [Decision::Update(id, finding)] = decisions.as_slice() else { panic!("{decisions:?}") };
        assert_eq!((id.as_str(), finding.severity), ("a1", Severity::Critical));
        assert_eq!(finding.evidence.baselines, alert.evidence.baselines);
    }
}

/// What the checks that follow make of an alert; ends where it is resolved.
fn after(mut alert: Standing, checks: &[Option<Reading>]) -> Result<u32, usize> {
    for (n, check) in (1..).zip(checks) {
        let readings: Vec<Reading> = check.iter().cloned().collect();
        match decide(&readings, std::slice::from_ref(&alert)).pop() {
            Some(Decision::Note(_, evidence)) => alert.evidence = evidence,
            Some(Decision::Update(_, finding)) => alert.evidence = finding.evidence,
            Some(Decision::Resolve(_, _)) => return Err(n),
            other => panic!("{other:?}"),
        }
    }
    Ok(alert.evidence.quiet)
}

#[test]
fn three_checks_that_are_well_end_it_and_fewer_do_not() {
    for (kind, metric, [fires, _, between, well], before) in CASES {
        let at = |now| reading(kind, metric, (now, ENOUGH), (before, ENOUGH));
        let alert = standing(&at(fires));
        let (well, between, bad) = (Some(at(well)), Some(at(between)), Some(at(fires)));
        let of = |checks: &[&Option<Reading>]| {
            after(alert.clone(), &checks.iter().map(|c| (*c).clone()).collect::<Vec<_>>())
        };
        assert_eq!(of(&[&well, &well, &well]), Err(3), "{metric:?}");
        assert_eq!(of(&[&well, &well, &bad, &well, &well]), Ok(8), "{metric:?}");
        assert_eq!(of(&[&well, &well, &between, &well]), Ok(4), "{metric:?}: not over yet");
        assert_eq!(of(&[&between; 20]), Ok(0), "{metric:?}: it stands");
    }
}

#[test]
fn an_alert_of_which_nothing_is_heard_ends_after_an_hour() {
    let (kind, metric) = (Kind::WorkerFailure, Metric::FailureShare);
    let alert = standing(&reading(kind, metric, (0.8, ENOUGH), (0.0, 0)));
    assert_eq!(after(alert.clone(), &[const { None }; 11]), Ok(11));
    assert_eq!(after(alert.clone(), &[const { None }; 12]), Err(12));
    let few = Some(reading(kind, metric, (0.8, 3), (0.0, 0)));
    assert_eq!(after(alert, &vec![few; 12]), Err(12), "too few samples count as nothing");
}

#[test]
fn what_stays_bad_does_not_become_its_own_baseline() {
    let (kind, metric) = (Kind::Degradation, Metric::P95Ms);
    let alert = standing(&reading(kind, metric, (4_000.0, ENOUGH), (2_000.0, ENOUGH)));
    let a_day_later = reading(kind, metric, (4_000.0, ENOUGH), (4_000.0, ENOUGH));
    let decisions = decide(std::slice::from_ref(&a_day_later), &[alert]);
    assert!(matches!(decisions.as_slice(), [Decision::Update(_, _)]), "{decisions:?}");
    assert_eq!(opened(&a_day_later), None, "it would not be opened anew");
}

#[test]
fn the_worst_of_two_figures_of_a_subject_decides() {
    let slow = reading(Kind::Degradation, Metric::P95Ms, (3_100.0, 40), (2_000.0, 40));
    let failing = reading(Kind::Degradation, Metric::SuccessRate, (0.3, 40), (1.0, 40));
    let decisions = decide(&[slow.clone(), failing.clone()], &[]);
    let [Decision::Open(_, finding)] = decisions.as_slice() else { panic!("{decisions:?}") };
    assert_eq!((finding.metric, finding.severity), (Metric::SuccessRate, Severity::Critical));
    assert_eq!(finding.evidence.baselines.len(), 2, "both are kept");
    let alert = Standing {
        id: "a1".to_owned(),
        subject: slow.subject.clone(),
        evidence: finding.evidence.clone(),
    };
    let well = reading(Kind::Degradation, Metric::SuccessRate, (1.0, 40), (1.0, 40));
    let decisions = decide(&[slow, well], &[alert]);
    let [Decision::Update(_, finding)] = decisions.as_slice() else { panic!("{decisions:?}") };
    assert_eq!(finding.metric, Metric::P95Ms, "it lasts for another reason");
}

#[test]
fn subjects_are_told_apart() {
    let mut other = reading(Kind::CostSpike, Metric::MeanCostUsd, (1.0, 40), (0.1, 40));
    let first = other.clone();
    other.subject.account = Some("default".to_owned());
    let decisions = decide(&[first, other], &[]);
    assert_eq!(decisions.len(), 2, "{decisions:?}");
}
