//! The messages that are known: their fields by number.

use super::{Form, Row, many, one};

const TEXTS: Form = Form::Map(&Form::Text);
const BYTES: Form = Form::Map(&Form::Bytes);
const META: Form = Form::Message(OBJECT_META);

const OBJECT_META: &[Row] = &[
    one(1, "name", Form::Text),
    one(2, "generateName", Form::Text),
    one(3, "namespace", Form::Text),
    one(4, "selfLink", Form::Skip),
    one(5, "uid", Form::Skip),
    one(6, "resourceVersion", Form::Text),
    one(7, "generation", Form::Skip),
    one(8, "creationTimestamp", Form::Skip),
    one(11, "labels", TEXTS),
    one(12, "annotations", TEXTS),
    many(
        13,
        "ownerReferences",
        Form::Message(&[
            one(5, "apiVersion", Form::Text),
            one(1, "kind", Form::Text),
            one(3, "name", Form::Text),
            one(4, "uid", Form::Text),
            one(6, "controller", Form::OptionalBool),
            one(7, "blockOwnerDeletion", Form::OptionalBool),
        ]),
    ),
    many(14, "finalizers", Form::Text),
];
const NAMESPACE: &[Row] = &[one(1, "metadata", META), one(2, "spec", Form::Skip), one(3, "status", Form::Skip)];
const CONFIG_MAP: &[Row] = &[
    one(1, "metadata", META),
    one(2, "data", TEXTS),
    one(3, "binaryData", BYTES),
    one(4, "immutable", Form::OptionalBool),
];
const SECRET: &[Row] = &[
    one(1, "metadata", META),
    one(2, "data", BYTES),
    one(3, "type", Form::Text),
    one(4, "stringData", TEXTS),
    one(5, "immutable", Form::OptionalBool),
];
const SERVICE_ACCOUNT: &[Row] = &[one(1, "metadata", META)];
const PRIORITY_CLASS: &[Row] = &[
    one(1, "metadata", META),
    one(2, "value", Form::OptionalInt),
    one(3, "globalDefault", Form::Bool),
    one(4, "description", Form::Text),
    one(5, "preemptionPolicy", Form::Text),
];
const RESOURCE_QUOTA: &[Row] = &[
    one(1, "metadata", META),
    one(2, "spec", Form::Message(&[one(1, "hard", Form::Map(&Form::Quantity)), many(2, "scopes", Form::Text)])),
    one(3, "status", Form::Skip),
];
const ACCESS_REVIEW: &[Row] = &[
    one(1, "metadata", META),
    one(
        2,
        "spec",
        Form::Message(&[
            one(
                1,
                "resourceAttributes",
                Form::Message(&[
                    one(1, "namespace", Form::Text),
                    one(2, "verb", Form::Text),
                    one(3, "group", Form::Text),
                    one(4, "version", Form::Text),
                    one(5, "resource", Form::Text),
                    one(6, "subresource", Form::Text),
                    one(7, "name", Form::Text),
                ]),
            ),
            one(2, "nonResourceAttributes", Form::Message(&[one(1, "path", Form::Text), one(2, "verb", Form::Text)])),
        ]),
    ),
    one(3, "status", Form::Skip),
];
const RULES_REVIEW: &[Row] = &[
    one(1, "metadata", META),
    one(2, "spec", Form::Message(&[one(1, "namespace", Form::Text)])),
    one(3, "status", Form::Skip),
];
const SELF_REVIEW: &[Row] = &[one(1, "metadata", META), one(2, "status", Form::Skip)];
const INGRESS_BACKEND: Form = Form::Message(&[one(
    4,
    "service",
    Form::Message(&[
        one(1, "name", Form::Text),
        one(2, "port", Form::Message(&[one(1, "name", Form::Text), one(2, "number", Form::Int)])),
    ]),
)]);
const INGRESS_PATH: Form =
    Form::Message(&[one(1, "path", Form::Text), one(3, "pathType", Form::Text), one(2, "backend", INGRESS_BACKEND)]);
const INGRESS: &[Row] = &[
    one(1, "metadata", META),
    one(
        2,
        "spec",
        Form::Message(&[
            one(4, "ingressClassName", Form::Text),
            one(1, "defaultBackend", INGRESS_BACKEND),
            many(2, "tls", Form::Message(&[many(1, "hosts", Form::Text), one(2, "secretName", Form::Text)])),
            many(
                3,
                "rules",
                Form::Message(&[
                    one(1, "host", Form::Text),
                    one(2, "", Form::Inline(&[one(1, "http", Form::Message(&[many(1, "paths", INGRESS_PATH)]))])),
                ]),
            ),
        ]),
    ),
    one(3, "status", Form::Skip),
];
const CONTAINER: &[Row] = &[
    one(1, "name", Form::Text),
    one(2, "image", Form::Text),
    many(3, "command", Form::Text),
    many(4, "args", Form::Text),
    one(5, "workingDir", Form::Text),
    many(
        6,
        "ports",
        Form::Message(&[
            one(1, "name", Form::Text),
            one(2, "hostPort", Form::Int),
            one(3, "containerPort", Form::Int),
            one(4, "protocol", Form::Text),
            one(5, "hostIP", Form::Text),
        ]),
    ),
    many(7, "env", Form::Message(&[one(1, "name", Form::Text), one(2, "value", Form::Text)])),
    one(
        8,
        "resources",
        Form::Message(&[one(1, "limits", Form::Map(&Form::Quantity)), one(2, "requests", Form::Map(&Form::Quantity))]),
    ),
    one(13, "terminationMessagePath", Form::Text),
    one(14, "imagePullPolicy", Form::Text),
    one(16, "stdin", Form::Bool),
    one(17, "stdinOnce", Form::Bool),
    one(18, "tty", Form::Bool),
    one(20, "terminationMessagePolicy", Form::Text),
];
const POD_SPEC: &[Row] = &[
    many(2, "containers", Form::Message(CONTAINER)),
    one(3, "restartPolicy", Form::Text),
    one(4, "terminationGracePeriodSeconds", Form::OptionalInt),
    one(5, "activeDeadlineSeconds", Form::OptionalInt),
    one(6, "dnsPolicy", Form::Text),
    one(7, "nodeSelector", TEXTS),
    one(8, "serviceAccountName", Form::Text),
    one(9, "serviceAccount", Form::Text),
    one(10, "nodeName", Form::Text),
    one(11, "hostNetwork", Form::Bool),
    one(12, "hostPID", Form::Bool),
    one(13, "hostIPC", Form::Bool),
    one(
        14,
        "securityContext",
        Form::Message(&[
            one(2, "runAsUser", Form::OptionalInt),
            one(3, "runAsNonRoot", Form::OptionalBool),
            one(5, "fsGroup", Form::OptionalInt),
            one(6, "runAsGroup", Form::OptionalInt),
        ]),
    ),
    one(16, "hostname", Form::Text),
    one(17, "subdomain", Form::Text),
    one(19, "schedulerName", Form::Text),
    one(24, "priorityClassName", Form::Text),
];
const TEMPLATE: Form = Form::Message(&[one(1, "metadata", META), one(2, "spec", Form::Message(POD_SPEC))]);
const SELECTOR: Form = Form::Message(&[one(1, "matchLabels", TEXTS)]);
const DEPLOYMENT: &[Row] = &[
    one(1, "metadata", META),
    one(
        2,
        "spec",
        Form::Message(&[
            one(1, "replicas", Form::OptionalInt),
            one(2, "selector", SELECTOR),
            one(3, "template", TEMPLATE),
            one(4, "strategy", Form::Message(&[one(1, "type", Form::Text)])),
            one(5, "minReadySeconds", Form::Int),
            one(6, "revisionHistoryLimit", Form::OptionalInt),
            one(7, "paused", Form::Bool),
            one(9, "progressDeadlineSeconds", Form::OptionalInt),
        ]),
    ),
    one(3, "status", Form::Skip),
];
const JOB_SPEC: Form = Form::Message(&[
    one(1, "parallelism", Form::OptionalInt),
    one(2, "completions", Form::OptionalInt),
    one(3, "activeDeadlineSeconds", Form::OptionalInt),
    one(4, "selector", SELECTOR),
    one(5, "manualSelector", Form::OptionalBool),
    one(6, "template", TEMPLATE),
    one(7, "backoffLimit", Form::OptionalInt),
    one(8, "ttlSecondsAfterFinished", Form::OptionalInt),
]);
const JOB: &[Row] = &[one(1, "metadata", META), one(2, "spec", JOB_SPEC), one(3, "status", Form::Skip)];
const CRON_JOB: &[Row] = &[
    one(1, "metadata", META),
    one(
        2,
        "spec",
        Form::Message(&[
            one(1, "schedule", Form::Text),
            one(2, "startingDeadlineSeconds", Form::OptionalInt),
            one(3, "concurrencyPolicy", Form::Text),
            one(4, "suspend", Form::OptionalBool),
            one(5, "jobTemplate", Form::Message(&[one(1, "metadata", META), one(2, "spec", JOB_SPEC)])),
        ]),
    ),
    one(3, "status", Form::Skip),
];
const SERVICE: &[Row] = &[
    one(1, "metadata", META),
    one(
        2,
        "spec",
        Form::Message(&[
            many(
                1,
                "ports",
                Form::Message(&[
                    one(1, "name", Form::Text),
                    one(2, "protocol", Form::Text),
                    one(3, "port", Form::Int),
                    one(4, "targetPort", Form::IntOrText),
                    one(5, "nodePort", Form::Int),
                ]),
            ),
            one(2, "selector", TEXTS),
            one(3, "clusterIP", Form::Text),
            one(4, "type", Form::Text),
            one(7, "sessionAffinity", Form::Text),
            one(8, "loadBalancerIP", Form::Text),
            one(10, "externalName", Form::Text),
            one(11, "externalTrafficPolicy", Form::Text),
            one(12, "healthCheckNodePort", Form::Int),
            one(13, "publishNotReadyAddresses", Form::Bool),
        ]),
    ),
    one(3, "status", Form::Skip),
];

/// The fields of a kind that is known.
pub(super) fn message_of(api_version: &str, kind: &str) -> Option<&'static [Row]> {
    Some(match (api_version, kind) {
        ("v1", "Namespace") => NAMESPACE,
        ("v1", "ConfigMap") => CONFIG_MAP,
        ("v1", "Secret") => SECRET,
        ("v1", "ServiceAccount") => SERVICE_ACCOUNT,
        ("v1", "ResourceQuota") => RESOURCE_QUOTA,
        ("v1", "Service") => SERVICE,
        ("apps/v1", "Deployment") => DEPLOYMENT,
        ("batch/v1", "Job") => JOB,
        ("batch/v1", "CronJob") => CRON_JOB,
        ("scheduling.k8s.io/v1", "PriorityClass") => PRIORITY_CLASS,
        ("networking.k8s.io/v1", "Ingress") => INGRESS,
        ("authentication.k8s.io/v1", "SelfSubjectReview") => SELF_REVIEW,
        ("authorization.k8s.io/v1", "SelfSubjectAccessReview") => ACCESS_REVIEW,
        ("authorization.k8s.io/v1", "SelfSubjectRulesReview") => RULES_REVIEW,
        _ => return None,
    })
}
