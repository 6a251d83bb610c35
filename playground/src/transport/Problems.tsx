// Errors with what helps to act on them: the code, the field they are about, and the request id for the operator.
import type { Problem } from './errors';

export function Problems({ problems, onDismiss }: { problems: readonly Problem[]; onDismiss?: () => void }) {
  if (problems.length === 0) return null;
  return (
    <div className="problems" role="alert">
      <ul>
        {problems.map((problem, index) => (
          <li key={index}>
            {problem.code !== undefined && <code className="code">{problem.code}</code>}
            {problem.field !== undefined && <code>{problem.field}</code>}
            <span>{problem.message}</span>
            {problem.requestId !== undefined && <span className="quiet">request {problem.requestId}</span>}
          </li>
        ))}
      </ul>
      {onDismiss && (
        <button type="button" className="plain" aria-label="Dismiss the errors" onClick={onDismiss}>
          ×
        </button>
      )}
    </div>
  );
}
