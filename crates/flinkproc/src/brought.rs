//! What a job brings along: who builds its Python, and where its connectors come from.

use std::path::PathBuf;
use std::sync::Arc;

use flinkproc_env::{
    AutoBuilder, EnvironmentBuilder, LocalBuilder, MAVEN_CENTRAL, MavenRepository, UvBuilder,
};
use flinkproc_patterns::Clients;
use flinkproc_plan::{DeployRequest, Plan, ResolvedJar, plan_deployment};

use crate::environment::Environment;
use crate::error::AppError;
use crate::report::Problem;

/// Adds those who can build a Python on this machine.
pub(crate) fn with_builders(clients: Clients, environment: &Environment) -> Clients {
    let path = environment.path("PATH").unwrap_or_default();
    let search: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let local = LocalBuilder::new(search.clone());
    let uv = UvBuilder::new(search, environment.cache().join("interpreters"));
    let all: Vec<Arc<dyn EnvironmentBuilder>> = vec![Arc::new(local.clone()), Arc::new(uv.clone())];
    clients
        .with_environments(AutoBuilder::new(all))
        .with_environments(local)
        .with_environments(uv)
}

/// The plan of a request with its connectors looked up, which asks a Maven repository for those that are not here yet.
pub(crate) async fn complete_plan(
    mut request: DeployRequest,
    environment: &Environment,
) -> Result<Plan, Problem> {
    let plan = plan_deployment(&request)?;
    if plan.job.unresolved.is_empty() {
        return Ok(plan);
    }
    let url = environment.text("FLINKPROC_MAVEN_REPOSITORY");
    let http = reqwest::Client::builder()
        .build()
        .map_err(|source| AppError::Client {
            service: "the Maven repository",
            source: source.into(),
        })?;
    let folder = environment.cache().join("connectors");
    let repository = MavenRepository::new(http, url.unwrap_or(MAVEN_CENTRAL), folder)?;
    for text in &plan.job.unresolved {
        let jar = repository.resolve(text, plan.job.flink).await?;
        let jar = ResolvedJar {
            coordinate: jar.coordinate.to_string(),
            file_name: jar.coordinate.file_name(),
            local: jar.path.display().to_string(),
            size: jar.size,
            sha256: jar.sha256,
            crc32c: None,
        };
        request.packages.insert(text.clone(), vec![jar]);
    }
    Ok(plan_deployment(&request)?)
}
