//! Validation of `spec.models[].sagemaker.rollout`.
//!
//! Source: `DeploymentConfig`, Amazon SageMaker API reference.

use super::{Problem, validate_range};
use crate::api::sagemaker::{Rollout, Strategy};

/// Seconds that a step is watched unless the spec says otherwise.
const WAIT: i32 = 300;

const ALARMS: usize = 10;

const ALARM_LIMIT: usize = 255;

pub(super) fn validate(rollout: &Rollout, path: &str, problems: &mut Vec<Problem>) {
    validate_step(rollout, &format!("{path}.stepPercent"), problems);
    validate_times(rollout, path, problems);
    validate_alarms(&rollout.rollback_alarms, &format!("{path}.rollbackAlarms"), problems);
}

fn validate_step(rollout: &Rollout, path: &str, problems: &mut Vec<Problem>) {
    let strategy = rollout.strategy;
    let least = match strategy {
        Strategy::AllAtOnce => {
            if rollout.step_percent.is_some() {
                let message = "does not go with AllAtOnce, which has one step: leave it out, or take another strategy";
                problems.push(Problem::new(path, message));
            }
            return;
        }
        Strategy::Canary => 1,
        Strategy::Linear => 10,
        Strategy::Rolling => 5,
    };
    let message = match rollout.step_percent {
        None => format!("is missing: {strategy:?} moves {least} to 50 percent in a step"),
        Some(percent) if !(least..=50).contains(&percent) => {
            format!("{percent} is out of range: {least} to 50 are allowed for {strategy:?}")
        }
        Some(_) => return,
    };
    problems.push(Problem::new(path, message));
}

fn validate_times(rollout: &Rollout, path: &str, problems: &mut Vec<Problem>) {
    let before = problems.len();
    validate_range(rollout.wait_seconds, 0..=3600, format!("{path}.waitSeconds"), problems);
    let termination_path = format!("{path}.terminationWaitSeconds");
    if rollout.strategy == Strategy::Rolling && rollout.termination_wait_seconds.is_some() {
        let message = "does not go with Rolling: there is never a whole old fleet beside the new one; leave it out";
        problems.push(Problem::new(termination_path, message));
    } else {
        validate_range(rollout.termination_wait_seconds, 0..=3600, termination_path, problems);
    }
    let Some(most) = rollout.maximum_execution_seconds else { return };
    let path = format!("{path}.maximumExecutionSeconds");
    let unless_set = if rollout.strategy == Strategy::AllAtOnce { 0 } else { WAIT };
    let wait = rollout.wait_seconds.unwrap_or(unless_set);
    let termination = rollout.termination_wait_seconds.unwrap_or(0);
    validate_range(Some(most), 600..=28800, path.clone(), problems);
    if problems.len() == before && most <= wait + termination {
        let message = format!(
            "{most} is too short: it has to be more than waitSeconds {wait} and terminationWaitSeconds {termination} \
             together"
        );
        problems.push(Problem::new(path, message));
    }
}

fn validate_alarms(alarms: &[String], path: &str, problems: &mut Vec<Problem>) {
    if alarms.len() > ALARMS {
        let message = format!("{} alarms are too many: SageMaker watches {ALARMS}", alarms.len());
        problems.push(Problem::new(path, message));
    }
    for (index, alarm) in alarms.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let length = alarm.chars().count();
        if alarm.trim().is_empty() {
            problems.push(Problem::new(path, format!("{alarm:?} is not the name of an alarm")));
        } else if length > ALARM_LIMIT {
            problems
                .push(Problem::new(path, format!("has {length} characters: an alarm's name has 1 to {ALARM_LIMIT}")));
        } else if alarms[..index].contains(alarm) {
            problems.push(Problem::new(path, format!("{alarm:?} is named twice")));
        }
    }
}
