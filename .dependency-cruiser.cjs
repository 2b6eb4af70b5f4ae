// The walls of the house: which room may see which. `npm run check` enforces them.
const LOW = ['lib', 'spec', 'ports'];
const DOMAIN_A = ['gateway', 'guards', 'nlp', 'access', 'telemetry'];
const DOMAIN_B = ['rag', 'chat', 'graph', 'evals', 'experiments', 'governance'];
const ROOMS = [...LOW, ...DOMAIN_A, ...DOMAIN_B, 'config', 'jobs', 'http', 'cli', 'providers', 'stores'];

/** A room of src may see itself and the rooms named, nothing else of ours. Unit tests beside the code may see more. */
const room = (name, sees) => ({
  name: `room-${name.replace('/', '-')}`,
  severity: 'error',
  from: { path: `^src/${name}/`, pathNot: '\\.test\\.ts$' },
  to: { path: '^(src|console|test|bench|scripts)/', pathNot: `^src/(${[name, ...sees].join('|')})/` },
});

/** A client of the outside lives in the rooms named and nowhere else. */
const client = (name, packages, rooms) => ({
  name: `client-${name}`,
  severity: 'error',
  from: { path: '^src/', pathNot: `^src/(${rooms.join('|')})|\\.test\\.ts$` },
  to: { path: packages },
});

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true, pathNot: '^bun(:|$)' } },
    room('lib', []),
    room('spec', ['lib']),
    room('ports', ['lib', 'spec']),
    room('config', LOW),
    room('telemetry', LOW),
    ...['gateway', 'guards', 'access'].map((name) => room(name, [...LOW, ...DOMAIN_A])),
    room('nlp', LOW),
    ...DOMAIN_B.map((name) => room(name, [...LOW, ...DOMAIN_A, ...DOMAIN_B])),
    room('jobs', [...LOW, ...DOMAIN_A, ...DOMAIN_B]),
    // What the file and the API take alike is judged by the same schemas.
    room('http', [...LOW, ...DOMAIN_A, ...DOMAIN_B, 'jobs', 'config']),
    {
      name: 'room-cli',
      severity: 'error',
      from: { path: '^src/cli/', pathNot: '\\.test\\.ts$' },
      to: {
        path: '^(src|console|test|bench|scripts)/',
        pathNot: `^src/(${['cli', 'config', 'jobs', ...LOW, ...DOMAIN_A, ...DOMAIN_B].join('|')})/|^src/(app|data-folder|providers/(registry|onnx/(model-folder|pull-model)))\\.ts$`,
      },
    },
    {
      // Whoever adds a room says here what it may see.
      name: 'room-unknown',
      severity: 'error',
      from: { path: '^src/[^/]+/', pathNot: `^src/(${ROOMS.join('|')})/|\\.test\\.ts$` },
      to: {},
    },
    {
      // Only the composition root stands above the rooms; what else lies beside it sees the domain at most.
      name: 'room-top',
      severity: 'error',
      from: { path: '^src/[^/]+\\.ts$', pathNot: '^src/(app|main)\\.ts$|\\.test\\.ts$' },
      to: { path: '^src/(http|cli|stores|providers)/|^src/(app|main)\\.ts$' },
    },
    {
      name: 'provider-registry',
      severity: 'error',
      from: { path: '^src/providers/[^/]+\\.ts$', pathNot: '\\.test\\.ts$' },
      to: { path: '^(src|console|test|bench|scripts)/', pathNot: '^src/(lib|spec|ports|providers)/' },
    },
    {
      // A name that says nothing collects everything. Reached by an import here; not imported at all, it is dead code.
      name: 'names-say-what-is-inside',
      severity: 'error',
      from: {},
      to: {
        path: '/(util|utils|helper|helpers|common|manager|managers|service|services)(/|[.]tsx?$)',
        pathNot: 'node_modules',
      },
    },
    {
      name: 'provider-alone',
      severity: 'error',
      from: { path: '^src/providers/([^/]+)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^(src|console|test|bench|scripts)/', pathNot: '^src/(lib|spec|ports|providers/kit|providers/$1)/' },
    },
    {
      name: 'store-alone',
      severity: 'error',
      from: { path: '^src/stores/([^/]+)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^(src|console|test|bench|scripts)/', pathNot: '^src/(lib|spec|ports|stores/$1)/' },
    },
    {
      name: 'stores-by-name-in-app-only',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(app\\.ts|stores/)|\\.test\\.ts$' },
      to: { path: '^src/stores/' },
    },
    {
      name: 'providers-by-name-in-app-only',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(app\\.ts|providers/|cli/(doctor|models)\\.ts)|\\.test\\.ts$' },
      to: { path: '^src/providers/' },
    },
    {
      name: 'console-sees-contracts',
      severity: 'error',
      from: { path: '^console/src/' },
      to: { path: '^src/', pathNot: '^src/(http/contract/|spec/|lib/json\\.ts$)' },
    },
    client('lance', 'node_modules/(@lancedb|apache-arrow)', ['stores/lance']),
    client('sqlite', '^bun:sqlite$', ['stores/sqlite']),
    client('hono', 'node_modules/hono', ['http']),
    client('sdk', 'node_modules/(openai|@anthropic-ai|ai|@ai-sdk)/', ['nowhere']),
    client('onnx', 'node_modules/(onnxruntime|@huggingface)', ['providers/onnx']),
    client('parsers', 'node_modules/(unpdf|mammoth|parse5|mdast|csv-parse)', ['rag/ingest/parse']),
    client('yaml', 'node_modules/yaml/', ['config', 'cli']),
    client('telemetry', 'node_modules/(prom-client|@opentelemetry)/', ['telemetry']),
    client('tokenizer', 'node_modules/gpt-tokenizer', ['nlp/count-tokens']),
    client('redis', 'node_modules/(ioredis|bullmq)', ['stores/redis']),
    client('aws', 'node_modules/(aws4fetch|@smithy)/', ['providers/bedrock', 'rag/sources/connectors']),
    client('sources', 'node_modules/(isomorphic-git|croner)/', ['rag/sources']),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    builtInModules: { add: ['bun', 'bun:sqlite', 'bun:test', 'bun:ffi'] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
