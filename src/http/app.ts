import { Hono } from 'hono';
import type { Keys } from '../access/keys.ts';
import { mayUseRoute } from '../access/permissions.ts';
import type { Ledger } from '../gateway/ledger.ts';
import type { ModelGateway } from '../gateway/model-call.ts';
import { SekishoError } from '../spec/errors.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { anthropicDialect } from './dialects/anthropic/anthropic-dialect.ts';
import { openAiDialect } from './dialects/openai/openai-dialect.ts';
import { completionsDialect } from './dialects/openai-completions/completions-dialect.ts';
import { responsesDialect } from './dialects/openai-responses/responses-dialect.ts';
import type { HttpEnv } from './http-context.ts';
import { authenticate } from './middleware/authenticate.ts';
import { boundBody, type BodyBounds } from './middleware/bound-body.ts';
import { idempotency, type IdempotencyDeps } from './middleware/idempotency.ts';
import { openRequest } from './middleware/open-request.ts';
import { renderError } from './render-error.ts';
import { adminRoutes, type AdminRouteDeps } from './routes/admin/admin-routes.ts';
import { chatRoutes, type ChatRouteDeps } from './routes/chat.ts';
import { countTokensRoutes, type CountTokensRouteDeps } from './routes/count-tokens.ts';
import { collectionRoutes, type CollectionRouteDeps } from './routes/collections.ts';
import { documentRoutes, type DocumentRouteDeps } from './routes/documents.ts';
import { embeddingRoutes } from './routes/embeddings.ts';
import { jobRoutes, type JobRouteDeps } from './routes/jobs.ts';
import { evaluationRoutes, type EvaluationRouteDeps } from './routes/evaluations.ts';
import { keyRoutes } from './routes/keys.ts';
import { modelRoutes } from './routes/models.ts';
import { queryRoutes, type QueryRouteDeps } from './routes/query.ts';
import { rerankRoutes } from './routes/rerank.ts';
import { searchRoutes, type SearchRouteDeps } from './routes/search.ts';
import { sourceRoutes, type SourceRouteDeps } from './routes/sources.ts';
import { systemRoutes, type SystemRouteDeps } from './routes/system.ts';
import { taskRoutes, type TaskRouteDeps } from './routes/tasks.ts';
import { usageRoutes } from './routes/usage.ts';

export interface HttpAppDeps extends DocumentRouteDeps {
  versions: CollectionRouteDeps['versions'];
  manage: CollectionRouteDeps['manage'];
  jobs: JobRouteDeps;
  sources: SourceRouteDeps['sources'];
  retrieve: SearchRouteDeps['retrieve'];
  whyNot: SearchRouteDeps['whyNot'];
  evals: EvaluationRouteDeps['evals'];
  evaluationJobs: EvaluationRouteDeps['evaluationJobs'];
  answerQuestion: QueryRouteDeps['answerQuestion'];
  answerAsChat: ChatRouteDeps['answerAsChat'];
  gateway: ModelGateway;
  countTokens: CountTokensRouteDeps['countTokens'];
  /** Cuts texts into sentences for summaries without a model. */
  analyser: TaskRouteDeps['analyser'];
  /** What `/v1/generate` asks where the caller names no model. */
  defaultModel?: string;
  /** Larger and slower bodies are refused, in the caller's dialect; the server's own limits must be above it. */
  body: BodyBounds;
  idempotency: IdempotencyDeps;
  keys: Keys;
  ledger: Ledger;
  telemetry: Telemetry;
  system: SystemRouteDeps;
  admin: AdminRouteDeps;
  /** Pages of the console and of the API reader, by path. */
  assets: (path: string) => Response | undefined;
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
  app.use('/v2/*', authenticate(deps.keys));
  // Behind the key: nobody without one makes the server read anything.
  app.use('/v1/*', boundBody(deps.body));
  app.use('/v2/*', boundBody(deps.body));
  app.use('/v1/*', idempotency(deps.idempotency));
  app.use('/v2/*', idempotency(deps.idempotency));
  app.route(
    '/',
    chatRoutes({ gateway: deps.gateway, answerAsChat: deps.answerAsChat, streams: deps.telemetry }, [
      { path: '/v1/chat/completions', dialect: openAiDialect },
      { path: '/v1/messages', dialect: anthropicDialect },
      { path: '/v1/responses', dialect: responsesDialect },
      { path: '/v1/completions', dialect: completionsDialect },
    ]),
  );
  app.route('/', countTokensRoutes(deps));
  app.route('/', embeddingRoutes(deps));
  app.route('/', rerankRoutes(deps));
  app.route('/', taskRoutes({ ...deps, streams: deps.telemetry }));
  app.route('/', modelRoutes({ gateway: deps.gateway, collections: deps.collections, mayUseRoute }));
  app.route('/', queryRoutes(deps));
  app.route('/', searchRoutes(deps));
  app.route('/', jobRoutes(deps.jobs));
  app.route('/', collectionRoutes(deps));
  app.route('/', documentRoutes(deps));
  app.route('/', sourceRoutes(deps));
  app.route('/', evaluationRoutes(deps));
  app.route('/', keyRoutes(deps));
  app.route('/', usageRoutes(deps));
  app.route('/', adminRoutes(deps.admin));
  return app;
}

/** A path of the router as a pattern, to tell a wrong method from a wrong address. */
function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replace(/:\w+\{(.+?)\}/g, '$1').replace(/:\w+/g, '[^/]+')}$`);
}
