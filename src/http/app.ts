import { Hono } from 'hono';
import type { Keys } from '../access/keys.ts';
import { mayUseRoute } from '../access/permissions.ts';
import type { Ledger } from '../gateway/ledger.ts';
import type { ModelGateway } from '../gateway/model-call.ts';
import type { Clock } from '../lib/clock.ts';
import { SekishoError } from '../spec/errors.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { anthropicDialect } from './dialects/anthropic/anthropic-dialect.ts';
import { openAiDialect } from './dialects/openai/openai-dialect.ts';
import type { HttpEnv } from './http-context.ts';
import { authenticate } from './middleware/authenticate.ts';
import { openRequest } from './middleware/open-request.ts';
import { renderError } from './render-error.ts';
import { chatRoutes } from './routes/chat.ts';
import { embeddingRoutes } from './routes/embeddings.ts';
import { keyRoutes } from './routes/keys.ts';
import { modelRoutes } from './routes/models.ts';
import { systemRoutes, type SystemRouteDeps } from './routes/system.ts';
import { usageRoutes } from './routes/usage.ts';

export interface HttpAppDeps {
  gateway: ModelGateway;
  keys: Keys;
  ledger: Ledger;
  telemetry: Telemetry;
  system: SystemRouteDeps;
  /** Pages of the console and of the API reader, by path. */
  assets: (path: string) => Response | undefined;
  clock: Clock;
}

/** Every address of the server. What stands before `authenticate` is open, everything after it needs a key. */
export function createHttpApp(deps: HttpAppDeps): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  app.onError(renderError(deps.telemetry));
  app.notFound((context) => {
    const { method, path } = context.req;
    const page = method === 'GET' ? deps.assets(path) : undefined;
    if (page !== undefined) return page;
    const known = app.routes.some((route) => route.method !== 'ALL' && patternOf(route.path).test(path));
    const code = known ? 'method_not_allowed' : 'not_found';
    throw new SekishoError(code, { values: { method, path: path.slice(0, 200) } });
  });
  app.use(openRequest(deps.clock));
  app.get('/', (context) => context.redirect('/console'));
  app.route('/', systemRoutes(deps.system));

  app.use('/v1/*', authenticate(deps.keys));
  app.route(
    '/',
    chatRoutes({ gateway: deps.gateway, answerAsChat: deps.gateway.chat, streams: deps.telemetry }, [
      { path: '/v1/chat/completions', dialect: openAiDialect },
      { path: '/v1/messages', dialect: anthropicDialect },
    ]),
  );
  app.route('/', embeddingRoutes(deps));
  app.route('/', modelRoutes({ gateway: deps.gateway, collections: { names: async () => [] }, mayUseRoute }));
  app.route('/', keyRoutes(deps));
  app.route('/', usageRoutes(deps));
  return app;
}

/** A path of the router as a pattern, to tell a wrong method from a wrong address. */
function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replace(/:\w+\{(.+?)\}/g, '$1').replace(/:\w+/g, '[^/]+')}$`);
}
