import type { SseEvent } from './sse.ts';

/** An event as text; data with line feeds becomes several data lines. */
export function formatSse({ event, data }: SseEvent): string {
  const name = event === undefined ? '' : `event: ${event}\n`;
  const lines = data.includes('\n') ? data.replaceAll('\n', '\ndata: ') : data;
  return `${name}data: ${lines}\n\n`;
}
