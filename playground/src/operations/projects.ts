// Which project the page fills in first.

export interface Project {
  id: string;
  name: string;
  group: { id: string };
}

export interface ProjectsData {
  viewer?: { memberships: { nodes: { role: string; group: { id: string } }[] } } | null;
  projects?: { nodes: Project[] } | null;
}

/** The viewer's projects, first those in which the viewer may do all that the ready operations do. */
export function mostRightsFirst(data: ProjectsData | null): Project[] {
  const memberships = data?.viewer?.memberships.nodes ?? [];
  const managed = new Set(memberships.filter(({ role }) => role !== 'MEMBER').map(({ group }) => group.id));
  const rank = (project: Project) => (managed.has(project.group.id) ? 0 : 1);
  return [...(data?.projects?.nodes ?? [])].sort((one, other) => rank(one) - rank(other));
}
