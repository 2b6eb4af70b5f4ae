import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

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
  mkdirSync(dirname(path), { recursive: true });
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
    ['room-unknown', 'src/annex/planted.ts', "import '../lib/clock.ts';"],
    ['room-top', 'src/handbook.ts', "import './http/app.ts';"],
    ['room-cli', 'src/cli/ask.ts', "import '../http/app.ts';"],
    ['provider-registry', 'src/providers/registry.ts', "import '../nlp/language.ts';"],
    ['names-say-what-is-inside', 'src/rag/planted.ts', "import './utils/planted.ts';"],
    ['console-sees-contracts', 'console/src/boot.ts', "import '../../src/gateway/ledger.ts';"],
    ['no-cycles', 'src/lib/planted.ts', "import type { Q } from './planted-too.ts';\nexport type P = Q;"],
  ];

  test('each forbidden import turns it red under the name of its rule', () => {
    const plantAll = (left: typeof FORBIDDEN): ReturnType<typeof run> => {
      const [next, ...rest] = left;
      return next === undefined ? walls() : planted(next[1], next[2], () => plantAll(rest));
    };
    const targets: typeof FORBIDDEN = [
      ['no-cycles', 'src/lib/planted-too.ts', "import type { P } from './planted.ts';\nexport type Q = P | 1;"],
      ['names-say-what-is-inside', 'src/rag/utils/planted.ts', 'export const planted = 1;'],
    ];
    const { green, output } = plantAll([...FORBIDDEN, ...targets]);
    expect(green).toBe(false);
    for (const [rule, file] of FORBIDDEN) {
      expect(output).toContain(`error ${rule}: ${file.replace('.ts', '')}`);
    }
  });
});

describe('every other gate has been seen red', () => {
  test('format', () => {
    const check = () => run([bin('oxfmt'), '--check', 'src/lib']);
    const { green, output } = planted('src/lib/planted.ts', 'export const  a="b"', check);
    expect(output).toContain('src/lib/planted.ts');
    expect(green).toBe(false);
  });

  test('lint', () => {
    const FORBIDDEN: [rule: string, text: string][] = [
      ['no-explicit-any', 'export function planted(value: any): string {\n  return String(value);\n}'],
      ['no-restricted-properties', 'export const planted = process.env;'],
      ['no-restricted-properties', 'export const planted = Bun.env;'],
      ['no-restricted-properties', 'export const planted = globalThis.process.env;'],
      ['no-restricted-imports', "import { env } from 'node:process';\nexport const planted = env;"],
      ['no-non-null-assertion', 'export const planted = (text?: string): number => text!.length;'],
      ['consistent-type-imports', "import { Price } from '../spec/money.ts';\nexport type Planted = Price;"],
      ['no-default-export', 'export default 1;'],
      ['no-floating-promises', 'export function planted(): void {\n  Promise.resolve(1);\n}'],
      ['max-lines', `export const planted = 1;${'\n'.repeat(500)}`],
    ];
    const files = FORBIDDEN.map((_, index) => `src/lib/planted-${index}.ts`);
    const plantAll = (index: number): ReturnType<typeof run> => {
      const [file, text] = [files[index], FORBIDDEN[index]?.[1]];
      return file === undefined || text === undefined
        ? run([bin('oxlint'), '--type-aware', '--format', 'unix', ...files])
        : planted(file, text, () => plantAll(index + 1));
    };
    const { green, output } = plantAll(0);
    expect(green).toBe(false);
    for (const [index, [rule]] of FORBIDDEN.entries()) {
      expect(output.split('\n').some((line) => line.includes(files[index] ?? '?') && line.includes(rule))).toBe(true);
    }
  });

  test('types', () => {
    const { green, output } = planted('src/lib/planted.ts', "export const planted: number = 'text';", () =>
      run([bin('tsc'), '--noEmit', '-p', '.']),
    );
    expect(output).toContain('src/lib/planted.ts');
    expect(green).toBe(false);
  }, 120_000);

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

describe('the check', () => {
  const check = (name: string) => run([process.execPath, 'scripts/check.ts', name]);

  test('is red for a gate that is not there', () => {
    const { green, output } = check('lnit');
    expect(output).toContain('There is no gate "lnit"');
    expect(green).toBe(false);
  });

  test('is red where a gate looked at nothing', () => {
    const { green, output } = planted('tsconfig.json', '', () => {
      writeFileSync(join(house, 'tsconfig.json'), '{ "files": ["src/lib/clock.ts"] }');
      return check('types');
    });
    expect(output).toContain('The gate looked at nothing.');
    expect(green).toBe(false);
  });

  test('is red where the tool is missing', () => {
    const bare = mkdtempSync(join(tmpdir(), 'sekisho-no-tools-'));
    try {
      cpSync(join(root, 'scripts/check.ts'), join(bare, 'scripts/check.ts'));
      const { green, output } = run([process.execPath, join(bare, 'scripts/check.ts'), 'lint']);
      expect(output).toContain('is missing');
      expect(green).toBe(false);
    } finally {
      rmSync(bare, { recursive: true, force: true });
    }
  });
});
