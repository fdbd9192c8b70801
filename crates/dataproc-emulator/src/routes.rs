//! Which call goes where, and what is answered to calls that are not emulated.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{delete, get, post};

use crate::failure::{ApiFailure, Code};
use crate::service::Service;
use crate::{
    access, admin, clusters, faults, iam, iap, jobs, operations, policies, quotas, routes_around,
    templates,
};

/// Every call that is emulated; fault rules do not reach the emulator's own calls.
pub(crate) fn router(service: Arc<Service>) -> Router {
    let google = Router::new()
        .merge(dataproc())
        .merge(below_both("regions"))
        .merge(below_both("locations"))
        .merge(routes_around::around())
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(from_fn(access::reword))
        .layer(from_fn_with_state(Arc::clone(&service), faults::layer));
    own()
        .fallback_service(google.with_state(Arc::clone(&service)))
        .layer(from_fn_with_state(Arc::clone(&service), access::layer))
        // The layer above has read the body and knows its own limit.
        .layer(DefaultBodyLimit::disable())
        .with_state(service)
}

fn dataproc() -> Router<Arc<Service>> {
    const REGION: &str = "/v1/projects/{project}/regions/{region}";
    Router::new()
        .route(
            &format!("{REGION}/clusters"),
            get(clusters::list).post(clusters::create),
        )
        .route(
            &format!("{REGION}/clusters/{{name}}"),
            get(clusters::get)
                .patch(clusters::update)
                .delete(clusters::delete)
                .post(clusters::act),
        )
        .route(&format!("{REGION}/jobs"), get(jobs::list))
        .route(&format!("{REGION}/jobs:submit"), post(jobs::submit))
        .route(
            &format!("{REGION}/jobs:submitAsOperation"),
            post(jobs::submit_as_operation),
        )
        .route(
            &format!("{REGION}/jobs/{{id}}"),
            get(jobs::get)
                .patch(jobs::update)
                .delete(jobs::delete)
                .post(jobs::act),
        )
        .route(&format!("{REGION}/operations"), get(operations::list))
        .route(
            &format!("{REGION}/operations/{{id}}"),
            get(operations::get)
                .delete(operations::delete)
                .post(operations::act),
        )
}

/// What the API has below regions and below locations alike.
fn below_both(place: &str) -> Router<Arc<Service>> {
    let policies = format!("/v1/projects/{{project}}/{place}/{{region}}/autoscalingPolicies");
    let templates = format!("/v1/projects/{{project}}/{place}/{{region}}/workflowTemplates");
    Router::new()
        .route(&templates, get(templates::list).post(templates::create))
        .route(
            &format!("{templates}:instantiateInline"),
            post(templates::instantiate_inline),
        )
        .route(
            &format!("{templates}/{{id}}"),
            get(templates::get)
                .put(templates::update)
                .delete(templates::delete)
                .post(templates::act),
        )
        .route(&policies, get(policies::list).post(policies::create))
        .route(
            &format!("{policies}/{{id}}"),
            get(policies::get)
                .put(policies::update)
                .delete(policies::delete)
                .post(policies::act),
        )
}

fn own() -> Router<Arc<Service>> {
    const OWN: &str = "/emulator/v1";
    Router::new()
        .route(&format!("{OWN}/health"), get(admin::health))
        .route(&format!("{OWN}/clusters"), get(admin::clusters))
        .route(
            &format!("{OWN}/clusters/{{name}}"),
            post(admin::act_on_cluster),
        )
        .route(&format!("{OWN}/jobs"), get(admin::jobs))
        .route(&format!("{OWN}/clock"), post(admin::advance))
        .route(
            &format!("{OWN}/faults"),
            get(admin::faults).post(admin::add_fault),
        )
        .route(&format!("{OWN}/faults"), delete(admin::clear_faults))
        .route(
            &format!("{OWN}/permissions"),
            get(iam::denied).post(iam::deny),
        )
        .route(&format!("{OWN}/quotas"), post(quotas::set_limit))
        .route(&format!("{OWN}/iap"), post(iap::trouble))
}

/// A call below a known API is one that the real service may have; any other is nobody's.
async fn unknown(request: Request) -> ApiFailure {
    let path = request.uri().path();
    let call = format!("the call {} {path}", request.method());
    if path.starts_with("/compute/v1/") {
        return ApiFailure::not_emulated(&call).of_compute("notImplemented");
    }
    let below = ["/v1/projects/", "/v2/", "/v3/"];
    if below.iter().any(|at| path.starts_with(at)) || path.contains("/users/") {
        return ApiFailure::not_emulated(&call);
    }
    ApiFailure::new(
        Code::NotFound,
        format!("The requested URL {path} was not found on this server."),
    )
}
