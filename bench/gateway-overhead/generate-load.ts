import { join } from 'node:path';
import type { LoadOrder, LoadResult } from './load.ts';

/** Runs the load generator in a process of its own and waits for what it measured. */
export async function generateLoad(order: LoadOrder): Promise<LoadResult> {
  const child = Bun.spawn([process.execPath, join(import.meta.dirname, 'load.ts')], {
    stdin: new Blob([JSON.stringify(order)]),
    stdout: 'pipe',
    stderr: 'inherit',
  });
  const text = await new Response(child.stdout).text();
  await child.exited;
  return JSON.parse(text);
}

/** The value below which `part` of the values lie. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
