// Documents for reference.test.mjs: written by hand for every rule of the specification, generated from the schema, and
// mutated.
import {
  getNamedType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
} from 'graphql';

/** A small generator of random numbers (mulberry32), the same on every run. */
export function seeded(seed) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  return {
    chance: (likelihood) => next() < likelihood,
    below: (limit) => Math.floor(next() * limit),
    pick: (list) => list[Math.floor(next() * list.length)],
  };
}

const ID = '"job_01h455vb4pex5vsknk084sn02q"';
const SUBMIT = (rest) =>
  `mutation { submitJob(input: {projectId: "x", source: null${rest}}) { job { id } } }`;

/** Documents by the rule that they are about; some keep it, some break it. */
export const BY_RULE = {
  'Documents and syntax': [
    '',
    '# nothing',
    '{',
    '}',
    '{}',
    '{ viewer {} }',
    '{ viewer { id }',
    '{ viewer { id } } }',
    'query',
    'query Q',
    'query () { viewer { id } }',
    '{ viewer() { id } }',
    'queryName { viewer { id } }',
    'query Q{viewer{id}}',
    '\ufeff{ viewer { id } }',
    '{ viewer { id } } # end',
    '{ viewer { id } } nonsense',
    '{ viewer, { , id, } , }',
    '{\r viewer\r\n{ id }\n}',
    '{ viewer { ...on User { id } } }',
    '{ viewer { ... onUser } }',
    '{ viewer { ...on } } fragment on on User { id }',
    '{ viewer { ... { id } } }',
    '{ viewer { ... @include(if: true) { id } } }',
    'fragment F on User { id }',
    'type T { a: Int }',
    '{ viewer { id } } type T { a: Int }',
    'extend type User { a: Int }',
    '{ viewer { id } } scalar S',
    '"""about""" query Q { viewer { id } }',
    '"about" { viewer { id } }',
    'query Q("about" $id: ID!) { job(id: $id) { id } }',
    '"x" fragment F on User { id } { viewer { ...F } }',
    '{ v\u00e9 { id } }',
    '{ viewer { id; name } }',
    "{ job(id: 'x') { id } }",
    '{ a: b: viewer { id } }',
    '{ : viewer { id } }',
    '{ viewer: { id } }',
    'query Q { viewer { id } } { viewer { id } }',
    '{ viewer { id } } { viewer { id } }',
    'query Q { viewer { id } } query Q { viewer { id } }',
    'query A { viewer { id } } query B { viewer { id } }',
    'query A { viewer { id } } mutation A { logout { ended } }',
    '{ viewer { "id" } }',
    '{ viewer { 1 } }',
    '{ viewer { $id } }',
    'subscription query { viewer { id } }',
    'query query { viewer { id } }',
    'query mutation { viewer { id } }',
    'mutation { __typename }',
    'query on { viewer { id } }',
    'query null { viewer { id } }',
    '{ viewer { id } } fragment',
    '{ viewer { id } } fragment F',
    '{ viewer { id } } fragment F on',
    '{ viewer { id } } fragment F on User',
    '...F',
    '[viewer]',
    '{ ...F } fragment F on Query { viewer { ...G } } fragment G on User { id }',
    'fragment F($x: Int) on User { id } { viewer { ...F } }',
    '{ viewer { id } }\0',
    '{ viewer { id\u0007 } }',
    '{ viewer & { id } }',
    '{ viewer | { id } }',
    '{ viewer ! { id } }',
    '{ .. viewer { id } }',
    '{ .... viewer { id } }',
  ],
  'Numbers and strings': [
    ...[
      '0',
      '-0',
      '00',
      '01',
      '1',
      '-1',
      '+1',
      '1.',
      '.5',
      '1.5',
      '1e1',
      '1E+1',
      '1e',
      '1.0',
      '1.0.0',
      '0x1',
      '1_000',
      '1a',
      '1.a',
      '-',
      '--1',
      '2147483647',
      '2147483648',
      '-2147483648',
      '-2147483649',
      'true',
      'TRUE',
      'null',
      '"1"',
      '[1]',
      '{}',
      'A',
      '$n',
      '1-1',
      '1"a"',
      '1[',
      '1.0e1',
      '1e1.0',
    ].map((value) => `{ groups(first: ${value}) { totalCount } }`),
    ...[
      '""',
      '"a"',
      '"""a"""',
      '"\\n"',
      '"\\x"',
      '"\\u00e9"',
      '"\\u00g0"',
      '"\\u{1F600}"',
      '"\\u{110000}"',
      '"\\u{}"',
      '"\\u{D800}"',
      '"\\uD83D\\uDE00"',
      '"\\uD83D"',
      '"\\uDE00"',
      '"\\uD83Dx"',
      '"\\uD83D\\u0041"',
      '"a\nb"',
      '"a\tb"',
      '"',
      '"""',
      '"""a',
      '"""a\nb"""',
      '"""\\""""""',
      '"""\\"""',
      '""""""',
      '"""" """',
      '"\\""',
      '"\\',
      '"😀"',
      '"\\u{0000000041}"',
      '"# { }"',
      '"""# " \\n"""',
      '1',
      '1.0',
      '1.5',
      'true',
      'A',
      '[]',
      '{}',
      'null',
      '12345678901234567',
    ].map((value) => `{ job(id: ${value}) { id } }`),
    ...[
      '[00]',
      '[true0]',
      '[1-1]',
      '["a""b"]',
      '["a" "b"]',
      '["a",,"b"]',
      '[,]',
      '[null]',
      '"a"',
      '[["a"]]',
      '[1]',
      '[$a]',
    ].map((value) => `{ nodes(ids: ${value}) { id } }`),
  ],
  Operations: [
    'mutation { logout { ended } }',
    'mutation M { nope }',
    'query { logout { ended } }',
    'subscription { viewer { id } }',
    'mutation { a: logout { ended } b: logout { ended } }',
    'mutation { logout { ended } logout { ended } }',
  ],
  'Single root field of a subscription': [
    'subscription { jobEvents { cursor } }',
    'subscription { ...F } fragment F on Subscription { jobEvents { cursor } }',
    'subscription { ... on Subscription { jobEvents { cursor } } }',
    'subscription { ... { ... { jobEvents { cursor } } } }',
    'subscription { a: jobEvents { cursor } b: jobEvents { cursor } }',
    'subscription { jobEvents { cursor } jobEvents { phase } }',
    'subscription { jobEvents { cursor } ...F } fragment F on Subscription { jobEvents { phase } }',
    'subscription { jobEvents { cursor } ...F } fragment F on Subscription { x: jobEvents { phase } }',
    'subscription { jobEvents { cursor } __typename }',
    'subscription { __typename }',
    'subscription { x: __typename }',
    'subscription { ...F } fragment F on Subscription { __typename }',
    'subscription { jobEvents @include(if: true) { cursor } }',
    'subscription($x: Boolean!) { jobEvents @include(if: $x) { cursor } }',
    'subscription($x: Boolean!) { jobEvents @skip(if: $x) { cursor } }',
    'subscription { ... @include(if: true) { jobEvents { cursor } } }',
    'subscription { ...F @skip(if: false) } fragment F on Subscription { jobEvents { cursor } }',
    'subscription($x: Boolean!) { jobEvents { cursor @include(if: $x) } }',
    'subscription { ...F } fragment F on Subscription { jobEvents @skip(if: false) { cursor } }',
    'subscription { __schema { types { name } } }',
    'subscription A { jobEvents { cursor } } subscription B { a: jobEvents { cursor } b: jobEvents { cursor } }',
    'subscription { jobEvents(filter: {mine: true}) { cursor } jobEvents { cursor } }',
    'subscription { jobEvents }',
    'subscription { ...F ...F } fragment F on Subscription { jobEvents { cursor } }',
  ],
  'Fields on correct type': [
    '{ nope }',
    '{ viewer { nope } }',
    '{ viewer { __typename __nope } }',
    '{ __typename }',
    '{ __schema { types { name } } }',
    '{ viewer { __schema { types { name } } } }',
    '{ __type(name: "Job") { name } }',
    '{ __type { name } }',
    'mutation { __schema { types { name } } }',
    `{ node(id: ${ID}) { id } }`,
    `{ node(id: ${ID}) { name } }`,
    `{ node(id: ${ID}) { ... on Job { name } } }`,
    `{ node(id: ${ID}) { __typename ... on Job { nope } } }`,
    '{ viewer { id ... on User { nope } } }',
    '{ __schema { nope } }',
    '{ __type(name: "Job") { fields(includeDeprecated: true) { name args { name type { kind ofType { name } } } } enumValues { name } possibleTypes { name } } }',
    '{ Viewer { id } }',
  ],
  'Leaf fields': [
    '{ viewer }',
    '{ viewer { id { x } } }',
    '{ viewer { id } groups }',
    '{ groups { nodes } }',
    '{ groups { totalCount { x } } }',
    '{ viewer { __typename { x } } }',
    `{ job(id: ${ID}) { manifest } }`,
    `{ job(id: ${ID}) { manifest { a } } }`,
    `{ job(id: ${ID}) { phase { a } } }`,
    `{ job(id: ${ID}) { tasks } }`,
  ],
  Arguments: [
    '{ groups(nope: 1) { totalCount } }',
    '{ groups(First: 1) { totalCount } }',
    '{ job { id } }',
    '{ job(id: null) { id } }',
    '{ groups(first: 1, first: 2) { totalCount } }',
    '{ groups(first: 1, last: 1) { totalCount } }',
    '{ viewer(id: 1) { id } }',
    '{ viewer { id(x: 1) } }',
    '{ viewer { id @skip(if: true, if: true) } }',
    '{ viewer { id @skip(unless: true) } }',
    '{ viewer { id @skip } }',
    '{ viewer { id @include(if: null) } }',
    '{ viewer { id @include(if: "true") } }',
    '{ viewer { id @include(if: 1) } }',
    '{ __type(name: "a", name: "b") { name } }',
    '{ __type(nam: "a") { name } }',
    '{ __type(name: 1) { name } }',
    'mutation { logout(x: 1) { ended } }',
    'mutation { createGroup { group { id } } }',
    '{ groups(first: null) { totalCount } }',
  ],
  'Values of correct type': [
    '{ groups(filter: {mine: true}) { totalCount } }',
    '{ groups(filter: {mine: 1}) { totalCount } }',
    '{ groups(filter: {nope: 1}) { totalCount } }',
    '{ groups(filter: {}) { totalCount } }',
    '{ groups(filter: []) { totalCount } }',
    '{ groups(filter: "x") { totalCount } }',
    '{ groups(filter: {names: "a"}) { totalCount } }',
    '{ groups(filter: {names: ["a", "b"]}) { totalCount } }',
    '{ groups(filter: {names: [null]}) { totalCount } }',
    '{ groups(filter: {names: null}) { totalCount } }',
    '{ groups(filter: {names: [1]}) { totalCount } }',
    '{ groups(filter: {names: [["a"]]}) { totalCount } }',
    '{ groups(filter: {names: {}}) { totalCount } }',
    '{ groups(orderBy: {field: NAME}) { totalCount } }',
    '{ groups(orderBy: {field: "NAME"}) { totalCount } }',
    '{ groups(orderBy: {field: NOPE}) { totalCount } }',
    '{ groups(orderBy: {}) { totalCount } }',
    '{ groups(orderBy: {direction: ASC}) { totalCount } }',
    '{ groups(orderBy: {field: NAME, direction: null}) { totalCount } }',
    '{ groups(orderBy: {field: null}) { totalCount } }',
    '{ groups(orderBy: {field: true}) { totalCount } }',
    '{ groups(orderBy: [{field: NAME}]) { totalCount } }',
    '{ jobs(filter: {phases: [RUNNING, FAILED]}) { totalCount } }',
    '{ jobs(filter: {phases: RUNNING}) { totalCount } }',
    '{ jobs(filter: {phases: ["RUNNING"]}) { totalCount } }',
    '{ jobs(filter: {phases: [RUNNING, null]}) { totalCount } }',
    '{ jobs(filter: {mine: null}) { totalCount } }',
    '{ jobs(filter: {projectId: 1}) { totalCount } }',
    '{ jobs(filter: {projectId: 1.5}) { totalCount } }',
    '{ jobs(filter: {projectId: X}) { totalCount } }',
    '{ groups(after: 1) { totalCount } }',
    '{ groups(after: {a: [1]}) { totalCount } }',
    SUBMIT(''),
    SUBMIT(', name: 1'),
    'mutation { createGroup(input: {name: "a"}) { group { id } } }',
    'mutation { createGroup(input: {}) { group { id } } }',
    'mutation { createGroup(input: {name: null}) { group { id } } }',
    'mutation { createGroup(input: {name: "a", description: null}) { group { id } } }',
    'mutation { createGroup(input: null) { group { id } } }',
    'mutation { createGroup(input: "a") { group { id } } }',
    'mutation { createGroup(input: [{name: "a"}]) { group { id } } }',
    ...[
      '{cpu: "500m"}',
      '{cpu: 2}',
      '{cpu: 2.5}',
      '{cpu: true}',
      '{cpu: {}}',
      '{gpu: 1}',
      '{gpu: 1.0}',
      '{gpu: "1"}',
      '{gpu: 1, gpu: 2}',
      '{nope: 1}',
    ].map(
      (resources) =>
        `mutation { submitJob(input: {projectId: "p", source: {spec: {image: "a", resources: ${resources}}}}) { job { id } } }`,
    ),
    ...[
      'replicas: 1.0',
      'replicas: 1e1',
      'replicas: null',
      'args: "a"',
      'args: ["a", 1]',
      'args: null',
      'env: {name: "A", value: "1"}',
      'env: [{name: "A"}]',
      'env: [{name: "A", value: 1}]',
      'env: [{name: "A", value: "1", more: 1}]',
      'mounts: [{claim: "c", path: "/", readOnly: "x"}]',
      'retries: 2147483648',
    ].map(
      (field) =>
        `mutation { submitJob(input: {projectId: "p", source: {spec: {image: "a", ${field}}}}) { job { id } } }`,
    ),
  ],
  'Input field uniqueness': [
    '{ groups(filter: {mine: true, mine: true}) { totalCount } }',
    'mutation { createGroup(input: {name: "a", name: "b"}) { group { id } } }',
    'mutation { submitJob(input: {projectId: "p", source: {spec: {image: "a", env: [{name: "A", value: "1", name: "B"}]}}}) { job { id } } }',
    'query($f: GroupFilter = {mine: true, mine: false}) { groups(filter: $f) { totalCount } }',
    '{ groups(after: {a: 1, a: 2}) { totalCount } }',
    '{ groups(after: [{a: {b: 1, b: 1}}]) { totalCount } }',
    '{ viewer { id @include(if: {a: 1, a: 1}) } }',
    '{ groups(filter: {mine: true}) { totalCount } x: groups(filter: {mine: true}) { totalCount } }',
  ],
  Fragments: [
    '{ viewer { ...F } } fragment F on User { id }',
    '{ viewer { ...F } }',
    '{ viewer { id } } fragment F on User { id }',
    '{ viewer { ...F } } fragment F on User { id } fragment F on User { username }',
    '{ viewer { ...F } } fragment F on Nope { id }',
    '{ viewer { ...F } } fragment F on GroupRole { id }',
    '{ viewer { ...F } } fragment F on GroupFilter { id }',
    '{ viewer { ...F } } fragment F on Int { id }',
    '{ viewer { ... on Nope { id } } }',
    '{ viewer { ... on String { id } } }',
    '{ viewer { ... on Group { id } } }',
    '{ viewer { ... on Node { id } } }',
    '{ viewer { ...F } } fragment F on Node { id }',
    '{ viewer { ...F } } fragment F on Group { id }',
    `{ node(id: ${ID}) { ...F } } fragment F on Job { id ...G } fragment G on Node { id }`,
    `{ node(id: ${ID}) { ... on PageInfo { hasNextPage } } }`,
    '{ viewer { ...F } } fragment F on User { ...F }',
    '{ viewer { ...F } } fragment F on User { ...G } fragment G on User { ...F }',
    '{ viewer { ...F } } fragment F on User { id ...G ...G } fragment G on User { username }',
    '{ viewer { ...F } } fragment F on User { ...G } fragment G on User { ...H } fragment H on User { ...G }',
    '{ viewer { ...F ...F ...F } } fragment F on User { id }',
    'query A { viewer { ...F } } query B { viewer { ...F } } fragment F on User { id }',
    '{ ...F } fragment F on Query { ...F viewer { id } }',
    '{ viewer { id } } fragment F on User { ...G } fragment G on User { ...F }',
    `{ node(id: ${ID}) { ... on User { ... on Node { ... on Job { id } } } } }`,
  ],
  Directives: [
    '{ viewer { id @nope } }',
    '{ viewer @include(if: true) { id } }',
    'query @include(if: true) { viewer { id } }',
    '{ viewer { id @include(if: true) @include(if: true) } }',
    '{ viewer { id @skip(if: true) @include(if: true) } }',
    'query Q @nope { viewer { id } }',
    '{ viewer { ...F @include(if: true) } } fragment F on User { id }',
    '{ viewer { ...F } } fragment F on User @include(if: true) { id }',
    'query($id: ID! @nope) { job(id: $id) { id } }',
    'query($id: ID! @skip(if: true)) { job(id: $id) { id } }',
    'query($id: ID! = "x" @deprecated) { job(id: $id) { id } }',
    '{ viewer { id @deprecated } }',
    '{ viewer { id @cost(weight: "1") } }',
    '{ viewer { id @specifiedBy(url: "x") } }',
    'subscription @skip(if: true) { jobEvents { cursor } }',
    'mutation @include(if: true) { logout { ended } }',
    '{ viewer { id @ include(if: true) } }',
    '{ viewer { id @include } }',
    '{ viewer { id @include(if: $x) } }',
    'query($x: Boolean) { viewer { id @include(if: $x) } }',
    'query($x: Boolean!) { viewer { id @include(if: $x) } }',
    'query($x: Boolean = true) { viewer { id @include(if: $x) } }',
    'query($x: Boolean = null) { viewer { id @include(if: $x) } }',
    'query($x: String!) { viewer { id @include(if: $x) } }',
    'query($x: Boolean! @include(if: $x)) { viewer { id } }',
  ],
  Variables: [
    'query($id: ID!) { job(id: $id) { id } }',
    'query($id: ID) { job(id: $id) { id } }',
    'query($id: ID = "x") { job(id: $id) { id } }',
    'query($id: ID = null) { job(id: $id) { id } }',
    'query($id: ID! = null) { job(id: $id) { id } }',
    'query($id: String!) { job(id: $id) { id } }',
    'query($id: [ID!]!) { job(id: $id) { id } }',
    'query($id: ID!, $id: ID!) { job(id: $id) { id } }',
    'query($id: ID!) { viewer { id } }',
    '{ job(id: $id) { id } }',
    'query($id: Nope!) { job(id: $id) { id } }',
    'query($id: Job!) { job(id: $id) { id } }',
    'query($id: Node) { viewer { id } }',
    'query($id: ID!, $x: Int) { job(id: $id) { id } }',
    'query($id:ID!){job(id:$id){id}}',
    'query($ids: [ID!]!) { nodes(ids: $ids) { id } }',
    'query($ids: [ID]!) { nodes(ids: $ids) { id } }',
    'query($ids: [ID!]) { nodes(ids: $ids) { id } }',
    'query($ids: [ID!] = []) { nodes(ids: $ids) { id } }',
    'query($id: ID!) { nodes(ids: [$id]) { id } }',
    'query($id: ID) { nodes(ids: [$id]) { id } }',
    'query($id: ID!) { nodes(ids: $id) { id } }',
    'query($ids: [[ID!]!]!) { nodes(ids: $ids) { id } }',
    'query($n: Int) { groups(first: $n) { totalCount } }',
    'query($n: Int = 1.5) { groups(first: $n) { totalCount } }',
    'query($n: Int = "1") { groups(first: $n) { totalCount } }',
    'query($n: Int! = 1) { groups(first: $n) { totalCount } }',
    'query($n: Float) { groups(first: $n) { totalCount } }',
    'query($f: GroupFilter) { groups(filter: $f) { totalCount } }',
    'query($f: GroupFilter = {mine: true}) { groups(filter: $f) { totalCount } }',
    'query($f: GroupFilter = {nope: true}) { groups(filter: $f) { totalCount } }',
    'query($f: GroupFilter = {mine: "x"}) { groups(filter: $f) { totalCount } }',
    'query($f: JobFilter) { groups(filter: $f) { totalCount } }',
    'query($m: Boolean) { groups(filter: {mine: $m}) { totalCount } }',
    'query($m: Boolean) { jobs(filter: {mine: $m}) { totalCount } }',
    'query($m: String) { groups(filter: {mine: $m}) { totalCount } }',
    'query($n: [String!]) { groups(filter: {names: $n}) { totalCount } }',
    'query($n: String) { groups(filter: {names: [$n]}) { totalCount } }',
    'query($n: String!) { groups(filter: {names: [$n]}) { totalCount } }',
    'query($o: GroupOrder!) { groups(orderBy: $o) { totalCount } }',
    'query($o: GroupOrderField!) { groups(orderBy: {field: $o}) { totalCount } }',
    'query($o: GroupOrderField) { groups(orderBy: {field: $o}) { totalCount } }',
    'query($o: GroupOrderField = NAME) { groups(orderBy: {field: $o}) { totalCount } }',
    'query($o: GroupOrderField = "NAME") { groups(orderBy: {field: $o}) { totalCount } }',
    'query($d: OrderDirection) { groups(orderBy: {field: NAME, direction: $d}) { totalCount } }',
    'query($p: [JobPhase!] = RUNNING) { jobs(filter: {phases: $p}) { totalCount } }',
    'query($p: [JobPhase!] = [RUNNING, null]) { jobs(filter: {phases: $p}) { totalCount } }',
    'query($a: String) { groups(after: $a) { totalCount } }',
    'query($q: Quantity = 2) { viewer { id } }',
    'query A { ...F } query B($n: Int) { ...F } fragment F on Query { groups(first: $n) { totalCount } }',
    'query A($n: Int) { ...F } query B($n: String) { ...F } fragment F on Query { groups(first: $n) { totalCount } }',
    'query A($n: Int) { ...F } fragment F on Query { ...G } fragment G on Query { groups(first: $n) { totalCount } }',
    'query A($n: Int = $m, $m: Int) { groups(first: $n) { totalCount } }',
    'query ($ n: Int) { groups(first: $ n) { totalCount } }',
    'query($n: Int,) { groups(first: $n,) { totalCount } }',
    'query($n: [ Int ! ] !) { viewer { id } }',
    'query($n: Int!!) { viewer { id } }',
    'query($n: [Int) { viewer { id } }',
    'query($n: Int @skip(if: false) = 1) { groups(first: $n) { totalCount } }',
    'query($n Int) { viewer { id } }',
    'query(n: Int) { viewer { id } }',
    'query($n: $m) { viewer { id } }',
    'mutation($i: CreateGroupInput!) { createGroup(input: $i) { group { id } } }',
    'mutation($i: CreateGroupInput) { createGroup(input: $i) { group { id } } }',
    'mutation($d: String) { createGroup(input: {name: "a", description: $d}) { group { id } } }',
    'mutation($n: String) { createGroup(input: {name: $n}) { group { id } } }',
    'mutation($n: String = "a") { createGroup(input: {name: $n}) { group { id } } }',
    'query($x: Int) { groups(after: $x) { totalCount } }',
    'query($x: Int) { groups(after: [$x]) { totalCount } }',
    'query($x: Int) { groups(after: {a: $x}) { totalCount } }',
    'subscription($a: FeedCursor, $f: JobEventFilter) { jobEvents(after: $a, filter: $f) { cursor } }',
  ],
  'Overlapping fields can be merged': [
    '{ viewer { id id } }',
    '{ viewer { id id: username } }',
    '{ viewer { a: id a: id } }',
    '{ viewer { a: id a: username } }',
    '{ groups { totalCount } groups { nodes { id } } }',
    '{ groups(first: 1) { totalCount } groups(first: 2) { totalCount } }',
    '{ groups(first: 1) { totalCount } groups { totalCount } }',
    '{ groups(first: 1, filter: {mine: true}) { totalCount } groups(filter: {mine: true}, first: 1) { totalCount } }',
    '{ groups(filter: {mine: true, names: ["a"]}) { totalCount } groups(filter: {names: ["a"], mine: true}) { totalCount } }',
    '{ groups(filter: {names: ["a", "b"]}) { totalCount } groups(filter: {names: ["b", "a"]}) { totalCount } }',
    'query($n: Int) { groups(first: $n) { totalCount } groups(first: $n) { totalCount } }',
    'query($n: Int, $m: Int) { groups(first: $n) { totalCount } groups(first: $m) { totalCount } }',
    'query($n: Int) { groups(first: $n) { totalCount } groups(first: 1) { totalCount } }',
    '{ groups { x: totalCount } groups { x: nodes { id } } }',
    '{ viewer { memberships(first: 1) { nodes { role } } } viewer { memberships(first: 2) { nodes { role } } } }',
    '{ ...A ...B } fragment A on Query { viewer { x: id } } fragment B on Query { viewer { x: username } }',
    '{ ...A } fragment A on Query { ...B viewer { x: id } } fragment B on Query { viewer { x: username } }',
    '{ viewer { ...A ...B } } fragment A on User { x: id } fragment B on User { x: username }',
    `{ node(id: ${ID}) { ... on Job { x: name } ... on Node { x: id } } }`,
    `{ node(id: ${ID}) { ... on Job { x: name } ... on User { x: username } } }`,
    `{ node(id: ${ID}) { ... on Job { x: phase } ... on Project { x: name } } }`,
    `{ node(id: ${ID}) { ... on Job { x: id } ... on Project { x: id } } }`,
    `{ node(id: ${ID}) { ... on Job { x: project { id } } ... on Project { x: group { id } } } }`,
    `{ node(id: ${ID}) { ... on Job { x: project { y: id } } ... on Project { x: group { y: name } } } }`,
    `{ node(id: ${ID}) { ... on Job { x: project { y: name } } ... on Project { x: group { y: name } } } }`,
    `{ node(id: ${ID}) { ... on Job { x: tasks { index } } ... on Project { x: group { id } } } }`,
    `{ node(id: ${ID}) { ... on Job { x: name } ... on ConfigFile { x: name } } }`,
    `{ node(id: ${ID}) { ... on Job { x: reason } ... on Project { x: description } } }`,
    `{ node(id: ${ID}) { ... on Project { jobs(first: 1) { totalCount } } ... on Group { projects(first: 2) { totalCount } } } }`,
    `{ node(id: ${ID}) { ... on Project { x: jobs(first: 1) { totalCount } } ... on Group { x: projects(first: 2) { totalCount } } } }`,
    `{ node(id: ${ID}) { ... on Project { x: jobs(first: 1) { y: totalCount } } ... on Group { x: projects(first: 2) { y: nodes { id } } } } }`,
    '{ viewer { id @skip(if: true) id @include(if: true) } }',
    '{ viewer { __typename __typename } }',
    '{ viewer { id: __typename id } }',
    '{ a: __typename a: __typename }',
    '{ __schema { types { name } } __schema { types { kind } } }',
    '{ __type(name: "A") { name } __type(name: "B") { name } }',
    '{ viewer { ... { x: id } ... { x: username } } }',
    '{ viewer { ...F x: id } } fragment F on User { ... on Node { x: id } }',
    '{ viewer { ...F x: username } } fragment F on User { ... on Node { x: id } }',
    'mutation { a: logout { ended } a: logout { __typename } }',
    '{ groups { nodes { ...G } } } fragment G on Group { projects { nodes { x: id } } ...H } fragment H on Group { projects { nodes { x: name } } }',
    '{ groups(after: "a") { totalCount } groups(after: {b: 1, a: 2}) { totalCount } }',
    '{ groups(after: {b: 1, a: 2}) { totalCount } groups(after: {a: 2, b: 1}) { totalCount } }',
    '{ job(id: "1") { id } job(id: 1) { id } }',
  ],
};

/** What a leaf of this type may look like, now and then something else. */
function literal(random, type, variables, depth) {
  if (random.chance(0.06))
    return random.pick(['null', '1', '1.5', '"x"', 'true', 'X', '[]', '{}', '[1, "a"]', '{a: 1}', '$nope']);
  if (isNonNullType(type)) return literal(random, type.ofType, variables, depth);
  if (random.chance(0.1)) {
    const name = `v${variables.size}`;
    const shapes = [`${type}`, `${type}!`, `${getNamedType(type)}`, `[${getNamedType(type)}!]`];
    variables.set(name, random.chance(0.7) ? shapes[random.below(2)] : random.pick(shapes));
    return `$${name}`;
  }
  if (random.chance(0.05)) return 'null';
  if (isListType(type)) {
    const items = Array.from({ length: random.below(3) }, () =>
      literal(random, type.ofType, variables, depth + 1),
    );
    return random.chance(0.15) && items.length ? items[0] : `[${items.join(', ')}]`;
  }
  if (isEnumType(type)) return random.pick(type.getValues()).name;
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields());
    const chosen = fields.filter((field) =>
      random.chance((isNonNullType(field.type) ? 0.95 : 0.3) / (depth > 3 ? 3 : 1)),
    );
    return `{${chosen.map((field) => `${field.name}: ${literal(random, field.type, variables, depth + 1)}`).join(', ')}}`;
  }
  const plain = {
    Int: ['1', '20', '-3'],
    Float: ['1.5', '2'],
    Boolean: ['true', 'false'],
    ID: [ID, '7'],
    String: ['"a"', '"""b"""'],
  };
  return random.pick(plain[type.name] ?? ['"x"', '1']);
}

/** A document made from the schema: often valid, with aliases and fragments that meet. */
export function made(random, schema) {
  const [keyword, root] = random.pick([
    ['query', schema.getQueryType()],
    ['query', schema.getQueryType()],
    ['mutation', schema.getMutationType()],
    ['subscription', schema.getSubscriptionType()],
  ]);
  const variables = new Map();
  const fragments = [];
  const directive = () =>
    random.chance(0.05) ? random.pick([' @include(if: true)', ' @skip(if: false)', ' @nope', ' @skip']) : '';
  const selection = (type, depth) => {
    if (!('getFields' in type)) return '{ __typename }';
    const fields = Object.values(type.getFields());
    const leaves = fields.filter((field) => !isCompositeType(getNamedType(field.type)));
    const candidates = depth > 3 && leaves.length ? leaves : fields;
    const many = keyword === 'subscription' && depth === 0 ? 1 : 1 + random.below(4);
    const items = Array.from({ length: many }, () => item(type, candidates, depth));
    return `{ ${items.join(' ')} }`;
  };
  const item = (type, candidates, depth) => {
    if (random.chance(0.12)) {
      const possible =
        'astNode' in type &&
        schema.getPossibleTypes &&
        !('getInterfaces' in type && type.constructor.name === 'GraphQLObjectType')
          ? schema.getPossibleTypes(type)
          : [type];
      const on = random.chance(0.05)
        ? schema.getType(random.pick(['Job', 'User', 'Node', 'JobPhase']))
        : random.pick([...possible, type]);
      const inner = isCompositeType(on) ? selection(on, depth + 1) : '{ id }';
      if (random.chance(0.5))
        return `...${random.chance(0.8) ? ` on ${on.name}` : ''}${directive()} ${inner}`;
      fragments.push(`fragment F${fragments.length} on ${on.name} ${inner}`);
      return `...F${random.chance(0.95) ? fragments.length - 1 : 'x'}${directive()}`;
    }
    if (random.chance(0.04)) return '__typename';
    const field = random.pick(candidates);
    const given = field.args.filter((argument) => random.chance(isNonNullType(argument.type) ? 0.95 : 0.25));
    const list = given.map((argument) => `${argument.name}: ${literal(random, argument.type, variables, 0)}`);
    const alias = random.chance(0.2) ? `${random.pick(['a', 'b', 'id', 'name'])}: ` : '';
    const name = random.chance(0.02) ? 'nope' : field.name;
    const below = isCompositeType(getNamedType(field.type))
      ? ` ${selection(getNamedType(field.type), depth + 1)}`
      : '';
    return `${alias}${name}${list.length ? `(${list.join(', ')})` : ''}${directive()}${below}`;
  };
  const set = selection(root, 0);
  const declared = [...variables].map(([name, type]) => `$${name}: ${type}`);
  if (random.chance(0.04)) declared.push('$unused: Int');
  return [
    `${keyword}${random.chance(0.3) ? ' Q' : ''}${declared.length ? `(${declared.join(', ')})` : ''} ${set}`,
    ...fragments,
  ].join(' ');
}

const TOKEN =
  /"""[\s\S]*?"""|"(?:\\.|[^"\\\n])*"|\.\.\.|[_A-Za-z][_0-9A-Za-z]*|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\s+|[^\s]/g;
const OTHERS = [
  '{',
  '}',
  '(',
  ')',
  '[',
  ']',
  ':',
  '!',
  '$',
  '@',
  '...',
  '=',
  '|',
  '1',
  '1.0',
  '"a"',
  '"""b"""',
  'null',
  'true',
  'on',
  'id',
  'name',
  'query',
  'fragment',
  'Job',
  'F',
  'nope',
  'first',
  '$n',
  '@skip(if: true)',
  '...F',
  ' ',
  ',',
  '#',
  '"',
  '\\',
  '-',
  '.',
  'é',
];

/** The document with one or two tokens left out, repeated, swapped or replaced; half of them names by other names. */
export function mutated(random, document) {
  const tokens = document.match(TOKEN) ?? [];
  for (let times = 1 + random.below(2); times > 0 && tokens.length > 0; times--) {
    const at = random.below(tokens.length);
    const other = random.below(tokens.length);
    const names = tokens.flatMap((token, place) => (/^\w+$/.test(token) ? [place] : []));
    switch (random.below(10)) {
      case 0:
        tokens.splice(at, 1);
        break;
      case 1:
        tokens.splice(at, 0, tokens[at]);
        break;
      case 2:
        [tokens[at], tokens[other]] = [tokens[other], tokens[at]];
        break;
      case 3:
        tokens[at] = random.pick(OTHERS);
        break;
      case 4:
        tokens.splice(at, 0, random.pick(OTHERS));
        break;
      case 5:
        tokens[at] = tokens[other];
        break;
      default:
        if (names.length) tokens[random.pick(names)] = tokens[random.pick(names)];
    }
  }
  return tokens.join('');
}
