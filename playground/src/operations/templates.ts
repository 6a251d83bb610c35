// All ready operations, topic by topic.
import type { DemoUser } from '../config';
import { access } from './access/ready';
import { account } from './account/ready';
import { audit } from './audit/ready';
import { groups } from './groups/ready';
import { jobs } from './jobs/ready';
import { notifications } from './notifications/ready';
import { people } from './people/ready';
import { projects } from './projects/ready';
import { requests } from './requests/ready';
import { storage } from './storage/ready';
import type { Template } from './template';

/** `user` is who the log-in tab logs in. */
export function templates(user: DemoUser | undefined): Template[] {
  return [
    ...jobs(user),
    ...requests,
    ...notifications,
    ...projects,
    ...storage,
    ...groups,
    ...people,
    ...audit,
    ...access,
    ...account,
  ];
}

/** The topic whose tabs are open at first. */
export const FIRST_TOPIC = 'Jobs';
