// Keeps GraphiQL's tabs and the ready operations together: opens a template's tab, and fills what the page
// has learnt into the variables of each.
import { pick, useGraphiQL, useGraphiQLActions, type TabsState } from '@graphiql/react';
import { useCallback, useEffect, useRef } from 'react';
import { fill } from '../operations/fill';
import type { Facts, Template } from '../operations/templates';

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

export function useReadyTabs(templates: readonly Template[], facts: Facts, view: TabsView) {
  const { tabs, activeTabIndex, queryEditor, variableEditor, headerEditor, responseEditor } = useGraphiQL(
    pick('tabs', 'activeTabIndex', 'queryEditor', 'variableEditor', 'headerEditor', 'responseEditor'),
  );
  const actions = useGraphiQLActions();
  const filled = useRef<Facts | null>(null);

  useEffect(() => {
    if (!queryEditor || !variableEditor || filled.current === facts) return;
    filled.current = facts;
    // What is typed reaches the tab's state a moment later; take it now, so that nothing typed is undone.
    const variables = variableEditor.getValue();
    const active = templateOf(templates, tabs[activeTabIndex]?.title ?? '');
    actions.updateActiveTabValues({
      query: queryEditor.getValue(),
      variables: (active && fill(active, variables, facts)) ?? variables,
      headers: headerEditor?.getValue() ?? null,
      response: responseEditor?.getValue() ?? null,
    });
    const now = view.current;
    if (!now) return;
    const next = now.tabs.map((tab, index) => {
      const template = index === now.activeTabIndex ? undefined : templateOf(templates, tab.title);
      const text = template && fill(template, tab.variables ?? '', facts);
      return text == null ? tab : { ...tab, variables: text };
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
      actions.addTab();
      queryEditor?.setValue(template.query);
      variableEditor?.setValue(variablesText(template, facts));
    },
    [tabs, activeTabIndex, actions, queryEditor, variableEditor, facts],
  );

  return { active: tabs[activeTabIndex]?.title ?? '', openTab };
}
