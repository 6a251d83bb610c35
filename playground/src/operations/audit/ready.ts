// Ready operations for the audit log.
import auditExports from './auditExports.graphql?raw';
import auditGroup from './auditGroup.graphql?raw';
import auditLog from './auditLog.graphql?raw';
import auditRefused from './auditRefused.graphql?raw';
import exportAudit from './exportAudit.graphql?raw';
import followAudit from './followAudit.graphql?raw';
import { may, PLACEHOLDER, type Template } from '../template';

const topic = 'Audit log' as const;
const need = may('VIEW_AUDIT_ENTRY', 'group');

export const audit: Template[] = [
  {
    name: 'AuditLog',
    topic,
    title: 'Latest',
    hint: 'Run this tab to see who did what, with the values before and after.',
    query: auditLog,
    variables: { filter: {} },
    fills: {},
    need,
  },
  {
    name: 'AuditGroup',
    topic,
    title: 'Of the group',
    hint: 'Run this tab to see what was done to the group chosen above and its projects.',
    query: auditGroup,
    variables: { filter: { groupId: PLACEHOLDER.groupId } },
    fills: { groupId: ['filter', 'groupId'] },
    need,
  },
  {
    name: 'AuditRefused',
    topic,
    title: 'Refused',
    hint: 'Run this tab to see what was tried and refused, such as logins with a wrong password.',
    query: auditRefused,
    variables: { filter: { outcome: 'REFUSED' } },
    fills: {},
    need,
  },
  {
    name: 'FollowAudit',
    topic,
    title: 'Follow',
    hint: 'Run this tab to see new entries the moment they are written. They appear below.',
    query: followAudit,
    variables: { filter: {}, after: null },
    fills: {},
    need,
  },
  {
    name: 'ExportAudit',
    topic,
    title: 'Export',
    hint: 'Run this tab to have entries written to a file. The filter has the fields of the other tabs.',
    query: exportAudit,
    variables: { input: { filter: {} } },
    fills: {},
    need: may('EXPORT_AUDIT', 'platform'),
  },
  {
    name: 'AuditExports',
    topic,
    title: 'Exports',
    hint: 'Run this tab to see how far the exports are, and to get links to their files.',
    query: auditExports,
    variables: {},
    fills: {},
    need: may('VIEW_AUDIT_EXPORT', 'platform'),
  },
];
