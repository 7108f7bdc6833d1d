//! The deployment configuration of an update, as SageMaker accepts it.

use aws_sdk_sagemaker::types::{
    Alarm, AutoRollbackConfig, BlueGreenUpdatePolicy, CapacitySize, CapacitySizeType, DeploymentConfig,
    RollingUpdatePolicy, TrafficRoutingConfig, TrafficRoutingConfigType,
};

use crate::resource::endpoint::{Deployment, Shift};

/// The deployment configuration of a call.
pub(super) fn deployment_config(deployment: &Deployment) -> DeploymentConfig {
    let routing = |kind: TrafficRoutingConfigType| {
        TrafficRoutingConfig::builder().r#type(kind).wait_interval_in_seconds(deployment.wait_seconds)
    };
    let (routing, termination_wait) = match deployment.shift {
        Shift::AllAtOnce { termination_wait_seconds } => {
            (routing(TrafficRoutingConfigType::AllAtOnce), termination_wait_seconds)
        }
        Shift::Canary { step_percent, termination_wait_seconds } => {
            let routing = routing(TrafficRoutingConfigType::Canary).canary_size(percent(step_percent));
            (routing, termination_wait_seconds)
        }
        Shift::Linear { step_percent, termination_wait_seconds } => {
            let routing = routing(TrafficRoutingConfigType::Linear).linear_step_size(percent(step_percent));
            (routing, termination_wait_seconds)
        }
        Shift::Rolling { step_percent } => return rolling(deployment, step_percent),
    };
    let policy = BlueGreenUpdatePolicy::builder()
        .traffic_routing_configuration(routing.build())
        .set_termination_wait_in_seconds(termination_wait)
        .set_maximum_execution_timeout_in_seconds(deployment.maximum_execution_seconds);
    DeploymentConfig::builder()
        .blue_green_update_policy(policy.build())
        .set_auto_rollback_configuration(rollback(deployment))
        .build()
}

fn rolling(deployment: &Deployment, step_percent: i32) -> DeploymentConfig {
    let policy = RollingUpdatePolicy::builder()
        .maximum_batch_size(percent(step_percent))
        .wait_interval_in_seconds(deployment.wait_seconds)
        .set_maximum_execution_timeout_in_seconds(deployment.maximum_execution_seconds);
    DeploymentConfig::builder()
        .rolling_update_policy(policy.build())
        .set_auto_rollback_configuration(rollback(deployment))
        .build()
}

fn rollback(deployment: &Deployment) -> Option<AutoRollbackConfig> {
    let alarms = deployment.rollback_alarms.iter().map(|name| Alarm::builder().alarm_name(name).build());
    (!deployment.rollback_alarms.is_empty())
        .then(|| AutoRollbackConfig::builder().set_alarms(Some(alarms.collect())).build())
}

fn percent(of_capacity: i32) -> CapacitySize {
    CapacitySize::builder().r#type(CapacitySizeType::CapacityPercent).value(of_capacity).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(shift: Shift) -> Deployment {
        Deployment {
            shift,
            wait_seconds: 300,
            maximum_execution_seconds: Some(1800),
            rollback_alarms: vec!["rank-5xx".into()],
        }
    }

    #[test]
    fn traffic_moves_to_a_second_fleet_as_requested() {
        let termination_wait_seconds = Some(60);
        for (shift, kind, canary, linear) in [
            (Shift::AllAtOnce { termination_wait_seconds }, TrafficRoutingConfigType::AllAtOnce, None, None),
            (
                Shift::Canary { step_percent: 10, termination_wait_seconds },
                TrafficRoutingConfigType::Canary,
                Some(percent(10)),
                None,
            ),
            (
                Shift::Linear { step_percent: 25, termination_wait_seconds },
                TrafficRoutingConfigType::Linear,
                None,
                Some(percent(25)),
            ),
        ] {
            let config = deployment_config(&deployment(shift));
            assert!(config.rolling_update_policy.is_none());
            let policy = config.blue_green_update_policy.unwrap();
            assert_eq!(policy.termination_wait_in_seconds, Some(60));
            assert_eq!(policy.maximum_execution_timeout_in_seconds, Some(1800));
            let routing = policy.traffic_routing_configuration.unwrap();
            assert_eq!((routing.r#type, routing.wait_interval_in_seconds), (Some(kind), Some(300)));
            assert_eq!((routing.canary_size, routing.linear_step_size), (canary, linear));
            let alarms = config.auto_rollback_configuration.unwrap().alarms.unwrap();
            assert_eq!(alarms[0].alarm_name.as_deref(), Some("rank-5xx"));
        }
    }

    #[test]
    fn batches_replace_instances_without_a_second_fleet() {
        let quiet = Deployment { rollback_alarms: Vec::new(), ..deployment(Shift::Rolling { step_percent: 20 }) };
        let config = deployment_config(&quiet);
        assert!(config.blue_green_update_policy.is_none() && config.auto_rollback_configuration.is_none());
        let policy = config.rolling_update_policy.unwrap();
        assert_eq!(policy.maximum_batch_size, Some(percent(20)));
        assert_eq!(policy.wait_interval_in_seconds, Some(300));
    }
}
