import { expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFiles } from './read-files.ts';

test('a folder gives every file of a format that can be read, and says why others are passed over', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sekisho-files-'));
  try {
    const names =
      'a.md b.html c.txt d.pdf e.docx f.pptx g.xlsx h.xls i.ods j.csv k.json l.jsonl m.epub n.eml o.zip p.ts q.PY r.exe s.svg .hidden.md'.split(
        ' ',
      );
    for (const name of names) writeFileSync(join(folder, name), 'x');
    writeFileSync(join(folder, 'empty.md'), '');
    mkdirSync(join(folder, 'sub'));
    writeFileSync(join(folder, 'sub', '手引き.md'), 'x');
    symlinkSync('/etc/passwd', join(folder, 'link.txt'));
    const found = await Array.fromAsync(findFiles([folder]));
    expect(found.map((file) => ('path' in file ? file.id : `${file.id}: ${file.skipped}`))).toEqual([
      ...names.slice(0, 5),
      'empty.md: empty',
      ...names.slice(5, 17).filter((name) => name !== 'q.PY'),
      'q.PY',
      'r.exe: the format cannot be read',
      's.svg: the format cannot be read',
      'sub/手引き.md',
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
