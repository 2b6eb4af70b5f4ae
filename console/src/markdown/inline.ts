import { citationAt, withoutMarks } from './citation-marks.ts';

/** A piece of running text. */
export type Inline =
  | { type: 'text'; text: string }
  | { type: 'code'; text: string }
  | { type: 'strong' | 'emphasis'; children: Inline[] }
  | { type: 'link'; href: string; host: string; children: Inline[] }
  | { type: 'image'; alt: string }
  | { type: 'citation'; source: number };

/** How far a closing mark may lie from its opening; keeps hostile text from costing more than linear time. */
const REACH = 1000;
const DEEPEST = 4;

/**
 * Parses code, emphasis, links and citation marks. What does not parse stays text. A link keeps its address
 * only when it is http or https; an image keeps only its description, because loading it would tell a
 * stranger what was asked.
 */
export function parseInline(text: string, depth = 0): Inline[] {
  const found: Inline[] = [];
  let plain = '';
  let at = 0;
  const push = (node: Inline, end: number) => {
    if (plain !== '') found.push({ type: 'text', text: plain });
    plain = '';
    found.push(node);
    at = end;
  };
  while (at < text.length) {
    const match = depth < DEEPEST ? nodeAt(text, at, depth) : undefined;
    if (match !== undefined) {
      push(match.node, match.end);
      continue;
    }
    plain += text.charAt(at);
    at += 1;
  }
  if (plain !== '') found.push({ type: 'text', text: plain });
  return found;
}

interface Match {
  node: Inline;
  end: number;
}

function nodeAt(text: string, at: number, depth: number): Match | undefined {
  switch (text.charAt(at)) {
    case '`':
      return codeAt(text, at);
    case '*':
      return text.startsWith('**', at) ? spanAt(text, at, '**', depth) : spanAt(text, at, '*', depth);
    case '!':
      return text.charAt(at + 1) === '[' ? imageAt(text, at) : undefined;
    case '[':
      return linkAt(text, at, depth);
    case 'h':
      return bareLinkAt(text, at);
    default: {
      const source = citationAt(text, at);
      return source === undefined ? undefined : { node: { type: 'citation', source }, end: at + 1 };
    }
  }
}

function codeAt(text: string, at: number): Match | undefined {
  let fence = 1;
  while (text.charAt(at + fence) === '`' && fence < 8) fence += 1;
  const end = findNear(text, '`'.repeat(fence), at + fence);
  if (end === undefined) return undefined;
  const inside = withoutMarks(text.slice(at + fence, end)).text.trim();
  return { node: { type: 'code', text: inside }, end: end + fence };
}

function spanAt(text: string, at: number, mark: string, depth: number): Match | undefined {
  const start = at + mark.length;
  if (/\s/.test(text.charAt(start) || ' ')) return undefined;
  const end = findNear(text, mark, start);
  if (end === undefined || end === start || /\s/.test(text.charAt(end - 1))) return undefined;
  const children = parseInline(text.slice(start, end), depth + 1);
  return { node: { type: mark === '**' ? 'strong' : 'emphasis', children }, end: end + mark.length };
}

function imageAt(text: string, at: number): Match | undefined {
  const parts = bracketsAt(text, at + 1);
  return parts === undefined
    ? undefined
    : { node: { type: 'image', alt: withoutMarks(parts.label).text }, end: parts.end };
}

function linkAt(text: string, at: number, depth: number): Match | undefined {
  const parts = bracketsAt(text, at);
  if (parts === undefined) return undefined;
  const children = parseInline(parts.label, depth + 1).filter((child) => child.type !== 'link');
  const address = webAddress(parts.address);
  if (address === undefined) return { node: { type: 'text', text: parts.label }, end: parts.end };
  return { node: { type: 'link', ...address, children }, end: parts.end };
}

function bareLinkAt(text: string, at: number): Match | undefined {
  if (!text.startsWith('http://', at) && !text.startsWith('https://', at)) return undefined;
  const found = /^[\w\-.~:/?#@!$&*+,;=%]+/.exec(text.slice(at, at + REACH))?.[0].replace(/[.,;:!?*]+$/, '');
  const address = webAddress(found ?? '');
  if (found === undefined || address === undefined) return undefined;
  const node: Inline = { type: 'link', ...address, children: [{ type: 'text', text: found }] };
  return { node, end: at + found.length };
}

function bracketsAt(text: string, at: number): { label: string; address: string; end: number } | undefined {
  const middle = findNear(text, '](', at + 1);
  if (middle === undefined || text.slice(at + 1, middle).includes('\n')) return undefined;
  const end = findNear(text, ')', middle + 2);
  if (end === undefined) return undefined;
  const address =
    text
      .slice(middle + 2, end)
      .trim()
      .split(/\s/)[0] ?? '';
  return { label: text.slice(at + 1, middle), address, end: end + 1 };
}

function webAddress(address: string): { href: string; host: string } | undefined {
  if (!URL.canParse(address)) return undefined;
  const url = new URL(address);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined;
  return { href: url.href, host: url.host };
}

function findNear(text: string, mark: string, from: number): number | undefined {
  const found = text.slice(from, from + REACH).indexOf(mark);
  return found < 0 ? undefined : from + found;
}
