// What an answer teaches the page: a job submitted, a commit created, the token of a one-time link, a session to end, files to close.
import type { Facts } from './template';

interface Answer {
  data?: {
    submitJob?: {
      job?: { id?: string; events?: { nodes?: { cursor?: string }[] } } | null;
    } | null;
    createConfigFile?: { commit?: { id?: string } | null } | null;
    openFiles?: { fileSession?: { id?: string } } | null;
    viewer?: { fileSessions?: { id?: string }[] | null } | null;
    createUser?: { passwordLink?: { token?: string } | null } | null;
    createPasswordReset?: { passwordLink?: { token?: string } | null } | null;
    user?: { sessions?: { nodes?: { id?: string; isCurrent?: boolean }[] } | null } | null;
  } | null;
}

export function factsIn(result: unknown): Facts {
  const data = (result as Answer | null)?.data;
  const job = data?.submitJob?.job;
  const link = (data?.createUser ?? data?.createPasswordReset)?.passwordLink;
  const learnt: Facts = {
    commitId: data?.createConfigFile?.commit?.id,
    passwordToken: link?.token,
    fileSessionId: (data?.openFiles?.fileSession ?? data?.viewer?.fileSessions?.[0])?.id,
    sessionId: data?.user?.sessions?.nodes?.find(({ isCurrent }) => !isCurrent)?.id,
  };
  const known = Object.fromEntries(
    Object.entries<string | undefined>(learnt).filter(([, fact]) => fact !== undefined),
  ) as Facts;
  // A new job has a new cursor, or none: that of the job before would not fit.
  return job?.id === undefined ? known : { ...known, jobId: job.id, cursor: job.events?.nodes?.[0]?.cursor };
}
