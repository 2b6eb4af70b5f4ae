// Runs every gate and says in a line what each found. A gate that looked at nothing is red.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

interface Gate {
  name: string;
  command: string[];
  /** What the output must show for the gate to have looked at anything. */
  looked?: RegExp;
  /** Lines that prove that the gate looked and tell a reader nothing. */
  noise?: RegExp;
}

const root = join(import.meta.dirname, '..');
const bin = (name: string): string => join(root, 'node_modules', '.bin', name);

const LISTED_FILE = /^\/.*\.(?:ts|tsx|mts|cts|json)$/;

const GATES: Gate[] = [
  { name: 'format', command: [bin('oxfmt'), '--check'], looked: /[1-9]\d* files/ },
  { name: 'lint', command: [bin('oxlint'), '--type-aware'], looked: /on [1-9]\d* files/ },
  { name: 'types', command: [bin('tsc'), '--noEmit', '--listFiles'], looked: /\/src\/app\.ts$/m, noise: LISTED_FILE },
  {
    name: 'types of the console',
    command: [bin('tsc'), '--noEmit', '--listFiles', '-p', 'console'],
    looked: /\/console\/src\/mount\.tsx$/m,
    noise: LISTED_FILE,
  },
  {
    name: 'walls',
    command: [bin('depcruise'), 'src', 'console/src', '--config', '.dependency-cruiser.cjs'],
    looked: /[1-9]\d\d+ modules/,
  },
  { name: 'dead code', command: [bin('knip'), '--no-progress'] },
  {
    name: 'generated docs',
    command: [process.execPath, 'scripts/generate-docs.ts', '--check'],
    looked: /[1-9]\d* pages/,
  },
];

const only = process.argv.slice(2);
const unknown = only.filter((name) => !GATES.some((gate) => gate.name === name));
let red = unknown.length;
for (const name of unknown) console.log(`✗ There is no gate "${name}": ${GATES.map((gate) => gate.name).join(', ')}`);
for (const gate of GATES) {
  if (only.length > 0 && !only.includes(gate.name)) continue;
  const startedMs = performance.now();
  const [tool = ''] = gate.command;
  const run = existsSync(tool) ? Bun.spawnSync(gate.command, { cwd: root, stdout: 'pipe', stderr: 'pipe' }) : undefined;
  const output = run === undefined ? `${tool} is missing` : `${run.stdout.toString()}${run.stderr.toString()}`;
  const blind = run?.exitCode === 0 && gate.looked !== undefined && !gate.looked.test(output);
  const green = run?.exitCode === 0 && !blind;
  if (!green) red++;
  console.log(`${green ? '✓' : '✗'} ${gate.name} (${((performance.now() - startedMs) / 1000).toFixed(1)} s)`);
  if (blind) console.log('  The gate looked at nothing.');
  if (!green)
    console.log(
      output
        .trimEnd()
        .split('\n')
        .filter((line) => gate.noise?.test(line) !== true)
        .slice(-60)
        .map((line) => `  ${line}`)
        .join('\n'),
    );
}
process.exitCode = red === 0 ? 0 : 1;
