// The jobs as a table; the same for all clients.
interface Row {
  readonly id: string;
  readonly name: string;
  readonly phase: string;
}

export function JobTable({ jobs, onOpen }: { jobs: readonly Row[]; onOpen?: (id: string) => void }) {
  return (
    <table aria-label="Jobs">
      <thead>
        <tr>
          <th>Name</th>
          <th>Phase</th>
        </tr>
      </thead>
      <tbody>
        {jobs.map(({ id, name, phase }) => (
          <tr key={id} data-job={id} data-phase={phase}>
            <td>{onOpen ? <button onClick={() => onOpen(id)}>{name}</button> : name}</td>
            <td>{phase}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
