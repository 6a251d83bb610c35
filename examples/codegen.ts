// Types and documents for the pages: `npm run generate`. SCHEMA=http://localhost:8080/graphql asks a running server.
import { addTypenameSelectionDocumentTransform } from '@graphql-codegen/client-preset';
import type { CodegenConfig } from '@graphql-codegen/cli';

const config: CodegenConfig = {
  schema: process.env.SCHEMA ?? '../schema.graphql',
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
