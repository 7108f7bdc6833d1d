//! APIs that a cluster may lack, on a control plane of its own.

use aiplatform::features::inference::ScaledObject;
use aiplatform::kind::Listed;
use aiplatform::lookup::{ApiLookup, optional_kinds};
use aiplatform::outcome::Applied;
use aiplatform::plan::Action;
use aiplatform::resource::ObservedState;
use serde_json::json;

use super::{Env, install_optional_apis, key};
use crate::support::cluster::Cluster;

#[tokio::test]
async fn what_is_of_an_api_that_the_cluster_lacks_is_absent_and_says_so_when_it_is_wanted() {
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start()));
    let env = Env::on(cluster, "lacking").await;
    for (_, api) in optional_kinds() {
        assert!(!env.adapter.serves(&api).await.expect("an answer"));
    }
    let spec = json!({"scaleTargetRef": {"name": "local"}, "triggers": [{"type": "cpu", "metadata": {"value": "70"}}]});
    let scaled = ScaledObject(env.manifest("local", spec));
    let step = env.step(scaled.clone()).await;
    assert_eq!(step.action, Action::Create);
    let refused = env.adapter.apply(&env.scope(), &step).await.expect_err("there is no such API");
    assert!(refused.to_string().contains("does not serve scaledobjects of keda.sh/v1alpha1"), "{refused}");

    install_optional_apis(cluster, &env.adapter).await;
    assert_eq!(env.put(scaled.clone()).await.action, Action::Create);
    let scaled_key = key(&scaled);
    let observed = env.observe(&scaled_key).await;
    assert!(matches!(&observed.state, ObservedState::Progressing(why) if why.contains("KEDA")), "{observed:#?}");
    let status = |ready: &str| {
        let condition = json!({"type": "Ready", "status": ready, "reason": "ScaledObjectReady", "message": "as it is"});
        json!({"status": {"conditions": [condition]}}).to_string()
    };
    let set = |ready: &str| {
        env.kubectl(&["patch", "scaledobject", "local", "--subresource=status", "--type=merge", "-p", &status(ready)])
    };
    set("False");
    let observed = env.observe(&scaled_key).await;
    assert!(matches!(&observed.state, ObservedState::Failed(why) if why.contains("as it is")), "{observed:#?}");
    set("True");
    assert!(matches!(env.observe(&scaled_key).await.state, ObservedState::Ready));

    env.cluster.kubectl(&["delete", "crd", "scaledobjects.keda.sh"], "").expect("deleted");
    let api = ApiLookup::of(ScaledObject::KIND).expect("it is optional");
    let began = std::time::Instant::now();
    while env.adapter.serves(&api).await.expect("an answer") {
        assert!(began.elapsed() < crate::support::DEADLINE);
        tokio::time::sleep(crate::support::PERIOD).await;
    }
    env.wait(&scaled_key, "gone", |observed| observed.resource.is_none()).await;
    assert_eq!(env.prune(&scaled_key).await, Applied::Gone);
}
