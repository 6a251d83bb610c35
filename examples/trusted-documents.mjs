// Merges the documents of codegen, of Relay and of the session into one file for the server's TRUSTED_DOCUMENTS.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { LOG_IN, REFRESH } from './graphql-ws/session.mjs';

/** @param {string} file */
const read = (file) => JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8'));
/** @param {string} text */
const bySha256 = (text) => [createHash('sha256').update(text).digest('hex'), text];

const documents = {
  ...read('web/src/gql/persisted-documents.json'),
  ...read('relay-documents.json'),
  // Sent as texts, which must then be the same to the letter.
  ...Object.fromEntries([LOG_IN, REFRESH].map(bySha256)),
};
writeFileSync(new URL('trusted-documents.json', import.meta.url), `${JSON.stringify(documents, null, 2)}\n`);
