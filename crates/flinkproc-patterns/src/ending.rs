//! The end of a deployment, from wherever it has come to: cancel, logs, key, cluster, result, outcome.

use std::sync::Arc;

use flinkproc_plan::OnFailure;

use crate::events::EventKind;
use crate::journal::Entry;
use crate::outcome::{Conclusion, Ending, Outcome, Remainder};
use crate::run::{Run, StepFailed, lock};
use crate::step::{Failure, Intent, Output, Step};
use crate::verdict::Verdict;

impl Run {
    /// Brings everything to its end. Never fails: what did not work is part of the outcome.
    pub(crate) async fn end(
        self: &Arc<Self>,
        ending: Ending,
        failed: Option<StepFailed>,
    ) -> Outcome {
        if let Some(StepFailed { step, error }) = failed {
            let failure = Failure::of(Some(step), &error);
            self.note_if_possible(Entry::Failed { failure }).await;
        }
        let intent = Intent::End { reason: ending };
        self.note_if_possible(Entry::Started { intent }).await;
        self.emit(EventKind::Ending { ending });
        self.settle().await;
        if self.may_still_run(ending) {
            self.quiet_step(Step::Cancel, Output::Cancel, self.cancel_run())
                .await;
        }
        let verdict = self.verdict();
        let succeeded = verdict == Some(Verdict::Succeeded);
        let fetch = async {
            let fetched = self.look(|progress| progress.fetched);
            if succeeded && !fetched && self.plan.job.result.is_some() {
                self.step(Step::FetchResult, self.fetch_result()).await
            } else {
                Ok(())
            }
        };
        let (fetched, mut remains) =
            futures::future::join(fetch, self.clear(ending, verdict.as_ref())).await;
        remains.extend(self.survivors());
        if let Err(StepFailed { step, error }) = fetched {
            let failure = Failure::of(Some(step), &error);
            self.note_if_possible(Entry::Failed { failure }).await;
        }
        let conclusion = Conclusion::Ended { ending, verdict };
        let outcome = self.outcome(conclusion, remains).await;
        let entry = Entry::Ended {
            outcome: Box::new(outcome.clone()),
        };
        self.note_if_possible(entry).await;
        outcome
    }

    /// Logs, key, cluster: in this order, since each needs the one after it.
    async fn clear(self: &Arc<Self>, ending: Ending, verdict: Option<&Verdict>) -> Vec<Remainder> {
        let unsaved = self.look(|progress| {
            !progress.runs.is_empty() && !progress.logs_saved && progress.facts().is_some()
        });
        if unsaved {
            self.quiet_step(Step::SaveLogs, Output::SaveLogs, self.save_logs())
                .await;
        }
        let mut remains = Vec::new();
        if self.look(|progress| !progress.keys.is_empty()) {
            let leave = self.step(Step::LeaveMachine, async { Ok(self.leave_machine().await) });
            remains.extend(leave.await.unwrap_or_default());
        } else {
            self.site.lock().await.take();
        }
        let job_failed = verdict.is_some_and(|verdict| *verdict != Verdict::Succeeded);
        let keep = self.plan.watch.on_failure == OnFailure::Keep
            && job_failed
            && ending == Ending::Finished;
        if keep {
            remains.extend(self.remaining_clusters("it was to be kept when the job fails"));
            return remains;
        }
        if self.look(|progress| !progress.ours_left().is_empty()) {
            let delete = self.step(Step::DeleteCluster, async {
                Ok(self.delete_clusters().await)
            });
            remains.extend(delete.await.unwrap_or_default());
        }
        remains
    }

    async fn quiet_step(&self, step: Step, output: Output, work: impl Future<Output = ()>) {
        // A step that records its own failures does not fail.
        let _ = self
            .step(step, async {
                work.await;
                Ok(())
            })
            .await;
        self.note_if_possible(Entry::Done { output }).await;
    }

    pub(crate) fn verdict(&self) -> Option<Verdict> {
        self.look(|progress| {
            progress
                .evidence
                .as_ref()
                .map(crate::verdict::Evidence::verdict)
        })
    }

    /// Leaves everything as it is and goes on without us; our key is taken out, since the next process brings its own.
    pub(crate) async fn detach(self: &Arc<Self>, conclusion: Conclusion) -> Outcome {
        self.settle().await;
        let mut remains = self.leave_machine().await;
        remains.extend(self.remaining_work());
        self.outcome(conclusion, remains).await
    }

    /// Leaves at once: not even a key is taken out.
    pub(crate) async fn leave(self: &Arc<Self>) -> Outcome {
        let keys = self.look(|progress| progress.keys.clone());
        let mut remains: Vec<Remainder> = keys
            .into_iter()
            .map(|(machine, key)| Remainder {
                what: key.place(&machine),
                costs: false,
                why: "the run was left at once".to_owned(),
                command: format!("flinkproc down {}", self.plan.deployment),
            })
            .collect();
        remains.extend(self.remaining_work());
        self.outcome(Conclusion::Left, remains).await
    }

    /// What goes on when we go.
    fn remaining_work(&self) -> Vec<Remainder> {
        let mut remains = self.remaining_clusters("the deployment goes on");
        if remains.is_empty() && self.may_still_run(Ending::Interrupted) {
            remains.push(Remainder {
                what: format!(
                    "job {} on cluster {}",
                    self.plan.job.name, self.plan.cluster.cluster
                ),
                costs: false,
                why: "the deployment goes on".to_owned(),
                command: format!("flinkproc down {}", self.plan.deployment),
            });
        }
        remains
    }

    /// What runs on upon a cluster that stays. One of ours takes everything with it, or is itself what is left.
    fn survivors(&self) -> Vec<Remainder> {
        let cluster = &self.plan.cluster;
        if cluster.ours {
            return Vec::new();
        }
        let survivors = lock(&self.survivors).clone();
        let left = survivors.into_iter().map(|(what, why)| Remainder {
            what: format!("{what} on cluster {}", cluster.cluster),
            costs: true,
            why,
            command: format!("flinkproc down {}", self.plan.deployment),
        });
        left.collect()
    }

    fn remaining_clusters(&self, why: &str) -> Vec<Remainder> {
        let ours = self.look(crate::progress::Progress::ours_left).into_iter();
        ours.map(|one| Remainder {
            what: format!("cluster {}", one.cluster),
            costs: true,
            why: why.to_owned(),
            command: format!("flinkproc down {}", self.plan.deployment),
        })
        .collect()
    }

    async fn outcome(&self, conclusion: Conclusion, remains: Vec<Remainder>) -> Outcome {
        let progress = self.progress();
        // A job that was ended on purpose did not fail.
        let failed = matches!(&conclusion, Conclusion::Ended { ending: Ending::Finished | Ending::Failed, verdict }
            if *verdict != Some(Verdict::Succeeded));
        let cause = if failed {
            self.find_cause().await
        } else {
            None
        };
        let cluster = progress.clusters.last();
        let jobs = match &progress.evidence {
            Some(evidence) => evidence.flink.iter().map(|job| job.id.clone()).collect(),
            None => lock(&self.sightings).jobs.keys().cloned().collect(),
        };
        let outcome = Outcome {
            deployment: self.plan.deployment.clone(),
            conclusion,
            evidence: progress.evidence.clone(),
            failure: progress.failure.clone(),
            cause,
            began: progress.began.unwrap_or_else(|| self.now()),
            phases: lock(&self.phases).clone(),
            cluster: cluster.map(|one| one.cluster.clone()),
            cluster_uuid: cluster
                .and_then(|one| one.facts.as_ref())
                .map(|facts| facts.uuid.clone()),
            applications: self.seen_applications(),
            jobs,
            logs: (!progress.runs.is_empty()).then(|| self.logs()),
            result: lock(&self.results).clone(),
            endings: lock(&self.endings).clone(),
            remains,
        };
        tracing::debug!(kind = ?outcome.kind(), "the run is over");
        outcome
    }
}
