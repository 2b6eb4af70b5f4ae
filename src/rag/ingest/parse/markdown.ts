import { fromMarkdown } from 'mdast-util-from-markdown';
import type { Heading } from '../../documents.ts';
import type { ParsedDocument } from './parsed.ts';

type Node = ReturnType<typeof fromMarkdown>['children'][number];

/** Markdown stays as it was written, so that citations read like the source; its headings are found by parsing. */
export function parseMarkdown(source: string): ParsedDocument {
  const { text, title: stated } = withoutFrontMatter(source);
  const headings = fromMarkdown(text).children.flatMap((node): Heading[] => {
    const start = node.position?.start.offset;
    return node.type === 'heading' && start !== undefined
      ? [{ level: node.depth, start, text: plain(node).trim() }]
      : [];
  });
  const title = stated ?? headings.find((heading) => heading.level === 1)?.text;
  return { text, headings, metadata: {}, ...(title !== undefined && title !== '' && { title }) };
}

/** Front matter is about the document, not part of it; its title counts. */
function withoutFrontMatter(source: string): { text: string; title?: string } {
  const matter = /^---\n([\s\S]{0,10000}?)\n---\n/.exec(source);
  if (matter === null) return { text: source };
  const title = /^title:\s*["']?(.+?)["']?\s*$/m.exec(matter[1] ?? '')?.[1];
  return { text: source.slice(matter[0].length), ...(title !== undefined && { title }) };
}

function plain(node: Node | { value: string } | { children: unknown[] }): string {
  if ('value' in node) return node.value;
  if (!('children' in node)) return '';
  return (node.children as Node[]).map(plain).join('');
}
