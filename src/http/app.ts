import { Hono } from 'hono';
import type { Keys } from '../access/keys.ts';
import { mayUseRoute } from '../access/permissions.ts';
import type { Ledger } from '../gateway/ledger.ts';
import type { ModelGateway } from '../gateway/model-call.ts';
import type { Clock } from '../lib/clock.ts';
import type { Retrieve } from '../rag/retrieve/retrieve.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { anthropicDialect } from './dialects/anthropic/anthropic-dialect.ts';
import { openAiDialect } from './dialects/openai/openai-dialect.ts';
import type { HttpEnv } from './http-context.ts';
import { authenticate } from './middleware/authenticate.ts';
import { openRequest } from './middleware/open-request.ts';
import { renderError } from './render-error.ts';
import { chatRoutes, type ChatRouteDeps } from './routes/chat.ts';
import { documentRoutes, type DocumentsRoom } from './routes/documents.ts';
import { embeddingRoutes } from './routes/embeddings.ts';
import { keyRoutes } from './routes/keys.ts';
import { modelRoutes, type ModelRouteDeps } from './routes/models.ts';
import { queryRoutes, type QueryRouteDeps } from './routes/query.ts';
import { searchRoutes } from './routes/search.ts';
import { systemRoutes, type SystemRouteDeps } from './routes/system.ts';
import { usageRoutes } from './routes/usage.ts';

export interface HttpAppDeps {
  gateway: ModelGateway;
  keys: Keys;
  ledger: Ledger;
  documents: DocumentsRoom;
  retrieve: Retrieve;
  answerQuestion: QueryRouteDeps['answerQuestion'];
  answerAsChat: ChatRouteDeps['answerAsChat'];
  collections: ModelRouteDeps['collections'];
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
    const page = context.req.method === 'GET' ? deps.assets(context.req.path) : undefined;
    return page ?? renderError(deps.telemetry).notFound(context);
  });
  app.use(openRequest(deps.clock));
  app.get('/', (context) => context.redirect('/console'));
  app.route('/', systemRoutes(deps.system));

  app.use('/v1/*', authenticate(deps.keys));
  app.route(
    '/',
    chatRoutes({ gateway: deps.gateway, answerAsChat: deps.answerAsChat, streams: deps.telemetry }, [
      { path: '/v1/chat/completions', dialect: openAiDialect },
      { path: '/v1/messages', dialect: anthropicDialect },
    ]),
  );
  app.route('/', embeddingRoutes(deps));
  app.route('/', modelRoutes({ gateway: deps.gateway, collections: deps.collections, mayUseRoute }));
  app.route('/', queryRoutes(deps));
  app.route('/', searchRoutes(deps));
  app.route('/', documentRoutes(deps));
  app.route('/', keyRoutes(deps));
  app.route('/', usageRoutes(deps));
  return app;
}
