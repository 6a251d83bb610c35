// The page: the log-in box, the steps, GraphiQL, and the live strip.
import { DOC_EXPLORER_PLUGIN, DocExplorerStore } from '@graphiql/plugin-doc-explorer';
import { HISTORY_PLUGIN, HistoryStore } from '@graphiql/plugin-history';
import { GraphiQLProvider, type TabsState } from '@graphiql/react';
import { createLocalStorage, StorageAPI, type Storage } from '@graphiql/toolkit';
import { GraphiQL, GraphiQLInterface } from 'graphiql';
import { useMemo, useRef, useState } from 'react';
import { Guide } from './guide/Guide';
import { variablesText } from './guide/useReadyTabs';
import { LiveStrip } from './live/LiveStrip';
import type { Playground } from './playground';
import type { TabDefinition } from './operations/template';
import { FIRST_TOPIC } from './operations/templates';
import { SessionBox } from './session/SessionBox';
import { publishedIn, withoutSecrets } from './storage';

/** Tabs stay over a reload; a new number drops those of an older page whose operations have changed. */
const NAMESPACE = 'platform-playground-1';
const PLUGINS = [DOC_EXPLORER_PLUGIN, HISTORY_PLUGIN];

/** GraphiQL shows what is stored: on a first visit that is the first tab, with a good view of its variables. */
function firstVisit([first]: TabDefinition[], storage: Storage): void {
  const stored = new StorageAPI(storage);
  if (first === undefined || stored.get('query') !== null) return;
  stored.set('query', first.query ?? '');
  stored.set('variables', first.variables ?? '');
  stored.set('secondaryEditorFlex', '1.4');
}

export function App({ playground }: { playground: Playground }) {
  const view = useRef<TabsState>(null);
  const tabs = useMemo(
    () =>
      playground.templates
        .filter(({ topic }) => topic === FIRST_TOPIC)
        .map((template) => ({ query: template.query, variables: variablesText(template, {}) })),
    [playground],
  );
  const [storage] = useState(() => {
    const published = playground.templates.flatMap(({ variables }) => publishedIn(variables));
    const created = withoutSecrets(createLocalStorage({ namespace: NAMESPACE }), published);
    firstVisit(tabs, created);
    return created;
  });
  const onTabChange = (state: TabsState) => {
    view.current = state;
    playground.activeTab.set(state.tabs[state.activeTabIndex]?.id);
  };

  return (
    <div className="playground">
      <header className="bar">
        <h1>Platform API</h1>
        <SessionBox playground={playground} />
      </header>
      <GraphiQLProvider
        fetcher={playground.fetcher}
        storage={storage}
        plugins={PLUGINS}
        referencePlugin={DOC_EXPLORER_PLUGIN}
        defaultTabs={tabs}
        onTabChange={onTabChange}
        shouldPersistHeaders={false}
      >
        <HistoryStore>
          <DocExplorerStore>
            <Guide playground={playground} view={view} />
            <main className="workbench">
              <GraphiQLInterface defaultEditorToolsVisibility="variables" showPersistHeadersSettings={false}>
                <GraphiQL.Logo>
                  <span />
                </GraphiQL.Logo>
              </GraphiQLInterface>
            </main>
            <LiveStrip playground={playground} />
          </DocExplorerStore>
        </HistoryStore>
      </GraphiQLProvider>
    </div>
  );
}
