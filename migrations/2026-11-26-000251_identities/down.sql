DROP TABLE used_id_tokens;
DROP TABLE sign_in_codes;
DROP TABLE pending_sign_ins;
DROP TABLE user_identities;
