import { decodeText } from './decode-text.ts';
import { UnreadableFile } from './parsed.ts';
import { readXml } from './read-xml.ts';
import { readZip, type UnpackBudget } from './read-zip.ts';

/** The XML parts of an office document by their paths. */
export type OfficeParts = ReadonlyMap<string, string>;

/**
 * Unpacks the parts of an office document (OOXML or ODF) that are text; pictures and programs stay packed.
 * No part may have a document type: the formats have none, only attacks do (ECMA-376 part 2, 6.1.3).
 * @throws UnreadableFile where a part cannot be unpacked, is too large, or has a document type.
 */
export function readOfficeParts(bytes: Uint8Array, budget: UnpackBudget): OfficeParts {
  const parts = new Map<string, string>();
  for (const entry of readZip(bytes, budget)) {
    if (!/\.(?:xml|rels)$/i.test(entry.name)) continue;
    if ('problem' in entry) throw new UnreadableFile(`${entry.name.slice(0, 100)}: ${entry.problem}`);
    const text = decodeText(entry.read());
    if (/<!(?:DOCTYPE|ENTITY)/i.test(text)) {
      throw new UnreadableFile(`${entry.name.slice(0, 100)} declares a document type, which is not read`);
    }
    parts.set(entry.name, text);
  }
  return parts;
}

/** What the part points to, by relation id: paths of other parts; links to the outside are left out. */
export function relationsOf(parts: OfficeParts, path: string): Map<string, { type: string; target: string }> {
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  const relations = new Map<string, { type: string; target: string }>();
  const source = parts.get(`${folder}_rels/${path.slice(folder.length)}.rels`);
  if (source === undefined) return relations;
  readXml(source, {
    open: (name, attributes) => {
      const { Id: id, Target: target, Type: type = '', TargetMode: mode } = attributes;
      if (name !== 'Relationship' || id === undefined || target === undefined || mode === 'External') return;
      relations.set(id, { type: type.slice(type.lastIndexOf('/') + 1), target: resolvePath(folder, target) });
    },
  });
  return relations;
}

/** A path inside an archive, as seen from a folder of it. */
export function resolvePath(folder: string, target: string): string {
  const path: string[] = [];
  for (const step of `${target.startsWith('/') ? '' : folder}${target}`.split('/')) {
    if (step === '..') path.pop();
    else if (step !== '' && step !== '.') path.push(step);
  }
  return path.join('/');
}
