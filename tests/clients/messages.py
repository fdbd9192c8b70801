"""Which of Google's messages each call of an API carries, and which one answers it."""

import re
from dataclasses import dataclass

from google.api import httpbody_pb2  # noqa: F401  (fills the descriptor pool)
from google.cloud import compute_v1, dataproc_v1, oslogin_v1
from google.cloud.oslogin_v1 import common
from google.iam.v1 import iam_policy_pb2, policy_pb2
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2
from google.rpc import error_details_pb2, status_pb2  # noqa: F401


@dataclass(frozen=True)
class Call:
    """A kind of call: the message of its body and that of its answer, each a class, or None where there is no body."""

    method: str
    path: str
    body: type | None
    answer: type | None
    mask: type | None = None

    def fits(self, method, path):
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+" if self.path.startswith("/b") else "[^/:]+", re.escape(self.path))
        return self.method == method and re.fullmatch(pattern, path) is not None


def pb(message):
    """The protobuf class below one of proto-plus."""
    return message.pb() if hasattr(message, "pb") else message


EMPTY = empty_pb2.Empty
OPERATION = operations_pb2.Operation
REGION = "/v1/projects/{p}/regions/{r}"


def _dataproc():
    d = dataproc_v1
    cluster, job = f"{REGION}/clusters/{{c}}", f"{REGION}/jobs/{{j}}"
    yield Call("POST", f"{REGION}/clusters", d.Cluster, OPERATION)
    yield Call("GET", f"{REGION}/clusters", None, d.ListClustersResponse)
    yield Call("GET", cluster, None, d.Cluster)
    yield Call("PATCH", cluster, d.Cluster, OPERATION, mask=d.Cluster)
    yield Call("DELETE", cluster, None, OPERATION)
    yield Call("POST", f"{cluster}:start", d.StartClusterRequest, OPERATION)
    yield Call("POST", f"{cluster}:stop", d.StopClusterRequest, OPERATION)
    yield Call("POST", f"{cluster}:diagnose", d.DiagnoseClusterRequest, OPERATION)
    yield Call("POST", f"{REGION}/jobs:submit", d.SubmitJobRequest, d.Job)
    yield Call("POST", f"{REGION}/jobs:submitAsOperation", d.SubmitJobRequest, OPERATION)
    yield Call("GET", f"{REGION}/jobs", None, d.ListJobsResponse)
    yield Call("GET", job, None, d.Job)
    yield Call("PATCH", job, d.Job, d.Job, mask=d.Job)
    yield Call("POST", f"{job}:cancel", d.CancelJobRequest, d.Job)
    yield Call("DELETE", job, None, EMPTY)
    for place in (REGION, "/v1/projects/{p}/locations/{r}"):
        policies, templates = f"{place}/autoscalingPolicies", f"{place}/workflowTemplates"
        policy, template = f"{policies}/{{n}}", f"{templates}/{{n}}"
        yield Call("POST", policies, d.AutoscalingPolicy, d.AutoscalingPolicy)
        yield Call("GET", policies, None, d.ListAutoscalingPoliciesResponse)
        yield Call("GET", policy, None, d.AutoscalingPolicy)
        yield Call("PUT", policy, d.AutoscalingPolicy, d.AutoscalingPolicy)
        yield Call("DELETE", policy, None, EMPTY)
        yield Call("POST", templates, d.WorkflowTemplate, d.WorkflowTemplate)
        yield Call("GET", templates, None, d.ListWorkflowTemplatesResponse)
        yield Call("GET", template, None, d.WorkflowTemplate)
        yield Call("PUT", template, d.WorkflowTemplate, d.WorkflowTemplate)
        yield Call("DELETE", template, None, EMPTY)
        yield Call("POST", f"{template}:instantiate", d.InstantiateWorkflowTemplateRequest, OPERATION)
        yield Call("POST", f"{templates}:instantiateInline", d.WorkflowTemplate, OPERATION)
        for owner in (policy, template):
            yield from _iam(owner)
    for owner in (cluster, job):
        yield from _iam(owner)
    operations = f"{REGION}/operations"
    yield Call("GET", operations, None, operations_pb2.ListOperationsResponse)
    yield Call("GET", f"{operations}/{{o}}", None, OPERATION)
    yield Call("POST", f"{operations}/{{o}}:cancel", EMPTY, EMPTY)
    yield Call("DELETE", f"{operations}/{{o}}", None, EMPTY)


def _iam(owner):
    i, policy = iam_policy_pb2, policy_pb2.Policy
    yield Call("GET", f"{owner}:getIamPolicy", None, policy)
    yield Call("POST", f"{owner}:getIamPolicy", i.GetIamPolicyRequest, policy)
    yield Call("POST", f"{owner}:setIamPolicy", i.SetIamPolicyRequest, policy)
    yield Call("POST", f"{owner}:testIamPermissions", i.TestIamPermissionsRequest, i.TestIamPermissionsResponse)


def _compute():
    c, project = compute_v1, "/compute/v1/projects/{p}"
    zone, region = f"{project}/zones/{{z}}", f"{project}/regions/{{r}}"
    instance = f"{zone}/instances/{{i}}"
    yield Call("GET", project, None, c.Project)
    yield Call("POST", f"{project}/setCommonInstanceMetadata", c.Metadata, c.Operation)
    yield Call("GET", f"{project}/aggregated/instances", None, c.InstanceAggregatedList)
    yield Call("GET", f"{project}/zones", None, c.ZoneList)
    yield Call("GET", zone, None, c.Zone)
    yield Call("GET", f"{project}/regions", None, c.RegionList)
    yield Call("GET", region, None, c.Region)
    yield Call("GET", f"{zone}/machineTypes", None, c.MachineTypeList)
    yield Call("GET", f"{zone}/machineTypes/{{m}}", None, c.MachineType)
    yield Call("GET", f"{zone}/instances", None, c.InstanceList)
    yield Call("GET", instance, None, c.Instance)
    yield Call("DELETE", instance, None, c.Operation)
    yield Call("POST", f"{instance}/setMetadata", c.Metadata, c.Operation)
    yield Call("POST", f"{instance}/start", None, c.Operation)
    yield Call("POST", f"{instance}/stop", None, c.Operation)
    yield Call("GET", f"{instance}/getGuestAttributes", None, c.GuestAttributes)
    yield Call("GET", f"{instance}/serialPort", None, c.SerialPortOutput)
    for place in (f"{project}/global", zone, region):
        yield Call("GET", f"{place}/operations", None, c.OperationList)
        yield Call("GET", f"{place}/operations/{{o}}", None, c.Operation)
        yield Call("POST", f"{place}/operations/{{o}}/wait", None, c.Operation)


def _os_login():
    user = "/v1/users/{u}"
    key = f"{user}/sshPublicKeys/{{k}}"
    yield Call("GET", f"{user}/loginProfile", None, oslogin_v1.LoginProfile)
    yield Call("POST", f"{user}:importSshPublicKey", common.SshPublicKey, oslogin_v1.ImportSshPublicKeyResponse)
    yield Call("POST", f"{user}/sshPublicKeys", common.SshPublicKey, common.SshPublicKey)
    yield Call("GET", key, None, common.SshPublicKey)
    yield Call("PATCH", key, common.SshPublicKey, common.SshPublicKey, mask=common.SshPublicKey)
    yield Call("DELETE", key, None, EMPTY)
    yield Call("DELETE", f"{user}/projects/{{p}}", None, EMPTY)


def _projects():
    i = iam_policy_pb2
    for version in ("v1", "v3"):
        path = f"/{version}/projects/{{p}}:testIamPermissions"
        yield Call("POST", path, i.TestIamPermissionsRequest, i.TestIamPermissionsResponse)


CALLS = [*_dataproc(), *_compute(), *_os_login(), *_projects()]


BUCKET = "/b/{b}"
# Cloud Storage's JSON API has no protobufs: these are names of the messages inside gcloud.
OBJECTS = [
    Call("GET", "/b", None, "Buckets"),
    Call("POST", "/b", "Bucket", "Bucket"),
    Call("GET", BUCKET, None, "Bucket"),
    Call("PATCH", BUCKET, "Bucket", "Bucket"),
    Call("GET", f"{BUCKET}/o", None, "Objects"),
    Call("POST", f"{BUCKET}/o", "Object", "Object"),
    Call("GET", f"{BUCKET}/o/{{o}}", None, "Object"),
    Call("PATCH", f"{BUCKET}/o/{{o}}", "Object", "Object"),
    Call("POST", f"{BUCKET}/o/{{o}}/compose", "ComposeRequest", "Object"),
    Call("POST", f"{BUCKET}/o/{{o}}/copyTo/b/{{d}}/o/{{p}}", "Object", "Object"),
    Call("POST", f"{BUCKET}/o/{{o}}/rewriteTo/b/{{d}}/o/{{p}}", "Object", "RewriteResponse"),
]


def storage_call_of(method, path):
    """The kind of a call of Cloud Storage; its path is still encoded, since names of objects may hold slashes."""
    below = re.fullmatch(r"(?:/resumable)?(?:/upload|/download)?/storage/v1(/.*)", path)
    return below and next((call for call in OBJECTS if call.fits(method, below[1])), None)


def call_of(method, path):
    """The kind of a call, or None where none of these APIs has it."""
    return next((call for call in CALLS if call.fits(method, path)), None)
