// Values for what the mock has no answer to, by the type that the schema says.
import {
  defaultFieldResolver,
  isEnumType,
  isListType,
  isNonNullType,
  isScalarType,
  type GraphQLFieldResolver,
  type GraphQLOutputType,
} from 'graphql';

const SCALARS: Record<string, (field: string) => unknown> = {
  ID: (field) => `${field}_00000000000000000000000001`,
  String: (field) => field,
  Int: () => 1,
  Boolean: () => true,
  DateTime: () => new Date().toISOString(),
  FeedCursor: () => '0',
  Quantity: () => '1',
  JSON: () => ({}),
};

function invented(type: GraphQLOutputType, field: string): unknown {
  if (isNonNullType(type)) return invented(type.ofType, field);
  if (isListType(type)) return [invented(type.ofType, field)];
  if (isEnumType(type)) return type.getValues()[0]?.value;
  if (isScalarType(type)) return SCALARS[type.name]?.(field);
  return {};
}

/** The value that the mock has, or one that fits. */
export const resolveOrInvent: GraphQLFieldResolver<unknown, unknown> = (source, args, context, info) => {
  const known: unknown = defaultFieldResolver(source, args, context, info);
  return known === undefined ? invented(info.returnType, info.fieldName) : known;
};
