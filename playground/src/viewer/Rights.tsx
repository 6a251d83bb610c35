// What the viewer may do, on the platform and with what is chosen above, as the server's policy decides.
import { pick, useGraphiQL } from '@graphiql/react';
import { isEnumType } from 'graphql';
import { roleIn, rolesInWords, type Decision, type Situation } from './situation';

/** The schema describes each action in a sentence; without a schema, its name has to do. */
function useActionInWords(): (action: string) => string {
  const { schema } = useGraphiQL(pick('schema'));
  const actions = schema?.getType('PolicyAction');
  return (action) => {
    const described = isEnumType(actions) ? actions.getValue(action)?.description : undefined;
    return described ?? action.toLowerCase().replaceAll('_', ' ');
  };
}

export function Rights({ situation }: { situation: Situation }) {
  const { me, group, project, access } = situation;
  if (me === null) return null;
  const role = roleIn(situation, group?.id);
  return (
    <section id="rights" className="rights" aria-label="What you can do">
      <p className="quiet">
        {me.username}, {rolesInWords(me)}. The permission policy of the server decides.
      </p>
      <div className="spheres">
        <Sphere title="On the platform" decisions={access.platform} />
        <Sphere title="Your own account" decisions={access.self} />
        {group && (
          <Sphere
            title={`Group ${group.name}`}
            note={role === null ? undefined : `as ${role.toLowerCase()}`}
            decisions={access.group}
          />
        )}
        {project && <Sphere title={`Project ${project.name}`} decisions={access.project} />}
      </div>
    </section>
  );
}

function Sphere({
  title,
  note,
  decisions,
}: {
  title: string;
  note?: string | undefined;
  decisions: Decision[];
}) {
  const inWords = useActionInWords();
  const refused = decisions.filter(({ allowed }) => !allowed);
  return (
    <div>
      <h2>
        {title} {note !== undefined && <span className="quiet">{note}</span>}
      </h2>
      <ul className="allowed">
        {decisions
          .filter(({ allowed }) => allowed)
          .map(({ action }) => (
            <li key={action}>{inWords(action)}</li>
          ))}
      </ul>
      {refused.length > 0 && (
        <details>
          <summary>{refused.length} not allowed</summary>
          <ul className="refused">
            {refused.map(({ action, rule }) => (
              <li key={action}>
                {inWords(action)} <span className="quiet">{rule}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}
