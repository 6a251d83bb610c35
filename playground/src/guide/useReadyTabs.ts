// Keeps GraphiQL's tabs and the ready operations together: opens a template's tab, and fills what the page
// has learnt into the variables of each.
import { pick, useGraphiQL, useGraphiQLActions, type TabsState } from '@graphiql/react';
import { useCallback, useEffect, useRef } from 'react';
import { fill } from '../operations/fill';
import type { Facts, Template } from '../operations/template';

/** Hands out the newest state of the tabs; the provider's `onTabChange` writes it. */
export interface TabsView {
  current: TabsState | null;
}

const templateOf = (templates: readonly Template[], title: string) =>
  templates.find(({ name }) => name === title);

export function variablesText(template: Template, facts: Facts): string {
  const text = JSON.stringify(template.variables, null, 2);
  return fill(template, text, facts) ?? text;
}

/** `factsOf` is what is known about each template, by its name. */
export function useReadyTabs(
  templates: readonly Template[],
  factsOf: ReadonlyMap<string, Facts>,
  view: TabsView,
) {
  const { tabs, activeTabIndex, queryEditor, variableEditor, headerEditor, responseEditor } = useGraphiQL(
    pick('tabs', 'activeTabIndex', 'queryEditor', 'variableEditor', 'headerEditor', 'responseEditor'),
  );
  const actions = useGraphiQLActions();
  const filled = useRef<ReadonlyMap<string, Facts> | null>(null);

  useEffect(() => {
    if (!queryEditor || !variableEditor || filled.current === factsOf) return;
    filled.current = factsOf;
    const textFor = (title: string, variables: string) => {
      const template = templateOf(templates, title);
      return template ? fill(template, variables, factsOf.get(template.name) ?? {}) : null;
    };
    // What is typed reaches the tab's state a moment later; take it now, so that nothing typed is undone.
    const variables = variableEditor.getValue();
    const active = textFor(tabs[activeTabIndex]?.title ?? '', variables);
    const others = tabs.map((tab, index) =>
      index === activeTabIndex ? null : textFor(tab.title, tab.variables ?? ''),
    );
    if (active === null && others.every((text) => text === null)) return;
    actions.updateActiveTabValues({
      query: queryEditor.getValue(),
      variables: active ?? variables,
      headers: headerEditor?.getValue() ?? null,
      response: responseEditor?.getValue() ?? null,
    });
    const now = view.current;
    if (!now) return;
    const next = now.tabs.map((tab, index) => {
      const text = index === now.activeTabIndex ? null : textFor(tab.title, tab.variables ?? '');
      return text === null ? tab : { ...tab, variables: text };
    });
    actions.moveTab(next);
  });

  const openTab = useCallback(
    (template: Template) => {
      const index = tabs.findIndex((tab) => tab.title === template.name);
      if (index === activeTabIndex) return;
      if (index >= 0) {
        actions.changeTab(index);
        return;
      }
      // As when another tab is opened: the feed goes on, and the button starts the new tab rather than stops the old.
      actions.stop();
      actions.addTab();
      queryEditor?.setValue(template.query);
      variableEditor?.setValue(variablesText(template, factsOf.get(template.name) ?? {}));
    },
    [tabs, activeTabIndex, actions, queryEditor, variableEditor, factsOf],
  );

  return { active: tabs[activeTabIndex]?.title ?? '', openTab };
}
