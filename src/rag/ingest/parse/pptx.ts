import type { Heading } from '../../documents.ts';
import { readOfficeParts, relationsOf, type OfficeParts } from './office-parts.ts';
import { officeTitle } from './office-title.ts';
import { UnreadableFile, type ParsedDocument } from './parsed.ts';
import { readXml } from './read-xml.ts';
import type { UnpackBudget } from './read-zip.ts';

const PRESENTATION = 'ppt/presentation.xml';
const MAX_SLIDES = 5_000;
/** Placeholders that stand on every slide. */
const FURNITURE: ReadonlySet<string> = new Set(['sldNum', 'dt', 'ftr', 'hdr', 'sldImg']);

interface Slide {
  title: string;
  blocks: string[];
}

/** The slides of a presentation in their order, each with its title as a heading, its tables and its notes. */
export function parsePptx(bytes: Uint8Array, budget: UnpackBudget): ParsedDocument {
  const parts = readOfficeParts(bytes, budget);
  const paths = slidePaths(parts);
  if (paths.length > MAX_SLIDES) throw new UnreadableFile(`it has more than ${MAX_SLIDES} slides`);
  const headings: Heading[] = [];
  const pages: number[] = [];
  let text = '';
  for (const path of paths) {
    pages.push(text.length);
    const slide = readSlide(parts.get(path) ?? '');
    if (slide.title !== '') headings.push({ level: 1, start: text.length, text: slide.title });
    const notesPath = [...relationsOf(parts, path).values()].find(({ type }) => type === 'notesSlide')?.target;
    const notes = readSlide(parts.get(notesPath ?? '') ?? '').blocks;
    const lines = [slide.title, ...slide.blocks, ...notes].filter((line) => line !== '');
    if (lines.length > 0) text += `${lines.join('\n')}\n\n`;
  }
  const title = officeTitle(parts.get('docProps/core.xml')) ?? headings[0]?.text;
  return {
    text: text.trimEnd(),
    headings,
    pages,
    metadata: { slides: paths.length },
    ...(title !== undefined && { title }),
  };
}

/** The slides as the presentation orders them, not as its files are numbered. */
function slidePaths(parts: OfficeParts): string[] {
  const presentation = parts.get(PRESENTATION);
  if (presentation === undefined) throw new UnreadableFile('it is not a presentation');
  const relations = relationsOf(parts, PRESENTATION);
  const paths: string[] = [];
  readXml(presentation, {
    open: (name, attributes) => {
      const target = name === 'sldId' ? relations.get(attributes['r:id'] ?? '')?.target : undefined;
      if (target !== undefined) paths.push(target);
    },
  });
  return paths;
}

/** Text of one slide, or of its notes: a block per paragraph or row of a table. */
function readSlide(xml: string): Slide {
  const slide: Slide = { title: '', blocks: [] };
  if (xml === '') return slide;
  let role: 'title' | 'furniture' | 'body' = 'body';
  let paragraph = '';
  let cell: string[] | undefined;
  let row: string[] = [];
  let inText = false;
  /** What stands beside a newer form for older readers says the same again. */
  let fallbacks = 0;
  readXml(xml, {
    open: (name, attributes) => {
      if (name === 'Fallback') fallbacks++;
      else if (name === 'sp' || name === 'graphicFrame') role = 'body';
      else if (name === 'ph') role = roleOf(attributes['type'] ?? '');
      else if (name === 't') inText = true;
      else if (name === 'br') paragraph += ' ';
      else if (name === 'p') paragraph = '';
      else if (name === 'tr') row = [];
      else if (name === 'tc') cell = [];
    },
    text: (text) => {
      if (inText && fallbacks === 0) paragraph += text;
    },
    close: (name) => {
      if (name === 'Fallback') fallbacks--;
      else if (name === 't') inText = false;
      else if (name === 'p') {
        const line = paragraph.replace(/\s+/g, ' ').trim();
        paragraph = '';
        if (line === '' || role === 'furniture') return;
        if (cell !== undefined) cell.push(line);
        else if (role === 'title') slide.title += slide.title === '' ? line : ` ${line}`;
        else slide.blocks.push(line);
      } else if (name === 'tc') {
        row.push((cell ?? []).join(' '));
        cell = undefined;
      } else if (name === 'tr' && row.some((each) => each !== '')) slide.blocks.push(row.join(' | '));
    },
  });
  return slide;
}

function roleOf(type: string): 'title' | 'furniture' | 'body' {
  if (type === 'title' || type === 'ctrTitle') return 'title';
  return FURNITURE.has(type) ? 'furniture' : 'body';
}
