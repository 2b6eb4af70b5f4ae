import { expect, test } from 'bun:test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLanceIndex } from '../../../src/stores/lance/lance-index.ts';
import { REF, chunksOf } from './crash-writer.ts';

/** Kills a process that writes, replaces and optimises without pause, and looks at what it left behind. */
test('after kill -9 the index opens, holds all that was acknowledged, whole, and takes repeated writes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sekisho-crash-'));
  const acknowledged = new Map<string, number>();
  for (const linesBeforeKill of [1, 14, 33]) {
    const child = Bun.spawn(
      [process.execPath, join(import.meta.dir, 'crash-writer.ts'), folder, String(acknowledged.size)],
      {
        stdout: 'pipe',
        stderr: 'inherit',
      },
    );
    let lines = 0;
    let text = '';
    for await (const bytes of child.stdout) {
      text += new TextDecoder().decode(bytes);
      const complete = text.split('\n');
      text = complete.pop() ?? '';
      for (const line of complete) {
        const [document, generation] = line.split(' ');
        if (document !== undefined) acknowledged.set(document, Number(generation));
        lines++;
      }
      if (lines >= linesBeforeKill) child.kill(9);
    }
    await child.exited;

    const index = createLanceIndex({ folder });
    const ids = await index.documentIds(REF);
    for (const [document, generation] of acknowledged) {
      expect(ids.has(document)).toBe(true);
      const hits = await index.searchLexical(REF, [`of${document}`], { limit: 50 });
      // What was acknowledged last, or what was under way when the process ended.
      const whole = [generation, generation + 1].map((g) => chunksOf(document, g).length);
      expect(whole).toContain(hits.length);
    }
    const [document] = [...ids];
    if (document !== undefined) {
      const rows = chunksOf(document, 1);
      await index.replace(REF, [document], rows, false);
      await index.replace(REF, [document], rows, false);
      expect(await index.searchLexical(REF, [`of${document}`], { limit: 50 })).toHaveLength(rows.length);
      acknowledged.set(document, 1);
    }
    await index.optimise(REF);
    await index.close();
  }
  expect(acknowledged.size).toBeGreaterThan(8);
  await rm(folder, { recursive: true, force: true });
}, 60_000);
