// Opens the files of a storage claim in a tab of their own.
import type { Send } from '../transport/http';

export const OPEN_FILES = /* GraphQL */ `
  mutation OpenFiles($input: OpenFilesInput!) {
    openFiles(input: $input) {
      fileSession {
        id
        url
      }
    }
  }
`;

/** A tab of the browser, as far as it is needed here. */
export interface Tab {
  opener: unknown;
  location: { replace(url: string): void };
  close(): void;
}

interface OpenedData {
  openFiles?: { fileSession: { url: string | null } } | null;
}

/**
 * Shows the files in a new tab, and returns null; or returns why it cannot. The tab is opened before the server is asked,
 * because a browser blocks a tab that is not opened by the click itself.
 */
export async function openFiles(
  claimId: string,
  { send, token, open }: { send: Send; token: () => Promise<string | null>; open: () => Tab | null },
): Promise<string | null> {
  const tab = open();
  if (tab === null) return 'The browser does not let this page open a tab.';
  tab.opener = null;
  try {
    const operation = { query: OPEN_FILES, operationName: 'OpenFiles', variables: { input: { claimId } } };
    const { data, errors } = await send(operation, await token());
    const url = (data as OpenedData | null | undefined)?.openFiles?.fileSession.url;
    // Only a path of this server.
    if (url?.startsWith('/files/')) {
      tab.location.replace(url);
      return null;
    }
    tab.close();
    return errors?.[0]?.message ?? 'The server did not say where the files are.';
  } catch (error) {
    tab.close();
    return error instanceof Error ? error.message : 'The server cannot be reached.';
  }
}
