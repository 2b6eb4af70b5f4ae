import type { FileConfig } from '../../src/config/schema.ts';
import { arrayAt, isJsonObject, objectAt, parseJson, stringAt, type JsonObject } from '../../src/lib/json.ts';
import { startFakeProvider, type FakeProvider } from './fake-provider/fake-provider.ts';
import { openLedger, type LedgerReader } from './read-ledger.ts';
import { startSekisho, type TestServer } from './start-server.ts';

/** A running Sekisho over three fake upstreams, with whatever routes and targets a test is about. */
export interface RoutingStage {
  one: FakeProvider;
  two: FakeProvider;
  three: FakeProvider;
  server: TestServer;
  ledger: LedgerReader;
  /** One chat call of the administrator. */
  ask(
    route: string,
    more?: { body?: object; headers?: Record<string, string>; signal?: AbortSignal },
  ): Promise<Response>;
  /** How many calls each upstream has got. */
  seen(): [one: number, two: number, three: number];
  /** What `GET /v1/targets/health` says of each target. */
  health(): Promise<Map<string, JsonObject>>;
  /** Forgets what the upstreams recorded and were told, and what is held against targets. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

export const MODEL = 'gpt-4o-mini';

/** What an OpenAI upstream says to a prompt that does not fit, and to a content it refuses. */
export const TOO_LONG = JSON.stringify({
  error: { message: "This model's maximum context length is 8192 tokens.", code: 'context_length_exceeded' },
});
export const REFUSED = JSON.stringify({
  error: { message: 'The response was filtered by the content management policy.', code: 'content_filter' },
});

/**
 * Starts it. The providers `one`, `two` and `three` have the model `gpt-4o-mini`; whatever the configuration says comes
 * on top, with `{origins}` given for fleets.
 */
export async function startRoutingStage(
  configure: (origins: { one: string; two: string; three: string }) => FileConfig,
): Promise<RoutingStage> {
  const [one, two, three] = await Promise.all([startFakeProvider(), startFakeProvider(), startFakeProvider()]);
  const upstreams = { one, two, three };
  const config = configure({ one: one.origin, two: two.origin, three: three.origin });
  const providers = Object.fromEntries(
    Object.entries(upstreams).map(([name, { baseUrl }]) => [
      name,
      { wire: 'openai' as const, base_url: baseUrl, api_key: 'sk-upstream', models: [MODEL] },
    ]),
  );
  const server = await startSekisho({
    config: {
      discover: false,
      handbook: false,
      retry: { attempts: 1, base_delay_ms: 1, max_delay_ms: 20 },
      logging: { level: 'silent' },
      ...config,
      providers: { ...providers, ...config.providers },
    },
  });
  const ledger = openLedger(server.dataFolder);
  const headers = { authorization: `Bearer ${server.adminKey}`, 'content-type': 'application/json' };

  async function health(): Promise<Map<string, JsonObject>> {
    const answer = await fetch(`${server.url}/v1/targets/health`, { headers });
    const body = parseJson(await answer.text());
    const reports = isJsonObject(body) ? arrayAt(body, 'data').filter(isJsonObject) : [];
    return new Map(reports.map((report) => [stringAt(report, 'target') ?? '', report]));
  }

  return {
    one,
    two,
    three,
    server,
    ledger,
    health,
    ask: (route, more = {}) =>
      fetch(`${server.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { ...headers, ...more.headers },
        body: JSON.stringify({
          model: route,
          messages: [{ role: 'user', content: 'Is the gate open?' }],
          ...more.body,
        }),
        ...(more.signal && { signal: more.signal }),
      }),
    seen: () => [one.requests.length, two.requests.length, three.requests.length],
    reset: async () => {
      for (const upstream of Object.values(upstreams)) upstream.reset();
      for (const key of (await health()).keys()) {
        // The name stands for every place of a fleet.
        const [target] = key.split('@');
        await fetch(`${server.url}/v1/targets/${target}/reset`, { method: 'POST', headers });
      }
    },
    stop: async () => {
      ledger.close();
      await server.stop();
      await Promise.all(Object.values(upstreams).map((upstream) => upstream.stop()));
    },
  };
}

/** The code of an error in the OpenAI dialect. */
export async function errorCode(response: Response): Promise<string | undefined> {
  const body = parseJson(await response.text());
  const error = isJsonObject(body) ? objectAt(body, 'error') : undefined;
  return error && stringAt(error, 'code');
}
