// graphql-eslint: checks the schema with the recommended and the Relay rules, and the playground's operations against
// the schema.
import { fileURLToPath } from 'node:url';
import graphql from '@graphql-eslint/eslint-plugin';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const graphQLConfig = {
  schema: path('../../schema.graphql'),
  documents: path('../../playground/src/operations/**/*.graphql'),
};
const common = {
  plugins: { '@graphql-eslint': graphql },
  languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig } },
};

/** Types that are part of a thing with an id and are never asked for on their own. */
const VALUES = [
  'Access',
  'AccessHolder',
  'AddMemberResult',
  'AdmissionProblem',
  'AdmissionVerdict',
  'AuditChange',
  'Cluster',
  'DownloadLink',
  'EnvVar',
  'JobParameter',
  'JobPhaseCount',
  'JobPreview',
  'JobQueuePosition',
  'JobResources',
  'JobSpec',
  'JobTask',
  'Limits',
  'LogChunk',
  'LogLine',
  'NotificationSettings',
  'Orphan',
  'OrphanList',
  'PageInfo',
  'PasswordLink',
  'PersonQuota',
  'ProjectDeletion',
  'ProjectLimits',
  'ProjectQuota',
  'ProjectSchedule',
  'PvcMount',
  'PvcResize',
  'PvcUsage',
  'Queue',
  'QuotaLine',
  'QuotaUsage',
  'RateLimit',
  'RemoveOrphanResult',
  'ScheduleWindow',
  'SetStoragePermissionResult',
  'SignInProvider',
  'StorageClass',
  'StoragePermission',
  'TemplateParameter',
  'UserSettings',
  'WantedLimits',
  'Webhook',
];

export default [
  {
    ...common,
    files: ['schema.graphql'],
    rules: {
      ...graphql.configs['flat/schema-recommended'].rules,
      ...graphql.configs['flat/schema-relay'].rules,
      '@graphql-eslint/strict-id-in-types': [
        'error',
        { exceptions: { suffixes: ['Connection', 'Edge', 'Payload'], types: VALUES } },
      ],
      // `User.username` is the word that everybody uses; `User.name` would be taken for the display name.
      '@graphql-eslint/no-typename-prefix': 'off',
      '@graphql-eslint/relay-edge-types': [
        'error',
        {
          withEdgeSuffix: true,
          // Relay's specification leaves it open: events are found by the job that they are part of.
          shouldImplementNode: false,
          // A connection has `nodes` beside `edges`, and short lists that are read whole (a job's tasks) have no pages.
          listTypeCanWrapOnlyEdgeType: false,
        },
      ],
    },
  },
  {
    ...common,
    files: ['playground/src/operations/**/*.graphql'],
    rules: graphql.configs['flat/operations-recommended'].rules,
  },
];
