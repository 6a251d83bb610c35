// Reads operations from stdin and prints the result of graphql-js for each: why it cannot be executed, or the response
// if its fields have the values and errors that a server returned. For tests/reference.
import { readFileSync } from 'node:fs';
import { buildSchema, execute, getVariableValues, Kind, parse, specifiedRules, validate } from 'graphql';

const { sdl, operations } = JSON.parse(readFileSync(0, 'utf8'));
const schema = buildSchema(sdl);
// How deeply introspection may nest is a limit here (docs/limits.md) and no matter of validity.
const RULES = specifiedRules.filter(({ name }) => name !== 'MaxIntrospectionDepthRule');

const TYPE = Symbol('the type of a node');
const TYPES = {
  user: 'User',
  group: 'Group',
  project: 'Project',
  config: 'ConfigFile',
  commit: 'ConfigCommit',
  job: 'Job',
};
const typed = (value, id) => value && Object.assign(value, { [TYPE]: TYPES[id.split('_')[0]] });

/** Why it is not to be executed, or null. */
function refused({ document, variables }) {
  let parsed;
  try {
    parsed = parse(document);
  } catch (error) {
    return error.message;
  }
  const [invalid] = validate(schema, parsed, RULES);
  if (invalid) return invalid.message;
  const defined = parsed.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  if (defined.length !== 1) return `${defined.length} operations and no name`;
  const { errors } = getVariableValues(schema, defined[0].variableDefinitions ?? [], variables);
  return errors ? errors[0].message : null;
}

/** The data of an answer whose fields have these values by their names in it, and fail at these paths. */
function answered({ document, variables, values, failed }) {
  const fails = new Set(failed);
  const fieldResolver = (source, { id, ids }, _context, { path, parentType, fieldName }) => {
    const keys = [];
    for (let place = path; place; place = place.prev) keys.unshift(place.key);
    const at = keys.join('.');
    if (fails.has(at)) throw new Error('it has failed');
    const value = source[path.key];
    if (parentType.name === 'Query' && fieldName === 'node') return typed(value, id);
    if (!Array.isArray(value)) return value;
    return value.map((item, index) => {
      if (fails.has(`${at}.${index}`)) return new Error('it has failed');
      return parentType.name === 'Query' && fieldName === 'nodes' ? typed(item, ids[index]) : item;
    });
  };
  const { data } = execute({
    schema,
    document: parse(document),
    variableValues: variables,
    rootValue: values ?? {},
    fieldResolver,
    typeResolver: (value) => value[TYPE],
  });
  return data;
}

const judged = operations.map((operation) => {
  const reason = refused(operation);
  return { refused: reason, data: reason === null ? answered(operation) : null };
});
process.stdout.write(JSON.stringify(judged));
