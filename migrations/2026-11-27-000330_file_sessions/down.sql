DROP TRIGGER storage_permissions_tell_grants ON storage_permissions;
DROP TRIGGER storage_claims_tell_grants ON storage_claims;
DROP FUNCTION tell_claim_grants;
DROP TRIGGER claim_ends_file_sessions ON storage_claims;
DROP FUNCTION claim_ends_file_sessions;
DROP TABLE file_pods;
DROP TABLE file_sessions;
DROP FUNCTION file_session_ends;
