//! The contract suite: what every [`ClusterApi`] and [`JobApi`] must do, run against any of them.
//!
//! Each suite works on real ground: it makes one cluster with a name of its own and deletes it in every outcome. Run it on the
//! double, on an emulator, or, for some minutes and cents, on the service itself.

pub use flinkproc_core::contract::Broken;
use flinkproc_core::contract::{hold, must};
use flinkproc_core::{Clock, ClusterRef, ProjectId, Region, RequestId, Span};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::clusters::{
    Cluster, ClusterApi, ClusterSpec, ClusterState, ClusterUpdate, OperationName,
};
use crate::error::ApiError;
use crate::jobs::{JobApi, JobSpec, JobState};
use crate::wait::{ClusterOutcome, wait_cluster, wait_gone, wait_job, wait_operation};

/// Where a suite may make its cluster.
#[derive(Debug)]
pub struct Ground<'a> {
    /// Waits between polls.
    pub clock: &'a dyn Clock,
    /// The project.
    pub project: ProjectId,
    /// The region.
    pub region: Region,
    /// At most 20 characters that no other run of the suite uses; it begins the cluster's name and each request id.
    pub prefix: String,
    /// The cluster's resource, without name and labels.
    pub resource: Value,
    /// How long one operation may take.
    pub patience: Span,
}

impl Ground<'_> {
    fn cluster(&self, suffix: &str) -> Result<ClusterRef, Broken> {
        let name = format!("{}-{suffix}", self.prefix);
        Ok(ClusterRef {
            project: self.project.clone(),
            region: self.region.clone(),
            name: must("the prefix makes a cluster name", name.parse())?,
        })
    }

    fn request(&self, suffix: &str) -> Result<RequestId, Broken> {
        let id = format!("{}-{suffix}", self.prefix);
        must("the prefix makes a request id", id.parse())
    }

    fn deadline(&self) -> Timestamp {
        let patience = self.patience.as_duration();
        self.clock
            .now()
            .checked_add(patience)
            .unwrap_or(Timestamp::MAX)
    }

    fn spec(&self, cluster: &ClusterRef) -> ClusterSpec {
        let mut resource = self.resource.clone();
        if let Some(fields) = resource.as_object_mut() {
            fields.insert("labels".to_owned(), json!({"flinkproc": self.prefix}));
        }
        ClusterSpec {
            cluster: cluster.clone(),
            resource,
        }
    }

    async fn running(
        &self,
        api: &dyn ClusterApi,
        cluster: &ClusterRef,
        operation: &OperationName,
    ) -> Result<Cluster, Broken> {
        let settled = wait_cluster(api, self.clock, cluster, Some(operation), self.deadline());
        let settled = must("the wait for the cluster ends", settled.await)?;
        must("the cluster runs", settled.into_running(cluster))
    }

    /// Deletes what is left of a cluster, whatever became of the suite.
    async fn clear(&self, api: &dyn ClusterApi, cluster: &ClusterRef) -> Result<(), Broken> {
        // Each cluster needs an id of its own here: a repeated one would name the first cluster's deletion.
        let id = format!("{}-clear", cluster.name);
        let request = must("the cluster's name makes a request id", id.parse())?;
        let started = api.start_delete(cluster, None, &request).await;
        let operation = must("a deletion is taken up", started)?;
        let gone = wait_gone(
            api,
            self.clock,
            cluster,
            None,
            operation.as_ref(),
            self.deadline(),
        );
        must("a deleted cluster goes", gone.await)
    }
}

/// Runs the suite for clusters.
///
/// # Errors
/// The first clause that does not hold.
pub async fn clusters(api: &dyn ClusterApi, ground: &Ground<'_>) -> Result<(), Broken> {
    let cluster = ground.cluster("contract")?;
    let outcome = lifetime(api, ground, &cluster).await;
    let cleared = ground.clear(api, &cluster).await;
    outcome.and(cleared)
}

async fn lifetime(
    api: &dyn ClusterApi,
    ground: &Ground<'_>,
    cluster: &ClusterRef,
) -> Result<(), Broken> {
    absent(api, ground, cluster).await?;
    let create = ground.request("create")?;
    let spec = ground.spec(cluster);
    let first = must(
        "a creation is taken up",
        api.start_create(&spec, &create).await,
    )?;
    let again = must(
        "a repeated creation is answered",
        api.start_create(&spec, &create).await,
    )?;
    hold(
        "a request id names one operation",
        first == again,
        &(&first, &again),
    )?;
    let region = first.region();
    let here = region.as_ref() == Some(&ground.region);
    hold("an operation's name holds its region", here, &first)?;
    let found = ground.running(api, cluster, &first).await?;
    present(api, ground, cluster, &found).await?;
    change(api, ground, cluster).await?;
    deletion(api, ground, cluster, &found).await
}

async fn absent(
    api: &dyn ClusterApi,
    ground: &Ground<'_>,
    cluster: &ClusterRef,
) -> Result<(), Broken> {
    let found = must("an absent cluster is asked for", api.find(cluster).await)?;
    hold("an absent cluster is none", found.is_none(), &found)?;
    let request = ground.request("absent")?;
    let deleted = api.start_delete(cluster, None, &request).await;
    let deleted = must("deleting the absent succeeds", deleted)?;
    hold(
        "deleting the absent starts nothing",
        deleted.is_none(),
        &deleted,
    )?;
    let nowhere = format!(
        "projects/{}/regions/{}/operations/00000000-0000-4000-8000-000000000000",
        ground.project, ground.region
    );
    let operation = api.operation(&OperationName(nowhere)).await;
    let refused = matches!(operation, Err(ApiError::NotFound { .. }));
    hold("an unknown operation is not found", refused, &operation)?;
    let nonsense = ClusterSpec {
        cluster: cluster.clone(),
        resource: json!("no object"),
    };
    let refused = api
        .start_create(&nonsense, &ground.request("nonsense")?)
        .await;
    let invalid = matches!(refused, Err(ApiError::Invalid { .. }));
    hold(
        "a resource that is no object is not valid",
        invalid,
        &refused,
    )
}

async fn present(
    api: &dyn ClusterApi,
    ground: &Ground<'_>,
    cluster: &ClusterRef,
    found: &Cluster,
) -> Result<(), Broken> {
    hold(
        "it has the name that was asked for",
        found.cluster == *cluster,
        found,
    )?;
    hold("its zone is told", found.zone.is_some(), found)?;
    hold("its masters are told", !found.masters.is_empty(), found)?;
    let label = found.labels.get("flinkproc") == Some(&ground.prefix);
    hold("its labels are those that were asked for", label, found)?;
    let other = ground.request("other")?;
    let taken = api.start_create(&ground.spec(cluster), &other).await;
    let refused = matches!(taken, Err(ApiError::AlreadyExists { .. }));
    hold("a name is taken for other requests", refused, &taken)?;
    for (filter, expected) in [
        (String::new(), true),
        (format!("labels.flinkproc = {}", ground.prefix), true),
        (format!("labels.flinkproc = {}-not", ground.prefix), false),
    ] {
        let listed = api.list(&ground.project, &ground.region, &filter).await;
        let listed = must("clusters are listed", listed)?;
        let names: Vec<_> = listed.iter().map(|each| &each.cluster).collect();
        let holds = names.contains(&cluster) == expected;
        hold(
            "a list holds what passes its filter",
            holds,
            &(filter, names),
        )?;
    }
    Ok(())
}

async fn change(
    api: &dyn ClusterApi,
    ground: &Ground<'_>,
    cluster: &ClusterRef,
) -> Result<(), Broken> {
    let update = ClusterUpdate {
        resource: json!({"labels": {"flinkproc": ground.prefix, "changed": "yes"}}),
        mask: vec!["labels".to_owned()],
        graceful_decommission: None,
    };
    let request = ground.request("update")?;
    let started = api.start_update(cluster, &update, &request).await;
    let operation = must("a change is taken up", started)?;
    let again = api.start_update(cluster, &update, &request).await;
    let again = must("a repeated change is answered", again)?;
    hold(
        "a change has one operation",
        operation == again,
        &(&operation, &again),
    )?;
    let found = ground.running(api, cluster, &operation).await?;
    let changed = found.labels.get("changed").map(String::as_str) == Some("yes");
    hold(
        "a change shows when its operation has ended",
        changed,
        &found.labels,
    )
}

async fn deletion(
    api: &dyn ClusterApi,
    ground: &Ground<'_>,
    cluster: &ClusterRef,
    found: &Cluster,
) -> Result<(), Broken> {
    let other = must(
        "a UUID is a UUID",
        "ffffffff-ffff-4fff-8fff-ffffffffffff".parse(),
    )?;
    let spared = api
        .start_delete(cluster, Some(&other), &ground.request("spare")?)
        .await;
    let spared = must("deleting a cluster of another UUID succeeds", spared)?;
    hold(
        "a cluster of another UUID is left alone",
        spared.is_none(),
        &spared,
    )?;
    let there = must("the cluster is asked for", api.find(cluster).await)?;
    let state = there.map(|cluster| cluster.state);
    hold(
        "the spared cluster runs",
        state == Some(ClusterState::Running),
        &state,
    )?;
    let request = ground.request("delete")?;
    let started = api.start_delete(cluster, Some(&found.uuid), &request).await;
    let operation = must("a deletion is taken up", started)?;
    hold(
        "a deletion has an operation",
        operation.is_some(),
        &operation,
    )?;
    let again = api.start_delete(cluster, Some(&found.uuid), &request).await;
    let again = must("a repeated deletion is answered", again)?;
    let same = again.is_none() || again == operation;
    hold(
        "a repeated deletion starts nothing new",
        same,
        &(&operation, &again),
    )?;
    let second = api
        .start_delete(cluster, None, &ground.request("second")?)
        .await;
    must("deleting what is being deleted succeeds", second)?;
    let deadline = ground.deadline();
    let (clock, uuid) = (ground.clock, Some(&found.uuid));
    let gone = wait_gone(api, clock, cluster, uuid, operation.as_ref(), deadline);
    must("a deleted cluster goes", gone.await)?;
    let left = must("a deleted cluster is asked for", api.find(cluster).await)?;
    hold("a deleted cluster is none", left.is_none(), &left)
}

/// Runs the suite for stopping, starting and diagnosing a cluster that it makes.
///
/// # Errors
/// The first clause that does not hold.
pub async fn care(api: &dyn ClusterApi, ground: &Ground<'_>) -> Result<(), Broken> {
    let cluster = ground.cluster("care")?;
    let absent = api.start_diagnose(&cluster).await;
    let refused = matches!(absent, Err(ApiError::NotFound { .. }));
    hold("the absent cannot be diagnosed", refused, &absent)?;
    let create = ground.request("create-care")?;
    let started = api.start_create(&ground.spec(&cluster), &create).await;
    let operation = must("a creation is taken up", started)?;
    let outcome = match ground.running(api, &cluster, &operation).await {
        Ok(_) => cared_for(api, ground, &cluster).await,
        Err(broken) => Err(broken),
    };
    let cleared = ground.clear(api, &cluster).await;
    outcome.and(cleared)
}

async fn cared_for(
    api: &dyn ClusterApi,
    ground: &Ground<'_>,
    cluster: &ClusterRef,
) -> Result<(), Broken> {
    let (clock, deadline) = (ground.clock, ground.deadline());
    let name = must("a diagnosis is taken up", api.start_diagnose(cluster).await)?;
    let done = must("it ends", wait_operation(api, clock, &name, deadline).await)?;
    hold(
        "a diagnosis says where it is",
        done.output_uri.is_some(),
        &done,
    )?;
    let request = ground.request("stop")?;
    let name = must(
        "a stop is taken up",
        api.start_stop(cluster, &request).await,
    )?;
    let deadline = ground.deadline();
    let settled = wait_cluster(api, clock, cluster, Some(&name), deadline).await;
    let settled = must("the wait for the stop ends", settled)?;
    let stopped = matches!(settled.outcome, ClusterOutcome::Stopped(_));
    hold("a stopped cluster is stopped", stopped, &settled)?;
    let request = ground.request("start")?;
    let name = must(
        "a start is taken up",
        api.start_start(cluster, &request).await,
    )?;
    ground.running(api, cluster, &name).await.map(drop)
}

/// Runs the suite for jobs, on a cluster that it makes; the jobs run `sh true` by Pig.
///
/// # Errors
/// The first clause that does not hold.
pub async fn jobs(
    api: &dyn ClusterApi,
    jobs: &dyn JobApi,
    ground: &Ground<'_>,
) -> Result<(), Broken> {
    let cluster = ground.cluster("jobs")?;
    let create = ground.request("create-jobs")?;
    let started = api.start_create(&ground.spec(&cluster), &create).await;
    let operation = must("a creation is taken up", started)?;
    let outcome = match ground.running(api, &cluster, &operation).await {
        Ok(_) => submissions(jobs, ground, &cluster).await,
        Err(broken) => Err(broken),
    };
    let cleared = ground.clear(api, &cluster).await;
    outcome.and(cleared)
}

async fn submissions(
    jobs: &dyn JobApi,
    ground: &Ground<'_>,
    cluster: &ClusterRef,
) -> Result<(), Broken> {
    let (project, region) = (&ground.project, &ground.region);
    let id = format!("{}-job", ground.prefix);
    let mut spec = JobSpec {
        cluster: cluster.clone(),
        id: must("the prefix makes a job id", id.parse())?,
        resource: json!({"pigJob": {"queryList": {"queries": ["sh true"]}}}),
    };
    let absent = must(
        "an absent job is asked for",
        jobs.find(project, region, &spec.id).await,
    )?;
    hold("an absent job is none", absent.is_none(), &absent)?;
    let ended = jobs.cancel(project, region, &spec.id).await;
    let ended = must("cancelling the absent succeeds", ended)?;
    hold("cancelling the absent does nothing", !ended, &ended)?;
    let request = ground.request("job")?;
    let first = must("a job is taken up", jobs.submit(&spec, &request).await)?;
    hold(
        "a job has the id that was chosen",
        first.id == spec.id,
        &first,
    )?;
    hold(
        "a job names its cluster",
        first.cluster == cluster.name.as_str(),
        &first,
    )?;
    let again = must(
        "a repeated submission is answered",
        jobs.submit(&spec, &request).await,
    )?;
    hold(
        "a repeated submission is the same job",
        again.id == first.id,
        &again,
    )?;
    let other = jobs.submit(&spec, &ground.request("job-2")?).await;
    let refused = matches!(other, Err(ApiError::AlreadyExists { .. }));
    hold("a job id is taken for other requests", refused, &other)?;
    let listed = must(
        "jobs are listed",
        jobs.list(project, region, Some(cluster)).await,
    )?;
    let count = listed.iter().filter(|job| job.id == spec.id).count();
    hold("a job is listed once", count == 1, &listed)?;
    let (clock, deadline) = (ground.clock, ground.deadline());
    let done = wait_job(jobs, clock, project, region, &spec.id, deadline).await;
    let done = must("the wait for the job ends", done)?;
    hold(
        "a job that succeeds is done",
        done.state == JobState::Done,
        &done,
    )?;
    hold(
        "its output has a place",
        done.driver_output.is_some(),
        &done,
    )?;
    let ended = must(
        "cancelling succeeds",
        jobs.cancel(project, region, &spec.id).await,
    )?;
    hold("cancelling what has ended does nothing", !ended, &ended)?;
    spec.cluster = ground.cluster("nowhere")?;
    spec.id = must(
        "the prefix makes a job id",
        format!("{}-lost", ground.prefix).parse(),
    )?;
    let lost = jobs.submit(&spec, &ground.request("job-3")?).await;
    let refused = matches!(lost, Err(ApiError::NotFound { .. }));
    hold("a job needs its cluster", refused, &lost)
}

#[cfg(test)]
mod tests {
    use flinkproc_core::{ManualClock, Span};
    use serde_json::json;

    use super::{Ground, care, clusters, jobs};
    use crate::memory::MemoryDataproc;

    #[tokio::test]
    async fn the_double_keeps_the_contract() {
        let clock = ManualClock::eager("2026-11-22T12:00:00Z".parse().expect("valid"));
        for polls in [0, 1, 7] {
            let ground = Ground {
                clock: &clock,
                project: "my-project".parse().expect("valid"),
                region: "europe-west4".parse().expect("valid"),
                prefix: "memory".to_owned(),
                resource: json!({"config": {}}),
                patience: Span::from_secs(600),
            };
            let api = MemoryDataproc::new().with_polls(polls);
            clusters(&api, &ground).await.expect("the contract holds");
            care(&api, &ground).await.expect("the contract holds");
            jobs(&api, &api, &ground).await.expect("the contract holds");
            assert!(api.clusters().is_empty());
        }
    }
}
