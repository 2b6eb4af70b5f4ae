import { Resolver } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mayUseRoute } from './access/permissions.ts';
import { createKeys } from './access/keys.ts';
import { accessMigrations } from './access/schema.ts';
import { readPrices } from './config/prices.ts';
import { isListedHost, mayReach } from './config/upstream-hosts.ts';
import { configJsonSchema } from './config/schema.ts';
import type { ProviderSettings } from './config/provider-settings.ts';
import type { Settings } from './config/settings.ts';
import { takeDataFolder, type DataFolder } from './data-folder.ts';
import { createVault } from './access/vault.ts';
import { createLedger } from './gateway/ledger.ts';
import { createLedgerWriter } from './gateway/ledger-writer.ts';
import type { ProviderEntry } from './gateway/catalogue.ts';
import { evalsMigrations } from './evals/schema.ts';
import { openEvals } from './evals/open-evals.ts';
import { openGateway } from './gateway/open-gateway.ts';
import { gatewayMigrations } from './gateway/schema.ts';
import { createManagedSettings, governanceMigrations } from './governance/managed-settings.ts';
import type { ModelCall } from './gateway/model-call.ts';
import { firstKeys, keptMasterKey } from './first-keys.ts';
import { gatewayEvents } from './gateway-events.ts';
import { indexHandbook } from './handbook.ts';
import type { Server } from 'bun';
import { createHttpApp } from './http/app.ts';
import type { HttpBindings } from './http/http-context.ts';
import { createIdempotencyStore } from './http/idempotency/idempotency-store.ts';
import { idempotencyMigrations } from './http/idempotency/schema.ts';
import { openApiDocument } from './http/openapi.ts';
import { responseOf } from './http/routes/query.ts';
import { createConsoleAssets } from './http/console/console-assets.ts';
import { shownOutcome } from './http/shown-outcome.ts';
import { ensureConsoleBuilt } from './http/console/ensure-console-built.ts';
import { systemClock, type Clock } from './lib/clock.ts';
import { createGuardedFetch } from './lib/guarded-fetch.ts';
import type { Secret } from './lib/secret.ts';
import { systemSleep } from './lib/sleep.ts';
import { createLiveCatalogue, placeOf } from './live-catalogue.ts';
import { createBackgroundWork, createJobs } from './jobs/background-work.ts';
import { createEvaluationJobs } from './jobs/evaluation-jobs.ts';
import { jobMigrations } from './jobs/schema.ts';
import { migrate } from './migrate.ts';
import { createTokenCounter } from './nlp/count-tokens/token-counter.ts';
import { createLazyEncoder } from './nlp/embed/lazy-encoder.ts';
import { createTextAnalyser } from './nlp/text-analyser.ts';
import type { Database } from './ports/database.ts';
import type { JobQueue } from './ports/job-queue.ts';
import type { Provider } from './ports/provider.ts';
import { createExtractiveProvider } from './providers/extractive/extractive-provider.ts';
import { addressAt, createEndpointSource } from './providers/discovery/endpoint-source.ts';
import { createReach } from './providers/kit/reach.ts';
import { createOnnxProvider } from './providers/onnx/onnx-provider.ts';
import { createRemoteProvider } from './providers/registry.ts';
import { createStaticProvider } from './providers/static/static-provider.ts';
import { createTextThreads } from './rag/ingest/text-threads.ts';
import { createCanaries } from './rag/answer/guard/canaries.ts';
import { openRag } from './rag/open-rag.ts';
import { ragMigrations } from './rag/schema.ts';
import { openSources } from './rag/sources/open-sources.ts';
import { sourceMigrations } from './rag/sources/schema.ts';
import { SekishoError } from './spec/errors.ts';
import { createDatabaseJobQueue } from './stores/database/database-job-queue.ts';
import { jobQueueMigrations } from './stores/database/job-queue-schema.ts';
import { createFileJournal } from './stores/filesystem/file-journal.ts';
import { createLazyIndex } from './stores/lance/lazy-index.ts';
import { createMemoryCounterStore } from './stores/memory/memory-counter-store.ts';
import { createPostgresDatabase } from './stores/postgres/postgres-database.ts';
import { createRedisCacheStore } from './stores/redis/redis-cache-store.ts';
import { createRedisConnection } from './stores/redis/redis-connection.ts';
import { createRedisCounterStore } from './stores/redis/redis-counter-store.ts';
import { createSqliteCacheStore } from './stores/sqlite/sqlite-cache-store.ts';
import { sqliteCacheMigrations } from './stores/sqlite/sqlite-cache-store-schema.ts';
import { createSqliteDatabase } from './stores/sqlite/sqlite-database.ts';
import { createLog, type Log } from './telemetry/log.ts';
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
const REDIS_TIMEOUT_MS = 250;
/** No call waits for jobs. */
const JOBS_REDIS_TIMEOUT_MS = 2_000;
const POSTGRES_CONNECT_TIMEOUT_MS = 2_000;
const SETTINGS_POLL_MS = 1_000;
/** What answers to questions may take of the memory of caches. */
const ANSWERS_BYTES = 16 * 1024 * 1024;
const EMBEDDINGS_ON_DISK_BYTES = 512 * 1024 * 1024;
/** What a job may take to stop at a good place when the process stops; then it is another's. */
const JOB_GRACE_MS = 5_000;
/** What one image that a caller names by address may be. */
const MEDIA_BOUNDS = { maxBytes: 20 * 1024 * 1024, timeoutMs: 10_000, maxRedirects: 3 };

const FREE = { inputPerMillion: 0, outputPerMillion: 0 };

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
  let secretsInUse = (): readonly string[] => [];
  const log = createLog({
    level: settings.logLevel,
    secrets: () => secretsInUse(),
    ...(settings.logSinks && { sinks: settings.logSinks }),
  });
  const telemetry = createTelemetry(log);
  const root = join(import.meta.dirname, '..');

  // Stores.
  const database = settings.database
    ? createPostgresDatabase({ ...settings.database, connectTimeoutMs: POSTGRES_CONNECT_TIMEOUT_MS, log })
    : createSqliteDatabase({ path: folder.database });
  await migrate(database, [
    ...accessMigrations,
    ...gatewayMigrations,
    ...governanceMigrations,
    ...idempotencyMigrations,
    ...ragMigrations,
    ...evalsMigrations,
    ...jobQueueMigrations,
    ...jobMigrations,
    ...sourceMigrations,
  ]);
  const embeddingsOnDisk = settings.cache.embeddings && settings.redis === undefined;
  // Of this process alone: what others have embedded is not worth a way over the network.
  const localDatabase =
    settings.database && embeddingsOnDisk ? createSqliteDatabase({ path: folder.cacheDatabase }) : undefined;
  if (embeddingsOnDisk) await migrate(localDatabase ?? database, sqliteCacheMigrations);
  const redis = settings.redis && createRedisConnection({ ...settings.redis, commandTimeoutMs: REDIS_TIMEOUT_MS, log });
  const memoryCounters = createMemoryCounterStore();
  const index = createLazyIndex(async () => {
    const { createLanceIndex } = await import('./stores/lance/lance-index.ts');
    return createLanceIndex({ folder: folder.index, log: (message, details) => log.warn(message, details) });
  });

  // Text processing that runs inside this process.
  const analyser = createTextAnalyser();
  const modelPath = join(root, 'models/static-en-ja/model.bin');
  const encoder = createLazyEncoder(STATIC, () => readFileSync(modelPath));
  const threads = createTextThreads({ modelPath });

  // Access.
  const keys = createKeys({ database, clock, ...(settings.adminKey && { adminKey: settings.adminKey }) });
  const { firstKey, cliKey } = await firstKeys(
    keys,
    folder,
    settings.adminKey === undefined && hooks.showsFirstKey === true,
  );

  // Gateway.
  const reach = settings.proxied ? undefined : createReach();
  const fetchMedia = createGuardedFetch(MEDIA_BOUNDS);
  const managed = createManagedSettings({
    database,
    clock,
    pollMs: SETTINGS_POLL_MS,
    onStale: (error) => log.warn('settings_not_read', { error }),
  });
  await managed.refresh();
  const masterKey = settings.masterKey ?? keptMasterKey(folder);
  const vault = createVault({ masterKey });
  const remote = (provider: ProviderSettings): Provider =>
    createRemoteProvider({ ...provider, fetchMedia, ...(reach && { reach }) });
  const onnx = createOnnxProvider({ name: 'local', folder: settings.modelsFolder });
  const catalogue = createLiveCatalogue({
    base: settings,
    managed,
    vault,
    prices: readPrices(root),
    locals: [
      localEntry(createExtractiveProvider({ analyser, encoder }), EXTRACTIVE, 'chat'),
      localEntry(createStaticProvider({ encoder, encodeBulk: threads.encode }), STATIC, 'embedding'),
      {
        provider: onnx,
        models: () => onnx.models().map(({ name, kind }) => ({ model: name, kinds: [kind] })),
        priceOf: () => FREE,
        trusted: false,
      },
    ],
    build: (provider) => ({
      provider: remote(provider),
      ...(provider.endpoints && {
        fleet: {
          source: createEndpointSource(provider.endpoints, { dns: new Resolver() }),
          at: ({ origin }) => remote({ ...provider, baseUrl: addressAt(provider.baseUrl, origin) }),
        },
      }),
    }),
    onProblem: (setting, error) => log.error('setting_not_in_force', { ...setting, error }),
  });
  secretsInUse = catalogue.secrets;
  const ledgerWriter = createLedgerWriter({
    database,
    journal: createFileJournal({ folder: folder.ledgerJournal }),
    onTrouble: (error) => telemetry.storeDown({ store: 'ledger', error }),
  });
  await ledgerWriter.recover();
  const ledger = createLedger(database, ledgerWriter);
  // Loaded only where it is wanted: it costs as much time and memory as the rest of a start.
  const tracing =
    settings.tracing &&
    (await import('./telemetry/tracing.ts')).createTracing({
      ...settings.tracing,
      onDropped: (spans) => telemetry.spansDropped(spans),
    });
  const tokenCounter = createTokenCounter();
  const { gateway, countTokens, health, cache, ...opened } = openGateway({
    catalogue: catalogue.current,
    limitsOf: catalogue.limitsOf,
    placeOf: (provider) => catalogue.providerSettings(provider)?.baseUrl ?? provider,
    ledger,
    counters: redis === undefined ? memoryCounters : createRedisCounterStore({ connection: redis }),
    ...(redis && { fallbackCounters: memoryCounters }),
    whenCountersDown: settings.redis?.whenDown ?? 'refuse',
    cache: {
      memoryBytes: settings.cache.memoryBytes,
      defaultTtlMs: settings.cache.defaultTtlMs,
      ...(redis && { shared: createRedisCacheStore({ connection: redis }) }),
    },
    ...(settings.cache.embeddings && {
      embeddings: {
        shared:
          redis === undefined
            ? createSqliteCacheStore({ database: localDatabase ?? database, maxBytes: EMBEDDINGS_ON_DISK_BYTES, clock })
            : createRedisCacheStore({ connection: redis }),
      },
    }),
    batching: settings.batching,
    countTokens: tokenCounter,
    ...(settings.healthIntervalMs !== undefined && { healthIntervalMs: settings.healthIntervalMs }),
    ...(tracing && { tracer: tracing.tracer }),
    clock,
    sleep: systemSleep,
    random: Math.random,
    events: gatewayEvents(telemetry),
  });

  // Documents and answers.
  const rag = openRag({
    database,
    index,
    gateway,
    cache,
    analyser,
    encoder,
    threads,
    clock,
    embeddingRoute: settings.embeddingRoute,
    fingerprintOf: (route) =>
      route === STATIC ? `${encoder.id}@${encoder.fingerprint}` : (onnx.fingerprintOf(route) ?? route),
    answerRoute: settings.answerRoute,
    mayUse: requireRoute,
    keepAnswers: {
      memoryBytes: Math.min(settings.cache.memoryBytes, ANSWERS_BYTES),
      ...(redis && { shared: createRedisCacheStore({ connection: redis }) }),
    },
    countTokens: async (model, texts, stopAbove) =>
      model === EXTRACTIVE
        ? texts.map((text) => encoder.countTokens(text))
        : tokenCounter.count(model, texts, stopAbove),
    canaryOf: createCanaries(masterKey),
    onAnswered: ({ requestId, collection }, outcome, details) =>
      telemetry.questionAnswered({ requestId, collection, outcome, ...details }),
    onDocumentFailed: (requestId, error) => log.warn('document_failed', { request_id: requestId, error }),
    onNotForgotten: (error) => telemetry.storeDown({ store: 'cache', error }),
    onTrouble: (error, where) => log.warn('index_trouble', { ...where, error }),
    renaming: (tenantId, from, to) => [
      { sql: 'UPDATE sources SET collection = ? WHERE tenant_id = ? AND collection = ?', params: [to, tenantId, from] },
    ],
    beforeSwap: async (place, versions) => evals.beforeSwap(place, versions),
  });
  const evals = openEvals({
    ...rag,
    database,
    clock,
    gateway,
    answerRoute: settings.answerRoute,
    maxDrop: settings.maxDrop,
  });

  // Work in the background.
  const jobs = createJobs({
    queue: await openJobQueue(settings, { database, clock, log }),
    ...settings.jobs,
    keys,
    clock,
    sleep: systemSleep,
    random: Math.random,
    events: telemetry,
  });
  const work = createBackgroundWork({ ...rag, jobs, database, clock, encode: responseOf });

  const sources = openSources({
    ...rag,
    database,
    clock,
    sleep: systemSleep,
    vault,
    folders: settings.sources.folders,
    processes: settings.database ? 'several' : 'one',
    isListedHost: (hostname) => isListedHost(hostname, settings.sources.hosts),
    jobs,
    events: telemetry,
    onError: (error) => log.warn('source_trouble', { error }),
  });

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
    countTokens,
    analyser,
    body: { maxBytes: settings.maxBodyBytes, timeoutMs: settings.bodyTimeoutMs },
    idempotency: {
      store: createIdempotencyStore({ database, clock }),
      onNotKept: (error) => telemetry.storeDown({ store: 'idempotency', error }),
    },
    admin: {
      managed,
      vault,
      health,
      cache: rag.cache,
      placeOf,
      mayReach: (url) => mayReach(url, settings.upstreamHosts),
      file: settings,
      listModels: async (name, signal) => {
        const found = catalogue.current().providers.find(({ provider }) => provider.name === name);
        if (found === undefined) throw new SekishoError('not_found', { values: { path: `/v1/providers/${name}` } });
        return (await found.provider.listModels?.(signal)) ?? [];
      },
    },
    keys,
    ledger,
    telemetry,
    clock,
    jobs: { work, clock, sleep: systemSleep },
    evals,
    evaluationJobs: createEvaluationJobs({ jobs, evals, encode: shownOutcome }),
    sources,
    ...rag,
    assets: (path) => consoleAssets(path),
    system: {
      metricsText: telemetry.metricsText,
      readiness: [{ name: 'database', check: async () => void (await database.all('SELECT 1')) }],
      isDraining: () => draining,
      openApi: openApiDocument,
      configSchema: configJsonSchema,
    },
  });
  // A fleet that nobody has asked yet has no place to call.
  await opened.ready();
  const bindings: HttpBindings = { keepOpen: (request) => server.timeout(request, 0) };
  const server: Server<undefined> = Bun.serve({
    hostname: settings.host,
    port: settings.port,
    // Bodies are bounded by the app, which can say so in the caller's dialect.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    // For connections that say nothing, or not all of their headers; calls with a key have the upstream's timers.
    idleTimeout: settings.idleTimeoutS,
    fetch: (request) => app.fetch(request, bindings),
  });
  const url = `http://${settings.host.includes(':') ? `[${settings.host}]` : settings.host}:${server.port}`;
  folder.publish({ pid: process.pid, url });

  // What an earlier process accepted is finished, and the handbook brought up to date.
  const background = new AbortController();
  const settling = rag.ingest
    .resume(background.signal)
    .then(() => {
      const { signal } = background;
      return settings.handbook
        ? indexHandbook({ ingestFiles: rag.ingestFiles, root, marker: folder.handbook, signal, ...hooks })
        : undefined;
    })
    .then(() => rag.renew(background.signal))
    .then(() => evals.goldenSets.sweep())
    .catch((error: unknown) => log.error('background_ingest_failed', { error }));
  if (folder.isNew) await settling;

  jobs.start();
  sources.start();

  // What upstreams offer is learned while calls are already taken.
  catalogue.refreshModels().catch((error: unknown) => log.debug('models_not_listed', { error }));

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
      await sources.close();
      await jobs.stop(JOB_GRACE_MS);
      await rag.close();
      await settling;
      opened.close();
      onnx.close();
      managed.close();
      await ledgerWriter.close();
      await redis?.close();
      threads.close();
      await index.close();
      await database.close();
      await localDatabase?.close();
      folder.release();
      await tracing?.close();
      await log.close();
    },
  };
}

/** Jobs in Redis where they are to be there; the library for it is loaded only then. */
async function openJobQueue(
  { jobs, redis }: Settings,
  { log, ...deps }: { database: Database; clock: Clock; log: Log },
): Promise<JobQueue> {
  const newToken = (): string => crypto.randomUUID();
  if (redis === undefined || jobs.store === 'database') return createDatabaseJobQueue({ ...deps, newToken });
  const { createBullmqJobQueue } = await import('./stores/redis/bullmq-job-queue.ts');
  const connection = createRedisConnection({ ...redis, commandTimeoutMs: JOBS_REDIS_TIMEOUT_MS, log });
  return createBullmqJobQueue({ ...deps, connection, newToken, stalledIntervalMs: jobs.leaseMs / 4 });
}

/** A provider that answers inside this process, under one name and free of charge. */
function localEntry(provider: Provider, model: string, kind: 'chat' | 'embedding'): ProviderEntry {
  return { provider, models: () => [{ model, kinds: [kind] }], priceOf: () => FREE, trusted: false };
}

/** A key that is bound to routes must name the collection's model among them. */
function requireRoute({ principal, route }: ModelCall): void {
  if (!mayUseRoute(principal, route)) throw new SekishoError('route_forbidden', { values: { route } });
}
