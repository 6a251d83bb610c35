// In-memory jobs that go through their phases by a timer, with an event log that supports resuming.

export type Phase = 'SUBMITTED' | 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'CANCELLED';

export interface MockEvent {
  id: string;
  cursor: string;
  at: string;
  kind: 'SUBMITTED' | 'PHASE_CHANGED';
  phase: Phase;
  previousPhase: Phase | null;
  reason: string | null;
  job: MockJob;
}

export class MockJob {
  phase: Phase = 'SUBMITTED';
  pendingReason: string | null = null;
  reason: string | null = null;
  readonly queue = 'default-batch';
  readonly submittedAt = new Date().toISOString();
  finishedAt: string | null = null;

  constructor(
    readonly id: string,
    readonly name: string,
    readonly project: unknown,
    readonly submittedBy: unknown,
    private readonly log: MockEvent[],
  ) {}

  readonly events = () => ({ nodes: this.log.filter((event) => event.job === this) });
}

export class MockJobs {
  readonly log: MockEvent[] = [];
  readonly all = new Map<string, MockJob>();
  readonly #listeners = new Set<() => void>();

  constructor(private readonly stepMs: number) {}

  submit(name: string, project: unknown, user: unknown, runMs = this.stepMs): MockJob {
    const id = `job_${String(this.all.size + 1).padStart(26, '0')}`;
    const job = new MockJob(id, name, project, user, this.log);
    this.all.set(id, job);
    this.#append(job, null, 'SUBMITTED', null);
    const move = (phase: Phase, after: number) => setTimeout(() => this.#move(job, phase, null), after);
    move('QUEUED', this.stepMs);
    move('RUNNING', this.stepMs * 2);
    move('SUCCEEDED', this.stepMs * 2 + runMs);
    return job;
  }

  cancel(id: string, reason: string | null): MockJob | null {
    const job = this.all.get(id) ?? null;
    if (job) this.#move(job, 'CANCELLED', reason);
    return job;
  }

  /** Every event behind `after` that concerns one of `ids` (all jobs when there are none), then those to come. */
  async *follow(
    ids: string[] | undefined,
    after: string | undefined,
  ): AsyncGenerator<{ jobEvents: MockEvent }> {
    let next = after === undefined ? this.log.length : Number(after) + 1;
    for (;;) {
      for (; next < this.log.length; next += 1) {
        const event = this.log[next];
        if (event && (!ids || ids.includes(event.job.id))) yield { jobEvents: event };
      }
      await new Promise<void>((resolve) => this.#listeners.add(resolve));
    }
  }

  #move(job: MockJob, phase: Phase, reason: string | null): void {
    if (job.phase === 'SUCCEEDED' || job.phase === 'CANCELLED') return;
    const previous = job.phase;
    job.phase = phase;
    job.reason = reason;
    if (phase === 'SUCCEEDED' || phase === 'CANCELLED') job.finishedAt = new Date().toISOString();
    this.#append(job, previous, phase, reason);
  }

  #append(job: MockJob, previousPhase: Phase | null, phase: Phase, reason: string | null): void {
    const cursor = String(this.log.length);
    const kind = previousPhase === null ? 'SUBMITTED' : 'PHASE_CHANGED';
    this.log.push({
      id: `event_${cursor.padStart(26, '0')}`,
      cursor,
      at: new Date().toISOString(),
      kind,
      phase,
      previousPhase,
      reason,
      job,
    });
    for (const wake of this.#listeners) wake();
    this.#listeners.clear();
  }
}
