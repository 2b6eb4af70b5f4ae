import { describe, expect, test } from 'bun:test';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readEnvironment } from './env.ts';
import { readSettings } from './settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'sekisho-config-'));

function settingsOf(yaml: string, variables: Record<string, string> = {}) {
  const path = join(folder, `${crypto.randomUUID()}.yaml`);
  writeFileSync(path, yaml);
  return readSettings(readEnvironment(variables), { configPath: path });
}

function usable(answer: ReturnType<typeof readSettings>) {
  if ('problems' in answer) throw new Error(JSON.stringify(answer.problems));
  return answer.settings;
}

describe('settings', () => {
  test('every problem is reported at once, each with its path', () => {
    const answer = settingsOf(
      'server: { port: 99999 }\nproviders:\n  mine: { wire: telepathy, base_url: "not a url", api_key: "${env:NOT_SET}" }\nroutes: { fast: [no-slash] }\nspelt_wrong: 1\n',
    );
    const paths = 'problems' in answer ? answer.problems.map((problem) => problem.path) : [];
    expect(paths).toContain('server.port');
    expect(paths).toContain('providers.mine.wire');
    expect(paths).toContain('providers.mine.base_url');
    expect(paths).toContain('providers.mine.api_key');
    expect(paths.some((path) => path.startsWith('routes.fast'))).toBe(true);
    expect(JSON.stringify(answer)).toContain('spelt_wrong');
  });

  test('a reference takes its value from the environment, and the value never prints', () => {
    const yaml = 'providers: { mine: { wire: openai, base_url: "https://example.com/v1/", api_key: "${env:MY_KEY}" } }';
    const [provider] = usable(settingsOf(yaml, { MY_KEY: 'sk-very-secret-value' })).providers;
    expect(provider?.credential?.reveal()).toBe('sk-very-secret-value');
    expect(provider?.baseUrl).toBe('https://example.com/v1');
    expect(JSON.stringify(provider) + Bun.inspect(provider)).not.toContain('very-secret');
  });

  test('providers are found by their variables, at the address that the SDK would use', () => {
    const variables = {
      OPENAI_API_KEY: 'a',
      OPENAI_BASE_URL: 'http://127.0.0.1:9/v1/',
      ANTHROPIC_API_KEY: 'b',
      GEMINI_API_KEY: 'c',
      AZURE_OPENAI_API_KEY: 'd',
      AZURE_OPENAI_ENDPOINT: 'https://me.openai.azure.com/',
    };
    const { providers } = usable(settingsOf('{}', variables));
    expect(providers.map(({ name, baseUrl }) => [name, baseUrl])).toEqual([
      ['openai', 'http://127.0.0.1:9/v1'],
      ['anthropic', 'https://api.anthropic.com'],
      ['gemini', 'https://generativelanguage.googleapis.com/v1beta'],
      ['azure', 'https://me.openai.azure.com'],
    ]);
    expect(usable(settingsOf('discover: false', variables)).providers).toEqual([]);
  });

  test('a provider of the file takes the place of the one that would be found', () => {
    const yaml = 'providers: { openai: { wire: openai, base_url: "http://127.0.0.1:8/v1", api_key: x } }';
    const { providers } = usable(settingsOf(yaml, { OPENAI_API_KEY: 'a' }));
    expect(providers.map(({ name, origin }) => [name, origin])).toEqual([['openai', 'sekisho.yaml']]);
  });

  test.each([
    [{ PORT: 'eighty' }, 'PORT'],
    [{ SEKISHO_LOG_LEVEL: 'loud' }, 'SEKISHO_LOG_LEVEL'],
    [{ SEKISHO_ADMIN_KEY: 'short' }, 'SEKISHO_ADMIN_KEY'],
  ])('a variable that makes no sense is a problem: %o', (variables, path) => {
    expect(settingsOf('{}', variables)).toMatchObject({ problems: [{ path }] });
  });

  test('a file that is no YAML names the line, and one that is not there is a problem', () => {
    const torn = settingsOf('a: [1,\nb: }');
    expect('problems' in torn && torn.problems.map((problem) => problem.path)).toContain('line 2');
    const missing = readSettings(readEnvironment({}), { configPath: join(folder, 'absent.yaml') });
    expect(missing).toMatchObject({ problems: [{ message: 'The file does not exist.' }] });
  });
});
