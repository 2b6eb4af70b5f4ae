import { isJsonObject, parseJson, stringAt } from '../../lib/json.ts';
import type { ModelRepository, ModelState } from '../../ports/provider.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { Upstream } from '../kit/upstream.ts';
import { modelPath, repositoryName } from './model-path.ts';

export interface RepositoryOptions {
  /** The name of the provider, for errors. */
  name: string;
  base: string;
  upstream: Upstream;
  /** Waits as long for the first byte as a model may take to load. */
  patient: Upstream;
}

export interface KserveRepository extends ModelRepository {
  /** Every model the server knows of, loaded or not. */
  index(signal: AbortSignal): Promise<{ name: string; state: string }[]>;
}

/**
 * The repository of a server of the Open Inference Protocol (triton-inference-server/server,
 * docs/protocol/extension_model_repository.md).
 */
export function createRepository({ name, base, upstream, patient }: RepositoryOptions): KserveRepository {
  const target = name;

  async function isReady(model: string, signal: AbortSignal): Promise<boolean> {
    try {
      await upstream.text({ url: `${base}${modelPath(model)}/ready`, target, signal });
      return true;
    } catch (thrown) {
      // Any answer that is none of these says nothing about the model.
      if (thrown instanceof SekishoError && SAYS_NO.has(thrown.code)) return false;
      throw thrown;
    }
  }

  async function index(signal: AbortSignal): Promise<{ name: string; state: string }[]> {
    const text = await upstream.text({ url: `${base}/v2/repository/index`, body: '{}', target, signal });
    const list = parseJson(text);
    if (!Array.isArray(list)) {
      const cause = new Error(`not an index: ${text.slice(0, 500)}`);
      throw new SekishoError('upstream_broken', { values: { target }, cause });
    }
    return list.filter(isJsonObject).flatMap((each) => {
      const found = stringAt(each, 'name');
      return found === undefined ? [] : [{ name: found, state: stringAt(each, 'state') ?? '' }];
    });
  }

  const act = async (model: string, verb: 'load' | 'unload', signal: AbortSignal): Promise<void> => {
    const url = `${base}/v2/repository/models/${encodeURIComponent(repositoryName(model))}/${verb}`;
    await patient.text({ url, body: '{}', target, signal });
  };

  return {
    index,
    async state(model, signal): Promise<ModelState> {
      if (await isReady(model, signal)) return 'ready';
      const found = (await index(signal)).filter((each) => each.name === repositoryName(model));
      if (found.length === 0) return 'unknown';
      return found.some(({ state }) => state === 'LOADING') ? 'loading' : 'unloaded';
    },
    load: (model, signal) => act(model, 'load', signal),
    unload: (model, signal) => act(model, 'unload', signal),
  };
}

/** What servers answer for a model that is not ready: 400 (Triton), 404 (MLServer), 503 (KServe). */
const SAYS_NO: ReadonlySet<string> = new Set(['upstream_rejected', 'upstream_not_found', 'upstream_failed']);
