import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mayUseRoute } from './access/permissions.ts';
import { createKeys, type Keys } from './access/keys.ts';
import { accessMigrations } from './access/schema.ts';
import { readPrices, type PriceBook } from './config/prices.ts';
import { configJsonSchema } from './config/schema.ts';
import type { ProviderSettings } from './config/provider-settings.ts';
import type { Settings } from './config/settings.ts';
import { takeDataFolder, type DataFolder } from './data-folder.ts';
import { createAdmission } from './gateway/admission.ts';
import { createModelGateway } from './gateway/call-model.ts';
import { createLedger } from './gateway/ledger.ts';
import { createOfferedModels } from './gateway/offered-models.ts';
import { createRouteBook, type ProviderEntry } from './gateway/route-book.ts';
import { gatewayMigrations } from './gateway/schema.ts';
import type { ModelCall } from './gateway/model-call.ts';
import { indexHandbook } from './handbook.ts';
import { createHttpApp } from './http/app.ts';
import { openApiDocument } from './http/openapi.ts';
import { createConsoleAssets } from './http/console/console-assets.ts';
import { ensureConsoleBuilt } from './http/console/ensure-console-built.ts';
import { systemClock } from './lib/clock.ts';
import { Secret } from './lib/secret.ts';
import { systemSleep } from './lib/sleep.ts';
import { createLazyEncoder } from './nlp/embed/lazy-encoder.ts';
import { createTextAnalyser } from './nlp/text-analyser.ts';
import type { Provider } from './ports/provider.ts';
import { createExtractiveProvider } from './providers/extractive/extractive-provider.ts';
import { createReach } from './providers/kit/reach.ts';
import { createRemoteProvider } from './providers/registry.ts';
import { createStaticProvider } from './providers/static/static-provider.ts';
import { createAnswerAsChat } from './rag/answer-as-chat.ts';
import { createAnswerQuestion } from './rag/answer-question.ts';
import { createCollections } from './rag/collections.ts';
import { createDocuments } from './rag/documents.ts';
import { createIngest } from './rag/ingest/ingest-documents.ts';
import { createEmbedQuery } from './rag/retrieve/embed-query.ts';
import { createRetrieve } from './rag/retrieve/retrieve.ts';
import { ragMigrations } from './rag/schema.ts';
import { SekishoError } from './spec/errors.ts';
import { DEFAULT_TENANT } from './spec/ids.ts';
import { createLazyIndex } from './stores/lance/lazy-index.ts';
import { createMemoryCounterStore } from './stores/memory/memory-counter-store.ts';
import { createSqliteDatabase, migrate } from './stores/sqlite/sqlite-database.ts';
import { createLog } from './telemetry/log.ts';
import { createTelemetry } from './telemetry/telemetry.ts';

/** A running Sekisho. */
export interface Sekisho {
  url: string;
  /** The first key, where this start made it: shown once, kept nowhere. */
  firstKey: Secret | undefined;
  /** The key of the command line of the same user. */
  cliKey: Secret;
  /** Takes no new work, lets what is open end for up to `drainMs`, closes the stores. */
  stop(drainMs?: number): Promise<void>;
}

/** Names of the models that run inside this process. */
const EXTRACTIVE = 'extractive';
const STATIC = 'static-en-ja';
const CLI_KEY = 'command line';

/** What a start tells while it goes on. */
export interface StartHooks {
  onHandbookProgress?: (done: number, total: number) => void;
  /** Somebody sees the first key; without it none is made, because it could never be shown again. */
  showsFirstKey?: boolean;
}

/** The composition root: the one place that names concrete stores and providers. */
export async function startSekisho(settings: Settings, hooks: StartHooks = {}): Promise<Sekisho> {
  const folder = takeDataFolder(settings.dataFolder);
  try {
    return await compose(settings, folder, hooks);
  } catch (thrown) {
    folder.release();
    throw thrown;
  }
}

async function compose(settings: Settings, folder: DataFolder, hooks: StartHooks): Promise<Sekisho> {
  const clock = systemClock;
  const log = createLog({ level: settings.logLevel });
  const telemetry = createTelemetry(log);
  const root = join(import.meta.dirname, '..');

  // Stores.
  const database = createSqliteDatabase({ path: folder.database });
  await migrate(database, [...accessMigrations, ...gatewayMigrations, ...ragMigrations]);
  const counters = createMemoryCounterStore();
  const index = createLazyIndex(async () => {
    const { createLanceIndex } = await import('./stores/lance/lance-index.ts');
    return createLanceIndex({ folder: folder.index, log: (message, details) => log.warn(message, details) });
  });

  // Text processing that runs inside this process.
  const analyser = createTextAnalyser();
  const encoder = createLazyEncoder(STATIC, () => readFileSync(join(root, 'models/static-en-ja/model.bin')));

  // Access.
  const keys = createKeys({ database, clock, ...(settings.adminKey && { adminKey: settings.adminKey }) });
  const { firstKey, cliKey } = await firstKeys(
    keys,
    folder,
    settings.adminKey === undefined && hooks.showsFirstKey === true,
  );

  // Gateway.
  const reach = settings.proxied ? undefined : createReach();
  const prices = readPrices(root);
  const remotes = [
    ...settings.providers.map((each) => remoteEntry(each, prices, { reach, trusted: true })),
    // Model servers of this machine: on offer as soon as they answer.
    ...settings.localServers.map((each) => remoteEntry(each, prices, { reach, trusted: false })),
  ];
  const locals = [
    localEntry(createExtractiveProvider({ analyser, encoder }), EXTRACTIVE, 'chat'),
    localEntry(createStaticProvider({ encoder }), STATIC, 'embedding'),
  ];
  const routes = createRouteBook({
    providers: [...locals, ...remotes.map(({ entry }) => entry)],
    routes: settings.routes,
    defaultRetry: settings.retry,
  });
  const ledger = createLedger(database);
  const gateway = createModelGateway({
    routes,
    ledger,
    admission: createAdmission({ counters, ledger, clock }),
    clock,
    sleep: systemSleep,
    random: Math.random,
    onSettled: telemetry.modelCallSettled,
    onAttemptFailed: (call, failed) => telemetry.attemptFailed(call.requestId, failed.target, failed.error),
  });

  // Documents and answers.
  const collections = createCollections({ database, clock });
  const documents = createDocuments({ database, clock });
  const ingest = createIngest({
    collections,
    documents,
    index,
    analyser,
    gateway,
    countTokens: (text) => encoder.countTokens(text),
    embeddingRoute: settings.embeddingRoute,
    fingerprintOf: (route) => (route === STATIC ? `${encoder.id}@${encoder.fingerprint}` : route),
  });
  const retrieve = createRetrieve({
    index,
    analyser,
    embedQuery: createEmbedQuery({ gateway }),
    collections,
    documents,
    clock,
  });
  const answerQuestion = createAnswerQuestion({
    gateway,
    retrieve,
    analyser,
    encoder,
    clock,
    answerRoute: settings.answerRoute,
    onAnswered: ({ requestId, collection }, outcome, timingsMs) =>
      telemetry.questionAnswered({ requestId, collection, outcome, timingsMs }),
  });
  const answerAsChat = createAnswerAsChat({ answerQuestion, mayUse: requireRoute });

  // HTTP.
  let draining = false;
  let consoleAssets: (path: string) => Response | undefined = () => undefined;
  const built = ensureConsoleBuilt({ root }).then(({ folder: dist, problem }) => {
    if (problem !== undefined) log.warn('console_not_built', { problem });
    consoleAssets = createConsoleAssets({ folder: dist });
  });
  built.catch((error: unknown) => log.error('console_not_served', { error }));
  const app = createHttpApp({
    gateway,
    keys,
    ledger,
    telemetry,
    clock,
    collections,
    documents,
    ingest,
    retrieve,
    answerQuestion,
    answerAsChat,
    assets: (path) => consoleAssets(path),
    system: {
      metricsText: telemetry.metricsText,
      readiness: [{ name: 'database', check: async () => void (await database.all('SELECT 1')) }],
      isDraining: () => draining,
      openApi: openApiDocument,
      configSchema: configJsonSchema,
    },
  });
  const server = Bun.serve({
    hostname: settings.host,
    port: settings.port,
    maxRequestBodySize: settings.maxBodyBytes,
    // Streams may be silent for as long as the upstream's own timers allow.
    idleTimeout: 0,
    fetch: (request) => app.fetch(request),
  });
  const url = `http://${settings.host.includes(':') ? `[${settings.host}]` : settings.host}:${server.port}`;
  folder.publish({ pid: process.pid, url });

  // What an earlier process accepted is finished, and the handbook brought up to date.
  const background = new AbortController();
  const settling = ingest
    .resume(background.signal)
    .then(() => {
      const { signal } = background;
      return settings.handbook ? indexHandbook({ ingest, root, marker: folder.handbook, signal, ...hooks }) : undefined;
    })
    .catch((error: unknown) => log.error('background_ingest_failed', { error }));
  if (folder.isNew) await settling;

  // What upstreams offer is learned while calls are already taken.
  for (const { refresh } of remotes) {
    refresh().catch((error: unknown) => log.debug('models_not_listed', { error }));
  }

  return {
    url,
    firstKey,
    cliKey,
    stop: async (drainMs = 0) => {
      draining = true;
      // A connection that is only kept alive is no work; what counts is requests without an answer's end.
      for (const endMs = clock.monotonicMs() + drainMs; server.pendingRequests > 0 && clock.monotonicMs() < endMs;) {
        await Bun.sleep(10);
      }
      await server.stop(true);
      background.abort();
      await settling;
      await index.close();
      await database.close();
      folder.release();
      log.flush();
    },
  };
}

function remoteEntry(
  settings: ProviderSettings,
  prices: PriceBook,
  { reach, trusted }: { reach: ReturnType<typeof createReach> | undefined; trusted: boolean },
) {
  const provider = createRemoteProvider({ ...settings, ...(reach && { reach }) });
  const offered = createOfferedModels({ provider, given: settings.models, priced: prices.modelsOf(settings.name) });
  const entry: ProviderEntry = {
    provider,
    trusted,
    models: offered.models,
    priceOf: (model) => settings.prices[model] ?? prices.priceOf(settings.name, model),
  };
  return { entry, refresh: offered.refresh };
}

/** A provider that answers inside this process, under one name and free of charge. */
function localEntry(provider: Provider, model: string, kind: 'chat' | 'embedding'): ProviderEntry {
  const free = { inputPerMillion: 0, outputPerMillion: 0 };
  return { provider, models: () => [{ model, kinds: [kind] }], priceOf: () => free, trusted: false };
}

/** A key that is bound to routes must name the collection's model among them. */
function requireRoute({ principal, route }: ModelCall): void {
  if (!mayUseRoute(principal, route)) throw new SekishoError('route_forbidden', { values: { route } });
}

/** The keys of the first start: one for the command line, kept in the data folder, and one for the user, shown once. */
async function firstKeys(keys: Keys, folder: DataFolder, wantsFirst: boolean) {
  const tenantId = DEFAULT_TENANT;
  let cliKey: Secret;
  if (existsSync(folder.cliKey)) {
    cliKey = new Secret(readFileSync(folder.cliKey, 'utf8').trim());
  } else {
    cliKey = (await keys.create({ tenantId, name: CLI_KEY, role: 'admin' })).secret;
    writeFileSync(folder.cliKey, `${cliKey.reveal()}\n`, { mode: 0o600 });
  }
  const isFirst = wantsFirst && (await keys.list(tenantId)).every(({ name }) => name === CLI_KEY);
  const firstKey = isFirst ? (await keys.create({ tenantId, name: 'first key', role: 'admin' })).secret : undefined;
  return { firstKey, cliKey };
}
