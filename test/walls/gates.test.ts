import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const bin = (name: string): string => join(root, 'node_modules', '.bin', name);

/** A copy of the house in which walls may be broken. */
let house: string;

beforeAll(() => {
  house = mkdtempSync(join(tmpdir(), 'sekisho-walls-'));
  const parts = ['src', 'scripts', 'console/src', 'console/package.json', 'package.json', 'tsconfig.json', 'knip.json'];
  for (const part of [
    ...parts,
    '.dependency-cruiser.cjs',
    '.oxlintrc.json',
    '.oxfmtrc.json',
    'docs/reference',
    'test/support',
    'test/translation',
  ]) {
    cpSync(join(root, part), join(house, part), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(house, 'node_modules'));
});
afterAll(() => rmSync(house, { recursive: true, force: true }));

function run(command: string[]): { green: boolean; output: string } {
  const ran = Bun.spawnSync(command, { cwd: house, stdout: 'pipe', stderr: 'pipe' });
  return { green: ran.exitCode === 0, output: `${ran.stdout.toString()}${ran.stderr.toString()}` };
}

/** Plants text at the top of a file (or a file that is not there yet), runs the gate, and takes the text away again. */
function planted(file: string, text: string, gate: () => ReturnType<typeof run>): ReturnType<typeof run> {
  const path = join(house, file);
  let before: string | undefined;
  try {
    before = readFileSync(path, 'utf8');
  } catch {
    before = undefined;
  }
  writeFileSync(path, `${text}\n${before ?? ''}`);
  try {
    return gate();
  } finally {
    if (before === undefined) rmSync(path);
    else writeFileSync(path, before);
  }
}

const walls = () => run([bin('depcruise'), 'src', 'console/src', '--config', '.dependency-cruiser.cjs']);

describe('walls', () => {
  test('the house as it stands is green, and the gate has looked at it', () => {
    const { green, output } = walls();
    expect(output).toMatch(/no dependency violations found \([1-9]\d\d+ modules/);
    expect(green).toBe(true);
  });

  const FORBIDDEN: [rule: string, file: string, text: string][] = [
    ['room-lib', 'src/lib/clock.ts', "import '../spec/money.ts';"],
    ['room-spec', 'src/spec/money.ts', "import type { Log } from '../telemetry/log.ts';\nexport type Planted = Log;"],
    ['room-gateway', 'src/gateway/attempt.ts', "import '../rag/tags.ts';"],
    ['room-rag', 'src/rag/tags.ts', "import '../http/app.ts';"],
    ['providers-by-name-in-app-only', 'src/rag/tags.ts', "import '../providers/registry.ts';"],
    ['stores-by-name-in-app-only', 'src/http/app.ts', "import '../stores/sqlite/sqlite-database.ts';"],
    ['provider-alone', 'src/providers/openai/usage.ts', "import '../anthropic/usage.ts';"],
    ['provider-alone', 'src/providers/extractive/question.ts', "import '../../nlp/language.ts';"],
    ['store-alone', 'src/stores/sqlite/sqlite-database.ts', "import '../../gateway/ledger.ts';"],
    ['client-hono', 'src/gateway/attempt.ts', "import 'hono';"],
    ['client-sqlite', 'src/access/keys.ts', "import 'bun:sqlite';"],
    ['client-lance', 'src/rag/tags.ts', "import '@lancedb/lancedb';"],
    ['console-sees-contracts', 'console/src/boot.ts', "import '../../src/gateway/ledger.ts';"],
    ['no-cycles', 'src/lib/planted.ts', "import type { Q } from './planted-too.ts';\nexport type P = Q;"],
  ];

  test('each forbidden import turns it red under the name of its rule', () => {
    const plantAll = (left: typeof FORBIDDEN): ReturnType<typeof run> => {
      const [next, ...rest] = left;
      return next === undefined ? walls() : planted(next[1], next[2], () => plantAll(rest));
    };
    const closing: (typeof FORBIDDEN)[number] = [
      'no-cycles',
      'src/lib/planted-too.ts',
      "import type { P } from './planted.ts';\nexport type Q = P | 1;",
    ];
    const { green, output } = plantAll([...FORBIDDEN, closing]);
    expect(green).toBe(false);
    for (const [rule, file] of FORBIDDEN) {
      expect(output).toContain(`error ${rule}: ${file.replace('.ts', '')}`);
    }
  });
});

describe('every other gate has been seen red', () => {
  test('format', () => {
    expect(
      planted('src/lib/planted.ts', 'export const  a="b"', () => run([bin('oxfmt'), '--check', 'src/lib'])).green,
    ).toBe(false);
  });

  test.each([
    ['no-explicit-any', 'export function planted(value: any): string {\n  return String(value);\n}'],
    ['no-restricted-properties', 'export const planted = process.env;'],
    ['no-default-export', 'export default 1;'],
    ['no-floating-promises', 'export function planted(): void {\n  Promise.resolve(1);\n}'],
  ])('lint: %s', (rule, text) => {
    const { green, output } = planted('src/lib/planted.ts', text, () =>
      run([bin('oxlint'), '--type-aware', 'src/lib/planted.ts']),
    );
    expect(output).toContain(rule);
    expect(green).toBe(false);
  });

  test('types', () => {
    const { green, output } = planted('src/lib/planted.ts', "export const planted: number = 'text';", () =>
      run([bin('tsc'), '--noEmit', '-p', '.']),
    );
    expect(output).toContain('src/lib/planted.ts');
    expect(green).toBe(false);
  });

  test('dead code', () => {
    const { green, output } = planted('src/lib/planted.ts', 'export const planted = 1;', () =>
      run([bin('knip'), '--no-progress']),
    );
    expect(output).toContain('src/lib/planted.ts');
    expect(green).toBe(false);
  });

  test('generated docs', () => {
    const check = () => run([process.execPath, 'scripts/generate-docs.ts', '--check']);
    expect(check().green).toBe(true);
    expect(planted('docs/reference/errors.md', 'A line of my own.', check).green).toBe(false);
  });
});
