import type { ModelRepository } from '../../ports/provider.ts';
import { SekishoError } from '../../spec/errors.ts';

export interface ResidentModelsOptions {
  repository: ModelRepository;
  /** Absent: models stay loaded. */
  idleUnloadMs: number | undefined;
  /** How long a load may take in all. */
  loadMs: number;
  /** Calls `act` after `ms`; gives what calls it off. */
  after: (ms: number, act: () => void) => () => void;
}

/** Keeps models loaded while they are used. */
export interface ResidentModels {
  /**
   * Resolves when the model can be called, with what must be called once the call is over. Callers who want the
   * same model wait for the same load.
   * @throws SekishoError caller_left; upstream_timeout (phase load); whatever the server says of a failed load.
   */
  enter(model: string, call: { target: string; signal: AbortSignal }): Promise<() => void>;
  /** The server says that it has no such model any more. */
  forget(model: string): void;
}

interface Resident {
  users: number;
  /** Resolves once the model is ready; absent before the first call and after an unload. */
  ready: Promise<void> | undefined;
  unloading: Promise<void> | undefined;
  callOff: (() => void) | undefined;
}

/** Models that are loaded before their first call and unloaded when nobody has called them for a while. */
export function createResidentModels(options: ResidentModelsOptions): ResidentModels {
  const { repository, idleUnloadMs, loadMs, after } = options;
  const residents = new Map<string, Resident>();

  /** Under a signal of its own: the first caller may leave while others wait. */
  async function bring(model: string, resident: Resident, target: string): Promise<void> {
    await resident.unloading;
    const limit = new AbortController();
    const callOff = after(loadMs, () => limit.abort());
    const late = new Promise<never>((_, reject) => {
      limit.signal.addEventListener('abort', () =>
        reject(new SekishoError('upstream_timeout', { values: { target, phase: 'load' } })),
      );
    });
    const loaded = async (): Promise<void> => {
      const state = await repository.state(model, limit.signal).catch(unknownOnly);
      if (state !== 'ready') await repository.load(model, limit.signal);
    };
    const loading = loaded();
    try {
      await Promise.race([loading, late]);
    } finally {
      callOff();
      // One of the two lost the race, and nobody listens to it any more.
      loading.catch(() => undefined);
    }
  }

  function ready(model: string, resident: Resident, target: string): Promise<void> {
    if (resident.ready !== undefined) return resident.ready;
    const bringing = bring(model, resident, target);
    resident.ready = bringing;
    bringing.catch(() => {
      if (resident.ready === bringing) resident.ready = undefined;
    });
    return bringing;
  }

  function leave(model: string, resident: Resident): void {
    resident.users--;
    if (resident.users > 0) return;
    if (resident.ready === undefined && resident.unloading === undefined) residents.delete(model);
    else if (idleUnloadMs !== undefined) resident.callOff = after(idleUnloadMs, () => unload(model, resident));
  }

  function unload(model: string, resident: Resident): void {
    resident.callOff = undefined;
    resident.ready = undefined;
    // A model that could not be unloaded is asked for its state by the next call, as any other.
    const unloading = repository
      .unload(model, AbortSignal.timeout(loadMs))
      .catch(() => undefined)
      .finally(() => {
        resident.unloading = undefined;
        if (resident.users === 0 && resident.ready === undefined) residents.delete(model);
      });
    resident.unloading = unloading;
  }

  return {
    async enter(model, { target, signal }) {
      const resident = residents.get(model) ?? { users: 0, ready: undefined, unloading: undefined, callOff: undefined };
      residents.set(model, resident);
      resident.users++;
      resident.callOff?.();
      resident.callOff = undefined;
      let left = false;
      const done = (): void => {
        if (!left) leave(model, resident);
        left = true;
      };
      try {
        await unlessLeft(ready(model, resident, target), signal);
      } catch (thrown) {
        done();
        throw thrown;
      }
      return done;
    },
    forget: (model) => {
      const resident = residents.get(model);
      if (resident !== undefined) resident.ready = undefined;
    },
  };
}

/** A server that keeps no index may load all the same; one that cannot be reached is a failure. */
function unknownOnly(thrown: unknown): 'unknown' {
  const served = ['upstream_not_found', 'upstream_rejected', 'upstream_broken', 'upstream_failed'];
  if (thrown instanceof SekishoError && served.includes(thrown.code)) return 'unknown';
  throw thrown;
}

async function unlessLeft(waited: Promise<void>, signal: AbortSignal): Promise<void> {
  const gone = (): SekishoError => new SekishoError('caller_left', { cause: signal.reason });
  if (signal.aborted) throw gone();
  let leave: () => void = () => undefined;
  const left = new Promise<never>((_, reject) => {
    leave = () => reject(gone());
    signal.addEventListener('abort', leave, { once: true });
  });
  try {
    await Promise.race([waited, left]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
