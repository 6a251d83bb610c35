DROP TABLE config_commits;
DROP TABLE config_files;
DROP TABLE config_blobs;
