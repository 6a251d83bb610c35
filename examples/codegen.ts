// Types and documents for the pages: `npm run generate`. SCHEMA=http://localhost:8080/graphql asks a running server, also
// which inputs take exactly one field: by default codegen does not, and accepts any number of them.
import { addTypenameSelectionDocumentTransform } from '@graphql-codegen/client-preset';
import type { CodegenConfig } from '@graphql-codegen/cli';

const { SCHEMA } = process.env;
// Not among the options that its types know.
const introspection: object = { oneOf: true };

const config: CodegenConfig = {
  schema: SCHEMA ? [{ [SCHEMA]: introspection }] : '../schema.graphql',
  documents: ['web/src/**/*.{ts,tsx}', '!web/src/gql/**', '!web/src/relay/**'],
  generates: {
    'web/src/gql/': {
      preset: 'client',
      // Apollo adds `__typename` to every selection, so the stored documents need it as well.
      documentTransforms: [addTypenameSelectionDocumentTransform],
      presetConfig: { fragmentMasking: false, persistedDocuments: { hashAlgorithm: 'sha256' } },
      config: {
        scalars: {
          FeedCursor: 'string',
          DateTime: 'string',
          JSON: 'unknown',
          Quantity: { input: 'string | number', output: 'string' },
        },
        strictScalars: true,
        useTypeImports: true,
        enumsAsTypes: true,
      },
    },
  },
};

export default config;
