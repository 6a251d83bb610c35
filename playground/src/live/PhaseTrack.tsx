// A job's life as a row of phases: those behind it with their time, the one it is in, and those ahead.
import { ahead, isTerminal, type JobLife } from './timeline';

const seconds = (from: string, to: string): string => {
  const elapsed = (Date.parse(to) - Date.parse(from)) / 1000;
  return Number.isFinite(elapsed) ? `+${elapsed.toFixed(1)} s` : '';
};

export function PhaseTrack({ life }: { life: JobLife }) {
  const start = life.steps[0]?.at ?? '';
  return (
    <div className="track" data-testid="track" data-phase={life.phase}>
      <span className="job">
        <strong>{life.name}</strong> <code className="quiet">{life.id}</code>
      </span>
      <ol>
        {life.steps.map((step, index) => {
          const current = index === life.steps.length - 1 && !isTerminal(step.phase);
          return (
            <li key={`${step.phase}-${index}`} className={current ? 'current' : 'past'}>
              <span className={`phase ${step.phase.toLowerCase()}`}>{step.phase}</span>
              {index > 0 && <span className="quiet"> {seconds(start, step.at)}</span>}
            </li>
          );
        })}
        {ahead(life).map((phase) => (
          <li key={phase} className="ahead">
            <span className="phase">{phase}</span>
          </li>
        ))}
      </ol>
      {life.because !== null && <span className="because">{life.because}</span>}
    </div>
  );
}
