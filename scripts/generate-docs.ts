// Writes docs/reference/ from the code, or with --check says whether what is there is what the code says.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configJsonSchema } from '../src/config/schema.ts';
import { openApiDocument } from '../src/http/openapi.ts';
import { isJsonObject, type JsonObject } from '../src/lib/json.ts';
import { ERRORS } from '../src/spec/errors.ts';
import { createMetrics } from '../src/telemetry/metrics.ts';

const folder = join(import.meta.dirname, '..', 'docs', 'reference');
const GENERATED = 'This page is generated from the code by `npm run docs`.';

function errorsPage(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, row]) =>
      `| <a id="${code}"></a>\`${code}\` | ${row.status} | ${row.fault} | ${row.retryable ? 'yes' : 'no'} | ${row.en} | ${row.ja} |`,
  );
  const head = '| code | status | fault | retry helps | English | 日本語 |\n| --- | --- | --- | --- | --- | --- |';
  return `# Errors\n\n${GENERATED}\n\n${head}\n${rows.join('\n')}\n`;
}

function fields(schema: JsonObject, path: string): string[] {
  if (Array.isArray(schema['anyOf'])) return schema['anyOf'].filter(isJsonObject).flatMap((each) => fields(each, path));
  const rows: string[] = [];
  const described = typeof schema['description'] === 'string' ? schema['description'] : '';
  if (path !== '') rows.push(`| \`${path}\` | ${String(schema['type'] ?? 'string')} | ${described} |`);
  const properties = isJsonObject(schema['properties']) ? schema['properties'] : {};
  for (const [name, inner] of Object.entries(properties)) {
    if (isJsonObject(inner)) rows.push(...fields(inner, path === '' ? name : `${path}.${name}`));
  }
  if (isJsonObject(schema['additionalProperties']))
    rows.push(...fields(schema['additionalProperties'], `${path}.<name>`));
  return [...new Set(rows)];
}

const schema = configJsonSchema();

function configPage(): string {
  const head = '| field | type | meaning |\n| --- | --- | --- |';
  const rows = fields(JSON.parse(JSON.stringify(schema)) as JsonObject, '');
  return `# Configuration: sekisho.yaml\n\n${GENERATED} Editors read [sekisho.schema.json](sekisho.schema.json).\n\n${head}\n${rows.join('\n')}\n`;
}

function httpPage(): string {
  const rows = Object.entries(openApiDocument().paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      const { summary, security } = operation as { summary: string; security?: unknown };
      return `| \`${method.toUpperCase()} ${path}\` | ${summary} | ${security === undefined ? 'no' : 'yes'} |`;
    }),
  );
  return `# HTTP\n\n${GENERATED} The full description is at \`/openapi.json\`, its reader at \`/docs\`.\n\n| address | what | key |\n| --- | --- | --- |\n${rows.join('\n')}\n`;
}

async function metricsPage(): Promise<string> {
  const metrics = await createMetrics().registry.getMetricsAsJSON();
  const rows = metrics.map((metric) => `| \`${metric.name}\` | ${metric.type} | ${metric.help} |`);
  return `# Metrics\n\n${GENERATED} They stand at \`/metrics\`.\n\n| name | type | meaning |\n| --- | --- | --- |\n${rows.join('\n')}\n`;
}

const pages: Record<string, string> = {
  'errors.md': errorsPage(),
  'config.md': configPage(),
  'sekisho.schema.json': `${JSON.stringify(schema, null, 2)}\n`,
  'http.md': httpPage(),
  'metrics.md': await metricsPage(),
};

if (process.argv.includes('--check')) {
  const stale = Object.entries(pages).filter(([name, text]) => {
    try {
      return readFileSync(join(folder, name), 'utf8') !== text;
    } catch {
      return true;
    }
  });
  console.log(`${Object.keys(pages).length} pages compared`);
  for (const [name] of stale) console.log(`docs/reference/${name} is not what the code says; run: npm run docs`);
  process.exitCode = stale.length === 0 ? 0 : 1;
} else {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(pages)) writeFileSync(join(folder, name), text);
  console.log(`${Object.keys(pages).length} pages written`);
}
