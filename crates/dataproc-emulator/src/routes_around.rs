//! Which call goes where, of the services around Dataproc that a deployment calls too.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::service::Service;
use crate::{
    compute, compute_operations, compute_places, iam, logging, os_login, secrets, service_usage,
};

/// Every call that is emulated of services other than Dataproc.
pub(crate) fn around() -> Router<Arc<Service>> {
    Router::new()
        .merge(compute_engine())
        .merge(os_login())
        .merge(iam())
        .merge(small_services())
}

fn compute_engine() -> Router<Arc<Service>> {
    const PROJECT: &str = "/compute/v1/projects/{project}";
    const ZONE: &str = "/compute/v1/projects/{project}/zones/{zone}";
    Router::new()
        .route(PROJECT, get(compute::project))
        .route(
            &format!("{PROJECT}/setCommonInstanceMetadata"),
            post(compute::set_common_metadata),
        )
        .route(
            &format!("{PROJECT}/global/operations/{{name}}"),
            get(compute_operations::global_operation)
                .delete(compute_operations::delete_global_operation),
        )
        .route(
            &format!("{PROJECT}/global/operations/{{name}}/wait"),
            post(compute_operations::wait_global_operation),
        )
        .route(&format!("{ZONE}/instances"), get(compute::instances))
        .route(
            &format!("{ZONE}/instances/{{name}}"),
            get(compute::instance),
        )
        .route(
            &format!("{ZONE}/instances/{{name}}/setMetadata"),
            post(compute::set_metadata),
        )
        .route(
            &format!("{ZONE}/instances/{{name}}/getGuestAttributes"),
            get(compute::guest_attributes),
        )
        .route(
            &format!("{ZONE}/operations/{{name}}"),
            get(compute_operations::zone_operation)
                .delete(compute_operations::delete_zone_operation),
        )
        .route(
            &format!("{ZONE}/operations/{{name}}/wait"),
            post(compute_operations::wait_zone_operation),
        )
        .route(
            &format!("{ZONE}/instances/{{name}}/serialPort"),
            get(compute::serial_port),
        )
        .route(
            &format!("{ZONE}/instances/{{name}}/testIamPermissions"),
            post(iam::test_on_instance),
        )
        .route(
            &format!("{PROJECT}/aggregated/instances"),
            get(compute::all_instances),
        )
        .route(
            &format!("{PROJECT}/aggregated/operations"),
            get(compute_operations::all_operations),
        )
        .route(
            &format!("{PROJECT}/global/operations"),
            get(compute_operations::global_operations),
        )
        .route(
            &format!("{ZONE}/operations"),
            get(compute_operations::zone_operations),
        )
        .route(&format!("{PROJECT}/zones"), get(compute_places::zones))
        .route(ZONE, get(compute_places::zone))
        .route(&format!("{PROJECT}/regions"), get(compute_places::regions))
        .route(
            &format!("{PROJECT}/regions/{{region}}"),
            get(compute_places::region),
        )
        .route(
            &format!("{ZONE}/machineTypes"),
            get(compute_places::machine_types),
        )
        .route(
            &format!("{ZONE}/machineTypes/{{name}}"),
            get(compute_places::machine_type),
        )
}

fn small_services() -> Router<Arc<Service>> {
    const PROJECT: &str = "/v1/projects/{project}";
    Router::new()
        .route("/v2/entries:write", post(logging::write))
        .route("/v2/entries:list", post(logging::list))
        .route(&format!("{PROJECT}/services"), get(service_usage::list))
        .route(
            &format!("{PROJECT}/services/{{name}}"),
            get(service_usage::get).post(service_usage::act),
        )
        .route(
            &format!("{PROJECT}/secrets"),
            get(secrets::list).post(secrets::create),
        )
        .route(
            &format!("{PROJECT}/secrets/{{name}}"),
            get(secrets::get).post(secrets::act).delete(secrets::delete),
        )
        .route(
            &format!("{PROJECT}/secrets/{{name}}/versions/{{version}}"),
            get(secrets::version).post(secrets::change_version),
        )
}

fn os_login() -> Router<Arc<Service>> {
    let versions = ["v1", "v1beta", "v1alpha"];
    versions.into_iter().fold(Router::new(), |router, version| {
        let user = format!("/{version}/users/{{user}}");
        router
            .route(&user, post(os_login::act))
            .route(
                &format!("{user}/loginProfile"),
                get(os_login::login_profile),
            )
            .route(&format!("{user}/sshPublicKeys"), post(os_login::create_key))
            .route(
                &format!("{user}/sshPublicKeys/{{fingerprint}}"),
                get(os_login::get_key)
                    .patch(os_login::patch_key)
                    .delete(os_login::delete_key),
            )
            .route(
                &format!("{user}/projects/{{project}}"),
                post(os_login::provision_account).delete(os_login::delete_account),
            )
    })
}

fn iam() -> Router<Arc<Service>> {
    let versions = ["v1", "v3"];
    versions.into_iter().fold(Router::new(), |router, version| {
        router.route(
            &format!("/{version}/projects/{{project}}"),
            get(iam::project).post(iam::act_on_project),
        )
    })
}
