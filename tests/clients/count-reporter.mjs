// A reporter for `node --test`: the number of tests that passed and failed, as JSON in the format of other runners.

export default async function* countReporter(source) {
  const counts = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0 };
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    // Suites, and the entry of a file that failed to load, are no tests; the exit code tells of the latter.
    if (data.details?.type === 'suite' || data.name === data.file) continue;
    if (data.skip !== undefined) counts.numPendingTests += 1;
    else if (data.todo !== undefined) counts.numTodoTests += 1;
    else if (type === 'test:pass') counts.numPassedTests += 1;
    else counts.numFailedTests += 1;
  }
  yield JSON.stringify(counts);
}
