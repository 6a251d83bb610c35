DROP TABLE request_messages, requests;
