//! The tables as diesel knows them; `tests/migrations.rs` compares them with the migrated database.
#![allow(missing_docs, reason = "the columns are described in the migrations")]

diesel::table! {
    users (id) {
        id -> Uuid,
        username -> Text,
        display_name -> Text,
        email -> Nullable<Text>,
        password_hash -> Text,
        platform_role -> Text,
        disabled_at -> Nullable<Timestamptz>,
        deleted_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        waiting -> Bool,
        state -> Text,
    }
}

diesel::table! {
    sessions (id) {
        id -> Uuid,
        user_id -> Uuid,
        refresh_hash -> Bytea,
        family_hash -> Bytea,
        expires_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        last_used_at -> Timestamptz,
        used_hashes -> Array<Bytea>,
        used_at -> Array<Timestamptz>,
        user_agent -> Nullable<Text>,
        address -> Nullable<Text>,
    }
}

diesel::table! {
    api_tokens (id) {
        id -> Uuid,
        user_id -> Uuid,
        name -> Text,
        scope -> Text,
        project_id -> Nullable<Uuid>,
        token_hash -> Bytea,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        last_used_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    password_resets (token_hash) {
        token_hash -> Bytea,
        user_id -> Uuid,
        expires_at -> Timestamptz,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    user_settings (user_id) {
        user_id -> Uuid,
        theme -> Text,
        language -> Nullable<Text>,
        muted -> Array<Text>,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    groups (id) {
        id -> Uuid,
        name -> Text,
        description -> Text,
        created_at -> Timestamptz,
        max_members -> Nullable<Integer>,
        storage_bytes -> Nullable<BigInt>,
    }
}

diesel::table! {
    group_members (group_id, user_id) {
        group_id -> Uuid,
        user_id -> Uuid,
        role -> Text,
        joined_at -> Timestamptz,
        id -> Uuid,
    }
}

diesel::table! {
    projects (id) {
        id -> Uuid,
        group_id -> Uuid,
        name -> Text,
        description -> Text,
        namespace -> Text,
        created_at -> Timestamptz,
        archived_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    project_namespaces (namespace) {
        namespace -> Text,
        project_id -> Uuid,
        applied -> Nullable<Text>,
        removing -> Bool,
        next_check_at -> Timestamptz,
        attempts -> Integer,
    }
}

diesel::table! {
    project_quotas (project_id) {
        project_id -> Uuid,
        gpu -> Nullable<Integer>,
        cpu_millis -> Nullable<BigInt>,
        memory_bytes -> Nullable<BigInt>,
        concurrent_jobs -> Nullable<Integer>,
        updated_at -> Timestamptz,
        storage_bytes -> Nullable<BigInt>,
        queued_jobs -> Nullable<Integer>,
        concurrent_jobs_per_user -> Nullable<Integer>,
        queued_jobs_per_user -> Nullable<Integer>,
        max_run_seconds -> Nullable<BigInt>,
    }
}

diesel::table! {
    project_schedules (project_id) {
        project_id -> Uuid,
        time_zone -> Text,
        outside -> Text,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    queue_pauses (queue) {
        queue -> Text,
        note -> Text,
        paused_by -> Uuid,
        paused_at -> Timestamptz,
    }
}

diesel::table! {
    schedule_windows (project_id, minutes) {
        project_id -> Uuid,
        minutes -> Int4range,
    }
}

diesel::table! {
    audit_log (id, at) {
        id -> Uuid,
        at -> Timestamptz,
        actor_id -> Nullable<Uuid>,
        action -> Text,
        subject -> Nullable<Text>,
        detail -> Jsonb,
        request_id -> Nullable<Text>,
        outcome -> Text,
        group -> Nullable<Uuid>,
        project -> Nullable<Uuid>,
        changes -> Jsonb,
        times -> Integer,
        credential -> Nullable<Text>,
        address -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        api_token -> Nullable<Uuid>,
    }
}

diesel::table! {
    idempotency_keys (user_id, mutation, key) {
        user_id -> Uuid,
        mutation -> Text,
        key -> Text,
        input_hash -> Bytea,
        subject_id -> Uuid,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    config_blobs (sha256) {
        sha256 -> Bytea,
        yaml -> Text,
        kinds -> Array<Text>,
    }
}

diesel::table! {
    config_files (id) {
        id -> Uuid,
        project_id -> Uuid,
        name -> Text,
        created_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    config_commits (id) {
        id -> Uuid,
        config_file_id -> Uuid,
        parent_id -> Nullable<Uuid>,
        blob_sha256 -> Bytea,
        message -> Text,
        author_id -> Uuid,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    job_templates (id) {
        id -> Uuid,
        config_file_id -> Uuid,
        project_id -> Uuid,
        kind -> Text,
        is_latest -> Bool,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    jobs (id) {
        id -> Uuid,
        project_id -> Uuid,
        submitted_by -> Uuid,
        config_commit_id -> Nullable<Uuid>,
        name -> Text,
        queue -> Text,
        priority -> Integer,
        executor -> Text,
        phase -> Text,
        cancel_requested_at -> Nullable<Timestamptz>,
        reason -> Nullable<Text>,
        message -> Nullable<Text>,
        pending_reason -> Nullable<Text>,
        preemptions -> Integer,
        manifest -> Jsonb,
        tasks -> Jsonb,
        namespace -> Text,
        object_name -> Text,
        object_uid -> Nullable<Text>,
        object_version -> Nullable<BigInt>,
        gpu -> Integer,
        cpu_millis -> BigInt,
        memory_bytes -> BigInt,
        deadline_seconds -> Nullable<BigInt>,
        ttl_seconds -> Nullable<BigInt>,
        retry_limit -> Integer,
        submit_attempts -> Integer,
        next_attempt_at -> Nullable<Timestamptz>,
        submitted_at -> Timestamptz,
        started_at -> Nullable<Timestamptz>,
        finished_at -> Nullable<Timestamptz>,
        attempt -> Integer,
        task_counts -> Nullable<Array<Integer>>,
        manifest_bytes -> Nullable<BigInt>,
        refused_since -> Nullable<Timestamptz>,
        cancel_reason -> Nullable<Text>,
        parts -> Jsonb,
        parameters -> Nullable<Jsonb>,
        retried_from -> Nullable<Uuid>,
    }
}

diesel::table! {
    events (seq) {
        seq -> BigInt,
        kind -> Text,
        subject -> Uuid,
        project -> Nullable<Uuid>,
        group -> Nullable<Uuid>,
        person -> Nullable<Uuid>,
        payload -> Jsonb,
        at -> Timestamptz,
    }
}

diesel::table! {
    user_identities (issuer, subject) {
        issuer -> Text,
        subject -> Text,
        user_id -> Uuid,
        created_at -> Timestamptz,
        last_used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    pending_sign_ins (state_hash) {
        state_hash -> Bytea,
        browser_hash -> Bytea,
        provider -> Text,
        return_to -> Text,
        wants_code -> Bool,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    sign_in_codes (code_hash) {
        code_hash -> Bytea,
        user_id -> Uuid,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    used_id_tokens (token_hash) {
        token_hash -> Bytea,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    requests (id) {
        id -> Uuid,
        author_id -> Uuid,
        tag -> Text,
        title -> Text,
        status -> Text,
        group_id -> Nullable<Uuid>,
        project_id -> Nullable<Uuid>,
        wanted -> Nullable<Jsonb>,
        applied_at -> Nullable<Timestamptz>,
        resolved_by -> Nullable<Uuid>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    request_messages (id) {
        id -> Uuid,
        request_id -> Uuid,
        author_id -> Uuid,
        text -> Text,
        status -> Nullable<Text>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    notifications (id) {
        id -> Uuid,
        user_id -> Uuid,
        kind -> Text,
        subject -> Text,
        message -> Text,
        created_at -> Timestamptz,
        read_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    storage_claims (id) {
        id -> Uuid,
        project_id -> Nullable<Uuid>,
        group_id -> Nullable<Uuid>,
        user_id -> Nullable<Uuid>,
        namespace -> Text,
        name -> Text,
        object_uid -> Nullable<Text>,
        object_version -> Nullable<BigInt>,
        volume_name -> Nullable<Text>,
        display_name -> Text,
        created_by -> Nullable<Uuid>,
        storage_class -> Nullable<Text>,
        access_mode -> Text,
        size -> Text,
        size_bytes -> BigInt,
        sent_bytes -> BigInt,
        capacity_bytes -> Nullable<BigInt>,
        phase -> Text,
        reason -> Nullable<Text>,
        message -> Nullable<Text>,
        resize -> Nullable<Text>,
        resize_message -> Nullable<Text>,
        default_access -> Text,
        admin_only -> Bool,
        source_id -> Nullable<Uuid>,
        shared_by -> Nullable<Uuid>,
        read_only -> Bool,
        delete_requested_at -> Nullable<Timestamptz>,
        next_attempt_at -> Nullable<Timestamptz>,
        attempts -> Integer,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    webhooks (user_id) {
        user_id -> Uuid,
        url -> Text,
        secret -> Bytea,
        muted -> Array<Text>,
        set_at -> Timestamptz,
        failures -> Integer,
        next_attempt_at -> Timestamptz,
        claimed_until -> Nullable<Timestamptz>,
        last_delivered_at -> Nullable<Timestamptz>,
        last_failed_at -> Nullable<Timestamptz>,
        last_error -> Nullable<Text>,
        disabled_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    webhook_deliveries (id) {
        id -> Uuid,
        user_id -> Uuid,
        is_test -> Bool,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    storage_leftovers (share_id) {
        share_id -> Uuid,
        source_namespace -> Text,
        source_name -> Text,
        source_id -> Uuid,
        next_attempt_at -> Timestamptz,
        attempts -> Integer,
    }
}

diesel::table! {
    storage_permissions (claim_id, user_id) {
        claim_id -> Uuid,
        user_id -> Uuid,
        access -> Text,
    }
}

diesel::table! {
    storage_mounts (claim_id, pod_uid) {
        claim_id -> Uuid,
        pod_uid -> Text,
        pod -> Text,
        job_id -> Nullable<Uuid>,
        read_only -> Bool,
        since -> Timestamptz,
    }
}

diesel::table! {
    file_sessions (id) {
        id -> Uuid,
        claim_id -> Uuid,
        user_id -> Uuid,
        session_id -> Nullable<Uuid>,
        api_token_id -> Nullable<Uuid>,
        ticket_hash -> Bytea,
        cookie_hash -> Bytea,
        created_at -> Timestamptz,
        last_used_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    file_pods (claim_id) {
        claim_id -> Uuid,
        namespace -> Text,
        claim_name -> Text,
        read_only -> Bool,
        phase -> Text,
        message -> Nullable<Text>,
        next_attempt_at -> Timestamptz,
        attempts -> Integer,
    }
}

diesel::table! {
    job_claims (job_id, claim_id) {
        job_id -> Uuid,
        claim_id -> Uuid,
        read_only -> Bool,
    }
}

diesel::table! {
    audit_exports (id) {
        id -> Uuid,
        requested_by -> Uuid,
        filter -> Jsonb,
        state -> Text,
        entries -> BigInt,
        bytes -> Nullable<BigInt>,
        object_key -> Nullable<Text>,
        message -> Nullable<Text>,
        attempts -> Integer,
        worker -> Nullable<Uuid>,
        next_attempt_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        started_at -> Nullable<Timestamptz>,
        finished_at -> Nullable<Timestamptz>,
        expires_at -> Nullable<Timestamptz>,
    }
}

diesel::joinable!(group_members -> groups (group_id));
diesel::joinable!(group_members -> users (user_id));
diesel::joinable!(projects -> groups (group_id));
diesel::joinable!(config_files -> projects (project_id));
diesel::joinable!(config_commits -> config_files (config_file_id));
diesel::joinable!(config_commits -> config_blobs (blob_sha256));
diesel::joinable!(job_templates -> config_files (config_file_id));
diesel::joinable!(job_templates -> projects (project_id));
diesel::joinable!(jobs -> projects (project_id));
diesel::joinable!(jobs -> users (submitted_by));
diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(api_tokens -> users (user_id));
diesel::joinable!(api_tokens -> projects (project_id));
diesel::joinable!(sign_in_codes -> users (user_id));
diesel::joinable!(user_identities -> users (user_id));
diesel::joinable!(password_resets -> users (user_id));
diesel::joinable!(user_settings -> users (user_id));
diesel::joinable!(audit_log -> users (actor_id));
diesel::joinable!(storage_permissions -> storage_claims (claim_id));
diesel::joinable!(storage_mounts -> storage_claims (claim_id));
diesel::joinable!(file_sessions -> storage_claims (claim_id));
diesel::joinable!(job_claims -> storage_claims (claim_id));
diesel::joinable!(job_claims -> jobs (job_id));
diesel::allow_tables_to_appear_in_same_query!(
    users,
    sessions,
    api_tokens,
    password_resets,
    user_settings,
    groups,
    group_members,
    projects,
    project_quotas,
    project_namespaces,
    project_schedules,
    queue_pauses,
    schedule_windows,
    audit_log,
    audit_exports,
    requests,
    request_messages,
    notifications,
    webhooks,
    webhook_deliveries,
    idempotency_keys,
    config_blobs,
    config_files,
    config_commits,
    job_templates,
    jobs,
    events,
    user_identities,
    pending_sign_ins,
    sign_in_codes,
    used_id_tokens,
    storage_claims,
    storage_leftovers,
    storage_permissions,
    storage_mounts,
    file_sessions,
    file_pods,
    job_claims,
);
