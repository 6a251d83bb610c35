// Submits a job, and shows each error at the input that it is about: the name of an input is the `field` of its errors.
import { CombinedGraphQLErrors } from '@apollo/client';
import { useMutation, useQuery } from '@apollo/client/react';
import { useState, type FormEvent, type ReactNode } from 'react';
import { PROJECTS, SUBMIT_JOB } from './operations';

const PROJECT = 'input.projectId';
const NAME = 'input.name';
const IMAGE = 'input.source.spec.image';
const COMMAND = 'input.source.spec.command';
const REPLICAS = 'input.source.spec.replicas';
const CPU = 'input.source.spec.resources.cpu';
const MEMORY = 'input.source.spec.resources.memory';
const INPUTS = [PROJECT, NAME, IMAGE, COMMAND, REPLICAS, CPU, MEMORY];

/** The input that an error is about: `input.name` for `input.name` and `input.name.0`; '' if there is none. */
function inputOf(field: unknown): string {
  const path = String(field ?? '');
  return INPUTS.find((input) => path === input || path.startsWith(`${input}.`)) ?? '';
}

function messagesByInput(error: unknown): Map<string, string> {
  const messages = new Map<string, string>();
  const errors = CombinedGraphQLErrors.is(error) ? error.errors : error ? [error as Error] : [];
  for (const each of errors) {
    const input = inputOf('extensions' in each ? each.extensions?.field : undefined);
    messages.set(input, [messages.get(input), each.message].filter(Boolean).join(' '));
  }
  return messages;
}

/** The value of an input; an empty one is omitted, so that the server uses its default. */
const valueIn = (form: FormData) => (name: string) => String(form.get(name) ?? '').trim() || undefined;

export function SubmitForm() {
  const projects = useQuery(PROJECTS);
  const [submit, { error, loading }] = useMutation(SUBMIT_JOB);
  // The same key for a repeated attempt: if the first response was lost, the job is not submitted twice.
  const [idempotencyKey, setIdempotencyKey] = useState(() => crypto.randomUUID());
  const messages = messagesByInput(error);

  const onSubmit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const value = valueIn(new FormData(event.currentTarget));
    const replicas = value(REPLICAS);
    const input = {
      projectId: value(PROJECT) ?? '',
      name: value(NAME),
      idempotencyKey,
      source: {
        spec: {
          image: value(IMAGE) ?? '',
          command: value(COMMAND)?.split(/\s+/),
          replicas: replicas === undefined ? undefined : Number(replicas),
          resources: { cpu: value(CPU), memory: value(MEMORY) },
        },
      },
    };
    // The errors are in `error`.
    const answer = await submit({ variables: { input } }).catch(() => undefined);
    if (answer) setIdempotencyKey(crypto.randomUUID());
  };

  const field = (name: string, label: string, control: ReactNode) => (
    <label>
      {label} {control} <span className="error">{messages.get(name)}</span>
    </label>
  );
  return (
    <form onSubmit={(event) => void onSubmit(event)} aria-label="Submit a job">
      {field(
        PROJECT,
        'Project',
        <select name={PROJECT}>
          {projects.data?.projects.nodes.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>,
      )}
      {field(NAME, 'Name', <input name={NAME} />)}
      {field(IMAGE, 'Image', <input name={IMAGE} defaultValue="busybox:1.37" />)}
      {field(COMMAND, 'Command', <input name={COMMAND} defaultValue="sleep 3" />)}
      {field(REPLICAS, 'Tasks', <input name={REPLICAS} type="number" defaultValue="1" />)}
      {field(CPU, 'CPU', <input name={CPU} defaultValue="100m" />)}
      {field(MEMORY, 'Memory', <input name={MEMORY} defaultValue="64Mi" />)}
      <button disabled={loading}>Submit</button>
      <p role="alert" className="error">
        {messages.get('')}
      </p>
    </form>
  );
}
