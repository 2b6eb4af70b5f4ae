import { Hono } from 'hono';
import type { HttpEnv } from '../http-context.ts';

/** One thing that must work before requests are worth sending here. */
export interface ReadinessCheck {
  name: string;
  check: () => Promise<void>;
}

export interface SystemRouteDeps {
  metricsText: () => Promise<string>;
  readiness: readonly ReadinessCheck[];
  /** True from the signal to stop on: no new work should come. */
  isDraining: () => boolean;
  openApi: () => object;
  configSchema: () => object;
}

/** What operators and machines ask: alive, ready, metrics, the description of the interface. Open to all. */
export function systemRoutes(deps: SystemRouteDeps): Hono<HttpEnv> {
  return new Hono<HttpEnv>()
    .get('/health', (context) => context.json({ status: 'ok' }))
    .get('/ready', async (context) => {
      const checks = await Promise.all(
        deps.readiness.map(async ({ name, check }): Promise<[string, 'ok' | 'failed']> => {
          try {
            await check();
            return [name, 'ok'];
          } catch {
            return [name, 'failed'];
          }
        }),
      );
      const ready = !deps.isDraining() && checks.every(([, state]) => state === 'ok');
      const status = deps.isDraining() ? 'draining' : ready ? 'ready' : 'not ready';
      return context.json({ status, checks: Object.fromEntries(checks) }, ready ? 200 : 503);
    })
    .get('/metrics', async (context) =>
      context.body(await deps.metricsText(), 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }),
    )
    .get('/openapi.json', (context) => context.json(deps.openApi()))
    .get('/sekisho.schema.json', (context) => context.json(deps.configSchema()));
}
