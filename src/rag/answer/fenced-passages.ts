import type { Hit } from '../../spec/document.ts';

/** Passages as a model reads them: numbered, each in a fence that its text cannot leave. */
export function fencedPassages(passages: readonly Hit[]): string {
  return passages
    .map((hit, index) => {
      const title = [hit.title, ...hit.headingPath.filter((heading) => heading !== hit.title)].join(' › ');
      const content = hit.content.replaceAll(/<(?=\/?passage)/gi, '<\\');
      return `<passage number="${index + 1}" title="${attribute(title)}">\n${content}\n</passage>`;
    })
    .join('\n\n');
}

function attribute(text: string): string {
  return text.replaceAll('"', '”').replaceAll('<', '‹').replaceAll('>', '›').replaceAll(/\s+/g, ' ');
}
