import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { readEnvironment } from '../../src/config/env.ts';
import { readConfigFile } from '../../src/config/file.ts';
import { configSchema, type FileConfig } from '../../src/config/schema.ts';
import { readSettings } from '../../src/config/settings.ts';
import { OWN_WIRES, WIRES } from '../../src/spec/wire.ts';

const PATH = join(import.meta.dirname, '../../docs/examples/sekisho.yaml');
const ENVIRONMENT = readEnvironment(
  Object.fromEntries(
    [
      'OPENAI_API_KEY',
      'AZURE_OPENAI_API_KEY',
      'ANTHROPIC_API_KEY',
      'GEMINI_API_KEY',
      'AWS_ACCESS_KEY_ID',
      'AWS_SECRET_ACCESS_KEY',
      'CO_API_KEY',
      'VLLM_KEY',
      'POSTGRES_PASSWORD',
      'OTLP_TOKEN',
    ].map((name) => [name, `value-of-${name}`]),
  ),
);

function example(): { problems: object[]; config: FileConfig } {
  const file = readConfigFile({ path: PATH, environment: ENVIRONMENT });
  return 'problems' in file ? { problems: file.problems, config: {} } : { problems: [], config: file.config };
}

describe('the example configuration', () => {
  test('has no problem, and becomes settings', () => {
    expect(example().problems).toEqual([]);
    const answer = readSettings(ENVIRONMENT, { configPath: PATH });
    expect('problems' in answer ? answer.problems : []).toEqual([]);
  });

  test('shows every section and every wire', () => {
    const { config } = example();
    expect(new Set(Object.keys(config))).toEqual(new Set(Object.keys(configSchema.shape)));
    const shown = new Set(Object.values(config.providers ?? {}).map(({ wire }): string => wire));
    expect(shown).toEqual(new Set(WIRES.filter((wire) => !OWN_WIRES.some((own) => own === wire))));
  });

  test('names what is not set, with its place', () => {
    const file = readConfigFile({ path: PATH, environment: readEnvironment({}) });
    const problems = 'problems' in file ? file.problems : [];
    expect(problems).toContainEqual({
      path: 'providers.openai.api_key',
      message: 'The variable OPENAI_API_KEY is not set.',
    });
  });
});
