/** Where a command writes. Standard output carries results, standard error everything about their making. */
export interface Terminal {
  print(line: string): void;
  warn(line: string): void;
  /** Draws a progress bar on one line; `done` equal to `total` ends it. Silent where nobody watches. */
  progress(label: string, done: number, total: number): void;
}

const WIDTH = 28;

/** What a terminal acts on instead of showing it: control characters but line feed and tab, and what turns text round. */
// eslint-disable-next-line no-control-regex
const ACTIVE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A text as a terminal may show it, whoever wrote it: what it would act on stands there as an escape. */
export function visible(text: string): string {
  return text.replace(ACTIVE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The same for a text that is one field of a line. */
export function visibleField(text: string): string {
  return visible(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t');
}

export function createTerminal(): Terminal {
  const watched = process.stderr.isTTY;
  // Whoever reads the results may have read enough: `sekisho tasks list | head -1`.
  process.stdout.on('error', (error) => {
    if (!('code' in error && error.code === 'EPIPE')) throw error;
  });
  return {
    print: (line) => void process.stdout.write(`${visible(line)}\n`),
    warn: (line) => void process.stderr.write(`${visible(line)}\n`),
    progress: (label, done, total) => {
      if (!watched) {
        if (done === total && total > 0) process.stderr.write(`${label}: ${done} of ${total}\n`);
        return;
      }
      const filled = total === 0 ? WIDTH : Math.round((done / total) * WIDTH);
      const bar = '█'.repeat(filled) + '░'.repeat(WIDTH - filled);
      process.stderr.write(`\r${label} ${bar} ${done}/${total}${done === total ? '\n' : ''}`);
    },
  };
}
